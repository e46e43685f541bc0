"""Raw memory that is no parameter: an attribute that a forward reads, a variable that is trained.

A tensor counts as written as soon as anything may have done it: an assignment, a method that ends in an underscore, a
function that is given the tensor and is not one of torch's that only read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.project import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.exports import only_exports
from initaudit.analyzer.reading import Search
from initaudit.analyzer.snippets import FunctionNode, begin, dotted, nodes, parameters, root
from initaudit.analyzer.syntax.context import Class, Context, function_context, method, own_attribute
from initaudit.analyzer.syntax.meaning import bound_in
from initaudit.analyzer.syntax.numbers import is_whole_number
from initaudit.analyzer.syntax.results import OUT_OF_PLACE
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.weights import RawTensor

WRAPPERS = {"torch.autograd.Variable", "torch.Variable", "torch.nn.Parameter"}
MAY_WRITE = ("torch.distributed.", "torch.ops.", "torch.nn.utils.", "torch.utils.", "torch.cuda.")
"""What begins the names of functions of torch that may write a tensor they are given."""
METADATA = {"shape", "size", "dtype", "device", "dim", "ndim", "numel", "requires_grad", "is_cuda", "stride", "grad"}
MOVES = {"to", "cuda", "cpu", "float", "double", "half", "requires_grad_", "expand", "view", "unsqueeze", "repeat", "t"}
GRADIENTS = {"backward", "grad", "jacobian", "hessian", "vjp", "jvp", "gradcheck"}
"""Names of functions and methods that compute a gradient."""
COMPUTES = OUT_OF_PLACE | {"sum", "mean", "std", "var", "norm", "matmul", "mm", "bmm", "dot", "softmax", "log_softmax"}
"""Methods of a tensor that compute a new one, or a number, with its values."""


@reads(RawTensor, scope=Class, words="empty( Tensor(", nearby="forward")
def raw_attributes(scope: Class) -> Iterator[RawTensor]:
    """Attributes of a module that are raw memory, and that its forward reads and nothing writes."""
    project, cls = scope.project, scope.defined
    init = cls.definition.members.get("__init__")
    order = project.mro(cls)
    if init is None or order is None or not project.is_module_class(cls):
        return
    context = function_context(project, Defined(cls.module, init))
    if context is None or context.function is None:
        return
    methods = [found for each in project.methods(cls) if (found := function_context(project, each)) is not None]
    for statement in context.function.body:
        match statement:
            case ast.Assign(targets=[target], value=value) if (name := own_attribute(target)) is not None:
                allocation = raw_allocation(context, value)
            case _:
                continue
        if allocation is None or allocation[1] == "torch.nn.Parameter":
            continue
        uses = [(method, node) for method in methods for node in method.walk() if own_attribute(node) == name]
        uses = [(method, node) for method, node in uses if node is not target]
        reads_it = [(method, node) for method, node in uses if _is_read(method, node)]
        forward = [(m, n) for m, n in reads_it if m.function is not None and m.function.name == "forward"]
        if not forward or any(not is_harmless(method, node) for method, node in uses) or _written_outside(scope, name):
            continue
        method, node = forward[0]
        yield RawTensor(
            place=context.snippet.place(value),
            name=f"self.{name}",
            call=allocation[0],
            used=method.snippet.place(node),
            recorded=_requires_grad(value),
            exported=only_exports(project, cls.module),
            model=cls.qualname,
        )


@reads(RawTensor, scope=Context, words="empty( Tensor(", nearby="optim requires_grad")
def raw_variables(context: Context) -> Iterator[RawTensor]:
    """Variables of raw memory that are trained: an optimizer is given them, or they require a gradient and are used."""
    body = context.function.body if context.function is not None else context.snippet.body
    for statement in _simple(body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                allocation = raw_allocation(context, value)
            case _:
                continue
        if allocation is None:
            continue
        later = (n for n in context.walk() if isinstance(n, ast.Name) and n.id == name and begin(n) >= begin(statement))
        uses = [(context, node) for node in later if node is not statement.targets[0]]
        uses += _in_functions(context, name)
        if any(not isinstance(node.ctx, ast.Load) and not _is_step(where, node) for where, node in uses):
            continue
        optimized = [node for where, node in uses if in_optimizer(where, node)]
        trained = bool(optimized) or any(_is_step(where, node) for where, node in uses)
        recorded = _requires_grad(value)
        read = [(where, node) for where, node in uses if _is_read(where, node)]
        harmless = (is_harmless(where, node) or _is_step(where, node) or node in optimized for where, node in uses)
        if (trained or recorded) and read and all(harmless):
            where, first = read[0]
            yield RawTensor(
                place=context.snippet.place(value),
                name=name,
                call=allocation[0],
                used=where.snippet.place(first),
                trained=trained,
                recorded=recorded,
                unused=not _computes_gradients(context),
            )


def _computes_gradients(context: Context) -> bool:
    """Whether a file computes a gradient, or a function of it returns what it computes."""
    if context.function is not None and any(isinstance(node, ast.Return) and node.value for node in context.walk()):
        return True
    module = context.module
    return any(not GRADIENTS.isdisjoint(module.usage_of(*part).names) for part in module.parts())


def _is_step(context: Context, node: ast.AST) -> bool:
    """Whether something is added to a tensor, or it is scaled: ``w -= rate * w.grad``."""
    parent = context.snippet.parents.get(node)
    return isinstance(parent, ast.AugAssign) and parent.target is node


def _in_functions(context: Context, name: str) -> list[tuple[Context, ast.Name]]:
    """Where functions of a file use a name of its top level."""
    found: list[tuple[Context, ast.Name]] = []
    for start, end, definition in scopes_holding(context.module, ((name,),)) if context.function is None else ():
        snippet = context.module.quiet_snippet(start, end) if definition is not None else None
        if snippet is None or not isinstance(snippet.body[0], FunctionNode) or name in bound_in(snippet.body[0]):
            continue
        where = replace(context, definition=definition, snippet=snippet)
        found += [(where, node) for node in snippet.nodes if isinstance(node, ast.Name) and node.id == name]
    return found


def _simple(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run once, whatever the arguments."""
    for statement in body:
        if isinstance(statement, ast.With):
            yield from _simple(statement.body)
        else:
            yield statement


def raw_allocation(context: Context, value: ast.expr) -> tuple[str, str | None] | None:
    """The canonical name of what allocates raw memory, and of what wraps it, if an expression is nothing else."""
    wrapper: str | None = None
    while isinstance(value, ast.Call):
        name = context.canonical(value.func)
        if name in WRAPPERS and value.args:
            wrapper, value = name, value.args[0]
        elif name is not None and (name in torch_api.RAW_FACTORIES or name in torch_api.LEGACY_CONSTRUCTORS):
            return (name, wrapper) if _is_size(context, name, value) and not _is_meta(value) else None
        elif name is None and isinstance(value.func, ast.Attribute) and value.func.attr in MOVES:
            value = value.func.value
        else:
            return None
    return None


def _is_meta(call: ast.Call) -> bool:
    """Whether a call makes a tensor without memory."""
    return any(
        each.arg == "device" and isinstance(each.value, ast.Constant) and each.value.value == "meta"
        for each in call.keywords
    )


def _is_size(context: Context, name: str, call: ast.Call) -> bool:
    """Whether the arguments of a call can only be a size that is not zero."""
    if any(isinstance(arg, ast.Constant) and arg.value == 0 for arg in call.args):
        return False
    if name not in torch_api.LEGACY_CONSTRUCTORS:
        return torch_api.RAW_FACTORIES[name] == "size" and bool(call.args)
    return len(call.args) > 1 or (len(call.args) == 1 and is_whole_number(context, call.args[0]))


def _requires_grad(value: ast.expr) -> bool:
    """Whether an expression makes a tensor that is trained."""
    for node in nodes(value):
        if isinstance(node, ast.keyword) and node.arg == "requires_grad":
            return isinstance(node.value, ast.Constant) and node.value.value is True
        if isinstance(node, ast.Attribute) and node.attr == "requires_grad_":
            return True
    return False


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


def _is_read(context: Context, node: ast.AST) -> bool:
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
            return name in COMPUTES and isinstance(called, ast.Call) and called.func is parent
    return False


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def is_harmless(context: Context, node: ast.AST) -> bool:
    """Whether a use of a tensor can write nothing to it."""
    if not isinstance(getattr(node, "ctx", None), ast.Load):
        return False
    if _is_read(context, node):
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
    return isinstance(call.func, ast.Attribute) and call.func.attr in (
        "mm",
        "matmul",
        "mul",
        "add",
        "bmm",
        "addmm",
        "dot",
    )


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
    made = [
        node.value
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(function, ast.Name) and dotted(node.targets[0]) == function.id
    ]
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


def _written_outside(scope: Class, name: str) -> bool:
    """Whether another part of the project speaks of an attribute of this name on some object."""
    folder = scope.module.project_folder
    for filename in scope.project.find(Search(folder, word=name.encode())):
        module = scope.project.load(filename)
        if module is None:
            return True
        for start, end in module.parts_naming(name):
            inside = module is scope.module and start <= scope.definition.start <= end
            usage = module.usage_of(start, end)
            if not inside and (usage.of_others(name) or name in usage.texts):
                return True
    return False
