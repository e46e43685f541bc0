"""INI404: a truncated normal distribution whose bounds truncate nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Recall, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.calls import InitializerCall

NEVER_REACHED = 10.0
"""A number of standard deviations that no sample exceeds."""


class IneffectiveTruncation(Rule[InitializerCall]):
    """
    ## What it does
    Reports `trunc_normal_` with bounds that are ten or more standard deviations out: `trunc_normal_(w, std=0.02)`
    truncates at -2 and 2.

    ## Why is this bad?
    `a` and `b` are absolute values, not multiples of `std`. A hundred standard deviations out they truncate nothing,
    and the call is a slower `normal_`. To truncate at two standard deviations, pass `a=-2 * std, b=2 * std`.

    ## Example
    ```python
    nn.init.trunc_normal_(fc.weight, std=0.02)
    ```

    ## Use instead
    ```python
    nn.init.trunc_normal_(fc.weight, std=0.02, a=-0.04, b=0.04)
    ```

    ## Known problems
    Most published vision transformers were trained with exactly this call, without harm; so the rule is off by default.
    It reads only numbers that are written in the call.

    ## References
    - [torch.nn.init.trunc_normal_](https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.trunc_normal_)
    """

    code = "INI404"
    name = "ineffective-truncation"
    category = Category.STYLE
    severity = Severity.WARNING
    default = Default.OFF
    observers = ANALYZER
    subject = InitializerCall
    words = (("trunc_normal_",),)
    invalid = (
        Example(
            source="""
            from torch import nn

            fc = nn.Linear(3, 4)
            nn.init.trunc_normal_(fc.weight, std=0.02)
            """
        ),
        Example(
            source="""
            from torch import nn

            fc = nn.Linear(3, 4)
            nn.init.trunc_normal_(fc.weight, 0.0, 0.02, -2.0, 2.0)
            """
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            fc = nn.Linear(3, 4)
            nn.init.trunc_normal_(fc.weight)
            nn.init.trunc_normal_(fc.weight, std=0.02, a=-0.04, b=0.04)
            nn.init.trunc_normal_(fc.weight, std=0.5)
            """
        ),
        Example(
            source="""
            from torch import nn

            def init_layer(layer, std):
                nn.init.trunc_normal_(layer.weight, std=std)
            """
        ),
    )

    def check(self, subject: InitializerCall) -> Iterator[Finding]:
        if subject.function != "trunc_normal_":
            return
        std, low, high = (number(subject, *where) for where in ((2, "std", 1.0), (3, "a", -2.0), (4, "b", 2.0)))
        if std is None or low is None or high is None or std <= 0 or min(-low, high) < NEVER_REACHED * std:
            return
        sigmas = min(-low, high) / std
        yield self.finding(
            subject.place,
            f"the bounds are absolute: {low:g} and {high:g} are {sigmas:.0f} standard deviations out and truncate nothing; "
            f"to truncate at two standard deviations, write `a={-2 * std:g}, b={2 * std:g}`",
            evidence=[Evidence(Observer.ANALYZER, f"calls `nn.init.trunc_normal_` with std {std:g}")],
            fix=Fix(
                Applicability.UNSAFE,
                f"Write `a={-2 * std:g}, b={2 * std:g}`",
                remedies=(
                    Recall(
                        place=subject.place,
                        old=subject.function,
                        keep=3,
                        given=(("a", f"{-2 * std:g}"), ("b", f"{2 * std:g}")),
                    ),
                ),
            ),
        )


def number(call: InitializerCall, position: int, keyword: str, default: float) -> float | None:
    """Return a numeric argument, or its default; None when it is not a literal number."""
    source = call.argument(position, keyword)
    if source is None:
        return default
    try:
        value = ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None
    return float(value) if isinstance(value, int | float) else None
