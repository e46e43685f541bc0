"""INI218: an initializer that is called where it should be handed to `apply`."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import CalledInitializer


class CalledInsteadOfPassed(Rule[CalledInitializer]):
    """
    ## What it does
    Reports `net.apply(init_weights())` and `self.apply(self._init(self))`, where the function returns nothing.

    ## Why is this bad?
    The function runs once, before `apply`, and `apply` is given None. It raises TypeError as soon as the line is reached, and no module
    is initialized by it.

    ## Example
    ```python
    net.apply(init_weights())
    ```

    ## Use instead
    ```python
    net.apply(init_weights)
    ```

    ## Known problems
    A function that returns a function is not reported, nor one whose source cannot be read.

    ## References
    - [Module.apply](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.apply)
    """

    code = "INI218"
    name = "called-instead-of-passed"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = CalledInitializer
    invalid = (
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.kaiming_normal_(m.weight)

            net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            net.apply(init_weights())
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    self.apply(self._init(self))

                def _init(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.zeros_(m.bias)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from functools import partial
            from torch import nn

            def init_weights(m, std=0.02):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=std)

            def scheme(std):
                def init(m):
                    init_weights(m, std)
                return init

            net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            net.apply(init_weights)
            net.apply(scheme(0.02))
            net.apply(partial(init_weights, std=0.1))
            net.apply(lambda m: init_weights(m, 0.1))
            """,
        ),
    )

    def check(self, subject: CalledInitializer) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.call}` runs the initializer at once, and `apply` is given None, which raises; write `apply({subject.fixed})`",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.fixed}` returns nothing")],
        )
