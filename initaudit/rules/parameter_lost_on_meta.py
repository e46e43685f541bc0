"""INI105: a parameter that only the constructor initializes, so that a model built on the meta device loses it."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import BOTH, Default, Example, Rule
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.timeline import Kind

SHOWN_PATHS = 3


class ParameterLostOnMeta(Rule[NotRestored]):
    """
    ## What it does
    Reports a parameter that the constructor of its class initializes, but the initializer that runs again later does not: the
    class's own `reset_parameters`, or the framework's `_init_weights`. A parameter is also reported if the initializer skips
    it when it is a `DTensor`, as the parameters of a sharded model are.

    `initaudit probe TARGET --replay` builds the model on the meta device, calls `to_empty()`, and initializes it again as its
    framework does. A parameter is reported if it is still uninitialized then (a warning), is no longer tied to another one (a
    warning), or gets other values than from the constructor, such as torch's default scale (a note).

    ## Why is this bad?
    Large models are built on the meta device, get their memory from `to_empty()`, and are initialized by calling
    `reset_parameters` or `_init_weights` on each module. FSDP does this, and so does loading a checkpoint that lacks the
    parameter. The values from the constructor are lost by then.

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
    The rule is in preview unless a replay is asked for, and a finding of the analyzer is a note: the source does not say
    whether a model will ever be built on the meta device.

    ## References
    - [torch.nn.Module.to_empty](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.to_empty)
    - [FullyShardedDataParallel, param_init_fn](https://docs.pytorch.org/docs/stable/fsdp.html)
    """

    code = "INI105"
    name = "parameter-lost-on-meta"
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
                f"`{subject.by}` skips `{subject.name}` if it is a `DTensor`: in a sharded model that was built on the meta "
                "device, it stays uninitialized; distribute the values, and write them",
                evidence=[
                    Evidence(subject.observer, f"written only if `{subject.unless}` shows that it is not a `DTensor`")
                ],
                model=subject.model,
                parameter=subject.name,
            )
            return
        proved = subject.observer is Observer.PROBE and subject.other is None
        yield self.finding(
            subject.place,
            f"only the constructor initializes `{subject.name}`, and {without(subject)}: in {built(subject)}, it stays "
            "uninitialized"
            if subject.other is None and subject.tied is None
            else otherwise(subject),
            evidence=[Evidence(subject.observer, seen(subject))],
            severity=Severity.WARNING if proved else self.severity,
            model=subject.model,
            parameter=subject.name,
            group="" if subject.other is None else f"{subject.model}: other values",
        )


def without(subject: NotRestored) -> str:
    """Say what does not initialize it again: "`Scale.reset_parameters` does not", "`Scale` has no `reset_parameters`"."""
    if subject.lacking is not None:
        return f"`{subject.lacking}` has no `reset_parameters`"
    return f"`{subject.by}` does not"


def built(subject: NotRestored) -> str:
    """Say which model it is that loses the values of the constructor."""
    if subject.loaded:
        return "a model that loads a state dict without it"
    if subject.pretrained:
        return "a model that `from_pretrained` loads from a checkpoint without it"
    return "a model that is built on the meta device and gets its memory from `to_empty()`"


def otherwise(subject: NotRestored) -> str:
    """Say what becomes of a tensor that is initialized again, but not as the constructor does it."""
    if subject.tied is not None:
        return f"in {built(subject)}, `{subject.paths[0]}` is no longer tied to `{subject.tied}`; tie them again after `to_empty()`"
    now, was = subject.other or ("", "")
    if subject.loaded:  # hooks of the load may have written it
        return f"in {built(subject)}, `{subject.name}` gets {now}, where the constructor gives {was}"
    return f"in {built(subject)}, `{subject.by}` gives `{subject.name}` {now}, where the constructor gives {was}"


def seen(subject: NotRestored) -> str:
    """Say what the source shows, or what happened to a copy of the model."""
    after = f"after `to_empty()` and `{subject.by}`" if subject.replayed is None else f"replayed: {subject.replayed}"
    if len(subject.paths) > 1:
        shown = ", ".join(subject.paths[:SHOWN_PATHS]) + (", ..." if len(subject.paths) > SHOWN_PATHS else "")
        after = f"{after}; in {len(subject.paths)} places: {shown}"
    if subject.other is not None:
        return f"the values of two seeds differ from those of the constructor; {after}"
    if subject.tied is not None:
        return f"the two have memory of their own; {after}"
    if subject.unwritten is None:
        return f"the constructor writes it, and `{subject.by}` does not"
    unwritten = subject.unwritten
    counted = f"{unwritten.elements} of {unwritten.total} elements were uninitialized"
    return f"{counted} {after}" if subject.replayed is None else f"{counted}; {after}"
