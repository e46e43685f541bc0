"""INI002: a suppression comment that suppresses nothing."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Edit, Evidence, Finding, Fix, Observer, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.files import UnusedSuppression


class UselessSuppression(Rule[UnusedSuppression]):
    """
    ## What it does
    Reports a comment that suppresses findings of initaudit where there are none: `# initaudit: ignore[INI201]`,
    `# noqa: INI201`, or an `# initaudit: ignore-file` that is not at the top of its file.

    ## Why is this bad?
    The comment says that something is wrong here although it no longer is, and silently hides it if it comes back.

    ## Example
    ```python
    nn.init.zeros_(net.bias)  # initaudit: ignore[INI205]
    ```

    ## Use instead
    ```python
    nn.init.zeros_(net.bias)
    ```

    ## Known problems
    A code is judged only if it is selected and every observer that can detect it has checked the file. A suppression of a rule
    that the probe checks too is therefore judged only in a run with the probe. No suppression is judged in a file in which
    something is not decided (`--show-unknown`).
    Rare in released code; its precision is not well measured.

    ## References
    - [flake8's noqa](https://flake8.pycqa.org/en/latest/user/violations.html)
    """

    code = "INI002"
    name = "unused-suppression"
    category = Category.TOOL
    severity = Severity.WARNING
    observers = BOTH
    subject = UnusedSuppression
    invalid = (
        Example(
            source="""
            from torch import nn

            # initaudit: ignore-file filled by the loader
            net = nn.Linear(3, 4)
            if True:
                # initaudit: ignore-file
                nn.init.zeros_(net.bias)  # initaudit: ignore-file
            """,
            fixed="""
            from torch import nn

            net = nn.Linear(3, 4)
            if True:
                nn.init.zeros_(net.bias)
            """,
            count=3,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            net = nn.Linear(3, 4)
            nn.init.zeros_  # initaudit: ignore[INI205]
            nn.init.ones_(net.bias)  # noqa
            nn.init.ones_(net.weight)  # noqa: E501
            """,
        ),
    )

    def check(self, subject: UnusedSuppression) -> Iterator[Finding]:
        what = ", ".join(f"`{code}`" for code in subject.codes) or "this comment"
        message = f"{what} suppresses nothing here" + (
            "; remove the comment" if not subject.replacement else "; remove the code"
        )
        yield self.finding(
            subject.place,
            message,
            evidence=[Evidence(Observer.ANALYZER, "no finding on these lines")],
            fix=Fix(Applicability.SAFE, "Remove the unused suppression", (Edit(subject.replacement, subject.removal),)),
        )
