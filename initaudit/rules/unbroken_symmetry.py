"""INI501: units that start identical and stay identical."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.weights import EqualUnits


class UnbrokenSymmetry(Rule[EqualUnits]):
    """
    ## What it does
    Reports a layer with units that start identical and stay identical: their weights and biases are equal, and every
    gradient is the same for all of them.

    ## Why is this bad?
    Units that compute the same and get the same gradient act as one unit, however long the model is trained. A hidden
    layer of 64 units that starts from a constant has the capacity of one unit.

    ## Example
    ```python
    self.hidden = nn.Linear(32, 64)
    nn.init.constant_(self.hidden.weight, 0.5)
    nn.init.zeros_(self.hidden.bias)
    self.out = nn.Linear(64, 10)
    nn.init.constant_(self.out.weight, 0.5)
    ```

    ## Use instead
    ```python
    self.hidden = nn.Linear(32, 64)
    nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
    nn.init.zeros_(self.hidden.bias)
    ```

    ## Known problems
    The probe decides by training. It compares the gradients of two batches at the start and after each of at least three
    steps, in training mode and in double precision, and again after it has scaled every parameter by a factor of its own;
    they have to be equal to one part in a billion, and not zero. So the probe needs an input. A model that does not run
    in double precision is trained in its own, and gradients then have to be equal to one part in 100,000. A constant layer before a random one is not symmetric and not reported; nor
    is one whose symmetry dropout breaks. Columns of an embedding are not compared. Rows that a model learns, such as
    queries, are a warning, since hardly any were found in released models. Rare in released models; its precision is not
    well measured.

    The analyzer applies the rule to two linear layers or convolutions of a class, or of a script's `nn.Sequential`, that
    start from constants, biases included, when the second alone uses the output of the first, through activations and
    normalizations only. Zeros count, though no gradient reaches the layers then. Tests are not judged. It reported one
    script in 152 repositories of users, and was right.

    ## References
    - Goodfellow, Bengio & Courville 2016, [Deep Learning, 8.4](https://www.deeplearningbook.org/contents/optimization.html)
    """

    code = "INI501"
    name = "unbroken-symmetry"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = BOTH
    subject = EqualUnits
    supersedes = ("INI701", "INI702", "INI703", "INI704", "INI705")
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.hidden = nn.Linear(8, 16)
                    self.out = nn.Linear(16, 4)
                    for layer in (self.hidden, self.out):
                        nn.init.constant_(layer.weight, 0.5)
                        nn.init.zeros_(layer.bias)

                def forward(self, x):
                    return self.out(torch.tanh(self.hidden(x)))
            """,
            target="Net",
        ),
        Example(
            source="""
            from torch import nn

            class Head(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.hidden = nn.Linear(8, 16)
                    self.out = nn.Linear(16, 4)
                    nn.init.ones_(self.hidden.weight)
                    nn.init.zeros_(self.hidden.bias)
                    nn.init.zeros_(self.out.weight)

                def forward(self, x):
                    return self.out(self.hidden(x).sigmoid())
            """,
            target="Head",
        ),
        Example(
            source="""
            from torch import nn

            def ones(module):
                if isinstance(module, nn.Linear):
                    nn.init.ones_(module.weight)
                    nn.init.zeros_(module.bias)

            class Sequence(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
                    self.net.apply(ones)

                def forward(self, x):
                    return self.net(x)
            """,
            target="Sequence",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class RandomAbove(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.hidden = nn.Linear(8, 16)
                    self.out = nn.Linear(16, 4)
                    nn.init.constant_(self.hidden.weight, 0.5)
                    nn.init.zeros_(self.hidden.bias)

                def forward(self, x):
                    return self.out(torch.tanh(self.hidden(x)))
            """,
            target="RandomAbove",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Dropped(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.hidden = nn.Linear(8, 16)
                    self.dropout = nn.Dropout(0.5)
                    self.out = nn.Linear(16, 4)
                    for layer in (self.hidden, self.out):
                        nn.init.constant_(layer.weight, 0.5)
                        nn.init.zeros_(layer.bias)

                def forward(self, x):
                    return self.out(self.dropout(torch.tanh(self.hidden(x))))
            """,
            target="Dropped",
        ),
        Example(
            source="""
            from torch import nn

            class ZeroBlockAndHead(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.first = nn.Linear(8, 16)
                    self.block = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
                    self.head = nn.Linear(16, 4)
                    nn.init.zeros_(self.block[2].weight)
                    nn.init.zeros_(self.block[2].bias)
                    nn.init.zeros_(self.head.weight)

                def forward(self, x):
                    x = self.first(x)
                    return self.head(x + self.block(x))
            """,
            target="ZeroBlockAndHead",
        ),
    )

    def check(self, subject: EqualUnits) -> Iterator[Finding]:
        which, like, shown = (
            "all",
            "one unit",
            f"`{subject.parameter}` is constant, and so is `{subject.feeds}`, the only layer that uses its output",
        )
        if subject.path is not None:
            which = f"all {subject.units}" if subject.equal == subject.units else f"{subject.equal} of {subject.units}"
            like = "one unit" if subject.distinct == 1 else f"{subject.distinct} units"
            shown = f"`{subject.path}`: equal gradients on independent batches, and equal weights after at least three steps"
        yield self.finding(
            subject.place,
            f"{which} units of `{subject.parameter}` start identical and get the same gradients: they stay identical and "
            f"act as {like}; draw the weights at random",
            evidence=[Evidence(subject.observer, shown)],
            severity=Severity.WARNING if subject.state else None,
            model=subject.model,
            parameter=subject.parameter,
            advice=[Advice(model=subject.model, parameter=subject.parameter, initializer="xavier_uniform_")],
            group=f"{subject.place.cell}:{subject.place.row}",
        )
