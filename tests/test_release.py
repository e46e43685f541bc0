"""What a release is made of: its notes, its two distributions, and the workflow that publishes them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from initaudit.version import __version__

ROOT = Path(__file__).parent.parent
WORKFLOWS = ROOT / ".github" / "workflows"
CHANGELOG = """# Changelog

## 1.3.0 - unreleased

- Soon.

## 1.2.0 - 2026-11-30

### Added

- A rule.

## 1.1.0 - 2026-10-01

## 1.0.0 - 2026-09-01

- All of it.
"""

pytestmark = pytest.mark.skipif(not WORKFLOWS.exists(), reason="not part of a release")


def _notes() -> object:
    spec = importlib.util.spec_from_file_location("release_notes", ROOT / "docs" / "release_notes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("tag", "package", "said"),
    [("v1.2.0", "1.2.0", "### Added\n\n- A rule.\n"), ("1.0.0", "1.0.0", "- All of it.\n")],
)
def test_the_notes_of_a_release_are_its_entry_in_the_changelog(tag: str, package: str, said: str) -> None:
    assert _notes().notes(tag, package, CHANGELOG) == said  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tag", "package", "why"),
    [
        ("v1.2.0", "1.3.0", "the tag is v1.2.0, but the package has version 1.3.0"),
        ("v1.3.0", "1.3.0", "no date for 1.3.0: it says 'unreleased'"),
        ("v1.1.0", "1.1.0", "says nothing about 1.1.0"),
        ("v2.0.0", "2.0.0", "has no entry for 2.0.0"),
    ],
)
def test_nothing_is_released_that_the_changelog_does_not_tell(tag: str, package: str, why: str) -> None:
    module = _notes()
    with pytest.raises(module.NotReadyError, match=why):  # type: ignore[attr-defined]
        module.notes(tag, package, CHANGELOG)  # type: ignore[attr-defined]


def test_a_tag_that_is_not_the_version_is_refused_in_one_sentence() -> None:
    ran = subprocess.run(
        [sys.executable, "docs/release_notes.py", "v99.0.0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: the tag is v99.0.0, but the package has version {__version__}\n"


@pytest.mark.skipif(importlib.util.find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed")
@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_a_workflow_is_valid_for_the_service(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    ran = subprocess.run([*command, str(WORKFLOWS / name)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="reads YAML")
@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_no_step_of_a_workflow_puts_what_others_write_into_a_script(name: str) -> None:
    import yaml

    jobs = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert [step for step in steps if "run" in step]
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, built as the workflow does: the wheel from the source distribution."""
    if importlib.util.find_spec("build") is None or importlib.util.find_spec("hatchling") is None:
        pytest.skip("build or hatchling is not installed")
    work = tmp_path_factory.mktemp("release")
    for name in ("initaudit", "tests", "fixtures", "docs"):
        shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, work / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(work / "dist"), str(work)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return work / "dist"


def test_the_wheel_holds_the_package_and_nothing_else(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if not name.startswith(f"initaudit-{__version__}.dist-info/")}
    kept = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "initaudit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == kept


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_a_distribution_works_where_there_is_no_network(distributions: Path, tmp_path: Path, kind: str) -> None:
    (file,) = distributions.glob(kind)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(tmp_path / "installed"), str(file)], check=True)
    (tmp_path / "net.py").write_text("from torch import nn\nnn.init.uniform(nn.Linear(3, 3).bias)\n", encoding="utf-8")
    where = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    initaudit = [sys.executable, "-c", "import initaudit; print(initaudit.__file__)"]
    ran = subprocess.run(initaudit, cwd=tmp_path, env=where, capture_output=True, text=True, check=True)
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path)
    check = [sys.executable, "-m", "initaudit", "net.py", "--isolated", "--select", "INI308"]
    ran = subprocess.run(check, cwd=tmp_path, env=where, capture_output=True, text=True, check=False)
    assert "INI308" in ran.stdout, ran.stdout + ran.stderr
