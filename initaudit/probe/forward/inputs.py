"""The inputs of a model's forward: those that the user gave, or inferred ones that are certain."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from initaudit.probe.forward.configured import configured
from initaudit.probe.forward.given import Inputs, given_by, moved
from initaudit.probe.forward.guesses import documented, named, several, sizes_given
from initaudit.probe.record.declarations import is_torch
from initaudit.probe.record.poison import seed_everything
from initaudit.probe.record.readable import shape_of
from initaudit.probe.record.watch import tensors_in
from initaudit.probe.request import Target, TargetError
from initaudit.probe.signal.propagate import forwarded, measurable
from initaudit.probe.words import describe

BATCH = 32
FEW = 2
"""Samples to find out with what a model takes."""
TRIES = 12
"""Inputs that are tried of each kind."""
CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
TRANSPOSED = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)
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
    """What a model says of its inputs, or what names, docstrings and layers tell of them."""
    if hasattr(getattr(model, "config", None), "to_dict") and hasattr(model, "main_input_name"):
        return _first_that_runs(model, (functools.partial(_named, make) for make in configured(model)))
    said = _said_by(model)
    if said is not None:
        return said
    rows = _fewest_rows(model)
    by_layers = [*itertools.islice(_makers(model, dtype), TRIES), *itertools.islice(_told(model, dtype), TRIES)]
    missing = missing_input(model, ((None,), {}))
    if missing is not None:
        widths = [one.in_features for one in model.modules() if isinstance(one, torch.nn.Linear)]
        makers = [
            *documented(model, rows),
            *several(model, list(dict.fromkeys(widths))[:TRIES], rows),
            *itertools.islice(named(model, by_layers, rows), 2 * TRIES),
        ]
        try:
            found = _first_that_runs(model, makers)
        except TargetError:
            found = None
        if found is None:
            raise TargetError(missing)
        return found
    makers = [*documented(model, rows), *by_layers]
    return _first_that_runs(model, makers) if makers else None


def _makers(model: torch.nn.Module, dtype: str | None) -> Iterator[Callable[[int], Inputs]]:
    """What each layer tells of an input, in the order of definition: any may come first in the forward."""
    listed: set[tuple[object, ...]] = set()
    kind: str | None
    sizes: Iterable[tuple[int, ...]]
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            sizes = [(8,)]
            kind, below = "int64", _fewest_rows(model)
        elif isinstance(module, torch.nn.Linear):
            sizes, kind, below = [(module.in_features,), (8, module.in_features)], dtype, 2
        elif isinstance(module, torch.nn.RNNBase):
            sizes, kind, below = [(8, module.input_size)], dtype, 2
        elif isinstance(module, CONVOLUTIONS):
            sizes, kind, below = _image_sizes(model, module), dtype, 2
        elif isinstance(module, TRANSPOSED):
            channels, sides = module.in_channels, len(module.kernel_size)
            sizes, kind, below = [(channels,), (channels, *(1,) * sides), (channels, *(4,) * sides)], dtype, 2
        else:
            continue
        for size in sizes:
            if (kind, size) not in listed:
                listed.add((kind, size))
                yield functools.partial(_sized, size, kind, below)


def _told(model: torch.nn.Module, dtype: str | None) -> Iterator[Callable[[int], Inputs]]:
    """What matrices of layers of one's own tell of an input, and then the sizes that the constructor was given."""
    own = (one for module in model.modules() if not is_torch(type(module)) for one in module.parameters(recurse=False))
    widths = [width for matrix in own if matrix.dim() == 2 for width in matrix.shape]
    for width in dict.fromkeys([*widths, *sizes_given(model)]):
        for size in ((width,), (8, width)):
            yield functools.partial(_sized, size, dtype, 2)


def missing_input(model: torch.nn.Module, given: Inputs) -> str | None:
    """What a forward needs besides what it is given, and the flags that give it; None when that is enough."""
    try:
        taken = inspect.signature(model.forward)
        taken.bind(*given[0], **given[1])
    except TypeError:
        pass
    except ValueError:  # a forward without a signature
        return None
    else:
        return None
    free = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = [one.name for one in taken.parameters.values() if one.kind in free and one.default is one.empty]
    missing = [name for name in needed[len(given[0]) :] if name not in given[1]]
    if not missing:
        return None
    names = ", ".join(f"`{name}`" for name in missing)
    count = len(needed)
    given_by = f"--input-size {count} times, with a --dtype for each, or --input-data MODULE:FUNCTION"
    return f"the forward needs {count} inputs, also {names}: give {given_by}"


def _said_by(model: torch.nn.Module) -> Inputs | None:
    """The example inputs that some frameworks give their models."""
    dummy = _dummy_inputs(model)
    if dummy is not None:
        return (), dummy
    example = getattr(model, "example_input_array", None)
    if isinstance(example, dict) and example:
        return (), dict(example)
    if isinstance(example, torch.Tensor) or (isinstance(example, tuple) and example):
        return (example if isinstance(example, tuple) else (example,)), {}
    return None


def _named(make: Callable[[int], dict[str, Any]], batch: int) -> Inputs:
    return (), make(batch)


def _sized(size: tuple[int, ...], dtype: str | None, below: int, batch: int) -> Inputs:
    return (_random((batch, *size), dtype, below),), {}


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
    """The first inputs that the model takes, found with few samples.

    Raises TargetError, with all that was tried and what the first made the forward raise.
    """
    refused: Exception | None = None
    tried: list[str] = []
    for make in makers:
        try:
            few = _converted(make(FEW), model)
            with measurable(model, normalized=True, dropping=False), torch.no_grad():
                forwarded(model, few)
            return make(BATCH)
        except Exception as error:  # whatever the user's forward raises on what it does not take
            refused = refused or error
            tried.append("; ".join(in_words(few)))
    if refused is not None:
        raise TargetError(f"the forward raised {describe(refused)}, and none of {', '.join(tried)} ran")
    return None


def in_words(given: Inputs) -> Iterator[str]:
    """What a forward is given: "float32 (32, 784)"."""
    args, kwargs = given
    for name, value in (*((None, one) for one in args), *kwargs.items()):
        for tensor in tensors_in(value):
            text = f"{str(tensor.dtype).removeprefix('torch.')} {shape_of(tensor)}"
            yield f"{name}: {text}" if name is not None else text


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
