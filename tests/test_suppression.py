"""Comments hide exactly the findings of their statement, and those that hide nothing are found out."""

from __future__ import annotations

import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.finding import Category, Edit, Finding, Place, Severity
from initaudit.fixes.files import apply_edits
from initaudit.sources.files import decode_source
from initaudit.sources.source import SourceFile, lines
from initaudit.subjects.files import UnusedSuppression
from initaudit.suppression import read_suppressions, suppressing, unused


def source(text: str) -> SourceFile:
    return decode_source("net.py", textwrap.dedent(text).lstrip("\n").encode())


def finding(row: int, code: str = "INI101") -> Finding:
    return Finding(
        code=code,
        name="some-rule",
        severity=Severity.ERROR,
        category=Category.CORRECTNESS,
        message="",
        place=Place("net.py", row, 1, row, 2),
        evidence=(),
    )


def hidden_rows(text: str, code: str = "INI101") -> list[int]:
    """The rows in which a finding would be hidden."""
    file = source(text)
    suppressions = read_suppressions(file)
    return [row for row in range(1, file.text.count("\n") + 1) if suppressions.hiding(finding(row, code))]


@pytest.mark.parametrize(
    "comment",
    [
        "# initaudit: ignore[INI101]",
        "# initaudit: ignore[INI202, INI101] the loader fills it",
        "#initaudit:ignore[ini101]",
        "# initaudit: ignore",
        "# noqa: INI101",
        "# NOQA:E501,INI101",
        "# noqa: E501 INI101 as in the paper",
        "# noqa",
        "# type: ignore  # noqa: INI101",
    ],
)
def test_a_comment_hides_its_line(comment: str) -> None:
    assert hidden_rows(f"a = 1\nb = 2  {comment}\nc = 3\n") == [2]


@pytest.mark.parametrize(
    "comment",
    [
        "# initaudit: ignore[INI102]",
        "# initaudit: ignore[]",
        "# initaudit: ignored",
        "# noqa: E501",
        "# flake8: noqa",
        "# ignore[INI101]",
        "'# noqa'",
    ],
)
def test_other_comments_hide_nothing(comment: str) -> None:
    assert hidden_rows(f"b = 2,  {comment}\n") == []


def test_a_comment_on_any_line_of_a_statement_hides_the_whole_statement() -> None:
    text = """
    a = f(
        1,  # noqa: INI101
        2,
    )
    b = 1; c = \\
        2  # noqa: INI101
    for p in (
        q):  # noqa: INI101
        pass
    d = '''
    # noqa: INI101
    '''
    e = '''
    '''  # noqa: INI101
    """
    assert hidden_rows(text) == [1, 2, 3, 4, 5, 6, 7, 8, 13, 14]


def test_ignore_file_at_the_top_hides_the_file() -> None:
    assert {1, 4, 5} <= set(
        hidden_rows('#!/bin/python\n"""Doc."""\n# initaudit: ignore-file generated\nx = 1\ny = 2\n')
    )


@pytest.mark.parametrize("listed", ["[INI101]", " [ini101, INI601] generated"])
def test_ignore_file_with_codes_hides_these_alone(listed: str) -> None:
    text = f"# initaudit: ignore-file{listed}\nx = 1\ny = 2\n"
    assert hidden_rows(text) == [1, 2, 3]
    assert hidden_rows(text, "INI202") == []


@pytest.mark.parametrize(
    "text", ["x = 1\n# initaudit: ignore-file\ny = 2\n", "x = 1  # initaudit: ignore-file\ny = 2\n"]
)
def test_ignore_file_anywhere_else_hides_nothing_and_is_useless(text: str) -> None:
    assert hidden_rows(text) == []
    (fact,) = useless(text, judged=())
    assert fact.codes == ()


@pytest.mark.parametrize("broken", ["def f(:\n", "x = '''\n", "  y\n z\n", "x = (\n", "\x00\n"])
def test_comments_of_a_broken_file_still_count(broken: str) -> None:
    assert 1 in hidden_rows(f"x = 1  # noqa: INI101\n{broken}")
    text = f"x = 1\n{broken}z = 2  # noqa: INI101\n"
    assert text.count("\n") in hidden_rows(text)


def test_lines_are_counted_as_python_counts_them() -> None:
    assert hidden_rows("x = 1  # a\u2028b\fc\ny = 2  # noqa: INI101\r\n") == [2]


@given(st.text(alphabet="x =#'\"()[]:\\\n\r\t,noqaINI101é", max_size=60))
def test_comments_are_found_where_they_stand_in_any_text(text: str) -> None:
    file = decode_source("net.py", f"{text}\n# noqa: INI101\n".encode())
    for comment in read_suppressions(file).comments:
        line = lines(file.text)[comment.place.row - 1]
        assert re.match(r"#\s*noqa", line[comment.place.column - 1 :], re.IGNORECASE)
        assert comment.place.end_column <= len(line) + 1


def useless(text: str, *, judged: tuple[str, ...], used: tuple[int, ...] = ()) -> list[UnusedSuppression]:
    """What is reported when findings of INI101 stand in the rows ``used``."""
    suppressions = read_suppressions(source(text))
    hits = {(comment.place, "INI101") for row in used for comment in suppressions.hiding(finding(row))}
    return list(unused(suppressions, hits, judged.__contains__, all_judged=bool(judged)))


def cleaned(text: str, **how: tuple[str, ...]) -> str:
    """The text after what is useless has been removed."""
    return apply_edits(source(text), [Edit(fact.replacement, fact.removal) for fact in useless(text, **how)])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1  # initaudit: ignore[INI101] see #12\n", "x = 1\n"),
        ("x = 1  # noqa: INI101\n", "x = 1\n"),
        ("x = 1  # noqa: E501, INI101\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # initaudit: ignore[INI101, INI601]\n", "x = 1  # initaudit: ignore[INI601]\n"),
        ("x = 1  # noqa: INI101  # type: ignore\n", "x = 1  # type: ignore\n"),
        ("x = 1  # type: ignore  # noqa: INI101\n", "x = 1  # type: ignore\n"),
        ("x = 1\n    # initaudit: ignore[INI101]\ny = 2\n", "x = 1\ny = 2\n"),
        ("x = 1\n# initaudit: ignore[INI101]", "x = 1\n"),
        ("x = 1  # initaudit: ignore\n", "x = 1\n"),
        ("# initaudit: ignore-file[INI101]\nx = 1\n", "x = 1\n"),
        ("# initaudit: ignore-file[INI101, INI601]\nx = 1\n", "# initaudit: ignore-file[INI601]\nx = 1\n"),
        ("x = 'é🙂'  # noqa: INI101\n", "x = 'é🙂'\n"),
        ("x = 1  # noqa\n", "x = 1  # noqa\n"),
        ("x = 1  # noqa: E501, INI601\n", "x = 1  # noqa: E501, INI601\n"),
    ],
)
def test_a_comment_that_hides_nothing_is_removed_as_far_as_it_is_useless(before: str, after: str) -> None:
    assert cleaned(before, judged=("INI101",)) == after


def test_a_comment_that_hides_something_stays() -> None:
    text = "x = 1  # initaudit: ignore[INI101]\ny = 2  # initaudit: ignore[INI101]\n"
    assert [fact.place.row for fact in useless(text, judged=("INI101",), used=(1,))] == [2]


def test_a_code_that_nobody_looked_for_is_not_judged() -> None:
    assert useless("x = 1  # initaudit: ignore[INI101]\n", judged=()) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "x = 1  # initaudit: ignore[INI101]\n"),
        ("x = f(\n    1\n)  \n", "x = f(\n    1\n)  # initaudit: ignore[INI101]\n"),
        (
            "f(\n    # initaudit: ignore-file[INI1]\n)\n",
            "f(\n    # initaudit: ignore-file[INI1]\n)  # initaudit: ignore[INI101]\n",
        ),
        ("x = 1  # why\n", "x = 1  # why  # initaudit: ignore[INI101]\n"),
        ("x = 1  # initaudit: ignore[INI202]\n", "x = 1  # initaudit: ignore[INI202, INI101]\n"),
        ("x = '''\n'''\n", "x = '''\n'''  # initaudit: ignore[INI101]\n"),
    ],
)
def test_a_finding_is_suppressed_at_the_end_of_its_statement(before: str, after: str) -> None:
    file = source(before)
    text = apply_edits(file, suppressing(file, [finding(1), finding(1)]))
    assert text == after
    assert read_suppressions(source(text)).hiding(finding(1))
