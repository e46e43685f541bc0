"""Many targets at a time, and those that an earlier run finished."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from initaudit.finding import Observer
from initaudit.observation import Headway, Observation, Tell, silent
from initaudit.probe.process import several
from initaudit.probe.request import Target, TargetError


class Building:
    """Stands for the child processes: says what it was asked for, and how many were at work at a time."""

    def __init__(self, *, finished: bool = True, together: int = 1) -> None:
        self.built: list[Target] = []
        self.finished = finished
        self.meeting = threading.Barrier(together, timeout=20)

    def __call__(self, target: Target, tell: Tell) -> tuple[Observation, bool]:
        self.meeting.wait()
        tell(Headway(target.spec))
        self.built.append(target)
        if target.spec.endswith("broken"):
            raise TargetError(f"{target.spec}: broken")
        return Observation(observer=Observer.PROBE, source=target.spec), self.finished


def targets(*names: str) -> list[Target]:
    return [Target(spec=name) for name in names]


def names(found: list[several.Outcome]) -> list[str]:
    return [one.source if isinstance(one, Observation) else str(one) for one in found]


@pytest.mark.parametrize("jobs", [1, 2, 4, 9])
def test_the_order_is_that_of_the_targets_however_many_are_built_at_a_time(jobs: int) -> None:
    asked = targets("m:a", "m:b", "m:broken", "m:d")
    found = list(several.outcomes(asked, Building(together=min(jobs, 4) if jobs in (2, 4) else 1), jobs, None, silent))
    assert names(found) == ["m:a", "m:b", "m:broken: broken", "m:d"]


def test_no_target_is_no_error() -> None:
    assert list(several.outcomes([], Building(), 3, None, silent)) == []


def test_those_at_work_at_a_time_share_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("initaudit.probe.process.memory.available", lambda: 900)
    asked = [*targets("m:a", "m:b"), Target(spec="m:c", memory=7)]
    building = Building()
    assert len(list(several.outcomes(asked, building, 3, None, silent))) == 3
    assert {one.spec: one.memory for one in building.built} == {"m:a": 300, "m:b": 300, "m:c": 7}


def test_progress_counts_what_is_done() -> None:
    told: list[Headway] = []
    assert len(list(several.outcomes(targets("m:a", "m:b", "m:c"), Building(), 1, None, told.append))) == 3
    assert [(one.what, one.done, one.total) for one in told] == [("m:a", 0, 3), ("m:b", 1, 3), ("m:c", 2, 3)]


def test_an_interrupted_run_ends_the_children_at_work() -> None:
    """The callback raises in one thread; the other child learns of it when it tells its progress."""
    working, ended = threading.Event(), threading.Event()

    def probe(target: Target, tell: Tell) -> tuple[Observation, bool]:
        if target.spec == "m:a":
            working.wait(20)
            raise KeyboardInterrupt
        try:
            for _ in range(2000):
                tell(Headway(target.spec))
                working.set()
                ended.wait(0.01)
        except BaseException:
            ended.set()
            raise
        return Observation(observer=Observer.PROBE, source=target.spec), True

    with pytest.raises(KeyboardInterrupt):
        list(several.outcomes(targets("m:a", "m:b"), probe, 2, None, silent))
    assert ended.is_set()


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_model_of_a_library_is_built_once_for_one_request(jobs: int, tmp_path: Path) -> None:
    asked = [*targets("timm:a", "timm:b", "nets:Own"), Target(spec="timm:a", kwargs={"width": 2})]
    first, second = Building(), Building()
    assert names(list(several.outcomes(asked, first, jobs, tmp_path / "new" / "kept", silent))) == names(
        list(several.outcomes(asked, second, jobs, tmp_path / "new" / "kept", silent))
    )
    assert len(first.built) == 4
    assert [one.spec for one in second.built] == ["nets:Own"]


@pytest.mark.parametrize(
    "other",
    [
        Target(spec="timm:b"),
        Target(spec="timm:a", kwargs={"width": 1}),
        Target(spec="timm:a", seeds=2),
        Target(spec="timm:a", memory=1),
        Target(spec="hf:a"),
    ],
)
def test_another_request_is_another_file(other: Target, tmp_path: Path) -> None:
    assert several.file_for(Target(spec="timm:a"), tmp_path) != several.file_for(other, tmp_path)


def test_how_long_it_may_take_and_where_it_runs_make_no_other_request(tmp_path: Path) -> None:
    here, there = Target(spec="timm:a", timeout=1.0, root="x"), Target(spec="timm:a", timeout=2.0)
    assert several.file_for(here, tmp_path) == several.file_for(there, tmp_path)


@pytest.mark.parametrize("how", [{"input_data": "m:f"}, {"reinit": "m:f"}, {"state_dict": "a.pt"}])
def test_what_runs_code_or_reads_files_of_the_users_is_not_kept(how: dict[str, str], tmp_path: Path) -> None:
    assert several.file_for(Target(spec="timm:a", **how), tmp_path) is None  # type: ignore[arg-type]


def test_another_release_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda package: "1.0")
    before = several.file_for(Target(spec="timm:a"), tmp_path)
    monkeypatch.setattr("importlib.metadata.version", lambda package: "1.1" if package == "timm" else "1.0")
    assert several.file_for(Target(spec="timm:a"), tmp_path) != before


def test_a_model_whose_child_did_not_come_to_its_end_is_built_again(tmp_path: Path) -> None:
    first, second = Building(finished=False), Building()
    for building in (first, second):
        assert len(list(several.outcomes(targets("timm:a"), building, 1, tmp_path, silent))) == 1
    assert len(second.built) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"\x80"])
def test_a_damaged_file_is_built_again_and_replaced(content: bytes, tmp_path: Path) -> None:
    file = several.file_for(Target(spec="timm:a"), tmp_path)
    assert file is not None
    file.write_bytes(content)
    for built in (1, 0):
        building = Building()
        assert names(list(several.outcomes(targets("timm:a"), building, 1, tmp_path, silent))) == ["timm:a"]
        assert len(building.built) == built


def test_what_is_kept_may_be_read_by_threads_that_are_the_first_to_read_anything(tmp_path: Path) -> None:
    """The type of a message is prepared when the module is imported: two threads that prepare it at once crash."""
    program = f"""
import subprocess
import sys
import threading
from pathlib import Path
import msgspec
from initaudit.finding import Observer
from initaudit.observation import Observation
from initaudit.probe.process import several

file = Path({str(tmp_path / "kept")!r})
file.write_bytes(msgspec.msgpack.encode(Observation(observer=Observer.PROBE, source="timm:a")))
together, read = threading.Barrier(8), []

def work():
    together.wait()
    read.append(several._read(file))

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert [one.source for one in read] == ["timm:a"] * 8
"""
    for _ in range(3):
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
