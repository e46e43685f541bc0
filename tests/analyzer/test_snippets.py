"""A slice of a file is parsed on its own, and its choices by match are choices by if, however it is laid out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from initaudit.analyzer.file.outline import outline
from initaudit.analyzer.source.snippets import Snippet, cut
from initaudit.analyzer.source.tree import Tree

FIXTURES = [
    path for path in sorted((Path(__file__).parents[2] / "fixtures").glob("*.py")) if not path.stem.startswith("INI001")
]
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


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_slice_of_the_tree_is_what_the_rows_are_by_themselves(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines, tree, contents = text.split("\n"), Tree(text), outline(text)
    rows = [(each.start, each.end) for each in contents.definitions] + contents.top_level
    for start, end in rows:
        taken = tree.statements(start, end)
        assert taken is not None
        alone = cut("a.py", lines, start, end)
        whole = Snippet("a.py", lines, start, end, taken)
        assert [(ast.dump(each), whole.place(each)) for each in taken] == [
            (ast.dump(each), alone.place(each)) for each in alone.body
        ]


@pytest.mark.parametrize("rows", [(1, 2), (2, 3), (4, 4), (3, 6), (6, 7)])
def test_a_part_of_a_statement_is_no_slice_of_the_tree(rows: tuple[int, int]) -> None:
    assert Tree("x = [\n    1,\n]\nif x:\n    y = 2\n\n    z = 3\n").statements(*rows) is None


def kinds(text: str) -> set[type[ast.AST]]:
    lines = text.split("\n")
    return {type(node) for node in cut("a.py", lines, 1, len(lines)).nodes}
