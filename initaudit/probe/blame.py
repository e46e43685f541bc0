"""Decide whether an exception comes from the user's code or from initaudit."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

from initaudit.probe.files import OWN, displayed

F = TypeVar("F", bound=Callable[..., Any])

_crossings: set[CodeType] = set()
HERE = str(OWN) + os.sep
EXHAUSTED = (RecursionError, MemoryError)
"""What code of anyone raises when the user's has used up the stack or the memory."""


def crossing(function: F) -> F:
    """Mark a function of this tool that runs code of the user, or an operator for it.

    An exception that comes from there is the user's, unless code of this tool was called back on the way.
    """
    _crossings.add(function.__code__)
    return function


def is_ours(error: BaseException) -> bool:
    """Whether this tool raised an exception, or asked torch for what raised it."""
    if isinstance(error, EXHAUSTED):
        return False
    ours = False
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code in _crossings:
            ours = False
        elif code.co_filename.startswith(HERE):
            ours = True
        traceback = traceback.tb_next
    return ours


def failure_of_ours(error: BaseException) -> str:
    """A failure of this tool in one sentence, with the innermost line of its code."""
    where = ""
    traceback = error.__traceback__
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if filename.startswith(HERE):
            where = f" at {displayed(filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    message = str(error).strip().splitlines()
    said = f"{type(error).__name__}{': ' + message[0][:200] if message else ''}"
    return f"initaudit itself failed, and not the model ({said}{where}); please report this"
