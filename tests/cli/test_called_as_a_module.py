"""`python -m initaudit` in a folder whose files have the names of modules of Python and of packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["ast", "click", "msgspec", "tokenize"])
def test_nothing_is_imported_from_the_folder_that_is_checked(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("import torch\n\nraise SystemExit('this was run')\n", encoding="utf-8")
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.weight = nn.Parameter(torch.empty(3))\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "initaudit", "check", ".", "--no-cache", "--output-format", "concise"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "this was run" not in result.stdout + result.stderr
    assert result.returncode == 1
    assert "INI101" in result.stdout
