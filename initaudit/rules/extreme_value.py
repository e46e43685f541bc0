"""INI602: initial values of an extreme magnitude."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.timeline import Coverage, Kind, ParameterTimeline, Values

LARGEST_WEIGHT = 1e4
"""The largest value of a matrix or kernel. No scheme comes near it: N(0, 1) reaches 6 in a billion elements, and trainable
frequencies or positions stay below it."""
LARGEST_VECTOR = 1e6
"""The largest value of a vector or scalar, which may hold a temperature, a period or a count on purpose."""
LARGEST_NUMBER = {"float16": 65504.0}
"""The largest number of each type that a first product can overflow."""


class ExtremeValue(Rule[ParameterTimeline]):
    """
    ## What it does
    Reports a trainable parameter with extreme initial values: beyond 10,000 in a matrix or kernel, beyond 1,000,000 in
    a vector, or so large that the first product of a float16 layer overflows.

    ## Why is this bad?
    The first forward overflows or saturates, the first gradient is useless, and the loss starts at NaN.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.arange(65536.0).reshape(256, 256))
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.randn(256, 256) / 256**0.5)
    ```

    ## Known problems
    Uninitialized memory may hold extreme values too; that is INI101, which names the cause. A scale that is merely
    unusual is not reported: it can be intended.

    Rare in released models; its precision is not well measured.

    ## References
    - Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010
    """

    code = "INI602"
    name = "extreme-value"
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

            class Ramp(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.arange(65536.0).reshape(256, 256))
            """,
            target="Ramp",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Half(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.full((4, 1024), 16.0, dtype=torch.float16))
            """,
            target="Half",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Usual(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.table = nn.Embedding(1000, 16)
                    self.weight = nn.Parameter(torch.randn(64, 64))
                    self.small = nn.Parameter(torch.randn(64, 4096).half())
                    self.period = nn.Parameter(torch.tensor(10000.0))
                    self.cutoff = nn.Parameter(torch.linspace(30.0, 20000.0, 80).reshape(80, 1))
                    self.register_buffer("far", torch.full((4, 4), -3e38))
            """,
            target="Usual",
        ),
    )

    def check(self, subject: ParameterTimeline) -> Iterator[Finding]:
        values, allocation = subject.values, subject.allocation
        if subject.kind is not Kind.PARAMETER or not subject.trainable or values is None or allocation is None:
            return
        undecided = subject.coverage is Coverage.UNKNOWN and not allocation.raw  # an instance, built unwatched
        reason = self.extreme(values) if undecided or subject.coverage is Coverage.WRITTEN else None
        if reason is None:
            return
        last = subject.writes[-1].place if subject.writes else None
        yield self.finding(
            last or allocation.place,
            f"`{subject.name}` starts with values from {values.min:.3g} to {values.max:.3g}: {reason}; "
            f"use an initializer of `nn.init`",
            evidence=[
                Evidence(subject.observer, f"after construction, {values.dtype} of shape {values.shape}: {reason}")
            ],
            model=subject.model,
            parameter=subject.name,
        )

    @staticmethod
    def extreme(values: Values) -> str | None:
        """Say why the values are extreme; None when they are not."""
        if values.min is None or values.max is None:
            return None
        largest = max(abs(values.min), abs(values.max))
        matrix = sum(size > 1 for size in values.shape) >= 2
        if largest > (LARGEST_WEIGHT if matrix else LARGEST_VECTOR):
            return "no initialization scheme produces such a magnitude"
        limit = LARGEST_NUMBER.get(values.dtype)
        if matrix and limit is not None and values.mean is not None and values.std is not None:
            fan_in = math.prod(values.shape[1:])
            if fan_in * (values.mean**2 + values.std**2) > limit:
                return f"a sum of {fan_in} products of this size overflows {values.dtype}"
        return None
