"""Find the values of a state dict that a model does not hold after it was loaded.

Two state dicts with other numbers tell a value that was overwritten, which is the same in both, from one that was
computed from what was loaded. That is only wrong where it is done anew to what the model itself saves.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import torch

from initaudit.finding import Place
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.fills import Content, filling
from initaudit.probe.record.poison import Tensors, differing, how_many, rounded
from initaudit.probe.record.readable import has_memory, local_of
from initaudit.probe.record.watch import Watch
from initaudit.probe.replay.checkpoint import Checkpoint
from initaudit.probe.replay.rebuild import Again, Rebuild
from initaudit.subjects.lost_on_meta import ChangedOnLoad


def changed_on_load(
    rebuild: Rebuild, loaded: Checkpoint, first: Again, timelines: Timelines, seed: int
) -> Iterator[ChangedOnLoad]:
    """Compare what was loaded with what a model holds; ``first`` was loaded from that state dict."""
    changed = {path: mask for path in loaded.state if how_many(mask := _changed(path, loaded.state, first.state))}
    if not changed:
        return
    others = loaded.with_other_values(seed + 1)
    other = rebuild.again(seed, Content.DOWN, others).state
    saved = msgspec.structs.replace(loaded, state={key: first.state[key] for key in loaded.state if key in first.state})
    again = rebuild.again(seed, Content.DOWN, saved).state
    watch = Watch(filling(Content.DOWN))
    watched = rebuild.again(seed, Content.DOWN, loaded, watch)
    for path, mask in changed.items():
        same = ~differing(first.state[path], other.get(path))
        overwritten = bool((mask & same).any()) and how_many(mask & same) == how_many(mask)
        varied = how_many(differing(loaded.state[path], others.state[path])) > 0
        if overwritten and not varied:
            continue  # an integer, say, of which only one value was loaded
        if not overwritten and not how_many(_changed(path, first.state, again)):
            continue  # a conversion, which leaves alone what the model saves
        declared = timelines.declared.get(path)
        if declared is not None:
            yield ChangedOnLoad(
                place=_written(watch, watched.tensors[path]) or timelines.written_at(path),
                model=declared.model,
                name=declared.name,
                overwritten=overwritten,
                elements=how_many(mask),
                total=mask.numel(),
                loaded=first.said,
                paths=(path,),
            )


def _changed(path: str, loaded: Tensors, held: Tensors) -> torch.Tensor:
    """Which elements are not those that were loaded, in the type of the model."""
    value, tensor = loaded.get(path), held.get(path)
    nothing = torch.zeros((), dtype=torch.bool)
    if value is None or tensor is None or value.shape != tensor.shape or not (has_memory(value) and has_memory(tensor)):
        return nothing.expand(tensor.numel() if tensor is not None else 0)
    value = local_of(value).detach().to(tensor.dtype)
    if rounded(value, local_of(tensor)):
        return nothing.expand(tensor.numel())
    return differing(value, tensor)


def _written(watch: Watch, tensor: torch.Tensor) -> Place | None:
    """The line of user code that wrote a tensor last."""
    record = watch.record_of(tensor)
    writers = [write.caused.writer for write in record.writes] if record is not None else []
    return next((writer.place for writer in reversed(writers) if writer is not None), None)
