"""Python's word on a file, its compiler's too, at less than its price."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.scopes import is_final
from initaudit.analyzer.refused.refusal import refusal

MISPLACED = [
    "return 1\n",
    "if x: return\n",
    "class A:\n    return 1\n",
    "class A:\n    yield 3\n",
    "def f():\n    break\n",
    "def f():\n    if x:\n        break\n    else:\n        pass\n",
    "for x in y:\n    if x:\n        pass\nbreak\n",
    "for x in y:\n    pass\nelse:\n    break\n",
    "while 1:\n    class B:\n        break\n",
    "for x in y:\n    def g():\n        continue\n",
    "def f():\n    await x\n",
    "def f():\n    async with x: pass\n",
    "x = *a\n",
    "try:\n    pass\nexcept:\n    pass\nexcept ValueError:\n    pass\n",
    "def f(x):\n    match x:\n        case _:\n            pass\n        case 3:\n            pass\n",
]
LAID_OUT = [
    "x = yield 1\n",
    "x = \\\n    yield 1\n",
    "print((\n    yield\n))\n",
    "if x: \\\n    return\n",
    "if (\n    x\n): return\n",
    "class A: \\\n    return 1\n",
    "if (\n    x\n): break\n",
    "if x: \\\n    break\n",
    "x = [\n    y\nfor y in z\n]\nif x:\n    break\n",
    "def f():\n    await(x)\n",
    "def f():\n    await \\\n        x\n",
    "def f():\n    await\\\n        x\n",
    "def f():\n    async \\\n        with x: pass\n",
    "def f():\n    return [\n        y async\n        for y in z\n    ]\n",
    "x = \\\n    *a\n",
    "x = y = \\\n    *a\n",
    "try:\n    pass\nexcept \\\n    :\n    pass\nexcept ValueError:\n    pass\n",
    "def f(x):\n    match (\n        x\n    ):\n        case _:\n            pass\n        case 3:\n            pass\n",
    "def f(x):\n    match x, \\\n        3:\n        case _:\n            pass\n        case 3:\n            pass\n",
]
"""The same mistakes broken over rows, and as parts of expressions."""
OF_NAMES = [
    "def f(x, x): pass\n",
    "class A:\n    def f(self, x, *, x): pass\n",
    "if x:\n    def f(x, *x): pass\n",
    "try: pass\nfinally:\n    async def f(x, **x): pass\n",
    "def f():\n    def g(x, /, x): pass\n",
    "f = lambda x, x: 1\n",
    "def f():\n    x = 1\n    global x\n",
    "def f(x):\n    global\\\n x\n",
    "nonlocal x\n",
    "def f():\n    nonlocal x\n",
    "def f():\n    from a import *\n",
    "def f():\n    from a import(\n*)\n",
    "class A:\n    from a import \\\n *\n",
    "x = [y for y in (z := a)]\n",
    "x = [y := 1 for y in a]\n",
    "class A:\n    x = [(y := 1) for z in a]\n",
    "def f():\n    x = [(yield) for y in z]\n",
    "def f(x: (yield)): pass\n",
    "x: (yield) = 1\n",
    "def f() -> (y := 1): pass\n",
    "async def f():\n    def g(x: await y): pass\n",
    "from __future__ import nothing\n",
    "import torch\nfrom __future__ import annotations\n",
    "'''Doc.\n\nMore.\n'''\nx = 1\nfrom __future__ import division\n",
    "def f(__debug__): pass\n",
    "__debug__ = 1\n",
    "# c\nfrom __future__ import annotations\nfrom __future__ import division\nimport torch\n",
    "assert __debug__\n",
]
"""What the parser takes, and the tables of names do not."""
STATEMENTS = ["pass", "x = 1", "return", "return x", "break", "continue", "yield x", "if x: break", "'''\nbreak\n'''"]
HEADERS = ["def f():", "class A:", "for x in y:", "while x:", "if x:", "else:", "try:", "finally:", "with x:"]


def read(text: str, filename: str = "net.py") -> Module:
    return Module(filename, "net", False, text, Path("/"))


def compiles(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "net.py", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("text", MISPLACED + LAID_OUT)
def test_a_statement_in_the_wrong_place_is_refused_for_good(text: str) -> None:
    fault = refusal(read(text))
    assert fault is not None
    assert is_final(text, fault)


@pytest.mark.parametrize("text", OF_NAMES)
def test_names_are_refused_as_python_refuses_them(text: str) -> None:
    assert (refusal(read(text)) is None) == compiles(text)


def test_a_cell_may_await_at_its_top_level() -> None:
    assert refusal(read("await x\n", "net.ipynb")) is None


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """Code whose statements stand at any depth, allowed there or not."""
    lines, depth = [], 0
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            lines.append("    " * depth + draw(st.sampled_from(HEADERS)))
            depth += 1
        else:
            lines.append("    " * depth + draw(st.sampled_from(STATEMENTS)))
            depth = draw(st.integers(0, depth))
    return "\n".join([*lines, "    " * depth + draw(st.sampled_from(STATEMENTS))]) + "\n"


@given(blocks())
def test_python_and_we_refuse_the_same(text: str) -> None:
    assert (refusal(read(text)) is None) == compiles(text)
