"""Fix copies of releases with ``--fix --unsafe-fixes``, and compare them with what they were.

    python benchmarks/fixes.py WHEEL... > benchmarks/results/fixes.md

Every changed file has to parse, every comment has to be there, nothing new at warning or above may be found, and a row
may change only in a statement with a finding, right behind it, at the end of its function, or among the imports.
"""

from __future__ import annotations

import ast
import difflib
import io
import json
import subprocess
import sys
import tempfile
import tokenize
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECK = [sys.executable, "-m", "initaudit", "check", "--isolated", "--preview", "--select", "ALL"]
Found = dict[str, Any]


@dataclass
class Fixed:
    """What fixing one release came to."""

    files: int = 0
    findings: int = 0
    offered: int = 0
    mended: int = 0
    changed: int = 0
    unparsed: int = 0
    comments: int = 0
    new: int = 0
    elsewhere: int = 0


def check(folder: Path, *flags: str) -> list[Found]:
    """Return the findings in a folder."""
    command = [*CHECK, "--output-format", "json", *flags, "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        print(done.stderr[-2000:], file=sys.stderr)
    found: list[Found] = json.loads(done.stdout)
    return found


def fix(wheel: str) -> Fixed:
    """Fix a copy of a release."""
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(wheel) as archive:
        folder = Path(name)
        archive.extractall(folder, [each for each in archive.namelist() if each.endswith(".py")])
        texts = {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.py"))}
        before = check(folder)
        after = check(folder, "--fix", "--unsafe-fixes")
        result = Fixed(files=len(texts), findings=len(before))
        result.offered = sum(bool(each["fix"] and each["fix"]["edits"]) for each in before)
        result.mended = len(before) - len(after)
        old = Counter(map(identity, before))
        heavy = Counter(identity(each) for each in after if each["severity"] != "note")
        result.new = sum((heavy - old).values())
        for file, raw in texts.items():
            now = (folder / file).read_bytes()
            if now != raw:
                result.changed += 1
                compare(raw.decode(), now.decode(), [each for each in before if each["filename"] == file], result)
    return result


def identity(finding: Found) -> tuple[str, ...]:
    """What a finding is about."""
    about = (finding.get("parameter") or "", finding.get("model") or "")
    return (finding["code"], finding["filename"], *about)


def compare(old: str, new: str, findings: list[Found], result: Fixed) -> None:
    """Count what must not have happened to a file."""
    try:
        ast.parse(new)
    except SyntaxError:
        result.unparsed += 1
        return
    result.comments += sum((comments(old) - comments(new)).values())
    allowed = set(rows_of(old, findings))
    matcher = difflib.SequenceMatcher(None, old.split("\n"), new.split("\n"), autojunk=False)
    for kind, low, high, _, _ in matcher.get_opcodes():
        if kind != "equal" and not allowed & set(range(low + 1, max(high, low + 1) + 1)):
            result.elsewhere += 1
            print(f"{findings[0]['filename'] if findings else ''}:{low + 1} changed", file=sys.stderr)


def comments(text: str) -> Counter[str]:
    """Return the comments of a file, without those that hide findings."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return Counter(each for each in found if "noqa" not in each and "initaudit" not in each)


def rows_of(text: str, findings: list[Found]) -> Iterator[int]:
    """Yield the rows that a fix may touch."""
    body = ast.parse(text).body
    rows = {finding["location"]["row"] for finding in findings}
    for node in (each for statement in body for each in ast.walk(statement)):
        if isinstance(node, ast.stmt):
            first, last = node.lineno, node.end_lineno or node.lineno
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from range(first, last + 2)
            elif any(first <= row <= last for row in rows):
                if isinstance(node, ast.FunctionDef):
                    yield from (last, last + 1)
                elif not isinstance(node, ast.ClassDef):
                    yield from range(first, last + 2)


def main() -> None:
    warnings.simplefilter("ignore")
    print("# `--fix --unsafe-fixes` on copies of releases\n")
    print("All rules, with preview. Findings without a fix have no remedy, or none that could be proved.\n")
    heads = "files | findings | with a fix | mended | files changed | not Python | comments lost | new | elsewhere"
    print(f"| release | {heads} |")
    print("|---" * 10 + "|")
    for wheel in sys.argv[1:]:
        one = fix(wheel)
        release = "-".join(Path(wheel).name.split("-")[:2])
        counts = (one.files, one.findings, one.offered, one.mended, one.changed)
        wrong = (one.unparsed, one.comments, one.new, one.elsewhere)
        print(f"| {release} | {' | '.join(map(str, (*counts, *wrong)))} |", flush=True)


if __name__ == "__main__":
    main()
