"""What initaudit reports, by default, on the code of users, courses and research, as a list for someone to judge.

    python benchmarks/unseen.py FOLDER ... --output benchmarks/results/unseen.csv

Each folder holds an unpacked repository and is called OWNER+NAME@REVISION, or OWNER+NAME with the revision in a file
`.commit`. Nothing in it is run. Rows that are in the output already keep the verdict ("right", "pedantic": true, but
its author would leave it, or "wrong") and the reason that a reader of the source gave them; rows of folders that are
not named stay as they are.
"""

from __future__ import annotations

import argparse
import collections
import csv
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One finding and what a reader of the source said about it."""

    repository: str
    commit: str
    file: str
    line: str
    code: str
    severity: str
    message: str
    verdict: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        """What stays the same when a message is reworded."""
        return (self.repository, self.commit, self.file, self.line, self.code)


def revision(folder: Path) -> tuple[str, str]:
    """Whose code a folder holds, and at which commit."""
    name, _, commit = folder.name.partition("@")
    noted = folder / ".commit"
    if not commit and noted.exists():
        commit = noted.read_text(encoding="utf-8").strip()
    return name.replace("+", "/", 1), commit


def findings(folder: Path) -> Iterator[Row]:
    """What initaudit reports in a folder at warning or above."""
    repository, commit = revision(folder)
    command = [sys.executable, "-m", "initaudit", "check", ".", "--isolated", "--no-cache", "--exit-zero"]
    run = subprocess.run(
        [*command, "--output-format", "json"], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    for found in json.loads(run.stdout):
        if found["severity"] == "note":
            continue
        row = found["location"]["row"]
        yield Row(
            repository=repository,
            commit=commit,
            file=Path(found["filename"]).as_posix(),
            line=f"cell {found['cell']} row {row}" if found["cell"] else str(row),
            code=found["code"],
            severity=found["severity"],
            message=found["message"],
        )


def judged(rows: Iterable[Row], earlier: Iterable[Row]) -> Iterator[Row]:
    """The rows with the verdicts that earlier rows about the same subject carry."""
    verdicts = {row.subject: row for row in earlier}
    for row in rows:
        known = verdicts.get(row.subject)
        yield row._replace(verdict=known.verdict, reason=known.reason) if known else row


def read(file: Path) -> list[Row]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return [Row(**row) for row in csv.DictReader(stream)]


def write(file: Path, rows: Iterable[Row]) -> None:
    ordered = sorted(rows, key=lambda row: (row.repository.lower(), row.file))  # lines stay in their order
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(ordered)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/unseen.csv"))
    arguments = parser.parse_args()

    earlier = read(arguments.output)
    here = {revision(folder)[0] for folder in arguments.folders}
    rows = [row for row in earlier if row.repository not in here]
    for folder in arguments.folders:
        rows += judged(findings(folder), earlier)
    write(arguments.output, rows)
    totals = collections.Counter((row.code, row.severity, row.verdict or "not judged") for row in rows)
    for (code, severity, verdict), count in sorted(totals.items()):
        print(f"{code}  {severity:<7}  {verdict:<10}  {count}")


if __name__ == "__main__":
    main()
