"""Comments that suppress findings: ``# initaudit: ignore[INI101]``, ``# initaudit: ignore-file``, ``# noqa``.

Reads comments with Python's tokenizer, and knows nothing else of the code.
"""

from __future__ import annotations

import bisect
import io
import re
import tokenize
from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from initaudit.finding import Edit, Finding, Place
from initaudit.sources.source import SourceFile, lines
from initaudit.subjects.files import UnusedSuppression

_DIRECTIVE = re.compile(
    r"""
    \#\s*(?:
        initaudit:\s*(?:(?P<file>ignore-file)|ignore)\b(?:\s*\[(?P<ours>[^\]]*)\])?
      | (?P<noqa>noqa)\b(?:\s*:\s*(?P<theirs>[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*))?
    )
    (?:[^\#]|\#(?=\d))*  # the reason, which may mention issue #12
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z]+[0-9]+")
_BETWEEN = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER)


class Suppression(msgspec.Struct, frozen=True, kw_only=True):
    """One comment, which suppresses findings of its ``codes`` (None: of every code) in the rows of its statement.

    ``listed`` is the span of the codes. ``ours`` says that the comment is for initaudit alone, ``void`` that it can
    suppress nothing: an ignore-file below the top of the file, or empty brackets.
    """

    place: Place
    codes: tuple[str, ...] | None
    listed: Place | None
    rows: range
    ours: bool
    whole_file: bool = False
    void: bool = False

    def hides(self, finding: Finding) -> bool:
        """Whether it suppresses this finding of its file."""
        if self.void or (self.codes is not None and finding.code not in self.codes):
            return False
        if self.codes is None and (self.place.row, self.place.column) == (finding.place.row, finding.place.column):
            return False  # a blanket comment does not suppress a finding about itself
        return self.whole_file or finding.place.row in self.rows


class Suppressions(msgspec.Struct, frozen=True):
    """The suppressions of one file, and the rows of each of its statements."""

    source: SourceFile
    comments: tuple[Suppression, ...] = ()
    statements: tuple[range, ...] = ()

    def hiding(self, finding: Finding) -> tuple[Suppression, ...]:
        """Return the comments that suppress a finding."""
        return tuple(comment for comment in self.comments if comment.hides(finding))


def _may_be_ours(match: re.Match[str]) -> bool:
    """Whether a comment may be for initaudit: only a `noqa` with codes of other tools is not."""
    theirs = match["theirs"]
    return theirs is None or "INI" in theirs.upper()


def read_suppressions(source: SourceFile) -> Suppressions:
    """Return the suppressions in a file, also if Python cannot parse it."""
    if not any(_may_be_ours(match) for match in _DIRECTIVE.finditer(source.text)):
        return Suppressions(source)
    scan = _Scan(source)
    return Suppressions(source, tuple(scan.suppressions()), tuple(scan.statements))


def unused(
    suppressions: Suppressions, used: Collection[tuple[Place, str]], judged: Callable[[str], bool], *, all_judged: bool
) -> Iterator[UnusedSuppression]:
    """Yield unused suppressions.

    ``used`` holds the comments and codes that suppressed a finding; ``judged`` says whether to judge a code.
    """
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
    """Return the removal of a whole comment, and of its line if nothing else is on it."""
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
    """Return the place without trailing blanks."""
    text = line[place.column - 1 : place.end_column - 1]
    return msgspec.structs.replace(place, end_column=place.column + len(text.rstrip()))


def suppressing(source: SourceFile, findings: Iterable[Finding]) -> tuple[Edit, ...]:
    """Return edits that add ``# initaudit: ignore[...]`` for each finding at the end of its statement."""
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
    """Return the rows of the statement that holds a row."""
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
        """Read what the tokenizer did not reach, line by line: a comment in a string counts, so that none is missed."""
        for row in range(self._row + 1, len(self.text) + 1):
            if match := _DIRECTIVE.search(self.text[row - 1]):
                self.comments.append((row, match.start(), self.text[row - 1][match.start() :]))

    def suppressions(self) -> Iterator[Suppression]:
        """Yield the suppressions in the comments."""
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
