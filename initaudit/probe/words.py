"""Format texts of user code as one line that can be printed and encoded."""

from __future__ import annotations

from collections.abc import Sequence

from initaudit.finding import shortened
from initaudit.probe.files import displayed, is_installed, is_user_code

SHOWN = 3
"""Paths that are named where there are many."""


def describe(error: BaseException) -> str:
    """Return an exception in one line, with the innermost file and line of user code that it came from."""
    where = ""
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if is_user_code(filename):
            where = f" at {displayed(filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    said = message_of(error)
    return f"{type(error).__name__}{': ' + said if said else ''}{where}"


def through(error: BaseException) -> str:
    """Return the innermost line of a file that is not installed, where the exception came from below that line."""
    own, last = "", ""
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if is_user_code(filename):
            last = f"{displayed(filename)}:{traceback.tb_lineno}"
            own = own if is_installed(filename) else last
        traceback = traceback.tb_next
    return f", through {own}" if own and own != last else ""


def few(paths: Sequence[str]) -> str:
    """The first paths, and how many more there are."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def message_of(error: BaseException) -> str:
    """Return the first line of what an exception says, and the second where the first only announces it."""
    try:
        lines = [line.strip() for line in str(error).strip().splitlines()]
    except Exception:  # a user's exception may not even have a text
        return ""
    message = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return shortened(visible(message))


def visible(text: str) -> str:
    """Return one line with everything that a terminal would not show as itself written as an escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def escaped(text: str) -> str:
    """Return a text in which halves of characters, which no encoding takes, are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
