"""Statements that write a copy of a parameter, and drop it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import nodes
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.expressions import COPYING
from initaudit.analyzer.syntax.kept import collection, is_used, read_by_closures, read_outside
from initaudit.analyzer.syntax.meaning import Names, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.models import is_model
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.lost_writes import CopyWrite

COPIES = {"clone", "repeat"}
CONVERSIONS = {"float", "double", "half", "bfloat16", "to", "cpu", "cuda", "type"}
"""Methods that give back the same tensor when there is nothing to convert."""
SELECTIONS = {f"torch.{name}" for name in ("tensor", "arange", "randperm", "LongTensor", "randint", "nonzero")}
"""Functions that make an index of several elements."""
SCALES = {"mul_", "div_", "add_", "sub_", "clamp_", "multiply_", "divide_", "subtract_"}
WRITES = torch_api.OVERWRITES | torch_api.PARTIAL_WRITES | SCALES


@reads(
    CopyWrite,
    scope=Context,
    words=("_(", "clone( repeat( float( double( half( bfloat16( to( cpu( cuda( type( [ tensor( copy("),
)
@reads(CopyWrite, scope=Context, words=("state_dict( named_parameters(", "update( ]="))
@reads(CopyWrite, scope=Context, words=("array( copy( astype( clone(", "]="))
@reads(CopyWrite, scope=Context, words=("copy(", "apply("))
def copy_writes(context: Context) -> Iterator[CopyWrite]:
    """In-place writes of copies, whose results are dropped.

    What is drawn into a clone that no name is bound to is lost, whatever was cloned.
    """
    meanings = Meanings(context)
    for step in meanings.steps():
        yield from _of_state_dict(context, meanings, step)
        match step.statement:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name() as put)]) if step.names.get(put.id) is not None:
                yield from _of_name(context, meanings, step, step.statement, put)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Call(func=by, args=[model]), attr="apply"))):
                if context.canonical(by) == "copy.deepcopy":
                    yield CopyWrite(
                        observer=Observer.ANALYZER,
                        place=context.snippet.place(step.statement),
                        target=context.snippet.source(model),
                        how="`copy.deepcopy`",
                        certain=True,
                    )
            case _:
                pass
        if not isinstance(step.statement, ast.Expr) or not isinstance(step.statement.value, ast.Call):
            continue
        call = step.statement.value
        target = written(context, call)
        initializer = context.canonical(call.func)
        of_tensor = isinstance(call.func, ast.Attribute) and call.func.attr in WRITES
        if target is None or not (of_tensor or (initializer or "").startswith(torch_api.INIT)):
            continue
        copied = _copied(target, context)
        if copied is None:
            yield from _of_name(context, meanings, step, call, target)
            continue
        parameter, how = copied
        meaning = meanings.meaning(parameter, step.names)
        of_parameter = meaning is not None and meaning.what is What.PARAMETER
        if of_parameter or (how == "`clone`" and _replaces_values(call, of_tensor=of_tensor)):
            own = own_attribute(parameter)
            yield CopyWrite(
                observer=Observer.ANALYZER,
                place=context.snippet.place(call),
                target=context.snippet.source(parameter),
                how=how,
                certain=how.strip("`") not in CONVERSIONS or _is_copy(meanings, target, step.names),
                model=context.cls.qualname if own is not None and context.cls is not None else None,
                parameter=own,
            )


def _replaces_values(call: ast.Call, *, of_tensor: bool) -> bool:
    """Whether an initializer, or a method of a tensor, writes values that do not depend on the old ones."""
    return not of_tensor or (isinstance(call.func, ast.Attribute) and call.func.attr in torch_api.OVERWRITES)


def _of_state_dict(context: Context, meanings: Meanings, step: Step) -> Iterator[CopyWrite]:
    """A value that is put into the dictionary of a model's state, which is a new one and which nothing loads."""
    match step.statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="update", value=states)) as put):
            pass
        case ast.Assign(targets=[ast.Subscript(value=states)], value=put):
            pass
        case _:
            return
    meaning = meanings.meaning(states, step.names)
    if meaning is None or meaning.what is not What.STATE_DICT:
        return
    if isinstance(states, ast.Name) and (
        is_used(context, states.id) or read_by_closures(context, states.id) or read_outside(context, states.id)
    ):
        return
    if not isinstance(states, ast.Name) and not isinstance(states, ast.Call):
        return
    model = ast.parse(meaning.source, mode="eval").body
    owner, by = None, ""
    if isinstance(model, ast.Call) and isinstance(model.func, ast.Attribute):
        owner, by = model.func.value, model.func.attr if model.func.attr == "state_dict" else "dict()"
    of_module = owner is not None and (found := meanings.meaning(owner, step.names)) and found.what is What.MODULE
    if owner is not None and (of_module or is_model(context, owner) or _makes_tensors(context, put)):
        yield CopyWrite(
            observer=Observer.ANALYZER,
            place=context.snippet.place(step.statement),
            target=ast.unparse(owner),
            how=f"`{meaning.attribute or by}`",
            certain=True,
        )


def _makes_tensors(context: Context, put: ast.expr) -> bool:
    """Whether an expression calls functions of torch: the states of optimizers and schedulers are given none."""
    called = (context.canonical(node.func) for node in nodes(put) if isinstance(node, ast.Call))
    return any(name is not None and name.startswith("torch.") for name in called)


def _is_copy(meanings: Meanings, target: ast.expr, names: Names) -> bool:
    meaning = meanings.meaning(target, names)
    return meaning is not None and meaning.what is What.COPY


def _of_name(context: Context, meanings: Meanings, step: Step, node: ast.AST, target: ast.expr) -> Iterator[CopyWrite]:
    """A write of a copy that a name was bound to, and that nothing reads behind it."""
    meaning = meanings.meaning(target, step.names)
    while isinstance(target, ast.Attribute):
        target = target.value
    if meaning is None or meaning.what is not What.COPY:
        return
    kept = collection(target, step) if meaning.element else None
    if meaning.element and (kept is None or is_used(context, kept.id)):
        return
    held = kept or target
    if (
        isinstance(held, ast.Name)
        and (kept is not None or not step.reads_later(held.id))
        and not read_by_closures(context, held.id)
        and not read_outside(context, held.id)
    ):
        yield CopyWrite(
            observer=Observer.ANALYZER,
            place=context.snippet.place(node),
            target=meaning.source,
            how=f"`{meaning.attribute}`",
            certain=True,
        )


def _copied(target: ast.expr, context: Context) -> tuple[ast.expr, str] | None:
    """What a written expression is a copy of, and what copies."""
    how: str | None = None
    while True:
        match target:
            case ast.Call(func=function, args=[inner, *_]) if (by := context.canonical(function)) in COPYING:
                target, how = inner, f"`{by}`"
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in COPIES:
                target, how = inner, f"`{name}`"
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in CONVERSIONS:
                target, how = inner, how or f"`{name}`"
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in torch_api.WHOLE_VIEWS:
                target = inner
            case ast.Subscript(value=inner, slice=index):
                target, how = inner, "advanced indexing" if _copies(index, context) else how
            case ast.Attribute(value=inner, attr=name) if name in torch_api.VIEW_ATTRIBUTES:
                target = inner
            case _:
                return (target, how) if how is not None else None


def _copies(index: ast.expr, context: Context) -> bool:
    """Whether an index selects elements one by one: a list of them, a mask, or a name that is bound to such a thing."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return any(
        _is_selection(part, context) or (isinstance(part, ast.Name) and _is_bound_to_selection(part.id, context))
        for part in parts
    )


def _is_selection(node: ast.expr, context: Context) -> bool:
    match node:
        case ast.List() | ast.ListComp() | ast.Compare() | ast.UnaryOp(op=ast.Invert()):
            return True
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            return _is_selection(left, context) or _is_selection(right, context)
        case ast.Call(func=function):
            return context.canonical(function) in SELECTIONS
    return False


def _is_bound_to_selection(name: str, context: Context) -> bool:
    """Whether a function, or the stretch of code, binds a name, and to nothing but such selections."""
    values, bound = context.assigned(name), [not isinstance(each.ctx, ast.Load) for each in context.named(name)]
    return bool(values) and len(values) == sum(bound) and all(_is_selection(value, context) for value in values)
