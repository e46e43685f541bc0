"""INI408: torch's default initialization in many ReLU layers without normalization."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initaudit.activations import CATALOGUE
from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import times
from initaudit.schemes.gains import TORCH_DEFAULT_SLOPE, calculate_gain
from initaudit.timeline import Chain, Link

DEEP = 8
"""The number of ReLU layers without normalization from which torch's default does not train."""


class DefaultInitDeepRectifier(Rule[Chain]):
    """
    ## What it does
    Reports weights that keep torch's default initialization, `kaiming_uniform_` with `a=sqrt(5)`, in a chain of eight
    or more layers with ReLUs and without normalization. There is one finding per chain.

    ## Why is this bad?
    torch's default draws weights with variance 1/(3 fan_in), a sixth of what a ReLU needs. The signal shrinks by a
    factor of 2.4 per layer (0.39 decades) until only the random biases are left, which are the same for every input.

    ## Example
    ```python
    layers = []
    for _ in range(12):
        layers += [nn.Linear(64, 64), nn.ReLU()]
    ```

    ## Use instead
    ```python
    layers = []
    for _ in range(12):
        linear = nn.Linear(64, 64)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    ```

    ## Known problems
    Shallower chains are not reported, though they train a little slower than they could. The probe needs an input to
    run the forward. Rare in released models; its precision is not well measured.

    ## References
    - He, Zhang, Ren & Sun 2015, [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852)
    - [pytorch/pytorch#18182](https://github.com/pytorch/pytorch/issues/18182), about the default
    """

    code = "INI408"
    name = "default-init-deep-rectifier"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = Chain
    supersedes = ("INI701", "INI703", "INI704", "INI705")
    invalid = (
        Example(
            source="""
            from torch import nn

            class Deep(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(12):
                        layers += [nn.Linear(64, 64), nn.ReLU()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Deep",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Shallow(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(4):
                        layers += [nn.Linear(64, 64), nn.ReLU()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Shallow",
        ),
        Example(
            source="""
            from torch import nn

            class Normalized(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(12):
                        layers += [nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Normalized",
        ),
    )

    def check(self, subject: Chain) -> Iterator[Finding]:
        links = [] if subject.normalized else [link for link in subject.links if self.is_default(link)]
        placed = next((link for link in links if link.place is not None), None)
        if len(links) < DEEP or placed is None or placed.place is None:
            return
        seen = f"{len(links)} ReLU layers without normalization keep torch's default initialization"
        if subject.lost_decades is not None and subject.lost_decades > 0:
            seen += f"; measured, the signal shrinks by a factor of {times(subject.lost_decades)}; "
            seen += "Kaiming initialization would keep its scale"
        yield self.finding(
            placed.place,
            f"{len(links)} layers with a {placed.activation} and no normalization keep torch's default initialization, a "
            f'sixth of the variance that a ReLU needs; use `nn.init.kaiming_normal_` with `nonlinearity="relu"` for the weights from '
            f"`{placed.parameter}` on, and `nn.init.zeros_` for the biases",
            evidence=[Evidence(subject.observer, seen)],
            model=placed.model,
            parameter=placed.parameter,
            affects=tuple(dict.fromkeys(link.parameter for link in links)),
            advice=tuple(dict.fromkeys(call for link in links for call in self.remedy(link))),
        )

    @staticmethod
    def remedy(link: Link) -> tuple[Advice, ...]:
        """Return the calls for a weight and its bias."""
        weight = Advice(model=link.model, parameter=link.parameter, initializer="kaiming_normal_", nonlinearity="relu")
        bias = link.parameter.removesuffix("weight") + "bias"
        return weight, Advice(model=link.model, parameter=bias, initializer="zeros_")

    @staticmethod
    def is_default(link: Link) -> bool:
        """Whether this is torch's default before a ReLU."""
        activation = CATALOGUE.get(link.activation or "")
        default = calculate_gain("leaky_relu", TORCH_DEFAULT_SLOPE)
        return (
            activation is not None
            and activation.rectifier
            and link.schemes[:1] == ("kaiming_uniform",)
            and link.gain is not None
            and math.isclose(link.gain, default, rel_tol=1e-6)
        )
