"""INI303: an initializer that asks for the exact type of a module."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.module_tests import ExactTypeTest


class ExactType(Rule[ExactTypeTest]):
    """
    ## What it does
    Reports `type(m) == nn.Linear`, and `type(m) in (...)`, where a module is initialized if it is of that type.

    ## Why is this bad?
    Subclasses are left out: quantized, low-rank and user-defined layers derive from `nn.Linear`, and a lazy layer changes its
    type at its first forward, so that `type(m) == nn.LazyLinear` is no longer true of it.

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
    To leave out subclasses may be what is meant, which is why the rule is off by default and its fix unsafe. Found once in
    about 30 released projects, so its precision is not known well.

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
            evidence=[Evidence(Observer.ANALYZER, "what is initialized depends on the exact type of a module")],
            fix=Fix(
                Applicability.UNSAFE,
                f"Replace by `{subject.mended}`",
                remedies=(Replace(place=subject.place, new=subject.mended),),
            ),
        )
