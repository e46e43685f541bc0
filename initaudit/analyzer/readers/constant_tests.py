"""Conditions on the way to an initialization that always, or never, hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import alternatives, last_name, nodes
from initaudit.analyzer.syntax.context import Context, initializes, named_function
from initaudit.analyzer.syntax.meaning import TENSORS, Names, Step, What, leaves
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.narrowing import part_asked_for, type_asked_for
from initaudit.subjects.module_tests import ConstantTest

WALKS = {"modules", "named_modules", "children", "named_children"}
OF_LAYERS = {"weight", "bias", "reset_parameters"}
"""Attributes of layers for which a loop over a model asks."""
METHODS = {"dim", "ndimension", "numel", "size", "nelement"}
"""Methods of a tensor that give a number."""
ORDERS = ast.Lt | ast.LtE | ast.Gt | ast.GtE


@reads(
    ConstantTest,
    scope=Context,
    words=("parameters( modules( children( apply( isinstance( __name__ 'and' 'or'", "_( init*( reset*( orthogonal*("),
)
@reads(ConstantTest, scope=Context, words=("'elif'", "_("))
def constant_tests(context: Context) -> Iterator[ConstantTest]:
    """Conditions before an initialization with a part that is no condition, or that nothing fulfils."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for guard in _guards(step):
            yield from _of_the_model(context, guard, step)
        for test in (part for guard in _guards(step) for part in _tests(guard)):
            yield from _always_text(context, test)
            yield from _two_values(context, test)
            yield from _never_module(context, test, step.names)
            yield from _truth_of_find(context, test, step)
            yield from _never_returned(context, test)
            yield from _never_named(context, test, step.names)
            yield from _behind_all_modules(context, test, step)
            yield from _method_compared(context, test, meanings, step.names)


def _fact(context: Context, test: ast.expr, outcome: str, why: str, fixed: str | None = None) -> ConstantTest:
    place, source = context.snippet.place(test), context.snippet.source(test)
    return ConstantTest(place=place, source=source, outcome=outcome, why=why, fixed=fixed)


def _guards(step: Step) -> Iterator[ast.expr]:
    """The conditions of a statement itself that decide whether something is initialized, there or behind it."""
    match step.statement:
        case ast.If(test=test, body=body, orelse=otherwise):
            decided = (*body, *otherwise, *(step.after if leaves(body) else ()))
            if any(map(initializes, decided)):
                yield test
        case ast.For(iter=iterated, body=body) if any(map(initializes, body)):
            for node in ast.walk(iterated):
                if isinstance(node, ast.comprehension):
                    yield from node.ifs
                elif isinstance(node, ast.Lambda):
                    yield node.body
        case ast.Expr(value=value):
            for node in ast.walk(value):
                if isinstance(node, ast.IfExp) and initializes(ast.Expr(node.body)):
                    yield node.test


def _tests(test: ast.expr) -> Iterator[ast.expr]:
    """A condition and the conditions that it is made of."""
    yield test
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _tests(value)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _tests(test.operand)


def _always_text(context: Context, test: ast.expr) -> Iterator[ConstantTest]:
    """``"conv" or "header" in name``, ``isinstance(m, nn.Linear) or "norm"``: a text that is not empty is true."""
    if not isinstance(test, ast.BoolOp):
        return
    texts = [value for value in test.values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    compared = [value for value in test.values if isinstance(value, ast.Compare)]
    alone = len(texts) == len(test.values)
    by_type = isinstance(test.op, ast.Or) and any(last_name(each.func) == "isinstance" for each in _calls(test.values))
    if not texts or not (compared or alone or by_type) or any(not text.value for text in texts):
        return
    always = alone or isinstance(test.op, ast.Or)
    yield _fact(
        context,
        test,
        "always true" if always else "tests only the last",
        f"`{context.snippet.source(texts[0])}` alone is true",
        fixed=_each_compared(context, test, compared),
    )


def _calls(values: Sequence[ast.expr]) -> list[ast.Call]:
    return [each for each in values if isinstance(each, ast.Call)]


def _two_values(context: Context, test: ast.expr) -> Iterator[ConstantTest]:
    """``how == "xavier" and how == "zeros"``: nothing is both; ``how != "a" or how != "b"``: everything is one."""
    if not isinstance(test, ast.BoolOp):
        return
    never = isinstance(test.op, ast.And)
    wanted = ast.Eq if never else ast.NotEq
    compared: dict[str, set[str]] = {}
    for value in test.values:
        match value:
            case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=str() | int() as other)]):
                if isinstance(op, wanted) and not any(isinstance(node, ast.Call) for node in ast.walk(left)):
                    compared.setdefault(ast.unparse(left), set()).add(repr(other))
    for subject, values in compared.items():
        if len(values) > 1:
            yield _fact(
                context,
                test,
                "never true" if never else "always true",
                f"`{subject}` is one value at a time; did you mean `{'or' if never else 'and'}`?",
            )


def _each_compared(context: Context, test: ast.BoolOp, compared: Sequence[ast.Compare]) -> str | None:
    """The condition in which each text is compared with what the only comparison compares its own with."""
    if len(compared) != 1 or len(compared[0].ops) != 1:
        return None
    comparison, parts = compared[0], []
    for value in test.values:
        if value is comparison:
            parts.append(context.snippet.source(value))
        elif isinstance(value, ast.Constant):
            text = context.snippet.source(value)
            if isinstance(comparison.ops[0], ast.In):
                parts.append(f"{text} in {context.snippet.source(comparison.comparators[0])}")
            elif isinstance(comparison.ops[0], ast.Eq) and not isinstance(comparison.left, ast.Constant):
                parts.append(f"{context.snippet.source(comparison.left)} == {text}")
            else:
                return None
        else:
            return None
    return (" or " if isinstance(test.op, ast.Or) else " and ").join(parts)


def _never_module(context: Context, test: ast.expr, names: Names) -> Iterator[ConstantTest]:
    """``isinstance(p, nn.Linear)`` of a parameter, or of a pair from ``named_modules``."""
    name, classes = type_asked_for(test)
    meaning = names.get(name)
    if meaning is None or meaning.what not in (What.PARAMETER, What.STATE, What.NAME, What.PAIR) or not meaning.element:
        return
    if classes and all(map(context.is_module_class, classes)):
        yield _fact(
            context, test, "never true", f"`{name}` is {meaning.what.value} from `{meaning.source}`, not a module"
        )


def _behind_all_modules(context: Context, test: ast.expr, step: Step) -> Iterator[ConstantTest]:
    """``elif isinstance(m, nn.Linear)`` behind ``if isinstance(m, nn.Module)``, or behind the same test."""
    asked = _asked(context, test)
    meaning = step.names.get(asked[0]) if asked is not None else None
    if asked is None or meaning is None or meaning.what is not What.MODULE:
        return
    for earlier in step.excluded:
        before = _asked(context, earlier)
        if before is None or before[0] != asked[0]:
            continue
        if "torch.nn.Module" in before[1] or asked[1] <= before[1]:
            yield _fact(
                context,
                test,
                "never true",
                f"the earlier test `{context.snippet.source(earlier)}` already handles these modules",
            )
            return


def _of_the_model(context: Context, guard: ast.expr, step: Step) -> Iterator[ConstantTest]:
    """``if isinstance(model, nn.Linear)`` in a loop over ``model.modules()``, which does not ask the loop's module."""
    match step.rounds[:1]:
        case (ast.For(target=target, iter=ast.Call(func=ast.Attribute(value=ast.Name(id=model), attr=walk))) as loop,):
            pass
        case _:
            return
    bound = {each.id for node in (target, *loop.body) for each in ast.walk(node) if _is_stored(each)}
    read = {each.id for each in ast.walk(guard) if isinstance(each, ast.Name)}
    elements = [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
    if walk not in WALKS or model == "self" or not elements or not read.isdisjoint(bound):
        return
    for call in ast.walk(guard):
        match call:
            case ast.Call(func=ast.Name(id="hasattr"), args=[ast.Name(id=asked), ast.Constant(value=attribute)]):
                of_layer = attribute in OF_LAYERS
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), kinds]):
                names = [context.canonical(kind) or "" for kind in alternatives(kinds)]
                of_layer = all(name.rpartition(".")[2] in torch_api.STATEFUL for name in names)
            case _:
                continue
        if asked == model and of_layer:
            yield _fact(
                context, guard, "the same for every module", f"it asks `{model}`, and not `{elements[-1]}` of the loop"
            )
            return


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _method_compared(context: Context, test: ast.expr, meanings: Meanings, names: Names) -> Iterator[ConstantTest]:
    """``p.dim == 2``, which compares the method itself."""
    match test:
        case ast.Compare(left=ast.Attribute(attr=name, value=owner) as asked, ops=[op], comparators=[ast.Constant()]):
            pass
        case _:
            return
    meaning = meanings.meaning(owner, names) if name in METHODS else None
    if meaning is None or meaning.what not in TENSORS:
        return
    source = context.snippet.source(asked)
    unequal = isinstance(op, ast.NotEq | ast.IsNot)
    yield _fact(
        context,
        test,
        "raises" if isinstance(op, ORDERS) else "always true" if unequal else "never true",
        f"`{source}` is the method itself",
        fixed=context.snippet.source(test).replace(source, f"{source}()", 1),
    )


def _asked(context: Context, test: ast.expr) -> tuple[str, set[str]] | None:
    """The name and the classes of ``isinstance(m, (A, B))``."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kinds]):
            found = [context.canonical(each) for each in alternatives(kinds)]
            return (name, {each for each in found if each}) if all(found) else None
    return None


def _truth_of_find(context: Context, test: ast.expr, step: Step) -> Iterator[ConstantTest]:
    """``if name.find("weight"):``, which is 0 where the name begins with it, and -1 where it is not there at all."""
    match test:
        case ast.Call(func=ast.Attribute(attr="find", value=found), args=[ast.Constant(value=str(part))]):
            if _is_negated(test, step) and _is_class_name(context, found) and _begins_a_layer(part):
                return  # the name begins so: right, if hard to read
            text = context.snippet.source(test.args[0])
            yield _fact(
                context,
                test,
                "true for other names",
                "`find` returns -1, which is true, if the text is missing, and 0 if the name begins with it",
                fixed=f"{text} in {context.snippet.source(found)}",
            )


def _is_negated(test: ast.expr, step: Step) -> bool:
    negations = (node for node in ast.walk(step.statement) if isinstance(node, ast.UnaryOp))
    return any(isinstance(node.op, ast.Not) and node.operand is test for node in negations)


def _begins_a_layer(part: str) -> bool:
    return any(name.startswith(part) for name in torch_api.LAYER_NAMES)


def _never_named(context: Context, test: ast.expr, names: Names) -> Iterator[ConstantTest]:
    """``m.__class__.__name__ == "Conv"``: no class has that name, and classes whose names hold it are meant.

    ``"conv" in m.__class__.__name__``: no name holds it, but with a capital, names do.
    """
    if (asked := part_asked_for(test)) is not None and _is_class_name(context, asked[0]):
        yield from _never_part(context, test, asked[1])
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=str(text))]):
            pass
        case _:
            return
    if not _is_class_name(context, left) or text in torch_api.LAYER_NAMES or context.module.outline.members.get(text):
        return
    if context.project.resolve(context.module, text) is not None:
        return
    meant = sorted(name for name in torch_api.LAYER_NAMES if name.lower().startswith(text.lower()))
    if meant and len(text) > 2:
        yield _fact(context, test, "never true", f"torch has no class `{text}`, but it has `{meant[0]}`")


def _never_returned(context: Context, test: ast.expr) -> Iterator[ConstantTest]:
    """``kind(m) == "linear"`` where ``kind`` returns other texts, also by a name for what it returns."""
    match test:
        case ast.Compare(left=asked, ops=[ast.Eq()], comparators=[ast.Constant(value=str(text))]):
            values = context.assigned(asked.id) if isinstance(asked, ast.Name) else [asked]
        case _:
            return
    found = named_function(context, values[0].func) if len(values) == 1 and isinstance(values[0], ast.Call) else None
    if found is None or found.function is None or found.function.decorator_list:
        return
    returned = [node.value for node in nodes(found.function) if isinstance(node, ast.Return)]
    texts = [each.value for each in returned if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if texts and len(texts) == len(returned) and text not in texts:
        said = ", ".join(f"`{each!r}`" for each in dict.fromkeys(texts))
        yield _fact(context, test, "never true", f"`{found.function.name}` returns {said}")


def _never_part(context: Context, test: ast.expr, part: str) -> Iterator[ConstantTest]:
    """A part in small letters of names that torch writes with capitals, which no class of the project has."""
    meant = sorted(name for name in torch_api.LAYER_NAMES if part.lower() in name.lower())
    if len(part) < 3 or not meant or any(part in name for name in torch_api.LAYER_NAMES):
        return
    project = context.project
    naming = project.find(Search(project.work_folder(context.module), word=b"class", words=groups(part)))
    modules = (context.module, *filter(None, map(project.load, naming)))
    if not any(part in each.name for module in modules for each in module.outline.classes()):
        yield _fact(context, test, "never true", f"no class has `{part}` in its name; torch's is called `{meant[0]}`")


def _is_class_name(context: Context, node: ast.expr) -> bool:
    """Whether an expression is ``m.__class__.__name__``, ``type(m).__name__`` or a name that is bound to that."""
    if isinstance(node, ast.Attribute) and node.attr == "__name__":
        inner = node.value
        return (isinstance(inner, ast.Attribute) and inner.attr == "__class__") or (
            isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "type"
        )
    if isinstance(node, ast.Name):
        values = context.assigned(node.id)
        return bool(values) and all(
            not isinstance(value, ast.Name) and _is_class_name(context, value) for value in values
        )
    return False
