"""Code that initializes many modules at once: a function that ``apply`` is given, the body of a loop over modules."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.frameworks import APPLYING_METHODS
from initaudit.analyzer.project.names import External
from initaudit.analyzer.source.snippets import alternatives, dotted, handed_on, last_name
from initaudit.analyzer.syntax.context import Context, first_parameter, method, named_function
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.structure import CONTAINERS, Layer

APPLIED = groups("apply(")
MATRICES = tuple(sorted(f"torch.nn.{name}" for name in (*torch_api.LINEAR_LIKE, "Embedding")))
"""Layers whose weight has two dimensions and more."""
INSPECTS = {"isinstance", "hasattr", "getattr", "type", "print"}


@dataclass(frozen=True, slots=True)
class Initialized:
    """A write of ``m.weight`` or another attribute of a module, and the classes that the module has to be of.

    ``names`` are parts of a class name that are looked for instead ("Conv"); both empty: whatever the module is.
    """

    node: ast.Call
    attribute: str
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def meant_for(self, context: Context, layer: Layer) -> bool:
        """Whether the write reaches a layer."""
        if not self.kinds and not self.names:
            return True
        last = layer.kind.rpartition(".")[2]
        bases = context.project.mro(layer.cls) or () if layer.cls is not None else ()
        kinds = {layer.kind, *(base.name if isinstance(base, External) else base.qualname for base in bases)}
        of_torch = {base for kind in kinds if kind.startswith("torch.") for base in _bases(kind.rpartition(".")[2])}
        asked = {kind.rpartition(".")[2] for kind in self.kinds if kind.startswith("torch.")}
        return bool(kinds & set(self.kinds) or of_torch & asked) or any(name in last for name in self.names)


def _bases(layer: str) -> set[str]:
    """The last names of the classes of torch that a layer of torch derives from, and of what a lazy one becomes."""
    ordinary = layer.removeprefix("Lazy")
    return {"Module", ordinary, *torch_api.BASES.get(ordinary, ())}


@dataclass(frozen=True, slots=True)
class Walk:
    """What is done with each module. ``code`` is where that stands."""

    context: Context
    element: str
    body: list[ast.stmt]
    writes: tuple[Initialized, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of modules that are distinguished."""
        return tuple(dict.fromkeys(kind for write in self.writes for kind in write.kinds))


def applied(context: Context, call: ast.Call) -> Walk | None:
    """The function that ``apply`` is given, when it can be read."""
    given = handed_on(call.args[0]) if call.args else None
    if given is None:
        return None
    for node in context.walk():
        if isinstance(node, ast.FunctionDef) and node is not context.function and node.name == dotted(given):
            element = node.args.args[0].arg if node.args.args else ""
            return Walk(context, element, node.body, writes(context, node.body, element))
    return of_function(named_function(context, given)) or _of_maker(context, given)


def _of_maker(context: Context, given: ast.expr) -> Walk | None:
    """What the function does that another one makes and returns: ``net.apply(init(0.02))``."""
    maker = named_function(context, given.func) if isinstance(given, ast.Call) else None
    match maker.function.body[-1] if maker is not None and maker.function is not None else None:
        case ast.Return(value=ast.Name(id=name)) if maker is not None:
            for node in maker.walk():
                match node:
                    case ast.FunctionDef(name=made, args=ast.arguments(args=[ast.arg(arg=element)])) if made == name:
                        return Walk(maker, element, node.body, writes(maker, node.body, element))
    return None


def applied_names(context: Context) -> frozenset[str]:
    """Return the names of the functions that the file of a function gives to ``apply``, whosever they are."""
    return _applied_names(context.module)


@functools.lru_cache(maxsize=8)
def _applied_names(module: Module) -> frozenset[str]:
    return frozenset(
        last_name(handed_on(call.args[0]))
        for start, end, _ in scopes_holding(module, APPLIED)
        if (snippet := module.snippet(start, end)) is not None
        for call in snippet.nodes
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "apply"
        if call.args
    )


def of_function(function: Context | None) -> Walk | None:
    """What a function does with the module that it is given."""
    element = first_parameter(function) if function is not None else None
    if function is None or function.function is None or element is None:
        return None
    return Walk(function, element, function.function.body, writes(function, function.function.body, element))


def walked(context: Context, statement: ast.stmt) -> list[Walk]:
    """What a statement of a method does with each module of the object."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="apply")) as call):
            walk = applied(context, call)
            return [walk] if walk is not None else []
        case ast.For():
            return list(_loops(context, [statement]))
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name))):
            called = method(context, name)
            return list(_walks(context, called)) if called is not None else []
        case ast.If(body=then):
            return [walk for inner in then for walk in walked(context, inner)]
    return []


def _walks(caller: Context, context: Context) -> Iterator[Walk]:
    """What a method does with each module of the object; a framework's calls another method of it."""
    if context.function is None or context.definition is None or context.cls is None:
        return
    name = APPLYING_METHODS.get(f"{context.cls.qualname}.{context.definition.name}")
    if name is not None:
        walk = of_function(method(caller, name))
        yield from [walk] if walk is not None else []
        return
    for call in context.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr == "apply" and dotted(call.func.value) == "self":
            walk = applied(context, call)
            if walk is not None:
                yield walk
    yield from _loops(context, context.function.body)


def model_walked(statement: ast.stmt) -> str:
    """The model that a statement may go over: ``net.apply(...)``, or a loop over ``net.modules()``."""
    match statement:
        case (
            ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="apply")))
            | ast.For(iter=ast.Call(func=ast.Attribute(value=owner)))
        ):
            return dotted(owner)
    return ""


def walks_over(context: Context, statement: ast.stmt, model: str) -> list[Walk]:
    """What a statement does with each module of a model that it goes over."""
    if not model or model_walked(statement) != model:
        return []
    match statement:
        case ast.Expr(value=ast.Call() as call):
            walk = applied(context, call)
            return [walk] if walk is not None else []
    return list(_loops(context, [statement], model))


def _loops(context: Context, body: list[ast.stmt], model: str = "self") -> Iterator[Walk]:
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.For(
                    target=target,
                    iter=ast.Call(func=ast.Attribute(value=owner, attr="modules" | "named_modules")),
                    body=inner,
                ) if dotted(owner) == model:
                    named = target.elts[-1] if isinstance(target, ast.Tuple) else target
                    element = dotted(named)
                    yield Walk(context, element, inner, writes(context, inner, element))
                case ast.For(
                    target=target,
                    iter=ast.Call(func=ast.Attribute(value=owner, attr="parameters" | "named_parameters")),
                    body=inner,
                ) if dotted(owner) == model:
                    named = target.elts[-1] if isinstance(target, ast.Tuple) else target
                    element = dotted(named)
                    name = dotted(target.elts[0]) if isinstance(target, ast.Tuple) else ""
                    drawn = (*_of_matrices(context, inner, element), *_of_biases(context, inner, element, name))
                    if drawn:
                        yield Walk(context, element, inner, drawn)
                case _:
                    pass


def _of_matrices(context: Context, body: list[ast.stmt], element: str) -> Iterator[Initialized]:
    """The writes of a body to every parameter that ``element`` names, or to every one of two dimensions and more."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=then) if _asks_for_dimensions(test, element):
                yield from _of_matrices(context, then, element)
            case ast.With(body=inner):
                yield from _of_matrices(context, inner, element)
            case _:
                yield from _of_element(context, statement, element, "weight")


def _of_element(context: Context, statement: ast.stmt, element: str, parameter: str) -> Iterator[Initialized]:
    """The write of a statement to the parameter that ``element`` names."""
    match statement:
        case ast.Expr(value=ast.Call() as call):
            target = written(context, call)
            if isinstance(target, ast.Name) and target.id == element:
                yield Initialized(call, parameter, MATRICES)


def _of_biases(context: Context, body: list[ast.stmt], element: str, name: str) -> Iterator[Initialized]:
    """The writes of a body to every parameter whose ``name`` says that it is a bias."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=then) if name and _asks_for_bias(test, name):
                for inner in then:
                    yield from _of_element(context, inner, element, "bias")
            case ast.If(orelse=[ast.If() as other]):
                yield from _of_biases(context, [other], element, name)
            case ast.With(body=inner_body):
                yield from _of_biases(context, inner_body, element, name)
            case _:
                pass


def _asks_for_bias(test: ast.expr, name: str) -> bool:
    """``"bias" in name``, ``name.endswith(".bias")``."""
    match test:
        case ast.Compare(left=ast.Constant(value="bias" | ".bias"), ops=[ast.In()], comparators=[ast.Name(id=asked)]):
            return asked == name
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=asked), attr="endswith"), args=[ast.Constant(value="bias" | ".bias")]
        ):
            return asked == name
    return False


def _asks_for_dimensions(test: ast.expr, element: str) -> bool:
    """``p.dim() > 1``, ``len(p.shape) >= 2``, ``p.ndim > 1``, and whether it is trained."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return all(_asks_for_dimensions(value, element) for value in test.values)
    if isinstance(test, ast.Attribute):
        return dotted(test) == f"{element}.requires_grad"
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Gt | ast.GtE):
        return False
    names = {dotted(node) for node in ast.walk(test.left) if isinstance(node, ast.Attribute)}
    return bool(names & {f"{element}.{name}" for name in ("dim", "ndim", "shape", "size", "ndimension")})


def writes(context: Context, body: list[ast.stmt], element: str) -> tuple[Initialized, ...]:
    """What a body writes of the module that ``element`` names."""
    return tuple(_writes(context, body, element, (), ()))


def _writes(
    context: Context, body: list[ast.stmt], element: str, kinds: tuple[str, ...], names: tuple[str, ...]
) -> Iterator[Initialized]:
    for statement in body:
        match statement:
            case ast.If(test=test, body=then, orelse=otherwise):
                asked, named = tested(context, test, element), _named(test)
                yield from _writes(context, then, element, asked or kinds, named or names)
                yield from _writes(context, otherwise, element, kinds, names)
            case ast.With(body=inner) | ast.For(body=inner) | ast.Try(body=inner):
                yield from _writes(context, inner, element, kinds, names)
            case ast.Expr(value=ast.Call() as call):
                target = written(context, call)
                if isinstance(target, ast.Attribute) and dotted(target.value) == element:
                    yield Initialized(call, target.attr, kinds, names)
            case _:
                pass


def tested(context: Context, test: ast.expr, element: str | None = None) -> tuple[str, ...]:
    """The classes that a test asks for, of the object that ``element`` names or of any that has a plain name."""
    kinds: list[str] = []
    for node in ast.walk(test):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), classes]) if name == (
                element or name
            ):
                kinds += [context.class_name(each) or dotted(each) for each in alternatives(classes)]
            case _:
                pass
    return tuple(kinds)


def _named(test: ast.expr) -> tuple[str, ...]:
    """The parts of a class name that a test looks for."""
    names: list[str] = []
    for node in ast.walk(test):
        match node:
            case ast.Call(func=ast.Attribute(attr="find"), args=[ast.Constant(value=str(part))]):
                names.append(part)
            case ast.Compare(left=ast.Constant(value=str(part)), ops=[ast.In()]):
                names.append(part)
            case _:
                pass
    return tuple(names)


def written(context: Context, call: ast.Call) -> ast.expr | None:
    """What a call writes in place: an initializer its first argument, a method of a tensor that tensor."""
    function = call.func
    name = last_name(function)
    if not name.endswith("_") or name.endswith("__"):
        return None
    if isinstance(function, ast.Attribute) and context.resolve(function) is None:
        target: ast.expr | None = function.value
    else:
        target = call.args[0] if call.args else None
    while True:
        match target:
            case (
                ast.Attribute(attr="data", value=target)
                | ast.Call(func=ast.Attribute(attr="detach", value=target), args=[], keywords=[])
            ):
                continue
        return target


def typed(node: ast.expr) -> str | None:
    """The object whose type an expression is."""
    match node:
        case ast.Call(func=ast.Name(id="type"), args=[subject]):
            return dotted(subject) or None
        case ast.Attribute(attr="__class__", value=subject):
            return dotted(subject) or None
    return None


def attributes_written(context: Context, body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The objects, and the attribute of each, that some statement initializes."""
    for statement in body:
        for node in ast.walk(statement):
            target = written(context, node) if isinstance(node, ast.Call) else None
            if isinstance(target, ast.Attribute) and dotted(target.value):
                yield dotted(target.value), target.attr


def is_container(kind: str) -> bool:
    """Whether a class of torch only holds other modules."""
    return kind in CONTAINERS or kind in ("torch.nn.Module", "torch.nn.Container")
