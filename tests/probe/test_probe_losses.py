"""The initial loss where only a guess says that an output is over classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Observe = Callable[..., Any]
MEANS = torch.tensor([273.15, 1013.0, 40.0])


class Added(nn.Module):
    """A last layer that multiplies and adds by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(0.1 * torch.randn(32, 3)), nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, x, self.weight)


class Weather(nn.Module):
    """Quantities far from zero; the last layer starts at their means."""

    def __init__(self, last: Callable[[], Any], std: float | None = None) -> None:
        super().__init__()
        self.output_dim = 3
        self.body, self.out = nn.Linear(8, 32), last()
        with torch.no_grad():
            self.out.bias.copy_(MEANS)
            if std is not None:
                self.out.weight.normal_(0, std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.body(x))
        return self.out(x.unsqueeze(-1)).flatten(1) if isinstance(self.out, nn.Conv1d) else self.out(x)


LAST = [lambda: nn.Linear(32, 3), Added, lambda: nn.Conv1d(32, 3, 1)]


@pytest.mark.parametrize("last", LAST)
def test_a_regression_that_starts_at_the_mean_is_not_too_sure(observe: Observe, last: Any) -> None:
    assert observe(lambda: Weather(last), (32, 8)).codes == []


@pytest.mark.parametrize("last", LAST)
def test_weights_that_are_too_large_for_either_are_told_beside_it(observe: Observe, last: Any) -> None:
    assert observe(lambda: Weather(last, std=50.0), (32, 8)).codes == ["INI705"]


class Loud(nn.Module):
    """A body whose output is small, and a last layer of which nothing is known."""

    def __init__(self, body: nn.Module, std: float) -> None:
        super().__init__()
        self.body, self.last = body, nn.Linear(64, 6)
        nn.init.normal_(self.last.weight, std=std)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(0.1 * self.body(x))


BODIES: list[Callable[[], nn.Module]] = [
    lambda: nn.Sequential(nn.Linear(16, 64), nn.LayerNorm(64)),
    lambda: nn.Sequential(nn.Linear(16, 64), nn.LayerNorm(64), nn.Tanh()),
    lambda: nn.Sequential(nn.Linear(16, 64, bias=False), nn.BatchNorm1d(64)),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_last_layer_that_alone_makes_the_loss_large_is_told_of_any_output(observe: Observe, body: Any) -> None:
    seen = observe(lambda: Loud(body(), 8.0), (64, 16))
    (finding,) = seen.findings
    assert (finding.code, finding.parameter) == ("INI705", "last.weight") and "if the output" in finding.message


@pytest.mark.parametrize("body", BODIES)
def test_an_output_that_is_as_large_by_what_it_is_given_may_be_anything(observe: Observe, body: Any) -> None:
    def scaled() -> nn.Module:
        return nn.Sequential(body(), Times(6.0), nn.Linear(64, 6))

    assert observe(scaled, (64, 16)).codes == []


class Times(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.by * x


class Streams(nn.Module):
    """The sum of a value and of advantages, as logarithms over the 21 atoms of a return."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(24, 64), nn.ReLU())
        self.value, self.advantage = nn.Linear(64, 21), nn.Linear(64, 84)
        nn.init.normal_(self.advantage.weight, std=std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(x)
        advantage = self.advantage(x).unflatten(-1, (4, 21))
        return (self.value(x)[:, None] + advantage - advantage.mean(1, keepdim=True)).log_softmax(-1)


class Letters(nn.Module):
    """A last convolution with a ReLU, before the logarithms."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.last = nn.Conv1d(16, 12, 1)
        nn.init.normal_(self.last.weight, std=std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.last(x)).log_softmax(1)


class Fields(nn.Module):
    """One layer for three classifiers of ten classes."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.last = nn.Linear(16, 30)
        nn.init.normal_(self.last.weight, std=std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x).view(-1, 3, 10).log_softmax(-1)


class Both(nn.Module):
    """The loss of the sum of two heads, which is all that is returned."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(16, 10), nn.Linear(16, 10)
        nn.init.normal_(self.one.weight, std=std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        labels = torch.arange(len(x)) % 10
        return nn.functional.cross_entropy(self.one(x) + self.two(x.flip(-1)), labels)


ENDS = [(Streams, (64, 24)), (Letters, (32, 16, 8)), (Fields, (64, 16)), (Both, (64, 16))]


@pytest.mark.parametrize(("model", "shape"), ENDS)
def test_logarithms_that_sum_to_one_are_over_classes_whatever_made_them(
    observe: Observe, model: Any, shape: Any
) -> None:
    assert "INI705" in observe(lambda: model(6.0), shape).codes
    sound = observe(lambda: model(0.01), shape)
    assert "INI705" not in sound.codes
    assert sound.observation.signal.losses


class Logarithms(nn.Module):
    """Negative numbers that are no distribution over an axis of the output."""

    def __init__(self, final: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.last, self.final = nn.Linear(16, 8), final
        nn.init.normal_(self.last.weight, std=6.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.final(self.last(x))


OTHERS: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda x: nn.functional.logsigmoid(x),
    lambda x: -nn.functional.softplus(x),
    lambda x: x.log_softmax(0),
    lambda x: x.view(-1, 8, 1).log_softmax(-1),
]


@pytest.mark.parametrize("final", OTHERS)
def test_other_logarithms_are_not_over_classes(observe: Observe, final: Any) -> None:
    assert not observe(lambda: Logarithms(final), (64, 16)).observation.signal.losses
