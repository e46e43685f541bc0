"""What is said when something cannot be done: each row of the table is one command, and what became of it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import initaudit
from initaudit.cli import main

TABLE = Path(__file__).parents[2] / "benchmarks" / "results" / "situations.md"
TITLE = "## What is said when something cannot be done"
RAW = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))
"""
MODELS = """\
import torch
from torch import nn


class NeedsConfig(nn.Module):
    def __init__(self, config):
        super().__init__()


class Raises(nn.Module):
    def __init__(self):
        super().__init__()
        raise ValueError("no luck")


class Exits(nn.Module):
    def __init__(self):
        super().__init__()
        raise SystemExit(0)


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))


class Reshaped(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(x.reshape(3, 5, 8))


class Shapeless(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(3)

    def forward(self, x):
        return self.norm(x)


class NoForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 2)


class Batched(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


instance = nn.Linear(3, 3)
NOT_A_MODEL = 3


def number():
    return 3


def inputs():
    raise OSError("no such data")
"""
UNKNOWN = """\
import torch
from elsewhere import fill
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))
        fill(self)
"""


@dataclass(frozen=True)
class Situation:
    """A command, the files it meets, its exit code, and what it says on standard output or error."""

    what: str
    command: str
    code: int
    says: str
    files: dict[str, str | bytes] = field(default_factory=dict)
    silent: tuple[str, ...] = ()

    def row(self) -> str:
        return f"| {self.what} | `initaudit {self.command}` | {self.code} | {self.says} |"


def broken(what: str, text: str | bytes, command: str = "check net.py", says: str = "INI001") -> Situation:
    return Situation(what, command, 1, says, {"net.py": text})


def built(what: str, command: str, code: int, says: str, *silent: str) -> Situation:
    return Situation(what, f"probe {command}", code, says, {"m.py": MODELS}, silent)


SITUATIONS = [
    broken("an open bracket in a class header around a raw parameter", RAW.replace("nn.Module)", "nn.Module")),
    broken("an open bracket at the end of the file", RAW + "x = (\n"),
    broken("a dedent that fits no block", RAW.replace("        self.weight", "     self.weight")),
    broken("tabs and spaces mixed", RAW.replace("        self.weight", "\tself.weight")),
    broken("bytes that are not UTF-8", RAW.encode() + b"x = '\xe9'\n"),
    broken("UTF-16 without a cookie", RAW.encode("utf-16")),
    broken("UTF-16 without a mark", RAW.encode("utf-16-le")),
    broken("a codec that does not exist", b"# coding: nonsense\n" + RAW.encode()),
    broken("a null byte in a string", RAW.encode() + b"x = '\0'\n"),
    broken("an unterminated string", RAW + "x = 'a\n"),
    broken("an unterminated long string", RAW + 'x = """a\n'),
    broken("a stray character", RAW + "x = 3$\n"),
    broken("a merge conflict", RAW + "<<<<<<< HEAD\n"),
    broken("Python 2", RAW + "print 'done'\n"),
    broken("`return` outside of a function", RAW + "return 1\n"),
    broken("`break` outside of a loop", RAW + "def f():\n    break\n"),
    broken("a repeated parameter", RAW + "def f(a, a): pass\n"),
    broken("brackets that nest 10,000 deep", RAW + "x = " + "(" * 10_000 + ")" * 10_000 + "\n"),
    broken("a broken file under a selection of categories", RAW + "x = (\n", "check --select correctness net.py"),
    broken("a broken file under one other code", RAW + "x = (\n", "check --select INI104 net.py"),
    broken("a broken file where the tool's own category is ignored", RAW + "x = (\n", "check --ignore tool net.py"),
    broken("a broken file where everything is ignored", RAW + "x = (\n", "check --ignore ALL net.py"),
    Situation(
        "a broken file where its code is ignored",
        "check --ignore INI001 net.py",
        0,
        "0 files checked, 1 not read to the end",
        {"net.py": RAW + "x = (\n"},
    ),
    Situation(
        "a broken file beside another",
        "check .",
        1,
        "1 file checked, 1 not read to the end",
        {"net.py": RAW + "x = (\n", "good.py": RAW},
    ),
    Situation("a path that is missing", "check nowhere", 2, "initaudit: error: nowhere", {}, ("nothing found",)),
    Situation("no Python under the paths", "check .", 2, "no Python file under .", {"a.txt": ""}, ("nothing found",)),
    Situation(
        "a class that cannot be followed",
        "check net.py",
        0,
        "not decided (--show-unknown lists them)",
        {"net.py": UNKNOWN},
    ),
    Situation(
        "the same, where no selected rule needs it",
        "check --select INI301 net.py",
        0,
        "0 not decided",
        {"net.py": UNKNOWN},
    ),
    Situation("the same, listed", "check --show-unknown net.py", 0, "not decided: net.Net.weight", {"net.py": UNKNOWN}),
    built("a constructor that needs an argument", "m.py:NeedsConfig", 1, "pass `config` with `--kwargs`"),
    built(
        "the same under the README's selection",
        "m.py:NeedsConfig --select correctness,suspicious",
        1,
        "INI003",
        "nothing found",
    ),
    built("the same under one other code", "m.py:NeedsConfig --select INI101", 1, "INI003", "nothing found"),
    built("the same where the tool's own category is ignored", "m.py:Raises --ignore tool", 1, "no luck"),
    built("the same where its code is ignored", "m.py:Raises --ignore INI003", 0, "not built: it raised: ValueError"),
    built("a constructor that exits", "m.py:Exits", 1, "INI003", "nothing found"),
    built("a target that does not exist", "m.py:Missing", 2, "has no attribute 'Missing'", "nothing found"),
    built("a module that does not exist", "nowhere:Net", 2, "ModuleNotFoundError", "nothing found"),
    built("a target that is no model", "m.py:NOT_A_MODEL", 2, "neither a class", "nothing found"),
    built("a factory that returns no model", "m.py:number", 2, "it returned int", "nothing found"),
    built(
        "inputs that were given and do not fit",
        "m.py:Image --input-size 2,4,32,32",
        2,
        "m.py:25",
        "nothing found",
    ),
    built(
        "the same under a selection that needs no forward",
        "m.py:Image --input-size 2,4,32,32 --select INI101",
        2,
        "the forward raised RuntimeError",
        "nothing found",
    ),
    built("input data that raise", "m.py:Image --input-data m.py:inputs", 2, "no such data", "nothing found"),
    built(
        "inputs for a model without a forward", "m.py:NoForward --input-size 2,8 --show-unknown", 0, "it has no forward"
    ),
    built("inputs that were inferred and do not fit", "m.py:Reshaped", 0, "give inputs with --input-size"),
    built("the same where no selected rule needs a forward", "m.py:Reshaped --select INI101", 0, "0 not decided"),
    built("a model whose inputs are unknown", "m.py:Shapeless", 0, "its inputs are unknown; give inputs with"),
    built("a batch of one before a batch normalization", "m.py:Batched --input-size 1,8", 0, "other inputs, such as"),
    built("an instance", "m.py:instance", 0, "1 not decided (--show-unknown lists them)"),
    built("an instance under a rule about values", "m.py:instance --select INI601", 0, "0 not decided"),
    built("a batch too small for dead units", "m.py:Image --input-size 4,3,8,8 --select INI704", 0, "1 not decided"),
    built(
        "the same under a rule that does without", "m.py:Image --input-size 4,3,8,8 --select INI702", 0, "0 not decided"
    ),
]


LEGACY = RAW.replace("empty(3))", "Tensor(3))\n        nn.init.ones_(self.weight)")
ARGUMENTS = """\
import argparse

from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, required=True)
width = parser.parse_args().width


class Net(nn.Linear):
    def __init__(self):
        super().__init__(width, width)
"""


def typed(what: str, command: str, code: int, says: str, *silent: str, **files: str) -> Situation:
    names = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    return Situation(what, command, code, says, {"net.py": LEGACY, **names}, silent)


TYPED = [
    typed("`explain`", "explain INI101", 0, "# INI101 uninitialized-parameter"),
    typed("`explain` with a name", "explain uninitialized-parameter", 0, "# INI101"),
    typed("`help`", "help", 0, "Find wrong or missing parameter initialization"),
    typed("`help` with a command", "help check", 0, "--exit-non-zero-on-fix"),
    typed("`help` with a misspelt command", "help chek", 2, "there is no command `chek`; did you mean `check`?"),
    typed("`help` with no command", "help E501", 2, "there is no command `E501`", "did you mean"),
    typed("a misspelt command", "chekc net.py", 2, "did you mean `check`?"),
    typed("a misspelt command of another kind", "proeb net.py", 2, "did you mean `probe`?"),
    typed("a path that is like no command", "network", 2, "network", "did you mean"),
    typed("a misspelt flag", "check --exlude x net.py", 2, "--exclude"),
    typed("a flag that is like no other", "check --frobnicate net.py", 2, "No such option", "Did you mean"),
    typed("a misspelt flag that is like several", "check --selct INI1 net.py", 2, "mean '--select'?", "--silent"),
    typed("the code of another tool", "check --select E501 net.py", 2, "rule --all` lists them", "did you mean"),
    typed("a code without a digit", "rule INI52", 2, "did you mean `INI502`?"),
    typed("a misspelt rule", "check --select INI1001 net.py", 2, "did you mean `INI101`?"),
    typed("a selection of one key", "check --config 'select = [\"INI101\"]' net.py", 0, "nothing found"),
    typed("a severity that fails", "check --config 'fail-on = \"note\"' net.py", 1, "1 note"),
    typed("a misspelt key", "check --config 'selct = []' net.py", 2, "did you mean `select`?"),
    typed("a value of another type", "check --config 'select = 3' net.py", 2, "`select`: expected"),
    typed("a key that is no TOML", "check --config 'select = ' net.py", 2, "not valid TOML"),
    typed("`--show-settings`", "check --show-settings net.py", 0, "extend-select = []"),
    typed("`config KEY`", "config fail-on", 0, 'fail-on = "warning"'),
    typed("`config` of a misspelt key", "config fial-on", 2, "did you mean `fail-on`?"),
    typed("`--extend-per-file-ignores`", "check --extend-per-file-ignores 'net*:INI104' net.py", 0, "nothing found"),
    typed("`--fix-only`", "check --fix-only net.py", 0, "1 fixed", "INI104"),
    typed("`--show-fixes`", "check --fix --show-fixes net.py", 0, "fixed: net.py: 1 x INI104"),
    typed("`--exit-non-zero-on-fix`", "check --fix --exit-non-zero-on-fix net.py", 1, "1 fixed"),
    typed("`--unfixable`", "check --fix --unfixable INI104 net.py", 0, "1 note", "fixed"),
    typed("`--fixable` of other rules", "check --fix --fixable INI2 net.py", 0, "1 note", "fixed"),
    typed("`--fixable` of its rule", "check --fix --fixable INI104 net.py", 0, "1 fixed"),
    typed("`--silent`", "check --silent --fail-on note net.py", 1, "", "INI104", "1 file"),
    typed("a hub's name", "probe hf:google-bert/bert-base-uncased", 2, "hf:bert"),
    typed(
        "`[tool.initaudit]` in initaudit.toml",
        "check net.py",
        2,
        "drop the prefix",
        initaudit_toml="[tool.initaudit]\npreview = true\n",
    ),
    typed("arguments behind `--`", "probe argued.py:Net -- --width 5", 0, "1 model built", argued_py=ARGUMENTS),
    typed("the same without them", "probe argued.py:Net", 2, "argued.py:7", argued_py=ARGUMENTS),
    typed("what the target printed", "probe argued.py:Net", 2, "required: --width", argued_py=ARGUMENTS),
    typed("every configuration", "check -v net.py", 0, "initaudit.toml", initaudit_toml="preview = true\n"),
]


TITLES = {TITLE: SITUATIONS, "## What a user of ruff types": TYPED}


def table(title: str) -> str:
    """The section of the table that these tests write."""
    head = "| situation | command | exit code | said |\n|---|---|---|---|"
    rows = "\n".join(situation.row() for situation in TITLES[title])
    return f"{title}\n\nEach row is a test in `tests/cli/test_situations.py`.\n\n{head}\n{rows}\n"


def run(situation: Situation) -> Result:
    for name, content in situation.files.items():
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = CliRunner().invoke(main, shlex.split(situation.command))
    assert isinstance(outcome.exception, SystemExit | None), outcome.exception
    return outcome


@pytest.mark.parametrize(
    "situation", [*SITUATIONS, *TYPED], ids=[situation.what for situation in (*SITUATIONS, *TYPED)]
)
def test_what_cannot_be_done_is_said(situation: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    if situation.command.startswith("probe"):
        pytest.importorskip("torch", reason="the probe runs with torch")
    outcome = run(situation)
    said = outcome.stdout + outcome.stderr
    assert (outcome.exit_code, situation.says in said) == (situation.code, True), said
    assert not [word for word in situation.silent if word in said]


@pytest.mark.parametrize("title", TITLES)
def test_the_table_of_situations_is_that_of_the_tests(title: str) -> None:
    text = TABLE.read_text(encoding="utf-8")
    found = re.search(rf"{re.escape(title)}\n.*?(?=\n## |\Z)", text, re.DOTALL)
    assert found is not None
    assert found[0].strip() == table(title).strip()


def test_what_is_read_from_standard_input_is_named() -> None:
    outcome = CliRunner().invoke(main, ["check", "--stdin-filename", "x.py", "--output-format", "concise"], LEGACY)
    assert outcome.stdout.startswith("x.py:8:")


def test_one_path_is_checked_and_a_report_reads_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(RAW, encoding="utf-8")
    for path in ("net.py", Path("net.py")):
        assert "INI101" in str(initaudit.check(path))
