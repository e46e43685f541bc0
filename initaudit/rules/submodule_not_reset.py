"""INI211: a reset that handles one submodule twice, and its sibling not at all."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.order import RepeatedReset


class SubmoduleNotReset(Rule[RepeatedReset]):
    """
    ## What it does
    Reports a statement of an initialization method that repeats, word for word, what the method already did to a submodule, if
    a sibling that is created by the same calls is left out.

    ## Why is this bad?
    The line was copied and the name was not changed: one submodule is initialized twice, the other not at all.

    ## Example
    ```python
    def reset_parameters(self):
        for layer in self.layers_before_skip:
            layer.reset_parameters()
        for layer in self.layers_before_skip:
            layer.reset_parameters()
    ```

    ## Use instead
    ```python
    def reset_parameters(self):
        for layer in self.layers_before_skip:
            layer.reset_parameters()
        for layer in self.layers_after_skip:
            layer.reset_parameters()
    ```

    ## Known problems
    The rule is in preview. Rare in released code; its precision is not well measured. A method is not judged if it calls other
    methods of the object, or goes over all of its modules.

    ## References
    - [The report in torch_geometric](https://github.com/pyg-team/pytorch_geometric/issues/6561)
    """

    code = "INI211"
    name = "submodule-not-reset"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    default = Default.PREVIEW
    observers = ANALYZER
    subject = RepeatedReset
    invalid = (
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.before = nn.ModuleList([nn.Linear(n, n) for _ in range(2)])
                    self.lin = nn.Linear(n, n)
                    self.after = nn.ModuleList([nn.Linear(n, n) for _ in range(2)])
                    self.reset_parameters()

                def reset_parameters(self):
                    for layer in self.before:
                        layer.reset_parameters()
                    nn.init.orthogonal_(self.lin.weight)
                    for layer in self.before:
                        layer.reset_parameters()
            """
        ),
        Example(
            source="""
            from torch import nn

            class Attention(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.q = nn.Linear(n, n)
                    self.k = nn.Linear(n, n)

                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.q.weight)
                    nn.init.xavier_uniform_(self.k.weight)
                    nn.init.zeros_(self.q.bias)
                    nn.init.zeros_(self.q.bias)
            """
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.before = nn.ModuleList([nn.Linear(n, n) for _ in range(2)])
                    self.after = nn.ModuleList([nn.Linear(n, n) for _ in range(2)])

                def reset_parameters(self):
                    for layer in self.before:
                        layer.reset_parameters()
                    for lin in self.after:
                        lin.reset_parameters()
                    nn.init.zeros_(self.before[0].bias)
                    nn.init.zeros_(self.after[0].bias)
            """
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.lin = nn.Linear(n, n)
                    self.norm = nn.LayerNorm(n)

                def reset_parameters(self):
                    self.lin.reset_parameters()
                    self.lin.reset_parameters()
            """
        ),
    )

    def check(self, subject: RepeatedReset) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.method}` does the same to `self.{subject.repeated}` twice, and never to `self.{subject.missed}`",
            evidence=[
                Evidence(
                    Observer.ANALYZER, f"`{subject.repeated}` and `{subject.missed}` are created by the same calls"
                )
            ],
            model=subject.model,
            parameter=subject.missed,
        )
