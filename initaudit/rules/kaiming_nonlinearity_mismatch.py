"""INI402: Kaiming initialization for a ReLU before an activation that saturates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initaudit.activations import CATALOGUE, Family
from initaudit.finding import Advice, Applicability, Category, Evidence, Finding, Fix, Recall, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.timeline import Chain, Link

FOR_RECTIFIERS = math.sqrt(2)
"""The gain that compensates for a ReLU."""
NEARLY = 1e-3
"""How close the gain for a slope of 0.01, the default of leaky_relu, is to that."""


class KaimingNonlinearityMismatch(Rule[Chain]):
    """
    ## What it does
    Reports weights that Kaiming initialization draws for a ReLU, the default of `kaiming_normal_` with `a=0`, and that
    feed a tanh, a sigmoid or another activation that saturates, without a normalization in between. There is one
    finding per chain of layers.

    ## Why is this bad?
    He et al. double the variance because a ReLU halves the second moment of the signal. A sigmoid or a tanh does not:
    its input gets a scale that was derived for another activation or, with `mode="fan_out"`, one that is unrelated to
    the number of inputs. Naming the activation costs nothing: its gain is 5/3 for tanh and 1 for a sigmoid.

    ## Example
    ```python
    self.fc = nn.Linear(64, 64)
    nn.init.kaiming_normal_(self.fc.weight)
    ...
    x = torch.sigmoid(self.fc(x))
    ```

    ## Use instead
    ```python
    self.fc = nn.Linear(64, 64)
    nn.init.xavier_normal_(self.fc.weight)
    ...
    x = torch.sigmoid(self.fc(x))
    ```

    ## Known problems
    The scale is off by a factor of 1.2 to 1.4 only, and an activation that saturates bounds the signal; so it is a
    note. A leaky ReLU whose slope differs from the `a` of the initializer is not reported, because the rule does not
    track slopes. In the source of 11 releases, it had nothing to report; in the models of torchvision, it reports the
    sigmoid gates of EfficientNet.

    ## References
    - He, Zhang, Ren & Sun 2015, [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852)
    - [torch.nn.init.calculate_gain](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.calculate_gain)
    """

    code = "INI402"
    name = "kaiming-nonlinearity-mismatch"
    category = Category.SUSPICIOUS
    severity = Severity.NOTE
    observers = BOTH
    subject = Chain
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    nn.init.kaiming_normal_(self.fc.weight)

                def forward(self, x):
                    return torch.sigmoid(self.fc(x))
            """,
            target="Net",
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one = nn.Linear(8, 8)
                    self.two = nn.Linear(8, 8)
                    for layer in (self.one, self.two):
                        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")

                def forward(self, x):
                    return self.two(self.one(x).tanh()).tanh()
            """,
            target="Net",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            import torch.nn.functional as F
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one = nn.Linear(8, 8)
                    self.two = nn.Linear(8, 8)
                    self.three = nn.Linear(8, 8)
                    self.four = nn.Linear(8, 8)
                    nn.init.kaiming_normal_(self.one.weight)
                    nn.init.kaiming_normal_(self.two.weight, nonlinearity="tanh")
                    nn.init.kaiming_normal_(self.three.weight, nonlinearity="sigmoid")
                    nn.init.kaiming_normal_(self.four.weight)

                def forward(self, x):
                    x = torch.tanh(self.two(F.relu(self.one(x))))
                    return self.four(torch.sigmoid(self.three(x)))
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Normalized(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.norm = nn.LayerNorm(8)
                    self.default = nn.Linear(8, 8)
                    nn.init.kaiming_normal_(self.fc.weight)

                def forward(self, x):
                    return torch.tanh(self.default(torch.tanh(self.norm(self.fc(x)))))
            """,
            target="Normalized",
        ),
    )

    def check(self, subject: Chain) -> Iterator[Finding]:
        links = [] if subject.normalized else [link for link in subject.links if mismatched(link)]
        placed = next((link for link in links if link.place is not None), None)
        if placed is None or placed.place is None:
            return
        others = f" and {len(links) - 1} more after it" if len(links) > 1 else ""
        gain = gain_of(placed)
        yield self.finding(
            placed.place,
            f"`{placed.parameter}`{others} {'are' if others else 'is'} initialized by {placed.schemes[0]} for a ReLU, but a "
            f"{placed.activation} follows; use `{remedy(placed)}`",
            evidence=[
                Evidence(
                    subject.observer,
                    f"the gain is {FOR_RECTIFIERS:.3g}; for {placed.activation}, torch defines "
                    + (f"{gain:.3g}" if gain is not None else "none"),
                )
            ],
            model=placed.model,
            parameter=placed.parameter,
            affects=tuple(dict.fromkeys(link.parameter for link in links)),
            fix=redrawn(links),
            advice=tuple(dict.fromkeys(map(remedy, links))),
        )


def gain_of(link: Link) -> float | None:
    """Return torch's gain for the activation that follows."""
    return None if link.activation is None else CATALOGUE[link.activation].gain


def remedy(link: Link) -> Advice:
    """Return the initializer for the activation that follows."""
    return Advice(
        model=link.model,
        parameter=link.parameter,
        initializer=link.schemes[0].replace("kaiming", "xavier") + "_",
        gain_for=link.activation if gain_of(link) not in (None, 1.0) else None,
    )


def redrawn(links: Sequence[Link]) -> Fix:
    """Return the fix: a Xavier initializer for each weight, with torch's gain for the activation."""
    remedies = []
    for link in links:
        if link.place is not None:
            call = remedy(link)
            gain = () if call.gain_for is None else (("gain", f'torch.nn.init.calculate_gain("{call.gain_for}")'),)
            remedies.append(
                Recall(
                    place=link.place,
                    old=f"{link.schemes[0]}_",
                    function=f"torch.nn.init.{call.initializer}",
                    keep=1,
                    drop=("a", "mode", "nonlinearity"),
                    given=gain,
                )
            )
    return Fix(Applicability.UNSAFE, "Use Xavier initialization", remedies=tuple(dict.fromkeys(remedies)))


def mismatched(link: Link) -> bool:
    """Whether this is Kaiming initialization for a ReLU before an activation that saturates."""
    activation = CATALOGUE.get(link.activation or "")
    if activation is None or activation.family is not Family.SATURATING or not link.schemes or link.gain is None:
        return False
    return link.schemes[0].startswith("kaiming") and math.isclose(link.gain, FOR_RECTIFIERS, rel_tol=NEARLY)
