"""The table of many built models."""

from __future__ import annotations

from initaudit.finding import Category, Finding, Observer, Place, Severity
from initaudit.observation import Observation
from initaudit.portrait.overview import overview
from initaudit.subjects.builds import BuildFailure
from initaudit.timeline import Allocation, Coverage, Kind, ParameterTimeline

PLACE = Place("nets.py", 3, 1, 3, 2)


def parameter(name: str, shape: tuple[int, ...], kind: Kind = Kind.PARAMETER) -> ParameterTimeline:
    return ParameterTimeline(
        observer=Observer.PROBE,
        model="nets.Net",
        name=name,
        path=name,
        kind=kind,
        coverage=Coverage.WRITTEN,
        allocation=Allocation(place=PLACE, call="torch.empty", raw=True, shape=shape),
    )


def model(source: str, *parameters: ParameterTimeline, failure: str | None = None) -> Observation:
    facts = () if failure is None else (BuildFailure(place=PLACE, target=source, how="raised", detail=failure),)
    return Observation(observer=Observer.PROBE, source=source, parameters=parameters, facts=facts)


def finding(code: str, severity: Severity, name: str) -> Finding:
    return Finding(
        code=code,
        name="a-rule",
        severity=severity,
        category=Category.CORRECTNESS,
        message="m",
        place=PLACE,
        evidence=(),
        model="nets.Net",
        parameter=name,
    )


def rows(*models: Observation, findings: tuple[Finding, ...] = (), width: int = 100) -> list[list[str]]:
    text = overview(models, findings, width=width, color=False)
    return [line.split() for line in text.splitlines() if line.startswith("m:")]


def test_each_model_is_one_row_with_the_size_of_its_parameters_alone() -> None:
    seen = model("m:a", parameter("weight", (2, 30)), parameter("bias", (2,)), parameter("mean", (9,), Kind.BUFFER))
    assert rows(seen) == [["m:a", "2", "62", "values"]]


def test_the_most_severe_comes_first_and_what_was_not_built_counts_as_an_error() -> None:
    models = [
        model("m:clean", parameter("fine", (1,))),
        model("m:note", parameter("noted", (1,))),
        model("m:warned", parameter("warned", (1,)), parameter("noted", (1,))),
        model("m:z", failure="ValueError: no"),
        model("m:raw", parameter("raw", (1,))),
    ]
    findings = (
        finding("INI305", Severity.NOTE, "noted"),
        finding("INI502", Severity.WARNING, "warned"),
        finding("INI101", Severity.ERROR, "raw"),
    )
    found = rows(*models, findings=findings)
    assert [row[0] for row in found] == ["m:raw", "m:z", "m:warned", "m:note", "m:clean"]
    assert [row[-1] for row in found] == ["INI101", "no", "INI305", "INI305", "values"]
    assert found[2][-2:] == ["INI502", "INI305"]


def test_a_long_reason_leaves_room_for_the_other_columns() -> None:
    found = rows(model("m:a", failure="ValueError: " + "no " * 200), model("m:b", parameter("w", (3,))), width=80)
    assert [row[:2] for row in found] == [["m:a", "0"], ["m:b", "1"]]
