"""INI230: a constructor under another name, which nothing calls."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import MisspeltConstructor


class ConstructorMisspelt(Rule[MisspeltConstructor]):
    """
    ## What it does
    Reports a method of a module that is written as its constructor and is called `__int__`, `_init_`, `__init` or the like.

    ## Why is this bad?
    Python calls only `__init__`. An object of the class has none of the layers and parameters that the method makes, and nothing
    initializes them: `Net(8)` raises TypeError, and where there are no arguments, the forward raises AttributeError.

    ## Example
    ```python
    class Net(nn.Module):
        def __int__(self, d):
            super().__init__()
            self.fc = nn.Linear(d, d)
    ```

    ## Use instead
    ```python
    class Net(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.fc = nn.Linear(d, d)
    ```

    ## Known problems
    A class that has a constructor too is not judged, nor is a method that the project calls by its name.

    ## References
    - [The data model of Python](https://docs.python.org/3/reference/datamodel.html#object.__init__)
    """

    code = "INI230"
    name = "misspelt-constructor"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    prevents_building = True
    observers = ANALYZER
    subject = MisspeltConstructor
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __int__(self, d):
                    super(Net, self).__int__()
                    self.fc = nn.Linear(d, d)

                def forward(self, x):
                    return self.fc(x)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def _init_(self, d):
                    nn.Module.__init__(self)
                    self.scale = nn.Parameter(torch.ones(d))

                def forward(self, x):
                    return x * self.scale
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self._init_(d)

                def _init_(self, d):
                    self.fc = nn.Linear(d, d)

            class Level(nn.Module):
                def __int__(self):
                    return self.level

            class Prepared(nn.Module):
                def _init_(self, d):
                    self.fc = nn.Linear(d, d)

            def prepared(d):
                net = Prepared()
                net._init_(d)
                return net
            """,
        ),
    )

    def check(self, subject: MisspeltConstructor) -> Iterator[Finding]:
        missing = ", ".join(f"`{each}`" for each in subject.made[:3]) + (" and more" if len(subject.made) > 3 else "")
        yield self.finding(
            subject.place,
            f"`{subject.name}` is no constructor, and nothing calls it"
            + (f": a `{subject.model}` has no {missing}" if missing else "")
            + "; call it `__init__`",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.model}` has no `__init__`")],
        )
