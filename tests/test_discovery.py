"""Which of the module classes that were found are built."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from initaudit.discovery import outcome, planned, remarks
from initaudit.finding import Observer, Place
from initaudit.observation import InitializingCode, ModuleClass, Observation


def found(name: str, *parts: str, file: str = "nets.py", missing: bool = False) -> ModuleClass:
    return ModuleClass(
        target=f"{file}:{name}",
        identity=f"nets.{name}",
        place=Place(file, 1, 1, 1, 2),
        parts=tuple(f"nets.{part}" for part in parts),
        missing={"encoder": '"Module"'} if missing else {},
    )


def seen(one: ModuleClass) -> Observation:
    return Observation(observer=Observer.PROBE, source=one.target, holds=(one.identity,))


def names(classes: tuple[ModuleClass, ...]) -> list[str]:
    return [one.identity.rpartition(".")[2] for one in classes]


def test_a_part_is_built_in_the_models_that_hold_it() -> None:
    plan = planned([found("Block"), found("Stage", "Block"), found("Net", "Stage"), found("Other", "Block")], {})
    assert (names(plan.wholes), names(plan.parts)) == (["Net", "Other"], ["Block", "Stage"])


def test_what_only_holds_a_model_that_lacks_arguments_is_built_by_itself() -> None:
    plan = planned([found("Block"), found("Net", "Block", missing=True)], {})
    assert names(plan.wholes) == ["Block"]
    assert [one.reason for one in plan.left] == ["no value is known for `encoder`"]


def test_what_only_holds_a_model_that_cannot_be_built_is_built_by_itself() -> None:
    classes = [
        found("Block"),
        found("Stage", "Block"),
        found("Net", "Stage"),
        found("Unused"),
        found("Other", "Unused"),
    ]
    built: list[list[str]] = []

    def build(wholes: Sequence[ModuleClass]) -> list[Observation | str]:
        built.append(names(tuple(wholes)))
        return [
            f"{one.target}: it raised" if one.identity in ("nets.Net", "nets.Stage") else seen(one) for one in wholes
        ]

    known, left = outcome(classes, {}, build)
    assert built == [["Net", "Other"], ["Stage"], ["Block"]]
    assert [one.source for one in known] == ["nets.py:Block", "nets.py:Other"]
    assert [(one.cls.target, one.reason) for one in left] == [
        ("nets.py:Stage", "it raised"),
        ("nets.py:Net", "it raised"),
        ("nets.py:Unused", "no model that was built holds it"),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_classes_that_name_one_another_are_all_built(order: int) -> None:
    classes = [found("Tree", "Leaf"), found("Leaf", "Tree"), found("Self", "Self")]
    assert sorted(names(planned(classes[::order], {}).wholes)) == ["Leaf", "Self", "Tree"]


def test_a_class_that_code_finishes_is_left_to_that_code() -> None:
    plan = planned([found("Net"), found("Other")], {"nets.Net": InitializingCode("train.py", "build")})
    assert names(plan.wholes) == ["Other"]
    assert [(one.reason, one.target) for one in plan.left] == [
        ("`build` initializes it after its construction", "train.py:build")
    ]


def test_files_that_lack_one_package_are_one_line() -> None:
    lacking = {
        f"m{n}.py": f"importing m{n} raised ModuleNotFoundError: No module named 'x' at m{n}.py:1" for n in (1, 2)
    }
    lines = list(remarks({**lacking, "z.py": "importing z raised ValueError: no at z.py:3"}, []))
    assert lines == [
        "not imported: m1.py and 1 more: importing m1 raised ModuleNotFoundError: No module named 'x' at m1.py:1",
        "not imported: z.py: importing z raised ValueError: no at z.py:3",
    ]
