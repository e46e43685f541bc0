"""Units that can never differ and factors that stay at zero, told from those that only start that way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initaudit.finding import Place, Severity
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.poison import Make, Verdict, control_build
from initaudit.probe.training.batches import another_batch
from initaudit.probe.training.steps import equal_rows, refined
from initaudit.probe.training.symmetry import stuck
from initaudit.rules.unbroken_symmetry import UnbrokenSymmetry
from initaudit.subjects.weights import EqualUnits, ZeroFactors

HERE = Place("model.py", 1, 1, 1, 2)
INPUT = ((torch.linspace(-1, 1, 40).reshape(5, 8),), {})


def found(make: Make, inputs: Any = INPUT, added: tuple[str, ...] = ()) -> list[EqualUnits | ZeroFactors]:
    """What is said of a model that multiplies with every parameter but the ``added`` ones."""
    control = control_build(make, 0)
    timelines = Timelines(control, Verdict(), HERE, "model.py:Net")
    return list(stuck(control.model, make, inputs, 0, timelines, timelines.tensors.keys() - set(added)))


def equal(make: Make, inputs: Any = INPUT) -> dict[str | None, tuple[int | None, int | None]]:
    """By path, how many units have a twin, and how many different ones there are."""
    return {fact.path: (fact.equal, fact.distinct) for fact in found(make, inputs) if isinstance(fact, EqualUnits)}


def factors(make: Make, inputs: Any = INPUT) -> list[tuple[str, ...]]:
    return [fact.paths for fact in found(make, inputs) if isinstance(fact, ZeroFactors)]


def mlp(change: Callable[[nn.Sequential], None]) -> Make:
    """Three layers, changed after they are made."""

    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
        with torch.no_grad():
            change(model)
        return model

    return make


def fill(*layers: Any, value: float = 0.5) -> None:
    for layer in layers:
        for one in layer.parameters():
            nn.init.constant_(one, value)


class Sampled(nn.Module):
    """Looks at a few points beside its own and weighs what is there, alike at first; three of them lie outside."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = nn.Parameter(torch.tensor([0.1, 5.0, 6.0, 7.0]))
        self.weights = nn.Linear(8, 4)
        fill(self.weights, value=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        there = (1 - self.offsets).relu() * x.mean(dim=1, keepdim=True)
        return (self.weights(x).softmax(dim=1) * there).sum(dim=1)


def test_units_that_are_alike_for_what_another_parameter_holds_just_now_are_told_apart() -> None:
    assert equal(Sampled) == {}


def test_random_weights_have_nothing_to_report() -> None:
    assert found(mlp(lambda model: None)) == []


def test_constant_layers_are_one_unit_each_up_to_the_output() -> None:
    assert equal(mlp(lambda model: fill(*model[::2]))) == {"0.weight": (6, 1), "2.weight": (6, 1)}


def test_a_constant_layer_under_a_random_one_is_not_symmetric() -> None:
    assert equal(mlp(lambda model: fill(model[0]))) == {}


def test_random_biases_break_the_symmetry_of_constant_weights() -> None:
    def change(model: nn.Sequential) -> None:
        fill(*model[::2])
        model[0].bias.normal_()
        model[2].bias.normal_()

    assert equal(mlp(change)) == {}


def test_two_equal_rows_among_random_ones_are_twins_when_what_follows_treats_them_alike() -> None:
    def change(model: nn.Sequential) -> None:
        model[0].weight[1] = model[0].weight[0]
        model[0].bias[1] = model[0].bias[0]
        model[2].weight[:, 1] = model[2].weight[:, 0]

    assert equal(mlp(change)) == {"0.weight": (2, 1)}


def test_a_layer_behind_a_zero_head_is_judged_by_the_later_steps() -> None:
    def change(model: nn.Sequential) -> None:
        fill(model[0], model[2])
        fill(model[4], value=0.0)

    assert set(equal(mlp(change))) == {"0.weight", "2.weight"}


def test_dropout_breaks_symmetry() -> None:
    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(8, 6), nn.Dropout(0.5), nn.Linear(6, 3))
        fill(model[0], model[2])
        return model

    assert equal(make) == {}


def test_a_zero_head_gets_different_gradients() -> None:
    assert found(mlp(lambda model: fill(model[4], value=0.0))) == []


def test_zero_block_and_zero_head_move_in_turn() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.block, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
            fill(self.block, self.head, value=0.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x)
            return self.head(x + self.block(torch.tanh(x)))

    assert found(Net) == []


class Adapter(nn.Module):
    """A low-rank adapter beside a layer."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.a = nn.Linear(8, 2, bias=False)
        self.b = nn.Linear(2, 8, bias=False)
        if a == 0:
            nn.init.zeros_(self.a.weight)
        if b == 0:
            nn.init.zeros_(self.b.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) + self.b(self.a(x))


def test_an_adapter_of_zeros_never_learns() -> None:
    assert factors(lambda: Adapter(0, 0)) == [("a.weight", "b.weight")]


@pytest.mark.parametrize(("a", "b"), [(1, 0), (0, 1)])
def test_one_zero_factor_is_enough_to_start_as_the_identity(a: float, b: float) -> None:
    assert found(lambda: Adapter(a, b)) == []


def test_every_adapter_of_a_stack_is_told_once_for_its_class() -> None:
    paths = factors(lambda: nn.Sequential(*(Adapter(0, 0) for _ in range(3))))
    assert sorted(path for group in paths for path in group) == sorted(
        f"{index}.{name}.weight" for index in range(3) for name in "ab"
    )


def test_a_gate_and_the_last_layer_of_its_block_keep_each_other_at_zero() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.last = nn.Linear(8, 8), nn.Linear(8, 8)
            self.gate = nn.Parameter(torch.zeros(()))
            fill(self.last, value=0.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.gate * self.last(torch.relu(self.fc(x)))

    assert factors(Gated) == [("gate", "last.weight")]


def test_three_zero_factors_are_found_though_no_single_one_frees_the_others() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)
            self.a, self.b, self.c = (nn.Parameter(torch.zeros(8)) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x) + self.a * self.b * self.c * x

    assert factors(Net) == [("a", "b", "c")]


def test_zero_biases_behind_a_dead_layer_are_no_factors() -> None:
    def make() -> nn.Module:
        model = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(8, 8), nn.ReLU())), nn.Linear(8, 3))
        for layer in model[:-1:2]:
            nn.init.zeros_(layer.bias)
        nn.init.constant_(model[0].bias, -20.0)
        return model

    assert found(make) == []


def test_a_zero_behind_a_mask_of_zeros_is_nobodys_factor() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)
            self.one, self.two = nn.Parameter(torch.zeros(8)), nn.Parameter(torch.zeros(8))
            self.register_buffer("mask", torch.zeros(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x) + self.mask * (self.one + self.two)

    assert found(Net) == []


def test_a_constant_attention_is_one_unit_per_block() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            fill(self.attention, value=0.3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, x, x)[0].mean(dim=2)

    facts = equal(Net, ((torch.randn(3, 5, 8),), {}))
    assert facts == {"attention.in_proj_weight": (24, 3), "attention.out_proj.weight": (8, 1)}


def test_a_constant_recurrent_layer_is_one_unit_per_gate() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 4)
            self.rnn = nn.LSTM(4, 6, batch_first=True)
            self.out = nn.Linear(6, 2)
            fill(self.rnn, self.out, value=0.1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            states, _ = self.rnn(torch.stack([self.fc(x)] * 3, dim=1))
            return self.out(states[:, -1])

    assert equal(Recurrent) == {"rnn.weight_ih_l0": (24, 4), "rnn.weight_hh_l0": (24, 4)}


def test_what_nothing_wrote_is_not_judged() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)
            self.a, self.b = nn.Parameter(torch.empty(8)), nn.Parameter(torch.empty(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x) + self.a * self.b

    control = control_build(Net, 0)
    with torch.no_grad():
        control.model.a.zero_()
        control.model.b.zero_()
    timelines = Timelines(control, Verdict(), HERE, "model.py:Net")
    assert list(stuck(control.model, Net, INPUT, 0, timelines, timelines.tensors)) == []


def test_the_rows_of_a_table_that_is_added_are_no_units() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 4)
            self.table = nn.Parameter(torch.zeros(5, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x) + self.table.sum(0)

    assert equal(Net).keys() == {"table"}
    assert found(Net, added=("table",)) == []


rows = st.lists(st.lists(st.sampled_from([0.0, 0.25, -1.0]), min_size=3, max_size=3), min_size=2, max_size=8)


@given(rows)
@settings(deadline=None)
def test_rows_share_a_class_exactly_when_they_are_equal(values: list[list[float]]) -> None:
    tensor = torch.tensor(values, dtype=torch.float64)
    together = refined(torch.zeros(len(values), dtype=torch.long), tensor, torch.Generator().manual_seed(0))
    for classes in (equal_rows(tensor), together):
        for i, one in enumerate(values):
            for j, other in enumerate(values):
                assert bool(classes[i] == classes[j]) == (one == other)


def test_rounding_does_not_tell_rows_apart_and_a_real_difference_does() -> None:
    row = torch.randn(64, dtype=torch.float64)
    tensor = torch.stack([row, row * (1 + 1e-13), row * (1 + 1e-6)])
    classes = refined(torch.zeros(3, dtype=torch.long), tensor, torch.Generator().manual_seed(0))
    assert classes[0] == classes[1] != classes[2]


def test_a_few_samples_are_enough_and_what_has_no_batch_stays_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    given = ((torch.ones(32, 3),), {"x": [torch.zeros(32)], "flag": True})
    args, named = another_batch(given, generator)
    assert args[0].shape == (4, 3) and named["x"][0].shape == (4,) and named["flag"] is True
    assert another_batch(((torch.ones(32, 3), torch.ones(5, 3)), {}), generator)[0][0].shape == (32, 3)


def test_another_batch_has_the_same_indices_in_another_order_and_new_numbers() -> None:
    inputs = ((torch.arange(6).reshape(2, 3),), {"x": torch.randn(4), "flag": True})
    (indices,), named = another_batch(inputs, torch.Generator().manual_seed(0))
    assert sorted(indices.reshape(-1).tolist()) == list(range(6)) and indices.shape == (2, 3)
    assert not torch.equal(named["x"], inputs[1]["x"].double()) and named["flag"] is True


class Prototypes(nn.Module):
    """Distances to rows, with a scale beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.full((3, 8), 0.5))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * (x @ self.rows.t())


def test_a_number_beside_a_matrix_is_part_of_no_unit() -> None:
    assert found(Prototypes) == []


class Growing(nn.Module):
    """Gets a layer with each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8)])
        fill(self.layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.layers.append(nn.Linear(8, 8))
        return self.layers[0](x)


def test_what_a_forward_adds_was_not_built_and_is_not_judged() -> None:
    control = control_build(Growing, 0)
    timelines = Timelines(control, Verdict(), HERE, "model.py:Net")
    control.model(*INPUT[0])
    assert list(stuck(control.model, Growing, INPUT, 0, timelines, timelines.tensors.keys())) == []


class ZeroTail(nn.Module):
    """A gain and a head at zero: no gradient reaches what comes before them, biases at zero among it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16))
        self.norm, self.head = nn.BatchNorm1d(16), nn.Linear(16, 4)
        for zero in (self.norm.weight, self.head.weight, self.encoder[3].bias):
            nn.init.zeros_(zero)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.encoder(x))))  # type: ignore[no-any-return]


def test_what_waits_behind_factors_at_zero_is_no_factor() -> None:
    (fact,) = found(ZeroTail)
    assert isinstance(fact, ZeroFactors)
    assert fact.paths == ("norm.weight", "head.weight")
    assert [one.parameter for one in fact.factors if one.gain] == ["norm.weight"]


# Zeros behind zeros


class Behind(nn.Module):
    """Factors at zero in a block, behind as many zeros as are asked for, which move one after the other."""

    def __init__(self, block: Callable[[], nn.Module], *, close: bool = False, head: bool = True) -> None:
        super().__init__()
        self.first, self.block, self.head = nn.Linear(8, 8), block(), nn.Linear(8, 3)
        self.close = nn.Linear(8, 8)
        if close:
            fill(self.close, value=0.0)
        if head:
            fill(self.head, value=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.first(x))
        return self.head(x + self.close(torch.tanh(x + self.block(x))))  # type: ignore[no-any-return]


class LowRank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 2, bias=False), nn.Linear(2, 8, bias=False)
        fill(self.up, self.down, value=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.up(x))  # type: ignore[no-any-return]


class GatedBlock(nn.Module):
    """A gate at zero, before a layer that is zero if it is asked for."""

    def __init__(self, *, zero: bool) -> None:
        super().__init__()
        self.gate, self.last = nn.Parameter(torch.zeros(())), nn.Linear(8, 8, bias=False)
        if zero:
            fill(self.last, value=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gate * self.last(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("close", [False, True])
def test_factors_behind_a_head_at_zero_are_found(close: bool) -> None:
    assert factors(lambda: Behind(LowRank, close=close)) == [("block.up.weight", "block.down.weight")]


def test_a_gate_behind_a_head_at_zero_is_a_factor_if_its_layer_is_zero_too() -> None:
    assert factors(lambda: Behind(lambda: GatedBlock(zero=True))) == [("block.gate", "block.last.weight")]
    assert factors(lambda: Behind(lambda: GatedBlock(zero=False))) == []


class InTurn(nn.Module):
    """Gates within gates, of which each moves when the one around it has."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.gates = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in range(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = inner = torch.tanh(self.first(x))
        for gate in self.gates:
            inner = gate * (x + inner)
        return inner


def test_zeros_that_move_in_turn_are_waited_for() -> None:
    assert found(InTurn) == []


class Lin(nn.Module):
    """A linear layer of a class of one's own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight.T


class Parallel(nn.Module):
    """Layers side by side, and one behind them, all at zero."""

    def __init__(self, kind: Callable[[int, int], nn.Module], many: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(kind(8, 8) for _ in range(many))
        self.last, self.head = kind(8, 8), nn.Linear(8, 3)
        fill(*self.layers, self.last, value=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x + self.last(sum(layer(x + i) for i, layer in enumerate(self.layers))))  # type: ignore[no-any-return]


class InAList(nn.Module):
    """The same, with the last one in the list too."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Lin(8, 8) for _ in range(5))
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *beside, last = self.layers
        return self.head(x + last(sum(layer(x + i) for i, layer in enumerate(beside))))  # type: ignore[no-any-return]


@pytest.mark.parametrize("many", [2, 5])
def test_layers_of_ones_own_class_are_factors_like_any(many: int) -> None:
    (paths,) = factors(lambda: Parallel(Lin, many))
    assert set(paths) == {f"layers.{i}.weight" for i in range(many)} | {"last.weight"}
    assert set(*factors(InAList)) == {f"layers.{i}.weight" for i in range(5)}


def test_one_cause_is_one_finding_and_names_no_bias() -> None:
    (paths,) = factors(lambda: Parallel(nn.Linear))
    assert set(paths) == {"layers.0.weight", "layers.1.weight", "last.weight"}


def test_a_chain_of_zeros_is_told_however_long_it_is() -> None:
    def make() -> nn.Module:
        hidden = [layer for _ in range(30) for layer in (nn.Linear(8, 8, bias=False), nn.Tanh())]
        fill(*hidden[::2], value=0.0)
        return nn.Sequential(nn.Linear(8, 8), *hidden, nn.Linear(8, 3))

    (paths,) = factors(make)
    assert set(paths) == {f"{2 * i + 1}.weight" for i in range(30)}


def test_many_zero_biases_behind_a_dead_layer_are_no_factors() -> None:
    def make() -> nn.Module:
        model = nn.Sequential(*(layer for _ in range(8) for layer in (nn.Linear(8, 8), nn.ReLU())), nn.Linear(8, 3))
        for layer in model[:-1:2]:
            nn.init.zeros_(layer.bias)
        nn.init.constant_(model[0].bias, -20.0)
        return model

    assert found(make) == []


class Around(nn.Module):
    """A branch of two layers around a rectifier; both, or only the second, start at zero, and so may the head."""

    def __init__(
        self, *, layer: Any = nn.Linear, both: bool = True, zero_head: bool = False, act: Any = nn.ReLU
    ) -> None:
        super().__init__()
        self.stem, self.before, self.act, self.after = nn.Linear(8, 8), layer(8, 6), act(), layer(6, 8)
        self.head = nn.Linear(8, 3)
        fill(*((self.before, self.after) if both else (self.after,)), value=0.0)
        if zero_head:
            fill(self.head, value=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.stem(x))
        return self.head(x + self.after(self.act(self.before(x))))  # type: ignore[no-any-return]


class Kernel(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.kernel, self.shift = nn.Parameter(torch.randn(inputs, outputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.kernel + self.shift


@pytest.mark.parametrize("act", [nn.ReLU, nn.ReLU6, lambda: nn.Threshold(0.0, 0.0)])
def test_zeros_on_both_sides_of_a_rectifier_are_factors(act: Any) -> None:
    assert factors(lambda: Around(act=act)) == [("before.weight", "after.weight")]
    assert factors(lambda: Around(act=act, both=False)) == []


def test_so_are_layers_of_ones_own_behind_a_head_at_zero() -> None:
    assert factors(lambda: Around(layer=Kernel, zero_head=True)) == [("before.kernel", "after.kernel")]
    assert factors(lambda: Around(layer=Kernel, zero_head=True, both=False)) == []


def test_what_waits_before_such_factors_is_no_factor() -> None:
    def make() -> nn.Module:
        model = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(8, 8), nn.ReLU())), nn.Linear(8, 3))
        for layer in model[:-1:2]:
            nn.init.zeros_(layer.bias)
        fill(model[4], model[6], value=0.0)
        return model

    assert factors(make) == [("4.weight", "6.weight")]


def test_a_gain_and_not_the_bias_beside_it_is_the_factor() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.norm, self.gate = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Parameter(torch.zeros(()))
            nn.init.zeros_(self.norm.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.gate * torch.relu(self.norm(self.fc(x)))

    assert factors(Block) == [("gate", "norm.weight")]


class Conditioned(nn.Module):
    """A block whose gate is computed, or learned as one number for each channel; its last layer starts at zero."""

    def __init__(self, gate: str) -> None:
        super().__init__()
        self.last = nn.Linear(8, 8)
        fill(self.last, value=0.0)
        self.gate = {
            "layer": lambda: nn.Linear(8, 8),
            "norm": lambda: nn.LayerNorm(8),
            "vector": lambda: nn.Parameter(torch.zeros(8)),
        }[gate]()
        if gate != "vector":
            fill(self.gate, value=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.gate(x) if isinstance(self.gate, nn.Module) else self.gate
        return x + gate * self.last(torch.tanh(x))


@pytest.mark.parametrize(("gate", "gains"), [("layer", ()), ("norm", ("gate.weight",)), ("vector", ("gate",))])
def test_a_bias_is_no_gain(gate: str, gains: tuple[str, ...]) -> None:
    (fact,) = (one for one in found(lambda: Conditioned(gate)) if isinstance(one, ZeroFactors))
    found_gains = tuple(one.parameter for one in fact.factors if one.gain)
    assert found_gains[: len(gains) or None] == gains


# Precision


class Converting(nn.Module):
    """Constant layers, between which the forward names the type of what it computes."""

    def __init__(self, convert: Callable[[torch.Tensor], torch.Tensor], dtype: Any = torch.float32) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(8, 6, dtype=dtype), nn.Linear(6, 3, dtype=dtype)
        fill(self.one, self.two)
        self.convert = convert

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(self.convert(torch.tanh(self.one(x))))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_model_of_any_precision_is_trained_in_double(dtype: Any) -> None:
    given = ((INPUT[0][0].to(dtype),), {})
    assert equal(lambda: Converting(lambda x: x, dtype), given) == {"one.weight": (6, 1)}


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.float(),
        lambda x: x.to(torch.float32),
        lambda x: x.to(dtype=torch.float32),
        lambda x: torch.cat([x.half(), x.half()]).type(torch.float32),
    ],
)
def test_a_type_that_a_forward_names_is_a_wider_one_in_training(convert: Callable[[torch.Tensor], Any]) -> None:
    assert equal(lambda: Converting(convert)) == {"one.weight": (6, 1)}


def test_a_model_that_runs_in_its_own_precision_alone_is_trained_in_that() -> None:
    constant = np.ones((1, 6), dtype=np.float32)

    def convert(x: torch.Tensor) -> torch.Tensor:
        mixed = torch.from_numpy(constant)
        return x * torch.mm(torch.from_numpy(constant[:, :1]), mixed) if x.dtype is mixed.dtype else mixed @ x.T

    assert equal(lambda: Converting(convert)) == {"one.weight": (6, 1)}


class Complex(nn.Module):
    def __init__(self, value: complex | None) -> None:
        super().__init__()
        self.one = nn.Linear(8, 6, dtype=torch.complex64)
        self.two = nn.Linear(6, 3, dtype=torch.complex64)
        if value is not None:
            for one in self.parameters():
                nn.init.constant_(one, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(torch.tanh(self.one(x))).abs()


@pytest.mark.parametrize(("value", "units"), [(None, {}), (0.5 + 0.25j, {"one.weight": (6, 1)})])
def test_complex_units_may_be_one(value: complex | None, units: dict[str, Any]) -> None:
    given = ((INPUT[0][0].to(torch.complex64),), {})
    assert equal(lambda: Complex(value), given) == units


def test_complex_factors_may_all_be_zero() -> None:
    given = ((INPUT[0][0].to(torch.complex64),), {})
    assert factors(lambda: Complex(0.0), given) == [("one.weight", "two.weight")]


# What is named of a block of zeros


@pytest.mark.parametrize("norm", [nn.Identity, nn.LayerNorm])
def test_a_network_of_zeros_is_told_by_its_weights(norm: Any) -> None:
    def zeros() -> nn.Module:
        model = nn.Sequential(nn.Linear(8, 6), norm(6), nn.Tanh(), nn.Linear(6, 6), norm(6), nn.Tanh(), nn.Linear(6, 3))
        fill(model[0], model[3], model[6], value=0.0)
        return model

    assert [set(paths) for paths in factors(zeros)] == [{"0.weight", "3.weight", "6.weight"}]


class Residual(nn.Module):
    """Zeros in the layers of a block and in its shortcut, which one loop writes, so that either of the two would do."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one, self.two, self.shortcut = (nn.Linear(8, 8, bias=False) for _ in range(4))
        self.head = nn.Linear(8, 3)
        for layer in (self.first, self.one, self.two, self.shortcut):
            nn.init.zeros_(layer.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.first(x))
        return self.head(self.shortcut(x) + self.two(torch.tanh(self.one(x))))


def test_what_one_statement_sets_to_zero_is_told_together() -> None:
    (paths,) = factors(Residual)
    assert set(paths) == {"first.weight", "one.weight", "two.weight", "shortcut.weight"}


class Attending(nn.Module):
    """Learned states that look at the input, and are read together."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = nn.Parameter(states)
        self.query, self.key, self.value = nn.Linear(8, 6), nn.Linear(8, 6), nn.Linear(8, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.query(self.states) @ self.key(x).t()
        return scores.softmax(-1) @ self.value(x)


class Nearness(nn.Module):
    """Distances to learned centres."""

    def __init__(self, centres: torch.Tensor) -> None:
        super().__init__()
        self.centres, self.out = nn.Parameter(centres), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nearness = torch.exp(-(x[:, None] - self.centres).square().mean(-1))
        return self.out(nearness.mean(1, keepdim=True).expand(-1, 4))


class Prompt(nn.Module):
    """Learned tokens before the input."""

    def __init__(self, tokens: torch.Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(tokens)
        self.mix, self.out = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sequence = torch.cat([self.tokens, x]).tanh()
        return self.out(torch.tanh(self.mix(sequence)).mean(0))


@pytest.mark.parametrize("kind", [Nearness, Prompt])
def test_learned_states_that_start_alike_act_as_one(kind: Any) -> None:
    name = "centres" if kind is Nearness else "tokens"
    assert equal(lambda: kind(torch.zeros(5, 8)))[name] == (5, 1)
    assert equal(lambda: kind(torch.randn(5, 8))) == {}


def test_learned_states_are_a_warning_and_layers_an_error() -> None:
    def severities(make: Make, added: tuple[str, ...] = ()) -> set[Severity]:
        units = (fact for fact in found(make, added=added) if isinstance(fact, EqualUnits))
        return {finding.severity for fact in units for finding in UnbrokenSymmetry().check(fact)}

    assert severities(lambda: Prompt(torch.zeros(5, 8)), ("tokens",)) == {Severity.WARNING}
    assert severities(lambda: Nearness(torch.ones(5, 8)), ("centres",)) == {Severity.WARNING}
    assert severities(mlp(lambda net: fill(*net))) == {Severity.ERROR}


def test_learned_states_with_outputs_of_their_own_are_told_apart_by_them() -> None:
    assert equal(lambda: Attending(torch.zeros(5, 8))) == {}


def test_states_of_which_the_sum_alone_matters_may_be_alike() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.table = nn.Linear(8, 4), nn.Parameter(torch.zeros(5, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.fc(x) + self.table.mean(0))

    assert found(Net, added=("table",)) == []


class Lonely(nn.Module):
    """A table before a ReLU, between layers without biases."""

    def __init__(self, start: float, act: Callable[[torch.Tensor], torch.Tensor] = torch.relu) -> None:
        super().__init__()
        self.table, self.act = nn.Parameter(torch.full((40, 6), start)), act
        self.one, self.two = nn.Linear(6, 8, bias=False), nn.Linear(8, 2, bias=False)

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        return self.two(self.act(self.one(self.table[index])))


class Squared(nn.Module):
    """A matrix that is kept positive by a square, whose slope at zero is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(8, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.matrix.square()


INDICES = ((torch.arange(20),), {})


def test_a_zero_that_nothing_else_keeps_at_zero_is_found() -> None:
    assert factors(lambda: Lonely(0.0), INDICES) == [("table",)]
    assert factors(Squared) == [("matrix",)]
    assert factors(lambda: Lonely(0.0, nn.functional.leaky_relu), INDICES) == []


def test_a_zero_that_nothing_reads_is_no_start() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.extra = nn.Linear(8, 4), nn.Parameter(torch.zeros(4, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x) + 0.0 * self.extra.sum()

    assert factors(Unused) == []


def test_the_bias_of_a_transposed_convolution_has_no_units() -> None:
    def make() -> nn.Module:
        model = nn.Sequential(nn.ConvTranspose1d(2, 4, 3), nn.Tanh(), nn.Conv1d(4, 2, 3))
        fill(*model[::2], value=0.1)
        return model

    assert equal(make, ((torch.randn(3, 2, 6),), {})) == {"0.weight": (4, 1)}
