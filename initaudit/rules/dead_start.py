"""INI510: a layer of zeros before a ReLU, which no gradient reaches."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.weights import DeadStart


class StartsDead(Rule[DeadStart]):
    """
    ## What it does
    Reports a layer whose weight is set to zero, which has no bias or a bias of zeros, and which is followed by a ReLU in a
    sequence.

    ## Why is this bad?
    The layer's output is zero, where the gradient of a ReLU is zero. No gradient reaches the layer, or what is before it: they
    keep their values forever.

    ## Example
    ```python
    out = nn.Linear(8, 4, bias=False)
    nn.init.zeros_(out.weight)
    self.net = nn.Sequential(out, nn.ReLU())
    ```

    ## Use instead
    ```python
    out = nn.Linear(8, 4, bias=False)
    nn.init.normal_(out.weight, std=1e-3)
    self.net = nn.Sequential(out, nn.ReLU())
    ```

    ## Known problems
    Only layers that one function makes, sets to zero and puts in a sequence are seen. Rare in released code; its precision is not
    well measured.

    ## References
    - [The report in deep-cross-attention](https://github.com/lucidrains/deep-cross-attention/issues/2)
    """

    code = "INI510"
    name = "dead-start"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = DeadStart
    invalid = (
        Example(
            source="""
            from torch import nn

            out = nn.Linear(8, 4, bias=False)
            nn.init.zeros_(out.weight)
            net = nn.Sequential(nn.Linear(8, 8), out, nn.ReLU())
            """,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 1))
            nn.init.zeros_(net[0].weight)
            nn.init.zeros_(net[0].bias)
            nn.init.normal_(net[2].weight)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            out = nn.Linear(8, 4, bias=False)
            nn.init.zeros_(out.weight)
            net = nn.Sequential(nn.Linear(8, 8), out, nn.ReLU())
            nn.init.normal_(net[1].weight, std=1e-3)
            """,
        ),
        Example(
            source="""
            from torch import nn

            out = nn.Linear(8, 4)
            nn.init.zeros_(out.weight)
            net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), out)
            """,
        ),
    )

    def check(self, subject: DeadStart) -> Iterator[Finding]:
        starts = "`{}` starts at zero, weight and bias" if subject.biased else "`{}`, which has no bias, starts at zero"
        yield self.finding(
            subject.place,
            f"{starts.format(subject.layer)}, and `{subject.rectifier}` follows: the gradient of a ReLU at zero is zero, so "
            "neither this layer nor any before it can learn; draw small values instead",
            evidence=[
                Evidence(Observer.ANALYZER, f"one follows the other at {subject.sequence.seen_from(subject.place)}")
            ],
        )
