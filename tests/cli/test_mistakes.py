"""Mistakes as people write them, found with default settings, and right code that looks like them, left alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

DATA = Path(__file__).parent.parent / "data"


def cases(name: str) -> list[object]:
    """The snippets of a file, each under a line ``### what it is``."""
    parts = re.split(r"^### (.*)\n", (DATA / name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [pytest.param(text, id=title) for title, text in zip(parts[::2], parts[1::2], strict=True)]


def reported(code: str, folder: Path) -> set[tuple[int, str]]:
    """The rows and codes of what is found at warning or above."""
    file = folder / "case.py"
    file.write_text(code, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(file), "--isolated", "--no-cache", "--output-format", "json"])
    assert result.exit_code in (0, 1), result.output
    return {
        (found["location"]["row"], found["code"]) for found in json.loads(result.stdout) if found["severity"] != "note"
    }


KINDS = ("", "more_", "wider_", "fresh_", "later_", "third_", "fourth_", "fifth_", "sixth_")


def marked(code: str, mark: str = "") -> set[tuple[int, str]]:
    """The rows and codes that a snippet names in comments: what is to be found, or what is known to be missed."""
    lines = enumerate(code.splitlines(), 1)
    return {(row, found[1]) for row, line in lines if (found := re.search(rf"# {mark}(INI\d+)$", line))}


@pytest.mark.parametrize("code", [case for kind in KINDS for case in cases(f"{kind}mistakes.py.txt")])
def test_a_mistake_is_reported_at_its_line(code: str, tmp_path: Path) -> None:
    meant, missed = marked(code), marked(code, "misses: ")
    found = reported(code, tmp_path)
    assert (meant or missed) and meant <= found and found.isdisjoint(missed)


@pytest.mark.parametrize("code", [case for kind in KINDS for case in cases(f"{kind}look_alikes.py.txt")])
def test_right_code_that_looks_like_a_mistake_is_left_alone(code: str, tmp_path: Path) -> None:
    assert reported(code, tmp_path) == set()


GATE = """\
from torch import nn

class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def gate_init(self):
        nn.init.normal_(self.fc.weight, std=1e-6)

    def forward(self, x):
        return self.fc(x)

print(Gate())
"""


@pytest.mark.parametrize(
    ("walk", "call", "calls"),
    [
        ("for m in model.modules():", "if hasattr(m, 'gate_init'): m.gate_init()", True),
        ("for name, m in model.named_modules():", "m.gate_init()", True),
        ("for m in model:", "m.gate_init()", False),
        ("for m in model.modules():", "gate.gate_init()", False),
    ],
)
def test_a_walk_over_the_modules_of_any_model_calls_the_method(
    walk: str, call: str, calls: bool, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    other = "class Lock:\n    def gate_init(self):\n        self.open = False\n\n"  # which an object may be as well
    start = f"{other}def start(model, gate):\n    {walk}\n        {call}\n"
    (tmp_path / "start.py").write_text(start, encoding="utf-8")
    assert [code for _, code in reported(GATE, tmp_path)] == ([] if calls else ["INI213"])


@pytest.mark.parametrize("sign", [".gitignore", "README.md", "requirements.txt"])
@pytest.mark.parametrize(("script", "calls"), [("net.apply(scale)", True), ("net.eval()", False)])
def test_a_script_beside_the_package_counts_in_a_copy_without_version_control(
    sign: str, script: str, calls: bool, tmp_path: Path
) -> None:
    (tmp_path / sign).touch()
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").write_text("from .wide import *\n", encoding="utf-8")
    tries = "if __name__ == '__main__':\n    print(nn.Linear(3, 3))\n"
    scale = "def scale(m):\n    if isinstance(m, nn.Linear):\n        nn.init.normal_(m.weight, 0, 0.1)\n\n\n"
    train = f"from torch import nn\nfrom nets import *\n\nnet = nn.Linear(3, 3)\n{script}\n"
    (tmp_path / "train.py").write_text(train, encoding="utf-8")
    found = reported(f"from torch import nn\n\n\n{scale}{tries}", tmp_path / "nets")
    assert [code for _, code in found] == ([] if calls else ["INI213"])


CLONES = """\
import copy
from torch import nn


def clones(module, n):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])
"""
ENCODER = """\
{}
from torch import nn


class Encoder(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.layers = {}

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


net = Encoder(8)
{}
"""
WALK = "for p in net.parameters():\n    p.data.normal_(0, 0.02)"


@pytest.mark.parametrize(
    ("imported", "made", "then", "copies"),
    [
        ("from parts import clones", "clones(nn.Linear(d, d), 6)", "", True),
        ("from parts import clones as many", "many(nn.Linear(d, d), 6)", "", True),
        ("import parts", "parts.clones(nn.Linear(d, d), 6)", "", True),
        ("from parts import clones", "clones(nn.LayerNorm(d), 6)", "", False),
        ("from parts import clones", "clones(nn.Linear(d, d), 6)", WALK, False),
        ("from parts import clones", "clones(nn.Linear(d, d), 6)", "net.load_state_dict(net.state_dict())", False),
    ],
)
def test_copies_that_a_function_of_another_file_makes(
    imported: str, made: str, then: str, copies: bool, tmp_path: Path
) -> None:
    (tmp_path / "parts.py").write_text(CLONES, encoding="utf-8")
    found = reported(ENCODER.format(imported, made, then), tmp_path)
    assert [code for _, code in found] == (["INI503"] if copies else [])


SHARED = """import torch.nn.functional as F
from torch import nn


def start(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight)


class Actor(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.one = nn.Linear(n, 4 * n)
        self.apply(start)

    def forward(self, x):
        return F.relu(self.one(x))


class Critic(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.two = nn.Linear(n, 2 * n)
        self.apply(start)

    def forward(self, x):
        return F.relu(self.two(x))


actor, critic = Actor(8), Critic(8)
"""


def test_one_draw_for_several_models_is_one_finding_with_one_fix(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(SHARED.replace("n, 4 * n", "8, 32").replace("n, 2 * n", "8, 16"), encoding="utf-8")
    flags = ["--isolated", "--no-cache", "--select", "INI401", "--fail-on", "error", "--output-format", "json"]
    (found,) = json.loads(CliRunner().invoke(main, ["check", str(file), *flags]).stdout)
    assert found["affects"] == ["one.weight", "Critic.two.weight"]
    assert len(found["fix"]["edits"]) == 1
