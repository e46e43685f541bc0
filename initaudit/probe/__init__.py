"""Observer 2: builds the model in a child process and sees what really happens. Imports no torch itself.

The child isolates crashes, time-outs and output, not malice: a model that is probed is code that is run.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from initaudit.facts import BuildFailure, Observation
from initaudit.finding import Observer, Place

GRACE = 5.0
"""Seconds that the child has beyond its time limit to say where it hangs."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A model to build: ``package.module:Attr`` or ``path/file.py:Attr``, a class, a factory or an instance.

    ``input_sizes`` are shapes with the batch, one for each positional input; ``timeout`` is in seconds.
    """

    spec: str
    kwargs: dict[str, Any] = {}
    input_sizes: tuple[tuple[int, ...], ...] = ()
    dtype: str | None = None
    timeout: float = 300.0
    seed: int = 0


class TargetError(Exception):
    """A target that cannot be imported, or that is no model: an error of use."""


class ProbeUnavailable(Exception):  # noqa: N818
    """The probe cannot run here, because torch is not installed."""

    def __init__(self) -> None:
        super().__init__("the probe needs torch, which is not installed: pip install 'initaudit[probe]'")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says before it starts to build: where the target is defined."""

    place: Place


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says when it is done: what it saw, or why the target is no target."""

    observation: Observation | None = None
    error: str | None = None


def probe(target: Target) -> Observation:
    """Build the target in a child process and observe it.

    Raises TargetError when it cannot be imported, and ProbeUnavailable without torch. A constructor that raises, hangs or kills its
    process is an observation.
    """
    if importlib.util.find_spec("torch") is None:
        raise ProbeUnavailable
    with tempfile.TemporaryDirectory(prefix="initaudit-") as folder:
        return _Child(target, Path(folder)).run()


class _Child:
    """One run of the worker, and what it left behind."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self.folder = folder

    def run(self) -> Observation:
        (self.folder / "request").write_bytes(msgspec.msgpack.encode(self.target))
        with (self.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "initaudit.probe.worker", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(self.target.timeout + GRACE)
            except subprocess.TimeoutExpired:
                return self.failure("hung", f"did not finish within {self.target.timeout:g} seconds")
            finally:
                _end(process)
        if (self.folder / "answer").exists():
            return self.answer()
        if (self.folder / "hung").exists():
            return self.failure("hung", f"did not finish within {self.target.timeout:g} seconds")
        return self.failure("died", _cause_of_death(code))

    def answer(self) -> Observation:
        answer = msgspec.msgpack.decode((self.folder / "answer").read_bytes(), type=Answer)
        if answer.observation is None:
            raise TargetError(f"{self.target.spec}: {answer.error}")
        return answer.observation

    def failure(self, how: str, detail: str) -> Observation:
        """A build that gave no answer, at the line it was last seen at."""
        if not (self.folder / "progress").exists():
            raise TargetError(f"{self.target.spec}: importing it {detail}{self.last_words()}")
        place = msgspec.msgpack.decode((self.folder / "progress").read_bytes(), type=Progress).place
        place = self.last_line(place) or place
        fact = BuildFailure(place=place, target=self.target.spec, how=how, detail=detail)
        return Observation(observer=Observer.PROBE, source=self.target.spec, facts=(fact,))

    def last_line(self, definition: Place) -> Place | None:
        """The innermost line of the target's file in the stack that the child left."""
        try:
            lines = (self.folder / "trace").read_text(errors="replace").splitlines()
        except OSError:
            return None
        wanted = f'File "{Path(definition.filename).resolve()}", line '
        for line in lines:
            if wanted in line:
                row = int(line.split(wanted)[1].split(" ")[0])
                return Place(definition.filename, row, 1, row, 2)
        return None

    def last_words(self) -> str:
        output = (self.folder / "output").read_text(errors="replace").strip().splitlines()
        return f" ({output[-1]})" if output else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        process.wait()


def _cause_of_death(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended its process with exit code {code}"
