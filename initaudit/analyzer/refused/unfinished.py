"""Whether a text that Python rejects is an exercise with blanks to fill in, a remark, for an older Python, or none.

The tokens of a statement decide, not its rows: brackets, backslashes and comments between tokens change nothing.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence

from initaudit.analyzer.refused.older import older_python
from initaudit.analyzer.refused.pasted import is_no_program
from initaudit.analyzer.refused.prose import is_prose
from initaudit.analyzer.refused.refusal import compiler_says
from initaudit.analyzer.refused.statements import Comment, Statement, parts
from initaudit.finding import Place
from initaudit.sources.files import is_document
from initaudit.sources.ipython import python_of, syntax_error
from initaudit.sources.tokens import Token
from initaudit.subjects.files import SyntaxFault

_YOURS = re.compile(r"\byour\s(?:own\s)?(?:code|answer|solution|implementation)\b", re.IGNORECASE)
_MARK = re.compile(r"\W*(?:to-?do|fix-?me)\b", re.IGNORECASE)
"""What a comment of the checked code begins with, if its author marks a gap there, however it is spelled."""
_REQUEST = re.compile(
    r"\W*(?:please )?(?:fill|complete|implement|insert|write)"
    r"(?: (?:in|this|it|me|here|your|own|the|missing|code|function|method|body|part))+\W*",
    re.IGNORECASE,
)
"""All of a comment that asks its reader to write something. "fill rate" and "write to disk" are about the code."""
_GO_ON = (*".,:;+-*/%@&|^<>=!", "and", "else", "for", "if", "in", "is", "not", "or")
"""What may follow an expression."""
_WANT_MORE = (*".,+-*/%@&|^<>=", "and", "if", "in", "is", "not", "or")
"""What may not end a statement."""
_BEGINS = ("class", "def", "for", "from", "if", "import", "try", "while", "with")


def syntax_fault(
    place: Place, detail: str, text: str, row: int, is_used: Callable[[], bool] = lambda: True
) -> SyntaxFault:
    """Return the fact about a file, or a cell, whose text Python rejects at a row, counted from 1.

    Of a script with commands of IPython, the place is where IPython rejects it too. A file that ``is_used`` is
    meant to be a program, whatever it holds.
    """
    later = python_of(text).fault if not is_document(place.filename) else None
    if later is not None and later.row > row:
        place = Place(place.filename, later.row, later.column, later.row, later.column + 1)
        detail, row = later.detail, later.row
    statements, comments = parts(text)
    here = [each for each in statements if each.first <= row <= each.last]
    if is_document(place.filename):
        unfinished = not is_prose(text, statements) and _is_cell_of_an_exercise(statements, comments)
    else:
        said = [each.text for each in comments if any(one.first <= each.row <= one.last for one in here)]
        asked = any(map(_is_request, said))
        unfinished = any(_has_placeholder(each.tokens) or (asked and _lacks_value(each.tokens)) for each in here)
    if detail.startswith("expected an indented block"):
        unfinished |= _lacks_body(statements, comments, row, in_cell=is_document(place.filename))
    version = older_python(here, detail, text, row)
    exported = not is_document(place.filename) and _is_export(text)
    if is_document(place.filename):
        prose = not unfinished and is_prose(text, statements)
    else:
        prose = not (unfinished or exported or version) and is_no_program(text, row, statements) and not is_used()
    mild = unfinished or exported or prose or version
    return SyntaxFault(
        place,
        detail,
        unfinished=unfinished,
        older=version,
        exported=exported,
        prose=prose,
        broken_off=not mild and (detail.startswith("expected an indented block") or any(map(_breaks_off, here))),
    )


def _is_export(text: str) -> bool:
    """Return whether IPython, and not Python, runs a text."""
    code = python_of(text)
    runs = code.fault is None and compiler_says("\n".join([*code.rows, ""])) is None
    return runs and syntax_error(text) is not None


def _is_cell_of_an_exercise(statements: Sequence[Statement], comments: Sequence[Comment]) -> bool:
    """Return whether a cell has a blank anywhere, after which Python may reject it, or was left when it was begun."""
    blank = any(
        _has_placeholder(each.tokens) or _lacks_value(each.tokens) or _lacks_attribute(each.tokens)
        for each in statements
    )
    begun = len(statements) == 1 and _is_begun(statements[0].tokens)
    return blank or begun or any(_YOURS.search(each.text) for each in comments)


def _has_placeholder(held: Sequence[Token]) -> bool:
    """Return whether ``???``, ``.....``, or ``<...>``, stands where an expression would begin."""
    for index, token in enumerate(held):
        if token.kind != "other" or token.text not in "<?." or not _begins_expression(held, index):
            continue
        behind = held[index + 1 :]
        if [each.text for each in behind[:2]] == ["?", "?"] and token.text == "?":
            return True
        if token.text == "." and [each.text for each in behind[:3]] == [".", ".", "."]:
            return True
        if token.text == "<" and behind and behind[0].text != "<" and (_is_closed(behind) or _asks(behind)):
            return True
    return False


def _is_closed(held: Sequence[Token]) -> bool:
    """Return whether some ``>`` has no operand behind it, as the end of a placeholder."""
    following = [*held[1:], None]
    return any(
        one.text == ">" and (other is None or other.kind not in ("string", "opens", "other") or other.text in _GO_ON)
        for one, other in zip(held, following, strict=True)
    )


def _asks(held: Sequence[Token]) -> bool:
    """Return whether what stands before the next ``>`` asks the reader for code, without a comma behind it."""
    texts = [each.text for each in held]
    return ">" in texts and _YOURS.search(" ".join(texts[: texts.index(">")])) is not None


def _begins_expression(held: Sequence[Token], index: int) -> bool:
    if index == 0:
        return True
    before = held[index - 1]
    if before.kind == "other" and (before.text[0].isalnum() or before.text[0] in "_<>?.)"):
        return keyword.iskeyword(before.text)
    return before.kind not in ("string", "closes")


def _lacks_value(held: Sequence[Token]) -> bool:
    """Return whether nothing stands behind an equals sign."""
    following = [*held[1:], None]
    return any(
        token.kind == "assigns" and (behind is None or behind.kind == "closes" or behind.text == ",")
        for token, behind in zip(held, following, strict=True)
    )


def _breaks_off(statement: Statement) -> bool:
    """Return whether a statement lacks a value behind an equals sign, ends with an operator, or a bracket is open."""
    held = statement.tokens
    texts = [each.text for each in held]
    return _lacks_value(held) or texts[-1] in _WANT_MORE or sum(each.step for each in held) > 0


def _lacks_attribute(held: Sequence[Token]) -> bool:
    """Return whether a statement is a name and a dot alone, to be completed with what an editor offers."""
    texts = [each.text for each in held]
    names, dots = texts[::2], texts[1::2]
    return texts[-1:] == ["."] and set(dots) == {"."} and all(each.isidentifier() for each in names)


def _is_begun(held: Sequence[Token]) -> bool:
    """Return whether a statement is a keyword that begins one, with at most a name behind it."""
    texts = [each.text for each in held]
    return texts[0] in _BEGINS and len(texts) <= 2 and all(each.isidentifier() for each in texts)


def _is_request(said: str) -> bool:
    """Return whether a comment asks its reader for code: it begins with a mark, says so, or says nothing else."""
    request = _REQUEST.fullmatch(" ".join(said.split()))
    return _MARK.match(said) is not None or _YOURS.search(said) is not None or request is not None


def _lacks_body(statements: Sequence[Statement], comments: Sequence[Comment], row: int, *, in_cell: bool) -> bool:
    """Return whether the reader is to write the body that is missing above a row.

    A comment behind its header says so, or it is the body of a function in a cell.
    """
    above = [each for each in statements if each.last < row and each.tokens[-1].text == ":"]
    if not above:
        return False
    header = above[-1]
    said = [each.text for each in comments if header.last <= each.row <= row]
    is_function = "def" in [each.text for each in header.tokens[:2]]
    return any(map(_is_request, said)) or (in_cell and is_function)
