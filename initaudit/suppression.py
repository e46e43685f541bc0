"""Comments that hide findings: ``# initaudit: ignore[INI101]``, the same with ``ignore-file``, ``# noqa``.

Reads comments with Python's tokenizer; knows nothing of what the code between them does.
"""

from __future__ import annotations

import bisect
import io
import re
import tokenize
from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from initaudit.finding import Edit, Finding, Place
from initaudit.source import SourceFile, lines
from initaudit.subjects.files import UnusedSuppression

_DIRECTIVE = re.compile(
    r"""
    \#\s*(?:
        initaudit:\s*(?:(?P<file>ignore-file)|ignore)\b(?:\s*\[(?P<ours>[^\]]*)\])?
      | (?P<noqa>noqa)\b(?:\s*:\s*(?P<theirs>[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*))?
    )
    (?:[^\#]|\#(?=\d))*  # the reason, which may speak of issue #12
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z]+[0-9]+")
_BETWEEN = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER)


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """One comment, which hides findings of its ``codes`` (None: of every code) in the rows of its statement.

    ``listed`` is where the codes stand. ``ours`` says that it is written for initaudit alone, ``void`` that it can hide
    nothing: an ignore-file below the top of the file, or empty brackets.
    """

    place: Place
    codes: tuple[str, ...] | None
    listed: Place | None
    rows: range
    ours: bool
    whole_file: bool = False
    void: bool = False

    def hides(self, finding: Finding) -> bool:
        """Whether it hides this finding of its file."""
        if self.void or (self.codes is not None and finding.code not in self.codes):
            return False
        if self.codes is None and (self.place.row, self.place.column) == (finding.place.row, finding.place.column):
            return False  # a blanket comment does not hide what is said of itself
        return self.whole_file or finding.place.row in self.rows


class Suppressions(msgspec.Struct, frozen=True):
    """The comments of one file that hide findings, and the rows of each of its statements."""

    source: SourceFile
    comments: tuple[Suppression, ...] = ()
    statements: tuple[range, ...] = ()

    def hiding(self, finding: Finding) -> tuple[Suppression, ...]:
        """Those that hide a finding."""
        return tuple(comment for comment in self.comments if comment.hides(finding))


def _may_be_ours(match: re.Match[str]) -> bool:
    """Whether a comment, or what looks like one, is not plainly for other tools alone."""
    theirs = match["theirs"]
    return theirs is None or "INI" in theirs.upper()


def read_suppressions(source: SourceFile) -> Suppressions:
    """Every suppression in a file, also in one that Python cannot parse."""
    if not any(_may_be_ours(match) for match in _DIRECTIVE.finditer(source.text)):
        return Suppressions(source)
    scan = _Scan(source)
    return Suppressions(source, tuple(scan.suppressions()), tuple(scan.statements))


def unused(
    suppressions: Suppressions, used: Collection[tuple[Place, str]], judged: Callable[[str], bool], *, all_judged: bool
) -> Iterator[UnusedSuppression]:
    """What hides nothing. ``used`` are the comments and codes that hid a finding, ``judged`` the codes to speak of."""
    for comment in suppressions.comments:
        if comment.codes is None or comment.void:
            blanket = comment.ours and all_judged and all(place != comment.place for place, _ in used)
            if comment.void or blanket:
                yield _removed(suppressions.source, comment)
            continue
        useless = tuple(code for code in comment.codes if judged(code) and (comment.place, code) not in used)
        if useless and set(useless) == set(comment.codes):
            yield _removed(suppressions.source, comment, useless)
        elif useless and comment.listed is not None:
            kept = ", ".join(dict.fromkeys(code for code in comment.codes if code not in useless))
            yield UnusedSuppression(place=comment.place, codes=useless, removal=comment.listed, replacement=kept)


def _removed(source: SourceFile, comment: Suppression, codes: tuple[str, ...] = ()) -> UnusedSuppression:
    """The whole comment has to go, and its line when nothing else stands there."""
    place, text = comment.place, lines(source.text)
    line = text[place.row - 1]
    before, after = line[: place.column - 1], line[place.end_column - 1 :]
    removal = place
    if not before.strip() and not after.strip() and place.row < len(text):
        removal = msgspec.structs.replace(place, column=1, end_row=place.row + 1, end_column=1)
    elif not after.strip():
        removal = msgspec.structs.replace(place, column=len(before.rstrip()) + 1, end_column=len(line) + 1)
    return UnusedSuppression(place=_trimmed(line, place), codes=codes, removal=removal, replacement="")


def _trimmed(line: str, place: Place) -> Place:
    """The place without the blanks at its end."""
    text = line[place.column - 1 : place.end_column - 1]
    return msgspec.structs.replace(place, end_column=place.column + len(text.rstrip()))


def suppressing(source: SourceFile, findings: Iterable[Finding]) -> tuple[Edit, ...]:
    """The edits that write an ``# initaudit: ignore[...]`` for each finding, at the end of its statement."""
    scan = _Scan(source)
    suppressions = Suppressions(source, tuple(scan.suppressions()), tuple(scan.statements))
    wanted: dict[range, list[str]] = {}
    for finding in findings:
        rows = _statement_at(suppressions.statements, finding.place.row)
        if rows is not None:
            wanted.setdefault(rows, []).append(finding.code)
    return tuple(_suppressing(suppressions, rows, codes) for rows, codes in wanted.items())


def _suppressing(suppressions: Suppressions, rows: range, codes: list[str]) -> Edit:
    for comment in suppressions.comments:
        of_statement = comment.ours and not comment.whole_file and comment.rows == rows
        if of_statement and comment.listed is not None:
            return Edit(", ".join(dict.fromkeys([*(comment.codes or ()), *sorted(codes)])), comment.listed)
    row = rows[-1]
    line = lines(suppressions.source.text)[row - 1]
    end = Place(suppressions.source.filename, row, len(line.rstrip()) + 1, row, len(line) + 1)
    return Edit(f"  # initaudit: ignore[{', '.join(dict.fromkeys(sorted(codes)))}]", end)


def _statement_at(statements: tuple[range, ...], row: int) -> range | None:
    """The rows of the statement that a row belongs to."""
    index = bisect.bisect_right(statements, row, key=lambda rows: rows.start) - 1
    return statements[index] if index >= 0 and row in statements[index] else None


class _Scan:
    """One pass over the tokens of a file: its comments, and the rows of its statements."""

    def __init__(self, source: SourceFile) -> None:
        self.filename = source.filename
        self.text = lines(source.text)
        self.comments: list[tuple[int, int, str]] = []
        self.statements: list[range] = []
        self.first_code: int | None = None
        self._start: int | None = None
        self._row = 0
        try:
            self._read()
        except (tokenize.TokenError, SyntaxError):
            self._read_lines()

    def _read(self) -> None:
        only_string = True
        for token in tokenize.generate_tokens(io.StringIO("\n".join(self.text)).readline):
            self._row = token.start[0]
            if token.type == tokenize.COMMENT:
                self.comments.append((*token.start, token.string))
            elif token.type == tokenize.NEWLINE:
                self._end_statement(token.start[0], only_string)
                only_string = True
            elif token.type not in _BETWEEN:
                self._start = self._start or token.start[0]
                only_string = only_string and token.type == tokenize.STRING

    def _end_statement(self, row: int, only_string: bool) -> None:
        start = self._start or row
        self.statements.append(range(start, row + 1))
        if self.first_code is None and not only_string:
            self.first_code = start
        self._start = None

    def _read_lines(self) -> None:
        """What the tokenizer did not reach, line by line: better to honour a comment in a string than to miss one."""
        for row in range(self._row + 1, len(self.text) + 1):
            if match := _DIRECTIVE.search(self.text[row - 1]):
                self.comments.append((row, match.start(), self.text[row - 1][match.start() :]))

    def suppressions(self) -> Iterator[Suppression]:
        """What the comments say."""
        for row, column, text in self.comments:
            for match in _DIRECTIVE.finditer(text):
                yield self._suppression(match, row, column)

    def _suppression(self, match: re.Match[str], row: int, column: int) -> Suppression:
        group = "theirs" if match["noqa"] else "ours"
        codes = None if match[group] is None else tuple(code.upper() for code in _CODE.findall(match[group]))
        at_top = self.first_code is None or row < self.first_code
        whole_file = match["file"] is not None
        return Suppression(
            place=self._place(row, column + match.start(), column + match.end()),
            codes=codes,
            listed=None if codes is None else self._place(row, column + match.start(group), column + match.end(group)),
            rows=_statement_at(tuple(self.statements), row) or range(row, row + 1),
            ours=not match["noqa"],
            whole_file=whole_file,
            void=codes == () or (whole_file and not (at_top and not self.text[row - 1][:column].strip())),
        )

    def _place(self, row: int, start: int, end: int) -> Place:
        return Place(self.filename, row, start + 1, row, end + 1)
