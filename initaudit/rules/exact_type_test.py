"""INI303: an initializer that tests the exact type of a module."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.module_tests import ExactTypeTest


class ExactType(Rule[ExactTypeTest]):
    """
    ## What it does
    Reports `type(m) == nn.Linear` and `type(m) in (...)`, if the test decides whether a module is initialized.

    ## Why is this bad?
    Subclasses are left out: quantized, low-rank and user-defined layers derive from `nn.Linear`. A lazy layer changes its
    type in its first forward pass, after which `type(m) == nn.LazyLinear` is false.

    ## Example
    ```python
    def init_weights(m):
        if type(m) == nn.Linear:
            nn.init.xavier_uniform_(m.weight)
    ```

    ## Use instead
    ```python
    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
    ```

    ## Known problems
    Leaving out subclasses may be intended, so the rule is off by default and its fix is unsafe. It reported one test in
    about 30 released projects, so its precision is not well measured.

    ## References
    - [isinstance](https://docs.python.org/3/library/functions.html#isinstance)
    - [d2l-en#2225: type(module) == nn.LazyLinear is false after the first forward](https://github.com/d2l-ai/d2l-en/pull/2225)
    """

    code = "INI303"
    name = "exact-type-test"
    category = Category.STYLE
    severity = Severity.WARNING
    default = Default.OFF
    observers = ANALYZER
    subject = ExactTypeTest
    invalid = (
        Example(
            source="""
            from torch import nn

            def init_weights(m):
                if type(m) == nn.Linear:
                    nn.init.xavier_uniform_(m.weight)
                elif type(m) in (nn.Conv1d, nn.Conv2d):
                    m.weight.data.normal_(0.0, 0.02)
            """,
            fixed="""
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)
                elif isinstance(m, (nn.Conv1d, nn.Conv2d)):
                    m.weight.data.normal_(0.0, 0.02)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            def count(model: nn.Module):
                return sum(1 for m in model.modules() if type(m) == nn.Linear)

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)
                if type(m) == nn.ReLU:
                    m.inplace = True
            """,
        ),
    )

    def check(self, subject: ExactTypeTest) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.source}` leaves out subclasses; write `{subject.mended}`",
            evidence=[Evidence(Observer.ANALYZER, "the exact type of a module decides whether it is initialized")],
            fix=Fix(
                Applicability.UNSAFE,
                f"Replace with `{subject.mended}`",
                remedies=(Replace(place=subject.place, new=subject.mended),),
            ),
        )
