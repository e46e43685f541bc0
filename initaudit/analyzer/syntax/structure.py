"""The layers that a constructor registers, as far as its source shows.

Nothing is run. An attribute of which some value is not understood is not ``complete``: it may hold any module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from initaudit.analyzer import frameworks, torch_api
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.source.snippets import FunctionNode, defaults, dotted, last_name, parameters
from initaudit.analyzer.syntax.context import Context, function_context, in_order, method, own_attribute
from initaudit.analyzer.syntax.meaning import bound_in

LISTS = {"torch.nn.ModuleList", "torch.nn.Sequential"}
CONTAINERS = {*torch_api.SEQUENCES, *torch_api.MAPPINGS}
DERIVES = {
    "torch.nn.utils.weight_norm", "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.parametrizations.spectral_norm", "torch.nn.utils.parametrizations.orthogonal",
}  # fmt: skip
"""Functions after which a layer's weight is computed from other parameters."""
KEEPS = {"torch.nn.utils.spectral_norm", "torch.nn.utils.remove_weight_norm"}
"""Functions that give back the layer that they are given."""
ADDS = {"append", "insert", "extend", "add_module", "register_module"}
PLAIN = {"int", "float", "bool", "str", "Tensor", "Size", "dtype", "device", "Path"}
GENERIC = {"List", "Tuple", "Optional", "Union", "Sequence", "list", "tuple", "torch", "typing", "t"}
MAX_DEPTH = 4
NO_FUNCTION = ast.FunctionDef("", ast.arguments([], [], None, [], [], None, []), [], [])
"""What stands for the function of code that is in none."""


Key = int | str | None
"""What a container calls an item: its position or its name."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A module that some code makes. ``derived`` names what its weight is computed by, ``made`` what is called to make
    it, ``call`` that call, and ``context`` the code where it stands. ``path`` are its keys in the containers around it,
    the outermost first; None for one that is not known."""

    kind: str
    made: str
    cls: Defined | None = None
    derived: str | None = None
    path: tuple[Key, ...] = field(default=(), compare=False)
    call: ast.Call | None = field(default=None, compare=False)
    context: Context | None = field(default=None, compare=False)

    @property
    def depth(self) -> int:
        """The number of containers around it."""
        return len(self.path)


@dataclass(slots=True)
class Attribute:
    """An attribute of a module: the layers it holds, and where the statements of the constructor end that give them.

    ``plain`` says that it is a list, tuple or dictionary of Python, which registers nothing.
    """

    name: str
    layers: list[Layer] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    complete: bool = True
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The layers in the value of an expression; not ``complete`` if it may hold others, ``plain`` if not registered."""

    layers: tuple[Layer, ...] = ()
    complete: bool = True
    plain: bool = False

    def __add__(self, other: Found) -> Found:
        return Found(self.layers + other.layers, self.complete and other.complete, self.plain)

    def within(self, key: Key = None) -> Found:
        """The same as an item of a container."""
        deeper = (replace(one, path=(key, *one.path)) for one in self.layers)
        return Found(tuple(deeper), self.complete)


NOTHING = Found()
UNKNOWN = Found(complete=False)


def attributes(context: Context) -> dict[str, Attribute]:
    """The attributes that a method gives ``self``, in the order of their first statement."""
    reader = _read(context)
    return reader.found if reader is not None else {}


def constructed(project: Project, cls: Defined) -> dict[str, Attribute]:
    """The attributes that the constructors of a class and its bases give it.

    Where one of them cannot be read, there is an attribute "*" that is not complete.
    """
    return project.trail.once((constructed, cls), lambda: _constructed(project, cls))


def _constructed(project: Project, cls: Defined) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    order = project.mro(cls)
    readable = order is not None
    for base in reversed(order or (cls,)):
        if isinstance(base, External):
            readable = readable and (base.name.startswith("torch.") or base.name in frameworks.KNOWN_BASES)
        elif (member := base.definition.members.get("__init__")) is not None:
            own = function_context(project, Defined(base.module, member))
            given = attributes(own) if own is not None else {}
            found |= given if base == cls else {name: replace(each, ends=[]) for name, each in given.items()}
            readable = readable and own is not None
    return found if readable else {**found, "*": Attribute("*", complete=False)}


def made(context: Context, node: ast.expr) -> Found:
    """Return the layers in the value of an expression, whose names are those of the file."""
    return _Reader(context, context.function or NO_FUNCTION).layers(node)


def held(context: Context, name: str) -> Found:
    """The layers in a variable of a function, or of the top level of its file."""
    function = context.function
    if function is not None and name in bound_in(function):
        reader = _read(context)
        return reader.local.get(name, UNKNOWN) if reader is not None else UNKNOWN
    local: dict[str, Found] = {}
    for start, end in context.module.outline.top_level:
        snippet = context.module.quiet_snippet(start, end)
        if snippet is None:
            return UNKNOWN
        stretch = Context(context.project, context.module, None, snippet)
        reader = _Reader(stretch, ast.FunctionDef("", NO_FUNCTION.args, list(snippet.body), []))
        reader.local = local
        reader.read()
    return local.get(name, UNKNOWN)


def returned(context: Context, function: Defined) -> list[Layer]:
    """The layers that a function of the project gives back, as far as they are known."""
    return list(_Reader(context, context.function or NO_FUNCTION).returned_by(function).layers)


class _Reader:
    """One pass over a function, with the layers that its local names hold."""

    def __init__(self, context: Context, function: FunctionNode, depth: int = 0) -> None:
        self.context = context
        self.function = function
        self.depth = depth
        self.found: dict[str, Attribute] = {}
        self.local = dict(_parameters(context, function))
        self.returned = NOTHING
        self.end = (0, 0)  # of the running statement

    def read(self) -> _Reader:
        for statement in in_order(self.function.body):
            place = self.context.snippet.place(statement)
            self.end = (place.end_row, place.end_column)
            self.statement(statement)
        return self

    def statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.assign(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, value)
            case ast.AugAssign(target=target, value=value):
                self.add(target, self.layers(value))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=name), args=args)) if name in ADDS:
                added = self.layers(args[-1]) if args else UNKNOWN
                if isinstance(owner, ast.Name) and owner.id == "self":
                    named = args[0].value if args and isinstance(args[0], ast.Constant) else None
                    self.give(str(named) if named is not None else "*", added)
                else:
                    self.add(owner, added if name == "extend" else added.within())
            case ast.Expr(value=ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id="self"), _, value])):
                self.give("*", self.layers(value))
            case ast.Expr(value=ast.Call(func=function)) if (called := own_attribute(function)) is not None:
                self.run(called)
            case ast.Return(value=ast.expr() as value):
                given = self.layers(value)
                self.returned = replace(self.returned + given, plain=given.plain)
            case _:
                pass

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        if (name := own_attribute(target)) is not None:
            found = self.layers(value)
            self.give(name, found)
            self.found[name].plain = found.plain
        elif isinstance(target, ast.Name):
            found = self.layers(value)
            earlier = self.local.get(target.id, NOTHING)
            self.local[target.id] = replace(earlier + found, plain=found.plain)
        elif isinstance(target, ast.Subscript):
            self.add(target.value, self.layers(value).within())

    def add(self, owner: ast.expr, found: Found) -> None:
        """Something becomes an item of what an expression names."""
        if (name := own_attribute(owner)) is not None:
            self.give(name, found)
        elif isinstance(owner, ast.Name):
            earlier = self.local.get(owner.id, NOTHING)
            self.local[owner.id] = replace(earlier + found, plain=earlier.plain)

    def give(self, name: str, found: Found) -> None:
        attribute = self.found.setdefault(name, Attribute(name))
        attribute.layers += found.layers
        attribute.ends.append(self.end)
        attribute.complete = attribute.complete and found.complete

    def run(self, name: str) -> _Reader | None:
        """Read a method of the class that is called here, with what it registers."""
        context = method(self.context, name) if self.depth < MAX_DEPTH else None
        reader = _read(context, self.depth + 1) if context is not None else None
        for attribute in reader.found.values() if reader is not None else ():
            self.give(attribute.name, Found(tuple(attribute.layers), attribute.complete))
            self.found[attribute.name].plain |= attribute.plain
        return reader

    # Expressions

    def layers(self, node: ast.expr) -> Found:
        """The layers in the value of an expression."""
        match node:
            case ast.Constant() | ast.Compare() | ast.JoinedStr() | ast.BinOp() | ast.UnaryOp() | ast.Lambda():
                return NOTHING
            case ast.Call():
                return self.call(node)
            case ast.Name(id=name):
                return self.local.get(name, UNKNOWN)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return replace(self.items(items), plain=True)
            case ast.Dict(keys=keys, values=values):
                named = zip(map(_key, keys), values, strict=True)
                return sum((self.item(value, key) for key, value in named), Found(plain=True))
            case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item) | ast.DictComp(value=item):
                return replace(self.item(item), plain=True)
            case ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self.layers(value)
            case ast.IfExp(body=one, orelse=other):
                return self.layers(one) + self.layers(other)
            case ast.BoolOp(values=values):
                return sum((self.layers(value) for value in values), NOTHING)
            case _:
                return UNKNOWN

    def items(self, nodes: Sequence[ast.expr]) -> Found:
        """The layers in the items of a list, each with its position unless a starred item stands before it."""
        starred = next((at for at, node in enumerate(nodes) if isinstance(node, ast.Starred)), len(nodes))
        return sum((self.item(node, at if at < starred else None) for at, node in enumerate(nodes)), NOTHING)

    def item(self, node: ast.expr, key: Key = None) -> Found:
        """What an item of a list is: the layers of a starred one are its own items."""
        if isinstance(node, ast.Starred):
            return self.layers(node.value)
        return self.layers(node).within(key)

    def call(self, node: ast.Call) -> Found:
        if (name := own_attribute(node.func)) is not None:
            reader = self.run(name)
            return reader.returned if reader is not None else UNKNOWN
        made = self.context.resolve(node.func)
        if isinstance(made, External):
            return self.external(node, made.name)
        if not isinstance(made, Defined):
            return NOTHING if dotted(node.func) in PLAIN | {"len", "max", "min", "sum", "round", "range"} else UNKNOWN
        if not made.definition.is_class:
            return self.returned_by(made)
        if not self.context.project.is_module_class(made):
            return NOTHING if self.context.project.mro(made) is not None else UNKNOWN
        return Found((Layer(made.qualname, dotted(node.func), made, call=node, context=self.context),))

    def external(self, node: ast.Call, name: str) -> Found:
        if name in CONTAINERS:
            # The items of nn.Sequential are its arguments, those of nn.ModuleList are in its only one.
            if (named := _named_items(self.context, node.args)) is not None:
                return sum((self.item(value, key) for key, value in named), NOTHING)
            if name == "torch.nn.Sequential":
                return self.items(node.args)
            return replace(sum((self.layers(arg) for arg in node.args), NOTHING), plain=False)
        if name in DERIVES | KEEPS and node.args:
            found = self.layers(node.args[0])
            by = name if name in DERIVES else None
            return Found(tuple(replace(one, derived=by or one.derived) for one in found.layers), found.complete)
        last = name.rpartition(".")[2]
        if name in ("torch.nn.Parameter", "torch.nn.Buffer") or name.startswith(("math.", "torch.nn.init.")):
            return NOTHING
        if name.startswith("torch.nn.") and last[:1].isupper():
            return Found((Layer(name, dotted(node.func), call=node, context=self.context),))
        return NOTHING if name.startswith("torch.") and not name.startswith("torch.nn.") else UNKNOWN

    def returned_by(self, function: Defined) -> Found:
        """The layers that a function of the project gives back."""
        context = function_context(self.context.project, function) if self.depth < MAX_DEPTH else None
        reader = _read(context, self.depth + 1) if context is not None else None
        return reader.returned if reader is not None else UNKNOWN


def _read(context: Context, depth: int = 0) -> _Reader | None:
    """One pass over the function of a scope, made once while a file is read."""
    function = context.function
    if function is None:
        return None
    question = _read, context.snippet, depth
    return context.project.trail.once(question, lambda: _Reader(context, function, depth).read())


def _named_items(context: Context, arguments: Sequence[ast.expr]) -> list[tuple[Key, ast.expr]] | None:
    """The items that ``Sequential(OrderedDict([("fc", layer)]))`` names, or ``ModuleDict(dict(fc=layer))``.

    None where the arguments are the items.
    """
    match arguments:
        case [ast.Call(func=ast.Name(id="dict"), args=[], keywords=named)]:
            return [(each.arg, each.value) for each in named] if all(each.arg for each in named) else None
        case [ast.Call(func=function, args=[given])] if context.canonical(function) == "collections.OrderedDict":
            match given:
                case ast.Dict(keys=keys, values=values):
                    return list(zip(map(_key, keys), values, strict=True))
                case ast.List(elts=pairs) | ast.Tuple(elts=pairs):
                    items = [each.elts for each in pairs if isinstance(each, ast.Tuple) and len(each.elts) == 2]
                    return [(_key(name), value) for name, value in items] if len(items) == len(pairs) else None
    return None


def _key(node: ast.expr | None) -> Key:
    """The key of an item, where the source shows it."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int | str) else None


def _parameters(context: Context, function: FunctionNode) -> Iterator[tuple[str, Found]]:
    """What parameters hold, as far as an annotation or a default tells."""
    given = defaults(function.args)
    for param in parameters(function):
        default = given.get(param.arg)
        names = (
            [n for n in ast.walk(param.annotation) if isinstance(n, ast.Name | ast.Attribute)]
            if param.annotation
            else []
        )
        kinds = [n for n in names if context.is_module_class(n)]
        if kinds:
            found = [context.resolve(kind) for kind in kinds]
            yield (
                param.arg,
                Found(
                    tuple(Layer(one.qualname, one.definition.name, one) for one in found if isinstance(one, Defined)),
                    all(isinstance(one, Defined) for one in found),
                ),
            )
        elif (isinstance(default, ast.Constant) and default.value is not None) or (
            names and {last_name(n) for n in names} <= PLAIN | GENERIC
        ):
            yield param.arg, NOTHING


def without(layer: str, call: ast.Call, parameter: str) -> bool | None:
    """Whether a call makes a layer of torch without a parameter that its kind has; None where that is not known."""
    kind = layer.removeprefix("torch.nn.")
    if any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords):
        return None
    given = {name: call.args[at] for name, at in torch_api.AT.get(kind, {}).items() if at < len(call.args)}
    given |= {each.arg: each.value for each in call.keywords if each.arg is not None}
    switches = [value for name, value in given.items() if parameter in torch_api.SWITCHES.get(name, ())]
    if any(isinstance(value, ast.Constant) and not value.value for value in switches):
        return True
    if any(not isinstance(value, ast.Constant) for value in switches):
        return None
    return not switches and kind in torch_api.OFF_BY_DEFAULT


def below(project: Project, layers: list[Layer], seen: set[Defined], *, registered: bool = False) -> Iterator[Layer]:
    """Layers, and those that the project's own classes among them are made of; each class is looked into once.

    Those in plain collections are left out if only the ``registered`` are meant, as a walk meets them.
    """
    for layer in layers:
        yield layer
        if layer.cls is not None and layer.cls not in seen:
            seen.add(layer.cls)
            for attribute in constructed(project, layer.cls).values():
                if not (registered and attribute.plain):
                    yield from below(project, attribute.layers, seen, registered=registered)


def all_below(project: Project, cls: Defined) -> list[Layer] | None:
    """All layers that an object of a class is made of; None where some are not known."""
    itself, *found = below(project, [Layer(cls.qualname, cls.definition.name, cls)], set())
    return found if all(is_known(project, layer) for layer in (itself, *found)) else None


def is_known(project: Project, layer: Layer) -> bool:
    """Whether a layer is one of torch's, or of a class all of whose attributes are read."""
    if layer.cls is None:
        return layer.kind.startswith("torch.nn.")
    order = project.mro(layer.cls)
    plain = order is not None and all(
        base == layer.cls or (isinstance(base, External) and base.name in ("torch.nn.Module", "object"))
        for base in order
    )
    return plain and all(each.complete for each in constructed(project, layer.cls).values())
