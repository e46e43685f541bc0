"""What the analyzer decides by reading transformers, beside what the probe sees when its models are built.

    python benchmarks/agreement.py --output benchmarks/results/agreement.csv

builds the base model of every type that the installed transformers knows, and one for a task, from small
configurations, and asks of each raw allocation that a built model holds whether the analyzer and the probe say the
same. Of all other memory the analyzer says that torch's layers and the functions that make values have written it. Rows
that are in the output already keep the reason that a reader gave them. Needs torch and transformers, and no network.
"""

from __future__ import annotations

import argparse
import collections
import csv
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from forked import each_in_child

from initaudit.timeline import Coverage

Key = tuple[str, int, str]  # file, row of the allocation, name of the parameter
RAW = "allocated raw"


class Row(NamedTuple):
    """One raw allocation in the source and what both observers say of it; ``models`` hold it, ``model`` for example."""

    path: str
    row: str
    declared_by: str
    parameter: str
    analyzer: str
    probe: str
    models: str
    model: str
    verdict: str
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        return (self.path, self.row, self.declared_by, self.parameter, self.analyzer, self.probe)


def package() -> Path:
    import transformers

    return Path(transformers.__file__).resolve().parent


def prepare() -> None:
    """Import what all have in common, by building one."""
    from small import quiet

    quiet()
    built("CLIPModel")


def built(name: str) -> list[dict[str, Any]]:
    """Every parameter and buffer of a model that is built from a small configuration, as the probe sees it."""
    from small import factory

    from initaudit.finding import Place
    from initaudit.probe import Target
    from initaudit.probe.audit.audit import Audit
    from initaudit.probe.record.poison import control_build

    target, make = Target(spec=f"small.py:{name}"), factory(name)
    audit = Audit(target, make, Place("small.py", 1, 1, 1, 2), control_build(make, target.seed))
    audit.compare()
    return [
        {
            "path": str(Path(allocation.place.filename).resolve()),
            "row": allocation.place.row,
            "call": allocation.call,
            "raw": allocation.raw,
            "declared_by": one.model,
            "parameter": one.name,
            "kind": one.kind.value,
            "coverage": one.coverage.value,
        }
        for one in audit.observation().parameters
        if (allocation := one.allocation) is not None
    ]


def read(filenames: set[str]) -> tuple[dict[Key, dict[str, Coverage]], dict[str, str]]:
    """What the analyzer decides of each raw allocation, by class, and the classes that it cannot decide, and why."""
    from initaudit.analyzer.parameters import timelines

    from initaudit.analyzer.file.layout import import_roots
    from initaudit.analyzer.project.names import Project
    from initaudit.analyzer.workers import RECURSION_LIMIT
    from initaudit.observation import Undecided
    from initaudit.timeline import ParameterTimeline

    sys.setrecursionlimit(RECURSION_LIMIT)
    ordered = sorted(filenames)
    project = Project(import_roots(ordered), sorted(str(path) for path in package().rglob("*.py")))
    decided: dict[Key, dict[str, Coverage]] = collections.defaultdict(dict)
    undecided: dict[str, str] = {}
    for filename in ordered:
        module = project.load(filename)
        for told in timelines(project, module, written=True) if module is not None else ():
            if isinstance(told, Undecided):
                undecided[told.subject] = told.reason
            elif isinstance(told, ParameterTimeline) and told.allocation is not None:
                place = told.allocation.place
                decided[place.filename, place.row, told.name][told.model] = told.coverage
    return decided, undecided


def verdict(analyzer: Coverage | None, probe: set[str]) -> str:
    """Whether both say the same. What is written on some paths only may well be written in the models at hand."""
    seen = probe - {Coverage.UNKNOWN.value}
    if not seen:
        return "probe undecided"
    if analyzer in (None, Coverage.UNKNOWN):
        return "undecided"
    if analyzer is Coverage.PARTIAL:
        return "agree"
    return "agree" if seen == {analyzer.value} else "contradiction"


def joined(models: dict[str, list[dict[str, Any]]]) -> Iterator[Row]:
    """One row for each raw allocation of user code that a model holds."""
    met: dict[tuple[Key, str], list[tuple[str, str]]] = collections.defaultdict(list)
    for model, parameters in models.items():
        for one in parameters:
            if one["raw"] and not one["call"].startswith("nn."):
                key = (one["path"], one["row"], one["parameter"])
                met[key, one["declared_by"]].append((one["coverage"], model))
    decided, undecided = read({filename for (filename, _, _), _ in met})
    for (key, declared_by), seen in met.items():
        by_class = decided.get(key, {})
        analyzer = by_class.get(declared_by) or next(iter(by_class.values()), None)
        coverages, holders = {coverage for coverage, _ in seen}, sorted({model for _, model in seen})
        said = verdict(analyzer, coverages)
        yield Row(
            path=Path(key[0]).relative_to(package().parent).as_posix(),
            row=str(key[1]),
            declared_by=declared_by,
            parameter=key[2],
            analyzer=analyzer.value if analyzer is not None else "not met",
            probe=" ".join(sorted(coverages)),
            models=str(len(holders)),
            model=holders[0],
            verdict=said,
            reason=(undecided.get(f"{declared_by}.{key[2]}") or undecided.get(declared_by, "")) * (said == "undecided"),
        )


def kept(rows: Iterable[Row], file: Path) -> list[Row]:
    """The rows with the reasons that earlier ones about the same subject carry."""
    earlier: dict[tuple[str, ...], Row] = {}
    if file.exists():
        with file.open(encoding="utf-8", newline="") as stream:
            earlier = {row.subject: row for row in (Row(**row) for row in csv.DictReader(stream))}
    unexplained = Row(*[""] * len(Row._fields))
    found = [row._replace(reason=row.reason or earlier.get(row.subject, unexplained).reason) for row in rows]
    return sorted(found, key=lambda row: (row.path, int(row.row), row.declared_by, row.parameter))


def write(file: Path, rows: Iterable[Row]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)


def main() -> None:
    from small import model_classes

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "names",
        nargs="*",
        metavar="CLASS",
        help="model classes; by default all base models and one for a task of each type",
    )
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/agreement.csv"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=120.0)
    arguments = parser.parse_args()

    base, tasks = model_classes()
    names = arguments.names or base + tasks
    outcomes = list(each_in_child(names, built, prepare=prepare, timeout=arguments.timeout, jobs=arguments.jobs))
    models = {outcome.name: outcome.answer for outcome in outcomes if not outcome.error}
    rows = kept(joined(models), arguments.output)
    write(arguments.output, rows)
    verdicts = collections.Counter(row.verdict for row in rows)
    every = [one for parameters in models.values() for one in parameters]
    origins = collections.Counter(origin(one) for one in every)
    others = [one for one in every if origin(one) != RAW and one["coverage"] in ("never", "partial")]
    print(f"transformers {version('transformers')}: {len(models)} of {len(names)} classes built")
    print("parameters and buffers: " + ", ".join(f"{count} {name}" for name, count in origins.most_common()))
    print(
        f"of those that are not raw, the probe finds {len(others)} not written {sorted({str(o) for o in others})[:5]}"
    )
    print(f"{len(rows)} raw allocations: " + ", ".join(f"{count} {name}" for name, count in verdicts.most_common()))


def origin(one: dict[str, Any]) -> str:
    if one["call"].startswith("nn."):
        return "of torch's layers, which write them"
    return RAW if one["raw"] else "made with values"


if __name__ == "__main__":
    main()
