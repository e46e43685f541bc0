"""A model that was fixed is built again, and the probe agrees."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.rules import catalogue

MODELS = """
INI101-0 Net, INI101-1 Forgets, INI102-0 Half, INI102-1 Forgetful, INI102-2 Modes, INI104-0 Scale, INI205-0 Net,
INI209-0 Net, INI210-0 Pyramid, INI210-1 Head, INI307-0 Scale, INI401-0 Net, INI401-1 Net, INI402-0 Net, INI402-1 Net,
INI403-2 Net, INI503-0 Model, INI504-0 Net, INI505-0 Tagger, INI505-1 Encoder, INI506-0 Net
"""
ARGUMENTS: dict[str, dict[str, Any]] = {"INI102-2": {"n": 3, "mode": "none"}, "INI504-0": {"depth": 2}}

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")


def run(*arguments: str) -> list[dict[str, Any]]:
    outcome = CliRunner().invoke(main, [*arguments, "--isolated", "--preview", "--output-format", "json"])
    assert outcome.exit_code in (0, 1), outcome.output
    found: list[dict[str, Any]] = json.loads(outcome.stdout)
    return found


@pytest.mark.parametrize(("example", "model"), [each.split() for each in MODELS.replace("\n", " ").split(",")])
def test_the_probe_agrees(example: str, model: str, tmp_path: Path) -> None:
    code, _, number = example.partition("-")
    file = tmp_path / "example.py"
    file.write_text(catalogue()[code].invalid[int(number)].text(), encoding="utf-8")
    run("check", "--no-cache", "--select", code, "--fix", "--unsafe-fixes", str(file))
    given = ["--kwargs", json.dumps(ARGUMENTS.get(example, {}))]
    codes = {finding["code"] for finding in run("probe", "--select", f"{code},INI0", *given, f"{file}:{model}")}
    assert not codes
