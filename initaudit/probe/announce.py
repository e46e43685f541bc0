"""Announce the current stage of the child process to its parent, through a file in its folder."""

from __future__ import annotations

import contextlib
from pathlib import Path

from initaudit.probe.request import Stage

NAME = "now"
"""The file."""
_file: Path | None = None


def into(folder: Path) -> None:
    """Announce what follows in a folder."""
    global _file
    _file = folder / NAME


def announce(stage: Stage, seed: int) -> None:
    """Say what is done now, and from which seed; nothing where no parent waits."""
    if _file is not None:
        with contextlib.suppress(OSError):
            _file.write_text(f"seed {seed}, {stage.value}", encoding="utf-8")
