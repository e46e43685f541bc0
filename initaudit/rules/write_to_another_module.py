"""INI219: a function for `apply` that writes to another module than the one it is given."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import ForeignWrite


class WriteToAnotherModule(Rule[ForeignWrite]):
    """
    ## What it does
    Reports a function given to `apply` that initializes a module by its name, such as `net[0]`, and never the module it is called with.

    ## Why is this bad?
    `apply` calls the function with every module. Each call writes the same layer again, and the others keep what their constructors drew.

    ## Example
    ```python
    def init(m):
        if type(m) == nn.Linear:
            nn.init.normal_(net[0].weight, std=0.01)

    net.apply(init)
    ```

    ## Use instead
    ```python
    def init(m):
        if type(m) == nn.Linear:
            nn.init.normal_(m.weight, std=0.01)

    net.apply(init)
    ```

    ## Known problems
    A function that also uses its argument is not reported.

    ## References
    - [nn.Module.apply](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.apply)
    - A tutorial that did so: [d2l-en#1079](https://github.com/d2l-ai/d2l-en/pull/1079)
    """

    code = "INI219"
    name = "write-to-another-module"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ForeignWrite
    invalid = (
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(net[0].weight, std=0.01)
                    nn.init.zeros_(net[0].bias)

            net.apply(init)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=0.01)
                    nn.init.zeros_(net[0].bias)

            net.apply(init)
            """,
        ),
    )

    def check(self, subject: ForeignWrite) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.function}` is given each module as `{subject.element}` and writes `{subject.target}` every time: the other "
            f"modules keep what they hold; write to `{subject.element}`",
            evidence=[Evidence(Observer.ANALYZER, f"`apply` calls `{subject.function}` with every module")],
        )
