"""`initaudit probe --zoo`: all models of a library, in parts and again after an interruption, with a stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from initaudit.probe import TargetError
from initaudit.probe.process import zoos

pytest.importorskip("torch", reason="the probe runs with torch")

LIBRARY = """\
import os
from pathlib import Path

import torch

print("timm says hello")
MODELS = [f"net{number}" for number in range(10)]


class Net(torch.nn.Module):
    def __init__(self, name, width=4):
        super().__init__()
        self.fc = torch.nn.Linear(width, 2)
        if name == "net3":
            self.scale = torch.nn.Parameter(torch.empty(3))
        if name == "net5":
            raise RuntimeError("five")

    def forward(self, x):
        return self.fc(x)


def list_models():
    return MODELS


def is_model(name):
    return name in MODELS


def model_entrypoint(name):
    return Net


def create_model(name, pretrained, **arguments):
    with Path(os.environ["BUILT"]).open("a") as built:
        print(name, file=built)
    return Net(name, **arguments)
"""


class Zoo:
    """A folder with a library, and what was built of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "built"
        (folder / "lib").mkdir()
        (folder / "lib" / "timm.py").write_text(LIBRARY, encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "initaudit", "probe", "--isolated", *arguments]
        path = os.pathsep.join(filter(None, (str(self.folder / "lib"), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": path, "BUILT": str(self.log), "COLUMNS": "100"}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    def built(self) -> set[str]:
        return set(self.log.read_text().split()) if self.log.exists() else set()


@pytest.fixture
def zoo(tmp_path: Path) -> Zoo:
    return Zoo(tmp_path)


def rows(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in run.stdout.splitlines() if line.startswith("timm:")]


def test_a_whole_library_is_one_table_with_findings_first_and_is_not_built_again(zoo: Zoo) -> None:
    first = zoo.run("--zoo", "timm", "-j", "2", "--resume", "kept")
    assert first.returncode == 1, first.stderr
    assert zoo.built() == {f"net{number}" for number in range(10)}
    table = [row.split() for row in rows(first)]
    assert [row[0] for row in table[:2]] == ["timm:net3", "timm:net5"]
    assert table[0][1:3] == ["3", "13"] and table[0][-1] == "INI101"
    assert "not built: it raised: RuntimeError" in rows(first)[1]
    assert [row[0] for row in table[2:]] == [f"timm:net{number}" for number in (0, 1, 2, 4, 6, 7, 8, 9)]
    assert "9 models built, 1 not built" in first.stderr

    again = zoo.run("--zoo", "timm", "--resume", "kept")
    assert zoo.built() == set()
    assert (again.returncode, again.stdout, again.stderr) == (first.returncode, first.stdout, first.stderr)


def test_parts_hold_every_model_once(zoo: Zoo) -> None:
    (zoo.folder / "nets.txt").write_text("# ours\ntimm:net[0-2]\n\ntimm:net7  # the last\n", encoding="utf-8")
    parts = []
    for number in (1, 2):
        run = zoo.run("--zoo", "nets.txt", "--shard", f"{number}/2", "--output-format", "json", "--table", "t.json")
        assert run.returncode == 0, run.stderr
        parts.append({model["target"] for model in json.loads((zoo.folder / "t.json").read_text())["models"]})
    assert parts == [{"timm:net0", "timm:net2"}, {"timm:net1", "timm:net7"}]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--zoo", "nowhere"], "'nowhere' is none of transformers, timm, torchvision, and no file that can be read"),
        (["--zoo", "empty.txt"], "empty.txt: the file lists no target"),
        (["timm:nothing*"], "timm:nothing*: timm has no such model"),
        (["hf:*"], "hf: it needs transformers, which is not installed: pip install transformers"),
        (["timm:net0", "--shard", "3/2"], "'3/2' is not I/N, with I from 1 to N"),
        (["timm:net0", "--shard", "2/2"], "nothing to build: part 2 of 2 of 1 model is empty"),
    ],
)
def test_what_cannot_be_built_is_an_error_of_use(arguments: list[str], told: str, zoo: Zoo) -> None:
    (zoo.folder / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    (zoo.folder / "lib" / "transformers.py").write_text("raise ModuleNotFoundError(name='transformers')\n")
    run = zoo.run(*arguments)
    assert run.returncode == 2
    assert told in run.stderr
    assert zoo.built() == set()


def test_a_library_whose_import_hangs_is_an_error_of_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "timm.py").write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(zoos, "LIMIT", 1.0)
    with pytest.raises(TargetError, match="timm: importing timm did not finish within 1 seconds"):
        zoos.matching("timm:*")
