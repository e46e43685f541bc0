"""Facts about loops over the parameters or modules of a model."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import msgspec

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.iteration import ITERATIONS, Loop, element_name, iterated
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.models import is_model
from initaudit.analyzer.syntax.nested import missed
from initaudit.finding import Observer, Place
from initaudit.naming import blocks, initializes
from initaudit.subjects.loops import Iterates, ModelLoop

ALSO_OF_OTHERS = {Iterates.MODULES, Iterates.CHILDREN, Iterates.NAMED_CHILDREN}
"""Walks that trees of other kinds have too."""
OF_CHILDREN = {Iterates.CHILDREN, Iterates.NAMED_CHILDREN}
OF_ITSELF = {Iterates.MODULES, Iterates.NAMED_MODULES}
PURE_FUNCTIONS = {
    "isinstance", "hasattr", "len", "type", "issubclass", "str", "int", "float", "bool", "id", "repr",
}  # fmt: skip
PURE_METHODS = {
    "find", "startswith", "endswith", "lower", "upper", "split", "strip", "count", "dim", "size", "numel",
    "ndimension", "index", "rfind", "replace", "isdigit", "is_floating_point", "item",
}  # fmt: skip


@reads(ModelLoop, scope=Context, words=("parameters( modules( children(", "for"))
def model_loops(context: Context) -> Iterator[ModelLoop]:
    """What loops over a model do, if there is anything to say of it."""
    for step in Meanings(context).steps():
        if isinstance(step.statement, Loop):
            yield from _model_loop(context, step.statement, step.after)


def _model_loop(context: Context, loop: Loop, following: Sequence[ast.stmt]) -> Iterator[ModelLoop]:
    """What a loop does; ``following`` runs behind it."""
    found = iterated(loop)
    if found is None:
        return
    model, kind = found
    if kind in ALSO_OF_OTHERS and not is_model(context, model, loop):
        return
    element = element_name(loop, kind)
    bound = {node.id for node in nodes(loop.target) if isinstance(node, ast.Name)}
    effect = _acts(loop.body) or bool(loop.orelse) or any(_mentions(later, bound) for later in following)
    effect |= _only_asks_for_training(loop.body)
    indexed = _indexed(loop, element) if element is not None and kind.tensors else None
    beyond = missed(context, loop, element) if element is not None and kind in OF_CHILDREN else None
    ends = _ending(context, loop, element, kind)
    if effect and indexed is None and beyond is None and ends is None:
        return
    yield ModelLoop(
        observer=Observer.ANALYZER,
        place=_header(context, loop),
        model=context.snippet.source(model),
        iterates=kind,
        effect=effect,
        ends=ends,
        indexed=context.snippet.place(indexed) if indexed is not None else None,
        indexed_name=element,
        missed=beyond.kinds if beyond is not None else (),
        missed_in=beyond.attributes if beyond is not None else (),
    )


def _header(context: Context, loop: Loop) -> Place:
    """The place of ``for target in iterable``."""
    iterable = context.snippet.place(loop.iter)
    end_row, end_column = iterable.end_row, iterable.end_column
    return msgspec.structs.replace(context.snippet.place(loop), end_row=end_row, end_column=end_column)


def _ending(context: Context, loop: Loop, element: str | None, kind: Iterates) -> Place | None:
    """What ends the first round of a loop over a model, behind code that initializes what the round is given.

    The first module is the model itself; a ``break`` may stop at the first of the others on purpose.
    """
    last = loop.body[-1]
    ends = isinstance(last, ast.Return) or (isinstance(last, ast.Break) and kind in OF_ITSELF)
    skips = any(isinstance(node, ast.Continue) for node in nodes(loop))
    if element is None or not ends or skips or not initializes(loop.body[:-1], element):
        return None
    walk = (
        isinstance(loop.iter, ast.Call)
        and isinstance(loop.iter.func, ast.Attribute)
        and loop.iter.func.attr == kind.value
    )
    return context.snippet.place(last) if walk else None


# Effects


def _acts(body: Sequence[ast.stmt]) -> bool:
    """Whether a body may change anything."""
    return any(map(_statement_acts, body))


def _statement_acts(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue():
            return False  # one that breaks has found what it looked for
        case ast.Expr(value=value):
            return not _pure(value)
        case ast.If(test=test):
            return not _pure(test) or any(map(_acts, blocks(statement)))
        case ast.For(iter=iterable):
            return not _pure(iterable) or any(map(_acts, blocks(statement)))
        case _:
            return True


def _only_asks_for_training(body: Sequence[ast.stmt]) -> bool:
    """Whether all that is left of a body are tests of what is trained: it printed or listed that, and wrote nothing."""
    tests = [each for each in body if not isinstance(each, ast.Pass)]
    return bool(tests) and all(
        isinstance(each, ast.If)
        and any(isinstance(node, ast.Attribute) and node.attr == "requires_grad" for node in nodes(each.test))
        and all(isinstance(each, ast.Pass) for block in blocks(each) for each in block)
        for each in tests
    )


def _pure(expression: ast.expr) -> bool:
    """Whether evaluating an expression can have no effect."""
    for node in nodes(expression):
        if isinstance(node, ast.Yield | ast.YieldFrom | ast.Await | ast.NamedExpr):
            return False
        if isinstance(node, ast.Call):
            function = node.func
            known = (isinstance(function, ast.Name) and function.id in PURE_FUNCTIONS) or (
                isinstance(function, ast.Attribute) and function.attr in PURE_METHODS | ITERATIONS.keys()
            )
            if not known:
                return False
    return True


# A tensor taken for a module


def _indexed(loop: Loop, element: str) -> ast.expr | None:
    """The first subscript of the tensor whose row is taken for a weight or a bias."""
    inside = [node for statement in loop.body for node in nodes(statement)]
    if any(isinstance(node, ast.Name) and node.id == element and isinstance(node.ctx, ast.Store) for node in inside):
        return None
    expressions = [node.value for node in inside if isinstance(node, ast.Expr)]
    for expression in expressions:
        if _row_number(expression, element) is not None:
            return expression
    rows = [
        (call.args[0], number)
        for call in expressions
        if isinstance(call, ast.Call) and last_name(call.func).endswith("_") and call.args
        if (number := _row_number(call.args[0], element)) is not None
    ]
    return rows[0][0] if len({number for _, number in rows}) > 1 else None


def _row_number(node: ast.expr, element: str) -> int | None:
    """Which of the first two rows of the tensor an expression is."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int(number))) if name == element:
            return number if number in (0, 1) else None
    return None


def _mentions(statement: ast.stmt, names: set[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in names for node in nodes(statement))
