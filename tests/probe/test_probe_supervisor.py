"""Nothing that a model starts outlives the probe, however the probe or the model ends, and no folder stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from initaudit.probe import Target, TargetError, probe
from initaudit.probe.process.child import name_of_signal
from initaudit.probe.process.supervisor import TAIL
from initaudit.subjects.builds import BuildFailure

MODELS = """\
import os, subprocess, sys, time
from torch import nn


def note(pid):
    with open("pids", "a") as pids:
        pids.write(f"{pid}\\n")


def start(orphan=False, deaf=False):
    code = "import time; time.sleep(600)"
    if deaf:
        code = "import signal\\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\\n" + code
    if not orphan:
        note(subprocess.Popen([sys.executable, "-c", code], start_new_session=True).pid)
        return
    if os.fork() == 0:
        os.setsid()
        note(subprocess.Popen([sys.executable, "-c", code], start_new_session=True).pid)
        os._exit(0)
    os.wait()


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        note(os.getpid())
        self.more()


class Plain(Base):
    def more(self):
        time.sleep(600)


class Session(Base):
    def more(self):
        start()
        time.sleep(600)


class Orphan(Base):
    def more(self):
        start(orphan=True)
        time.sleep(600)


class Deaf(Base):
    def more(self):
        start(orphan=True, deaf=True)
        time.sleep(600)


class Built(Base):
    def more(self):
        start(orphan=True)


class Dies(Base):
    def more(self):
        start(orphan=True)
        os._exit(3)


class Kills(Base):
    def more(self):
        start()
        os.killpg(0, 9)

"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(MODELS, encoding="utf-8")
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def running(folder: Path) -> list[int]:
    """The processes of a model that run."""
    pids = [int(line) for line in (folder / "pids").read_text(encoding="utf-8").split()]
    return [pid for pid in dict.fromkeys(pids) if _runs(pid)]


def left(folder: Path) -> list[Path]:
    """The folders of probes that are still there."""
    return list((folder / "temporary").glob("initaudit-*"))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.parametrize(
    ("number", "model"),
    [(signal.SIGTERM, "Deaf"), (signal.SIGHUP, "Session"), (signal.SIGKILL, "Deaf"), (signal.SIGINT, "Plain")],
)
def test_whatever_ends_the_probe_ends_the_model_and_its_descendants(folder: Path, number: int, model: str) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:  # as under nohup, and a process inherits that
        signal.signal(number, signal.SIG_DFL)
    command = [sys.executable, "-m", "initaudit", "probe", f"net.py:{model}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    expected = 1 if model == "Plain" else 2
    assert wait_for(lambda: (folder / "pids").exists() and len(running(folder)) == expected)
    process.send_signal(number)
    process.wait(60)
    assert wait_for(lambda: not running(folder))
    assert wait_for(lambda: not left(folder))


@linux
def test_no_folder_stays_if_the_probe_and_its_supervisor_are_ended_at_once(folder: Path) -> None:
    command = [sys.executable, "-m", "initaudit", "probe", "net.py:Deaf"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: (folder / "pids").exists() and len(running(folder)) == 2)
    (supervisor,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(supervisor), signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert wait_for(lambda: not running(folder))
    assert wait_for(lambda: not left(folder))


@linux
def test_a_model_that_hangs_is_ended_with_its_descendants(folder: Path) -> None:
    (failure,) = probe(Target(spec="net.py:Orphan", timeout=40)).facts
    assert isinstance(failure, BuildFailure) and failure.how == "hung"
    assert running(folder) == [] and left(folder) == []


@linux
@pytest.mark.parametrize(
    ("model", "detail"),
    [("Built", None), ("Dies", "ended its process with exit code 3"), ("Kills", "was killed by SIGKILL")],
)
def test_what_a_model_started_ends_with_it(folder: Path, model: str, detail: str | None) -> None:
    seen = probe(Target(spec=f"net.py:{model}"))
    assert [one.detail for one in seen.facts if isinstance(one, BuildFailure)] == ([detail] if detail else [])
    assert running(folder) == [] and left(folder) == []


def test_of_what_a_model_prints_only_the_end_is_kept(folder: Path) -> None:
    (folder / "loud.py").write_text(
        "import os\nfor _ in range(64):\n    os.write(2, b'x' * 65536)\nos.write(2, b'\\nlast words')\nos._exit(4)\n",
        encoding="utf-8",
    )
    with pytest.raises(TargetError, match=r"ended its process with exit code 4 \(last words\)"):
        probe(Target(spec="loud.py:Net"))
    assert TAIL < 64 * 65536


def test_signals_have_names() -> None:
    assert name_of_signal(signal.SIGTERM) == "SIGTERM"
    first = getattr(signal, "SIGRTMIN", None)
    if first is not None:
        assert name_of_signal(first + 6) == "SIGRTMIN+6"
    assert name_of_signal(30_000) == "signal 30000"
