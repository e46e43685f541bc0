"""What is true but decides nothing is a note: blanks to fill in, old files, masked rows, one's own seeds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

IMPORTS = "import torch\nfrom torch import nn\n"
LOOKED_AT = "w = nn.Parameter(torch.empty(3))\nnn.init.ones_(w)\n"
Told = list[tuple[str, str, str]]
NET = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(8, 8)\n"


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()


def told(**files: str) -> Told:
    """The file, code and severity of each finding in some files; ``a__b`` is the file ``a/b.py``."""
    for name, text in files.items():
        path = Path(name.replace("__", "/")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check()


def check(*arguments: str) -> Told:
    common = ["--isolated", "--no-cache", "-j", "1", "--output-format", "json"]
    result = CliRunner().invoke(main, ["check", ".", *common, *arguments])
    return [(one["filename"], one["code"], one["severity"]) for one in json.loads(result.stdout)]


def notebook(*cells: str) -> Told:
    written = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    text = json.dumps({"cells": written, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    Path("net.ipynb").write_text(text, encoding="utf-8")
    return check()


# Blanks


@pytest.mark.parametrize(
    "blank",
    [
        "lr = # TODO: choose one",
        "net.fc.weight.data = ",
        "loss = <YOUR CODE: entropy, H = -sum(p * log_p), mind the sign!>",
        "net = nn.Sequential(\n    <...>\n)",
        "rate = <>  # the usual one is 1e-3",
        "classes = {???}",
        "def softmax(x):\n    # what goes here?\n\nprint(softmax(1))",
        "net = nn.Sequential(\n    nn.Linear(8, 8),\n    ...\n    # your code,\n    nn.ReLU(),\n)",
    ],
)
def test_a_blank_of_an_exercise_is_a_note(blank: str) -> None:
    assert notebook(IMPORTS, f"{LOOKED_AT}{blank}\n") == [("net.ipynb", "INI001", "note")]


LAYOUTS = {
    "one row": "rate = {blank}",
    "brackets": "rate = (\n    {blank}\n)",
    "a backslash": "rate = \\\n    {blank}",
    "a comment between tokens": "rate = (  # of learning\n    {blank}\n)",
    "an argument": "net = nn.Linear(\n    8,\n    out_features=\n    {blank},\n)",
    "a result": "def rate(\n    step,\n):\n    return (\n        {blank}\n    )",
    "a condition": "if (\n    w is not None and\n    {blank}\n):\n    pass",
    "carriage returns": "rate = (\r\n    {blank}\r\n)\r",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("blank", ["<YOUR CODE>", "???", "<a, b = 1>", "<>"])
def test_a_blank_is_a_blank_in_every_layout(blank: str, layout: str) -> None:
    text = LAYOUTS[layout].format(blank=blank)
    assert notebook(IMPORTS, f"{LOOKED_AT}{text}\n") == [("net.ipynb", "INI001", "note")]
    assert told(net=f"{IMPORTS}{LOOKED_AT}{text}\n") == [("net.ipynb", "INI001", "note"), ("net.py", "INI001", "note")]


@pytest.mark.parametrize("header", ["def softmax(x):", "def softmax(\n    x,\n    y,\n):", "def \\\n    softmax(x):"])
@pytest.mark.parametrize("said", ["", "    # what goes here?\n", "\n\n"])
def test_a_function_without_a_body_in_a_cell_is_a_blank_however_its_header_is_laid_out(header: str, said: str) -> None:
    assert notebook(IMPORTS, f"{LOOKED_AT}{header}\n{said}\nprint(w)\n") == [("net.ipynb", "INI001", "note")]


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("rate = # TODO: choose one\n", "note"),
        ("rate = (  # fill in\n)\nx = f(a=)  # implement this\n", "note"),
        ("for x in w:\n    # write your\n    # code here\nprint(w)\n", "note"),
        ("for x in (\n    w\n):\n    # TODO\nprint(w)\n", "note"),
        ("rate =\n", "error"),
        ("rate = # per step\n", "error"),
        ("def softmax(x):\nprint(w)\n", "error"),
        ("# TODO: tidy up\nprint(w\n", "error"),
        ("print(<\nif 3 > 2: pass\n", "error"),
        ("<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n", "error"),
        ("f(\n<<<<<<< HEAD\n    x > 1,\n=======\n    2,\n>>>>>>> other\n)\n", "error"),
    ],
)
def test_in_a_file_a_blank_says_that_it_is_one(text: str, severity: str) -> None:
    """A slip of the author hides a whole file, and may not pass for a blank."""
    assert told(net=IMPORTS + LOOKED_AT + text) == [("net.py", "INI001", severity)]


@pytest.mark.parametrize(
    "slip", ["print(net", "x = 3 +\n", "if net:\n# nothing yet\nprint(1)", "y = net <", "x = 2 <> 3", "a = [1, 2)"]
)
def test_a_slip_is_an_error(slip: str) -> None:
    assert notebook(IMPORTS, f"{LOOKED_AT}{slip}\n") == [("net.ipynb", "INI001", "error")]


def test_the_cells_of_a_notebook_are_one_finding_that_lists_them() -> None:
    assert notebook(IMPORTS, *[f"{LOOKED_AT}print(w"] * 3, f"{LOOKED_AT}lr = ", f"{LOOKED_AT}step = ") == [
        ("net.ipynb", "INI001", "error"),
        ("net.ipynb", "INI001", "note"),
    ]
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "concise"])
    assert "also in cells 3, 4" in result.stdout


# Python 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('print "built"', "print net"),
        ("exec 'x = 1'", "print 'a' % net"),
        ('raise ValueError, "no"', 'print "a", net'),
        ('raise \\\n    ValueError, "no"', "x = (w\n    <> 3)"),
        ("mode = (\n    0777)", "s = ur'a'"),
    ],
)
def test_of_files_for_python_2_the_first_weighs(one: str, other: str) -> None:
    text = IMPORTS + LOOKED_AT
    assert told(a=text + one, b=text + other, c=text + "print(net") == [
        ("a.py", "INI001", "error"),
        ("b.py", "INI001", "note"),
        ("c.py", "INI001", "error"),
    ]


@pytest.mark.parametrize("new", ["0.py", "z.py", "inner/z.py"])
def test_a_new_file_for_python_2_beside_known_ones_weighs(new: str) -> None:
    """The first of the findings that are reported weighs: one that a baseline holds may not hide a new one."""
    assert told(a=IMPORTS + LOOKED_AT + "print w", b=IMPORTS + LOOKED_AT + "print net")[0][2] == "error"
    assert CliRunner().invoke(main, ["baseline", ".", "--isolated"]).exit_code == 0
    known = ("--baseline", ".initaudit-baseline.json")
    assert check(*known) == []
    Path(new).parent.mkdir(exist_ok=True)
    Path(new).write_text(IMPORTS + LOOKED_AT + "print net", encoding="utf-8")
    assert check(*known) == [(str(Path(new)), "INI001", "error")]
    assert CliRunner().invoke(main, ["check", ".", "--isolated", *known]).exit_code == 1
    Path("zz.py").write_text(IMPORTS + LOOKED_AT + "print net", encoding="utf-8")
    assert [severity for _, _, severity in check(*known)] == ["error", "note"]


def test_a_changed_file_for_python_2_beside_others_weighs() -> None:
    Path(".git").rmdir()
    told(a=IMPORTS + LOOKED_AT + "print w", b=IMPORTS + LOOKED_AT + "x = 1\n")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    Path("b.py").write_text(IMPORTS + LOOKED_AT + "print net", encoding="utf-8")
    assert check("--diff-base", "HEAD") == [("b.py", "INI001", "error")]
    assert CliRunner().invoke(main, ["check", ".", "--isolated", "--diff-base", "HEAD"]).exit_code == 1


@pytest.mark.parametrize("hidden", ["--ignore", "--per-file-ignores"])
def test_a_file_for_python_2_that_is_left_out_excuses_no_other(hidden: str) -> None:
    told(a=IMPORTS + LOOKED_AT + "print w", b=IMPORTS + LOOKED_AT + "print net")
    found = check(hidden, "INI001") if hidden == "--ignore" else check(hidden, "a.py:INI001")
    assert found == ([] if hidden == "--ignore" else [("b.py", "INI001", "error")])


# Padding rows

TABLE = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(100, 16, padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.1)

    def forward(self, {arguments}):
        {body}
"""


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ("ids", "return self.words(ids).mean(dim=1)"),
        ("ids", "x = self.words(ids)\n        x = torch.relu(x)\n        return torch.sum(x, 1)"),
        ("ids", "x = torch.dropout(self.words(ids))\n        return x.sum(-2)"),
    ],
)
def test_a_padding_row_that_is_added_up_has_to_be_zero(arguments: str, body: str) -> None:
    assert told(net=IMPORTS + TABLE.format(arguments=arguments, body=body)) == [("net.py", "INI505", "warning")]


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ("ids, mask", "return (self.words(ids) * mask).mean(dim=1)"),
        ("ids, lengths", "x = self.words(ids).sum(1)\n        return x / lengths"),
        ("ids", "return self.words(ids).sum(dim=-1)"),
        ("ids", "return self.words(ids) @ self.words.weight.t()"),
    ],
)
def test_a_padding_row_that_nothing_is_seen_to_need_is_a_note(arguments: str, body: str) -> None:
    assert told(net=IMPORTS + TABLE.format(arguments=arguments, body=body)) == [("net.py", "INI505", "note")]


@pytest.mark.parametrize(
    "zeroing",
    [
        "m.weight.data[m.padding_idx].zero_()",
        "nn.init.zeros_(m.weight[m.padding_idx])",
        "m.weight.data[m.padding_idx] = 0",
    ],
)
def test_who_zeroes_a_padding_row_elsewhere_wants_it_here(zeroing: str) -> None:
    careful = f"def init(m):\n    nn.init.normal_(m.weight)\n    if m.padding_idx is not None:\n        {zeroing}\n"
    table = TABLE.format(arguments="ids", body="return self.words(ids)")
    assert told(net=IMPORTS + table, other=IMPORTS + careful) == [("net.py", "INI505", "warning")]


# Seeds

SEEDED = f"{IMPORTS}torch.manual_seed(3)\n{NET}"
TRAIN = "from torch.optim import SGD\nfrom {module} import Net\n\nnet = Net()\nprint(SGD(net.parameters(), 0.1))\n"


@pytest.mark.parametrize("module", ["models.net", "net", "models.nets.net"])
def test_a_seed_in_a_module_of_an_application_is_a_note(module: str) -> None:
    files = {module.replace(".", "__"): SEEDED, "train": TRAIN.format(module=module)}
    assert [severity for _, code, severity in told(**files) if code == "INI605"] == ["note"]


def test_a_script_in_a_package_finds_what_lies_beside_it() -> None:
    found = told(app____init__="", app__model=SEEDED, app__train=TRAIN.format(module="model"))
    assert [severity for _, code, severity in found if code == "INI605"] == ["note"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.py", "from setuptools import setup\nsetup(name='kan')\n"),
        ("pyproject.toml", "[project]\nname = 'kan'\n"),
        ("setup.cfg", "[metadata]\nname = kan\n"),
    ],
)
def test_a_seed_in_a_package_that_others_install_is_a_warning(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    found = told(models__net=SEEDED, train=TRAIN.format(module="models.net"))
    assert [severity for _, code, severity in found if code == "INI605"] == ["warning"]


def test_a_seed_in_a_forward_is_a_warning_everywhere() -> None:
    forward = f"{IMPORTS}{NET}\n    def forward(self, x):\n        torch.manual_seed(3)\n        return self.fc(x)\n"
    found = told(models__net=forward, train=TRAIN.format(module="models.net"))
    assert [severity for _, code, severity in found if code == "INI605"] == ["warning"]


# Constants

APPLIED = """\
def init(m, name=""):
    if isinstance(m, nn.Linear):
        {branch}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 8), nn.Linear(8, 8)
        self.apply(init)
"""


@pytest.mark.parametrize(
    "branch",
    [
        'if name.startswith("head"):\n            nn.init.zeros_(m.weight)',
        'if name.find("out") != -1:\n            nn.init.zeros_(m.weight)',
        'if name.startswith("classifier."):\n            nn.init.constant_(m.weight, 0.1)',
    ],
)
def test_layers_picked_by_a_name_of_their_own_may_start_alike(branch: str) -> None:
    assert [code for _, code, _ in told(net=IMPORTS + APPLIED.format(branch=branch))] == []


def test_layers_picked_by_their_class_name_are_all_of_them() -> None:
    branch = 'kind = m.__class__.__name__\n        if kind.find("Linear") != -1:\n            nn.init.zeros_(m.weight)'
    assert [code for _, code, _ in told(net=IMPORTS + APPLIED.format(branch=branch))] == ["INI508"]


@pytest.mark.parametrize(
    "second", ["{0}.uniform_(-0.01, 0.01)", "nn.init.orthogonal_({0})", "{0} + 0.1 * torch.randn(4, 8)"]
)
def test_the_first_half_of_a_low_rank_pair_may_start_at_zero(second: str) -> None:
    pairs = "\n".join(
        f"        self.{name}1 = nn.Parameter(torch.zeros(8, 4))\n"
        f"        self.{name}2 = nn.Parameter({second.format('torch.zeros(4, 8)')})"
        for name in ("mix", "decay")
    )
    forward = (
        "        x = torch.tanh(x @ self.mix1) @ self.mix2\n        return torch.tanh(x @ self.decay1) @ self.decay2\n"
    )
    text = f"{IMPORTS}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{pairs}\n"
    assert [code for _, code, _ in told(net=f"{text}\n    def forward(self, x):\n{forward}") if code == "INI508"] == []


@pytest.mark.parametrize(
    "search",
    [
        "if id(parameter) == id(weight):\n            break",
        "if parameter is weight:\n            break",
        "if parameter.dim() > 1:\n            break",
    ],
)
def test_a_loop_that_looks_for_a_parameter_has_done_what_it_is_for(search: str) -> None:
    text = f"{IMPORTS}def find(net, weight):\n    for name, parameter in net.named_parameters():\n        {search}\n"
    assert told(net=f"{text}    nn.init.normal_(weight)\n") == []
