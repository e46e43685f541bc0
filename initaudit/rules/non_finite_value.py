"""INI601: NaN or infinity in a trainable parameter."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.timeline import Coverage, Kind, ParameterTimeline


class NonFiniteValue(Rule[ParameterTimeline]):
    """
    ## What it does
    Reports a trainable parameter that holds NaN or infinity after construction.

    ## Why is this bad?
    One such element makes every output and every gradient that depends on it NaN; the model learns nothing.

    ## Example
    ```python
    self.log_scale = nn.Parameter(torch.zeros(4).log())
    ```

    ## Use instead
    ```python
    self.log_scale = nn.Parameter(torch.full((4,), 1e-3).log())
    ```

    ## Known problems
    Buffers are not checked: a mask may hold minus infinity on purpose. Uninitialized memory is INI101, whatever it
    holds.

    Rare in released models; its precision is not well measured.

    ## References
    - [torch.isfinite](https://docs.pytorch.org/docs/stable/generated/torch.isfinite.html)
    """

    code = "INI601"
    name = "non-finite-value"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = PROBE
    subject = ParameterTimeline
    reads = ("values",)
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.log_scale = nn.Parameter(torch.zeros(4).log())
            """,
            target="Scale",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Masked(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.scale = nn.Parameter(torch.ones(4))
                    self.register_buffer("mask", torch.full((4, 4), float("-inf")).triu(1))
                    self.register_buffer("missing", torch.full((4,), float("nan")))
            """,
            target="Masked",
        ),
    )

    def check(self, subject: ParameterTimeline) -> Iterator[Finding]:
        values, allocation = subject.values, subject.allocation
        if subject.kind is not Kind.PARAMETER or not subject.trainable or values is None or allocation is None:
            return
        undecided = subject.coverage is Coverage.UNKNOWN and not allocation.raw  # an instance, built unwatched
        if not (undecided or subject.coverage is Coverage.WRITTEN) or values.nan + values.inf == 0:
            return
        found = " and ".join(
            f"{count} {what}" for count, what in ((values.nan, "NaN"), (values.inf, "infinite")) if count
        )
        place = (subject.writes[-1].place if subject.writes else None) or allocation.place
        yield self.finding(
            place,
            f"`{subject.name}` starts with {found} elements; check the expression that fills it",
            evidence=[Evidence(subject.observer, f"after construction, {found} of {math.prod(values.shape)} elements")],
            model=subject.model,
            parameter=subject.name,
            group=f"{place.cell}:{place.row}",
        )
