"""INI105: a parameter that has good values after construction, and none after meta -> to_empty() -> initialization."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import BOTH, Default, Example, Rule
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Kind


class ParameterLostOnMeta(Rule[NotRestored]):
    """
    ## What it does
    Reports a parameter that its class's constructor gives values, but that the initializer which runs once more does not
    write: the class's own `reset_parameters`, or the framework's `_init_weights`. And one that the initializer writes unless
    it is a `DTensor`, which is what the parameters of a sharded model are.

    ## Why is this bad?
    Large models are built on the meta device, get memory by `to_empty()`, and are initialized by calling `reset_parameters`
    or `_init_weights` on each module: FSDP does so, and so does loading a checkpoint that lacks the parameter. The
    values of the constructor are gone by then.

    ## Example
    ```python
    class Scale(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(n, n))
            self.gamma = nn.Parameter(torch.ones(n))
            self.reset_parameters()

        def reset_parameters(self):
            nn.init.xavier_uniform_(self.weight)
    ```

    ## Use instead
    ```python
    class Scale(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(n, n))
            self.gamma = nn.Parameter(torch.empty(n))
            self.reset_parameters()

        def reset_parameters(self):
            nn.init.xavier_uniform_(self.weight)
            nn.init.ones_(self.gamma)
    ```

    ## Known problems
    It is a note, and in preview: nothing in the source says whether a model will ever be built on meta.

    ## References
    - [torch.nn.Module.to_empty](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.to_empty)
    - [FullyShardedDataParallel, param_init_fn](https://docs.pytorch.org/docs/stable/fsdp.html)
    """

    code = "INI105"
    name = "parameter-lost-on-meta"
    category = Category.SUSPICIOUS
    severity = Severity.NOTE
    default = Default.PREVIEW
    observers = BOTH
    subject = NotRestored
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(n, n))
                    self.gamma = nn.Parameter(torch.ones(n))
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.weight)

            def build():
                return Scale(4)
            """,
            target="build",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.temperature = nn.Parameter(torch.tensor(0.07).log())

            class Model(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.block = Block(n)

                def init_weights(self, device):
                    self.to_empty(device=device)
                    for module in self.modules():
                        if isinstance(module, nn.Linear):
                            nn.init.normal_(module.weight, std=0.02)
            """
        ),
        Example(
            source="""
            import torch
            from torch import nn
            from torch.distributed.tensor import DTensor

            class Mixer(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.decay = nn.Parameter(torch.zeros(n))

            class Model(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.mixer = Mixer(n)

                def _init_weights(self, module):
                    if isinstance(module, Mixer):
                        with torch.no_grad():
                            if not isinstance(module.decay, DTensor):
                                module.decay.copy_(torch.arange(1, len(module.decay) + 1).log())
                            else:
                                print("a DTensor, skipping initialization")
            """
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.gamma = nn.Parameter(torch.ones(n))
                    self.beta = nn.Parameter(torch.zeros(n))

                def reset_parameters(self):
                    nn.init.ones_(self.gamma)
                    with torch.no_grad():
                        self.beta.zero_()

            def build():
                return Scale(4)
            """,
            target="build",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.gamma = nn.Parameter(torch.ones(n))
            """
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.temperature = nn.Parameter(torch.tensor(0.07).log())

            class Model(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.block = Block(n)

                def init_weights(self, device):
                    self.to_empty(device=device)
                    for module in self.modules():
                        if isinstance(module, Block):
                            nn.init.constant_(module.temperature, -2.66)
            """
        ),
    )

    def check(self, subject: NotRestored) -> Iterator[Finding]:
        if subject.kind is not Kind.PARAMETER:
            return
        if subject.unless is not None:
            yield self.finding(
                subject.place,
                f"`{subject.by}` leaves `{subject.name}` alone when it is a `DTensor`: a sharded model that was built on the "
                "meta device keeps whatever its memory holds; distribute the values, and write them",
                evidence=[
                    Evidence(subject.observer, f"reads as written only if `{subject.unless}` tells that it is none")
                ],
                model=subject.model,
                parameter=subject.name,
            )
            return
        yield self.finding(
            subject.place,
            f"`{subject.name}` gets its values in the constructor alone: `{subject.by}` does not write it, so that a model "
            "built on the meta device and given memory by `to_empty()` keeps whatever that memory holds",
            evidence=[Evidence(subject.observer, seen(subject))],
            severity=Severity.WARNING if subject.observer is Observer.PROBE else self.severity,
            model=subject.model,
            parameter=subject.name,
        )


def seen(subject: NotRestored) -> str:
    """What was read, or what became of a copy."""
    if subject.unwritten is None:
        return f"reads as written by construction, and not by `{subject.by}`"
    unwritten = subject.unwritten
    return (
        f"after `to_empty()` and `{subject.by}`, {unwritten.elements} of {unwritten.total} elements held what the "
        "memory held before"
    )
