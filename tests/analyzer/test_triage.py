"""Triage only spares work: it never passes over what a closer look would find."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from initaudit.analyzer.layout import module_name
from initaudit.analyzer.module import Module
from initaudit.analyzer.syntax.units import units, units_at
from initaudit.analyzer.triage import Sought, sought, sought_in
from initaudit.analyzer.triggers import rows_of
from initaudit.finding import Observer
from initaudit.rules import catalogue, questions

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").rglob("*.py"))
ASKED = questions(catalogue().values(), Observer.ANALYZER)


@given(st.text("ab\né"), st.data())
def test_rows_are_those_of_the_offsets(text: str, data: st.DataObject) -> None:
    offsets = data.draw(st.lists(st.integers(0, len(text))))
    assert rows_of(text, offsets) == {text[:offset].count("\n") + 1 for offset in offsets}


def test_every_part_of_a_file_that_may_hold_a_subject_is_looked_at() -> None:
    looked_at = 0
    for file in FIXTURES:
        text = file.read_text(encoding="utf-8")
        root, name, is_package = module_name(file)
        module = Module(str(file), name, is_package, text, root)
        every = units(module)
        wanted: tuple[Sought, ...] = sought_in(text.encode(), ASKED) or ()
        for each in sought(ASKED):
            near = units_at(every, each.rows(module.raw))
            for unit in every:
                if each in wanted and each.stands_in("\n".join(["", *module.lines[unit.start - 1 : unit.end]])):
                    assert unit in near, (file.name, each.subject, unit.start)
                    looked_at += 1
    assert looked_at > len(FIXTURES)
