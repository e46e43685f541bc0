"""What a forward is run on when the user says so."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

from initaudit.probe import Target
from initaudit.probe.given import moved
from initaudit.probe.inputs import inputs_for

DATA = """\
import torch


def single():
    return torch.ones(2, 3)


def several():
    return torch.ones(2, 3), torch.zeros(2)


def named():
    return {"x": torch.ones(2, 3), "mask": None}
"""

counter = itertools.count()


@pytest.fixture
def data(tmp_path: Path) -> str:
    file = tmp_path / f"data_{next(counter)}.py"  # modules are imported once
    file.write_text(DATA, encoding="utf-8")
    return str(file)


def given(**how: object) -> tuple[list[object], dict[str, object]]:
    found = inputs_for(nn.Linear(3, 3), Target(spec="model.py:Net", **how))  # type: ignore[arg-type]
    assert found is not None
    return list(found[0]), found[1]


def test_a_tensor_is_the_only_positional_input(data: str) -> None:
    (only,), named = given(input_data=f"{data}:single")
    assert isinstance(only, torch.Tensor) and only.shape == (2, 3) and named == {}


def test_a_tuple_holds_the_positional_inputs(data: str) -> None:
    positional, named = given(input_data=f"{data}:several")
    assert len(positional) == 2 and named == {}


def test_a_dictionary_holds_the_named_ones(data: str) -> None:
    positional, named = given(input_data=f"{data}:named")
    assert positional == [] and list(named) == ["x", "mask"] and named["mask"] is None


def test_one_dtype_is_that_of_every_input_and_several_are_one_for_each() -> None:
    sizes = ((2, 3), (2,))
    for dtypes, expected in (
        ((), [torch.float32, torch.float32]),
        (("float64",), [torch.float64, torch.float64]),
        (("float16", "int64"), [torch.float16, torch.int64]),
    ):
        positional, _ = given(input_sizes=sizes, dtypes=dtypes)
        assert [one.dtype for one in positional if isinstance(one, torch.Tensor)] == expected


def test_inputs_move_with_everything_that_holds_them() -> None:
    inputs = moved((torch.ones(2), {"x": [torch.ones(1)], "flag": True}), "meta")
    assert inputs[0].is_meta and inputs[1]["x"][0].is_meta and inputs[1]["flag"] is True


def test_inputs_of_a_size_have_the_precision_of_the_model_unless_a_dtype_is_named() -> None:
    for dtypes, expected in (((), torch.float64), (("float32",), torch.float32)):
        target = Target(spec="model.py:Net", input_sizes=((2, 3),), dtypes=dtypes)
        found = inputs_for(nn.Linear(3, 3).double(), target)
        assert found is not None and found[0][0].dtype is expected
