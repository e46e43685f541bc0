"""The readers: every function of this folder that declares what it reads. Nothing is registered by hand."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

from initaudit.analyzer.readers.base import Reader, readers_of


@functools.cache
def readers() -> tuple[Reader[Any], ...]:
    """Return every reader, in the order of files and names."""
    modules = (importlib.import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__))
    return tuple(reader for module in modules for reader in readers_of(module))
