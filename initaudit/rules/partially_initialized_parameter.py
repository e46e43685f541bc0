"""INI102: a parameter that is initialized only in part, or only on some code paths."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.rules.raw_memory import filled, remedy, seen_when_built
from initaudit.timeline import Coverage, Kind, Only, ParameterTimeline


class PartiallyInitializedParameter(Rule[ParameterTimeline]):
    """
    ## What it does
    Reports a parameter that is initialized only in part (only `w[:n]` is written), or only on some code paths (in one
    branch of an `if`).

    ## Why is this bad?
    The other elements hold whatever was in memory. The model seems to work, because most of it does, and fails only with
    some configurations, on some machines or in some runs.

    ## Example
    ```python
    class Linear(nn.Module):
        def __init__(self, n, m, scale=None):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(m, n))
            self.bias = nn.Parameter(torch.empty(m))
            nn.init.zeros_(self.bias)
            if scale is not None:
                nn.init.uniform_(self.weight, -scale, scale)
    ```

    ## Use instead
    ```python
    class Linear(nn.Module):
        def __init__(self, n, m, scale=None):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(m, n))
            self.bias = nn.Parameter(torch.empty(m))
            nn.init.zeros_(self.bias)
            scale = n ** -0.5 if scale is None else scale
            nn.init.uniform_(self.weight, -scale, scale)
    ```

    ## Known problems
    A parameter of which the class reads only what it writes, `w[:n]`, is not reported.
    A path that no caller ever takes is reported too. If a value is not allowed, raise an error for it: paths that raise are
    not counted. The analyzer assumes that a path that initializes nothing, not even another parameter, is a deliberate choice
    (`if init_weights:`), and does not report it; the probe reports it in the models that it builds.
    Rare in released code; its precision is not well measured.

    ## References
    - [torch.empty](https://docs.pytorch.org/docs/stable/generated/torch.empty.html)
    """

    code = "INI102"
    name = "partially-initialized-parameter"
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

            class Half(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(4, 3))
                    self.weight.data[:2].normal_()
            """,
            target="Half",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Forgetful(nn.Module):
                def __init__(self, zero_bias=False):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(4, 3))
                    self.bias = nn.Parameter(torch.empty(4))
                    nn.init.xavier_uniform_(self.weight)
                    if zero_bias:
                        nn.init.zeros_(self.bias)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Modes(nn.Module):
                def __init__(self, n, mode):
                    super().__init__()
                    self.scale = nn.Parameter(torch.Tensor(n, 1))
                    self.shift = nn.Parameter(torch.Tensor(n, 1))
                    if mode == "ones":
                        self.scale.data.fill_(1.0)
                        self.shift.data.zero_()
                    elif mode == "random":
                        self.scale.data.uniform_()
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class BothHalves(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(4, 3))
                    self.weight.data[:2].normal_()
                    self.weight.data[2:].zero_()
            """,
            target="BothHalves",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class OptionalBias(nn.Module):
                def __init__(self, bias=True):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(4, 3))
                    if bias:
                        self.bias = nn.Parameter(torch.empty(4))
                    else:
                        self.register_parameter("bias", None)
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.weight)
                    if self.bias is not None:
                        nn.init.zeros_(self.bias)
            """,
            target="OptionalBias",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class EveryMode(nn.Module):
                def __init__(self, n, mode):
                    super().__init__()
                    self.scale = nn.Parameter(torch.empty(n))
                    if mode == "ones":
                        nn.init.ones_(self.scale)
                    elif mode == "random":
                        nn.init.uniform_(self.scale)
                    else:
                        raise ValueError(mode)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class ByDimension(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(4, 3))
                    self.bias = nn.Parameter(torch.empty(4))
                    for p in self.parameters():
                        if p.dim() > 1:
                            nn.init.xavier_uniform_(p)
                        else:
                            nn.init.uniform_(p)
            """,
            target="ByDimension",
        ),
    )

    def check(self, subject: ParameterTimeline) -> Iterator[Finding]:
        allocation = subject.allocation
        if subject.kind is not Kind.PARAMETER or subject.coverage is not Coverage.PARTIAL or allocation is None:
            return
        optional = subject.only in (Only.OPTION, Only.SOME)
        advice = remedy(subject)
        yield self.finding(
            allocation.place,
            self.message(subject, allocation.call, advice),
            evidence=[Evidence(subject.observer, self.seen(subject))],
            severity=Severity.WARNING if optional else None,
            model=subject.model,
            parameter=subject.name,
            fix=filled(subject, advice),
            advice=[advice] if advice is not None else [],
            group=f"{allocation.place.row}:{allocation.place.column} {subject.gap}",
        )

    @staticmethod
    def message(subject: ParameterTimeline, call: str, advice: Advice | None) -> str:
        """Say what is wrong, when it happens, and what to do."""
        allocated = f"`{subject.name}` is allocated by `{call}`"
        if subject.only is Only.OPTION:
            return f"{allocated} and initialized {subject.gap}; initialize it in every case"
        if subject.only is Only.SOME:
            return f"{allocated} and initialized only by some programs: {subject.gap}"
        gap = f": {subject.gap}" if subject.gap else ""
        first = f", or start with `{advice}`" if advice is not None else ""
        return f"{allocated} and only partly initialized{gap}; initialize every element on every path{first}"

    @staticmethod
    def seen(subject: ParameterTimeline) -> str:
        """Say what the observer saw."""
        gap = f": {subject.gap}" if subject.gap is not None else ""
        return seen_when_built(subject) or f"reachable code does not write all of it on every path{gap}"
