"""How long initaudit takes on large packages, cold and warm, beside ruff on the same files, in one interleaved run.

    python benchmarks/speed.py transformers==5.23.0 timm==1.0.31 --rounds 5 --output benchmarks/results/speed.md

Releases are downloaded and unpacked, never installed; a path is taken as it is. ruff runs two rules that look at every
file (F821 resolves names, B018 looks for useless expressions) and no cache. Times are medians of wall-clock seconds;
everyone runs once a round, so that a slow minute of the machine slows all. Memory is the largest sum over a process and
its children, sampled in a run of its own. The profile counts, a hundred times a second of processor time, in which
module of initaudit a cold run in one process is.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import psutil
from corpus import CACHE, unpacked

RELEASES = ("transformers==5.23.0", "timm==1.0.31")
SAMPLES_PER_SECOND = 50
PROFILED = 14
"""Modules that the profile names."""
OWN = ("-m", "initaudit", "check", "--isolated", "--quiet", "--exit-zero")


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


def contenders(trees: Sequence[str]) -> list[Contender]:
    """ruff, initaudit without its cache, and initaudit with what the run before it left there."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--exit-zero"]
    return [
        Contender("ruff F821,B018", [*ruff, "--select", "F821,B018", "--no-cache", *trees]),
        Contender("initaudit, cold", [sys.executable, *OWN, "--no-cache", *trees]),
        Contender("initaudit, warm", [sys.executable, *OWN, *trees]),
    ]


def starting() -> list[Contender]:
    """Python alone, and with the command line imported."""
    return [
        Contender("Python", [sys.executable, "-c", "pass"]),
        Contender("Python, and initaudit's command line", [sys.executable, "-c", "import initaudit.cli"]),
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


def python_files(trees: Sequence[str]) -> list[Path]:
    return [file for tree in trees for file in ([Path(tree)] if tree.endswith(".py") else Path(tree).rglob("*.py"))]


def reading(files: Sequence[Path]) -> tuple[float, int, int]:
    """Seconds that it takes to read the files, their lines, and their bytes: nobody is faster than that."""
    began = time.perf_counter()
    contents = [file.read_bytes() for file in files]
    seconds = time.perf_counter() - began
    return seconds, sum(raw.count(b"\n") for raw in contents), sum(map(len, contents))


# The profile


def profile(trees: Sequence[str], folder: Path) -> tuple[float, dict[str, float]]:
    """Processor seconds of a cold run in one process, and the share of each module of initaudit."""
    command = [sys.executable, str(Path(__file__).resolve()), "--sample", *trees]
    ran = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    seconds, shares = json.loads(ran.stdout.splitlines()[-1])
    return seconds, shares


def sample(trees: Sequence[str]) -> None:
    """Run the analyzer in this process, and print where it was."""
    from initaudit.cli import main

    counts: collections.Counter[str] = collections.Counter()

    def look(_: int, frame: FrameType | None) -> None:
        while frame is not None and "/initaudit/" not in frame.f_code.co_filename:
            frame = frame.f_back
        name = frame.f_code.co_filename.rpartition("/initaudit/")[2].removesuffix(".py") if frame else "starting"
        counts[name.replace("/", ".")] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
    with tempfile.NamedTemporaryFile() as output:
        sys.argv = ["initaudit", *OWN[2:], "--no-cache", "-j", "1", "--output-file", output.name, *trees]
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    total = counts.total()
    print(json.dumps([time.process_time(), {name: count / total for name, count in counts.most_common(PROFILED)}]))


# The report


def report(
    title: str,
    trees: Sequence[str],
    ran: Sequence[Contender],
    started: Sequence[Contender],
    profiled: tuple[float, dict[str, float]],
) -> Iterator[str]:
    files = python_files(trees)
    floor, lines, size = reading(files)
    baseline, rounds = ran[0], len(ran[0].seconds)
    yield f"{title}: {len(files):,} files, {lines:,} lines; default rules, medians of {rounds} interleaved rounds"
    yield ""
    yield "| run | seconds | times ruff | lines a second | peak memory |"
    yield "|---|---|---|---|---|"
    for each in ran:
        yield (
            f"| {each.name} | {each.median:.2f} ({min(each.seconds):.2f}-{max(each.seconds):.2f}) "
            f"| {each.median / baseline.median:.1f} | {lines / each.median:,.0f} | {each.peak_bytes / 2**20:,.0f} MB |"
        )
    yield ""
    yield f"The floor: reading the {size / 2**20:,.0f} MB takes {floor:.2f} seconds in one process."
    alone, imported = started
    yield (
        f"Importing the command line takes {1000 * (imported.median - alone.median):.0f} ms more than the "
        f"{1000 * alone.median:.0f} ms of Python alone."
    )
    yield ""
    seconds, shares = profiled
    yield f"A cold run in one process takes {seconds:.1f} seconds of processor time. It is in"
    yield ""
    yield "| module | share |"
    yield "|---|---|"
    for name, share in shares.items():
        yield f"| {name} | {share:.1%} |"
    yield ""
    yield (
        f"initaudit {own_version()}, ruff {version('ruff')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


def own_version() -> str:
    from initaudit import __version__

    return __version__


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trees", nargs="*", default=RELEASES, metavar="PACKAGE==VERSION|PATH")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where wheels are kept and unpacked")
    parser.add_argument("--output", type=Path, help="also write the report to this file")
    parser.add_argument("--sample", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sample:
        sample(arguments.trees)
        return
    trees = [
        str((unpacked(*tree.split("==", 1), arguments.cache) if "==" in tree else Path(tree)).resolve())
        for tree in arguments.trees
    ]
    ran, started = contenders(trees), starting()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ran:
            each.peak_bytes = peak(each, folder)  # also warms the caches, ours and the file system's
        for _ in range(arguments.rounds):
            for each in (*ran, *started):
                each.seconds.append(timed(each, folder))
        profiled = profile(trees, folder)
    title = " + ".join(Path(tree).name for tree in arguments.trees)
    text = "\n".join(report(title, trees, ran, started, profiled)) + "\n"
    print(text, end="")
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
