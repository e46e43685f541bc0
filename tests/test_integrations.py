"""Hooks, the action and the recipes of the documentation, each with the tool that uses it, as far as it can be had."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "docs" / "start" / "ci.md"
VALID = re.compile(r"<!-- valid: (\S+) -->\n```yaml\n(.*?)^```$", re.M | re.S)
RAW = "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
RAW += "        super().__init__()\n        self.w = nn.Parameter(torch.empty(3))\n"
OLD = "from torch import nn\n\nnet = nn.Linear(3, 3)\nnn.init.uniform(net.weight)\n"

pytestmark = [
    pytest.mark.skipif(not (ROOT / "action.yml").exists(), reason="not part of a release"),
    pytest.mark.skipif(sys.platform == "win32", reason="written for a POSIX shell"),
]
needs_yaml = pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="reads YAML")


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder, where `initaudit` is that of this run."""
    binaries = folder.parent / "bin"
    binaries.mkdir(exist_ok=True)
    script = f'#!/bin/sh\nexec "{sys.executable}" -m initaudit "$@"\n'
    (binaries / "initaudit").write_text(script, encoding="utf-8")
    (binaries / "initaudit").chmod(0o755)
    where = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, timeout=300, check=False)


def git(folder: Path, *arguments: str) -> str:
    name = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


@needs_yaml
@pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="pre-commit is not installed")
@pytest.mark.parametrize(
    ("hook", "text", "code", "after"),
    [
        ("initaudit", RAW, 1, RAW),
        ("initaudit", "import torch\n", 0, "import torch\n"),
        ("initaudit-fix", OLD, 1, OLD.replace("uniform(", "uniform_(")),
        ("initaudit-fix", RAW, 1, RAW),
    ],
)
def test_pre_commit_runs_the_hooks(project: Path, hook: str, text: str, code: int, after: str) -> None:
    source = project.parent / "source"
    source.mkdir()
    git(source, "init", "-q")
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    # What `language: python` adds is an environment that pip fills from an index.
    (source / ".pre-commit-hooks.yaml").write_text(
        hooks.replace("language: python", "language: system"), encoding="utf-8"
    )
    git(source, "add", ".")
    git(source, "commit", "-qm", "hooks")
    rev = git(source, "rev-parse", "HEAD").strip()
    wanted = f"repos:\n  - repo: {source}\n    rev: {rev}\n    hooks:\n      - id: {hook}\n"
    (project / ".pre-commit-config.yaml").write_text(wanted, encoding="utf-8")
    (project / "net.py").write_text(text, encoding="utf-8")
    git(project, "add", ".")
    ran = run(
        project, sys.executable, "-m", "pre_commit", "run", "--all-files", PRE_COMMIT_HOME=str(project.parent / "home")
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert ("INI101" in ran.stdout) == (text == RAW)
    assert (project / "net.py").read_text(encoding="utf-8") == after


@pytest.mark.skipif(importlib.util.find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed")
def test_what_is_written_for_a_service_is_valid_for_it(tmp_path: Path) -> None:
    written = [(schema, tmp_path / f"{number}.yml") for number, (schema, _) in enumerate(_recipes())]
    for (_, path), (_, text) in zip(written, _recipes(), strict=True):
        path.write_text(text, encoding="utf-8")
    assert {schema for schema, _ in written} == {"pre-commit-config", "vendor.github-workflows", "vendor.gitlab-ci"}
    for schema, path in [*written, ("vendor.github-actions", ROOT / "action.yml")]:
        if schema == "pre-commit-config":  # pre-commit itself looks at that
            continue
        ran = run(tmp_path, sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path))
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="pre-commit is not installed")
def test_pre_commit_takes_the_manifest_and_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(dict(_recipes())["pre-commit-config"], encoding="utf-8")
    for command, path in (
        ("validate-manifest", ROOT / ".pre-commit-hooks.yaml"),
        ("validate-config", tmp_path / "config.yaml"),
    ):
        ran = run(tmp_path, sys.executable, "-m", "pre_commit", command, str(path))
        assert ran.returncode == 0, ran.stdout + ran.stderr


def _recipes() -> list[tuple[str, str]]:
    return VALID.findall(RECIPES.read_text(encoding="utf-8"))


@needs_yaml
def test_the_steps_of_the_action_annotate_summarize_and_fail(project: Path) -> None:
    import yaml

    (project / "net.py").write_text(RAW, encoding="utf-8")
    steps = {
        step["name"]: step
        for step in yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    }
    summary = project.parent / "summary.md"
    given = {"SRC": "net.py", "ARGS": "", "SARIF": "true", "SUMMARY": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    assert set(steps["Check"]["env"]) == set(given) - {"GITHUB_STEP_SUMMARY"}
    ran = run(project, "bash", "-e", "-o", "pipefail", "-c", steps["Check"]["run"], **given)
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout.startswith("::error ") and "INI101" in ran.stdout
    assert "### initaudit: 1 error" in summary.read_text(encoding="utf-8")
    sarif = json.loads((project / "initaudit.sarif").read_text(encoding="utf-8"))
    assert sarif["runs"][0]["results"][0]["ruleId"] == "INI101"
    given |= {"ARGS": "--ignore INI101", "SARIF": "false", "SUMMARY": "false"}
    assert run(project, "bash", "-e", "-o", "pipefail", "-c", steps["Check"]["run"], **given).returncode == 0


@needs_yaml
def test_no_step_of_the_action_puts_an_input_into_a_script() -> None:
    import yaml

    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]
