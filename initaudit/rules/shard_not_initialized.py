"""INI803: parts of sharded parameters that a rank never initialized."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.ranks import ShardsLeft


class ShardNotInitialized(Rule[ShardsLeft]):
    """
    ## What it does
    Reports sharded parameters (`DTensor`s) whose parts on a rank nothing writes, where a class or a factory is audited. Of an
    instance, it reports those whose parts on a rank hold a single number each, while other ranks drew theirs, and a sharded model
    without any matrix that was drawn.

    ## Why is this bad?
    The initialization ran on some of the ranks only, or did not run at all: `to_empty()` leaves memory that nothing has written,
    zeros as a rule. Units that begin alike stay alike, and zeros behind zeros never move.

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
    Only `initaudit.audit` sees it, called on every rank. In an instance, memory that nothing wrote and that holds something
    else than one number is not recognised: give a factory. One parameter alone counts from 256 elements of a part on.

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
        verb, their = ("are", "their") if others > 0 else ("is", "its")
        said = f"{names} {verb} sharded, and "
        held = "hold one number each"
        if subject.unwritten:
            held = "change with what fresh memory holds"
            said += (
                f"nothing writes {their} part on {_ranks(subject.ranks)}; initialize the model once `to_empty` has run"
            )
        elif subject.elsewhere:
            left, drew = _ranks(subject.ranks), _ranks(subject.elsewhere)
            said += f"{left} never drew {their} part, while {drew} did; initialize on every rank"
        else:
            said += "no rank drew any matrix of the model: its initialization did not run; call it behind `to_empty`"
        yield self.finding(
            subject.place,
            said,
            evidence=[
                Evidence(
                    Observer.PROBE,
                    f"parts of {len(subject.paths)} parameters {held} on {_ranks(subject.ranks)}",
                )
            ],
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.affects,
        )


def _ranks(ranks: tuple[int, ...]) -> str:
    """The ranks in words: "rank 1", "ranks 1 and 2"."""
    *most, last = map(str, ranks)
    return f"ranks {', '.join(most)} and {last}" if most else f"rank {last}"
