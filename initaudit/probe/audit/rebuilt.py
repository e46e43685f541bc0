"""An instance whose constructor's arguments are known, built again to see what the constructor leaves unwritten.

Lightning keeps them as ``hparams``, transformers as ``config``. What wrote to the instance after its construction is
not known, so that what the constructor leaves is a note.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Mapping

import msgspec
import torch

from initaudit.finding import Place
from initaudit.probe.audit.audit import Audit
from initaudit.probe.record.poison import Make, control_build, tensors_of
from initaudit.probe.record.readable import is_distributed, is_imagined
from initaudit.probe.request import Target
from initaudit.timeline import Coverage, Kind, Only, ParameterTimeline

LARGEST = 50_000_000
"""Elements of a model that is built again beside its instance, three times, one after the other."""
KEPT = ("config", "hparams")
Unwritten = dict[str, ParameterTimeline]
"""The parameters that a constructor leaves unwritten, by path."""


def left_unwritten(target: Target, model: torch.nn.Module, definition: Place) -> tuple[str, Unwritten]:
    """Return the attribute that keeps the arguments of a model's constructor, and what it leaves unwritten.

    The attribute is empty if the model cannot be built again, or is another one then.
    """
    tensors = tensors_of(model)
    kept, make = _making(model)
    large = sum(tensor.numel() for tensor in tensors.values()) > LARGEST
    if make is None or large or any(is_imagined(each) or is_distributed(each) for each in tensors.values()):
        return "", {}
    try:
        control = control_build(make, target.seed)
        if _shapes(control.tensors) != _shapes(tensors):
            return "", {}
        building = Audit(msgspec.structs.replace(target, seeds=1), make, definition, control)
        building.compare()
    except Exception:  # whatever the constructor raises; what the instance itself shows is not lost
        return "", {}
    return kept, {
        each.path: msgspec.structs.replace(each, only=Only.CONSTRUCTOR)
        for each in building.timelines.timelines
        if each.path and each.kind is Kind.PARAMETER and each.coverage is Coverage.NEVER
    }


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _making(model: torch.nn.Module) -> tuple[str, Make | None]:
    """What keeps the arguments of a model's constructor, and a function that calls it with copies of them."""
    cls = type(model)
    try:
        wanted = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return "", None
    named = [one for one in wanted if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    required = {one.name for one in named if one.default is one.empty}
    for kept in KEPT:
        value = getattr(model, kept, None)
        given = {kept: value} if value is not None and kept in required else value
        if isinstance(given, Mapping) and given and required <= given.keys():
            arguments = {one.name: given[one.name] for one in named if one.name in given}
            return kept, functools.partial(_made, cls, arguments)
    return "", None


def _made(cls: type[torch.nn.Module], arguments: Mapping[str, object]) -> torch.nn.Module:
    return cls(**copy.deepcopy(arguments))
