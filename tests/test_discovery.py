"""Which of the module classes that were found are built, and which code initializes an instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.discovery import initialized, planned, remarks
from initaudit.finding import Place
from initaudit.observation import ModuleClass


def found(name: str, *parts: str, file: str = "nets.py", missing: bool = False) -> ModuleClass:
    return ModuleClass(
        target=f"{file}:{name}",
        identity=f"nets.{name}",
        place=Place(file, 1, 1, 1, 2),
        parts=tuple(f"nets.{part}" for part in parts),
        missing={"encoder": '"Module"'} if missing else {},
    )


def names(classes: tuple[ModuleClass, ...]) -> list[str]:
    return [one.identity.rpartition(".")[2] for one in classes]


def test_a_part_is_built_in_the_models_that_hold_it() -> None:
    plan = planned([found("Block"), found("Stage", "Block"), found("Net", "Stage"), found("Other", "Block")], [])
    assert (names(plan.wholes), names(plan.parts)) == (["Net", "Other"], ["Block", "Stage"])


def test_what_only_holds_a_model_that_lacks_arguments_is_built_by_itself() -> None:
    plan = planned([found("Block"), found("Net", "Block", missing=True)], [])
    assert names(plan.wholes) == ["Block"]
    assert [one.reason for one in plan.left] == ["no value is known for `encoder`"]


@pytest.mark.parametrize("order", [1, -1])
def test_classes_that_name_one_another_are_all_built(order: int) -> None:
    classes = [found("Tree", "Leaf"), found("Leaf", "Tree"), found("Self", "Self")]
    assert sorted(names(planned(classes[::order], []).wholes)) == ["Leaf", "Self", "Tree"]


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
    ((identity, place),) = dict(initialized([found("Net")], [str(file)])).items()
    assert (identity, place.words, place.target) == ("nets.Net", "`build`", f"{file}:build")


@pytest.mark.parametrize(
    "code",
    [
        "def build():\n    net = Net()\n    net.train()\n    return net",
        "def build():\n    net = Net()\n    other = Other()\n    other.apply(init)\n    return net",
        "def build():\n    init_logging()\n    net = Net()\n    net.requires_grad_(False)",
        "class Net:\n    pass\n\n\ndef build():\n    net = Net()\n    net.apply(init)",
    ],
)
def test_other_code_initializes_nothing(code: str, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(f"from models import {'Other' if 'class Net' in code else 'Net, Other'}\n\n{code}\n")
    assert list(initialized([found("Net")], [str(file)])) == []


def test_the_top_level_of_a_file_is_no_target(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text("from models import Net\nnet = Net()\nnet.apply(init)\n", encoding="utf-8")
    ((_, place),) = initialized([found("Net")], [str(file)])
    assert (place.words, place.target) == (f"the top level of {file}", f"{file}:FUNCTION")


def test_files_that_lack_one_package_are_one_line() -> None:
    lacking = {
        f"m{n}.py": f"importing m{n} raised ModuleNotFoundError: No module named 'x' at m{n}.py:1" for n in (1, 2)
    }
    lines = list(remarks({**lacking, "z.py": "importing z raised ValueError: no at z.py:3"}, []))
    assert lines == [
        "not imported: m1.py and 1 more: importing m1 raised ModuleNotFoundError: No module named 'x' at m1.py:1",
        "not imported: z.py: importing z raised ValueError: no at z.py:3",
    ]
