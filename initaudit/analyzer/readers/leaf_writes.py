"""Parameters that are written in place while autograd records: code that raises when it runs.

Only where nothing around can have switched recording off: top-level code, constructors, and the methods that a
constructor calls.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.context import Context, in_order, makes_parameter, method, own_attribute
from initaudit.subjects.lost_writes import LeafWrite

SWITCHES = re.compile(r"no_grad|inference_mode|grad_enabled|requires_grad|\bmeta\b")
"""What may keep autograd from recording, or a parameter from being a leaf that needs it."""
RECORDED = (torch_api.OVERWRITES | torch_api.PARTIAL_WRITES) - {"set_"} | {
    "mul_", "div_", "add_", "sub_", "clamp_", "neg_", "abs_", "sqrt_", "pow_", "exp_", "copy_", "lerp_", "addmm_",
}  # fmt: skip
VIEWS = {
    "view",
    "view_as",
    "t",
    "transpose",
    "permute",
    "squeeze",
    "unsqueeze",
    "narrow",
    "select",
    "diagonal",
    "expand",
}
LAYERS = torch_api.LINEAR_LIKE | {"Embedding", "EmbeddingBag"}


@reads(
    LeafWrite,
    scope=Context,
    words="normal_( uniform_( zero_( fill_( copy_( mul_( div_( add_( sub_( clamp_( -= += *= /= ]",
    nearby="Parameter( Linear( Embedding(",
)
def leaf_writes(context: Context) -> Iterator[LeafWrite]:
    """Writes to parameters, or to views of them, that autograd records."""
    body = _plain_body(context)
    if body is None or SWITCHES.search(_surroundings(context)):
        return
    for statement in in_order(body):
        for target, source in _written(statement):
            name = _leaf(context, target)
            if name is not None:
                yield LeafWrite(
                    place=context.snippet.place(source),
                    source=context.snippet.source(source),
                    parameter=name,
                    model=context.cls.qualname if context.cls is not None else None,
                    view=target is not _innermost(target),
                )


def _plain_body(context: Context) -> Sequence[ast.stmt] | None:
    """The statements of a function, or of top-level code, where it is known to run with autograd on."""
    function, cls = context.function, context.cls
    if context.definition is None:
        return context.snippet.body
    if function is None or cls is None or function.decorator_list or not context.project.is_module_class(cls):
        return None
    if function.name == "__init__":
        return function.body
    constructor = method(context, "__init__")
    if constructor is None or constructor.cls != cls or constructor.function is None:
        return None
    called = any(own_attribute(call.func) == function.name for call in constructor.calls())
    return function.body if called else None


def _written(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | ast.stmt]]:
    """What a statement writes in place, and the code that does."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name, value=target)) as call) if name in RECORDED:
            if not isinstance(target, ast.Subscript) or _is_basic(target.slice):
                yield target, call
        case ast.Assign(targets=[ast.Subscript(value=target)]):
            yield target, statement
        case ast.AugAssign(target=ast.Subscript(value=target)) | ast.AugAssign(target=ast.Attribute() as target):
            yield target, statement
        case _:
            pass


def _is_basic(index: ast.expr) -> bool:
    """Whether an index gives a view, and no copy."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(
        isinstance(part, ast.Slice) or (isinstance(part, ast.Constant) and isinstance(part.value, int))
        for part in parts
    )


def _innermost(target: ast.expr) -> ast.expr:
    """The tensor that an expression is a view of."""
    while True:
        match target:
            case ast.Call(func=ast.Attribute(attr=name, value=inner)) if name in VIEWS:
                target = inner
            case ast.Subscript(value=inner, slice=index) if _is_basic(index):
                target = inner
            case _:
                return target


def _leaf(context: Context, target: ast.expr) -> str | None:
    """The parameter that an expression is, or is a view of."""
    tensor = _innermost(target)
    if not isinstance(tensor, ast.Attribute):
        return None
    own = own_attribute(tensor)
    if own is not None:
        return own if context.cls is not None and makes_parameter(context.project, context.cls, own) else None
    owner = dotted(tensor.value)
    if tensor.attr != "weight" or not owner:
        return None
    made = re.findall(rf"(?<![\w.]){re.escape(owner)}\s*=\s*([\w.]+)\(", _surroundings(context))
    return f"{owner}.weight".removeprefix("self.") if made and all(_is_layer(context, name) for name in made) else None


def _surroundings(context: Context) -> str:
    """The class of a method, or all top-level code."""
    if context.cls is not None:
        return context.module.slice(context.cls.definition)
    return "\n".join(
        line for start, end in context.module.outline.top_level for line in context.module.lines[start - 1 : end]
    )


def _is_layer(context: Context, name: str) -> bool:
    canonical = context.canonical(ast.parse(name, mode="eval").body) or ""
    return canonical.removeprefix("torch.nn.") in LAYERS
