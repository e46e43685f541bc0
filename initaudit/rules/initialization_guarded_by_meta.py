"""INI107: an initialization that a constructor skips on the meta device."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_on_meta import SkippedOnMeta


class InitializationGuardedByMeta(Rule[SkippedOnMeta]):
    """
    ## What it does
    Reports a constructor that registers a buffer without values, and initializes it only if some other tensor is not on the
    meta device.

    ## Why is this bad?
    Loaders that build a model without memory put the parameters on the meta device, but not the buffers. Such a buffer then
    has real memory that nothing initializes, and if it is not persistent, no checkpoint restores it.

    ## Example
    ```python
    if not self.proj.weight.is_meta:
        self.reset_parameters()
    ```

    ## Use instead
    ```python
    self.reset_parameters()
    ```

    ## Known problems
    Some frameworks call the initializer again after loading, which is then enough. The 17 reports in timm 1.0.24 are right, and
    later versions mended them; it reports nothing in timm 1.0.27 and 1.0.31, transformers 5.23.0 and 17 other releases.

    ## References
    - [Meta device](https://docs.pytorch.org/docs/stable/meta.html)
    """

    code = "INI107"
    name = "initialization-guarded-by-meta"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = SkippedOnMeta
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Window(nn.Module):
                def __init__(self, side=3):
                    super().__init__()
                    self.register_buffer("index", torch.empty(side, side, dtype=torch.long), persistent=False)
                    self.qk = nn.Linear(8, 16)
                    if not self.qk.weight.is_meta:
                        self.reset_parameters()

                def reset_parameters(self):
                    self.index.copy_(torch.arange(9).view(3, 3))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Blur(nn.Module):
                def __init__(self, n, device=None):
                    super().__init__()
                    self.fc = nn.Linear(n, n, device=device)
                    self.register_buffer("kernel", torch.empty(n, device=device), persistent=False)
                    if self.fc.weight.device.type != "meta":
                        self.reset_buffers()

                def reset_buffers(self):
                    self.kernel.fill_(1.0)

                def forward(self, x):
                    return self.fc(x) * self.kernel
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Window(nn.Module):
                def __init__(self, side=3):
                    super().__init__()
                    self.register_buffer("index", torch.empty(side, side, dtype=torch.long), persistent=False)
                    self.reset_parameters()

                def reset_parameters(self):
                    self.index.copy_(torch.arange(9).view(3, 3))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Blur(nn.Module):
                def __init__(self, n, device=None):
                    super().__init__()
                    self.fc = nn.Linear(n, n, device=device)
                    self.register_buffer("kernel", torch.empty(n, device=device), persistent=False)
                    self.register_buffer("offset", torch.empty(n, device=device), persistent=False)
                    if not self.kernel.is_meta:
                        self.reset_buffers()
                    if device != "meta":
                        self.reset_buffers()

                def reset_buffers(self):
                    self.kernel.fill_(1.0)
                    self.offset.zero_()

                def forward(self, x):
                    return self.fc(x) * self.kernel + self.offset
            """,
        ),
    )

    def check(self, subject: SkippedOnMeta) -> Iterator[Finding]:
        names = ", ".join(f"`{name}`" for name in subject.raw)
        yield self.finding(
            subject.place,
            f"if `{subject.source}` is false, {names} stays uninitialized, although a loader may keep it in real memory; "
            f"initialize it in any case",
            evidence=[Evidence(Observer.ANALYZER, f"{names} is allocated without values")],
            model=subject.model,
        )
