"""Lowers statements."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any

from initaudit.analyzer.source.expressions import BINARY, arguments, parameters
from initaudit.analyzer.source.lowering import DELETE, STORE, Lowering, in_context, lowers

if TYPE_CHECKING:
    import libcst as cst

NO_TYPE_PARAMETERS: dict[str, Any] = {"type_params": []} if sys.version_info >= (3, 12) else {}
"""What a Python that knows type parameters has in a definition without any."""
TRY_STAR: type[ast.Try] = getattr(ast, "TryStar", ast.Try)
"""``except*`` is of Python 3.11."""


# Simple statements


@lowers("Expr")
def _expression(to: Lowering, node: cst.Expr) -> ast.stmt:
    return ast.Expr(to.expression(node.value), **to.at(node))


@lowers("Assign")
def _assignment(to: Lowering, node: cst.Assign) -> ast.stmt:
    targets = [to.target(each.target) for each in node.targets]
    return ast.Assign(targets, to.expression(node.value), type_comment=None, **to.at(node))


@lowers("AnnAssign")
def _annotated(to: Lowering, node: cst.AnnAssign) -> ast.stmt:
    target = to.target(node.target)
    simple = int(isinstance(target, ast.Name) and not getattr(node.target, "lpar", ()))
    note, value = to.expression(node.annotation.annotation), to.optional(node.value)
    return ast.AnnAssign(target, note, value, simple, **to.at(node))  # type: ignore[no-any-return, call-overload]


@lowers("AugAssign")
def _augmented(to: Lowering, node: cst.AugAssign) -> ast.stmt:
    operator = BINARY[type(node.operator).__name__.removesuffix("Assign")]()
    return ast.AugAssign(to.target(node.target), operator, to.expression(node.value), **to.at(node))  # type: ignore[arg-type]


@lowers("TypeAlias")
def _alias(to: Lowering, node: cst.TypeAlias) -> ast.stmt:
    return ast.Assign([to.target(node.name)], to.expression(node.value), type_comment=None, **to.at(node))


@lowers("Return")
def _returned(to: Lowering, node: cst.Return) -> ast.stmt:
    return ast.Return(to.optional(node.value), **to.at(node))


@lowers("Raise")
def _raised(to: Lowering, node: cst.Raise) -> ast.stmt:
    cause = node.cause.item if node.cause is not None else None
    return ast.Raise(to.optional(node.exc), to.optional(cause), **to.at(node))


@lowers("Assert")
def _asserted(to: Lowering, node: cst.Assert) -> ast.stmt:
    return ast.Assert(to.expression(node.test), to.optional(node.msg), **to.at(node))


@lowers("Del")
def _deleted(to: Lowering, node: cst.Del) -> ast.stmt:
    target = to.target(node.target, DELETE)
    several = isinstance(target, ast.Tuple) and not getattr(node.target, "lpar", ())
    return ast.Delete(target.elts if several and isinstance(target, ast.Tuple) else [target], **to.at(node))


@lowers("Pass")
def _nothing(to: Lowering, node: cst.Pass) -> ast.stmt:
    return ast.Pass(**to.at(node))


@lowers("Break")
def _broken(to: Lowering, node: cst.Break) -> ast.stmt:
    return ast.Break(**to.at(node))


@lowers("Continue")
def _continued(to: Lowering, node: cst.Continue) -> ast.stmt:
    return ast.Continue(**to.at(node))


@lowers("Global")
def _made_global(to: Lowering, node: cst.Global) -> ast.stmt:
    return ast.Global([each.name.value for each in node.names], **to.at(node))


@lowers("Nonlocal")
def _made_nonlocal(to: Lowering, node: cst.Nonlocal) -> ast.stmt:
    return ast.Nonlocal([each.name.value for each in node.names], **to.at(node))


@lowers("Import", "LazyImport")
def _imported(to: Lowering, node: cst.Import) -> ast.stmt:
    return ast.Import([_imported_name(to, each) for each in node.names], **to.at(node))


@lowers("ImportFrom", "LazyImportFrom")
def _imported_from(to: Lowering, node: cst.ImportFrom) -> ast.stmt:
    module = None if node.module is None else _dotted(node.module)
    if type(node.names).__name__ == "ImportStar":
        names = [ast.alias("*", None, **to.at(node.names))]  # type: ignore[arg-type]
    else:
        names = [_imported_name(to, each) for each in node.names]  # type: ignore[union-attr]
    return ast.ImportFrom(module, names, len(node.relative), **to.at(node))


def _imported_name(to: Lowering, node: cst.ImportAlias) -> ast.alias:
    other = node.asname.name if node.asname is not None else None
    span = to.between(node.name, node.name if other is None else other)
    return ast.alias(_dotted(node.name), getattr(other, "value", None), **span)


def _dotted(node: cst.BaseExpression) -> str:
    """Return the text of a dotted name."""
    if type(node).__name__ == "Attribute":
        return f"{_dotted(node.value)}.{node.attr.value}"  # type: ignore[attr-defined]
    return str(node.value)  # type: ignore[attr-defined]


# Compound statements


@lowers("If")
def _conditional(to: Lowering, node: cst.If) -> ast.stmt:
    return ast.If(to.expression(node.test), to.suite(node.body), _otherwise(to, node.orelse), **to.at(node))


def _otherwise(to: Lowering, node: cst.If | cst.Else | None) -> list[ast.stmt]:
    """Lower an ``else``; an ``elif`` is an ``if`` in one."""
    if node is None:
        return []
    return to.body([node]) if type(node).__name__ == "If" else to.suite(node.body)


@lowers("While")
def _repeated(to: Lowering, node: cst.While) -> ast.stmt:
    return ast.While(to.expression(node.test), to.suite(node.body), _otherwise(to, node.orelse), **to.at(node))


@lowers("For")
def _loop(to: Lowering, node: cst.For) -> ast.stmt:
    kind = ast.For if node.asynchronous is None else ast.AsyncFor
    target, iterated = to.target(node.target), to.expression(node.iter)
    body, otherwise = to.suite(node.body), _otherwise(to, node.orelse)
    return kind(target, iterated, body, otherwise, type_comment=None, **to.at(node))


@lowers("With")
def _context(to: Lowering, node: cst.With) -> ast.stmt:
    kind = ast.With if node.asynchronous is None else ast.AsyncWith
    items = []
    for each in node.items:
        target = in_context(to.expression(each.asname.name), STORE) if each.asname is not None else None
        items.append(ast.withitem(to.expression(each.item), target))
    return kind(items, to.suite(node.body), type_comment=None, **to.at(node))


@lowers("Try", "TryStar")
def _attempt(to: Lowering, node: cst.Try | cst.TryStar) -> ast.stmt:
    handlers = [_handler(to, each) for each in node.handlers]
    last = to.suite(node.finalbody.body) if node.finalbody is not None else []
    kind = TRY_STAR if type(node).__name__ == "TryStar" else ast.Try
    return kind(to.suite(node.body), handlers, _otherwise(to, node.orelse), last, **to.at(node))


def _handler(to: Lowering, node: cst.ExceptHandler | cst.ExceptStarHandler) -> ast.ExceptHandler:
    bound = getattr(node.name.name, "value", None) if node.name is not None else None
    return ast.ExceptHandler(to.optional(node.type), bound, to.suite(node.body), **to.at(node))


@lowers("FunctionDef")
def _function(to: Lowering, node: cst.FunctionDef) -> ast.stmt:
    kind = ast.FunctionDef if node.asynchronous is None else ast.AsyncFunctionDef
    returns = to.optional(node.returns.annotation) if node.returns is not None else None
    return kind(
        node.name.value,
        parameters(to, node.params),
        to.suite(node.body),
        [to.expression(each.decorator) for each in node.decorators],
        returns,
        type_comment=None,
        **NO_TYPE_PARAMETERS,
        **to.at(node),
    )


@lowers("ClassDef")
def _class(to: Lowering, node: cst.ClassDef) -> ast.stmt:
    bases, keywords = arguments(to, [*node.bases, *node.keywords])
    body = to.suite(node.body)
    decorators = [to.expression(each.decorator) for each in node.decorators]
    return ast.ClassDef(node.name.value, bases, keywords, body, decorators, **NO_TYPE_PARAMETERS, **to.at(node))


@lowers("Match")
def _match(to: Lowering, node: cst.Match) -> ast.stmt:
    cases = []
    for each in node.cases:
        pattern, guard = to.pattern(each.pattern), to.optional(each.guard)
        cases.append(ast.match_case(pattern, guard, to.suite(each.body)))
    return ast.Match(to.expression(node.subject), cases, **to.at(node))
