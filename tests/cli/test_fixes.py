"""A fix is offered where the code that it writes does what is meant, and nowhere else."""

from __future__ import annotations

import difflib
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.finding import Edit, Place
from initaudit.fixes.files import edited

HEAD = "import torch\nfrom torch import nn\nimport zoo\n"


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "zoo.py").write_text("from torch import Tensor, nn\nfrom torch.nn.init import xavier_normal\n", "utf-8")


def check(*arguments: str) -> str:
    outcome = CliRunner().invoke(main, ["check", "--isolated", "--no-cache", "net.py", *arguments])
    assert outcome.exit_code in (0, 1), outcome.output
    return outcome.stdout


def offered(code: str, source: str) -> list[str | None]:
    """What the fix of each finding writes in a file, row by row; None for a finding that is given advice only."""
    text = HEAD + textwrap.dedent(source)
    Path("net.py").write_text(text, encoding="utf-8")
    found = json.loads(check("--select", code, "--preview", "--output-format", "json"))
    return [written(text, one["fix"]["edits"]) if one["fix"] and one["fix"]["edits"] else None for one in found]


def written(text: str, edits: list[dict[str, Any]]) -> str:
    """The rows that are new once some edits are made."""
    places = [(each["location"], each["end_location"]) for each in edits]
    made = [
        Edit(each["content"], Place("net.py", begin["row"], begin["column"], end["row"], end["column"]))
        for each, (begin, end) in zip(edits, places, strict=True)
    ]
    rows = difflib.ndiff(text.split("\n"), edited(text, made).split("\n"))
    return "\n".join(row[2:].strip() for row in rows if row.startswith("+ "))


def constructor(body: str) -> str:
    """A class whose constructor this is."""
    head = "class Net(nn.Module):\n    def __init__(self, n: int, cuda):\n        super().__init__()\n"
    return head + textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8) + "\n"


@pytest.mark.parametrize(
    ("call", "fixed"),
    [
        ("torch.FloatTensor(n, 3)", "self.w = nn.Parameter(torch.empty(n, 3, dtype=torch.float32))"),
        ("torch.cuda.FloatTensor(n, 3)", None),
        ("zoo.Tensor(n, 3)", None),
        ("self.FloatTensor(n, 3)", None),
        ("torch.zeros(1).new(n, 3)", None),
    ],
)
def test_a_constructor_is_replaced_where_it_is_taken_from_torch_itself(call: str, fixed: str | None) -> None:
    source = f"self.FloatTensor = torch.cuda.FloatTensor if cuda else torch.FloatTensor\nself.w = nn.Parameter({call})"
    assert offered("INI104", constructor(f"{source}\nnn.init.zeros_(self.w)")) == [fixed]


def test_a_local_name_of_torch_is_torch() -> None:
    source = "import torch as t\nself.w = nn.Parameter(t.Tensor(n, 3))\nnn.init.zeros_(self.w)"
    assert offered("INI104", constructor(source)) == ["self.w = nn.Parameter(t.empty(n, 3))"]


@pytest.mark.parametrize(
    ("call", "fixed"),
    [
        ("nn.init.xavier_normal", "nn.init.xavier_normal_(layer.weight)"),
        ("zoo.nn.init.xavier_normal", "zoo.nn.init.xavier_normal_(layer.weight)"),
        ("zoo.xavier_normal", None),
    ],
)
def test_an_initializer_is_renamed_where_nn_init_looks_it_up(call: str, fixed: str | None) -> None:
    source = f"layer = nn.Linear(3, 4)\n{call}(layer.weight)\nnn.init.zeros_(layer.bias)\n"
    assert offered("INI308", source) == [fixed]


@pytest.mark.parametrize(
    ("code", "source", "fixed"),
    [
        (
            "INI104",
            "self.w = nn.Parameter(torch.Tensor(\n    n,\n    3,\n))  # rows",
            "self.w = nn.Parameter(torch.empty(n, 3))  # rows",
        ),
        (
            "INI104",
            "self.w = nn.Parameter(torch.Tensor(\n    n,  # rows\n    3,\n))",
            "# rows\nself.w = nn.Parameter(torch.empty(n, 3))",
        ),
        (
            "INI202",
            "self.w = nn.Parameter(torch.ones(3))\nself.w.data.pow(\n    2  # two\n)",
            "# two\nself.w.data.pow_(2)",
        ),
        (
            "INI202",
            "self.w = nn.Parameter(torch.ones(3))\ntorch.full(\n    self.w.size(), 1.0  # one\n)",
            "# one\nself.w.data.fill_(1.0)",
        ),
        (
            "INI302",
            "for m in self.modules():\n    if (isinstance(m, nn.Linear)  # dense\n        or nn.Conv2d):\n"
            "        pass\nself.w = n",
            "# dense\nif (isinstance(m, (nn.Linear, nn.Conv2d))):",
        ),
    ],
)
def test_a_fix_keeps_every_comment(code: str, source: str, fixed: str | None) -> None:
    assert offered(code, constructor(f"{source}\nnn.init.zeros_(self.w)")) == [fixed]


def test_a_comment_that_is_what_is_mended_goes() -> None:
    Path("net.py").write_text("import torch  # initaudit: ignore[INI202]\nx = 1\n", encoding="utf-8")
    check("--fix", "--select", "INI002,INI202")
    assert Path("net.py").read_text(encoding="utf-8") == "import torch\nx = 1\n"


@pytest.mark.parametrize(
    ("call", "fixed"),
    [
        ("self.w.clamp(-1, 1)", ["self.w.data.clamp_(-1, 1)"]),
        ("self.w.data.clamp(-1, 1)", ["self.w.data.clamp_(-1, 1)"]),
        ("self.w.neg()\n(self.w.data.clamp)(-1, 1)", ["self.w.data.neg_()", None]),
    ],
)
def test_a_parameter_is_written_where_autograd_does_not_see_it(call: str, fixed: list[str | None]) -> None:
    assert offered("INI202", constructor(f"self.w = nn.Parameter(torch.ones(n))\n{call}")) == fixed


@pytest.mark.parametrize(
    ("parameters", "fixed"),
    [
        ("self", "self._init_weights()"),
        ("self, std=0.02, *, mode='a'", "self._init_weights()"),
        ("self, module", None),
        ("self, *, std", None),
    ],
)
def test_an_initializer_is_called_where_it_needs_no_argument(parameters: str, fixed: str | None) -> None:
    method = f"    def _init_weights({parameters}):\n        pass\n"
    assert offered("INI205", constructor("self._init_weights") + method) == [fixed]


def test_an_initializer_that_is_not_read_is_called_where_torch_calls_one_so() -> None:
    assert offered("INI205", "zoo.net.reset_parameters\nnet = zoo.net\nnet.reset_parameters\nnet._init_weights\n") == [
        "zoo.net.reset_parameters()",
        "net.reset_parameters()",
        None,
    ]


def test_tests_of_two_modules_do_not_become_one() -> None:
    source = "for m in self.modules():\n    for c in m.children():\n        if {} or nn.Conv2d:\n            pass"
    one, two = "isinstance(m, nn.Linear)", "isinstance(c, nn.Linear)"
    assert offered("INI302", constructor(source.format(one))) == ["if isinstance(m, (nn.Linear, nn.Conv2d)):"]
    assert offered("INI302", constructor(source.format(f"{one} or {two}"))) == [None]
