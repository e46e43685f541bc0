"""Turn a cell into Python as IPython does before running it, without moving a row.

Commands (``%magic``, ``!shell``, ``help?``) are recognised where a statement begins, never inside a string, a bracket
or a continued line, and replaced by Python that does nothing. The Python that a magic runs is read: all of ``%%time``,
none of ``%%bash``, and the parts of ``%%tab`` for PyTorch.
"""

from __future__ import annotations

import ast
import bisect
import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal

import msgspec

from initaudit.sources.newer_python import is_newer_python
from initaudit.sources.source import lines
from initaudit.sources.tokens import tokens

ELSEWHERE = "from elsewhere import *"
"""Stands for code that is not read and may bind any name: commands that run programs, and skipped cells."""
NOTHING = "pass"
ANYTHING = "get_ipython()"
"""Stands for the result of a command."""

RUN_A_STATEMENT = frozenset({"debug", "lprun", "memit", "mprun", "prun", "pyinstrument", "time", "timeit"})
"""Line magics that run the Python after their options; as cell magics they run their body."""
RUN_THEIR_BODY = RUN_A_STATEMENT | {"capture", "heat", "notify", "scalene", "snakeviz", "wandb"}
BIND_NAMES = frozenset({"R", "load", "loadpy", "macro", "pylab", "rerun", "recall", "run", "sql", "store"})
"""Line magics that may bind any name."""
SHELLS = frozenset({"!", "bash", "cmd", "perl", "ruby", "script", "sh", "shell", "system", "sx"})
SHOW_THEIR_BODY = frozenset({"HTML", "SVG", "html", "javascript", "js", "latex", "markdown", "svg"})
WRITE_A_FILE = frozenset({"file", "writefile"})
WITHOUT_A_SIGN = re.compile(
    r"\s*(?:cat|cd|clear|conda|cp|env|history|less|ll|load_ext|ls|mamba|man|matplotlib|micromamba|mkdir|more|mv|pip|pwd"
    r"|reload_ext|rm|rmdir|run|time|timeit|uv|who|whos)(?!\S)"
)
"""Line magics usable without a percent sign, which IPython adds in a cell of one row."""
BIND_NO_NAMES = SHELLS | SHOW_THEIR_BODY | WRITE_A_FILE | {"tab"}
ANOTHER_PROCESS = frozenset({"python", "python3"})
FRAMEWORKS = re.compile(r"\b(?:all|torch|pytorch)\b")
"""Matches the tabs for PyTorch, in a text for several frameworks."""
OTHER_TAB = "for another framework"

_MAGIC = re.compile(r"%%([^\s?]+)[ \t]*(.*)")
_COMMAND = re.compile(r"[ \t]*(?:%(?!=)|!(?!=)|[?,;]|/(?![/=\s]))")
_BEHIND_ASSIGNMENT = re.compile(r"(?:[ \t]|\\\n)*(?=(?P<magic>%[ \t]*[^\W\d])|!(?!=))")
_HELP = re.compile(r"(?:[^\W\d]|\*)[\w*]*(?:\[-?[0-9]+\])*\?{1,2}\Z")
_CLASSIC = re.compile(r"[ \t]*>>>[ \t]?"), re.compile(r"[ \t]*(?:>>>|\.\.\.)[ \t]?")
_NUMBERED = re.compile(r"(?:(?:\[nav\]|\[ins\])? )?In \[\d+\]: |\s*\.{3,}: ?")
_HEADER = re.compile(r"(?:async[ \t]+)?def\b|class\b")
_TAB_COMMENT = re.compile(r"#@tab\b[ \t]*(.*)")


class Fault(msgspec.Struct, frozen=True):
    """The place in a cell where Python fails to parse it, and why."""

    row: int
    column: int
    detail: str


class Code(msgspec.Struct):
    """The Python of a cell, row by row, and the number of columns removed at the start of each row.

    ``fault`` says why the cell is not Python, ``unread`` why possible Python was skipped; the rows are then empty.
    """

    rows: list[str]
    shifts: list[int]
    fault: Fault | None = None
    unread: str | None = None

    def blank(self, first: str = "") -> None:
        """Remove all code, and put ``first`` into the first row."""
        self.rows[:] = [first, *[""] * (len(self.rows) - 1)]


def python_of(text: str) -> Code:
    """Return the Python that IPython would run for a cell."""
    rows = lines(text)
    return _cell(Code(rows, [0] * len(rows)))


def tab_of(text: str) -> str | None:
    """Return the frameworks that a cell is for, if a comment at its start says so."""
    match = _TAB_COMMENT.match(text.lstrip())
    return match[1] if match else None


def commands_of_session(rows: Sequence[str]) -> list[str]:
    """Return the rows without output, if they show an interactive session."""
    first = next((row for row in rows if row.strip()), "")
    if _CLASSIC[0].match(first):
        return [row if _CLASSIC[1].match(row) else "" for row in rows]
    return [row if _NUMBERED.match(row) else "" for row in rows] if _NUMBERED.match(first) else list(rows)


def _cell(code: Code) -> Code:
    first = next((index for index, row in enumerate(code.rows) if row.strip()), None)
    if first is None:
        return code
    if (tab := tab_of(code.rows[first])) is not None and not FRAMEWORKS.search(tab):
        code.blank()
        code.unread = OTHER_TAB
        return code
    if not _NUMBERED.match(code.rows[first]) and _fault(code) is None:
        return code
    _dedent(code)
    _take_prompts(code, first)
    if (magic := _MAGIC.fullmatch(code.rows[first])) and "?" not in code.rows[first].split()[0]:
        _run(code, first, magic[1], magic[2])
    else:
        _take_commands(code.rows)
    fault = _fault(code)
    is_alone = not any(row.strip() for row in code.rows[first + 1 :])
    if fault is not None and is_alone and WITHOUT_A_SIGN.match(code.rows[first]):
        code.rows[first] = _instead_of(f"%{code.rows[first]}", ())
        code.shifts[first] -= 1
        return code
    if fault is not None and not is_newer_python("\n".join(code.rows)):
        code.fault = fault
        code.blank(ELSEWHERE)
    return code


def _fault(code: Code) -> Fault | None:
    """Return why Python does not parse a cell; None if it does."""
    error = syntax_error("\n".join([*code.rows, ""]))
    if error is None:
        return None
    row = min(max(error.lineno or 1, 1), len(code.rows))
    return Fault(row, max(error.offset or 1, 1) + code.shifts[row - 1], error.msg)


def syntax_error(text: str) -> SyntaxError | None:
    """Return why this Python does not parse a text; None if it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except SyntaxError as error:
            return error
        except (ValueError, RecursionError, MemoryError) as error:
            return SyntaxError(str(error) or "nests too deep to follow")
    return None


def _cut(code: Code, row: int, length: int) -> None:
    """Remove characters at the start of a row."""
    code.rows[row] = code.rows[row][length:]
    code.shifts[row] += length


def _dedent(code: Code) -> None:
    """Remove the indentation that all rows share."""
    margin: str | None = None
    for row in code.rows:
        if row.strip():
            indent = row[: len(row) - len(row.lstrip(" \t"))]
            if margin is None:
                margin = indent
            while not indent.startswith(margin):
                margin = margin[:-1]
    for index, row in enumerate(code.rows):
        if margin and row.startswith(margin):
            _cut(code, index, len(margin))


def _take_prompts(code: Code, first: int) -> None:
    """Remove the prompts of a pasted session: ``>>>``, or ``In [1]:``."""
    beginning, any_prompt = _CLASSIC
    if any(_NUMBERED.match(row) for row in code.rows[first : first + 2]):
        beginning = any_prompt = _NUMBERED
    elif not any(beginning.match(code.rows[piece.first]) for piece in _pieces(code.rows)):
        return
    for index, row in enumerate(code.rows):
        if match := any_prompt.match(row):
            _cut(code, index, match.end())
    _dedent(code)


def _run(code: Code, first: int, magic: str, arguments: str) -> None:
    """Read the body of a cell magic as the Python that it runs."""
    body = Code(code.rows[first + 1 :], code.shifts[first + 1 :])
    if magic in RUN_THEIR_BODY or (magic == "tab" and FRAMEWORKS.search(arguments)):
        _cell(body)
    elif not (magic in ANOTHER_PROCESS and _fault(body) is None):
        code.blank("" if magic in BIND_NO_NAMES else ELSEWHERE)
        code.unread = _why_unread(magic, arguments)
        return
    captured = [word for word in arguments.split() if word.isidentifier()] if magic == "capture" else []
    code.rows[first:] = [f"{captured[0]} = {ANYTHING}" if captured else NOTHING, *body.rows]
    code.shifts[first + 1 :] = body.shifts
    code.unread = body.unread
    if body.fault is not None:
        code.fault = msgspec.structs.replace(body.fault, row=body.fault.row + first + 1)


def _why_unread(magic: str, arguments: str) -> str | None:
    """Return why a body that may be Python is skipped; None if it is not Python."""
    if magic == "tab":
        return OTHER_TAB
    if magic in WRITE_A_FILE:
        return f"%%{magic} writes it to a file" if arguments.rstrip().endswith(".py") else None
    return None if magic in BIND_NO_NAMES else f"the effect of %%{magic} is unknown"


# Commands


class _Piece(msgspec.Struct, frozen=True):
    """The rows of a statement, and the column where its command begins; counted from 0."""

    first: int
    last: int
    column: int
    kind: Literal["python", "command", "assigned", "help"]


def _pieces(rows: Sequence[str]) -> Iterator[_Piece]:
    """Yield the statements and commands, each up to the end of its last line."""
    text = "\n".join(rows)
    starts = [0, *accumulate(len(row) + 1 for row in rows)]
    row = 0
    while row < len(rows):
        line = rows[row]
        content = line.lstrip()
        if not content or content.startswith("#") or content == "\\":
            row += 1
            continue
        column = len(line) - len(content)
        piece = _Piece(row, _continued(rows, row), column, "command")
        if not _COMMAND.match(line):
            piece = _statement(text, starts, rows, row)
        yield piece
        row = piece.last + 1


def _statement(text: str, starts: Sequence[int], rows: Sequence[str], first: int) -> _Piece:
    """Follow a statement to its end, or to the command that it assigns."""
    depth, assigned, last, end = 0, False, "", len(text.removesuffix("\n"))
    for token in tokens(text, starts[first]):
        if token.kind == "newline" and depth == 0:
            end = token.start
            break
        depth = max(depth + token.step, 0)
        if token.kind == "assigns" and depth == 0 and not assigned:
            assigned = True
            command = _BEHIND_ASSIGNMENT.match(text, token.start + 1)
            row = bisect.bisect_right(starts, command.end()) - 1 if command else 0
            if command and (command["magic"] or not rows[row].lstrip().startswith("=")):
                return _Piece(row, _continued(rows, row), command.end() - starts[row], "assigned")
        last = last if token.kind in ("blank", "newline") else token.text
    final = bisect.bisect_right(starts, max(end, starts[first])) - 1
    asks = last == text[end - 1 : end] == "?" and _HELP.search(text, starts[first], end) is not None
    column = len(rows[first]) - len(rows[first].lstrip())
    return _Piece(first, final, column, "help" if asks else "python")


def _continued(rows: Sequence[str], row: int) -> int:
    """Return the last row of a command: a backslash continues it."""
    while row < len(rows) - 1 and rows[row].endswith("\\"):
        row += 1
    return row


def _take_commands(rows: list[str]) -> None:
    """Replace each command by Python."""
    for piece in list(_pieces(rows)):
        if piece.kind == "python":
            continue
        before, command = rows[piece.first][: piece.column], rows[piece.first][piece.column :]
        more = rows[piece.first + 1 : piece.last + 1]
        instead = ANYTHING if piece.kind == "assigned" else _instead_of(command, more)
        if instead == ELSEWHERE and _is_local(rows, piece):
            instead = NOTHING  # Python imports all names at the top level only
        rows[piece.first] = before + instead
        if not instead.endswith("\\"):
            rows[piece.first + 1 : piece.last + 1] = [""] * len(more)


def _is_local(rows: Sequence[str], piece: _Piece) -> bool:
    """Whether a command is inside a function or a class."""
    column = piece.column
    for row in reversed(rows[: piece.first]):
        header = row.lstrip()
        if header and len(row) - len(header) < column:
            column = len(row) - len(header)
            if _HEADER.match(header):
                return True
    return False


def _instead_of(command: str, more: Sequence[str]) -> str:
    """Return the Python that replaces a command; a statement that it runs keeps its columns."""
    magic, *arguments = (command[1:] if command.startswith("%") else "").split() or [""]
    if magic in BIND_NAMES:
        return ELSEWHERE
    if magic == "aimport":
        names = [name for name in " ".join(arguments).replace(",", " ").split() if name.isidentifier()]
        return f"import {', '.join(names)}" if names else NOTHING
    if magic not in RUN_A_STATEMENT or not arguments:
        return NOTHING
    behind_option = True
    for match in re.finditer(r"(?<=\s)\S+", command):
        padded = f"{NOTHING};".ljust(match.start()) + command[match.start() :]
        is_option = match[0].startswith("-")
        if not is_option and syntax_error("\n".join([padded, *more])) is None:
            return padded
        if not (is_option or behind_option):
            break
        behind_option = is_option
    return ELSEWHERE
