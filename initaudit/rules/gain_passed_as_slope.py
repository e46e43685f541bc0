"""INI406: a gain that is passed to a Kaiming initializer as the negative slope."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Recall, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.schemes import calculate_gain
from initaudit.schemes.expressions import fold
from initaudit.subjects.calls import InitializerCall


class GainPassedAsSlope(Rule[InitializerCall]):
    """
    ## What it does
    Reports `kaiming_normal_` and `kaiming_uniform_` with a gain as `a`, such as `a=nn.init.calculate_gain("relu")` or
    `a=math.sqrt(5) * scale`. A factor by which the weights were to be scaled, such as `a=alpha / rank`, is reported too.

    ## Why is this bad?
    `a` is the negative slope of the leaky ReLU after the layer, not a factor. The gain is sqrt(2 / (1 + a^2)): the
    larger `a`, the smaller the weights. With `a=calculate_gain("relu")`, the variance is a third of the intended one.
    `a=math.sqrt(5)` alone is what torch's own layers pass, and is not reported.

    ## Example
    ```python
    nn.init.kaiming_normal_(conv.weight, a=nn.init.calculate_gain("relu"))
    ```

    ## Use instead
    ```python
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    ```

    ## Known problems
    A gain in a variable whose name does not say so is not recognized. A gain of 1, as `calculate_gain("conv2d")` returns,
    is not reported: sqrt(2 / (1 + 1^2)) is 1 too. In 27 releases the rule had nothing to report, so
    its precision on released code is not known.

    ## References
    - He et al. 2015, [Delving Deep into Rectifiers](https://arxiv.org/abs/1502.01852)
    - [torch.nn.init.kaiming_normal_](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.kaiming_normal_)
    """

    code = "INI406"
    name = "gain-passed-as-slope"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = InitializerCall
    words = (("kaiming_",),)
    invalid = (
        Example(
            source="""
            from torch import nn

            conv = nn.Conv2d(3, 8, 3)
            nn.init.kaiming_normal_(conv.weight, a=nn.init.calculate_gain("relu"))
            """
        ),
        Example(
            source="""
            import math
            import torch.nn as nn

            def init_layer(layer, scale):
                nn.init.kaiming_uniform_(layer.weight, math.sqrt(5) * scale)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch.nn import init

            def init_layer(layer, gain):
                init.kaiming_normal_(layer.weight, a=gain, mode="fan_out")
            """
        ),
    )
    valid = (
        Example(
            source="""
            import math
            from torch import nn

            fc = nn.Linear(3, 4)
            nn.init.kaiming_uniform_(fc.weight, a=math.sqrt(5))
            nn.init.kaiming_normal_(fc.weight, a=0.2, nonlinearity="leaky_relu")
            nn.init.kaiming_normal_(fc.weight, nonlinearity="relu")
            nn.init.xavier_normal_(fc.weight, gain=nn.init.calculate_gain("tanh"))
            """
        ),
        Example(
            source="""
            from torch import nn

            def init_layer(layer, slope):
                nn.init.kaiming_normal_(layer.weight, a=slope)
            """
        ),
        Example(
            source="""
            from torch import nn

            conv = nn.Conv2d(3, 8, 3)
            nn.init.kaiming_normal_(conv.weight, a=nn.init.calculate_gain("conv2d"))
            """
        ),
    )

    def check(self, subject: InitializerCall) -> Iterator[Finding]:
        slope = subject.argument(1, "a")
        if not subject.function.startswith("kaiming_") or slope is None or not is_gain(slope) or gives(subject):
            return
        what, result, instead = "gain", "which makes the weights smaller", "name the activation instead, as in "
        instead += f'`nn.init.{subject.function}(..., nonlinearity="relu")`'
        if scaled := is_factor(slope):
            what, result = "factor", "and the larger that is, the smaller the weights are"
            instead = "multiply the weight afterwards, as in `weight.data.mul_(factor)`"
        yield self.finding(
            subject.place,
            f"`a={slope}` passes a {what} as the negative slope of a leaky ReLU, {result}; {instead}",
            evidence=[Evidence(Observer.ANALYZER, f"calls `nn.init.{subject.function}` with a {what} as `a`")],
            fix=None if scaled else self.named(subject),
        )

    @staticmethod
    def named(subject: InitializerCall) -> Fix:
        """Return the fix: the same call with the activation instead of a gain."""
        given = subject.argument(3, "nonlinearity") or '"relu"'
        mode = subject.argument(2, "mode")
        named = (("nonlinearity", given), *((("mode", mode),) if mode is not None else ()))
        remedy = Recall(place=subject.place, old=subject.function, keep=1, drop=("a",), given=named)
        return Fix(Applicability.UNSAFE, f"Write `nonlinearity={given}`", remedies=(remedy,))


def gives(subject: InitializerCall) -> bool:
    """Whether a call draws with the very gain that it is given as ``a``, as with 1 for a linear layer."""
    given, nonlinearity = subject.given(1, "a"), subject.argument(3, "nonlinearity") or "'leaky_relu'"
    meant = fold(given.meaning or given.source) if given is not None else None
    if meant is None or meant.number is None:
        return False
    try:
        return math.isclose(calculate_gain(ast.literal_eval(nonlinearity), meant.number), meant.number)
    except (ValueError, TypeError, SyntaxError, OverflowError):
        return False  # no name of a nonlinearity for which torch has a gain


def is_gain(source: str) -> bool:
    """Whether an expression is a gain: named so, returned by ``calculate_gain``, or a factor."""
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError:
        return False
    called = (_last_name(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))
    return "calculate_gain" in called or _last_name(tree) in ("gain", "_gain") or is_factor(source)


def is_factor(source: str) -> bool:
    """Whether an expression scales: sqrt(5) times or divided by something, or one name divided by another."""
    for node in ast.walk(ast.parse(source, mode="eval")):
        match node:
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right) if _is_root(left) or _is_root(right):
                return True
            case ast.BinOp(left=left, op=ast.Div(), right=right) if _last_name(left) and _last_name(right):
                return True
            case _:
                pass
    return False


def _is_root(node: ast.expr) -> bool:
    """Whether an expression is the square root of 5."""
    match node:
        case ast.Call(func=function, args=[ast.Constant(value=5)]):
            return _last_name(function) == "sqrt"
    return False


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
