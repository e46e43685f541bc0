"""INI222: a layer or a parameter that the forward makes anew each time."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import MadeInForward


class LayerMadeInForward(Rule[MadeInForward]):
    """
    ## What it does
    Reports `nn.Linear(8, 8)(x)` in the forward of a module, also by a local name, and `nn.Parameter(torch.zeros(1))` there.

    ## Why is this bad?
    Every call makes new weights and forgets them: they are random each time, the module does not register them, and no
    optimizer trains them. The loss may still fall, since the other layers learn to work around them.

    ## Example
    ```python
    def forward(self, x):
        return nn.Linear(64, 10)(self.features(x))
    ```

    ## Use instead
    ```python
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.features(x))
    ```

    ## Known problems
    A layer that the forward passes to other code, stores, or whose weights it sets is not reported, nor are layers that draw no
    weights, such as normalizations, layers that run without a gradient, and layers of whose output only the sizes are read.
    In 132 repositories of users it reports six lines of one collection of lessons, all right, and it is right in the 16
    modules that a search of public code for such lines shows.

    ## References
    - [torch.nn.Module](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html)
    """

    code = "INI222"
    name = "layer-made-in-forward"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = MadeInForward
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.features = nn.Linear(8, 64)

                def forward(self, x):
                    return nn.Linear(64, 10)(self.features(x).relu())
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Attention(nn.Module):
                def forward(self, x):
                    query = nn.Conv2d(x.size(1), 8, 1).to(x.device)
                    gamma = nn.Parameter(torch.zeros(1))
                    return gamma * query(x).mean() + x
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.fc = nn.Linear(d, d)

                def forward(self, x):
                    return self.fc(x)

            class Net(nn.Module):
                def forward(self, x):
                    block = Block(x.size(-1))
                    block = block.cuda()
                    return block(x)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.late = None
                    self.rnn = nn.GRU(8, 8)

                def forward(self, x):
                    if self.late is None:
                        self.late = nn.Linear(x.size(-1), 8)
                    blur = nn.Conv1d(8, 8, 3, bias=False)
                    blur.weight.data.fill_(1 / 24)
                    start = nn.Parameter(torch.zeros(1, x.size(0), 8))
                    x, _ = self.rnn(nn.LayerNorm(8)(self.late(x)), start)
                    return nn.ReLU()(blur(x))
            """,
        ),
    )

    def check(self, subject: MadeInForward) -> Iterator[Finding]:
        values = "weights are drawn anew" if subject.drawn else "value is set anew"
        yield self.finding(
            subject.place,
            f"`{subject.source}` is made in every call of `forward`: its {values} each time, and no optimizer trains it; make it in "
            "`__init__` and keep it in an attribute",
            evidence=[Evidence(Observer.ANALYZER, f"the forward of {subject.model} keeps it in no attribute")],
            model=subject.model,
        )
