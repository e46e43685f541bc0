"""INI704: ReLU units that no input activates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import advice, middle, named, place_of, remedies, unbiased
from initaudit.timeline import Decisive, Layer, SignalProfile

MOST = 0.6
"""The share of a layer's units that may be dead: healthy networks of 20 layers have up to 0.3."""
WIDE = 16
"""The width from which a layer is not all dead by chance."""
FEW = 8
"""The width below which a layer is not judged: most of its units may be dead by chance."""
BEYOND_CHANCE = 3.1
"""Standard deviations: after an average over many inputs, which hardly varies, each unit is off with probability 0.5."""
TINY = 1e-6
"""The share of a second moment below which it is rounding."""
TOLD_APART = 1e-2
"""Discrimination (std over inputs / rms) below which a unit is dead, or alive, for all inputs alike."""


class DeadUnits(Rule[SignalProfile]):
    """
    ## What it does
    Reports layers before a ReLU in which more than 60% of the units are dead: no sample of a batch of at least 32
    activates them. A layer that is entirely dead is an error if it has at least 16 units.

    ## Why is this bad?
    A ReLU that is off for every input passes no gradient: its unit never changes. If all units of a layer are dead, no
    gradient passes through it.

    ## Example
    ```python
    nn.init.constant_(self.fc.bias, -10.0)
    ```

    ## Use instead
    ```python
    nn.init.zeros_(self.fc.bias)
    ```

    ## Known problems
    In a narrow layer, more than 60% of the units may be off by chance: up to 14 of 16, or 44 of 64, are not reported,
    and a layer of fewer than 8 units is never reported. The probe needs an input of 32 samples or more; with one sample, half of a healthy network is off. Random inputs may
    leave units off that real ones would activate. Rare in released models; its precision is not well measured.

    ## References
    - Lu et al. 2020, [Dying ReLU and initialization](https://arxiv.org/abs/1903.06733)
    """

    code = "INI704"
    name = "dead-units"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = SignalProfile
    reads = ("dead", "layers")
    supersedes = ("INI701", "INI703", "INI705")
    invalid = (
        Example(
            source="""
            from torch import nn

            class Off(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one, self.two = nn.Linear(32, 64), nn.Linear(64, 10)
                    nn.init.constant_(self.one.bias, -10.0)
                    self.relu = nn.ReLU()

                def forward(self, x):
                    return self.two(self.relu(self.one(x)))
            """,
            target="Off",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class On(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one, self.two = nn.Linear(32, 64), nn.Linear(64, 10)
                    nn.init.constant_(self.one.bias, 0.1)
                    self.relu = nn.ReLU()

                def forward(self, x):
                    return self.two(self.relu(self.one(x)))
            """,
            target="On",
        ),
    )

    def check(self, subject: SignalProfile) -> Iterator[Finding]:
        dead = [layer for layer in subject.layers if self.is_dead(subject, layer)]
        for by in dict.fromkeys(layer.decided_by for layer in dead if layer.decided_by is not None):
            yield self.off_by_normalization(subject, by, [layer for layer in dead if layer.decided_by == by])
        dead = [layer for layer in dead if layer.decided_by is None]
        if dead:
            yield self.off(subject, dead)

    def off_by_normalization(self, profile: SignalProfile, by: Decisive, dead: Sequence[Layer]) -> Finding:
        """Return the finding that most units after a normalization are off, whatever its input is."""
        first = dead[0]
        part = middle(first.dead) or 0.0
        call = Advice(model=by.model, parameter=by.parameter, initializer="ones_" if by.gain else "zeros_")
        why = "is zero" if by.gain else "is larger than the gain"
        return self.finding(
            by.place or profile.place,
            f"{part:.0%} of the units after the normalization with `{by.parameter}` are dead: no input activates them, because "
            f"`{by.parameter}` {why}; use `{call}`",
            evidence=[
                Evidence(
                    profile.observer,
                    f"after {first.path}, {round(part * first.units)} of {first.units} units are off for all {profile.batch} samples",
                )
            ],
            severity=Severity.ERROR if part == 1.0 and first.units >= WIDE else Severity.WARNING,
            model=by.model,
            parameter=by.parameter,
            advice=[call],
        )

    @staticmethod
    def is_dead(profile: SignalProfile, layer: Layer) -> bool:
        """Whether most units of a layer are off although its inputs differ."""
        apart = middle(layer.discrimination or layer.apart)
        if apart is not None:  # before the bias is added
            apart /= math.sqrt(max(1.0 - (middle(layer.bias_share) or 0.0), TINY))
        differs = profile.varied and layer.fed and layer.depends is None and apart is not None and apart > TOLD_APART
        return differs and layer.units >= FEW and (middle(layer.dead) or 0.0) > most_by_chance(layer.units)

    def off(self, profile: SignalProfile, dead: Sequence[Layer]) -> Finding:
        """Return the finding that most units of these layers are off."""
        first = dead[0]
        part = middle(first.dead) or 0.0
        after = [layer for layer in profile.layers if layer in dead or (layer.chain == first.chain is not None)]
        whole = any(middle(layer.dead) == 1.0 and layer.units >= WIDE for layer in dead)
        share = middle(first.bias_share) or 0.0
        by_bias = first.bias is not None and share > 0.5
        advised = unbiased(first) if by_bias else advice(first)
        more = len(dead) - 1
        others = f" and {more} other layer{'s' if more > 1 else ''}" if more else ""
        return self.finding(
            (first.bias_place if by_bias else None) or place_of(first, profile),
            f"{part:.0%} of the units after `{first.parameter}`{others} are dead: no input activates them; use {advised}",
            evidence=[
                Evidence(
                    profile.observer,
                    f"at {first.path}, {round(part * first.units)} of {first.units} units are off for all {profile.batch or 'its'} samples"
                    + (
                        f"; {first.bias} makes up {share:.0%} of the second moment of their input"
                        if first.bias and share > 0.5
                        else ""
                    ),
                )
            ],
            severity=Severity.ERROR if whole else Severity.WARNING,
            model=(first.bias_model or first.model) if by_bias else first.model,
            parameter=first.bias if by_bias else first.parameter,
            affects=(*named(after, first.model), *(_biases(after, first.model) if by_bias else ())),
            advice=remedies(after),
        )


def _biases(layers: Sequence[Layer], model: str) -> tuple[str, ...]:
    """Return the biases of some layers that a class declares."""
    return tuple(dict.fromkeys(layer.bias for layer in layers if layer.bias and (layer.bias_model or model) == model))


def most_by_chance(units: int) -> float:
    """Return the share of the units of a layer that may be off although nothing is wrong: at most all but one."""
    return min(max(MOST, 0.5 + BEYOND_CHANCE / (2 * math.sqrt(units))), 1.0 - 1.0 / units)
