"""INI103: a buffer that is allocated, and read before it is initialized."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.rules.raw_memory import remedy, seen_when_built
from initaudit.timeline import Coverage, Kind, ParameterTimeline, Role


class UninitializedBuffer(Rule[ParameterTimeline]):
    """
    ## What it does
    Reports a buffer whose memory is allocated, and not or only partly initialized when construction ends. It is an error if
    the forward pass reads the buffer before writing it, and a note if initaudit cannot tell.

    ## Why is this bad?
    A mask, a running statistic or a position table that was never filled affects every output, and is saved in every
    checkpoint.

    ## Example
    ```python
    class Whiten(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.register_buffer("mean", torch.empty(n))

        def forward(self, x):
            return x - self.mean
    ```

    ## Use instead
    ```python
    class Whiten(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.register_buffer("mean", torch.zeros(n))

        def forward(self, x):
            return x - self.mean
    ```

    ## Known problems
    A workspace or a cache may be allocated without values, because it is written before it is read. Without an input to run
    the model on, it is a note unless the forward pass computes with the buffer, nothing in the project may write it, and
    the project loads no state.
    Findings above a note are rare in released code; their precision is not well measured.

    ## References
    - [Module.register_buffer](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_buffer)
    """

    code = "INI103"
    name = "uninitialized-buffer"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = BOTH
    subject = ParameterTimeline
    reads = ("coverage", "read_first")
    supersedes = ("INI104",)
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Whiten(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.register_buffer("mean", torch.empty(4))

                def forward(self, x):
                    return x - self.mean
            """,
            target="Whiten",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Positions(nn.Module):
                def __init__(self):
                    super().__init__()
                    table = torch.empty(8, 4)
                    table[:, 0::2] = torch.arange(8.0)[:, None].sin()
                    self.register_buffer("table", table)
            """,
            target="Positions",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Whiten(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.register_buffer("mean", torch.zeros(4))
                    self.register_buffer("std", torch.empty(4).fill_(1.0))
                    self.register_buffer("none", None)
            """,
            target="Whiten",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Positions(nn.Module):
                def __init__(self):
                    super().__init__()
                    table = torch.empty(8, 4)
                    angle = torch.arange(8.0)[:, None] * torch.tensor([1.0, 0.01])
                    table[:, 0::2] = angle.sin()
                    table[:, 1::2] = angle.cos()
                    self.register_buffer("table", table)
            """,
            target="Positions",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Masked(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.register_buffer("mask", torch.full((4, 4), float("-inf")).triu(1))
            """,
            target="Masked",
        ),
    )

    def check(self, subject: ParameterTimeline) -> Iterator[Finding]:
        allocation = subject.allocation
        raw = subject.coverage in (Coverage.NEVER, Coverage.PARTIAL)
        if subject.kind is not Kind.BUFFER or not raw or allocation is None or subject.read_first is False:
            return
        extent = "never" if subject.coverage is Coverage.NEVER else "only partly"
        gap = f" ({subject.gap})" if subject.gap else ""
        outcome = "read before it is written" if subject.read_first else "holds garbage until something writes it"
        advice = self.advised(subject)
        cure = f"; add `{advice}` to `__init__`" if advice is not None else ""
        yield self.finding(
            allocation.place,
            f"buffer `{subject.name}` is allocated by `{allocation.call}`, {extent} initialized{gap}, and {outcome}"
            f"{cure}",
            evidence=[Evidence(subject.observer, self.seen(subject))],
            severity=Severity.ERROR if subject.read_first else Severity.NOTE,
            model=subject.model,
            parameter=subject.name,
            advice=[advice] if advice is not None else [],
        )

    @staticmethod
    def advised(subject: ParameterTimeline) -> Advice | None:
        """Return the call that gives the buffer neutral values. Only a factor or an offset of the forward pass has such."""
        neutral = subject.usage is not None and subject.usage.role in (Role.FACTOR, Role.OFFSET)
        return remedy(subject) if neutral and subject.coverage is Coverage.NEVER else None

    @staticmethod
    def seen(subject: ParameterTimeline) -> str:
        """Say what the observer saw."""
        read = {
            True: "; the forward pass reads it first",
            False: "",
            None: "; whether the forward pass reads it first is not known",
        }
        return (seen_when_built(subject) or "no reachable code writes all of it") + read[subject.read_first]
