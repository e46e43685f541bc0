"""What a tensor holds, and where it was built."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable

import pytest
import torch

from initaudit.probe.record.values import summarize


def test_a_histogram_counts_every_finite_element() -> None:
    values = summarize(torch.tensor([0.0, 0.0, 1.0, 2.0, math.nan, math.inf]))
    assert values is not None
    assert (values.counts[0], values.counts[-1], sum(values.counts)) == (2, 1, 4)


@pytest.mark.parametrize(
    "tensor",
    [torch.full((3,), 2.0), torch.empty(0), torch.tensor([math.nan]), torch.tensor([-1.7e308, 1.7e308]).double()],
    ids=["constant", "empty", "nan", "wider than any number"],
)
def test_what_has_no_width_has_no_histogram(tensor: torch.Tensor) -> None:
    values = summarize(tensor)
    assert values is not None
    assert values.counts == ()


def test_whole_numbers_have_a_histogram_too() -> None:
    values = summarize(torch.arange(48))
    assert values is not None
    assert set(values.counts) == {2}


def test_an_observation_says_where_the_model_was_built(observe: Callable[..., object]) -> None:
    environment = observe(lambda: torch.nn.Linear(2, 2)).observation.environment  # type: ignore[attr-defined]
    assert environment.torch == torch.__version__
    assert environment.python == platform.python_version()
    assert (environment.device, environment.dtype, environment.seed) == ("cpu", "float32", 0)
