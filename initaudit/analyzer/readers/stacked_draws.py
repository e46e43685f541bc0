"""Draws by Xavier's or the orthogonal scheme of a tensor that holds several matrices."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import nodes, root
from initaudit.analyzer.syntax.context import Context, methods, own_attribute
from initaudit.analyzer.syntax.flow import NO_FORWARD
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.finding import Place
from initaudit.subjects.weights import StackedDraw

GATES = {"torch.nn.LSTM": 4, "torch.nn.LSTMCell": 4, "torch.nn.GRU": 3, "torch.nn.GRUCell": 3}
SCHEMES = ("xavier_", "orthogonal_", "glorot")
FUSED = {2: "matrices", 3: "matrices (query, key and value)", 4: "gates"}


@reads(
    StackedDraw,
    scope=Context,
    words="xavier_ orthogonal_",
    nearby="LSTM GRU chunk( split( unbind( reshape( view( in_proj",
)
def stacked_draws(context: Context) -> Iterator[StackedDraw]:
    """Calls of such an initializer whose target's parts are known."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case ast.Expr(value=ast.Call(args=[target, *_]) as call):
                pass
            case _:
                continue
        name = (context.canonical(call.func) or "").removeprefix(torch_api.INIT)
        meaning = meanings.meaning(target, step.names)
        variable = root(target)
        bound = step.names.get(variable.id) if variable is not None else None
        if meaning is not None and bound is not None and bound.element and bound.what is What.PARAMETER:
            meaning = replace(meaning, element=True)  # the data of it
        if not name.startswith(SCHEMES) or meaning is None or meaning.part or meaning.what is not What.PARAMETER:
            continue
        found = _gates(context, meanings, meaning, step) or _fused(context, target, call)
        if found is not None:
            parts, what, split = found
            yield StackedDraw(
                place=context.snippet.place(call),
                initializer=name,
                target=context.snippet.source(target),
                parts=parts,
                what=what,
                split=split,
            )


def _gates(context: Context, meanings: Meanings, meaning: Meaning, step: Step) -> tuple[int, str, Place | None] | None:
    """The gates of one of torch's recurrent layers, named directly or by a loop over its parameters."""
    kinds = meaning.kinds
    if meaning.element and meaning.source.endswith("parameters()"):
        owner = meaning.source.rpartition(".")[0]
        found = meanings.meaning(ast.parse(owner, mode="eval").body, step.names) if owner.startswith("self.") else None
        kinds = found.kinds if found is not None and found.what is What.MODULE else ()
    elif meaning.attribute is None or not meaning.attribute.startswith("weight_"):
        return None
    if not kinds or not set(kinds) <= GATES.keys():
        return None
    layer = kinds[0].rpartition(".")[2]
    return GATES[kinds[0]], f"gates of {'an' if layer.startswith('LSTM') else 'a'} {layer}", None


def _fused(context: Context, target: ast.expr, call: ast.Call) -> tuple[int, str, Place | None] | None:
    """The matrices in a parameter of ``k * n`` rows that a method of the class takes apart into ``k``."""
    owner = target.value if isinstance(target, ast.Attribute) and own_attribute(target) is None else target
    name = own_attribute(owner)
    cls = context.cls
    if name is None or cls is None or len(call.args) > 1 or any(each.arg == "gain" for each in call.keywords):
        return None
    every = list(methods(context.project, cls))
    parts = {count for method in every for node in method.walk() if (count := _rows(method, node, name)) is not None}
    if len(parts) != 1:
        return None
    count = parts.pop()
    for method in every:
        if method.function is None or NO_FORWARD.search(method.function.name):
            continue
        for node in method.walk():
            if _splits(node, count) and _speaks_of(method, name):
                return count, FUSED.get(count, "matrices"), method.snippet.place(node)
    return None


def _rows(context: Context, node: ast.AST, name: str) -> int | None:
    """How many times as many rows as something a parameter or a linear layer is made with."""
    match node:
        case ast.Assign(targets=[target], value=ast.Call() as made) if own_attribute(target) == name:
            for inner in nodes(made):
                if not isinstance(inner, ast.Call):
                    continue
                called = context.canonical(inner.func) or ""
                if called == "torch.nn.Linear" and len(inner.args) > 1:
                    return _multiple(inner.args[1])
                if called in torch_api.RAW_FACTORIES or called in torch_api.LEGACY_CONSTRUCTORS:
                    sizes = inner.args[0].elts if inner.args and isinstance(inner.args[0], ast.Tuple) else inner.args
                    return _multiple(sizes[0]) if len(sizes) > 1 else None
    return None


def _multiple(size: ast.expr) -> int | None:
    match size:
        case (
            ast.BinOp(left=ast.Constant(value=int(count)), op=ast.Mult())
            | ast.BinOp(op=ast.Mult(), right=ast.Constant(value=int(count)))
        ):
            return count if count in FUSED else None
    return None


def _splits(node: ast.AST, count: int) -> bool:
    """``x.chunk(3, dim=-1)``, ``torch.chunk(x, 3)``, or an assignment of that many names from a split."""
    match node:
        case ast.Call(func=ast.Attribute(attr="chunk" | "tensor_split" | "reshape" | "view"), args=args):
            return any(isinstance(arg, ast.Constant) and arg.value == count for arg in args)
        case ast.Assign(
            targets=[ast.Tuple(elts=elements)], value=ast.Call(func=ast.Attribute(attr="split" | "unbind"))
        ):
            return len(elements) == count
    return False


def _speaks_of(context: Context, name: str) -> bool:
    return any(own_attribute(node) == name for node in context.walk())
