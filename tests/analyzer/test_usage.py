"""What stands in some code, as its trees tell."""

from __future__ import annotations

import ast

from initaudit.analyzer.file.usage import Usage, usage


def of(text: str) -> Usage:
    return usage(ast.parse(text).body)


def test_dotted_names_are_spelled_from_their_beginning() -> None:
    found = of("self.norm.weight.data.fill_(model().bias)")
    assert {"self.norm", "self.norm.weight", "self.norm.weight.data.fill_", ".bias"} <= found.dotted
    assert found.called == {"self.norm.weight.data.fill_", "model"}
    assert found.own == {"norm"}


def test_an_attribute_of_another_object_is_told_from_the_own_and_the_inherited_one() -> None:
    own, inherited, other = of("self.reset()"), of("super().reset()"), of("self.layer.reset()")
    assert [each.of_others("reset", "super()") for each in (own, inherited, other)] == [False, False, True]


def test_what_is_only_assigned_is_not_read() -> None:
    assert of("self.a = b.c\nself.d += 1").read == {"c", "d"}


def test_a_keyword_and_a_parameter_are_names_and_no_variables() -> None:
    found = of("def f(width):\n    return g(height=1)")
    assert {"f", "width", "height", "g"} <= found.names
    assert found.variables == {"g"}


def test_an_object_that_hands_itself_over_may_be_loaded() -> None:
    assert of("load(self, path)").loads_itself
    assert of("for p in self.parameters(): p.copy_(x)").loads_itself
    assert not of("load(path, self.config)").loads_itself


def test_a_loop_over_a_model_walks_and_an_optimizer_does_not() -> None:
    assert of("for p in (\n  model\n  .parameters()):\n  pass").walks
    assert of("[m for _, m in list(net.named_modules())]").walks
    assert not of("SGD(model.parameters())").walks


def test_imports_in_functions_are_told_with_their_sources() -> None:
    assert of("def f():\n  from ..a import (b, c as d)").imports == {("..a", "b"), ("..a", "c")}


def test_whatever_assigns_an_attribute_gives_it() -> None:
    plain = of("a.b.x=1\na.x: int = 2\na.x += 1\nfor c.x in d: pass\ne.x, [f.x, *g.x] = h\nwith i as j.x: pass")
    assert set(plain.gives("x")) == {"a.b", "a", "c", "e", "f", "g", "j"}
    named = of("setattr(a, 'x', 1)\nb.register_parameter('x', p)\nc.add_module(name='x', module=m)\nd[0].x = 1")
    assert set(named.gives("x")) == {"a", "b", "c", ""}
    held = of("a._parameters['x'] = p\nobject.__setattr__(b, 'x', 1)\nc.__setattr__('x', 1)\nsetattr(d, name, 1)")
    assert set(held.gives("x")) == {"a", "b", "c", "d"}
    assert not set(of("a.x\na.x.y = 1\na.x[0] = 1\ndel a.x\na.x == 1\n'a.x = 1'").gives("x"))
