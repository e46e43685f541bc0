"""Layers that stand several times in a container, as one object."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import all_given, is_once
from initaudit.analyzer.source.snippets import nodes
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.meaning import targets
from initaudit.analyzer.syntax.stateful import is_stateful
from initaudit.analyzer.syntax.structure import CONTAINERS, LISTS
from initaudit.finding import Place
from initaudit.subjects.layers import RepeatedLayer

NOT_SHARED = {*LISTS, *(f"torch.nn.{name}" for name in torch_api.STATEFUL - {"Embedding", "EmbeddingBag"})}
"""Layers that are seldom given to several others so that these share them."""
SHARED = re.compile(
    r"(?<![A-Za-z])(?i:shar(?:e[ds]?|ing)(?![a-z])|tie[ds]?(?![a-z])|tying|reus)"
    r"|(?<=[a-z])(?:Share|Sharing|Tied|Tying|Reus)"
    r"|(?<![A-Za-z])(?i:same(?:$|[ _]?(?:layer|weight|parameter|module|object|instance|block|cell|one)))",
    re.MULTILINE,
)
"""Words, and parts of names, of code or a comment that says that a layer is repeated on purpose."""


@reads(
    RepeatedLayer,
    scope=Context,
    words=(
        "ModuleList( Sequential( ParameterList( ModuleDict( ParameterDict( setattr( add_module( register_module(",
        "* repeat( append( 'for' fromkeys(",
    ),
)
def repeated_layers(context: Context) -> Iterator[RepeatedLayer]:
    """``nn.ModuleList([layer] * n)`` of a layer with parameters or buffers."""
    made = {
        node.targets[0].id: node.value
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    }
    lists = {
        node.targets[0].id: node.value
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    containers = [call for call in context.calls() if context.canonical(call.func) in CONTAINERS]
    found: list[tuple[ast.expr, ast.expr, ast.expr]] = [
        (call, *each) for call in containers for arg in call.args for each in _repeated(context, arg, lists)
    ]
    found += [(added, added, layer) for added, layer in _appended(context, lists)]
    found += [(each, *one) for each, items in _joined(context, lists) for one in _repeated(context, items, lists)]
    seen: set[ast.expr] = set()
    for call, items, layer in found:
        maker = made.get(layer.id) or _by_callers(context, layer.id) if isinstance(layer, ast.Name) else layer
        if not isinstance(maker, ast.Call) or not is_stateful(context, maker):
            continue
        if _hands_on(items) and context.canonical(maker.func) not in NOT_SHARED:
            continue  # position tables and modules of the project are given to several layers on purpose
        if isinstance(layer, ast.Name) and (SHARED.search(_around(context, call)) or _used(context, layer.id) > 1):
            continue
        if items in seen:
            continue  # another layer of the same items
        seen.add(items)
        yield RepeatedLayer(
            place=context.snippet.place(call),
            source=context.snippet.source(items),
            layer=context.snippet.source(layer),
            listed=isinstance(items, ast.ListComp | ast.GeneratorExp | ast.DictComp) or _hands_on(items),
            once=isinstance(items, ast.BinOp) and is_once(context, (items.left, items.right)),
        )


def _by_callers(context: Context, name: str) -> ast.Call | None:
    """The call that makes the layer which the first caller in the file gives for a parameter, if every one does."""
    definition, cls = context.definition, context.cls
    of_init = cls is not None and definition is not None and definition.name == "__init__"
    called = cls if of_init else Defined(context.module, definition) if definition and cls is None else None
    given = all_given(called, name) if called is not None else []
    made = [each for each in given if isinstance(each, ast.Call) and is_stateful(context, each)]
    return made[0] if made and len(made) == len(given) else None


def _hands_on(items: ast.expr) -> bool:
    """Whether what is added is made around the layer, and is not the layer itself."""
    if isinstance(items, ast.ListComp | ast.GeneratorExp):
        return isinstance(items.elt, ast.Call)
    return isinstance(items, ast.Call) and any(isinstance(each, ast.Call) for each in items.args)


def _used(context: Context, name: str) -> int:
    """How often a name is read or bound, beside once: it may be shared on purpose."""
    places = context.named(name)
    bound = sum(isinstance(node.ctx, ast.Store) for node in places)
    return max(bound, len(places) - bound)


def _repeated(context: Context, items: ast.expr, lists: dict[str, ast.expr]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The lists of one element that are multiplied in what a container is given, and that element.

    They may be spread beside others, concatenated, or bound to a name before; ``itertools.repeat`` does the same.
    """
    match items:
        case ast.Starred(value=inner):
            yield from _repeated(context, inner, lists)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                if isinstance(element, ast.Starred):
                    yield from _repeated(context, element, lists)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _repeated(context, left, lists)
            yield from _repeated(context, right, lists)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            for side, times in ((left, right), (right, left)):
                once = isinstance(times, ast.Constant) and times.value in (0, 1)
                listed = lists.get(side.id) if isinstance(side, ast.Name) else side
                if isinstance(listed, ast.List | ast.Tuple) and not once:
                    yield from ((items, element) for element in listed.elts if not isinstance(element, ast.Starred))
        case ast.Call(func=function, args=[element, _]) if context.canonical(function) == "itertools.repeat":
            yield items, element
        case ast.Call(func=ast.Attribute(value=ast.Name(id="dict"), attr="fromkeys"), args=[_, element]):
            yield items, element
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner]):
            yield from _repeated(context, inner, lists)
        case ast.Name(id=name) if name in lists:
            others = {key: value for key, value in lists.items() if key != name}
            yield from _repeated(context, lists[name], others)
        case ast.ListComp(elt=ast.Name(id=name)) | ast.GeneratorExp(elt=ast.Name(id=name)):
            bound = {each for one in items.generators for each in targets(one.target)}
            if name not in bound:
                yield items, items.elt
        case ast.DictComp(value=ast.Name(id=name)):
            bound = {each for one in items.generators for each in targets(one.target)}
            if name not in bound:
                yield items, items.value
        case ast.ListComp(elt=ast.Call() as made) | ast.GeneratorExp(elt=ast.Call() as made):
            bound = {each for one in items.generators for each in targets(one.target)}
            yield from ((items, layer) for layer in _handed(context, made) if layer.id not in bound)
        case _:
            pass


def _handed(context: Context, made: ast.Call) -> Iterator[ast.Name]:
    """The names that are given to a container, or to a module of the project, as layers to hold."""
    found = context.resolve(made.func)
    holds = isinstance(found, Defined) and found.definition.is_class and context.project.is_module_class(found)
    if holds or context.canonical(made.func) in LISTS:
        given = [*made.args, *(each.value for each in made.keywords)]
        yield from (each for each in given if isinstance(each, ast.Name))


def _joined(context: Context, lists: dict[str, ast.expr]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a container, or a list that one is made of, is extended by."""
    for node in context.walk():
        match node:
            case (
                ast.Call(func=ast.Attribute(value=owner, attr="extend"), args=[items])
                | ast.AugAssign(target=owner, op=ast.Add(), value=items)
            ) if _is_container(context, owner, lists):
                yield items, items
            case _:
                pass


def _appended(context: Context, lists: dict[str, ast.expr]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What every round of a loop adds to a container or a module, and what was made before the loop."""
    for loop in context.walk():
        if not isinstance(loop, ast.For | ast.While):
            continue
        bound = {node.id for node in nodes(loop) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        for statement in loop.body:
            match statement:
                case (
                    ast.AugAssign(target=owner, op=ast.Add(), value=ast.List(elts=items))
                    | ast.Expr(
                        value=ast.Call(func=ast.Attribute(value=owner, attr="extend"), args=[ast.List(elts=items)])
                    )
                ) if _is_container(context, owner, lists):
                    added = statement.value
                    named = (item for item in items if isinstance(item, ast.Name) and item.id not in bound)
                    yield from ((added, item) for item in named)
                    continue
            if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
                continue
            match _added(context, statement.value, bound, lists):
                case ast.Name(id=name) as layer if name not in bound:
                    yield statement.value, layer
                case ast.Call() as made:
                    yield from ((statement.value, each) for each in _handed(context, made) if each.id not in bound)


def _added(context: Context, call: ast.Call, bound: set[str], lists: dict[str, ast.expr]) -> ast.expr | None:
    """What a call in a loop adds to a container, or gives a module under a name of its own in every round."""
    match call:
        case ast.Call(func=ast.Attribute(value=owner, attr="append"), args=[added]):
            return added if _is_container(context, owner, lists) else None
        case ast.Call(func=ast.Attribute(value=owner, attr="add_module" | "register_module"), args=[name, added]):
            pass
        case ast.Call(func=ast.Name(id="setattr"), args=[owner, name, added]):
            pass
        case _:
            return None
    of_object = isinstance(owner, ast.Name) and owner.id == "self" and context.cls is not None
    of_object = of_object and context.cls is not None and context.project.is_module_class(context.cls)
    named = any(isinstance(each, ast.Name) and each.id in bound for each in nodes(name))
    return added if named and (of_object or _is_container(context, owner, lists)) else None


def _is_container(context: Context, owner: ast.expr, lists: dict[str, ast.expr]) -> bool:
    """Whether an expression is a container of modules, or a list that one is made of in the same function."""
    own = own_attribute(owner)
    for node in context.walk():
        match node:
            case ast.Assign(targets=[target], value=ast.Call(func=function)) if context.canonical(function) in LISTS:
                if ast.unparse(target) == ast.unparse(owner):
                    return True
    if own is not None or not isinstance(owner, ast.Name) or not isinstance(lists.get(owner.id), ast.List):
        return False
    return any(
        context.canonical(call.func) in LISTS and owner.id in {n.id for n in nodes(call) if isinstance(n, ast.Name)}
        for call in context.calls()
    )


def _row(place: Place) -> int:
    return place.row


def _around(context: Context, node: ast.AST) -> str:
    """The text of a statement, of what stands between it and the one before, and of the conditions that lead to it."""
    place = context.snippet.place(node)
    statements = [context.snippet.place(each) for each in context.walk() if isinstance(each, ast.stmt)]
    around = max((each for each in statements if each.row <= place.row and place.end_row <= each.end_row), key=_row)
    before = max((each.end_row for each in statements if each.end_row < around.row), default=context.snippet.start - 1)
    before = max([before, *(each.row for each in statements if each.row < around.row <= each.end_row)])
    tests = [
        context.snippet.source(test.test)
        for test in context.walk()
        if isinstance(test, ast.If) and any(inner is node for inner in ast.walk(test))
    ]
    return "\n".join([*context.module.lines[before : around.end_row], *tests])
