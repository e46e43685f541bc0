"""Installed packages that are readable as source are linked, unless the user says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.analyzer import analyze
from initaudit.analyzer.file.layout import installed_packages
from initaudit.observation import Question

PARAMETERS = frozenset({Question("ParameterTimeline")})
LAYERS = """
import torch
from torch import nn

class Base(nn.Module):
    def reset(self):
        nn.init.normal_(self.weight)

def glorot(tensor):
    nn.init.xavier_uniform_(tensor)
"""
NET = """
import torch
from torch import nn
from away.layers import Base, glorot

class Net(Base):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
        self.other = nn.Parameter(torch.empty(n, n))
        self.third = nn.Parameter(torch.empty(n, n))
        self.reset()
        glorot(self.other)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, and an environment with the package that it imports."""
    package = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "away"
    package.mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text(LAYERS)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "net.py").write_text(NET)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    return tmp_path


def seen(project: Path, *, site_packages: bool, cache: Path | None = None) -> dict[str, str]:
    net = str(project / "src" / "net.py")
    found = analyze([net], questions=PARAMETERS, jobs=1, site_packages=site_packages, cache=cache)
    return {timeline.name: timeline.coverage.value for one in found for timeline in one.parameters}


def test_a_base_and_a_helper_of_an_installed_package_are_read(project: Path) -> None:
    assert seen(project, site_packages=True) == {"third": "never"}


def test_without_installed_packages_what_depends_on_them_is_unknown(project: Path) -> None:
    assert set(seen(project, site_packages=False).values()) <= {"unknown"}


def test_a_package_that_changes_is_read_again(project: Path) -> None:
    layers = project / "env" / "lib" / "python3.11" / "site-packages" / "away" / "layers.py"
    cache = project / "cache"
    assert seen(project, site_packages=True, cache=cache) == {"third": "never"}
    layers.write_text(LAYERS.replace("nn.init.normal_(self.weight)", "pass"))
    assert seen(project, site_packages=True, cache=cache) == {"weight": "never", "third": "never"}


def test_a_package_that_does_not_speak_of_torch_is_left_alone(project: Path) -> None:
    layers = project / "env" / "lib" / "python3.11" / "site-packages" / "away" / "layers.py"
    layers.write_text("class Base:\n    pass\n\ndef glorot(x):\n    pass\n")
    assert "never" not in seen(project, site_packages=True).values()


def test_the_environment_in_use_comes_first(project: Path) -> None:
    assert installed_packages() == (project / "env" / "lib" / "python3.11" / "site-packages",)
