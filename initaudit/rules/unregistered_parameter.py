"""INI221: a tensor computed from a new parameter takes its place."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import MovedParameter


class UnregisteredParameter(Rule[MovedParameter]):
    """
    ## What it does
    Reports `self.w = nn.Parameter(values).to(device)` in the constructor of a module, or later if the constructor sets
    `self.w` to None, and other operations on a new parameter whose result takes its place. Also reports
    `w = torch.zeros(3, requires_grad=True).to(device)` if an optimizer is given `w` or its gradient is read.

    ## Why is this bad?
    The result of an operation on a parameter is a plain tensor. The module does not register it: no optimizer trains it,
    `state_dict` does not contain it, and `model.to(device)` does not move it. The values stay as they were initialized.
    An optimizer that is given such a tensor raises ValueError, and its `grad` stays None. `.to(device)` and `.cuda()`
    return the parameter itself if there is nothing to change, so that the code works on a CPU and fails on a GPU.

    ## Example
    ```python
    self.scale = nn.Parameter(torch.ones(8)).to(device)
    ```

    ## Use instead
    ```python
    self.scale = nn.Parameter(torch.ones(8, device=device))
    ```

    ## Known problems
    A device that is chosen at run time counts as another one than the CPU, unless the values are on a device already; it is a
    note where the values are made from what the constructor is given, which may be there. The rule is
    right in the 17 modules that a search of public code for such lines shows, and in the four lines that it reports in 132
    repositories of users.

    ## References
    - [pytorch#9303: `.to()` of a parameter returns a tensor](https://github.com/pytorch/pytorch/issues/9303)
    - [pytorch#17484: a parameter is not registered after `.to(device)`](https://github.com/pytorch/pytorch/issues/17484)
    """

    code = "INI221"
    name = "unregistered-parameter"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = MovedParameter
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n, device):
                    super().__init__()
                    self.scale = nn.Parameter(torch.ones(n)).to(device)

                def forward(self, x):
                    return x * self.scale
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Query(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.build(d)

                def build(self, d):
                    self.query = 0.02 * nn.Parameter(torch.randn(d))

                def forward(self, x):
                    return x @ self.query
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Shift(nn.Module):
                def __init__(self, n, device, bias=True):
                    super().__init__()
                    self.bias = nn.Parameter(torch.zeros(n)).to(device) if bias else None

                def forward(self, x):
                    return x if self.bias is None else x + self.bias
            """,
        ),
        Example(
            source="""
            import torch

            noise = torch.zeros(3, 32, 32, requires_grad=True).cuda()
            optimizer = torch.optim.Adam([noise], lr=0.01)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import optim
            from torch.autograd import Variable

            w = torch.randn(3, requires_grad=True) * 0.1
            b = torch.zeros(1, requires_grad=True)

            def step(loss):
                loss.backward()
                for p in (w, b):
                    p.data -= 0.1 * p.grad

            def run(n, device):
                factors = [torch.ones(2, requires_grad=True).to(device) for _ in range(n)]
                image = Variable(torch.randn(3, 8, 8), requires_grad=True)
                if device != "cpu":
                    image = image.cuda()
                return optim.Adam(factors), optim.Adam([image])
            """,
            count=3,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import optim

            def run(device, n):
                codes = [torch.randn(4, device=device, requires_grad=True) for _ in range(n)]
                shifted = [torch.zeros(2, requires_grad=True) + 1 for _ in codes]
                alpha = torch.zeros(n, requires_grad=True)
                optimizer = optim.SGD([*codes, alpha], lr=0.1)
                beta = alpha * 2
                beta = beta.to(device)
                (beta.sum() + shifted[0].sum()).backward()
                optimizer.step()

            w = torch.randn(3, requires_grad=True)
            scaled = w * 0.1
            for p in (w,):
                p.data -= 0.1 * p.grad
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            device = torch.device("cpu")

            class Scale(nn.Module):
                def __init__(self, n, device):
                    super().__init__()
                    self.scale = nn.Parameter(torch.ones(n).to(device))
                    self.shift = nn.Parameter(torch.zeros(n)).to(torch.float32)
                    self.constant = nn.Parameter(torch.ones(n), requires_grad=False).to(device)
                    self.start = nn.Parameter(torch.zeros(n)).data.to(device)

                def forward(self, x):
                    return x * self.scale.to(x.device) + self.shift

            class Plain(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.scale = nn.Parameter(torch.ones(n)).to(device)

            noise = torch.zeros(3, 32, 32).to(device).requires_grad_()
            optimizer = torch.optim.Adam([noise], lr=0.01)
            """,
        ),
    )

    def check(self, subject: MovedParameter) -> Iterator[Finding]:
        when = f", since {subject.how} makes a new tensor"
        if not subject.certain:
            when = f" wherever {subject.how} makes a copy" + ("" if "dtype" in subject.how else ", as on a GPU")
        what, last = "gets a plain tensor instead of a parameter", "make the parameter"
        if subject.registers:
            follows = "`register_parameter` refuses it"
        elif subject.trained is not None:
            what, last = "is not a leaf", "ask for the gradient"
            follows = "an optimizer refuses it, and its gradient stays None"
        else:
            follows = "the module does not register it, and no optimizer trains it"
        first = (
            f"apply {subject.how} to the values first" if subject.how.startswith("`.") else "compute the values first"
        )
        yield self.finding(
            subject.place,
            f"`{subject.target}` {what}{when}: {follows}; {first}, then {last}",
            severity=None if subject.certain else Severity.NOTE if subject.placed else Severity.WARNING,
            evidence=[Evidence(Observer.ANALYZER, f"the parameter is `{subject.made}`")],
            model=subject.model,
        )
