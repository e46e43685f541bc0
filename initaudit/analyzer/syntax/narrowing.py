"""What a test says of the classes of modules: ``isinstance(m, nn.Conv2d)``, ``type(m) is A``, ``"Conv" in name``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.source.snippets import alternatives, dotted, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Meaning, Names, What

DIMENSIONS = {"dim", "ndim", "ndimension", "shape", "size"}
NAMED_LAYERS = torch_api.NORMALIZATIONS | torch_api.LINEAR_LIKE | {"Embedding"}
"""Classes of torch that initializers tell by their names."""


def narrowed(context: Context, test: ast.expr, names: Names, *, holds: bool) -> dict[str, Meaning]:
    """Return the meanings of names where a test holds, or where it does not."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return narrowed(context, inner, names, holds=not holds)
        case ast.BoolOp(op=op, values=parts) if isinstance(op, ast.And) is holds:
            for part in parts:
                names = narrowed(context, part, names, holds=holds)
            return dict(names)
        case ast.BoolOp(values=parts):
            return _either([narrowed(context, part, names, holds=holds) for part in parts])
    found = dict(names)
    _without_vectors(test, found)
    subject, kinds = type_asked_for(test)
    if kinds and holds and not any(map(context.is_module_class, kinds)):
        found.pop(subject, None)  # it has another type here
    elif kinds and all(map(context.is_module_class, kinds)):
        _set(found, subject, tuple(filter(None, map(context.class_name, kinds))), holds=holds)
    else:
        of_name, layers = _of_class_name(test, names)
        if layers and not (holds and of_name in found and found[of_name].kinds):
            _set(found, of_name, layers, holds=holds)
    return found


def _set(names: dict[str, Meaning], subject: str, kinds: tuple[str, ...], *, holds: bool) -> None:
    """Say that an object is of one of some classes, or of none of them."""
    known = names.get(subject, Meaning(What.MODULE, subject))
    if known.what is not What.MODULE:
        return
    if holds:
        names[subject] = Meaning(What.MODULE, known.source, kinds=kinds, element=known.element)
    elif known.kinds:
        names[subject] = replace(known, kinds=tuple(kind for kind in known.kinds if kind not in kinds))


def _either(branches: Sequence[Names]) -> dict[str, Meaning]:
    """What is known where one of several tests holds: an object is of any of the classes that they ask for."""
    found: dict[str, Meaning] = {}
    for name, first in branches[0].items():
        all_of_it = [each for branch in branches if (each := branch.get(name)) is not None]
        if len(all_of_it) < len(branches) or any(each.what is not first.what for each in all_of_it):
            continue
        kinds = dict.fromkeys(kind for each in all_of_it for kind in each.kinds)
        found[name] = replace(first, kinds=tuple(kinds) if all(each.kinds for each in all_of_it) else ())
    return found


def _without_vectors(test: ast.expr, names: dict[str, Meaning]) -> None:
    """Forget normalizations on either side of a test for dimensions: a gain has one, and is told from matrices."""
    for node in nodes(test):
        if isinstance(node, ast.Attribute) and node.attr in DIMENSIONS and isinstance(node.value, ast.Attribute):
            known = names.get(owner := dotted(node.value.value))
            if known is not None and known.kinds:
                matrices = (
                    kind for kind in known.kinds if kind.removeprefix("torch.nn.") not in torch_api.NORMALIZATIONS
                )
                names[owner] = replace(known, kinds=tuple(matrices))


def type_asked_for(test: ast.expr) -> tuple[str, list[ast.expr]]:
    """The object and the classes of ``isinstance(m, (A, B))``, ``type(m) is A`` and ``m.__class__ == A``."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[subject, kinds]):
            pass
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="type"), args=[subject]) | ast.Attribute(value=subject, attr="__class__"),
            ops=[ast.Is() | ast.Eq() | ast.In()],
            comparators=[kinds],
        ):
            pass
        case _:
            return "", []
    return dotted(subject), list(alternatives(kinds)) if dotted(subject) else []


def class_name_of(value: ast.expr) -> str | None:
    """The object of ``m.__class__.__name__`` or ``type(m).__name__``."""
    match value:
        case ast.Attribute(value=ast.Attribute(value=subject, attr="__class__"), attr="__name__"):
            return dotted(subject) or None
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type"), args=[subject]), attr="__name__"):
            return dotted(subject) or None
    return None


def part_asked_for(test: ast.AST) -> tuple[ast.expr, str] | None:
    """The name, and the part of it, of ``name.find("conv") != -1``, ``"conv" in name``, ``name.startswith("conv")``."""
    match test:
        case (
            ast.Compare(
                left=ast.Call(func=ast.Attribute(attr="find", value=name), args=[ast.Constant(value=str(part))]),
                ops=[ast.NotEq() | ast.GtE() | ast.Gt()],
            )
            | ast.Compare(left=ast.Constant(value=str(part)), ops=[ast.In()], comparators=[name])
            | ast.Call(func=ast.Attribute(attr="startswith", value=name), args=[ast.Constant(value=str(part))])
        ):
            return name, part
    return None


def _of_class_name(test: ast.expr, names: Names) -> tuple[str, tuple[str, ...]]:
    """What ``classname.find("BatchNorm") != -1`` says: the class is one of torch's that are called so."""
    match test:
        case ast.Compare(left=named, ops=[ast.Eq()], comparators=[ast.Constant(value=str(part))]):
            exact = True
        case _ if (asked := part_asked_for(test)) is not None:
            (named, part), exact = asked, False
        case _:
            return "", ()
    subject = class_name_of(named)
    if subject is None and isinstance(named, ast.Name) and named.id in names:
        subject = names[named.id].source if names[named.id].what is What.CLASS_NAME else None
    if subject is None:
        return "", ()
    called = sorted(name for name in NAMED_LAYERS if (name == part if exact else part in name))
    return subject, tuple(f"torch.nn.{name}" for name in called)
