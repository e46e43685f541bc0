"""Kernels that are written to one channel of a convolution whose output sums over several."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import argument, dotted, last_name
from initaudit.analyzer.syntax.callers import Given, given_to
from initaudit.analyzer.syntax.context import Context, first_parameter
from initaudit.analyzer.syntax.structure import Layer, constructed, made
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.weights import PartialKernel

CONVOLUTION = re.compile(r"torch\.nn\.Conv(?:Transpose)?[123]d")


@reads(PartialKernel, scope=Context, words=("]=", "weight"), nearby="Conv1d Conv2d Conv3d ConvTranspose")
def partial_kernels(context: Context) -> Iterator[PartialKernel]:
    """Assignments of whole kernels to weights of which nothing else is written."""
    for name, stores in _stores(context).items():
        axis = next((axis for axis in (1, 0) if all(_is_one(index, axis) for _, index in stores)), None)
        if axis is None or not _make_a_kernel([index for _, index in stores]):
            continue
        if all(isinstance(store.value, ast.Constant) and store.value.value == 0 for store, _ in stores):
            continue  # what switches a channel off is no kernel
        layers = list(_layers(context, name))
        written = _is_written(context, name) or any(
            _is_written(each.context, dotted(each.node)) for each in _given(context, name)
        )
        if layers and all(_is_dense(layer, axis) for layer in layers) and not written:
            yield PartialKernel(
                place=context.snippet.place(stores[0][0]),
                source=context.snippet.source(stores[0][0]),
                axis=axis,
                layer=f"nn.{layers[0].kind.removeprefix('torch.nn.')}",
            )


@reads(PartialKernel, scope=Context, words=("]=", "zero_( zeros_("), nearby="Conv1d Conv2d Conv3d ConvTranspose")
def kernels_of_all_pairs(context: Context) -> Iterator[PartialKernel]:
    """Behind zeros, one number in the middle of every kernel: each output gets the sum of all inputs."""
    zeroed = [
        _owner(target)
        for call in context.calls()
        if (target := written(context, call)) is not None and last_name(call.func) in ("zero_", "zeros_")
    ]
    for name, stores in _stores(context).items():
        (store, index), *others = stores
        layers = list(_layers(context, name)) if not others and _is_of_all_pairs(index) else []
        number = isinstance(store.value, ast.Constant) and store.value.value != 0
        if (
            number
            and layers
            and zeroed.count(name) == 1
            and all(_is_dense(each, axis) for each in layers for axis in (0, 1))
        ):
            yield PartialKernel(
                place=context.snippet.place(store),
                source=context.snippet.source(store),
                axis=None,
                layer=f"nn.{layers[0].kind.removeprefix('torch.nn.')}",
            )


def _is_of_all_pairs(index: Sequence[ast.expr]) -> bool:
    """``[:, :, 1, 1]``, ``[..., k // 2, k // 2]``: an element of the kernel of each pair of channels."""
    match index:
        case [ast.Slice(lower=None, upper=None), ast.Slice(lower=None, upper=None), *inside]:
            pass
        case [ast.Constant(value=value), *inside] if value is ...:
            pass
        case _:
            return False
    return bool(inside) and not any(isinstance(each, ast.Slice) for each in inside)


def _stores(context: Context) -> dict[str, list[tuple[ast.Assign, list[ast.expr]]]]:
    """The assignments to parts of weights, by the layer: ``up.weight.data[0, 0] = k``, or by a name for that."""
    names = {
        node.targets[0].id: owner
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (owner := _owner(node.value))
    }
    found: dict[str, list[tuple[ast.Assign, list[ast.expr]]]] = {}
    for node in context.walk():
        match node:
            case ast.Assign(targets=[ast.Subscript() as target]):
                weight, index = _indexed(target)
                owner = names.get(weight.id, "") if isinstance(weight, ast.Name) else _owner(weight)
                if owner:
                    found.setdefault(owner, []).append((node, index))
            case _:
                pass
    return found


def _indexed(target: ast.expr) -> tuple[ast.expr, list[ast.expr]]:
    """What an assignment writes a part of, and by which indices: ``w[0, 0]`` or ``w[0][0]``."""
    index: list[ast.expr] = []
    while isinstance(target, ast.Subscript):
        index = [*(target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]), *index]
        target = target.value
    return target, index


def _owner(node: ast.expr) -> str:
    """The layer that ``layer.weight`` or ``layer.weight.data`` belongs to."""
    name = dotted(node).removesuffix(".data")
    return name.removesuffix(".weight") if name.endswith(".weight") else ""


def _is_one(index: Sequence[ast.expr], axis: int) -> bool:
    """Whether an index takes the first of a dimension, and no other."""
    return len(index) > axis and isinstance(index[axis], ast.Constant) and ast.literal_eval(index[axis]) == 0


def _make_a_kernel(written: Sequence[Sequence[ast.expr]]) -> bool:
    """Whether indices take whole kernels, or elements of the only one that another takes as a whole."""
    whole = {ast.unparse(ast.Tuple(list(index[:2]))) for index in written if _is_kernel(index)}
    inside = {ast.unparse(ast.Tuple(list(index[:2]))) for index in written if not _is_kernel(index)}
    return bool(whole) and (not inside or whole == inside)


def _is_kernel(index: Sequence[ast.expr]) -> bool:
    """Whether an index takes all of a kernel, at once or in loops: a single element may be meant."""
    return len(index) >= 2 and not any(isinstance(each, ast.Constant) and each.value is not ... for each in index[2:])


def _given(context: Context, name: str) -> list[Given]:
    """What the code of the file gives a function whose first parameter has a name."""
    if context.definition is None or context.cls is not None or name != first_parameter(context):
        return []
    return list(given_to(context, by_apply=False))


def _layers(context: Context, name: str) -> Iterator[Layer]:
    """The layers that a name stands for: those of an attribute, or what the callers of a function give it."""
    callers = _given(context, name)
    if not callers:
        yield from _known(context, name)
    for caller, node, meaning, _ in callers:
        if meaning is not None and meaning.element and meaning.source.startswith("self.") and caller.cls is not None:
            held = constructed(caller.project, caller.cls).values()
            yield from (layer for each in held for layer in each.layers if layer.kind in meaning.kinds)
        else:
            yield from _known(caller, dotted(node))


def _known(context: Context, name: str) -> Iterator[Layer]:
    """The layers of an attribute of the object, or of a name that is assigned in the same code."""
    own = name.removeprefix("self.")
    if own != name and context.cls is not None:
        held = constructed(context.project, context.cls).get(own)
        yield from held.layers if held is not None and held.complete else ()
        return
    for value in context.assigned(name):
        yield from made(context, value).layers


def _is_dense(layer: Layer, axis: int) -> bool:
    """Whether a layer is a convolution without groups that has several channels in a dimension of its weight."""
    call = layer.call
    if CONVOLUTION.fullmatch(layer.kind) is None or call is None or len(call.args) > 6:
        return False
    given = {each.arg: each.value for each in call.keywords}
    if None in given or "groups" in given or any(isinstance(each, ast.Starred) for each in call.args):
        return False
    outputs = (axis == 0) != ("Transpose" in layer.kind)
    size = argument(call, 1, "out_channels") if outputs else argument(call, 0, "in_channels")
    return size is not None and not (isinstance(size, ast.Constant) and size.value == 1)


def _is_written(context: Context, name: str) -> bool:
    """Whether code also writes the weight of a layer as a whole, or gives it to something that may."""
    aliases = {
        node.targets[0].id
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _owner(node.value) == name
    }
    for node in context.walk():
        match node:
            case ast.Call(func=ast.Attribute(attr=method, value=owner)) if method.endswith("_"):
                if _owner(owner) == name or dotted(owner) in aliases or any(_owner(each) == name for each in node.args):
                    return True
            case ast.Call(func=function, args=args):
                given = any(dotted(each) in aliases or _owner(each) == name for each in args)
                if given and dotted(function) not in ("len", "print", "isinstance"):
                    return True
            case ast.Assign(targets=[target]) if _owner(target) == name:
                return True
            case _:
                pass
    return False
