"""Code that initializes many modules at once: a function that ``apply`` is given, the body of a loop over modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from initaudit.analyzer.project import Defined, External
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.code import Code, first_parameter, method, own_attribute, unit
from initaudit.analyzer.syntax.structure import CONTAINERS, Layer

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

    def meant_for(self, code: Code, layer: Layer) -> bool:
        """Whether the write reaches a layer."""
        if not self.kinds and not self.names:
            return True
        last = layer.kind.rpartition(".")[2]
        bases = code.project.mro(layer.cls) or () if layer.cls is not None else ()
        kinds = {layer.kind, *(base.name if isinstance(base, External) else base.qualname for base in bases)}
        return bool(kinds & set(self.kinds)) or any(name in last for name in self.names)


@dataclass(frozen=True, slots=True)
class Walk:
    """What is done with each module. ``code`` is where that stands."""

    code: Code
    element: str
    body: list[ast.stmt]
    writes: tuple[Initialized, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of modules that are told apart."""
        return tuple(dict.fromkeys(kind for write in self.writes for kind in write.kinds))


def applied(code: Code, call: ast.Call) -> Walk | None:
    """The function that ``apply`` is given, when it can be read."""
    given = call.args[0] if call.args else None
    if given is None:
        return None
    name = own_attribute(given)
    if name is not None:
        return of_function(method(code, name))
    for node in code.walk():
        if isinstance(node, ast.FunctionDef) and node is not code.function and node.name == dotted(given):
            element = node.args.args[0].arg if node.args.args else ""
            return Walk(code, element, node.body, writes(code, node.body, element))
    found = code.resolve(given)
    is_function = isinstance(found, Defined) and not found.definition.is_class
    return of_function(unit(code.project, found) if is_function and isinstance(found, Defined) else None)


def of_function(function: Code | None) -> Walk | None:
    """What a function does with the module that it is given."""
    element = first_parameter(function) if function is not None else None
    if function is None or function.function is None or element is None:
        return None
    return Walk(function, element, function.function.body, writes(function, function.function.body, element))


def writes(code: Code, body: list[ast.stmt], element: str) -> tuple[Initialized, ...]:
    """What a body writes of the module that ``element`` names."""
    return tuple(_writes(code, body, element, (), ()))


def _writes(
    code: Code, body: list[ast.stmt], element: str, kinds: tuple[str, ...], names: tuple[str, ...]
) -> Iterator[Initialized]:
    for statement in body:
        match statement:
            case ast.If(test=test, body=then, orelse=otherwise):
                asked, named = tested(code, test, element), _named(test)
                yield from _writes(code, then, element, asked or kinds, named or names)
                yield from _writes(code, otherwise, element, kinds, names)
            case ast.With(body=inner) | ast.For(body=inner) | ast.Try(body=inner):
                yield from _writes(code, inner, element, kinds, names)
            case ast.Expr(value=ast.Call() as call):
                target = written(code, call)
                if isinstance(target, ast.Attribute) and dotted(target.value) == element:
                    yield Initialized(call, target.attr, kinds, names)
            case _:
                pass


def tested(code: Code, test: ast.expr, element: str | None = None) -> tuple[str, ...]:
    """The classes that a test asks for, of the object that ``element`` names or of any that has a plain name."""
    kinds: list[str] = []
    for node in ast.walk(test):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), classes]) if name == (
                element or name
            ):
                for each in classes.elts if isinstance(classes, ast.Tuple) else [classes]:
                    found = code.resolve(each)
                    named = found.name if isinstance(found, External) else None
                    kinds.append(found.qualname if isinstance(found, Defined) else named or dotted(each))
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


def written(code: Code, call: ast.Call) -> ast.expr | None:
    """What a call writes in place: an initializer its first argument, a method of a tensor that tensor."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else dotted(function)
    if not name.endswith("_") or name.endswith("__"):
        return None
    if isinstance(function, ast.Attribute) and code.resolve(function) is None:
        target: ast.expr | None = function.value
    else:
        target = call.args[0] if call.args else None
    while isinstance(target, ast.Attribute) and target.attr == "data":
        target = target.value
    return target


def is_container(kind: str) -> bool:
    """Whether a class of torch only holds other modules."""
    return kind in CONTAINERS or kind in ("torch.nn.Module", "torch.nn.Container")
