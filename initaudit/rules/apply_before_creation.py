"""INI209: an initializer goes over the model before all of it is there."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Postpone, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.order import EarlyWalk


class ApplyBeforeCreation(Rule[EarlyWalk]):
    """
    ## What it does
    Reports `self.apply(init)`, or a loop over `self.modules()`, in a constructor that then adds layers of a kind which the
    initializer is meant for, and does not initialize them.

    ## Why is this bad?
    `apply` comes to the modules that exist when it is called. Whatever the constructor adds afterwards keeps torch's default.

    ## Example
    ```python
    def __init__(self, n):
        super().__init__()
        self.body = nn.Linear(n, n)
        self.apply(self.init_weights)
        self.head = nn.Linear(n, 1)
    ```

    ## Use instead
    ```python
    def __init__(self, n):
        super().__init__()
        self.body = nn.Linear(n, n)
        self.head = nn.Linear(n, 1)
        self.apply(self.init_weights)
    ```

    ## Known problems
    What the constructor of a base class initializes is the probe's to tell, as a note: that a subclass leaves its own layers
    at torch's default may be meant. Only torch's own layers are judged. In 80 released projects the rule reports nothing.

    ## References
    - [torch.nn.Module.apply](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.apply)
    """

    code = "INI209"
    name = "apply-before-creation"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = EarlyWalk
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n=4):
                    super().__init__()
                    self.body = nn.Linear(n, n)
                    self.apply(self.init_weights)
                    self.head = nn.Linear(n, 1)

                def init_weights(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.normal_(m.weight, std=0.02)
            """,
            target="Net",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n=4):
                    super().__init__()
                    self.body = nn.Linear(n, n)
                    self.apply(self.init_weights)
                    self.head = nn.Linear(n, 1)
                    nn.init.zeros_(self.head.weight)
                    self.norm = nn.LayerNorm(n)

                def init_weights(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.normal_(m.weight, std=0.02)
            """,
            target="Net",
        ),
    )

    def check(self, subject: EarlyWalk) -> Iterator[Finding]:
        names = " and ".join(f"`{name}`" for name in subject.missed)
        kept = "keep" if len(subject.missed) > 1 else "keeps"
        seen = "reads" if subject.observer is Observer.ANALYZER else "was seen"
        yield self.finding(
            subject.place,
            f"`{subject.source}` initializes the modules that exist by then: {names}, added later, {kept} torch's default",
            evidence=[Evidence(subject.observer, f"{seen} to be of a kind that it initializes, and to be left alone")],
            severity=Severity.NOTE if subject.in_base else None,
            model=subject.model,
            affects=subject.missed,
            fix=None if subject.in_base else self.postponed(subject),
        )

    @staticmethod
    def postponed(subject: EarlyWalk) -> Fix:
        """The same statement once all submodules exist."""
        remedy = Postpone(place=subject.place)
        return Fix(Applicability.UNSAFE, f"Move `{subject.source}` to the end of the constructor", remedies=(remedy,))
