"""Every rule's examples are what the tool finds, and every rule's file is complete.

An example that the probe can build runs through both observers; the others are read only.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.finding import Observer
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule, Example
from initaudit.subjects.files import SyntaxFault

HEADINGS = ["What it does", "Why is this bad?", "Example", "Use instead", "Known problems", "References"]
RULES = list(catalogue().values())

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")


def examples(*, probed: bool) -> list[Any]:
    """Each example of each rule that this observer is to judge, with the number of findings it has to yield."""
    observer = Observer.PROBE if probed else Observer.ANALYZER
    return [
        pytest.param(rule, example, count, id=f"{rule.code}-{kind}-{number}")
        for rule in RULES
        if observer in rule.observers
        for kind, listed in (("invalid", rule.invalid), ("valid", rule.valid))
        for number, example in enumerate(listed)
        if (example.target is not None or not probed) and example.ranks == 1
        for count in [example.count if kind == "invalid" else 0]
    ]


def findings(*arguments: str) -> list[str]:
    """The codes that a run reports."""
    flags = ["--isolated", "--preview", "--output-format", "json"]
    outcome = CliRunner().invoke(main, [*arguments, *flags])
    assert outcome.exit_code in (0, 1), outcome.output
    return [finding["code"] for finding in json.loads(outcome.stdout)]


@pytest.mark.parametrize(("rule", "example", "count"), examples(probed=False))
def test_reading_an_example_finds_what_its_rule_says(
    rule: AnyRule, example: Example, count: int, tmp_path: Path
) -> None:
    file = tmp_path / "example.py"
    file.write_text(example.text(), encoding="utf-8")
    assert findings("check", "--no-cache", str(file), "--select", rule.code) == [rule.code] * count


@needs_torch
@pytest.mark.parametrize(("rule", "example", "count"), examples(probed=True))
def test_building_an_example_finds_what_its_rule_says(
    rule: AnyRule, example: Example, count: int, tmp_path: Path
) -> None:
    file = tmp_path / "example.py"
    file.write_text(example.text(), encoding="utf-8")
    missing = [flag for key in example.missing_keys for flag in ("--missing-keys", key)]
    assert findings("probe", f"{file}:{example.target}", "--select", rule.code, *missing) == [rule.code] * count


@pytest.mark.parametrize(
    ("rule", "example"),
    [
        pytest.param(rule, example, id=f"{rule.code}-{number}")
        for rule in RULES
        for number, example in enumerate(rule.invalid)
        if example.fixed is not None
    ],
)
def test_fixing_an_example_gives_the_file_that_its_rule_shows(rule: AnyRule, example: Example, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(example.text(), encoding="utf-8")
    findings("check", "--no-cache", str(file), "--select", rule.code, "--fix", "--unsafe-fixes")
    assert file.read_text(encoding="utf-8") == inspect.cleandoc(example.fixed or "") + "\n"
    assert findings("check", "--no-cache", str(file), "--select", rule.code) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rules_file_documents_and_exemplifies_it(rule: AnyRule) -> None:
    module = inspect.getmodule(type(rule))
    assert module is not None and module.__file__ is not None
    assert re.fullmatch(r"INI\d{3}", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert Path(module.__file__).stem == rule.name.replace("-", "_")
    assert (module.__doc__ or "").startswith(f"{rule.code}: ")
    assert re.findall(r"^## (.+)$", rule.documentation(), re.MULTILINE) == HEADINGS
    assert rule.summary().startswith("Reports ")
    assert rule.invalid and rule.valid
    assert set(rule.supersedes) <= set(catalogue()) - {rule.code}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_code_in_a_rules_document_is_python(rule: AnyRule) -> None:
    shown = re.findall(r"^```python\n(.*?)^```$", rule.documentation(), re.MULTILINE | re.DOTALL)
    wrong_by_design = 1 if rule.subject is SyntaxFault else 0
    for code in shown[wrong_by_design:]:
        ast.parse(code)


def test_names_and_codes_are_unique() -> None:
    modules = {inspect.getmodule(type(rule)) for rule in RULES}
    assert Counter(rule.name for rule in RULES).most_common(1)[0][1] == 1
    assert len(modules) == len(RULES) == len({rule.code for rule in RULES})


def test_a_rule_that_only_the_probe_sees_has_examples_it_can_build() -> None:
    unbuildable = [
        rule.code
        for rule in RULES
        if rule.observers == {Observer.PROBE} and not all(e.target for e in (*rule.invalid, *rule.valid))
    ]
    assert unbuildable == []
