"""What statements do: every path at once, each effect under the condition it depends on."""

from __future__ import annotations

from collections.abc import Sequence as Statements
from typing import TYPE_CHECKING

import libcst as cst

from initaudit.analyzer.fragments import dotted
from initaudit.analyzer.symbolic import expressions, modules, tensors
from initaudit.analyzer.symbolic.conditions import FALSE, TRUE, Atom, Condition, Literal, all_of, any_of, negate
from initaudit.analyzer.symbolic.values import (
    NONE,
    UNKNOWN,
    UNSET,
    Choice,
    Instance,
    Lambda,
    Mapping,
    Sequence,
    Size,
    Symbol,
    Tensor,
    Value,
    choose,
    simplify,
)

if TYPE_CHECKING:
    from initaudit.analyzer.symbolic.interpreter import Interpreter

Body = Statements[cst.BaseStatement | cst.BaseSmallStatement]


def execute(run: Interpreter, statements: Body) -> None:
    """Run statements in order, until no path goes on."""
    for statement in statements:
        if run.condition == FALSE:
            return
        run.step()
        match statement:
            case cst.SimpleStatementLine(body=body):
                execute(run, body)
            case cst.Expr(value=value):
                run.evaluate(value)
            case cst.Assign(targets=targets, value=value):
                result = run.evaluate(value)
                for target in targets:
                    assign(run, target.target, result)
            case cst.AnnAssign(target=target, value=value) if value is not None:
                assign(run, target, run.evaluate(value))
            case cst.AugAssign():
                _augment(run, statement)
            case cst.If():
                _if(run, statement)
            case cst.For():
                _for(run, statement)
            case cst.While(test=test, body=body):
                run.evaluate(test)
                _branch(run, TRUE, body.body)
            case cst.With():
                _with(run, statement)
            case cst.Try() | cst.TryStar():
                _try(run, statement)
            case cst.Return(value=value):
                run.frame.returned.append((run.condition, run.evaluate(value) if value else NONE))
                run.condition = FALSE
            case cst.Raise():
                run.impossible.append(run.condition)
                run.condition = FALSE
            case cst.Break() | cst.Continue():
                run.condition = FALSE
            case cst.Assert(test=test):
                run.impossible.append(all_of([run.condition, negate(expressions.condition(run, test))]))
            case cst.FunctionDef(name=name):
                run.bind(name.value, Lambda(run.origin(statement), run.frame.names))
            case cst.ClassDef(name=name):
                run.bind(name.value, UNKNOWN)
            case cst.Import() | cst.ImportFrom():
                _import(run, statement)
            case cst.Del(target=target):
                _delete(run, target)
            case cst.Match():
                _match(run, statement)


def _branch(run: Interpreter, condition: Condition, body: Body) -> Condition:
    """Run a body where ``condition`` holds too; returns what still goes on behind it, and goes on as before."""
    before = run.condition
    run.condition = all_of([before, condition])
    execute(run, body)
    after, run.condition = run.condition, before
    return after


def _if(run: Interpreter, statement: cst.If) -> None:
    condition = expressions.condition(run, statement.test)
    before = run.condition
    then = all_of([before, condition])
    otherwise = all_of([before, negate(condition)])
    after_then = _branch(run, condition, statement.body.body) if then != FALSE else FALSE
    orelse = statement.orelse
    after_otherwise = otherwise
    if orelse is not None and otherwise != FALSE:
        body = [orelse] if isinstance(orelse, cst.If) else orelse.body.body
        after_otherwise = _branch(run, negate(condition), body)
    if (after_then, after_otherwise) == (then, otherwise):
        return
    if FALSE in (after_then, after_otherwise):
        run.condition = after_otherwise if after_then == FALSE else after_then
    else:
        run.condition = all_of([before, any_of([after_then, after_otherwise])])


def _for(run: Interpreter, statement: cst.For) -> None:
    iterable = run.evaluate(statement.iter)
    for condition, item in run.iterate(iterable):
        before = run.condition
        run.condition = all_of([before, condition])
        if run.condition != FALSE:
            assign(run, statement.target, item)
            execute(run, statement.body.body)
        run.condition = before
    if statement.orelse is not None:
        _branch(run, TRUE, statement.orelse.body.body)


def _with(run: Interpreter, statement: cst.With) -> None:
    contexts = 0
    for item in statement.items:
        value = run.evaluate(item.item)
        if item.asname is not None:
            assign(run, item.asname.name, value if isinstance(value, Instance) else UNKNOWN)
        contexts += not modules.is_gradient_mode(item.item)
    run.device_contexts += contexts
    execute(run, statement.body.body)
    run.device_contexts -= contexts


def _try(run: Interpreter, statement: cst.Try | cst.TryStar) -> None:
    before = run.condition
    execute(run, statement.body.body)
    ends = [run.condition]
    for handler in statement.handlers:
        kind = run.frame.fragment.source(handler.type) if handler.type is not None else "an exception"
        raised = Literal(Atom(f"{kind} is raised"))
        run.condition = before
        if handler.name is not None:
            assign(run, handler.name.name, UNKNOWN)
        ends.append(_branch(run, raised, handler.body.body))
    run.condition = before if any(end != FALSE for end in ends) else FALSE
    if ends[0] != before and len(ends) == 1:
        run.condition = ends[0]
    for extra in (statement.orelse, statement.finalbody):
        if extra is not None:
            execute(run, extra.body.body)


def _match(run: Interpreter, statement: cst.Match) -> None:
    """Cases exclude each other; ``case _`` is where no other one matches."""
    source = run.frame.fragment.source
    subject = source(statement.subject)
    others: list[Condition] = []
    for case in statement.cases:
        pattern = source(case.pattern)
        matches = Literal(Atom(f"{subject} matches {pattern}", f"match {subject}", pattern))
        _branch(run, all_of(map(negate, others)) if pattern == "_" else matches, case.body.body)
        others.append(matches)


def _import(run: Interpreter, statement: cst.Import | cst.ImportFrom) -> None:
    if isinstance(statement.names, cst.ImportStar):
        return
    module = run.frame.module
    source = ""
    if isinstance(statement, cst.ImportFrom):
        source = "." * len(statement.relative) + (dotted(statement.module) if statement.module else "")
    for alias in statement.names:
        name = dotted(alias.name)
        full = name if not source else source + ("" if source.endswith(".") else ".") + name
        bound = alias.asname.name if alias.asname else None
        if isinstance(bound, cst.Name):
            run.bind(bound.value, run.resolved(run.project.absolute(module.absolute(full))))
        else:
            target = full if source else name.split(".")[0]
            run.bind(name.split(".")[0], run.resolved(run.project.absolute(module.absolute(target))))


def _delete(run: Interpreter, target: cst.BaseDelTargetExpression) -> None:
    if isinstance(target, cst.Name):
        run.frame.names.pop(target.value, None)
    elif isinstance(target, cst.Attribute):
        owner = run.evaluate(target.value)
        if isinstance(owner, Instance):
            run.set_attribute(owner, target.attr.value, UNSET)


def assign(run: Interpreter, target: cst.BaseExpression, value: Value) -> None:
    """Bind a target; assigning to ``.data`` or to an index of a tensor writes its memory."""
    match target:
        case cst.Name(value=name):
            run.bind(name, value)
        case cst.Attribute(value=owner, attr=attr):
            for holder in run.alternatives(run.evaluate(owner)):
                assign_attribute(run, holder, attr.value, value, target)
        case cst.Subscript(value=owner):
            index = expressions.index_part(run, target)
            for holder in run.alternatives(run.evaluate(owner)):
                _assign_item(run, holder, index, value, target)
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            items = _unpack(run, value, len(elements))
            for element, item in zip(elements, items, strict=True):
                assign(run, element.value, UNKNOWN if isinstance(element, cst.StarredElement) else item)


def assign_attribute(run: Interpreter, holder: Value, name: str, value: Value, node: cst.CSTNode) -> None:
    """``holder.name = value``."""
    if isinstance(holder, Instance):
        run.set_attribute(holder, name, value)
    elif isinstance(holder, Tensor):
        if name == "data":
            tensors.replace_data(run, holder, value, run.origin(node))
        else:
            holder.attributes[name] = value


def _assign_item(run: Interpreter, holder: Value, index: expressions.Index, value: Value, node: cst.CSTNode) -> None:
    match holder:
        case Tensor():
            tensors.write(run, tensors.part_of(holder, index), "index assignment", run.origin(node))
        case Mapping(items=items):
            key = index.constant
            if isinstance(key, str):
                items[key] = choose(run.condition, value, items.get(key, UNSET))
            else:
                holder.complete = False
                items[f"?{len(items)}"] = value
        case Sequence() | Instance():
            modules.set_item(run, holder, index.constant, value)


def _unpack(run: Interpreter, value: Value, count: int) -> list[Value]:
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


def _augment(run: Interpreter, statement: cst.AugAssign) -> None:
    value = run.evaluate(statement.value)
    old = simplify(run.evaluate(statement.target), run.condition)
    if isinstance(old, Sequence):
        if isinstance(value, Sequence):
            old.items += value.items
        else:
            old.complete = False
    elif isinstance(old, Instance) and isinstance(value, Sequence):
        old.children += value.items
    elif not isinstance(old, Tensor | Instance):
        result = expressions.arithmetic(run, type(statement.operator).__name__.removesuffix("Assign"), old, value)
        assign(run, statement.target, result)
