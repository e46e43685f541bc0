"""What the benchmarks ask of initaudit: findings in a folder, and whether one is about a given parameter."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

RAW_MEMORY = "INI101,INI102,INI103"
SEVERITIES = ("note", "warning", "error")


class Report(NamedTuple):
    """What identifies a finding."""

    path: str
    line: int
    owner: str
    parameter: str
    code: str

    def about(self, path: str, line: int | None, owner: str, parameter: str) -> bool:
        """Whether the finding is on this line, or about this parameter of this class."""
        named = (self.owner.rpartition(".")[2], self.parameter) == (owner, parameter)
        return self.path == path and (named or self.line == line)


def reported(
    root: Path, *paths: str, select: str = RAW_MEMORY, minimum: str = "note", jobs: int = 0, preview: bool = True
) -> set[Report]:
    """What is reported in some files of a folder, or in all of it, from this severity on."""
    command = [sys.executable, "-m", "initaudit", "check", *paths, "--isolated", "--exit-zero", "--no-cache", "--quiet"]
    command += ["--no-site-packages", "--select", select, "--output-format", "json"]
    command += ["--preview"] if preview else []
    command += ["--jobs", str(jobs)] if jobs else []
    run = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return {
        Report(
            path=Path(found["filename"]).as_posix(),
            line=found["location"]["row"],
            owner=name.rpartition(".")[0] or found["model"] or "",
            parameter=name.rpartition(".")[2],
            code=found["code"],
        )
        for found in json.loads(run.stdout)
        for name in (found["parameter"] or "", *found["affects"])
        if SEVERITIES.index(found["severity"]) >= SEVERITIES.index(minimum)
    }


def codes(reports: Iterable[Report]) -> str:
    return " ".join(sorted({report.code for report in reports}))


def rows(file: Path) -> list[dict[str, str]]:
    """The rows of a table; none if it is not there yet."""
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(file: Path, header: Iterable[str], table: Iterable[Iterable[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(table)
