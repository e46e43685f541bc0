"""INI227: initialization of an attribute that its class does not have."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import AbsentAttribute


class InitializationOfAbsentAttribute(Rule[AbsentAttribute]):
    """
    ## What it does
    Reports the initialization of `module.positions`, or a call of `self.reset_parametrs()`, where neither the class nor anything else in the
    project defines such an attribute.

    ## Why is this bad?
    The statement raises AttributeError: in a constructor at once, in an initializer behind a test of a type or an option for the first user
    who takes that branch. Usually a name was changed in one place and not in the other.

    ## Example
    ```python
    class Embeddings(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions = nn.Parameter(torch.zeros(1, 16, 64))

    def init_weights(m):
        if isinstance(m, Embeddings):
            nn.init.trunc_normal_(m.position_embeddings, std=0.02)
    ```

    ## Use instead
    ```python
    def init_weights(m):
        if isinstance(m, Embeddings):
            nn.init.trunc_normal_(m.positions, std=0.02)
    ```

    ## Known problems
    A class is judged if it has a forward, and if all its bases can be read. A name that anything in the project assigns, defines, passes as a
    keyword or has in a string is not reported, nor are classes that set attributes by computed names.

    ## References
    - [nn.Module](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html)
    """

    code = "INI227"
    name = "absent-attribute"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = AbsentAttribute
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Embeddings(nn.Module):
                def __init__(self, n, d):
                    super().__init__()
                    self.positions = nn.Parameter(torch.zeros(1, n, d))

                def forward(self, x):
                    return x + self.positions

            class Net(nn.Module):
                def __init__(self, n, d):
                    super().__init__()
                    self.emb = Embeddings(n, d)
                    self.head = nn.Linear(d, 10)
                    self.apply(self._init_weights)

                def forward(self, x):
                    return self.head(self.emb(x))

                def _init_weights(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.normal_(m.weight, std=0.02)
                    elif isinstance(m, Embeddings):
                        nn.init.trunc_normal_(m.position_embeddings, std=0.02)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.fc1 = nn.Linear(d, d)
                    self.weight = nn.Parameter(torch.ones(d))
                    nn.init.zeros_(self.fc_1.bias)
                    self.reset_parametrs()
                    self.reset_params()

                def reset_parameters(self):
                    nn.init.ones_(self.weight)

                def forward(self, x):
                    return self.fc1(x) * self.weight
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Base(nn.Module):
                def init_weights(self):
                    nn.init.zeros_(self.head.bias)

            class Net(Base):
                def __init__(self, d):
                    super().__init__()
                    self.head = nn.Linear(d, d)
                    for i in range(3):
                        setattr(self, f"gate{i}", nn.Linear(d, d))
                    nn.init.zeros_(self.gate0.bias)
                    if hasattr(self, "scale"):
                        nn.init.ones_(self.scale)
                    self.init_weights()

                def forward(self, x):
                    return self.head(x)

            class Later(nn.Module):
                def reset(self):
                    nn.init.zeros_(self.out.bias)

                def forward(self, x):
                    return self.out(x)

            def build(d):
                net = Later()
                net.out = nn.Linear(d, d)
                net.reset()
                return net
            """,
        ),
    )

    def check(self, subject: AbsentAttribute) -> Iterator[Finding]:
        meant = "".join(f"; did you mean `{each}`?" for each in subject.close)
        yield self.finding(
            subject.place,
            f"`{subject.model}` has no `{subject.attribute}`, and nothing gives it one: `{subject.target}` raises AttributeError{meant}",
            evidence=[Evidence(Observer.ANALYZER, f"no code of the project defines `{subject.attribute}`")],
            model=subject.model,
            parameter=subject.attribute,
            group=str(subject.function),
        )
