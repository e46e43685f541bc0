"""Evaluate expressions symbolically, and turn tests into conditions."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import replace
from types import EllipsisType
from typing import Any

from initaudit.analyzer.project.names import External
from initaudit.analyzer.symbolic import arithmetic, calls, signals, subscripts, tensors
from initaudit.analyzer.symbolic.classes import gives
from initaudit.analyzer.symbolic.conditions import FALSE, TRUE, Atom, Condition, Literal, all_of, any_of, negate
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import (
    NONE,
    UNKNOWN,
    UNSET,
    Api,
    Builtin,
    Choice,
    Class,
    Constant,
    Function,
    Index,
    Instance,
    Lambda,
    Mapping,
    Sequence,
    Signal,
    Size,
    Super,
    Symbol,
    Tensor,
    Unset,
    Value,
    choose,
    constant,
    leaves,
    simplify,
    text,
)

COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


def evaluate(run: Run, node: ast.expr) -> Value:
    """Return the value of an expression, which may be a choice between values."""
    handler = _HANDLERS.get(type(node))
    return handler(run, node) if handler is not None else UNKNOWN


def _name(run: Run, node: ast.Name) -> Value:
    return run.lookup(node.id)


def _constant(_: Run, node: ast.Constant) -> Value:
    return UNKNOWN if isinstance(node.value, complex | EllipsisType) else constant(node.value)


def _formatted(run: Run, node: ast.JoinedStr) -> Value:
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            value = run.evaluate(part.value)
            parts.append(str(value.value) if isinstance(value, Constant) else "{" + text(value) + "}")
    joined = "".join(parts)
    return Symbol(f"f'{joined}'") if "{" in joined else constant(joined)


def _elements(run: Run, node: ast.Tuple | ast.List | ast.Set) -> Value:
    items: list[Value] = []
    complete = True
    for element in node.elts:
        if not isinstance(element, ast.Starred):
            items.append(run.evaluate(element))
            continue
        value = run.evaluate(element.value)
        if isinstance(value, Sequence):
            items += value.items
            complete = complete and value.complete
        else:
            items.append(Size(f"*{text(value)}"))
            complete = False
    return Sequence(items, complete, is_list=not isinstance(node, ast.Tuple))


def _dict(run: Run, node: ast.Dict) -> Value:
    mapping = Mapping({})
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = run.evaluate(value_node)
        if key_node is not None:
            key = run.evaluate(key_node)
            name = key.value if isinstance(key, Constant) and isinstance(key.value, str) else f"?{text(key)}"
            mapping.items[name] = value
        elif isinstance(value, Mapping):
            mapping.items.update(value.items)
            mapping.complete = mapping.complete and value.complete
        else:
            mapping.complete = False
    return mapping


def _comprehension(run: Run, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
    items: list[Value] = []
    complete = _each(run, node.generators, lambda: items.append(run.evaluate(node.elt)))
    match node.generators:
        case [ast.comprehension(iter=ast.Call(func=ast.Name(id="range"), args=[size]), ifs=[])] if len(items) == 1:
            return Sequence(items, complete, length=text(run.evaluate(size)))
    return Sequence(items, complete)


def _dict_comprehension(run: Run, node: ast.DictComp) -> Value:
    mapping = Mapping({})

    def add() -> None:
        key = run.evaluate(node.key)
        name = key.value if isinstance(key, Constant) and isinstance(key.value, str) else f"?{text(key)}"
        mapping.items[name] = run.evaluate(node.value)

    mapping.complete = _each(run, node.generators, add)
    return mapping


def _each(run: Run, clauses: list[ast.comprehension], action: Callable[[], object]) -> bool:
    """Call a function for each item of a comprehension, and return whether all items are known."""
    clause, *inner = clauses
    iterable = run.evaluate(clause.iter)
    complete = isinstance(iterable, Sequence) and iterable.complete
    before = run.condition
    for found, item in run.iterate(iterable):
        run.condition = all_of([before, found])
        run.assign(clause.target, item)
        for test in clause.ifs:
            run.condition = all_of([run.condition, condition(run, test)])
        if run.condition != FALSE:
            if inner:
                complete = _each(run, inner, action) and complete
            else:
                action()
        run.condition = before
    return complete


def _attribute(run: Run, node: ast.Attribute) -> Value:
    owner = run.evaluate(node.value)
    found = get_attribute(run, owner, node.attr)
    if isinstance(owner, Instance) and isinstance(found, Choice) and owner.cls is not None:
        absent = [where for where, leaf in leaves(found, run.condition) if leaf is UNSET]
        if absent and not owner.opaque and not gives(run.project, owner.cls, node.attr):
            run.impossible += absent  # the read raises
    return found


def get_attribute(run: Run, owner: Value, name: str) -> Value:
    """Return the value of ``owner.name``."""
    match owner:
        case Choice(test, then, otherwise):
            one = get_attribute(run, simplify(then, all_of([run.condition, test])), name)
            two = get_attribute(run, simplify(otherwise, all_of([run.condition, negate(test)])), name)
            if isinstance(then, Unset) or then == NONE:
                return two
            return one if isinstance(otherwise, Unset) or otherwise == NONE else choose(test, one, two)
        case Instance():
            return calls.instance_attribute(run, owner, name)
        case Tensor():
            return tensors.attribute(run, owner, name)
        case Super():
            return calls.super_attribute(run, owner, name)
        case Class():
            return calls.class_attribute(run, owner, name)
        case Api(prefix):
            full = f"{prefix}.{name}"
            found = run.project.absolute(full, near=run.frame.module) if run.following is not None else None
            return Api(calls.api_name(full)) if found is None or isinstance(found, External) else run.resolved(found)
        case Symbol(of) if run.stand_in is not None and name in calls.TRAVERSALS and run.may_be_a_model(of):
            return calls.instance_attribute(run, run.stand_in, name)
        case Symbol(prefix) if prefix.startswith("module "):
            return run.resolved(run.project.absolute(f"{prefix[7:]}.{name}"))
        case Symbol(prefix) | Size(prefix):
            return Size(f"{prefix}.shape") if name == "shape" else Symbol(f"{prefix}.{name}")
        case Sequence() | Mapping() | Constant():
            return calls.container_method(run, owner, name)
        case Signal() if name in ("T", "mT", "shape", "device", "dtype"):
            return owner if name in ("T", "mT") else UNKNOWN
        case Signal():
            return Builtin(name, lambda args, keywords, origin: signals.meet(run, owner, name.rstrip("_")))
        case _:
            return UNKNOWN


def _call(run: Run, node: ast.Call) -> Value:
    function = run.evaluate(node.func)
    args: list[Value] = []
    keywords: dict[str, Value] = {}
    for arg in node.args:
        if isinstance(arg, ast.Starred):
            value = run.evaluate(arg.value)
            args += value.items if isinstance(value, Sequence) else [Size(f"*{text(value)}")]
        else:
            args.append(run.evaluate(arg))
    for keyword in node.keywords:
        value = run.evaluate(keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
            continue
        spread, complete = _spread(value)
        keywords.update(spread)
        if not complete:
            keywords["**"] = UNKNOWN
    return calls.call(run, function, args, keywords, node)


def _spread(value: Value) -> tuple[dict[str, Value], bool]:
    """Return the keyword arguments in a mapping, and whether there are no others."""
    match value:
        case Mapping(items=items, complete=complete):
            return items, complete
        case Choice(condition, then, otherwise):
            (first, one), (second, other) = _spread(then), _spread(otherwise)
            both = {key: choose(condition, first[key], second[key]) for key in first if key in second}
            return both, one and other and len(both) == len(first) == len(second)
        case _:
            return {}, False


def _subscript(run: Run, node: ast.Subscript) -> Value:
    owner = run.evaluate(node.value)
    index = subscripts.index_part(run, node)
    return get_item(run, owner, index)


def get_item(run: Run, owner: Value, index: Index) -> Value:
    """Return the value of ``owner[index]``."""
    match owner:
        case Choice(test, then, otherwise):
            return choose(test, get_item(run, then, index), get_item(run, otherwise, index))
        case Tensor():
            return tensors.part_of(owner, index)
        case Sequence(items=[_, _, *_] as items) if index.sliced:
            return replace(owner, items=_slice(items, index), keyed={})
        case Instance(children=[_, _, *_] as items, cls=None) if index.sliced:
            return replace(owner, children=_slice(items, index), keyed={})
        case Sequence(items=items) | Instance(children=items, cls=None) if isinstance(index.constant, int) and items:
            position = index.constant
            if position == -1:
                return _last(items)
            return items[position] if -len(items) <= position < len(items) else items[0]
        case Sequence(items=items, keyed=keyed) | Instance(children=items, keyed=keyed, cls=None) if (
            index.is_named and index.start in keyed
        ):
            return items[keyed[index.start]]
        case (
            Sequence(items=[Tensor() as item], length=str(length))
            | Instance(children=[Tensor() as item], cls=None, length=str(length))
        ) if index.by_loop and not index.sliced:
            return tensors.item_of(item, index, length)
        case Sequence(items=items) | Instance(children=items, cls=None) if items:
            return items[0] if index.constant is None and len(items) == 1 else _any_item(items, index)
        case Mapping(items=items):
            return _entry(run, items, index.constant) if isinstance(index.constant, str) else _any_entry(items, index)
        case Instance(attributes=attributes) if isinstance(index.constant, str):
            return attributes.get(index.constant, UNKNOWN)
        case Symbol(name) | Size(name):
            return Symbol(f"{name}[{index.constant if index.constant is not None else index.start}]")
        case Signal() | Class() | Api():
            return owner
        case _:
            return UNKNOWN


def _slice(items: list[Value], index: Index) -> list[Value]:
    """A part of a list; all of it where a bound is no number, or nothing is left."""
    try:
        start, stop = (int(text) if text is not None else None for text in (index.start, index.stop))
    except ValueError:
        return items
    return items[start : stop : index.step or None] or items


def _last(items: list[Value]) -> Value:
    """Return the last item that is there, where some are added on some paths only."""
    result = items[-1]
    for item in reversed(items[:-1]):
        if not any(leaf is UNSET for _, leaf in leaves(result, TRUE)):
            break
        result = _instead(result, item)
    return result


def _instead(value: Value, other: Value) -> Value:
    """Return a value, and another one on the paths where it is not there."""
    match value:
        case Choice(condition, then, otherwise):
            return choose(condition, _instead(then, other), _instead(otherwise, other))
        case Unset():
            return other
    return value


def _any_item(items: list[Value], index: Index) -> Value:
    """Return the item at an unknown index: a choice of all items, so that an effect on it is an effect on each."""
    result: Value = items[-1]
    for position, item in enumerate(items[:-1]):
        result = choose(Literal(Atom(f"{index.start} is {position}", index.start, str(position))), item, result)
    return result


def _entry(run: Run, items: dict[str, Value], name: str) -> Value:
    """Return the entry with a key; for a module inside a model, the last part of the name has to agree."""
    if name in items or run.built is None:
        return items.get(name, UNKNOWN)
    last = name.rpartition(".")[2]
    return next((value for key, value in items.items() if key.rpartition(".")[2] == last), UNKNOWN)


def _any_entry(items: dict[str, Value], index: Index) -> Value:
    key = f"?{index.start}"
    if key in items:
        return items[key]
    return _any_item(list(items.values()), index) if items else UNKNOWN


def _binary(run: Run, node: ast.BinOp) -> Value:
    return arithmetic.binary(run, type(node.op), run.evaluate(node.left), run.evaluate(node.right))


def _unary(run: Run, node: ast.UnaryOp) -> Value:
    if isinstance(node.op, ast.Not):
        return _as_value(condition(run, node), run)
    value = run.evaluate(node.operand)
    if isinstance(value, Constant) and isinstance(value.value, int | float) and isinstance(node.op, ast.USub):
        return Constant(-value.value)
    return Symbol(f"-{text(value)}") if isinstance(value, Symbol) else value


def _boolean(run: Run, node: ast.BoolOp) -> Value:
    first, *others = node.values
    left, before = run.evaluate(first), first
    for operand in others:
        outcome, here = truth(run, left, first, before), run.condition
        run.condition = all_of([here, negate(outcome) if isinstance(node.op, ast.Or) else outcome])
        right = run.evaluate(operand) if run.condition != FALSE else UNKNOWN
        run.condition = here
        left = choose(outcome, left, right) if isinstance(node.op, ast.Or) else choose(outcome, right, left)
        before = operand
    return left


def _comparison(run: Run, node: ast.Compare) -> Value:
    return _as_value(condition(run, node), run)


def _as_value(outcome: Condition, run: Run) -> Value:
    return simplify(choose(outcome, Constant(True), Constant(False)), run.condition)


def _conditional(run: Run, node: ast.IfExp) -> Value:
    test = condition(run, node.test)
    before = run.condition
    results: list[Value] = []
    for branch, expression in ((test, node.body), (negate(test), node.orelse)):
        run.condition = all_of([before, branch])
        results.append(UNSET if run.condition == FALSE else run.evaluate(expression))
    run.condition = before
    if UNSET in results:
        return results[1] if results[0] is UNSET else results[0]
    return choose(test, *results)


def _lambda(run: Run, node: ast.Lambda) -> Value:
    return Lambda(run.origin(node), run.frame.names)


def _named(run: Run, node: ast.NamedExpr) -> Value:
    value = run.evaluate(node.value)
    run.assign(node.target, value)
    return value


def _await(run: Run, node: ast.Await) -> Value:
    return run.evaluate(node.value)


_HANDLERS: dict[type[ast.expr], Callable[[Run, Any], Value]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.JoinedStr: _formatted,
    ast.Tuple: _elements,
    ast.List: _elements,
    ast.Set: _elements,
    ast.Dict: _dict,
    ast.ListComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _dict_comprehension,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _comparison,
    ast.IfExp: _conditional,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.Await: _await,
}


# Tests


def condition(run: Run, node: ast.expr) -> Condition:
    """Return the condition under which a test is true."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return negate(condition(run, inner))
        case ast.BoolOp(op=sign, values=values):
            return _connected(run, values, conjunction=isinstance(sign, ast.And))
        case ast.Compare(left=left, ops=signs, comparators=others):
            operands = [run.evaluate(operand) for operand in (left, *others)]
            pairs = zip(operands, signs, operands[1:], strict=False)
            return all_of(_compare(run, one, sign, two, node) for one, sign, two in pairs)
        case _:
            return truth(run, run.evaluate(node), node)


def _connected(run: Run, tests: list[ast.expr], *, conjunction: bool) -> Condition:
    """Combine tests joined by ``and`` or ``or``; a test is not evaluated if the ones before it decide."""
    before = run.condition
    result = condition(run, tests[0])
    for test in tests[1:]:
        run.condition = all_of([before, result if conjunction else negate(result)])
        reached = run.condition != FALSE
        further = condition(run, test) if reached else (FALSE if conjunction else TRUE)
        result = all_of([result, further]) if conjunction else any_of([result, further])
        run.condition = before
    return result


def truth(run: Run, value: Value, node: ast.expr, last: ast.expr | None = None) -> Condition:
    """Return the condition under which a value, that of ``node`` or of the code from it to ``last``, is true."""
    match value:
        case Constant(inner):
            return TRUE if inner else FALSE
        case Choice(test, then, otherwise):
            one, two = truth(run, then, node, last), truth(run, otherwise, node, last)
            return any_of([all_of([test, one]), all_of([negate(test), two])])
        case Sequence(items=items, complete=True):
            return TRUE if items else FALSE
        case Tensor() | Instance() | Function() | Class() | Lambda():
            return TRUE
        case Unset():
            return FALSE
        case Symbol(name) | Size(name):
            return Literal(Atom(name))
        case _:
            return Literal(Atom(ast.unparse(node) if last is None else run.frame.snippet.source(node, last)))


def _compare(run: Run, left: Value, sign: ast.cmpop, right: Value, node: ast.Compare) -> Condition:
    run.step()  # the current item of a loop is compared with all items
    if isinstance(left, Choice):
        return any_of(
            all_of([when, _compare(run, leaf, sign, right, node)]) for when, leaf in leaves(left, run.condition)
        )
    match sign:
        case ast.Is() | ast.Eq():
            return _equal(run, left, right, node)
        case ast.IsNot() | ast.NotEq():
            return negate(_equal(run, left, right, node))
        case ast.In():
            return _contains(run, left, right, node)
        case ast.NotIn():
            return negate(_contains(run, left, right, node))
    word, function = COMPARISONS[type(sign)]
    if isinstance(left, Constant) and isinstance(right, Constant):
        try:
            return TRUE if function(left.value, right.value) else FALSE
        except TypeError:
            return FALSE
    if isinstance(right, Constant) and isinstance(right.value, int):
        run.integer(left)
    if isinstance(left, Symbol | Constant) and isinstance(right, Symbol | Constant):
        return Literal(Atom(f"{text(left)} {word} {text(right)}"))
    return Literal(Atom(ast.unparse(node)))


def _equal(run: Run, left: Value, right: Value, node: ast.Compare) -> Condition:
    run.step()  # the loop compares again with a collection that grows
    if isinstance(left, Constant) and isinstance(right, Constant):
        return TRUE if left.value == right.value else FALSE
    if isinstance(right, Constant) and right.value is None and not isinstance(left, Symbol | Size | type(UNKNOWN)):
        return TRUE if isinstance(left, Unset) else FALSE
    if isinstance(left, Class | Api) and isinstance(right, Class | Api):
        return TRUE if text(left) == text(right) else FALSE
    if isinstance(left, Tensor | Instance) and isinstance(right, Tensor | Instance):
        return TRUE if left is right else FALSE
    if isinstance(left, Symbol | Size) and isinstance(right, Constant):
        return Literal(Atom(f"{left.text} == {right.value!r}", left.text, repr(right.value)))
    if isinstance(left, Symbol) and left == right and left.text.isidentifier():
        return TRUE  # an argument that an attribute was set to is compared with itself
    if isinstance(left, Symbol | Size) and isinstance(right, Symbol | Size | Class | Api):
        return Literal(Atom(f"{left.text} == {text(right)}", left.text, text(right)))
    return Literal(Atom(ast.unparse(node)))


def _contains(run: Run, left: Value, right: Value, node: ast.Compare) -> Condition:
    if isinstance(right, Sequence) and right.complete:
        return any_of(_equal(run, left, item, node) for item in right.items)
    if isinstance(left, Constant) and isinstance(left.value, str):
        if isinstance(right, Constant) and isinstance(right.value, str):
            return TRUE if left.value in right.value else FALSE
        if isinstance(right, Mapping) and right.complete:
            return FALSE if left.value not in right.items else truth(run, Constant(True), node)
    if isinstance(left, Symbol) and isinstance(right, Mapping):
        return any_of(_equal(run, left, Constant(key), node) for key in right.items)
    if isinstance(left, Constant | Symbol) and isinstance(right, Symbol):
        return Literal(Atom(f"{text(left)} in {right.text}"))
    return Literal(Atom(ast.unparse(node)))
