"""Words are found wherever they stand in code, however that is laid out."""

from __future__ import annotations

import ast
import re
import token
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import initaudit
from initaudit.analyzer.file.matches import Matches, Spread, groups
from initaudit.analyzer.readers import readers

WORDS = sorted(
    {
        word
        for reader in readers()
        for declared in reader.declared
        for group in (*declared.words, *declared.nearby)
        for word in group
    }
)
NAMES = st.sampled_from(
    sorted({word.removesuffix("(") for word in WORDS if word.removesuffix("(").isidentifier() and "__" not in word})
)
GAPS = st.lists(st.sampled_from([" ", "\t", "\n", "\\\n", "# a ( comment, f(\n", "  "]), max_size=4).map("".join)


@given(NAMES, GAPS, st.sampled_from(["x = (a.", "(", "[b, "]))
def test_a_call_is_found_whatever_stands_before_its_bracket(name: str, gap: str, before: str) -> None:
    text = f"{before}{name}{gap}(3)\n"
    assert Matches(text).holds(f"{name}("), text


PLAIN = [word for word in WORDS if word.removesuffix("(").isidentifier()]


TEXTS = st.lists(st.sampled_from([*PLAIN, " ", "\n", ".", "(", ")", "x" * 40, "é", "#"]), max_size=12).map("".join)


@given(TEXTS)
def test_a_word_is_found_wherever_it_stands(text: str) -> None:
    found = Matches(text)
    special = re.compile(r"__\s*\(")
    assert [word for word in PLAIN if word in special.sub("", text) and not found.holds(word)] == []


@given(TEXTS)
def test_a_word_that_stands_in_a_file_is_found_roughly(text: str) -> None:
    exact, roughly = Matches(text), Matches.roughly(text.encode())
    assert [word for word in WORDS if exact.holds(word) and not roughly.holds(word)] == []


@given(TEXTS, TEXTS)
def test_the_stretches_that_hold_a_word_are_found(first: str, second: str) -> None:
    parts = [f"{first}\n", second]
    ends = len(parts[0]), len("".join(parts))
    spread, matches = Spread("".join(parts), [(0, ends[0]), ends]), [Matches(part) for part in parts]
    for word in WORDS:
        found = spread.holding_all(((word,),), spread.everywhere, matches.__getitem__)
        missed = [at for at, each in enumerate(matches) if each.holds(word) and not found >> at & 1]
        assert missed == [], word


@given(TEXTS, TEXTS, TEXTS)
def test_a_word_before_an_inner_stretch_or_behind_it_stands_in_the_outer(first: str, inner: str, last: str) -> None:
    parts = [f"{first}\n", f"{inner}\n", last]
    text, begin = "".join(parts), len(parts[0])
    end = begin + len(parts[1])
    spread, matches = Spread(text, [(0, len(text)), (begin, end)]), [Matches(text), Matches(parts[1])]
    for word in WORDS:
        found = spread.holding_all(((word,),), spread.everywhere, matches.__getitem__)
        missed = [at for at, each in enumerate(matches) if each.holds(word) and not found >> at & 1]
        assert missed == [], word


@pytest.mark.parametrize(
    ("word", "text", "stands"),
    [
        ("init*(", "init_weights(m)", True),
        ("init*(", "self.init(m)", True),
        ("init*(", "super().__init__()", False),
        ("init*(", "init = 3", False),
        ("no_*init", "p._no_weight_init = True", True),
        ("no_*init", "with torch.no_grad(): init()", False),
        ("zeros(", "zeros = 3\n(zeros)", False),
        ("init*(", "init.normal_(w)", False),
        (":zeros(", "x = 3; torch.zeros(w.size())", True),
        (":zeros(", "if x: (torch\n . zeros)(3); torch.zeros (3)", True),
        (":zeros(", "x = torch.zeros(3)", False),
        (":zeros(", "return torch.zeros(3)", False),
        (":zeros(", "f(torch.zeros(3))", False),
        (":*", "p.data * 0.01", True),
        (":*", "x = a * b", False),
        ("apply;", "self.apply  # not called", True),
        ("apply;", "(net.apply)", True),
        ("apply;", "net.apply(f)", False),
        (":init*;", "    self.init_weights\n", True),
        (":init*;", "f = self.init_weights\n", False),
        (".weight?", "if not (m\n .weight): pass", True),
        (".weight?", "x = m.weight", False),
        ("self?", "while self.scale and x: pass", True),
        ("self?", "if self.training(): pass", False),
        ("(weight)", "f(  # why\n  m.weight, 3)", True),
        ("(weight)", "f(x, m.weight)", False),
        ("(self)", "f(self.scale)", True),
        ("=weight", "w = (m.weight)", True),
        ("=weight", "m.weight == w", False),
        (".weight=", "m.weight \\\n = w", True),
        (".weight=", "m.weight == w", False),
        (".weight=", "f(weight=w)", False),
        (".weight?", "if x or (m.  # why\n weight): pass", True),
        (".weight?", "if m.weight is None or weight: pass", False),
        (".weight*", "m . weight_ih_l0", True),
        (".weight", "m . weight_ih_l0", False),
        (".weight*", "weight_ih(m.bias)", False),
        (":self[", "self . scale[0] = 1", True),
        (":self[", "x = 1; self.scale *= 2", True),
        (":self[", "self.scale.data.view(-1).mul_(2)", True),
        (":self[", "self.reset()", False),
        (":self[", "self.scale = w[self.scale]", False),
        (":self[", "return self.scale[0]", False),
        ("'is'", "m is A", True),
        ("'is'", "this", False),
        ("==A", "type(m) is (nn.Linear)", True),
        ("==A", "m == A", True),
        ("==A", "if m in [  # why\n nn.Linear]: pass", True),
        ("==A", "match m:\n case nn.Linear: pass", True),
        ("==A", "for i in (1, 2): pass", False),
        ("==A", "m is not None and x == 3 or this", False),
        (":*", "(p.data  # why\n * 0.01)", True),
        (":*", "A list of words\n * one of two\n", False),
        (":*", "-2 * p.data", True),
        (":-", "(a.b[0](c)\n - p.data)", True),
        (":-", "x -= 1; return -x", False),
        (":-", "def f(a) -> Tensor: return a - 1", False),
        (":/", "x, y = a / b, c", False),
        (":weight", "m[0].f(x).weight * 2", True),
        (":weight", "x = m.weight; f(\nweight=2)", False),
        ("=weight", "f(weight=m.weight, bias=None)", False),
        ("]=", "w[0] \\\n += 1", True),
        ("]=", "w[0] == 1", False),
    ],
)
def test_what_stands_around_a_word_narrows_it_down(word: str, text: str, stands: bool) -> None:
    assert Matches(text).holds(word) is stands


def test_whatever_begins_a_statement_is_found_there() -> None:
    for path in sorted(Path(initaudit.__file__).parent.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found, called = Matches(text), set[str]()
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name))):
                    called.add(name)
        assert [name for name in called if not name.endswith("__") and not found.holds(f":{name}(")] == [], path


@pytest.mark.parametrize("inside", ["x = f({}\n)", "x = [\n{}\n]", "f(a)[{}](\n{})", "x = (\n{})", "if (\n{}\n): pass"])
def test_what_stands_in_brackets_begins_no_statement(inside: str) -> None:
    for word, code in ((":*", "w.data * 2"), (":zeros(", "torch.zeros(3)"), (":self[", "self.scale[0]"), (":_;", "a_")):
        assert Matches(code).holds(word)
        assert not Matches(inside.replace("{}", code)).holds(word)


def test_one_word_of_each_group_has_to_stand_there() -> None:
    words = groups(("normal_( uniform_(", "Norm"))
    assert words == (("normal_(", "uniform_("), ("Norm",))
    assert Matches("LayerNorm, uniform_(w)").holds_all(words)
    assert not Matches("uniform_(w)").holds_all(words)
    assert Matches("").holds_all(groups(()))


def test_every_word_is_one_token_of_python_or_a_part_of_one() -> None:
    """So that no line break can stand inside of it."""
    broken = [word for word in WORDS if not _is_one_token(word)]
    assert broken == [], f"code may be broken within {broken}"


FORMS = re.compile(r"(?::?x\*?\(?|:?x\*?;|\.?x\*?\?|\(x\*?\)|=x|\.?x=|\.x\*?|x\.|:x\[|'x'|x\*x)")


def _is_one_token(word: str) -> bool:
    if word in ("]=", "==A"):
        return True
    operator = word.removeprefix(":")
    return operator in token.EXACT_TOKEN_TYPES or bool(FORMS.fullmatch(re.sub(r"\w+", "x", word)))


def test_calls_in_formatted_and_in_broken_code_are_the_same() -> None:
    code = "x = torch.nn.init.normal_(self.weight)"
    broken = "x = (torch . nn\n . init # why\n . normal_ # (\n  (self . weight))"
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(broken))
    assert Matches(code).holds("normal_(") and Matches(broken).holds("normal_(")
