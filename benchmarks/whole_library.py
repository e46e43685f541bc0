"""Build every model of a library without memory, and count what was audited, in what time and in how much memory.

    python benchmarks/whole_library.py transformers --kept FOLDER --output benchmarks/results/whole_library.csv
    python benchmarks/whole_library.py transformers --shard 5/20 --kept FOLDER --killed 10

The first runs ``initaudit probe --zoo``, and writes one row for each model. Models that were not built are built once
more, plainly, on the meta device: those that this builds should have been audited. The second runs one shard twice in
two folders, once to its end, and once killed by SIGKILL after so many models and then resumed, and compares what was
written byte for byte. Needs torch, psutil and the library, and no network.
"""

from __future__ import annotations

import argparse
import collections
import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

PLAIN = """
import sys
import torch
from initaudit.probe.request import Target
from initaudit.probe.target.resolve import resolve
with torch.device("meta"):
    resolve(Target(spec=sys.argv[1])).build()
"""
OUTPUTS = ("findings.json", "table.json", "messages", "code")


class Row(NamedTuple):
    """What became of one model."""

    model: str
    outcome: str  # "audited", "not built", or "missed": a plain build on the meta device does build it
    tensors: int
    elements: int
    written: int
    unknown: int
    unwritten: int
    findings: str
    reason: str


class Run:
    """One run of the command in a folder, and what it took."""

    def __init__(self, library: str, shard: str | None, timeout: float, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.command = [sys.executable, "-m", "initaudit", "probe", "--zoo", library, "--abstract", "always"]
        self.command += ["--isolated", "--timeout", f"{timeout:g}", "-j", "1", "--resume", "kept"]
        self.command += ["--output-format", "json", "-o", "findings.json", "--table", "table.json", "--show-unknown"]
        self.command += ["--shard", shard] if shard else []
        self.peak = self.largest = 0

    def kept(self) -> int:
        return len(list(self.folder.glob("kept/*")))

    def go(self, enough: Callable[[], bool] = lambda: False) -> float:
        """Run to the end, or until ``enough`` says so; return the seconds."""
        began = time.monotonic()
        with (self.folder / "messages").open("wb") as errors:
            process = subprocess.Popen(self.command, cwd=self.folder, stdout=errors, stderr=errors)
        watch = threading.Thread(target=self.watch, args=(psutil.Process(process.pid),), daemon=True)
        watch.start()
        while process.poll() is None and not enough():
            time.sleep(0.1)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        (self.folder / "code").write_text(f"{process.wait()}\n")
        watch.join()
        return time.monotonic() - began

    def watch(self, process: psutil.Process) -> None:
        """Measure the memory of all processes, what they share divided among them, as long as the first one runs."""
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            try:
                held = [one.memory_full_info().pss for one in (process, *process.children(recursive=True))]
            except (psutil.Error, OSError):
                continue
            self.peak, self.largest = max(self.peak, sum(held)), max(self.largest, max(held))
            time.sleep(0.5)


def rows(folder: Path) -> list[Row]:
    """Return what a run wrote about each model."""
    table = json.loads((folder / "table.json").read_text())
    found: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for one in json.loads((folder / "findings.json").read_text()):
        target = one["message"].partition("`")[2].partition("`")[0] if one["code"] == "INI003" else one["model"]
        found[target].append(one)
    return [row(model, found) for model in table["models"]]


def row(model: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> Row:
    target, tensors = model["target"], model["parameters"]
    failures = [one["message"] for one in found[target] if one["code"] == "INI003"]
    outcome, reason = "audited", ""
    if failures or not tensors:
        reason = " ".join(failures)
        outcome = "missed" if builds_on_meta(target) else "not built"
    coverage = collections.Counter(one["coverage"] for one in tensors)
    classes = {one["model"] for one in tensors}
    findings = sorted(
        {one["code"] for name in classes for one in found.get(name, ()) if one["severity"] in ("error", "warning")}
    )
    elements = sum(product(one["allocation"]["shape"] or ()) for one in tensors if one["allocation"])
    return Row(
        target,
        outcome,
        len(tensors),
        elements,
        coverage["written"],
        coverage["unknown"],
        len(tensors) - coverage["written"] - coverage["unknown"],
        " ".join(findings),
        reason.replace(f"building `{target}` raised ", "")[:200],
    )


def product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def builds_on_meta(target: str) -> bool:
    run = subprocess.run([sys.executable, "-c", PLAIN, target], capture_output=True, check=False, timeout=600)
    return run.returncode == 0


def compare(library: str, shard: str | None, timeout: float, kept: Path, killed: int) -> int:
    """Run a shard to its end, and another time killed and resumed; return 1 if they wrote different bytes."""
    whole, halved = Run(library, shard, timeout, kept / "whole"), Run(library, shard, timeout, kept / "killed")
    print(f"to its end: {whole.go():.0f} s, {whole.kept()} models kept")
    halved.go(lambda: halved.kept() >= killed)
    time.sleep(3)
    left = [
        one.pid for one in psutil.process_iter(["cmdline"]) if str(halved.folder) in " ".join(one.info["cmdline"] or ())
    ]
    print(f"killed by SIGKILL with {halved.kept()} models kept; processes left: {len(left)}")
    print(f"resumed: {halved.go():.0f} s, {halved.kept()} models kept")
    other = [name for name in OUTPUTS if (whole.folder / name).read_bytes() != (halved.folder / name).read_bytes()]
    print(f"different: {', '.join(other) or 'nothing'} (of {', '.join(OUTPUTS)})")
    return int(bool(other))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("library", metavar="LIBRARY", help="transformers, timm, torchvision, or a file of targets")
    parser.add_argument("--kept", type=Path, required=True, metavar="FOLDER", help="where the runs write")
    parser.add_argument("--output", type=Path, metavar="FILE")
    parser.add_argument("--shard", metavar="I/N")
    parser.add_argument("--killed", type=int, metavar="MODELS")
    parser.add_argument("--timeout", type=float, default=300.0)
    arguments = parser.parse_args()
    if arguments.killed:
        sys.exit(compare(arguments.library, arguments.shard, arguments.timeout, arguments.kept, arguments.killed))
    run = Run(arguments.library, arguments.shard, arguments.timeout, arguments.kept)
    before, took = run.kept(), run.go()
    found = rows(arguments.kept)
    if arguments.output:
        with arguments.output.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows(found)
    counts = collections.Counter(one.outcome for one in found)
    share = counts["audited"] / max(counts["audited"] + counts["missed"], 1)
    print(f"{len(found)} models: {dict(counts)}; audited {share:.1%} of the buildable ones")
    print(f"{sum(one.tensors for one in found):,} tensors, {sum(one.elements for one in found):.3g} elements: ", end="")
    for name in ("written", "unknown", "unwritten"):
        print(f"{sum(getattr(one, name) for one in found):,} {name}", end=" ")
    print(f"\nfindings: {dict(collections.Counter(one.findings for one in found if one.findings))}")
    print(f"{took:.0f} s for {run.kept() - before} models; ", end="")
    print(f"peak memory {run.peak / 1e9:.2f} GB, of the largest process {run.largest / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
