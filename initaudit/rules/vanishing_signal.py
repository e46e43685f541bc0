"""INI701: the signal shrinks with depth, or stops depending on the input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initaudit.finding import Advice, Category, Evidence, Finding, Place, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import (
    EXTREME,
    GROUP,
    SCORES,
    advice,
    chains,
    groups,
    guilty,
    middle,
    named,
    remedies,
    runs,
    steep_gains,
    times,
    trend,
    unbiased,
    unbiasing,
    unscaled,
)
from initaudit.rules.remedies import rounded
from initaudit.timeline import Layer, Named, SignalProfile, TableSum

LOST = 2.0
"""The most scale that a chain may lose, in decades: the four convolutions of RetinaNet's head lose 1.4 on purpose."""
INDISTINCT, GONE = 1e-2, 1e-4
"""Discrimination (std over inputs / rms) below which a network trains slowly, or not at all. Healthy ones have 0.12 to 0.95."""
FALLEN = 0.1
"""The share of discrimination above which a chain is not the one that loses it."""
HIDDEN = 0.03
"""The discrimination below which a sum with a table, such as positions, hides the tokens: at 0.02 a small transformer learns
nothing in a hundred steps, in which at 0.07 it halves its loss."""
LOUD, USUAL = 0.1, 0.02
"""The rms from which it is the table that is too large, and the usual one of tokens and positions."""
SHRINKING = ("sigmoid", "hardsigmoid")
"""Activations with a slope of a quarter, and a mean of a half, which no scheme makes up for in deep chains."""
BIASES = 0.3
"""The share of a layer's second moment from which its bias dominates the signal."""
LARGE = 0.5
"""The rms of a bias, as a part of that of the input of its chain, from which the bias is too large, and no weight too small."""


class VanishingSignal(Rule[SignalProfile]):
    """
    ## What it does
    Reports layers through which the signal vanishes: without normalization, its scale falls by more than a factor of
    100, or the outputs for different inputs become equal to within 1% of their size. The finding names the layer where
    it begins, and whether weights or biases cause it. It also reports a table, such as positions, that is so much larger
    than the tokens which it is added to that they change the sum by less than 3%.

    ## Why is this bad?
    A network cannot learn from values that no longer depend on the input; and where the scale falls, gradients fall
    with it.

    ## Example
    ```python
    layers = [nn.Linear(64, 64) for _ in range(20)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=0.02)
    ```

    ## Use instead
    ```python
    layers = [nn.Linear(64, 64) for _ in range(20)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    ```

    ## Known problems
    The probe needs an input to run the forward. It takes two measures, because each has a blind spot: in a network
    without biases, outputs differ between inputs however small the signal becomes; in one with random biases, the scale
    stays. Layers whose output is zero on purpose are not judged, and fewer than four hidden layers are reported only
    when they lose four decades: small heads initialized with N(0, 0.02) are meant to give small outputs.

    ## References
    - Glorot & Bengio 2010, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
    - Schoenholz et al. 2017, [Deep Information Propagation](https://arxiv.org/abs/1611.01232)
    """

    code = "INI701"
    name = "vanishing-signal"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = SignalProfile
    reads = ("discrimination", "layers", "sums")
    supersedes = ("INI703", "INI705")
    invalid = (
        Example(
            source="""
            from torch import nn

            class Faint(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(6):
                        layer = nn.Linear(64, 64)
                        nn.init.normal_(layer.weight, std=0.02)
                        nn.init.zeros_(layer.bias)
                        layers += [layer, nn.ReLU()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Faint",
        ),
        Example(
            source="""
            from torch import nn

            class Same(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(8):
                        layer = nn.Linear(64, 64)
                        nn.init.xavier_uniform_(layer.weight)
                        layers += [layer, nn.Sigmoid()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Same",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Deep(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(30):
                        layer = nn.Linear(64, 64)
                        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                        nn.init.zeros_(layer.bias)
                        layers += [layer, nn.ReLU()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Deep",
        ),
        Example(
            source="""
            from torch import nn

            class Normalized(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(20):
                        layers += [nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Normalized",
        ),
    )

    def check(self, subject: SignalProfile) -> Iterator[Finding]:
        reported: set[str] = set()
        for whole in chains(subject):
            chain = [layer for layer in whole if layer.activation not in SCORES]
            found = self.indistinct(subject, chain) or self.faded(subject, chain)
            if found is not None:
                reported.update(layer.path for layer in chain)
                yield found
        for group in groups(subject):
            course = trend([middle(layer.rms) or 0.0 for layer in group])
            if course is not None and course.geometric and course.decades < 0 and group[0].path not in reported:
                reported.update(layer.path for layer in group)
                yield self.scale_lost(subject, group, -course.decades)
                break
        for run in runs(subject, -1):
            if reported.isdisjoint(layer.path for layer in run):
                first, last = (middle(layer.rms) or math.nan for layer in (run[0], run[-1]))
                yield self.scale_lost(subject, run, math.log10(first / last))
                break
        hidden = {one.signal: one for one in subject.sums if one.own > FALLEN and 0 < one.left < HIDDEN}
        for one in hidden.values():
            yield self.hidden(subject, one)

    def hidden(self, profile: SignalProfile, one: TableSum) -> Finding:
        """Return the finding that a table hides what it is added to."""
        loud = one.table is not None and one.table_rms >= LOUD
        blamed = one.table if loud and one.table is not None else one.signal
        std = max(one.signal_rms, USUAL) if loud else one.table_rms
        call = Advice(model=blamed.model, parameter=blamed.parameter, initializer="normal_", std=rounded(std))
        table = f"`{one.table.parameter}`" if one.table is not None else "a constant table"
        return self.finding(
            blamed.place or profile.place,
            f"{table} hides the signal of `{one.signal.parameter}` that it is added to: its rms is {one.table_rms:.3g} "
            f"against {one.signal_rms:.3g}, and different inputs give nearly the same sum; use `{call}`",
            evidence=[
                Evidence(
                    profile.observer,
                    f"in a batch of {profile.batch}, the signal varies by {one.own:.2g} of its rms, and the sum by {one.left:.2g}",
                )
            ],
            severity=Severity.ERROR if one.left < GONE else Severity.WARNING,
            model=blamed.model,
            parameter=blamed.parameter,
            affects=tuple(
                each.parameter for each in (one.table, one.signal) if each is not None and each.model == blamed.model
            ),
            advice=[call],
        )

    def indistinct(self, profile: SignalProfile, chain: Sequence[Layer]) -> Finding | None:
        """Return the finding that different inputs give nearly the same output, if they do."""
        values = [middle(layer.discrimination) for layer in chain]
        known = [(layer, value) for layer, value in zip(chain, values, strict=True) if value is not None]
        if not profile.varied or len(known) < 2 or known[0][1] == 0:
            return None
        (_, first), (last, left) = known[0], known[-1]
        loud = max((layer for layer, _ in known), key=lambda layer: middle(layer.bias_share) or 0.0)
        share = middle(loud.bias_share) or 0.0
        if left >= INDISTINCT or (left > FALLEN * first and share < BIASES):
            return None
        start = next((layer for layer, value in known if value <= FALLEN**0.5), known[0][0])
        reason, advised = "the weights shrink the difference", f"use {advice(start)}"
        blamed: Layer | Named = start
        fix: tuple[Advice, ...] = remedies(chain)
        large = [layer for layer, _ in known if is_large(layer, middle(known[0][0].given) or math.inf)]
        gains = [gain for gain in steep_gains([layer for layer, _ in known], -1) if gain.factor <= FALLEN]
        hopeless = any(layer.activation in SHRINKING for layer in chain)
        if share > BIASES:
            reason = f"`{loud.bias}` dominates its layer, with {share:.0%} of the second moment"
            advised = f"use {advice(start)}, and {unbiased(loud)}"
        if large:
            cause = large[0]
            call = unbiasing(cause)
            blamed = Named(place=cause.bias_place, model=call.model, parameter=call.parameter)
            reason = f"it makes up {middle(cause.bias_share) or 0.0:.0%} of the second moment of its layer"
            advised = f"use `{call}`"
            fix = tuple(dict.fromkeys(map(unbiasing, large)))
        if gains:
            blamed = gains[0].named
            reason = f"`{blamed.parameter}` multiplies the signal by {rounded(gains[0].factor):g}"
            advised = f"use `{unscaled(gains[0])}`"
            fix = tuple(map(unscaled, gains))
        if hopeless:
            reason = "a sigmoid shrinks it to a quarter at most, and adds the same to all"
            advised = "no initialization prevents that; use tanh or ReLU, or a normalization"
        return self.finding(
            blamed.place or profile.place,
            f"different inputs give nearly the same output after {len(chain)} layers, starting at `{blamed.parameter}`: "
            f"{reason}; {advised}",
            evidence=[
                Evidence(
                    profile.observer,
                    f"in a batch of {profile.batch}, outputs vary by {first:.2g} of their rms at {known[0][0].path} and by "
                    f"{left:.2g} at {last.path}; in trainable networks by 0.1 or more",
                )
            ],
            severity=Severity.ERROR if left < GONE else Severity.WARNING,
            model=blamed.model,
            parameter=blamed.parameter,
            affects=named(chain, blamed.model),
            advice=() if hopeless else fix,
            group=_line(blamed.place),
        )

    def faded(self, profile: SignalProfile, chain: Sequence[Layer]) -> Finding | None:
        """Return the finding that the scale falls along a chain, if it does."""
        scales = [(layer, value) for layer in chain if (value := middle(layer.rms))]
        if len(scales) < 2 or not all(math.isfinite(value) for _, value in scales):
            return None
        lost, most = math.log10(scales[0][1] / scales[-1][1]), LOST if len(scales) >= GROUP else EXTREME
        return self.scale_lost(profile, [layer for layer, _ in scales], lost) if lost > most else None

    def scale_lost(self, profile: SignalProfile, layers: Sequence[Layer], lost: float) -> Finding:
        """Return the finding that the scale falls over these layers, all of which have a measured scale."""
        scales = [middle(layer.rms) or math.nan for layer in layers]
        each = lost / (len(layers) - 1)
        first, gains = guilty(layers, -1), steep_gains(layers, -1)
        blamed = gains[0].named if gains else first
        cause = f", which multiplies it by {rounded(gains[0].factor):g}" if gains else ""
        advised = f"`{unscaled(gains[0])}`" if gains else advice(first)
        return self.finding(
            blamed.place or profile.place,
            f"the signal shrinks by a factor of {times(lost)} over {len(layers)} layers, starting at `{blamed.parameter}`"
            f"{cause}; {advised} keeps its scale",
            evidence=[
                Evidence(
                    profile.observer,
                    f"the rms of the layer outputs falls from {scales[0]:.3g} at {layers[0].path} to {scales[-1]:.3g} at "
                    f"{layers[-1].path}, by a factor of {times(each)} per layer; ideally it stays level",
                )
            ],
            model=blamed.model,
            parameter=blamed.parameter,
            affects=named(layers, blamed.model),
            advice=tuple(map(unscaled, gains)) or remedies(layers),
            group=_line(blamed.place),
        )


def is_large(layer: Layer, scale: float) -> bool:
    """Return whether a bias makes most of the output of its layer, and is not small beside inputs of this scale."""
    share, rms = middle(layer.bias_share) or 0.0, middle(layer.rms) or 0.0
    return layer.bias is not None and share > 0.5 and math.sqrt(share) * rms > LARGE * scale


def _line(place: Place | None) -> str:
    """Return the group of the chains that one line initializes."""
    return f"{place.cell}:{place.row}" if place is not None else ""
