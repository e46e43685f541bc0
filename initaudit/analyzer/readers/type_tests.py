"""Tests of the type of a module that do not test it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import alternatives, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Names, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.walks import typed, written
from initaudit.naming import blocks
from initaudit.subjects.module_tests import TypeTest

WALKS = "modules( children( apply( ._modules Sequential( ModuleList("


@reads(TypeTest, scope=Context, words=("isinstance( type( __class__", "modules( children( Module _("), nearby=WALKS)
@reads(TypeTest, scope=Context, words=("modules( children( Module _(", "==A"), nearby=WALKS)
@reads(TypeTest, scope=Context, words=("issubclass(", "_("))
@reads(TypeTest, scope=Context, words=("==A", "_(", "weight bias"))
def type_tests(context: Context) -> Iterator[TypeTest]:
    """Tests, in a statement, of the type of what is known to be a module."""
    for step in Meanings(context).steps():
        node = step.statement
        if isinstance(node, ast.If):
            yield from _type_tests(context, node.test, step.names, _initialized_in(context, node.body))
        elif isinstance(node, ast.While):
            yield from _type_tests(context, node.test, step.names)
        elif next(blocks(node), None) is None and (found := list(_type_tests(context, node, step.names))):
            yield from found if any(_is_module(name, step.names) for name in step.names) else ()


def _initialized_in(context: Context, body: Sequence[ast.stmt]) -> frozenset[str]:
    """The names of objects whose weights or biases a block gives initializers: they are layers, and no classes."""
    found = set[str]()
    for statement in body:
        for node in nodes(statement):
            target = written(context, node) if isinstance(node, ast.Call) else None
            match target:
                case ast.Attribute(value=ast.Name(id=name), attr="weight" | "bias"):
                    found.add(name)
    return frozenset(found)


def _is_module(name: str | None, names: Names) -> bool:
    """Whether a name is known to be bound to a module."""
    meaning = names.get(name) if name is not None else None
    return meaning is not None and meaning.what is What.MODULE


def _type_tests(
    context: Context, expression: ast.AST, names: Names, layers: frozenset[str] = frozenset()
) -> Iterator[TypeTest]:
    """Tests of the type of a module that do not test it; of a name that is known to be one, or is among ``layers``."""
    for node in nodes(expression):
        match node:
            case ast.BoolOp(op=ast.Or()):
                yield from _always_true(context, node)
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=subject), ast.BoolOp() as types]):
                kinds = _operands(types)
                if _is_module(subject, names) and all(map(context.is_module_class, kinds)):
                    mended = f"isinstance({subject}, ({', '.join(map(context.snippet.source, kinds))}))"
                    which = "first" if isinstance(types.op, ast.Or) else "last"
                    yield _type_test(context, node, f"tests only the {which}", mended if which == "first" else None)
            case ast.Call(
                func=ast.Name(id="isinstance"),
                args=[ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=subject)]), kind],
            ):
                if _is_module(subject, names) and context.is_module_class(kind):
                    yield _type_test(
                        context, node, "never true", f"isinstance({subject}, {context.snippet.source(kind)})"
                    )
            case ast.Call(func=ast.Name(id="issubclass"), args=[ast.Name(id=subject), kinds]):
                of_module = any(map(context.is_module_class, alternatives(kinds)))
                if _is_module(subject, names) and of_module and not _may_be_class(context, subject):
                    mended = f"isinstance({subject}, {context.snippet.source(kinds)})"
                    yield _type_test(context, node, "raises TypeError, since it asks for a class", mended)
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=subject), kinds]):
                texts = (each for each in alternatives(kinds) if isinstance(each, ast.Constant))
                if any(isinstance(each.value, str) for each in texts) and _is_module(subject, names):
                    yield _type_test(context, node, "raises TypeError, since a text is no class", None)
            case ast.Compare(
                left=ast.Attribute(attr="__name__", value=left), ops=[ast.Is() | ast.Eq()], comparators=[kind]
            ):
                if _is_module(typed(left), names) and context.is_module_class(kind):
                    mended = f"isinstance({typed(left)}, {context.snippet.source(kind)})"
                    yield _type_test(context, node, "never true", mended)
            case ast.BoolOp(op=ast.And()):
                yield from _both(context, node, names)
            case ast.Compare(left=left, ops=[ast.Is() | ast.Eq() | ast.In()], comparators=[ast.Constant(value=str())]):
                if _is_module(typed(left), names):
                    yield _type_test(context, node, "never true", None)
            case ast.Compare(
                left=left, ops=[ast.Eq() | ast.In()], comparators=[ast.Tuple() | ast.List() | ast.Set() as kinds]
            ) if kinds.elts and all(map(_is_text, kinds.elts)):
                if _is_module(typed(left), names):
                    yield _type_test(context, node, "never true", None)
            case ast.Compare(
                left=left, ops=[ast.Is() | ast.Eq()], comparators=[ast.Tuple() | ast.List() | ast.Set() as kinds]
            ) if _is_module(typed(left), names):
                if kinds.elts and all(map(context.is_module_class, kinds.elts)):
                    yield _type_test(context, node, "never true", _among(context, typed(left), kinds.elts))
            case ast.Compare(left=ast.Name(id=subject), ops=[ast.Is() | ast.Eq()], comparators=[kind]):
                if (subject in layers or _is_module(subject, names)) and context.is_module_class(kind):
                    of_case = context.snippet.place(node) == context.snippet.place(kind)
                    mended = f"isinstance({subject}, {context.snippet.source(kind)})"
                    yield _type_test(context, node, "never true", None if of_case else mended)
            case ast.Compare(
                left=ast.Name(id=subject), ops=[ast.In()], comparators=[ast.Tuple() | ast.List() | ast.Set() as kinds]
            ):
                if _is_module(subject, names) and kinds.elts and all(map(context.is_module_class, kinds.elts)):
                    yield _type_test(context, node, "never true", _among(context, subject, kinds.elts))


def _may_be_class(context: Context, subject: str) -> bool:
    """Whether code asks if a name is bound to a class, or makes objects of it, whatever its annotation says."""
    for call in context.calls():
        match call:
            case ast.Call(func=ast.Name(id=called)) if called == subject:
                return True
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=tested), kinds]) if tested == subject:
                if any(isinstance(kind, ast.Name) and kind.id == "type" for kind in alternatives(kinds)):
                    return True
            case ast.Call(func=ast.Attribute(attr="isclass") | ast.Name(id="isclass"), args=[ast.Name(id=tested)]):
                if tested == subject:
                    return True
    return False


def _among(context: Context, subject: str | None, kinds: Sequence[ast.expr]) -> str:
    """The test that asks for one of some classes."""
    either = ", ".join(map(context.snippet.source, kinds))
    return f"isinstance({subject}, {either if len(kinds) == 1 else f'({either})'})"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _both(context: Context, node: ast.BoolOp, names: Names) -> Iterator[TypeTest]:
    """``isinstance(m, A) and isinstance(m, B)`` of layers of torch that no class derives from both of."""
    tests = [test for test in node.values if _is_module(_tested(test), names)]
    kinds = [context.canonical(_asked_for(test)) or "" for test in tests]
    apart = len(set(kinds)) > 1 and all(kind.removeprefix("torch.nn.") in torch_api.SIZES for kind in kinds)
    if apart and len(tests) == len(node.values) and len(set(map(_tested, tests))) == 1:
        either = ", ".join(map(context.snippet.source, map(_asked_for, tests)))
        yield _type_test(context, node, "never true", f"isinstance({_tested(tests[0])}, ({either}))")


def _always_true(context: Context, node: ast.BoolOp) -> Iterator[TypeTest]:
    """``isinstance(m, A) or B``, which is true of anything, also if no module is known to reach it."""
    operands = node.values  # not those of an `and`: `isinstance(m, A) and B or C` chooses a class
    tests = [operand for operand in operands if _tested(operand) is not None]
    classes = [operand for operand in operands if context.is_module_class(operand)]
    if not tests or not classes:
        return
    kinds = [context.snippet.source(_asked_for(test)) for test in tests]
    kinds += map(context.snippet.source, classes)
    complete = len(tests) + len(classes) == len(operands) and not any(kind.startswith("(") for kind in kinds)
    complete = complete and len(set(map(_tested, tests))) == 1
    mended = f"isinstance({_tested(tests[0])}, ({', '.join(kinds)}))" if complete else None
    yield _type_test(context, node, "always true", mended)


def _type_test(context: Context, node: ast.expr, outcome: str, mended: str | None) -> TypeTest:
    return TypeTest(
        place=context.snippet.place(node), source=context.snippet.source(node), outcome=outcome, mended=mended
    )


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BoolOp):
        return [operand for value in node.values for operand in _operands(value)]
    return [node]


def _tested(node: ast.expr) -> str | None:
    """The name whose type a condition tests: ``isinstance(m, A)``, ``type(m) == A``, ``m.__class__ is A``."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=subject), _], keywords=[]):
            return subject
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=subject)])
            | ast.Attribute(value=ast.Name(id=subject), attr="__class__"),
            ops=[ast.Is() | ast.Eq()],
            comparators=[_],
        ):
            return subject
    return None


def _asked_for(test: ast.expr) -> ast.expr:
    """The class that such a condition asks for."""
    return test.comparators[0] if isinstance(test, ast.Compare) else test.args[1]  # type: ignore[attr-defined]
