"""The outline of a file is what Python's own parser finds in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import initaudit
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Outline, outline, outline_of

OWN_FILES = sorted(Path(initaudit.__file__).parent.rglob("*.py"))

Row = tuple[str, bool, int, int, int]


def outlined(text: str) -> list[Row]:
    return [(d.qualname, d.is_class, d.start, d.row, d.end) for d in outline(text).definitions]


def parsed(text: str) -> list[Row]:
    """The definitions of a file in the order of rows, as ``ast`` sees them."""
    found: list[Row] = []

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                is_class = isinstance(child, ast.ClassDef)
                start = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                assert child.end_lineno is not None
                found.append((prefix + child.name, is_class, start, child.lineno, child.end_lineno))
                inner = f"{prefix}{child.name}." + ("" if is_class else "<locals>.")
            visit(child, inner)

    visit(ast.parse(text), "")
    return sorted(found, key=lambda row: row[3])


NAMES = st.sampled_from(["alpha", "beta", "Gamma", "_delta", "class_", "define"])
DECORATORS = st.sampled_from(["@property", "@cache(\n  1)", "@given(\nx=1,\n)"])
HEADERS = st.sampled_from(["class {}:", "class {}(A,\n        B):", "def {}(a, b=')'):", "async def {}(\n    a,\n):"])
STATEMENTS = st.sampled_from(
    [
        "x = 1",
        "# class Comment: pass",
        "",
        "call(\n    'def in_brackets(): pass',\n)",
        'text = """\nclass InString:\n    def method(self): pass\n"""',
        "if x:\n    y = (1,\n2)\nelse:\n    pass",
        "import os",
        "with open(x) as f:\n\n    # def inner(): pass\n    pass",
        "definition = 'def f():'",
        "classes = [\n# class X:\n]",
        r"quote = '\'' + \"# not a comment\"".replace(r"\"", '"'),
    ]
)


def indented(text: str) -> str:
    """A body one level in, except for the rows of a string of several lines, whose columns mean nothing."""
    return "\n".join(f"    {line}" if line else line for line in text.split("\n"))


@st.composite
def definitions(draw: st.DrawFn, body: st.SearchStrategy[str]) -> str:
    decorators = draw(st.lists(DECORATORS, max_size=2))
    header = draw(HEADERS).replace("{}", draw(NAMES))
    docstring = draw(st.sampled_from(["", '"""One line."""\n', '"""Lines.\n\ndef nothing(): pass\n"""\n']))
    return "\n".join([*decorators, header]) + f"\n{indented(docstring + draw(body))}\n    pass"


files = st.recursive(
    st.lists(STATEMENTS, max_size=4).map("\n".join),
    lambda inner: st.lists(st.one_of(STATEMENTS, definitions(inner)), max_size=4).map("\n\n".join),
    max_leaves=10,
)


@given(files)
def test_definitions_are_found_with_their_rows(text: str) -> None:
    assert outlined(text) == parsed(text)


@pytest.mark.parametrize("file", OWN_FILES, ids=lambda file: file.stem)
def test_the_files_of_this_package_are_outlined(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert outlined(text) == parsed(text)


def told(found: Outline) -> tuple[object, ...]:
    rows = [(d.qualname, d.is_class, d.start, d.row, d.end, d.indent, list(d.members)) for d in found.definitions]
    return rows, list(found.members), found.imports, found.star_imports, found.loaded, found.globals


@given(files)
def test_the_outline_of_a_tree_is_that_of_the_text(text: str) -> None:
    assert told(outline_of(ast.parse(text).body, text.split("\n"))) == told(outline(text))


@pytest.mark.parametrize("file", OWN_FILES, ids=lambda file: file.stem)
def test_the_files_of_this_package_have_the_outline_of_their_trees(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert told(outline_of(ast.parse(text).body, text.split("\n"))) == told(outline(text))


@given(st.text(alphabet="def class():\n\t '\"#\\@import=xy1", max_size=200))
def test_no_text_is_too_odd_to_be_outlined(text: str) -> None:
    rows = text.count("\n") + 1
    assert all(1 <= d.start <= d.row <= d.end <= rows for d in outline(text).definitions)


def test_imports_are_recorded_under_the_names_they_bind() -> None:
    found = outline(
        "import torch.nn as nn\nimport torch.nn.init\nfrom . import a\n"
        "from ..b import (  # (noqa)\n    c as d,  # e\n    f,\n)\n"
    )
    assert found.imports == {"nn": "torch.nn", "torch": "torch", "a": ".a", "d": "..b.c", "f": "..b.f"}
    assert found.loaded == ["torch.nn.init"]


@pytest.mark.parametrize(
    "text",
    [
        "if a:\n    x = 1\nelif b:\n    # why\n    def f(n):\n        return n\n    x = f(2)\ny = x\n",
        "try:\n    import a\nexcept ImportError:\n    @wraps\n    class A:\n        z = 1\n\nA()\n",
        "with a:\n    for b in c:\n        async def f():\n            pass\n        d = f\n\ne = d\n",
    ],
)
def test_what_a_statement_of_the_top_level_defines_belongs_to_it(text: str) -> None:
    found = outline(text)
    rows = [row for start, end in found.top_level for row in range(start, end + 1)]
    assert len(found.top_level) == 1
    assert [each.parent for each in found.definitions] == [None]
    assert all(node.lineno in rows and node.end_lineno in rows for node in ast.parse(text).body)


@given(st.sampled_from(OWN_FILES), st.data())
def test_a_word_stands_in_the_definitions_whose_text_holds_it(file: Path, data: st.DataObject) -> None:
    module = Module(str(file), file.stem, False, file.read_text(encoding="utf-8"), file.parent)
    word = data.draw(st.sampled_from(sorted(set(re.findall(r"\w+", module.text))) or [""]))
    holding = [each.row for each in module.outline.definitions if word in re.findall(r"\w+", module.slice(each))]
    assert [each.row for each in module.naming(word)] == sorted(holding)
    for each in module.outline.definitions:
        assert module.slice(each) == "\n".join(module.lines[each.start - 1 : each.end])


@pytest.mark.parametrize("product", ["x = (a\n@ b)\n", "x = (a\n  @ b).f(\n1)\n", "x = (\na\n@b\n)\n"])
def test_a_product_at_the_begin_of_a_line_is_no_decorator(product: str) -> None:
    for behind in ("y = 1\n", "def f():\n    pass\ny = 1\n", ""):
        text = product + behind
        found = outline(text)
        read = outline_of(ast.parse(text).body, text.split("\n")) if found.doubtful else found
        assert read.globals.keys() == {"x", "y"} - (set() if behind else {"y"})
        assert all(each.start == each.row for each in read.definitions)


@pytest.mark.parametrize("line", ["try: import a", "import os; import a", "b = 1; a = 2", "(a) = 3", "a \\\n = 3"])
def test_a_line_of_several_statements_is_read_as_python_reads_it(line: str) -> None:
    text = f"import c\n{line}" + ("\nfinally: pass\n" if "try" in line else "\n")
    found = outline(text)
    read = outline_of(ast.parse(text).body, text.split("\n")) if found.doubtful else found
    assert read.binds("a") or line == "(a) = 3"
    assert found.doubtful


@pytest.mark.parametrize("sign", ["@ \\\n  cached", "@ \\\n(\ncached)", "@cached"])
def test_a_decorator_begins_with_its_sign(sign: str) -> None:
    text = f"a = 1\n{sign}\ndef f():\n    pass\n"
    found = outline(text)
    read = outline_of(ast.parse(text).body, text.split("\n")) if found.doubtful else found
    assert [each.start for each in read.definitions] == [2]
