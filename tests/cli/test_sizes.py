"""Whatever user code is called and holds, what is written about it has an end, and says what was cut."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main
from initaudit.finding import (
    Applicability,
    Category,
    Edit,
    Evidence,
    Finding,
    Fix,
    Observer,
    Place,
    Severity,
    presentable,
)
from initaudit.portrait.page import LARGEST
from initaudit.report import FORMATS
from initaudit.rules import catalogue

LONG = 50_000
"""Characters of what is long; every report of one such thing is shorter."""
NAME = "n" * LONG
SUM = " + ".join(["x"] * (LONG // 4))
HEAD = "import torch\nfrom torch import nn\n\n\n"
CLASS = HEAD + "class Net(nn.Module):\n    def __init__(self, x):\n        super().__init__()\n"
MANY = 5_000

SOURCES = {
    "the name of a class": CLASS.replace("Net", NAME) + "        self.w = nn.Parameter(torch.empty(3))\n",
    "the name of a parameter": CLASS + f"        self.{NAME} = nn.Parameter(torch.empty(3))\n",
    "a name that is a text": CLASS + f"        self.register_parameter('{NAME}', nn.Parameter(torch.empty(3)))\n",
    "a name with blanks": CLASS + f"        self.register_parameter('{'a b ' * MANY}', nn.Parameter(torch.empty(3)))\n",
    "a name with backticks": CLASS
    + f"        self.register_parameter('{'`a' * MANY}', nn.Parameter(torch.empty(3)))\n",
    "a size": CLASS + f"        self.w = nn.Parameter(torch.empty({SUM}))\n",
    "a shape": CLASS + f"        self.w = nn.Parameter(torch.empty({'3, ' * 1_000}))\n",
    "a legacy size": CLASS + f"        self.w = nn.Parameter(torch.Tensor({SUM}).zero_())\n",
    "a condition": CLASS
    + f"        self.w = nn.Parameter(torch.empty(3))\n        if {SUM}:\n            nn.init.zeros_(self.w)\n",
    "a row": CLASS + f"        self.w = nn.Parameter(torch.empty(3)); y = '{NAME}'\n",
    "a row before": CLASS + f"        y = '{NAME}'\n        self.w = nn.Parameter(torch.empty(3))\n",
    "the name of an initializer": CLASS
    + "        self.w = nn.Parameter(torch.empty(3))\n\n"
    + f"    def {NAME}_init_weights(self):\n        nn.init.zeros_(self.w)\n",
    "a loop over a name that is not bound": HEAD + f"for p in {NAME}.parameters():\n    nn.init.zeros_(p)\n",
    "a draw that is dropped": CLASS
    + f"        self.l = nn.Linear(3, 3)\n        self.l.weight + nn.init.zeros_({SUM})\n",
    "a syntax error": HEAD + f"x = nn.Parameter(torch.empty(3)) {NAME}\n",
}


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def initaudit(*arguments: str) -> Result:
    outcome = CliRunner().invoke(main, arguments)
    assert isinstance(outcome.exception, SystemExit | None), outcome.exception
    assert "itself failed" not in outcome.stderr, outcome.stderr
    return outcome


@pytest.mark.parametrize("what", SOURCES)
def test_reports_of_what_is_long_are_short(what: str) -> None:
    Path("net.py").write_text(SOURCES[what], encoding="utf-8")
    arguments = ("check", "net.py", "--select", "ALL", "--preview", "--show-unknown")
    assert (
        json.loads(initaudit(*arguments, "--output-format", "json").stdout)
        or "not decided:" in initaudit(*arguments).stderr
    )
    for form in FORMATS:
        outcome = initaudit(*arguments, "--output-format", form)
        assert len(outcome.stdout) < LONG / 2, (form, outcome.stdout[:3000])
        assert len(outcome.stderr) < LONG / 2, (form, outcome.stderr[:3000])


def lengthened(source: str) -> str:
    """A source in which every name that it gives itself is long."""
    tree = ast.parse(source)
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    stored = [node for node in ast.walk(tree) if isinstance(getattr(node, "ctx", None), ast.Store)]
    names |= {node.id for node in stored if isinstance(node, ast.Name)}
    names |= {node.attr for node in stored if isinstance(node, ast.Attribute)} - {"data", "weight", "bias"}
    return re.sub(r"\b\w+\b", lambda word: word[0] + "n" * (LONG // 20) * (word[0] in names), source)


@pytest.mark.parametrize("code", [code for code, rule in catalogue().items() if rule.invalid and code != "INI001"])
def test_every_rule_is_short_of_what_has_long_names(code: str) -> None:
    example = catalogue()[code].invalid[0]
    Path("net.py").write_text(lengthened(textwrap.dedent(example.source)), encoding="utf-8")
    outcome = initaudit("check", "net.py", "--select", "ALL", "--preview", "--show-unknown", "--output-format", "json")
    for finding in json.loads(outcome.stdout):
        told = [finding["message"], *(piece["detail"] for piece in finding["evidence"])]
        assert max(map(len, told)) < 2_100
        assert all(
            len(name) < 500 for name in (finding["model"] or "", finding["parameter"] or "", *finding["affects"])
        )
    assert all(len(line) < 2_000 for line in outcome.stderr.splitlines())


MODEL = f"""
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for n in range(400):
            self.register_parameter("p" * {LONG // 10} + str(n), nn.Parameter(torch.empty(3)))
"""


def test_the_page_and_the_table_of_a_model_with_long_names_are_short() -> None:
    Path("net.py").write_text(MODEL, encoding="utf-8")
    outcome = initaudit("probe", "net.py:Net", "--html", "page.html", "--table", "table.json", "--show-unknown")
    assert outcome.exit_code == 1
    assert "more characters)" in outcome.stdout
    assert len(outcome.stdout) < 20 * LONG
    assert Path("page.html").stat().st_size <= LARGEST
    assert "more characters)" in Path("page.html").read_text(encoding="utf-8")
    names = [
        one["name"] for one in json.loads(Path("table.json").read_text(encoding="utf-8"))["models"][0]["parameters"]
    ]
    assert len(names) == 400
    assert max(map(len, names)) < 500


def test_a_finding_says_what_is_cut_of_it() -> None:
    piece = Evidence(Observer.ANALYZER, f"reads `{'x' * LONG}` and nothing writes it")
    finding = Finding(
        code="INI101",
        name="uninitialized-parameter",
        severity=Severity.ERROR,
        category=Category.CORRECTNESS,
        message=f"`{NAME}` is never initialized; add `{NAME}`",
        place=Place("net.py", 1, 1, 1, 2),
        evidence=(piece,) * 100,
        parameter=NAME,
        affects=tuple(f"p{number}" for number in range(1_000)),
        fix=Fix(Applicability.SAFE, "Add it", (Edit("x" * LONG, Place("net.py", 1, 1, 1, 1)),)),
    )
    shown = presentable(finding)
    assert " is never initialized; add `nnn" in shown.message
    assert shown.message.count("(49,800 more characters)") == 2
    assert shown.evidence[-2].detail == "and 80 more like these"
    assert shown.evidence[-1].detail == "800 more parameters are affected than are listed"
    assert len(shown.affects) == 200
    assert shown.fix == Fix(Applicability.DISPLAY, "Add it (too long to be written)")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--fail-on", NAME),
        ("check", f"--{NAME}"),
        ("check", "--select", NAME),
        ("check", "--config", f"{NAME} = 1"),
        ("check", NAME),
        ("rule", NAME),
        ("probe", "--input-size", NAME),
        ("clean", "x\x1b[31m\n::error::x"),
        ("check", "--x\x1b[31m"),
    ],
)
def test_what_was_typed_is_told_in_short_and_without_an_escape(arguments: tuple[str, ...]) -> None:
    Path("net.py").write_text("x = 1\n", encoding="utf-8")
    outcome = initaudit(*arguments)
    assert outcome.exit_code == 2
    assert len(outcome.stderr) < LONG / 4
    assert "\x1b" not in outcome.stderr
    assert not any(line.startswith("::") for line in outcome.stderr.splitlines())


def test_rows_of_a_group_are_listed_to_an_end() -> None:
    Path("net.py").write_text(HEAD + "nn.init.xavier_uniform(torch.empty(3, 3))\n" * 300, encoding="utf-8")
    for finding in json.loads(initaudit("check", "net.py", "--output-format", "json").stdout):
        assert len(finding["message"]) < 500


@pytest.mark.parametrize(
    ("module", "constructor"),
    [
        ("", f'raise ValueError(", ".join(str(n) for n in range({LONG})))'),
        ("", f'raise type("E" * {LONG}, (Exception,), {{}})("x")'),
        ("", f'raise SystemExit("x" * {LONG})'),
        ("", f'sys.stderr.write("z" * {LONG}); sys.stderr.flush(); os._exit(4)'),
        (f'sys.stdout.write("z" * {LONG}); sys.stdout.flush(); os._exit(4)', "pass"),
        (f'raise ImportError("no " + "z" * {LONG})', "pass"),
        (f'sys.stderr.write("z\\n" * {LONG}); 1 / 0', "pass"),
    ],
)
def test_what_a_model_says_is_told_to_an_end(module: str, constructor: str) -> None:
    source = f"import os, sys\n{HEAD}{module}\nclass Net(nn.Module):\n    def __init__(self):\n        {constructor}\n"
    Path("net.py").write_text(source, encoding="utf-8")
    outcome = initaudit("probe", "net.py:Net")
    assert outcome.exit_code == (1 if constructor != "pass" else 2)
    assert len(outcome.stdout) + len(outcome.stderr) < LONG / 4
