"""What a module keeps in plain tensors that are trained, drawn or multiplied by, and does not register."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.applications import keeps_states
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import defaults
from initaudit.analyzer.syntax.context import Context, constructs, method, own_attribute, uses_of
from initaudit.analyzer.syntax.elsewhere import spoken_of_elsewhere
from initaudit.analyzer.syntax.structure import constructed
from initaudit.analyzer.syntax.tensor_uses import is_read, requires_grad
from initaudit.subjects.registration import PlainAttribute

IDLE = {"torch.zeros", "torch.ones"}
DRAWS = {"torch.randn", "torch.rand", "torch.normal"}
SEEDS = {"manual_seed", "seed", "fork_rng", "Generator"}
"""What a class uses that makes the same numbers each time."""
PARAMETERS = {"parameters", "named_parameters", "_parameters", "_apply", "state_dict", "__dict__", "vars"}
"""What a class uses that hands out its parameters itself."""


@reads(PlainAttribute, scope=Context, words="requires_grad ones( zeros( _(", nearby="forward(", named="__init__")
@reads(PlainAttribute, scope=Context, words="init.", nearby="forward(", named="__init__")
def unregistered_tensors(context: Context) -> Iterator[PlainAttribute]:
    """``self.w = torch.randn(d, d, requires_grad=True)`` in a constructor, if the object only computes with it."""
    cls = context.cls
    if cls is None or context.function is None or not constructs(context):
        return
    for node in context.walk():
        match node:
            case (
                ast.Assign(targets=[target], value=ast.Call() as made)
                | ast.AnnAssign(target=target, value=ast.Call() as made)
            ) if (name := own_attribute(target)) is not None and (
                _is_trained(context, made) or _is_initialized(context, made) or _is_idle_factor(context, name, made)
            ):
                if context.project.is_module_class(cls) and _only_computes(context, cls, name):
                    yield PlainAttribute(
                        place=context.snippet.place(made),
                        model=cls.qualname,
                        attribute=name,
                        source=context.snippet.source(made),
                        kind="tensor",
                    )
            case _:
                pass


@reads(
    PlainAttribute, scope=Context, words="randn( rand( normal( uniform_( normal_(", nearby="forward(", named="__init__"
)
def unregistered_draws(context: Context) -> Iterator[PlainAttribute]:
    """``self.keys = torch.randn(n, d).to(device)`` in the constructor of a class with layers, which the forward reads.

    A state dict does not contain it, so that the loaded layers meet other numbers than those they were trained with.
    """
    cls, forward = context.cls, method(context, "forward")
    if cls is None or forward is None or not constructs(context) or not _has_layers(context.project, cls):
        return
    if not context.project.is_module_class(cls) or not cls.module.usage(cls.definition).names.isdisjoint(SEEDS):
        return
    read = {own_attribute(node) for node in forward.walk()}
    for node in context.walk():
        match node:
            case ast.Assign(targets=[target], value=value) if (name := own_attribute(target)) is not None:
                if name in read and _is_drawn(context, value) and _only_computes(context, cls, name):
                    yield PlainAttribute(
                        place=context.snippet.place(value),
                        model=cls.qualname,
                        attribute=name,
                        source=context.snippet.source(value),
                        kind="random tensor",
                        saved=keeps_states(context.project, context.module),
                    )
            case _:
                pass


def _is_drawn(context: Context, value: ast.expr) -> bool:
    """Whether an expression is a new tensor of random numbers, which may be scaled, shifted or moved."""
    match value:
        case ast.BinOp(left=left, right=right):
            return _is_drawn(context, left) or _is_drawn(context, right)
        case ast.Call(func=ast.Attribute(value=ast.Call() as made, attr="uniform_" | "normal_")):
            return context.canonical(made.func) in torch_api.NEW_TENSOR_FACTORIES
        case ast.Call(func=ast.Attribute(value=ast.Call() | ast.BinOp() as made)):
            return _is_drawn(context, made)
        case ast.Call(func=function, keywords=keywords):
            return context.canonical(function) in DRAWS and not any(each.arg == "generator" for each in keywords)
    return False


def _is_trained(context: Context, made: ast.Call) -> bool:
    """Whether a call makes a new tensor that requires a gradient, and no parameter."""
    maker = made.func.value if isinstance(made.func, ast.Attribute) and isinstance(made.func.value, ast.Call) else made
    factory = context.canonical(maker.func) if isinstance(maker, ast.Call) else None
    return factory in torch_api.NEW_TENSOR_FACTORIES and requires_grad(made)


def _is_initialized(context: Context, made: ast.Call) -> bool:
    """``nn.init.xavier_normal_(torch.empty(n, m))``, by name or by the default of a parameter."""
    function: ast.expr | None = made.func
    if isinstance(function, ast.Name) and context.function is not None and context.canonical(function) is None:
        function = defaults(context.function.args).get(function.id)
    name = context.canonical(function) if function is not None else None
    if name is None or not name.startswith(torch_api.INIT) or not made.args:
        return False
    return isinstance(made.args[0], ast.Call) and context.canonical(made.args[0].func) in torch_api.NEW_TENSOR_FACTORIES


def _is_idle_factor(context: Context, name: str, made: ast.Call) -> bool:
    """``torch.zeros(n)``, where all that the attribute is given is such a constant, and something is multiplied by it.

    A product with a constant zero or one means nothing, unless the constant is to be trained.
    """
    cls = context.cls
    factory = context.canonical(made.func)
    if cls is None or factory not in IDLE or any(each.arg == "requires_grad" for each in made.keywords):
        return False
    if factory == "torch.ones" and not _has_layers(context.project, cls):
        return False  # a loss may weigh all alike
    multiplied = False
    for where, node in uses_of(context.project, cls, name):
        parent = where.snippet.parents.get(node)
        if not _is_load(node):
            if not isinstance(parent, ast.Assign) or not isinstance(parent.value, ast.Call):
                return False
            if where.canonical(parent.value.func) not in IDLE:
                return False
        elif isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult):
            multiplied = True
        else:
            return False
    return multiplied


def _has_layers(project: Project, cls: Defined) -> bool:
    """Whether a class has layers of torch of its own that are trained."""
    kinds = {layer.kind for attribute in constructed(project, cls).values() for layer in attribute.layers}
    return not kinds.isdisjoint(f"torch.nn.{name}" for name in torch_api.LINEAR_LIKE | torch_api.NORMALIZATIONS)


def _only_computes(context: Context, cls: Defined, name: str) -> bool:
    """Whether all that the project does with a tensor is to compute with it in methods of the class."""
    if not cls.module.usage(cls.definition).names.isdisjoint(PARAMETERS):
        return False
    uses = [use for use in uses_of(context.project, cls, name) if not constructs(use[0]) or _is_load(use[1])]
    return bool(uses) and all(map(_is_read_in_method, uses)) and not spoken_of_elsewhere(context.project, cls, name)


def _is_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)


def _is_read_in_method(use: tuple[Context, ast.AST]) -> bool:
    context, node = use
    return not constructs(context) and _is_load(node) and is_read(context, node)
