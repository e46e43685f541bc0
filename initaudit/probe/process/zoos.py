"""The models of a library, by name, as a process of their own lists them: this one imports neither torch nor them."""

from __future__ import annotations

import fnmatch
import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from initaudit.probe.files import OWN
from initaudit.probe.request import TargetError

LIBRARIES = {"hf": "transformers", "timm": "timm", "torchvision": "torchvision"}
"""What a target of a library begins with, and the library."""
START = """
import sys
sys.path[:] = [folder for folder in sys.path if folder] + sys.argv[1:2]
from initaudit.probe.target.libraries import list_models
list_models(*sys.argv[2:])
"""
"""Starts the process without the current folder on its path."""
LIMIT = 300.0
"""Seconds that a library may take to be imported."""
WILD = frozenset("*?[")


def is_pattern(spec: str) -> bool:
    """Whether a target stands for several models of a library, as ``timm:resnet*`` does."""
    library, _, name = spec.partition(":")
    return library in LIBRARIES and not WILD.isdisjoint(name)


def matching(spec: str) -> list[str]:
    """Return the targets that a pattern stands for, sorted; raises TargetError if there is none."""
    library, _, pattern = spec.partition(":")
    found = [f"{library}:{name}" for name in names(library) if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        raise TargetError(f"{spec}: {LIBRARIES[library]} has no such model")
    return found


@functools.cache
def names(library: str) -> tuple[str, ...]:
    """Return the models that a library builds by name, sorted; raises TargetError if it cannot be imported."""
    with tempfile.TemporaryDirectory(prefix="initaudit-") as folder:
        file = Path(folder, "names")
        command = [sys.executable, "-c", START, str(OWN.parent), library, str(file)]
        try:
            run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            said = f"importing {LIBRARIES[library]} did not finish within {LIMIT:g} seconds"
            raise TargetError(f"{library}: {said}") from error
        if not file.exists():
            lines = run.stderr.decode("utf-8", "replace").strip().splitlines()
            raise TargetError(f"{library}: importing {LIBRARIES[library]} failed{f': {lines[-1]}' if lines else ''}")
        answer = json.loads(file.read_bytes())
    if isinstance(answer, str):
        raise TargetError(f"{library}: {answer}")
    return tuple(sorted(answer))
