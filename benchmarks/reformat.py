"""Lay releases out in other ways, and compare what is found with what is found in them as they are.

    python benchmarks/reformat.py WHEEL... > benchmarks/results/reformat.md

Only the place of a finding may change. What is only in one of the two goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from initaudit import __version__

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from relayout import WAYS, WIDTHS, formatted, laid_out, told

FLAGS = ("--select", "ALL", "--preview", "--isolated", "--no-cache", "-j", "1", "--output-format", "json")
Found = Counter[tuple[str, str, str]]


def found(folder: Path) -> Found:
    """What is found below a folder: the file, the code, and what is said, however the code in it is laid out."""
    command = [sys.executable, "-m", "initaudit", "check", str(folder), *FLAGS]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode not in (0, 1):
        raise SystemExit(outcome.stderr)
    seen = json.loads(outcome.stdout)
    return Counter((str(Path(one["filename"]).relative_to(folder)), one["code"], told(one["message"])) for one in seen)


def unpacked(wheel: str, folder: Path) -> dict[str, str]:
    """Write the Python files of a wheel below a folder; return their texts by their names."""
    texts = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                texts[name] = archive.read(name).decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    written(texts, folder)
    return texts


def written(texts: dict[str, str], folder: Path) -> None:
    """Write texts below a folder."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))


def layouts(texts: dict[str, str], folder: Path) -> Iterator[tuple[str, int]]:
    """Write texts below a folder in each way in turn; yield the way, and how many files it changes."""
    for width in WIDTHS:
        written(texts, folder)
        formatted(folder, width)
        changed = sum(
            (folder / name).read_bytes() != text.encode("utf-8", "surrogateescape") for name, text in texts.items()
        )
        yield f"ruff format, {width} columns", changed
    for way in WAYS:
        changed_texts = {name: laid_out(text, way) for name, text in texts.items()}
        written(changed_texts, folder)
        yield way, sum(changed_texts[name] != text for name, text in texts.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheels", nargs="+", metavar="WHEEL")
    sys.setrecursionlimit(6000)
    print("# The same releases laid out otherwise\n")
    print(f"initaudit {__version__}, every rule; `python benchmarks/reformat.py WHEEL...`\n")
    print("| release | layout | files changed | findings as written | lost | new |")
    print("|---|---|---|---|---|---|")
    for wheel in parser.parse_args().wheels:
        release = "-".join(Path(wheel).name.split("-")[:2])
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place).resolve() / "release"
            texts = unpacked(wheel, folder)
            before = found(folder)
            for way, changed in layouts(texts, folder):
                after = found(folder)
                lost, new = before - after, after - before
                print(
                    "|", " | ".join(map(str, (release, way, changed, before.total(), lost.total(), new.total()))), "|"
                )
                sys.stdout.flush()
                for sign, one in [("-", one) for one in sorted(lost)] + [("+", one) for one in sorted(new)]:
                    print(release, way, sign, *one, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
