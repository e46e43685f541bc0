"""INI313: a tensor assigned to the name of a parameter."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import AssignedTensor


class TensorAssignedToParameter(Rule[AssignedTensor]):
    """
    ## What it does
    Reports `layer.weight = torch.randn(4, 4)` if `layer` is one of torch's layers, and
    `self.register_parameter("weight", torch.randn(4, 4))`.

    ## Why is this bad?
    Only a parameter or None can be assigned to a registered parameter. torch raises TypeError for a tensor when the line runs.

    ## Example
    ```python
    self.fc.weight = torch.randn(4, 8) * 0.02
    ```

    ## Use instead
    ```python
    nn.init.normal_(self.fc.weight, std=0.02)
    ```

    ## Known problems
    None known.

    ## References
    - [Parameter](https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html)
    """

    code = "INI313"
    name = "tensor-assigned-to-parameter"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = AssignedTensor
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.register_parameter("weight", torch.rand(n))
                    start = nn.init.ones_(torch.empty(n))
                    self.register_parameter("gain", torch.ones(n) * 0.5)
            """,
            count=2,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 4)
                    self.fc.weight = torch.randn(4, 8) * 0.02
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def init(m):
                if isinstance(m, nn.Linear):
                    m.bias = torch.zeros(m.out_features)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            layer = nn.Linear(4, 4)
            setattr(layer, "weight", torch.eye(4))
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n, start):
                    super().__init__()
                    self.register_parameter("weight", nn.Parameter(torch.rand(n)))
                    self.register_parameter("bias", None)
                    self.register_parameter("start", start)
                    self.register_buffer("mean", torch.zeros(n))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 4)
                    self.other = nn.Linear(8, 4)
                    self.fc.weight = nn.Parameter(torch.randn(4, 8) * 0.02)
                    self.fc.weight.data = torch.randn(4, 8)
                    self.other.weight = self.fc.weight
                    self.other.bias = None
                    self.fc.weight = nn.init.xavier_uniform_(self.fc.weight)
            """,
        ),
    )

    def check(self, subject: AssignedTensor) -> Iterator[Finding]:
        if subject.registers:
            yield self.finding(
                subject.place,
                f"`{subject.value}` is a tensor, and `register_parameter` takes a parameter: the call raises; wrap it in "
                "`nn.Parameter`",
                evidence=[Evidence(Observer.ANALYZER, f"`{subject.target}` would be no parameter")],
            )
            return
        yield self.finding(
            subject.place,
            f"`{subject.value}` is a tensor, but `{subject.target}` is a registered parameter: the assignment raises; write to it in "
            f"place, for example with `nn.init`, or wrap the tensor in `nn.Parameter`",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.name}` is a parameter of a torch layer")],
        )
