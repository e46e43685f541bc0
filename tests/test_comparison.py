"""Two builds of a model: what differs by more than two seeds do, what came and went, and what got worse."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence

import pytest

from initaudit.comparison import Comparison, Passage, turnover
from initaudit.finding import Category, Finding, Observer, Place, Severity
from initaudit.observation import Observation
from initaudit.schemes import Distribution
from initaudit.timeline import Coverage, Kind, Layer, ParameterTimeline, SignalProfile, Values, Write

PLACE = Place("net.py", 4, 35, 4, 49)
BINS = 20


def values(numbers: Sequence[float], dtype: str = "float32") -> Values:
    """What the probe tells of a tensor of these numbers."""
    low, high = min(numbers), max(numbers)
    counts = [0] * BINS
    for one in numbers if high > low else ():
        counts[min(BINS - 1, int((one - low) / (high - low) * BINS))] += 1
    return Values(
        dtype=dtype,
        shape=(len(numbers),),
        mean=statistics.fmean(numbers),
        std=statistics.pstdev(numbers),
        min=low,
        max=high,
        counts=tuple(counts) if high > low else (),
    )


def parameter(path: str, **changes: object) -> ParameterTimeline:
    what: dict[str, object] = {
        "observer": Observer.PROBE,
        "model": "net.Net",
        "name": path,
        "path": path,
        "kind": Kind.PARAMETER,
        "coverage": Coverage.WRITTEN,
        "allocation": None,
        "scheme": "normal(0, 1)",
    }
    return ParameterTimeline(**{**what, **changes})  # type: ignore[arg-type]  # a table of keyword arguments


def build(*parameters: ParameterTimeline, layers: Sequence[Layer] = ()) -> Observation:
    signal = SignalProfile(
        observer=Observer.PROBE, model="net.Net", place=PLACE, inputs=("(8, 4)",), batch=8, varied=True, seeds=(0,),
        layers=tuple(layers),
    )  # fmt: skip
    return Observation(observer=Observer.PROBE, source="net.py:Net", parameters=parameters, signal=signal)


def layer(path: str, **measured: object) -> Layer:
    return Layer(path=path, place=PLACE, model="net.Net", parameter=path, shape=(4, 4), fan_in=4, fan_out=4, **measured)  # type: ignore[arg-type]  # measurements


def changed(before: ParameterTimeline, after: ParameterTimeline) -> tuple[str, ...]:
    (*changes,) = Comparison(before=build(before), after=build(after)).parameters
    return changes[0].what if changes else ()


DRAWS: dict[str, Callable[[random.Random], float]] = {
    "normal": lambda chance: chance.gauss(0, 1),
    "uniform": lambda chance: chance.uniform(-1, 1),
    "shifted": lambda chance: chance.gauss(5, 0.1),
    "sparse": lambda chance: chance.gauss(0, 1) if chance.random() < 0.9 else 0.0,
    "heavy tails": lambda chance: chance.gauss(0, 1) / max(0.05, chance.random()),
}


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("count", [1, 2, 4, 7, 30, 400])
def test_what_two_seeds_differ_by_is_no_change(draw: str, count: int) -> None:
    chance = random.Random(7)
    for _ in range(60):
        one, other = (parameter("w", values=values([DRAWS[draw](chance) for _ in range(count)])) for _ in range(2))
        assert changed(one, other) == ()


@pytest.mark.parametrize(
    ("factor", "offset", "what"),
    [(1.5, 0.0, ("std",)), (0.5, 0.0, ("std",)), (1.0, 0.5, ("mean",)), (3.0, 2.0, ("std", "mean"))],
)
def test_what_differs_by_more_is_one(factor: float, offset: float, what: tuple[str, ...]) -> None:
    chance = random.Random(3)
    one, other = ([chance.gauss(0, 1) for _ in range(1000)] for _ in range(2))
    scaled = [factor * number + offset for number in other]
    assert changed(parameter("w", values=values(one)), parameter("w", values=values(scaled))) == what


def test_constants_differ_however_little() -> None:
    ones, more = (parameter("w", values=values([number] * 4)) for number in (1.0, 1.001))
    assert changed(ones, ones) == ()
    assert changed(ones, more) == ("mean",)
    drawn = parameter("w", values=values([0.9, 1.1, 1.0, 1.0]))
    assert changed(ones, drawn) == ("std",)


def test_one_element_is_judged_by_what_wrote_it() -> None:
    def one(number: float, family: str) -> ParameterTimeline:
        write = Write(place=PLACE, by="init.", distribution=Distribution(family=family))
        return parameter("w", values=values([number]), writes=(write,))

    assert changed(one(0.1, "normal"), one(0.7, "normal")) == ()
    assert changed(one(0.0, "constant"), one(1.0, "constant")) == ("mean",)


def test_the_order_is_that_of_the_model_and_what_is_gone_comes_last() -> None:
    before = build(parameter("a"), parameter("b"), parameter("c"))
    after = build(parameter("d"), parameter("a"), parameter("c", scheme="zeros"))
    changes = Comparison(before=before, after=after).parameters
    assert [(one.path, one.what) for one in changes] == [("d", ("new",)), ("c", ("scheme",)), ("b", ("gone",))]


def find(code: str, model: str, name: str | None, severity: Severity = Severity.ERROR, row: int = 1) -> Finding:
    return Finding(
        code=code, name="a-rule", severity=severity, category=Category.CORRECTNESS, message="", evidence=(),
        place=Place("net.py", row, 1, row, 2), model=model, parameter=name,
    )  # fmt: skip


def test_findings_are_matched_by_what_they_are_about_and_not_by_their_lines() -> None:
    before = [find("INI101", "net.Net", "a"), find("INI101", "net.Net", "b"), find("INI604", "net.Net", None)]
    after = [find("INI604", "src.net.Net", None, row=9), find("INI101", "net.Net", "b", Severity.NOTE, row=5)]
    found = turnover(before, [*after, find("INI101", "net.Net", "c")])
    assert [one.parameter for one in found.gone] == ["a"]
    assert [one.parameter for one in found.new] == ["c"]
    assert [after.place.row for _, after in found.stayed] == [5, 9]


def test_two_alike_are_two() -> None:
    once = find("INI604", "net.Net", None)
    assert len(turnover([once, once], [once]).gone) == 1
    assert len(turnover([once], [once, once]).new) == 1


def test_a_note_is_never_worse_and_a_finding_that_rises_is() -> None:
    noted, warned = (find("INI401", "net.Net", "w", one) for one in (Severity.NOTE, Severity.WARNING))
    assert turnover([], [noted]).worse == ()
    assert turnover([noted], [warned]).worse == (warned,)
    assert turnover([warned], [noted]).worse == ()


def test_a_class_that_was_renamed_keeps_its_findings_if_told() -> None:
    old, new = find("INI101", "net.Old", "w"), find("INI101", "net.New", "w")
    assert len(turnover([old], [new]).new) == 1
    assert turnover([old], [new], renamed=True).new == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"gradient": (1.0,)}, {"gradient": (0.0,)}, "no gradient reaches `w` any more: training cannot change it"),
        ({"gradient": (1.0,)}, {}, "the gradient of `w` can no longer be measured"),
        ({"rms": (1.0,)}, {"rms": (5000.0,)}, "the output of `w` grows to an rms of 5e+03"),
        ({"rms": (1.0,)}, {"rms": (math.nan,)}, "the output of `w` is no longer finite"),
    ],
)
def test_harm_is_said(before: dict[str, object], after: dict[str, object], said: str) -> None:
    one, other = (build(parameter("w"), layers=[layer("w", **measured)]) for measured in (before, after))
    assert Comparison(before=one, after=other).harm == (said,)
    assert Comparison(before=other, after=other).harm == ()


def test_a_parameter_that_is_no_longer_written_is_harm_unless_a_finding_says_so() -> None:
    before, after = build(parameter("w")), build(parameter("w", coverage=Coverage.NEVER))
    assert Comparison(before=before, after=after).harm == ("`w` is no longer fully written",)
    assert Comparison(before=before, after=after, reported=frozenset({"w"})).harm == ()


def test_a_layer_that_the_new_model_does_not_have_is_no_harm() -> None:
    before = build(parameter("w"), parameter("v"), layers=[layer("w", gradient=(1.0,)), layer("v", gradient=(1.0,))])
    after = build(parameter("w"), layers=[layer("w", gradient=(1.0,))])
    assert Comparison(before=before, after=after).harm == ()


def test_a_passage_tells_how_far_it_rises() -> None:
    assert str(Passage(first=1.0, last=0.01)) == "1 to 0.01 (-2.00 decades)"
    assert str(Passage(first=0.0, last=0.01)) == "0 to 0.01"
    assert str(Passage(first=1.0, last=math.nan)) == "1 to not finite"
    assert str(Passage(first=None, last=0.5, unit=" nats")) == "0.5 nats"


def test_conditions_that_differ_are_named() -> None:
    import msgspec

    before = build(parameter("w"))
    assert before.signal is not None
    other = msgspec.structs.replace(before, signal=msgspec.structs.replace(before.signal, inputs=("(9, 4)",)))
    assert Comparison(before=before, after=other).conditions == ("inputs: (8, 4) before, (9, 4) after",)


def test_a_build_without_memory_is_another_condition_and_no_harm() -> None:
    import msgspec

    known = values([1.0, 2.0, 3.0, 4.0])
    full, abstract = build(parameter("w", values=known)), build(parameter("w"))
    abstract = msgspec.structs.replace(abstract, signal=None)
    made = Comparison(before=full, after=abstract)
    assert made.harm == ()
    assert made.conditions == ("values: only before", "a measured forward: only before")
    unrun = msgspec.structs.replace(full, signal=None)
    assert Comparison(before=full, after=unrun).harm == ("no forward could be measured any more",)
    assert Comparison(before=full, after=msgspec.structs.replace(unrun, parameters=())).harm == (
        "the model could not be built",
    )
