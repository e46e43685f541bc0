"""Constructions that go another way when unwritten memory holds something else, or whenever they are run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from initaudit.timeline import Coverage

Observe = Callable[..., Any]


class Asserts(nn.Module):
    """Builds with zeros only."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(4))
        assert not self.w.any()


class RefusesLarge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(4))
        raw = torch.empty(4)
        if not bool((raw.abs() < 1).all()):
            raise ValueError("too large")
        self.v = nn.Parameter(raw)


class Indexes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.picked = nn.Parameter(torch.arange(10.0)[torch.empty(4).long().abs()])


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        raw = torch.empty(4)
        if raw[0].item() > 0:
            torch.rand(3)
        self.fc = nn.Linear(3, 4)


@pytest.mark.parametrize("model", [Asserts, RefusesLarge])
def test_a_constructor_that_only_poison_makes_raise_is_built_and_its_raw_parameter_found(
    observe: Observe, model: type[nn.Module]
) -> None:
    seen = observe(model)
    assert seen.codes == ["INI101"]
    assert [reason for reason in seen.reasons if "with other content it raises" in reason]


def test_an_index_out_of_raw_memory_is_undecided_at_its_line(observe: Observe) -> None:
    seen = observe(Indexes)
    assert seen["picked"].coverage is Coverage.UNKNOWN
    assert seen.codes == []
    raised = next(item for item in seen.observation.undecided if "IndexError" in item.reason)
    assert raised.place.filename.endswith("test_probe_course.py")


def test_layers_after_a_branch_on_raw_memory_are_not_called_uninitialized(observe: Observe) -> None:
    seen = observe(Branches)
    assert seen["fc.weight"].coverage is Coverage.WRITTEN
    assert seen["fc.weight"].influenced
    assert seen.codes == ["INI603"]
    (fact,) = seen.observation.facts
    assert fact.affects == ("fc.weight", "fc.bias")
    line = open(__file__, encoding="utf-8").read().splitlines()[fact.place.row - 1]  # noqa: PTH123, SIM115
    assert "raw[0].item()" in line


def test_what_no_seed_determines_is_reported_and_nothing_else(observe: Observe) -> None:
    class Unseeded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.noise = nn.Parameter(torch.tensor([random.SystemRandom().random() * 1e9, float("nan")]))
            self.fc = nn.Linear(3, 4)

    seen = observe(Unseeded)
    (fact,) = seen.observation.facts
    assert (fact.parameter, fact.elements, fact.total) == ("noise", 1, 2)
    assert seen["noise"].coverage is Coverage.UNKNOWN
    assert seen["fc.weight"].coverage is Coverage.WRITTEN


def test_raw_memory_beside_an_unseeded_parameter_is_still_found(observe: Observe) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.noise = nn.Parameter(torch.tensor(random.SystemRandom().random()))
            self.raw = nn.Parameter(torch.empty(3))

    assert sorted(observe(Both).codes) == ["INI101", "INI603"]


def test_a_model_that_can_be_built_once_only_is_not_blamed_on_memory(observe: Observe) -> None:
    builds = itertools.count()

    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)
            if next(builds) > 0:
                raise RuntimeError("the port is taken")

    seen = observe(Once)
    assert seen.codes == []
    assert [reason for reason in seen.reasons if "a second one raises RuntimeError: the port is taken" in reason]


def test_seeded_generators_of_python_numpy_and_torch_are_reproducible(observe: Observe) -> None:
    import numpy

    class Seeded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.python = nn.Parameter(torch.tensor(random.random()))
            self.numpy = nn.Parameter(torch.from_numpy(numpy.random.rand(3)))
            self.torch = nn.Parameter(torch.rand(3))

    assert observe(Seeded).codes == []


def test_an_unseeded_array_that_lies_where_raw_memory_of_numpy_lay_is_not_raw(observe: Observe) -> None:
    import numpy

    class Drawn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            numpy.empty((6, 6))  # gone before the next one is allocated
            noise = numpy.random.default_rng().normal(size=(6, 6))
            self.noise = nn.Parameter(torch.from_numpy(noise))

    assert observe(Drawn).codes == ["INI603"]


def test_what_an_unseeded_draw_wrote_is_not_counted_as_unwritten(observe: Observe) -> None:
    import numpy

    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            raw = numpy.empty((4, 3))
            raw[:2] = numpy.random.default_rng().normal(size=(2, 3))
            self.part = nn.Parameter(torch.from_numpy(raw))
            whole = numpy.empty((4, 3))
            whole[:] = numpy.random.default_rng().normal(size=(4, 3))
            self.whole = nn.Parameter(torch.from_numpy(whole))

    seen = observe(Halves)
    assert seen["part"].unwritten.elements == 6
    assert sorted(seen.codes) == ["INI102", "INI603"]


def test_memory_that_numpy_was_given_is_undecided_where_builds_cannot_be_compared(observe: Observe) -> None:
    builds = itertools.count()

    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if next(builds) > 0:
                raise RuntimeError("the port is taken")
            self.w = nn.Parameter(torch.empty(4))
            self.w.detach().numpy()[:] = 1

    seen = observe(Once)
    assert seen["w"].coverage is Coverage.UNKNOWN and seen.codes == []
    assert "numpy" not in vars(torch.Tensor)
