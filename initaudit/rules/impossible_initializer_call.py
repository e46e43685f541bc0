"""INI314: a call in `nn.init`, of `nn.Parameter` or `torch.seed`, that torch refuses."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import ImpossibleCall


class ImpossibleInitializerCall(Rule[ImpossibleCall]):
    """
    ## What it does
    Reports calls of functions that `torch.nn.init` does not have, and calls of those it has with a number of arguments, a keyword, a `mode` or a `nonlinearity` that they do not accept, or with a text for a number, as in `xavier_uniform_(w, "relu")`. So are intervals with the upper bound first, as in `uniform_(w, 0.1, -0.1)`, and `nn.Parameter` of a number, a list, sizes or integers, as in `nn.Parameter(4, 4)` and `nn.Parameter(torch.full((n,), 0))`: it takes a tensor of real numbers. So are weights of other dimensions than `sparse_`, `eye_` and `dirac_` accept, and `torch.seed(777)`, which takes no seed.

    ## Why is this bad?
    The call raises as soon as it runs. In a branch that nobody has taken yet, an option for example, it waits for the first user who does.

    ## Example
    ```python
    nn.init.zero_(self.fc.bias)
    nn.init.kaiming_normal_(self.conv.weight, mode="fan_avg")
    nn.init.kaiming_uniform_(self.fc.weight, nonlinearity="gelu")
    ```

    ## Use instead
    ```python
    nn.init.zeros_(self.fc.bias)
    nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")
    nn.init.kaiming_uniform_(self.fc.weight, nonlinearity="relu")
    ```

    ## Known problems
    A name, mode or nonlinearity that is computed is not reported, unless it is the default of a parameter. The bounds `x` and
    `-x` are, if `x` is computed or read from an object: it is taken for positive. Keywords are those of torch 2.13; an
    earlier release has no `generator`.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI314"
    name = "impossible-initializer-call"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ImpossibleCall
    invalid = (
        Example(
            source="""
            from torch import nn

            layer = nn.Linear(8, 4)
            nn.init.kaiming_uniform_(layer.weight, "fan_out")
            nn.init.xavier_uniform_(layer.weight, "relu")
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    nn.init.zero_(self.fc.bias)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_avg")
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn import init

            layer = nn.Linear(3, 4)
            init.kaiming_uniform_(layer.weight, nonlinearity="gelu")
            init.xavier_normal_(layer.weight, std=0.02)
            init.constant_(layer.bias)
            """,
            count=3,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n, act="leakyrelu"):
                    super().__init__()
                    self.conv = nn.Conv2d(n, n, 3)
                    nn.init.xavier_uniform_(self.conv.weight, gain=nn.init.calculate_gain(act))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.factor = nn.Parameter(1.0)
                    self.matrix = nn.Parameter(1, n, n)
                    self.shift = nn.Parameter(torch.full((n,), 0))
            """,
            count=3,
        ),
        Example(
            source="""
            import math
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    bound = 1 / math.sqrt(m.in_features)
                    nn.init.uniform_(m.weight, bound, -bound)
                    m.bias.data.uniform_(0.01, -0.01)
            """,
            count=2,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            torch.seed(777)
            layer = nn.Conv2d(3, 8, 3)
            nn.init.sparse_(layer.weight, 0.1)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            layer = nn.Linear(8, 4)
            nn.init.kaiming_uniform_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain("relu"))
            """,
        ),
        Example(
            source="""
            from torch import nn

            def draw(layer, act="gelu", mode="in"):
                if act == "gelu":
                    act = "relu"
                nn.init.kaiming_normal_(layer.weight, nonlinearity=act)
                gain = nn.init.calculate_gain(mode) if mode != "in" else 1.0
                nn.init.xavier_uniform_(layer.weight, gain=gain)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn
            from torch.nn import init

            layer = nn.Linear(3, 4)
            init.kaiming_uniform_(layer.weight, a=0.2, mode="fan_in", nonlinearity="leaky_relu")
            init.xavier_normal_(layer.weight, init.calculate_gain("tanh"))
            init.constant_(layer.bias, val=0.1)
            try:
                init.kaiming_normal_(layer.weight, nonlinearity="silu")
            except ValueError:
                init.kaiming_normal_(layer.weight, nonlinearity="relu")
            layer.scale = nn.Parameter(torch.tensor(1.0), requires_grad=False)
            """,
        ),
    )

    def check(self, subject: ImpossibleCall) -> Iterator[Finding]:
        instead = " or ".join(f"`{each}`" for each in subject.close)
        yield self.finding(
            subject.place,
            f"{subject.why}: this raises" + (f"; did you mean {instead}?" if instead else ""),
            evidence=[Evidence(Observer.ANALYZER, "compared with what torch accepts")],
        )
