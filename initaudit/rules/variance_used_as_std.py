"""INI403: the variance of an initialization scheme, passed as the standard deviation."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence

import msgspec

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.schemes.expressions import Power, Sum, Term, added, fold, power, product
from initaudit.subjects.calls import Argument, Called, InitializerCall

FAN = re.compile(
    r"fan|fan_?(?:in|out)|n_?(?:in|out)|(?:n_?)?(?:in|out)_(?:features|channels|dim|size)|(?:in|out)put_(?:dim|size)"
)
KERNEL = re.compile(r"kernel_size(?:\[\d\])?|k[hw]|receptive_field(?:_size)?")
SIZE = re.compile(r"\.(?:size\(-?[01]\)|shape\[-?[01]\]|size\(\)\[-?[01]\])$")
"""Names of fans, of the kernel sizes in the fans of a convolution, and expressions for the sizes of a tensor."""
OF_FIRST_UNIT = re.compile(r"\[0\]\.(?:numel|nelement)\(\)$")
OF_TORCH = re.compile(r"_calculate_(?:fan_in_and_fan_out\((?P<both>.*)\)\[[01]\]|correct_fan\((?P<one>.*), .*\))$")
"""Other ways to count the fan of a tensor."""
GAIN_SQUARED = Power("gain", 2.0)


class Drawn(msgspec.Struct, frozen=True):
    """The argument that sets the spread of a draw: its name in prose, its keyword, and the numerator of its square."""

    what: str
    keyword: str
    numerator: float


NORMAL = Drawn("standard deviation", "std", 2.0)
DRAWN = {"normal_": NORMAL, "trunc_normal_": NORMAL, "uniform_": Drawn("bound", "b", 6.0)}


class VarianceUsedAsStd(Rule[InitializerCall]):
    """
    ## What it does
    Reports a draw that passes the variance of Xavier or Kaiming initialization where the standard deviation (or the
    bound of a uniform draw) belongs: `normal_(0, 2 / (fan_in + fan_out))`, `normal_(0, 2 / fan_in)`,
    `uniform_(-6 / fan_in, 6 / fan_in)`. Also reports missing brackets around the sum of the fans:
    `normal_(0, math.sqrt(2 / fan_in + fan_out))`.

    ## Why is this bad?
    The square root is missing. With a fan_in of 512, the weights are 16 times smaller than Kaiming initialization makes
    them and the variance of the output 256 times; after a few layers, little of the signal is left. Without the brackets,
    fan_out is added to the quotient, and the weights are hundreds of times too large.

    ## Example
    ```python
    fc.weight.data.normal_(0, 2.0 / (fc.in_features + fc.out_features))
    ```

    ## Use instead
    ```python
    nn.init.xavier_normal_(fc.weight)
    ```

    ## Known problems
    `1 / fan_in` is not reported: muP and the first layers of implicit neural representations use it on purpose. The
    rule recognizes a fan by its name (`fan_in`, `m.in_features`), as a size of the weight that is drawn
    (`m.weight.size(1)`), or when the layer, or the matrix itself, is created with these sizes in the same function or in the constructor of its
    class. In released code it had nothing to report; in 132 repositories of users it is right in the 20 lines that it
    reports, all of them in one repository.

    ## References
    - Glorot & Bengio 2010, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
    - He et al. 2015, [Delving Deep into Rectifiers](https://arxiv.org/abs/1502.01852)
    """

    code = "INI403"
    name = "variance-used-as-std"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = InitializerCall
    words = (("normal_(", "uniform_(", "randn"), ("/",))
    invalid = (
        Example(
            source="""
            from torch import nn

            def init_layer(m):
                if isinstance(m, nn.Linear):
                    m.weight.data.normal_(0, 2.0 / (m.in_features + m.out_features))
            """
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn import init

            def init_conv(m):
                fan_out = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
                std = 2 / fan_out
                init.normal_(m.weight, mean=0.0, std=std)
            """
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3, 4)
                    self.fc.weight.data.normal_(0, 2 / 7)
            """
        ),
        Example(
            source="""
            from torch import nn

            def init_layer(fc, fan_in):
                nn.init.uniform_(fc.weight, -6 / fan_in, 6 / fan_in)
            """
        ),
        Example(
            source="""
            import torch
            from torch import nn

            layer = nn.Linear(300, 300)
            layer.weight.data = torch.randn(layer.weight.shape) * (2 / layer.in_features)
            """,
        ),
        Example(
            source="""
            import math
            from torch import nn

            def init_layer(fc, fan_in, fan_out):
                nn.init.normal_(fc.weight, 0.0, math.sqrt(2.0 / fan_in + fan_out))
            """
        ),
        Example(
            source="""
            from torch import nn

            def init_layer(m):
                var = 2.0 / (m.in_features + m.out_features)
                nn.init.trunc_normal_(m.weight, mean=0.0, std=var)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_layer(m):
                inputs = m.weight.shape[1]
                m.weight.data.normal_(0, 2.0 / inputs)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Layer(nn.Module):
                def __init__(self, rows, columns):
                    super().__init__()
                    self.rows, self.columns = rows, columns
                    self.w = nn.Parameter(torch.empty(rows, columns))
                    self.v = nn.Parameter(torch.randn(rows, columns) * (2 / (rows + columns)))
                    self.reset()

                def reset(self):
                    nn.init.normal_(self.w, std=2 / self.columns)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Layer(nn.Module):
                def __init__(self, rows, columns):
                    super().__init__()
                    self.w = nn.Parameter(torch.randn(rows, columns) * (2 / (rows + columns)) ** 0.5)
                    self.v = nn.Parameter(torch.randn(rows, columns) * 2 / (rows + 7))
                    self.u = nn.Parameter(torch.empty(rows, columns))
                    nn.init.normal_(self.u, 0, 2 / (rows * columns))
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
                    self.fc.weight.data.normal_(0, math.sqrt(2 / (3 + 4)))
            """
        ),
        Example(
            source="""
            import math
            from torch import nn

            def init_layer(m, fan_in, fan_out, width, gain):
                m.weight.data.normal_(0, 1 / fan_in)
                m.weight.data.normal_(0, 0.02)
                m.weight.data.normal_(0, 2 / width)
                m.weight.data.normal_(0, (2.0 / (fan_in + fan_out)) ** 0.5)
                m.weight.data.normal_(0, gain * math.sqrt(2 / fan_in))
                variance = 2 / fan_in
                m.weight.data.normal_(0, math.sqrt(variance))
                m.weight.data.uniform_(-1 / fan_in, 1 / fan_in)
                m.weight.data.normal_(0, math.sqrt(2 / m.weight.size(1)))
                m.weight.data.normal_(0, 2 / width.size(1))
                m.weight.data.normal_(0, 2 / m.weight.numel())
            """
        ),
        Example(
            source="""
            import math
            from torch import nn

            def init_layer(m, std):
                var = 2.0 / (m.in_features + m.out_features)
                nn.init.trunc_normal_(m.weight, std=math.sqrt(var))
                nn.init.trunc_normal_(m.weight, std=std)
            """,
        ),
    )

    def check(self, subject: InitializerCall) -> Iterator[Finding]:
        drawn = DRAWN.get(subject.function)
        spread = subject.given(2, drawn.keyword) if drawn is not None else None
        if drawn is None or spread is None:
            return
        brackets = without_brackets(spread.source) or without_brackets(spread.meaning)
        if brackets is not None:
            yield self.finding(
                subject.place,
                f"`{spread.source}` divides by one fan and adds the other, so the {drawn.what} is far above one; "
                f"write `{brackets}`",
                evidence=[Evidence(Observer.ANALYZER, "Xavier initialization divides by the sum of both fans")],
                fix=self.bracketed(subject, spread),
            )
            return
        weight = subject.given(0, "tensor")
        drawn_tensor = same_tensor(weight.meaning) if weight is not None else ""
        scheme = scheme_of_variance(spread.meaning, drawn.numerator, fans_of(subject.layer), drawn_tensor)
        if scheme is None:
            return
        form = f"{scheme}_{subject.function.removeprefix('trunc_')}"
        yield self.finding(
            subject.place,
            f"`{spread.source}` is the square of the {drawn.what} that `{form}` uses: the square root is missing; "
            f"use `nn.init.{form}`",
            evidence=[Evidence(Observer.ANALYZER, f"passes `{spread.meaning}` as the {drawn.what}")],
            fix=self.rooted(subject, spread),
        )

    @staticmethod
    def bracketed(subject: InitializerCall, spread: Argument) -> Fix | None:
        """Return the fix: put the sum in brackets, where the argument itself spells it."""
        brackets = without_brackets(spread.source)
        if brackets is None:
            return None
        remedy = Replace(place=subject.place, old=spread.source, new=brackets)
        return Fix(Applicability.UNSAFE, f"Write `{brackets}`", remedies=(remedy,))

    @staticmethod
    def rooted(subject: InitializerCall, spread: Argument) -> Fix:
        """Return the fix: take the square root of the argument."""
        name = spread.source.isidentifier()
        root = f"{spread.source}**0.5" if name else f"({spread.source}) ** 0.5"
        low = subject.argument(1, "a") if subject.function == "uniform_" else None
        remedies = [Replace(place=subject.place, old=spread.source, new=root)]
        remedies += [Replace(place=subject.place, old=low, new=f"-{root}")] if low is not None else []
        return Fix(Applicability.UNSAFE, f"Write `{root}`", remedies=tuple(remedies))


def without_brackets(source: str) -> str | None:
    """What is meant by ``sqrt(2 / fan_in + fan_out)``: the sum in brackets. None for everything else."""
    root = ast.parse(source.strip(), mode="eval").body
    for node in ast.walk(root):
        match node:
            case ast.BinOp(left=ast.BinOp(left=above, op=ast.Div(), right=one), op=ast.Add(), right=other):
                if all(FAN.fullmatch(ast.unparse(fan).rpartition(".")[2]) for fan in (one, other)):
                    node.left, node.op, node.right = above, ast.Div(), ast.BinOp(one, ast.Add(), other)
                    return ast.unparse(root)
    return None


def same_tensor(source: str) -> str:
    """Return the tensor whose memory an expression is: ``m.weight`` for ``m.weight.data``."""
    return source.replace(".data", "").replace(".detach()", "")


def scheme_of_variance(source: str, numerator: float, known: Sequence[Term], weight: str = "") -> str | None:
    """Return the scheme whose variance an expression is, or None; ``known`` are the fans of the ``weight``, if known."""
    term = fold(source)
    if term is None or (term.number is not None and not _is_ratio(source, numerator)):
        return None
    gained = GAIN_SQUARED in term.powers
    term = Term(term.coefficient, tuple(factor for factor in term.powers if factor != GAIN_SQUARED))
    if any(factor.exponent > 0 for factor in term.powers) or term.coefficient == 0:
        return None
    below = power(term, -1.0)
    xavier = product(below, Term(numerator))
    kaiming = product(below, Term(numerator / 2)) if gained else xavier
    if len(known) == 2 and _same(xavier, added(*known)):
        return "xavier"
    if any(_same(kaiming, fan) for fan in known):
        return "kaiming"
    return "xavier" if _is_sum_of_fans(xavier, weight) else "kaiming" if _is_fan(kaiming, weight) else None


def _is_ratio(source: str, numerator: float) -> bool:
    """Whether a number is written as a ratio with this numerator; otherwise its meaning is unknown."""
    match ast.parse(source.strip(), mode="eval").body:
        case ast.BinOp(left=above, op=ast.Div()):
            return fold(ast.unparse(above)) == Term(numerator)
    return False


def _same(one: Term, other: Term) -> bool:
    return one.powers == other.powers and math.isclose(one.coefficient, other.coefficient)


def _is_sum_of_fans(term: Term, weight: str) -> bool:
    match term:
        case Term(coefficient=coefficient, powers=(Power(base=Sum(terms=(one, other)), exponent=1.0),)):
            named = _is_fan(one, weight) and _is_fan(other, weight) and one != other
            return math.isclose(coefficient, 1.0) and (named or _are_sizes(one, other))
    return False


def _are_sizes(one: Term, other: Term) -> bool:
    """Whether two terms are two different sizes of one tensor."""
    match one.powers, other.powers:
        case (Power(base=str(first)),), (Power(base=str(second)),):
            both = SIZE.search(first) is not None and SIZE.search(second) is not None
            return both and first != second and SIZE.sub("", first) == SIZE.sub("", second)
    return False


def _is_fan(term: Term, weight: str) -> bool:
    """Whether a term is a fan, possibly times the sizes of a kernel."""
    bases = [power.base for power in term.powers if isinstance(power.base, str)]
    plain = (
        math.isclose(term.coefficient, 1.0)
        and len(bases) == len(term.powers)
        and all(p.exponent == 1 for p in term.powers)
    )
    fans = [base for base in bases if FAN.fullmatch(base.rpartition(".")[2]) or _counts_inputs(base, weight)]
    others = (base.rpartition(".")[2] for base in bases if base not in fans)
    return plain and len(fans) == 1 and all(map(KERNEL.fullmatch, others))


def _counts_inputs(base: str, weight: str) -> bool:
    """Whether an expression is a size of the weight that is drawn, or a fan that torch counts for it."""
    base = same_tensor(base)
    counted = OF_TORCH.search(base)
    if counted is not None:
        return (counted["both"] or counted["one"]) == weight
    return any(base == f"{weight}{found[0]}" for found in (SIZE.search(base), OF_FIRST_UNIT.search(base)) if found)


def fans_of(layer: Called | None) -> tuple[Term, ...]:
    """Return fan_in and fan_out of a layer, in terms of its constructor arguments, or the sizes of a matrix."""
    if layer is not None and layer.function == "Parameter":
        return tuple(size for given in layer.arguments if (size := fold(given.meaning)) is not None and size.powers)
    if layer is None or layer.function not in ("Linear", "Conv1d", "Conv2d", "Conv3d"):
        return ()
    given = [layer.argument(0, "in_features"), layer.argument(1, "out_features")]
    kernel: Term | None = Term(1.0)
    if layer.function != "Linear":
        given = [layer.argument(0, "in_channels"), layer.argument(1, "out_channels")]
        side = fold(layer.argument(2, "kernel_size") or "")
        kernel = None if side is None or layer.argument(6, "groups") else power(side, float(layer.function[4]))
    sizes = [fold(source or "") for source in given]
    return tuple(product(size, kernel) for size in sizes if size is not None and kernel is not None)
