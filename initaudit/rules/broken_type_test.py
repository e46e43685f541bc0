"""INI302: a test of a module's type that does not test what it seems to."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.module_tests import TypeTest


class BrokenTypeTest(Rule[TypeTest]):
    """
    ## What it does
    Reports a test of a module's type that is always true, never true, tests only one of the types it names, or raises.

    ## Why is this bad?
    An initializer then reaches modules that it was not meant for, or none. `isinstance(m, nn.Linear) or nn.Conv2d` is
    always true, because a class counts as true; `isinstance(m, nn.Linear or nn.Conv2d)` tests only for `nn.Linear`, and
    `isinstance(m, nn.Linear and nn.Conv2d)` only for `nn.Conv2d`; `m == nn.Linear` compares an instance with a class, and
    is never true. `isinstance(m, "Linear")` raises TypeError.

    ## Example
    ```python
    for m in model.modules():
        if isinstance(m, nn.Linear) or nn.Conv2d:
            nn.init.kaiming_normal_(m.weight)
    ```

    ## Use instead
    ```python
    for m in model.modules():
        if isinstance(m, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(m.weight)
    ```

    ## Known problems
    The fix is unsafe: it changes which modules are initialized.
    Rare in released code; its precision is not well measured.

    ## References
    - [isinstance](https://docs.python.org/3/library/functions.html#isinstance)
    """

    code = "INI302"
    name = "broken-type-test"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = TypeTest
    invalid = (
        Example(
            source="""
            from torch import nn

            def init_weights(model: nn.Module):
                for m in model.modules():
                    if isinstance(m, nn.Linear) or nn.Conv2d:
                        nn.init.kaiming_normal_(m.weight)
            """,
            fixed="""
            from torch import nn

            def init_weights(model: nn.Module):
                for m in model.modules():
                    if isinstance(m, (nn.Linear, nn.Conv2d)):
                        nn.init.kaiming_normal_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(model: nn.Module):
                for m in model.modules():
                    if isinstance(m, nn.Linear or nn.Conv2d):
                        nn.init.kaiming_normal_(m.weight)
            """,
            fixed="""
            from torch import nn

            def init_weights(model: nn.Module):
                for m in model.modules():
                    if isinstance(m, (nn.Linear, nn.Conv2d)):
                        nn.init.kaiming_normal_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init(m):
                if m is nn.Linear:
                    nn.init.zeros_(m.bias)
                if m == nn.Conv2d:
                    nn.init.zeros_(m.bias)

            net = nn.Linear(3, 4)
            net.apply(init)
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.main = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.2))
                    for m in self.main:
                        if issubclass(m, nn.Conv2d):
                            nn.init.normal_(m.weight, 0.0, 0.02)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init(m):
                if type(m) in ["Linear", "Conv2d"]:
                    nn.init.kaiming_normal_(m.weight)
                elif m.__class__ in ("BatchNorm2d",):
                    nn.init.ones_(m.weight)

            net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
            net.apply(init)
            """,
            count=2,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            def init_weights(model: nn.Module):
                for m in model.modules():
                    if isinstance(m, (nn.Linear, nn.Conv2d)) or isinstance(m, nn.Embedding):
                        nn.init.normal_(m.weight)
                    elif isinstance(m, nn.BatchNorm2d) or m is model:
                        continue
                    elif type(m) is nn.LayerNorm or type(m) == nn.GroupNorm:
                        nn.init.ones_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def layer(kind):
                if kind is nn.Linear or kind == nn.Conv2d:
                    return kind
                return None

            for kind in (nn.Linear, nn.Conv2d):
                if kind is nn.Linear:
                    print(kind)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init(m):
                if type(m).__name__ in ["Linear", "Conv2d"] or m.__class__.__name__ in ("Conv1d",):
                    nn.init.kaiming_normal_(m.weight)

            net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
            net.apply(init)
            """,
        ),
    )

    def check(self, subject: TypeTest) -> Iterator[Finding]:
        advice = f"; write `{subject.mended}`" if subject.mended else ""
        yield self.finding(
            subject.place,
            f"`{subject.source}` {self.meaning(subject.outcome)}{advice}",
            evidence=[Evidence(Observer.ANALYZER, f"this expression {self.meaning(subject.outcome)}")],
            fix=self.mended(subject),
        )

    @staticmethod
    def meaning(outcome: str) -> str:
        """Return the predicate that says what such a test does."""
        if outcome.startswith("raises"):
            return outcome
        return f"{outcome} type" if outcome.startswith("tests") else f"is {outcome}"

    @staticmethod
    def mended(subject: TypeTest) -> Fix | None:
        """Return the fix that writes the test that was meant."""
        if subject.mended is None:
            return None
        return Fix(
            Applicability.UNSAFE,
            f"Replace with `{subject.mended}`",
            remedies=(Replace(place=subject.place, new=subject.mended),),
        )
