"""INI801: replicas of a parameter that differ between ranks."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.ranks import Copies, ReplicasDiffer

SEVERITIES = {
    Copies.WRAPPED: Severity.ERROR,
    Copies.REPLICATED: Severity.ERROR,
    Copies.BESIDE: Severity.WARNING,
    Copies.PLAIN: Severity.NOTE,
}
REASONS = {
    Copies.WRAPPED: "`DistributedDataParallel` averages gradients, which keeps the difference; initialize before wrapping the model",
    Copies.REPLICATED: "its placement is `Replicate`, but its values are not replicated; "
    "draw it from the same seed on these ranks, or broadcast it",
    Copies.BESIDE: "unlike other parameters of the model it is not sharded, so it should be the same everywhere; "
    "draw it from the same seed on these ranks, or broadcast it",
    Copies.PLAIN: "each rank trains its own model, unless a wrapper such as `DistributedDataParallel` copies the values of "
    "one rank; use the same seed on all ranks",
}


class ReplicasDiffering(Rule[ReplicasDiffer]):
    """
    ## What it does
    Reports parameters and random buffers that should be replicas but differ between ranks: in a module that
    `DistributedDataParallel` wraps, in a `DTensor` placed with `Replicate`, and in plain tensors next to `DTensor`s. In
    a plain module the finding is a note.

    ## Why is this bad?
    Replicas get the same gradients, so they stay as different as they start. The ranks then train different models, and
    a checkpoint holds only one of them.

    ## Example
    ```python
    model = DistributedDataParallel(Net())
    torch.manual_seed(rank)
    model.apply(init_weights)
    ```

    ## Use instead
    ```python
    model = Net()
    model.apply(init_weights)
    model = DistributedDataParallel(model)
    ```

    ## Known problems
    Only `torchrun -m initaudit probe` and `initaudit.audit` of an instance, called on every rank, check this. Not
    compared are: parameters marked as shards or experts (`tensor_model_parallel`, `allreduce`), parameters that
    `DistributedDataParallel` ignores, running statistics of normalizations, and the flat parameters of FSDP 1. In a
    plain module the finding is a note, because a wrapper may copy the values later, and similar stages of a pipeline
    are meant to differ. There, tensors of fewer than 16 elements, such as the bias of a small layer, are only reported
    together with larger ones: a few numbers may be a setting of each rank.

    ## References
    - [DistributedDataParallel](https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html)
    """

    code = "INI801"
    name = "replicas-differ"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = PROBE
    subject = ReplicasDiffer
    invalid = (
        Example(
            source="""
            import torch
            import torch.distributed as dist
            from torch import nn
            from torch.nn.parallel import DistributedDataParallel

            def build():
                model = DistributedDataParallel(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4)))
                torch.manual_seed(dist.get_rank())
                nn.init.normal_(model.module[0].weight, std=0.02)
                return model
            """,
            target="build",
            ranks=2,
        ),
        Example(
            source="""
            import torch
            import torch.distributed as dist
            from torch import nn

            def build():
                torch.manual_seed(dist.get_rank())
                return nn.Linear(32, 32)
            """,
            target="build",
            ranks=2,
        ),
        Example(
            source="""
            import torch
            import torch.distributed as dist
            from torch import nn
            from torch.distributed.device_mesh import init_device_mesh
            from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

            def build():
                torch.manual_seed(dist.get_rank())
                model = nn.Sequential(nn.Embedding(16, 32), nn.Linear(32, 32), nn.Linear(32, 32))
                plan = {"1": ColwiseParallel(), "2": RowwiseParallel()}
                return parallelize_module(model, init_device_mesh("cpu", (2,)), plan)
            """,
            target="build",
            ranks=2,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            import torch.distributed as dist
            from torch import nn
            from torch.nn.parallel import DistributedDataParallel

            def build():
                torch.manual_seed(dist.get_rank())
                return DistributedDataParallel(nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4)))
            """,
            target="build",
            ranks=2,
        ),
    )

    def check(self, subject: ReplicasDiffer) -> Iterator[Finding]:
        others = len(subject.affects) - 1
        names = f"`{subject.parameter}`" + (f" and {others} more" if others > 0 else "")
        verb = "differ" if others > 0 else "differs"
        one, two = subject.ranks
        tensors = "1 tensor differs" if len(subject.paths) == 1 else f"{len(subject.paths)} tensors differ"
        yield self.finding(
            subject.place,
            f"{names} {verb} between ranks {one} and {two}: {REASONS[subject.why]}",
            evidence=[Evidence(Observer.PROBE, f"{tensors} between the ranks")],
            severity=SEVERITIES[subject.why],
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.affects,
        )
