"""Networks that follow another one by a moving average, and do not start as a copy of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode, last_name, nodes, parameters
from initaudit.analyzer.syntax.context import Class, Context, function_context, named_function
from initaudit.analyzer.syntax.elsewhere import spoken_of_elsewhere
from initaudit.analyzer.syntax.loads import copied_state, model_of_parameters
from initaudit.finding import Place
from initaudit.subjects.layers import SeparateTarget

FREEZE = torch_api.RETURN_THE_MODULE | {"requires_grad_", "parameters", "named_parameters", "zero_grad"}
"""Methods of a model that leave its values as they are."""
AVERAGES = {"mul_", "lerp_", "add_", "sub_"}
"""Methods of a tensor that keep a share of what it holds."""
OTHERWISE = ("seed", "load", "pretrained", "checkpoint", "ckpt", "copy", "clone")
"""What makes two networks alike, or gives them other values, by names in what makes them."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Values that code gives ``target`` from ``source``: all of them, or a share, as ``averages`` says."""

    target: str
    source: str
    averages: bool
    node: ast.AST
    context: Context


@reads(SeparateTarget, scope=Class, words=("parameters(", "zip("))
@reads(SeparateTarget, scope=Class, words="soft_update polyak update_target target_update moving_average")
def separate_targets(cls: Class) -> Iterator[SeparateTarget]:
    """``self.target = Critic(n)`` beside ``self.critic = Critic(n)``, where the target follows by an average alone."""
    methods = [
        context
        for defined in cls.definition.members.values()
        if not defined.is_class and (context := function_context(cls.project, Defined(cls.module, defined))) is not None
    ]
    constructor = next((each for each in methods if each.function and each.function.name == "__init__"), None)
    if constructor is None or constructor.function is None:
        return
    building = _building(constructor, methods)
    copies = [copied for context in methods for copied in _copies(context)]
    for target in dict.fromkeys(each.target for each in copies):
        following = [each for each in copies if each.target == target]
        sources = {each.source for each in following}
        name = target.removeprefix("self.")
        if not target.startswith("self.") or "." in name or len(sources) != 1:
            continue
        if not all(each.averages and each.context not in building for each in following):
            continue
        source = sources.pop()
        start = _start(cls.project, building, target, source)
        if start is None or spoken_of_elsewhere(cls.project, cls.defined, name):
            continue
        made, context, changed = start
        yield SeparateTarget(
            place=context.snippet.place(made),
            target=target,
            source=source,
            made=context.snippet.source(made),
            follows=following[0].context.snippet.place(following[0].node),
            changed=changed,
        )


def _building(constructor: Context, methods: Sequence[Context]) -> list[Context]:
    """The constructor of a class, and the methods of its own that it calls, and those that they call."""
    by_name = {each.function.name: each for each in methods if each.function is not None}
    found = [constructor]
    for context in found:
        called = (call.func for call in context.calls())
        names = [each.attr for each in called if isinstance(each, ast.Attribute) and ast.unparse(each.value) == "self"]
        found += [each for name in names if (each := by_name.get(name)) is not None and each not in found]
    return found


def _start(
    project: Project, building: Sequence[Context], target: str, source: str
) -> tuple[ast.expr, Context, Place | None] | None:
    """What makes a network that does not start like another one, and where that one was changed after a copy."""
    given: dict[str, list[tuple[ast.expr, Context]]] = {target: [], source: []}
    for context in building:
        for node in context.walk():
            match node:
                case ast.Assign(targets=[written], value=value) if (name := ast.unparse(written)) in given:
                    given[name].append((value, context))
                case _:
                    pass
    if not all(len(values) == 1 for values in given.values()):
        return None
    (made, context), (model, _) = given[target][0], given[source][0]
    if _is_copy_of(made, source):
        changed = _changed_later(context, made, source) if len(building) == 1 else None
        return (made, context, changed) if changed is not None and _only_frozen(building, target) else None
    call, other = _maker(made), _maker(model)
    alike = call is not None and other is not None and ast.unparse(call) == ast.unparse(other)
    if not alike or call is None or not _only_frozen(building, target) or not _draws_anew(context, call):
        return None
    return made, context, None


def _maker(value: ast.expr) -> ast.Call | None:
    """The call that makes a model, without the methods that return it."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in FREEZE:
        value = value.func.value
    return value if isinstance(value, ast.Call) else None


def _draws_anew(context: Context, call: ast.Call) -> bool:
    """Whether each call draws other weights: it makes a module, or calls a function of the project that makes some."""
    text = ast.unparse(call).lower()
    if any(word in text for word in OTHERWISE):
        return False
    found = context.resolve(call.func)
    if not isinstance(found, Defined):
        return context.is_module_class(call.func)
    if found.definition.is_class and not context.is_module_class(call.func):
        return False
    words = found.module.slice(found.definition).lower()
    return not any(word in words for word in ("seed", "load", "pretrained")) and (
        found.definition.is_class or "nn." in words
    )


def _is_copy_of(made: ast.expr, source: str) -> bool:
    """``copy.deepcopy(self.critic)``."""
    match _maker(made):
        case ast.Call(func=function, args=[copied]):
            return last_name(function) == "deepcopy" and ast.unparse(copied) == source
    return False


def _changed_later(context: Context, made: ast.expr, source: str) -> Place | None:
    """Where statements behind a copy of a network draw the network anew: ``self.critic.apply(init)``."""
    body = context.function.body if context.function is not None else []
    position = next((at for at, each in enumerate(body) if any(node is made for node in ast.walk(each))), len(body))
    for statement in body[position + 1 :]:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="apply", value=model), args=[_]) as call) if (
                ast.unparse(model) == source
            ):
                return context.snippet.place(call)
            case _:
                pass
    return None


def _only_frozen(building: Sequence[Context], name: str) -> bool:
    """Whether all that a constructor does with a network, beside making it, is to freeze it or to move it."""
    for context in building:
        parents = context.snippet.parents
        for node in context.walk():
            if not isinstance(node, ast.Attribute) or ast.unparse(node) != name or isinstance(node.ctx, ast.Store):
                continue
            match parents.get(node):
                case ast.Attribute(attr=attr) if attr in FREEZE:
                    pass
                case _:
                    return False
    return True


def _copies(context: Context) -> Iterator[Copied]:
    """What a function copies from one model to another, itself or by functions that it gives both."""
    function = context.function
    for target, source, averages, node in _direct(function.body if function is not None else context.snippet.body):
        yield Copied(target, source, averages, node, context)
    for call in context.calls():
        called = named_function(context, call.func)
        if called is None or called.function is None:
            continue
        names = [each.arg for each in parameters(called.function)]
        names = names[1:] if names[:1] == ["self"] else names
        given = dict(zip(names, call.args, strict=False)) | {each.arg: each.value for each in call.keywords if each.arg}
        whole = any(isinstance(each, ast.Constant) and each.value == 1 for each in given.values())
        for target, source, averages, _ in _direct(called.function.body):
            if target in given and source in given:
                one, other = ast.unparse(given[target]), ast.unparse(given[source])
                yield Copied(one, other, averages and not whole, call, context)
            elif whole and target.startswith("self."):
                yield Copied(target, source, False, call, context)


def _direct(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str, bool, ast.AST]]:
    """The models that statements copy: to which, from which, whether by an average, and where."""
    for statement in body:
        for node in nodes(statement):
            if (copied := copied_state(node)) is not None:
                yield *copied, False, node
            elif isinstance(node, ast.For):
                yield from _by_loop(node)


def _by_loop(loop: ast.For) -> Iterator[tuple[str, str, bool, ast.AST]]:
    match loop:
        case ast.For(
            target=ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]),
            iter=ast.Call(func=ast.Name(id="zip"), args=[one, other]),
        ) if None not in (models := (model_of_parameters(one), model_of_parameters(other))):
            named = dict(zip((first, second), map(str, models), strict=True))
            for written, averages in _written(loop.body, named):
                rest = next(name for name in named if name != written)
                yield named[written], named[rest], averages, loop
        case ast.For(
            target=ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]),
            iter=ast.Tuple(elts=pairs) | ast.List(elts=pairs),
        ):
            for to, of, averages, node in _direct(loop.body):
                for pair in pairs:
                    match pair:
                        case ast.Tuple(elts=[left, right]):
                            meant = {first: ast.unparse(left), second: ast.unparse(right)}
                            yield meant.get(to, to), meant.get(of, of), averages, node
                        case _:
                            pass
        case _:
            pass


def _written(body: Sequence[ast.stmt], names: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """The variable of a loop over pairs that is written, and whether it keeps a share of what it holds."""
    for statement in body:
        if isinstance(statement, FunctionNode):
            continue
        for node in nodes(statement):
            match node:
                case ast.Call(func=ast.Attribute(attr="copy_", value=written), args=[value, *_]):
                    pass
                case ast.Call(func=ast.Attribute(attr=attr, value=written)) if attr in AVERAGES:
                    value = written
                case ast.Assign(targets=[ast.Attribute(attr="data") as written], value=value):
                    pass
                case _:
                    continue
            name = _variable(written)
            if name in names:
                yield name, any(_variable(each) == name for each in ast.walk(value) if isinstance(each, ast.expr))
                return


def _variable(node: ast.expr) -> str:
    """The variable that an expression is a view of: ``t`` of ``t.data.mul_(0.9)``."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
