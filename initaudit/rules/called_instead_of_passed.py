"""INI218: an initializer that is called instead of being passed to `apply`."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import CalledInitializer


class CalledInsteadOfPassed(Rule[CalledInitializer]):
    """
    ## What it does
    Reports `net.apply(init_weights())` and `self.apply(self._init(self))`, if the function returns nothing.

    ## Why is this bad?
    The function runs once, before `apply`, and `apply` receives None. It raises TypeError when the line runs, and initializes
    no module.

    ## Example
    ```python
    net.apply(init_weights())
    ```

    ## Use instead
    ```python
    net.apply(init_weights)
    ```

    ## Known problems
    A function is not reported if it returns a function, or if its source cannot be read.

    ## References
    - [Module.apply](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.apply)
    """

    code = "INI218"
    name = "called-instead-of-passed"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = CalledInitializer
    supersedes = ("INI206",)
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
            f"`{subject.call}` calls the initializer at once, and `apply` receives None, which raises; write `apply({subject.fixed})`",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.fixed}` returns nothing")],
        )
