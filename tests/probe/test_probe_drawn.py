"""What a weight was drawn from and how it is used, stated for the weights that user code drew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import init

from initaudit.subjects.weights import WeightUse

Observe = Callable[..., Any]


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1)
        self.default = nn.Conv2d(8, 8, 3, padding=1)
        self.out = nn.Conv2d(8, 3, 3)
        self.table = nn.Embedding(5, 8)
        init.kaiming_normal_(self.up.weight, nonlinearity="relu")
        init.normal_(self.out.weight, std=0.02)
        init.normal_(self.table.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.default(torch.relu(self.up(x)))))


def uses(seen: Any) -> dict[str, WeightUse]:
    return {fact.use: fact for fact in seen.observation.facts if isinstance(fact, WeightUse)}


def test_weights_that_torch_drew_and_tables_are_nobodys_choice(observe: Observe) -> None:
    assert set(uses(observe(Decoder, (32, 8, 8, 8)))) == {"up.weight", "out.weight"}


def test_a_transposed_convolution_sums_over_fewer_inputs_than_its_kernel_has(observe: Observe) -> None:
    seen = observe(Decoder, (32, 8, 8, 8))
    up = uses(seen)["up.weight"]
    assert up.fan_in == 8 * 16 // 4 and up.schemes[0].fan_in == 8 * 16
    assert [code for code in seen.codes if code == "INI405"] == ["INI405"]


def test_what_scale_alone_is_says_nothing(observe: Observe) -> None:
    seen = observe(Decoder, (32, 8, 8, 8))
    assert uses(seen)["out.weight"].distribution.std == 0.02
    assert not {"INI403", "INI407"} & set(seen.codes)


class Columns(nn.Module):
    """States that are learned, and look at one another before anything of the input is added to them."""

    def __init__(self, *, fed: bool = False) -> None:
        super().__init__()
        self.states = nn.Parameter(torch.randn(8, 8))
        self.fed = fed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states = self.states.expand(len(x), -1, -1)
        mixed = torch.einsum("bid,bjd->bij", states, states).softmax(-1) @ states
        return x @ self.states.t() if self.fed else mixed + x[:, None]


def test_a_learned_state_that_meets_itself_is_no_weight(observe: Observe) -> None:
    assert uses(observe(Columns, (32, 8))) == {}
    assert set(uses(observe(lambda: Columns(fed=True), (32, 8)))) == {"states"}
