"""Targets as tasks of a Ray cluster: the answers are those of this machine, also when a node dies."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.finding import Observer
from initaudit.observation import Headway, Observation, Tell, silent
from initaudit.probe import ProbeUnavailable, probe_all
from initaudit.probe.process import on_ray
from initaudit.probe.request import READ_OBSERVATION, Target, TargetError

NETS = """
import time
from pathlib import Path

import torch
from torch import nn


class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 4))

    def forward(self, x):
        return x @ self.weight


def slow(name):
    Path(f"building-{name}").touch()
    time.sleep(3)
    return nn.Linear(3, 4)


def first():
    return slow("first")


def second():
    return slow("second")


def broken():
    raise ValueError("no")
"""
installed = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


def echo(target: Target, tell: Tell) -> tuple[Observation, bool]:
    """Stands for the child process."""
    if target.spec == "m:wrong":
        raise TargetError("m:wrong: no such model")
    return Observation(observer=Observer.PROBE, source=target.spec), True


def plain(found: Iterator[Observation | TargetError]) -> list[Observation | str]:
    return [one if isinstance(one, Observation) else str(one) for one in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("nets.py").write_text(NETS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two nodes with one processor each; yields it, and the node that may be killed."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        cluster.add_node(num_cpus=1, include_dashboard=False)
        doomed = cluster.add_node(num_cpus=1)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster, doomed
    finally:
        ray.shutdown()
        cluster.shutdown()


@installed
@pytest.mark.xdist_group("ray")
def test_a_node_that_dies_changes_no_answer(folder: Path, nodes: Any) -> None:
    cluster, doomed = nodes
    targets = [Target(spec=f"nets.py:{name}") for name in ("first", "second", "broken", "Raw", "Missing")]
    at_work = folder / "building-first", folder / "building-second"

    def kill_when_both_are_at_work() -> None:
        until = time.monotonic() + 60
        while not all(one.exists() for one in at_work) and time.monotonic() < until:
            time.sleep(0.05)
        cluster.remove_node(doomed, allow_graceful=False)

    killing = threading.Thread(target=kill_when_both_are_at_work)
    killing.start()
    found = plain(probe_all(targets, engine="ray"))
    killing.join()
    assert all(one.exists() for one in at_work)
    assert found == plain(probe_all(targets))
    assert isinstance(found[0], Observation) and found[0].parameters
    assert found[-1] == "nets.py:Missing: nets.py has no attribute 'Missing'"


@installed
@pytest.mark.xdist_group("ray")
def test_more_memory_than_any_node_has_is_said_at_once(folder: Path, nodes: Any) -> None:
    cluster = on_ray.Cluster()
    assert cluster.slots == 2
    with pytest.raises(TargetError, match=r"nets.py:Raw: 1e\+06 GB of memory are asked for, and no node"):
        cluster.running(echo)(Target(spec="nets.py:Raw", memory=10**15), silent)


def test_a_task_answers_as_the_probe_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = Target(spec="m:right"), Target(spec="m:wrong")
    right, wrong = (on_ray._run(echo, one.encoded(), str(tmp_path), on_ray._needed(one)) for one in asked)
    assert isinstance(right[0], bytes) and READ_OBSERVATION.decode(right[0]).source == "m:right" and right[1]
    assert wrong == ("m:wrong: no such model", False)


@pytest.mark.parametrize("other", ["initaudit", "python", "torch"])
def test_a_node_with_another_release_is_refused_by_name(other: str, tmp_path: Path) -> None:
    target = Target(spec="m:right")
    needed = {**on_ray._needed(target), other: "0.0"}
    answer, finished = on_ray._run(echo, target.encoded(), str(tmp_path), needed)
    assert not finished and f"has another {other}: " in str(answer) and str(answer).endswith(", not 0.0")


def test_a_node_without_the_folder_is_refused(tmp_path: Path) -> None:
    target, missing = Target(spec="m:right"), tmp_path / "missing"
    answer, _ = on_ray._run(echo, target.encoded(), str(missing), on_ray._needed(target))
    assert f"cannot open {missing}: No such file or directory" in str(answer)


def test_the_end_of_the_run_ends_the_task() -> None:
    cluster: Any = object.__new__(on_ray.Cluster)
    cluster.ray = Unfinished()

    def interrupted(headway: Headway) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster._awaited("task", Target(spec="m:slow"), interrupted)
    assert cluster.ray.cancelled == ["task"]


class Unfinished:
    """Stands for Ray with a task that never ends."""

    class exceptions:  # noqa: N801
        RayError = OSError

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def wait(self, tasks: list[str], timeout: float) -> tuple[list[str], list[str]]:
        return [], tasks

    def cancel(self, task: str, force: bool) -> None:
        assert force
        self.cancelled.append(task)


def test_without_ray_the_command_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = CliRunner().invoke(main, ["probe", "nets.py:Raw", "--isolated", "--engine", "ray"])
    assert done.exit_code == 2
    assert "--engine ray needs Ray, which is not installed: pip install 'initaudit[ray]'" in done.stderr


def test_ray_and_torchrun_are_not_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": "1",
        "TORCHELASTIC_RUN_ID": "x",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProbeUnavailable, match="choose one"):
        probe_all([Target(spec="m:A")], engine="ray")
