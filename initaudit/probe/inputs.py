"""What to run a model's forward on: what was asked for, or what is sure."""

from __future__ import annotations

from typing import Any

import torch

from initaudit.probe.given import Inputs, given_by, moved
from initaudit.probe.request import Target

BATCH = 32


def inputs_for(model: torch.nn.Module, target: Target) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Positional and keyword inputs for a forward; None when nothing is sure."""
    if target.inputs is not None:
        inputs: Inputs | None = target.inputs
    else:
        inputs = given_by(target.input_data) if target.input_data is not None else _made(model, target)
    return inputs if inputs is None or target.device == "cpu" else moved(inputs, target.device)


def _made(model: torch.nn.Module, target: Target) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    dtype = target.dtypes[0] if target.dtypes else None
    if target.input_sizes:
        dtypes = target.dtypes if len(target.dtypes) > 1 else [dtype] * len(target.input_sizes)
        below = _fewest_rows(model)
        return tuple(_random(size, each, below) for size, each in zip(target.input_sizes, dtypes, strict=True)), {}
    dummy = _dummy_inputs(model)
    if dummy is not None:
        return (), dummy
    first = _only_first_layer(model)
    if first is None:
        return None
    if isinstance(first, torch.nn.Embedding):
        return (torch.randint(0, first.num_embeddings, (BATCH, 8)),), {}
    return (_random((BATCH, first.in_features), dtype, 2).to(first.weight.dtype),), {}


def _random(size: tuple[int, ...], dtype: str | None, below: int) -> torch.Tensor:
    """Normal numbers, or integers from 0 on."""
    kind = getattr(torch, dtype) if dtype else torch.get_default_dtype()
    if kind.is_floating_point or kind.is_complex:
        return torch.randn(size, dtype=kind)
    return torch.randint(0, below, size).to(kind)


def _fewest_rows(model: torch.nn.Module) -> int:
    """How many rows the smallest table has that integers may be looked up in: 2 if there is none."""
    tables = torch.nn.Embedding | torch.nn.EmbeddingBag
    return min((module.num_embeddings for module in model.modules() if isinstance(module, tables)), default=2)


def _dummy_inputs(model: torch.nn.Module) -> dict[str, Any] | None:
    """The example inputs that some frameworks give their models."""
    try:
        dummy = getattr(model, "dummy_inputs", None)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return None
    return dict(dummy) if isinstance(dummy, dict) and dummy else None


def _only_first_layer(model: torch.nn.Module) -> Any:
    """The first layer, when it tells the shape of an input by itself."""
    for module in model.modules():
        if next(module.children(), None) is None and next(module.parameters(), None) is not None:
            return module if isinstance(module, torch.nn.Linear | torch.nn.Embedding) else None
    return None
