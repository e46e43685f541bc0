"""Python's own functions and containers, as far as constructors use them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.symbolic.conditions import FALSE, TRUE, Atom, Condition, Literal, all_of, any_of
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch import modules
from initaudit.analyzer.symbolic.values import (
    MAX_TEXT,
    NONE,
    UNKNOWN,
    UNSET,
    Api,
    Choice,
    Class,
    Constant,
    Instance,
    Mapping,
    Origin,
    Sequence,
    Size,
    Symbol,
    Tensor,
    Unset,
    Value,
    choose,
    constant,
    joined,
    leaves,
    simplify,
    text,
)

PYTHON_TYPES: dict[str, type] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list, "tuple": tuple, "dict": dict,
}  # fmt: skip
CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "int": int, "float": float, "abs": abs, "round": round, "bool": bool, "str": str,
}  # fmt: skip
REDUCTIONS: dict[str, Callable[[Any], Any]] = {"max": max, "min": min, "sum": sum}
COUNTING = ("factorial", "comb", "perm")
LARGEST_COUNTED = 1_000
"""Of more, there are more combinations than anything in a model has elements."""
TORCH_PARENTS = {
    "torch.nn._BatchNorm": ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
    "torch.nn._NormBase": (
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "InstanceNorm1d", "InstanceNorm2d",
        "InstanceNorm3d",
    ),
    "torch.nn._ConvNd": ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
    "torch.nn.RNNBase": ("LSTM", "GRU", "RNN"),
}  # fmt: skip


def call(run: Run, name: str, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Call a built-in function; one that is not known lets nothing escape, for none of them writes tensors."""
    match name, args:
        case "isinstance", [value, types]:
            return _as_value(run, is_instance(run, value, types))
        case "issubclass", [Class() as value, types]:
            return _as_value(run, is_instance(run, Instance(value.defined, None), types))
        case "hasattr", [value, Constant(str(attribute))]:
            return _as_value(run, has_attribute(run, value, attribute))
        case "getattr", [value, key, *default]:
            return _getattr(run, value, key, default)
        case "setattr", [holder, key, value]:
            name = str(key.value) if isinstance(key, Constant) else text(key)
            for leaf in run.alternatives(holder):
                modules.assign_attribute(run, leaf, name, value, origin.node)
            return NONE
        case "type", [Instance() as value]:
            return Class(value.cls) if value.cls is not None else Api(value.external or "?")
        case "range", _:
            return _range(run, args)
        case "enumerate", [iterable, *_]:
            items = [item for _, item in run.iterate(iterable)]
            pairs: list[Value] = [Sequence([Constant(i), item], is_list=False) for i, item in enumerate(items)]
            complete = isinstance(iterable, Sequence) and iterable.complete
            if not complete:
                pairs = [Sequence([Symbol("each of enumerate"), item], is_list=False) for item in items]
            return Sequence(pairs, complete)
        case "zip", _:
            return _zip(run, args)
        case (("list" | "tuple" | "sorted" | "reversed" | "set" | "iter" | "frozenset"), [iterable]):
            if isinstance(iterable, Size | Symbol) and name in ("list", "tuple"):
                return iterable
            complete = isinstance(iterable, Sequence) and iterable.complete
            return Sequence([item for _, item in run.iterate(iterable)], complete, name != "tuple")
        case (("list" | "tuple" | "set"), []):
            return Sequence([], True, name != "tuple")
        case "next", [iterable, *_]:
            return next((item for _, item in run.iterate(iterable)), UNKNOWN)
        case "dict", []:
            return Mapping(dict(keywords))
        case "dict", [Sequence(items=pairs)]:
            return _mapping_of(pairs)
        case "len", [Sequence(items=items, complete=True)]:
            return Constant(len(items))
        case (("int" | "float" | "abs" | "round" | "bool" | "str"), [Constant(value)]):
            return _converted(name, value)
        case (("max" | "min" | "sum"), [Constant(), *_]) if all(isinstance(arg, Constant) for arg in args):
            return _extremum(name, [arg.value for arg in args if isinstance(arg, Constant)])
        case (("len" | "int" | "max" | "min" | "round" | "abs"), _):
            result = Symbol(f"{name}({', '.join(map(text, args))})")
            run.integers.add(result.text) if name in ("len", "int") else None
            return result
        case "map", [function, iterable]:
            return _map(run, function, iterable, origin)
        case _:
            return Symbol(f"{name}({', '.join(map(text, args))})")


def _mapping_of(pairs: list[Value]) -> Mapping:
    """The mapping of (key, value) pairs."""
    mapping = Mapping({}, complete=False)
    for pair in pairs:
        if isinstance(pair, Sequence) and len(pair.items) == 2:
            key, value = pair.items
            mapping.items[str(key.value) if isinstance(key, Constant) else f"?{text(key)}"] = value
    return mapping


def _as_value(run: Run, outcome: Condition) -> Value:
    return simplify(choose(outcome, Constant(True), Constant(False)), run.condition)


def _map(run: Run, function: Value, iterable: Value, origin: Origin) -> Value:
    results = [run.call(function, [item], {}, origin) for _, item in run.iterate(iterable)]
    return Sequence(results, isinstance(iterable, Sequence) and iterable.complete)


def _converted(name: str, value: Any) -> Value:
    try:
        return constant(CONVERSIONS[name](value))
    except (TypeError, ValueError, OverflowError):
        return UNKNOWN


def _extremum(name: str, values: list[Any]) -> Value:
    try:
        return constant(REDUCTIONS[name](values if len(values) > 1 else values[0]))
    except (TypeError, ValueError):
        return UNKNOWN


def _range(run: Run, args: list[Value]) -> Value:
    for arg in args:
        run.integer(arg)
    if args and all(isinstance(arg, Constant) and isinstance(arg.value, int) for arg in args):
        try:
            numbers = range(*[arg.value for arg in args if isinstance(arg, Constant) and isinstance(arg.value, int)])
            if len(numbers) <= 16:
                return Sequence([Constant(number) for number in numbers])
        except (TypeError, ValueError):  # a step of zero, or four arguments: such code raises
            return UNKNOWN
        except OverflowError:  # more numbers than can be counted
            pass
    result = Symbol(f"each of range({', '.join(map(text, args))})")
    run.integers.add(result.text)
    return Sequence([result], complete=False)


def _zip(run: Run, args: list[Value]) -> Value:
    columns = [[item for _, item in run.iterate(arg)] for arg in args]
    complete = all(isinstance(arg, Sequence) and arg.complete for arg in args)
    rows = max((len(column) for column in columns), default=0)
    padded = [column + [column[-1] if column else UNKNOWN] * (rows - len(column)) for column in columns]
    return Sequence([Sequence(list(row), is_list=False) for row in zip(*padded, strict=True)], complete)


def _getattr(run: Run, value: Value, key: Value, default: list[Value]) -> Value:
    name = key.value if isinstance(key, Constant) and isinstance(key.value, str) else text(key)
    if isinstance(value, Tensor) and default and name not in value.attributes:
        return default[0]
    if isinstance(value, Instance) and default and (isinstance(key, Constant) or name in value.attributes):
        exists = has_attribute(run, value, name)
        if exists == FALSE:
            return default[0]
        if exists != TRUE:
            return choose(exists, run.attribute(value, name), default[0])
    if isinstance(value, Instance):
        return modules.member(run, value, key)
    if isinstance(value, Symbol) and default:
        return Symbol(f"getattr({value.text}, {name})")
    return run.attribute(value, name)


def has_attribute(run: Run, value: Value, name: str) -> Condition:
    """When ``hasattr(value, name)`` is true."""
    if isinstance(value, Instance):
        if name in value.attributes:
            found = leaves(value.attributes[name], run.condition)
            if not any(isinstance(leaf, Unset) for _, leaf in found):
                return TRUE
            return any_of(condition for condition, leaf in found if not isinstance(leaf, Unset))
        if value.cls is not None and isinstance(run.project.method(value.cls, name), Defined):
            return TRUE
        if not value.opaque or value.cls is None:
            return TRUE if modules.attribute(run, value, name) is not None else FALSE
    if isinstance(value, Tensor):
        return TRUE if name in ("data", "shape", "grad") or name in value.attributes else FALSE
    return Literal(Atom(f"hasattr({text(value)}, {name!r})"))


def is_instance(run: Run, value: Value, types: Value) -> Condition:
    """When ``isinstance(value, types)`` is true."""
    if isinstance(types, Sequence):
        return any_of(is_instance(run, value, item) for item in types.items)
    if isinstance(value, Choice):
        return any_of(all_of([when, is_instance(run, leaf, types)]) for when, leaf in leaves(value, run.condition))
    outcome = _is_instance(run, value, types)
    if outcome is None:
        return Literal(Atom(f"isinstance({text(value)}, {text(types)})"))
    return TRUE if outcome else FALSE


def _is_instance(run: Run, value: Value, cls: Value) -> bool | None:
    match value, cls:
        case Instance(), (Class() | Api()):
            return _derives(run, value, cls)
        case Tensor(parameter=parameter), Api("torch.nn.Parameter"):
            return parameter or None
        case Tensor(), Api("torch.Tensor"):
            return True
        case Tensor(), (Api() | Class()):
            return False
        case Constant(inner), Api(name) if name.removeprefix("builtins.") in PYTHON_TYPES:
            return isinstance(inner, PYTHON_TYPES[name.removeprefix("builtins.")])
        case Constant() | Unset(), Class() | Api():
            return False
        case Sequence(is_list=is_list), Api(name):
            return name == ("builtins.list" if is_list else "builtins.tuple") or name.startswith("collections.abc.")
        case _:
            return None


def _derives(run: Run, value: Instance, cls: Class | Api) -> bool | None:
    order = run.project.mro(value.cls) if value.cls is not None else ()
    if order is None:
        return None
    if isinstance(cls, Class):
        return cls.defined in order
    names = {base.name for base in order if isinstance(base, External)} | {value.external}
    if cls.name in names or cls.name == "torch.nn.Module":
        return True
    children = TORCH_PARENTS.get(cls.name, ())
    return any(f"torch.nn.{child}" in names for child in children)


def mathematics(name: str, args: list[Value]) -> Value:
    """A function or constant of ``math``."""
    function = getattr(math, name, None)
    if callable(function) and args and all(isinstance(arg, Constant) for arg in args):
        values = [arg.value for arg in args if isinstance(arg, Constant)]
        if name in COUNTING and any(isinstance(value, int) and value > LARGEST_COUNTED for value in values):
            return UNKNOWN
        try:
            result = function(*values)
        except (TypeError, ValueError, OverflowError, ArithmeticError):
            return UNKNOWN
        return Constant(result) if isinstance(result, int | float) and abs(result) < 1e15 else UNKNOWN
    return Symbol(f"math.{name}({', '.join(map(text, args))})")


def container(
    run: Run, owner: Sequence | Mapping | Constant, name: str, args: list[Value], keywords: dict[str, Value]
) -> Value:
    """A method of a list, dict, string or number."""
    match owner:
        case Sequence():
            return _sequence_method(run, owner, name, args)
        case Mapping():
            return _mapping_method(run, owner, name, args)
        case Constant(str(value)):
            return _string_method(value, name, args)
        case _:
            return UNKNOWN


def _sequence_method(run: Run, owner: Sequence, name: str, args: list[Value]) -> Value:
    if name in ("append", "insert", "add", "appendleft") and args:
        owner.items.append(choose(run.condition, args[-1], UNSET) if run.condition != TRUE else args[-1])
        return NONE
    if name in ("extend", "update") and args:
        added = [item for _, item in run.iterate(args[0])]
        both = joined(owner.items, added, complete=owner.complete, is_list=owner.is_list)
        owner.items, owner.complete = both.items, both.complete
        return NONE
    if name == "numel":
        return Symbol(f"numel({text(owner)})")
    if name in ("pop", "popleft"):
        return owner.items[-1] if owner.items else UNKNOWN
    return Sequence(list(owner.items), owner.complete) if name == "copy" else UNKNOWN


def _mapping_method(run: Run, owner: Mapping, name: str, args: list[Value]) -> Value:
    match name, args:
        case "copy", []:
            return Mapping(dict(owner.items), owner.complete)
        case "items", _:
            pairs: list[Value] = [Sequence([_key(key), value], is_list=False) for key, value in owner.items.items()]
            return Sequence(pairs, owner.complete)
        case "values", _:
            return Sequence(list(owner.items.values()), owner.complete)
        case "keys", _:
            return Sequence([_key(key) for key in owner.items], owner.complete)
        case (("get" | "pop" | "setdefault"), [Constant(str(key)), *default]):
            return owner.items.get(key, default[0] if default and owner.complete else UNKNOWN if default else NONE)
        case "update", [Mapping(items=items)]:
            owner.items.update(items)
            return NONE
        case "update", [other]:
            owner.items["?update"], owner.complete = other, False
            return NONE
        case _:
            return UNKNOWN


def _key(key: str) -> Value:
    return Symbol(key.removeprefix("?")) if key.startswith("?") else Constant(key)


def _string_method(value: str, name: str, args: list[Value]) -> Value:
    plain = [arg.value for arg in args if isinstance(arg, Constant)]
    if len(plain) == len(args) and name in (
        "find", "startswith", "endswith", "lower", "upper", "split", "replace", "strip", "count", "removeprefix",
    ):  # fmt: skip
        if name == "replace" and sum(len(part) for part in plain if isinstance(part, str)) * len(value) > MAX_TEXT:
            return UNKNOWN
        try:
            result = getattr(value, name)(*plain)
        except (AttributeError, TypeError, ValueError, OverflowError):
            return UNKNOWN
        return Sequence([Constant(part) for part in result]) if isinstance(result, list) else constant(result)
    return Symbol(f"{value!r}.{name}({', '.join(map(text, args))})")
