"""Findings on the labelled sites: real bugs have to be reported, what somebody initializes has not.

    python benchmarks/corpus.py transformers==5.23.0 timm==1.0.31 ... && python benchmarks/labels.py

Joins `data/sites.csv` with what `corpus.py` found (default rules, warning or above). Lists every site that is labelled
real, and every other one that is reported; the column `right` (tool or label) and the `reason` are those of someone who
has read the code, and survive the next run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reports import Report, codes, rows, write

HERE = Path(__file__).parent


class Labelled(NamedTuple):
    """A site, what its label says, and what is reported about it."""

    project: str
    version: str
    path: str
    line: str
    owner: str
    parameter: str
    label: str
    codes: str
    agrees: str
    right: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        return self[:6]


def labelled(found: dict[tuple[str, str], list[Report]]) -> Iterator[Labelled]:
    """The sites of the projects that were read, if they are labelled real or reported."""
    for row in rows(HERE / "data" / "sites.csv"):
        reports = found.get((row["project"], row["version"]), [])
        about = codes(r for r in reports if r.about(row["path"], int(row["line"]), row["class"], row["parameter"]))
        real = row["label"].startswith("REAL")
        if real or about:
            yield Labelled(
                project=row["project"],
                version=row["version"],
                path=row["path"],
                line=row["line"],
                owner=row["class"],
                parameter=row["parameter"],
                label=row["label"] or row["bucket"],
                codes=about,
                agrees="yes" if real == bool(about) else "no",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--findings", type=Path, default=HERE / "results" / "corpus.csv")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "labels.csv")
    arguments = parser.parse_args()

    found: dict[tuple[str, str], list[Report]] = {}
    for row in rows(arguments.findings):
        report = Report(row["path"], int(row["row"]), row["model"], row["parameter"], row["code"])
        found.setdefault((row["package"], row["version"]), []).append(report)
    earlier = {(kept := Labelled(**row)).subject: kept for row in rows(arguments.output)}
    table = []
    for row in labelled(found):
        known = earlier.get(row.subject)
        table.append(row._replace(right=known.right, reason=known.reason) if known else row)
    write(arguments.output, Labelled._fields, table)
    agreed = sum(row.agrees == "yes" for row in table)
    print(f"{len(rows(HERE / 'data' / 'sites.csv'))} sites, {len(table)} labelled real or reported; {agreed} agree")


if __name__ == "__main__":
    main()
