"""Matrices that a script trains, one behind the other, without a module around them: of one number, or from N(0, 1)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.moved_parameters import is_trainable
from initaudit.analyzer.source.snippets import FunctionNode, begin, dotted, last_name, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import bound_in
from initaudit.analyzer.syntax.reached import number
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.torch_api import DRAWS
from initaudit.finding import Observer
from initaudit.schemes import Distribution
from initaudit.subjects.weights import ConstantWeights, WeightUse

NUMBERS = {"zeros": "0", "ones": "1"}
WRITES = DRAWS | {"copy_", "random_", "exponential_", "load", "load_state_dict", "normal", "randn_like", "rand_like"}
"""Functions by which code may give the matrices other values."""
SCALES = (WRITES | {"mul_", "div_", "normal_", "uniform_", "fill_"}) - {"normal"}
Start = Callable[[Context, ast.expr], "tuple[str, bool] | None"]
"""Says what a value starts from, and whether it is made to be trained; None for other values."""


@reads(ConstantWeights, scope=Context, words="zeros( ones( full(", nearby="requires_grad Parameter(")
def constant_variables(context: Context) -> Iterator[ConstantWeights]:
    """The first of two matrices of one number, of which the second multiplies what the first one gives."""
    for made, first, use, where, _ in _chains(context, _constant, WRITES):
        value, number = made[first]
        yield ConstantWeights(
            place=context.snippet.place(value),
            source=context.snippet.source(value),
            value=number,
            parameter=first,
            use=where.snippet.source(use),
        )
        return


@reads(WeightUse, scope=Context, words=("randn(", "requires_grad Parameter( requires_grad_("), nearby="@ mm( matmul(")
def drawn_variables(context: Context) -> Iterator[WeightUse]:
    """The first of such matrices, drawn by ``torch.randn`` and never scaled, nor written but along its gradient."""
    for drawn, first, use, where, statements in _chains(context, _drawn, SCALES):
        value, _ = drawn[first]
        sizes = _sizes(context, value)
        plain = _is_plain(context, drawn) and _is_plain(where, drawn)
        if None in sizes or not plain or _is_scaled(statements, set(drawn), use):
            return
        inputs, outputs = (size or 0 for size in sizes)
        yield WeightUse(
            observer=Observer.ANALYZER,
            place=context.snippet.place(value),
            model=context.module.name,
            parameter=first,
            use=where.snippet.source(use),
            shape=(inputs, outputs),
            by="torch.randn",
            distribution=Distribution(family="normal", mean=0.0, std=1.0),
            fan_in=inputs,
            fan_out=outputs,
            target=first,
        )
        return


def _chains(
    context: Context, start: Start, writes: Collection[str]
) -> Iterator[tuple[dict[str, tuple[ast.expr, str]], str, ast.expr, Context, Sequence[ast.stmt]]]:
    """The trained matrices that start in some way and get no other values, and where one multiplies what another gives.

    These are the name of the other one, the product, and the code and the statements in which that stands.
    """
    body = context.function.body if context.function is not None else context.snippet.body
    made = dict(_matrices(context, body, start))
    if len(made) < 2 or is_test(context.module) or any(last_name(call.func) in writes for call in context.calls()):
        return
    stored = [node.id for node in context.walk() if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    made = {name: each for name, each in made.items() if stored.count(name) == _bindings(context, name)}
    for where, statements in _functions(context, body, set(made)):
        for first, use in _chained(statements, set(made)):
            yield made, first, use, where, statements


def _is_plain(context: Context, names: Collection[str]) -> bool:
    """Whether code writes the matrices only along a gradient, and gives them to functions of torch alone."""
    given: Sequence[ast.AST]
    for node in context.walk():
        match node:
            case ast.Call(func=ast.Attribute()) if context.canonical(node.func) is None:
                continue  # a method of a tensor
            case ast.Call(args=given):
                called = context.canonical(node.func) or ""
                plain = called.startswith("torch.") and not called.startswith(torch_api.INIT)
            case ast.AugAssign(target=target, op=op):
                given, plain = list(nodes(target)), isinstance(op, ast.Add | ast.Sub)
            case ast.Assign(targets=[ast.Attribute(attr="data", value=tensor) | ast.Subscript(value=tensor)]):
                given, plain = [tensor], False
            case _:
                continue
        if not plain and any(isinstance(each, ast.Name) and each.id in names for each in given):
            return False
    return True


def _is_scaled(body: Sequence[ast.stmt], names: set[str], use: ast.expr) -> bool:
    """Whether what is computed with the matrices is divided or normalized, up to a product."""
    derived = set(names)
    for statement in sorted((n for each in body for n in nodes(each) if isinstance(n, ast.Assign)), key=begin):
        inside = list(nodes(statement.value))
        inside = list(nodes(use)) if use in inside else inside
        if begin(statement) <= begin(use) and any(isinstance(n, ast.Name) and n.id in derived for n in inside):
            divided = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) for n in inside)
            if divided or any(word in last_name(n) for n in inside for word in ("norm", "std", "sqrt", "scale")):
                return True
            derived |= {node.id for target in statement.targets for node in nodes(target) if isinstance(node, ast.Name)}
    return False


def _sizes(context: Context, value: ast.expr) -> list[int | None]:
    """The two sizes that ``torch.randn`` is given, as far as they are known."""
    made = next(each for each in nodes(value) if isinstance(each, ast.Call) and last_name(each.func) == "randn")
    sizes = made.args[0].elts if isinstance(made.args[0], ast.Tuple | ast.List) else made.args
    return [number(context, size) for size in sizes]


def _bindings(context: Context, name: str) -> int:
    """How often a variable is bound once, and stepped along its gradient: ``w -= rate * w.grad``."""
    steps = (node for node in context.walk() if isinstance(node, ast.AugAssign) and dotted(node.target) == name)
    return 1 + sum(f"{name}.grad" in ast.unparse(each.value) for each in steps)


def _matrices(context: Context, body: Sequence[ast.stmt], start: Start) -> Iterator[tuple[str, tuple[ast.expr, str]]]:
    """The variables that are trained and start in some way, with what makes them, and what they start from."""
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
                found = start(context, value)
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


def _drawn(context: Context, value: ast.expr) -> tuple[str, bool] | None:
    """Whether a new matrix is drawn by ``torch.randn`` and used as it is, and whether it is made to be trained."""
    trained = False
    while isinstance(value, ast.Call):
        trained |= is_trainable(context, value) or last_name(value.func) == "requires_grad_"
        name = context.canonical(value.func) or ""
        if name == "torch.randn":
            return ("N(0, 1)", trained) if _is_matrix(value.args) else None
        if name in ("torch.nn.Parameter", "torch.autograd.Variable") and value.args:
            value = value.args[0]
        elif not name and isinstance(value.func, ast.Attribute) and value.func.attr in ("requires_grad_", "to", "cuda"):
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
