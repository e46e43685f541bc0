"""Find the line of user code that caused an operation, from the running frame."""

from __future__ import annotations

import ast
import functools
import itertools
import linecache
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import msgspec
import torch
from torch.nn.utils import parametrize
from torch.nn.utils.weight_norm import WeightNorm

from initaudit.finding import Place
from initaudit.probe.files import displayed, is_user_code, torch_folder

INITIALIZERS: dict[CodeType, str] = {
    function.__code__: name
    for name, function in vars(torch.nn.init).items()
    if name.endswith("_") and not name.startswith("_") and hasattr(function, "__code__")
}
"""The code of each function of ``torch.nn.init``: a frame that runs it is such a call, however it was imported."""
RESETS = ("reset_parameters", "_reset_parameters")
LAYERS = torch_folder() + "nn"
INIT_FILE = torch.nn.init.calculate_gain.__code__.co_filename
LEGACY = frozenset(
    f"{kind}Tensor"
    for kind in ("", "Float", "Double", "Half", "BFloat16", "Byte", "Char", "Short", "Int", "Long", "Bool")
)


class Call:
    """A line of user code, found while it runs, and turned into a place when somebody asks."""

    __slots__ = ("_instruction", "code", "row")

    def __init__(self, frame: FrameType) -> None:
        self.code = frame.f_code
        self._instruction = frame.f_lasti
        self.row = frame.f_lineno

    @property
    def place(self) -> Place:
        return _place(self.code, self._instruction, self.row)

    def spelled(self) -> str | None:
        """The last name of what is called here ("Tensor" in ``t.Tensor(3, 4)``), where its span is known."""
        return _spelled(self.code, self.place)


@functools.lru_cache(maxsize=8192)
def _spelled(code: CodeType, place: Place) -> str | None:
    lines = [linecache.getline(code.co_filename, row) for row in range(place.row, place.end_row + 1)]
    lines[-1] = lines[-1][: place.end_column - 1]
    lines[0] = lines[0][place.column - 1 :]
    try:
        expression = ast.parse("".join(lines).strip(), mode="eval").body
    except SyntaxError:  # the span of a whole line need not be an expression
        return None
    function = expression.func if isinstance(expression, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


class Initializer:
    """A running call of a function of ``torch.nn.init``. It keeps its frame, so that no other one has its identity."""

    __slots__ = ("frame", "name")

    def __init__(self, frame: FrameType) -> None:
        self.frame = frame
        self.name = INITIALIZERS[frame.f_code]

    def arguments(self) -> dict[str, Any]:
        """What it was given, by name."""
        code = self.frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        values = self.frame.f_locals
        return {name: values[name] for name in names if name in values}


class Derivation(msgspec.Struct, frozen=True):
    """The computation of a weight: the canonical name of what asked for it, and the class of the layer."""

    by: str
    layer: str


def _by_hook(names: dict[str, Any]) -> Derivation:
    """What the hook of the old ``weight_norm`` computes."""
    return Derivation("torch.nn.utils.weight_norm", _kind(names["module"]))


def _by_parametrization(names: dict[str, Any]) -> Derivation:
    """What the property of a parametrized module computes."""
    module, name = names["self"], names["tensor_name"]
    step = type(module.parametrizations[name][0]).__name__
    return Derivation(PARAMETRIZATIONS.get(step, step), _kind(type(module).__bases__[0]))


def _kind(module: Any) -> str:
    return f"torch.nn.{(module if isinstance(module, type) else type(module)).__name__}"


PARAMETRIZATIONS = {
    f"_{kind}": f"torch.nn.utils.parametrizations.{name}"
    for kind, name in (("WeightNorm", "weight_norm"), ("SpectralNorm", "spectral_norm"), ("Orthogonal", "orthogonal"))
}
DERIVING: dict[CodeType, Callable[[dict[str, Any]], Derivation]] = {WeightNorm.compute_weight.__code__: _by_hook} | {
    code: _by_parametrization
    for code in parametrize._inject_property.__code__.co_consts
    if isinstance(code, CodeType) and code.co_name == "get_parametrized"
}
"""The code that computes a weight each time it is needed, and what tells by its variables who asked for that."""


class Caused:
    """Who caused an operation.

    ``writer`` is the innermost line of user code, ``cause`` the next one outward, ``initializer`` the function of
    ``torch.nn.init`` between, ``layer`` the torch layer whose own constructor or reset runs between, and ``resets``
    says that it is a reset. ``derived`` is the computation of a weight from other parameters that runs between.
    ``direct`` says that no other code of ``torch.nn`` stands between.
    """

    __slots__ = ("cause", "derived", "direct", "initializer", "layer", "resets", "writer")

    def __init__(self) -> None:
        self.writer: Call | None = None
        self.cause: Call | None = None
        self.initializer: Initializer | None = None
        self.layer: str | None = None
        self.resets = False
        self.derived: Derivation | None = None
        self.direct = True

    def settled(self) -> Caused:
        """The same, without the frame that it would keep alive."""
        self.initializer = None
        return self


def who() -> Caused:
    """Walk outward from the running operation."""
    caused = Caused()
    for frame in _outward(sys._getframe(1)):
        code = frame.f_code
        if caused.writer is None and not is_user_code(code.co_filename):
            if code in INITIALIZERS:
                caused.initializer = Initializer(frame)
            elif code in DERIVING:
                caused.derived = caused.derived or DERIVING[code](frame.f_locals)
            elif code.co_filename.startswith(LAYERS) and code.co_filename != INIT_FILE:
                caused.direct = False
                if code.co_name in RESETS or code.co_name == "__init__":
                    _note_layer(caused, frame)
        elif is_user_code(code.co_filename):
            if caused.writer is not None:
                caused.cause = Call(frame)
                break
            if caused.initializer is None or code.co_name != caused.initializer.name:
                caused.writer = Call(frame)  # but a function of an initializer's own name only passes it on
    return caused


def _note_layer(caused: Caused, frame: FrameType) -> None:
    owner = frame.f_locals.get("self")
    if isinstance(owner, torch.nn.Module):
        caused.layer = type(owner).__name__
        caused.resets = caused.resets or frame.f_code.co_name in RESETS


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


@functools.lru_cache(maxsize=8192)
def _place(code: CodeType, instruction: int, row: int) -> Place:
    """The span of an instruction, in code points; the whole line where Python keeps no columns."""
    filename = displayed(code.co_filename)
    if hasattr(code, "co_positions"):
        spans = itertools.islice(code.co_positions(), max(instruction, 0) // 2, None)
        begin, end, column, end_column = next(spans) if instruction >= 0 else (row, row, None, None)
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


def place_of_node(filename: str, node: ast.expr | ast.stmt) -> Place:
    """The span of a node of a file's syntax tree, in code points."""
    end_row, end_offset = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    column, end_column = _points(filename, node.lineno, node.col_offset), _points(filename, end_row, end_offset)
    return Place(displayed(filename), node.lineno, column + 1, end_row, end_column + 1)


def _points(filename: str, row: int, offset: int) -> int:
    """A byte offset in a line as a number of code points."""
    return len(linecache.getline(filename, row).encode()[:offset].decode(errors="replace"))
