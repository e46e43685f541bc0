"""Which code makes an instance of a module class and initializes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.analyzer.initialized_instances import initialized
from initaudit.finding import Place
from initaudit.observation import ModuleClass

NET = ModuleClass(target="nets.py:Net", identity="nets.Net", place=Place("nets.py", 1, 1, 1, 2))


@pytest.mark.parametrize(
    "code",
    [
        "def build():\n    net = Net()\n    net.apply(init)\n    return net",
        "def build():\n    net = Net().to('cpu')\n    init_weights(net)\n    return net",
        "def build():\n    net = models.Net()\n    for p in net.parameters():\n        nn.init.normal_(p)",
        "def build():\n    model = net = Net()\n    net.fc.weight.data.zero_()",
        "def build():\n    net = Net()\n    net.head.reset_parameters()",
    ],
)
def test_code_that_makes_an_instance_and_initializes_it_is_found(code: str, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(f"import models\nfrom models import Net\n\n{code}\n", encoding="utf-8")
    ((identity, place),) = dict(initialized([NET], [str(file)])).items()
    assert (identity, place.words, place.target) == ("nets.Net", "`build`", f"{file}:build")


@pytest.mark.parametrize(
    "code",
    [
        "def build():\n    net = Net()\n    net.train()\n    return net",
        "def build():\n    net = Net()\n    other = Other()\n    other.apply(init)\n    return net",
        "def build():\n    init_logging()\n    net = Net()\n    net.requires_grad_(False)",
        "class Outer:\n    def __init__(self):\n        super(Outer, self).__init__()\n        self.net = Net()",
        "class Outer:\n    def __init__(self):\n        nn.Module.__init__(self)\n        self.net = self.net or Net()",
        "class Net:\n    pass\n\n\ndef build():\n    net = Net()\n    net.apply(init)",
    ],
)
def test_other_code_initializes_nothing(code: str, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(f"from models import {'Other' if 'class Net' in code else 'Net, Other'}\n\n{code}\n")
    assert list(initialized([NET], [str(file)])) == []


def test_the_top_level_of_a_file_is_no_target(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text("from models import Net\nnet = Net()\nnet.apply(init)\n", encoding="utf-8")
    ((_, place),) = initialized([NET], [str(file)])
    assert (place.words, place.target) == (f"the top level of {file}", f"{file}:FUNCTION")
