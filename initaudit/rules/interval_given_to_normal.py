"""INI411: the bounds of an interval, passed to an initializer that takes a mean and a standard deviation."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.calls import InitializerCall


class IntervalGivenToNormal(Rule[InitializerCall]):
    """
    ## What it does
    Reports `normal_(w, -bound, bound)`: a mean that is the negative of the standard deviation.

    ## Why is this bad?
    `normal_` takes a mean and a standard deviation, and `uniform_` takes the bounds of an interval. With the arguments of
    `uniform_`, `normal_` draws values around `-bound` instead of zero: five of six are negative, and their spread is 1.7 times
    larger than meant.

    ## Example
    ```python
    bound = 1 / math.sqrt(fan_in)
    nn.init.normal_(m.bias, -bound, bound)
    ```

    ## Use instead
    ```python
    bound = 1 / math.sqrt(fan_in)
    nn.init.uniform_(m.bias, -bound, bound)
    ```

    ## Known problems
    Only a mean that is written as the negative of the standard deviation is reported. A function that computes both is not
    followed.

    ## References
    - [torch.nn.init.normal_](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.normal_)
    """

    code = "INI411"
    name = "interval-given-to-normal"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = InitializerCall
    invalid = (
        Example(
            source="""
            import math
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    bound = 1 / math.sqrt(m.in_features)
                    nn.init.kaiming_normal_(m.weight)
                    nn.init.normal_(m.bias, -bound, bound)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.fc = nn.Linear(n, n)
                    self.fc.weight.data.normal_(-(1 / n**0.5), 1 / n**0.5)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import math
            from torch import nn

            def init_weights(m, mean=-0.1, std=0.2):
                if isinstance(m, nn.Linear):
                    bound = 1 / math.sqrt(m.in_features)
                    nn.init.uniform_(m.weight, -bound, bound)
                    nn.init.normal_(m.bias, mean, std)
            """,
        ),
    )

    def check(self, subject: InitializerCall) -> Iterator[Finding]:
        mean, std = subject.argument(1, "mean"), subject.argument(2, "std")
        if subject.function != "normal_" or mean is None or std is None or not _is_negative_of(mean, std):
            return
        plain = all(given.keyword is None for given in subject.arguments)
        fix = Fix(
            Applicability.UNSAFE,
            "Replace with `uniform_`",
            remedies=(Replace(place=subject.place, old="normal_", new="uniform_"),),
        )
        yield self.finding(
            subject.place,
            f"`normal_` takes a mean and a standard deviation, and is given an interval: the values lie around `{mean}`; "
            "use `uniform_`",
            evidence=[
                Evidence(Observer.ANALYZER, f"the mean `{mean}` is the negative of the standard deviation `{std}`")
            ],
            fix=fix if plain else None,
        )


def _is_negative_of(mean: str, std: str) -> bool:
    """Return whether one expression is written as the negative of another."""
    try:
        first, second = (ast.parse(each, mode="eval").body for each in (mean, std))
    except SyntaxError:
        return False
    return (
        isinstance(first, ast.UnaryOp)
        and isinstance(first.op, ast.USub)
        and ast.dump(first.operand) == ast.dump(second)
    )
