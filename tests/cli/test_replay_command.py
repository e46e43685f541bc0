"""``initaudit probe --replay``: which rules it turns on, what it says, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")

MODEL = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 3))
        self.register_buffer("scale", torch.ones(3), persistent=False)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_uniform_(self.weight)


def again(model):
    model.reset_parameters()
    model.scale.fill_(1)


def failing(model):
    raise ValueError("no")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def probe(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["probe", *arguments, "--output-format", "concise"])


def test_a_replay_turns_its_rules_on_and_says_what_it_called(folder: Path) -> None:
    assert probe("net.py:Net").exit_code == 0
    outcome = probe("net.py:Net", "--replay")
    assert outcome.exit_code == 1
    assert outcome.stdout.startswith("net.py:10:39: warning: INI106 ")
    said = "replayed: net.py:Net: built on the meta device, `to_empty()`, then `reset_parameters` of 1 module"
    assert said in outcome.stderr
    assert probe("net.py:Net", "--replay", "--ignore", "INI106").exit_code == 0


def test_a_function_of_the_users_implies_a_replay(folder: Path) -> None:
    outcome = probe("net.py:Net", "--reinit", "net.py:again")
    assert outcome.exit_code == 0 and "then `net.py:again`" in outcome.stderr


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("net.py:agian", "net.py has no attribute 'agian'; did you mean 'again'?"),
        ("again", "again: give an initialization as module:function or path/file.py:function"),
        ("net.py:failing", "the initialization net.py:failing raised ValueError: no at net.py:"),
    ],
)
def test_a_function_that_cannot_be_called_is_an_error_of_use(folder: Path, function: str, said: str) -> None:
    outcome = probe("net.py:Net", "--reinit", function)
    assert outcome.exit_code == 2 and said in outcome.stderr


def test_a_configured_model_is_replayed(folder: Path) -> None:
    (folder / "initaudit.toml").write_text('[[models]]\ntarget = "net.py:Net"\nreplay = true\n')
    outcome = CliRunner().invoke(main, ["probe", "--output-format", "json"])
    assert [one["code"] for one in json.loads(outcome.stdout)] == ["INI106"]


def test_missing_keys_imply_a_replay_and_say_what_became_of_them(folder: Path) -> None:
    outcome = probe("net.py:Net", "--missing-keys", "wei*")
    assert outcome.exit_code == 1 and "INI106" in outcome.stdout
    assert "without 1 key (weight); initialized again: weight" in outcome.stderr


def test_a_state_dict_that_cannot_be_used_is_an_error_of_use(folder: Path) -> None:
    (folder / "broken.pt").write_text("nothing")
    for flags, said in (
        (("--missing-keys", "wieght"), "matches the missing key `wieght`; did you mean `weight`?"),
        (("--state-dict", "absent.pt"), "net.py:Net: absent.pt: No such file or directory"),
        (("--state-dict", "broken.pt"), "net.py:Net: broken.pt: it is neither safetensors nor"),
    ):
        outcome = probe("net.py:Net", *flags)
        assert outcome.exit_code == 2 and said in outcome.stderr
        assert "Traceback" not in outcome.stderr
