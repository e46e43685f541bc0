"""Selectors choose the rules that a person would expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.finding import Category
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule, Default
from initaudit.selection import Layer, Selected, SelectionError, matching, select
from initaudit.settings import load


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> dict[str, AnyRule]:
    """The catalogue with one rule in preview, one that is off, and all the others on."""
    found = catalogue()
    for rule in found.values():
        monkeypatch.setattr(type(rule), "default", Default.ON)
    monkeypatch.setattr(type(found["INI204"]), "default", Default.PREVIEW)
    monkeypatch.setattr(type(found["INI302"]), "default", Default.OFF)
    return found


def chosen(rules: dict[str, AnyRule], *layers: Layer, preview: bool = False) -> set[str]:
    return set(select(rules, layers, preview=preview))


ALWAYS = {"INI001", "INI003"}
"""What no selection of others turns off."""


@pytest.mark.parametrize("selector", ["INI101", "INI2", "correctness", "suspicious", "style", "INI002"])
def test_what_was_not_read_or_built_is_told_under_every_selection(rules: dict[str, AnyRule], selector: str) -> None:
    assert chosen(rules, Layer(select=(selector,))) >= ALWAYS
    assert chosen(rules, Layer(select=(selector,), ignore=("ALL",))) >= ALWAYS


@pytest.mark.parametrize("selector", ["tool", "ALL", "INI0", "INI", "INI00"])
def test_no_category_or_prefix_turns_off_what_tells_that_nothing_was_checked(
    rules: dict[str, AnyRule], selector: str
) -> None:
    assert chosen(rules, Layer(ignore=(selector,))) >= ALWAYS
    assert "INI002" not in chosen(rules, Layer(ignore=(selector,)))


@pytest.mark.parametrize("selector", ["INI003", "ini003", "model-not-built"])
def test_its_own_code_turns_it_off_until_a_later_layer_names_it(rules: dict[str, AnyRule], selector: str) -> None:
    off = Layer(ignore=(selector,))
    assert "INI003" not in chosen(rules, off)
    assert "INI003" not in chosen(rules, off, Layer(select=("INI101",)))
    assert "INI003" in chosen(rules, off, Layer(extend_select=("INI003",)))


def test_without_a_selection_the_rules_that_are_on_run(rules: dict[str, AnyRule]) -> None:
    assert chosen(rules) == set(rules) - {"INI204", "INI302"}
    assert chosen(rules, preview=True) == set(rules) - {"INI302"}


def test_all_takes_every_rule_that_is_not_preview(rules: dict[str, AnyRule]) -> None:
    assert chosen(rules, Layer(select=("ALL",))) == set(rules) - {"INI204"}
    assert chosen(rules, Layer(select=("ALL",)), preview=True) == set(rules)


@pytest.mark.parametrize("selector", ["INI204", "ini204", "rebound-loop-variable"])
def test_a_preview_rule_runs_when_it_is_named(rules: dict[str, AnyRule], selector: str) -> None:
    assert chosen(rules, Layer(select=(selector,))) == {"INI204", *ALWAYS}
    assert "INI204" not in chosen(rules, Layer(select=("INI2",)))


def test_prefixes_and_categories_select_what_they_cover(rules: dict[str, AnyRule]) -> None:
    assert chosen(rules, Layer(select=("INI10",))) == ALWAYS | {code for code in rules if code.startswith("INI10")}
    assert chosen(rules, Layer(select=("style",))) == ALWAYS | {
        code for code, rule in rules.items() if rule.category is Category.STYLE
    }


def test_the_more_specific_selector_wins(rules: dict[str, AnyRule]) -> None:
    assert chosen(rules, Layer(select=("INI10",), ignore=("INI101",))) == ALWAYS | {
        code for code in rules if code.startswith("INI10") and code != "INI101"
    }
    assert chosen(rules, Layer(select=("INI101",), ignore=("INI1",))) == {"INI101", *ALWAYS}
    assert chosen(rules, Layer(select=("INI101",), ignore=("INI101",))) == ALWAYS


def test_flags_override_a_configuration(rules: dict[str, AnyRule]) -> None:
    configured = Layer(select=("INI101",), ignore=("INI201",))
    assert chosen(rules, configured, Layer(extend_select=("INI201",))) == {"INI101", "INI201", *ALWAYS}
    assert chosen(rules, configured, Layer(select=("INI201",))) == {"INI201", *ALWAYS}
    assert chosen(rules, configured, Layer(ignore=("INI101",))) == ALWAYS


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("INI1001", "did you mean `INI101`?"),
        ("INI52", "did you mean `INI502`?"),
        ("IN101", "did you mean `INI101`?"),
        ("corectness", "did you mean `correctness`?"),
        ("uninitialised-paramater", "did you mean `uninitialized-parameter`?"),
        ("INI9", "`initaudit rule --all` lists them"),
        ("E501", "`initaudit rule --all` lists them"),
        ("NPY002", "`initaudit rule --all` lists them"),
        ("x" * 100_000, "`initaudit rule --all` lists them"),
    ],
)
def test_an_unknown_selector_is_an_error_with_a_suggestion(rules: dict[str, AnyRule], selector: str, hint: str) -> None:
    with pytest.raises(SelectionError, match=f"unknown rule `{selector}`") as raised:
        matching(selector, rules)
    assert hint in str(raised.value)


def test_per_file_ignores_hold_for_matching_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "initaudit.toml").write_text(
        '[per-file-ignores]\n"tests/**" = ["INI401"]\n"conftest.py" = ["INI1"]\n', encoding="utf-8"
    )
    selected = Selected(load(), catalogue())
    everywhere = selected.codes("src/net.py")
    assert everywhere - selected.codes("tests/deep/test_net.py") == {"INI401"}
    first = {code for code in everywhere if code.startswith("INI1")}
    assert "INI101" in first and everywhere - selected.codes("src/conftest.py") == first
    assert "INI401" in selected.anywhere(["tests/test_net.py"])
