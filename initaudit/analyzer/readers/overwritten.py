"""Layers with a deliberate initialization that a later pass over the whole model overwrites."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

import msgspec

from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.usage import Usage, usage
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, last_name, nodes
from initaudit.analyzer.syntax.context import (
    Context,
    in_order,
    method,
    named_function,
    own_attribute,
    own_attributes,
    own_constructor,
)
from initaudit.analyzer.syntax.filling import zeroes_its_argument
from initaudit.analyzer.syntax.loads import trained_parts
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.structure import Attribute, Layer, below, constructed
from initaudit.analyzer.syntax.walks import Walk, is_container, model_walked, walked, walks_over, writes, written
from initaudit.analyzer.torch_api import DRAWS
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten

CONSTANTS = {"zeros_", "ones_", "constant_", "zero_", "fill_", "eye_", "copy_"}
"""What writes values that somebody has chosen: constants, and what was computed."""
GIVEN = ("from_pretrained(", "pretrained", "weights", "clone(")
"""Words for values that a constructor takes from elsewhere."""
WRITING = groups(" ".join(f"{name}(" for name in sorted(CONSTANTS)))
EMBEDDING = "torch.nn.Embedding"
KNOWS = re.compile(r"_no_\w*init|skip|^_is_")
"""What stands in the conditions of an initializer that leaves some modules out."""


@reads(
    Overwritten,
    scope=Context,
    words="apply( modules( parameters( init*( reset*(",
    nearby="apply( modules( parameters( post_init(",
    named="__init__",
)
@reads(
    Overwritten,
    scope=Context,
    words="pretrained weights zeros_( ones_( constant_( zero_( fill_( eye_( copy_(",
    nearby="apply( modules( parameters( post_init(",
    named="__init__",
)
def overwritten(context: Context) -> Iterator[Overwritten]:
    """What is initialized on purpose, and drawn anew by a walk over the whole object."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__":
        return
    own = _writes_constants(context) or any(map(context.holds, GIVEN))
    for position, statement in enumerate(function.body):
        walks = walked(context, statement)
        if not walks or any(spares(context, walk) for walk in walks):
            continue
        again = _Again(context, _walking(context, statement), walks, function.body[position + 1 :])
        place = context.snippet.place(statement)
        begin = place.row, place.column
        structure = constructed(context.project, cls)
        before = {name: one for name, one in structure.items() if max(one.ends, default=(0, 0)) < begin}
        there = {name: one for name, one in before.items() if not one.plain}
        if own:
            yield from again.trained(context, function.body[:position])
            yield from again.of(context, function.body[:position], there)
        for inner in own_classes(context.project, [each for one in there.values() for each in one.layers]):
            made = own_constructor(context.project, inner)
            if made is None or made.function is None or again.mentions(inner.definition.name):
                continue
            structure = constructed(context.project, inner)
            if inner.module is not context.module:
                found = again.of(made, made.function.body, structure) if _writes_constants(made) else iter(())
                yield from (again.seen(each) for each in itertools.islice(found, 1))
            elif own:
                yield from again.trained(made, made.function.body)
                yield from again.of(made, made.function.body, structure)


@reads(Overwritten, scope=Context, words="apply( modules( parameters(")
def overwritten_by_programs(context: Context) -> Iterator[Overwritten]:
    """What a class of the file initializes on purpose, and code that builds an object of it draws anew.

    Trained models that a class loads are ``drawn_anew``.
    """
    made = method(context, "__init__")
    statements = list(_at_level(made)) if made is not None else []
    if all(around.definition != context.definition for around, _ in statements):
        statements = list(_at_level(context, called=False))
    built: dict[str, list[Layer]] = {}
    for position, (around, statement) in enumerate(statements):
        match statement:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=value):
                built[dotted(target)] = _layers_in(around, value)
                continue
            case _:
                for node in nodes(statement):
                    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                        built.pop(dotted(node), None)
        model = model_walked(statement)
        here = around.definition == context.definition and built.get(model)
        walks = walks_over(around, statement, model) if here else []
        if not walks or any(spares(around, walk) for walk in walks):
            continue
        again = _Again(around, statement, walks, [each for _, each in statements[position + 1 :]])
        for inner in own_classes(context.project, built[model]):
            init = _constructor(context, inner)
            if init is not None and init.function is not None and not again.mentions(inner.definition.name):
                yield from again.of(init, init.function.body, constructed(context.project, inner))


def _at_level(context: Context, *, called: bool = True) -> Iterator[tuple[Context, ast.stmt]]:
    """The statements of a scope that surely run, in order, and those of the methods of the object that it calls."""
    pending = list(context.function.body if context.function is not None else context.snippet.body)
    while pending:
        statement = pending.pop(0)
        yield context, statement
        match statement:
            case ast.With(body=inner) | ast.If(test=ast.Compare(left=ast.Name(id="__name__")), body=inner):
                pending[:0] = inner
            case ast.Expr(value=ast.Call(func=function)) if called and (name := own_attribute(function)) is not None:
                found = method(context, name)
                if found is not None and found.function is not None:
                    yield from _at_level(found, called=False)
            case _:
                pass


def _layers_in(context: Context, made: ast.expr) -> list[Layer]:
    """The classes of the file whose objects a call makes, also inside of the containers of torch."""
    found = context.resolve(made.func) if isinstance(made, ast.Call) else None
    if not isinstance(made, ast.Call) or found is None:
        return []
    if isinstance(found, Defined):
        held = found.definition.is_class and found.module is context.module
        return [Layer(found.qualname, last_name(made.func), found)] if held else []
    parts = [each for arg in made.args for each in nodes(arg) if isinstance(each, ast.Call)]
    return [layer for part in parts for layer in _layers_in(context, part)] if is_container(found.name) else []


@reads(Overwritten, scope=Context, words=("'for'", "_("), named="__init__")
def overwritten_in_loops(context: Context) -> Iterator[Overwritten]:
    """What a constructor initializes on purpose, and a loop over layers that it lists draws anew."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__" or not _writes_constants(context):
        return
    for position, statement in enumerate(function.body):
        match statement:
            case ast.For(target=ast.Name(id=element), iter=ast.List(elts=listed) | ast.Tuple(elts=listed), body=body):
                direct: list[ast.stmt] = [inner for inner in body if isinstance(inner, ast.Expr)]
                walk = Walk(context, element, body, writes(context, direct, element))
            case _:
                continue
        names = set(map(own_attribute, listed))
        structure = {name: one for name, one in constructed(context.project, cls).items() if name in names}
        again = _Again(context, statement, [walk], function.body[position + 1 :], every=True)
        yield from again.of(context, function.body[:position], structure)


def _writes_constants(context: Context) -> bool:
    """Whether some function of the file calls what writes a constant."""
    return any(scope.definition is not None for scope in scopes_holding(context.module, WRITING))


def _walking(context: Context, statement: ast.stmt) -> ast.stmt:
    """The statement that goes over the object, in the body of a condition."""
    while isinstance(statement, ast.If):
        statement = next(inner for inner in statement.body if walked(context, inner))
    return statement


def _constructor(context: Context, cls: Defined) -> Context | None:
    """The constructor that a class of the same file defines."""
    return own_constructor(context.project, cls) if cls.module is context.module else None


def spares(context: Context, walk: Walk) -> bool:
    """Whether a walk leaves some modules out: those with a mark that code of the file sets on a layer."""
    asked = usage(conditions(walk))
    marks = (asked.read | asked.texts) - {"weight", "bias"}
    return asked.says(KNOWS) or any(
        owner not in ("", "self")
        for mark in marks
        if mark.isidentifier()
        for each in context.module.usages(mark)
        for owner in each.gives(mark)
    )


def _used(walk: Walk, around: Context) -> Usage:
    """What stands in a function that a walk runs, or in the loop, if that is in the constructor ``around`` itself."""
    definition = walk.context.definition
    if definition is None or definition == around.definition:
        return usage(walk.body)
    return walk.context.module.usage(definition)


def conditions(walk: Walk) -> list[ast.expr]:
    """What decides what a walk writes: in the function that it runs, or in its loop."""
    function = walk.context.function
    within = function.body if function is not None and function.name != "__init__" else walk.body
    found: list[ast.expr] = []
    for node in (each for statement in within for each in nodes(statement)):
        match node:
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                found.append(test)
            case ast.comprehension(ifs=tests) | ast.BoolOp(values=tests):
                found += tests
    return found


def own_classes(project: Project, layers: list[Layer]) -> list[Defined]:
    """The project's own classes among layers and below them."""
    return list(
        dict.fromkeys(each.cls for each in below(project, layers, set(), registered=True) if each.cls is not None)
    )


class _Again:
    """A statement that goes over all modules of an object, and what runs after it."""

    def __init__(
        self, context: Context, statement: ast.stmt, walks: list[Walk], later: list[ast.stmt], *, every: bool = False
    ) -> None:
        """``every`` says that the walks are meant for all that they go over, whatever it is."""
        self.place = context.snippet.place(statement)
        self.source = ast.unparse(statement).partition("\n")[0]
        self.meant = [write for walk in walks for write in walk.writes if write.kinds or every]
        called = [found for name in own_attributes(statement) if (found := method(context, name)) is not None]
        self.used = [_used(walk, context) for walk in walks] + [usage(later)]
        self.used += [each.module.usage(each.definition) for each in called if each.definition is not None]
        self.shallow = any(
            isinstance(node, ast.Attribute) and node.attr in ("children", "named_children")
            for body in ([statement], *(each.snippet.body for each in called))
            for inner in body
            for node in ast.walk(inner)
        )

    def seen(self, fact: Overwritten) -> Overwritten:
        """The same fact, told where it is drawn anew: what wrote it stands in another file."""
        return msgspec.structs.replace(fact, place=self.place, again=None, wrote=fact.place)

    def mentions(self, name: str) -> bool:
        """Whether what initializes, or what runs after it, speaks of a class or an attribute."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return any(each.says(word) for each in self.used)

    def trained(self, context: Context, body: list[ast.stmt]) -> Iterator[Overwritten]:
        """Trained models that a constructor loads, and that are drawn anew."""
        for call, name in trained_parts(context, body):
            yield from self._backbone(context, call, name)

    def of(self, context: Context, body: list[ast.stmt], structure: dict[str, Attribute]) -> Iterator[Overwritten]:
        """Constants that a constructor writes in its own layers, and that are drawn anew."""
        structure = {name: one for name, one in structure.items() if not one.plain}
        for statement in body:
            for inner in statement.body if isinstance(statement, ast.With) else [statement]:
                match inner:
                    case ast.Expr(value=ast.Call() as call):
                        yield from self._call(context, call, structure)
                    case ast.Assign(targets=[target], value=ast.Call(func=made)) if (
                        context.canonical(made) == f"{EMBEDDING}.from_pretrained"
                    ):
                        yield from self._pretrained(context, inner, own_attribute(target))
                    case ast.Assign(
                        targets=[ast.Attribute(attr="data", value=ast.Attribute(value=layer, attr="weight"))],
                        value=ast.Call(func=made) as value,
                    ) if last_name(made) == "clone" and (name := _attribute(layer)) in structure:
                        yield from self._copied(context, value, name, structure)
                    case (
                        ast.Assign(targets=[target], value=value)
                        | ast.AnnAssign(target=target, value=ast.expr() as value)
                    ):
                        yield from self._zeroed(context, value, own_attribute(target))
                        yield from self._filled(context, value, own_attribute(target), structure)

    def _overwritten(self, context: Context, source: ast.expr, parameter: str, *, loads: bool = False) -> Overwritten:
        """The fact that what the constructor of a class writes, or loads, is drawn anew."""
        return Overwritten(
            observer=Observer.ANALYZER,
            place=context.snippet.place(source),
            source=context.snippet.source(source),
            by=self.source,
            again=self.place,
            model=context.cls.qualname if context.cls is not None else None,
            parameter=parameter,
            loads=loads,
        )

    def _pretrained(self, context: Context, statement: ast.Assign, name: str | None) -> Iterator[Overwritten]:
        """A table of given vectors, which is drawn anew."""
        embedding = Layer(EMBEDDING, EMBEDDING)
        drawn = any(write.attribute == "weight" and write.meant_for(context, embedding) for write in self.meant)
        if name is not None and context.cls is not None and drawn and not self.mentions(name):
            yield self._overwritten(context, statement.value, f"{name}.weight", loads=True)

    def _copied(
        self, context: Context, value: ast.Call, name: str, structure: dict[str, Attribute]
    ) -> Iterator[Overwritten]:
        """The values of another parameter, which are drawn anew."""
        layers = [each for each in structure[name].layers if each.cls is None]
        again = [write for write in self.meant if write.attribute == "weight"]
        of_parameter = any(isinstance(node, ast.Attribute) and node.attr == "weight" for node in ast.walk(value))
        meant = any(write.meant_for(context, layer) for write in again for layer in layers)
        if of_parameter and meant and not self.mentions(name):
            yield self._overwritten(context, value, f"{name}.weight")

    def _zeroed(self, context: Context, value: ast.expr, name: str | None) -> Iterator[Overwritten]:
        """A layer that a function fills with zeros as it is made: ``zero_module(nn.Conv2d(8, 8, 1))``."""
        for call in nodes(value):
            if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Call):
                continue
            kind = context.canonical(call.args[0].func) or ""
            if name is None or context.cls is None or self.mentions(name) or not zeroes_its_argument(context, call):
                continue
            layer = Layer(kind, kind)
            drawn = [write for write in self.meant if write.attribute == "weight" and write.meant_for(context, layer)]
            if drawn and all(last_name(write.node.func) in DRAWS for write in drawn):
                yield self._overwritten(context, call, f"{name}.weight")

    def _filled(
        self, context: Context, value: ast.expr, name: str | None, structure: dict[str, Attribute]
    ) -> Iterator[Overwritten]:
        """A layer to which a function of the project writes constants before it returns it."""
        if name is None or name not in structure:
            return
        for call in nodes(value):
            inside = named_function(context, call.func) if isinstance(call, ast.Call) else None
            if inside is None or inside.function is None:
                continue
            body = list(in_order(inside.function.body))
            given = {dotted(each.value) for each in body if isinstance(each, ast.Return) and each.value is not None}
            for write in (each.value for each in body if isinstance(each, ast.Expr)):
                target = written(inside, write) if isinstance(write, ast.Call) else None
                if isinstance(write, ast.Call) and isinstance(target, ast.Attribute) and dotted(target.value) in given:
                    yield from self._redrawn(inside, write, target.attr, name, structure)

    def _backbone(self, context: Context, call: ast.Call, name: str) -> Iterator[Overwritten]:
        """A model of a library with its trained weights, which are drawn anew."""
        drawn = any(
            write.attribute == "weight" and last_name(write.node.func) in DRAWS and write.meant_for(context, layer)
            for write in self.meant
            for layer in (Layer(kind, kind) for kind in ("torch.nn.Linear", "torch.nn.Conv2d"))
        )
        if context.cls is not None and drawn and not self.shallow and not self.mentions(name):
            yield self._overwritten(context, call, name, loads=True)

    def _call(self, context: Context, call: ast.Call, structure: dict[str, Attribute]) -> Iterator[Overwritten]:
        target = written(context, call)
        name = _attribute(target.value) if isinstance(target, ast.Attribute) else None
        if isinstance(target, ast.Attribute) and name is not None and name in structure:
            yield from self._redrawn(context, call, target.attr, name, structure)

    def _redrawn(
        self, context: Context, call: ast.Call, attribute: str, name: str, structure: dict[str, Attribute]
    ) -> Iterator[Overwritten]:
        """A constant that a call writes to the layer of this name, where that is drawn anew."""
        if last_name(call.func) not in CONSTANTS or self.mentions(name):
            return
        layers = [each for each in structure[name].layers if each.cls is None]
        again = [
            write
            for write in self.meant
            if write.attribute == attribute and any(write.meant_for(context, each) for each in layers)
        ]
        if again and not any(_same(call, write.node) for write in again):
            yield self._overwritten(context, call, f"{name}.{attribute}")


def _same(one: ast.Call, other: ast.Call) -> bool:
    """Whether a constant that is written again may be the same, as numbers that the source does not tell are."""
    if last_name(other.func) not in CONSTANTS or last_name(one.func) == "copy_":
        return False
    first, again = _number(one), _number(other)
    return first is None or again is None or first == again


def _number(call: ast.Call) -> float | str | None:
    """The constant that a call writes: a number, or code that computes one."""
    name = last_name(call.func)
    if name in ("zeros_", "zero_", "ones_"):
        return float(name == "ones_")
    given = [*call.args, *(each.value for each in call.keywords)]
    if not given or name == "eye_":
        return None
    try:
        return float(ast.literal_eval(given[-1]))
    except (TypeError, ValueError):
        computed = isinstance(given[-1], ast.UnaryOp | ast.BinOp) and any(
            isinstance(each, ast.Call) and dotted(each.func).startswith("math.") for each in ast.walk(given[-1])
        )
        return ast.unparse(given[-1]) if computed else None


def _attribute(node: ast.expr) -> str | None:
    """The attribute of ``self`` that is, or holds, the layer ``node``: ``self.gate``, ``self.gate[0]``."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return own_attribute(node)
