"""INI108: an uninitialized tensor that is not a parameter, and is used before anything writes it."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.weights import RawTensor


class UninitializedTensor(Rule[RawTensor]):
    """
    ## What it does
    Reports `self.scale = torch.empty(n)` if the forward pass reads it, and an uninitialized variable that is trained: it is
    passed to an optimizer or requires a gradient, and is used in an expression. An uninitialized state that a recurrent layer
    of torch is given is reported too.

    ## Why is this bad?
    The tensor holds whatever was in memory: often zeros, sometimes 1e38 or NaN. Because it is not a parameter,
    no initializer of the model reaches it, and no checkpoint restores it.

    ## Example
    ```python
    w = torch.empty(8, 1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    loss = (x @ w).mean()
    ```

    ## Use instead
    ```python
    w = torch.zeros(8, 1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    loss = (x @ w).mean()
    ```

    ## Known problems
    A tensor that is passed to code that may write it is not reported. It is a note in a script that only exports or traces a
    model of its own, and for a variable that requires a gradient where nothing computes one: such code shows how autograd
    works.

    ## References
    - [torch.empty](https://docs.pytorch.org/docs/stable/generated/torch.empty.html)
    """

    code = "INI108"
    name = "uninitialized-tensor"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = RawTensor
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(4, 4)
                    self.scale = torch.empty(4)

                def forward(self, x):
                    return self.a(x) * self.scale
            """,
        ),
        Example(
            source="""
            import torch

            x = torch.randn(64, 8)
            w = torch.empty(8, 1, requires_grad=True)
            optimizer = torch.optim.SGD([w], lr=0.1)
            loss = (x @ w).pow(2).mean()
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn
            from torch.autograd import Variable

            class Net(nn.Module):
                def __init__(self, n=4):
                    super().__init__()
                    self.hidden = Variable(torch.Tensor(1, n), requires_grad=True)
                    self.rnn = nn.GRUCell(n, n)

                def forward(self, x):
                    return self.rnn(x, self.hidden.expand(x.size(0), -1))
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n=4):
                    super().__init__()
                    self.a = nn.Linear(4, 4)
                    self.cache = torch.empty(n, 4)
                    self.scale = torch.empty(4)
                    self.scale.fill_(2.0)
                    self.table = torch.Tensor([1.0, 2.0])

                def forward(self, x):
                    self.cache[0] = self.a(x)[0]
                    return self.a(x) * self.scale + self.cache[0] + self.table[0]

            shown = torch.empty(3, requires_grad=True)
            (shown * 0).sum().backward()

            w = torch.empty(8, 1, requires_grad=True)
            nn.init.normal_(w)
            b = torch.zeros(1, requires_grad=True)
            optimizer = torch.optim.SGD([w, b], lr=0.1)
            y = torch.randn(3, 8) @ w + b
            """,
        ),
    )

    def check(self, subject: RawTensor) -> Iterator[Finding]:
        what = " and is read"
        if subject.trained or subject.recorded:
            what = " and is trained" if subject.trained else ", requires a gradient and is used"
        only_shown = subject.unused or (subject.exported and not subject.recorded)
        yield self.finding(
            subject.place,
            f"`{subject.name}` is allocated by `{subject.call}`{what} before anything writes it; initialize it first",
            severity=Severity.NOTE if only_shown and not subject.trained else None,
            model=subject.model,
            parameter=subject.name.removeprefix("self.") if subject.model is not None else None,
            evidence=[Evidence(Observer.ANALYZER, "no reachable code writes it before that")],
        )
