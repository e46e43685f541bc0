"""INI204: a name of a parameter that is rebound to a new tensor, so that the parameter does not change."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, CopyInto, Evidence, Finding, Fix, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import ReboundName


class ReboundLoopVariable(Rule[ReboundName]):
    """
    ## What it does
    Reports `p = torch.randn_like(p)` and `p = p * 0.01` in a loop over parameters, and `w = torch.randn(w.shape)` where `w` was
    `m.weight.data`: the name is rebound to a new tensor, which is then discarded.

    ## Why is this bad?
    An assignment to a name changes what the name refers to, not the model. The parameters do not change.

    ## Example
    ```python
    for p in model.parameters():
        p = torch.randn_like(p) * 0.02
    ```

    ## Use instead
    ```python
    for p in model.parameters():
        nn.init.normal_(p, std=0.02)
    ```

    ## Known problems
    None: a tensor that the code uses afterwards is not reported.
    Rare in released code; its precision is not well measured.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI204"
    name = "rebound-loop-variable"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ReboundName
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Cell(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.w_r = nn.Parameter(torch.eye(n))
                    self.w_z = nn.Parameter(torch.eye(n))
                    for w in (self.w_r, self.w_z):
                        w = nn.Parameter(torch.empty_like(w).uniform_(-0.1, 0.1))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            net = nn.Linear(3, 4)
            for p in net.parameters():
                p = torch.randn_like(p)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def init_weights(net: nn.Module):
                for name, p in net.named_parameters():
                    if "weight" in name:
                        p = torch.randn(p.shape) * 0.02
                    else:
                        p.data = torch.zeros(p.shape)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def reset(m):
                if isinstance(m, nn.Linear):
                    w = m.weight.data
                    w = torch.randn(w.shape) * 0.02

            net = nn.Linear(4, 4)
            net.apply(reset)
            for p in net.parameters():
                p = p * 0.01
            for key, value in net.state_dict().items():
                value = torch.zeros_like(value)
            """,
            count=3,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            net = nn.Linear(3, 4)
            for p in net.parameters():
                p.data = torch.randn_like(p)
            for p in net.parameters():
                p = p.data
                p.normal_(0, 0.02)
            for p in net.parameters():
                p = torch.zeros_like(p)
                print(p)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            net = nn.Linear(3, 4)
            noise = []
            for p in net.parameters():
                p = torch.randn_like(p)
                noise.append(p)
            """,
        ),
    )

    def check(self, subject: ReboundName) -> Iterator[Finding]:
        name, origin = f"`{subject.name}`", f"`{subject.stood_for}`"
        what = f"the loop variable {name} of {origin}" if subject.in_loop else f"{name}, which was {origin},"
        yield self.finding(
            subject.place,
            f"{what} is rebound to a new tensor, and the parameter does not change; write to it in place, for example "
            "with `nn.init`",
            evidence=[Evidence(Observer.ANALYZER, f"nothing reads `{subject.name}` after the assignment")],
            fix=Fix(
                Applicability.UNSAFE,
                f"Copy the values into `{subject.name}`",
                remedies=(CopyInto(place=subject.place),),
            ),
        )
