"""INI307: a parameter that is modified in place while autograd records, which raises."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Guard, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import LeafWrite


class LeafModifiedInPlace(Rule[LeafWrite]):
    """
    ## What it does
    Reports `self.weight.normal_()`, `self.weight[0] = 0` and `self.weight.view(-1).copy_(x)` on a parameter outside
    `torch.no_grad()`, in a constructor, a method that it calls, or top-level code.

    ## Why is this bad?
    A parameter is a leaf tensor that requires a gradient. Autograd does not allow such a tensor to be modified in place, and
    raises RuntimeError when the line runs.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.empty(3, 4))
    self.weight.normal_(0.0, 0.02)
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.empty(3, 4))
    nn.init.normal_(self.weight, 0.0, 0.02)
    ```

    ## Known problems
    Such code does not run, so releases do not contain it: in about 30 of them nothing was reported. A class is not judged if
    anything in it mentions gradients.

    ## References
    - [torch.no_grad](https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html)
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI307"
    name = "leaf-modified-in-place"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = LeafWrite
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.rnn = nn.LSTM(n, n)
                    _, forget, _, _ = self.rnn.bias_ih_l0.chunk(4)
                    forget.fill_(1.0)
                    for gate in self.rnn.bias_hh_l0.split(n):
                        gate.zero_()
            """,
            count=2,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    self.weight.normal_(0.0, 0.02)
                    self.weight[0] = 0
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            layer = nn.Linear(3, 4)
            layer.weight.view(-1).fill_(0.5)
            """,
        ),
        Example(
            source="""
            from torch import nn

            layer = nn.Linear(3, 4)
            layer.weight *= 0.5
            for p in layer.parameters():
                p -= 0.1
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.rnn = nn.LSTM(n, n)
                    _, forget, _, _ = self.rnn.bias_ih_l0.data.chunk(4)
                    forget.fill_(1.0)
                    for gate in self.rnn.weight_hh_l0.chunk(4):
                        nn.init.orthogonal_(gate)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    self.weight.data.normal_(0.0, 0.02)
                    self.weight.detach()[0] = 0
                    nn.init.constant_(self.weight[1], 1.0)
                    self.mask = torch.zeros(3)
                    self.mask[0] = 1

                def reset(self):
                    self.weight.zero_()
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    self.reset_parameters()

                @torch.no_grad()
                def reset_parameters(self):
                    self.weight.normal_(0.0, 0.02)
            """,
        ),
    )

    def check(self, subject: LeafWrite) -> Iterator[Finding]:
        what = "a view of a parameter" if subject.view else "a parameter"
        yield self.finding(
            subject.place,
            f"`{subject.source}` modifies {what} in place while autograd records, which raises RuntimeError; "
            "use `nn.init` or `with torch.no_grad():`",
            evidence=[Evidence(Observer.ANALYZER, "nothing around it turns autograd off")],
            model=subject.model,
            parameter=subject.parameter,
            fix=Fix(
                Applicability.UNSAFE,
                "Wrap it in `with torch.no_grad():`",
                remedies=(Guard(place=subject.place, header="with torch.no_grad():"),),
            ),
        )
