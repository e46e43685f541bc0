"""What rules make of facts that no short example shows: severities, grading, and when a fix is offered."""

from __future__ import annotations

from typing import Any

import pytest

from initaudit.finding import Applicability, Call, Finding, Observer, Place, Replace, Severity
from initaudit.rules import catalogue
from initaudit.subjects.calls import DeprecatedCall
from initaudit.subjects.loops import Iterates, ModelLoop
from initaudit.subjects.lost_writes import BareReference, DroppedTensor, ReboundName
from initaudit.subjects.module_tests import TypeTest
from initaudit.timeline import Allocation, Chain, Coverage, Kind, Link, ParameterTimeline, Unwritten, Write


def at(row: int, column: int = 5, end: int = 20) -> Place:
    return Place("net.py", row, column, row, end)


def check(code: str, subject: Any) -> list[Finding]:
    return list(catalogue()[code].check(subject))


def raw(**changes: Any) -> ParameterTimeline:
    told: dict[str, Any] = {
        "observer": Observer.ANALYZER,
        "model": "net.Net",
        "name": "weight",
        "kind": Kind.PARAMETER,
        "coverage": Coverage.NEVER,
        "allocation": Allocation(place=at(3), call="torch.empty", raw=True),
    }
    return ParameterTimeline(**told | changes)


def link(name: str = "fc.weight", **changes: Any) -> Link:
    told: dict[str, Any] = {
        "place": at(7),
        "model": "net.Net",
        "parameter": name,
        "schemes": ("xavier_normal", "lecun_normal"),
        "gain": 1.0,
        "activation": "relu",
        "fan_in": 64,
        "fan_out": 64,
        "variance": 1 / 64,
    }
    return Link(**told | changes)


def chain(*links: Link, normalized: bool = False, lost: float | None = None) -> Chain:
    return Chain(observer=Observer.PROBE, model="net.Net", links=links, normalized=normalized, lost_decades=lost)


@pytest.mark.parametrize(("depth", "severity"), [(1, Severity.NOTE), (9, Severity.NOTE), (10, Severity.WARNING)])
def test_xavier_before_relu_is_a_warning_from_ten_layers_on(depth: int, severity: Severity) -> None:
    (found,) = check(
        "INI401", chain(*(link(f"layers.{n}.weight") for n in range(depth)), link("head", activation=None))
    )
    assert found.severity is severity
    assert found.affects == tuple(f"layers.{n}.weight" for n in range(depth))
    assert "lecun_normal" in found.message


def test_a_chain_that_was_measured_to_lose_its_scale_is_a_warning_at_any_depth() -> None:
    (kept,) = check("INI401", chain(link(), link("two"), lost=0.3))
    (lost,) = check("INI401", chain(link(), link("two"), lost=1.5))
    assert (kept.severity, lost.severity) == (Severity.NOTE, Severity.WARNING)
    assert "a factor of 31.6;" in lost.evidence[0].detail


@pytest.mark.parametrize(
    "harmless",
    [
        link(activation="tanh"),
        link(activation="gelu"),
        link(activation=None),
        link(gain=2**0.5),
        link(gain=None),
        link(schemes=("kaiming_normal", "xavier_normal")),
        link(schemes=()),
        link(fan_in=1024, fan_out=64, variance=2 / 1088),
    ],
)
def test_what_keeps_its_scale_or_is_no_xavier_is_silent_at_any_depth(harmless: Link) -> None:
    assert check("INI401", chain(*[harmless] * 12)) == []


def test_a_normalized_chain_is_silent() -> None:
    assert check("INI401", chain(*[link()] * 12, normalized=True)) == []


def test_a_chain_is_reported_at_the_first_of_its_weights_that_user_code_wrote() -> None:
    (found,) = check("INI401", chain(link("one", place=None), link("two", place=at(9))))
    assert (found.place, found.parameter, found.affects) == (at(9), "two", ("one", "two"))


def test_the_advice_names_the_rectifier_that_follows() -> None:
    (leaky,) = check("INI401", chain(link(schemes=("xavier_uniform",), activation="leaky_relu")))
    assert 'kaiming_uniform_` with `nonlinearity="leaky_relu"' in leaky.message


@pytest.mark.parametrize(("read_first", "severities"), [(True, [Severity.ERROR]), (None, [Severity.NOTE]), (False, [])])
def test_a_raw_buffer_weighs_as_much_as_its_first_use(read_first: bool | None, severities: list[Severity]) -> None:
    found = check("INI103", raw(kind=Kind.BUFFER, read_first=read_first))
    assert [each.severity for each in found] == severities


@pytest.mark.parametrize("coverage", [Coverage.UNKNOWN, Coverage.WRITTEN])
@pytest.mark.parametrize("code", ["INI101", "INI102", "INI103"])
def test_memory_that_is_written_or_not_decided_is_silent(code: str, coverage: Coverage) -> None:
    assert check(code, raw(coverage=coverage)) == check(code, raw(coverage=coverage, kind=Kind.BUFFER)) == []


def test_what_the_probe_counted_is_the_evidence() -> None:
    unwritten = Unwritten(elements=48, total=64)
    (found,) = check(
        "INI102", raw(observer=Observer.PROBE, coverage=Coverage.PARTIAL, unwritten=unwritten, gap="rows 4-15")
    )
    assert "48 of 64 elements" in found.evidence[0].detail
    assert "rows 4-15" in found.message


@pytest.mark.parametrize(
    ("replacement", "proven", "applicability"),
    [
        ("torch.empty(3)", True, Applicability.SAFE),
        ("torch.empty(n)", False, Applicability.UNSAFE),
        (None, False, None),
    ],
)
def test_a_legacy_constructor_is_only_replaced_safely_when_that_is_proven(
    replacement: str | None, proven: bool, applicability: Applicability | None
) -> None:
    allocation = Allocation(
        place=at(3), call="torch.Tensor", raw=True, legacy=True, replacement=replacement, replacement_proven=proven
    )
    writes = (Write(place=at(8), by="init.ones_"),)
    (found,) = check("INI104", raw(allocation=allocation, coverage=Coverage.WRITTEN, writes=writes))
    assert "until `init.ones_` (line 8)" in found.message
    assert (found.fix and found.fix.applicability) == applicability


def test_data_is_no_legacy_allocation() -> None:
    data = Allocation(place=at(3), call="torch.Tensor", raw=False, legacy=True)
    assert check("INI104", raw(allocation=data, coverage=Coverage.WRITTEN)) == []


def loop(**changes: Any) -> ModelLoop:
    told: dict[str, Any] = {
        "observer": Observer.ANALYZER,
        "place": at(2),
        "model": "net",
        "iterates": Iterates.PARAMETERS,
        "effect": False,
    }
    return ModelLoop(**told | changes)


def test_a_loop_that_rebinds_its_variable_is_reported_as_that_only() -> None:
    value = "torch.randn_like(p)"
    rebound = ReboundName(place=at(3), name="p", stood_for="net.parameters()", value=value, in_loop=True)
    assert len(check("INI204", rebound)) == 1
    assert len(check("INI201", loop())) == 1


def test_a_subscript_of_a_module_is_no_mistake() -> None:
    assert check("INI305", loop(iterates=Iterates.CHILDREN, indexed=at(3), indexed_name="m")) == []
    assert check("INI305", loop(indexed=at(3), indexed_name="p"))[0].place == at(3)


def test_a_dropped_tensor_names_the_parameter_it_leaves_as_it_was() -> None:
    dropped = DroppedTensor(
        place=at(4),
        call="torch.full",
        parameter="l2",
        model="net.Net",
        target="self.l2",
        inplace="self.l2.data.fill_(1.0)",
    )
    (found,) = check("INI202", dropped)
    assert found.subjects == {"l2"} and found.model == "net.Net"
    assert found.fix is not None and found.fix.applicability is Applicability.UNSAFE
    assert (
        check("INI202", DroppedTensor(place=at(4), call="torch.full", parameter=None, model=None, target="p"))[0].fix
        is None
    )


def test_an_uncalled_initializer_lists_what_it_leaves_raw() -> None:
    bare = BareReference(
        place=at(5),
        source="self.reset_parameters",
        callable_without_arguments=True,
        model="net.Net",
        parameters=("w", "b"),
    )
    (found,) = check("INI205", bare)
    assert found.subjects == {"w", "b"}
    assert "`w` and `b` are not initialized" in found.message
    assert found.fix is not None and found.fix.remedies == (Call(place=at(5)),)


def test_a_name_that_nn_init_does_not_look_up_is_not_renamed() -> None:
    attribute = DeprecatedCall(place=at(4, 1, 40), name=at(4, 9, 22), function="init.xavier_normal")
    alone = DeprecatedCall(place=at(4, 1, 40), name=None, function="init.xavier_normal")
    (fixed,), (reported,) = check("INI308", attribute), check("INI308", alone)
    assert fixed.fix is not None and fixed.fix.remedies == (Replace(place=at(4, 9, 22), new="xavier_normal_"),)
    assert reported.fix is None


@pytest.mark.parametrize("outcome", ["always true", "never true", "tests only the first"])
def test_a_broken_type_test_says_what_it_does(outcome: str) -> None:
    (found,) = check("INI302", TypeTest(place=at(4), source="m is nn.Linear", outcome=outcome))
    assert outcome in found.message and found.fix is None
