"""Both engines find the same words and patterns, and neither passes over one that stands in a file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.analyzer import sieve
from initaudit.analyzer.sieve import LONGEST_CALL, Held, Sieve, compiled, without_lookarounds
from initaudit.analyzer.triggers import TRIGGERS, Either, Trigger

FIXTURES = Path(__file__).parents[2] / "fixtures"
LINES = sorted({line for file in FIXTURES.rglob("*.py") for line in file.read_text(encoding="utf-8").splitlines()})


def _triggers() -> Iterator[Trigger]:
    for each in (trigger for triggers in TRIGGERS.values() for trigger in triggers):
        yield from [one for pair in each.pairs for one in pair] if isinstance(each, Either) else [each]


WORDS = sorted({word for trigger in _triggers() for word in trigger.looks_for[0]})
PATTERNS = sorted({pattern for trigger in _triggers() for pattern in trigger.looks_for[1]})
PIECES = [*(word.decode() for word in WORDS), "(", ")", " ", "\n", ".", "_", "x" * LONGEST_CALL, "é"]
TEXTS = st.lists(st.sampled_from([*PIECES, *(f"{line}\n" for line in LINES)]), max_size=12).map("".join)


def test_there_is_something_to_look_for() -> None:
    assert sieve.re2 is not None, "the tests want both engines"
    assert len(WORDS) > 60
    assert len([pattern for pattern in PATTERNS if without_lookarounds(pattern) != pattern]) > 10


@given(TEXTS)
def test_a_word_is_known_to_stand_wherever_it_stands(text: str) -> None:
    raw = text.encode()
    held = Held(raw)
    assert [word for word in WORDS if word in raw and not held.any_word({word})] == []


@given(TEXTS)
def test_all_at_once_finds_what_one_by_one_finds(text: str) -> None:
    raw = text.encode()
    held = Sieve(WORDS, PATTERNS).held(raw)
    assert {word for word in WORDS if held.any_word({word})} == {word for word in WORDS if word in raw}
    found = {pattern for pattern in PATTERNS if held.any_match({pattern: compiled(pattern)})}
    assert found == {pattern for pattern in PATTERNS if re.search(pattern, raw)}


@given(TEXTS)
def test_without_lookarounds_a_pattern_matches_wherever_it_did(text: str) -> None:
    raw = text.encode()
    looking = [pattern for pattern in PATTERNS if re.search(pattern, raw)]
    assert [pattern for pattern in looking if not re.search(without_lookarounds(pattern), raw)] == []


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        (b"a(?!b)c", b"ac"),
        (b"(?<![)\\]](x)\\n)a[(?!]", b"a[(?!]"),
        (b"(?:(?<=a)|(?<=[)]))b(?=(?:c|d(?!e)))", b"(?:|)b"),
        (b"(?m)^a\\(?!", b"(?m)^a\\(?!"),
    ],
)
def test_lookarounds_are_taken_out_whole(pattern: bytes, left: bytes) -> None:
    assert without_lookarounds(pattern) == left


def test_a_run_without_re2_reports_the_same(tmp_path: Path) -> None:
    (tmp_path / "re2.py").write_text("raise ModuleNotFoundError(name='re2')\n", encoding="utf-8")
    command = [sys.executable, "-m", "initaudit", "check", str(FIXTURES), "--select", "ALL", "--preview", "--isolated"]
    command += ["--no-cache", "--exit-zero", "--output-format", "json"]
    found = [
        subprocess.run(command, env=environment, capture_output=True, check=True).stdout
        for environment in (_environment(), _environment(tmp_path))
    ]
    assert found[0] == found[1]
    assert found[0].count(b"INI101") > 5


def _environment(*first: Path) -> dict[str, str]:
    import os

    path = os.pathsep.join([*map(str, first), *sys.path])
    return {**os.environ, "PYTHONPATH": path}
