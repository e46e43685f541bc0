"""Matrices of one number that a script trains, one behind the other, without a module around them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.moved_parameters import is_trainable
from initaudit.analyzer.source.snippets import FunctionNode, begin, dotted, last_name, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import bound_in
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.torch_api import DRAWS
from initaudit.subjects.weights import ConstantWeights

NUMBERS = {"zeros": "0", "ones": "1"}
WRITES = DRAWS | {"copy_", "random_", "exponential_", "load", "load_state_dict", "normal", "randn_like", "rand_like"}
"""Functions by which code may give the matrices other values."""


@reads(ConstantWeights, scope=Context, words="zeros( ones( full(", nearby="requires_grad Parameter(")
def constant_variables(context: Context) -> Iterator[ConstantWeights]:
    """The first of two matrices of one number, of which the second multiplies what the first one gives."""
    body = context.function.body if context.function is not None else context.snippet.body
    constant = dict(_constant_matrices(context, body))
    if len(constant) < 2 or is_test(context.module) or any(last_name(call.func) in WRITES for call in context.calls()):
        return
    stored = [node.id for node in context.walk() if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    constant = {name: made for name, made in constant.items() if stored.count(name) == _bindings(context, name)}
    for where, statements in _functions(context, body, set(constant)):
        for first, use in _chained(statements, set(constant)):
            value, number = constant[first]
            yield ConstantWeights(
                place=context.snippet.place(value),
                source=context.snippet.source(value),
                value=number,
                parameter=first,
                use=where.snippet.source(use),
            )
            return


def _bindings(context: Context, name: str) -> int:
    """How often a variable is bound once, and stepped along its gradient: ``w -= rate * w.grad``."""
    steps = (node for node in context.walk() if isinstance(node, ast.AugAssign) and dotted(node.target) == name)
    return 1 + sum(f"{name}.grad" in ast.unparse(each.value) for each in steps)


def _constant_matrices(context: Context, body: Sequence[ast.stmt]) -> Iterator[tuple[str, tuple[ast.expr, str]]]:
    """The variables that are trained and of which all elements start as one number, with what makes them."""
    trained = {
        dotted(node.targets[0].value)
        for node in body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Attribute)
        and node.targets[0].attr == "requires_grad"
    }
    trained |= {dotted(call.func).removesuffix(".requires_grad_") for call in context.calls()}
    for statement in body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                found = _constant(context, value)
                if found is not None and (found[1] or name in trained):
                    yield name, (value, found[0])
            case _:
                pass


def _constant(context: Context, value: ast.expr) -> tuple[str, bool] | None:
    """The number in all elements of a new matrix of several columns, and whether it is made to be trained."""
    trained = False
    while isinstance(value, ast.Call):
        trained |= is_trainable(context, value) or last_name(value.func) == "requires_grad_"
        name = context.canonical(value.func) or ""
        of, _, last = name.rpartition(".")
        if of in ("torch", "numpy") and last in NUMBERS:
            return (NUMBERS[last], trained) if _is_matrix(value.args) else None
        if of in ("torch", "numpy") and last == "full" and len(value.args) > 1:
            number = value.args[1]
            known = isinstance(number, ast.Constant) and _is_matrix(value.args[:1])
            return (ast.unparse(number), trained) if known else None
        if name in ("torch.nn.Parameter", "torch.tensor", "torch.from_numpy", "torch.autograd.Variable") and value.args:
            value = value.args[0]
        elif not name and isinstance(value.func, ast.Attribute) and value.func.attr in ("requires_grad_", "float"):
            value = value.func.value
        else:
            return None
    return None


def _is_matrix(sizes: Sequence[ast.expr]) -> bool:
    """Whether arguments are two sizes, each by itself or both in a tuple."""
    sizes = sizes[0].elts if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List) else sizes
    return len(sizes) == 2 and not any(isinstance(each, ast.Starred) for each in sizes)


def _functions(
    context: Context, body: Sequence[ast.stmt], names: set[str]
) -> Iterator[tuple[Context, Sequence[ast.stmt]]]:
    """The code that may multiply with some variables: their own scope, and functions of the file that read them."""
    yield context, body
    for start, end, definition in scopes_holding(context.module, (tuple(names),)) if context.function is None else ():
        snippet = context.module.quiet_snippet(start, end) if definition is not None else None
        function = snippet.body[0] if snippet is not None and snippet.body else None
        if snippet is not None and isinstance(function, FunctionNode) and bound_in(function).isdisjoint(names):
            yield replace(context, definition=definition, snippet=snippet), function.body


def _chained(body: Sequence[ast.stmt], names: set[str]) -> Iterator[tuple[str, ast.expr]]:
    """Which matrix gives what another one multiplies, and that product."""
    behind: dict[str, str] = {}
    for statement in sorted((n for each in body for n in nodes(each) if isinstance(n, ast.stmt)), key=begin):
        match statement:
            case ast.Assign(targets=[target], value=ast.expr() as value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                pass
            case ast.Return(value=ast.expr() as value) | ast.Expr(value=value):
                target = value
            case _:
                continue
        for node in (each for each in nodes(value) if isinstance(each, ast.expr)):
            for left, name in _products(node, names):
                yield from ((first, node) for first in _sources(left, names, behind) if first != name)
        if isinstance(target, ast.Name):
            first = next(_sources(value, names, behind), None)
            behind = {name: each for name, each in behind.items() if name != target.id}
            behind |= {target.id: first} if first is not None else {}


def _sources(value: ast.expr, names: set[str], behind: Mapping[str, str]) -> Iterator[str]:
    """The matrices that an expression multiplies with, or whose products it is computed from."""
    for node in ast.walk(value):
        yield from (name for _, name in _products(node, names))
        if isinstance(node, ast.Name) and node.id in behind:
            yield behind[node.id]


def _products(node: ast.AST, names: set[str]) -> Iterator[tuple[ast.expr, str]]:
    """What a node multiplies from the right with a matrix, and which one that is: ``x @ w``, ``torch.mm(x, w)``."""
    match node:
        case (
            ast.BinOp(left=left, op=ast.MatMult(), right=ast.Name(id=name))
            | ast.Call(func=ast.Attribute(attr="mm" | "matmul"), args=[left, ast.Name(id=name)])
            | ast.Call(func=ast.Attribute(attr="mm" | "matmul", value=left), args=[ast.Name(id=name)])
        ) if name in names:
            yield left, name
        case _:
            pass
