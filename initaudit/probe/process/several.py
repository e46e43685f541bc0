"""Many targets: some at a time, each in a child process of its own, and none that an earlier run has finished."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import importlib.metadata
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from initaudit.observation import Headway, Observation, Tell
from initaudit.probe.process import memory
from initaudit.probe.process.zoos import LIBRARIES
from initaudit.probe.request import READ_OBSERVATION, Target, TargetError
from initaudit.sources import files
from initaudit.version import own_digest

Probe = Callable[[Target, Tell], tuple[Observation, bool]]
"""Builds a target in a child process; also returns whether the child came to its end."""
Outcome = Observation | TargetError


def outcomes(
    targets: Sequence[Target],
    probe: Probe,
    jobs: int,
    kept: Path | None,
    tell: Tell,
    share: Callable[[int], int | None] = memory.share,
) -> Iterator[Outcome]:
    """Yield what became of each target, in the order given, however many are built at a time.

    ``share`` says how many bytes each may take, of so many at a time, if the target does not say.
    """
    jobs = min(jobs, len(targets))
    several = _Several(probe, len(targets), kept, share(jobs), tell)
    if jobs <= 1:
        yield from map(several.outcome, targets)
        return
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(several.outcome, targets)
        except BaseException:
            several.interrupted.set()
            pool.shutdown(cancel_futures=True)
            raise


class _Interrupted(Exception):  # noqa: N818 (it is no error)
    """The run ends while a child is at work."""


class _Several:
    """The targets of one run, and how many of them are done."""

    def __init__(self, probe: Probe, total: int, kept: Path | None, share: int | None, tell: Tell) -> None:
        self.probe = probe
        self.total = total
        self.kept = kept
        self.share = share
        self.tell = tell
        self.done = 0
        self.lock = threading.Lock()
        self.interrupted = threading.Event()

    def outcome(self, target: Target) -> Outcome:
        file = None if self.kept is None else file_for(target, self.kept)
        found = _read(file) or self._built(target, file)
        with self.lock:
            self.done += 1
        return found

    def _built(self, target: Target, file: Path | None) -> Outcome:
        limited = target if target.memory else msgspec.structs.replace(target, memory=self.share)
        try:
            seen, finished = self.probe(limited, self._told)
        except TargetError as error:
            return error
        if file is not None and finished:
            file.parent.mkdir(parents=True, exist_ok=True)
            files.replace(file, msgspec.msgpack.encode(seen))
        return seen

    def _told(self, headway: Headway) -> None:
        """Report the progress of one target; raises to end its child when the run ends."""
        if self.interrupted.is_set():
            raise _Interrupted
        with self.lock:
            self.tell(msgspec.structs.replace(headway, done=self.done, total=self.total))


def file_for(target: Target, folder: Path) -> Path | None:
    """Return the file in which the observation of a library's model is kept: for one request and these releases.

    None for a target that runs the user's own code, since nothing tells whether that is still the same.
    """
    library, _, name = target.spec.partition(":")
    if library not in LIBRARIES or target.input_data or target.reinit or target.state_dict:
        return None
    asked = msgspec.structs.replace(target, timeout=0.0, root=None)
    key = msgspec.json.encode((asked, releases(target)), order="deterministic")
    plain = "".join(one if one.isalnum() or one in "-_." else "_" for one in name)
    return folder / f"{library}-{plain}-{hashlib.sha256(key).hexdigest()[:16]}.msgpack"


def releases(target: Target) -> dict[str, str]:
    """Return the installed releases on which an observation of a target depends; of initaudit itself, a digest."""
    library = LIBRARIES.get(target.spec.partition(":")[0])
    found = {"initaudit": own_digest()}
    for package in filter(None, (library, "torch")):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _read(file: Path | None) -> Observation | None:
    """Return what is kept in a file; None where nothing is, or something else."""
    if file is None:
        return None
    try:
        return READ_OBSERVATION.decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
