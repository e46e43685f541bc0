"""Real bugs of released packages: which initaudit finds, and whether it is silent on the releases that mend them.

    python benchmarks/recall.py --output benchmarks/results/recall.csv

`data/bugs.csv` lists the bugs; those that only a thread describes have a reproduction in `data/reproductions` (the
line that ends in `# bug`, and a class or function `Fixed...` that must stay clean) and are counted apart. A bug
counts as found when a rule for its kind reports its line or its parameter. Rows with the same release, kind and
thread are one root cause, found when one of them is. The column `reason` is filled in by someone who has read the
source of what was missed, and survives the next run.
"""

from __future__ import annotations

import argparse
import ast
import collections
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from corpus import CACHE, unpacked
from reports import Report, codes, reported, rows, write

DATA = Path(__file__).parent / "data"
RULES = {
    "uninit_param": "INI101 INI102 INI103",
    "discarded_result": "INI202 INI101",
    "wrong_submodule_reset": "INI211",
    "clobbered_init": "INI208",
    "meta_init": "INI105",
    "meta_init_buffer": "INI106",
    "hf_missing_init_weights": "INI105",
    "wrong_default_layer_init": "INI208",
    "dtensor_skip_init": "INI105 INI208",
    "norm_wrong_init": "INI506",
    "padding_idx_overwrite": "INI505",
    "padding_idx_none": "INI505",
    "children_not_modules": "INI210",
    "wrong_helper_type": "INI206",
    "wrong_constant": "INI212",
    "zero_identity_broken": "INI507",
    "all_zero_factors": "INI502",
    "lora_swapped": "INI507",
    "trunc_normal_abs_bounds": "INI404",
    "weight_norm_no_effect": "INI207",
    "deepcopy_identical": "INI503",
    "classname_find": "INI304",
    "type_eq": "INI303",
    "kaiming_misuse": "INI402 INI403 INI406",
    "bias_not_covered": "INI101",
}
NOT_A_BUG = "lora_swapped"


class Bug(NamedTuple):
    """One row of bugs.csv and what became of it."""

    id: str
    category: str
    package: str
    version: str
    path: str
    line: str
    owner: str
    parameter: str
    static: str
    url: str
    outcome: str
    codes: str
    fixed: str
    fixed_codes: str
    reason: str = ""

    @property
    def cause(self) -> tuple[str, ...]:
        return (self.package, self.version, self.category, self.url)

    @property
    def group(self) -> str:
        """Under which heading the bug is counted."""
        if self.category == NOT_A_BUG:
            return "negative controls"
        if not self.package:
            return "reproductions"
        return "visible in source" if self.static == "yes" else "visible only at run time"


def codes_for(row: dict[str, str], path: str, reports: Iterable[Report], root: Path) -> str:
    """The codes for this kind of bug on its line or its parameter."""
    lines = block(root / path, int(row["line"])) if row["line"] else [None]
    kind = RULES.get(row["category"], "").split()
    about = [each for each in reports if any(each.about(path, line, row["class"], row["parameter"]) for line in lines)]
    return codes(each for each in about if each.code in kind)


def block(file: Path, line: int) -> list[int]:
    """A line, or all lines of the block that it heads: a label may name the ``if`` around the statement."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.If | ast.For | ast.With) and node.lineno == line:
            return list(range(line, (node.body[-1].end_lineno or line) + 1))
    return [line]


def released(row: dict[str, str], cache: Path) -> Bug:
    """A bug in the release that has it and, if there is one, in the release that does not."""
    buggy = unpacked(row["package"], row["buggy"], cache)
    found = codes_for(row, row["path"], everything(buggy, row["path"]), buggy)
    mended = row["fixed"] if re.match(r"\d", row["fixed"]) else ""
    root = unpacked(row["package"], mended, cache) if mended else None
    left = ""
    if root is not None and (root / row["path"]).is_file():
        left = codes_for({**row, "line": ""}, row["path"], everything(root, row["path"]), root)
    return bug(row, found, mended, left)


def reproduced(row: dict[str, str]) -> Bug | None:
    """A bug that only a thread describes, in the reproduction."""
    root = DATA / "reproductions"
    path = next((each.name for each in root.glob(f"{row['id'].lower()}_*.py")), None)
    if path is None:
        return None
    lines = (root / path).read_text(encoding="utf-8").splitlines()
    at = {number for number, line in enumerate(lines, start=1) if line.endswith("# bug")}
    kind = RULES.get(row["category"], "").split()
    reports = [each for each in everything(root, path) if each.code in kind]
    return bug(
        row,
        codes(each for each in reports if each.line in at),
        "the rest of the file",
        codes(each for each in reports if each.line not in at),
    )


_read: dict[tuple[Path, str], set[Report]] = {}


def everything(root: Path, path: str) -> set[Report]:
    """What all rules report in a file."""
    if (root, path) not in _read:
        _read[root, path] = reported(root, path, select="ALL")
    return _read[root, path]


def bug(row: dict[str, str], found: str, fixed: str, left: str) -> Bug:
    return Bug(
        id=row["id"],
        category=row["category"],
        package=row["package"],
        version=row["buggy"],
        path=row["path"],
        line=row["line"],
        owner=row["class"],
        parameter=row["parameter"],
        static=row["static"],
        url=row["url"],
        outcome="found" if found else "missed",
        codes=found,
        fixed=fixed,
        fixed_codes=left,
    )


def bugs(cache: Path) -> Iterator[Bug]:
    for row in rows(DATA / "bugs.csv"):
        result = released(row, cache) if row["package"] else reproduced(row)
        if result is not None:
            print(
                result.id, result.category, result.package, result.outcome, result.codes, result.fixed_codes, flush=True
            )
            yield result


def summary(table: Iterable[Bug]) -> Iterator[str]:
    """Root causes found, by heading."""
    groups: dict[str, dict[tuple[str, ...], list[Bug]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in table:
        groups[row.group][row.cause].append(row)
    for heading, causes in groups.items():
        found = sum(any(row.outcome == "found" for row in same) for same in causes.values())
        whole = sum(len(same) for same in causes.values())
        hits = sum(row.outcome == "found" for same in causes.values() for row in same)
        dirty = sum(any(row.fixed_codes for row in same) for same in causes.values())
        yield f"{heading}: {found} of {len(causes)} root causes ({hits} of {whole} rows); mended but reported: {dirty}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/recall.csv"))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where wheels are kept and unpacked")
    arguments = parser.parse_args()

    reasons = {row["id"]: row["reason"] for row in rows(arguments.output)}
    table = [
        row._replace(reason=reasons.get(row.id, "") if row.outcome == "missed" or row.fixed_codes else "")
        for row in bugs(arguments.cache)
    ]
    write(arguments.output, Bug._fields, table)
    print(*summary(table), sep="\n")


if __name__ == "__main__":
    main()
