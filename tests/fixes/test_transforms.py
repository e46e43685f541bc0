"""What each rule's fix makes of its examples, however they are laid out."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.finding import Applicability as How
from initaudit.finding import Category, Edit, Finding, Fix, Guard, Place, Recall, Remedy, Replace, Severity
from initaudit.fixes import NoFixError
from initaudit.fixes.files import edited
from initaudit.fixes.proof import Read, proved
from initaudit.fixes.transforms import edits_of
from initaudit.rules import catalogue
from initaudit.rules.base import Example

CODES = """
002 101 102 104 202 203 204 205 206 209 210 302 303 305 307 308 401 402 403 404 406 503 504 505 506
"""
MENDED = {f"INI{number}" for number in CODES.split()}
EXAMPLES = [
    pytest.param(code, example, width, id=f"{code}-{number}-{width}")
    for code in sorted(MENDED)
    for number, example in enumerate(catalogue()[code].invalid)
    for width in (None, 60)
]


def laid_out(text: str, width: int | None) -> str:
    """Return a text as ruff formats it for lines of some width."""
    if width is None:
        return text
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(width), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def comments(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


def check(file: Path, code: str, *flags: str) -> list[dict[str, Any]]:
    arguments = ["check", "--isolated", "--no-cache", "--preview", "-j1", "--select", code, "--output-format", "json"]
    outcome = CliRunner().invoke(main, [*arguments, *flags, str(file)])
    assert outcome.exit_code in (0, 1), outcome.output
    found: list[dict[str, Any]] = json.loads(outcome.stdout)
    return found


@pytest.mark.parametrize(("code", "example", "width"), EXAMPLES)
def test_a_fix_mends_its_example_in_any_layout(code: str, example: Example, width: int | None, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    before = laid_out(example.text(), width)
    file.write_text(before, encoding="utf-8")
    offered = [one for one in check(file, code) if one["fix"] and one["fix"]["edits"]]
    left = check(file, code, "--fix", "--unsafe-fixes")
    after = file.read_text(encoding="utf-8")
    ast.parse(after)
    assert bool(offered) == (after != before)
    assert code == "INI002" or not comments(before) - comments(after)
    assert bool(left) == example.advice
    assert offered or example.advice


NET = "import torch.nn as nn\n\ndef init(m):\n    # why\n    nn.init.normal_(m.weight)  # how\n    return m\n"
CALL = Place("net.py", 5, 5, 5, 31)


def mended(text: str, *remedies: Remedy) -> str:
    return edited(text, edits_of(text, remedies))


def test_a_statement_goes_under_a_header_with_its_comments() -> None:
    assert mended(NET, Guard(place=CALL, header="with torch.no_grad():")) == (
        "import torch\nimport torch.nn as nn\n\ndef init(m):\n    # why\n    with torch.no_grad():\n"
        "        nn.init.normal_(m.weight)  # how\n    return m\n"
    )


@pytest.mark.parametrize(
    ("head", "called"),
    [
        ("import torch\n", "torch.nn.init.zeros_(m.weight)"),
        ("import torch as t\n", "t.nn.init.zeros_(m.weight)"),
        ("from torch import nn\n", "nn.init.zeros_(m.weight)"),
        ("from torch.nn import init as i\n", "i.zeros_(m.weight)"),
        ("from torch.nn.init import zeros_\n", "zeros_(m.weight)"),
        ("from torch.nn import Linear\n", "from torch.nn import init\ninit.zeros_(m.weight)"),
        ("import numpy\n", "from torch import nn\nnn.init.zeros_(m.weight)"),
    ],
)
def test_names_of_torch_are_spelled_as_in_the_file(head: str, called: str) -> None:
    text = f"{head}reset(m.weight)\n"
    remedy = Recall(place=Place("net.py", 2, 1, 2, 16), old="reset", function="torch.nn.init.zeros_")
    assert mended(text, remedy) == f"{head}{called}\n"


@pytest.mark.parametrize("remedy", [Recall(place=CALL, old="ones_"), Replace(place=CALL, old="n.weight", new="n")])
def test_a_remedy_that_does_not_fit_the_code_is_refused(remedy: Remedy) -> None:
    with pytest.raises(NoFixError):
        edits_of(NET, [remedy])


@pytest.mark.parametrize(("one", "other"), [("n.weight", "n.bias"), ("n.weight", "n.weight"), ("n", "k.weight")])
def test_remedies_that_change_the_same_code_in_different_ways_are_refused(one: str, other: str) -> None:
    remedies = [Replace(place=CALL, old="m.weight", new=new) for new in (one, other)]
    if one == other:
        assert mended(NET, *remedies) == NET.replace("m.weight", one)
    else:
        with pytest.raises(NoFixError):
            edits_of(NET, remedies)


def finding(message: str, severity: Severity = Severity.WARNING, *, remedies: tuple[Remedy, ...] = ()) -> Finding:
    fix = Fix(How.UNSAFE, "mend it", remedies=remedies) if remedies else None
    return Finding(
        code="INI308",
        name="deprecated-initializer",
        severity=severity,
        category=Category.STYLE,
        message=message,
        place=CALL,
        evidence=(),
        fix=fix,
    )


@pytest.mark.parametrize(
    ("after", "undecided", "helps"),
    [
        ([], 0, True),
        ([finding("a note", Severity.NOTE)], 0, True),
        ([finding("it is wrong in line 7")], 0, False),
        ([finding("something else")], 0, False),
        ([], 1, False),
    ],
    ids=["gone", "a new note", "still there", "a new warning", "no longer decided"],
)
def test_a_fix_is_offered_where_reading_the_result_shows_that_it_helps(
    after: list[Finding], undecided: int, helps: bool
) -> None:
    wrong = finding("it is wrong in line 5", remedies=(Recall(place=CALL, old="normal_", keep=1),))
    remedy = finding("it is wrong in line 5", remedies=(Recall(place=CALL, old="normal_", given=(("std", "1"),)),))
    assert proved(NET, Read((wrong,), 0), lambda text: Read((), 0)) == ()  # it changes nothing
    fixes = proved(NET, Read((remedy,), 0), lambda text: Read(tuple(after), undecided))
    assert [each.edits for each in fixes] == ([(Edit(", std=1", Place("net.py", 5, 29, 5, 29)),)] if helps else [])
