"""The probe: builds the model in a child process and records what happens. Imports no torch itself.

The child isolates crashes, time-outs and output, not malice: a model that is probed is code that is run.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from initaudit.observation import Engine, Observation, Question, Tell, silent
from initaudit.probe.process import on_ray, several
from initaudit.probe.process.child import Child
from initaudit.probe.ranks import launched
from initaudit.probe.request import ProbeUnavailable, Target, TargetError

__all__ = ["ProbeUnavailable", "Target", "TargetError", "probe", "probe_all", "probe_here"]


def probe(target: Target, tell: Tell = silent) -> Observation:
    """Build the target in a child process and observe it.

    Raises TargetError when it cannot be imported, and ProbeUnavailable without torch. A constructor that raises,
    hangs or kills its process is an observation.
    """
    return _probe(target, tell)[0]


def probe_all(
    targets: Sequence[Target],
    *,
    jobs: int | None = None,
    engine: Engine = "local",
    kept: Path | None = None,
    tell: Tell = silent,
) -> Iterator[Observation | TargetError]:
    """Build many targets, ``jobs`` at a time, and yield what became of each, in the order given.

    The ``engine`` builds them in processes of this machine, by default one at a time, or as tasks of a Ray cluster, by
    default as many as it has processors.

    Observations of libraries' models are written to the folder ``kept``, and read from there instead of building them
    again. Raises ProbeUnavailable without torch, or without Ray if that is the engine.

    Ranks that torchrun started build every target together, one at a time, and none from ``kept``.
    """
    if launched.launch() is None:
        if engine == "local" or not targets:
            return several.outcomes(targets, _probe, jobs or 1, kept, tell)
        cluster = on_ray.Cluster()
        return several.outcomes(
            targets, cluster.running(_probe), jobs or cluster.slots, kept, tell, share=cluster.share
        )
    if engine == "ray":
        raise ProbeUnavailable("--engine ray builds each model alone, and torchrun builds it on all ranks: choose one")
    _need_torch()
    return several.outcomes(targets, launched.on_all_ranks(_probe), 1, None, tell)


def _probe(target: Target, tell: Tell) -> tuple[Observation, bool]:
    """Return the observation of a target, and whether the child process came to its end."""
    target.parts()
    _need_torch()
    with tempfile.TemporaryDirectory(prefix="initaudit-") as folder:
        child = Child(target, Path(folder), tell=tell)
        return child.run(), child.finished


def probe_here(
    model: Any, inputs: Any = None, *, questions: frozenset[Question] = frozenset(), **how: Any
) -> Observation:
    """Build in this process what a class or factory builds, and observe it; of an instance, its values.

    ``how`` are further fields of `Target`, such as ``seed`` and ``replay``.

    Raises TargetError for a factory that returns no model, and ProbeUnavailable without torch.
    """
    _need_torch()
    from initaudit.probe.here import observe

    return observe(model, inputs, questions=questions, **how)


def _need_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        raise ProbeUnavailable
