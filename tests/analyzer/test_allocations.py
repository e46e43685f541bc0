"""Memory that nothing has written is known as that however it is asked for, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

LAYER = """
class Layer(nn.Module):
    def __init__(self, other, shape, n: int):
        super().__init__()
        self.weight = nn.Parameter({})
"""


@pytest.mark.parametrize(
    "call",
    [
        "torch.Tensor(3, n)",
        "torch.Tensor(size=(3, 4))",
        "torch.Tensor(size=shape)",
        "torch.FloatTensor(size=(3, n))",
        "torch.empty(size=(3, 4))",
        "torch.empty((3, 4), out=None)",
        "torch.empty_like(input=other)",
        "torch.empty_strided(size=(2, 3), stride=(3, 1))",
        "torch.empty_permuted((2, 3), (0, 1))",
        "torch.zeros(1).new(size=(3, 4))",
        "torch.zeros(1).new_empty(size=(3, 4))",
        "other.new(size=(3, 4))",
        "other.new_empty(size=(3, 4))",
        "other.new_empty_strided((2, 3), (3, 1))",
    ],
)
def test_raw_memory_is_known_by_every_spelling(call: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=LAYER.format(call)) == {"weight"}


@pytest.mark.parametrize(
    "call",
    [
        "torch.Tensor((3, 4))",
        "torch.Tensor(data=other)",
        "torch.Tensor(size=(0,))",
        "torch.empty(size=(0, 3))",
        "torch.empty(3, 4, out=torch.zeros(3, 4))",
        "torch.empty(3, 4, out=other)",
    ],
)
def test_data_and_what_holds_values_already_is_not_raw(call: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=LAYER.format(call)) == set()
