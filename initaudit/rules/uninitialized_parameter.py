"""INI101: a parameter that is allocated and never initialized."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.rules.raw_memory import filled, remedy, seen_when_built
from initaudit.timeline import Coverage, Kind, Only, ParameterTimeline, at

HARMLESS = (Only.TESTS, Only.CHECKPOINT, Only.UNREAD, Only.CONSTRUCTOR)
"""What makes it a note."""


class UninitializedParameter(Rule[ParameterTimeline]):
    """
    ## What it does
    Reports a parameter whose memory is allocated (`torch.Tensor(3, 4)`, `torch.empty(3, 4)`) and never initialized: neither
    in `__init__` and what it calls, nor by the code that builds the model.

    ## Why is this bad?
    The parameter holds whatever was in memory: often zeros, sometimes 1e38 or NaN. Training then overflows or
    stalls, but only on some machines or in some runs.

    ## Example
    ```python
    class Scale(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(n))
    ```

    ## Use instead
    ```python
    class Scale(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(n))
    ```

    ## Known problems
    A module that is always filled from a checkpoint has no initial values on purpose. initaudit recognizes the usual signs of
    this (packed integer storage, for example); otherwise, add an ignore comment with the reason.
    Models of inference engines, which only ever hold a checkpoint, are reported if initaudit does not find their loader:
    this affects fifteen parameters in vllm 0.33.0 and sglang 0.5.23. initaudit searches the whole repository for scripts
    that call an initializer; in an unpacked wheel, it cannot tell which other folders belong to the project.
    Of layers that `nn.utils.skip_init` creates, those are judged that have one weight and one bias, in classes.
    It is a note if the class is part of an application, or a cell of a notebook, and nothing builds it, and if the class
    has a forward and nothing reads the parameter.

    ## References
    - [torch.empty](https://docs.pytorch.org/docs/stable/generated/torch.empty.html)
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI101"
    name = "uninitialized-parameter"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = BOTH
    subject = ParameterTimeline
    reads = ("coverage",)
    supersedes = ("INI104",)
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Masked(nn.Linear):
                def __init__(self, i, o):
                    super().__init__(i, o)
                    self.register_buffer("mask", torch.ones(o, i))

                def reset_parameters(self):
                    nn.init.zeros_(self.bias)
            """,
            advice=True,
        ),
        Example(
            source="""
            import torch as t
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(t.Tensor(3, 4))
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Forgets(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))

                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.weight)
            """,
            target="Forgets",
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn.utils import skip_init

            class Head(nn.Module):
                def __init__(self, d, c):
                    super().__init__()
                    self.fc = skip_init(nn.Linear, d, c)
                    nn.init.xavier_uniform_(self.fc.weight)

                def forward(self, x):
                    return self.fc(x)
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Own(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.weight)
            """,
            target="Own",
        ),
    )

    def check(self, subject: ParameterTimeline) -> Iterator[Finding]:
        allocation = subject.allocation
        if subject.kind is not Kind.PARAMETER or subject.coverage is not Coverage.NEVER or allocation is None:
            return
        advice = remedy(subject)
        yield self.finding(
            allocation.place,
            self.message(subject, allocation.call, advice),
            evidence=[Evidence(subject.observer, self.seen(subject))],
            severity=Severity.NOTE if subject.only in HARMLESS else None,
            model=subject.model,
            parameter=subject.name,
            fix=filled(subject, advice),
            advice=[advice] if advice is not None else [],
            group=self.cause(subject),
        )

    @staticmethod
    def cause(subject: ParameterTimeline) -> str:
        """Return the cause that findings are grouped by: what builds the model, or allocates; for a note the class."""
        if subject.only is not None:
            return f"{subject.only.value} {subject.model}"
        place = subject.allocation.place if subject.allocation is not None else None
        return _built(subject) or (f"{subject.model} {place.row}:{place.column}" if place is not None else "")

    @staticmethod
    def message(subject: ParameterTimeline, call: str, advice: Advice | None) -> str:
        """Say what is wrong, where the model is built, and what to do."""
        allocated = f"`{subject.name}` is allocated by `{call}`"
        built = _built(subject)
        if subject.only is Only.CHECKPOINT:
            return f"{allocated} and uninitialized until the checkpoint is loaded (built at {built})"
        if subject.only is Only.TESTS:
            return f"{allocated} and never initialized; only tests build its class" + (f" ({built})" if built else "")
        if subject.only is Only.CONSTRUCTOR:
            return f"{allocated}, and the constructor never initializes it; check that other code does"
        if subject.only is Only.UNREAD:
            return f"{allocated} and never initialized; nothing reads it"
        known = "; ".join(each for each in (subject.gap, f"built at {built}" if built else None) if each)
        message = f"{allocated} and never initialized" + (f" ({known})" if known else "")
        if subject.forgotten:
            missing = "that program does not call it" if built else "nothing calls it"
            return f"{message}; `{subject.forgotten}` would initialize it, but {missing}"
        if advice is not None:
            return f"{message}; add `{advice}` to `__init__`"
        return f"{message}; initialize it in the constructor, for example with `nn.init`"

    @staticmethod
    def seen(subject: ParameterTimeline) -> str:
        """Say what the observer saw."""
        return seen_when_built(subject) or "no reachable code writes it"


def _built(subject: ParameterTimeline) -> str:
    """Return the line of a program that builds the model, as a message about the class names it."""
    if subject.built is None:
        return ""
    return at(subject.built, subject.allocation.place.filename if subject.allocation is not None else "")
