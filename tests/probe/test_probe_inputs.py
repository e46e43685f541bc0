"""What a forward is run on when the user says so."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from initaudit.probe import Target
from initaudit.probe.forward.given import moved
from initaudit.probe.forward.inputs import BATCH, inputs_for

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


class Net(nn.Module):
    """Layers that are defined in one order and used in another one."""

    def __init__(self, *layers: nn.Module, first: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.first = first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers[self.first](x)
        return result


@pytest.mark.parametrize(
    ("model", "shape", "integers"),
    [
        (Net(nn.Linear(5, 7), nn.Linear(3, 5), first=1), (BATCH, 3), False),
        (Net(nn.LayerNorm(6), nn.Linear(9, 6), first=1), (BATCH, 9), False),
        (Net(nn.Linear(4, 4), nn.Embedding(11, 4), nn.Embedding(3, 4), first=1), (BATCH, 8), True),
        (Net(nn.Linear(7, 2), nn.Conv1d(3, 4, 3), first=1), (BATCH, 3, 256), False),
        (Net(nn.Conv2d(4, 4, 1), nn.LSTM(5, 4), first=1), (BATCH, 8, 5), False),
    ],
)
def test_an_input_is_inferred_from_layers_in_any_order(
    model: nn.Module, shape: tuple[int, ...], *, integers: bool
) -> None:
    found = inputs_for(model, Target(spec="model.py:Net"))
    assert found is not None
    (only,) = found[0]
    assert only.shape == shape and only.is_floating_point() is not integers
    assert not integers or int(only.max()) < 3


def test_an_example_that_a_model_keeps_is_taken() -> None:
    model = Net(nn.Linear(3, 3))
    model.example_input_array = torch.ones(2, 3)
    found = inputs_for(model, Target(spec="model.py:Net"))
    assert found is not None and torch.equal(found[0][0], torch.ones(2, 3))


class Guided(nn.Linear):
    def forward(self, x: torch.Tensor, guide: torch.Tensor, *, mask: object = None) -> torch.Tensor:
        return super().forward(x) + guide.flip(7)


@pytest.mark.parametrize("sizes", [(), ((4, 3),)])
def test_an_input_that_is_missing_is_named_with_the_flag_that_gives_it(
    observe: Callable[..., Any], sizes: tuple[tuple[int, ...], ...]
) -> None:
    (reason,) = (one for one in observe(lambda: Guided(3, 3), *sizes).reasons if "guide" in one)
    assert reason.endswith(
        "the forward needs 2 inputs, also `guide`: give --input-size 2 times, with a --dtype for each, "
        "or --input-data MODULE:FUNCTION"
    )


def test_what_was_tried_is_said_where_nothing_runs(observe: Callable[..., Any]) -> None:
    class Refusing(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError(f"not {x.dim()} dimensions")

    (reason,) = (one for one in observe(lambda: Refusing(nn.Linear(5, 7))).reasons if "ValueError" in one)
    assert "float32 (2, 5), float32 (2, 8, 5)" in reason
