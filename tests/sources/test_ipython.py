"""A cell is read as IPython runs it: its own transformer is asked, about cells that are made up and written ones."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from initaudit.sources.ipython import ANYTHING, ELSEWHERE, python_of
from initaudit.sources.source import lines

PLAIN = (
    "x = 1",
    "x = 5 %  3",
    "net = nn.Linear(3, 4)",
    "if x:\n    y = 2\nelse:\n    y = 3",
    "for i in range(3):\n    print(i)",
    "def f(a, b=1):\n    return a",
    "class Net:\n    size = 3",
    "label = 'label = %d' % x",
    "label = \"label = %d\"%x",
    "ok = (x\n!= 4)",
    "ok = x \\\n  % 3",
    "f(a=1,\n  b=[2\n%x])",
    "text = '''\n%matplotlib inline\n!ls\nwhat?\n'''",
    'text = """one\n%%bash\n"""',
    "x = 'it''s?'",
    "y = f'{x!r}'",
    "# what is this?",
    "# %time\nx = 2",
    "await f()",
    "x = {'a': 1}['a'];",
    "s = 'a\\\n%b'",
    "with open('a') as file: pass",
    "",
    "   ",
)  # fmt: skip
COMMANDS = (
    "%matplotlib inline",
    "!pip install torch",
    "!pip install \\\n  torch",
    '! ls "unclosed',
    "!echo '''",
    "!!ls",
    "%env A=1",
    "% env",
    "nn.Linear?",
    "nn.Linear??",
    "?nn",
    "??nn",
    "*int*?",
    "x[0].weight?",
    "how does it work?",
    "files = !ls",
    "files = !ls \\\n -l",
    "here = %pwd",
    "a, b = %who x",
    "x = %env A",
    "y =\\\n %pwd",
    ",f a b",
    ";f a b",
    "/f a b",
    "%%time",
    "%load_ext autoreload",
)
WRONG = (
    "x = (",
    "print 'x'",
    "foo()?",
    "x != = 3",
    "a = b = %pwd",
    "x += !ls",
    "x = ___ fill in",
    "  y = 1\nx = 2",
    "'",
)
NAMED = "time", "timeit -n 3", "capture", "capture out", "prun -q"


def theirs(text: str) -> ast.Module | None:
    """What IPython runs for a cell, commands made alike; None when it refuses to."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(text))
    except (SyntaxError, ValueError):
        return None
    match tree.body:
        case [ast.Expr(ast.Call(ast.Attribute(attr="run_cell_magic"), args=[_, _, body]))]:
            run = theirs(ast.literal_eval(body))
            return run and ast.Module([ast.Pass(), *run.body], [])
    return alike(tree)


def ours(text: str) -> ast.Module | None:
    code = python_of(text)
    assert len(code.rows) == len(code.shifts) == len(lines(text))
    return None if code.fault else alike(ast.parse("\n".join(code.rows)))


def alike(tree: ast.Module) -> ast.Module:
    """A tree in which all that stands for a command is one and the same."""

    class Commands(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            called = ast.unparse(node.func)
            return ast.parse(ANYTHING, mode="eval").body if called.startswith("get_ipython") else node

        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            text = ast.unparse(node)
            called = text.startswith(("get_ipython(", "f('a', 'b')", 'f("a b")', "f('a b')", "f(a, b)"))
            return ast.Pass() if called else self.generic_visit(node)

        def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
            return ast.Pass() if node.module == "elsewhere" else node

    return Commands().visit(tree)


def indented(text: str) -> str:
    return "\n".join(f"    {row}" if row.strip() else row for row in text.split("\n"))


@st.composite
def cells(draw: st.DrawFn) -> str:
    """Cells of some statements and commands, some of them in a block; perhaps indented, and perhaps all wrong."""
    pieces = draw(st.lists(st.sampled_from([*PLAIN, *COMMANDS]), max_size=6))
    if draw(st.integers(0, 9)) == 0:
        pieces.insert(draw(st.integers(0, len(pieces))), draw(st.sampled_from(WRONG)))
    written = ["if True:\n    pass\n" + indented(piece) if draw(st.integers(0, 5)) == 0 else piece for piece in pieces]
    text = "\n".join(written)
    if draw(st.integers(0, 4)) == 0:
        text = indented(text)
    return text + draw(st.sampled_from(["", "\n", "\n\n  "]))


def same(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, found = theirs(text), ours(text)
    if expected is None or found is None:
        return expected is found
    return ast.dump(expected) == ast.dump(found)


@settings(max_examples=400, deadline=None)
@given(cells())
def test_a_cell_is_what_ipython_makes_of_it(text: str) -> None:
    assert same(text), text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["%", "!", "?", "=", " ", "\n", "x", "'", '"', "(", ")", "#", "\\", "a b", ":"])))
def test_no_cell_that_ipython_accepts_is_refused(pieces: list[str]) -> None:
    text = "".join(pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if theirs(text) is not None:
            assert ours(text) is not None, text


@pytest.mark.parametrize("text", [*PLAIN, *COMMANDS, *WRONG])
def test_each_alone_is_what_ipython_makes_of_it(text: str) -> None:
    assert same(text), text


@settings(max_examples=100, deadline=None)
@given(cells(), st.sampled_from(NAMED))
def test_the_body_of_a_magic_that_runs_it_is_a_cell_like_any_other(text: str, magic: str) -> None:
    code, alone = python_of(f"%%{magic}\n{text}"), python_of(text)
    assert (code.rows[1:], code.fault is None) == (alone.rows, alone.fault is None)
    if code.fault is not None and alone.fault is not None:
        assert (code.fault.row, code.fault.column) == (alone.fault.row + 1, alone.fault.column)


@settings(max_examples=200, deadline=None)
@given(cells())
def test_what_is_read_stands_where_it_is_written(text: str) -> None:
    code = python_of(text)
    commands = (ANYTHING, ELSEWHERE, "pass", "import ")
    for row, shift, written in zip(code.rows, code.shifts, lines(text), strict=True):
        assert not row.strip() or written[shift:].startswith(row) or row.strip().startswith(commands) or ANYTHING in row


def rows(text: str) -> list[str]:
    return python_of(text).rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%time net.apply(init)", ["pass; net.apply(init)"]),
        ("%timeit -n 10 -q f(x)", ["pass;            f(x)"]),
        ("%lprun -f g g(x)", ["pass;       g(x)"]),
        ("if x:\n    %time y = f(a, \\\n        b)", ["if x:", "    pass; y = f(a, \\", "        b)"]),
        ("%time for x in y: f(x)", [ELSEWHERE]),
        ("%timeit", ["pass"]),
        ("%run setup.py", [ELSEWHERE]),
        ("def f():\n    %run setup.py\n    %ls", ["def f():", "    pass", "    pass"]),
        ("if x:\n    %run setup.py", ["if x:", f"    {ELSEWHERE}"]),
        ("%aimport torch, -numpy", ["import torch"]),
        ("%%capture out\nx = 1", [f"out = {ANYTHING}", "x = 1"]),
        ("%%capture --no-stderr\n%%time\n!ls\nx = 1", ["pass", "pass", "pass", "x = 1"]),
        ("%%bash\nfor x in y; do", ["", ""]),
        ("%%time?\nx = 1", ["pass", "x = 1"]),
        ("%%python3\nimport torch", ["pass", "import torch"]),
        ("%%tab pytorch\n%matplotlib inline\nx = 1", ["pass", "pass", "x = 1"]),
        ("%%tab mxnet, pytorch\nx = 1", ["pass", "x = 1"]),
        ("%%tab all\nx = 1", ["pass", "x = 1"]),
        (">>> x = (1,\n...      2)\n>>> !ls", ["x = (1,", "     2)", "pass"]),
        ("In [1]: x = 1", ["x = 1"]),
        ("In [1]: if x:\n   ...:     %ls", ["if x:", "    pass"]),
    ],
)
def test_commands_become_what_they_run(text: str, expected: list[str]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("%%tab tensorflow\nx = 1", "for another framework"),
        ("#@tab mxnet\nx = 1", "for another framework"),
        ("%%writefile net.py\nx = 1", "%%writefile writes it to a file"),
        ("%%cython\ncdef int x", "the effect of %%cython is unknown"),
        ("%%python3\nprint 'x'", "the effect of %%python3 is unknown"),
        ("%%time\n%%cython\ncdef int x", "the effect of %%cython is unknown"),
    ],
)
def test_what_is_left_out_is_said(text: str, why: str) -> None:
    code = python_of(text)
    assert (code.unread, code.fault) == (why, None)
    assert not any(row.strip() and row not in (ELSEWHERE, "pass") for row in code.rows)


@pytest.mark.parametrize(
    "text", ["%%bash\nif then", "%%html\n<p>", "%%writefile a.txt\nx", "#@tab all\nx = 1", "x = 1"]
)
def test_what_is_no_program_is_not_counted_as_left_out(text: str) -> None:
    assert python_of(text).unread is None


@pytest.mark.parametrize("text", ["pip install -r requirements.txt", "\ncd ../data\n", "  ls -l *.pt"])
def test_a_row_alone_needs_no_percent_sign(text: str) -> None:
    code = python_of(text)
    assert (code.fault, [row for row in code.rows if row.strip()]) == (None, ["pass"])


def test_what_a_command_without_a_sign_runs_is_read() -> None:
    assert rows("time net.apply(init)") == ["pass; net.apply(init)"]
    assert rows("run setup.py") == [ELSEWHERE]


@pytest.mark.parametrize("text", ["pip install x\nimport x", "import x\npip install x", "install x", "pip=x y"])
def test_other_rows_and_other_words_need_one(text: str) -> None:
    assert python_of(text).fault is not None


def faults() -> Iterator[tuple[str, tuple[int, int]]]:
    yield "x = 1\ny = (", (2, 5)
    yield "  x = 1\n  y = = 2", (2, 7)
    yield "%%time\n\n  y = = 2", (3, 7)
    yield ">>> y = = 2", (1, 9)


@pytest.mark.parametrize(("text", "expected"), list(faults()))
def test_a_fault_stands_where_the_cell_shows_it(text: str, expected: tuple[int, int]) -> None:
    fault = python_of(text).fault
    assert fault is not None
    assert (fault.row, fault.column) == expected


def test_what_a_newer_python_understands_is_no_fault() -> None:
    code = python_of("%time\ntype Pair[T] = tuple[T, T]\nf'{x['a']}'")
    assert code.fault is None
