"""INI803: shards of parameters that a rank never initialized."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.ranks import ShardsLeft


class ShardNotInitialized(Rule[ShardsLeft]):
    """
    ## What it does
    Reports sharded parameters (`DTensor`s) whose shards on a rank are never written, when a class or a factory is
    audited. In an instance, it reports parameters whose shards hold a single number each on one rank and random values
    on others, and a sharded model without any randomly initialized matrix.

    ## Why is this bad?
    The initialization ran on some ranks only, or not at all: `to_empty()` leaves uninitialized memory, which is usually
    zero. Units that start identical stay identical, and zero layers one after another get no gradient.

    ## Example
    ```python
    fully_shard(model)
    model.to_empty(device="cuda")
    if dist.get_rank() == 0:
        model.init_weights()
    ```

    ## Use instead
    ```python
    fully_shard(model)
    model.to_empty(device="cuda")
    model.init_weights()
    ```

    ## Known problems
    Only `torchrun -m initaudit probe` and `initaudit.audit`, called on every rank, check this. In an instance,
    uninitialized memory is recognized only if it holds a single number; pass a factory for an exact answer. A single
    parameter counts only if its shard has at least 256 elements.

    ## References
    - [fully_shard](https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html)
    """

    code = "INI803"
    name = "shard-not-initialized"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = PROBE
    subject = ShardsLeft
    invalid = (
        Example(
            source="""
            import torch
            import torch.distributed as dist
            from torch import nn
            from torch.distributed.fsdp import fully_shard

            def build():
                with torch.device("meta"):
                    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
                fully_shard(model)
                model.to_empty(device="cpu")
                for parameter in model.parameters():
                    nn.init.zeros_(parameter)
                if dist.get_rank() == 0:
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
            from torch.distributed.fsdp import fully_shard

            def build():
                with torch.device("meta"):
                    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
                fully_shard(model)
                model.to_empty(device="cpu")
                with torch.no_grad():
                    for parameter in model.parameters():
                        parameter.zero_()
                return model
            """,
            target="build",
            ranks=2,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn
            from torch.distributed.fsdp import fully_shard

            def build():
                torch.manual_seed(0)
                model = nn.Sequential(nn.Embedding(2, 32, padding_idx=1), nn.LayerNorm(32), nn.Linear(32, 4))
                nn.init.zeros_(model[2].weight)
                fully_shard(model)
                return model
            """,
            target="build",
            ranks=2,
        ),
    )

    def check(self, subject: ShardsLeft) -> Iterator[Finding]:
        others = len(subject.affects) - 1
        names = f"`{subject.parameter}`" + (f" and {others} more" if others > 0 else "")
        verb, their = ("are", "their shards") if others > 0 else ("is", "its shard")
        said = f"{names} {verb} sharded, and "
        many = "1 parameter" if len(subject.paths) == 1 else f"{len(subject.paths)} parameters"
        held = "hold a single number each"
        if subject.unwritten:
            held = "depend on the previous contents of memory"
            said += f"nothing writes {their} on {_ranks(subject.ranks)}; initialize the model after `to_empty`"
        elif subject.elsewhere:
            left, drew = _ranks(subject.ranks), _ranks(subject.elsewhere)
            said += f"{left} never drew {their}, but {drew} did; initialize on every rank"
        else:
            said += "no rank drew any matrix of the model: its initialization did not run; call it after `to_empty`"
        yield self.finding(
            subject.place,
            said,
            evidence=[
                Evidence(
                    Observer.PROBE,
                    f"shards of {many} {held} on {_ranks(subject.ranks)}",
                )
            ],
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.affects,
        )


def _ranks(ranks: tuple[int, ...]) -> str:
    """Return ranks as text: "rank 1", "ranks 1 and 2"."""
    *most, last = map(str, ranks)
    return f"ranks {', '.join(most)} and {last}" if most else f"rank {last}"
