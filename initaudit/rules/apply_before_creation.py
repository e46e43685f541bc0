"""INI209: an initializer that runs before all layers of the model exist."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Postpone, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.order import EarlyWalk


class ApplyBeforeCreation(Rule[EarlyWalk]):
    """
    ## What it does
    Reports `self.apply(init)`, or a loop over `self.modules()`, in a constructor that later adds layers of a kind that the
    initializer handles, and does not initialize them.

    ## Why is this bad?
    `apply` reaches only the modules that exist when it is called. Layers that the constructor adds afterwards keep torch's
    default initialization.

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
    If the constructor of a base class runs the initializer, only the probe reports it, as a note: a subclass may leave its own
    layers at torch's default on purpose. It is a note, too, where other layers that are made behind the initializer are
    initialized by hand, or initialize themselves: the order may be meant. Only torch's own layers are judged. In 80 released projects the rule reports nothing.

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
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n=4):
                    super().__init__()
                    self.body = nn.Conv1d(n, n, 3)
                    for m in self.modules():
                        if isinstance(m, nn.Conv1d):
                            nn.init.kaiming_normal_(m.weight)
                        elif isinstance(m, nn.BatchNorm1d):
                            nn.init.constant_(m.weight, 1)
                            nn.init.constant_(m.bias, 0)
                    self.norm = nn.BatchNorm1d(n)
                    self.head = nn.Linear(n, 1)
            """,
            target="Net",
        ),
    )

    def check(self, subject: EarlyWalk) -> Iterator[Finding]:
        names = " and ".join(f"`{name}`" for name in subject.missed)
        complete = f"{names} {'are' if len(subject.missed) > 1 else 'is'} complete"
        leaves = "initializes" if subject.observer is Observer.ANALYZER else "initialized"
        yield self.finding(
            subject.place,
            f"`{subject.source}` runs before {complete}: what is added later keeps torch's default initialization",
            evidence=[
                Evidence(subject.observer, f"the initializer handles layers of this kind, and nothing {leaves} these")
            ],
            severity=Severity.NOTE if subject.in_base or subject.chosen else None,
            model=subject.model,
            affects=subject.missed,
            fix=None if subject.in_base else self.postponed(subject),
        )

    @staticmethod
    def postponed(subject: EarlyWalk) -> Fix:
        """Return the fix that runs the statement when all submodules exist."""
        remedy = Postpone(place=subject.place)
        return Fix(Applicability.UNSAFE, f"Move `{subject.source}` to the end of the constructor", remedies=(remedy,))
