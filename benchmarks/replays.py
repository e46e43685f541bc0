"""The replay of the build on the meta device, on the base model of every type that transformers knows.

    python benchmarks/replays.py --output benchmarks/results/replays.csv

builds each class from a small configuration (``small.py``), replays it as ``initaudit probe --replay`` does, and writes
one row for each finding of INI105, INI106 and INI110, and one for each class without any. A person fills in ``verdict``
(right, wrong) and ``reason``; the next run keeps them. Classes that the output holds already are not built again, so
that a run may be interrupted. Needs torch and transformers, and no network.
"""

from __future__ import annotations

import argparse
import collections
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from forked import each_in_child

RULES = ("INI105", "INI106", "INI110")


class Row(NamedTuple):
    """A finding about a class, or what became of a class without findings."""

    model: str
    outcome: str  # a rule's code, "silent", "not judged" or "not built"
    severity: str = ""
    line: str = ""
    declared_by: str = ""
    parameter: str = ""
    said: str = ""
    verdict: str = ""
    reason: str = ""


def prepare() -> None:
    """Import what all have in common, by building one."""
    from small import factory, quiet

    quiet()
    factory("BertModel")()


def replayed(name: str) -> list[list[str]]:
    """Return the rows of one class."""
    from small import factory

    from initaudit.engine import judge
    from initaudit.finding import Place
    from initaudit.probe import Target
    from initaudit.probe.audit.audit import Audit
    from initaudit.probe.record.poison import control_build
    from initaudit.probe.request import TargetError
    from initaudit.probe.target.resolve import Resolved
    from initaudit.rules import catalogue

    target, make = Target(spec=f"small.py:{name}", replay=True, device="meta"), factory(name)
    audit = Audit(target, make, Place("small.py", 1, 1, 1, 2), control_build(make, target.seed))
    audit.compare()
    audit.replay(Resolved(target, make).build)
    if audit.refused is not None:
        raise TargetError(audit.refused)
    rules = [rule for code, rule in catalogue().items() if code in RULES]
    findings = [seen.finding for seen in judge(audit.observation(), rules)]
    rows = [
        Row(
            model=name,
            outcome=one.code,
            severity=one.severity.value,
            line=f"{one.place.filename.rpartition('site-packages/')[2]}:{one.place.row}",
            declared_by=one.model or "",
            parameter=one.parameter or "",
            said=one.message,
        )
        for one in findings
    ]
    reasons = "; ".join(reason for reason, _ in audit.replayed.reasons)
    if reasons:
        rows.append(Row(model=name, outcome="not judged", said=reasons))
    return [list(row) for row in rows or [Row(model=name, outcome="silent", said=audit.replayed.said or "")]]


def read(file: Path) -> list[Row]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return [Row(**row) for row in csv.DictReader(stream)]


def names(every: list[str], part: str) -> Iterator[str]:
    number, _, total = part.partition("/")
    yield from every[int(number) - 1 :: int(total)]


def main() -> None:
    from small import model_classes

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="CLASS", help="model classes; by default every type's base model")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/replays.csv"))
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every N-th class, from the I-th on")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=120.0)
    arguments = parser.parse_args()

    rows = read(arguments.output)
    known = {row.model for row in rows}
    wanted = [name for name in arguments.names or names(model_classes()[0], arguments.part) if name not in known]
    with arguments.output.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if not rows:
            writer.writerow(Row._fields)
        for outcome in each_in_child(wanted, replayed, prepare=prepare, timeout=arguments.timeout, jobs=arguments.jobs):
            answer: list[Any] = outcome.answer or [Row(model=outcome.name, outcome="not built", said=outcome.error)]
            writer.writerows(answer)
            stream.flush()
    rows = read(arguments.output)
    first = {row.model: row.outcome for row in reversed(rows)}
    print(f"{len(first)} classes: {dict(collections.Counter(first.values()))}")
    print(f"findings: {dict(collections.Counter((row.outcome, row.verdict) for row in rows if row.line))}")


if __name__ == "__main__":
    main()
