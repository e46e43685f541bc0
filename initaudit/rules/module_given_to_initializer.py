"""INI311: a module passed to a function of `nn.init`."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import ModuleGiven


class ModuleGivenToInitializer(Rule[ModuleGiven]):
    """
    ## What it does
    Reports `nn.init.xavier_uniform_(m)` where `m` is known to be a module, or a pair of a name and a parameter from
    `named_parameters()`.

    ## Why is this bad?
    The functions of `nn.init` write to a tensor. A module has no elements, so the call raises AttributeError or TypeError.

    ## Example
    ```python
    nn.init.xavier_uniform_(self.fc)
    ```

    ## Use instead
    ```python
    nn.init.xavier_uniform_(self.fc.weight)
    ```

    ## Known problems
    In a function of a script that nothing in its file uses, and that no other file imports, it is a note.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI311"
    name = "module-given-to-initializer"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ModuleGiven
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    nn.init.xavier_uniform_(self.fc)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.constant_(m, 0.2)
            """,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
            for p in net.named_parameters():
                nn.init.normal_(p, std=0.1)
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
                    self.fc = nn.Linear(4, 4)
                    self.table = nn.Parameter(torch.empty(4, 4))
                    nn.init.xavier_uniform_(self.fc.weight)
                    nn.init.xavier_uniform_(self.table)

                    for p in self.named_parameters():
                        nn.init.normal_(p[1], std=0.1)
            """,
        ),
    )

    def check(self, subject: ModuleGiven) -> Iterator[Finding]:
        what = "a pair of a name and a value" if subject.pair else "a module"
        instead = f"pass `{subject.target}[1]`, or unpack it" if subject.pair else f"pass `{subject.target}.weight`"
        unused = f" if anything calls `{subject.uncalled}`" if subject.uncalled else ""
        yield self.finding(
            subject.place,
            f"`{subject.target}` is {what}, but `nn.init.{subject.initializer}` takes a tensor: this raises{unused}; {instead}",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.target}` is {what}")],
            severity=Severity.NOTE if subject.uncalled else None,
        )
