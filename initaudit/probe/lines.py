"""Whose line it was: from a running frame to the line of user code that caused an operation."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import torch

from initaudit.finding import Place
from initaudit.probe.target import displayed

_TORCH = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep  # noqa: PTH100, PTH120
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120
_PYTHON = sysconfig.get_paths()["stdlib"] + os.sep
_SITE = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)

INITIALIZERS: dict[CodeType, str] = {
    function.__code__: name
    for name, function in vars(torch.nn.init).items()
    if name.endswith("_") and not name.startswith("_") and hasattr(function, "__code__")
}
"""The code of each public function of ``torch.nn.init``: a frame that runs it is such a call, however it was imported."""


class Call:
    """A line of user code, found while it runs, and turned into a place when somebody asks."""

    __slots__ = ("_instruction", "_row", "code")

    def __init__(self, frame: FrameType) -> None:
        self.code = frame.f_code
        self._instruction = frame.f_lasti
        self._row = frame.f_lineno

    @property
    def place(self) -> Place:
        return _place(self.code, self._instruction, self._row)


class Caused:
    """Who caused an operation: the innermost line of user code, the next one outward, and the initializer it went through."""

    __slots__ = ("arguments", "cause", "initializer", "serial", "writer")

    def __init__(self) -> None:
        self.writer: Call | None = None
        self.cause: Call | None = None
        self.initializer: str | None = None
        self.arguments: dict[str, Any] = {}
        self.serial: tuple[int, int] | None = None


@functools.lru_cache(maxsize=8192)
def is_user_code(filename: str) -> bool:
    """Whether a file is neither torch's, Python's own nor this tool's."""
    if filename.startswith((_TORCH, _OURS)) or filename.startswith("<frozen"):
        return False
    return not filename.startswith(_PYTHON) or any(site in filename for site in _SITE)


def who() -> Caused:
    """Walk outward from the running operation."""
    caused = Caused()
    for frame in _outward(sys._getframe(1)):
        code = frame.f_code
        if caused.writer is None and code in INITIALIZERS:
            caused.initializer = INITIALIZERS[code]
            caused.arguments = frame.f_locals
            caused.serial = (id(frame), frame.f_back.f_lasti if frame.f_back is not None else 0)
        elif is_user_code(code.co_filename):
            if caused.writer is None:
                caused.writer = Call(frame)
            else:
                caused.cause = Call(frame)
                break
    return caused


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def place_of_error(error: BaseException) -> Place | None:
    """The innermost line of user code that an exception passed."""
    found: tuple[CodeType, int, int] | None = None
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if is_user_code(frame.f_code.co_filename):
            found = (frame.f_code, traceback.tb_lasti, traceback.tb_lineno)
        traceback = traceback.tb_next
    return _place(*found) if found is not None else None


def _place(code: CodeType, instruction: int, row: int) -> Place:
    """The span of an instruction, in code points; the whole line where Python keeps no columns."""
    filename = displayed(code.co_filename)
    if hasattr(code, "co_positions"):
        spans = list(code.co_positions())
        begin, end, column, end_column = spans[instruction // 2] if instruction >= 0 else (row, row, None, None)
        if begin is not None and end is not None and column is not None and end_column is not None:
            return Place(
                filename,
                begin,
                _points(code.co_filename, begin, column) + 1,
                end,
                _points(code.co_filename, end, end_column) + 1,
            )
    line = linecache.getline(code.co_filename, row).rstrip("\r\n")
    return Place(filename, row, len(line) - len(line.lstrip()) + 1, row, len(line) + 1)


def _points(filename: str, row: int, offset: int) -> int:
    """A byte offset in a line as a number of code points."""
    return len(linecache.getline(filename, row).encode()[:offset].decode(errors="replace"))
