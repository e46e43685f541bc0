"""What a program does with a class by calling functions is what these do, where all of them initialize it."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.analyzer.programs.follow import Course, Fate, only_calls_writers
from initaudit.analyzer.programs.graph import Around, Scope
from initaudit.analyzer.project.names import Project

TRAIN = """
from nets import Net

def first():
    return Net()

def second():
    return Net()

def main():
    return first() if input() else second()
"""


@pytest.mark.parametrize(
    ("fates", "direct", "expected"),
    [
        ({"first": Fate.WRITTEN, "second": Fate.WRITTEN}, False, True),
        ({"first": Fate.WRITTEN}, False, True),
        ({"first": Fate.WRITTEN, "second": Fate.RAW}, False, False),
        ({"first": Fate.WRITTEN, "second": Fate.OPTIONAL}, False, False),
        ({}, False, False),
        ({"first": Fate.WRITTEN, "second": Fate.WRITTEN}, True, False),
    ],
)
def test_a_caller_of_functions(fates: dict[str, Fate], direct: bool, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("from torch import nn\n\nclass Net(nn.Module):\n    pass\n", encoding="utf-8")
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    project = Project()
    train, nets = (project.load(str(tmp_path / f"{name}.py")) for name in ("train", "nets"))
    assert train is not None
    assert nets is not None
    scopes = {name: Scope(train, train.outline.members[name]) for name in ("first", "second", "main")}
    net = Scope(nets, nets.outline.members["Net"])
    assert net.defined is not None
    named = {scopes["first"], scopes["second"], *([net] if direct else [])}
    around = Around(frozenset({net.defined}), through={scopes["main"]: named})
    main = Course(scopes["main"], Fate.OPTIONAL, None)
    courses = [main, *(Course(scopes[name], fate, None) for name, fate in fates.items())]
    assert only_calls_writers(main, courses, around) is expected
