"""INI308: a deprecated initializer, without the trailing underscore."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.calls import DeprecatedCall


class DeprecatedInitializer(Rule[DeprecatedCall]):
    """
    ## What it does
    Reports `nn.init.xavier_normal` and the other initializers of `torch.nn.init` without a trailing underscore.

    ## Why is this bad?
    They are deprecated, warn at every call, and do not show by their names that they write in place.

    ## Example
    ```python
    nn.init.xavier_normal(self.fc.weight)
    ```

    ## Use instead
    ```python
    nn.init.xavier_normal_(self.fc.weight)
    ```

    ## Known problems
    There is no fix if the function itself was imported (`from torch.nn.init import xavier_normal`), here or in the module
    that the name comes from.
    Rare in released code; its precision is not well measured.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI308"
    name = "deprecated-initializer"
    category = Category.STYLE
    severity = Severity.NOTE
    observers = ANALYZER
    subject = DeprecatedCall
    invalid = (
        Example(
            source="""
            from torch import nn

            fc = nn.Linear(3, 4)
            nn.init.xavier_normal(fc.weight)
            nn.init.constant(fc.bias, 0.1)
            """,
            fixed="""
            from torch import nn

            fc = nn.Linear(3, 4)
            nn.init.xavier_normal_(fc.weight)
            nn.init.constant_(fc.bias, 0.1)
            """,
            count=2,
        ),
        Example(
            source="""
            import torch.nn.init as weights
            from torch import nn

            fc = nn.Linear(3, 4)
            weights.kaiming_uniform(fc.weight)
            """,
            fixed="""
            import torch.nn.init as weights
            from torch import nn

            fc = nn.Linear(3, 4)
            weights.kaiming_uniform_(fc.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn.init import xavier_normal

            fc = nn.Linear(3, 4)
            xavier_normal(fc.weight)
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            fc = nn.Linear(3, 4)
            nn.init.xavier_normal_(fc.weight)
            """,
        ),
        Example(
            source="""
            import jax.nn.initializers as init

            draw = init.normal(0.02)
            """,
        ),
        Example(
            source="""
            import numpy as np
            import torch

            noise = np.random.normal(0, 1)
            more = torch.normal(0.0, 1.0, (3,))
            flat = np.random.uniform(0, 1)
            """,
        ),
    )

    def check(self, subject: DeprecatedCall) -> Iterator[Finding]:
        old = subject.function.rpartition(".")[2]
        yield self.finding(
            subject.place,
            f"`nn.init.{old}` is deprecated; write `nn.init.{old}_`",
            evidence=[Evidence(Observer.ANALYZER, f"calls `{subject.function}`")],
            fix=self.underscored(subject, old),
            group=subject.within,
        )

    @staticmethod
    def underscored(subject: DeprecatedCall, old: str) -> Fix | None:
        """Return the fix that writes the current name; None if an import of the old name would have to change too."""
        if subject.name is None:
            return None
        return Fix(Applicability.SAFE, f"Replace with `{old}_`", remedies=(Replace(place=subject.name, new=f"{old}_"),))
