"""Read every file of some releases twice, with Python's own parser and with libcst, and compare what is seen.

    python benchmarks/readings.py WHEEL... > benchmarks/results/readings.md

A run reads with Python's parser, and with libcst only what has something to report. Here the second reading reads all
slices with libcst: places, names and facts have to be the same. What differs goes to stderr.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

from initaudit import __version__
from initaudit.analyzer import analyze
from initaudit.analyzer.file import module
from initaudit.finding import Observer
from initaudit.observation import Observation
from initaudit.rules import catalogue, questions


def seen(files: list[str], *, losslessly: bool) -> dict[str, Observation]:
    """What is seen in each file; with libcst alone, if that is wanted."""
    parsed = module.parsed
    if losslessly:
        module.parsed = module.losslessly
    try:
        asked = questions(catalogue().values(), Observer.ANALYZER)
        return {each.source: each for each in analyze(files, questions=asked, jobs=1)}
    finally:
        module.parsed = parsed


def compared(wheel: str) -> tuple[int, int, int]:
    """The number of files of a release, of those in which something is seen, and of those in which it differs."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.endswith(".py")])
        files = sorted(map(str, Path(folder).resolve().rglob("*.py")))
        quick, lossless = seen(files, losslessly=False), seen(files, losslessly=True)
    differ = [name for name in files if quick.get(name) != lossless.get(name)]
    for name in differ:
        print(name, quick.get(name), lossless.get(name), sep="\n  ", file=sys.stderr)
    return len(files), sum(each.says_something for each in quick.values()), len(differ)


def main() -> None:
    print("# Python's reading against libcst's\n")
    print(f"initaudit {__version__}, every rule; `python benchmarks/readings.py WHEEL...`\n")
    print("| release | files | with something to judge | seen differently |")
    print("|---|---|---|---|")
    for wheel in sys.argv[1:]:
        release = "-".join(Path(wheel).name.split("-")[:2])
        print("|", " | ".join(map(str, (release, *compared(wheel)))), "|", flush=True)


if __name__ == "__main__":
    main()
