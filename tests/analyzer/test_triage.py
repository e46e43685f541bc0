"""Triage only spares work: it never passes over what a closer look would find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from initaudit.analyzer.layout import module_name
from initaudit.analyzer.project import Module
from initaudit.analyzer.syntax.units import units, units_at
from initaudit.analyzer.triage import Sought, sought, sought_in
from initaudit.analyzer.triggers import LONGEST_CALL, TRIGGERS, Either, Trigger, Words, rows_of
from initaudit.finding import Observer
from initaudit.rules import catalogue, questions

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").rglob("*.py"))
ASKED = questions(catalogue().values(), Observer.ANALYZER)


def _words() -> Iterator[str]:
    """Every word that some trigger looks for."""
    for each in (trigger for triggers in TRIGGERS.values() for trigger in triggers):
        triggers: list[Trigger] = [one for pair in each.pairs for one in pair] if isinstance(each, Either) else [each]
        yield from (word for trigger in triggers for word in trigger.words)


WORDS = sorted(set(_words()))
TEXTS = st.lists(st.sampled_from([*WORDS, "(", ")", " ", "\n", ".", "_", "x" * LONGEST_CALL, "é"])).map("".join)


@given(TEXTS)
def test_a_word_is_known_to_stand_wherever_it_stands(text: str) -> None:
    words = Words(text.encode())
    assert [word for word in WORDS if word in text and not words.hold(word.encode())] == []


@given(TEXTS, st.data())
def test_rows_are_those_of_the_offsets(text: str, data: st.DataObject) -> None:
    offsets = data.draw(st.lists(st.integers(0, len(text))))
    assert rows_of(text, offsets) == {text[:offset].count("\n") + 1 for offset in offsets}


def test_every_part_of_a_file_that_may_hold_a_subject_is_looked_at() -> None:
    looked_at = 0
    for file in FIXTURES:
        text = file.read_text(encoding="utf-8")
        _, name, is_package = module_name(file)
        module = Module(str(file), name, is_package, text)
        every = units(module)
        wanted: tuple[Sought, ...] = sought_in(text.encode(), ASKED) or ()
        for each in sought(ASKED):
            near = units_at(every, each.rows(text))
            for unit in every:
                if each in wanted and each.stands_in("\n".join(["", *module.lines[unit.start - 1 : unit.end]])):
                    assert unit in near, (file.name, each.subject, unit.start)
                    looked_at += 1
    assert looked_at > len(FIXTURES)
