"""The meanings of names are found when they are asked for, and are those of the statement."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from initaudit.analyzer.project.names import Project
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.scopes import scopes

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").glob("INI*.py"))
NET = """\
from torch import nn


def start(net: nn.Module):
    for name, m in net.named_modules():
        if isinstance(m, nn.Linear):
            w = m.weight
            [nn.init.zeros_(p) for p in m.parameters()]
    net.apply(lambda m: nn.init.ones_(m.weight) if isinstance(m, nn.Linear) else None)
"""


def contexts(path: Path) -> Iterator[Context]:
    project = Project(given=[str(path)])
    module = project.load(str(path))
    assert module is not None
    for start, end, definition in scopes(module):
        snippet = module.snippet(start, end)
        if snippet is not None:
            yield Context(project, module, definition, snippet)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_each_step_has_the_meanings_of_its_statement(path: Path) -> None:
    for context in contexts(path):
        steps, at_once = Meanings(context).steps(), list(Meanings(context)._steps())
        assert [(each.statement.lineno, type(each.statement), each.conditions) for each in steps] == [
            (each.statement.lineno, type(each.statement), each.conditions) for each in at_once
        ]
        assert [dict(each.names) for each in steps] == [each.names for each in at_once]


def test_a_tree_is_freed_with_the_meanings_in_it(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(NET, encoding="utf-8")
    *_, context = contexts(file)
    module, snippet = context.module, weakref.ref(context.snippet)
    gc.disable()  # as while files are read
    try:
        assert "m" in Meanings(context).steps()[-1].names
        del context
        module.forget_trees()
        assert snippet() is None
    finally:
        gc.enable()


def test_no_meaning_is_looked_for_that_no_one_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net.py"
    file.write_text(NET, encoding="utf-8")
    looked_at = []
    bind = Meanings._bind
    monkeypatch.setattr(
        Meanings, "_bind", lambda self, statement, names: looked_at.append(statement) or bind(self, statement, names)
    )
    *_, context = contexts(file)
    steps = Meanings(context).steps()
    assert len(steps) == 7 and not looked_at
    assert "m" in steps[-1].names and looked_at
