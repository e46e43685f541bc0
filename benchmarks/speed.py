"""How long initaudit takes on a tree, cold and warm, against ruff on the same tree, in one interleaved run.

    python benchmarks/speed.py PATH [--rounds 5] [--output benchmarks/results/speed.md]

ruff runs two rules that look at every file (F821 resolves names, B018 looks for useless expressions) and no cache.
Times are medians of wall-clock seconds; everyone runs once a round, so that a slow minute of the machine slows all.
Memory is the largest sum over a process and its children, sampled in a run of its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil

SAMPLES_PER_SECOND = 50


@dataclass
class Contender:
    """One command, and how it went."""

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def contenders(tree: Path) -> list[Contender]:
    """ruff, initaudit without its cache, and initaudit with what the run before it left there."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--exit-zero"]
    own = [sys.executable, "-m", "initaudit", "check", "--isolated", "--quiet", "--exit-zero"]
    return [
        Contender("ruff F821,B018", [*ruff, "--select", "F821,B018", "--no-cache", str(tree)]),
        Contender("initaudit, cold", [*own, "--no-cache", str(tree)]),
        Contender("initaudit, warm", [*own, str(tree)]),
    ]


def start(contender: Contender, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(contender.command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(contender: Contender, process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{contender.name} exited with {process.returncode}:\n{errors.decode(errors='replace')}")


def timed(contender: Contender, folder: Path) -> float:
    began = time.perf_counter()
    finish(contender, start(contender, folder))
    return time.perf_counter() - began


def peak(contender: Contender, folder: Path) -> int:
    process = start(contender, folder)
    largest = 0
    while process.poll() is None:
        largest = max(largest, resident(process.pid))
        time.sleep(1 / SAMPLES_PER_SECOND)
    finish(contender, process)
    return largest


def resident(pid: int) -> int:
    """Bytes in memory of a process and its descendants; what ends while it is looked at counts as nothing."""
    try:
        root = psutil.Process(pid)
        return sum(memory(process) for process in [root, *root.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def size(tree: Path) -> tuple[int, int]:
    """Python files and lines under a tree."""
    files = [tree] if tree.is_file() else sorted(tree.rglob("*.py"))
    return len(files), sum(file.read_bytes().count(b"\n") for file in files)


def report(tree: Path, ran: list[Contender], rounds: int) -> Iterator[str]:
    files, lines = size(tree)
    baseline = ran[0]
    yield f"`{tree.name}`: {files:,} Python files, {lines:,} lines; medians of {rounds} interleaved rounds"
    yield ""
    yield "| run | seconds | times ruff | lines a second | peak memory |"
    yield "|---|---|---|---|---|"
    for each in ran:
        yield (
            f"| {each.name} | {each.median:.2f} ({min(each.seconds):.2f}-{max(each.seconds):.2f}) "
            f"| {each.median / baseline.median:.1f} | {lines / each.median:,.0f} | {each.peak_bytes / 2**20:,.0f} MB |"
        )
    yield ""
    yield (
        f"initaudit {version('initaudit')}, ruff {version('ruff')}, libcst {version('libcst')}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    ran = contenders(arguments.tree.resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ran:
            each.peak_bytes = peak(each, folder)  # also warms the caches, ours and the file system's
        for _ in range(arguments.rounds):
            for each in ran:
                each.seconds.append(timed(each, folder))
    text = "\n".join(report(arguments.tree, ran, arguments.rounds)) + "\n"
    print(text, end="")
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
