"""INI216: a parameter registered under a second name."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import RegisteredTwice


class RegisteredTwiceRule(Rule[RegisteredTwice]):
    """
    ## What it does
    Reports `self.register_parameter("bias", self.weight)`: a parameter of the class that is also registered under another name.

    ## Why is this bad?
    Both names refer to one tensor. Initializing one overwrites the other, and the parameter that was meant does not exist.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.ones(n))
    self.register_parameter("bias", self.weight)
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.ones(n))
    self.bias = nn.Parameter(torch.zeros(n))
    ```

    ## Known problems
    The second name may be there on purpose, for example for old checkpoints. It is a note if the class has a forward and
    nothing in its file reads that name.

    ## References
    - [Module.register_parameter](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_parameter)
    """

    code = "INI216"
    name = "registered-twice"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = RegisteredTwice
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Affine(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.ones(n))
                    self.register_parameter("bias", self.weight)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Affine(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.ones(n))
                    self.register_parameter("weight", self.weight)
                    self.register_parameter("bias", None)
                    self.register_parameter("shift", nn.Parameter(torch.zeros(n)))
            """,
        ),
    )

    def check(self, subject: RegisteredTwice) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.name}` is the parameter `{subject.other}` under another name: initializing one overwrites the other",
            severity=Severity.NOTE if subject.unread else None,
            model=subject.model,
            parameter=subject.name,
            evidence=[Evidence(Observer.ANALYZER, f"the class registers `{subject.other}` itself")],
        )
