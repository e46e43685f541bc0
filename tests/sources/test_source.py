"""Source files are decoded as Python decodes them, and encoded back without losing a byte."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.finding import Place
from initaudit.sources.files import Sources, decode_source, read_source
from initaudit.sources.source import SourceError, line_starts, lines, newline_of


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"x = 1\r\n", "x = 1\r\n"),
        (b"\xef\xbb\xbfx = '\xc3\xa9'\n", "x = 'é'\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        (b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nx = '\x80'", None),
    ],
    ids=["crlf", "byte-order-mark", "cookie", "cookie-in-the-second-line"],
)
def test_bytes_survive_a_round_trip(raw: bytes, text: str | None) -> None:
    source = decode_source("net.py", raw)
    assert text is None or source.text == text
    assert source.encode(source.text) == raw


@pytest.mark.parametrize(
    ("raw", "row", "word"),
    [
        (b"a\nb\nc = '\xe9'\n", 3, "utf-8"),
        (b"# coding: klingon\n", 1, "klingon"),
        (b"# coding: rot13\n", 1, "rot13"),
        (b"\xef\xbb\xbf# coding: latin-1\n", 1, "encoding"),
    ],
)
def test_bytes_that_are_no_text_are_an_error_that_says_where(raw: bytes, row: int, word: str) -> None:
    with pytest.raises(SourceError) as raised:
        decode_source("net.py", raw)
    assert raised.value.row == row
    assert word in raised.value.detail
    assert str(raised.value).startswith("net.py: ")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_source(str(tmp_path / "missing.py"))


def test_only_newlines_end_lines() -> None:
    assert lines("a\fb\u2028c\r\nd\re\n") == ["a\fb\u2028c", "d", "e", ""]


@given(st.lists(st.sampled_from(["x = 1", "\n", "\r\n", "\r", "# é\u2028\f", "    y = (2,"]), max_size=12).map("".join))
def test_lines_are_the_rows_of_the_tokenizer(text: str) -> None:
    comments = []
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(lines(text))).readline):
            if token.type == tokenize.COMMENT:
                comments.append(token)
    except (tokenize.TokenError, SyntaxError):
        pass
    assert all(lines(text)[token.start[0] - 1][token.start[1] :] == token.string for token in comments)


@given(st.text(alphabet="ab\r\n\f\u2028", max_size=20))
def test_offsets_of_lines_point_at_lines(text: str) -> None:
    for start, line in zip(line_starts(text), lines(text), strict=True):
        assert text[start : start + len(line)] == line


def test_the_newline_of_a_file_is_its_first() -> None:
    assert [newline_of(text) for text in ("a\r\nb\n", "a\rb", "a")] == ["\r\n", "\r", "\n"]


def test_sources_that_were_given_are_not_read_from_disk() -> None:
    sources = Sources([decode_source("not-there.py", b"a\nb\n")])
    assert sources.line(Place("not-there.py", 2, 1, 2, 2)) == "b"
    assert sources.line(Place("not-there.py", 9, 1, 9, 2)) == ""
    assert sources.lines(Place("neither.py", 1, 1, 1, 2)) == []
