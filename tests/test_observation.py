"""What an observation says of itself."""

from __future__ import annotations

from initaudit.finding import Observer
from initaudit.observation import Observation
from initaudit.timeline import Coverage, Kind, ParameterTimeline


def timeline(path: str | None) -> ParameterTimeline:
    return ParameterTimeline(
        observer=Observer.PROBE,
        model="net.Net",
        name="weight",
        kind=Kind.PARAMETER,
        coverage=Coverage.WRITTEN,
        allocation=None,
        path=path,
    )


def test_a_tensor_that_differs_between_ranks_is_one_tensor() -> None:
    each = tuple(map(timeline, ("0.weight", "0.bias", "0.weight", None, None)))
    seen = Observation(observer=Observer.PROBE, source="net.py:Net", parameters=each)
    assert [one.path for one in seen.tensors] == ["0.weight", "0.bias", None, None]
