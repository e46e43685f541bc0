"""INI401: Xavier initialization with gain 1 before a ReLU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initaudit.activations import CATALOGUE
from initaudit.finding import Advice, Applicability, Category, Evidence, Finding, Fix, Recall, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.rules.depth import times
from initaudit.timeline import Chain, Link

LOST = 1.4
"""The most scale that a chain may lose, in decades. From ten square layers on, networks train visibly worse, not only slower."""

NEARLY_KEPT = 0.9
"""The factor per layer from which a weight keeps the scale, whatever its scheme is called."""


class XavierBeforeRelu(Rule[Chain]):
    """
    ## What it does
    Reports weights that are initialized by Xavier with gain 1 and feed a ReLU or a leaky variant of it without a
    normalization in between. There is one finding per chain of layers: a note, or a warning when the signal shrinks by
    more than a factor of 25 (1.4 decades), as computed from `fan_in * variance` or as measured. Ten square layers
    exceed that.

    ## Why is this bad?
    Glorot and Bengio derived their initialization for activations with slope 1 at 0, such as tanh. A ReLU halves the
    second moment of the signal, and He et al. double the variance of the weights to compensate. With Xavier, every
    square layer keeps half of the second moment; after ten layers, activations and gradients are 30 times smaller.
    Shallow networks recover from that in training; deep ones train slowly or not at all.

    ## Example
    ```python
    self.fc = nn.Linear(64, 64)
    nn.init.xavier_normal_(self.fc.weight)
    ...
    x = F.relu(self.fc(x))
    ```

    ## Use instead
    ```python
    self.fc = nn.Linear(64, 64)
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="relu")
    ...
    x = F.relu(self.fc(x))
    ```

    ## Known problems
    The rule looks at `fan_in * variance`, not at the name: on a layer that narrows, Xavier is close to Kaiming and is
    not reported. On a square weight, Xavier and LeCun initialization are identical. Chains with a normalization or a
    residual connection keep their scale and are not reported. torch defines no gain for smooth rectifiers (GELU, SiLU),
    so only the rules that measure (INI701 to INI705) cover them.

    Rare in released code; its precision is not well measured.

    ## References
    - Glorot & Bengio 2010, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
    - He, Zhang, Ren & Sun 2015, [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852)
    """

    code = "INI401"
    name = "xavier-before-relu"
    category = Category.SUSPICIOUS
    severity = Severity.NOTE
    observers = BOTH
    subject = Chain
    supersedes = ("INI701", "INI703", "INI704", "INI705")
    invalid = (
        Example(
            source="""
            from torch import nn
            from torch.nn import init

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3, 4)
                    self.act = nn.ReLU()
                    init.xavier_normal_(self.fc.weight)

                def forward(self, x):
                    return self.act(self.fc(x))
            """,
        ),
        Example(
            source="""
            import torch.nn.functional as F
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one = nn.Linear(8, 8)
                    self.two = nn.Linear(8, 8)
                    nn.init.xavier_uniform_(self.one.weight)
                    nn.init.xavier_uniform_(self.two.weight)

                def forward(self, x):
                    x = F.relu(self.one(x))
                    return F.relu(self.two(x))
            """,
        ),
        Example(
            source="""
            import math
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3, 4)
                    self.fc.weight.data.normal_(0, math.sqrt(2) / math.sqrt(7.0))

                def forward(self, x):
                    return self.fc(x).relu()
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn
            from torch.nn import init

            class Tanh(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one = nn.Linear(3, 4)
                    self.two = nn.Linear(4, 4)
                    self.three = nn.Linear(4, 4)
                    for layer in (self.one, self.two, self.three):
                        init.xavier_normal_(layer.weight)

                def forward(self, x):
                    return self.three(torch.sigmoid(self.two(torch.tanh(self.one(x)))))
            """,
        ),
        Example(
            source="""
            import torch.nn.functional as F
            from torch import nn

            class Meant(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one = nn.Linear(8, 8)
                    self.two = nn.Linear(8, 8)
                    nn.init.xavier_uniform_(self.one.weight, gain=nn.init.calculate_gain("relu"))
                    nn.init.kaiming_uniform_(self.two.weight, nonlinearity="relu")

                def forward(self, x):
                    return F.relu(self.two(F.relu(self.one(x))))
            """,
        ),
        Example(
            source="""
            import torch.nn.functional as F
            from torch import nn

            class Normalized(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.norm = nn.BatchNorm1d(8)
                    nn.init.xavier_uniform_(self.fc.weight)

                def forward(self, x):
                    return F.relu(self.norm(self.fc(x)))
            """,
        ),
        Example(
            source="""
            import torch.nn.functional as F
            from torch import nn

            class Narrows(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(1024, 16)
                    nn.init.xavier_uniform_(self.fc.weight)

                def forward(self, x):
                    return F.relu(self.fc(x))
            """,
        ),
    )

    def check(self, subject: Chain) -> Iterator[Finding]:
        links = [] if subject.normalized else [link for link in subject.links if self.loses(link)]
        placed = next((link for link in links if link.place is not None), None)
        if placed is None or placed.place is None:
            return
        lost = max(computed(links), subject.lost_decades or 0.0)
        yield self.finding(
            placed.place,
            self.message(placed, len(links)),
            evidence=[Evidence(subject.observer, self.seen(links, subject.lost_decades))],
            severity=Severity.WARNING if lost > LOST else Severity.NOTE,
            model=placed.model,
            parameter=placed.parameter,
            affects=tuple(dict.fromkeys(link.parameter for link in links)),
            fix=self.redrawn(links),
            advice=tuple(dict.fromkeys(self.remedy(link) for link in links)),
            group=f"{placed.place.cell}:{placed.place.row}",
        )

    @staticmethod
    def loses(link: Link) -> bool:
        """Whether this is Xavier with gain 1 before a ReLU, and loses scale."""
        activation = CATALOGUE.get(link.activation or "")
        if activation is None or not activation.rectifier:
            return False
        xavier = bool(link.schemes) and link.schemes[0].startswith("xavier")
        return (
            xavier and link.gain is not None and math.isclose(link.gain, 1.0, rel_tol=1e-6) and kept(link) < NEARLY_KEPT
        )

    @staticmethod
    def remedy(link: Link) -> Advice:
        """Return the call that keeps the scale."""
        return Advice(
            model=link.model,
            parameter=link.parameter,
            initializer=link.schemes[0].replace("xavier", "kaiming") + "_",
            nonlinearity=recommended(link),
        )

    @staticmethod
    def redrawn(links: Sequence[Link]) -> Fix:
        """Return the fix: a Kaiming initializer for each weight that loses scale."""
        remedies = tuple(
            Recall(
                place=link.place,
                old=f"{link.schemes[0]}_",
                function=f"torch.nn.init.{link.schemes[0].replace('xavier', 'kaiming')}_",
                keep=1,
                drop=("gain",),
                given=(("nonlinearity", f'"{recommended(link)}"'),),
            )
            for link in links
            if link.place is not None
        )
        return Fix(Applicability.UNSAFE, "Use Kaiming initialization", remedies=tuple(dict.fromkeys(remedies)))

    @staticmethod
    def message(link: Link, layers: int) -> str:
        """Say what is wrong and what to write instead."""
        same = [scheme for scheme in link.schemes if scheme.startswith("lecun")]
        also = f" (for a square weight the same as {same[0]})" if same else ""
        kaiming = link.schemes[0].replace("xavier", "kaiming") + "_"
        weights = (
            f"`{link.parameter}` is"
            if layers == 1
            else f"`{link.parameter}` and the weights after it ({layers} in total) are"
        )
        return (
            f"{weights} initialized by {link.schemes[0]} with gain 1{also}, but a {link.activation} follows, "
            f'which halves the variance; use `nn.init.{kaiming}` with `nonlinearity="{recommended(link)}"`'
        )

    @staticmethod
    def seen(links: Sequence[Link], lost_decades: float | None) -> str:
        """Say how much scale the chain loses: as measured, or else as computed."""
        layers = f"{len(links)} ReLU {'layer' if len(links) == 1 else 'layers'} without normalization"
        if lost_decades is not None and lost_decades > 0:
            return (
                f"{layers}: measured, the signal shrinks by a factor of {times(lost_decades)}; "
                "Kaiming initialization would keep its scale"
            )
        share = 100 * math.prod(map(kept, links))
        keep = "keeps" if len(links) == 1 else "keep"
        return f"{layers} {keep} {share:.2g}% of the signal's variance; Kaiming initialization would keep all of it"


def computed(links: Sequence[Link]) -> float:
    """Return how many decades of scale the weights lose, computed from their fans and variances."""
    return -0.5 * math.fsum(math.log10(kept(link)) for link in links)


def kept(link: Link) -> float:
    """Return the share of the second moment that a link keeps: fan_in * variance, halved by the ReLU.

    A link of unknown shape counts as square.
    """
    if link.fan_in is None or link.variance is None:
        return 0.5
    return link.fan_in * link.variance / 2


def recommended(link: Link) -> str:
    """Return the `nonlinearity` argument for a Kaiming initializer."""
    return "leaky_relu" if link.activation in ("leaky_relu", "prelu", "rrelu") else "relu"
