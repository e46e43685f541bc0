"""What was built for others to install says so by the list of its files beside it: a class in it is for others."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

LAYERS = """import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gain = nn.Parameter(torch.empty(n, n))

    def forward(self, x):
        return x @ self.gain


class Used(nn.Linear):
    pass
"""
RUN = "from net.layers import Used\n\nprint(Used(2, 2))\n"
PACKAGE = {"net/__init__.py": "", "net/layers.py": LAYERS, "main.py": RUN}


def found(root: Path, files: dict[str, str], checked: str = "") -> list[str]:
    """The severities of what is said about the files of a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    arguments = [
        "check",
        checked or str(root),
        "--isolated",
        "--no-cache",
        "-j",
        "1",
        "--select",
        "INI101",
        "--exit-zero",
    ]
    said = CliRunner().invoke(main, [*arguments, "--output-format", "concise", "--exit-zero"]).stdout
    return [each for row in said.splitlines() for each in ("note", "error") if f": {each}: INI101" in row]


@pytest.mark.parametrize(
    "record",
    [
        "net/__init__.py,sha256=a,0\nnet/layers.py,sha256=b,9\n",
        "../../bin/net,,\r\nnet/layers.py,,\r\nnet-1.0.dist-info/RECORD,,\r\n",
        '"net/layers.py",sha256=b,9\n',
    ],
)
@pytest.mark.parametrize("checked", ["", ".", "net/layers.py"])
def test_a_class_of_an_installed_package_is_for_others(
    record: str, checked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert found(tmp_path, {**PACKAGE, "net-1.0.dist-info/RECORD": record}, checked) == ["error"]


def test_a_package_may_lie_in_one_that_has_no_file_of_its_own(tmp_path: Path) -> None:
    files = {f"space/{name}": text.replace("net.layers", "space.net.layers") for name, text in PACKAGE.items()}
    record = "space/net/__init__.py,,\nspace/net/layers.py,,\n"
    assert found(tmp_path, {**files, "space_net-1.0.dist-info/RECORD": record}) == ["error"]


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"net-1.0.dist-info/METADATA": "Name: net\n"},
        {"other-1.0.dist-info/RECORD": "other/layers.py,,\nnet/layers.pyi,,\nmy/net/layers.py,,\n"},
        {"RECORD": "net/layers.py,,\n"},
        {"net/net-1.0.dist-info/RECORD": "net/layers.py,,\n"},
    ],
)
def test_a_class_of_a_copied_package_is_not(beside: dict[str, str], tmp_path: Path) -> None:
    assert found(tmp_path, {**PACKAGE, **beside}) == ["note"]
