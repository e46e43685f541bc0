"""Sound and broken models as users write them, by what the probe has to do for them; what is to be found is planned.

    python benchmarks/by_item.py [MODEL ...]        writes results/by_item.csv: what is found of it, and where
    python benchmarks/by_item.py --try [MODEL ...]  writes results/by_item_advice.csv: whether the advice cures

The models are in ``planned/``: a comment ``finds[MODEL]: CODE ...`` stands at each line that a right rule may name.
The column ``first`` keeps the outcome of the first run, and ``now`` has that of the last.
"""

from __future__ import annotations

import csv
import importlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from forked import in_child

from initaudit import engine
from initaudit.attempt import attempt
from initaudit.engine import Report, Task
from initaudit.finding import Finding, Observer, Severity
from initaudit.observers import Asking, Watched, building
from initaudit.probe import Target
from initaudit.probe.process.worker import observe
from initaudit.settings import Model, Overrides, load

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ITEMS = ("given", "computed", "streams", "stuck", "losses", "inputs", "advice")
"""The files of ``planned``, in the order of what they stand for."""
PLANNED = re.compile(r"finds\[([\w|]+)\]: (INI\d+(?: INI\d+)*)")
SECONDS = 240
COLUMNS = ("item", "model", "planned", "first", "now", "found", "not decided")


class Planned(NamedTuple):
    """A model, its inputs as the module gives them, and the codes that are right at each line; none for a sound one."""

    item: str
    model: str
    inputs: str | None
    right: dict[int, tuple[str, ...]]

    @property
    def file(self) -> Path:
        return HERE / "planned" / f"{self.item}.py"

    def target(self) -> Target:
        """Return the request to the probe."""
        spec, given = f"{self.file}:{self.model}", self.inputs
        if given is None:
            return Target(spec=spec)
        dtype, _, size = given.rpartition(" ")
        if not size[0].isdigit():
            return Target(spec=spec, input_data=f"{self.file}:{given}")
        sizes = (tuple(map(int, size.split(","))),)
        return Target(spec=spec, input_sizes=sizes, dtypes=(dtype,) if dtype else ())

    def plan(self) -> str:
        """Return the codes and lines that are to be found, as text."""
        lines = {codes: [line for line, one in self.right.items() if one == codes] for codes in self.right.values()}
        return "; ".join(f"{' '.join(codes)} at {' '.join(map(str, lines[codes]))}" for codes in lines) or "nothing"


def planned() -> Iterator[Planned]:
    """Every model, with what is to be found."""
    for item in ITEMS:
        right: dict[str, dict[int, tuple[str, ...]]] = {}
        source = (HERE / "planned" / f"{item}.py").read_text(encoding="utf-8")
        for line, text in enumerate(source.splitlines(), 1):
            for named, codes in PLANNED.findall(text):
                for model in named.split("|"):
                    right.setdefault(model, {})[line] = tuple(codes.split())
        models = importlib.import_module(f"planned.{item}").MODELS
        yield from (Planned(item, model, inputs, right.get(model, {})) for model, inputs in models.items())


def probed(target: Target) -> Report:
    """What the rules that are on by default report of a target, which is built in this process."""

    def watch(asking: Asking) -> Watched:
        asked = msgspec.structs.replace(target, questions=asking(Observer.PROBE))
        with tempfile.TemporaryDirectory() as folder:
            return Watched(Observer.PROBE, (observe(asked, Path(folder)),))

    return engine.run(Task(configuration=load([], Overrides(), isolated=True)), [watch])


def loud(report: Report) -> list[Finding]:
    return [one for one in report.findings if one.severity is not Severity.NOTE]


def outcome(one: Planned, found: list[Finding]) -> str:
    """Say whether a broken model is caught where it should be, and a sound one left alone."""
    if not one.right:
        return "false" if found else "left alone"
    codes = {code for codes in one.right.values() for code in codes}
    if any(each.code in one.right.get(each.place.row, ()) for each in found):
        return "caught"
    return "wrong line" if any(each.code in codes for each in found) else "wrong rule" if found else "escaped"


def told(one: Planned) -> dict[str, str]:
    """A row of the table."""
    report = probed(one.target())
    found = loud(report)
    return {
        "now": outcome(one, found),
        "found": "; ".join(f"{each.code} {each.place.row}: {each.message}" for each in found),
        "not decided": "; ".join(each.reason for seen in report.observations for each in seen.undecided),
    }


def advised(one: Planned) -> dict[str, str]:
    """What becomes of the findings when their advice is followed, in words of ``--try``."""
    target = one.target()
    model = Model(
        target=target.spec,
        input_size=target.input_sizes,
        dtype=target.dtypes or None,
        input_data=target.input_data,
    )
    task = Task(configuration=load([], Overrides(), isolated=True))
    report = engine.run(task, [building([model])])
    tried = next(attempt(task, report, [model]), None)
    if tried is None:
        return {"now": "no advice", "found": "; ".join(each.code for each in loud(report))}
    return {"now": "cured" if tried.helps else "not cured", "found": tried.verdict}


def save(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Probe every model, or those that are named, each in a process of its own."""
    asked = [one for one in sys.argv[1:] if not one.startswith("-")]
    trying = "--try" in sys.argv
    everything = {one.model: one for one in planned() if one.right or not trying}
    file = RESULTS / ("by_item_advice.csv" if trying else "by_item.csv")
    rows: dict[str, dict[str, str]] = {}
    if file.exists():
        with file.open(encoding="utf-8", newline="") as stream:
            rows = {row["model"]: row for row in csv.DictReader(stream) if row["model"] in everything}
    work = advised if trying else told
    chosen = [name for name in everything if not asked or name in asked]
    torch.set_num_threads(1)
    for name in chosen:
        one = in_child(name, lambda name: work(everything[name]), SECONDS)
        said = one.answer or {"now": f"failed: {one.error}", "found": ""}
        first = rows.get(name, {}).get("first") or said["now"]
        plan = everything[name]
        rows[name] = {"item": plan.item, "model": name, "planned": plan.plan(), "first": first, **said}
        print(f"{name:24} {first:12} {said['now']:12} {said['found'][:120]}", flush=True)
        save(file, [rows[each] for each in everything if each in rows])


if __name__ == "__main__":
    main()
