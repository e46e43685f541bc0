"""How a forward uses what construction left unwritten, and what is given to it for that forward."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.forward.control import run_forward
from initaudit.probe.record.poison import Make, control_build, judge
from initaudit.probe.request import Target
from initaudit.timeline import Role, Usage
from tests.probe.conftest import DEFINITION


class Uses(nn.Module):
    """A model with one raw parameter ``p``, whose use a function says."""

    use: Any = None

    def __init__(self, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 8)
        self.p = nn.Parameter(torch.empty(*shape, dtype=dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.use(self.fc(x), self.p)


def used(make: Make, *size: int) -> dict[str, Usage]:
    """The usages of the raw parameters of a model."""
    target = Target(spec="tests:Net", input_sizes=(size or (4, 6),))
    control = control_build(make, 0)
    timelines = Timelines(control, judge(make, 0), DEFINITION, target.spec)
    return run_forward(control.model, timelines, target, make).usages


def used_by(use: Any, *shape: int, dtype: torch.dtype = torch.float32) -> Usage:
    """How a function of the hidden layer and the parameter uses the latter."""

    class Net(Uses):
        pass

    Net.use = staticmethod(use)
    return used(lambda: Net(*shape, dtype=dtype))["p"]


@pytest.mark.parametrize(
    ("use", "shape", "role", "filled"),
    [
        (lambda h, p: h * p, (8,), Role.FACTOR, "ones"),
        (lambda h, p: h * p.view(1, -1).expand_as(h), (8,), Role.FACTOR, "ones"),
        (lambda h, p: h.mul_(p), (8,), Role.FACTOR, "ones"),
        (lambda h, p: h / p, (8,), Role.FACTOR, "ones"),
        (lambda h, p: F.layer_norm(h, (8,), p), (8,), Role.FACTOR, "ones"),
        (lambda h, p: F.layer_norm(h, (8,), None, p), (8,), Role.OFFSET, "zeros"),
        (lambda h, p: h + p, (8,), Role.OFFSET, "zeros"),
        (lambda h, p: h - p, (1,), Role.OFFSET, "zeros"),
        (lambda h, p: F.linear(h, torch.ones(3, 8), p), (3,), Role.OFFSET, "zeros"),
        (lambda h, p: h * p.exp(), (8,), Role.FACTOR, "zeros"),
        (lambda h, p: h * (1 + p), (8,), Role.FACTOR, "zeros"),
        (lambda h, p: h * torch.sigmoid(p), (1,), Role.FACTOR, "zeros"),
        (lambda h, p: h * F.softplus(p), (1,), Role.FACTOR, "ones"),
        (lambda h, p: h * torch.softmax(p, 0)[1], (3,), Role.FACTOR, "zeros"),
        (lambda h, p: F.prelu(h, p), (1,), Role.SLOPE, "0.25"),
        (lambda h, p: h @ p, (8, 16), Role.WEIGHT, "N(0, 0.354)"),
        (lambda h, p: F.linear(h, p), (16, 8), Role.WEIGHT, "N(0, 0.354)"),
        (lambda h, p: torch.einsum("bi,kio->bko", h, p), (2, 8, 16), Role.WEIGHT, "N(0, 0.354)"),
        (lambda h, p: (h * p).sum(-1), (8,), Role.WEIGHT, "N(0, 0.354)"),
        (lambda h, p: F.conv1d(h.unsqueeze(1), p), (4, 1, 3), Role.WEIGHT, "N(0, 0.577)"),
        (lambda h, p: (h.cfloat() @ torch.view_as_complex(p)).real, (8, 5, 2), Role.WEIGHT, "N(0, 0.25)"),
        (lambda h, p: torch.cat([h, p.expand(len(h), -1)], 1), (1, 8), Role.TABLE, "N(0, 0.02)"),
        (lambda h, p: F.embedding((h[:, 0] > 0).long(), p), (2, 8), Role.TABLE, "N(0, 0.02)"),
        (lambda h, p: p[(h[:, 0] > 0).long()], (2, 8), Role.TABLE, "N(0, 0.02)"),
        (lambda h, p: h.unsqueeze(1) + p, (5, 8), Role.TABLE, "N(0, 0.02)"),
        (lambda h, p: torch.where(h > 0, h, p), (8,), Role.TABLE, "N(0, 0.02)"),
        (lambda h, p: h, (8,), None, "N(0, 0.02)"),
    ],
)  # fmt: skip
def test_the_values_follow_from_the_use(use: Any, shape: tuple[int, ...], role: Role | None, filled: str) -> None:
    found = used_by(use, *shape)
    assert (found.role, found.filled) == (role, filled)


def test_a_weight_that_is_scaled_before_it_meets_the_data_is_still_a_weight() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.v = nn.Parameter(torch.empty(8, 6))
            self.g = nn.Parameter(torch.empty(8, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(x, self.g * self.v / self.v.norm(dim=1, keepdim=True))

    found = used(Scaled)
    assert (found["v"].role, found["v"].inputs, found["v"].mode) == (Role.WEIGHT, 6, "fan_in")
    assert found["g"].role is Role.FACTOR


def test_both_factors_of_a_low_rank_product_are_weights() -> None:
    class Adapter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 8)
            self.a, self.b = nn.Parameter(torch.empty(2, 6)), nn.Parameter(torch.empty(8, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(x, self.fc.weight + self.b @ self.a)

    found = used(Adapter)
    assert {name: (one.role, one.inputs) for name, one in found.items()} == {
        "a": (Role.WEIGHT, 2),
        "b": (Role.WEIGHT, 2),
    }


def test_learned_queries_that_go_into_a_layer_are_a_table() -> None:
    class Queries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.queries = nn.Parameter(torch.empty(5, 6))
            self.key, self.value = nn.Linear(6, 8), nn.Linear(6, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.key(self.queries) @ self.value(x).T, -1)

    assert used(Queries)["queries"].role is Role.TABLE


def test_what_follows_a_weight_is_known() -> None:
    assert used_by(lambda h, p: torch.relu(h @ p), 8, 16).activation == "relu"


def test_a_running_mean_is_an_offset_and_a_running_variance_a_factor() -> None:
    class Whitened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 8)
            self.register_buffer("mean", torch.empty(8))
            self.register_buffer("var", torch.empty(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.batch_norm(self.fc(x), self.mean, self.var)  # type: ignore[arg-type]

    found = used(Whitened)
    assert (found["mean"].filled, found["var"].filled) == ("zeros", "ones")


def test_what_construction_wrote_keeps_its_values() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.p = nn.Parameter(torch.empty(4, 6))
            self.p.data[:2] = 7.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(x, self.p)

    target = Target(spec="tests:Net", input_sizes=((4, 6),))
    control = control_build(Half, 0)
    timelines = Timelines(control, judge(Half, 0), DEFINITION, target.spec)
    run_forward(control.model, timelines, target, Half)
    p = control.model.p.detach()  # type: ignore[union-attr]
    assert bool((p[:2] == 7).all())
    assert 0 < float(p[2:].std()) < 2 / math.sqrt(6)


def test_a_complex_weight_is_drawn_as_one() -> None:
    found = used_by(lambda h, p: (h.cfloat() @ p).real, 8, 5, dtype=torch.complex64)
    assert found.filled == "N(0, 0.354)"
