"""What follows what in a forward: by data flow, whatever the order of modules and the spelling of an activation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn import init

Observe = Callable[..., Any]
Forward = Callable[[nn.Module, torch.Tensor], torch.Tensor]


def net(forward: Forward) -> Callable[[], nn.Module]:
    """Three Xavier layers, ``a``, ``b`` and ``c``, and a forward."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(8, 8) for _ in range(3))
            self.recurrent = nn.LSTM(8, 8, batch_first=True)
            self.norm = nn.RMSNorm(8)
            for layer in (self.a, self.b, self.c):
                init.xavier_normal_(layer.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return forward(self, x)

    return Net


def gelu_by_hand(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(
    ("activate", "key"),
    [
        (F.relu, "relu"),
        (F.relu_, "relu"),
        (lambda x: x.clamp(min=0), "relu"),
        (F.relu6, "relu6"),
        (lambda x: F.leaky_relu(x, 0.2), "leaky_relu"),
        (F.selu, "selu"),
        (F.silu, "silu"),
        (lambda x: x * torch.sigmoid(x), "silu"),
        (lambda x: F.gelu(x, approximate="tanh"), "gelu"),
        (gelu_by_hand, "gelu"),
        (lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))), "gelu"),
        (torch.tanh, "tanh"),
        (lambda x: F.relu(F.dropout(x).view(2, 2, 8).transpose(0, 1) * 2 + 1).reshape(4, 8), "relu"),
        (lambda x: F.relu(torch.tanh(x)), "tanh"),
        (lambda x: x * 2, None),
        (torch.erf, None),
    ],
)
def test_an_activation_is_known_however_it_is_spelled(
    observe: Observe, activate: Callable[[torch.Tensor], torch.Tensor], key: str | None
) -> None:
    seen = observe(net(lambda model, x: model.b(activate(model.a(x)))), (4, 8))
    assert seen.follows == [[("a.weight", key), ("b.weight", None)]]


@pytest.mark.parametrize(
    ("forward", "follows"),
    [
        pytest.param(
            lambda net, x: net.b(F.relu(net.a(torch.tanh(net.c(x))))),
            [[("c.weight", "tanh"), ("a.weight", "relu"), ("b.weight", None)]],
            id="used in another order than defined",
        ),
        pytest.param(lambda net, x: F.relu(x @ net.a.weight + net.a.bias), [[("a.weight", "relu")]], id="matmul"),
        pytest.param(
            lambda net, x: F.relu(torch.einsum("bi,io->bo", x, net.a.weight)), [[("a.weight", "relu")]], id="einsum"
        ),
        pytest.param(
            lambda net, x: F.relu(F.linear(x.double(), net.a.weight.double())), [[("a.weight", "relu")]], id="cast"
        ),
        pytest.param(lambda net, x: F.relu(net.norm(net.a(x))), [], id="RMSNorm"),
        pytest.param(
            lambda net, x: F.relu((h := net.a(x)) * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)),
            [],
            id="RMSNorm by hand",
        ),
        pytest.param(
            lambda net, x: F.relu((h := net.a(x)) / (h.std(-1, keepdim=True) + 1e-5)), [], id="LayerNorm by hand"
        ),
        pytest.param(lambda net, x: F.relu(F.normalize(net.a(x))), [], id="normalize"),
        pytest.param(lambda net, x: F.relu(net.recurrent(net.a(x)[:, None])[0]), [], id="LSTM"),
        pytest.param(lambda net, x: net.a(x).softmax(-1), [[("a.weight", "softmax")]], id="softmax"),
    ],
)
def test_signals_are_followed_by_data_flow(observe: Observe, forward: Forward, follows: object) -> None:
    assert observe(net(forward), (4, 8)).follows == follows


def test_xavier_before_a_relu_is_reported_and_before_a_tanh_it_is_not(observe: Observe) -> None:
    assert observe(net(lambda net, x: F.relu(net.a(x))), (4, 8)).codes == ["INI401"]
    assert observe(net(lambda net, x: torch.tanh(net.a(x))), (4, 8)).codes == []


class Stack(nn.Module):
    def __init__(self, depth: int, residual: str = "none") -> None:
        super().__init__()
        self.residual = residual
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(depth))
        for layer in self.layers:
            init.xavier_normal_(layer.weight)
            init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = x
        for layer in self.layers:
            hidden = hidden + F.relu(layer(hidden)) if self.residual == "each" else F.relu(layer(hidden))
        return hidden + x if self.residual == "whole" else hidden


def test_the_scale_that_a_deep_chain_loses_is_measured(observe: Observe) -> None:
    seen = observe(Stack, (32, 16), depth=12)
    (chain,) = seen.observation.chains
    assert len(chain.links) == 12 and not chain.normalized
    assert 1.0 < chain.lost_decades < 2.5  # about 0.15 a layer
    assert {link.place.row for link in chain.links} == {chain.links[0].place.row}


def test_residual_blocks_keep_the_scale_and_a_skip_around_a_deep_chain_does_not(observe: Observe) -> None:
    blocks = observe(Stack, (4, 16), depth=12, residual="each")
    assert all(chain.normalized for chain in blocks.observation.chains)
    assert blocks.codes == []
    (chain,) = observe(Stack, (4, 16), depth=12, residual="whole").observation.chains
    assert not chain.normalized


def test_a_chain_ends_at_a_weight_that_nobody_initialized(observe: Observe) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)
            init.xavier_normal_(self.a.weight)
            self.raw = nn.Parameter(torch.empty(4, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(F.relu(self.a(x)) @ self.raw)

    seen = observe(Net, (2, 4))
    assert seen.follows == [[("a.weight", "relu")]]
    assert sorted(seen.codes) == ["INI101", "INI401"]


def test_convolutions_have_their_true_fans(observe: Observe) -> None:
    class Convolutions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(4, 6, 4, stride=2)
            self.grouped = nn.Conv2d(6, 12, 3, groups=3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.grouped(F.relu(self.up(x)))

    ((up, grouped),) = (chain.links for chain in observe(Convolutions, (2, 4, 5, 5)).observation.chains)
    assert (up.fan_in, up.fan_out) == (4 * 16 // 4, 6 * 16)
    assert (grouped.fan_in, grouped.fan_out) == (2 * 9, 4 * 9)


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [((), "its inputs are unknown"), (((2, 3),), "the forward raised")],
)
def test_without_a_forward_the_reason_is_said(
    observe: Observe, sizes: tuple[tuple[int, ...], ...], reason: str
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = nn.Bilinear(4, 4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.pair(x, x)

    seen = observe(Net, *sizes)
    assert seen.observation.chains == ()
    assert [one for one in seen.reasons if "chains" in one and reason in one]


def test_the_mode_of_the_model_and_the_fast_path_of_torch_are_left_as_they_were(observe: Observe) -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    observe(net(lambda net, x: net.a(x)), (9, 9))
    assert torch.backends.mha.get_fastpath_enabled() is before


def test_layers_without_a_shape_are_measured_by_nobody_and_stop_no_forward(observe: Observe) -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LazyBatchNorm1d()
            self.fc = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.fc(self.norm(x)))

    assert observe(Lazy, (32, 8)).follows == [[("fc.weight", "relu")]]


def test_what_is_on_the_meta_device_is_not_run(observe: Observe) -> None:
    class Meta(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8, device="meta")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x.to("meta"))

    seen = observe(Meta, (32, 8))
    assert seen.codes == [] and any("on the meta device and have no values" in reason for reason in seen.reasons)
