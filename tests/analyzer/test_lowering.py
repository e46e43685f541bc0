"""libcst nodes are lowered to the very trees that Python's own parser gives."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initaudit.analyzer.source.lossless import lossless
from initaudit.analyzer.source.snippets import SnippetError

ROOT = Path(__file__).parent.parent.parent
FILES = [*sorted((ROOT / "fixtures").glob("*.py")), *sorted((ROOT / "initaudit" / "analyzer" / "source").glob("*.py"))]
POSITIONS = ("lineno", "col_offset", "end_lineno", "end_col_offset")

STATEMENTS = r'''
"""doc""" ; x = 1
f(x for x in y)
f  (  x for x in y  )
f \
  (x for x in (y))
f((x for x in y))
(f)(x for x in (y))
a = ((b, c))
a = b,
for i in 1, 2, : pass
a = (b + c) * (d) @ e // f % g << h >> i & j | k ^ l ** m
a = ((b).c)
a or b or c and d and e
(a or b) or c or (d or e)
not (a) and -1 ** -2 + ~a - +b
x[1], x[1, 2], x[1, 2,], x[(1, 2)], x[1,]
x[a:b, ::2, :, 1:, :1, a:b:c, a::c, (a):(b), ::, (a) : : (b)]
x[ (a) , (b) ], x[ 1 : 2 ], x[ (a) , (b) , ], x[ (a):(b) , (c):(d) ]
f(*a, *(c), e=(1), g = 2, **b, )
x[
    a,
    b :
], x[a,  # first
    1:b  # last
]
f(a)(b)[c].d
lambda: 0
lambda a, b=1, /, c=2, *d, e, f=3, **g: (a)
lambda *, a: a
def f(a: int, b: (str) = 1, /, c=2, *d: int, e: (int), f=3, **g: dict) -> (int): return 1; pass
async def f(): await x; return await (y)
@dec
@dec.a(1)  # why

# and more
def f(): ...
class A(B, *D, metaclass=C, **E): x: int = 1; y: str; z.a: int = 3
class A(): pass
a[1]: int = 2
a.b: (int)
del a
del a, b
del (a)
del (a, b)
del [a, b], c[1], d.e
a = b = c, d = 1
[a, *b], (c, d) = e
a += 1; a @= (b); a //= b; a **= b; a >>= b; a |= c
{**a, 'b': 1, **(c)}, {}, {1, *a}, [*a, *(b)], (*a, b)
[x for x in y if z if (w) for a, b in c], {x: y for x, y in z}, {x for x in z}
(x async for x in y)
def g():
    x = yield
    yield 1, 2
    yield from (a)
    return (yield a)
f(a := 1) if (b := 2) else (3)
if (n := 10) > 5: pass
elif x: pass
elif y:
    pass
else:
    # a comment

    pass

# trailing

while a: b
else: c
for a, in b: pass
else: pass
async def h():
    async for (a) in (b):
        pass
    async with a as b, c as (d, e): pass
with (a, b): pass
with (a as b, c as d,): pass
with a as (b), c as d.e, f as g[1], (yield): pass
try: pass
except: pass
try:
    pass
except (A, B) as e:
    pass
except A: pass
else:
    pass
finally:
    pass
raise A from (B)
assert (a), (b)
import a.b.c as d, e
from .. import (a as b, c,)
from .a.b import *
def f():
    global q, r
    nonlocal s
1_000, 0x1F, 0b11, 0o17, 1.5e3, 2j, 1., .5, ..., None, True
b'a' b"c", u'a' 'b', 'a' "b" """c
d""", rb'\n', "\d", '\x41'
f"", f"a", f"{x}", f"{{{x!r:>{w}.3f}}}" 'abc' rf"\d{y}", '' f'{x}' '', u'a' f'{x}', f'a' 'b'
f"{x=}" f"{ x = !s}" f"{x=:3}" f"{x:%Y-%m-%d}" f"{(lambda x: 1)}" f"{x:{'>'}{10}}"
f"""a "q" {x}"a"{y}\n\x41 \N{EM DASH} "" {z}"""
"é" + a.b ; é = "ü"; f(é, "ü", x=é)
a < b <= c is not d not in e != f in g is h == i >= j > k
x = (  # comment
    a +  # another
    b
) if c else \
    d
match x:
    case 1 | 2: pass
    case -1 | 1+2j | -1-2j | "a" "b" | None | True | a.b.c: pass
    case _: pass
match (x), y:
    case (a): pass
    case (a, b) | (a,) | [] | (): pass
    case a, *b: pass
    case [a, *_]: pass
    case {"a": 1, "b": x, **rest}: pass
    case {}: pass
    case A.B(1, x, c=2, d=(3)): pass
    case (1 | 2) as y if y > (1): pass
    case a, : pass
if 1:
	x = 1
	if y:
			z
'''
ATOMS = st.sampled_from(["a", "1", "é", "'ü'", 'f"{a}b"', "a.b", "None", "()", "[]", "{}", "...", "1j", "b''"])
SHAPES = (
    "({})", "[{}, *{}]", "{} + {}", "{}if {} else {}", "{} or {}", "not {}", "-{}", "{}({}, k={})", "{}[{}:{}, {}]",
    "lambda x, *y: {}", "{} < {} in {}", "({}, )", "{{{}: {}}}", "[x for x in {} if {}]", "f({} for x in {})",
    "(\n{}\n\n,{}) ", "({}).e", "f\"{{{}}}\"", "{} and {} and {}", "{}\\\n** {}", "(x := {})", "await {}", "{{*{}}}",
)  # fmt: skip


@st.composite
def _grown(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    shape = draw(st.sampled_from(SHAPES))
    return shape.format(*(draw(inner) for _ in range(shape.count("{}"))))


EXPRESSIONS = st.recursive(ATOMS, _grown, max_leaves=12)


def python(text: str) -> list[ast.stmt] | None:
    """Return the trees of Python's own parser, None when it refuses the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text).body
    except (SyntaxError, ValueError):
        return None


def dumped(body: list[ast.stmt]) -> list[str]:
    """Write trees down; where things stand inside of formatted strings, each Python tells in its own way."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.JoinedStr):
                for inner in ast.walk(node):
                    for name in POSITIONS if inner is not node else ():
                        if hasattr(inner, name):
                            setattr(inner, name, 0)
    return [ast.dump(each, include_attributes=True) for each in body]


def statements() -> list[str]:
    """Return the statements above, each by itself."""
    rows, found = STATEMENTS.split("\n"), []
    for each in python(STATEMENTS) or []:
        first = min([each.lineno, *(decorator.lineno for decorator in getattr(each, "decorator_list", ()))])
        found.append("\n".join(rows[first - 1 : each.end_lineno]) + "\n")
    return found


@pytest.mark.parametrize("text", statements())
def test_a_statement_is_lowered_to_the_tree_that_python_gives(text: str) -> None:
    expected = python(text)
    assert expected is not None
    assert dumped(lossless(text)) == dumped(expected)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_is_lowered_to_the_trees_that_python_gives(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if (expected := python(text)) is not None:
        assert dumped(lossless(text)) == dumped(expected)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
def test_an_expression_of_any_shape_is_lowered_to_the_tree_that_python_gives(text: str) -> None:
    expected = python(text)
    if expected is None:
        return
    try:
        read = lossless(text)
    except SnippetError:
        return  # what libcst refuses is read by Python's parser alone
    assert dumped(read) == dumped(expected)


@pytest.mark.parametrize(
    ("newer", "meaning"),
    [
        ("def f[T: int, *Ts, **P](x: T) -> T: return x", "def f(x: T) -> T: return x"),
        ("class A[T](B): pass", "class A(B): pass"),
        ("type X[T] = list[T]", "X = list[T]"),
        ('f"{f"{x}"}"', "f\"{f'{x}'}\""),
        ("f'''{\nx # why\n}'''", 'f"{x}"'),
        ('t"hello {name!r:>3}"', 'f"hello {name!r:>3}"'),
        ("try: pass\nexcept A, B: pass", "try: pass\nexcept (A, B): pass"),
    ],
)
def test_what_is_newer_than_this_python_is_lowered_to_the_nearest_meaning(newer: str, meaning: str) -> None:
    expected = python(meaning)
    assert expected is not None
    assert [ast.dump(each) for each in lossless(newer)] == [ast.dump(each) for each in expected]


@pytest.mark.parametrize("text", ["a = (", "a b", "(" * 10_000, " + ".join(["x"] * 10_000)])
def test_what_libcst_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(SnippetError):
        lossless(text)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no node for it")
def test_a_group_of_exceptions_is_lowered_to_a_node_of_its_own() -> None:
    text = "try:\n    pass\nexcept* (A, B) as e:\n    pass\n"
    expected = python(text)
    assert expected is not None
    assert dumped(lossless(text)) == dumped(expected)
