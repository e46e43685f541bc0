"""What initaudit reports on released packages, as a list for someone to judge.

    python benchmarks/corpus.py transformers==5.23.0 timm==1.0.31 --output benchmarks/results/corpus.csv

Releases are downloaded and unpacked, never installed or imported. Rows that are in the output already keep the verdict
("right", "wrong" or "unclear") and the reason that a reader gave them.
"""

from __future__ import annotations

import argparse
import collections
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

CACHE = Path.home() / ".cache" / "initaudit-corpus"
WHEEL = ("--only-binary=:all:",)
OLD_PYTHON = ("--python-version", "3.8", "--platform", "manylinux1_x86_64")
SOURCES = ("--no-binary=:all:",)


class Row(NamedTuple):
    """One finding and what a reader of the source said about it."""

    package: str
    version: str
    path: str
    row: str
    code: str
    severity: str
    model: str
    parameter: str
    message: str
    verdict: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        """What stays the same when a message is reworded."""
        return (self.package, self.version, self.path, self.row, self.code, self.model, self.parameter)


def unpacked(package: str, version: str, cache: Path) -> Path:
    """The folder with a release's files, downloaded and unpacked if it is not there yet."""
    folder = cache / f"{package}-{version}"
    if not folder.exists():
        unpack(downloaded(f"{package}=={version}", cache / "wheels" / f"{package}-{version}"), folder)
    return folder


def downloaded(release: str, into: Path) -> Path:
    """A release's wheel, for this Python or an older one, or else its sources (whose metadata pip makes)."""
    download = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(into), release]
    for kind in (WHEEL, (*WHEEL, *OLD_PYTHON), SOURCES):
        run = subprocess.run([*download, *kind], check=False, stderr=subprocess.PIPE, text=True)
        if not run.returncode:
            return next(each for each in into.iterdir() if each.suffix in {".whl", ".gz", ".zip"})
    raise SystemExit(run.stderr)


def unpack(archive: Path, folder: Path) -> None:
    """A wheel's files, or what an archive of sources has in its one folder."""
    if archive.suffix == ".whl":
        shutil.unpack_archive(archive, folder, "zip")
        return
    with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
        shutil.unpack_archive(archive, unpacked)
        next(Path(unpacked).iterdir()).rename(folder)


def findings(package: str, version: str, folder: Path, minimum: str) -> Iterator[Row]:
    """What initaudit reports in a folder, from this severity on."""
    command = [sys.executable, "-m", "initaudit", "check", ".", "--isolated", "--exit-zero", "--output-format", "json"]
    command += ["--no-site-packages"]
    run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    ranks = ["note", "warning", "error"]
    for found in json.loads(run.stdout):
        if ranks.index(found["severity"]) >= ranks.index(minimum):
            yield Row(
                package=package,
                version=version,
                path=Path(found["filename"]).as_posix(),
                row=str(found["location"]["row"]),
                code=found["code"],
                severity=found["severity"],
                model=found["model"] or "",
                parameter=found["parameter"] or "",
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
    file.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(rows, key=lambda row: (row.package, row.version, row.path, int(row.row), row.code))
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(ordered)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("releases", nargs="+", metavar="PACKAGE==VERSION")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/corpus.csv"))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where wheels are kept and unpacked")
    parser.add_argument("--minimum", choices=["note", "warning", "error"], default="warning")
    arguments = parser.parse_args()

    earlier = read(arguments.output)
    releases = [tuple(release.split("==", 1)) for release in arguments.releases]
    rows = [row for row in earlier if (row.package, row.version) not in releases]
    for package, version in releases:
        folder = unpacked(package, version, arguments.cache)
        rows += judged(findings(package, version, folder, arguments.minimum), earlier)
    write(arguments.output, rows)
    for (code, verdict), count in sorted(
        collections.Counter((row.code, row.verdict or "not judged") for row in rows).items()
    ):
        print(f"{code}  {verdict:<10}  {count}")


if __name__ == "__main__":
    main()
