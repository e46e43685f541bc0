"""Trained weights that code loads and then draws anew."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, Global, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.overwritten import conditions, own_classes, spares
from initaudit.analyzer.source.snippets import dotted, last_name, nodes, parameters
from initaudit.analyzer.syntax.context import Context, all_blocks, function_context, own_attribute
from initaudit.analyzer.syntax.loads import SIZES, is_pretrained, trained_parts, trunk
from initaudit.analyzer.syntax.structure import Layer
from initaudit.analyzer.syntax.walks import Walk, model_walked, walked, walks_over
from initaudit.analyzer.torch_api import DRAWS
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten


@reads(Overwritten, scope=Context, words="load_state_dict( pretrained weights", nearby="apply( modules( parameters(")
@reads(Overwritten, scope=Context, words="apply( modules(")
def loaded_and_overwritten(context: Context) -> Iterator[Overwritten]:
    """A model with loaded weights, and a walk over it in the same block that draws them anew, without a use between.

    The model may be an object of a class that loads them as it is made. What is loaded afterwards is not reported.
    """
    for block in all_blocks(context):
        loaded = dict[str, tuple[ast.Call, Context, str | None]]()  # and the kind of layer that has to be drawn
        found = dict[str, Overwritten]()
        walked_over = {name for statement, _ in block if (name := model_walked(statement))}
        for statement, here in block:
            match statement:
                case ast.Expr() | ast.If(body=[*_, ast.Expr()], orelse=[]) if (
                    call := _loading(statement)
                ) is not None and (name := dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""):
                    found.pop(name, None)
                    loaded[name] = call, here, None
                    continue
                case ast.Assign(targets=[target], value=ast.Call() as call) if is_pretrained(here, call):
                    found.pop(dotted(target), None)
                    loaded[dotted(target)] = call, here, trunk(here, call)
                    continue
                case ast.Assign(targets=[target], value=ast.Call() as call) if dotted(target) in walked_over and (
                    kind := _loads_itself(here, call)
                ):
                    found.pop(dotted(target), None)
                    loaded[dotted(target)] = call, here, kind
                    continue
                case ast.Assign(
                    targets=[target], value=ast.Call(func=ast.Attribute(value=owner, attr=method_name))
                ) if method_name in torch_api.RETURN_THE_MODULE and dotted(owner) == dotted(target):
                    continue
                case _:
                    pass
            again = {name: _draws_again(here, statement, name, kind) for name, (_, _, kind) in loaded.items()}
            for name in filter(again.get, again):
                first, before, _ = loaded[name]
                found[name] = Overwritten(
                    observer=Observer.ANALYZER,
                    place=before.snippet.place(first),
                    source=before.snippet.source(first),
                    by=here.snippet.source(statement).partition("\n")[0].rstrip(":"),
                    again=here.snippet.place(statement),
                    loads=True,
                )
            for name in loaded.keys() & _names_alone(here, statement) - found.keys():
                loaded.pop(name)
        yield from found.values()


@reads(Overwritten, scope=Context, words="pretrained weights")
def given_and_overwritten(context: Context) -> Iterator[Overwritten]:
    """A trained model that is given to the constructor of a class, which keeps it and walks over the whole object."""
    for call in context.calls():
        cls = context.resolve(call.func)
        if not isinstance(cls, Defined) or not cls.definition.is_class or not context.project.is_module_class(cls):
            continue
        found = context.project.method(cls, "__init__")
        init = function_context(context.project, found) if isinstance(found, Defined) else None
        if init is None or init.function is None:
            continue
        names = [param.arg for param in parameters(init.function)][1:]
        given = [*zip(names, call.args, strict=False), *((each.arg or "", each.value) for each in call.keywords)]
        for name, value in given:
            made = context.assigned(value.id) if isinstance(value, ast.Name) else [value]
            if len(made) != 1 or not isinstance(made[0], ast.Call) or not is_pretrained(context, made[0]):
                continue
            if (walk := _walk_behind(init, name, trunk(context, made[0]))) is not None:
                yield Overwritten(
                    observer=Observer.ANALYZER,
                    place=context.snippet.place(made[0]),
                    source=context.snippet.source(made[0]),
                    by=init.snippet.source(walk).partition("\n")[0].rstrip(":"),
                    again=init.snippet.place(walk),
                    loads=True,
                )


def _walk_behind(init: Context, name: str, kind: str) -> ast.stmt | None:
    """The statement of a constructor that draws all layers of a kind, behind the one that keeps what it is given."""
    kept = False
    for statement in init.function.body if init.function is not None else ():
        match statement:
            case ast.Assign(targets=[target], value=ast.Name(id=given)) if given == name:
                kept = kept or own_attribute(target) is not None
                continue
            case _:
                pass
        walks = walked(init, statement) if kept else []
        if any(_draws_weights(walk.context, walk, kind) for walk in walks):
            chosen = any(spares(walk.context, walk) or _asks_for_names(conditions(walk)) for walk in walks)
            return None if chosen else statement
    return None


def _asks_for_names(tests: Iterable[ast.expr]) -> bool:
    """Whether conditions choose by texts, as parts of the names of modules are."""
    every = [node for test in tests for node in nodes(test)]
    return any(
        (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn))
        or (isinstance(node, ast.Attribute) and node.attr in ("startswith", "endswith"))
        for node in every
    )


def _loading(statement: ast.stmt) -> ast.Call | None:
    """The call of ``load_state_dict`` that a statement is, or with which the body of a condition ends."""
    match statement.body[-1] if isinstance(statement, ast.If) else statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="load_state_dict")) as call):
            return call
    return None


def _loads_itself(context: Context, call: ast.Call) -> str | None:
    """The kind of layer that an object has trained, if the class that a call makes it of loads a model."""
    layers = [Layer(cls.qualname, cls.definition.name, cls) for cls in _classes(context, call.func)]
    for cls in own_classes(context.project, layers):
        found = context.project.method(cls, "__init__")
        init = function_context(context.project, found) if isinstance(found, Defined) else None
        if init is not None and init.function is not None:
            for trained, _ in trained_parts(init, init.function.body):
                return trunk(init, trained)
    return None


def _classes(context: Context, made: ast.expr) -> Iterator[Defined]:
    """The classes that a name stands for, which may be an item of a dictionary of the top level."""
    item = made
    if isinstance(made, ast.Name):
        given = context.assigned(made.id)
        item = given[0] if len(given) == 1 else made
    match item:
        case ast.Subscript(value=ast.Name() as table):
            found = context.resolve(table)
            if isinstance(found, Global):
                yield from _listed(context.project, found)
        case _:
            defined = context.resolve(made)
            if isinstance(defined, Defined) and defined.definition.is_class:
                yield defined


def _listed(project: Project, table: Global) -> Iterator[Defined]:
    """The classes that a dictionary of the top level of a file has as values."""
    snippets = (table.module.snippet(*stretch) for stretch in table.module.outline.top_level)
    for statement in (each for snippet in snippets if snippet is not None for each in snippet.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(values=values)) if name == table.name:
                for value in values:
                    found = project.resolve(table.module, dotted(value))
                    if isinstance(found, Defined) and found.definition.is_class:
                        yield found
            case _:
                pass


def _draws_again(context: Context, statement: ast.stmt, model: str, kind: str | None) -> bool:
    """Whether a statement draws the weights of all layers of a model, those of a ``kind`` among them."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="reset_parameters"))):
            return dotted(owner) == model
    walks = walks_over(context, statement, model)
    return any(_draws_weights(context, walk, kind) and not spares(context, walk) for walk in walks)


def _names_alone(context: Context, statement: ast.stmt) -> set[str]:
    """What a statement binds, calls or hands on by its name, and not only for an attribute of it."""
    parents = context.snippet.parents
    return {
        dotted(node)
        for node in nodes(statement)
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(parents.get(node), ast.Attribute)
    }


def _draws_weights(context: Context, walk: Walk, kind: str | None) -> bool:
    """Whether a walk draws the weights of layers (of a ``kind``), without a choice among them by a size or a name."""
    tests = conditions(walk)
    if any(isinstance(node, ast.Compare) and _compares_sizes(node) for test in tests for node in ast.walk(test)):
        return False
    return any(
        write.attribute == "weight"
        and last_name(write.node.func) in DRAWS
        and (kind is None or write.meant_for(context, Layer(kind, kind)))
        for write in walk.writes
    )


def _compares_sizes(test: ast.Compare) -> bool:
    """Whether a test asks for the size of a layer: a new one among loaded ones may be told by that."""
    return any(isinstance(node, ast.Attribute) and node.attr in SIZES for node in ast.walk(test))
