"""INI104: a parameter created by a legacy constructor that accepts a size or data."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.timeline import Allocation, Coverage, ParameterTimeline


class LegacyTensorConstructor(Rule[ParameterTimeline]):
    """
    ## What it does
    Reports a parameter created by `torch.Tensor(size)` or a typed variant of it (`torch.FloatTensor(size)`). The finding
    says which line initializes it; if none does, INI101, INI102 or INI103 is reported instead.

    ## Why is this bad?
    The argument of `torch.Tensor(3, 4)` is a size, and that of `torch.Tensor([3, 4])` is data. Nothing in the call says that
    the memory is uninitialized, so a missing initialization is easy to overlook. The constructor also ignores
    `torch.device("meta")`.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.Tensor(3, 4))
    nn.init.xavier_uniform_(self.weight)
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.empty(3, 4))
    nn.init.xavier_uniform_(self.weight)
    ```

    ## Known problems
    The fix is safe if every argument is known to be an integer or a `torch.Size`, and the code does not run in a device
    context; otherwise it is unsafe. There is no fix if the constructor does not come from `torch` itself, as in
    `torch.cuda.FloatTensor(3)` and `self.FloatTensor(3)`.

    ## References
    - [torch.Tensor](https://docs.pytorch.org/docs/stable/tensors.html#torch.Tensor)
    - [torch.empty](https://docs.pytorch.org/docs/stable/generated/torch.empty.html)
    """

    code = "INI104"
    name = "legacy-tensor-constructor"
    category = Category.STYLE
    severity = Severity.NOTE
    observers = ANALYZER
    subject = ParameterTimeline
    reads = ("coverage",)
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.Tensor(3, 4))
                    nn.init.xavier_uniform_(self.weight)
            """,
            fixed="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    nn.init.xavier_uniform_(self.weight)
            """,
        ),
        Example(
            source="""
            import torch as t
            from torch import nn

            class Scaled(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(t.Tensor(n, n))
                    self.weight.data.normal_(0, 0.02)
            """,
            fixed="""
            import torch as t
            from torch import nn

            class Scaled(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(t.empty(n, n))
                    self.weight.data.normal_(0, 0.02)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Placed(nn.Module):
                def __init__(self, n: int, cuda):
                    super().__init__()
                    self.FloatTensor = torch.cuda.FloatTensor if cuda else torch.FloatTensor
                    self.given = nn.Parameter(self.FloatTensor(n, 3))
                    self.fast = nn.Parameter(torch.cuda.FloatTensor(n, 3))
                    nn.init.zeros_(self.given)
                    nn.init.zeros_(self.fast)
            """,
            count=2,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Data(nn.Module):
                def __init__(self, values):
                    super().__init__()
                    self.listed = nn.Parameter(torch.Tensor([1.0, 2.0]))
                    self.tupled = nn.Parameter(torch.Tensor((3, 4)))
                    self.given = nn.Parameter(torch.Tensor(values))
                    self.floats = nn.Parameter(torch.FloatTensor([0.5]))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Modern(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    nn.init.xavier_uniform_(self.weight)

                def forward(self, x: torch.Tensor):
                    return x @ self.weight if isinstance(x, torch.Tensor) else None
            """,
        ),
    )

    def check(self, subject: ParameterTimeline) -> Iterator[Finding]:
        allocation = subject.allocation
        if allocation is None or not (allocation.legacy and allocation.raw):
            return
        advice = f"; write `{allocation.replacement}`" if allocation.replacement else ""
        yield self.finding(
            allocation.place,
            f"`{allocation.call}(...)` accepts a size or data; here it leaves `{subject.name}` uninitialized{self.initialized(subject)}{advice}",
            evidence=[Evidence(subject.observer, f"allocated by `{allocation.call}`")],
            model=subject.model,
            parameter=subject.name,
            fix=self.modernized(allocation),
        )

    @staticmethod
    def initialized(subject: ParameterTimeline) -> str:
        """Say which line initializes the parameter, as the end of a sentence."""
        if subject.coverage is not Coverage.WRITTEN or not subject.writes or subject.allocation is None:
            return ""
        write = subject.writes[0]
        here = subject.allocation.place.filename
        places = [place for place in (write.place, write.cause) if place is not None]
        place = next((place for place in places if place.filename == here), places[-1] if places else None)
        if place is None:
            return ""
        return f" until `{write.by}` ({place.seen_from(subject.allocation.place)})"

    @staticmethod
    def modernized(allocation: Allocation) -> Fix | None:
        """Return the fix that allocates the same memory with `torch.empty`."""
        if allocation.replacement is None:
            return None
        return Fix(
            Applicability.SAFE if allocation.replacement_proven else Applicability.UNSAFE,
            f"Replace with `{allocation.replacement}`",
            remedies=(Replace(place=allocation.place, new=allocation.replacement),),
        )
