"""Helpers of the rules about depth: trends over layers, and the calls to write instead. Defines no rule."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from initaudit.finding import Advice, Place
from initaudit.rules.remedies import call_for, rounded
from initaudit.timeline import Gain, Layer, SignalProfile

DECADES, EXTREME = 2.0, 4.0
"""How far the layers of a group may be apart, in decades: gradients of healthy models stay within 1.05. The second value is
for groups too small to show a trend."""
STEADY = 0.8
"""The R^2 from which a change with depth counts as a trend, not noise."""
NEARLY = 0.5
"""The share of the steepest change, in decades, from which another layer is as much to blame."""
STEEP = 1.0
"""The change of the scale by one layer, in decades, from which several in a row are to blame where no chain joins them."""
SLIGHT = 0.3
"""The change of the scale by a gain, in decades, below which it is not to blame."""
BIASES = 0.5
"""The share of an output's second moment from which its bias makes it, and not the weight."""
SCORES = ("softmax", "log_softmax")
"""Activations of scores, which may start small on purpose: equal shares are no loss."""
GROUP = 4
"""The number of layers from which a trend can be seen."""


class Trend(msgspec.Struct, frozen=True):
    """A straight line through log10 of positive numbers: decades from the first to the last, and the R^2 of the fit."""

    decades: float
    fit: float

    @property
    def geometric(self) -> bool:
        """Whether the numbers change by about the same factor at each step, and by more than DECADES in total."""
        return abs(self.decades) > DECADES and self.fit > STEADY


def trend(numbers: Sequence[float]) -> Trend | None:
    """Return the trend of positive numbers; None when there are fewer than two, or one is zero or not finite."""
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
    """Return the median over the seeds: NaN if any number is not finite, None if nothing was measured."""
    if not numbers:
        return None
    if not all(math.isfinite(number) for number in numbers):
        return math.nan
    ordered = sorted(numbers)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def groups(profile: SignalProfile, least: int = GROUP) -> Iterator[list[Layer]]:
    """Yield groups of at least ``least`` similar layers: equal shape, activation, and name except for its numbers."""
    found: dict[tuple[object, ...], list[Layer]] = {}
    for layer in profile.layers:
        if layer.fed and layer.depends is None and not layer.fixed:
            key = (layer.shape, layer.activation, re.sub(r"\d+", "#", layer.path))
            found.setdefault(key, []).append(layer)
    yield from (group for group in found.values() if len(group) >= least)


def slopes(profile: SignalProfile) -> Iterator[tuple[list[Layer], Trend]]:
    """Yield the groups whose gradients change geometrically."""
    for group in groups(profile):
        course = trend([middle(layer.gradient) or 0.0 for layer in group])
        unjudged = any(layer.normalized or layer.gradient_depends for layer in group)
        if course is not None and course.geometric and not unjudged:
            yield group, course


def repeated(profile: SignalProfile) -> Iterator[tuple[Layer, Trend]]:
    """Yield weights that are used repeatedly, as in a recurrent layer, and the trend of the scale of their outputs."""
    for layer in profile.layers:
        scales = list(itertools.dropwhile(lambda scale: scale == 0, layer.again))  # the initial state is often zero
        judged = layer.fed and layer.depends is None
        course = trend(scales) if judged and len(scales) >= GROUP else None
        if course is not None:
            yield layer, course


def chains(profile: SignalProfile) -> Iterator[list[Layer]]:
    """Yield the input-dependent hidden layers of each chain without normalization, in order.

    Skip a chain with a weight whose scale no parameter sets: no initializer would change it.
    """
    found: dict[int, list[Layer]] = {}
    for layer in profile.layers:
        if layer.chain is not None and layer.fed and layer.depends is None and not layer.output:
            found.setdefault(layer.chain, []).append(layer)
    for chain in found.values():
        if len(chain) > 1 and not any(layer.fixed for layer in chain):
            yield chain


def factor(layer: Layer) -> float:
    """Return the growth from the input of a layer to its output, in decades; 0.0 if it was not measured."""
    before, after = middle(layer.given) or 0.0, middle(layer.rms) or 0.0
    known = 0 < before < math.inf and 0 < after < math.inf
    return math.log10(after / before) if known else 0.0


def judged(layer: Layer) -> bool:
    """Return whether the scale of an output is that of a weight which an initializer chose."""
    return layer.fed and layer.depends is None and not layer.fixed and not layer.normalized


def by_weight(layer: Layer) -> bool:
    """Return whether the scale of an output is that of a weight which an initializer chose, and not that of its bias."""
    return judged(layer) and (middle(layer.bias_share) or 0.0) <= BIASES


def runs(profile: SignalProfile, direction: int) -> Iterator[list[Layer]]:
    """Yield hidden layers that each change the scale steeply; with ``direction`` -1, that lower it, by EXTREME in all.

    The input of each has about the scale of what the one before gives, so that nothing between them restores it, and
    they are no branches beside a stream that keeps its scale. Gates and joins end a chain, but not such a run.
    """
    run: list[Layer] = []
    hidden = (one for one in profile.layers if not one.output and by_weight(one))
    kept = (one for one in hidden if direction > 0 or one.activation not in SCORES)
    steep = (one for one in kept if direction * factor(one) >= STEEP)
    for layer in steep:
        if run and direction * _step(run[-1].rms, layer.given) < -STEEP:
            yield from _changed(run, direction)
            run = []
        run.append(layer)
    yield from _changed(run, direction)


def _changed(run: list[Layer], direction: int) -> Iterator[list[Layer]]:
    most = DECADES if direction > 0 else EXTREME  # layers that lower it may do so on purpose
    if len(run) > 1 and direction * _step(run[0].given, run[-1].rms) > most:
        yield run


def _step(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the change from one measured scale to another, in decades; both are positive."""
    return math.log10((middle(after) or math.nan) / (middle(before) or math.nan))


def guilty(layers: Sequence[Layer], direction: int) -> Layer:
    """Return the first layer with nearly the steepest rise of the scale; with ``direction`` -1, the steepest fall."""
    steps = [direction * factor(layer) for layer in layers]
    most = max(steps)
    return next(layer for layer, step in zip(layers, steps, strict=True) if step >= NEARLY * most or step == most)


def steep_gains(layers: Sequence[Layer], direction: int) -> list[Gain]:
    """Return the gains that raise the scale between two layers more than any weight does; with -1, that lower it."""
    met = {layer.gain.path: layer.gain for layer in layers[:-1] if layer.gain is not None and layer.gain.factor > 0}
    most = max(direction * factor(layer) for layer in layers)
    steep = max((direction * math.log10(gain.factor) for gain in met.values()), default=0.0)
    least = max(most, NEARLY * steep, SLIGHT)
    return [gain for gain in met.values() if direction * math.log10(gain.factor) >= least]


def unscaled(gain: Gain) -> Advice:
    """Return the call that lets a gain multiply by one."""
    return Advice(model=gain.named.model, parameter=gain.named.parameter, initializer="ones_")


def remedy(layer: Layer) -> Advice:
    """Return the call that initializes a weight for the activation after it."""
    initializer, given = call_for(layer)
    return Advice(model=layer.model, parameter=layer.parameter, initializer=initializer, **given)


def remedies(layers: Iterable[Layer]) -> tuple[Advice, ...]:
    """Return the calls for the weights and biases of some layers."""
    return tuple(
        dict.fromkeys(
            call
            for layer in layers
            for call in (
                remedy(layer),
                *([unbiasing(layer)] if layer.bias else []),
            )
        )
    )


def advice(layer: Layer) -> str:
    """Return the call that initializes a weight for the activation after it, as text."""
    return f"`{remedy(layer)}`"


def unbiasing(layer: Layer) -> Advice:
    """Return the call that zeroes the bias."""
    return Advice(model=layer.bias_model or layer.model, parameter=layer.bias or "", initializer="zeros_")


def unbiased(layer: Layer) -> str:
    """Return the call that zeroes the bias, as text."""
    return f"`{unbiasing(layer)}`"


def times(decades: float) -> str:
    """Return a number of decades as the text of a factor: "1.41", "1,580", "10^8"."""
    return f"{rounded(10**decades):,g}" if decades < 6 else f"10^{decades:.0f}"


def place_of(layer: Layer, profile: SignalProfile) -> Place:
    """Return the line to change."""
    return layer.place or profile.place


def named(layers: Sequence[Layer], model: str) -> tuple[str, ...]:
    """Return the parameters of some layers that a class declares, each once."""
    return tuple(dict.fromkeys(layer.parameter for layer in layers if layer.model == model))
