"""Fixes change what they mean to change, as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.finding import Applicability, Category, Edit, Finding, Fix, Place, Severity
from initaudit.fixes.files import FixError, applicable, apply_edits, mend, unified_diff, write
from initaudit.sources.files import decode_source, read_source
from initaudit.sources.source import SourceFile


def edit(content: str, row: int, column: int, end_column: int, end_row: int | None = None) -> Edit:
    return Edit(content, Place("net.py", row, column, end_row or row, end_column))


def finding(*edits: Edit, applicability: Applicability = Applicability.SAFE) -> Finding:
    return Finding(
        code="INI104",
        name="some-rule",
        severity=Severity.NOTE,
        category=Category.STYLE,
        message="",
        place=edits[0].place,
        evidence=(),
        fix=Fix(applicability, "mend it", edits),
    )


def source(text: str) -> SourceFile:
    return decode_source("net.py", text.encode())


def test_edits_apply_in_any_order_and_count_code_points() -> None:
    edits = [edit("bb", 2, 1, 2), edit("'é'", 1, 9, 11), edit("xx", 1, 1, 2)]
    assert apply_edits(source("a = '🙂'+12\nb = 3\n"), edits) == "xx = '🙂'+'é'\nbb = 3\n"


def test_an_edit_of_several_lines_takes_the_newlines_of_the_file() -> None:
    assert apply_edits(source("a = f(\r\n  1)\r\nb = 2\r\n"), [edit("a = (\n1)", 1, 1, 5, end_row=2)]) == (
        "a = (\r\n1)\r\nb = 2\r\n"
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True))
def test_edits_that_do_not_overlap_do_not_disturb_each_other(columns: list[int]) -> None:
    text = "x" * 40 + " = 1\n"
    edits = [edit("yy", 1, column + 1, column + 2) for column in columns]
    expected = "".join("yy" if column in columns else "x" for column in range(40)) + " = 1\n"
    assert apply_edits(source(text), edits) == expected


def test_of_two_fixes_that_overlap_the_first_wins_as_a_whole() -> None:
    first = finding(edit("A", 1, 1, 2))
    second = finding(edit("B", 1, 1, 2), edit("C", 2, 1, 2))
    mended = mend(source("a = 1\nb = 2\n"), [first, second])
    assert mended.text == "A = 1\nb = 2\n"
    assert mended.fixed == (first,)


def test_an_edit_that_two_fixes_share_is_applied_once() -> None:
    imported = edit("import torch\n", 1, 1, 1)
    mended = mend(
        source("a = 1\nb = 2\n"), [finding(imported, edit("3", 1, 5, 6)), finding(imported, edit("4", 2, 5, 6))]
    )
    assert mended.text == "import torch\na = 3\nb = 4\n"
    assert len(mended.fixed) == 2


def test_unsafe_fixes_are_applied_only_when_wanted_and_shown_ones_never() -> None:
    unsafe = finding(edit("A", 1, 1, 2), applicability=Applicability.UNSAFE)
    shown = finding(edit("B", 2, 1, 2), applicability=Applicability.DISPLAY)
    text = "a = 1\nb = 2\n"
    assert mend(source(text), [unsafe, shown]).text == text
    assert mend(source(text), [unsafe, shown], unsafe=True).text == "A = 1\nb = 2\n"
    assert not applicable(shown, unsafe=True)


def test_a_result_that_is_not_python_is_refused() -> None:
    with pytest.raises(FixError, match="syntax"):
        mend(source("a = 1\n"), [finding(edit("(", 1, 1, 2))])


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbfa = '\xc3\xa9'\n",
        b"# coding: latin-1\r\na = '\xe9'\r\n",
        b"a = 1",
    ],
    ids=["byte-order-mark", "cookie-and-crlf", "no-newline-at-the-end"],
)
def test_the_rest_of_the_file_keeps_its_bytes(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "net.py"
    path.write_bytes(raw)
    file = read_source(str(path))
    row = file.text.count("\n", 0, file.text.index("a =")) + 1
    write(mend(file, [finding(edit("bb", row, 1, 2))]))
    assert path.read_bytes() == raw.replace(b"a =", b"bb =")


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("a = 1\n", encoding="utf-8")
    mended = mend(read_source(str(path)), [finding(edit("b", 1, 1, 2))])
    path.write_text("a = 2\n", encoding="utf-8")
    with pytest.raises(FixError, match="changed"):
        write(mended)
    assert path.read_text(encoding="utf-8") == "a = 2\n"


def test_a_fix_that_does_not_fit_the_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_bytes(b"# coding: latin-1\na = 1\n")
    with pytest.raises(FixError, match="encoding"):
        write(mend(read_source(str(path)), [finding(edit("λ", 2, 1, 2))]))
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.py"]


def test_a_link_is_followed_and_the_mode_is_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "tool.py", tmp_path / "link.py"
    path.write_text("a = 1\n", encoding="utf-8")
    path.chmod(0o750)
    link.symlink_to(path)
    write(mend(read_source(str(link)), [finding(edit("b", 1, 1, 2))]))
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == "b = 1\n"
    assert path.stat().st_mode & 0o777 == 0o750


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("a = 1\n", encoding="utf-8")
    os.chown(path, 1234, 4321)
    path.chmod(0o2750)
    write(mend(read_source(str(path)), [finding(edit("b", 1, 1, 2))]))
    status = path.stat()
    assert path.read_text(encoding="utf-8") == "b = 1\n"
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1234, 4321, 0o2750)


def test_a_diff_is_a_patch() -> None:
    diff = unified_diff(source("a = 1\nb = 2"), source("a = 1\nc = 2"))
    assert diff == (
        b"--- net.py\n+++ net.py\n@@ -1,2 +1,2 @@\n a = 1\n"
        b"-b = 2\n\\ No newline at end of file\n+c = 2\n\\ No newline at end of file\n"
    )
