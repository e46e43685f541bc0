"""INI215: `ones_like` of a computed expression, of which only the shape is used."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import LikeOfExpression


class LikeOfExpressionRule(Rule[LikeOfExpression]):
    """
    ## What it does
    Reports `nn.Parameter(torch.ones_like(x * 0.1))`: a `*_like` function of an arithmetic expression, if the result becomes a
    parameter or a buffer.

    ## Why is this bad?
    A `*_like` function uses the shape, dtype and device of its argument, but not its values. The arithmetic inside has no
    effect; usually a closing parenthesis is in the wrong place.

    ## Example
    ```python
    self.gain = nn.Parameter(torch.ones_like(mean * 0.1))
    ```

    ## Use instead
    ```python
    self.gain = nn.Parameter(torch.ones_like(mean) * 0.1)
    ```

    ## Known problems
    Rare in released code; its precision is not well measured.

    ## References
    - [torch.ones_like](https://docs.pytorch.org/docs/stable/generated/torch.ones_like.html)
    """

    code = "INI215"
    name = "like-of-expression"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = LikeOfExpression
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, mean):
                    super().__init__()
                    self.gain = nn.Parameter(torch.ones_like(mean * 0.1))
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, mean, other):
                    super().__init__()
                    self.gain = nn.Parameter(torch.ones_like(mean) * 0.1)
                    self.shift = nn.Parameter(torch.zeros_like(mean + other))

                def forward(self, x):
                    return torch.ones_like(x * 2) + self.gain
            """,
        ),
    )

    def check(self, subject: LikeOfExpression) -> Iterator[Finding]:
        function = subject.factory.removeprefix("torch.")
        yield self.finding(
            subject.place,
            f"`{function}` ignores the values of its argument, so the arithmetic inside `{subject.source}` has no effect",
            evidence=[Evidence(Observer.ANALYZER, "the argument is arithmetic that does not change the shape")],
        )
