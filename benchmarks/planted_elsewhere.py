"""Planted bugs in projects that no other table here knows: delete one initializer a class, and see what is reported.

    python benchmarks/planted_elsewhere.py DI-engine adapters agilerl bayesian-torch blitz-bayesian-pytorch \\
        brevitas complexPyTorch deeprobust dgllife dive-into-graphs librecommender mace-torch megatron-core \\
        mmcv-lite opendelta openhgnn opennmt-py pytorch-metric-learning pytorch-widedeep rtdl-num-embeddings \\
        s3prl supar tabm tensorly-torch tianshou torch-geometric-signed-directed torch-spatiotemporal \\
        torch-uncertainty torchao torchbnn tsai xlstm

Takes the newest wheel of each project from PyPI, or its sources where it has no wheel, and works in a copy. What is
reported at warning or above counts, in the files that are planted in, with the package around them. The statement to
delete is found by syntax alone, in files outside of environments that were packed along: a class assigns `self.w =
nn.Parameter(torch.empty(...))` and initializes `self.w` by one call that names it, or by `self.reset_parameters()`
and kin. One is deleted per class. `reason` is filled in by someone who has read the source of a miss, and survives
the next run; one that starts with "still written" means that silence is right.
"""

from __future__ import annotations

import argparse
import ast
import collections
import functools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from corpus import CACHE
from planted import without
from reports import Report, codes, reported, rows, write

RAW = frozenset({"empty", "Tensor", "FloatTensor", "empty_like", "new_empty", "DoubleTensor", "HalfTensor"})
RESETS = (
    "reset_parameters",
    "init_weights",
    "_reset_parameters",
    "_init_weights",
    "initialize",
    "init_parameters",
    "reset",
)


class Plant(NamedTuple):
    """One deletion, and what became of it: "reported", "missed" or "reported before"."""

    project: str
    version: str
    path: str
    line: int
    owner: str
    parameter: str
    deleted: int
    outcome: str
    codes: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        return (self.project, self.path, self.owner, self.parameter)


def release(project: str, cache: Path) -> tuple[str, Path]:
    """The version and the folder of the newest release of a project."""
    folder = cache / "elsewhere" / project
    if not folder.exists():
        folder.mkdir(parents=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--prefer-binary", "--dest"]
        subprocess.run([*command, str(folder), project], check=True)
    archive = next(each for each in folder.iterdir() if each.suffix in {".whl", ".gz"})
    unpacked = folder / "unpacked"
    if not unpacked.exists():
        shutil.unpack_archive(archive, unpacked, "zip" if archive.suffix == ".whl" else "gztar")
    version = archive.name.split("-")[1] if archive.suffix == ".whl" else archive.name.rpartition("-")[2]
    return version.removesuffix(".tar.gz"), unpacked


def allocations(cls: ast.ClassDef) -> Iterator[tuple[str, int]]:
    """The attributes that a class makes parameters of raw memory, and their lines."""
    for node in ast.walk(cls):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=name)], value=ast.Call() as made):
                inner = made.args[0] if made.args else None
                last = made.func.attr if isinstance(made.func, ast.Attribute) else getattr(made.func, "id", "")
                if last == "Parameter" and isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                    sizes = (
                        not any(isinstance(each, ast.List | ast.Tuple) for each in inner.args)
                        or inner.func.attr == "empty"
                    )
                    if inner.func.attr in RAW and sizes:
                        yield name, inner.lineno


def initializers(cls: ast.ClassDef, name: str) -> Iterator[ast.Expr]:
    """The statements that write an attribute in place by its name."""
    for node in ast.walk(cls):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        call = node.value
        last = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        target = call.args[0] if call.args and "init" in ast.unparse(call.func) else call.func
        names = {each.attr for each in ast.walk(target) if isinstance(each, ast.Attribute)}
        if last.endswith("_") and not last.endswith("__") and name in names and "self" in ast.unparse(target):
            yield node


def calls_of_resets(cls: ast.ClassDef) -> Iterator[ast.Expr]:
    """The statements of the constructor that call the class's own initializer."""
    methods = {each.name: each for each in cls.body if isinstance(each, ast.FunctionDef)}
    for node in ast.walk(methods["__init__"]) if "__init__" in methods else ():
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name("self"), attr=name), args=[])):
                if name in RESETS and name in methods:
                    yield node


def sites(file: Path) -> Iterator[tuple[str, str, int, ast.Expr]]:
    """One for each class of a file: class, parameter, line of the allocation, statement to delete."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return
    chosen = set[int]()
    for cls in reversed([node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]):  # the inner ones first
        for name, line in allocations(cls):
            naming = list(initializers(cls, name))
            found = naming if len(naming) == 1 else [] if naming else list(calls_of_resets(cls))
            if len(found) == 1 and found[0].lineno not in {line, *chosen}:
                chosen.add(found[0].lineno)
                yield cls.name, name, line, found[0]
                break


def planted(project: str, cache: Path, limit: int) -> Iterator[Plant]:
    """Every deletion in a project. All are made at once, each in a class of its own."""
    version, source = release(project, cache)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / project
        shutil.copytree(source, root)
        files = [each for each in sorted(root.rglob("*.py")) if "site-packages" not in each.parts]
        chosen = [(file, *site) for file in files for site in sites(file)][:limit]
        paths = sorted({each[0].relative_to(root).as_posix() for each in chosen})
        run = functools.partial(reported, root, *paths, minimum="warning", jobs=1)
        before = run() if paths else set()
        for file, _, _, _, statement in chosen:
            file.write_text(without(file.read_text(encoding="utf-8"), statement), encoding="utf-8")
        after = run() if paths else set()
        for file, owner, name, line, statement in chosen:
            path = file.relative_to(root).as_posix()
            told = about(after, path, line, owner, name)
            was = about(before, path, line, owner, name)
            outcome = "reported before" if was else "reported" if told else "missed"
            print(outcome, told, path, owner, name, statement.lineno, flush=True)
            yield Plant(project, version, path, line, owner, name, statement.lineno, outcome, told)


def about(found: set[Report], path: str, line: int, owner: str, name: str) -> str:
    return codes(each for each in found if each.about(path, line, owner, name))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("projects", nargs="+")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/planted_elsewhere.csv"))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where wheels are kept and unpacked")
    parser.add_argument("--limit", type=int, default=40, help="deletions in one project at most")
    arguments = parser.parse_args()

    table = [Plant(**row) for row in rows(arguments.output)]
    reasons = {row.subject: row.reason for row in table}
    for project in arguments.projects:
        fresh = [
            row._replace(reason=reasons.get(row.subject, "") if row.outcome == "missed" else "")
            for row in planted(project, arguments.cache, arguments.limit)
        ]
        table = [row for row in table if row.project != project] + fresh
        write(arguments.output, Plant._fields, sorted(table, key=lambda row: (row.project, row.path, int(row.line))))
    counted = [row for row in table if row.outcome != "reported before" and not row.reason.startswith("still written")]
    for project, these in sorted(collections.Counter(row.project for row in counted).items()):
        hits = sum(row.outcome == "reported" for row in counted if row.project == project)
        print(f"{project}: {hits} of {these} reported")
    print(f"all: {sum(row.outcome == 'reported' for row in counted)} of {len(counted)} reported")


if __name__ == "__main__":
    main()
