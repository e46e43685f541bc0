"""A class that no program of an application builds: what is wrong in it is a note, whatever the rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import initaudit
from initaudit.cli.command_line import main

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn.utils import weight_norm\n\n\n"
USED = "class Used(nn.Linear):\n    def __init__(self, n):\n        super().__init__(n, n)\n\n\n"
PROGRAM = (
    "import torch\nfrom layers import {}\nif __name__ == '__main__':\n    net = {}(4)\n    net(torch.ones(2, 4))\n"
)
WRONG = {
    "INI101": "        self.w = nn.Parameter(torch.empty(n, n))\n",
    "INI207": "        self.a = weight_norm(nn.Linear(n, n))\n        nn.init.normal_(self.a.weight, std=0.02)\n",
    "INI221": "        self.w = nn.Parameter(torch.zeros(n)).to('cuda')\n",
    "INI227": "        self.a = nn.Linear(n, n)\n        nn.init.zeros_(self.other_layer.weight)\n",
    "INI504": "        self.a = nn.ModuleList([nn.Linear(n, n)] * 3)\n",
}
FORWARD = "\n    def forward(self, x):\n        return sum(m(x) for m in self.children()) + getattr(self, 'w', 0)\n\n\n"
DEAD = "class Dead(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"


def layers(code: str) -> str:
    return f"{HEAD}{USED}{DEAD}{WRONG[code]}{FORWARD}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()


def told(**files: str) -> dict[str, str]:
    """Write files, and return the severity of each rule that is reported."""
    for name, text in files.items():
        Path(f"{name}.py").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "json"])
    return {each["code"]: each["severity"] for each in json.loads(result.stdout)}


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_in_it_is_a_note(code: str) -> None:
    assert told(layers=layers(code), run=PROGRAM.format("Used", "Used"))[code] == "note"
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "concise"])
    assert "no program of the project builds its class" in result.stdout


@pytest.mark.parametrize("code", WRONG)
def test_it_weighs_where_a_program_builds_it(code: str) -> None:
    assert told(layers=layers(code), run=PROGRAM.format("Dead", "Dead"))[code] != "note"


@pytest.mark.parametrize("code", ["INI101", "INI207", "INI504"])
@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": "[project]\nname = 'layers'\n"},
        {"again.py": "import layers\n\nif __name__ == '__main__':\n    print(getattr(layers, input())(3))\n"},
        {"again.py": "from layers import Dead\n\n\ndef build(n):\n    return Dead(n)\n"},
    ],
)
def test_it_weighs_where_others_may_build_it(code: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    assert told(layers=layers(code), run=PROGRAM.format("Used", "Used"))[code] != "note"


@pytest.mark.parametrize(
    ("code", "dead"),
    [
        ("INI228", DEAD.replace("        super().__init__()\n", "        self.a = nn.Linear(n, n)\n")),
        (
            "INI230",
            DEAD.replace("__init__(self", "__int__(self").replace("super().__init__()", "self.a = nn.Linear(n, n)"),
        ),
        ("INI301", f"{DEAD}        self.w = Parameter(torch.zeros(n))\n"),
    ],
)
def test_what_keeps_it_from_being_built_weighs(code: str, dead: str) -> None:
    assert told(layers=f"{HEAD}{USED}{dead}{FORWARD}", run=PROGRAM.format("Used", "Used"))[code] != "note"


def test_a_subclass_that_is_built_counts() -> None:
    text = layers("INI504") + "class Alive(Dead):\n    pass\n"
    assert told(layers=text, run=PROGRAM.format("Alive", "Alive"))["INI504"] != "note"


def test_absent_attributes_of_a_method_are_one_finding() -> None:
    absent = WRONG["INI227"] + "        self.missing_too.data.zero_()\n"
    text = layers("INI227").replace(WRONG["INI227"], absent)
    told(layers=text, run=PROGRAM.format("Dead", "Dead"))
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "concise"])
    assert result.stdout.count("INI227") == 1
    assert "also `missing_too`" in result.stdout


def test_several_lines_of_it_are_one_finding() -> None:
    text = layers("INI504").replace(WRONG["INI504"], WRONG["INI504"] + WRONG["INI504"].replace("self.a", "self.b"))
    told(layers=text, run=PROGRAM.format("Used", "Used"))
    result = CliRunner().invoke(main, ["check", ".", "--isolated", "--no-cache", "--output-format", "concise"])
    assert result.stdout.count("INI504") == 1


FOURIER = (
    "import torch\nfrom torch import nn\n\n\nclass Fourier(nn.Module):\n    def __init__(self, n):\n"
    "        super().__init__()\n        self.fc = nn.Linear(n, n)\n"
    "        self.basis = torch.randn(n, n)\n\n    def forward(self, x):\n"
    "        return self.fc(x @ self.basis)\n\n\n"
)
BUILT = "net = Fourier(4)\n"
TRAINED = f"import torch\nfrom nets import Fourier\nif __name__ == '__main__':\n    {BUILT}    torch.optim.SGD(net)\n"


@pytest.mark.parametrize(
    "files",
    [
        {"nets": FOURIER + BUILT + "print(net(torch.ones(2, 4)))\n"},
        {"nets": FOURIER + "if __name__ == '__main__':\n    Fourier(4)(torch.ones(2, 4)).sum().backward()\n"},
        {"nets": FOURIER, "run": TRAINED},
        {"nets": FOURIER + BUILT + "print(net)\n", "other": "import torch\nx = torch.load('x.pt')\n"},
    ],
)
def test_random_numbers_that_no_state_lacks_are_a_note(files: dict[str, str]) -> None:
    assert told(**files)["INI226"] == "note"


@pytest.mark.parametrize(
    "files",
    [
        {"nets": FOURIER},
        {"nets": FOURIER + BUILT + "torch.save(net.state_dict(), 'net.pt')\n"},
        {"nets": FOURIER + BUILT + "torch.save(net, 'net.pt')\n"},
        {"nets": FOURIER + BUILT + "net.load_state_dict(torch.load('net.pt'))\n"},
        {"nets": FOURIER, "run": TRAINED + "    save_state(net, 'net.pt')\n", "tools": "def save_state(net, name):\n"
         "    import torch\n    torch.save(net.state_dict(), name)\n"},
        {"nets": FOURIER, "run": TRAINED + "    import lightning\n    lightning.Trainer(max_epochs=3).fit(net)\n"},
    ],
)  # fmt: skip
def test_random_numbers_that_a_state_lacks_weigh(files: dict[str, str]) -> None:
    assert told(**files)["INI226"] == "warning"


@pytest.mark.parametrize("between", ["models", "models/wide"])
def test_a_program_may_use_a_package_through_other_files(between: str) -> None:
    Path("networks").mkdir()
    Path("models").mkdir()
    Path("networks/used.py").write_text(f"{HEAD}{USED}", encoding="utf-8")
    model = "from networks.used import Used\n\n\ndef build(n):\n    return Used(n)\n"
    Path(f"{between}/model.py" if between == "models" else f"{between}.py").write_text(model, encoding="utf-8")
    name = "models.model" if between == "models" else "models.wide"
    Path("run.py").write_text(f"from {name} import build\nif __name__ == '__main__':\n    print(build(4))\n")
    Path("networks/dead.py").write_text(layers("INI504").replace(USED, ""), encoding="utf-8")
    assert told() == {"INI504": "note"}
    Path("run.py").unlink()
    assert told() == {"INI504": "error"}


@pytest.mark.parametrize("asked", [".", "layers", "layers/wrong.py"])
def test_what_is_checked_alone_is_built_by_programs_around_it(asked: str) -> None:
    for folder in ("layers", "nets/small"):
        Path(folder).mkdir(parents=True)
    Path("layers/wrong.py").write_text(layers("INI504"), encoding="utf-8")
    Path("layers/__init__.py" if asked == "layers" else "README.md").write_text("", encoding="utf-8")
    Path("nets/small/net.py").write_text(
        "from layers.wrong import Dead as Dead_\n\n\ndef Net(n):\n    return Dead_(n)\n"
    )
    Path("nets/small/choice.py").write_text("from nets.small.net import Net\n\nNETS = {'net': Net}\n")
    Path("main.py").write_text("from nets.small.choice import NETS\n\nif __name__ == '__main__':\n    NETS['net'](3)\n")
    result = CliRunner().invoke(main, ["check", asked, "--isolated", "--no-cache", "--output-format", "json"])
    assert [(each["code"], each["severity"]) for each in json.loads(result.stdout)] == [("INI504", "error")]


PARTS = HEAD + "from table import TABLE\n\n\n" + DEAD + WRONG["INI101"] + FORWARD + "TABLE['dead'] = Dead\n"
STARRED = "from parts import *\nfrom table import TABLE\n\nif __name__ == '__main__':\n    print(TABLE[input()](4))\n"


def told_of_parts(listed: str, program: str = STARRED) -> str:
    Path("parts").mkdir()
    Path("parts/__init__.py").write_text(listed, encoding="utf-8")
    Path("parts/dead.py").write_text(PARTS, encoding="utf-8")
    Path("parts/other.py").touch()
    return told(table="TABLE = {}\n", run=program)["INI101"]


@pytest.mark.parametrize(
    "listed",
    [
        "import glob\nfrom os.path import basename, dirname, join\n"
        "__all__ = [basename(f)[:-3] for f in glob.glob(join(dirname(__file__), '*.py'))]\n",
        "from pathlib import Path\n__all__ = list(map(lambda f: f.stem, Path(__file__).parent.glob('*.py')))\n",
        "import os\nnames = os.listdir(os.path.dirname(__file__))\n__all__ = sorted(n[:-3] for n in names)\n",
    ],
)
def test_a_package_that_lists_its_files_imports_them_for_a_star(listed: str) -> None:
    assert told_of_parts(listed) == "error"


@pytest.mark.parametrize(
    ("listed", "program"),
    [
        ("__all__ = ['other']\n", STARRED),
        ("from parts import other\n", STARRED),
        ("import os\n__all__ = os.listdir('.')\n", STARRED.replace("from parts import *\n", "import parts.other\n")),
    ],
)
def test_a_file_that_no_star_imports_is_not_built(listed: str, program: str) -> None:
    assert told_of_parts(listed, program) == "note"


@pytest.mark.parametrize(
    ("inside", "program", "severity"),
    [
        ("from zoo.dead import *\n", "from zoo.deep.used import Used", "error"),
        ("from .dead import Dead\n", "import zoo.deep.used", "error"),
        ("from . import dead\n", "from zoo.deep import used", "error"),
        ("", "from zoo.deep.used import Used", "note"),
        ("from .deep import used\n", "from zoo.deep.used import Used", "note"),
        ("'''zoo.dead has TABLE.'''\n", "import zoo.deep.used", "note"),
    ],
)
def test_a_package_is_run_before_what_lies_in_it(inside: str, program: str, severity: str) -> None:
    for name in ("zoo", "zoo/deep", "other", "other/deep"):
        Path(name).mkdir()
        Path(name, "__init__.py").write_text(inside if name == "zoo" else "", encoding="utf-8")
        Path(name, "used.py").write_text("import torch\nUsed = torch.nn.Linear\n", encoding="utf-8")
    Path("zoo/dead.py").write_text(PARTS, encoding="utf-8")
    run = f"{program}\nfrom table import TABLE\n\nif __name__ == '__main__':\n    print(TABLE[input()](4))\n"
    assert told(table="TABLE = {}\n", run=run)["INI101"] == severity


def test_a_function_that_no_program_calls_is_not_named_as_what_builds_it() -> None:
    Path("zoo").mkdir()
    for name, text in {"__init__": "", "dead": layers("INI101"), "used": HEAD + USED}.items():
        Path("zoo", f"{name}.py").write_text(text, encoding="utf-8")
    Path("extra.py").write_text("from zoo.dead import Dead\n\ndef go(x):\n    return Dead(4)(x)\n", encoding="utf-8")
    Path("train.py").write_text(PROGRAM.replace("layers", "zoo.used").format("Used", "Used"), encoding="utf-8")
    (finding,) = initaudit.check(["."], select=["INI101"]).findings
    assert finding.message.endswith("; no program of the project builds its class")
    assert "built at" not in finding.message


@pytest.mark.parametrize(
    ("listed", "severity"),
    [("zoo/__init__.py,,\nzoo/dead.py,sha256=x,9\n", "error"), ("other/dead.py,,\n", "note"), ("", "note")],
)
def test_a_file_of_an_installed_distribution_is_made_for_others(listed: str, severity: str) -> None:
    for folder in ("zoo", "zoo-1.0.dist-info"):
        Path(folder).mkdir()
    for name, text in {"__init__": "", "dead": layers("INI101"), "used": HEAD + USED}.items():
        Path("zoo", f"{name}.py").write_text(text, encoding="utf-8")
    Path("zoo-1.0.dist-info/RECORD").write_text(listed, encoding="utf-8")
    assert told(train=PROGRAM.replace("layers", "zoo.used").format("Used", "Used"))["INI101"] == severity
