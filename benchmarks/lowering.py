"""Lower every file of some releases, and compare each tree with the one that Python's own parser gives.

    python benchmarks/lowering.py WHEEL... > benchmarks/results/lowering.md

Positions are compared too, except inside of formatted strings, where each Python tells them in its own way.
"""

from __future__ import annotations

import ast
import io
import sys
import time
import tokenize
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from initaudit.analyzer.source.lossless import lossless
from initaudit.analyzer.source.snippets import SnippetError

POSITIONS = ("lineno", "col_offset", "end_lineno", "end_col_offset")


@dataclass
class Compared:
    """What came of one release."""

    files: int = 0
    lines: int = 0
    differ: int = 0
    unparsed: int = 0
    refused: int = 0
    python: float = 0.0
    libcst: float = 0.0


def texts(wheel: str) -> Iterator[tuple[str, str]]:
    """Yield the Python files of a wheel, with newlines as ``\\n``."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                raw = archive.read(name)
                encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
                yield name, raw.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def dumped(body: list[ast.stmt]) -> list[str]:
    """Write trees down."""
    for statement in body:
        for string in ast.walk(statement):
            for inner in ast.walk(string) if isinstance(string, ast.JoinedStr) else ():
                for name in POSITIONS if inner is not string else ():
                    if hasattr(inner, name):
                        setattr(inner, name, 0)
    return [ast.dump(each, include_attributes=True) for each in body]


def compare(wheel: str) -> Compared:
    """Read every file of a release twice."""
    found = Compared()
    for name, text in texts(wheel):
        began = time.process_time()
        try:
            expected = ast.parse(text).body
        except SyntaxError:
            found.unparsed += 1
            continue
        parsed = time.process_time()
        try:
            lowered = lossless(text).body
        except SnippetError as error:
            found.refused += 1
            print(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        found.libcst += time.process_time() - parsed
        found.python += parsed - began
        found.files += 1
        found.lines += text.count("\n")
        if dumped(lowered) != dumped(expected):
            found.differ += 1
            print(f"{name}: differs", file=sys.stderr)
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(6000)
    print("# The lowering against Python's own parser\n")
    print(f"Python {sys.version_info.major}.{sys.version_info.minor}; `python benchmarks/lowering.py WHEEL...`\n")
    print("| release | files | lines | trees that differ | not Python | refused by the guard | Python, s | libcst, s |")
    print("|---|---|---|---|---|---|---|---|")
    for wheel in sys.argv[1:]:
        one = compare(wheel)
        release = "-".join(Path(wheel).name.split("-")[:2])
        cells = (release, one.files, f"{one.lines:,}", one.differ, one.unparsed, one.refused)
        print("|", " | ".join(map(str, (*cells, f"{one.python:.1f}", f"{one.libcst:.0f}"))), "|", flush=True)


if __name__ == "__main__":
    main()
