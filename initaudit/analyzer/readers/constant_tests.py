"""Conditions on the way to an initialization that always, or never, hold."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import alternatives, dotted
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, first_parameter, in_order, initializes, own_attribute
from initaudit.analyzer.syntax.iteration import last_name
from initaudit.analyzer.syntax.meaning import TENSORS, Meaning, Names, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.structure import all_below, constructed
from initaudit.analyzer.syntax.walks import Walk, applied, written
from initaudit.subjects.module_tests import ConstantTest

LAYER_NAMES = {
    *torch_api.SIZES, *torch_api.NORMALIZATIONS, *torch_api.ACTIVATION_MODULES, *torch_api.TRANSPARENT,
    *torch_api.RESET_BY_CONSTRUCTOR,
}  # fmt: skip
METHODS = {"dim", "ndimension", "numel", "size", "nelement"}
"""Methods of a tensor that give a number."""
DRAWS = "normal_( uniform_( xavier*( kaiming*( orthogonal*( constant_( zeros_( ones_( eye_( fill_( zero_("
HOLDERS = {"torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict"}
ORDERS = ast.Lt | ast.LtE | ast.Gt | ast.GtE


@reads(
    ConstantTest,
    scope=Context,
    words=("parameters( modules( children( apply( isinstance( __name__ 'and' 'or'", "_( init*( reset*( orthogonal*("),
)
def constant_tests(context: Context) -> Iterator[ConstantTest]:
    """Conditions before an initialization with a part that is no condition, or that nothing fulfils."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for test in (part for guard in _guards(step.statement) for part in _tests(guard)):
            yield from _always_text(context, test)
            yield from _two_values(context, test)
            yield from _never_module(context, test, step.names)
            yield from _truth_of_find(context, test)
            yield from _never_named(context, test, step.names)
            yield from _behind_all_modules(context, test, step)
            yield from _method_compared(context, test, meanings, step.names)


@reads(ConstantTest, scope=Context, words="apply(", named="__init__")
def never_met(context: Context) -> Iterator[ConstantTest]:
    """``self.apply(self.init)`` where the class has no layer of the only kinds that its own method initializes."""
    if context.cls is None or not context.project.is_module_class(context.cls):
        return
    for call in context.calls():
        of_self = isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "self.apply"
        walk = applied(context, call) if of_self else None
        definition = walk.context.definition if walk is not None else None
        if walk is None or not walk.writes or definition is None or definition.owner is not context.cls.definition:
            continue
        layers = all_below(context.project, context.cls)
        by_kind = all(write.kinds for write in walk.writes) and not any(map(_has_rest, in_order(walk.body, later=True)))
        if not layers or not by_kind or not _asks_for_known(walk):
            continue
        if any(layer.kind.startswith(torch_api.HOLDS_OTHERS) for layer in layers):
            continue
        if not any(write.meant_for(walk.context, layer) for write in walk.writes for layer in layers):
            test = next((each.test for each in walk.body if isinstance(each, ast.If)), None)
            kinds = sorted({layer.kind.rpartition(".")[2] for layer in layers})
            if test is not None:
                yield ConstantTest(
                    place=walk.context.snippet.place(test),
                    source=walk.context.snippet.source(test),
                    outcome="never true",
                    why=f"`{context.cls.definition.name}` is made of {', '.join(kinds)} alone",
                )


@reads(ConstantTest, scope=Context, words=("None", DRAWS))
def of_nothing(context: Context) -> Iterator[ConstantTest]:
    """``if self.bias is None: nn.init.zeros_(self.bias)``: only what is not None can be initialized."""
    for node in context.walk():
        match node:
            case ast.If(test=ast.Compare(left=tested, ops=[ast.Is()], comparators=[ast.Constant(None)]) as test):
                name, drawn = dotted(tested), list(_drawn(context, node.body))
                if name and any(f"{each}.".startswith(f"{name}.") for each in drawn) and not _binds(node.body, name):
                    yield ConstantTest(
                        place=context.snippet.place(test),
                        source=context.snippet.source(test),
                        outcome="true for nothing",
                        why=f"`{name}` is initialized where it is None",
                        fixed=f"{name} is not None",
                        model=context.cls.qualname if context.cls is not None else None,
                        parameters=_own(drawn),
                    )


@reads(ConstantTest, scope=Context, words=("training", DRAWS), named="__init__")
def of_mode(context: Context) -> Iterator[ConstantTest]:
    """``if not self.training`` in a constructor, while which a module is in training mode."""
    if context.cls is None or not context.project.is_module_class(context.cls):
        return
    methods = {call.func.attr for call in context.calls() if isinstance(call.func, ast.Attribute)}
    if not methods.isdisjoint(("train", "eval")) or _binds(context.walk(), "self.training"):
        return
    for node in context.walk():
        match node:
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=asked) as test, body=body):
                drawn = list(_drawn(context, body))
                if dotted(asked) == "self.training" and drawn:
                    yield ConstantTest(
                        place=context.snippet.place(test),
                        source=context.snippet.source(test),
                        outcome="never true",
                        why="a module is in training mode while its constructor runs",
                        model=context.cls.qualname,
                        parameters=_own(drawn),
                    )


def _drawn(context: Context, body: Sequence[ast.stmt]) -> Iterator[str]:
    """What a block initializes in place, by its name."""
    for call in (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)):
        if (target := written(context, call)) is not None and dotted(target):
            yield dotted(target)


def _own(names: Iterable[str]) -> tuple[str, ...]:
    """Those of some names that are attributes of the object itself, without it."""
    return tuple(dict.fromkeys(name.removeprefix("self.") for name in names if name.startswith("self.")))


def _binds(body: Iterable[ast.AST], name: str) -> bool:
    """Whether code binds a name or an attribute, or registers one."""
    for node in (inner for each in body for inner in ast.walk(each)):
        match node:
            case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) if dotted(node) == name:
                return True
            case ast.Call(func=called) if last_name(called) in ("setattr", "register_parameter", "register_buffer"):
                return True
    return False


@reads(ConstantTest, scope=Context, words=("isinstance(", "_("), nearby="Sequential( ModuleList(")
def given_containers(context: Context) -> Iterator[ConstantTest]:
    """``init(self.body)``, where the function asks for the type of a layer, and what it is given holds layers."""
    function, first = context.function, first_parameter(context)
    body = [each for each in function.body if not _is_text(each)] if function is not None else []
    tests = [test for each in body if isinstance(each, ast.If) and initializes(each) for test in _tests_in_turn(each)]
    if len(tests) < max(len(body), 1) or not all(_is_of_layers(context, test, first) for test in tests):
        return
    asked = context.snippet.source(tests[0]) if tests[0] is not None else ""
    for caller, node, meaning in given_to(context, by_apply=False):
        call = caller.snippet.parents.get(node)
        if call is not None and (holder := _holder(caller, node, meaning)) is not None:
            yield ConstantTest(
                place=caller.snippet.place(call),
                source=asked,
                outcome="never true",
                why=f"`{caller.snippet.source(node)}` is {holder}; give the function to its `apply`",
            )


def _tests_in_turn(branch: ast.If) -> list[ast.expr | None]:
    """The conditions of ``if`` and each ``elif``; None for what is done where none of them holds."""
    match branch.orelse:
        case [ast.If() as other]:
            return [branch.test, *_tests_in_turn(other)]
        case []:
            return [branch.test]
    return [branch.test, None]


def _holder(context: Context, node: ast.expr, meaning: Meaning | None) -> str | None:
    """What an expression is, if it is a module of torch that only holds others."""
    if (name := own_attribute(node)) is not None and context.cls is not None:
        attribute = constructed(context.project, context.cls).get(name)
        held = attribute is not None and attribute.layers and all(layer.depth > 0 for layer in attribute.layers)
        return "made of several layers" if held else None
    kinds = meaning.kinds if meaning is not None and meaning.what is What.MODULE and not meaning.element else ()
    return f"a `{kinds[0].rpartition('.')[2]}`" if len(kinds) == 1 and kinds[0] in HOLDERS else None


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_of_layers(context: Context, test: ast.expr | None, name: str | None) -> bool:
    """Whether a condition asks if an argument is one of torch's layers with weights."""
    match test:
        case ast.BoolOp(op=ast.And(), values=[first, *_]):
            return _is_of_layers(context, first, name)
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), kinds]) if asked == name:
            found = [context.canonical(each) or "" for each in alternatives(kinds)]
            return bool(found) and all(each.removeprefix("torch.nn.") in LAYER_NAMES for each in found)
    return False


def _asks_for_known(walk: Walk) -> bool:
    """Whether a function asks for classes of torch or the project: another package may name those of torch anew."""
    for node in (inner for statement in walk.body for inner in ast.walk(statement)):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                for kind in alternatives(kinds):
                    found = walk.context.resolve(kind)
                    if not isinstance(found, Defined) and not (walk.context.canonical(kind) or "").startswith("torch."):
                        return False
    return True


def _has_rest(statement: ast.stmt) -> bool:
    """Whether a statement says what is done where no test of it holds."""
    rest: list[ast.stmt] = getattr(statement, "orelse", [])
    asks_again = isinstance(statement, ast.If) and len(rest) == 1 and isinstance(rest[0], ast.If)
    return bool(rest) and not asks_again


def _guards(statement: ast.stmt) -> Iterator[ast.expr]:
    """The conditions of a statement itself that decide whether something is initialized."""
    match statement:
        case ast.If(test=test, body=body, orelse=otherwise):
            if any(map(initializes, (*body, *otherwise))):
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
    yield ConstantTest(
        place=context.snippet.place(test),
        source=context.snippet.source(test),
        outcome="always true" if always else "tests only the last",
        why=f"`{context.snippet.source(texts[0])}` alone is true",
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
            yield ConstantTest(
                place=context.snippet.place(test),
                source=context.snippet.source(test),
                outcome="never true" if never else "always true",
                why=f"`{subject}` is one value at a time; did you mean `{'or' if never else 'and'}`?",
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
    """``isinstance(p, nn.Linear)`` of a parameter."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kinds]):
            pass
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=name)]),
            ops=[ast.Is() | ast.Eq() | ast.In()],
            comparators=[kinds],
        ):
            pass
        case _:
            return
    meaning = names.get(name)
    classes = list(alternatives(kinds))
    if meaning is None or meaning.what not in (What.PARAMETER, What.STATE, What.NAME) or not meaning.element:
        return
    if classes and all(map(context.is_module_class, classes)):
        yield ConstantTest(
            place=context.snippet.place(test),
            source=context.snippet.source(test),
            outcome="never true",
            why=f"`{name}` is {meaning.what.value} from `{meaning.source}`, not a module",
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
            yield ConstantTest(
                place=context.snippet.place(test),
                source=context.snippet.source(test),
                outcome="never true",
                why=f"the earlier test `{context.snippet.source(earlier)}` already handles these modules",
            )
            return


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
    yield ConstantTest(
        place=context.snippet.place(test),
        source=context.snippet.source(test),
        outcome="raises" if isinstance(op, ORDERS) else "always true" if unequal else "never true",
        why=f"`{source}` is the method itself",
        fixed=context.snippet.source(test).replace(source, f"{source}()", 1),
    )


def _asked(context: Context, test: ast.expr) -> tuple[str, set[str]] | None:
    """The name and the classes of ``isinstance(m, (A, B))``."""
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), kinds]):
            found = [context.canonical(each) for each in alternatives(kinds)]
            return (name, {each for each in found if each}) if all(found) else None
    return None


def _truth_of_find(context: Context, test: ast.expr) -> Iterator[ConstantTest]:
    """``if name.find("weight"):``, which is 0 where the name begins with it, and -1 where it is not there at all."""
    match test:
        case ast.Call(func=ast.Attribute(attr="find", value=found), args=[ast.Constant(value=str())]):
            text = context.snippet.source(test.args[0])
            yield ConstantTest(
                place=context.snippet.place(test),
                source=context.snippet.source(test),
                outcome="true for other names",
                why="`find` returns -1, which is true, if the text is missing, and 0 if the name begins with it",
                fixed=f"{text} in {context.snippet.source(found)}",
            )


def _never_named(context: Context, test: ast.expr, names: Names) -> Iterator[ConstantTest]:
    """``m.__class__.__name__ == "Conv"``: no class has that name, and classes whose names hold it are meant.

    ``"conv" in m.__class__.__name__``: no name holds it, but with a capital, names do.
    """
    if (asked := _part_asked_for(test)) is not None and _is_class_name(context, asked[0]):
        yield from _never_part(context, test, asked[1])
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=str(text))]):
            pass
        case _:
            return
    if not _is_class_name(context, left) or text in LAYER_NAMES or context.module.outline.members.get(text):
        return
    if context.project.resolve(context.module, text) is not None:
        return
    meant = sorted(name for name in LAYER_NAMES if name.lower().startswith(text.lower()))
    if meant and len(text) > 2:
        yield ConstantTest(
            place=context.snippet.place(test),
            source=context.snippet.source(test),
            outcome="never true",
            why=f"torch has no class `{text}`, but it has `{meant[0]}`",
        )


def _part_asked_for(test: ast.expr) -> tuple[ast.expr, str] | None:
    """The name, and the part of it, of ``name.find("conv") != -1``, ``"conv" in name``, ``name.startswith("conv")``."""
    match test:
        case ast.Compare(
            left=ast.Call(func=ast.Attribute(attr="find", value=name), args=[ast.Constant(value=str(part))]),
            ops=[ast.NotEq() | ast.GtE() | ast.Gt()],
        ):
            return name, part
        case ast.Compare(left=ast.Constant(value=str(part)), ops=[ast.In()], comparators=[name]):
            return name, part
        case ast.Call(func=ast.Attribute(attr="startswith", value=name), args=[ast.Constant(value=str(part))]):
            return name, part
    return None


def _never_part(context: Context, test: ast.expr, part: str) -> Iterator[ConstantTest]:
    """A part in small letters of names that torch writes with capitals, which no class of the project has."""
    meant = sorted(name for name in LAYER_NAMES if part.lower() in name.lower())
    if len(part) < 3 or not meant or any(part in name for name in LAYER_NAMES):
        return
    project = context.project
    naming = project.find(Search(project.work_folder(context.module), word=b"class", words=groups(part)))
    modules = (context.module, *filter(None, map(project.load, naming)))
    if not any(part in each.name for module in modules for each in module.outline.classes()):
        yield ConstantTest(
            place=context.snippet.place(test),
            source=context.snippet.source(test),
            outcome="never true",
            why=f"no class has `{part}` in its name; torch's is called `{meant[0]}`",
        )


def _is_class_name(context: Context, node: ast.expr) -> bool:
    """Whether an expression is ``m.__class__.__name__``, ``type(m).__name__`` or a name that is bound to that."""
    if isinstance(node, ast.Attribute) and node.attr == "__name__":
        inner = node.value
        return (isinstance(inner, ast.Attribute) and inner.attr == "__class__") or (
            isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "type"
        )
    if isinstance(node, ast.Name):
        values = [
            each.value
            for each in context.walk()
            if isinstance(each, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == node.id for target in each.targets)
        ]
        return bool(values) and all(
            not isinstance(value, ast.Name) and _is_class_name(context, value) for value in values
        )
    return False
