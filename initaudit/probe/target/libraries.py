"""Targets that name a model of a library: ``hf:bert``, ``timm:resnet50``, ``torchvision:vit_b_16``.

They are built from their configurations, with random values. Nothing is downloaded.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from initaudit.naming import near
from initaudit.probe.blame import crossing
from initaudit.probe.request import TargetError

Factory = Callable[..., Any]


def transformers_model(name: str) -> Any:
    """The class that a name of transformers stands for: a model type, a class of models, or a configuration's class.

    Raises TargetError where there is none.
    """
    if "/" in name:
        raise TargetError(_of_a_hub(name, "hf", _known_types() or _first_word(name)))
    transformers = _library("transformers")
    auto = importlib.import_module("transformers.models.auto")
    found = auto.CONFIG_MAPPING[name] if name in auto.CONFIG_MAPPING else getattr(transformers, name, None)
    configuration = getattr(transformers, "PreTrainedConfig", None) or transformers.PretrainedConfig  # its name in 4.x
    if inspect.isclass(found) and issubclass(found, configuration):
        try:
            models = auto.MODEL_MAPPING.get(found, None)
        except ValueError as error:  # the library lists a class that it does not have
            raise TargetError(f"transformers cannot give its model {name!r}: {error}") from error
        found = models[0] if isinstance(models, tuple) else models
    try:
        configured = getattr(found, "config_class", None) is not None
    except ImportError as error:  # it stands for a class whose packages are not installed
        raise TargetError(" ".join(str(error).split())) from error
    if not configured:
        known = (*auto.CONFIG_MAPPING, *dir(transformers))
        raise TargetError(f"transformers has no model {name!r}{meant(name, known)}")
    return found


def _known_types() -> tuple[str, ...]:
    """The types that transformers knows; none where it is not installed."""
    try:
        _library("transformers")
    except TargetError:
        return ()
    return (*importlib.import_module("transformers.models.auto").CONFIG_MAPPING,)


def _first_word(name: str) -> tuple[str, ...]:
    """What the name of a repository begins with, which is the architecture more often than not."""
    return (re.split(r"[-_.]", name.rpartition("/")[2].lower())[0],)


def _transformers(name: str) -> Factory:
    """A model from its default configuration; arguments are the configuration's."""
    cls = transformers_model(name)

    @functools.wraps(cls, updated=())
    @crossing
    def build(**settings: Any) -> Any:
        return cls(cls.config_class(**settings))

    return build


def _timm(name: str) -> Factory:
    timm = _library("timm")
    if "/" in name:
        raise TargetError(_of_a_hub(name, "timm", timm.list_models()))
    if not timm.is_model(name):
        raise TargetError(f"timm has no model {name!r}{meant(name, timm.list_models())}")
    entry = timm.model_entrypoint(name)

    @functools.wraps(entry)
    @crossing
    def build(**arguments: Any) -> Any:
        return timm.create_model(name, pretrained=False, **arguments)

    return build


def _torchvision(name: str) -> Factory:
    models = _library("torchvision").models
    known = models.list_models()
    if name.lower() not in known:
        raise TargetError(f"torchvision has no model {name!r}{meant(name, known)}")
    entry = models.get_model_builder(name)
    # A detector has weights of its own, and those of its backbone, which it would fetch by itself.
    untrained = {one: None for one in ("weights", "weights_backbone") if one in inspect.signature(entry).parameters}

    @functools.wraps(entry)
    @crossing
    def build(**arguments: Any) -> Any:
        return entry(**untrained, **arguments)

    return build


LIBRARIES: dict[str, Callable[[str], Factory]] = {"hf": _transformers, "timm": _timm, "torchvision": _torchvision}
"""What stands before the colon, and what makes a factory of the name behind it; raises TargetError for other names."""


def list_models(prefix: str, filename: str) -> None:
    """Write the names that ``prefix`` builds models by to a file as JSON; a text if they cannot be listed."""
    try:
        answer: list[str] | str = LISTS[prefix]()
    except TargetError as error:
        answer = str(error)
    Path(filename).write_text(json.dumps(answer), encoding="utf-8")


def _types_of_transformers() -> list[str]:
    """The types that have a model of their own, and not only a tokenizer or a part of another."""
    _library("transformers")
    configurations = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING_NAMES
    models = importlib.import_module("transformers.models.auto.modeling_auto").MODEL_MAPPING_NAMES
    return [name for name in configurations if name in models]


LISTS: dict[str, Callable[[], list[str]]] = {
    "hf": _types_of_transformers,
    "timm": lambda: list(_library("timm").list_models()),
    "torchvision": lambda: list(_library("torchvision").models.list_models()),
}
"""What stands before the colon, and what lists the names behind it."""


def _library(name: str) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before the libraries are imported, which read it once
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise TargetError(f"importing {name} raised {error}") from error
        raise TargetError(f"it needs {name}, which is not installed: pip install {name}") from error


def _of_a_hub(name: str, prefix: str, known: Iterable[str]) -> str:
    """Say that hubs are not read, and name the architecture that a repository of one seems to hold."""
    advice = architecture_in(name, known)
    instead = f"{prefix}:{advice} builds that architecture" if advice else f"name an architecture: {prefix}:NAME"
    return f"{name!r} is on a hub, and hubs are not read: nothing is downloaded; {instead}, with random values"


def architecture_in(name: str, known: Iterable[str]) -> str | None:
    """Return the known architecture that the name of a repository begins with, or else holds: the longest of them."""
    repository = _letters(name.rpartition("/")[2].partition(".")[0]) or _letters(name)
    found = [(repository.find(_letters(one)), -len(one), one) for one in known if _letters(one)]
    return min((one for one in found if one[0] >= 0), default=(0, 0, None))[2]


def _letters(name: str) -> str:
    return "".join(one for one in name.lower() if one.isalnum())


def meant(name: str, known: Iterable[str]) -> str:
    """What a misspelt name may stand for, as the end of a sentence."""
    close = near(name, known)
    return f"; did you mean {close!r}?" if close is not None else ""
