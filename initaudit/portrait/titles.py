"""Models and places as a person would name them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import PurePath

import msgspec

from initaudit.finding import Place

LIBRARIES = {"hf": "transformers", "timm": "timm", "torchvision": "torchvision"}
NAMED = 3
"""Maximum number of models that a title names."""


class Title(msgspec.Struct, frozen=True):
    """The name of one or more models, and where they are from ("in net.py")."""

    name: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.source}".rstrip()


def title_of(target: str, relative: Callable[[str], str]) -> Title:
    """Return the title of a target; ``relative`` returns a path relative to its repository."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        return Title(target)
    if place in LIBRARIES:
        return Title(name, f"from {LIBRARIES[place]}")
    return Title(name, f"in {path_of(place, relative)}")


def title_of_all(targets: Iterable[str], relative: Callable[[str], str]) -> Title:
    """Return one title for several targets."""
    titles = [title_of(target, relative) for target in targets]
    if len(titles) == 1:
        return titles[0]
    if not 0 < len(titles) <= NAMED:
        return Title(f"{len(titles)} models")
    *first, last = titles
    sources = {one.source for one in titles}
    if len(sources) == 1:
        return Title(f"{', '.join(one.name for one in first)} and {last.name}", last.source)
    return Title(f"{', '.join(map(str, first))} and {last}")


def path_of(filename: str, relative: Callable[[str], str]) -> str:
    """Return a file as it was named; an absolute name relative to its repository or to the home folder."""
    path = PurePath(filename)
    if not path.is_absolute():
        return path.as_posix()
    shown, home = PurePath(relative(filename)), PurePath(os.path.expanduser("~"))  # noqa: PTH111 (a pure path)
    if shown.is_absolute() and shown.is_relative_to(home):
        return f"~/{shown.relative_to(home).as_posix()}"
    return shown.as_posix()


def place_in_words(place: Place, relative: Callable[[str], str]) -> str:
    """Return a place as "net.py, line 4" or "lesson.ipynb, cell 2, line 4"."""
    cell = f", cell {place.cell}" if place.cell is not None else ""
    return f"{path_of(place.filename, relative)}{cell}, line\N{NO-BREAK SPACE}{place.row}"
