"""Released architectures built, run forward and backward, and reported on: what cannot be done, and what is found.

    python benchmarks/architectures.py

takes one class of each model type of transformers, small, and timm's small models, and writes two lists into
``benchmarks/results``: ``architectures.csv`` says of each what was done and what was not, and why, and
``architectures_findings.csv`` what is reported at warning or above. Both are written as the answers come, and rows
about other architectures than those asked for stay. The columns ``verdict`` and ``reason`` of both are filled in by
someone who has read the source; they survive the next run. Needs transformers and timm, and no network.
"""

from __future__ import annotations

import argparse
import collections
import csv
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from forked import Outcome, each_in_child
from small import factory, model_classes, quiet

RESULTS = Path(__file__).resolve().parent / "results"
FOLDERS = re.compile(r"(?:/[\w.+-]+)+/(?=(?:initaudit|benchmarks)/)|(?:/[\w.+-]+)+/site-packages/")
"""Where this machine keeps what a message speaks of."""


class Architecture(NamedTuple):
    """What was done: "forward and backward", "forward", "values" (no input is known, or none runs) or "not built"."""

    name: str
    done: str
    inputs: str
    parameters: str
    seconds: str
    why: str
    verdict: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        return (self.name, self.done)


class Found(NamedTuple):
    """One finding and what a reader of the source said about it."""

    name: str
    code: str
    severity: str
    model: str
    parameter: str
    path: str
    row: str
    message: str
    verdict: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        return (self.name, self.code, self.model, self.parameter)


def prepare() -> None:
    """Import what all have in common, by auditing one."""
    quiet()
    audited("hf:CLIPModel")


def audited(name: str) -> dict[str, Any]:
    """The report on one architecture, as plain values."""
    import initaudit
    from initaudit.probe.target.libraries import LIBRARIES

    library, _, model = name.partition(":")
    report = initaudit.audit(factory(model) if library == "hf" else LIBRARIES[library](model), isolated=True)
    (seen,) = report.observations
    signal = seen.signal
    measured = signal is not None and any(layer.gradient for layer in signal.layers)
    forward = not any("reads of buffers" in one.reason for one in seen.undecided)
    return {
        "done": "forward and backward" if measured else "forward" if forward else "values",
        "inputs": "; ".join(signal.inputs) if signal is not None else "",
        "parameters": sum(one.kind.value == "parameter" for one in seen.parameters),
        "why": "; ".join(dict.fromkeys(one.reason for one in seen.undecided if "were not judged" in one.reason)),
        "errors": [fact.detail for fact in seen.facts if type(fact).__name__ == "BuildFailure"],
        "findings": [
            {
                "code": one.code,
                "severity": one.severity.value,
                "model": one.model or "",
                "parameter": one.parameter or "",
                "path": one.place.filename.partition("site-packages/")[2] or one.place.filename,
                "row": str(one.place.row),
                "message": one.message,
            }
            for one in report.findings
            if one.severity.value != "note"
        ],
    }


def architecture(outcome: Outcome) -> Architecture:
    answer = outcome.answer or {"done": "not built", "inputs": "", "parameters": "", "why": outcome.error, "errors": []}
    done = "not built" if answer["errors"] else answer["done"]
    why = "; ".join(answer["errors"]) or answer["why"]
    seconds = f"{outcome.seconds:.1f}"
    return Architecture(outcome.name, done, answer["inputs"], str(answer["parameters"]), seconds, FOLDERS.sub("", why))


def names() -> list[str]:
    """One class of each model type, that for a task where there is one; and the models that timm made for tests."""
    import timm
    from transformers.models.auto import modeling_auto

    base, tasks = model_classes()
    types = {name: kind for kind, name in modeling_auto.MODEL_MAPPING_NAMES.items() if isinstance(name, str)}
    covered = {kind for name in tasks for kind in kinds_of(name)}
    rest = [name for name in base if types.get(name) not in covered]
    return [f"hf:{name}" for name in sorted({*tasks, *rest})] + [f"timm:{name}" for name in timm.list_models("test_*")]


def kinds_of(name: str) -> set[str]:
    """The model types that a class for a task is for."""
    from transformers.models.auto import modeling_auto

    mappings = [value for key, value in vars(modeling_auto).items() if key.endswith("_MAPPING_NAMES")]
    return {kind for mapping in mappings for kind, named in mapping.items() if named == name}


def read(file: Path, kind: Any) -> list[Any]:
    """The rows of an earlier run."""
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return [kind(**row) for row in csv.DictReader(stream)]


def judged(rows: Iterable[Any], earlier: Iterable[Any]) -> list[Any]:
    """The rows with the verdicts that earlier ones about the same subject carry."""
    known = {row.subject: row for row in earlier}
    return [
        row._replace(verdict=known[row.subject].verdict, reason=known[row.subject].reason)
        if row.subject in known
        else row
        for row in rows
    ]


def write(file: Path, rows: list[Any], kind: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(kind._fields)
        writer.writerows(sorted(rows, key=lambda row: row.name))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="hf:CLASS, timm:NAME or torchvision:NAME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the folder of both lists")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=240.0)
    arguments = parser.parse_args()

    asked = arguments.names or names()
    lists = arguments.output / "architectures.csv", arguments.output / "architectures_findings.csv"
    rows, found = read(lists[0], Architecture), read(lists[1], Found)
    for one in each_in_child(asked, audited, prepare=prepare, timeout=arguments.timeout, jobs=arguments.jobs):
        findings = [Found(one.name, **each) for each in (one.answer or {"findings": []})["findings"]]
        rows = [row for row in rows if row.name != one.name] + judged([architecture(one)], rows)
        found = [row for row in found if row.name != one.name] + judged(findings, found)
        write(lists[0], rows, Architecture)
        write(lists[1], found, Found)
    for done, count in collections.Counter(row.done for row in rows).most_common():
        print(f"{count:5} {done}")
    for code, count in sorted(collections.Counter(row.code for row in found).items()):
        print(f"{code} {count} findings, in {len({row.name for row in found if row.code == code})} architectures")


if __name__ == "__main__":
    main()
