"""What is wrong in a function of an application that nothing calls is a note; of a script or a library it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli.command_line import main

WRONG = {
    "INI301": "def init():\n    for p in model.parameters():\n        torch.nn.init.zeros_(p)\n",
    "INI310": "def init(net):\n    for m in net.modules():\n        if isinstance(m, torch.nn.Linear) and m.bias:\n"
    "            torch.nn.init.zeros_(m.bias)\n",
    "INI311": "def init(m):\n    if isinstance(m, torch.nn.Linear):\n        torch.nn.init.kaiming_normal_(m)\n",
    "INI203": "def init(net):\n    for p in net.parameters():\n        p.data.clone().normal_()\n",
}
TRAIN = "import torch\nfrom tools import {}\n\nnet = torch.nn.Linear(3, 4)\nprint(used(net))\n{}"
USED = "import torch\n\n\ndef used(net):\n    return net\n\n\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()


def severity(code: str, **files: str) -> str:
    for name, text in files.items():
        path = Path(f"{name.replace('__', '/')}.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "json"])
    (found,) = (each["severity"] for each in json.loads(result.stdout) if each["code"] == code)
    return str(found)


@pytest.mark.parametrize("code", WRONG)
@pytest.mark.parametrize(
    "others",
    [
        {},
        {"init": "def init(net):\n    return net\n", "again": "from init import init\n\ninit(3)\n"},
        {"again": "import torch\n\nnet = torch.nn.Linear(3, 4)\ntorch.nn.init.ones_(net.weight)\n"},
    ],
)
def test_nothing_calls_it(code: str, others: dict[str, str]) -> None:
    assert severity(code, tools=USED + WRONG[code], train=TRAIN.format("used", ""), **others) == "note"


@pytest.mark.parametrize("code", WRONG)
@pytest.mark.parametrize(
    "files",
    [
        {"train": TRAIN.format("used, init", "init()\n")},
        {"train": "import tools\n" + TRAIN.format("used", "tools.init(net)\n")},
        {"train": "import tools\n" + TRAIN.format("used", "getattr(tools, input())(net)\n")},
        {"train": TRAIN.format("used", ""), "setup": "from setuptools import setup\n\nsetup(name='tools')\n"},
    ],
)
def test_something_may_call_it(code: str, files: dict[str, str]) -> None:
    assert severity(code, tools=USED + WRONG[code], **files) != "note"


@pytest.mark.parametrize("code", ["INI203", "INI301", "INI310"])
def test_a_script_is_read_as_it_is(code: str) -> None:
    assert severity(code, train=f"{USED}{WRONG[code]}\nprint(used(torch.nn.Linear(3, 4)))\n") != "note"
