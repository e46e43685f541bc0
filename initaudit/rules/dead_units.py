"""INI704: rectifiers that no sample activates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import advice, middle, named, place_of, remedies, unbiased
from initaudit.timeline import Decisive, Layer, SignalProfile

MOST = 0.6
"""Part of a layer's units that may be dead: healthy networks of 20 layers have up to 0.3."""
WIDE = 16
"""Units of a layer that are not all dead by chance."""
FEW = 8
"""Units of which too many may be dead by chance."""
BEYOND_CHANCE = 3.1
"""Standard deviations: behind an average over many inputs, which hardly varies, each unit is off with probability 0.5."""
TINY = 1e-6
"""The part of a second moment below which it is rounding."""
TOLD_APART = 1e-2
"""Discrimination below which a unit is dead, or alive, for all inputs alike."""


class DeadUnits(Rule[SignalProfile]):
    """
    ## What it does
    Reports layers before a ReLU of which more than 60 % of the units are activated by no sample of a batch of 32 or more. A whole
    layer is an error, if it is at least 16 wide.

    ## Why is this bad?
    Behind a ReLU that is off for every input there is no gradient: the unit never changes. Behind a whole layer of them
    nothing does.

    ## Example
    ```python
    nn.init.constant_(self.fc.bias, -10.0)
    ```

    ## Use instead
    ```python
    nn.init.zeros_(self.fc.bias)
    ```

    ## Known problems
    Of a narrow layer more than 60 % may be off by chance: up to 14 of 16, or 44 of 64, are not reported.
    Needs an input, of 32 samples or more. With one sample, half of a healthy network is off. Inputs that are drawn at random
    may leave units off that real ones would activate.
    Fewer than five findings on released models are known.

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
        """Most units behind a normalization are off, whatever the layers before it give."""
        first = dead[0]
        part = middle(first.dead) or 0.0
        call = Advice(model=by.model, parameter=by.parameter, initializer="ones_" if by.gain else "zeros_")
        why = "is zero" if by.gain else "is larger than the gain"
        return self.finding(
            by.place or profile.place,
            f"{part:.0%} of the units behind the normalization with `{by.parameter}` are dead: no input activates them, since "
            f"`{by.parameter}` {why}; use `{call}`",
            evidence=[
                Evidence(
                    profile.observer,
                    f"behind {first.path}, {round(part * first.units)} of {first.units} units are off for all {profile.batch} samples",
                )
            ],
            severity=Severity.ERROR if part == 1.0 and first.units >= WIDE else Severity.WARNING,
            model=by.model,
            parameter=by.parameter,
            advice=[call],
        )

    @staticmethod
    def is_dead(profile: SignalProfile, layer: Layer) -> bool:
        """Whether most units of a layer are off, though its inputs differ."""
        told = middle(layer.discrimination or layer.apart)
        if told is not None:  # of what the bias is added to
            told /= math.sqrt(max(1.0 - (middle(layer.drowned) or 0.0), TINY))
        differs = profile.varied and layer.fed and layer.depends is None and told is not None and told > TOLD_APART
        return differs and layer.units >= FEW and (middle(layer.dead) or 0.0) > most_by_chance(layer.units)

    def off(self, profile: SignalProfile, dead: Sequence[Layer]) -> Finding:
        """Most units of these layers are off."""
        first = dead[0]
        part = middle(first.dead) or 0.0
        after = [layer for layer in profile.layers if layer in dead or (layer.chain == first.chain is not None)]
        whole = any(middle(layer.dead) == 1.0 and layer.units >= WIDE for layer in dead)
        drowned = middle(first.drowned) or 0.0
        by_bias = first.bias is not None and drowned > 0.5
        mended = unbiased(first) if by_bias else advice(first)
        others = f", and of {len(dead) - 1} other layers" if len(dead) > 1 else ""
        return self.finding(
            (first.bias_place if by_bias else None) or place_of(first, profile),
            f"{part:.0%} of the units after `{first.parameter}`{others} are dead: no input activates them; use {mended}",
            evidence=[
                Evidence(
                    profile.observer,
                    f"at {first.path}, {round(part * first.units)} of {first.units} units are off for all {profile.batch or 'its'} samples"
                    + (
                        f"; {first.bias} makes {drowned:.0%} of what they are given"
                        if first.bias and drowned > 0.5
                        else ""
                    ),
                )
            ],
            severity=Severity.ERROR if whole else Severity.WARNING,
            model=first.model,
            parameter=first.parameter,
            affects=named(after, first.model),
            advice=remedies(after),
        )


def most_by_chance(units: int) -> float:
    """The part of so many units that may be off though nothing is wrong; all of them may be where they are few."""
    return min(max(MOST, 0.5 + BEYOND_CHANCE / (2 * math.sqrt(units))), 1.0 - 1.0 / units)
