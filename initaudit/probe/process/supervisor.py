"""The supervisor between a probe and its worker: however the probe ends, no process of the worker outlives it.

Runs as a program of its own, on the standard library alone, so that it starts quickly: supervisor.py ROOT FOLDER
COMMAND... Its standard input is a pipe that the probe holds open. When that is closed, by the probe or by its death,
or when the worker ends, it ends all descendants of the worker: on Linux also those that left its session or lost
their parent, elsewhere those that still have one. When the probe is dead it removes ROOT too. In FOLDER it leaves the
exit code and the last of what was printed.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

TAIL = 65_536
"""Bytes of each stream that are kept."""
LOOK = 1.0
"""Seconds between two looks whether the probe still lives, in case its pipe was inherited by another process."""
PATIENCE = 10.0
"""Seconds that processes have to be gone after they were killed."""
FAREWELL = 3.0
"""Seconds for which a supervisor that was asked to end looks whether the probe ends too."""
SET_PARENT_DEATH_SIGNAL, SET_CHILD_SUBREAPER = 1, 36
"""Options of ``prctl``."""


class Supervisor:
    """One worker, what it prints, and the probe it belongs to."""

    def __init__(self, root: Path, folder: Path, command: list[str]) -> None:
        self.root = root
        self.folder = folder
        self.command = command
        self.probe = os.getppid()
        self.tails = {"output": b"", "errors": b""}
        self.printed = dict.fromkeys(self.tails, 0)

    def run(self) -> None:
        """Run the worker until it ends, or the probe wants it to."""
        prctl(SET_CHILD_SUBREAPER, 1)
        prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        woken, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        streams = {name: os.pipe() for name in self.tails}
        worker = self.start({name: into for name, (_, into) in streams.items()})
        for _, into in streams.values():
            os.close(into)
        reading = {out: name for name, (out, _) in streams.items()}
        code, asked = None, False
        while code is None and os.getppid() == self.probe:
            ready, _, _ = select.select([0, woken, *reading], [], [], LOOK)
            if 0 in ready and not os.read(0, 1):
                break
            asked = woken in ready and signal.SIGTERM in os.read(woken, 64)
            if asked:
                break
            for out in [one for one in ready if one in reading]:
                if not self.read(out, reading[out]):
                    del reading[out]
            code = ended(worker)
        self.end()
        for out, name in reading.items():
            os.set_blocking(out, False)
            with contextlib.suppress(BlockingIOError):
                while self.read(out, name):
                    pass
        if asked:
            self.await_probe()
        if os.getppid() != self.probe:
            shutil.rmtree(self.root, ignore_errors=True)
            return
        for name, tail in self.tails.items():
            cut = self.printed[name] - len(tail)
            said = f"[{cut:,} bytes before this are left out]\n".encode() if cut else b""
            (self.folder / name).write_bytes(said + tail)
        if code is not None:
            (self.folder / "code").write_text(str(code), encoding="utf-8")

    def start(self, streams: dict[str, int]) -> int:
        """Start the worker in a session of its own."""
        worker = os.fork()
        if worker:
            return worker
        try:
            os.setsid()
            prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for descriptor, source in enumerate((os.open(os.devnull, os.O_RDONLY), *streams.values())):
                os.dup2(source, descriptor)
            os.execv(self.command[0], self.command)
        finally:
            os._exit(127)

    def read(self, out: int, name: str) -> bool:
        """Take in what was printed; whether there may be more."""
        chunk = os.read(out, TAIL)
        self.tails[name] = (self.tails[name] + chunk)[-TAIL:]
        self.printed[name] += len(chunk)
        return bool(chunk)

    def await_probe(self) -> None:
        """Wait a while for the probe to die: whoever ends this process often sends that one a signal too."""
        until = time.monotonic() + FAREWELL
        while os.getppid() == self.probe and time.monotonic() < until:
            time.sleep(0.02)

    def end(self) -> None:
        """End the worker and all that it started; those that are born meanwhile as well."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            left = list(descendants())
            for process in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if not left:
                return
            time.sleep(0.005)


def ended(worker: int) -> int | None:
    """Return the exit code of the worker once it has ended; whoever else ended is let go."""
    with contextlib.suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == worker:
                return os.waitstatus_to_exitcode(status)
            if not process:
                break
    return None


def descendants() -> Iterator[int]:
    """Yield the processes below this one that run, from the top down."""
    below: dict[int, list[int]] = {}
    for process, parent in processes():
        below.setdefault(parent, []).append(process)
    found = [os.getpid()]
    for one in found:
        found.extend(below.get(one, ()))
    yield from found[1:]


def processes() -> Iterator[tuple[int, int]]:
    """Yield every process that runs, with its parent."""
    if not Path("/proc/self").is_dir():
        with os.popen("ps -A -o pid=,ppid=") as listed:
            for line in listed:
                process, parent = map(int, line.split())
                yield process, parent
        return
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, parent_name = (folder / "stat").read_text("latin-1").rpartition(")")[2].split()[:2]
            except (OSError, ValueError):  # it ended
                continue
            if state not in "ZX":
                yield int(folder.name), int(parent_name)


def prctl(option: int, value: int) -> None:
    """Ask Linux for something that concerns this process; elsewhere there is nothing to ask for."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    Supervisor(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]).run()
