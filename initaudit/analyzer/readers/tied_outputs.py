"""Linear layers whose weight is that of an embedding table, and is drawn as a table is: from N(0, 1)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer.programs.constructor import all_registered, construct
from initaudit.analyzer.readers.applications import only_shows
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.layer_draws import LINEAR, sizes_of
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.starts import is_final
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.values import Storage
from initaudit.analyzer.syntax.context import Context, in_order
from initaudit.analyzer.syntax.scaled import is_scaled
from initaudit.analyzer.syntax.structure import Layer, constructed
from initaudit.finding import Observer, Place
from initaudit.schemes import Distribution
from initaudit.subjects.weights import WeightUse

TABLE = {"torch.nn.Embedding"}


@reads(WeightUse, scope=Context, words=(".weight=", "=weight"), nearby="Embedding(", named="__init__")
def tied_outputs(context: Context) -> Iterator[WeightUse]:
    """``self.head.weight = self.table.weight``, where nothing but the table, or a draw like its own, writes it."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__":
        return
    for statement in in_order(function.body):
        tied = _tied(statement)
        layers = [_layer(context, each) for each in tied]
        head, table = (
            next((each for each in layers if each and each.kind in kinds), None) for kinds in (LINEAR, TABLE)
        )
        if head is None or table is None or any(is_scaled(context, each.split(".")[1]) for each in tied):
            continue
        construction = construct(context.project, cls)
        made = {_place(layer.context, layer.call) for layer in (head, table)}
        entries = [each for each in all_registered(construction) if _is_unit(each.storage)]
        its = [
            each for each in entries if (origin := each.storage.origin) and origin.snippet.place(origin.node) in made
        ]
        if construction.failure is None and its and is_final(construction, its[0]):
            inputs = sizes_of(head)
            yield WeightUse(
                observer=Observer.ANALYZER,
                place=context.snippet.place(statement),
                model=cls.qualname,
                parameter=f"{tied[layers.index(head)].removeprefix('self.')}.weight",
                use=inputs.layer,
                shape=(inputs.outputs, inputs.inputs),
                by=its[0].storage.writes[-1].by if its[0].storage.writes else its[0].storage.call,
                distribution=Distribution(family="normal", mean=0.0, std=1.0),
                fan_in=inputs.inputs,
                fan_out=inputs.outputs,
                tied_to=tied[layers.index(table)].removeprefix("self."),
                most=inputs.most,
                shown=only_shows(context.project, context.module),
            )


def _tied(statement: ast.stmt) -> tuple[str, ...]:
    """The layers of the object whose weights a statement makes one."""
    match statement:
        case ast.Assign(
            targets=[ast.Attribute(attr="weight", value=into)], value=ast.Attribute(attr="weight", value=of)
        ):
            names = dotted(into), dotted(of)
            return names if all(name.startswith("self.") for name in names) else ()
    return ()


def _layer(context: Context, name: str) -> Layer | None:
    """The only layer that an attribute of the object is, or that a container has under a name: ``self.parts.head``."""
    _, attribute, *path = name.split(".")
    found = constructed(context.project, context.cls).get(attribute) if context.cls is not None else None
    layers = [each for each in found.layers if each.path == tuple(path)] if found is not None and found.complete else []
    return layers[0] if len(layers) == 1 else None


def _of_kind(layers: Sequence[Layer | None], kinds: set[str]) -> Layer | None:
    return next((each for each in layers if each is not None and each.kind in kinds), None)


def _made(storage: Storage) -> Place | None:
    """Where the layer is made that memory was allocated for."""
    return storage.origin.snippet.place(storage.origin.node) if storage.origin is not None else None


def _place(context: Context | None, call: ast.Call | None) -> Place | None:
    return context.snippet.place(call) if context is not None and call is not None else None


def _is_unit(storage: Storage) -> bool:
    """Whether memory is drawn from N(0, 1): by a table as it is made, or last by an initializer."""
    if not storage.writes:
        return storage.call == "nn.Embedding" and storage.condition == TRUE
    last = storage.writes[-1].distribution
    return last is not None and (last.family, last.mean, last.std) == ("normal", 0.0, 1.0)
