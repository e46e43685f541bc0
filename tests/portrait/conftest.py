"""Built models as the probe would tell them, without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Place, Severity
from initaudit.observation import Environment, Observation
from initaudit.report.base import Context
from initaudit.sources.files import Sources, decode_source
from initaudit.timeline import (
    Allocation,
    Coverage,
    InitialLoss,
    Kind,
    Layer,
    ParameterTimeline,
    SignalProfile,
    Unwritten,
    Values,
    Write,
)

SOURCE = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(3))
"""
PLACE = Place("net.py", 4, 35, 4, 49)
VALUES = Values(dtype="float32", shape=(4, 3), mean=0.01, std=0.5, min=-1.25, max=1.5, counts=(1, 3, 6, 2))

Parameter = Callable[..., ParameterTimeline]
Observe = Callable[..., Observation]
Find = Callable[..., Finding]


@pytest.fixture
def parameter() -> Parameter:
    def make(path: str, **changes: object) -> ParameterTimeline:
        what: dict[str, object] = {
            "observer": Observer.PROBE,
            "model": "net.Net",
            "name": path.rpartition(".")[2],
            "path": path,
            "kind": Kind.PARAMETER,
            "coverage": Coverage.WRITTEN,
            "allocation": Allocation(place=PLACE, call="torch.empty", raw=True, shape=(4, 3)),
            "writes": (Write(place=Place("init.py", 9, 1, 9, 9), by="init.xavier_normal_"),),
            "scheme": "xavier_normal",
            "values": VALUES,
        }
        return ParameterTimeline(**{**what, **changes})  # type: ignore[arg-type]  # a table of keyword arguments

    return make


@pytest.fixture
def unwritten(parameter: Parameter) -> ParameterTimeline:
    return parameter(
        "scale",
        coverage=Coverage.NEVER,
        writes=(),
        scheme=None,
        unwritten=Unwritten(elements=3, total=3),
    )


@pytest.fixture
def observe() -> Observe:
    def make(parameters: Sequence[ParameterTimeline] = (), **changes: object) -> Observation:
        environment = Environment(
            python="3.11.7", torch="2.13.0", platform="Linux x86_64", device="cpu", dtype="float32", seed=0
        )
        what = {"observer": Observer.PROBE, "source": "net:Net", "environment": environment, **changes}
        return Observation(parameters=tuple(parameters), **what)  # type: ignore[arg-type]  # as above

    return make


@pytest.fixture
def signal() -> Callable[..., SignalProfile]:
    def make(depth: int, *, decades: float = -0.15, loss: InitialLoss | None = None) -> SignalProfile:
        return SignalProfile(
            observer=Observer.PROBE,
            model="net.Net",
            place=PLACE,
            inputs=("(32, 3) float32",),
            batch=32,
            varied=True,
            seeds=(0, 1, 2),
            layers=tuple(_layer(number, decades) for number in range(depth)),
            losses=(loss,) if loss is not None else (),
        )

    return make


def _layer(number: int, decades: float) -> Layer:
    scale = 10 ** (decades * number)
    return Layer(
        path=f"layers.{number}.weight",
        place=PLACE,
        model="net.Net",
        parameter="weight",
        shape=(4, 4),
        fan_in=4,
        fan_out=4,
        activation="relu",
        rms=(scale, 2 * scale, 4 * scale),
        gradient=(0.1, 0.2, 0.4),
        discrimination=(0.5, 0.5, 0.5),
        dead=(0.0, 0.25, 0.5),
        units=4,
    )


@pytest.fixture
def find() -> Find:
    def make(**changes: object) -> Finding:
        what: dict[str, object] = {
            "code": "INI101",
            "name": "uninitialized-parameter",
            "severity": Severity.ERROR,
            "category": Category.CORRECTNESS,
            "message": "`scale` is never initialized",
            "place": PLACE,
            "evidence": (Evidence(Observer.PROBE, "3 of 3 elements were never written"),),
            "fix": Fix(Applicability.DISPLAY, "Write `nn.init.ones_(self.scale)`"),
            "url": "https://example.org/INI101",
        }
        return Finding(**{**what, **changes})  # type: ignore[arg-type]  # as above

    return make


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(
        version="1.2.3",
        root=tmp_path,
        relative=lambda name: name,
        sources=Sources([decode_source("net.py", SOURCE.encode())]),
    )
