"""The parent's side of a probe: starts the worker, waits, and interprets its outcome.

Answers come in files of a private folder, and what the model prints goes into another one, so that nothing the user's
code does to its streams can garble them.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from initaudit.finding import Observer, Place, shortened
from initaudit.observation import Headway, Observation, Tell, silent
from initaudit.probe import announce
from initaudit.probe.files import OWN, displayed, is_user_code
from initaudit.probe.process import memory
from initaudit.probe.request import READ_ANSWER, READ_PROGRESS, Stage, Target, TargetError
from initaudit.probe.unseen import failed
from initaudit.probe.words import visible
from initaudit.subjects.builds import BuildFailure

START = """
import sys
sys.path[:] = [folder for folder in sys.path if folder] + sys.argv[1:2]
from initaudit.probe.process.worker import main
main(sys.argv[2])
"""
"""Starts the worker without the current folder on its path: a user's random.py there is none of torch's business."""
GRACE = 5.0
"""Seconds that the child has beyond its time limit to say where it hangs."""
SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))
LINES = 10
"""Lines of standard error that are shown of a target that could not be imported."""
PATIENCE = 20.0
"""Seconds that the supervisor has to end everything."""
LOOK = 0.1
"""Seconds between two looks at the memory of the child."""
FRAME = re.compile(r'^  File "(?P<filename>.+)", line (?P<row>\d+) in ')
"""A line of what faulthandler writes, innermost frame first."""


class Child:
    """One run of the worker, and what it left behind in its folder."""

    def __init__(self, target: Target, folder: Path, root: Path | None = None, tell: Tell = silent) -> None:
        self.target = target
        self.folder = folder
        self.root = root or folder
        self.tell = tell

    @property
    def finished(self) -> bool:
        """Whether the worker gave an answer, and was neither ended nor killed before."""
        return any(self.folder.glob("**/answer"))

    def run(self) -> Observation:
        """Run the worker to its end, whatever that is, and say what was seen."""
        (self.folder / "request").write_bytes(self.target.encoded())
        limit = self.target.memory or memory.available()
        code, took = self.wait(limit)
        if (self.folder / "answer").exists():
            return self.answer()
        if limit is not None and took > limit:
            if self.target.abstract == "auto" and self.stage() is Stage.BUILDING:
                return self.without_memory()
            return self.unfinished("died", f"took more than {limit / 1e9:.3g} GB of memory, and was ended")
        if code is None or self.trace().startswith("Timeout ("):
            return self.unfinished("hung", f"did not finish within {self.target.timeout:g} seconds")
        return self.unfinished("died", cause_of_death(code))

    def wait(self, limit: int | None) -> tuple[int | None, int]:
        """The exit code of the worker, None when it had to be ended from here, and the bytes that it held last."""
        until = time.monotonic() + self.target.timeout + GRACE
        took = 0
        worker = [sys.executable, "-c", START, str(OWN.parent), str(self.folder)]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", SUPERVISOR, str(self.root), str(self.folder), *worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while time.monotonic() < until and (limit is None or took <= limit):
                self.tell(Headway(self.target.spec, self.doing()))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK)
                    return self.exit_code(), took
                took = memory.resident(process.pid)
            return None, took
        finally:
            end(process)

    def doing(self) -> str:
        """What the worker says that it is doing."""
        with contextlib.suppress(OSError):
            if said := (self.folder / announce.NAME).read_text(encoding="utf-8", errors="replace"):
                return said
        return f"seed {self.target.seed}, {Stage.IMPORTING.value}"

    def exit_code(self) -> int:
        """How the worker ended; as if killed, when the supervisor was before it could say."""
        try:
            return int((self.folder / "code").read_text(encoding="utf-8"))
        except OSError:
            return -signal.SIGKILL

    def stage(self) -> Stage:
        """How far the worker came."""
        if not (self.folder / "progress").exists():
            return Stage.IMPORTING
        return READ_PROGRESS.decode((self.folder / "progress").read_bytes()).stage

    def without_memory(self) -> Observation:
        """Another run, which watches without memory."""
        folder = self.folder / "abstract"
        folder.mkdir()
        return Child(msgspec.structs.replace(self.target, abstract="always"), folder, self.root, self.tell).run()

    def answer(self) -> Observation:
        answer = READ_ANSWER.decode((self.folder / "answer").read_bytes())
        if answer.observation is None:
            raise TargetError(f"{self.target.spec}: {answer.error}{self.said_on_import()}")
        return answer.observation

    def unfinished(self, how: str, detail: str) -> Observation:
        """What is known of a model whose worker gave no answer: it could not be built, or only not be built again."""
        if not (self.folder / "progress").exists():
            raise TargetError(f"{self.target.spec}: {Stage.IMPORTING.value} {detail}{self.last_words()}")
        progress = READ_PROGRESS.decode((self.folder / "progress").read_bytes())
        place = self.last_line() or progress.place
        seen = progress.known or Observation(observer=Observer.PROBE, source=self.target.spec)
        if progress.stage is Stage.BUILDING:
            failure = BuildFailure(place=place, target=self.target.spec, how=how, detail=detail)
            return msgspec.structs.replace(seen, facts=(*seen.facts, failure))
        return failed(self.target, seen, progress.stage, place, detail)

    def trace(self) -> str:
        """The stack that faulthandler left, if it did."""
        try:
            return (self.folder / "trace").read_text(errors="replace")
        except OSError:
            return ""

    def last_line(self) -> Place | None:
        """The innermost line of user code in the main thread when it ended."""
        main_thread = re.split(r"^(?:Current thread|Thread) .*$", self.trace(), flags=re.MULTILINE)[-1]
        return next(_user_lines(main_thread), None)

    def said_on_import(self) -> str:
        """What a target that could not be imported wrote to standard error, its last lines indented."""
        if (self.folder / "progress").exists():
            return ""
        try:
            text = (self.folder / "errors").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = text.strip().splitlines()
        shown = [f"  {shortened(visible(line))}" for line in lines[-LINES:]]
        left = [f"  ({len(lines) - LINES} lines before)"] if len(lines) > LINES else []
        return "\n".join(["\nits standard error:", *left, *shown]) if shown else ""

    def last_words(self) -> str:
        """The end of what was printed, on the stream for errors if anything."""
        for name in ("errors", "output"):
            with contextlib.suppress(OSError):
                lines = (self.folder / name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
                if lines:
                    return f" ({shortened(visible(lines[-1]))})"
        return ""


def _user_lines(stack: str) -> Iterator[Place]:
    for line in stack.splitlines():
        frame = FRAME.match(line)
        if frame is not None and is_user_code(frame["filename"]):
            row = int(frame["row"])
            yield Place(displayed(frame["filename"]), row, 1, row, 2)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the worker and whatever it started."""
    if process.stdin is not None:
        process.stdin.close()  # for which the supervisor waits
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cause_of_death(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"was killed by {name_of_signal(-code)}"
    return f"ended its process with exit code {code}"


def name_of_signal(number: int) -> str:
    """The name of a signal; those for real time are counted from the first."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    first, last = getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", -1)
    return f"SIGRTMIN+{number - first}" if first <= number <= last else f"signal {number}"
