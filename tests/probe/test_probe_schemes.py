"""How the probe names an initialization, and what arithmetic leaves of a distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import init
from torch.nn.init import orthogonal_, trunc_normal_

from initaudit.probe.record.draws import transformed
from initaudit.schemes import Distribution

Observe = Callable[..., Any]


def linear(write: Callable[[nn.Linear], Any]) -> type[nn.Module]:
    """A module with a Linear(3, 4), ``fc``, that this is done to."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)
            write(self.fc)

    return Net


@pytest.mark.parametrize(
    ("write", "scheme"),
    [
        (lambda fc: None, "kaiming_uniform, a=sqrt(5), torch's default"),
        (lambda fc: init.xavier_normal_(fc.weight), "xavier_normal, gain 1"),
        (lambda fc: fc.weight.data.normal_(0, math.sqrt(2) / math.sqrt(7.0)), "xavier_normal, gain 1"),
        (lambda fc: init.xavier_uniform_(fc.weight, gain=init.calculate_gain("tanh")), "xavier_uniform, gain 5/3"),
        (lambda fc: init.kaiming_normal_(fc.weight, mode="fan_out"), "kaiming_normal, fan_out, relu"),
        (lambda fc: orthogonal_(fc.weight, gain=0.5), "orthogonal, gain 0.5"),
        (lambda fc: trunc_normal_(fc.weight, std=0.02), "truncated_normal(0, 0.02, -2, 2)"),
        (lambda fc: init.sparse_(fc.weight, 0.5), "sparse"),
        (lambda fc: init.eye_(fc.weight), "eye"),
        (lambda fc: init.constant_(fc.weight, 0.3), "constant(0.3)"),
        (lambda fc: fc.weight.data.mul_(0), "zeros"),
        (lambda fc: fc.weight.data.uniform_(-1, 1).mul_(0.1), "uniform(-0.1, 0.1)"),
        (lambda fc: fc.weight.data.copy_(torch.randn(4, 3) * 0.02), "normal(0, 0.02)"),
        (lambda fc: fc.weight.data.copy_(torch.arange(12.0).view(4, 3).log()), "torch.log"),
        (lambda fc: fc.weight.data[0].zero_(), "kaiming_uniform, a=sqrt(5), torch's default; zeros in parts"),
        (lambda fc: fc.half(), "kaiming_uniform, a=sqrt(5), torch's default"),
    ],
)
def test_a_scheme_is_named_by_the_write_that_the_values_come_from(
    observe: Observe, write: Callable[[nn.Linear], Any], scheme: str
) -> None:
    named = observe(linear(write))["fc.weight"].scheme
    assert named == scheme or named.startswith(f"{scheme} (here the same as")


@pytest.mark.parametrize(
    ("make", "scheme"),
    [
        (lambda: 0.02 * torch.randn(3, 4), "normal(0, 0.02)"),
        (lambda: torch.rand(3, 4) * 0.2 - 0.1, "uniform(-0.1, 0.1)"),
        (lambda: torch.ones(4) * 1e-6, "constant(1e-06)"),
        (lambda: torch.full((4,), 2.0), "constant(2)"),
        (lambda: torch.ones(4).new_zeros(3), "zeros"),
        (lambda: 1 - torch.ones(4), "zeros"),
        (lambda: torch.tensor([1.0, 2.0]), "torch.tensor"),
        (lambda: torch.randn(3, 4) / 50, "normal(0, 0.02)"),
        (lambda: -torch.randn(3, 4).clone(), "normal(0, 1)"),
        (lambda: torch.cat([torch.zeros(2), torch.zeros(2)]), "zeros"),
    ],
)
def test_a_scheme_is_named_through_the_arithmetic_of_factories(
    observe: Observe, make: Callable[[], torch.Tensor], scheme: str
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(make())

    assert observe(Net)["w"].scheme == scheme


def test_a_truncated_normal_drawn_by_hand_is_one(observe: Observe) -> None:
    def by_hand(weight: torch.Tensor, std: float) -> None:
        low, high = math.erf(-2 / math.sqrt(2)), math.erf(2 / math.sqrt(2))
        with torch.no_grad():
            weight.uniform_(low, high).erfinv_().mul_(std * math.sqrt(2)).add_(0.0).clamp_(-2 * std, 2 * std)

    named = observe(linear(lambda fc: by_hand(fc.weight, 0.02)))["fc.weight"].scheme
    assert named == "truncated_normal(0, 0.02, -0.04, 0.04)"


def test_slices_that_are_drawn_alike_have_one_scheme(observe: Observe) -> None:
    class Fused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Parameter(torch.empty(12, 4))
            for weight in self.qkv.data.chunk(3):
                init.xavier_uniform_(weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x @ self.qkv.t())

    seen = observe(Fused, (2, 4))
    assert seen["qkv"].scheme == "xavier_uniform, gain 1 (here the same as lecun_uniform) in parts"
    ((link,),) = (chain.links for chain in seen.observation.chains)
    assert (link.schemes[0], link.gain, link.fan_in, link.fan_out) == ("xavier_uniform", 1.0, 4, 12)


def test_defaults_of_torch_layers_are_called_so(observe: Observe) -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = nn.LSTM(3, 4)
            self.table = nn.Embedding(5, 4, padding_idx=0)
            self.norm = nn.LayerNorm(4)

    seen = observe(Layers)
    assert seen["recurrent.weight_ih_l0"].scheme == "uniform(-0.5, 0.5), torch's default"
    assert seen["table.weight"].scheme == "normal(0, 1), torch's default; zeros in parts"
    assert (seen["norm.weight"].scheme, seen["norm.bias"].scheme) == ("ones", "zeros")


def normal_(weight: torch.Tensor, std: float) -> None:
    """A wrapper such as frameworks have around the function of the same name."""
    init.normal_(weight, 0.0, std)


def test_a_write_is_told_with_its_line_and_its_cause(observe: Observe) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)
            self.apply(self.initialize)  # the cause

        def initialize(self, module: nn.Module) -> None:
            if isinstance(module, nn.Linear):
                normal_(module.weight, 0.02)  # the writer

    write = observe(Net)["fc.weight"].writes[-1]
    lines = open(__file__, encoding="utf-8").read().splitlines()  # noqa: PTH123, SIM115
    assert write.by == "init.normal_"
    assert "# the writer" in lines[write.place.row - 1]
    assert "# the cause" in lines[write.cause.row - 1]


steps = st.lists(
    st.tuples(st.sampled_from(["mul", "div", "add", "sub", "rsub"]), st.floats(0.1, 4).map(lambda x: round(x, 3))),
    max_size=4,
)


@given(steps, st.sampled_from(["uniform", "normal"]))
def test_a_transformed_distribution_is_that_of_the_transformed_draws(
    steps: list[tuple[str, float]], family: str
) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.empty(4000, dtype=torch.float64)
    drawn = drawn.uniform_(generator=generator) if family == "uniform" else drawn.normal_(generator=generator)
    spread = Distribution(family="normal", mean=0.0, std=1.0)
    if family == "uniform":
        spread = Distribution(family="uniform", mean=0.5, std=1 / math.sqrt(12), low=0.0, high=1.0)
    for name, number in steps:
        drawn = torch.rsub(drawn, number) if name == "rsub" else getattr(torch, name)(drawn, number)
        after = transformed(f"{name}_", spread, [number])
        assert after is not None
        spread = after
    assert spread.mean is not None and spread.std is not None
    assert math.isclose(drawn.std().item(), spread.std, rel_tol=0.05)
    assert abs(drawn.mean().item() - spread.mean) < 0.1 * spread.std
    if spread.low is not None and spread.high is not None:
        assert spread.low - 1e-9 <= drawn.min().item() and drawn.max().item() <= spread.high + 1e-9


def test_what_has_no_closed_form_has_no_name() -> None:
    normal = Distribution(family="normal", mean=0.0, std=1.0)
    identity = Distribution(family="identity")
    assert transformed("exp", normal, []) is None
    assert transformed("mul", normal, [float("nan")]) is None
    assert transformed("div", normal, [0]) is None
    assert transformed("add", normal, [1.0, 2.0]) is None
    assert transformed("clamp", normal, [-1, 1]) is None
    assert transformed("erfinv", normal, []) is None
    assert transformed("mul", identity, [2.0]) is None
