"""Parts that a constructor makes only when the code that would go over them has run for the last time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.source.snippets import FunctionNode, last_name
from initaudit.analyzer.syntax.context import Context, constructs, own_constructor
from initaudit.analyzer.syntax.reached import MAX_DEPTH, layers_of, named_layers
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.structure import Layer, attributes, constructed

LOOPS = (ast.For, ast.AsyncFor, ast.While)
Run = tuple[Context, tuple[int, int]]
"""A constructor in which code runs, and where the statement ends that runs it, with all rounds of the loops around."""


def present_layers(context: Context, model: ast.expr, node: ast.AST) -> Iterator[tuple[str, Layer]]:
    """The layers of a model with their names, as far as they may be there when a node runs."""
    if not isinstance(model, ast.Name) or model.id != "self" or context.cls is None:
        yield from named_layers(context.project, layers_of(context, model).layers)
        return
    for attribute in constructed(context.project, context.cls).values():
        layers = [layer for layer in attribute.layers if not _made_after(context, node, attribute.name, layer)]
        yield from named_layers(context.project, layers, attribute.name, MAX_DEPTH - 1)


def _made_after(context: Context, node: ast.AST, name: str, layer: Layer) -> bool:
    """Whether the object gets a layer as an attribute only behind every run of a node of one of its methods."""
    order = context.project.mro(context.cls) if context.cls is not None else None
    constructors = [own_constructor(context.project, cls) for cls in order or () if isinstance(cls, Defined)]
    maker = next((each for each in constructors if each is not None and name in attributes(each)), None)
    return maker is not None and all(
        run is not None and _behind(maker, run, name, layer) for run in _runs(context, node, MAX_DEPTH)
    )


def _behind(maker: Context, run: Run, name: str, layer: Layer) -> bool:
    """Whether a constructor makes a layer behind a run, which may be one in the constructor of a base."""
    constructor, end = run
    if maker.cls != constructor.cls:
        order = maker.project.mro(maker.cls) if maker.cls is not None else None
        return constructor.cls in (order or ())
    ends = attributes(maker)[name].ends
    here = layer.context is not None and layer.context.definition == maker.definition
    place = maker.snippet.place(layer.call) if here and layer.call is not None else None
    return min(ends, default=end) > end or (place is not None and (place.row, place.column) > end)


def _runs(context: Context, node: ast.AST, depth: int) -> Iterator[Run | None]:
    """Where a node of a method runs while an object is made; None for a run at another time, or one that is unclear."""
    end = _end(context, node)
    if end is None or depth == 0:
        yield None
    elif constructs(context):
        yield context, end
    else:
        callers = list(_callers(context))
        for found in callers or [None]:
            yield from _runs(*found, depth - 1) if found is not None else (None,)


def _end(context: Context, node: ast.AST) -> tuple[int, int] | None:
    """Where a node ends, or the outermost loop around it; None for a node of a function inside."""
    outermost = node
    for around in context.snippet.around(node):
        if around is context.function:
            place = context.snippet.place(outermost)
            return place.end_row, place.end_column
        if isinstance(around, FunctionNode | ast.Lambda):
            return None
        if isinstance(around, LOOPS):
            outermost = around
    return None


def _callers(context: Context) -> Iterator[tuple[Context, ast.AST] | None]:
    """The calls of a method on the object itself, with the code around each; None for one on an object from outside."""
    project, cls, definition = context.project, context.cls, context.definition
    if cls is None or definition is None:
        return
    for filename in project.find(Search(context.module.project_folder, word=definition.name.encode())):
        module = project.load(filename)
        for start, end, scope in scopes_holding(module, ((definition.name,),)) if module is not None else ():
            snippet = module.snippet(start, end) if module is not None else None
            if module is None or snippet is None:
                continue
            caller = replace(context, module=module, definition=scope, snippet=snippet)
            for call in caller.calls():
                match call.func:
                    case ast.Attribute(value=ast.Name(id="self"), attr=definition.name):
                        if caller.cls is not None and (
                            _is_a(caller, caller.cls, cls) or _is_a(caller, cls, caller.cls)
                        ):
                            yield caller, call
                    case ast.Attribute(value=ast.Call(func=function), attr=definition.name) if (
                        last_name(function) == "super"
                    ):
                        if caller.cls not in (None, cls) and _is_a(caller, caller.cls, cls):
                            yield caller, call
                    case ast.Attribute(value=owner, attr=definition.name):
                        if any(_is_a(caller, layer.cls, cls) for layer in layers_of(caller, owner).layers):
                            yield None


def _is_a(context: Context, cls: Defined | None, base: Defined) -> bool:
    return cls is not None and base in (context.project.mro(cls) or (cls,))
