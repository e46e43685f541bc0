"""What a module keeps in plain lists, tuples and dictionaries, and does not register: layers and parameters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.applications import only_prints
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.syntax.context import Context, constructs, own_attribute, uses_of
from initaudit.analyzer.syntax.elsewhere import spoken_of_elsewhere
from initaudit.analyzer.syntax.meaning import targets
from initaudit.analyzer.syntax.stateful import is_stateful
from initaudit.analyzer.syntax.tensor_uses import is_harmless, is_read
from initaudit.subjects.registration import PlainAttribute

MOVES = torch_api.RETURN_THE_MODULE - {"train", "eval"}
ADDS = {"append", "insert", "extend"}
COUNTS = {"len", "print"}
PAIRS = {"enumerate", "zip", "reversed"}
OF_DICTIONARY = {"items", "values", "keys"}
REGISTERS = {
    "add_module", "register_module", "register_parameter", "setattr", "__setattr__", "_modules", "__dict__", "vars",
    "children", "named_children",
}  # fmt: skip
HANDS_OUT = {
    "parameters", "named_parameters", "modules", "named_modules", "state_dict", "_apply", "requires_grad",
    "requires_grad_",
}  # fmt: skip
"""What a class uses that registers layers itself; that hands parameters out, or freezes them."""


@reads(PlainAttribute, scope=Context, words="self", nearby="forward(", named="__init__")
def unregistered_layers(context: Context) -> Iterator[PlainAttribute]:
    """``self.layers = [nn.Linear(d, d) for _ in range(n)]`` in a constructor, if the object only calls its items."""
    cls = context.cls
    if cls is None or context.function is None or context.function.name != "__init__":
        return
    for name, (made, layer) in kept(context, _is_layer).items():
        if context.project.is_module_class(cls) and _only_calls(context, cls, name):
            yield PlainAttribute(
                place=context.snippet.place(made),
                model=cls.qualname,
                attribute=name,
                source=context.snippet.source(layer),
                kind=_kind(made),
                shown=only_prints(context.project, cls),
            )


@reads(PlainAttribute, scope=Context, words="Parameter(", nearby="forward(", named="__init__")
def unregistered_parameters(context: Context) -> Iterator[PlainAttribute]:
    """``self.ws = [nn.Parameter(torch.randn(d, d)) for _ in range(n)]``, if the object only computes with its items."""
    cls = context.cls
    if cls is None or context.function is None or not constructs(context):
        return
    for name, (made, one) in kept(context, _is_parameter).items():
        if context.project.is_module_class(cls) and _computes_with_items(context, cls, name):
            yield PlainAttribute(
                place=context.snippet.place(made),
                model=cls.qualname,
                attribute=name,
                source=context.snippet.source(one),
                kind=f"{_kind(made)} of parameters",
                shown=only_prints(context.project, cls),
            )


def kept(
    context: Context, is_meant: Callable[[Context, ast.expr], bool | None]
) -> dict[str, tuple[ast.expr, ast.Call]]:
    """The plain collections that a constructor gives attributes: where each is made, and one item that is meant.

    It holds nothing for which ``is_meant`` is None.
    """
    given: dict[str, list[ast.expr]] = {}
    for node in context.walk():
        match node:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                if (name := _collection(target)) is not None:
                    given.setdefault(name, []).append(value)
            case _:
                pass
    found: dict[str, tuple[ast.expr, ast.Call]] = {}
    for name, values in given.items():
        if len(values) != 1 or not name.startswith("self."):
            continue
        made, filled = values[0], name
        match made:
            case ast.Name(id=variable) if len(given.get(variable, ())) == 1 and _is_only_filled(context, made):
                made, filled = given[variable][0], variable
        items = [value for item in _items(context, made, filled) or () for value in _made(context, item)]
        answers = [is_meant(context, each) for each in items]
        meant = [each for each, answer in zip(items, answers, strict=True) if answer and isinstance(each, ast.Call)]
        if meant and None not in answers:
            found[name.removeprefix("self.")] = made, meant[0]
    return found


def _is_layer(context: Context, item: ast.expr) -> bool | None:
    """Whether an item is a new module with parameters; None where it is no module, as far as is known."""
    if not isinstance(item, ast.Call) or not context.is_module_class(item.func):
        return None
    return is_stateful(context, item, buffers=False)


def _is_parameter(context: Context, item: ast.expr) -> bool | None:
    return True if isinstance(item, ast.Call) and context.canonical(item.func) == "torch.nn.Parameter" else None


def _kind(made: ast.expr) -> str:
    """What an expression makes, in a word."""
    match made:
        case ast.Dict() | ast.DictComp() | ast.Call(func=ast.Name(id="dict")):
            return "dictionary"
        case ast.Tuple() | ast.Call(func=ast.Name(id="tuple")):
            return "tuple"
    return "list"


def _collection(target: ast.expr) -> str | None:
    """The name of a variable, or of an attribute of the object."""
    own = own_attribute(target)
    return f"self.{own}" if own is not None else target.id if isinstance(target, ast.Name) else None


def _items(context: Context, made: ast.expr, name: str) -> list[ast.expr] | None:
    """What is put into a collection, None if it is no plain one, or if not all of that is known."""
    match made:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Dict(values=items):
            pass
        case ast.ListComp(elt=item) | ast.DictComp(value=item):
            items = [item]
        case ast.Call(func=ast.Name(id="list" | "dict" | "tuple"), args=[], keywords=[]):
            items = []
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[ast.GeneratorExp(elt=item)]):
            items = [item]
        case _:
            return None
    found = list(items)
    for node in context.walk():
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="append" | "insert"), args=[*_, item]) if (
                _collection(owner) == name
            ):
                found.append(item)
            case ast.Assign(targets=[ast.Subscript(value=owner)], value=item) if _collection(owner) == name:
                found += [] if _moves(item, owner) else [item]
            case (
                ast.AugAssign(target=owner, value=ast.List(elts=more))
                | ast.Call(func=ast.Attribute(value=owner, attr="extend"), args=[ast.List(elts=more)])
            ) if _collection(owner) == name:
                found += more
            case _:
                pass
    return found


def _moves(value: ast.AST | None, owner: ast.expr) -> bool:
    """Whether a value is an item of a collection, moved: ``self.layers[i].to(device)``."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Subscript(value=of), attr=name)):
            return name in MOVES and dotted(of) == dotted(owner)
    return False


def _made(context: Context, item: ast.expr) -> list[ast.expr]:
    """What makes an item: itself, or all that its name is given, unless the object may get that in another way too."""
    if not isinstance(item, ast.Name):
        return [_unmoved(item)]
    values: list[ast.expr] = []
    for node in context.walk():
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == item.id:
                values.append(_unmoved(value))
            case ast.Assign(targets=targets, value=value) if _names(value, item.id):
                if any(own_attribute(inner) for target in targets for inner in ast.walk(target)):
                    return [item]
            case ast.Call(args=args) if any(dotted(arg) == "self" for arg in args) and _names(node, item.id):
                return [item]
            case _:
                pass
    return values or [item]


def _names(node: ast.AST, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _unmoved(item: ast.expr) -> ast.expr:
    """What makes a layer that is moved at once: ``nn.Linear(8, 8).to(device)``."""
    match item:
        case ast.Call(func=ast.Attribute(value=ast.Call() as made, attr=name)) if name in torch_api.RETURN_THE_MODULE:
            return _unmoved(made)
    return item


def _is_only_filled(context: Context, given: ast.Name) -> bool:
    """Whether a variable is only added to, but where the object is ``given`` it."""
    loads = (node for node in context.named(given.id) if isinstance(node.ctx, ast.Load) and node is not given)
    return all(_fills(context, node) or _is_counted(context, node) for node in loads)


def _fills(context: Context, node: ast.AST) -> bool:
    """Whether a collection is made, or added to."""
    parents = context.snippet.parents
    match parents.get(node):
        case ast.Attribute(attr=attr) as method:
            return attr in ADDS and isinstance(parents.get(method), ast.Call)
        case ast.Subscript(ctx=ast.Store()):
            return True
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store)


def _is_counted(context: Context, node: ast.AST) -> bool:
    """Whether only the length of a collection is asked for."""
    match context.snippet.parents.get(node):
        case ast.Call(func=ast.Name(id=called)):
            return called in COUNTS
    return False


def _only_calls(context: Context, cls: Defined, name: str) -> bool:
    """Whether all that the project does with a collection is to call its items in methods of the class."""
    if not cls.module.usage(cls.definition).names.isdisjoint({*HANDS_OUT, *REGISTERS}):
        return False
    uses = list(uses_of(context.project, cls, name))
    others = [
        (where, node)
        for where, node in uses
        if not (_is_counted(where, node) or (constructs(where) and _fills(where, node)))
    ]
    done = {what for use in others for what in _done_with_items(*use)}
    return (
        "call" in done
        and done <= {"call", "initialize", "move"}
        and not spoken_of_elsewhere(context.project, cls, name)
    )


def _computes_with_items(context: Context, cls: Defined, name: str) -> bool:
    """Whether all that the project does with tensors of a collection is to compute with them in methods of a class."""
    if not cls.module.usage(cls.definition).names.isdisjoint({*HANDS_OUT, *REGISTERS}):
        return False
    uses = [use for use in uses_of(context.project, cls, name) if not (constructs(use[0]) and _fills(*use))]
    done = {what for use in uses if not _is_counted(*use) for what in _done_with_tensors(*use)}
    return "read" in done and None not in done and not spoken_of_elsewhere(context.project, cls, name)


def _done_with_tensors(context: Context, node: ast.AST) -> set[str | None]:
    """What is done with tensors of a collection: ``x @ self.ws[i]``, ``for w in self.ws: ...``, ``w = self.ws[0]``."""
    parents = context.snippet.parents
    if is_read(context, node):
        return {"read"}
    match parents.get(node):
        case ast.Subscript(value=value) as item if value is node:
            around = parents.get(item)
            if isinstance(around, ast.Assign) and around.value is item:
                return _read_as(context, {each.id for each in around.targets if isinstance(each, ast.Name)})
            return {_done(context, item) if not isinstance(around, ast.Call) or around.func is not item else None}
    while (around := parents.get(node)) is not None and _gives_items(around, node):
        node = around
    match parents.get(node):
        case ast.For(target=target, iter=over) | ast.comprehension(target=target, iter=over) if over is node:
            return _read_as(context, targets(target))
    return {None}


def _read_as(context: Context, names: set[str]) -> set[str | None]:
    """Whether tensors are computed with under one of some names, and everything done there is harmless."""
    loads = [node for name in names for node in context.named(name) if isinstance(node.ctx, ast.Load)]
    read = {node.id for node in loads if is_read(context, node)}
    safe = read - {node.id for node in loads if not is_harmless(context, node)}
    return {"read"} if safe else {None}


def _done_with_items(context: Context, node: ast.AST) -> set[str | None]:
    """What is done with an item of the collection, ``self.layers[i](x)``, or with each in a loop."""
    parents = context.snippet.parents
    iterated = node
    while (around := parents.get(iterated)) is not None and _gives_items(around, iterated):
        iterated = around
    match parents.get(iterated):
        case ast.Subscript(value=value) as item if value is node:
            return {_done(context, item)}
        case ast.For(target=target, iter=over) | ast.comprehension(target=target, iter=over) if over is iterated:
            return _done_in_loop(context, {each.id for each in ast.walk(target) if isinstance(each, ast.Name)})
    return {None}


def _gives_items(around: ast.AST, inner: ast.AST) -> bool:
    """Whether code around a collection goes over its items: ``enumerate(...)``, ``....items()``."""
    match around:
        case ast.Call(func=ast.Name(id=called)):
            return called in PAIRS
        case ast.Attribute(attr=attr):
            return attr in OF_DICTIONARY
        case ast.Call(func=function):
            return function is inner and isinstance(inner, ast.Attribute) and inner.attr in OF_DICTIONARY
    return False


def _keeps(statement: ast.AST | None) -> bool:
    """Whether what a statement moves stays where it was."""
    match statement:
        case ast.Assign(targets=[ast.Subscript(value=owner)], value=value):
            return _moves(value, owner)
    return isinstance(statement, ast.Expr)


def _done_in_loop(context: Context, names: set[str]) -> set[str | None]:
    """What is done with the variable of a loop that is a layer: one that is called or initialized."""
    done: dict[str, set[str | None]] = {}
    for node in context.walk():
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
            done.setdefault(node.id, set()).add(_done(context, node))
    layers = [each for each in done.values() if each != {None}]
    return set().union(*layers) or {None}


def _done(context: Context, layer: ast.AST) -> str | None:
    """Whether some code calls a layer, moves it, or initializes a parameter of it; None for anything else."""
    parents = context.snippet.parents
    node, around = layer, parents.get(layer)
    if isinstance(around, ast.Call) and around.func is layer:
        return "call"
    if isinstance(around, ast.Attribute) and around.attr in MOVES:
        moved = parents.get(around)
        return "move" if _keeps(parents.get(moved) if moved is not None else None) else None
    while isinstance(around, ast.Attribute) and around.attr in ("weight", "bias", "data"):
        node, around = around, parents.get(around)
    match around:
        case ast.Call(func=function, args=[first, *_]) if first is node is not layer:
            initializes = torch_api.is_initializer(context.canonical(function) or "")
        case ast.Attribute(attr=name) if node is not layer and isinstance(parents.get(around), ast.Call):
            initializes = name in torch_api.OVERWRITES
        case _:
            return None
    return "initialize" if initializes else None
