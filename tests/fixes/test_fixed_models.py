"""A model that was fixed is built again, and the probe agrees."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.rules import catalogue
from initaudit.rules.base import Example

MODELS = """
INI101 Net, INI101 Forgets, INI102 Half, INI102 Forgetful, INI102 Modes, INI104 Scale, INI104 Scaled,
INI205 Net, INI209 Net, INI210 Pyramid, INI210 Head, INI307 Scale, INI401 Net, INI402 Net, INI403 Net,
INI503 Model, INI504 Net, INI505 Tagger, INI505 Encoder, INI506 Net
"""
"""Rules, and classes that their examples define and a fix mends."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "INI104 Scaled": {"n": 3},
    "INI102 Modes": {"n": 3, "mode": "none"},
    "INI504 Net": {"depth": 2},
}


def mended(code: str, model: str) -> Iterator[Example]:
    """The examples of a rule that define a class, and that a fix mends."""
    return (each for each in catalogue()[code].invalid if not each.advice and f"class {model}(" in each.text())


pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")


def run(*arguments: str) -> list[dict[str, Any]]:
    outcome = CliRunner().invoke(main, [*arguments, "--isolated", "--preview", "--output-format", "json"])
    assert outcome.exit_code in (0, 1), outcome.output
    found: list[dict[str, Any]] = json.loads(outcome.stdout)
    return found


@pytest.mark.parametrize(("code", "model"), [each.split() for each in MODELS.replace("\n", " ").split(",")])
def test_the_probe_agrees(code: str, model: str, tmp_path: Path) -> None:
    examples = list(mended(code, model))
    assert examples
    for number, example in enumerate(examples):
        file = tmp_path / f"example_{number}.py"
        file.write_text(example.text(), encoding="utf-8")
        run("check", "--no-cache", "--select", code, "--fix", "--unsafe-fixes", str(file))
        given = ["--kwargs", json.dumps(ARGUMENTS.get(f"{code} {model}", {}))]
        found = run("probe", "--select", f"{code},INI0", *given, f"{file}:{model}")
        assert not [each["message"] for each in found]
