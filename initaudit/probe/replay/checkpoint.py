"""State dicts to load in a replay: from a file or from the model itself, without the keys that are to be missing."""

from __future__ import annotations

import fnmatch
import json
import math
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import torch

from initaudit.naming import near
from initaudit.probe.record.poison import Tensors
from initaudit.probe.record.readable import bare, has_memory
from initaudit.probe.request import Target, TargetError
from initaudit.probe.words import few, message_of

TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    "C64": torch.complex64, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "U16": torch.uint16,
    "U32": torch.uint32, "U64": torch.uint64,
}  # fmt: skip
"""The names of types in a file of safetensors."""
LENGTH = 8
"""Bytes of the number at the beginning of such a file: the length of its header."""
NOISE = 0.01
"""The least standard deviation of what makes the values to load other than those of the constructor."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A state dict, and where it comes from.

    ``missing`` are the keys of the model that it lacks, ``reshaped`` those that have another shape there, and
    ``unknown`` the keys that the model does not have.
    """

    state: Tensors
    source: str
    missing: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def copies(self) -> Tensors:
        """The tensors to load: what loads them may keep them, and write into them."""
        copies = {id(value): value.clone() for value in self.state.values()}
        return {key: copies[id(value)] for key, value in self.state.items()}

    def with_other_values(self, seed: int) -> Checkpoint:
        """The same keys with other numbers; tensors that are one stay one."""
        return msgspec.structs.replace(self, state=disturbed(self.state, seed))


def checkpoint(target: Target, model: torch.nn.Module) -> Checkpoint | None:
    """What a target asks to load; None where it asks for nothing. Raises TargetError for keys that do not exist."""
    if target.state_dict is None and not target.missing_keys:
        return None
    own = {key: value for key, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    if target.state_dict is None:
        state, source = disturbed(own, target.seed), "a state dict of the model"
    else:
        state, source = read_state_dict(Path(target.state_dict)), target.state_dict
        if not own.keys() & state.keys():
            raise TargetError(
                f"{source}: none of its keys ({few(list(state))}) is one of the model's ({few(list(own))})"
            )
    left_out = frozenset(_left_out(target.missing_keys, [*own, *(key for key in state if key not in own)]))
    return Checkpoint(
        state={key: value for key, value in state.items() if key not in left_out},
        source=source,
        missing=tuple(key for key in own if key in left_out or key not in state),
        reshaped=tuple(
            key for key in own if key in state and key not in left_out and state[key].shape != own[key].shape
        ),
        unknown=tuple(key for key in state if key not in own and key not in left_out),
    )


def _left_out(patterns: Iterable[str], keys: list[str]) -> Iterator[str]:
    for pattern in patterns:
        found = fnmatch.filter(keys, pattern) if any(one in pattern for one in "*?[") else [pattern]
        if not set(found) & set(keys):
            meant = near(pattern, keys)
            hint = f"; did you mean `{meant}`?" if meant is not None else f"; its keys are {few(keys)}"
            raise TargetError(f"no key of the state dict matches the missing key `{pattern}`{hint}")
        yield from found


def disturbed(state: Tensors, seed: int) -> Tensors:
    """Copies with a little noise in every number that is no integer, from a generator of its own."""
    generator = torch.Generator().manual_seed(seed)
    copies: dict[tuple[object, ...], torch.Tensor] = {}
    for value in state.values():
        key = _identity(value)
        if key not in copies:
            copies[key] = _noisy(value, generator)
    return {name: copies[_identity(value)] for name, value in state.items()}


def _identity(value: torch.Tensor) -> tuple[object, ...]:
    return (value.data_ptr(), value.storage_offset(), tuple(value.shape)) if has_memory(value) else (id(value),)


def _noisy(value: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    plain = bare(value).clone() if has_memory(value) else value
    if plain is value or not plain.is_floating_point() or plain.element_size() < 2 or plain.numel() == 0:
        return plain
    finite = plain.double()[plain.isfinite()]
    scale = max(NOISE, float(finite.std(correction=0)) if finite.numel() else 0.0)
    noise = torch.randn(plain.shape, generator=generator, dtype=torch.float64) * scale
    return (plain.double() + noise.to(plain.device)).to(plain.dtype)


def read_state_dict(path: Path) -> Tensors:
    """Read a file of safetensors or of ``torch.save``. Raises TargetError, which names the file and the key."""
    try:
        with path.open("rb") as file:
            begin = file.read(LENGTH + 1)
        found = _safetensors(path) if begin[LENGTH:] == b"{" and begin[:2] != b"PK" else _saved(path)
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror or error}") from error
    if not isinstance(found, dict):
        raise TargetError(f"{path}: it holds {_kind(found)}, not a dict of tensors")
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            inner = isinstance(value, dict) and value and all(isinstance(one, torch.Tensor) for one in value.values())
            advice = "; save that one in a file of its own" if inner else ""
            what = "a dict of tensors" if inner else f"{_kind(value)}, not a tensor"
            raise TargetError(f"{path}: key {key!r} holds {what}{advice}")
    if not found:
        raise TargetError(f"{path}: it holds no tensor")
    return dict(found)


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _saved(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        said = message_of(error).partition(" (1)")[0]
        raise TargetError(
            f"{path}: it is neither safetensors nor what torch.load reads with weights_only=True ({said})"
        ) from error


def _safetensors(path: Path) -> Tensors:
    """Read a file of safetensors: the length of a header, the header in JSON, then the numbers."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:LENGTH], "little")
    try:
        header = json.loads(raw[LENGTH : LENGTH + size])
        entries = [(key, entry) for key, entry in header.items() if key != "__metadata__"]
    except (ValueError, AttributeError) as error:
        raise TargetError(f"{path}: the header of its safetensors is not valid") from error
    return {key: _entry(path, key, entry, memoryview(raw)[LENGTH + size :]) for key, entry in entries}


def _entry(path: Path, key: str, entry: dict[str, object], data: memoryview) -> torch.Tensor:
    try:
        begin, end = msgspec.convert(entry["data_offsets"], tuple[int, int])
        shape = msgspec.convert(entry["shape"], tuple[int, ...])
        dtype = TYPES[str(entry["dtype"])]
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise TargetError(f"{path}: key {key!r} has a type, shape or offset that safetensors does not know") from error
    if not 0 <= begin <= end <= len(data) or end - begin != math.prod(shape) * dtype.itemsize:
        raise TargetError(f"{path}: key {key!r} lies outside of the file, which seems to be cut off")
    flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.uint8) if end > begin else torch.empty(0)
    return flat.view(dtype).reshape(shape) if end > begin else torch.empty(shape, dtype=dtype)
