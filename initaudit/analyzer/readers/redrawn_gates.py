"""Parts of a parameter that a constructor sets, as the bias of a forget gate, and a later walk by names draws anew."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.written_twice import IN_FULL
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context, method, own_attribute, own_attributes
from initaudit.analyzer.syntax.meaning import Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.name_conditions import reaches
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten


@reads(Overwritten, scope=Context, words="fill_( constant_( ]=", nearby="parameters(", named="__init__")
def redrawn_gates(context: Context) -> Iterator[Overwritten]:
    """``self.rnn.bias_ih_l0.data[n : 2 * n] = 1``, and a loop over named parameters that writes all of each bias."""
    function = context.function
    if function is None or context.cls is None or function.name != "__init__":
        return
    body = [inner for each in function.body for inner in (each.body if isinstance(each, ast.With) else [each])]
    for position, statement in enumerate(body):
        target = _part_set(context, statement)
        name = _path(target) if target is not None else None
        if target is None or name is None:
            continue
        for at, later in enumerate(body[position + 1 :], position + 1):
            again = next(_writes_all(context, later, *name), None)
            if again is None or any(_speaks_of(each, name[1]) for each in body[at + 1 :]):
                continue
            where, step = again
            yield Overwritten(
                observer=Observer.ANALYZER,
                place=context.snippet.place(statement),
                source=context.snippet.source(statement),
                by=where.snippet.source(step.statement),
                again=where.snippet.place(step.statement),
                model=context.cls.qualname,
                parameter=".".join(name),
            )
            break


def _part_set(context: Context, statement: ast.stmt) -> ast.expr | None:
    """What a statement sets a part of to a number: ``bias`` of ``bias.data[4:8].fill_(1)``."""
    match statement:
        case ast.Assign(
            targets=[ast.Subscript(value=target)], value=ast.Constant() | ast.UnaryOp(operand=ast.Constant())
        ):
            return target
        case ast.Expr(value=ast.Call() as call) if last_name(call.func) in ("fill_", "constant_"):
            part = written(context, call)
            return part.value if isinstance(part, ast.Subscript) else None
    return None


def _path(target: ast.expr) -> tuple[str, str] | None:
    """The attribute of the object and the name of the parameter: ``self.rnn.bias_ih_l0.data``."""
    if isinstance(target, ast.Attribute) and target.attr == "data":
        target = target.value
    if isinstance(target, ast.Attribute) and (layer := own_attribute(target.value)) is not None:
        return layer, target.attr
    return None


def _writes_all(context: Context, statement: ast.stmt, layer: str, parameter: str) -> Iterator[tuple[Context, Step]]:
    """Where a statement, or a method that it calls, walks over parameters and writes all of this one."""
    match statement:
        case ast.Expr(value=ast.Call(func=function)) if (name := own_attribute(function)) is not None:
            where = method(context, name)
        case _:
            where = context
    first, last = (statement.lineno, statement.end_lineno or statement.lineno) if where is context else (0, 0)
    for step in Meanings(where).steps() if where is not None else ():
        call = step.statement.value if isinstance(step.statement, ast.Expr) else None
        if where is None or not isinstance(call, ast.Call) or last_name(call.func) not in IN_FULL:
            continue
        if last and not first <= step.statement.lineno <= last:
            continue
        target = written(where, call)
        meaning = Meanings(where).meaning(target, step.names) if target is not None else None
        if meaning is None or meaning.what is not What.PARAMETER or not meaning.element or meaning.part:
            continue
        full = {"self": f"{layer}.{parameter}", f"self.{layer}": parameter}
        owner, _, walk = meaning.source.rpartition(".")
        if walk in ("named_parameters()", "parameters()") and owner in full and reaches(step, full[owner]):
            yield where, step


def _speaks_of(statement: ast.stmt, parameter: str) -> bool:
    """Whether a statement may set the part again."""
    named = any(isinstance(node, ast.Attribute) and node.attr == parameter for node in ast.walk(statement))
    return named or any("init" in name or "reset" in name for name in own_attributes(statement))
