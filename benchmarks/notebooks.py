"""Notebooks as people have them: no cell that IPython accepts is refused.

    python benchmarks/notebooks.py FOLDER ... --output benchmarks/results/notebooks.csv

Each folder holds an unpacked repository and is called OWNER+NAME@REVISION. Every code cell of every Python notebook is
read, and given to IPython's own transformer; a folder is also checked by the command, which has to report the same
cells as no Python. A cell that IPython accepts and that is refused is printed, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

from initaudit.sources.files import read_source
from initaudit.sources.source import SourceError, SourceFile

RUN_THEIR_BODY = ("time", "timeit", "capture")


class Row(NamedTuple):
    """What became of the notebooks of a repository."""

    repository: str
    revision: str
    notebooks: int = 0
    unreadable: int = 0
    cells: int = 0
    refused_by_ipython: int = 0
    refused: int = 0
    refused_though_accepted: int = 0
    accepted_though_refused: int = 0
    left_out: int = 0
    reported: int = 0


def accepted(text: str) -> bool:
    """Whether IPython would run a cell, and the body of a magic that runs it."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    match tree.body:
        case [ast.Expr(ast.Call(ast.Attribute(attr="run_cell_magic"), args=[name, _, body]))]:
            if ast.literal_eval(name) in RUN_THEIR_BODY:
                return accepted(ast.literal_eval(body))
    return True


def notebooks(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.ipynb")) if path.is_file())


def refused(source: SourceFile) -> set[int | None]:
    """The cells that are told as no Python."""
    return {source.shown(fault.place).cell for fault in source.faults}


def measured(folder: Path) -> Row:
    repository, _, revision = folder.name.replace("+", "/").partition("@")
    row = Row(repository, revision)
    told: set[tuple[str, int | None]] = set()
    for path in notebooks(folder):
        row = row._replace(notebooks=row.notebooks + 1)
        try:
            source = read_source(str(path))
        except SourceError:
            row = row._replace(unreadable=row.unreadable + 1)
            continue
        cells = refused(source)
        if "torch" in source.text:
            told |= {(str(path), cell) for cell in cells}
        unread = {one.place.cell for one in source.skipped}
        row = row._replace(left_out=row.left_out + len(source.skipped), refused=row.refused + len(cells))
        for part in source.parts:
            runs = accepted(part.text)
            wrong = runs and part.cell in cells
            if wrong:
                print(f"{path}: cell {part.cell} is refused, and IPython accepts it")
            row = row._replace(
                cells=row.cells + 1,
                refused_by_ipython=row.refused_by_ipython + (not runs),
                refused_though_accepted=row.refused_though_accepted + wrong,
                accepted_though_refused=row.accepted_though_refused
                + (not runs and part.cell not in cells and part.cell not in unread),
            )
    reported = checked(folder)
    if reported != told:
        raise SystemExit(f"{folder}: the command reports other cells: {sorted(map(str, reported ^ told))}")
    return row._replace(reported=len(reported))


def checked(folder: Path) -> set[tuple[str, int | None]]:
    """The cells that the command reports as no Python."""
    command = [sys.executable, "-m", "initaudit", "--no-cache", "--isolated", "--no-respect-gitignore"]
    options = ["--select", "INI001", "--ignore-noqa", "--output-format", "json"]
    paths = [str(path) for path in notebooks(folder)]
    run = subprocess.run([*command, *options, "--", *paths], capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1):
        raise SystemExit(f"{folder}: {run.stderr}")
    found = json.loads(run.stdout) if run.stdout else []
    return {(one["filename"], one["cell"]) for one in found if one["cell"] is not None}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [row for folder in arguments.folders if (row := measured(folder.absolute())).notebooks]
    counts = [sum(column) for column in zip(*(row[2:] for row in rows), strict=True)]
    rows.append(Row("all", "", *counts))
    with arguments.output.open("w", encoding="utf-8", newline="") if arguments.output else sys.stdout as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)
    return int(rows[-1].refused_though_accepted > 0)


if __name__ == "__main__":
    sys.exit(main())
