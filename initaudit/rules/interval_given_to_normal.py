"""INI411: arguments of a distribution that another one takes, or an interval without width."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.schemes.expressions import fold
from initaudit.subjects.calls import Argument, InitializerCall

_LOGARITHM = re.compile(r"(\w+\.)*log\w*\(")
"""A number that may be negative, and then is meant for all elements: the scale of a Bayesian layer, before softplus."""
DRAWN = {"normal_", "trunc_normal_"}
SMALL = 0.3
"""A mean below this is lost in a spread of 1: it is a standard deviation."""


class IntervalGivenToNormal(Rule[InitializerCall]):
    """
    ## What it does
    Reports `normal_(w, -bound, bound)`: a mean that is the negative of the standard deviation. Also reports
    `trunc_normal_(w, 0.02)`: a small mean alone, which leaves the standard deviation at 1; for the bias of a layer also a mean
    of zero alone. And `uniform_(w, bound, bound)`, whose interval has no width.

    ## Why is this bad?
    `normal_` takes a mean and a standard deviation, and `uniform_` takes the bounds of an interval. With the arguments of
    `uniform_`, `normal_` draws values around `-bound` instead of zero: five of six are negative, and their spread is 1.7 times
    larger than meant. A number alone is the mean: `trunc_normal_(w, 0.02)` draws with a standard deviation of 1, fifty times
    the 0.02 that was meant. `normal_(layer.bias, 0)` draws a bias of the size of the signal, where zeros were meant.

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
    Of bounds, only a mean that is written as the negative of the standard deviation is reported. A function that computes
    both is not followed. A number alone is reported only if it is below 0.3.

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
        Example(
            source="""
            import torch
            from torch import nn

            class Patches(nn.Module):
                def __init__(self, n, d):
                    super().__init__()
                    self.token = nn.Parameter(torch.zeros(1, 1, d))
                    self.position = nn.Parameter(torch.zeros(1, n, d))
                    nn.init.trunc_normal_(self.token, 0.02)
                    self.position.data.normal_(1e-2)

            def draw(layer, scale=0.02):
                deviation = 0.05
                nn.init.normal_(layer.weight, deviation)
                nn.init.uniform_(layer.weight, scale, scale)
                layer.bias.data.uniform_(1.0 / 512, 1 / 512)
                nn.init.normal_(layer.bias, 0)
                layer.bias.data.normal_(0.0)
            """,
            count=7,
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
        Example(
            source="""
            import math
            from torch import nn

            def draw(layer, norm, scale):
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.weight, 0.0)
                nn.init.normal_(norm.weight, 1.0)
                nn.init.normal_(layer.bias)
                nn.init.normal_(layer.bias, 0, 0.01)
                layer.bias.data.normal_(mean=0)
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.normal_(layer.weight, mean=0.1)
                nn.init.trunc_normal_(layer.weight, 0, 0.02)
                nn.init.normal_(layer.weight, scale)
                nn.init.uniform_(layer.weight, 0.1)
                nn.init.uniform_(layer.weight, -scale, scale)
                layer.bias.data.uniform_(0, 0)
                layer.bias.data.uniform_(-3, -3)
                rho = math.log(math.exp(scale) - 1)
                nn.init.uniform_(layer.rho, rho, rho)
            """,
        ),
    )

    def check(self, subject: InitializerCall) -> Iterator[Finding]:
        mean, std = subject.argument(1, "mean"), subject.argument(2, "std")
        low, high = subject.given(1, "a"), subject.given(2, "b")
        if subject.function == "uniform_" and low is not None and high is not None and _are_equal(low, high):
            yield self.finding(
                subject.place,
                f"both bounds of `uniform_` are `{low.source}`, so every element is the same number; write `-({low.source})` for "
                "the lower one",
                evidence=[Evidence(Observer.ANALYZER, "the interval has no width")],
            )
            return
        alone = _mean_alone(subject) if subject.function in DRAWN else None
        if alone is not None and (0 < alone < SMALL or (alone == 0 and _is_bias(subject.arguments[0].source))):
            instead = f"write `std={mean}`" if alone else "write `zeros_` for zeros"
            yield self.finding(
                subject.place,
                f"`{subject.function}` takes the mean first: the values lie around `{mean}`, and their standard deviation is 1; "
                f"{instead}",
                evidence=[Evidence(Observer.ANALYZER, f"the only argument behind the tensor is `{mean}`")],
            )
            return
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


def _are_equal(low: Argument, high: Argument) -> bool:
    """Whether both bounds of an interval are the same positive number."""
    one, other = fold(low.meaning), fold(high.meaning)
    if one is None or one != other or one.coefficient <= 0:
        return False
    return not any(isinstance(factor.base, str) and _LOGARITHM.match(factor.base) for factor in one.powers)


def _mean_alone(subject: InitializerCall) -> float | None:
    """The number that a call gives by position, with nothing else behind the tensor."""
    match subject.arguments:
        case (_, Argument(keyword=None, meaning=meaning)):
            term = fold(meaning)
            return term.number if term is not None else None
    return None


def _is_bias(target: str) -> bool:
    """Whether the source of a tensor is the bias of a layer."""
    return target.removesuffix(".data").endswith(".bias")


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
