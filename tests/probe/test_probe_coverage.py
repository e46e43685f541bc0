"""Which elements the probe says nobody wrote: exact counts, whatever happens to the memory in between."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch as t
from torch import nn
from torch.nn import init
from torch.nn.utils import prune

from initaudit.timeline import Coverage, Kind

Observe = Callable[..., Any]


class Raw(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(t.Tensor(3, 4))


def holder(make: Callable[[], torch.Tensor]) -> type[nn.Module]:
    """A module whose only parameter, ``w``, is what this gives."""

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            made = make()
            self.w = nn.Parameter(made, requires_grad=made.is_floating_point())

    return Holder


def test_a_parameter_of_raw_memory_was_never_written_in_any_element(observe: Observe) -> None:
    seen = observe(Raw)
    weight = seen["weight"]
    assert (weight.coverage, weight.unwritten.elements, weight.unwritten.total) == (Coverage.NEVER, 12, 12)
    assert (weight.allocation.call, weight.allocation.legacy) == ("torch.Tensor", True)
    assert weight.model.endswith(".Raw")
    assert seen.codes == ["INI101"]


def test_the_span_of_an_allocation_is_that_of_the_call(observe: Observe) -> None:
    place = observe(Raw)["weight"].allocation.place
    lines = open(__file__, encoding="utf-8").read().splitlines()  # noqa: PTH123, SIM115
    assert lines[place.row - 1][place.column - 1 : place.end_column - 1] == "t.Tensor(3, 4)"


@pytest.mark.parametrize(
    ("written", "elements"),
    [
        pytest.param(lambda w: w[:2].normal_(), 12, id="rows"),
        pytest.param(lambda w: w[:, ::2].zero_(), 10, id="every other column"),
        pytest.param(lambda w: w.view(-1)[3:].fill_(1), 3, id="a view of all but three"),
        pytest.param(lambda w: w.fill_diagonal_(1.0), 16, id="a diagonal"),
        pytest.param(lambda w: w[w.new_zeros(5, 4, dtype=torch.bool)].normal_(), 20, id="a copy"),
        pytest.param(lambda w: torch.full_like(w, 1.0), 20, id="a result that is dropped"),
    ],
)
def test_elements_that_a_partial_write_leaves_are_counted(
    observe: Observe, written: Callable[[torch.Tensor], Any], elements: int
) -> None:
    def make() -> torch.Tensor:
        weight = torch.empty(5, 4)
        written(weight)
        return weight

    seen = observe(holder(make))
    assert (seen["w"].unwritten.elements, seen["w"].unwritten.total) == (elements, 20)
    assert ("INI101" if elements == 20 else "INI102") in seen.codes


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: torch.empty(8).uniform_(-1, 1), id="chain"),
        pytest.param(lambda: torch.empty(8).copy_(torch.ones(8)), id="copy_"),
        pytest.param(lambda: torch.ones(2).resize_(2), id="resize_ to the same size"),
        pytest.param(lambda: torch.stack([torch.zeros(4), torch.ones(4)]), id="stack"),
        pytest.param(lambda: torch.tensor([1.0, float("nan")]), id="NaN that was meant"),
        pytest.param(lambda: torch.eye(3, out=torch.empty(3, 3)), id="out="),
        pytest.param(lambda: torch.empty(0), id="no elements"),
        pytest.param(lambda: torch.randn(3, 4).t(), id="transposed"),
    ],
)
def test_memory_that_is_written_is_written_however(observe: Observe, make: Callable[[], torch.Tensor]) -> None:
    assert observe(holder(make))["w"].coverage is Coverage.WRITTEN


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: torch.empty(8), id="empty"),
        pytest.param(lambda: torch.empty_like(torch.ones(8)), id="empty_like"),
        pytest.param(lambda: torch.ones(1).new_empty(8), id="new_empty"),
        pytest.param(lambda: torch.ones(1).new(8), id="new"),
        pytest.param(lambda: torch.empty_strided((2, 4), (4, 1)), id="empty_strided"),
        pytest.param(lambda: torch.FloatTensor(8), id="FloatTensor"),
        pytest.param(lambda: torch.empty(8, dtype=torch.bfloat16), id="bfloat16"),
        pytest.param(lambda: torch.empty(8, dtype=torch.complex64), id="complex"),
        pytest.param(lambda: torch.empty(8, dtype=torch.int64), id="integers"),
        pytest.param(lambda: torch.empty(4).half().float().repeat(2), id="converted and repeated"),
        pytest.param(lambda: copy.deepcopy(torch.empty(8)), id="a deep copy"),
        pytest.param(lambda: torch.nan_to_num(torch.empty(8)), id="nan_to_num"),
        pytest.param(lambda: torch.empty(8) * 0, id="times zero"),
        pytest.param(lambda: torch.empty(8).argsort().float(), id="argsort"),
        pytest.param(lambda: torch.zeros(4).copy_(torch.empty(4)).repeat(2), id="copied in"),
    ],
)
def test_memory_that_is_not_written_is_found_behind_what_was_made_of_it(
    observe: Observe, make: Callable[[], torch.Tensor]
) -> None:
    weight = observe(holder(make))["w"]
    assert weight.coverage is Coverage.NEVER
    assert weight.unwritten.elements == weight.unwritten.total == 8
    assert weight.allocation.raw


def test_what_a_resize_adds_is_raw(observe: Observe) -> None:
    weight = observe(holder(lambda: torch.ones(3).resize_(8)))["w"]
    assert (weight.coverage, weight.unwritten.elements) == (Coverage.PARTIAL, 5)


def test_raw_numpy_memory_is_raw_and_a_write_through_numpy_is_a_write(observe: Observe) -> None:
    import numpy

    assert observe(holder(lambda: torch.from_numpy(numpy.empty((300, 4)))))["w"].unwritten.elements == 1200
    assert numpy.empty.__name__ == "empty" and not hasattr(numpy.empty, "__wrapped__")

    def make() -> torch.Tensor:
        weight = torch.empty(4)
        weight.numpy()[:] = 1
        return weight

    assert observe(holder(make)).codes == []


def test_a_parameter_whose_data_are_swapped_is_what_they_are(observe: Observe) -> None:
    class Swapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.good = nn.Parameter(torch.empty(3))
            self.good.data = torch.randn(3)
            self.bad = nn.Parameter(torch.randn(3))
            self.bad.data = torch.empty(3)

    seen = observe(Swapped)
    assert (seen["good"].coverage, seen["bad"].coverage) == (Coverage.WRITTEN, Coverage.NEVER)


def test_tied_weights_are_one_parameter_with_two_paths(observe: Observe) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 3)
            self.head = nn.Linear(3, 5, bias=False)
            self.head.weight = self.table.weight = nn.Parameter(torch.empty(5, 3))

    seen = observe(Tied)
    assert [(one.path, one.name) for one in seen.observation.parameters] == [
        ("table.weight", "table.weight"),
        ("head.weight", "table.weight"),
    ]
    assert set(seen.codes) == {"INI101"}


def test_copies_of_a_layer_have_the_life_of_the_original(observe: Observe) -> None:
    class Copies(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.Linear(3, 4)
            init.orthogonal_(layer.weight)
            self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(2))
            self.half()

    seen = observe(Copies)
    assert seen["layers.1.weight"].scheme == "orthogonal, gain 1"
    assert seen["layers.0.weight"].writes[-1].by == "init.orthogonal_"


def test_torch_layers_and_what_keeps_or_loads_them_are_clean(observe: Observe) -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loaded = nn.utils.skip_init(nn.Linear, 3, 4)
            self.loaded.load_state_dict({"weight": torch.ones(4, 3), "bias": torch.zeros(4)})
            self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
            self.turned = nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))
            self.bounded = nn.utils.spectral_norm(nn.Linear(3, 4))
            self.recurrent = nn.LSTM(3, 4)
            self.attention = nn.MultiheadAttention(4, 2)
            self.pruned = prune.random_unstructured(nn.Linear(3, 4), "weight", 0.5)

    assert observe(Layers).codes == []


def test_torchs_transformer_is_clean(observe: Observe) -> None:
    seen = observe(
        nn.Transformer, (5, 2, 16), (4, 2, 16), d_model=16, nhead=2, num_encoder_layers=1, num_decoder_layers=1
    )
    assert seen.codes == []
    assert seen["encoder.layers.0.self_attn.in_proj_weight"].scheme == "xavier_uniform, gain 1, torch's default"


def test_skip_init_and_to_empty_leave_a_layer_raw(observe: Observe) -> None:
    class Skipped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.utils.skip_init(nn.Linear, 3, 4)
            self.two = nn.Linear(3, 4, device="meta").to_empty(device="cpu")

    assert observe(Skipped).codes == ["INI101"] * 4


def test_what_has_no_memory_yet_is_undecided_and_said(observe: Observe) -> None:
    class Later(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.meta = nn.Linear(3, 4, bias=False, device="meta")
            self.lazy = nn.LazyLinear(4)

    seen = observe(Later)
    assert seen["meta.weight"].coverage is Coverage.UNKNOWN
    assert [reason for reason in seen.reasons if "meta device" in reason]
    assert len([reason for reason in seen.reasons if "lazy" in reason]) == 2
    assert seen.codes == []


def test_a_module_with_packed_storage_waits_for_its_loader(observe: Observe) -> None:
    class Quantized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.packed = nn.Parameter(torch.empty(8, 4, dtype=torch.uint8), requires_grad=False)
            self.scale = nn.Parameter(torch.empty(8))

    seen = observe(Quantized)
    assert seen.codes == []
    assert [reason for reason in seen.reasons if "loader" in reason]


def test_a_buffer_is_judged_by_whether_the_forward_reads_it_first(observe: Observe) -> None:
    class Buffers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)
            self.register_buffer("workspace", torch.empty(2, 4))
            self.register_buffer("mean", torch.empty(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.workspace.copy_(self.fc(x))
            return self.workspace - self.mean

    seen = observe(Buffers, (2, 3))
    assert (seen["workspace"].read_first, seen["mean"].read_first) == (False, True)
    assert seen["workspace"].kind is Kind.BUFFER
    assert seen.codes == ["INI103"]
    undecided = observe(Buffers, (9, 9))
    assert undecided["mean"].read_first is None
    assert [reason for reason in undecided.reasons if "the forward raised" in reason]


def test_the_declaring_class_is_the_one_whose_code_allocates(observe: Observe) -> None:
    class Base(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.ParameterList([nn.Parameter(torch.empty(2)) for _ in range(2)])
            self.fc = nn.Sequential(nn.Linear(2, 2))

    class Derived(Base):
        pass

    seen = observe(Derived)
    assert seen["weights.1"].model.endswith(".Base")
    assert seen["fc.0.weight"].name == "fc.0.weight"
    assert seen["fc.0.weight"].allocation.call == "nn.Linear"


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantized_buffers_are_compared_by_their_integers(observe: Observe) -> None:
    class Quantized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("each", torch.quantize_per_tensor(torch.randn(4, 4), 0.1, 0, torch.qint8))
            self.register_buffer("raw", torch.quantize_per_tensor(torch.empty(4, 4), 0.1, 0, torch.qint8))

    seen = observe(Quantized)
    assert (seen["each"].coverage, seen["raw"].coverage) == (Coverage.WRITTEN, Coverage.UNKNOWN)
    assert any("packed storage" in reason for reason in seen.reasons)
