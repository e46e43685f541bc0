"""The JSON of a built model says of every parameter what wrote it, where, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable

from initaudit.finding import Observer, Place
from initaudit.observation import Observation
from initaudit.portrait.table import as_json
from initaudit.timeline import Allocation, Coverage, Kind, ParameterTimeline, SignalProfile, Values, Write


def parameter(name: str, **changes: object) -> ParameterTimeline:
    what: dict[str, object] = {
        "observer": Observer.PROBE,
        "model": "net.Net",
        "name": name,
        "path": f"encoder.{name}",
        "kind": Kind.PARAMETER,
        "coverage": Coverage.WRITTEN,
        "allocation": Allocation(place=Place("/src/net.py", 7, 1, 7, 9), call="torch.empty", raw=True, shape=(3, None)),
    }
    return ParameterTimeline(**{**what, **changes})  # type: ignore[arg-type]  # a table of keyword arguments


WRITTEN = parameter(
    "weight",
    writes=(
        Write(place=Place("/src/net.py", 8, 1, 8, 9), by="Tensor.zero_"),
        Write(place=Place("/src/init.py", 9, 1, 9, 9), by="init.xavier_normal_"),
    ),
    scheme="xavier_normal",
    values=Values(dtype="float32", shape=(4, 3), mean=0.01, std=0.5345678, min=-1.25, max=1.5),
)
PROBED = Observation(
    observer=Observer.PROBE, source="net:Net", parameters=(WRITTEN, parameter("b", coverage=Coverage.NEVER))
)
READ = Observation(observer=Observer.ANALYZER, source="net.py", parameters=(parameter("c"),))


def test_json_holds_timelines_and_statistics() -> None:
    document = json.loads(as_json([READ, PROBED]))
    assert document["schema_version"] == 2
    (model,) = document["models"]
    assert model["target"] == "net:Net"
    weight = model["parameters"][0]
    assert [write["by"] for write in weight["writes"]] == ["Tensor.zero_", "init.xavier_normal_"]
    assert weight["values"]["std"] == 0.5345678
    assert weight["coverage"] == "written"


def test_json_holds_what_was_measured_and_under_which_conditions(
    observe: Callable[..., Observation], signal: Callable[..., SignalProfile]
) -> None:
    (model,) = json.loads(as_json([observe([WRITTEN], signal=signal(2))]))["models"]
    assert model["environment"]["torch"] == "2.13.0"
    assert (model["signal"]["inputs"], model["signal"]["seeds"]) == (["(32, 3) float32"], [0, 1, 2])
    assert model["signal"]["layers"][0]["rms"] == [1.0, 2.0, 4.0]
    assert model["undecided"] == []
