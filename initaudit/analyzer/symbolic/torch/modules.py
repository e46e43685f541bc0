"""Model ``nn.Module``: registration, traversal, ``apply`` and containers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.frameworks import MODULE_BASES
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.symbolic import tensors
from initaudit.analyzer.symbolic.computed_names import is_computed, reached
from initaudit.analyzer.symbolic.conditions import TRUE, Condition, all_of, negate
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch import layers
from initaudit.analyzer.symbolic.values import (
    NONE,
    UNKNOWN,
    UNSET,
    Builtin,
    Choice,
    Constant,
    Index,
    Instance,
    Mapping,
    Memory,
    Origin,
    Sequence,
    Storage,
    Symbol,
    Tensor,
    Value,
    choose,
    inside,
    leaves,
    text,
)

RESET_TARGETS = (
    "weight", "bias", "in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight", "bias_k",
    "bias_v", "weight_ih", "weight_hh", "bias_ih", "bias_hh",
)  # fmt: skip
LOADED = "its values are loaded"
LOADS = "load_state_dict"
COPIES = "Tensor.copy_"


def is_gradient_mode(node: ast.expr) -> bool:
    """Whether a ``with`` item only switches gradients on or off."""
    function = node.func if isinstance(node, ast.Call) else node
    return last_name(function) in ("no_grad", "inference_mode", "set_grad_enabled", "enable_grad")


def is_suppressing(node: ast.expr) -> bool:
    """Whether a ``with`` item catches errors."""
    return isinstance(node, ast.Call) and last_name(node.func) == "suppress"


# Traversal


def members(run: Run, instance: Instance, condition: Condition = TRUE) -> Iterator[tuple[str, Condition, Value]]:
    """Yield what is registered on a module directly: name, condition, value."""
    for name, value in [*instance.attributes.items(), *((str(i), v) for i, v in enumerate(instance.children))]:
        for when, leaf in leaves(value, condition):
            if isinstance(leaf, Tensor | Instance):
                yield name, when, leaf
            elif isinstance(leaf, Sequence) and not leaf.items:
                continue


def initialize(run: Run, value: Value, by: str, origin: Origin, seen: set[int] | None = None) -> None:
    """Write a tensor, or all parameters of a module or a collection; skip objects in ``seen``."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    match value:
        case Tensor():
            tensors.write(run, value, by, origin)
        case Instance():
            for pair in named_parameters(run, value):
                initialize(run, pair, by, origin, seen)
        case Sequence(items=items):
            for item in items:
                initialize(run, item, by, origin, seen)
        case Mapping(items=mapping):
            for item in mapping.values():
                initialize(run, item, by, origin, seen)
        case Choice():
            for _, leaf in leaves(value, run.condition):
                initialize(run, leaf, by, origin, seen)


def named_parameters(run: Run, instance: Instance, recurse: bool = True, prefix: str = "") -> list[Value]:
    """Return pairs of name and parameter; a parameter that exists under a condition is a choice."""
    found: list[Value] = []
    seen: set[int] = set()

    def add(owner: Instance, prefix: str, condition: Condition) -> None:
        if id(owner) in seen:
            return
        seen.add(id(owner))
        for name, when, leaf in members(run, owner, condition):
            if isinstance(leaf, Tensor) and leaf.parameter:
                value = leaf if when == TRUE else choose(when, leaf, UNSET)
                full = prefix + name
                found.append(Sequence([Symbol(full) if is_computed(full) else Constant(full), value], is_list=False))
            elif isinstance(leaf, Instance) and recurse:
                add(leaf, f"{prefix}{name}.", when)

    add(instance, prefix, TRUE)
    return found


def all_modules(run: Run, instance: Instance, *, own: bool = True) -> list[tuple[str, Condition, Instance]]:
    """Yield all modules of a module, children first as ``apply`` visits them."""
    found: list[tuple[str, Condition, Instance]] = []
    seen: set[int] = set()

    def visit(owner: Instance, name: str, condition: Condition) -> None:
        if id(owner) in seen:
            return
        seen.add(id(owner))
        for child_name, when, leaf in members(run, owner, condition):
            if isinstance(leaf, Instance) and leaf.external not in ("torch.nn.ParameterList", "torch.nn.ParameterDict"):
                visit(leaf, f"{name}.{child_name}".strip("."), when)
        if own or owner is not instance:
            found.append((name, condition, owner))

    visit(instance, "", TRUE)
    return found


def _conditional(condition: Condition, value: Value) -> Value:
    return value if condition == TRUE else choose(condition, value, UNSET)


def _is_constructed(run: Run, instance: Instance) -> bool:
    """Whether the constructor of a module runs. It is in training mode until something else sets that."""
    return any(
        frame.instance is instance and frame.function is not None and frame.function.definition.name == "__init__"
        for frame in run.frames
    )


def attribute(run: Run, instance: Instance, name: str) -> Value | None:
    """Return an attribute of ``nn.Module`` or of a container; None if neither has it."""
    builtin = _METHODS.get(name)
    if builtin is not None:
        return Builtin(name, lambda args, keywords, origin: builtin(run, instance, args, keywords, origin))
    if name in ("_parameters", "_buffers", "_modules", "__dict__"):
        return Mapping(instance.attributes)
    if name == "training":
        return Constant(True) if _is_constructed(run, instance) else Symbol("self.training")
    if name in torch_api.HARMLESS_MODULE_METHODS:
        return Builtin(name, lambda args, keywords, origin: instance)
    if name in torch_api.RESET_BY_CONSTRUCTOR.values() and instance.external is not None:
        return Builtin(name, lambda args, keywords, origin: _reset(run, instance, origin))
    if instance.cls is None and instance.external is not None and not instance.external.endswith("Module"):
        short = instance.external.rpartition(".")[2]
        if name in (
            "in_features",
            "out_features",
            "in_channels",
            "out_channels",
            "padding_idx",
            "kernel_size",
            "groups",
        ):
            return Symbol(f"{short}#{id(instance)}.{name}") if short in layers.WITH_WEIGHT else None
        if name == "bias" and short in layers.WITH_WEIGHT:
            return NONE
    return None


def inherited(run: Run, instance: Instance, name: str, external: str | None) -> Value:
    """Return ``super().name`` if the next class cannot be read."""
    if name == "__init__" and external is not None and external.startswith("torch.nn."):
        short = external.rpartition(".")[2]
        return Builtin(
            name, lambda args, keywords, origin: _construct_base(run, instance, short, args, keywords, origin)
        )
    if external is not None and torch_api.RESET_BY_CONSTRUCTOR.get(external.rpartition(".")[2]) == name:
        return Builtin(name, lambda args, keywords, origin: _reset(run, instance, origin, external))
    found = attribute(run, instance, name)
    return found if found is not None else Builtin(name, lambda args, keywords, origin: UNKNOWN)


def _construct_base(
    run: Run, instance: Instance, short: str, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> Value:
    """Run the constructor of a torch layer: create its weights, then call the instance's reset method."""
    if short in layers.WITH_WEIGHT:
        layers.add_weights(run, instance, short, args, keywords, origin)
    elif short in ("Sequential", "ModuleList", "ParameterList"):
        instance.children += [i for a in args for i in layers.sequence_items(run, a, single=short == "Sequential")]
    reset = torch_api.RESET_BY_CONSTRUCTOR.get(short)
    if reset is not None:
        weights = [*_weights(instance)] if _overrides(run, instance, reset) else []
        for weight in weights:
            weight.raw = True
        run.call(run.attribute(instance, reset), [], {}, origin)
        for weight in weights:
            weight.raw = any(other.writes for other in weights)  # otherwise nothing is to be written, on purpose
        run.storages += [weight for weight in weights if weight.raw]
    return NONE


def _overrides(run: Run, instance: Instance, method: str) -> bool:
    """Whether a class of the project has a method of its own in the place of that of its base."""
    return instance.cls is not None and isinstance(run.project.method(instance.cls, method), Defined)


def _weights(instance: Instance) -> Iterator[Storage]:
    """The memory of the weight and the bias that a layer of torch has just made."""
    for name in ("weight", "bias"):
        value = instance.attributes.get(name)
        if isinstance(value, Tensor) and isinstance(value.storage, Memory):
            yield value.storage.storage


def _reset(run: Run, instance: Instance, origin: Origin, layer: str | None = None) -> Value:
    """Run ``reset_parameters`` of a torch layer, of its own or of another ``layer``'s class.

    A base that has no parameters of its own writes none.
    """
    layer = layer or instance.external
    if layer in MODULE_BASES or layer == "torch.nn.Module":
        return NONE
    if (layer or "").rpartition(".")[2] in torch_api.RESETS_ALL:
        for pair in named_parameters(run, instance):
            initialize(run, pair, "reset_parameters", origin)
        return NONE
    for name in RESET_TARGETS:
        for _, leaf in leaves(instance.attributes.get(name, NONE), run.condition):
            if isinstance(leaf, Tensor):
                tensors.write(run, leaf, "reset_parameters", origin)
    return NONE


def assign_attribute(run: Run, holder: Value, name: str, value: Value, node: ast.AST) -> None:
    """Execute ``holder.name = value``."""
    if isinstance(holder, Instance):
        run.set_attribute(holder, name, value)
    elif isinstance(holder, Tensor):
        if name == "data":
            tensors.replace_data(run, holder, value, run.origin(node))
        else:
            holder.attributes[name] = value


def set_item(run: Run, holder: Sequence | Instance, index: Index, value: Value) -> None:
    """Execute ``holder[index] = value`` for a list or a container."""
    items = holder.items if isinstance(holder, Sequence) else holder.children
    position = index.constant if index.constant is not None or index.start is None else holder.keyed.get(index.start)
    if isinstance(holder, Instance) and isinstance(position, str):
        run.set_attribute(holder, position, value)
    elif isinstance(position, int) and -len(items) <= position < len(items):
        items[position] = choose(run.condition, value, items[position])
    else:
        if index.is_named:
            holder.keyed[index.start or ""] = len(items)
        items.append(_conditional(run.condition, value) if index.is_named else value)


def member(run: Run, instance: Instance, key: Value) -> Value:
    """Return the attribute of a module that a value names; any of them, if the name is not known."""
    name = key.value if isinstance(key, Constant) and isinstance(key.value, str) else text(key)
    if isinstance(key, Constant) or name in instance.attributes:
        return run.attribute(instance, name)
    held = [(other, each) for other, _, each in members(run, instance)]
    if run.built is not None and any(each is run.built for _, each in held):
        return run.built  # what is done to each of them is done to it
    return reached(run, held, name)


# Methods of nn.Module


def _get_attribute(
    run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> Value:
    return member(run, instance, args[0]) if args else UNKNOWN


def _register(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    name = args[0] if args else keywords.get("name", UNKNOWN)
    value = (
        args[1] if len(args) > 1 else next((keywords[k] for k in ("param", "tensor", "module") if k in keywords), NONE)
    )
    key = str(name.value) if isinstance(name, Constant) else text(name)
    run.set_attribute(instance, key, value)
    return NONE


def _register_buffer(
    run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> Value:
    name = args[0] if args else keywords.get("name", UNKNOWN)
    instance.buffers.add(str(name.value) if isinstance(name, Constant) else text(name))
    data = args[1] if len(args) > 1 else keywords.get("tensor", NONE)
    tensors.place(data, origin)
    tensors.own(data)
    return _register(run, instance, args, keywords, origin)


def _parameters(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    recurse = (args[0] if args else keywords.get("recurse")) != Constant(False)
    pairs = [pair for pair in named_parameters(run, instance, recurse) if isinstance(pair, Sequence)]
    return Sequence([pair.items[1] for pair in pairs], complete=False)


def _named_parameters(
    run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> Value:
    return Sequence(named_parameters(run, instance, keywords.get("recurse") != Constant(False)), complete=False)


def _get_parameter(
    run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> Value:
    target = args[0] if args else keywords.get("target", UNKNOWN)
    wanted = str(target.value) if isinstance(target, Constant) else text(target)
    known: list[tuple[str, Value]] = []
    for pair in named_parameters(run, instance):
        if isinstance(pair, Sequence):
            name, value = pair.items
            full = str(name.value) if isinstance(name, Constant) else text(name)
            if full == wanted:
                return value
            known += [(full, leaf) for _, leaf in leaves(value, TRUE) if isinstance(leaf, Tensor)]
    return reached(run, known, "?" if isinstance(target, Constant) else wanted)


def _modules(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    return Sequence([_conditional(when, module) for _, when, module in all_modules(run, instance)], complete=False)


def _named_modules(
    run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> Value:
    pairs: list[Value] = [
        Sequence([Constant(name), _conditional(when, module)], is_list=False)
        for name, when, module in all_modules(run, instance)
    ]
    return Sequence(pairs, complete=False)


def _direct(run: Run, instance: Instance) -> list[tuple[str, Condition, Instance]]:
    return [(name, when, leaf) for name, when, leaf in members(run, instance) if isinstance(leaf, Instance)]


def _children(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    return Sequence([_conditional(when, child) for _, when, child in _direct(run, instance)], complete=False)


def _named_children(
    run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> Value:
    pairs: list[Value] = [
        Sequence([Constant(name), _conditional(when, child)], is_list=False)
        for name, when, child in _direct(run, instance)
    ]
    return Sequence(pairs, complete=False)


def _apply(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    function = args[0] if args else keywords.get("fn", UNKNOWN)
    before = run.condition
    for _, condition, module in all_modules(run, instance):
        run.condition = all_of([before, condition])
        run.call(function, [module], {}, origin)
    run.condition = before
    return instance


def apply_method(run: Run, instance: Instance, name: str, origin: Origin) -> Value:
    """Execute ``instance.apply(instance.name)``, as frameworks do."""
    return _apply(run, instance, [run.attribute(instance, name)], {}, origin)


def _append(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    if args:
        instance.children.append(_conditional(run.condition, args[-1]))
    return instance


def _extend(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    for condition, item in run.iterate(args[0]) if args else []:
        instance.children.append(_conditional(condition, item))
    return instance


def _update(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    if args and isinstance(args[0], Mapping):
        for name, value in args[0].items.items():
            run.set_attribute(instance, name, value)
    return NONE


def _values(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    return Sequence([*instance.attributes.values(), *instance.children], complete=False)


def _keys(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    return Sequence([Constant(name) for name in instance.attributes], complete=False)


def _items(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    pairs: list[Value] = [
        Sequence([Constant(name), value], is_list=False) for name, value in instance.attributes.items()
    ]
    return Sequence(pairs, complete=False)


def _state(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Return the tensors of a module by their names: they share its memory."""
    named = _named(run, instance)
    return Mapping(named, complete=False) if named else Symbol(f"{_own_state(instance)}()")


def _named(run: Run, instance: Instance) -> dict[str, Value]:
    """The parameters of a module by their names; nothing where some name is computed."""
    pairs = [pair.items for pair in named_parameters(run, instance) if isinstance(pair, Sequence)]
    known = {name.value: value for name, value in pairs if isinstance(name, Constant) and isinstance(name.value, str)}
    return known if len(known) == len(pairs) else {}


def _own_state(instance: Instance) -> str:
    return f"state_dict#{id(instance)}"


def _load(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Write the module, unless its own earlier state is loaded, such as the best one of a training behind it."""
    own = _named(run, instance)
    memory = {id(leaf.storage) for value in own.values() for leaf in inside(value) if isinstance(leaf, Tensor)}
    loaded = [each for each in inside(args[0]) if each is not UNSET and each != NONE] if args else []
    if loaded and all(_is_own(each, instance, memory) for each in loaded):
        return UNKNOWN
    if run.following is None:
        return _lose(run, instance, args, keywords, origin)
    before, run.condition = run.condition, all_of([run.condition, negate(run.trained)])
    state = args[0] if args else UNKNOWN
    if isinstance(state, Mapping) and state.items and state.items.keys() <= own.keys():
        for name, value in state.items.items():
            if not all(_is_own(each, instance, memory) for each in inside(value)):
                made = all(isinstance(each, Tensor) for each in inside(value))
                initialize(run, own[name], COPIES if made else LOADS, origin)
    else:
        copied = _is_of_modules([each for _, each in leaves(state, run.condition)])
        initialize(run, instance, COPIES if copied else LOADS, origin)
    run.condition = before
    return UNKNOWN


def _is_of_modules(states: list[Value]) -> bool:
    """Whether what is loaded is, in all cases, the state of a module, and of one that the same code makes in some."""
    known = [isinstance(each, Mapping) and all(isinstance(value, Tensor) for value in inside(each)) for each in states]
    unknown = [each for each, is_known in zip(states, known, strict=True) if not is_known]
    return any(known) and all(isinstance(each, Symbol) and each.text.endswith(".state_dict()") for each in unknown)


def _is_own(value: Value, instance: Instance, memory: set[int]) -> bool:
    """Whether a value is of a module's own state, or a copy of it."""
    if isinstance(value, Tensor):
        return id(value.storage) in memory
    return isinstance(value, Symbol) and _own_state(instance) in value.text


def _lose(run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    run.escape(instance, LOADED if run.condition == TRUE else "its values may be loaded")
    return UNKNOWN


_METHODS = {
    "register_parameter": _register,
    "register_buffer": _register_buffer,
    "add_module": _register,
    "register_module": _register,
    "__setattr__": _register,
    "__getattr__": _get_attribute,
    "parameters": _parameters,
    "named_parameters": _named_parameters,
    "get_parameter": _get_parameter,
    "modules": _modules,
    "named_modules": _named_modules,
    "children": _children,
    "named_children": _named_children,
    "apply": _apply,
    "append": _append,
    "insert": _append,
    "extend": _extend,
    "update": _update,
    "keys": _keys,
    "values": _values,
    "items": _items,
    "state_dict": _state,
    "load_state_dict": _load,
    "_apply": _lose,
}
