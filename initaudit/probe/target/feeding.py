"""Arguments for a constructor that was given none: configurations by class, other values by annotation and name.

A value that is chosen here may not fit, so a constructor that raises on it is not wrong.
"""

from __future__ import annotations

import collections.abc
import contextlib
import enum
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import torch

DEEP = 3
"""Configurations within configurations."""
CONFIGURATION = re.compile(r"(?i)(.*_)?(config|cfg|configuration|args|hparams|params|options|opts|opt)")
CONFIGURATION_CLASS = re.compile(r".*(Config|Configuration|Args|Arguments|HParams|Params|Options|Settings)")
SIZES: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern), size)
    for pattern, size in (
        (r"padding_idx|pad_.*|seed|.*(_idx|_index|_ids?)|layer_number", 0),
        (r"head_dim|dim_head|d_head|head_size|d_k|d_v", 16),
        (r"n_?heads?|.*(_|num)heads?", 4),
        (r"n_?layers?|.*layers?|depth|n_?blocks|num_.*blocks|.*_depth|stages", 2),
        (r"kernel(_size)?|ksize", 3),
        (r"stride|dilation|groups|padding|expansion|reduction|.*_(factor|ratio|rate)", 1),
        (r"(n|num)_?(classes|labels|outputs)|.*_classes", 10),
        (r".*vocab.*|num_embeddings|n_?tokens?|ntokens?", 128),
        (r".*(max|seq|context).*(len|length|positions?|size)|block_size|seq_?len|length", 64),
        (r"patch(_size)?", 4),
        (r"(im|img|image)_?(size|res.*)|resolution", 32),
        (r"in_chans|img_channels|image_channels|num_channels|n_channels", 3),
        (r"(n|num)_?experts", 4),
        (r"top_?k|k", 2),
        (
            r".*(dims?|size|channels?|features?|width|units|hidden|embed|embd|planes|filters)(_(in|out))?"
            r"|d_(model|ff|in|out|inner)|c_(in|out)|in_(ch|dim|size)|out_(ch|dim|size)|n_(in|out|embd|hidden)",
            64,
        ),
    )
)
STAGES = re.compile(r".*(layers|blocks|depths|stages)")
"""Lists of these are indexed up to the fourth as often as not."""
COUNT, ANY_SIZE = re.compile(r"(n|num)_.*"), 64
FRACTION = re.compile(r".*drop.*|p|.*_prob|.*_p")
UNKNOWN: Any = object()
"""No value is known."""


class Fed:
    """The arguments for one constructor: ``given``, those ``chosen`` among them, and those that are ``missing``."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.chosen: dict[str, str] = {}
        self.missing: dict[str, str] = {}


def feed(constructor: Callable[..., Any], deep: int = 0) -> Fed:
    """Return arguments for the parameters of a constructor that have no default."""
    fed = Fed()
    try:
        parameters = inspect.signature(constructor).parameters.values()
    except (TypeError, ValueError):  # a builtin
        return fed
    hints = _hints(constructor)
    for one in parameters:
        if one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        annotation = hints.get(one.name, one.annotation)
        value, chosen = _value(one.name, annotation, constructor, deep)
        if value is UNKNOWN or one.kind is one.POSITIONAL_ONLY:
            fed.missing[one.name] = json.dumps("?" if annotation is one.empty else inspect.formatannotation(annotation))
            continue
        fed.given[one.name] = value
        if chosen:
            fed.chosen[one.name] = json.dumps(value, default=_shown)
    return fed


def _shown(value: object) -> str:
    return inspect.formatannotation(value) if inspect.isclass(value) else str(value)


def _hints(constructor: Callable[..., Any]) -> dict[str, Any]:
    function = constructor.__init__ if inspect.isclass(constructor) else constructor
    try:
        return typing.get_type_hints(function)
    except Exception:  # whatever evaluating a user's annotations raises
        return {}


def _value(name: str, annotation: Any, constructor: Callable[..., Any], deep: int) -> tuple[Any, bool]:
    """Return a value and whether it is our choice."""
    if annotation is inspect.Parameter.empty or annotation is Any:
        if CONFIGURATION.fullmatch(name):
            return _configuration_of(constructor, deep), False
        return _size(name), True
    return next((found for found in _values(name, annotation, deep) if found[0] is not UNKNOWN), (UNKNOWN, False))


def _values(name: str, annotation: Any, deep: int) -> Iterator[tuple[Any, bool]]:
    """Yield values of a type, the best one first."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _values(name, arguments[0], deep)
    elif origin in (typing.Union, types.UnionType):
        for one in arguments:
            if one is not type(None):
                yield from ((value, chosen) for value, chosen in _values(name, one, deep) if not chosen)
        if type(None) in arguments:
            yield None, False
        for one in arguments:
            yield from _values(name, one, deep)
    elif origin is typing.Literal:
        yield arguments[0], True
    elif origin is type and arguments:
        yield _class_of(arguments[0]), True
    elif origin is tuple and arguments and Ellipsis not in arguments:
        values = [next(_values(name, one, deep), (UNKNOWN, True))[0] for one in arguments]
        yield (UNKNOWN if UNKNOWN in values else tuple(values)), True
    elif origin in (list, tuple, collections.abc.Sequence) and arguments:
        value = next(_values(name.removesuffix("s"), arguments[0], deep), (UNKNOWN, True))[0]
        several = [value] * (4 if STAGES.fullmatch(name) else 2)
        yield (UNKNOWN if value is UNKNOWN else (list if origin is list else tuple)(several)), True
    elif inspect.isclass(annotation):
        yield _of_class(name, annotation, deep)


def _class_of(annotation: Any) -> Any:
    """Return the module class that is asked for by itself, the first of several; torch's may stand for any."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    for one in typing.get_args(annotation) if union else (annotation,):
        if inspect.isclass(one) and issubclass(one, torch.nn.Module) and one.__module__.partition(".")[0] != "torch":
            return UNKNOWN if inspect.isabstract(one) else one
    return UNKNOWN


def _of_class(name: str, cls: type, deep: int) -> tuple[Any, bool]:
    if cls is int:
        size = _size(name)
        return (2 if COUNT.fullmatch(name) else ANY_SIZE) if size is UNKNOWN else size, True
    if cls is float:
        return (0.1 if FRACTION.fullmatch(name) else UNKNOWN), True
    if cls is bool:
        return False, True
    if cls is torch.device or (cls is str and name == "device"):
        return (cls("cpu")), True
    if cls is torch.dtype:
        return torch.get_default_dtype(), True
    if issubclass(cls, enum.Enum):
        return next(iter(cls), UNKNOWN), True
    foreign = cls.__module__.partition(".")[0] in (*sys.stdlib_module_names, "torch", "numpy")
    if foreign or issubclass(cls, torch.nn.Module | torch.Tensor):
        return UNKNOWN, False
    return _made(cls, deep), False


def _size(name: str) -> Any:
    return next((size for pattern, size in SIZES if pattern.fullmatch(name)), UNKNOWN)


def _configuration_of(constructor: Callable[..., Any], deep: int) -> Any:
    """Return the configuration of a class: of the class that it names, or the only one of its module."""
    named = getattr(constructor, "config_class", None)
    if inspect.isclass(named):
        return _made(named, deep)
    module = sys.modules.get(getattr(constructor, "__module__", ""))
    known = [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value) and CONFIGURATION_CLASS.fullmatch(name) and not issubclass(value, torch.nn.Module)
    ]
    return _made(known[0], deep) if len(set(known)) == 1 else UNKNOWN


def _made(cls: type, deep: int) -> Any:
    """Return an instance of a configuration class, or UNKNOWN."""
    if deep >= DEEP:
        return UNKNOWN
    fed = feed(cls, deep + 1)
    if fed.missing:
        return UNKNOWN
    with contextlib.suppress(Exception):  # whatever a user's class raises
        return cls(**fed.given)
    return UNKNOWN
