"""A slice of a file is parsed on its own, and its choices by match are choices by if, however it is laid out."""

from __future__ import annotations

import ast

import pytest

from initaudit.analyzer.snippets import cut

CASES = "{indent}    case Conv():{comment}\n{indent}        init(m)\n"


@pytest.mark.parametrize("begin", ["", "x = 1\n", "\\\n", "\f", "# why\n\n", "if x:\n    pass\n"])
@pytest.mark.parametrize("header", ["match m:", "match(m) :", "match \\\n  m:", "match\tm:  # why", "match (\n  m\n):"])
def test_a_statement_by_match_is_one_by_if(begin: str, header: str) -> None:
    text = f"{begin}{header}\n{CASES.format(indent='', comment='  # match')}"
    assert kinds(text) & {ast.Match, ast.If, ast.match_case} == {ast.If}
    inner = f"{begin}def f(m):\n\t{header}\n{CASES.format(indent=chr(9), comment='')}"
    assert kinds(inner) & {ast.Match, ast.If, ast.match_case} == {ast.If}


@pytest.mark.parametrize(
    "text", ["match = 3\nmatch(3)\n", "x = match\n# match m:\n", "re.match(x)\nmatch[0] = 'match x:'\n"]
)
def test_what_is_only_called_match_is_left_as_it_is(text: str) -> None:
    lines = text.split("\n")
    assert list(map(ast.dump, cut("a.py", lines, 1, len(lines)).body)) == list(map(ast.dump, ast.parse(text).body))


def kinds(text: str) -> set[type[ast.AST]]:
    lines = text.split("\n")
    return {type(node) for node in cut("a.py", lines, 1, len(lines)).nodes}
