"""What to run a model's forward on: what was asked for, or what is sure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from initaudit.probe.configured import configured
from initaudit.probe.given import Inputs, given_by, moved
from initaudit.probe.poison import seed_everything
from initaudit.probe.propagate import forwarded, measurable
from initaudit.probe.request import Target

BATCH = 32
FEW = 2
"""Samples to find out with what a model takes."""
CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
SIDES = {1: (256,), 2: (64, 224, 32, 28), 3: (16, 32)}
"""Usual sides of what a convolution of so many dimensions is given."""


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
        sized = tuple(_random(size, each, below) for size, each in zip(target.input_sizes, dtypes, strict=True))
        return (sized, {}) if target.dtypes else _converted((sized, {}), model)
    seed_everything(target.seed)
    inputs = _inferred(model, dtype)
    return _converted(inputs, model) if inputs is not None else None


def _inferred(model: torch.nn.Module, dtype: str | None) -> Inputs | None:
    """What a model says of its inputs; or what its first layer tells."""
    if hasattr(getattr(model, "config", None), "to_dict") and hasattr(model, "main_input_name"):
        return _first_that_runs(model, (functools.partial(_named, make) for make in configured(model)))
    dummy = _dummy_inputs(model)
    if dummy is not None:
        return (), dummy
    first = _only_first_layer(model)
    if isinstance(first, torch.nn.Embedding):
        return (torch.randint(0, first.num_embeddings, (BATCH, 8)),), {}
    if isinstance(first, torch.nn.Linear):
        return (_random((BATCH, first.in_features), dtype, 2),), {}
    if isinstance(first, torch.nn.RNNBase):
        return (_random((BATCH, 8, first.input_size), dtype, 2),), {}
    if isinstance(first, CONVOLUTIONS):
        return _first_that_runs(model, (functools.partial(_image, size, dtype) for size in _image_sizes(model, first)))
    return None


def _named(make: Callable[[int], dict[str, Any]], batch: int) -> Inputs:
    return (), make(batch)


def _image(size: tuple[int, ...], dtype: str | None, batch: int) -> Inputs:
    return (_random((batch, *size), dtype, 2),), {}


def _image_sizes(model: torch.nn.Module, first: Any) -> Iterator[tuple[int, ...]]:
    """Channels and sides of an image: as the model says, as timm's models do, or some that are usual."""
    said = getattr(model, "pretrained_cfg", None)
    if isinstance(said, dict) and said.get("input_size"):
        yield tuple(said["input_size"])
    dimensions = len(first.kernel_size)
    sides = [getattr(model, name, None) for name in ("image_size", "img_size", "input_size")]
    for side in (*sides, *SIDES[dimensions]):
        if isinstance(side, int):
            yield (first.in_channels, *(side,) * dimensions)


def _first_that_runs(model: torch.nn.Module, makers: Iterable[Callable[[int], Inputs]]) -> Inputs | None:
    """The first inputs that the model takes, found with few samples. Raises what the first ones made it raise."""
    refused: Exception | None = None
    for make in makers:
        try:
            few = _converted(make(FEW), model)
            with measurable(model, normalized=True, dropping=False), torch.no_grad():
                forwarded(model, few)
            return make(BATCH)
        except Exception as error:  # whatever the user's forward raises on what it does not take
            refused = refused or error
    if refused is not None:
        raise refused
    return None


def _converted(inputs: Inputs, model: torch.nn.Module) -> Inputs:
    """Inputs in the precision of the model's parameters."""
    kinds = {one.dtype for one in model.parameters() if one.is_floating_point()}
    if len(kinds) != 1 or torch.get_default_dtype() in kinds:
        return inputs
    kind = kinds.pop()
    args, kwargs = inputs

    def convert(value: Any) -> Any:
        return value.to(kind) if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    return tuple(convert(one) for one in args), {name: convert(one) for name, one in kwargs.items()}


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
            kinds = (torch.nn.Linear, torch.nn.Embedding, torch.nn.RNNBase, *CONVOLUTIONS)
            return module if isinstance(module, kinds) else None
    return None
