"""Initializations that are there and do nothing, written into projects that no other table here knows.

    python benchmarks/broken_elsewhere.py topomodelx torchdrug tkipf+pygcn ...

Where `planted_elsewhere.py` deletes an initializer, this breaks one in the ways of `KINDS`: a condition that never
holds, a call without brackets, a draw into a copy. A place is found by syntax alone, one of each kind in a project and
one at most in a class or function; all are broken at once, in a copy. A breakage is reported if a finding at warning or
above, of a rule that is on, is new in that class or function. `bug` ("yes" or "no") and the `reason` of a miss are
filled in by someone who has read the source, and survive the next run.
"""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from corpus import CACHE
from planted_elsewhere import release
from reports import Report, codes, reported, rows, write

RESETS = ("reset_parameters", "init_weights", "_reset_parameters", "_init_weights", "init_parameters")
RULES = "correctness,suspicious"
DRAWS = re.compile(r"(?<!masked_)(uniform|normal|constant|orthogonal|zeros?|ones|eye|fill)_")


class Broken(NamedTuple):
    """One breakage, and what became of it, when it was first written and in the last run: "reported" or "missed"."""

    project: str
    version: str
    path: str
    line: int
    owner: str
    kind: str
    first: str
    outcome: str
    codes: str = ""
    bug: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        return (self.project, self.path, self.owner, self.kind)


class Place(NamedTuple):
    """A statement, the one before it in its block, and the statement that holds the block."""

    statement: ast.stmt
    before: ast.stmt | None
    holder: ast.AST

    def instead(self, old: ast.expr, new: str) -> str:
        """The statement with another expression in place of one of its parts."""
        return ast.unparse(self.statement).replace(ast.unparse(old), new, 1)


def initialized(statement: ast.stmt | None) -> ast.expr | None:
    """What a statement initializes in place: the `w` of `init.normal_(w)` and of `w.data.normal_()`."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(value, name), arguments)) if DRAWS.search(name):
            if "init" in ast.unparse(value):
                return arguments[0] if arguments else None
            if isinstance(value, ast.Attribute) and value.attr == "data":
                return value.value
    return None


def uncalled(place: Place) -> str | None:
    match place.statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("self"), name) as method, [])) if name in RESETS:
            return ast.unparse(method)
    return None


def unapplied(place: Place) -> str | None:
    match place.statement:
        case ast.Expr(ast.Call(ast.Attribute(_, "apply") as method, [_])):
            return ast.unparse(method)
    return None


def result_applied(place: Place) -> str | None:
    match place.statement:
        case ast.Expr(ast.Call(ast.Attribute(_, "apply"), [ast.Name() | ast.Attribute() as function])):
            return place.instead(function, f"{ast.unparse(function)}()")
    return None


def copied(place: Place) -> str | None:
    target = initialized(place.statement)
    return place.instead(target, f"{ast.unparse(target)}.clone()") if target else None


def converted(place: Place) -> str | None:
    target = initialized(place.statement)
    return place.instead(target, f"{ast.unparse(target)}.detach().double()") if target else None


def moved(place: Place) -> str | None:
    target = initialized(place.statement)
    return place.instead(target, f"{ast.unparse(target)}.detach().cpu()") if target else None


def evaluating(place: Place) -> str | None:
    match initialized(place.statement):
        case ast.Attribute(ast.Name("self")):
            return f"if not self.training: {ast.unparse(place.statement)}"
    return None


def absent(place: Place) -> str | None:
    match initialized(place.statement):
        case ast.Attribute(ast.Name("self")) as target:
            return f"if {ast.unparse(target)} is None: {ast.unparse(place.statement)}"
    return None


def dropped(place: Place) -> str | None:
    target = initialized(place.statement)
    return f"torch.randn_like({ast.unparse(target)})" if target else None


def rebound(place: Place) -> str | None:
    target = initialized(place.statement)
    if isinstance(target, ast.Name) and isinstance(place.holder, ast.For):
        return f"{target.id} = torch.randn_like({target.id})"
    return None


def drawn_bias(place: Place) -> str | None:
    match initialized(place.statement):
        case ast.Attribute(_, "bias") as target:
            return f"torch.nn.init.xavier_uniform_({ast.unparse(target)})"
    return None


def twice(place: Place) -> str | None:
    target, other = initialized(place.statement), initialized(place.before)
    if isinstance(target, ast.Attribute) and isinstance(other, ast.Attribute):
        return place.instead(target, ast.unparse(other))
    return None


def other_name(place: Place) -> str | None:
    match place.statement:
        case ast.If(ast.Compare(ast.Constant(str(sought)), [ast.In()], [ast.Name("name" | "n" | "k")]) as test):
            return place.instead(test, f"{sought + '_param'!r} in {ast.unparse(test.comparators[0])}").splitlines()[0]
    return None


def own_class(place: Place) -> str | None:
    match place.statement:
        case ast.If(ast.Call(ast.Name("isinstance"), [ast.Name("m" | "module" | "layer"), ast.Attribute()]) as test):
            module, cls = map(ast.unparse, test.args)
            return place.instead(test, f"{module} is {cls}").splitlines()[0]
    return None


KINDS: dict[str, Callable[[Place], str | None]] = {
    "apply of a result": result_applied,
    "apply without brackets": unapplied,
    "a call without brackets": uncalled,
    "a name that no parameter has": other_name,
    "a module compared with its class": own_class,
    "a loop variable that is rebound": rebound,
    "Xavier for a bias": drawn_bias,
    "the variable before it": twice,
    "only if it does not train": evaluating,
    "only if there is none": absent,
    "a draw into a clone": copied,
    "a draw into another type": converted,
    "a draw after cpu()": moved,
    "a new tensor that is dropped": dropped,
}


def places(holder: ast.AST) -> Iterator[Place]:
    """The statements below a node, in the order of the text."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        before = None
        for statement in getattr(holder, block, ()):
            if isinstance(statement, ast.stmt):
                yield Place(statement, before, holder)
            yield from places(statement)
            before = statement


def broken(source: str, statement: ast.stmt, text: str) -> str:
    """The source with another text for a statement, or for the head of an `if`; no other line moves."""
    lines = source.splitlines(keepends=True)
    first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
    if isinstance(statement, ast.If):
        last = statement.body[0].lineno - 1
        text = "el" * lines[first].lstrip().startswith("elif") + text
    lines[first:last] = [f"{lines[first][: statement.col_offset]}{text}\n", *["\n"] * (last - first - 1)]
    return "".join(lines)


class Unit(NamedTuple):
    """A class or function of a file, in which one place may be broken."""

    file: Path
    node: ast.ClassDef | ast.FunctionDef


def units(root: Path) -> Iterator[Unit]:
    for file in sorted(root.rglob("*.py")):
        try:
            source = file.read_text(encoding="utf-8")
            tree = ast.parse(source)
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        if "import torch\n" in source and not {"test", "tests"}.intersection(file.relative_to(root).parts):
            yield from (Unit(file, each) for each in tree.body if isinstance(each, ast.ClassDef | ast.FunctionDef))


def chosen(root: Path) -> Iterator[tuple[Unit, str, ast.stmt, str]]:
    """One place for each kind, each in a class or function of its own."""
    taken = set[Unit]()
    every = list(units(root))
    for kind, breaks in KINDS.items():
        found = ((unit, place) for unit in every if unit not in taken for place in places(unit.node))
        for unit, place in found:
            if text := breaks(place):
                taken.add(unit)
                yield unit, kind, place.statement, text
                break


def breakages(project: str, cache: Path) -> Iterator[Broken]:
    """Every breakage in a project, in a copy."""
    version, source = release(project, cache)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / project
        shutil.copytree(source, root)
        sites = list(chosen(root))
        paths = sorted({unit.file.relative_to(root).as_posix() for unit, *_ in sites})
        before = reported(root, *paths, select=RULES, minimum="warning", jobs=1, preview=False) if paths else set()
        for unit, _, statement, text in sites:
            unit.file.write_text(broken(unit.file.read_text(encoding="utf-8"), statement, text), encoding="utf-8")
        after = reported(root, *paths, select=RULES, minimum="warning", jobs=1, preview=False) if paths else set()
        for unit, kind, statement, text in sites:
            path = unit.file.relative_to(root).as_posix()
            told = codes(each for each in after - before if within(each, path, unit.node))
            outcome = "reported" if told else "missed"
            print(outcome, told, f"{path}:{statement.lineno}", unit.node.name, f"[{kind}]", text, flush=True)
            yield Broken(project, version, path, statement.lineno, unit.node.name, kind, outcome, outcome, told)


def within(report: Report, path: str, node: ast.ClassDef | ast.FunctionDef) -> bool:
    return report.path == path and node.lineno <= report.line <= (node.end_lineno or node.lineno)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("projects", nargs="+")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/broken_elsewhere.csv"))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where wheels are kept and unpacked")
    arguments = parser.parse_args()

    table = [Broken(**row) for row in rows(arguments.output)]
    read = {row.subject: row for row in table}
    for project in arguments.projects:
        fresh = [
            row._replace(first=known.first, bug=known.bug, reason=known.reason if row.outcome == "missed" else "")
            if (known := read.get(row.subject))
            else row
            for row in breakages(project, arguments.cache)
        ]
        table = [row for row in table if row.project != project] + fresh
        write(arguments.output, Broken._fields, sorted(table, key=lambda row: (row.project, row.path, int(row.line))))
    for kind in KINDS:
        bugs = [row for row in table if row.kind == kind and row.bug != "no"]
        print(f"{kind}: {sum(row.outcome == 'reported' for row in bugs)} of {len(bugs)} reported")


if __name__ == "__main__":
    main()
