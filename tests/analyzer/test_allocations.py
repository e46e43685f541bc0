"""Memory that nothing has written is known as that however it is asked for, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.observation import Observation
from initaudit.timeline import Coverage

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


@pytest.mark.parametrize(
    "value",
    [
        "torch.empty(3, n) * 0.02",
        "torch.Tensor(3, n) / math.sqrt(n)",
        "torch.abs(torch.empty(3, n)) - 1",
        "torch.empty(3, n).abs()",
    ],
)
def test_what_is_computed_from_raw_memory_is_raw_too(value: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=LAYER.format(value)) == {"weight"}


@pytest.mark.parametrize(
    "value",
    [
        "torch.empty(3, n).normal_() * 0.02",
        "torch.nn.init.orthogonal_(torch.empty(3, n)) * math.sqrt(2)",
        "torch.zeros_like(torch.empty(3, n)) + 1",
        "torch.randn_like(torch.empty(3, n)) / 3",
        "torch.Tensor(other) / 3",
    ],
)
def test_what_is_computed_from_values_is_not(value: str, unwritten: Callable[..., set[str]]) -> None:
    assert not unwritten(layer=LAYER.format(value))


def test_what_is_drawn_into_a_computed_parameter_initializes_it(unwritten: Callable[..., set[str]]) -> None:
    layer = LAYER.format("torch.empty(3, n) * 0.02")
    assert not unwritten(layer=f"{layer}        nn.init.normal_(self.weight)\n")


SIZED = """
class Layer(nn.Module):
    def __init__(self, given):
        super().__init__()
        self.given = given
        self.weight = nn.Parameter(torch.Tensor(given))

    def forward(self, x):
        return {}
"""


@pytest.mark.parametrize(
    "use",
    [
        "x * self.weight.view(1, self.given, 1)",
        "x.reshape(-1, self.given) * self.weight",
        "self.weight.expand(x.size(0), self.given)",
    ],
)
def test_what_a_method_takes_for_one_of_several_sizes_is_one(use: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=SIZED.format(use)) == {"weight"}


@pytest.mark.parametrize("use", ["x * self.weight.view(1, -1) + len(self.given)", "x.view(self.given) * self.weight"])
def test_what_may_be_a_list_is_none(use: str, unwritten: Callable[..., set[str]]) -> None:
    assert not unwritten(layer=SIZED.format(use))


ORDERED = """
class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        order = torch.empty(n, dtype=torch.int32)
        {}
        self.register_buffer("order", order)
        self.weight = nn.Parameter(torch.empty(n, 4))
"""


def test_whole_numbers_that_the_constructor_computes_are_no_packed_weights(unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=ORDERED.format("order[0] = n - 1")) >= {"weight"}
    assert not unwritten(layer=ORDERED.format("pass"))


@pytest.mark.parametrize(
    "made", ["self.bias = nn.Parameter(torch.empty(n))", "self.register_buffer('bias', torch.empty(n))"]
)
@pytest.mark.parametrize("use", ["x + self.bias", "self.bias.data * 2", "torch.abs(self.bias)"])
def test_what_a_forward_computes_and_overwrites_is_not_the_parameter(
    made: str, use: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    layer = f"""
class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        {made}

    def forward(self, x):
        scores = {use}
        scores.masked_fill_(x > 0, 0.0)
        scores.zero_()
        return x + scores + self.bias
"""
    (found,) = analyzed(layer=layer)["layer"].parameters
    assert found.coverage is Coverage.NEVER
