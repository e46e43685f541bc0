"""Following a constructor comes to an end, whatever it computes; only the class that goes too far is not decided."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initaudit.analyzer import analyze
from initaudit.analyzer.symbolic import builtin_functions, values
from initaudit.observation import Observation, Question

PARAMETERS = frozenset({Question("ParameterTimeline")})
HEADER = "import math\nimport torch\nfrom torch import nn\nfrom elsewhere import use\n\n\n"
CLASS = """\
class {name}(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        x = {first}
{steps}
        {last}
        self.w = nn.Parameter(torch.empty(3))


"""
GROWING = {
    "a string": ("'ab'", "x = x + x", "use(x)"),
    "a string that is formatted": ("'ab'", "x = '%s%s' % (x, x)", "use(x)"),
    "an f-string": ("'ab'", "x = f'{x}{x}'", "use(x)"),
    "a replacement": ("'ab'", "x = x.replace('b', 'abb')", "use(x)"),
    "a width": ("'%1000000000d' % 3", "x = x", "use(x, f'{a:1000000000}')"),
    "a width that is given": ("'%*d' % 3", "x = x", "use(x)"),
    "a factorial": ("math.factorial(10**7)", "x = math.factorial(x)", "use(x)"),
    "combinations": ("math.comb(10**9, 5 * 10**8)", "x = math.perm(10**8)", "use(x)"),
    "a power": ("3", "x = x ** x", "use(x)"),
    "a product": ("3", "x = x * x", "use(x)"),
    "a long literal": (f"0x{'f' * 5000}", "y = str(x) + f'{x}'", "use(x, y)"),
    "a float that is no integer of any use": ("1e308", "x = int(x) * int(x)", "use(x)"),
    "an unknown": ("a", "x = x + x", "use(x)"),
    "an unknown that is called": ("a", "x = x(x, x)", "use(x)"),
    "an unknown that is indexed": ("a", "x = x[x]", "use(x)"),
    "an unknown in an f-string": ("a", "x = f'{x}{x}'", "use(x)"),
    "a list": ("[1]", "x = x + x", "use(x)"),
    "a list of parameters": ("[nn.Parameter(torch.empty(3))]", "x = x + x", "self.p = nn.ParameterList(x)"),
    "a list that is added to": ("[nn.Parameter(torch.empty(3))]", "x += x", "self.p = nn.ParameterList(x)"),
    "a list that is extended": ("[nn.Parameter(torch.empty(3))]", "x.extend(x)", "self.p = nn.ParameterList(x)"),
    "a list that is multiplied": ("[nn.Linear(3, 3)]", "x = x * 16", "self.p = nn.ModuleList(x)"),
    "lists in lists": ("[a]", "x = [x, x]", "use(x)"),
    "lists in lists, as text": ("[a]", "x = [x, x]", "y = str(x); use(f'{x}')"),
    "lists in lists, initialized": ("[self.q]", "x = [x, x]", "nn.init.zeros_(x)"),
    "tuples in tuples": ("(a,)", "x = (x, x)", "use(*x)"),
    "mappings in mappings": ("{}", "x = {'a': x, 'b': x}", "use(**x)"),
    "modules in modules": ("nn.Linear(2, 2)", "x = nn.Sequential(x, x)", "self.m = x; self.apply(use)"),
    "a choice of choices": ("a", "x = (x and b) or (b and x)", "use(x)"),
    "pairs of pairs": ("[a, b]", "x = list(zip(x, x))", "use(x)"),
    "comprehensions": ("[a, b]", "x = [(i, j) for i in x for j in x]", "use(x)"),
    "comparisons": ("[a]", "x = [x == x, x]", "y = x in x"),
    "a range without end": ("range(10**30)", "x = x", "y = [i for i in x]"),
    "a range with a step of zero": ("range(0, 9, 0)", "x = x", "y = [i for i in x]"),
    "a split at nothing": ("'a,b'.split('')", "x = x", "y = [i for i in x]"),
}
PLAIN = CLASS.format(name="Plain", first="1", steps="        x = x + 1", last="use(x)")


def seen(folder: Path, text: str) -> Observation:
    path = folder / "net.py"
    path.write_text(HEADER + text, encoding="utf-8")
    (found,) = analyze([str(path)], questions=PARAMETERS, jobs=1)
    return found


@pytest.mark.parametrize("kind", GROWING)
def test_what_grows_has_an_end_and_costs_its_own_class_only(tmp_path: Path, kind: str) -> None:
    first, step, last = GROWING[kind]
    steps = "\n".join([f"        {step}"] * 80)
    found = seen(tmp_path, CLASS.format(name="Growing", first=first, steps=steps, last=last) + PLAIN)
    assert found.error is None
    assert {one.model for one in found.parameters if one.name == "w"} >= {"net.Plain"}
    told = {each.model for each in found.parameters} | {each.subject.rpartition(".w")[0] for each in found.undecided}
    told |= {each.subject for each in found.undecided}
    assert "net.Growing" in told


@pytest.mark.parametrize("kind", GROWING)
def test_what_grows_comes_to_an_end_in_few_steps_too(tmp_path: Path, kind: str) -> None:
    """What is small is folded: the budget is for what is large."""
    first, step, last = GROWING[kind]
    found = seen(tmp_path, CLASS.format(name="Growing", first=first, steps=f"        {step}", last=last))
    assert found.error is None
    assert found.parameters or found.undecided


def test_a_failure_of_ours_costs_one_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> values.Value:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(builtin_functions, "mathematics", fail)
    failing = CLASS.format(name="Failing", first="math.sqrt(a)", steps="        x = x", last="use(x)")
    found = seen(tmp_path, failing + PLAIN)
    assert [one.model for one in found.parameters] == ["net.Plain"]
    assert found.error is not None
    assert found.error.startswith(
        "initaudit itself failed on `net.Failing`, please report it: ZeroDivisionError: of ours"
    )


@pytest.mark.parametrize("size", [4, values.MAX_TEXT, values.MAX_TEXT + 1, 10 * values.MAX_TEXT])
def test_long_texts_are_equal_where_the_whole_texts_are(size: int) -> None:
    one, same, other = values.Symbol("x" * size), values.Symbol("x" * size), values.Symbol("x" * (size - 1) + "y")
    assert one == same
    assert one != other
    assert len(one.text) <= values.MAX_TEXT


literals = st.one_of(
    st.integers(-3, 10**18),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.booleans(),
    st.none(),
    st.binary(max_size=3),
)
names = st.sampled_from(["x", "y", "a", "b", "self.q", "math.pi", "len", "use"])
operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<<", "|", "&", "==", "<", "in"])
functions = st.sampled_from(
    [
        "len",
        "str",
        "int",
        "float",
        "abs",
        "round",
        "bool",
        "list",
        "tuple",
        "dict",
        "set",
        "sum",
        "max",
        "min",
        "range",
        "enumerate",
        "zip",
        "sorted",
        "reversed",
        "map",
        "math.sqrt",
        "math.factorial",
        "math.comb",
        "math.gcd",
        "math.log",
        "math.prod",
        "isinstance",
        "getattr",
        "hasattr",
        "nn.Sequential",
        "nn.ModuleList",
        "nn.ParameterList",
        "use",
        "next",
        "type",
        "iter",
        "issubclass",
    ]
)
methods = st.sampled_from(
    [
        "split",
        "replace",
        "strip",
        "find",
        "count",
        "append",
        "extend",
        "pop",
        "items",
        "get",
        "update",
        "format",
        "join",
        "copy",
    ]
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, max_size=3)
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(functions, several).map(lambda parts: f"{parts[0]}({', '.join(parts[1])})"),
        st.tuples(inner, methods, several).map(lambda parts: f"({parts[0]}).{parts[1]}({', '.join(parts[2])})"),
        several.map(lambda items: f"[{', '.join(items)}]"),
        several.map(lambda items: "{" + ", ".join(f"{item}: {item}" for item in items) + "}"),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]})[{parts[1]}]"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        st.tuples(inner, inner).map(lambda parts: f"[{parts[0]} for x in {parts[1]}]"),
        inner.map(lambda part: f"f'{{{part}:{9}}}'" if not set("'\\{}") & set(part) else part),
    )


expressions = st.recursive(literals.map(repr) | names, combined, max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["x = ", "y = ", "x += ", "self.q = "]), expressions), max_size=6))
def test_no_expression_makes_the_reading_fail(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    steps = "\n".join(f"        {target}{value}" for target, value in rows * 3) or "        pass"
    text = CLASS.format(name="Growing", first="[a]", steps=f"        y = b\n{steps}", last="use(x, y)") + PLAIN
    ast.parse(text)
    found = seen(tmp_path_factory.mktemp("net"), text)
    assert found.error is None
    assert "net.Plain" in {one.model for one in found.parameters}
