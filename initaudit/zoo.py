"""The models of a zoo: those of a library, those that a file lists, or the part that one of several runs takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from initaudit.settings import Model

SHORT = {"transformers": "hf:*", "timm": "timm:*", "torchvision": "torchvision:*"}
"""The names of whole libraries."""


class ZooError(Exception):
    """A zoo that cannot be listed."""


class Shard(msgspec.Struct, frozen=True):
    """One of so many equal parts, counted from 1."""

    number: int
    total: int

    def of(self, models: tuple[Model, ...]) -> tuple[Model, ...]:
        """Return this part of some models: every ``total``-th, since neighbours often cost alike."""
        return models[self.number - 1 :: self.total]


def targets(zoo: str) -> tuple[str, ...]:
    """Return the targets of a zoo: a library, or a file with one target on each line and comments after ``#``."""
    if zoo in SHORT:
        return (SHORT[zoo],)
    try:
        lines = Path(zoo).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        known = ", ".join(SHORT)
        raise ZooError(
            f"{zoo!r} is none of {known}, and no file that can be read: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ZooError(f"{zoo}: not UTF-8: {error}") from error
    found = tuple(filter(None, (line.partition("#")[0].strip() for line in lines)))
    if not found:
        raise ZooError(f"{zoo}: the file lists no target")
    return found


def expanded(models: Iterable[Model]) -> Iterator[Model]:
    """Yield the models, and in place of a pattern such as ``timm:resnet*`` all that it stands for."""
    from initaudit.probe import TargetError
    from initaudit.probe.process import zoos

    for model in models:
        if not zoos.is_pattern(model.target):
            yield model
            continue
        try:
            matching = zoos.matching(model.target)
        except TargetError as error:
            raise ZooError(str(error)) from error
        for target in matching:
            yield msgspec.structs.replace(model, target=target)
