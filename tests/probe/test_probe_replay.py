"""What is lost when a model is built on the meta device, gets new memory, and is initialized again."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytest.importorskip("torch", reason="the probe runs with torch")

import torch
from torch import nn

import initaudit
from initaudit.engine import Report
from initaudit.probe.replay.alike import Twice, difference


def replayed(make: Any, **more: Any) -> Report:
    return initaudit.audit(make, replay=True, select=["INI105", "INI106"], isolated=True, **more)


def found(make: Any, **more: Any) -> dict[str, str]:
    """The severity of each finding, by the parameter it is about."""
    report = replayed(make, **more)
    assert not report.errors
    return {f"{one.code} {one.parameter}": one.severity.value for one in report.findings}


def said(make: Any) -> str | None:
    return replayed(make).observations[0].replayed


# A buffer that reset_parameters forgets


class Forgetful(nn.Module):
    def __init__(self, size: int = 6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, size))
        self.register_buffer("scale", torch.full((size,), size**-0.5))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.weight)


class Remembering(Forgetful):
    def reset_parameters(self) -> None:
        super().reset_parameters()
        self.scale.fill_(len(self.scale) ** -0.5)


def test_a_buffer_that_a_reset_forgets_is_garbage() -> None:
    assert found(Forgetful) == {"INI106 scale": "warning"}
    assert found(Remembering) == {}


def test_a_tensor_that_a_reset_writes_in_part_is_garbage_in_part() -> None:
    class Half(Forgetful):
        def reset_parameters(self) -> None:
            super().reset_parameters()
            self.scale[:2].fill_(len(self.scale) ** -0.5)

    (finding,) = replayed(Half).findings
    assert "4 of 6 elements were uninitialized" in finding.evidence[0].detail


# timm's windows


def offsets(side: int) -> torch.Tensor:
    grid = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")).flatten(1)
    shift = (grid[:, :, None] - grid[:, None, :]).permute(1, 2, 0) + side - 1
    return shift[..., 0] * (2 * side - 1) + shift[..., 1]


class Window(nn.Module):
    def __init__(self, side: int = 3) -> None:
        super().__init__()
        self.side = side
        self.table = nn.Parameter(torch.empty((2 * side - 1) ** 2, 1))
        self.register_buffer("index", offsets(side), persistent=False)
        self.qk = nn.Linear(4, 8)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.trunc_normal_(self.table, std=0.02)


class WholeWindow(Window):
    def reset_parameters(self) -> None:
        super().reset_parameters()
        self.index.copy_(offsets(self.side))


class GuardedWindow(nn.Module):
    def __init__(self, side: int = 3) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("index", torch.empty(side**2, side**2, dtype=torch.long), persistent=False)
        self.qk = nn.Linear(4, 8)
        if not self.qk.weight.is_meta:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        self.index.copy_(offsets(self.side))


def test_an_index_that_only_the_constructor_computes_is_garbage() -> None:
    assert found(Window) == {"INI106 index": "warning"}
    assert found(WholeWindow) == {}


def test_a_loader_that_keeps_buffers_real_leaves_what_the_constructor_skips_on_meta() -> None:
    (finding,) = replayed(GuardedWindow).findings
    assert finding.code == "INI106" and "a loader fills them from a checkpoint" in finding.message


# Rotary frequencies


class Rotary(nn.Module):
    def __init__(self, size: int = 8) -> None:
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / 10_000 ** (torch.arange(0, size, 2) / size), persistent=False)


class ResettableRotary(Rotary):
    base = 10_000

    def reset_parameters(self) -> None:
        size = 2 * len(self.inv_freq)
        self.inv_freq = 1.0 / self.base ** (torch.arange(0, size, 2) / size)


class OtherRotary(ResettableRotary):
    base = 500


def attention(rotary: Any) -> Any:
    return lambda: nn.ModuleList([nn.Linear(8, 8), rotary()])


def test_frequencies_without_a_reset_are_garbage_and_the_message_says_that_there_is_none() -> None:
    (finding,) = replayed(attention(Rotary)).findings
    assert finding.code == "INI106" and "Rotary` has no `reset_parameters`" in finding.message
    assert found(attention(ResettableRotary)) == {}


def test_frequencies_that_are_written_otherwise_are_told_from_garbage() -> None:
    (finding,) = replayed(attention(OtherRotary)).findings
    assert finding.code == "INI106" and "uninitialized" not in finding.message
    assert "values from 0.009457 to 1, where the constructor gives values from 0.001 to 1" in finding.message


# torchtitan's models


class Router(nn.Module):
    def __init__(self, experts: int = 4, size: int = 8) -> None:
        super().__init__()
        self.gate = nn.Linear(size, experts, bias=False)
        self.register_buffer("expert_bias", torch.zeros(experts))

    def init_weights(self, init_std: float) -> None:
        nn.init.trunc_normal_(self.gate.weight, std=init_std)


class WholeRouter(Router):
    def init_weights(self, init_std: float) -> None:
        super().init_weights(init_std)
        self.expert_bias.zero_()


class Titan(nn.Module):
    router_class = Router

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(10, 8)
        self.layers = nn.ModuleList([self.router_class() for _ in range(2)])
        self.register_buffer("freqs", self.frequencies(), persistent=False)
        self.init_weights()

    def frequencies(self) -> torch.Tensor:
        return torch.outer(torch.arange(4.0), 1.0 / 100 ** (torch.arange(0, 8, 2) / 8))

    def init_weights(self, buffer_device: torch.device | None = None) -> None:
        with torch.device(buffer_device or self.freqs.device):
            self.freqs = self.frequencies()
        nn.init.normal_(self.emb.weight)
        for layer in self.layers:
            layer.init_weights(0.02)


class WholeTitan(Titan):
    router_class = WholeRouter


def test_a_bias_of_a_router_that_the_trainers_initializer_forgets_is_garbage() -> None:
    assert found(Titan) == {"INI106 expert_bias": "warning"}
    assert found(WholeTitan) == {}
    assert (said(Titan) or "").endswith("to_empty()`, then `test_probe_replay.Titan.init_weights`")


# Values that are written, and are others


class Special(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 64)
        self.emb = nn.Embedding(20, 8, padding_idx=0)
        nn.init.normal_(self.fc.weight, std=0.02)


def test_a_special_scale_that_becomes_torchs_default_is_a_note() -> None:
    (finding,) = replayed(Special).findings
    assert (finding.code, finding.severity.value, finding.parameter) == ("INI105", "note", "fc.weight")
    assert "uninitialized" not in finding.message
    assert "standard deviation 0.02" in finding.message


def test_torchs_own_layers_come_out_as_they_went_in() -> None:
    layers = [nn.Linear(64, 64), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.Embedding(50, 8, padding_idx=0), nn.PReLU()]
    layers += [nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.LSTM(8, 8), nn.GRUCell(8, 8), nn.Bilinear(8, 8, 8)]
    for seed in range(3):
        assert found(lambda: nn.Sequential(*[type_of(layer) for layer in layers]), seed=seed) == {}


def type_of(layer: nn.Module) -> nn.Module:
    """A new layer with the arguments of the list above."""
    arguments: dict[type, tuple[Any, ...]] = {
        nn.Linear: (64, 64), nn.Conv2d: (8, 8, 3), nn.BatchNorm2d: (8,), nn.Embedding: (50, 8, 0), nn.PReLU: (),
        nn.LayerNorm: (8,), nn.GroupNorm: (2, 8), nn.LSTM: (8, 8), nn.GRUCell: (8, 8), nn.Bilinear: (8, 8, 8),
    }  # fmt: skip
    return type(layer)(*arguments[type(layer)])


def test_a_tie_that_new_memory_breaks_is_told_and_one_that_is_made_again_is_not() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(20, 8)
            self.head = nn.Linear(8, 20, bias=False)
            self.head.weight = self.emb.weight

    class TiedAgain(Tied):
        def init_weights(self) -> None:
            self.head.weight = self.emb.weight

    (finding,) = replayed(Tied).findings
    assert "`head.weight` is no longer tied to `emb.weight`" in finding.message
    assert found(TiedAgain) == {}


# Ways


class Late(nn.Module):
    """A model whose `init_weights` adds to what torch's layers do."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 8)
        self.init_weights()

    def init_weights(self) -> None:
        nn.init.zeros_(self.fc.bias)


def test_a_models_own_initializer_runs_after_the_resets_of_its_parts() -> None:
    assert found(Late) == {}
    assert (said(Late) or "").endswith(
        "`reset_parameters` of 2 modules, children first, then `test_probe_replay.Late.init_weights`"
    )


def fill_all(model: nn.Module) -> None:
    for parameter in model.parameters():
        nn.init.ones_(parameter)


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(3))


def test_a_function_of_the_users_initializes_the_model(tmp_path: Any) -> None:
    (tmp_path / "again.py").write_text("import torch\n\ndef fill(model):\n    torch.nn.init.ones_(model.gamma)\n")
    assert found(Bare, reinit=f"{tmp_path / 'again.py'}:fill") == {}


def test_a_model_without_an_initializer_is_not_decided() -> None:
    report = replayed(Bare)
    assert report.findings == () and report.observations[0].replayed is None
    assert any("it has no initializer to run again" in one.reason for one in report.undecided)


def test_a_model_that_cannot_be_built_on_meta_says_why() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            rates = [rate.item() for rate in torch.linspace(0, 1, 3)]
            self.fc = nn.Linear(3, len(rates))

    report = replayed(Counting)
    assert any("cannot be built there: the constructor raised RuntimeError" in one.reason for one in report.undecided)
    assert not report.findings


def test_what_an_initializer_raises_is_said() -> None:
    class Once(Forgetful):
        done = False

        def reset_parameters(self) -> None:
            if self.done:
                raise RuntimeError("not twice")
            self.done = True

    (reason,) = (one.reason for one in replayed(Once).undecided if "on the meta device" in one.reason)
    assert "initializing it again raised RuntimeError: not twice at" in reason


# Whether two draws are alike


def twice(draw: Any) -> Twice:
    values = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        values.append(draw())
    return Twice(*values)


@pytest.mark.parametrize("size", [(1,), (3,), (40,), (64, 64), (1000, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("draw", [torch.randn, torch.rand, lambda size: torch.randn(size) ** 3])
def test_draws_from_one_distribution_are_alike(draw: Any, dtype: torch.dtype, size: tuple[int, ...]) -> None:
    made, again = twice(lambda: draw(size).to(dtype)), twice(lambda: (draw(size), draw(size).to(dtype))[1])
    assert difference(made, again) is None


@pytest.mark.parametrize(
    ("made", "again"),
    [
        (lambda: torch.randn(64, 64) * 0.02, lambda: torch.randn(64, 64) * 0.1),
        (lambda: torch.randn(64, 64), lambda: torch.randn(64, 64) - 4),
        (lambda: torch.zeros(5), lambda: torch.rand(5)),
        (lambda: torch.rand(5), lambda: torch.zeros(5)),
        (lambda: torch.full((5,), 1e-6), lambda: torch.ones(5)),
        (lambda: torch.randn(10, 4).index_fill(0, torch.tensor([3]), 0), lambda: torch.randn(10, 4)),
        (lambda: torch.arange(5), lambda: torch.zeros(5, dtype=torch.long)),
        (lambda: torch.ones(3), lambda: torch.ones(3, dtype=torch.float64)),
    ],
)
def test_other_distributions_are_told_apart(made: Any, again: Any) -> None:
    assert difference(twice(made), twice(again)) is not None


def test_a_scale_that_is_drawn_itself_is_compared_with_how_far_seeds_are_apart() -> None:
    def draw() -> torch.Tensor:
        return torch.randn(64, 64) * math.exp(float(torch.randn(())))

    assert difference(twice(draw), twice(lambda: (torch.rand(3), draw())[1])) is None
