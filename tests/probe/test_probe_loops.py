"""Loops over the parts of a model: what they were meant for, held against what they came to while it was built."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from initaudit.finding import Severity
from initaudit.subjects.loops import ModelLoop
from initaudit.subjects.module_tests import NameTest

Observe = Callable[..., Any]
Initialize = Callable[[nn.Module], None]


def facts(seen: Any, kind: type) -> list[Any]:
    return [fact for fact in seen.observation.facts if isinstance(fact, kind)]


def net(initialize: Initialize) -> Callable[[], nn.Module]:
    """Two layers of its own, one in a container, and an initializer that is called last."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4, bias=False)
            self.blocks = nn.ModuleList([nn.Linear(4, 4, bias=False)])
            self.flag = False
            initialize(self)

    return Net


# Tests of names


def by_type(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if name.find("linear") != -1:
            nn.init.zeros_(p)


def one_of_several(model: nn.Module) -> None:
    with torch.no_grad():
        for name, p in list(model.named_parameters()):
            if "fc" in name:
                p.zero_()
            elif name.startswith("attention") and p.dim() > 1:
                p.normal_()


def or_else(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if "embed" in name:
            nn.init.zeros_(p)
        else:
            nn.init.ones_(p)


def of_modules(model: nn.Module) -> None:
    for _, (name, m) in enumerate(model.named_modules()):
        with torch.no_grad():
            if isinstance(m, nn.Linear) and name == "head":
                m.weight.data.zero_()


@pytest.mark.parametrize(
    ("initialize", "part", "severity"),
    [
        (by_type, "linear", Severity.WARNING),
        (of_modules, "head", Severity.WARNING),
        (one_of_several, "attention", Severity.NOTE),
        (or_else, "embed", Severity.NOTE),
    ],
)
def test_a_test_that_no_name_passes_is_a_note_where_its_loop_does_something_else(
    observe: Observe, initialize: Initialize, part: str, severity: Severity
) -> None:
    seen = observe(net(initialize))
    (fact,) = facts(seen, NameTest)
    assert (fact.part, fact.model, fact.known) == (part, "model", ("blocks", "fc"))
    assert [(one.code, one.severity) for one in seen.findings if one.code == "INI306"] == [("INI306", severity)]
    assert fact.place.row == fact.place.end_row > initialize.__code__.co_firstlineno


def some_name_has_it(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if "blocks" in name:
            nn.init.zeros_(p)


def what_torch_calls_its_own(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if "bias" in name or "weight_hh" in name:
            nn.init.zeros_(p)


def not_only_about_names(model: nn.Module) -> None:
    flag = bool(model.flag)
    for name, p in model.named_parameters():
        if flag:
            if "attention" in name:
                nn.init.zeros_(p)
        elif model.flag and "attention" in name:
            nn.init.ones_(p)


def negated(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if not ("attention" in name) and "norm" not in name:  # noqa: E713
            nn.init.zeros_(p)


def another_text(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        name = f"attention.{name}"
        if "attention" in name:
            nn.init.zeros_(p)


def not_initialized(model: nn.Module) -> None:
    kept = torch.zeros(4, 4)
    for name, p in model.named_parameters():
        if "attention" in name:
            p.requires_grad_(False)
            kept.copy_(p.data)


def not_to_its_end(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if "blocks.0" in name:
            nn.init.zeros_(p)
        break


def over_something_empty(model: nn.Module) -> None:
    for name, p in nn.ReLU().named_parameters():
        if "attention" in name:
            nn.init.zeros_(p)


@pytest.mark.parametrize(
    "initialize",
    [
        some_name_has_it, what_torch_calls_its_own, not_only_about_names, negated, another_text, not_initialized,
        not_to_its_end, over_something_empty,
    ],
)  # fmt: skip
def test_a_test_that_may_mean_what_it_finds_is_silent(observe: Observe, initialize: Initialize) -> None:
    assert facts(observe(net(initialize)), NameTest) == []


def test_a_loop_is_judged_by_all_that_it_comes_to(observe: Observe) -> None:
    """As with ``_init_weights``, which sees one module after the other."""
    assert facts(observe(net(lambda model: model.apply(some_name_has_it) and None)), NameTest) == []


def test_what_a_loop_is_given_is_what_it_would_be_given_anyway(observe: Observe) -> None:
    given: list[Any] = []

    def look(model: nn.Module) -> None:
        walk = model.named_parameters(prefix="net")
        assert isinstance(walk, Iterator)
        given.extend(walk)
        for name, _ in model.named_children():
            assert type(name) is str
            break

    observe(net(look))
    names = [name for name, _ in given]
    assert names == ["net.fc.weight", "net.blocks.0.weight"] * (len(names) // 2) != []
    assert all(type(name) is str and type(p) is nn.Parameter for name, p in given)
    assert nn.Module.named_parameters.__module__ == "torch.nn.modules.module"
    assert nn.Module.named_parameters.__code__.co_filename.endswith("module.py")


# Loops over children


def one_kind(model: nn.Module) -> None:
    for m in model.children():
        if isinstance(m, (nn.Conv2d, nn.Bilinear)):
            nn.init.zeros_(m.weight)


def named(model: nn.Module) -> None:
    for name, m in model.named_children():
        with torch.no_grad():
            if name and (isinstance(m, nn.Conv2d) or isinstance(m, nn.Bilinear)) and m.bias is not None:  # noqa: SIM101
                m.bias.zero_()


def pyramid(initialize: Initialize) -> Callable[[], nn.Module]:
    """Convolutions in containers only, and an initializer that is called last."""

    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.inner = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(2))
            self.outer = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())])
            self.flag = True
            initialize(self)

    return Pyramid


@pytest.mark.parametrize("initialize", [one_kind, named])
def test_layers_in_containers_that_a_loop_over_children_is_for_are_missed(
    observe: Observe, initialize: Initialize
) -> None:
    seen = observe(pyramid(initialize))
    (fact,) = facts(seen, ModelLoop)
    assert (fact.missed, fact.missed_in, fact.model) == (("torch.nn.Conv2d",), ("inner", "outer"), "model")
    assert fact.place.row == initialize.__code__.co_firstlineno + 1
    assert [(one.code, one.severity) for one in seen.findings if one.code == "INI210"] == [("INI210", Severity.WARNING)]


def a_child_is_meant(model: nn.Module) -> None:
    for m in model.children():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.zeros_(m.weight)


def whatever_has_a_weight(model: nn.Module) -> None:
    for m in model.children():
        if isinstance(m, nn.Conv2d):
            nn.init.zeros_(m.weight)
        elif hasattr(m, "scale"):
            nn.init.ones_(m.scale)


def by_a_flag(model: nn.Module) -> None:
    flag = not model.flag
    for m in model.children():
        if isinstance(m, nn.Conv2d) and flag:
            nn.init.zeros_(m.weight)


def looks_inside(model: nn.Module) -> None:
    for m in model.children():
        if isinstance(m, nn.Conv2d):
            nn.init.zeros_(m.weight)
        looks_inside(m)


def another_loop(model: nn.Module) -> None:
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_uniform_(m.weight)
    for m in model.children():
        if isinstance(m, nn.Conv2d):
            nn.init.zeros_(m.bias)


def before_there_are_any(model: nn.Module) -> None:
    inner, outer, model.inner, model.outer = model.inner, model.outer, None, None
    one_kind(model)
    model.inner, model.outer = inner, outer


def not_every_type_is_known(model: nn.Module) -> None:
    kind = nn.Conv2d
    for m in model.children():
        if isinstance(m, (kind, nn.Conv2d)):
            nn.init.zeros_(m.weight)


@pytest.mark.parametrize(
    "initialize",
    [
        a_child_is_meant, whatever_has_a_weight, by_a_flag, looks_inside, another_loop, before_there_are_any,
        not_every_type_is_known,
    ],
)  # fmt: skip
def test_a_loop_over_children_that_may_do_what_it_is_for_is_silent(observe: Observe, initialize: Initialize) -> None:
    assert facts(observe(pyramid(initialize)), ModelLoop) == []


class Block(nn.Module):
    """A layer with what comes after it, left at torch's default unless it is to initialize itself."""

    def __init__(self, initialize: Initialize = lambda model: None) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        initialize(self)


class Residual(nn.Module):
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn


def children_of_an_attribute(model: Any) -> None:
    for m in model.stages.children():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight)


@pytest.mark.parametrize(
    ("make", "initialize", "held"),
    [
        (lambda: nn.Sequential(Block(), Block()), children_of_an_attribute, "stages"),
        (lambda: nn.ModuleList([Residual(Residual(Block())) for _ in range(2)]), one_kind, "stages"),
        (Block, one_kind, "stages"),
        (lambda: nn.ModuleDict({"a": nn.Sequential(Residual(nn.Conv2d(4, 4, 1)))}), named, "stages"),
    ],
)
def test_layers_in_modules_of_the_users_own_are_missed(
    observe: Observe, make: Callable[[], nn.Module], initialize: Initialize, held: str
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stages = make()
            initialize(self)

    (fact,) = facts(observe(Net), ModelLoop)
    assert (fact.missed, fact.missed_in) == (("torch.nn.Conv2d",), (held,))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.ModuleList([pyramid(looks_inside)() for _ in range(2)]),
        lambda: nn.Sequential(Block(), Block(one_kind)),
        lambda: nn.TransformerEncoderLayer(4, 1),
    ],
)
def test_layers_in_modules_that_initialize_their_own_are_not_missed(
    observe: Observe, make: Callable[[], nn.Module]
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = make()
            for m in self.children():
                if isinstance(m, (nn.Conv2d, nn.Linear)):
                    nn.init.zeros_(m.weight)

    assert [fact for fact in facts(observe(Net), ModelLoop) if fact.model == "self"] == []
