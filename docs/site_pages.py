"""Generate the pages of rules when the site is built: one for each rule, and an index.

A hook of mkdocs. Findings in other people's code are read from `benchmarks/results/`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from initaudit.engine import Task, mend
from initaudit.finding import Applicability, Observer
from initaudit.observers import reading
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule, Default, Example
from initaudit.settings import Overrides, load
from initaudit.sources.files import decode_source

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
JUDGED = {
    "corpus.csv": "released packages",
    "unseen.csv": "public repositories",
    "wild.csv": "more public repositories",
    "first_reading.csv": "public repositories that nobody had run before",
    "second_reading.csv": "public repositories that nobody had run before, read after the first ones",
    "third_reading.csv": "public repositories that nobody had run before, read third",
    "fourth_reading.csv": "public repositories that nobody had run before, read fourth",
    "fifth_reading.csv": "public repositories that nobody had run before, read fifth",
    "new_rules.csv": "released packages, when the rule was new",
    "architectures_findings.csv": "built architectures",
}
"""Tables of findings that a person has judged, and the kind of code they were found in."""
WATCHED = {
    Observer.ANALYZER: "the analyzer, which reads source",
    Observer.PROBE: "the probe, which builds the model",
}
DEFAULTS = {
    Default.ON: "by default",
    Default.PREVIEW: "with `--preview`",
    Default.OFF: "when it is selected by its code or name",
}
APPLIED = {
    Applicability.SAFE: "`--fix` applies it",
    Applicability.UNSAFE: "`--fix --unsafe-fixes` applies it; it may change behaviour",
}
EXAMPLE = "example.py"
NONE_KNOWN = "No finding of this rule in released code is known."


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the rules in the navigation."""
    listed = [{f"{rule.code} {rule.name}": f"rules/{rule.code}.md"} for rule in catalogue().values()]
    for section in config.nav or ():
        if "Rules" in section:
            section["Rules"] = ["rules/index.md", *listed]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    pages = {"rules/index.md": index()} | {f"rules/{rule.code}.md": page(rule) for rule in catalogue().values()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def index() -> str:
    """Return the index of all rules."""
    rows = [f"| [{rule.code}]({rule.code}.md) | {rule.name} | {_seen_by(rule)} | {rule.severity.value} | "
            f"{_cell(rule.summary().removeprefix('Reports '))} |" for rule in catalogue().values()]  # fmt: skip
    head = "| code | name | seen by | severity | reports |\n|---|---|---|---|---|\n"
    return (
        "# Rules\n\nErrors are bugs, warnings are probably bugs, and notes never fail a run by default. If initaudit "
        "cannot resolve what a decision needs, it reports nothing and counts the case as not decided.\n\n"
        f"{head}{chr(10).join(rows)}\n"
    )


def page(rule: AnyRule) -> str:
    """Return the page of one rule."""
    seen_by = " and by ".join(_watchers(rule))
    facts = f"**{rule.category.value}, {rule.severity.value}.** Seen by {seen_by}. Runs {_default(rule)}."
    document = re.sub(r"(?m)^## Example$", "## Example of the bug", rule.documentation())
    parts = (
        f"# {rule.code} {rule.name}",
        facts,
        document,
        _examples("Reported", rule.invalid),
        _examples("Not reported", rule.valid),
        _fixed(rule),
        wild(rule.code),
        precision(rule.code),
    )
    return "\n\n".join(filter(None, parts)) + "\n"


def wild(code: str) -> str:
    """Return a bug in released code that the rule finds, preferably one that was reported; else that none is known."""
    for row in _rows("recall.csv"):
        if row["outcome"] == "found" and code in re.findall(r"INI\d+", row["codes"]):
            mended = f" and is fixed in {row['fixed']}" if row["fixed"] else ""
            where = f"`{row['path']}`, line {row['line']} (`{row['owner']}`, `{row['parameter']}`)"
            told = f"It was [reported or fixed here]({row['url']}){mended}; initaudit reports it in the release."
            return f"## A real bug\n\n{row['package']} {row['version']}, {where}. {told}"
    for name in JUDGED:
        for row in _rows(name):
            if row["code"] == code and row["verdict"] == "right":
                return f"## A real bug\n\n{_told(row)}"
    return f"## A real bug\n\n{NONE_KNOWN}"


def precision(code: str) -> str:
    """Return a table of the judged findings in other people's code."""
    rows = []
    for name, where in JUDGED.items():
        verdicts = Counter(row["verdict"] for row in _rows(name) if row["code"] == code)
        if verdicts:
            counts = " | ".join(str(verdicts[verdict]) for verdict in ("right", "pedantic", "unclear", "wrong"))
            rows.append(f"| {where} (`{name}`) | {counts} |")
    if not rows:
        return ""
    head = "| found in | right | pedantic | unclear | wrong |\n|---|--:|--:|--:|--:|\n"
    return (
        "## How often it is right\n\nFindings on other people's code, each read by a person:\n\n"
        f"{head}{chr(10).join(rows)}\n\n"
        "Much of that code was known while the rule was written, so this is not an estimate for new code."
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table; where and in what something was found has the same names in all of them."""
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if "place" in row:
                row["file"], _, row["line"] = row["place"].rpartition(":")
            if "release" in row:
                path, _, line = row["line"].rpartition(":")
                row |= {"package": row["release"], "code": row["rule"], "path": path, "row": line}
            yield row


def _told(row: dict[str, str]) -> str:
    """Return the place of a finding, its message, and why it is right."""
    if "package" in row:
        where = f"{row['package']} {row['version']}, `{row['path']}`, line {row['row']}"
    elif "repository" in row:
        line = row["line"] if "cell" in row["line"] else f"line {row['line']}"
        where = f"`{row['repository']}` at commit `{row['commit'][:12]}`, `{row['file']}`, {line}"
    else:
        where = f"`{row['name']}`, built: `{row['path']}`, line {row['row']}"
    said = f":\n\n> {row['message']}" if row.get("message") else "."
    return f"{where}{said}\n\n{row['reason'][:1].upper()}{row['reason'][1:]}."


def _watchers(rule: AnyRule) -> list[str]:
    later = dict.fromkeys(rule.trying, " (with `--preview`)")
    return [WATCHED[observer] + later.get(observer, "") for observer in Observer if observer in rule.observers]


def _seen_by(rule: AnyRule) -> str:
    return ", ".join(observer.value for observer in Observer if observer in rule.observers)


def _default(rule: AnyRule) -> str:
    return f"always, until `{rule.code}` itself is ignored" if rule.always else DEFAULTS[rule.default]


def _examples(title: str, examples: tuple[Example, ...]) -> str:
    """Return the first examples of a kind; they are also tests of the rule."""
    shown = "\n\n".join(_code(example.text()) for example in examples[:2])
    return f"## {title}\n\n{shown}" if shown else ""


def _fixed(rule: AnyRule) -> str:
    """Return the diff of the fix for the first example that has one."""
    configuration = load((), Overrides(select=(rule.code,)), isolated=True)
    for example in rule.invalid if Observer.ANALYZER in rule.observers else ():
        given = decode_source(EXAMPLE, example.text().encode())
        task = Task(configuration=configuration, filenames=(EXAMPLE,), given=(given,))
        mending = mend(task, [reading((EXAMPLE,), jobs=1)], unsafe=True, writing=False)
        fixes = [finding.fix for finding in mending.fixed if finding.fix is not None]
        for before, after in mending.texts:
            patch = "".join(unified_diff(before.text.splitlines(True), after.text.splitlines(True), n=2)).split(
                "\n", 2
            )[2]
            return f"## What the fix does\n\n{APPLIED[fixes[0].applicability]}:\n\n```diff\n{patch.rstrip()}\n```"
    return "## What the fix does\n\nThis rule has no automatic fix: the message says what to write."


def _code(text: str) -> str:
    return f"```python\n{text.rstrip()}\n```"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
