"""Classify a file by its name: the user's, or that of torch, Python or initaudit. Imports no torch."""

from __future__ import annotations

import functools
import importlib.util
import os
import sysconfig
from pathlib import Path

SITE = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
OWN = Path(__file__).resolve().parent.parent
PYTHON = sysconfig.get_paths()["stdlib"] + os.sep
WRAPPERS = ("typing_extensions.py", f"{os.sep}numpy{os.sep}")
"""Installed code that stands between a user's call and torch without being anybody's cause."""

GENERATED = ("<frozen", "<string>", "<@", "<attrs generated", "<decorator-gen", "<makefun-gen", "<eval_with_key>")
"""Code that no file holds, and that a package made: in its names are addresses, or numbers that count up."""


@functools.cache
def torch_folder() -> str:
    """The folder of torch, with the separator: torchvision is not torch."""
    found = importlib.util.find_spec("torch")
    locations = found.submodule_search_locations if found is not None else None
    return str(Path(next(iter(locations))).resolve()) + os.sep if locations else os.sep + "torch" + os.sep


@functools.lru_cache(maxsize=8192)
def is_user_code(filename: str) -> bool:
    """Whether a file is neither torch's, Python's own nor this tool's. What a notebook runs is the user's too."""
    if filename.startswith((*GENERATED, str(OWN) + os.sep, torch_folder())):
        return False
    if is_installed(filename):
        return not any(wrapper in filename for wrapper in WRAPPERS)
    return not filename.startswith(PYTHON)


def is_installed(filename: str) -> bool:
    """Return whether a file belongs to an installed package."""
    return any(site in filename for site in SITE)


@functools.lru_cache(maxsize=8192)
def displayed(filename: str) -> str:
    """A file name relative to the current folder when it lies below it, else absolute."""
    if filename.startswith("<"):
        return filename
    absolute = os.path.realpath(filename)
    here = os.path.realpath(Path.cwd())
    return os.path.relpath(absolute, here) if absolute.startswith(here + os.sep) else absolute
