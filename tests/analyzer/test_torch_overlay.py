"""What torch does is found by qualified name: its own entry, else that of the innermost package."""

from __future__ import annotations

import pytest

from initaudit.analyzer import torch_api
from initaudit.analyzer.symbolic.torch import factories, functions, initializers, layers, overlay
from initaudit.analyzer.symbolic.torch.call import Handler


@pytest.mark.parametrize(
    ("name", "handler"),
    [
        ("torch.nn.init.zeros_", initializers.initialize),
        ("torch.nn.functional.relu", functions.functional),
        ("torch.nn.utils.parametrizations.weight_norm", functions.utility),
        ("torch.nn.Linear", layers.construct),
        ("torch.ao.nn.quantized.Linear", functions.other),
        ("torch.matmul", functions.other),
        ("torch", functions.other),
        ("torch.zeros", factories.HANDLERS["torch.ones"]),
    ],
)
def test_a_name_has_its_own_handler_or_that_of_its_innermost_package(name: str, handler: Handler) -> None:
    assert overlay.handler(name) is handler


def test_what_allocates_without_values_is_not_taken_for_what_writes_them() -> None:
    for name in torch_api.RAW_FACTORIES.keys() | torch_api.LEGACY_CONSTRUCTORS.keys():
        assert overlay.handler(name) is not overlay.handler("torch.zeros"), name


def test_an_initializer_that_computes_does_not_write() -> None:
    for name in ("calculate_gain", "_calculate_fan_in_and_fan_out", "_calculate_correct_fan"):
        assert overlay.handler(f"torch.nn.init.{name}") is not initializers.initialize


def test_names_are_entered_as_they_are_looked_up() -> None:
    assert [name for name in overlay.HANDLERS if torch_api.canonical(name) != name] == []


def test_no_name_is_in_two_tables() -> None:
    tables = (factories.HANDLERS, initializers.HANDLERS, functions.HANDLERS, layers.HANDLERS, overlay.FILLING)
    assert len(overlay.HANDLERS) == sum(map(len, tables))
