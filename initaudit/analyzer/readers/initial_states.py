"""Raw memory that a recurrent layer gets as its first state."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.exports import only_exports
from initaudit.analyzer.readers.raw_tensors import raw_allocation
from initaudit.analyzer.source.snippets import begin
from initaudit.analyzer.syntax.context import Context, method, own_attribute
from initaudit.analyzer.syntax.functions import own_nodes
from initaudit.analyzer.syntax.meaning import Names
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.tensor_uses import is_harmless
from initaudit.subjects.weights import RawTensor

MAKES_A_LAYER = "LSTM( GRU( RNN( LSTMCell( GRUCell( RNNCell("
RECURRENT = {f"torch.nn.{kind}{cell}" for kind in ("LSTM", "GRU", "RNN") for cell in ("", "Cell")}


@reads(RawTensor, scope=Context, words="empty( Tensor( self", nearby=(MAKES_A_LAYER, "empty( Tensor("))
def initial_states(context: Context) -> Iterator[RawTensor]:
    """Variables of raw memory that a recurrent layer is given as its state, and that nothing writes before that."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for call in step.calls():
            for state in _states(call) if _is_recurrent(meanings, call.func, step.names) else ():
                found = _raw(context, state, step.statement)
                if found is not None:
                    where, value, name = found
                    yield RawTensor(
                        place=where.snippet.place(value),
                        name=state.id,
                        call=name,
                        used=context.snippet.place(state),
                        exported=only_exports(context.project, context.module),
                    )


def _is_recurrent(meanings: Meanings, function: ast.expr, names: Names) -> bool:
    found = meanings.meaning(function, names)
    return found is not None and bool(found.kinds) and RECURRENT.issuperset(found.kinds)


def _states(call: ast.Call) -> list[ast.Name]:
    """The variables that a recurrent layer is given beside its input."""
    given = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "hx")]
    inside = [each for state in given for each in (state.elts if isinstance(state, ast.Tuple) else [state])]
    return [each for each in inside if isinstance(each, ast.Name)]


def _raw(context: Context, state: ast.Name, use: ast.stmt) -> tuple[Context, ast.expr, str] | None:
    """What allocates the memory of a variable that nothing may have written before its use: where, and by what."""
    before = sorted((each for each in context.named(state.id) if begin(each) < begin(use)), key=begin)
    stored = [each for each in before if isinstance(each.ctx, ast.Store)]
    parent = context.snippet.parents.get(stored[-1]) if stored else None
    match parent:
        case ast.Assign(targets=[_], value=given) | ast.AnnAssign(value=ast.expr() as given):
            where, value = _value(context, given)
        case _:
            return None
    made = raw_allocation(where, value)
    later = before[before.index(stored[-1]) + 1 :]
    if made is None or not all(is_harmless(context, each) for each in later):
        return None
    return where, value, made[0]


def _value(context: Context, value: ast.expr) -> tuple[Context, ast.expr]:
    """An expression, or what the only statement of a method returns that it calls."""
    match value:
        case ast.Call(func=function) if (name := own_attribute(function)) is not None:
            helper = method(context, name)
            body = own_nodes(helper.function) if helper is not None and helper.function is not None else ()
            returned = [node.value for node in body if isinstance(node, ast.Return)]
            if helper is not None and len(returned) == 1 and isinstance(returned[0], ast.Call):
                return helper, returned[0]
    return context, value
