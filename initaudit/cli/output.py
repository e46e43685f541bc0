"""How the outcome of a command is shown, and the streams and files that it is written to.

Findings go to standard output, everything else to standard error.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import msgspec

from initaudit.finding import shortened
from initaudit.report.base import printable_lines

LONGEST_LOG = 10_000
"""Maximum length of one message on standard error, in characters."""


class OutputError(Exception):
    """What should be written cannot be."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """How to show the outcome of a command."""

    output_format: str = "full"
    filename: str | None = None
    statistics: bool = False
    show_unknown: bool = False
    all_parameters: bool = False
    on_terminal: bool = False
    color: bool = False
    links: bool = False
    quiet: bool = False
    silent: bool = False
    verbose: bool = False
    exit_zero: bool = False
    fix_only: bool = False
    show_fixes: bool = False
    exit_non_zero_on_fix: bool = False

    @property
    def for_people(self) -> bool:
        """Whether findings are listed in a format for people."""
        return self.output_format in ("full", "concise") and not self.statistics


def write(content: bytes, output: Output) -> None:
    """Write to the output file if one is asked for, else to standard output unless the run is silent."""
    if output.silent and output.filename is None:
        return
    if output.filename is None:
        print_bytes(content)
    else:
        save(output.filename, content)


def save(filename: str, content: bytes) -> None:
    """Write a file; raise OutputError if it cannot be written."""
    try:
        Path(filename).write_bytes(content)
    except OSError as error:
        raise OutputError(f"{filename}: {error.strerror or error}") from error


def print_bytes(content: bytes) -> None:
    """Write to standard output, whatever its encoding; raise OutputError if it is closed or full."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that flushing at exit does not fail
        if not isinstance(error, BrokenPipeError):  # a reader such as `head` has closed the pipe
            raise OutputError(f"standard output: {error.strerror}") from error


def encoded(text: str) -> bytes:
    """Encode as UTF-8, whatever the locale; file names keep their bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a name in the source may hold a lone surrogate
        return text.encode("utf-8", "replace")


def log(message: str, end: str = "\n", *, escaped: bool = False) -> None:
    """Write to standard error, if it is open.

    A message is made printable and cut to LONGEST_LOG, unless it is a report, which is ``escaped`` already.
    """
    if sys.stderr is not None:
        message = message if escaped else printable_lines(shortened(message, LONGEST_LOG))
        with contextlib.suppress(OSError):
            sys.stderr.write(message.encode("utf-8", "replace").decode("utf-8") + end)
            sys.stderr.flush()
