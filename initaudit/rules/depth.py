"""What the rules about depth share: trends over layers, and what to write instead. No rule itself."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from initaudit.finding import Advice, Place
from initaudit.rules.remedies import call_for
from initaudit.timeline import Layer, SignalProfile

DECADES = 2.0
"""How far the layers of a group may lie apart: gradients of healthy models stay within 1.05 decades."""
STEADY = 0.8
"""The R^2 from which on a change with depth is one, and not noise."""
NEARLY = 0.5
"""The part of the steepest change, in decades, from which on another one is as much to blame."""
GROUP = 4
"""Layers that show a trend."""


class Trend(msgspec.Struct, frozen=True):
    """A straight line through log10 of positive numbers: decades from its first to its last, and how well it fits."""

    decades: float
    fit: float

    @property
    def geometric(self) -> bool:
        """Whether the numbers change by about the same factor from each to the next, and by much."""
        return abs(self.decades) > DECADES and self.fit > STEADY


def trend(numbers: Sequence[float]) -> Trend | None:
    """The trend of positive numbers; None when there are fewer than two, or one is zero or not finite."""
    if len(numbers) < 2 or not all(0 < number < math.inf for number in numbers):
        return None
    logs = [math.log10(number) for number in numbers]
    middle, mean = (len(logs) - 1) / 2, math.fsum(logs) / len(logs)
    across = math.fsum((position - middle) ** 2 for position in range(len(logs)))
    both = math.fsum((position - middle) * (log - mean) for position, log in enumerate(logs))
    total = math.fsum((log - mean) ** 2 for log in logs)
    slope = both / across
    return Trend(decades=slope * (len(logs) - 1), fit=slope * both / total if total > 0 else 0.0)


def middle(numbers: Sequence[float]) -> float | None:
    """The median over the seeds; None where nothing was measured. Not finite as soon as one of them is not."""
    if not numbers:
        return None
    if not all(math.isfinite(number) for number in numbers):
        return math.nan
    ordered = sorted(numbers)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def groups(profile: SignalProfile) -> Iterator[list[Layer]]:
    """Layers that are alike: one shape, one activation, one name but for its numbers."""
    found: dict[tuple[object, ...], list[Layer]] = {}
    for layer in profile.layers:
        if layer.fed and layer.depends is None and not layer.fixed:
            key = (layer.shape, layer.activation, re.sub(r"\d+", "#", layer.path))
            found.setdefault(key, []).append(layer)
    yield from (group for group in found.values() if len(group) >= GROUP)


def repeated(profile: SignalProfile) -> Iterator[tuple[Layer, Trend]]:
    """Weights that are used many times over, as a recurrent one is, and how the scale of what they give changes."""
    for layer in profile.layers:
        scales = list(itertools.dropwhile(lambda scale: scale == 0, layer.again))  # an empty state comes first
        judged = layer.fed and layer.depends is None
        course = trend(scales) if judged and len(scales) >= GROUP else None
        if course is not None:
            yield layer, course


def chains(profile: SignalProfile) -> Iterator[list[Layer]]:
    """The hidden layers of each unnormalized chain that differing inputs reach, in order.

    A chain with a weight whose scale no parameter sets is none: no initializer would change it.
    """
    found: dict[int, list[Layer]] = {}
    for layer in profile.layers:
        if layer.chain is not None and layer.fed and layer.depends is None and not layer.output:
            found.setdefault(layer.chain, []).append(layer)
    for chain in found.values():
        if len(chain) > 1 and not any(layer.fixed for layer in chain):
            yield chain


def factor(layer: Layer) -> float:
    """Decades by which what a layer gives is larger than what it is given, 0.0 where that was not measured."""
    before, after = middle(layer.given) or 0.0, middle(layer.rms) or 0.0
    known = 0 < before < math.inf and 0 < after < math.inf
    return math.log10(after / before) if known else 0.0


def guilty(layers: Sequence[Layer], direction: int) -> Layer:
    """The first layer across which the scale rises, or falls with -1, by nearly as much as across any other."""
    steps = [direction * factor(layer) for layer in layers]
    most = max(steps)
    return next(layer for layer, step in zip(layers, steps, strict=True) if step >= NEARLY * most or step == most)


def remedy(layer: Layer) -> Advice:
    """The call that gives a weight the scale for what follows it."""
    initializer, given = call_for(layer)
    return Advice(model=layer.model, parameter=layer.parameter, initializer=initializer, **given)


def remedies(layers: Iterable[Layer]) -> tuple[Advice, ...]:
    """The calls for the weights of some layers, and for their biases."""
    return tuple(
        dict.fromkeys(
            call
            for layer in layers
            for call in (
                remedy(layer),
                *([Advice(model=layer.model, parameter=layer.bias, initializer="zeros_")] if layer.bias else []),
            )
        )
    )


def advice(layer: Layer) -> str:
    """The call that gives a weight the scale for what follows it, as it is shown."""
    return f"`{remedy(layer)}`"


def unbiased(layer: Layer) -> str:
    """The call that takes the bias away."""
    return f"`{Advice(model=layer.model, parameter=layer.bias or '', initializer='zeros_')}`"


def place_of(layer: Layer, profile: SignalProfile) -> Place:
    """The line to change."""
    return layer.place or profile.place


def named(layers: Sequence[Layer], model: str) -> tuple[str, ...]:
    """The parameters that a class declares, each once."""
    return tuple(dict.fromkeys(layer.parameter for layer in layers if layer.model == model))
