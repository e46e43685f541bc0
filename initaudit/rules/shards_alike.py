"""INI802: ranks that drew the same values for different shards of a parameter."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.ranks import ShardsAlike


class ShardsDrawnAlike(Rule[ShardsAlike]):
    """
    ## What it does
    Reports a sharded parameter (a `DTensor`) whose shards on two ranks are random and bitwise equal.

    ## Why is this bad?
    Each rank drew its shard from the same seed, so the values of the full parameter repeat. Units that start identical
    and are used identically stay identical: the layer has fewer distinct units than its size suggests.

    ## Example
    ```python
    torch.manual_seed(0)
    nn.init.normal_(layer.weight.to_local(), std=0.02)
    ```

    ## Use instead
    ```python
    torch.manual_seed(dist.get_rank())
    nn.init.normal_(layer.weight.to_local(), std=0.02)
    ```
    or draw the full tensor from one seed and distribute it.

    ## Known problems
    Only `torchrun -m initaudit probe` and `initaudit.audit`, called on every rank, check this. A factory that leaves
    seeds to its caller is not judged. Shards with fewer than 256 elements are not judged, because it is unclear whether
    their values are random. Copies can be intended, for example when all experts of a mixture start from one dense
    layer.

    ## References
    - [torch.distributed.tensor](https://docs.pytorch.org/docs/stable/distributed.tensor.html)
    """

    code = "INI802"
    name = "shards-alike"
    category = Category.CORRECTNESS
    severity = Severity.WARNING
    observers = PROBE
    subject = ShardsAlike
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn
            from torch.distributed.fsdp import fully_shard

            def build():
                with torch.device("meta"):
                    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
                fully_shard(model)
                model.to_empty(device="cpu")
                torch.manual_seed(0)
                for parameter in model.parameters():
                    nn.init.normal_(parameter.to_local(), std=0.02)
                return model
            """,
            target="build",
            ranks=2,
        ),
        Example(
            source="""
            import torch
            from torch import nn
            from torch.distributed.device_mesh import init_device_mesh
            from torch.distributed.tensor import DTensor, Shard

            class Column(nn.Module):
                def __init__(self, inputs, outputs, mesh):
                    super().__init__()
                    local = torch.empty(outputs // mesh.size(), inputs)
                    nn.init.xavier_uniform_(local)
                    self.weight = nn.Parameter(DTensor.from_local(local, mesh, [Shard(0)]))

            def build():
                torch.manual_seed(0)
                return Column(32, 64, init_device_mesh("cpu", (2,)))
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
            from torch.distributed.fsdp import fully_shard

            def build():
                with torch.device("meta"):
                    model = nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.Linear(64, 32))
                fully_shard(model)
                model.to_empty(device="cpu")
                torch.manual_seed(dist.get_rank())
                for parameter in (model[0].weight, model[2].weight):
                    nn.init.normal_(parameter.to_local(), std=0.02)
                for parameter in (model[0].bias, model[1].bias, model[2].bias):
                    nn.init.zeros_(parameter)
                nn.init.ones_(model[1].weight)
                return model
            """,
            target="build",
            ranks=2,
        ),
    )

    def check(self, subject: ShardsAlike) -> Iterator[Finding]:
        others = len(subject.affects) - 1
        names = f"`{subject.parameter}`" + (f" and {others} more" if others > 0 else "")
        verb, their = ("are", "their") if others > 0 else ("is", "its")
        one, two = subject.ranks
        many = "1 parameter" if len(subject.paths) == 1 else f"{len(subject.paths)} parameters"
        yield self.finding(
            subject.place,
            f"{names} {verb} sharded, but ranks {one} and {two} drew the same values for {their} shards; "
            "use a different seed on each rank, or draw the full tensor and distribute it",
            evidence=[Evidence(Observer.PROBE, f"the shards of {many} are bitwise equal")],
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.affects,
        )
