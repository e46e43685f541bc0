"""Planted bugs: delete the statement that initializes a raw allocation, and see whether that parameter is reported.

    python benchmarks/planted.py torch_geometric timm transformers torch torchaudio vit-pytorch

Works in a copy of each release. With `--missed`, only the bugs that were missed the last time are planted again.
`data/sites.csv` names the statements; one is deleted per class. The column `reason` is filled in by someone who has
read the source of a miss, and survives the next run: a reason that starts with "still written" means that something
else initializes the parameter after the deletion, so that silence is right and a report is wrong.
"""

from __future__ import annotations

import argparse
import ast
import collections
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from corpus import CACHE, unpacked
from reports import Report, codes, reported, rows, write

SITES = Path(__file__).parent / "data" / "sites.csv"
BUCKETS = frozenset({"a", "b", "b2", "c", "d", "f", "g"})


class Site(NamedTuple):
    """A raw allocation, and the line that initializes it."""

    project: str
    version: str
    path: str
    line: int
    owner: str
    parameter: str
    writer: str
    writer_path: str
    writer_line: int

    def codes(self, reports: Iterable[Report]) -> str:
        """The codes of what is reported about the allocation."""
        return codes(each for each in reports if each.about(self.path, self.line, self.owner, self.parameter))


class Planted(NamedTuple):
    """What became of one deletion: "reported", "missed" or "reported before"."""

    project: str
    version: str
    path: str
    line: str
    owner: str
    parameter: str
    deleted: str
    outcome: str
    codes: str = ""
    reason: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        return (self.project, self.version, self.path, self.line)

    @property
    def counts(self) -> bool:
        """Whether a bug was planted at all."""
        return self.outcome in {"reported", "missed"} and not self.reason.startswith("still written")


def sites(project: str) -> Iterator[Site]:
    """The unlabelled allocations of a project whose evidence names a line of their own or another file."""
    for row in rows(SITES):
        named = row["writer_line"] and row["bucket"] in BUCKETS and not row["label"]
        if row["project"] == project and named:
            yield Site(
                project=project,
                version=row["version"],
                path=row["path"],
                line=int(row["line"]),
                owner=row["class"],
                parameter=row["parameter"],
                writer=row["writer"],
                writer_path=row["writer_path"],
                writer_line=int(row["writer_line"]),
            )


def one_per_class(found: Iterable[tuple[Site, Path, ast.stmt]]) -> Iterator[tuple[Site, Path, ast.stmt]]:
    seen = set()
    for site, file, statement in found:
        if (site.path, site.owner) not in seen:
            seen.add((site.path, site.owner))
            yield site, file, statement


def statement_at(source: str, line: int) -> ast.stmt | None:
    """The simple statement on a line."""
    tree = ast.parse(source)
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return min(around, key=lambda node: (node.end_lineno or 0) - node.lineno, default=None)


def deletable(root: Path, site: Site) -> tuple[Path, ast.stmt] | None:
    """The file and the statement that initialize the allocation, unless it is the allocation itself."""
    own = root / site.path
    for file in [root / site.writer_path] if site.writer_path else [own, *defining(root, site)]:
        source = file.read_text(encoding="utf-8")
        if file == own and not site.writer_path and not holds(source, site.writer, site.writer_line):
            continue
        statement = statement_at(source, site.writer_line)
        if statement is not None and not (file == own and statement.lineno <= site.line <= (statement.end_lineno or 0)):
            return file, statement
    return None


def defining(root: Path, site: Site) -> Iterator[Path]:
    """The files of the project that define the class of the writer."""
    header = f"class {site.writer.split('.')[0]}("
    for file in sorted(root.rglob("*.py")):
        source = file.read_text(encoding="utf-8", errors="replace")
        if header in source and holds(source, site.writer, site.writer_line):
            yield file


def holds(source: str, writer: str, line: int) -> bool:
    """Whether the line lies in the function "Class.method" ("" means: anywhere)."""
    name = writer.rpartition(".")[2]
    return not name or any(
        isinstance(node, ast.FunctionDef) and node.name == name and node.lineno <= line <= (node.end_lineno or 0)
        for node in ast.walk(ast.parse(source))
    )


def without(source: str, statement: ast.stmt) -> str:
    """The source with `pass` in place of a statement; no other line moves."""
    lines = source.splitlines(keepends=True)
    first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
    indentation = lines[first][: statement.col_offset]
    lines[first:last] = [f"{indentation}pass\n", *["\n"] * (last - first - 1)]
    return "".join(lines)


def plant(root: Path, site: Site, file: Path, statement: ast.stmt, before: set[Report]) -> Planted:
    """Delete the statement, look, and put it back."""
    source = file.read_text(encoding="utf-8")
    try:
        file.write_text(without(source, statement), encoding="utf-8")
        after = site.codes(reported(root, site.path))
    finally:
        file.write_text(source, encoding="utf-8")
    return Planted(
        project=site.project,
        version=site.version,
        path=site.path,
        line=str(site.line),
        owner=site.owner,
        parameter=site.parameter,
        deleted=f"{file.relative_to(root).as_posix()}:{statement.lineno}",
        outcome="reported before" if site.codes(before) else "reported" if after else "missed",
        codes=after,
    )


def planted(
    project: str, sources: Path | None, cache: Path, only: set[tuple[str, ...]] | None = None
) -> Iterator[Planted]:
    """Every deletion in a project, or ``only`` some, in a copy of the release."""
    chosen = list(sites(project))
    if not chosen:
        return
    version = chosen[0].version
    release = sources / f"{project}-{version}" if sources else unpacked(project, version, cache)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / project
        shutil.copytree(release, root)
        before = reported(root, ".")
        found = ((site, deletable(root, site)) for site in chosen)
        for site, file, statement in one_per_class((site, *place) for site, place in found if place):
            if only is not None and (site.project, site.version, site.path, str(site.line)) not in only:
                continue
            outcome = plant(root, site, file, statement, before)
            print(outcome.outcome, outcome.codes, site.path, site.owner, site.parameter, outcome.deleted, flush=True)
            yield outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("projects", nargs="+")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/planted.csv"))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where wheels are kept and unpacked")
    parser.add_argument("--missed", action="store_true", help="plant only what was missed before")
    parser.add_argument("--sources", type=Path, help="a folder with the unpacked releases, PROJECT-VERSION each")
    arguments = parser.parse_args()

    earlier = [Planted(**row) for row in rows(arguments.output)]
    reasons = {row.subject: row.reason for row in earlier}
    missed = {row.subject for row in earlier if row.outcome == "missed"} if arguments.missed else None
    table = earlier
    for project in arguments.projects:
        kept = [r for r in table if r.project != project or (missed is not None and r.subject not in missed)]
        for row in planted(project, arguments.sources, arguments.cache, missed):
            reason = reasons.get(row.subject, "")
            if row.outcome == "reported" and not reason.startswith("still written"):
                reason = ""
            kept.append(row._replace(reason=reason))
        table = kept
        write(arguments.output, Planted._fields, sorted(table, key=lambda row: (row.project, row.path, int(row.line))))
    for project, these in collections.Counter(row.project for row in table if row.counts).items():
        hits = sum(row.counts and row.outcome == "reported" for row in table if row.project == project)
        silent = sum(row.reason.startswith("still written") for row in table if row.project == project)
        print(f"{project}: {hits} of {these} reported; {silent} more are still written by something else")


if __name__ == "__main__":
    main()
