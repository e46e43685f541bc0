"""Initializers that go over a model before all of it is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.frameworks import APPLYING_METHODS
from initaudit.analyzer.project import External
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.code import Code, initializes, method, own_attribute, own_attributes
from initaudit.analyzer.syntax.structure import Attribute, attributes
from initaudit.analyzer.syntax.walks import Initialized, Walk, applied, of_function, writes
from initaudit.finding import Observer
from initaudit.subjects.order import EarlyWalk

BUILTINS = {"range", "len", "int", "float", "max", "min", "zip", "enumerate", "round", "sum", "str", "list", "tuple"}


def early_walks(code: Code) -> Iterator[EarlyWalk]:
    """Statements of a constructor that initialize all modules of the object, where layers of that kind come later."""
    function, cls = code.function, code.cls
    if function is None or cls is None or function.name != "__init__":
        return
    body = function.body
    steps = [(statement, walked(code, statement)) for statement in body[:-1]]
    last = max((index for index, (_, walks) in enumerate(steps) if walks), default=None)
    if last is None:
        return
    statement, walks = steps[last]
    later = body[last + 1 :]
    if any(_hands_on(code, each) for each in later) or walked(code, body[-1]):
        return
    row = code.snippet.place(statement).row
    late = [one for one in attributes(code).values() if one.rows and min(one.rows) > row and one.name != "*"]
    meant = [write for walk in walks for write in walk.writes if write.attribute == "weight" and write.kinds]
    missed = [one.name for one in late if _left(code, one, meant, later)]
    if missed:
        yield EarlyWalk(
            observer=Observer.ANALYZER,
            place=code.snippet.place(statement),
            source=code.snippet.source(statement),
            model=cls.qualname,
            missed=tuple(missed),
        )


def walked(code: Code, statement: ast.stmt) -> list[Walk]:
    """What a statement of a method does with each module of the object."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="apply")) as call):
            walk = applied(code, call)
            return [walk] if walk is not None else []
        case ast.For():
            return list(_loops(code, [statement]))
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name))):
            called = method(code, name)
            return list(_walks(code, called)) if called is not None else []
    return []


def _walks(caller: Code, code: Code) -> Iterator[Walk]:
    """What a method does with each module of the object; a framework's calls another method of it."""
    if code.function is None or code.definition is None or code.cls is None:
        return
    name = APPLYING_METHODS.get(f"{code.cls.qualname}.{code.definition.name}")
    if name is not None:
        walk = of_function(method(caller, name))
        yield from [walk] if walk is not None else []
        return
    for call in code.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr == "apply" and dotted(call.func.value) == "self":
            walk = applied(code, call)
            if walk is not None:
                yield walk
    yield from _loops(code, code.function.body)


def _loops(code: Code, body: list[ast.stmt]) -> Iterator[Walk]:
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.For(
                    target=target,
                    iter=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="modules" | "named_modules")),
                    body=inner,
                ):
                    named = target.elts[-1] if isinstance(target, ast.Tuple) else target
                    element = dotted(named)
                    yield Walk(code, element, inner, writes(code, inner, element))
                case _:
                    pass


def _hands_on(code: Code, statement: ast.stmt) -> bool:
    """Whether a statement gives the object itself to code that may initialize it, or calls a method that may."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            name = own_attribute(node.func)
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(value, ast.Name) and value.id == "self" for value in given):
                return True
            if name is not None and (called := method(code, name)) is not None:
                if called.function is None or any(initializes(each) for each in called.function.body):
                    return True
            elif name is not None and ("init" in name or "reset" in name):
                return True
    return False


def _left(code: Code, attribute: Attribute, meant: list[Initialized], later: list[ast.stmt]) -> bool:
    """Whether an attribute holds layers that an initializer is meant for, and nothing else initializes them."""
    if not any(write.meant_for(code, layer) for layer in attribute.layers if layer.cls is None for write in meant):
        return False
    for statement in later:
        if attribute.name in own_attributes(statement) and (initializes(statement) or not _only_makes(code, statement)):
            return False
    return True


def _only_makes(code: Code, statement: ast.stmt) -> bool:
    """Whether all that a statement calls are classes of layers, as far as it calls anything that can be told."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and dotted(node.func) not in BUILTINS and own_attribute(node.func) is None:
            found = code.resolve(node.func)
            known = isinstance(found, External) and found.name.startswith(("torch.nn.", "math."))
            added = isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "extend", "add_module")
            if not known and not added:
                return False
    return True
