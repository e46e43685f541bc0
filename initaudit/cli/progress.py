"""The progress of a run, drawn on standard error if that is a terminal.

rich draws it, and is imported only when a run takes long.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from initaudit.observation import Headway, Tell, silent
from initaudit.report.base import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 0.5
"""Seconds before progress is shown."""


@contextlib.contextmanager
def shown(*, quiet: bool = False) -> Iterator[Tell]:
    """Give a callback that draws the progress of a run on a terminal; the line is removed at the end."""
    if quiet or sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield silent
        return
    drawing = _Drawing()
    try:
        yield drawing.tell
    finally:
        drawing.stop()


class _Drawing:
    """One line that changes in place."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._line: tuple[Progress, TaskID] | None = None

    def tell(self, headway: Headway) -> None:
        if self._line is None:
            if time.monotonic() - self._since < PATIENCE:
                return
            bar = _bar()
            self._line = bar, bar.add_task("", total=None)
            bar.start()
        drawn, line = self._line
        count = f"{headway.done} of {headway.total}" if headway.total > 1 else ""
        words = "  ".join(filter(None, (headway.what, headway.part, count)))
        drawn.update(line, description=printable(words))

    def stop(self) -> None:
        if self._line is not None:
            self._line[0].stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    class Steady(Console):
        """A console that never hides the cursor, since a killed run could not show it again."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        TimeElapsedColumn(),
        console=Steady(stderr=True),
        transient=True,
        expand=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
