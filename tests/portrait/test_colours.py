"""Source in an excerpt is coloured as Python reads it, and loses no character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.finding import Place
from initaudit.portrait.colours import coloured, spans
from initaudit.report.excerpt import excerpt

SOURCE = '''\
class Net(nn.Module):
    """A text
    for people."""
    def __init__(self, n=3):  # why
        self.len = len("in") + n
'''
TEXTS = st.text(st.sampled_from("ab1 \"'#(){}[]\\\tfor=é漢\n"), max_size=80)


def kinds(text: str) -> list[tuple[str, str]]:
    """Every coloured piece of a source and its kind."""
    lines = text.split("\n")
    found = spans(lines)
    return [(lines[row - 1][start:end], kind) for row in sorted(found) for start, end, kind in found[row]]


def test_keywords_names_texts_numbers_and_comments_have_colours() -> None:
    assert kinds(SOURCE) == [
        ("class", "k"), ("Net", "d"), ('"""A text', "s"), ('    for people."""', "s"), ("def", "k"), ("__init__", "d"),
        ("3", "n"), ("# why", "c"), ("len", "b"), ('"in"', "s"),
    ]  # fmt: skip


def test_a_formatted_text_is_coloured_on_every_python() -> None:
    coloured_text = "".join(text for text, kind in kinds('x = f"in {y} out"\n') if kind == "s")
    assert {"in", "out"} <= set(coloured_text.replace('f"', " ").replace('"', " ").split())


@pytest.mark.parametrize("broken", ["x = (\n", "'never ends\n", "  a\n b\n", "%time x\n", "\x00"])
def test_what_is_no_python_is_shown_all_the_same(broken: str) -> None:
    kinds(broken)


@given(text=TEXTS, row=st.integers(1, 5), column=st.integers(1, 20), length=st.integers(0, 20))
def test_no_character_is_lost_except_the_indent_that_rows_share(text: str, row: int, column: int, length: int) -> None:
    lines = text.split("\n")
    shown = excerpt(Place("a.py", row, column, row, column + length), lines).rows
    made = coloured(shown, lines, spans(lines))
    for one, other in zip(shown, made, strict=True):
        whole = "".join(piece.text for part in (other.before, other.marked, other.after) for piece in part)
        assert one.text.endswith(whole)
        assert one.text.removesuffix(whole).strip(" ") == ""
    assert len({len(one.text) - sum(map(len, _texts(other))) for one, other in zip(shown, made, strict=True)}) <= 1 or (
        any(not one.text.strip() for one in shown)
    )


def _texts(row: object) -> list[str]:
    return [piece.text for part in (row.before, row.marked, row.after) for piece in part]  # type: ignore[attr-defined]
