"""INI703: gradients shrink or grow geometrically with depth."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import Trend, advice, middle, named, place_of, remedies, slopes, times
from initaudit.timeline import Layer, SignalProfile


class GradientSlope(Rule[SignalProfile]):
    """
    ## What it does
    Reports layers of equal shape and kind whose gradients change by more than a factor of 100 from the first to the
    last, steadily with depth.

    ## Why is this bad?
    No learning rate fits all of them: the layers at one end hardly move, or those at the other end diverge.

    ## Example
    ```python
    self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(20))
    ...
    for layer in self.layers:
        x = torch.tanh(layer(x))
    ```

    ## Use instead
    ```python
    self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(20))
    for layer in self.layers:
        nn.init.xavier_normal_(layer.weight, gain=nn.init.calculate_gain("tanh"))
    ...
    for layer in self.layers:
        x = torch.tanh(layer(x))
    ```

    ## Known problems
    The probe needs an input to run a forward and a backward. It compares only similar layers: between layers of
    different shapes, gradients of healthy models differ by a factor of up to 10^7. Healthy groups stay within a factor
    of 11. Layers with a normalization are not judged: through 24 BatchNorms, gradients grow by a factor of 100 towards
    the first layer, whatever the weights are. Rare in released models; its precision is not well measured.

    ## References
    - Glorot & Bengio 2010, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
    - Yang et al. 2019, [A mean field theory of batch normalization](https://arxiv.org/abs/1902.08129)
    """

    code = "INI703"
    name = "gradient-slope"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = SignalProfile
    reads = ("gradient", "layers")
    invalid = (
        Example(
            source="""
            from torch import nn

            class Steep(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(20):
                        layers += [nn.Linear(64, 64), nn.Tanh()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Steep",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Level(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(20):
                        layer = nn.Linear(64, 64)
                        nn.init.xavier_normal_(layer.weight, gain=nn.init.calculate_gain("tanh"))
                        nn.init.zeros_(layer.bias)
                        layers += [layer, nn.Tanh()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Level",
        ),
    )

    def check(self, subject: SignalProfile) -> Iterator[Finding]:
        steepest = max(slopes(subject), key=lambda found: abs(found[1].decades), default=None)
        if steepest is not None:
            yield self.steep(subject, *steepest)

    def steep(self, profile: SignalProfile, group: list[Layer], course: Trend) -> Finding:
        """Return the finding that gradients change geometrically with depth."""
        first, decades = group[0], course.decades
        low, high = (middle(layer.gradient) or 0.0 for layer in (group[0], group[-1]))
        verb = "rise" if decades > 0 else "fall"
        return self.finding(
            place_of(first, profile),
            f"gradients {verb} by a factor of {times(abs(decades))} over {len(group)} layers like `{first.parameter}`; "
            f"{advice(first)} keeps them level",
            evidence=[
                Evidence(
                    profile.observer,
                    f"for a random gradient of the output, the rms of the gradient is {low:.3g} at {group[0].path} and "
                    f"{high:.3g} at {group[-1].path}: it {verb}s by a factor of {times(abs(decades) / (len(group) - 1))} "
                    f"per layer; ideally it stays level",
                )
            ],
            model=first.model,
            parameter=first.parameter,
            affects=named(group, first.model),
            advice=remedies(group),
        )
