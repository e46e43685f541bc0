"""What is true but decides nothing is a note: blanks to fill in, old files, masked rows, one's own seeds."""

# ruff: noqa: RUF001

from __future__ import annotations

import json
import re
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
        path = Path(re.sub("__(?!init)(?!$)", "/", name)).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check()


def check(*arguments: str) -> Told:
    common = ["--isolated", "--no-cache", "-j", "1", "--output-format", "json"]
    result = CliRunner().invoke(main, ["check", ".", *common, *arguments])
    return [(one["filename"], one["code"], one["severity"]) for one in json.loads(result.stdout)]


def notebook(*cells: str, **metadata: object) -> Told:
    written = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    text = json.dumps({"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
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
        'given = {\n    "rate": ####,\n    "steps": ### if w is None else 0,\n    "decay": ####,\n}',
        "net = dict(\n    rate=####,\n    steps=8,\n)",
        "class Head(nn.Module):\n    def __init__(self):\n        self.mu = .....\n        self.std = ....",
        "def softmax(x):\n    # what goes here?\n\nprint(softmax(1))",
        "net = nn.Sequential(\n    nn.Linear(8, 8),\n    ...\n    # your code,\n    nn.ReLU(),\n)",
        "net = attention(\n    <YOUR CODE HERE - fill in what is missing; see below>\n    is_causal=True)",
        "net = attention(q, <your code> causal=True)",
        "net = [\n    <Your answer: a layer>\n    nn.ReLU()\n]",
        "net.",
        "net.fc.  # see what the editor offers",
        "net = nn.Linear(8, 8)\ntorch.nn.\n",
    ],
)
def test_a_blank_of_an_exercise_is_a_note(blank: str) -> None:
    assert notebook(IMPORTS, f"{LOOKED_AT}{blank}\n") == [("net.ipynb", "INI001", "note")]


@pytest.mark.parametrize("cell", ["def ", "class Net", "for  # all layers"])
def test_a_cell_that_was_only_begun_is_a_note(cell: str) -> None:
    assert notebook(IMPORTS, LOOKED_AT, f"{cell}\n") == [("net.ipynb", "INI001", "note")]


@pytest.mark.parametrize(
    ("cell", "severity"),
    [
        ("We now train the model with nn.Linear and the loss from above.", "note"),
        ("Question 3\n- what does nn.Linear do?\n- why is the mask needed here?", "note"),
        ("We now train the model\nnn.init.zeros_(w)", "error"),
        ("net = nn.Linear(8 8 8)", "error"),
        ("layer = net.", "error"),
        ("net.fc(w).", "error"),
        ("print(net.)", "error"),
        ("def forward(self, x)", "error"),
        ("x = 1\ndef ", "error"),
        ("import torch nn", "error"),
    ],
)
def test_a_remark_in_a_cell_of_code_is_a_note(cell: str, severity: str) -> None:
    assert notebook(f"{IMPORTS}{LOOKED_AT}", f"{cell}\n") == [("net.ipynb", "INI001", severity)]


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
@pytest.mark.parametrize("blank", ["<YOUR CODE>", "???", "<a, b = 1>", "<>", ".....", "...."])
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
        ("rate = # todo choose one\n", "note"),
        ("rate = # To-do(ann): choose one\n", "note"),
        ("rate = # fixme\n", "note"),
        ("rate = # todos are listed below\n", "error"),
        ("rate = (  # fill in\n)\nx = f(a=)  # implement this\n", "note"),
        ("for x in w:\n    # write your\n    # code here\nprint(w)\n", "note"),
        ("for x in (\n    w\n):\n    # TODO\nprint(w)\n", "note"),
        ("rate =\n", "error"),
        ("rate = # per step\n", "error"),
        ("def softmax(x):\nprint(w)\n", "error"),
        ("# TODO: tidy up\nprint(w\n", "error"),
        ("x = f(a=)  # Please complete the missing part\n", "note"),
        ("def g(x):\n    # FIXME (5 points): the loss\nprint(w)\n", "note"),
        ("rate =  # fill rate of a layer\n", "error"),
        ("rate =  # we write todo lists\n", "error"),
        ("rate = (  # your mileage may vary\n)\nx = f(a=)  # complete batches only\n", "error"),
        ("for x in w:\n    # complete graph\nprint(w)\n", "error"),
        ("def g(x):\n    # insert into the queue, write to disk\nprint(w)\n", "error"),
        ("print(<\nif 3 > 2: pass\n", "error"),
        ("<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n", "error"),
        ("f(\n<<<<<<< HEAD\n    x > 1,\n=======\n    2,\n>>>>>>> other\n)\n", "error"),
    ],
)
def test_in_a_file_a_blank_says_that_it_is_one(text: str, severity: str) -> None:
    """A slip of the author hides a whole file, and may not pass for a blank."""
    assert told(net=IMPORTS + LOOKED_AT + text) == [("net.py", "INI001", severity)]


@pytest.mark.parametrize(
    "slip",
    [
        "print(net",
        "x = 3 +\n",
        "if net:\n# nothing yet\nprint(1)",
        "y = net <",
        "x = 2 <> 3",
        "a = [1, 2)",
        "y = net....fc",
        "a = {\n  1: 2, ####\n",
    ],
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
        ("def forward(self, (x, n)):\n    return x", "def forward(\n    self,\n    # two\n    (x, n)):\n    return x"),
        ("f = lambda (x, y): x + y", "size = 0xFFL\n"),
        ("try:\n    pass\nexcept IOError, e:\n    print `e`", "s = `w`"),
        ("if 1: raise IOError, 'e'", "x = sorted(w, key=lambda(a, b): b)"),
    ],
)
def test_of_files_for_python_2_the_first_weighs(one: str, other: str) -> None:
    text = IMPORTS + LOOKED_AT
    assert told(a=text + one, b=text + other, c=text + "print(net") == [
        ("a.py", "INI001", "error"),
        ("b.py", "INI001", "note"),
        ("c.py", "INI001", "error"),
    ]


@pytest.mark.parametrize(
    "slip",
    [
        "w[(0:3,0:2]=w[0:3,0:2]\n\nnn.init.normal_(w, std=0.01)",
        "print(w\n\nrates = [1.05e-07, 5e-07, .05, 1.e-05]",
        "net = nn.Linear(8, 8, bias=.05e-07 w)",
        "if (w is None:\n    raise ValueError\n\nx, y = 1, 2",
        "rate = {'w': 01.5 w}",
    ],
)
def test_a_slip_beside_numbers_and_later_statements_is_not_python_2(slip: str) -> None:
    """What makes a file one for Python 2 stands where Python rejects it, and the digits of 0.01 are no octal number."""
    text = IMPORTS + LOOKED_AT
    assert told(a=text + slip, b=text + "print w") == [("a.py", "INI001", "error"), ("b.py", "INI001", "error")]


BEFORE_3_7 = {
    "an argument": "w = w.cuda(async=True)",
    "an attribute": "x = [async.get() for async in w]",
    "a method": "class A:\n    def async(self):\n        return w",
    "a module": "from celery import async",
    "another keyword": "await = 3",
    "what is awaited": "net.await(\n    w)",
    "an argument among others": "x = w.to(\n    3, async = (w is None))",
}


@pytest.mark.parametrize("text", BEFORE_3_7.values(), ids=BEFORE_3_7)
def test_of_files_for_python_before_3_7_the_first_weighs(text: str) -> None:
    found = told(a=IMPORTS + LOOKED_AT + text, b=IMPORTS + LOOKED_AT + "x = w.cuda(0, async=False)")
    assert found == [("a.py", "INI001", "error"), ("b.py", "INI001", "note")]
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "concise"])
    assert "before 3.7" in result.stdout


def test_a_project_for_an_older_python_is_one_finding() -> None:
    text = IMPORTS + LOOKED_AT
    assert told(a=text + "print w", b=text + "w.cuda(async=True)", c=text + "def f((a, b)):\n    pass") == [
        ("a.py", "INI001", "error"),
        ("b.py", "INI001", "note"),
        ("c.py", "INI001", "note"),
    ]


@pytest.mark.parametrize(
    "slip",
    [
        "async x = 3",
        "async def f(self:\n    pass",
        "async with (w as x\n\ny = 3",
        "def f(self, (x)\n\nasync def g(): pass",
        "x = await w w",
        "f = lambda x (x)",
        "def f(x=(1, 2), y=((3)), z:\n    pass",
        "try:\n    pass\nexcept (IOError, OSError:\n    pass",
    ],
)
def test_a_slip_beside_async_is_for_no_older_python(slip: str) -> None:
    found = told(a=IMPORTS + LOOKED_AT + slip, b=IMPORTS + LOOKED_AT + "print w")
    assert found == [("a.py", "INI001", "error"), ("b.py", "INI001", "error")]


OLD_KERNEL = {"display_name": "Python 2", "language": "python", "name": "python2"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": OLD_KERNEL},
        {"kernelspec": OLD_KERNEL, "language_info": {"name": "python", "version": "2.7.6"}},
        {
            "kernelspec": {**OLD_KERNEL, "name": "conda-env-old"},
            "language_info": {"name": "python", "version": "2.7.13"},
        },
    ],
)
def test_a_notebook_that_says_that_it_is_python_2_is_a_note_and_excuses_no_file(metadata: dict[str, object]) -> None:
    told(net=IMPORTS + LOOKED_AT + "print w")
    assert notebook(IMPORTS, LOOKED_AT + "print w", **metadata) == [
        ("net.ipynb", "INI001", "note"),
        ("net.py", "INI001", "error"),
    ]


@pytest.mark.parametrize(
    ("cell", "metadata"),
    [
        ("print w", {}),
        ("print w", {"kernelspec": {**OLD_KERNEL, "name": "python3"}}),
        ("print w", {"kernelspec": OLD_KERNEL, "language_info": {"name": "python", "version": "3.8.2"}}),
        ("print(w", {"kernelspec": OLD_KERNEL}),
    ],
)
def test_a_cell_that_its_kernel_refuses_is_an_error(cell: str, metadata: dict[str, object]) -> None:
    assert notebook(IMPORTS, LOOKED_AT + cell, **metadata) == [("net.ipynb", "INI001", "error")]


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


# No programs

CODE = IMPORTS + LOOKED_AT
WRITTEN = CODE + "\n\ndef train(net):\n    return net(w)\n"
NO_PROGRAMS = {
    "files pasted into one": f"RATES = [0.1]\n------------\n{CODE}\n------------\nimport os\nprint(os)\n",
    "files pasted into one under titles": f"RATES = [0.1]\n===== model.py =====\n\n{CODE}",
    "files with an indented ruler": f"{WRITTEN}\n  -----\n# -*- coding: utf-8 -*-\n'Loads.'\nimport os\n",
    "shell commands": "# torch: nn.init.ones_(w)\npip install torch\ncd nets\npython train.py --rate 0.1 -v\n",
    "shell commands with code": '# torch\npython --version\npython -c "import torch; torch.nn.init.ones_"\n',
    "a table": "Model\tInit\tLayers\nNet\tnn.init.ones_ of torch\t12\nOther\tnn.Parameter only\t24\n",
    "a report": f"1. The first model\nIt has one weight only\n{CODE}\nNow we train the model\n\nprint(w)\n",
    "results below code": f"{CODE}print(w)\nEpoch 1: loss 0.3 acc 9\nEpoch 2: loss 0.2\nEpoch 3: loss 0.1\n",
    "a table above code": f"一、模型对比\n模型 层数 参数量\nNet 12 70B\n{CODE}\n2. 结果（Net）\nprint(w)\n",
    "headings with numbers": f"1. Model\nIt is a plain one\n{CODE}\n2. Result (Net)\nprint(w)\n3. Outlook\n",
}


@pytest.mark.parametrize("kind", NO_PROGRAMS)
def test_a_file_that_is_no_program_is_a_note_unless_another_imports_it(kind: str) -> None:
    assert told(net=NO_PROGRAMS[kind]) == [("net.py", "INI001", "note")]
    assert told(user="import net\n") == [("net.py", "INI001", "error")]


@pytest.mark.parametrize(
    "slip",
    [
        f"import os\n--------\n{CODE}",
        f"'''Trains.'''\n------\n{CODE}",
        f"{CODE}\n-------- train --------\ndef train():\n    pass\n",
        f"{CODE}\n=======\nimport os\nprint(os)\n",
        f"<<<<<<< HEAD\n{CODE}=======\nimport os\n>>>>>>> the other branch\n",
        f"Copyright 2020 The Authors\nThe code is free for all\nUse it as you like\n\n{CODE}",
        f"This file trains the net\nwith a rate of 0.1\nand no decay at all\n'''\n{CODE}",
        f"{CODE}\nnow train the net\nprint(w)\n",
        f"{CODE}\nprint(w)\nto do later on\n",
        f"{CODE}\nfirst we print it\nthen we print more\nand then we stop\nprint(w)\n",
        f"mport torch\n{CODE}",
        f"{CODE}\nretrun w\nprnt w w\nimprt x y\nprint(w\n",
    ],
)
def test_a_program_with_a_slip_is_an_error(slip: str) -> None:
    assert told(net=slip) == [("net.py", "INI001", "error")]


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


@pytest.mark.parametrize(
    "other",
    [
        "def smooth(target, padding_idx):\n    target[:, padding_idx] = 0\n    return target\n",
        "def weigh(n, padding_idx):\n    weight = torch.ones(n)\n    weight[padding_idx] = 0\n    return weight\n",
        "def hot(n, padding_idx):\n    hot = torch.ones(n)\n    hot[padding_idx].zero_()\n    return hot\n",
    ],
)
def test_a_zero_at_the_place_of_padding_in_a_loss_says_nothing_of_embeddings(other: str) -> None:
    table = TABLE.format(arguments="ids", body="return self.words(ids)")
    assert told(net=IMPORTS + table, other=IMPORTS + other) == [("net.py", "INI505", "note")]


# Seeds

SEEDED = f"{IMPORTS}torch.manual_seed(3)\n{NET}"
TRAIN = "from torch.optim import SGD\nfrom {module} import Net\n\nnet = Net()\nprint(SGD(net.parameters(), 0.1))\n"


@pytest.mark.parametrize("module", ["models.net", "net", "models.nets.net"])
def test_a_seed_in_a_module_of_an_application_is_a_note(module: str) -> None:
    files = {module.replace(".", "__"): SEEDED, "train": TRAIN.format(module=module)}
    assert [severity for _, code, severity in told(**files) if code == "INI605"] == ["note"]


@pytest.mark.parametrize(
    ("between", "text", "use"),
    [
        ("models____init__", "from .net import Net\n", "getattr(models, name)()"),
        ("models____init__", "from .net import *\n", "models.Net()"),
        ("models__make", "from models.net import Net\n\n\ndef make():\n    return Net()\n", "models.make.make()"),
    ],
)
def test_a_program_may_use_a_seeded_module_by_another_file(between: str, text: str, use: str) -> None:
    main = f"import models.make\n\n\ndef main(name):\n    {use}.train()\n\n\nmain('Net')\n"
    found = told(models__net=SEEDED, main=main if "make" in between else main.replace(".make", ""), **{between: text})
    assert [severity for _, code, severity in found if code == "INI605"] == ["note"]


@pytest.mark.parametrize(
    "main", [TRAIN.format(module="models.other"), "import models.other\n\nmodels.other.Net().train()\n"]
)
def test_a_seed_in_a_file_that_nothing_imports_is_a_note_in_an_application(main: str) -> None:
    found = told(models__net=SEEDED, models__other=SEEDED.replace("torch.manual_seed(3)\n", ""), train=main)
    assert [severity for _, code, severity in found if code == "INI605"] == ["note"]


def test_a_script_in_a_package_finds_what_lies_beside_it() -> None:
    found = told(app____init__="", app__model=SEEDED, app__train=TRAIN.format(module="model"))
    assert [severity for _, code, severity in found if code == "INI605"] == ["note"]


@pytest.mark.parametrize(
    "load",
    [
        "importlib.import_module(sys.argv[1]).Net()",
        "importlib.import_module('models.' + sys.argv[1], package=None).Net()",
    ],
)
def test_a_seed_in_a_module_that_an_application_imports_by_a_text_is_a_note(load: str) -> None:
    main = f"import importlib\nimport sys\n\n\nif __name__ == '__main__':\n    print({load})\n"
    seeded = SEEDED.replace("torch.manual_seed(3)\n", "").replace(
        "__init__()\n", "__init__()\n        torch.manual_seed(3)\n"
    )
    for text in (SEEDED, seeded):
        assert [each[2] for each in told(models__net=text, main=main) if each[1] == "INI605"] == ["note"]
        assert [each[2] for each in told(models__net=text, main="print(1)\n") if each[1] == "INI605"] == ["warning"]


@pytest.mark.parametrize(
    "users",
    [
        {"models____init__": "from models.net import Net\n"},
        {"models__make": "from models.net import Net\n\n\ndef make():\n    return Net()\n"},
        {"tests__test_net": "from models.net import Net\n\n\ndef test_net():\n    assert Net()\n"},
        {"tests__test_net": "import torch\nfrom models.net import Net\n\ntorch.manual_seed(1)\nprint(Net())\n"},
    ],
)
def test_what_no_program_uses_is_no_application(users: dict[str, str]) -> None:
    found = told(models__net=SEEDED, **users)
    assert [severity for _, code, severity in found if code == "INI605"] == ["warning"]
    script = "import tool\nfrom models.net import Net\n\nnet = Net\ntool.run(net)\n"
    found = told(models__net=SEEDED, run=script, **users)
    assert [severity for _, code, severity in found if code == "INI605"] == ["note"]


def test_a_test_that_runs_by_itself_makes_no_application() -> None:
    test = "from others.layers import Used\n\nif __name__ == '__main__':\n    print(Used(2, 2))\n"
    assert told(others__layers=VENDORED, tests__test_layers=test) == [("others/layers.py", "INI101", "error")]


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


# Heads that are copied

HEADS = """import copy
from torch import nn


class Model(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        self.stem = nn.Linear(8, 8)
        head = nn.Linear(8, 4)
        self.heads = nn.ModuleList([copy.deepcopy(head) for _ in range(n)])

    def forward(self, x, levels):
{body}


print(Model())
"""


@pytest.mark.parametrize(
    "body",
    [
        "        return [self.heads[i](levels[i]) for i in range(6)]",
        "        return [head(level) for head, level in zip(self.heads, levels)]",
        """        out = []
        for i, head in enumerate(self.heads):
            out.append(head(levels[i]))
        return out""",
        "        for lvl in range(6):\n            x = x + self.heads[lvl](levels[lvl])\n        return x",
        "        out = {}\n        for i in range(6):\n            out[i] = self.heads[i](levels[i])\n"
        "        return out",
        "        return [head(self.stem(level)) for level, head in zip(levels, self.heads)]",
    ],
)
def test_copied_heads_that_each_get_an_input_of_their_own_are_a_note(body: str) -> None:
    assert ("model.py", "INI503", "note") in told(model=HEADS.format(body=body))


@pytest.mark.parametrize(
    "body",
    [
        "        return [head(x) for head in self.heads]",
        "        for i in range(6):\n            x = self.heads[i](x)\n        return x",
        "        for i, head in enumerate(self.heads):\n            x = head(x, levels[i])\n        return x",
        "        return sum(head(x) * level for head, level in zip(self.heads, levels))",
        "        for head, norm in zip(self.heads, self.norms):\n            x = x + head(norm(x))\n        return x",
        "        return [head(norm(x)) for head, norm in zip(self.heads, self.norms)]",
        "        return [head(self.norms[i](x)) for i, head in enumerate(self.heads)]",
        "        for i, head in enumerate(self.heads):\n            x = head(x + levels[i])\n        return x",
        "        for i, head in enumerate(self.heads):\n            y = head(x + i)\n            x = x + y\n"
        "        return x",
        "        out = [x]\n        for i in range(6):\n            out.append(self.heads[i](out[i]))\n"
        "        return out",
        "        out = [x] * 7\n        for i in range(6):\n            out[i + 1] = self.heads[i](out[i])\n"
        "        return out",
    ],
)
def test_copies_that_share_their_input_or_follow_one_another_weigh(body: str) -> None:
    assert ("model.py", "INI503", "warning") in told(model=HEADS.format(body=body))


def test_a_checkpoint_that_a_subclass_gets_replaces_copies() -> None:
    body = "        return [head(x) for head in self.heads]"
    load = """

class Soft(Model):
    pass


def soft(path):
    net = Soft()
    net.load_state_dict(torch.load(path))
    return net
"""
    model = f"import torch\n{HEADS.format(body=body)}".replace("\n\nprint(Model())\n", load)
    assert [each for each in told(model=model) if each[1] == "INI503"] == []


# Writes that `weight_norm` undoes

VOCODER = """import torch
from torch import nn
from torch.nn.utils import weight_norm
from layers import draw


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.ModuleList([weight_norm(nn.Conv1d(8, 8, 3)) for _ in range(3)])
        self.one.apply(draw)
        self.two = nn.ModuleList([weight_norm(nn.Conv1d(8, 8, 3)) for _ in range(3)])
        self.two.apply(draw)


class Vocoder(nn.Module):
    def __init__(self):
        super().__init__()
        kind = Block
        self.blocks = nn.ModuleList([kind() for _ in range(2)])
"""
LAYERS = (
    "def draw(m, std=0.01):\n    if m.__class__.__name__.find('Conv') != -1:\n        m.weight.data.normal_(0.0, std)\n"
)
LOADING = {
    "a function": """def load(path):
    net = Vocoder().to('cuda')
    state = torch.load(path)
    net.load_state_dict(state['net'])
    return net
""",
    "a strict one": """def load(path):
    net = Vocoder()
    net.load_state_dict(torch.load(path), strict=True)
    return net
""",
    "of its own, only keys": """def load(path):
    net = Vocoder()
    saved = torch.load(path)
    print(sorted(net.state_dict()))
    net.load_state_dict({key: saved['net.' + key] for key in net.state_dict()})
    return net
""",
    "of its own, only names that are kept": """def load(path):
    net = Vocoder()
    named = net.state_dict().keys()
    saved = {key: value for key, value in torch.load(path).items() if key in named}
    net.load_state_dict(saved)
    return net
""",
    "an attribute": """class Tool:
    def __init__(self, path):
        self.net = Vocoder()
        self.net.load_state_dict(torch.load(path))
""",
    "its caller": """def make():
    return Vocoder()


def load(path):
    net = make()
    net.load_state_dict(torch.load(path))
    return net
""",
}
USING = """from vocoder import load


class Wrapped:
    def __init__(self, path):
        self.net = load(path)


print(Wrapped('a.pt'))
"""


@pytest.mark.parametrize("loading", LOADING)
def test_a_lost_write_to_a_model_that_always_gets_a_checkpoint_is_a_note(loading: str) -> None:
    found = told(vocoder=f"{VOCODER}\n\n{LOADING[loading]}", layers=LAYERS, use=USING)
    assert found == [("vocoder.py", "INI207", "note")]


@pytest.mark.parametrize("loading", LOADING)
def test_a_lost_write_to_a_model_that_a_program_trains_weighs_and_is_one_finding(loading: str) -> None:
    train = "from vocoder import Vocoder\n\nnet = Vocoder()\nprint(net.train())\n"
    found = told(vocoder=f"{VOCODER}\n\n{LOADING[loading]}", layers=LAYERS, use=USING, train=train)
    assert found == [("vocoder.py", "INI207", "error")]


@pytest.mark.parametrize(
    "rest",
    [
        """def load(path=None):
    net = Vocoder()
    if path:
        net.load_state_dict(torch.load(path))
    return net
""",
        """def load(path):
    net = Vocoder()
    net.load_state_dict(torch.load(path), strict=False)
    return net
""",
        """def load(path):
    net = Vocoder()
    net.load_state_dict(torch.load(path), False)
    return net
""",
        """def load(path, **how):
    net = Vocoder()
    net.load_state_dict(torch.load(path), **how)
    return net
""",
        """def load(path):
    net = Vocoder()
    own = net.state_dict()
    own.update({k: v for k, v in torch.load(path).items() if k in own})
    net.load_state_dict(own)
    return net
""",
        """def load(path):
    net = Vocoder()
    net.load_state_dict({**net.state_dict(), **torch.load(path)})
    return net
""",
        """def load(path):
    net = Vocoder()
    saved, own = torch.load(path), net.state_dict()
    for key, value in saved.items():
        if key in own:
            own[key] = value
    net.load_state_dict(own)
    return net
""",
        """def load(saved):
    net = Vocoder()
    own = net.state_dict()
    own |= saved
    net.load_state_dict(own)
    return net
""",
        """def load(saved):
    net = Vocoder()
    net.load_state_dict({key: saved.get(key, value) for key, value in net.state_dict().items()})
    return net
""",
        "def load(path):\n    return Vocoder()\n",
        "KINDS = {'vocoder': Vocoder}\n",
        "",
    ],
)
def test_a_lost_write_weighs_where_not_every_model_is_loaded(rest: str) -> None:
    assert told(vocoder=f"{VOCODER}\n\n{rest}", layers=LAYERS) == [("vocoder.py", "INI207", "error")]


# Functions that nothing calls

ASKS = """from torch import nn


def init_params(net):
    for m in net.modules():
        if isinstance(m, nn.Linear):
            if m.bias:
                nn.init.constant_(m.bias, 0)


def other(x):
    return x
"""
MAIN = """from torch import nn
from utils import {names}


if __name__ == '__main__':
    net = nn.Linear(2, 2)
    {call}
"""


@pytest.mark.parametrize("call", ["print(other(net))", "other(net)", "print(net)"])
def test_a_condition_that_raises_in_a_function_that_nothing_calls_is_a_note(call: str) -> None:
    assert told(utils=ASKS, main=MAIN.format(names="other", call=call)) == [("utils.py", "INI310", "note")]


@pytest.mark.parametrize("call", ["init_params(net)", "net.apply(init_params)", "print([init_params])"])
def test_a_condition_that_raises_in_a_function_that_is_used_weighs(call: str) -> None:
    assert told(utils=ASKS, main=MAIN.format(names="init_params", call=call)) == [("utils.py", "INI310", "error")]


def test_a_condition_that_raises_in_a_function_for_others_weighs() -> None:
    Path("setup.py").write_text("from setuptools import setup\n\nsetup(name='utils')\n", encoding="utf-8")
    assert ("utils.py", "INI310", "error") in told(utils=ASKS, main=MAIN.format(names="other", call="other(net)"))
    Path("setup.py").unlink()
    Path("main.py").unlink()
    assert told(utils=ASKS) == [("utils.py", "INI310", "error")]


@pytest.mark.parametrize(
    "call",
    [
        "net.apply(getattr(utils, 'init_' + kind))",
        "net.apply(vars(utils)[kind])",
        "[net.apply(f) for _, f in inspect.getmembers(utils)]",
    ],
)
def test_a_condition_that_raises_in_a_function_that_a_text_may_find_weighs(call: str) -> None:
    main = "import inspect\nimport utils\nfrom torch import nn\n\nnet, kind = nn.Linear(2, 2), input()\nprint(net)\n"
    assert told(utils=ASKS, main=f"{main}{call}\n") == [("utils.py", "INI310", "error")]


SECOND = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))
        self.register_parameter("shift", self.weight)

    def forward(self, x):
        return x @ self.weight + {read}
"""


@pytest.mark.parametrize(
    ("read", "severity"),
    [
        ("self.shift", "warning"),
        ('getattr(self, "shift")', "warning"),
        ("getattr(\n            self, 'shift', 0)", "warning"),
        ('x.to("shift")', "note"),
    ],
)
def test_a_second_name_that_nothing_reads_is_one_of_the_state_alone(read: str, severity: str) -> None:
    assert ("net.py", "INI216", severity) in told(net=SECOND.format(read=read))


BACKBONE = """import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def {name}(self, path):
{load}

    def random_init(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, std=0.01)
"""
FILLS = [
    "        self.load_state_dict(torch.load(path))",
    "        state = torch.load(path)\n        for key in state:\n            self.state_dict()[key].copy_(state[key])",
    "        own = self.state_dict()\n        own.update(torch.load(path))\n        self.load_state_dict(own)",
]
USES = """from backbone import Backbone


class Model:
    def __init__(self, path):
        self.base = Backbone()
        if path:
            self.base.{call}(path)


print(Model('a.pt'))
"""


@pytest.mark.parametrize("load", FILLS)
def test_an_initializer_that_is_left_where_the_class_is_filled_from_a_checkpoint_is_a_note(load: str) -> None:
    found = told(backbone=BACKBONE.format(name="load_param", load=load), use=USES.format(call="load_param"))
    assert found == [("backbone.py", "INI213", "note")]


@pytest.mark.parametrize("saves", ["torch.save(self.state_dict(), path)", "return self.state_dict()"])
def test_a_method_that_only_reads_the_state_fills_nothing(saves: str) -> None:
    found = told(backbone=BACKBONE.format(name="keep", load=f"        {saves}"), use=USES.format(call="keep"))
    assert found == [("backbone.py", "INI213", "warning")]


@pytest.mark.parametrize(
    ("comment", "taken_out"),
    [
        ("# self.random_init()", True),
        ("#self . random_init ( )", True),
        ("# self.apply(self.random_init)", True),
        ("# for part in self.parts:\n        #     part.random_init()", True),
        ("# self.apply(\n        #     self.random_init\n        # )", True),
        ("# if path:  # never\n        #     self.random_init()", True),
        ("# as my_random_init() of the paper", False),
        ("# see the other's random_init(m), without its head", False),
        ("# my_random_init(self)", False),
        ("# def random_init(self):", False),
        ("# the draws (random_init)", False),
    ],
)
def test_a_call_in_a_comment_is_taken_out_and_prose_is_not(comment: str, taken_out: bool) -> None:
    load = f"        {comment}\n        print(path)"
    found = told(backbone=BACKBONE.format(name="load_param", load=load), use=USES.format(call="eval"))
    assert found == ([] if taken_out else [("backbone.py", "INI213", "warning")])


@pytest.mark.parametrize(
    ("own", "taken_out"),
    [
        (
            "class Other(nn.Module):\n    def __init__(self):\n        pass\n        # self.apply(self.random_init)\n",
            False,
        ),
        ("class Other(nn.Module):\n    # self.random_init()\n    def random_init(self):\n        pass\n", False),
        ("class Other(nn.Module):\n    def go(self):\n        # super().random_init()\n        pass\n", False),
        ("from backbone import Backbone\n\n\nclass Other(Backbone):\n    # self.random_init()\n    pass\n", True),
        ("class Other(nn.Module):\n    def go(self, net):\n        # net.random_init()\n        pass\n", True),
        ("def main(net):\n    # net.random_init()\n    print(net)\n", True),
    ],
)
def test_what_another_class_calls_on_itself_in_a_comment_is_its_own(own: str, taken_out: bool) -> None:
    text = BACKBONE.format(name="load_param", load="        print(path)")
    found = told(backbone=text, use=USES.format(call="eval"), other=f"from torch import nn\n\n\n{own}")
    assert (
        ("backbone.py", "INI213", "warning") not in found
        if taken_out
        else found == [("backbone.py", "INI213", "warning")]
    )


@pytest.mark.parametrize("load", [*FILLS, "        print(path)"])
def test_an_initializer_that_is_left_weighs_where_nothing_fills_the_object(load: str) -> None:
    found = told(backbone=BACKBONE.format(name="load_param", load=load), use=USES.format(call="eval"))
    assert found == [("backbone.py", "INI213", "warning")]


COUPLING = """from torch import nn


class Coupling(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n, n), nn.Tanh())

        def init(m):
            if isinstance(m, nn.Linear):
                nn.init.orthogonal_(m.weight)

    def forward(self, x):
        return self.net(x)


class Flow(nn.Sequential):
    def forward(self, x):
        return super().forward(x)
"""
WALK = "for m in {}.modules():\n    if isinstance(m, nn.Linear):\n        nn.init.orthogonal_(m.{})\n"
MAKES = "from torch import nn\nfrom flows import Coupling, Flow\n\n"


@pytest.mark.parametrize(
    "made",
    [
        "nn.Sequential(Coupling(4), Coupling(4))",
        "Flow(Coupling(4), Coupling(4))",
        "Flow(*[Coupling(4) for _ in range(5)])",
    ],
)
def test_an_initializer_that_is_left_where_a_program_draws_all_layers_is_a_note(made: str) -> None:
    main = f"{MAKES}net = {made}\n{WALK.format('net', 'weight')}print(net)\n"
    assert told(flows=COUPLING, main=main) == [("flows.py", "INI213", "note")]


@pytest.mark.parametrize(
    "rest",
    [
        "print(net)\n",
        WALK.format("net", "bias.data"),
        f"other = nn.Linear(4, 4)\n{WALK.format('other', 'weight')}print(net)\n",
    ],
)
def test_an_initializer_that_is_left_weighs_where_no_program_draws_the_weights(rest: str) -> None:
    found = told(flows=COUPLING, main=f"{MAKES}net = Flow(Coupling(4), Coupling(4))\n{rest}")
    assert ("flows.py", "INI213", "warning") in found


# Classes that nobody builds

VENDORED = """import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.gain = nn.Parameter(torch.empty(n))

    def forward(self, x):
        return x * self.gain


class Used(nn.Linear):
    pass
"""


@pytest.mark.parametrize(
    ("vendored", "main"),
    [
        ("", "print(Used(2, 2))"),
        ("""class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = Scale(8)
""", "print(Used(2, 2))"),
        ("", "for _ in range(2):\n    net = Used(2, 2)"),
    ],
)  # fmt: skip
def test_a_parameter_of_a_copied_class_that_no_program_builds_is_a_note(vendored: str, main: str) -> None:
    found = told(others__layers=f"{VENDORED}\n\n{vendored}", main=f"from others.layers import Used\n\n{main}\n")
    assert found == [("others/layers.py", "INI101", "note")]


@pytest.mark.parametrize(
    ("main", "also"),
    [
        ("from others.layers import Scale\n\nprint(Scale(8))\n", {}),
        ("from others import layers\n\nprint(getattr(layers, 'Sc' + 'ale')(8))\n", {}),
        ("from others.layers import Used\n\nprint(Used(2, 2))\n", {"make": """from others.layers import Scale


def make():
    return Scale(4)
"""}),
        ("print(1)\n", {}),
        ("import inspect\nfrom others import layers\n\nprint(inspect.getmembers(layers, inspect.isclass))\n", {}),
        ("from others.layers import Used, nn\n\nprint([kind(3) for kind in nn.Module.__subclasses__()])\n", {}),
        ("from others import layers\n\nprint(vars(layers)['Sc' + 'ale'](8))\n", {}),
    ],
)  # fmt: skip
def test_a_parameter_of_a_class_that_may_be_built_weighs(main: str, also: dict[str, str]) -> None:
    assert ("others/layers.py", "INI101", "error") in told(others__layers=VENDORED, main=main, **also)


SAME_NAME = VENDORED.replace("Scale", "Linear").replace("class Used(nn.Linear)", "class Used(nn.Conv1d)")


@pytest.mark.parametrize(
    "built", ["nn.Linear(2, 2)", "(nn\n    .Linear(2, 2))", "nn . Linear(2, 2)", "nn.\\\n    Linear(2, 2)"]
)
@pytest.mark.parametrize(
    "where", ["{built}", "def make():\n    return {built}\n\n\nprint(make())", "net = {built}; rate = 1"]
)
def test_a_class_of_torch_of_the_same_name_is_another_in_every_layout(built: str, where: str) -> None:
    main = (
        f"from torch import nn\nfrom others.layers import Used\n\nprint(Used(2, 2, 1))\n{where.format(built=built)}\n"
    )
    assert told(others__layers=SAME_NAME, main=main) == [("others/layers.py", "INI101", "note")]


@pytest.mark.parametrize(
    "built", ["net = Linear(2); rate = 1", "rate = 1; net = Linear(2)", "nn.Linear(2, 2), Linear(2)"]
)
def test_a_class_that_is_built_beside_other_code_on_its_row_weighs(built: str) -> None:
    main = f"from torch import nn\nfrom others.layers import Linear, Used\n\nprint(Used(2, 2, 1))\n{built}\n"
    assert told(others__layers=SAME_NAME, main=main) == [("others/layers.py", "INI101", "error")]


CONSTANT = """import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(3, 4)
        self.two = nn.Linear(4, 4)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.constant_(m.weight, 0.1)

    def forward(self, x):
        return self.two(self.one(x))

net = Net()
"""


@pytest.mark.parametrize(
    ("cell", "severity"),
    [
        ("print(net(torch.randn(2, 3)))", "note"),
        ("from torchinfo import summary\nsummary(net)", "note"),
        ("def show(model):\n    print(model)\n\nshow(net)", "note"),
        ("net.train()", "warning"),
        ("run_epochs(net, 3)", "warning"),
        ("import engine\nengine.run(model=net)", "warning"),
        ("from engine import main\nmain(net)", "warning"),
        ("net.learn(torch.randn(2, 3))", "warning"),
        ("g = torch.autograd.grad(net(torch.randn(2, 3)).sum(), net.one.weight)", "warning"),
    ],
)
def test_a_notebook_that_gives_its_model_to_other_code_may_train_it(cell: str, severity: str) -> None:
    assert [one for one in notebook(CONSTANT, cell) if one[1] == "INI508"] == [("net.ipynb", "INI508", severity)]


REGISTERING = {
    "a hook": "class Base(nn.Module):\n    def __init_subclass__(cls):\n        KINDS[cls.__name__] = cls\n",
    "a metaclass": "class Base(nn.Module, metaclass=Kinds):\n    pass\n",
    "a keyword": "class Base(nn.Module, kinds=KINDS):\n    pass\n",
}


@pytest.mark.parametrize("registering", REGISTERING)
@pytest.mark.parametrize("between", [False, True])
def test_a_parameter_of_a_class_whose_base_registers_it_weighs(registering: str, between: bool) -> None:
    base = REGISTERING[registering]
    if between:
        base = f"{base.replace('Base', 'Root')}\n\nclass Base(Root):\n    pass\n"
    text = VENDORED.replace(
        "class Scale(nn.Module)", f"KINDS = {{}}\nKinds = type(nn.Module)\n\n\n{base}\n\nclass Scale(Base)"
    )
    found = told(others__layers=text, main="from others.layers import KINDS\n\nprint(KINDS['Scale'](8))\n")
    assert ("others/layers.py", "INI101", "error") in found


def test_a_class_that_a_cell_shows_is_copied_by_its_readers_whether_or_not_a_cell_builds_it() -> None:
    assert notebook(SAME_NAME, "net = nn.Linear(3, 3)\nprint(net)") == [("net.ipynb", "INI101", "error")]
    assert notebook(SAME_NAME, "net = Linear(3)\nprint(net)") == [("net.ipynb", "INI101", "error")]


@pytest.mark.parametrize(
    "main",
    [
        "from others.layers import Used\n\nprint(Used(2, 2))\n",
        "from .others.layers import Used\n\nif __name__ == '__main__':\n    print(Used(2, 2))\n",
        "from work.others.layers import Used\n\nfor _ in range(2):\n    net = Used(2, 2)\n",
    ],
)
def test_a_program_of_a_project_whose_folder_is_a_package_uses_what_lies_below(
    main: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "work"
    (root / ".git").mkdir(parents=True)
    monkeypatch.chdir(root)
    found = told(__init__="", others__layers=VENDORED, others____init__="", main=main)
    assert found == [("others/layers.py", "INI101", "note")]


def test_a_program_of_a_package_that_others_install_uses_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "work"
    (root / ".git").mkdir(parents=True)
    monkeypatch.chdir(root)
    main = "from work.others.layers import Used\n\nprint(Used(2, 2))\n"
    setup = "from setuptools import setup\n\nsetup(name='work', package_dir={'work': '.'})\n"
    found = told(__init__="", others__layers=VENDORED, main=main, setup=setup)
    assert ("others/layers.py", "INI101", "error") in found


SHOWN_CLASS = """import torch
from torch import nn


class Own(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.w = nn.Parameter({values})

    def forward(self, x):
        return x @ self.w


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(x)
"""
RUNS = {
    "a main": (
        "def main():\n    net = {0}\n    optimizer = torch.optim.SGD(net.parameters(), 0.1)\n"
        "    optimizer.step()\n\n\nif __name__ == '__main__':\n    main()\n"
    ),
    "statements": "net = {0}\nfor x in range(3):\n    net(torch.ones(1, 8)).sum().backward()\n",
    "a function": "def train(net):\n    net(torch.ones(1, 8)).sum().backward()\n\n\ntrain({0})\n",
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    ("values", "code", "severity"),
    [
        ("torch.randn(n, m)", "INI407", "warning"),
        ("torch.rand(n, m)", "INI407", "warning"),
        ("torch.empty(n, m)", "INI101", "error"),
    ],
)
def test_what_a_class_that_its_script_does_not_build_draws_is_a_note(
    run: str, values: str, code: str, severity: str
) -> None:
    text = SHOWN_CLASS.format(values=values)
    assert told(net=f"{text}\n\n{RUNS[run].format('Net()')}") == [("net.py", code, "note")]
    assert told(net=f"{text}\n\n{RUNS[run].format('Own(64, 64)')}") == [("net.py", code, severity)]
    inside = text.replace("self.fc = nn.Linear(8, 8)", "self.fc = Own(64, 64)")
    assert told(net=f"{inside}\n\n{RUNS[run].format('Net()')}") == [("net.py", code, severity)]


@pytest.mark.parametrize(
    "also",
    [
        {"other": "from net import Own\n\nprint(Own(64, 64))\n"},
        {"other": "import net\n\nprint(getattr(net, input())(8, 8))\n"},
        {"setup": "from setuptools import setup\n\nsetup(name='net', py_modules=['net'])\n"},
        {"tool": "from net import Net, train\n\n\ndef fit():\n    return Net()\n"},
    ],
)
def test_what_others_may_build_weighs(also: dict[str, str]) -> None:
    text = SHOWN_CLASS.format(values="torch.randn(n, m)")
    assert ("net.py", "INI407", "warning") in told(net=f"{text}\n\n{RUNS['a function'].format('Net()')}", **also)


@pytest.mark.parametrize(
    "rest", ["", "print(Net())\n", "if __name__ == '__main__':\n    print(Net()(torch.ones(1, 8)))\n"]
)
def test_a_file_that_only_tries_what_it_defines_is_for_others(rest: str) -> None:
    assert told(net=f"{SHOWN_CLASS.format(values='torch.randn(n, m)')}\n\n{rest}") == [("net.py", "INI407", "warning")]


FEW = ["net = Own(8, 2)", "net, other = Own(4, 4), Own(15, 64)", "net = Own(m=64, n=8)"]
MANY = [
    "net = Own(16, 2)",
    "net = Own(8, 8), Own(64, 8)",
    "net = Own(n=64, m=8)",
    "net = Own(len(x), 8)",
    "net = [Own]",
]


@pytest.mark.parametrize(("build", "found"), [*((each, 0) for each in FEW), *((each, 1) for each in MANY)])
def test_a_class_that_its_script_gives_few_inputs_may_keep_values_of_one(build: str, found: int) -> None:
    text = SHOWN_CLASS.format(values="torch.randn(n, m)")
    assert [each[1] for each in told(net=f"{text}\n\n{build}\nprint(net)\n")] == ["INI407"] * found


@pytest.mark.parametrize("also", [{"other": "from net import Own\n\nprint(Own(64, 8))\n"}, {"setup": "setup()\n"}])
def test_a_script_that_others_may_import_says_nothing_of_their_sizes(also: dict[str, str]) -> None:
    text = SHOWN_CLASS.format(values="torch.randn(n, m)")
    assert [each[1] for each in told(net=f"{text}\n\nnet = Own(8, 2)\nprint(net)\n", **also)] == ["INI407"]


UNREAD = """import torch
from torch import nn


class Base(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.kept = nn.Parameter(torch.empty(n))
        self.fc = nn.Linear(n, n)

    def forward(self, x):
        return {}


"""


@pytest.mark.parametrize("forward", ["self.fc(x)", "x + self.fc.weight", "[self.fc(each) for each in x]"])
def test_raw_memory_that_nothing_reads_is_a_note(forward: str) -> None:
    assert told(net=f"{UNREAD.format(forward)}Base(3)\n") == [("net.py", "INI101", "note")]


@pytest.mark.parametrize(
    ("forward", "rest", "also"),
    [
        ("x + self.kept", "", ""),
        ("x + getattr(self, 'kept')", "", ""),
        ("sum(x @ each for each in self.parameters())", "", ""),
        ("self.fc(x)", "class Net(Base):\n    def forward(self, x):\n        return x + self.kept\n", ""),
        ("self.fc(x)", "", "from net import Base\n\nprint(Base(3).kept)\n"),
    ],
)
def test_raw_memory_that_something_may_read_is_an_error(forward: str, rest: str, also: str) -> None:
    found = told(net=f"{UNREAD.format(forward)}{rest}Base(3)\n", other=also)
    assert ("net.py", "INI101", "error") in found


@pytest.mark.parametrize("draw", ["self.fc.weight.data.normal_()", "nn.init.normal_(self.fc.weight)"])
def test_a_layer_that_a_class_draws_and_its_script_does_not_build_is_a_note(draw: str) -> None:
    text = SHOWN_CLASS.format(values="torch.zeros(n, m)").replace("class Net", "class Old")
    text = text.replace("self.fc = nn.Linear(8, 8)", f"self.fc = nn.Linear(64, 8)\n        {draw}")
    text += "\n\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(8, 8)\n"
    found = told(net=f"{text}\n\n{RUNS['statements'].format('Net()')}")
    assert [each for each in found if each[1] == "INI407"] == [("net.py", "INI407", "note")]
    found = told(net=f"{text}\n\n{RUNS['statements'].format('Old()')}")
    assert [each for each in found if each[1] == "INI407"] == [("net.py", "INI407", "warning")]


# Rows that no forward reads

ROWS = """import torch
from torch import nn


class Codes(nn.Module):
    def __init__(self, n, k):
        super().__init__()
        self.k = k
        self.table = nn.Parameter(torch.empty(n, k))
        {write}

    def forward(self, x):
        {read}


print(Codes(8, 4))
"""


@pytest.mark.parametrize(
    ("write", "read"),
    [
        ("nn.init.normal_(self.table[:k])", "return x @ self.table[:self.k]"),
        ("self.table.data[1:].uniform_(-1, 1)", "return x + self.table[1:].mean(0)"),
        ("nn.init.normal_(self.table[:self.k])", "return x @ self.table[:self.k]"),
        ("nn.init.normal_(self.table[:, :k + 1])", "return x @ self.table[:, : self.k+1]"),
        ("nn.init.zeros_(self.table.data[:, :2])", "a = self.table[:, :2]\n        return (x * a).sum()"),
    ],
)
def test_rows_that_nothing_reads_need_no_values(write: str, read: str) -> None:
    assert [each for each in told(codes=ROWS.format(write=write, read=read)) if each[2] != "note"] == []


@pytest.mark.parametrize(
    ("write", "read"),
    [
        ("nn.init.normal_(self.table[:k])", "return x @ self.table"),
        ("nn.init.normal_(self.table[:k])", "return x @ self.table[self.k:]"),
        ("self.table.data[1:].uniform_(-1, 1)", "return x + self.table[1:].mean(0) + self.table[0]"),
        ("nn.init.zeros_(self.table.data[:, :2])", "return x"),
        ("nn.init.normal_(self.table[:k])", "return x @ self.table[:self.k] + getattr(self, 'table').sum()"),
        ("nn.init.normal_(self.table[:k])", "return x @ self.table[:self.k] + getattr(self, x.name).sum()"),
        ("self.k = n\n        nn.init.normal_(self.table[:k])", "return x @ self.table[:self.k]"),
        ("nn.init.normal_(self.table[:k])\n        self.k += 1", "return x @ self.table[:self.k]"),
        ("k -= 1\n        nn.init.normal_(self.table[:k])", "return x @ self.table[:self.k]"),
    ],
)
def test_rows_that_may_be_read_weigh(write: str, read: str) -> None:
    assert [each for each in told(codes=ROWS.format(write=write, read=read)) if each[1] == "INI102"] == [
        ("codes.py", "INI102", "error")
    ]


LISTED = '__all__ = ["init_params", "other"]\n'


@pytest.mark.parametrize("listed", [LISTED, LISTED.replace(" =", " +="), LISTED.replace("[", "(").replace("]", ")")])
def test_a_list_of_names_calls_nothing_where_nobody_else_has_the_project(listed: str) -> None:
    utils = f"{listed}{ASKS}".replace("__all__ +=", "__all__ = []\n__all__ +=")
    main = MAIN.format(names="*", call="print(net)")
    assert told(utils=utils, main=main) == [("utils.py", "INI310", "note")]
    Path("pyproject.toml").write_text("[project]\nname = 'utils'\n", encoding="utf-8")
    assert told(utils=utils, main=main) == [("utils.py", "INI310", "error")]


def test_a_program_that_imports_by_a_text_makes_an_application() -> None:
    main = (
        "from importlib import import_module\n\nif __name__ == '__main__':\n    import_module('nets.' + 'wide').Net()\n"
    )
    wide = "from others.layers import Used\n\n\nclass Net(Used):\n    pass\n"
    assert told(others__layers=VENDORED, nets__wide=wide, run=main) == [("others/layers.py", "INI101", "note")]
    (Path("others") / "layers.py").write_text(VENDORED.replace("Scale", "Net2"), encoding="utf-8")
    assert ("others/layers.py", "INI101", "note") in check()


# Exports of notebooks

EXPORTED = ["!pip install torch", "%matplotlib inline", "files = !ls", "torch.nn?"]


@pytest.mark.parametrize("command", EXPORTED)
def test_a_script_that_only_ipython_runs_is_a_note(command: str) -> None:
    assert told(export=f"{IMPORTS}\n{command}\n{LOOKED_AT}") == [("export.py", "INI001", "note")]


@pytest.mark.parametrize("slip", ["x = )", "return 3", "class = nn.Linear", "def f(:\n    pass"])
def test_a_slip_beside_commands_is_an_error(slip: str) -> None:
    assert told(export=f"{IMPORTS}\n!pip install torch\n{slip}\n{LOOKED_AT}") == [("export.py", "INI001", "error")]
    assert told(export=f"{IMPORTS}\n{slip}\n{LOOKED_AT}") == [("export.py", "INI001", "error")]


# Notebooks that show something

SHOWN = [
    "def ones(m):\n    if type(m) == nn.Linear:\n        nn.init.constant_(m.weight, 1)\n\nnet.apply(ones)",
    "def init(m):\n    if isinstance(m, nn.Linear):\n        nn.init.normal_(m.weight)\n\nnet.apply(init)",
    "def start(m):\n    if isinstance(m, nn.Linear):\n        m.weight.data.fill_(42)\n\nnet.apply(start)",
]
MODEL = "net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))"


@pytest.mark.parametrize("shown", SHOWN)
def test_an_initializer_that_a_notebook_only_shows_is_a_note(shown: str) -> None:
    assert {
        each[2] for each in notebook(IMPORTS, MODEL, shown, "print(net.state_dict())\nnet(torch.randn(2, 64))")
    } == {"note"}


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize(
    "rest",
    [
        "loss = net(x).sum()\nloss.backward()",
        "d2l.train_ch3(net, train_iter, 10)",
        "torch.save(net.state_dict(), 'net.pt')",
        "%run fit.py",
    ],
)
def test_an_initializer_of_a_notebook_that_trains_weighs(shown: str, rest: str) -> None:
    assert "warning" in {each[2] for each in notebook(IMPORTS, MODEL, shown, rest)}


# Second names

TWICE = """import torch
from torch import nn


class Filter(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.x = nn.Parameter(torch.ones(n))
        self.register_parameter("{name}", self.x)

    def forward(self, x):
        return {read}
"""


@pytest.mark.parametrize(
    ("name", "read"), [("x_grid", "x * self.x"), ("bias", "self.x + x"), ("y", "x"), ("w", "w(x)")]
)
def test_a_second_name_that_nothing_reads_is_a_note(name: str, read: str) -> None:
    assert told(filter=TWICE.format(name=name, read=read)) == [("filter.py", "INI216", "note")]


@pytest.mark.parametrize(
    ("name", "read"), [("x_grid", "x * self.x_grid"), ("bias", "x * self.x + self.bias"), ("y", "help(self, self.y)")]
)
def test_a_second_name_that_the_forward_reads_weighs(name: str, read: str) -> None:
    assert told(filter=TWICE.format(name=name, read=read)) == [("filter.py", "INI216", "warning")]


def test_a_slip_below_a_command_of_ipython_is_where_it_is_said_to_be() -> None:
    Path("export.py").write_text(f"{IMPORTS}%matplotlib inline\n{LOOKED_AT}w = w.\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "-j", "1", "--output-format", "json"])
    (found,) = json.loads(result.stdout)
    assert (found["code"], found["severity"], found["location"]["row"]) == ("INI001", "error", 6)


# Biases that no layer has

GUARDED = """from torch import nn


class Block(nn.Module):
    def __init__(self, n, m, norm=True):
        super().__init__()
        self.conv = nn.Conv2d(n, m, 3, bias={bias})
        self.norm = nn.BatchNorm2d(m) if norm else None


{function}class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(3, 8), {block})
        {walk}
"""
WALKS = {
    "a loop": ("", "for m in self.modules():\n            if isinstance(m, nn.Conv2d):\n                {0}"),
    "a function": ("def init(m):\n    if isinstance(m, nn.Conv2d):\n        {0}\n\n\n", "self.apply(init)"),
}
DRAWS_BIAS = {
    "is not None": "if m.bias is not None:\n{0}    nn.init.xavier_uniform_(m.bias)",
    "hasattr": "if hasattr(m, 'bias') and m.bias is not None:\n{0}    nn.init.kaiming_normal_(m.bias)",
    "truth": "if m.bias is not None and m.stride:\n{0}    nn.init.orthogonal_(m.bias)",
}


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("draw", DRAWS_BIAS)
@pytest.mark.parametrize(
    ("bias", "block", "severity"),
    [
        ("not norm", "Block(8, 8)", "note"),
        ("False", "nn.Conv2d(8, 8, 1, bias=False)", "note"),
        ("not norm", "Block(8, 8, False)", "note"),
        ("False", "nn.Conv2d(8, 8, 1)", "error"),
        ("True", "nn.ReLU()", "error"),
    ],
)
def test_a_vector_that_no_layer_surely_has_is_a_note(
    walk: str, draw: str, bias: str, block: str, severity: str
) -> None:
    function, statement = WALKS[walk]
    body = DRAWS_BIAS[draw].format(" " * (16 if walk == "a loop" else 8))
    text = GUARDED.format(bias=bias, block=block, function=function.format(body), walk=statement.format(body))
    assert [each for each in told(net=text) if each[1] == "INI312"] == [("net.py", "INI312", severity)]


def test_a_vector_that_is_drawn_unasked_weighs() -> None:
    walk = WALKS["a loop"][1].format("nn.init.xavier_uniform_(m.bias)")
    text = GUARDED.format(bias="False", block="nn.ReLU()", function="", walk=walk)
    assert ("net.py", "INI312", "error") in told(net=text)


# One allocation for many parameters

FACTORY = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, decay, n):
        super().__init__()
        self.a, self.b = self.make(n, decay), self.make(n, {second})
        {third}

    def make(self, n, decay):
        made = nn.Parameter(torch.empty(n, n))
        self.bias = nn.Parameter(torch.empty(n))
        if decay == 0:
            nn.init.zeros_(self.bias)
        else:
            nn.init.ones_(self.bias)
            nn.init.xavier_uniform_(made)
        return made

    def forward(self, x):
        return x @ self.a @ self.b
"""


@pytest.mark.parametrize(
    ("second", "third", "count"),
    [
        ("decay", "pass", 1),
        ("decay", "self.c = self.make(n + 1, decay)", 1),
        ("decay", "self.c = nn.ParameterList([self.make(n, decay) for _ in range(3)])", 1),
        ("n", "pass", 2),
    ],
)
def test_one_cause_of_many_parameters_is_one_finding(second: str, third: str, count: int) -> None:
    found = told(net=FACTORY.format(second=second, third=third))
    assert [each for each in found if each[1] == "INI102"] == [("net.py", "INI102", "error")] * count


# Tensors that become parameters later

CRF = """import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self, n, start):
        super().__init__()
        {made}
        {write}
        {kept}
"""


@pytest.mark.parametrize(
    "made",
    [
        "self.moves = torch.randn(n, n)",
        "self.moves = torch.empty(n, n)\n        nn.init.xavier_normal_(self.moves)",
        "self.moves = nn.init.uniform_(torch.zeros(n, n), -0.1, 0.1)",
        "self.moves = nn.Parameter(torch.zeros(n, n))\n        self.moves = self.moves.clone()",
    ],
)
@pytest.mark.parametrize(
    "write", ["self.moves[start, :] = -10000", "self.moves.data[start] = 0\n        self.moves[:, start].fill_(-1e4)"]
)
def test_a_tensor_is_no_leaf_before_it_is_made_a_parameter(made: str, write: str) -> None:
    text = CRF.format(made=made, write=write, kept="self.moves = nn.Parameter(self.moves)")
    assert [each for each in told(tagger=text) if each[1] == "INI307"] == []


@pytest.mark.parametrize(
    "made",
    [
        "self.moves = nn.Parameter(torch.randn(n, n))",
        "self.moves = torch.randn(n, n)\n        self.moves = nn.Parameter(self.moves)",
    ],
)
def test_a_parameter_that_is_written_weighs(made: str) -> None:
    text = CRF.format(made=made, write="self.moves[start, :] = -10000", kept="self.start = start")
    assert [each for each in told(tagger=text) if each[1] == "INI307"] == [("tagger.py", "INI307", "error")]


# Layers of which one size is known

SIZES = """from math import sqrt

import torch.nn as nn


def make(n, m, k):
    layer = {layer}
    layer.weight.data.normal_(0, {spread})
    return layer
"""


@pytest.mark.parametrize(
    ("layer", "spread", "codes"),
    [
        ("nn.Linear(n, size(m))", "2 / n", ["INI403"]),
        ("nn.Linear(n, size(m))", "sqrt(2 / n)", []),
        ("nn.Linear(size(n), m)", "1 / m", []),
        ("nn.Linear(size(n), m)", "2 / m", ["INI403"]),
        ("nn.Conv2d(n, size(m), k)", "2 / (n * k * k)", ["INI403"]),
        ("nn.Conv2d(n, size(m), k)", "sqrt(2 / (n * k * k))", []),
    ],
)
def test_a_layer_of_which_one_size_is_known_is_judged(layer: str, spread: str, codes: list[str]) -> None:
    assert [each[1] for each in told(net=SIZES.format(layer=layer, spread=spread))] == codes


# Operators that are looked at


SHOWN = f"""{IMPORTS}from torch import fx, load
from torch.jit import trace

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.sub = torch.Tensor(2, 8)

    def forward(self, x):
        return torch.sub(x, self.sub)

def show(model):
    print(model)

if __name__ == "__main__":
    net, x = Net(), torch.randn(2, 8)
    """


@pytest.mark.parametrize(
    ("work", "severity"),
    [
        ("torch.onnx.export(net, x, 'net.onnx')", "note"),
        ("print(fx.symbolic_trace(net).graph)", "note"),
        ("show(trace(net.eval(), x))", "note"),
        ("print(net(x))", "error"),
        ("net.load_state_dict(torch.load('net.pt')); torch.onnx.export(net, x, 'net.onnx')", "error"),
        ("other = load('net.pt'); torch.onnx.export(net, x, 'net.onnx')", "error"),
        ("other = json.load(open('sizes')); torch.onnx.export(net, x, 'net.onnx')", "note"),
        ("net(x).sum().backward(); torch.onnx.export(net, x, 'net.onnx')", "error"),
    ],
)
def test_what_is_in_a_tensor_of_a_script_that_only_exports_does_not_matter(work: str, severity: str) -> None:
    assert told(show=SHOWN + work + "\n") == [("show.py", "INI108", severity)]


def test_a_model_that_another_file_imports_is_more_than_exported() -> None:
    found = told(show=f"{SHOWN}torch.onnx.export(net, x, 'net.onnx')\n", main="from show import Net\n\nnet = Net()\n")
    assert found == [("show.py", "INI108", "error")]


LICENSE = 'https://example.org/net\n\nMIT License\n\nIT IS PROVIDED "AS IS", WITHOUT WARRANTY\nOF THE\nSOFTWARE.\n'


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (LICENSE, "text for its readers"),
        ("You may load the model here.\nDone.\n", "text for its readers"),
        ("net.", "unfinished"),
        ("net = ", "unfinished"),
        ("train the net below\nnet.fc.", "text for its readers"),
    ],
)
def test_a_note_about_a_cell_says_what_it_is(cell: str, said: str) -> None:
    assert notebook(IMPORTS, f"{LOOKED_AT}", cell) in ([], [("net.ipynb", "INI001", "note")])
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "concise"])
    assert said in result.stdout


# Copies by one function

CLONES = """import copy
from torch import nn

def clones(layer, n):
    return nn.ModuleList([copy.deepcopy(layer) for _ in range(n)])
"""
STACK = """
class {name}(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layers = clones(nn.Linear(64, 64), n)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

net = {name}(6)
"""


def test_of_the_copies_that_one_function_makes_the_first_weighs() -> None:
    used = "from torch import nn\nfrom clones import clones\n"
    found = told(clones=CLONES, one=used + STACK.format(name="One"), two=used + STACK.format(name="Two"))
    assert found == [("one.py", "INI503", "warning"), ("two.py", "INI503", "note")]
    assert [each[2] for each in told(clones=CLONES + STACK.format(name="A") + STACK.format(name="B"))] == [
        "warning", "note", "note", "note",
    ]  # fmt: skip


def test_copies_that_two_functions_make_weigh_each() -> None:
    copied = CLONES.replace("def clones", "def repeated") + STACK.format(name="Two").replace("clones(", "repeated(")
    found = told(one=CLONES + STACK.format(name="One"), two=copied)
    assert found == [("one.py", "INI503", "warning"), ("two.py", "INI503", "warning")]


# Marks that nothing reads

MARKED = """import torch
from torch import nn

class Mixer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dt_proj = nn.Linear(dim, dim)
        self.dt_proj.bias._no_reinit = True

    def forward(self, x):
        return self.dt_proj(x)
"""
TRAINED = "from mixer import Mixer\n\nnet = Mixer(8)\nnet(torch.ones(2, 8)).sum().backward()\n"
RESET = """
def init(m):
    if isinstance(m, nn.Linear):
        nn.init.zeros_(m.bias)
"""


@pytest.mark.parametrize("before", ["", RESET, "from torch.nn.init import zeros_\n"])
def test_a_mark_that_keeps_nothing_away_is_a_note(before: str) -> None:
    train = f"import torch\nfrom torch import nn\n{before}{TRAINED}"
    assert [each for each in told(mixer=MARKED, train=train) if each[1] == "INI208"] == [("mixer.py", "INI208", "note")]


@pytest.mark.parametrize(
    "used",
    [
        "net.apply(init)",
        "for m in net.modules():\n    init(m)",
        "for name, p in net.named_parameters():\n    if 'bias' in name:\n        nn.init.zeros_(p)",
    ],
)
def test_a_mark_that_an_initializer_ignores_weighs(used: str) -> None:
    train = f"import torch\nfrom torch import nn\n{RESET}{TRAINED}".replace("net(torch", f"{used}\nnet(torch")
    assert ("mixer.py", "INI208", "warning") in told(mixer=MARKED, train=train)


def test_a_mark_of_a_library_weighs() -> None:
    assert told(mixer=MARKED, setup="from setuptools import setup\n\nsetup(name='mixer')\n") == [
        ("mixer.py", "INI208", "warning")
    ]


# Parameters that are moved as they are made

MOVED = """import torch
from torch import nn

class Graph(nn.Module):
    def __init__(self, device, init, n):
        super().__init__()
        {values}
        self.nodes = nn.Parameter(v, requires_grad=True).to(device)

    def forward(self, x):
        return x @ self.nodes
"""


@pytest.mark.parametrize(
    "values", ["v = init", "m, p, q = torch.svd(init)\n        v = m[:, :10] * p[:10]", "v = torch.rand_like(init)"]
)
def test_a_moved_parameter_of_given_values_is_a_note(values: str) -> None:
    assert told(graph=MOVED.format(values=values)) == [("graph.py", "INI221", "note")]


@pytest.mark.parametrize(
    "values", ["v = torch.randn(n, 10) / n**0.5", "v = torch.tensor(init)", "v = torch.eye(n) @ init"]
)
def test_a_moved_parameter_of_new_values_weighs(values: str) -> None:
    assert told(graph=MOVED.format(values=values)) == [("graph.py", "INI221", "warning")]
