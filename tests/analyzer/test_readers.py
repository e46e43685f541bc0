"""Every kind of subject has a reader, every reader has a rule, and observers know no rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from initaudit.analyzer.file.matches import Matches
from initaudit.analyzer.readers import readers
from initaudit.analyzer.readers.base import Reader, reads
from initaudit.analyzer.syntax.context import File
from initaudit.finding import Observer
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule
from initaudit.subjects import FACTS
from initaudit.subjects.base import Fact
from initaudit.subjects.files import SyntaxFault, UnusedSuppression

PACKAGE = Path(__file__).parents[2] / "initaudit"
STATED_BY_OTHERS = {SyntaxFault, UnusedSuppression}
"""What `observe` states of a file that no reader can read, and the engine of comments."""


def without_a_reader(rules: Iterable[AnyRule], known: Iterable[Reader[Any]]) -> Iterator[str]:
    """Say which subjects of rules no reader states."""
    stated = {declared.subject for reader in known for declared in reader.declared} | STATED_BY_OTHERS
    for rule in rules:
        if Observer.ANALYZER in rule.observers and rule.subject not in stated:
            name = rule.subject.__name__
            yield (
                f"{rule.code} judges {name}, which no reader states. Add a file to initaudit/analyzer/readers/ with "
                f"`@reads({name}, scope=..., words=...)`, or take the analyzer out of the rule's `observers`."
            )


def without_a_rule(rules: Iterable[AnyRule], known: Iterable[Reader[Any]]) -> Iterator[str]:
    """Say which readers state what no rule judges, and which look for words that no rule's examples hold."""
    judged: dict[type, list[AnyRule]] = {}
    for rule in rules:
        if Observer.ANALYZER in rule.observers:
            judged.setdefault(rule.subject, []).append(rule)
    for reader in known:
        for declared in reader.declared:
            name, judging = declared.subject.__name__, judged.get(declared.subject)
            if judging is None:
                yield f"{reader.name} states {name}, which no rule judges. Add the rule, or delete the reader."
                continue
            texts = [Matches(example.text()) for rule in judging for example in rule.invalid]
            if not any(text.holds_all(declared.words) and text.holds_all(declared.nearby) for text in texts):
                codes = ", ".join(rule.code for rule in judging)
                yield (
                    f"{reader.name} looks for words that no rule needs: no invalid example of {codes} holds "
                    f"{declared.words} and {declared.nearby}. Add an example that does, or delete these words."
                )


def judged_by_nobody(rules: Iterable[AnyRule], facts: Iterable[type[Fact]]) -> Iterator[str]:
    """Say which facts no rule judges."""
    judged = {rule.subject for rule in rules}
    for fact in facts:
        if fact not in judged:
            name = f"{fact.__module__}.{fact.__name__}"
            yield f"No rule judges {name}. Add a file to initaudit/rules/, or delete the fact."


def codes_in(folder: Path) -> Iterator[str]:
    """Say where observers name rules."""
    for file in sorted(folder.rglob("*.py")):
        for row, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if found := re.search(r"\bINI\d{1,3}\b", line):
                where = f"{file.relative_to(folder.parent)}:{row}"
                yield f"{where} names {found[0]}. An observer says in words what it saw; judging it is for the rule."


def test_every_subject_of_a_rule_has_a_reader() -> None:
    assert list(without_a_reader(catalogue().values(), readers())) == []


def test_every_reader_has_a_rule_that_needs_its_words() -> None:
    assert list(without_a_rule(catalogue().values(), readers())) == []


def test_every_fact_is_judged() -> None:
    assert list(judged_by_nobody(catalogue().values(), FACTS)) == []


@pytest.mark.parametrize("room", ["analyzer", "probe"])
def test_observers_name_no_rule(room: str) -> None:
    assert list(codes_in(PACKAGE / room)) == []


class Unheard(Fact, frozen=True, kw_only=True):
    """A kind of subject that nobody knows."""


def test_what_is_missing_is_said_in_words(tmp_path: Path) -> None:
    rules, known = list(catalogue().values()), readers()

    @reads(Unheard, scope=File, words="unheard(")
    def unheard(file: File) -> Iterator[Unheard]:
        yield Unheard()

    (alone,) = without_a_rule(rules, [unheard])
    assert "unheard states Unheard, which no rule judges. Add the rule, or delete the reader" in alone
    missing = list(without_a_reader(rules, [each for each in known if "ModelLoop" not in str(each.declared)]))
    assert "INI201 judges ModelLoop, which no reader states. Add a file to initaudit/analyzer/readers/" in missing[0]
    loops = next(each.declared[0].subject for each in known if each.declared[0].subject.__name__ == "ModelLoop")
    wrong = reads(loops, scope=File, words="never_written(")(lambda file: ())
    assert "looks for words that no rule needs: no invalid example of INI201, INI210" in next(
        without_a_rule(rules, [wrong])
    )
    assert "Unheard. Add a file to initaudit/rules/, or delete the fact" in next(judged_by_nobody(rules, [Unheard]))
    (tmp_path / "analyzer").mkdir()
    (tmp_path / "analyzer" / "reader.py").write_text("# for INI101\n", encoding="utf-8")
    assert "analyzer/reader.py:1 names INI101" in next(codes_in(tmp_path / "analyzer"))
