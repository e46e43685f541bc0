"""What stands in some code, as its trees tell."""

from __future__ import annotations

import ast

from initaudit.analyzer.usage import Usage, usage


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
