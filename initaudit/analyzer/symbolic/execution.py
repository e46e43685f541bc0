"""What statements do: every path at once, each effect under the condition it depends on."""

from __future__ import annotations

import ast
from collections.abc import Callable
from collections.abc import Sequence as Statements
from typing import Any

from initaudit.analyzer.source.snippets import FunctionNode
from initaudit.analyzer.symbolic import arithmetic, expressions, subscripts, tensors, training
from initaudit.analyzer.symbolic.computed_names import EACH
from initaudit.analyzer.symbolic.conditions import FALSE, TRUE, Atom, Condition, Literal, all_of, any_of, negate
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch import modules
from initaudit.analyzer.symbolic.values import (
    NONE,
    UNKNOWN,
    UNSET,
    Choice,
    Index,
    Instance,
    Lambda,
    Mapping,
    Sequence,
    Size,
    Symbol,
    Tensor,
    Value,
    choose,
    joined,
    simplify,
)

Body = Statements[ast.stmt]
ENDING = {"KeyboardInterrupt", "SystemExit", "GeneratorExit"}
"""What ends a program, and is no error of its code."""


def execute(run: Run, statements: Body) -> None:
    """Run statements in order, until no path goes on."""
    for statement in statements:
        if run.condition == FALSE:
            return
        run.step()
        handler = _HANDLERS.get(type(statement))
        if handler is not None:
            handler(run, statement)


def _expression(run: Run, statement: ast.Expr) -> None:
    run.evaluate(statement.value)


def _assign(run: Run, statement: ast.Assign) -> None:
    result = run.evaluate(statement.value)
    for target in statement.targets:
        assign(run, target, result)


def _annotated(run: Run, statement: ast.AnnAssign) -> None:
    if statement.value is not None:
        assign(run, statement.target, run.evaluate(statement.value))


def _while(run: Run, statement: ast.While) -> None:
    run.evaluate(statement.test)
    for node in ast.walk(ast.Module(statement.body, [])):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            run.bind(node.target.id, Symbol(f"{EACH}{node.target.id}"))
    trained = run.trained
    _branch(run, TRUE, statement.body)
    training.end_loop(run, trained)


def _return(run: Run, statement: ast.Return) -> None:
    run.frame.returned.append((run.condition, run.evaluate(statement.value) if statement.value else NONE))
    run.condition = FALSE


def _raise(run: Run, _: ast.Raise) -> None:
    run.impossible.append(run.condition)
    run.condition = FALSE


def _leave_loop(run: Run, _: ast.Break | ast.Continue) -> None:
    run.condition = FALSE


def _assert(run: Run, statement: ast.Assert) -> None:
    run.impossible.append(all_of([run.condition, negate(expressions.condition(run, statement.test))]))


def _function(run: Run, statement: FunctionNode) -> None:
    run.bind(statement.name, Lambda(run.origin(statement), run.frame.names))


def _class(run: Run, statement: ast.ClassDef) -> None:
    run.bind(statement.name, UNKNOWN)


def _branch(run: Run, condition: Condition, body: Body) -> Condition:
    """Run a body where ``condition`` holds too; returns what still goes on behind it, and goes on as before."""
    before = run.condition
    run.condition = all_of([before, condition])
    execute(run, body)
    after, run.condition = run.condition, before
    return after


def _if(run: Run, statement: ast.If) -> None:
    condition = expressions.condition(run, statement.test)
    before = run.condition
    then = all_of([before, condition])
    otherwise = all_of([before, negate(condition)])
    after_then = _branch(run, condition, statement.body) if then != FALSE else FALSE
    after_otherwise = otherwise
    if statement.orelse and otherwise != FALSE:
        after_otherwise = _branch(run, negate(condition), statement.orelse)
    if (after_then, after_otherwise) == (then, otherwise):
        return
    if FALSE in (after_then, after_otherwise):
        run.condition = after_otherwise if after_then == FALSE else after_then
    else:
        run.condition = all_of([before, any_of([after_then, after_otherwise])])


def _for(run: Run, statement: ast.For | ast.AsyncFor) -> None:
    iterable = run.evaluate(statement.iter)
    trained = run.trained
    for condition, item in run.iterate(iterable):
        before = run.condition
        run.condition = all_of([before, condition])
        if run.condition != FALSE:
            assign(run, statement.target, item)
            execute(run, statement.body)
        run.condition = before
    training.end_loop(run, trained)
    if statement.orelse:
        _branch(run, TRUE, statement.orelse)


def _with(run: Run, statement: ast.With | ast.AsyncWith) -> None:
    contexts = 0
    for item in statement.items:
        value = run.evaluate(item.context_expr)
        if item.optional_vars is not None:
            assign(run, item.optional_vars, value if isinstance(value, Instance) else UNKNOWN)
        contexts += not modules.is_gradient_mode(item.context_expr)
    run.device_contexts += contexts
    if any(modules.is_suppressing(item.context_expr) for item in statement.items):
        before, refused = run.condition, len(run.impossible)
        if _raises(run, statement.body):
            run.condition = before
        del run.impossible[refused:]
    else:
        execute(run, statement.body)
    run.device_contexts -= contexts


def _raises(run: Run, body: Body) -> bool:
    """Run statements whose errors are caught; whether some statement is known to raise one."""
    depth = len(run.catching)
    run.catching.append(False)
    try:
        execute(run, body)
    finally:
        is_certain = run.catching[depth]
        del run.catching[depth:]
    return is_certain


def _try(run: Run, statement: ast.Try) -> None:
    before, refused, builds = run.condition, len(run.impossible), _builds(run)
    is_certain = False
    if statement.handlers:
        is_certain = _raises(run, statement.body)
    else:
        execute(run, statement.body)
    ends = [run.condition]
    raised_in = slice(refused, len(run.impossible))
    lost = _builds(run) > builds and all(map(_keeps_nothing, statement.body))
    for handler in statement.handlers:
        kind = ast.unparse(handler.type) if handler.type is not None else "an exception"
        raised = TRUE if is_certain else Literal(Atom(f"{kind} is raised"))
        run.condition = before
        if handler.name is not None:
            run.bind(handler.name, UNKNOWN)
        ends.append(_branch(run, raised, handler.body))
        if ends[-1] != FALSE and kind not in ENDING and not lost:
            del run.impossible[raised_in]
            raised_in = slice(0, 0)
    run.condition = before if any(end != FALSE for end in ends) else FALSE
    if ends[0] != before and len(ends) == 1:
        run.condition = ends[0]
    for extra in (statement.orelse, statement.finalbody):
        execute(run, extra)


def _builds(run: Run) -> int:
    """How many objects of the class that is followed the program has built."""
    return len(run.following.builds) if run.following is not None else 0


def _keeps_nothing(statement: ast.stmt) -> bool:
    """Whether a statement calls a function and drops its result, so that no object it makes outlives an error."""
    return isinstance(statement, ast.Expr) and (
        not isinstance(statement.value, ast.Call) or isinstance(statement.value.func, ast.Name)
    )


def _match(run: Run, statement: ast.Match) -> None:
    """Cases exclude each other; ``case _`` is where no other one matches."""
    source = run.frame.snippet.source
    subject = source(statement.subject)
    others: list[Condition] = []
    for case in statement.cases:
        pattern = source(case.pattern)
        matches = Literal(Atom(f"{subject} matches {pattern}", f"match {subject}", pattern))
        _branch(run, all_of(map(negate, others)) if pattern == "_" else matches, case.body)
        others.append(matches)


def _import(run: Run, statement: ast.Import | ast.ImportFrom) -> None:
    module = run.frame.module
    source = ""
    if isinstance(statement, ast.ImportFrom):
        source = "." * statement.level + (statement.module or "")
    for alias in statement.names:
        if alias.name == "*":
            continue
        full = alias.name if not source else source + ("" if source.endswith(".") else ".") + alias.name
        first = alias.name.partition(".")[0]
        target = full if source or alias.asname else first
        run.bind(alias.asname or first, run.resolved(run.project.imported(module, target)))


def _delete(run: Run, statement: ast.Delete) -> None:
    for target in statement.targets:
        if isinstance(target, ast.Name):
            run.frame.names.pop(target.id, None)
        elif isinstance(target, ast.Attribute):
            owner = run.evaluate(target.value)
            if isinstance(owner, Instance):
                run.set_attribute(owner, target.attr, UNSET)


def assign(run: Run, target: ast.expr, value: Value) -> None:
    """Bind a target; assigning to ``.data`` or to an index of a tensor writes its memory."""
    match target:
        case ast.Name(id=name):
            run.bind(name, value)
        case ast.Attribute(value=owner, attr=name):
            for holder in run.alternatives(run.evaluate(owner)):
                modules.assign_attribute(run, holder, name, value, target)
        case ast.Subscript(value=owner):
            index = subscripts.index_part(run, target)
            for holder in run.alternatives(run.evaluate(owner)):
                _assign_item(run, holder, index, value, target)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            items = _unpack(run, value, len(elements))
            for element, item in zip(elements, items, strict=True):
                if isinstance(element, ast.Starred):
                    assign(run, element.value, UNKNOWN)
                else:
                    assign(run, element, item)


def _assign_item(run: Run, holder: Value, index: Index, value: Value, node: ast.AST) -> None:
    match holder:
        case Tensor() if not tensors.from_itself(run, holder, value):
            part, given = tensors.part_of(holder, index), tensors.number_in(value)
            tensors.write(run, part, tensors.BY_INDEX, run.origin(node), given)
        case Mapping(items=items):
            key = index.constant if not index.is_named else f"?{index.start}"
            holder.complete &= isinstance(index.constant, str)
            if isinstance(key, str):
                items[key] = choose(run.condition, value, items.get(key, UNSET))
            else:
                items[f"?{len(items)}"] = value
        case Sequence() | Instance():
            modules.set_item(run, holder, index, value)


def _unpack(run: Run, value: Value, count: int) -> list[Value]:
    """The items of a tuple assignment."""
    value = simplify(value, run.condition)
    match value:
        case Sequence(items=items, complete=True) if len(items) == count:
            return list(items)
        case Tensor():
            return [tensors.unknown_part(value) for _ in range(count)]
        case Symbol(name) | Size(name):
            return [Symbol(f"{name}[{index}]") for index in range(count)]
        case Choice(condition, then, otherwise):
            pairs = zip(_unpack(run, then, count), _unpack(run, otherwise, count), strict=True)
            return [choose(condition, one, two) for one, two in pairs]
        case _:
            return [UNKNOWN] * count


def _augment(run: Run, statement: ast.AugAssign) -> None:
    value = run.evaluate(statement.value)
    old = simplify(run.evaluate(statement.target), run.condition)
    if isinstance(old, Sequence):
        if isinstance(value, Sequence):
            both = joined(old.items, value.items, complete=old.complete, is_list=old.is_list)
            old.items, old.complete = both.items, both.complete
        else:
            old.complete = False
    elif isinstance(old, Instance) and isinstance(value, Sequence):
        old.children = joined(old.children, value.items, complete=True, is_list=True).items
    elif isinstance(old, Tensor):
        tensors.change(run, old, statement)
    elif not isinstance(old, Instance):
        result = arithmetic.binary(run, type(statement.op), old, value)
        assign(run, statement.target, result)


_HANDLERS: dict[type[ast.stmt], Callable[[Run, Any], None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augment,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Break: _leave_loop,
    ast.Continue: _leave_loop,
    ast.Assert: _assert,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Delete: _delete,
    ast.Match: _match,
    ast.Try: _try,
    getattr(ast, "TryStar", ast.Try): _try,  # since Python 3.11
}
