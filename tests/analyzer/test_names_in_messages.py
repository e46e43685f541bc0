"""A message names a parameter as the reader's code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

IMPORTS = "import torch\nfrom torch import nn\n"
LAYERS = "nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())"
MAKE = f"""
def make(init):
    net = {LAYERS}
    for m in net:
        if isinstance(m, nn.Linear):
            init(m.weight)
    return {{}}
"""
LOOP = "    if isinstance(m, nn.Linear):\n        nn.init.kaiming_normal_(m.weight, nonlinearity='relu')\n"
NET = """
class Net(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.body = nn.Sequential()
        for i, size in enumerate(sizes):
            self.body.add_module(f'fc{i}', nn.Linear(size, size))
            self.body.add_module(f"act{i}", nn.ReLU())
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)

    def forward(self, x):
        return self.head(self.body(x))
"""


def messages(text: str, folder: Path) -> list[str]:
    (folder / "net.py").write_text(IMPORTS + text, encoding="utf-8")
    options = ["--isolated", "--no-cache", "-j", "1", "--output-format", "json"]
    found = json.loads(CliRunner().invoke(main, ["check", str(folder / "net.py"), *options]).stdout)
    return [each["message"] for each in found if each["code"] in ("INI401", "INI402", "INI312")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"{MAKE}\nmake(lambda w: nn.init.kaiming_normal_(w, nonlinearity='relu'))\n", "model[4].weight"),
        (f"net = {LAYERS}\nfor m in net:\n{LOOP}", "net[4].weight"),
        (f"a = [{LAYERS}]\nfor m in a[0]:\n{LOOP}", "model[4].weight"),
    ],
)
def test_a_model_of_a_script_is_named_as_its_code_does_and_not_as_an_attribute(
    text: str, named: str, tmp_path: Path
) -> None:
    [message] = messages(text, tmp_path)
    assert f"`{named}` is initialized" in message
    assert f"nn.init.xavier_normal_({named})" in message


def test_a_formatted_name_is_shown_with_a_star_for_each_of_its_fields(tmp_path: Path) -> None:
    [message] = messages(NET, tmp_path)
    assert "`body.fc*.weight`" in message
    assert not re.search(r"f'|each of", message)


@pytest.mark.parametrize("guard", ["if m.bias is not None", "if hasattr(m, 'bias')", "if True"])
def test_an_initializer_of_a_vector_does_not_say_that_it_surely_raises(guard: str, tmp_path: Path) -> None:
    write = f"        {guard}:\n            nn.init.xavier_uniform_(m.bias)\n"
    text = f"def init(m):\n    if isinstance(m, nn.Conv2d):\n{write}"
    [message] = messages(text, tmp_path)
    assert message == "`nn.init.xavier_uniform_` raises ValueError for a vector, and `m.bias` can be one"
