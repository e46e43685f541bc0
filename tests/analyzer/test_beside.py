"""A package without any sign of a project around it is used by the scripts and notebooks that lie beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

MODEL = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 4))
"""
FILLS = "for p in net.parameters():\n    nn.init.normal_(p, std=0.02)\nprint(net)\n"
SCRIPT = f"from torch import nn\nfrom app.model import Net\nnet = Net()\n{FILLS}"


def notebook(code: str) -> str:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": code}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def codes(folder: Path, *options: str) -> list[str]:
    result = CliRunner().invoke(
        main, ["check", str(folder), "--isolated", "-j", "1", "--select", "INI101", "--output-format", "json", *options]
    )
    return [finding["code"] for finding in json.loads(result.stdout)]


@pytest.mark.parametrize(
    ("package", "name", "text"),
    [
        (True, "train.py", SCRIPT),
        (False, "train.py", SCRIPT),
        (True, "run.py", f"import app.model\nfrom torch import nn\nnet = app.model.Net()\n{FILLS}"),
        (False, "run.py", f"import app.model\nfrom torch import nn\nnet = app.model.Net()\n{FILLS}"),
        (False, "run.py", f"import app.model as m\nfrom torch import nn\nnet = m.Net()\n{FILLS}"),
        (True, "demo.ipynb", notebook(SCRIPT)),
        (False, "demo.ipynb", notebook(SCRIPT)),
    ],
)
def test_what_lies_beside_a_package_and_imports_it_is_its_program(
    tmp_path: Path, package: bool, name: str, text: str
) -> None:
    work = tmp_path / "work"
    (work / "app").mkdir(parents=True)
    (work / "app" / "model.py").write_text(MODEL)
    if package:
        (work / "app" / "__init__.py").touch()
    assert codes(work, "--no-cache") == ["INI101"]
    (work / name).write_text(text)
    assert codes(work, "--no-cache") == []
    assert codes(work / "app", "--no-cache") == []


def test_what_imports_something_else_says_nothing_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "work" / "app").mkdir(parents=True)
    (tmp_path / "work" / "app" / "model.py").write_text(MODEL)
    (tmp_path / "work" / "train.py").write_text(SCRIPT.replace("app.model", "other.model"))
    assert codes(tmp_path / "work", "--no-cache") == ["INI101"]


def test_a_script_that_comes_or_goes_is_noticed_by_a_warm_run(tmp_path: Path) -> None:
    work, cache = tmp_path / "work", ["--cache-dir", str(tmp_path / "cache")]
    (work / "app").mkdir(parents=True)
    (work / "app" / "model.py").write_text(MODEL)
    assert codes(work / "app", *cache) == ["INI101"]
    (work / "train.py").write_text(SCRIPT)
    assert codes(work / "app", *cache) == []
    (work / "train.py").write_text(SCRIPT.replace("normal_(p, std=0.02)", "calculate_gain('relu')"))
    assert codes(work / "app", *cache) == ["INI101"]
    (work / "train.py").write_text(SCRIPT)
    assert codes(work / "app", *cache) == []
    (work / "train.py").unlink()
    assert codes(work / "app", *cache) == ["INI101"]


CONFIGURED = """\
import hydra
import torch
from torch import nn

{init}@hydra.main(config_path="conf", config_name="config")
def main(cfg):
    net = {build}
    {then}
    print(net)

if __name__ == "__main__":
    main()
"""


INIT = """\
def init(m):
    if hasattr(m, "weight"):
        nn.init.normal_(m.weight)

"""


@pytest.mark.parametrize(
    "build", ["hydra.utils.instantiate(cfg.model)", "instantiate_from_config(cfg.model)", "Trainer(cfg).model"]
)
@pytest.mark.parametrize(
    ("then", "severities"),
    [
        ("net.apply(init)", []),
        ("for p in net.parameters():\n        nn.init.normal_(p)", []),
        ("net.load_state_dict(torch.load(cfg.checkpoint))", ["note"]),
        ("torch.optim.SGD(net.parameters(), 0.1)", ["error"]),
    ],
)
def test_what_a_configuration_names_is_built_where_it_is_instantiated(
    tmp_path: Path, build: str, then: str, severities: list[str]
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "src" / "model.py").write_text(MODEL)
    text = CONFIGURED.format(build=build, then=then, init=INIT if "apply(init)" in then else "")
    if "instantiate_from" in build:
        text = text.replace("import hydra\n", "import hydra\nfrom src.util import instantiate_from_config\n")
        util = (
            "import importlib\n\ndef instantiate_from_config(config):\n    module, cls = config.target.rsplit('.', 1)\n"
        )
        (tmp_path / "src" / "util.py").write_text(
            f"{util}    return getattr(importlib.import_module(module), cls)(**config.params)\n"
        )
    if "Trainer" in build:
        trainer = (
            "class Trainer:\n    def __init__(self, cfg):\n        self.model = hydra.utils.instantiate(cfg.model)\n"
        )
        text = text.replace("@hydra.main", f"{trainer}\n@hydra.main")
        text = text.replace("net = Trainer(cfg).model", "trainer = Trainer(cfg)\n    net = trainer.model")
    (tmp_path / "train.py").write_text(text)
    result = CliRunner().invoke(
        main, ["check", str(tmp_path), "--isolated", "--no-cache", "-j", "1", "--output-format", "json"]
    )
    assert [finding["severity"] for finding in json.loads(result.stdout)] == severities
