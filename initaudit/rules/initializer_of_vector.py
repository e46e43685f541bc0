"""INI312: a vector passed to an initializer that needs a matrix."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import VectorGiven


class InitializerOfVector(Rule[VectorGiven]):
    """
    ## What it does
    Reports Xavier, Kaiming, orthogonal, sparse and Dirac initialization of a tensor with one dimension: the bias of a layer,
    the gain of a normalization layer, or every parameter of a model that has one of these.

    ## Why is this bad?
    These initializers are defined for matrices and kernels. torch raises ValueError for a vector when the line runs.

    ## Example
    ```python
    for p in self.parameters():
        nn.init.xavier_uniform_(p)
    ```

    ## Use instead
    ```python
    for p in self.parameters():
        if p.dim() > 1:
            nn.init.xavier_uniform_(p)
    ```

    ## Known problems
    Where the code asks whether a layer has a bias, and no layer of the model surely has one, it is a note.

    ## References
    - [xavier_uniform_](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.xavier_uniform_)
    """

    code = "INI312"
    name = "initializer-of-vector"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = VectorGiven
    supersedes = ("INI506",)
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.body = nn.Sequential(nn.Linear(n, n), nn.LayerNorm(n), nn.ReLU())

            def start(model):
                for name, p in model.named_parameters():
                    if name.endswith("weight"):
                        nn.init.xavier_uniform_(p)

            start(Net(4))
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(8, 8)
                    nn.init.kaiming_normal_(self.a.bias)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(8, 8)
                    for p in self.parameters():
                        nn.init.xavier_uniform_(p)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init(m):
                if isinstance(m, nn.BatchNorm2d):
                    nn.init.orthogonal_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_layer(layer):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.xavier_uniform_(layer.bias)

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv1d(1, 8, 3)
                    init_layer(self.conv)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.body = nn.Sequential(nn.Linear(n, n), nn.LayerNorm(n), nn.ReLU())

            net = Net(4)
            for name, p in net.named_parameters():
                if name.endswith("weight") and "body.1" not in name:
                    nn.init.xavier_uniform_(p)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(8, 8)
                    self.b = nn.Linear(8, 8, bias=False)
                    for p in self.parameters():
                        if p.dim() > 1:
                            nn.init.xavier_uniform_(p)
                    for p in self.b.parameters():
                        nn.init.xavier_uniform_(p)
                    nn.init.xavier_uniform_(self.a.bias.unsqueeze(0))
                    nn.init.zeros_(self.a.bias)

            class NoBias(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(8, 8, bias=False)
                    for p in self.parameters():
                        nn.init.xavier_uniform_(p)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Table(nn.Module):
                def __init__(self, bias):
                    super().__init__()
                    self.bias = bias

            def init_layer(layer):
                if layer.bias is not None:
                    nn.init.xavier_uniform_(layer.bias)

            class Net(nn.Module):
                def __init__(self, bias):
                    super().__init__()
                    self.conv = nn.Conv1d(1, 8, 3, bias=False)
                    self.table = Table(bias)
                    init_layer(self.conv)
                    init_layer(self.table)
            """,
        ),
    )

    def check(self, subject: VectorGiven) -> Iterator[Finding]:
        now = "; no layer of this model surely has it" if subject.absent else ""
        yield self.finding(
            subject.place,
            f"`nn.init.{subject.initializer}` raises ValueError for a vector, and `{subject.target}` can be one{now}",
            severity=Severity.NOTE if subject.absent else None,
            evidence=[Evidence(Observer.ANALYZER, subject.why)],
        )
