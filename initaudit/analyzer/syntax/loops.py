"""Facts about loops over the parameters or modules of a model."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import libcst as cst

from initaudit.analyzer import torch_api
from initaudit.analyzer.syntax.code import Code
from initaudit.analyzer.syntax.models import is_model
from initaudit.analyzer.syntax.nested import Missed, missed
from initaudit.analyzer.syntax.statements import Unit, blocks, nodes, small_statements
from initaudit.facts import Iterates, ModelLoop
from initaudit.finding import Place

ITERATIONS = {iterates.value: iterates for iterates in Iterates}
ALSO_OF_OTHERS = {Iterates.MODULES, Iterates.CHILDREN, Iterates.NAMED_CHILDREN}
"""Walks that trees of other kinds have too."""
OF_CHILDREN = {Iterates.CHILDREN, Iterates.NAMED_CHILDREN}
WRAPPERS = {"enumerate", "list", "tuple", "reversed", "sorted"}
PURE_FUNCTIONS = {
    "isinstance", "hasattr", "len", "getattr", "type", "issubclass", "str", "int", "float", "bool", "id", "repr",
}  # fmt: skip
PURE_METHODS = {
    "find", "startswith", "endswith", "lower", "upper", "split", "strip", "count", "dim", "size", "numel",
    "ndimension", "index", "rfind", "replace", "isdigit", "is_floating_point", "item",
}  # fmt: skip


def iterated(loop: cst.For) -> tuple[cst.BaseExpression, Iterates] | None:
    """The model a loop goes over, and what of it."""
    iterable = loop.iter
    while (
        isinstance(iterable, cst.Call)
        and isinstance(iterable.func, cst.Name)
        and iterable.func.value in WRAPPERS
        and iterable.args
    ):
        iterable = iterable.args[0].value
    if isinstance(iterable, cst.Call) and isinstance(iterable.func, cst.Attribute):
        kind = ITERATIONS.get(iterable.func.attr.value)
        if kind is not None:
            return iterable.func.value, kind
    return None


def element_name(loop: cst.For, kind: Iterates) -> str | None:
    """The variable that is bound to the parameter or module itself."""
    target: cst.BaseExpression = loop.target
    if isinstance(loop.iter, cst.Call) and isinstance(loop.iter.func, cst.Name) and loop.iter.func.value == "enumerate":
        if not isinstance(target, cst.Tuple) or len(target.elements) != 2:
            return None
        target = target.elements[1].value
    if kind.value.startswith("named_"):
        if not isinstance(target, cst.Tuple) or len(target.elements) != 2:
            return None
        target = target.elements[1].value
    return target.value if isinstance(target, cst.Name) else None


def model_loop(unit: Unit, loop: cst.For, following: Sequence[cst.CSTNode]) -> ModelLoop | None:
    """What a loop over a model does, if there is anything to say of it: positions are costly.

    ``following`` is what runs behind it in the unit.
    """
    found = iterated(loop)
    if found is None:
        return None
    model, kind = found
    if kind in ALSO_OF_OTHERS and not is_model(unit, model, loop):
        return None
    element = element_name(loop, kind)
    bound = {node.value for node in nodes(loop.target) if isinstance(node, cst.Name)}
    effect = _acts(loop.body.body) or loop.orelse is not None or _used(bound, following)
    indexed = _indexed(loop, element) if element is not None and kind.tensors else None
    rebound = list(_rebound(unit, loop, element, following)) if element is not None and kind.tensors else []
    beyond = _beyond(unit, loop, element) if element is not None and kind in OF_CHILDREN else None
    if effect and indexed is None and not rebound and beyond is None:
        return None
    return ModelLoop(
        place=_header(unit, loop),
        model=unit.source(model),
        iterates=kind,
        effect=effect,
        indexed=unit.fragment.place(indexed) if indexed is not None else None,
        indexed_name=element,
        rebound=tuple(unit.fragment.place(statement) for statement, _ in rebound),
        rebound_name=element,
        rebound_call=rebound[0][1] if rebound else None,
        missed=beyond.kinds if beyond is not None else (),
        missed_in=beyond.attributes if beyond is not None else (),
    )


def _used(names: set[str], statements: Sequence[cst.CSTNode]) -> bool:
    return any(isinstance(n, cst.Name) and n.value in names for later in statements for n in nodes(later))


def _header(unit: Unit, loop: cst.For) -> Place:
    """The place of ``for target in iterable``."""
    whole, iterable = unit.fragment.place(loop), unit.fragment.place(loop.iter)
    return Place(whole.filename, whole.row, whole.column, iterable.end_row, iterable.end_column)


def _beyond(unit: Unit, loop: cst.For, element: str) -> Missed | None:
    """What a loop over the children of an object is meant for and does not reach."""
    definition, row = unit.definition, unit.fragment.place(loop).row
    snippet = unit.module.snippet(definition.start, definition.end) if definition is not None else None
    if snippet is None or unit.cls is None:
        return None
    code = Code(unit.project, unit.module, definition, snippet)
    same = (node for node in code.walk() if isinstance(node, ast.For) and snippet.place(node).row == row)
    return missed(code, next(same), element)


# Effects


def _acts(body: Sequence[cst.CSTNode]) -> bool:
    """Whether a body may change anything."""
    return any(_statement_acts(small) for statement in body for small in small_statements(statement))


def _statement_acts(statement: cst.CSTNode) -> bool:
    match statement:
        case cst.Pass() | cst.Continue() | cst.Break():
            return False
        case cst.Expr(value=value):
            return not _pure(value)
        case cst.If(test=test):
            return not _pure(test) or any(_acts(body) for body in blocks(statement))
        case cst.For(iter=iterable):
            return not _pure(iterable) or any(_acts(body) for body in blocks(statement))
        case _:
            return True


def _pure(expression: cst.CSTNode) -> bool:
    """Whether evaluating an expression can have no effect."""
    for node in nodes(expression):
        if isinstance(node, cst.Yield | cst.Await | cst.NamedExpr):
            return False
        if isinstance(node, cst.Call):
            function = node.func
            known = (isinstance(function, cst.Name) and function.value in PURE_FUNCTIONS) or (
                isinstance(function, cst.Attribute) and function.attr.value in PURE_METHODS | ITERATIONS.keys()
            )
            if not known:
                return False
    return True


# A tensor taken for a module


def _indexed(loop: cst.For, element: str) -> cst.CSTNode | None:
    """The first subscript of the tensor whose row is taken for a weight or a bias."""
    if _is_rebound(loop.body, element):
        return None
    statements = [n for n in nodes(loop.body) if isinstance(n, cst.Expr)]
    for statement in statements:
        if _is_row(statement.value, element):
            return statement.value
    rows = [
        argument.value
        for statement in statements
        if isinstance(statement.value, cst.Call) and _last_name(statement.value.func).endswith("_")
        for argument in statement.value.args[:1]
        if _is_row(argument.value, element)
    ]
    return rows[0] if len({_row_number(row) for row in rows}) > 1 else None


def _last_name(node: cst.BaseExpression) -> str:
    return node.attr.value if isinstance(node, cst.Attribute) else node.value if isinstance(node, cst.Name) else ""


def _is_row(node: cst.CSTNode, element: str) -> bool:
    return (
        isinstance(node, cst.Subscript)
        and isinstance(node.value, cst.Name)
        and node.value.value == element
        and _row_number(node) in ("0", "1")
    )


def _row_number(node: cst.CSTNode) -> str | None:
    if isinstance(node, cst.Subscript) and len(node.slice) == 1 and isinstance(index := node.slice[0].slice, cst.Index):
        return index.value.value if isinstance(index.value, cst.Integer) else None
    return None


def _is_rebound(body: cst.CSTNode, name: str) -> bool:
    return any(
        isinstance(node, cst.AssignTarget) and isinstance(node.target, cst.Name) and node.target.value == name
        for node in nodes(body)
    )


# A loop variable bound to a new tensor


def _rebound(
    unit: Unit, loop: cst.For, element: str, following: Sequence[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Assignments of a new tensor to the loop variable that nothing reads."""
    for statement, behind in _in_order(loop.body.body, list(following)):
        if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0].target
        call = _new_tensor(unit, statement.value)
        if not isinstance(target, cst.Name) or target.value != element or call is None:
            continue
        if not any(_mentions(later, element) for later in behind):
            yield statement, call


def _in_order(
    body: Sequence[cst.CSTNode], following: list[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, list[cst.CSTNode]]]:
    """Each statement of a body, with what runs behind it."""
    for position, statement in enumerate(body):
        behind = [*body[position + 1 :], *following]
        for small in small_statements(statement):
            yield small, behind
        for inner in blocks(statement):
            yield from _in_order(list(inner), behind)


def _new_tensor(unit: Unit, value: cst.BaseExpression) -> str | None:
    """The factory that makes the value of an expression."""
    if isinstance(value, cst.BinaryOperation):
        return _new_tensor(unit, value.left) or _new_tensor(unit, value.right)
    if isinstance(value, cst.Call):
        name = unit.canonical(value.func)
        if name in torch_api.NEW_TENSOR_FACTORIES or name == "torch.nn.Parameter":
            return name
        if isinstance(value.func, cst.Attribute) and isinstance(value.func.value, cst.Call):
            return _new_tensor(unit, value.func.value)
    return None


def _mentions(node: cst.CSTNode, name: str) -> bool:
    return any(isinstance(inner, cst.Name) and inner.value == name for inner in nodes(node))
