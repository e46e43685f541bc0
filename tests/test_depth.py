"""Trends over depth, and what the rules about depth advise."""

from __future__ import annotations

import math
from typing import Any

import pytest

from initaudit.activations import CATALOGUE
from initaudit.finding import Finding, Observer, Place
from initaudit.rules import catalogue
from initaudit.rules.depth import advice, groups, middle, trend
from initaudit.timeline import InitialLoss, Layer, SignalProfile


def layer(path: str = "fc.weight", **changes: Any) -> Layer:
    told: dict[str, Any] = {
        "path": path,
        "place": Place("net.py", 7, 5, 7, 20),
        "model": "net.Net",
        "parameter": path,
        "shape": (64, 64),
        "fan_in": 64,
        "fan_out": 64,
        "activation": "relu",
        "chain": 0,
        "units": 64,
        "rms": (1.0,),
    }
    return Layer(**told | changes)


def profile(*layers: Layer, **changes: Any) -> SignalProfile:
    told: dict[str, Any] = {
        "observer": Observer.PROBE,
        "model": "net.Net",
        "place": Place("net.py", 1, 1, 1, 2),
        "inputs": ("float32 (32, 64)",),
        "batch": 32,
        "varied": True,
        "seeds": (0,),
        "layers": layers,
    }
    return SignalProfile(**told | changes)


def row(name: str, values: list[float], **changes: Any) -> list[Layer]:
    """Layers that differ in one measure only."""
    return [layer(f"layers.{n}.weight", **changes, **{name: (value,)}) for n, value in enumerate(values)]


def check(code: str, subject: SignalProfile) -> list[Finding]:
    return list(catalogue()[code].check(subject))  # type: ignore[arg-type]  # a rule whose subject is a profile


def test_a_geometric_series_is_a_perfect_trend() -> None:
    course = trend([10.0**-n for n in range(5)])
    assert course is not None
    assert (course.decades, course.fit) == (pytest.approx(-4), pytest.approx(1))
    assert course.geometric


@pytest.mark.parametrize("numbers", [[], [1.0], [1.0, 0.0, 2.0], [1.0, math.inf], [1.0, math.nan]])
def test_what_is_not_positive_and_finite_has_no_trend(numbers: list[float]) -> None:
    assert trend(numbers) is None


@pytest.mark.parametrize("numbers", [[1.0] * 6, [1.0, 1e3, 1.0, 1e3, 1.0, 1e3], [1.0, 3.0, 9.0, 27.0]])
def test_level_uneven_and_slight_series_are_not_geometric(numbers: list[float]) -> None:
    course = trend(numbers)
    assert course is not None and not course.geometric


def test_the_middle_of_several_seeds_is_their_median_unless_one_overflows() -> None:
    assert (middle((3.0, 1.0, 2.0)), middle((1.0, 2.0)), middle(())) == (2.0, 1.5, None)
    assert math.isnan(middle((1.0, math.inf)) or 0.0)


def test_layers_are_alike_by_shape_activation_and_name() -> None:
    alike = row("rms", [1.0] * 5)
    others = [layer("head.weight"), layer("layers.9.weight", shape=(64, 32)), layer("layers.8.weight", fed=False)]
    assert list(groups(profile(*alike, *others))) == [alike]


@pytest.mark.parametrize("key", [*CATALOGUE, None])
def test_there_is_advice_for_every_activation(key: str | None) -> None:
    assert advice(layer(activation=key)).startswith("`nn.init.")


@pytest.mark.parametrize(
    ("code", "name", "values", "changes", "count"),
    [
        ("INI701", "rms", [10.0**-n for n in range(4)], {}, 1),
        ("INI701", "rms", [1.0, 0.5, 0.2, 0.1], {}, 0),
        ("INI701", "rms", [1.0, 0.01, 0.0001], {}, 0),
        ("INI701", "rms", [10.0**-n for n in range(4)], {"chain": None}, 1),
        ("INI701", "rms", [10.0**-n for n in range(4)], {"fed": False}, 0),
        ("INI701", "discrimination", [0.9, 0.1, 0.005], {}, 1),
        ("INI701", "discrimination", [0.02, 0.01, 0.009], {}, 0),
        ("INI701", "discrimination", [0.02, 0.01, 0.009], {"bias_share": (0.99,), "bias": "b"}, 1),
        ("INI702", "rms", [10.0**n for n in range(4)], {}, 1),
        ("INI702", "rms", [1.0, 2.0, 4.0, 8.0], {}, 0),
        ("INI703", "gradient", [10.0**n for n in range(4)], {}, 1),
        ("INI703", "gradient", [10.0**n for n in range(4)], {"normalized": True}, 0),
        ("INI703", "gradient", [1.0, 1e4, 1.0, 1e4], {}, 0),
        ("INI704", "dead", [0.7, 0.1], {"discrimination": (0.5,)}, 1),
        ("INI704", "dead", [0.5, 0.5], {"discrimination": (0.5,)}, 0),
        ("INI704", "dead", [0.9], {"discrimination": (1e-6,)}, 0),
        ("INI704", "dead", [0.9], {"discrimination": (0.5,), "units": 4}, 0),
    ],
)
def test_each_measure_has_its_threshold(
    code: str, name: str, values: list[float], changes: dict[str, Any], count: int
) -> None:
    assert len(check(code, profile(*row(name, values, **changes)))) == count


@pytest.mark.parametrize(
    ("excess", "error", "severity"),
    [(1.0, 0.0, None), (3.0, 0.5, None), (3.0, 0.1, "warning"), (20.0, 0.1, "error")],
)
def test_the_initial_loss_is_judged_beyond_chance(excess: float, error: float, severity: str | None) -> None:
    loss = InitialLoss(path="head.weight", classes=64, excess=(excess,), error=(error,), known_by="log_softmax")
    reported = check("INI705", profile(layer("head.weight", output=True, activation="log_softmax"), losses=(loss,)))
    assert [finding.severity.value for finding in reported] == ([severity] if severity else [])


def test_samples_that_do_not_differ_judge_no_discrimination() -> None:
    assert check("INI701", profile(*row("discrimination", [0.9, 0.1, 1e-6]), varied=False)) == []
