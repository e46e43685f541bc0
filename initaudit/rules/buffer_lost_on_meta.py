"""INI106: a buffer that only the constructor computes, so that a model built on the meta device loses it."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import BOTH, Default, Example, Rule
from initaudit.rules.parameter_lost_on_meta import built, otherwise, seen, without
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Kind


class BufferLostOnMeta(Rule[NotRestored]):
    """
    ## What it does
    Reports a buffer that the constructor of its class computes, but the initializer that runs again later does not: the
    class's own `reset_parameters`, or a method of the model that calls `to_empty()`.

    `initaudit probe TARGET --replay` builds the model on the meta device, calls `to_empty()`, and initializes it again as its
    framework does. A buffer is reported if it is still uninitialized then, or holds other values than the constructor gives
    it. A buffer that no checkpoint holds is also reported if the constructor leaves it uninitialized where only the parameters
    are on the meta device, as loaders build a model.

    ## Why is this bad?
    A frequency table, a mask or a scale is lost on the meta device, as any parameter is. If the buffer is not persistent, no
    checkpoint restores it either.

    ## Example
    ```python
    class Rotary(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(n))
            self.register_buffer("inv_freq", 1.0 / 10_000 ** (torch.arange(0, n, 2) / n), persistent=False)

        def reset_parameters(self):
            nn.init.ones_(self.scale)
    ```

    ## Use instead
    ```python
    class Rotary(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(n))
            self.register_buffer("inv_freq", torch.empty(n // 2), persistent=False)
            self.reset_parameters()

        def reset_parameters(self):
            nn.init.ones_(self.scale)
            n = self.scale.numel()
            self.inv_freq.copy_(1.0 / 10_000 ** (torch.arange(0, n, 2) / n))
    ```

    ## Known problems
    The rule is in preview unless a replay is asked for, and a finding of the analyzer is a note: the source does not say
    whether a model will ever be built on the meta device.
    Frameworks that load checkpoints keep buffers off the meta device, or fill them; their models are not judged.

    ## References
    - [torch.nn.Module.to_empty](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.to_empty)
    """

    code = "INI106"
    name = "buffer-lost-on-meta"
    category = Category.SUSPICIOUS
    severity = Severity.NOTE
    default = Default.PREVIEW
    on_replay = True
    observers = BOTH
    subject = NotRestored
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Rotary(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.scale = nn.Parameter(torch.ones(n))
                    self.register_buffer("inv_freq", 1.0 / 10_000 ** (torch.arange(0, n, 2) / n), persistent=False)

                def reset_parameters(self):
                    nn.init.ones_(self.scale)

            def build():
                return Rotary(8)
            """,
            target="build",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Rotary(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.scale = nn.Parameter(torch.ones(n))
                    self.register_buffer("inv_freq", torch.empty(n // 2), persistent=False)
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.ones_(self.scale)
                    n = self.scale.numel()
                    self.inv_freq.copy_(1.0 / 10_000 ** (torch.arange(0, n, 2) / n))

            def build():
                return Rotary(8)
            """,
            target="build",
        ),
    )

    def check(self, subject: NotRestored) -> Iterator[Finding]:
        if subject.kind is not Kind.BUFFER:
            return
        yield self.finding(
            subject.place,
            _message(subject),
            evidence=[Evidence(subject.observer, seen(subject))],
            severity=Severity.WARNING if subject.observer is Observer.PROBE else self.severity,
            model=subject.model,
            parameter=subject.name,
        )


def _message(subject: NotRestored) -> str:
    if subject.loader:
        return (
            f"the constructor leaves buffer `{subject.name}` uninitialized if the parameters are on the meta device, as where "
            "a loader fills them from a checkpoint, which does not hold the buffer; compute it in any case"
        )
    if subject.other is not None or subject.tied is not None:
        return otherwise(subject)
    return (
        f"only the constructor computes buffer `{subject.name}`, and {without(subject)}: in "
        f"{built(subject)}, it stays uninitialized"
    )
