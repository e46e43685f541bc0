"""Trained weights that code loads and then draws anew."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.overwritten import conditions, spares
from initaudit.analyzer.snippets import dotted, nodes
from initaudit.analyzer.syntax.context import Context, all_blocks
from initaudit.analyzer.syntax.draws import DRAWS
from initaudit.analyzer.syntax.iteration import last_name
from initaudit.analyzer.syntax.loads import is_pretrained, trunk
from initaudit.analyzer.syntax.structure import Layer
from initaudit.analyzer.syntax.walks import Walk, applied, loops_over
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten

SIZES = {"in_features", "out_features", "in_channels", "out_channels", "num_embeddings", "num_classes"}
"""Attributes by which a new layer among loaded ones may be told."""
RETURN_THE_MODEL = {"to", "cuda", "cpu", "half", "float", "double", "train", "eval", "requires_grad_"}
"""Methods of a module that return it, and read no value."""


@reads(
    Overwritten,
    scope=Context,
    words="load_state_dict( pretrained weights",
    nearby="apply( modules( parameters(",
)
def loaded_and_overwritten(context: Context) -> Iterator[Overwritten]:
    """A model with loaded weights, and a walk over it in the same block that draws them anew, without a use between.

    What is loaded again afterwards is not reported.
    """
    for block in all_blocks(context):
        loaded = dict[str, tuple[ast.Call, Context, str | None]]()  # and the kind of layer that has to be drawn
        found = dict[str, Overwritten]()
        for statement, here in block:
            match statement:
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="load_state_dict")) as call) if (
                    name := dotted(owner)
                ):
                    found.pop(name, None)
                    loaded[name] = call, here, None
                    continue
                case ast.Assign(targets=[target], value=ast.Call() as call) if is_pretrained(here, call):
                    found.pop(dotted(target), None)
                    loaded[dotted(target)] = call, here, trunk(here, call)
                    continue
                case ast.Assign(
                    targets=[target], value=ast.Call(func=ast.Attribute(value=owner, attr=method_name))
                ) if method_name in RETURN_THE_MODEL and dotted(owner) == dotted(target):
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


def _draws_again(context: Context, statement: ast.stmt, model: str, kind: str | None) -> bool:
    """Whether a statement draws the weights of all layers of a model, those of a ``kind`` among them."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="apply")) as call) if dotted(owner) == model:
            walk = applied(context, call)
            walks = [walk] if walk is not None else []
        case ast.For(iter=ast.Call(func=ast.Attribute(value=owner))) if dotted(owner) == model:
            walks = loops_over(context, statement, model)
        case _:
            return False
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
