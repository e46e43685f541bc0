"""INI701: the signal fades with depth, or what it tells of the input does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initaudit.finding import Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import (
    GROUP,
    advice,
    chains,
    groups,
    guilty,
    middle,
    named,
    place_of,
    remedies,
    trend,
    unbiased,
)
from initaudit.timeline import Layer, SignalProfile

LOST = 2.0
"""Decades of scale that a chain may lose: the four convolutions of RetinaNet's head lose 1.4 on purpose."""
INDISTINCT, GONE = 1e-2, 1e-4
"""Discrimination below which a network is slow to train, and does not. Healthy ones have 0.12 to 0.95."""
FALLEN = 0.1
"""Part of its discrimination that a chain keeps when it is not the chain that loses it."""
BIASES = 0.3
"""Part of a layer's second moment from which on it is its bias that drowns the signal."""


class VanishingSignal(Rule[SignalProfile]):
    """
    ## What it does
    Reports layers through which a signal fades: without normalization the scale falls by more than two decades, or the
    outputs for different inputs become the same to within 1 % of their size. Names where it begins, and whether
    weights or biases do it.

    ## Why is this bad?
    What no longer differs between inputs cannot be learned from, and where the scale falls, gradients
    fall with it.

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
    Needs an input for a forward. Two measures are taken, because each is blind where the other sees: a network without
    biases keeps its discrimination however small its signal becomes, and one with random biases keeps its scale. Layers
    whose output is zero on purpose are left out, and the scale of fewer than four hidden layers is not judged: small
    heads drawn by N(0, 0.02) are meant to be quiet.

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
    reads = ("discrimination", "layers")
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
        for chain in chains(subject):
            found = self.indistinct(subject, chain) or self.faded(subject, chain)
            if found is not None:
                reported.update(layer.path for layer in chain)
                yield found
        for group in groups(subject):
            course = trend([middle(layer.rms) or 0.0 for layer in group])
            if course is not None and course.geometric and course.decades < 0 and group[0].path not in reported:
                yield self.scale_lost(subject, group, -course.decades)
                break

    def indistinct(self, profile: SignalProfile, chain: Sequence[Layer]) -> Finding | None:
        """Different inputs give the same output."""
        told = [middle(layer.discrimination) for layer in chain]
        known = [(layer, value) for layer, value in zip(chain, told, strict=True) if value is not None]
        if not profile.varied or len(known) < 2 or known[0][1] == 0:
            return None
        (_, first), (last, left) = known[0], known[-1]
        loud = max((layer for layer, _ in known), key=lambda layer: middle(layer.drowned) or 0.0)
        drowned = middle(loud.drowned) or 0.0
        if left >= INDISTINCT or (left > FALLEN * first and drowned < BIASES):
            return None
        start = next((layer for layer, value in known if value <= FALLEN**0.5), known[0][0])
        reason, mended = "the weights let it fade", f"use {advice(start)}"
        if drowned > BIASES:
            reason = f"biases drown it: {loud.bias} makes {drowned:.0%} of its layer's second moment"
            mended = f"use {advice(start)}, and {unbiased(loud)}"
        return self.finding(
            place_of(start, profile),
            f"outputs for different inputs become the same through {len(chain)} layers, from `{start.parameter}` on: "
            f"{reason}; {mended}",
            evidence=[
                Evidence(
                    profile.observer,
                    f"in a batch of {profile.batch}, outputs differ by {first:.2g} of their rms at {known[0][0].path} and by "
                    f"{left:.2g} at {last.path}; in trainable networks by 0.1 and more",
                )
            ],
            severity=Severity.ERROR if left < GONE else Severity.WARNING,
            model=start.model,
            parameter=start.parameter,
            affects=named(chain, start.model),
            advice=remedies(chain),
        )

    def faded(self, profile: SignalProfile, chain: Sequence[Layer]) -> Finding | None:
        """The scale falls along a chain."""
        scales = [(layer, value) for layer in chain if (value := middle(layer.rms))]
        if len(scales) < GROUP or not all(math.isfinite(value) for _, value in scales):
            return None
        lost = math.log10(scales[0][1] / scales[-1][1])
        return self.scale_lost(profile, [layer for layer, _ in scales], lost) if lost > LOST else None

    def scale_lost(self, profile: SignalProfile, layers: Sequence[Layer], lost: float) -> Finding:
        """The scale falls over these layers, of which each has one."""
        scales = [middle(layer.rms) or math.nan for layer in layers]
        each = lost / (len(layers) - 1)
        first = guilty(layers, -1)
        return self.finding(
            place_of(first, profile),
            f"the signal loses {lost:.1f} decades of scale through {len(layers)} layers, from `{first.parameter}` on; "
            f"with {advice(first)} a layer keeps its scale",
            evidence=[
                Evidence(
                    profile.observer,
                    f"the rms of what layers give falls from {scales[0]:.3g} at {layers[0].path} to {scales[-1]:.3g} at "
                    f"{layers[-1].path}: by {each:.2f} decades a layer, which would be 0.0",
                )
            ],
            model=first.model,
            parameter=first.parameter,
            affects=named(layers, first.model),
            advice=remedies(layers),
        )
