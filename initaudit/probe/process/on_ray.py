"""Targets as tasks of a Ray cluster: each is built as here, in a child process of the worker that runs its task.

Whichever node runs a task, the answer is the same: nodes have the same releases, a build may take the same memory
everywhere, and a task whose node dies is run again.
"""

from __future__ import annotations

import logging
import os
import platform
from pathlib import Path
from typing import Any

import msgspec

from initaudit.observation import Headway, Observation, Tell, silent
from initaudit.probe.process.several import Probe, releases
from initaudit.probe.request import READ_OBSERVATION, READ_TARGET, ProbeUnavailable, Target, TargetError

LOOK = 0.5
"""Seconds between two reports that a task is not done."""
RETRIES = 3
"""How often a task is run again whose node or worker died."""


class Cluster:
    """The Ray cluster that this process is connected to: that of ``RAY_ADDRESS``, the running one, or one of its own.

    Raises ProbeUnavailable without Ray, and if no cluster can be reached or none of its nodes has a processor to give.
    """

    def __init__(self) -> None:
        self.ray = _connected()
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        self.nodes = [node for node in alive if node.get("CPU", 0) >= 1]
        if not self.nodes:
            raise ProbeUnavailable("no node of the Ray cluster has a processor to give")

    @property
    def slots(self) -> int:
        """How many models are built at a time: each takes one processor."""
        return int(sum(node["CPU"] for node in self.nodes))

    def share(self, jobs: int) -> int:
        """Bytes that one build may take: the memory for each processor, of the node that has least."""
        return int(min(node.get("memory", 0) / node["CPU"] for node in self.nodes))

    def running(self, probe: Probe) -> Probe:
        """Return a probe that runs another one as a task of the cluster."""

        def build(target: Target, tell: Tell) -> tuple[Observation, bool]:
            largest = max(node.get("memory", 0) for node in self.nodes)
            if target.memory and target.memory > largest:
                raise TargetError(
                    f"{target.spec}: {target.memory / 1e9:.3g} GB of memory are asked for, "
                    f"and no node of the Ray cluster has more than {largest / 1e9:.3g} GB"
                )
            resources = {"num_cpus": 1, "memory": target.memory or 0}
            task = self.ray.remote(max_retries=RETRIES, **resources)(_run)
            asked = task.remote(probe, target.encoded(), str(Path.cwd()), _needed(target))
            answer, finished = self._awaited(asked, target, tell)
            if isinstance(answer, str):
                raise TargetError(answer)
            return READ_OBSERVATION.decode(answer), finished

        return build

    def _awaited(self, task: Any, target: Target, tell: Tell) -> tuple[bytes | str, bool]:
        """Return what a task returns; if the run ends before, so does the task."""
        try:
            while not self.ray.wait([task], timeout=LOOK)[0]:
                tell(Headway(target.spec, "on the Ray cluster"))
            found: tuple[bytes | str, bool] = self.ray.get(task)
        except self.ray.exceptions.RayError as error:
            first = str(error).strip().partition("\n")[0]
            raise TargetError(f"{target.spec}: the Ray cluster did not finish it: {first}") from error
        except BaseException:
            self.ray.cancel(task, force=True)
            raise
        return found


def _connected() -> Any:
    """Return Ray, connected to a cluster."""
    try:
        import ray
    except ImportError:
        raise ProbeUnavailable("--engine ray needs Ray, which is not installed: pip install 'initaudit[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ProbeUnavailable(f"no Ray cluster can be reached: {error}") from error
    return ray


def _needed(target: Target) -> dict[str, str]:
    """Return the releases that a node needs, for its answer to be that of any other."""
    return {"python": platform.python_version(), **releases(target)}


def _run(probe: Probe, request: bytes, folder: str, needed: dict[str, str]) -> tuple[bytes | str, bool]:
    """Build a target on a node; returns the observation or what is wrong, and whether the child came to its end.

    The user's own code is found where it is found here, in the same ``folder``.
    """
    target = READ_TARGET.decode(request)
    found = _needed(target)
    if found != needed:
        other = next(name for name in {**needed, **found} if found.get(name) != needed.get(name))
        here, there = needed.get(other, "none"), found.get(other, "none")
        return f"{target.spec}: the Ray node {platform.node()} has another {other}: {there}, not {here}", False
    try:
        os.chdir(folder)
    except OSError as error:
        return f"{target.spec}: the Ray node {platform.node()} cannot open {folder}: {error.strerror}", False
    try:
        seen, finished = probe(target, silent)
    except (TargetError, ProbeUnavailable) as error:
        return str(error), False
    return msgspec.msgpack.encode(seen), finished
