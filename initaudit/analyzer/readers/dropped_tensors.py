"""Statements that make a new tensor for a parameter, and drop it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import structs

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.meaning import TENSORS, Names, Step
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.reached import layers_of
from initaudit.analyzer.syntax.results import ONLY_IN_PLACE, OUT_OF_PLACE, makes_new, writes_in_place
from initaudit.subjects.lost_writes import DroppedTensor

IN_PLACE = {ast.Mult: "mul_", ast.Div: "div_", ast.Add: "add_", ast.Sub: "sub_"}
"""The method that does what an operator does, in place."""
FILLS = {"full": "fill_({0})", "zeros": "zero_()", "ones": "fill_(1.0)", "randn": "normal_()", "rand": "uniform_()"}
MAKERS = {each.rpartition(".")[2] for each in torch_api.NEW_TENSOR_FACTORIES} | OUT_OF_PLACE
EMBEDDINGS = {"torch.nn.Embedding", "torch.nn.EmbeddingBag"}
FROM_PRETRAINED = "Embedding.from_pretrained"
WRITES = torch_api.OVERWRITES | torch_api.PARTIAL_WRITES
MADE = " ".join(f":{name}(" for name in sorted(MAKERS))
ATTRIBUTES = ".weight* .bias* .data getattr("
BEHIND_A_VIEW = " ".join(f"{name}(" for name in sorted(OUT_OF_PLACE))


@reads(DroppedTensor, scope=Context, words=(ATTRIBUTES, "copy_= normal_= uniform_= fill_= zero_="))
@reads(DroppedTensor, scope=Context, words="parameters( state_dict(")
@reads(DroppedTensor, scope=Context, words=(ATTRIBUTES, MADE))
@reads(DroppedTensor, scope=Context, words=("detach(", BEHIND_A_VIEW))
@reads(DroppedTensor, scope=Context, words=("self", MADE), nearby="Parameter( register_parameter(")
@reads(DroppedTensor, scope=Context, words=("weight bias", ":* :+ :- :/"))
def dropped_tensors(context: Context) -> Iterator[DroppedTensor]:
    """New tensors that a statement makes of a parameter and drops, unless it tries whether that works."""
    meanings = Meanings(context)
    for step in meanings.steps():
        yield from _assigned_to_method(context, meanings, step)
        if not isinstance(step.statement, ast.Expr) or step.guarded or step.displayed:
            continue
        value = step.statement.value
        if writes_in_place(value):
            continue
        fact = None
        if isinstance(value, ast.Call):
            fact = _dropped(context, meanings, value, step.names)
        elif isinstance(value, ast.BinOp):
            fact = _computed(context, meanings, value, step.names)
        if fact is not None:
            yield fact


@reads(DroppedTensor, scope=Context, words="from_pretrained(", nearby="Embedding( EmbeddingBag(")
def dropped_embeddings(context: Context) -> Iterator[DroppedTensor]:
    """``self.embedding.from_pretrained(vectors)``, which makes another embedding, and changes nothing."""
    for step in Meanings(context).steps():
        match step.statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=layer, attr="from_pretrained")) as call):
                found = layers_of(context, layer)
                known = found.complete and {each.kind for each in found.layers} <= EMBEDDINGS
                if known and found.layers and not step.guarded and not step.displayed:
                    target = context.snippet.source(layer)
                    yield _fact(context, call, FROM_PRETRAINED, layer, f"{target} = {context.snippet.source(call)}")


def _assigned_to_method(context: Context, meanings: Meanings, step: Step) -> Iterator[DroppedTensor]:
    """``m.weight.data.copy_ = values``: the name of a method is bound anew, and nothing is written."""
    match step.statement:
        case ast.Assign(targets=[ast.Attribute(value=owner, attr=name) as target], value=value) if name in WRITES:
            found = _tensor(meanings, owner, step.names)
            if found is not None:
                wanted = f"{context.snippet.source(target)}({context.snippet.source(value)})"
                yield _fact(context, step.statement, f"{context.snippet.source(target)} = ...", found, wanted)


def _computed(context: Context, meanings: Meanings, value: ast.BinOp, names: Names) -> DroppedTensor | None:
    """Arithmetic with a parameter: ``p.data * 0.01``."""
    target = _tensor(meanings, value.left, names)
    if target is None:
        target = _tensor(meanings, value.right, names)
        made = next((side for side in (value.left, value.right) if isinstance(side, ast.Call | ast.BinOp)), None)
        if target is None and isinstance(made, ast.Call):
            return _dropped(context, meanings, made, names)
        if target is None and isinstance(made, ast.BinOp):
            return _computed(context, meanings, made, names)
        return None if target is None else _fact(context, value, "arithmetic", target, None)
    method = IN_PLACE.get(type(value.op))
    inplace = (
        f"{context.snippet.source(target)}.data.{method}({context.snippet.source(value.right)})" if method else None
    )
    return _fact(context, value, "arithmetic", target, inplace)


def _dropped(context: Context, meanings: Meanings, call: ast.Call, names: Names) -> DroppedTensor | None:
    """A tensor that a call makes for a parameter."""
    name = context.canonical(call.func)
    if name in torch_api.NEW_TENSOR_FACTORIES:
        target = _imitated(meanings, call, names)
        return None if target is None else _fact(context, call, name, target, _fill(context, name, call, target))
    if name is not None:
        if not makes_new(name):
            return None
        found = [_tensor(meanings, arg, names) for arg in call.args]
        target = next((each for each in found if each is not None), None)
        return None if target is None else _fact(context, call, name, target, None)
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in OUT_OF_PLACE:
        return None
    inner = call.func.value
    target = _tensor(meanings, inner, names)
    if target is None:  # what is computed from a new tensor that nothing holds
        before = _dropped(context, meanings, inner, names) if isinstance(inner, ast.Call) else None
        return None if before is None else structs.replace(before, place=context.snippet.place(call), inplace=None)
    return _fact(context, call, f"Tensor.{call.func.attr}", target, _underscored(context, call, call.func.attr, target))


def _tensor(meanings: Meanings, node: ast.expr, names: Names) -> ast.expr | None:
    """The parameter that an expression is, or is a view of, as it is written."""
    found = meanings.meaning(node, names)
    if found is None or found.what not in TENSORS:
        return None
    while True:
        match node:
            case ast.Attribute(value=inner, attr=name) if name in torch_api.VIEW_ATTRIBUTES:
                node = inner
            case ast.Call(func=ast.Attribute(value=inner)) if meanings.meaning(inner, names) is not None:
                node = inner
            case _:
                return node


def _fact(
    context: Context, call: ast.expr | ast.stmt, name: str, target: ast.expr, inplace: str | None
) -> DroppedTensor:
    own = own_attribute(target)
    return DroppedTensor(
        place=context.snippet.place(call),
        call=name,
        parameter=own,
        model=context.cls.qualname if own is not None and context.cls is not None else None,
        target=context.snippet.source(target),
        inplace=inplace,
    )


def _imitated(meanings: Meanings, call: ast.Call, names: Names) -> ast.expr | None:
    """The parameter whose size (or self, for ``*_like``) a factory is given."""
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        imitated = value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "size":
            imitated = value.func.value
        elif isinstance(value, ast.Attribute) and value.attr == "shape":
            imitated = value.value
        elif not dotted(call.func).endswith("_like"):
            continue
        target = _tensor(meanings, imitated, names)
        if target is not None:
            return target
    return None


def _fill(context: Context, name: str, call: ast.Call, target: ast.expr) -> str | None:
    """The in-place form of a factory."""
    form = FILLS.get(name.removeprefix("torch.").removesuffix("_like"))
    if form is None or ("{0}" in form and len(call.args) < 2):
        return None
    value = context.snippet.source(call.args[1]) if "{0}" in form else ""
    return f"{context.snippet.source(target)}.data.{form.format(value)}"


def _underscored(context: Context, call: ast.Call, name: str, target: ast.expr) -> str | None:
    """The in-place form of a method, on the data of a parameter: autograd does not let the parameter be written."""
    function, whole = context.snippet.source(call.func), context.snippet.source(call)
    if not whole.startswith(function) or name not in torch_api.IN_PLACE_FORMS | ONLY_IN_PLACE:
        return None
    return f"{context.snippet.source(target)}.data.{name}_{whole[len(function) :]}"
