"""Writes of weights that are computed from other parameters: the next forward computes them again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import is_always_loaded
from initaudit.analyzer.source.snippets import argument, dotted, nodes
from initaudit.analyzer.syntax.context import Context, in_order, method, own_attribute
from initaudit.analyzer.syntax.meaning import Step
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.structure import DERIVES, Attribute, Layer, below, constructed, made
from initaudit.analyzer.syntax.walks import Walk, applied, model_walked, tested, walked, walks_over, written
from initaudit.finding import Observer, Place
from initaudit.naming import blocks
from initaudit.subjects.lost_writes import DerivedWrite

KNOWS = re.compile(r"weight_(?:g|v|norm)(?![a-z])|parametriz|^original\d?$")
"""Names in a function that knows what a weight is computed from."""
REMOVES = ("remove_weight_norm(", "remove_spectral_norm(", "remove_parametrizations(")
"""Functions after which a weight is a parameter again."""


@reads(DerivedWrite, scope=Context, words="apply(")
@reads(DerivedWrite, scope=Context, words=("weight", "_("), nearby="weight_norm( spectral_norm( orthogonal(")
def derived_writes(context: Context) -> Iterator[DerivedWrite]:
    """Initializers that reach layers whose weight is derived: handed to ``apply``, or called on it here."""
    known: set[Place] = set()
    for fact in _of_variables(context):
        known.add(fact.place)
        loaded = context.cls is not None and fact.target.startswith("self.")
        loaded = loaded and context.cls is not None and is_always_loaded(context.project, context.cls)
        yield msgspec.structs.replace(fact, loaded=loaded)
    yield from _of_models(context)
    if context.cls is None:
        return
    structure: dict[str, Attribute] | None = None
    removes = any(map(context.holds, REMOVES))
    for call in context.calls():
        walk = applied(context, call) if isinstance(call.func, ast.Attribute) and call.func.attr == "apply" else None
        attributes = _written_here(context, call) if not removes else []
        if ((walk is None or not walk.writes) and not attributes) or context.snippet.place(call) in known:
            continue
        structure = structure if structure is not None else constructed(context.project, context.cls)
        if walk is not None:
            yield from _by_walk(context, call, walk, structure)
            continue
        for attribute in attributes:
            if attribute not in structure or not _before(context, structure[attribute], call):
                continue
            layers = [each for each in structure[attribute].layers if each.depth == 0]
            if layers and all(each.derived for each in layers):
                fact = _fact(context, call, layers[0], f"self.{attribute}.weight")
                yield msgspec.structs.replace(fact, loaded=is_always_loaded(context.project, context.cls))
                break


def _of_variables(context: Context) -> Iterator[DerivedWrite]:
    """Writes of ``layer.weight`` behind ``layer = weight_norm(layer)``, in one block or in those inside of it."""
    meanings = Meanings(context)
    steps = {id(step.statement): step for step in meanings.steps()}
    yield from _of_block(context, meanings, steps, (context.function or context.snippet).body, {})


def _of_block(
    context: Context, meanings: Meanings, steps: dict[int, Step], body: Sequence[ast.stmt], derived: dict[str, Layer]
) -> Iterator[DerivedWrite]:
    """The same in a block, where it is known of some layers that their weights are ``derived``."""
    for statement in body:
        step = steps.get(id(statement))
        match statement:
            case ast.Assign(targets=[target], value=ast.Call() as call) if step is not None:
                layer = _made(context, meanings, call, step)
                _forget(derived, statement)
                derived |= {dotted(target): layer} if layer is not None and dotted(target) else {}
            case ast.Expr(value=ast.Call() as call) if step is not None:
                weight = written(context, call)
                owner = dotted(weight.value) if isinstance(weight, ast.Attribute) and weight.attr == "weight" else ""
                if owner in derived:
                    yield _fact(context, call, derived[owner], f"{owner}.weight")
                layer = _made(context, meanings, call, step)
                _forget(derived, statement)
                derived |= {dotted(call.args[0]): layer} if layer is not None and dotted(call.args[0]) else {}
            case ast.With(body=inner):
                yield from _of_block(context, meanings, steps, inner, derived)
            case ast.If():
                for inner in blocks(statement):
                    yield from _of_block(context, meanings, steps, inner, dict(derived))
                _forget(derived, statement)
            case ast.For() | ast.While():
                _forget(derived, statement)
                for inner in blocks(statement):
                    yield from _of_block(context, meanings, steps, inner, dict(derived))
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Import() | ast.ImportFrom():
                _forget(derived, statement)
            case _:
                derived.clear()


def _forget(derived: dict[str, Layer], statement: ast.stmt) -> None:
    """Forget layers that a statement binds or hands to a function, and those of an object whose method it calls."""
    for node in nodes(statement):
        match node:
            case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                derived.pop(dotted(node), None)
            case ast.Call(func=function, args=args, keywords=keywords):
                for given in (*args, *(each.value for each in keywords)):
                    derived.pop(dotted(given), None)
                owner = dotted(function.value) if isinstance(function, ast.Attribute) else ""
                for name in [
                    each for each in derived if owner and each in (owner, f"{owner}.{each.rpartition('.')[2]}")
                ]:
                    del derived[name]
            case _:
                pass


def _of_models(context: Context) -> Iterator[DerivedWrite]:
    """Walks over a model that the same code makes, and that reach layers whose weight is derived."""
    models: dict[str, list[ast.expr]] = {}
    for node in context.walk():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            models.setdefault(node.targets[0].id, []).append(node.value)
    for statement in in_order((context.function or context.snippet).body):
        model = model_walked(statement)
        walks = walks_over(context, statement, model) if len(models.get(model, ())) == 1 else []
        if not walks:
            continue
        layers = list(below(context.project, list(made(context, models[model][0]).layers), set()))
        for walk in walks:
            definition = walk.context.definition
            here = definition is None or definition == context.definition
            used = usage(walk.body) if here or definition is None else walk.context.module.usage(definition)
            if used.says(KNOWS):
                continue
            for write in walk.writes:
                reached = [each for each in layers if each.derived is not None and write.meant_for(context, each)]
                if write.attribute == "weight" and reached:
                    same_file = walk.context.module is context.module
                    node = write.node if same_file else statement
                    around = walk.context if same_file else context
                    yield _fact(around, node, reached[0], f"{walk.element}.weight")


def _made(context: Context, meanings: Meanings, call: ast.Call, step: Step) -> Layer | None:
    """The layer whose weight a call derives, of the class that it is known to be of, or as the source spells it."""
    by = context.canonical(call.func)
    named = argument(call, 1, "name")
    if by not in DERIVES or not call.args or (named is not None and getattr(named, "value", None) != "weight"):
        return None
    meaning = meanings.meaning(call.args[0], step.names)
    kinds = meaning.kinds if meaning is not None else ()
    kind = kinds[0] if len(kinds) == 1 else context.snippet.source(call.args[0])
    return Layer(kind, dotted(call.func), derived=by)


def _written_here(context: Context, call: ast.Call) -> list[str]:
    """The attributes of ``self`` whose weight a call writes in place: one, or those that a loop around it lists."""
    target = written(context, call)
    if not isinstance(target, ast.Attribute) or target.attr != "weight":
        return []
    layers = [target.value]
    for around in context.snippet.around(call):
        match around:
            case ast.For(target=ast.Name(id=variable), iter=ast.Tuple(elts=items) | ast.List(elts=items)):
                layers = items if variable == dotted(target.value) else layers
            case _:
                pass
    return [name for layer in layers if (name := own_attribute(layer)) is not None]


def _before(context: Context, attribute: Attribute, call: ast.Call) -> bool:
    """Whether an attribute has got all of its layers when a call runs; methods run after the constructor."""
    is_constructor = context.function is not None and context.function.name == "__init__"
    place = context.snippet.place(call)
    return not is_constructor or max(attribute.ends, default=(0, 0)) < (place.row, place.column)


def _by_walk(context: Context, call: ast.Call, walk: Walk, structure: dict[str, Attribute]) -> Iterator[DerivedWrite]:
    assert isinstance(call.func, ast.Attribute)
    definition = walk.context.definition
    if definition is not None and walk.context.module.usage(definition).says(KNOWS):
        return
    model = call.func.value
    name = own_attribute(model)
    held = structure.values() if dotted(model) == "self" else [structure[name]] if name in structure else []
    seen: set[Defined] = set()
    layers = [each for one in held if _before(context, one, call) for each in below(context.project, one.layers, seen)]
    layers += _derived_before(context, call) if dotted(model) == "self" else []
    loaded: bool | None = None
    for write in walk.writes:
        reached = [each for each in layers if each.derived is not None and write.meant_for(context, each)]
        if write.attribute == "weight" and reached:
            same_file = walk.context.module is context.module
            node = write.node if same_file else call
            loaded = (
                is_always_loaded(context.project, context.cls) if loaded is None and context.cls is not None else loaded
            )
            fact = _fact(walk.context if same_file else context, node, reached[0], f"{walk.element}.weight")
            yield msgspec.structs.replace(fact, initializer=dotted(call.args[0]), loaded=bool(loaded))


def _derived_before(context: Context, call: ast.Call) -> list[Layer]:
    """The kinds of layers that the constructor derives by walks over the object, before it comes to a call.

    That stands in the constructor itself, or in a method that it calls.
    """
    name = context.function.name if context.function is not None else ""
    constructor = context if name == "__init__" else method(context, "__init__")
    found: list[Layer] = []
    if constructor is None or constructor.function is None:
        return found
    for statement in constructor.function.body:
        if any(
            node is call or (isinstance(node, ast.Call) and own_attribute(node.func) == name)
            for node in ast.walk(statement)
        ):
            return found
        for walk in walked(constructor, statement):
            found += _derived(walk.context, walk.body, walk.element, ())
    return []


def _derived(context: Context, body: list[ast.stmt], element: str, kinds: tuple[str, ...]) -> Iterator[Layer]:
    """The kinds of layers whose weight a body derives from other parameters."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=then, orelse=otherwise):
                yield from _derived(context, then, element, tested(context, test, element) or kinds)
                yield from _derived(context, otherwise, element, kinds)
            case ast.Expr(value=ast.Call(func=function, args=[ast.Name(id=name), *_])) if name == element:
                by = context.canonical(function)
                if by in DERIVES:
                    yield from (Layer(kind, dotted(function), derived=by) for kind in kinds)
            case _:
                pass


def _fact(context: Context, node: ast.Call | ast.stmt, layer: Layer, target: str) -> DerivedWrite:
    assert layer.derived is not None
    return DerivedWrite(
        observer=Observer.ANALYZER,
        place=context.snippet.place(node),
        target=target,
        layer=layer.kind,
        by=layer.derived,
    )
