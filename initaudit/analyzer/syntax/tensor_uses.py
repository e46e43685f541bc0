"""What code does with a tensor where it names it: computes with its values, hands it to an optimizer, may write it."""

from __future__ import annotations

import ast

from initaudit.analyzer import torch_api
from initaudit.analyzer.source.snippets import nodes, parameters, root
from initaudit.analyzer.syntax.context import Context, method, own_attribute
from initaudit.analyzer.syntax.results import OUT_OF_PLACE
from initaudit.analyzer.syntax.walks import written

MAY_WRITE = ("torch.distributed.", "torch.ops.", "torch.nn.utils.", "torch.utils.", "torch.cuda.")
"""What begins the names of functions of torch that may write a tensor they are given."""
METADATA = {"shape", "size", "dtype", "device", "dim", "ndim", "numel", "requires_grad", "is_cuda", "stride", "grad"}
MOVES = {"to", "cuda", "cpu", "float", "double", "half", "requires_grad_", "expand", "view", "unsqueeze", "repeat", "t"}
COMPUTES = OUT_OF_PLACE | {"sum", "mean", "std", "var", "norm", "matmul", "mm", "bmm", "dot", "softmax", "log_softmax"}
"""Methods of a tensor that compute a new one, or a number, with its values."""


UPDATES = {"mul_", "div_", "add_", "sub_", "lerp_"}
"""Methods that compute new values in place, with those that are there."""
COMPUTES_WITH = {"mm", "matmul", "mul", "add", "bmm", "addmm", "dot"}
"""Those whose argument is a tensor too."""


def requires_grad(value: ast.expr) -> bool:
    """Whether an expression makes a tensor that is trained."""
    for node in nodes(value):
        match node:
            case ast.Call(func=ast.Attribute(attr="requires_grad_"), args=given, keywords=named):
                return all(is_true(each) for each in (*given, *(keyword.value for keyword in named)))
            case ast.keyword(arg="requires_grad", value=asked):
                return is_true(asked)
            case _:
                pass
    return False


def is_true(value: ast.expr) -> bool:
    """Whether an expression is ``True``."""
    return isinstance(value, ast.Constant) and value.value is True


def _use(context: Context, node: ast.AST) -> tuple[ast.AST, ast.AST | None]:
    """The largest view of a tensor that an expression is a part of, and what stands around that."""
    parents = context.snippet.parents
    while True:
        parent = parents.get(node)
        match parent:
            case ast.Attribute(attr=name) if name in torch_api.VIEW_ATTRIBUTES:
                node = parent
            case ast.Attribute(attr=name) if name in MOVES and isinstance(parents.get(parent), ast.Call):
                node = parents[parent]
            case ast.Subscript(value=value, ctx=ast.Load()) if value is node:
                node = parent
            case _:
                return node, parent


def is_read(context: Context, node: ast.AST) -> bool:
    """Whether the values of a tensor are computed with."""
    node, parent = _use(context, node)
    match parent:
        case ast.BinOp(left=left, op=ast.Mult(), right=right) if any(map(_is_zero, (left, right))):
            return False
        case ast.BinOp() | ast.UnaryOp():
            return True
        case ast.Call(func=function) if node is not function:
            return _only_reads(context, parent)
        case ast.Attribute(attr=name):
            called = context.snippet.parents.get(parent)
            of_call = isinstance(called, ast.Call) and called.func is parent
            updates = name in UPDATES and isinstance(called, ast.Call) and not any(map(_is_zero, called.args))
            return of_call and (name in COMPUTES or updates)
    return False


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def is_harmless(context: Context, node: ast.AST) -> bool:
    """Whether a use of a tensor can write nothing to it."""
    if not isinstance(getattr(node, "ctx", None), ast.Load):
        return False
    if is_read(context, node):
        return True
    _, parent = _use(context, node)
    match parent:
        case ast.BinOp():
            return True
        case ast.Attribute(attr=name):
            return name in METADATA
        case ast.Compare() | ast.FormattedValue() | ast.Return():
            return True  # what is returned was read before
        case ast.Call(func=ast.Name(id="print" | "isinstance" | "len")):
            return True
    return False


def _only_reads(context: Context, call: ast.Call) -> bool:
    """Whether a call computes with its arguments, and writes none of them."""
    if any(keyword.arg == "out" for keyword in call.keywords):
        return False
    name = context.canonical(call.func)
    if name is not None:
        last = name.rpartition(".")[2]
        plain = name.startswith("torch.") and not name.startswith((torch_api.INIT, torch_api.OPTIMIZERS, *MAY_WRITE))
        return plain and not last.endswith("_") and last.islower()
    if (own := own_attribute(call.func)) is not None:
        called = method(context, own)
        return called is None or not _writes_arguments(called)
    if _is_layer(context, call.func):
        return True  # it is given the tensor to compute with
    return isinstance(call.func, ast.Attribute) and call.func.attr in COMPUTES_WITH


def _writes_arguments(context: Context) -> bool:
    """Whether a method writes something that it is given."""
    given = {each.arg for each in parameters(context.function)[1:]} if context.function is not None else set()
    for node in context.walk():
        target: ast.expr | None = None
        if isinstance(node, ast.Call):
            target = written(context, node)
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            target = node
        variable = root(target, calls=True) if target is not None else None
        if variable is not None and variable.id in given:
            return True
    return False


def _is_layer(context: Context, function: ast.expr) -> bool:
    """Whether a name is that of a layer of torch, or of several in a row, that the same code makes."""
    made = context.assigned(function.id) if isinstance(function, ast.Name) else []
    names = [context.canonical(each.func) or "" for each in made if isinstance(each, ast.Call)]
    return (
        bool(made)
        and len(names) == len(made)
        and all(name.startswith("torch.nn.") and name.rpartition(".")[2][:1].isupper() for name in names)
    )


def in_optimizer(context: Context, node: ast.AST) -> bool:
    """Whether an optimizer is given the tensor, in a list or a group."""
    parents = context.snippet.parents
    while (parent := parents.get(node)) is not None:
        if isinstance(parent, ast.Call):
            return (context.canonical(parent.func) or "").startswith(torch_api.OPTIMIZERS)
        if not isinstance(parent, ast.List | ast.Tuple | ast.Dict | ast.keyword | ast.Starred | ast.BinOp):
            return False
        node = parent
    return False
