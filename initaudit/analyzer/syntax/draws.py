"""The random initializations in code, and their layers: those whose type it tests, or that it creates.

``isinstance(module, nn.Embedding)`` tells what ``module.weight`` is, and so does ``self.embed = nn.Embedding(...)``.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.matches import Words, groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.source.snippets import (
    Snippet,
    alternatives,
    defaults,
    dotted,
    inner_nodes,
    last_name,
    parameters,
)
from initaudit.analyzer.syntax.context import in_order
from initaudit.analyzer.syntax.meaning import leaves
from initaudit.analyzer.syntax.scopes import scopes_holding

DRAWS = {
    "normal_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_",
    "orthogonal_",
}  # fmt: skip
DIMENSIONS = {"dim", "ndim", "ndimension", "shape", "size"}
NAMED_LAYERS = torch_api.NORMALIZATIONS | torch_api.LINEAR_LIKE | {"Embedding"}
"""Classes of torch that initializers tell by their names."""
DRAWN = groups("normal_( uniform_( orthogonal_(")
Types = Mapping[str, tuple[str, ...]]
"""Canonical names of the types that an object is known to have, by the object's dotted name."""


@dataclass(frozen=True, slots=True)
class Made:
    """A layer that code makes and names, in which function, and the call that makes it."""

    name: str  # "self.embed", or a local "m"
    layer: str  # canonical
    scope: Definition | None
    snippet: Snippet
    call: ast.Call

    def visible_in(self, scope: Definition | None) -> bool:
        """Whether the name means this layer in some function."""
        if self.scope is scope:
            return True
        owner = scope.owner if scope is not None else None
        return (
            self.name.startswith("self.") and owner is not None and self.scope is not None and self.scope.owner is owner
        )


@dataclass(frozen=True, slots=True)
class Draw:
    """Random values for all of ``owner.parameter``, where the owner ("module", "self.embed") has one of some types."""

    node: ast.Call
    owner: str
    parameter: str
    call: str
    mean: float | None
    layers: tuple[str, ...]


class _Narrowed(Mapping[str, tuple[str, ...]]):
    """What is known of types, and of some names more than that."""

    def __init__(self, more: Types, known: Types) -> None:
        self._more = more
        self._known = known

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._more[name] if name in self._more else self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._known, **self._more})

    def __len__(self) -> int:
        return len({**self._known, **self._more})


class _Visible(Mapping[str, tuple[str, ...]]):
    """The types of what is made under names that a function knows."""

    def __init__(self, draws: Draws, scope: Definition | None) -> None:
        self._draws = draws
        self._scope = scope

    @functools.cached_property
    def _types(self) -> Types:
        return {made.name: (made.layer,) for made in self._draws.made if made.visible_in(self._scope)}

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)


class Draws:
    """The draws of one file, and the layers of interest that it makes: those with some word in their name."""

    def __init__(self, project: Project, module: Module, layer: str) -> None:
        self.project = project
        self.module = module
        self._layer = layer

    def functions(self, words: Words) -> Iterator[tuple[Definition | None, Snippet]]:
        """The functions that are not inside others, and top-level code, as far as some words stand in them."""
        for start, end, scope in scopes_holding(self.module, words):
            snippet = self.module.snippet(start, end)
            if snippet is not None:
                yield scope, snippet

    @functools.cached_property
    def made(self) -> list[Made]:
        """The layers of interest that the file makes and names, and what else it gives these names."""
        assigned = [
            (name, node.value, scope, snippet)
            for scope, snippet in self.functions(groups(f"{self._layer}*("))
            for node in in_order(snippet.body, later=True)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1
            if (name := dotted(node.targets[0]))
        ]
        names = {name for name, call, _, _ in assigned if self._is_called_so(call)}
        return [
            Made(name, layer, scope, snippet, call)
            for name, call, scope, snippet in assigned
            if name in names and (layer := self.type_named(call.func)) is not None
        ]

    def _is_called_so(self, call: ast.Call) -> bool:
        """Whether the name of a class, here or where it is imported from, is that of a layer of interest."""
        name = dotted(call.func)
        imported = self.module.outline.imports.get(name, "")
        return any(self._layer in each.rpartition(".")[2] for each in (name, imported))

    def visible(self, scope: Definition | None) -> Types:
        """The types of layers that are made under names known in a function; the file is read for them when asked."""
        return _Visible(self, scope)

    def type_named(self, node: ast.expr) -> str | None:
        """The canonical name of the class that an expression names."""
        name = dotted(node)
        found = self.project.resolve(self.module, name) if name and not name.startswith(".") else None
        if isinstance(found, External):
            return found.name
        return found.qualname if isinstance(found, Defined) and found.definition.is_class else None

    def draws(self, snippet: Snippet, known: Types) -> Iterator[Draw]:
        """The draws for objects whose type is known, or tested around them."""
        yield from self._drawn(snippet.body, known)

    def _drawn(self, body: Sequence[ast.stmt], known: Types) -> Iterator[Draw]:
        for statement in body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
                    subject := class_name_of(value)
                ) is not None:
                    known = _Narrowed({f"class name {name}": (subject,)}, known)
            for block, narrowed in self._blocks(statement, known):
                yield from self._drawn(block, narrowed)
            if isinstance(statement, ast.If) and leaves(statement.body):
                known = _without_vectors(statement.test, known)
            for node in nodes([statement], within=False):
                if isinstance(node, ast.Call) and (draw := drawn(node, known)) is not None:
                    yield draw

    def _blocks(self, statement: ast.stmt, known: Types) -> Iterator[tuple[Sequence[ast.stmt], Types]]:
        """The bodies of a compound statement, with the types that are known in each."""
        if isinstance(statement, ast.FunctionDef):
            known = _Narrowed(self._left(statement), known)
        for name, block in ast.iter_fields(statement):
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                narrowed = self._narrowed(statement.test, name, known) if isinstance(statement, ast.If) else {}
                inner = _Narrowed(narrowed, known) if narrowed else known
                yield block, _without_vectors(statement.test, inner) if isinstance(statement, ast.If) else inner
            for case in block if name in ("handlers", "cases") else ():
                yield case.body, known

    def _left(self, function: ast.FunctionDef) -> Types:
        """The defaults of arguments that some call of a function in the file leaves as they are."""
        names = [each.arg for each in parameters(function)]
        given = defaults(function.args).items() if not _stores(function, names) else ()
        first = 1 if names[:1] in (["self"], ["cls"]) else 0
        calls = [
            node
            for start, end, _ in (scopes_holding(self.module, groups(function.name)) if given else ())
            if (snippet := self.module.quiet_snippet(start, end)) is not None
            for node in snippet.nodes
            if isinstance(node, ast.Call)
        ]
        return {
            f"argument {name}": (ast.unparse(value),)
            for name, value in given
            if any(_leaves(call, function.name, names.index(name) - first, name) for call in calls)
        }

    def _narrowed(self, test: ast.expr, branch: str, known: Types) -> Types:
        """What is known of the types of objects in a branch of an ``if``."""
        match test, branch:
            case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as positive), "body":
                return self._without(positive, known)
            case ast.Call(), "orelse":
                return self._without(test, known)
        return self._tested(test, known) if branch == "body" else {}

    def _without(self, test: ast.expr, known: Types) -> Types:
        """What is known where a test of a type fails."""
        excluded = self._tested(test, known)
        kinds = {name: known.get(name, ()) for name in excluded}
        return {name: tuple(kind for kind in kinds[name] if kind not in excluded[name]) for name in kinds}

    def _tested(self, test: ast.expr, known: Types) -> Types:
        """What a condition says of the types of objects."""
        if isinstance(test, ast.BoolOp):
            parts = [self._tested(value, known) for value in test.values]
            if isinstance(test.op, ast.And):
                return {name: types for part in parts for name, types in part.items()}
            common = set(parts[0]).intersection(*parts[1:])
            return {name: tuple(kind for part in parts for kind in part[name]) for name in common}
        match test:
            case ast.Call(func=ast.Name(id="isinstance"), args=[subject, kinds]):
                return self._types(subject, kinds)
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="type"), args=[subject]),
                ops=[ast.Eq() | ast.Is() | ast.In()],
                comparators=[kinds],
            ):
                return self._types(subject, kinds)
        return of_class_name(test, known)

    def _types(self, subject: ast.expr, kinds: ast.expr) -> Types:
        types = tuple(found for kind in alternatives(kinds) if (found := self.type_named(kind)) is not None)
        return {dotted(subject): types} if dotted(subject) and types else {}


def _without_vectors(test: ast.expr, known: Types) -> Types:
    """What is known of types on either side of a test for dimensions: a gain has one, and is told from matrices."""
    asked = {
        dotted(node.value.value)
        for node in nodes([test])
        if isinstance(node, ast.Attribute) and node.attr in DIMENSIONS and isinstance(node.value, ast.Attribute)
    }
    kept = {
        owner: tuple(kind for kind in known[owner] if kind.removeprefix("torch.nn.") not in torch_api.NORMALIZATIONS)
        for owner in asked & set(known)
    }
    return _Narrowed(kept, known) if kept else known


def class_name_of(value: ast.expr) -> str | None:
    """The object of ``m.__class__.__name__`` or ``type(m).__name__``."""
    match value:
        case ast.Attribute(value=ast.Attribute(value=subject, attr="__class__"), attr="__name__"):
            return dotted(subject) or None
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type"), args=[subject]), attr="__name__"):
            return dotted(subject) or None
    return None


def part_asked_for(test: ast.AST) -> tuple[ast.expr, str] | None:
    """The name, and the part of it, of ``name.find("conv") != -1``, ``"conv" in name``, ``name.startswith("conv")``."""
    match test:
        case (
            ast.Compare(
                left=ast.Call(func=ast.Attribute(attr="find", value=name), args=[ast.Constant(value=str(part))]),
                ops=[ast.NotEq() | ast.GtE() | ast.Gt()],
            )
            | ast.Compare(left=ast.Constant(value=str(part)), ops=[ast.In()], comparators=[name])
            | ast.Call(func=ast.Attribute(attr="startswith", value=name), args=[ast.Constant(value=str(part))])
        ):
            return name, part
    return None


def of_class_name(test: ast.expr, known: Types) -> Types:
    """What ``classname.find("BatchNorm") != -1`` says: the class is one of torch's that are called so."""
    match test:
        case ast.Compare(left=named, ops=[ast.Eq()], comparators=[ast.Constant(value=str(part))]):
            exact = True
        case _ if (asked := part_asked_for(test)) is not None:
            (named, part), exact = asked, False
        case _:
            return {}
    subject = class_name_of(named)
    if subject is None and isinstance(named, ast.Name):
        subject = known.get(f"class name {named.id}", (None,))[0]
    if subject is None:
        return {}
    names = sorted(name for name in NAMED_LAYERS if (name == part if exact else part in name))
    return {subject: tuple(f"torch.nn.{name}" for name in names)} if names else {}


def nodes(body: Sequence[ast.AST], *, within: bool = True) -> Iterator[ast.AST]:
    """Every node of some statements in the order of the source; those of inner statements only ``within``."""
    pending = list(reversed(body))
    while pending:
        node = pending.pop()
        yield node
        inner = inner_nodes(node)
        if not within:
            inner = [each for each in inner if not isinstance(each, ast.stmt | ast.excepthandler | ast.match_case)]
        pending += reversed(inner)


def drawn(call: ast.Call, known: Types) -> Draw | None:
    """The draw that a call makes for an object whose type is known."""
    name = last_name(call.func)
    if name not in DRAWS:
        return None
    given, arguments = tensor_of(call.func.value) if isinstance(call.func, ast.Attribute) else None, call.args
    by = f"Tensor.{name}"
    if (given is None or given[0] not in known) and call.args:
        given, arguments, by = tensor_of(call.args[0]), call.args[1:], f"init.{name}"
    if given is None or given[0] not in known:
        return None
    keywords = {keyword.arg: _usual(keyword.value, known) for keyword in call.keywords if keyword.arg is not None}
    mean = mean_of(by, [_usual(each, known) for each in arguments], keywords)
    return Draw(call, *given, by, mean, known[given[0]])


def tensor_of(node: ast.expr) -> tuple[str, str] | None:
    """The owner and the name of a parameter, all of which an expression stands for."""
    while isinstance(node, ast.Attribute) and node.attr == "data":
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "detach":
        return tensor_of(node.func.value)
    match node:
        case ast.Subscript(
            value=ast.Call(func=ast.Attribute(value=state, attr="state_dict"), args=[], keywords=[]),
            slice=ast.Constant(value=str(key)),
        ) if dotted(state):
            held, _, parameter = f"{dotted(state)}.{key}".rpartition(".")
            return held, parameter
    owner = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return (owner, node.attr) if isinstance(node, ast.Attribute) and owner else None


def mean_of(by: str, arguments: Sequence[ast.expr], keywords: Mapping[str, ast.expr]) -> float | None:
    """The mean of what an initializer draws, where its arguments say."""
    name = by.rpartition(".")[2]
    if name in ("normal_", "trunc_normal_"):
        given = arguments[0] if arguments else keywords.get("mean")
        return 0.0 if given is None else _number(given)
    if name != "uniform_":
        return 0.0
    low, high = [*arguments, None, None][:2]
    low = low or keywords.get("a") or keywords.get("from")
    high = high or keywords.get("b") or keywords.get("to")
    if low is not None and high is not None and _opposite(low, high):
        return 0.0
    bounds = [default if bound is None else _number(bound) for bound, default in ((low, 0.0), (high, 1.0))]
    return None if bounds[0] is None or bounds[1] is None else (bounds[0] + bounds[1]) / 2


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) else None


def _usual(node: ast.expr, known: Types) -> ast.expr:
    """The default that stands for an argument of a function."""
    default = known.get(f"argument {node.id}") if isinstance(node, ast.Name) else None
    return ast.parse(default[0], mode="eval").body if default is not None else node


def _leaves(call: ast.Call, function: str, position: int, name: str) -> bool:
    """Whether a call calls a function, or hands it on, and does not say what one of its arguments is."""
    if any(each.arg in (None, name) for each in call.keywords) or ast.Starred in map(type, call.args):
        return False
    if last_name(call.func) == function:
        return len(call.args) <= position
    return any(last_name(each) == function for each in call.args if isinstance(each, ast.Name | ast.Attribute))


def _stores(function: ast.FunctionDef, names: Sequence[str]) -> bool:
    """Whether a function gives one of its arguments another value."""
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in names
        for node in nodes(function.body)
    )


def _opposite(low: ast.expr, high: ast.expr) -> bool:
    """Whether bounds are written ``-x, x``."""
    return isinstance(low, ast.UnaryOp) and isinstance(low.op, ast.USub) and ast.dump(low.operand) == ast.dump(high)
