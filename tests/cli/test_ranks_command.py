"""`initaudit probe` on several ranks of torchrun: one report, one exit code, and no waiting for a rank that is dead."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch.distributed.run", reason="the ranks run with torch")

MODELS = """\
import os
import signal
import subprocess
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        return self.down(self.up(x).relu())


def on_meta():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
    fully_shard(model)
    model.to_empty(device="cpu")
    return model


def wrapped():
    return DistributedDataParallel(Net())


def drawn_after_wrapping():
    dist.init_process_group("gloo")
    model = DistributedDataParallel(Net())
    torch.manual_seed(dist.get_rank())
    nn.init.normal_(model.module.up.weight, std=0.1)
    return model


def seeded_alike():
    model = on_meta()
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter.to_local(), std=0.1)
    return model


def unseeded():
    model = on_meta()
    for parameter in model.parameters():
        nn.init.normal_(parameter.to_local(), std=0.1)
    return model


def raises():
    if dist.get_rank() == 1:
        raise ValueError("no such layer")
    dist.barrier()
    return Net()


def kill(process):
    with open("killed", "w") as file:
        file.write(str(time.time()))
    os.kill(process, signal.SIGKILL)


def dies():
    if dist.get_rank() == 1:
        kill(os.getpid())
    dist.barrier()
    return Net()


def kills_its_rank():
    if dist.get_rank() == 1:
        command = ["ps", "-o", "ppid=", "-p", str(os.getppid())]
        kill(int(subprocess.run(command, capture_output=True, text=True).stdout))
    dist.barrier()
    return Net()
"""

pytestmark = pytest.mark.xdist_group("ranks")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(MODELS, encoding="utf-8")
    return tmp_path


def run(folder: Path, ranks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the probe on so many ranks."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher, "-m", "initaudit", "probe", "--isolated", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def exit_codes(ran: subprocess.CompletedProcess[str]) -> dict[int, int]:
    """The exit codes of the ranks that failed, as torchrun lists them."""
    listed = re.findall(r"^ *rank *: (\d+) .*\n *exitcode *: (-?\d+)", ran.stderr, re.MULTILINE)
    return {int(rank): int(code) for rank, code in listed}


def test_two_ranks_give_one_report_and_one_exit_code(folder: Path) -> None:
    targets = ("nets.py:drawn_after_wrapping", "nets.py:raises")
    ran = run(folder, 2, *targets, "--output-format", "json", "--table", "table.json")
    found = [(one["code"], one["parameter"]) for one in json.loads(ran.stdout) if one["severity"] == "error"]
    assert found == [("INI801", "up.weight"), ("INI003", None)]
    assert "raised ValueError: no such layer" in ran.stdout and "(on rank 1)" in ran.stdout
    assert exit_codes(ran) == {0: 1, 1: 1}
    assert ran.stderr.count("1 model built, 1 not built") == 1
    assert len(json.loads((folder / "table.json").read_text(encoding="utf-8"))["models"]) == 2


def test_four_ranks_tell_shards_that_are_alike_from_shards_that_their_caller_seeds(folder: Path) -> None:
    ran = run(folder, 4, "nets.py:seeded_alike", "nets.py:unseeded", "--output-format", "json", "--show-unknown")
    assert [one["code"] for one in json.loads(ran.stdout)] == ["INI802"]
    assert exit_codes(ran) == dict.fromkeys(range(4), 1)
    assert re.search(
        r"unseeded: 0\.weight.*draw the same values for their shards if they have the same seed", ran.stderr
    )


def test_what_is_sound_on_all_ranks_exits_with_0(folder: Path) -> None:
    ran = run(folder, 2, "nets.py:wrapped")
    assert ran.returncode == 0, ran.stderr
    assert "1 model built" in ran.stderr and "nothing found" in ran.stderr
    assert ran.stdout.count("nets.py:wrapped") == 1


@pytest.mark.parametrize(
    ("target", "codes", "told"),
    [
        ("dies", {0: 1, 1: 1}, "was killed by SIGKILL (on rank 1)"),
        ("kills_its_rank", None, "Signal 9 (SIGKILL) received"),
    ],
)
def test_a_rank_that_is_killed_ends_the_run_with_a_message(
    folder: Path, target: str, codes: dict[int, int] | None, told: str
) -> None:
    ran = run(folder, 2, f"nets.py:{target}", "--output-format", "concise")
    assert time.time() - float((folder / "killed").read_text(encoding="utf-8")) < 60
    assert ran.returncode == 1
    assert told in ran.stdout + ran.stderr
    assert codes is None or exit_codes(ran) == codes


def test_an_error_of_use_is_told_once(folder: Path) -> None:
    ran = run(folder, 2, "nets.py:Nett")
    assert ran.stderr.count("nets.py has no attribute 'Nett'; did you mean 'Net'?") == 1
    assert exit_codes(ran) == {0: 2, 1: 2}
