"""The same code laid out otherwise: every way gives a text with the same syntax tree."""

from __future__ import annotations

import ast
import io
import itertools
import random
import re
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

WIDTHS = (24, 40, 60, 100, 320)
BETWEEN = {tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING}


def formatted(folder: Path, width: int) -> None:
    """Format every file of a folder that ruff can read."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet", f"--line-length={width}", str(folder)]
    subprocess.run(command, check=False, stderr=subprocess.DEVNULL)


def carriage_returns(text: str) -> str:
    """End lines as on Windows."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def blank_lines(text: str) -> str:
    """Put a blank line behind each statement."""
    return _inserted(text, lambda token, _, depth: "\n" if token.type == tokenize.NEWLINE and not depth else "")


def comments(text: str) -> str:
    """Put a comment, and so a line break, behind every third token within brackets."""
    count = iter(range(10**9))
    return _inserted(
        text,
        lambda token, after, depth: (
            "  # why ( not, a.b\n    " if depth and _between(token, after) and next(count) % 3 == 0 else ""
        ),
    )


def continued(text: str) -> str:
    """Put a backslash and a line break behind every second token outside of brackets."""
    count = iter(range(10**9))
    return _inserted(
        text,
        lambda token, after, depth: (
            " \\\n        " if not depth and _between(token, after) and next(count) % 2 == 0 else ""
        ),
    )


def at_random(text: str, chance: random.Random) -> str:
    """Put brackets, comments, continued lines and blank lines where chance will have them."""

    def what(token: tokenize.TokenInfo, after: tokenize.TokenInfo, depth: int) -> str:
        if chance.random() < 0.7:
            return ""
        if token.type == tokenize.NEWLINE and not depth:
            return "\n" * chance.randint(1, 3)
        blanks = " " * chance.randint(1, 30)
        if not _between(token, after):
            return ""
        return chance.choice(["  # why ) not, a.b\n", "\n", "\\\n"]) + blanks if depth else f"\\\n{blanks}"

    return _inserted(bracketed(text, lambda: chance.random() < 0.4), what)


def bracketed(text: str, wanted: Callable[[], bool] = lambda: True) -> str:
    """Put brackets around what is assigned, returned, tested, called for its effect, or given to a call."""
    lines = text.split("\n")
    places: list[tuple[int, int, str]] = []
    for node in ast.walk(ast.parse(text)):
        for value in _values(node) if wanted() else ():
            places.append((value.lineno, value.col_offset, "("))
            places.append((value.end_lineno or 0, value.end_col_offset or 0, ")"))
    for row, column, bracket in sorted(places, reverse=True):
        raw = lines[row - 1].encode()
        lines[row - 1] = (raw[:column] + bracket.encode() + raw[column:]).decode()
    return "\n".join(lines)


WAYS: dict[str, Callable[[str], str]] = {
    "carriage returns": carriage_returns,
    "blank lines": blank_lines,
    "comments": comments,
    "continued lines": continued,
    "brackets": bracketed,
}


def laid_out(text: str, way: str | random.Random) -> str:
    """Return a text laid out otherwise; as it is, where that is no Python, or none that can be taken apart."""
    try:
        changed = WAYS[way](text) if isinstance(way, str) else at_random(text, way)
        same = ast.dump(ast.parse(changed)) == ast.dump(ast.parse(text))
    except (SyntaxError, tokenize.TokenError, ValueError, RecursionError):
        return text
    return changed if same else text


def told(message: str) -> str:
    """What a message says, however the code that it shows is laid out."""
    text = re.sub(r"# (?:why [()] not, a\.b|(?:finds|misses): [INI\d, ]+)", "", message).replace("'", '"')
    text = re.sub(r",(?=\s*[\])}])", "", text)
    text = re.sub(r"(?<=:)\d+\b|\blines? \d+|[\s\\()]", "", text)
    return re.sub(r",(?=[\])}`])|,$", "", text)


def _values(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Assign(value=value) | ast.AugAssign(value=value) | ast.Return(value=ast.expr() as value):
            yield value
        case ast.If(test=test) | ast.While(test=test):
            yield test
        case ast.For(iter=iterable):
            yield iterable
        case ast.Expr(value=value) if not isinstance(value, ast.Constant | ast.Yield | ast.YieldFrom | ast.Await):
            yield value
        case ast.Call(args=args) if len(args) > 1:
            yield from (each for each in args if not isinstance(each, ast.Starred))


def _between(token: tokenize.TokenInfo, after: tokenize.TokenInfo) -> bool:
    """Whether something may stand between two tokens: they are on one line, and none is a piece of an f-string."""
    return token.type in BETWEEN and after.type in BETWEEN and token.end[0] == after.start[0]


def _inserted(text: str, what: Callable[[tokenize.TokenInfo, tokenize.TokenInfo, int], str]) -> str:
    """Put something behind tokens, by the token, the next one, and the brackets that are open behind it."""
    lines = text.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    depth, within, places = 0, 0, []
    for token, after in itertools.pairwise(tokens):
        name = tokenize.tok_name[token.type]
        within += (name == "FSTRING_START") - (name == "FSTRING_END")
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        if not within and (inserted := what(token, after, depth)):
            places.append((*token.end, inserted))
    for row, column, inserted in reversed(places):
        if row <= len(lines):
            lines[row - 1] = lines[row - 1][:column] + inserted + lines[row - 1][column:]
    return "\n".join(lines)
