"""One report for all ranks that torchrun starts: the first one prints it, and all exit with the same code."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from collections.abc import Callable

import msgspec

from initaudit.cli.output import Output
from initaudit.probe.ranks import launched

GONE = "initaudit: error: rank 0 ended without a report\n"


def silenced(output: Output) -> Output:
    """Return the output of a rank that does not report."""
    return msgspec.structs.replace(output, filename=None, quiet=True, silent=True)


def reports() -> bool:
    """Whether this process prints the report: it is the first rank, or on its own."""
    place = launched.launch()
    return place is None or place.rank == 0


def concluded(run: Callable[[], int]) -> int:
    """Run a command, and return its exit code; that of the first rank if there are several.

    Another rank shows its errors only if the first one ended without a report.
    """
    if launched.launch() is None:
        return run()
    errors = io.StringIO()
    with contextlib.nullcontext() if reports() else contextlib.redirect_stderr(errors):
        code = run()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun sends it as soon as one rank fails
    first = launched.known().concluded(code)
    if first is None:
        sys.stderr.write(f"{errors.getvalue()}{GONE}")
        return 2
    return first
