"""The layers that an expression stands for or that a walk over a model reaches, and the sizes they are made with."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import FunctionNode, dotted, handed_on, nodes, parameters
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, method, stretches
from initaudit.analyzer.syntax.meaning import ITERATORS, Meaning, Step, What, bound_in
from initaudit.analyzer.syntax.structure import NOTHING, UNKNOWN, Found, Key, Layer, constructed, held, made
from initaudit.naming import blocks

MAX_DEPTH = 4


def layers_of(context: Context, node: ast.expr) -> Found:
    """The layers that an expression stands for: a model, a layer, or a container with its items."""
    match node:
        case ast.Name(id="self") if context.cls is not None:
            return Found((Layer(context.cls.qualname, context.cls.definition.name, context.cls),))
        case ast.Name(id=name):
            return held(context, name)
        case ast.Attribute(value=owner, attr=name):
            return _item(context, layers_of(context, owner), name)
        case ast.Subscript(value=owner, slice=index):
            return _item(context, layers_of(context, owner), _position(index))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return sum((layers_of(context, item) for item in items), NOTHING)
        case ast.Call():
            return made(context, node)
    return UNKNOWN


def below(context: Context, found: Found, depth: int = MAX_DEPTH) -> Found:
    """Layers, with those that the project's own classes among them are made of."""
    every = found
    if any(layer.kind.startswith(torch_api.HOLDS_OTHERS) for layer in found.layers):
        every += UNKNOWN
    for layer in found.layers:
        if layer.cls is None:
            continue
        order = context.project.mro(layer.cls) or ()
        readable = depth > 0 and any(not isinstance(base, Defined) and base.name == "torch.nn.Module" for base in order)
        attributes = constructed(context.project, layer.cls).values() if readable else ()
        inner = sum((Found(tuple(each.layers), each.complete) for each in attributes), NOTHING if readable else UNKNOWN)
        every += below(context, inner, depth - 1)
    return every


def walked_model(source: str) -> ast.expr | None:
    """The model that ``model.parameters()``, or another walk over a model, goes over."""
    match ast.parse(source, mode="eval").body:
        case ast.Call(func=ast.Attribute(value=model, attr=walk)) if walk in ITERATORS:
            return model
    return None


def named_layers(
    project: Project, layers: Iterable[Layer], around: str = "", depth: int = MAX_DEPTH
) -> Iterator[tuple[str, Layer]]:
    """The layers of a model with their names, in which 0 stands for a position that is not known."""
    for layer in layers:
        name = ".".join([*filter(None, [around]), *("0" if key is None else str(key) for key in layer.path)])
        yield name, layer
        inner = constructed(project, layer.cls).values() if layer.cls is not None and depth > 0 else ()
        for attribute in inner:
            yield from named_layers(project, attribute.layers, f"{name}.{attribute.name}".lstrip("."), depth - 1)


def written_layers(context: Context, meaning: Meaning, step: Step) -> Found:
    """The layers whose weight has a meaning at a step, be it that of one layer or of each that a walk reaches."""
    node = ast.parse(meaning.source, mode="eval").body
    if meaning.attribute is not None and isinstance(node, ast.Attribute):
        return _named(context, node.value, step)
    return _walked(context, node) if meaning.element else UNKNOWN


def _named(context: Context, node: ast.expr, step: Step) -> Found:
    """The layers that an expression names at a step, whose variables may stand for another expression."""
    if not isinstance(node, ast.Name):
        return _made_before(context, node, step.statement)
    meaning = step.names.get(node.id)
    if meaning is None or meaning.what is not What.MODULE:
        return layers_of(context, node)
    if meaning.element:
        return _walked(context, ast.parse(meaning.source, mode="eval").body)
    if meaning.source != node.id:
        return _made_before(context, ast.parse(meaning.source, mode="eval").body, step.statement)
    function = _function_around(context, step, node.id)
    return _applied(context, function) if function is not None else _made_before(context, node, step.statement)


def _made_before(context: Context, node: ast.expr, statement: ast.AST) -> Found:
    """The layers that an expression stands for at a statement; those of all that the code gives its variable if it is
    not known which."""
    found = layers_of(context, _as_made(context, node, statement))
    return found if found.complete else layers_of(context, node)


def _as_made(context: Context, node: ast.expr, statement: ast.AST) -> ast.expr:
    """An item of a variable with what the same block gave it last before a statement, if that is known."""
    match node:
        case ast.Subscript(value=owner, slice=index):
            return ast.Subscript(_as_made(context, owner, statement), index, ast.Load())
        case ast.Name() | ast.Attribute(value=ast.Name(id="self")):
            name = dotted(node)
            around: ast.AST = statement
            while isinstance(parent := context.snippet.parents.get(around), ast.With):
                around = parent
            every = [context.snippet.body]
            every += [block for each in context.walk() if isinstance(each, ast.stmt) for block in blocks(each)]
            block = next((block for block in every if around in block), [])
            for earlier in reversed(block[: block.index(around)] if around in block else []):
                match earlier:
                    case ast.Assign(targets=[target], value=value) if dotted(target) == name:
                        return value
                if any(_may_bind(each, name) for each in nodes(earlier)):
                    break
    return node


def _may_bind(node: ast.AST, name: str) -> bool:
    """Whether a node binds a variable or an attribute, or calls a method of the object, which may do so."""
    match node:
        case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
            return dotted(node) == name
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"))):
            return name.startswith("self.")
    return False


def _walked(context: Context, walk: ast.expr) -> Found:
    """What a loop goes over: ``net.modules()``, ``net.parameters()``, ``self.layers``."""
    match walk:
        case ast.Call(func=ast.Attribute(value=model, attr=name)) if name in ITERATORS:
            return below(context, layers_of(context, model))
    return layers_of(context, walk)


def _function_around(context: Context, step: Step, name: str) -> FunctionNode | None:
    """The function that has a variable of a step as its first parameter."""
    around = [
        node
        for node in context.walk()
        if isinstance(node, FunctionNode) and any(each is step.statement for each in nodes(node))
    ]
    named = [each for each in around if name in [param.arg for param in parameters(each) if param.arg != "self"][:1]]
    return named[-1] if named else None


def _applied(context: Context, function: FunctionNode) -> Found:
    """What a function is applied to in its file."""
    given: list[tuple[Context, ast.expr, ast.AST]]
    if function is context.function:
        given = [(each.context, each.node, each.statement) for each in given_to(context, by_apply=True)]
    else:
        given = [
            (context, call.func.value, call)
            for call in context.calls()
            if isinstance(call.func, ast.Attribute) and call.func.attr == "apply" and call.args
            if dotted(handed_on(call.args[0])) == function.name
        ]
    found = (below(caller, _made_before(caller, model, statement)) for caller, model, statement in given)
    return sum(found, NOTHING if given else UNKNOWN)


def _item(context: Context, found: Found, key: Key) -> Found:
    """The items of containers and the attributes of models that a key may stand for; every one where it is None."""
    items = [each for each in found.layers if each.path and (None in (key, each.path[0]) or each.path[0] == key)]
    inner = Found(tuple(replace(each, path=each.path[1:]) for each in items), found.complete)
    for layer in found.layers:
        if layer.cls is not None and not layer.path and isinstance(key, str):
            attribute = constructed(context.project, layer.cls).get(key)
            inner += Found(tuple(attribute.layers), attribute.complete) if attribute is not None else UNKNOWN
    return inner if inner.layers else UNKNOWN


def _position(index: ast.expr) -> Key:
    return index.value if isinstance(index, ast.Constant) and isinstance(index.value, int | str) else None


def number(context: Context, node: ast.expr) -> int | None:
    """The whole number that an expression is: as written, or that of a name to which code assigns one once."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name() | ast.Attribute():
            values = list(_assigned(context, dotted(node)))
            only = values[0] if len(values) == 1 else None
            return only.value if isinstance(only, ast.Constant) and isinstance(only.value, int) else None
    return None


def _assigned(context: Context, name: str) -> Iterator[ast.expr | None]:
    """What code assigns to a name, in the function that binds it or else at the top level; None for what is unclear."""
    function = context.function
    if name.startswith("self."):
        init = method(context, "__init__")
        walked: list[Sequence[ast.AST]] = [init.walk()] if init is not None else []
    elif function is not None and name in bound_in(function):
        if name in [param.arg for param in parameters(function)]:
            yield None
        walked = [context.walk()]
    else:
        walked = [each.walk() for each in stretches(context)]
    stored = 0
    for node in (node for each in walked for node in each):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(
                values
            ):
                yield from (value for target, value in zip(targets, values, strict=True) if dotted(target) == name)
            case ast.Assign(targets=targets, value=value):
                yield from (value for target in targets if dotted(target) == name)
            case ast.AnnAssign(target=target, value=ast.expr() as value) if dotted(target) == name:
                yield value
            case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) if dotted(node) == name:
                stored += 1
    if stored != 1:
        yield None
