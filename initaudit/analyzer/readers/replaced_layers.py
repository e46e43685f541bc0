"""Layers and parameters of a model that are replaced after an optimizer was given the model's parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.moved_parameters import is_trainable
from initaudit.analyzer.source.snippets import dotted, nodes, spelled
from initaudit.analyzer.syntax.callers import frozen
from initaudit.analyzer.syntax.context import (
    COLLECTIONS,
    Context,
    Placed,
    all_blocks,
    function_context,
    in_order,
    named_function,
    own_attribute,
)
from initaudit.analyzer.syntax.stateful import is_stateful
from initaudit.analyzer.syntax.structure import constructed
from initaudit.subjects.registration import ReplacedLayer

CHANGES = {"append", "extend", "insert", "update", "clear", "pop"}
"""Methods that change a list of groups, a group, or a list of parameters."""
NO_STEPS = {"state_dict", "zero_grad", "defaults"}
"""What is asked of an optimizer that need not go on."""
NO_OPTIMIZERS = (f"{torch_api.OPTIMIZERS}lr_scheduler.", f"{torch_api.OPTIMIZERS}swa_utils.")


@reads(ReplacedLayer, scope=Context, words="parameters(", nearby="optim")
def replaced_layers(context: Context) -> Iterator[ReplacedLayer]:
    """``model.fc = nn.Linear(512, 10)`` below ``optimizer = SGD(model.parameters())``, where that optimizer goes on."""
    for body in all_blocks(context):
        for at, made in enumerate(body):
            match made.node:
                case (
                    ast.Assign(targets=[target], value=ast.Call() as call)
                    | ast.AnnAssign(target=target, value=ast.Call() as call)
                ) if _is_optimizer(context, call):
                    models = set(map(dotted, _models(call))) - {""}
                case _:
                    continue
            after = body[at + 1 :]
            name = dotted(target)
            if not models or not name or _given_again(context, after, name, models):
                continue
            for index, later in enumerate(after):
                behind = after[index + 1 :]
                for inner, given in ((later, models), *_run(context, later, models)):
                    replaced = _replaced(inner.context, inner.node, given)
                    if replaced is None or _is_frozen(later.context, replaced[0]) or _is_put_back(behind, replaced[0]):
                        continue
                    if _goes_on(behind, name):
                        yield ReplacedLayer(
                            place=inner.context.snippet.place(inner.node),
                            target=dotted(replaced[0]) or inner.context.snippet.source(replaced[0]),
                            value=inner.context.snippet.source(replaced[1]),
                            optimizer=name,
                            given=made.context.snippet.place(made.node),
                        )


def _run(context: Context, placed: Placed, models: set[str]) -> Iterator[tuple[Placed, set[str]]]:
    """The statements of the method of a model, or of a part of it, that a statement calls, and what is a model there.

    Those of a loop over the modules of a model, too.
    """
    match placed.node:
        case ast.For(target=ast.Name(id=module), iter=walked, body=body):
            if _walked(walked) in models:
                yield from ((Placed(each, placed.context), {module}) for each in in_order(body))
            return
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=called))):
            name = dotted(owner)
        case _:
            return
    cls = _class_of(context, name) if any(f"{name}.".startswith(f"{model}.") for model in models) else None
    found = context.project.method(cls, called) if cls is not None else None
    inside = function_context(context.project, found) if isinstance(found, Defined) else None
    if inside is not None and inside.function is not None:
        yield from ((Placed(each, inside), {"self"}) for each in inside.function.body)


def _walked(walked: ast.expr) -> str:
    """The model that a loop over modules goes over."""
    match walked:
        case ast.Call(func=ast.Attribute(value=model, attr="modules" | "children"), args=[]):
            return dotted(model)
    return dotted(walked)


def _class_of(context: Context, name: str) -> Defined | None:
    """The class of the project that a variable, an attribute of the object, or a part of one is made of."""
    head, *parts = name.split(".")
    cls = context.cls if head == "self" else None
    if head != "self":
        assigned = (node for node in context.walk() if isinstance(node, ast.Assign))
        made = [node.value for node in assigned if [dotted(target) for target in node.targets] == [head]]
        found = context.resolve(made[0].func) if len(made) == 1 and isinstance(made[0], ast.Call) else None
        cls = found if isinstance(found, Defined) and found.definition.is_class else None
    for part in parts:
        held = constructed(context.project, cls).get(part) if cls is not None else None
        cls = held.layers[0].cls if held is not None and held.complete and len(held.layers) == 1 else None
    return cls


def _is_optimizer(context: Context, call: ast.Call) -> bool:
    name = context.canonical(call.func) or ""
    last = name.rpartition(".")[2]
    return name.startswith(torch_api.OPTIMIZERS) and not name.startswith(NO_OPTIMIZERS) and last[:1].isupper()


def given_to_optimizer(context: Context, call: ast.Call) -> set[str]:
    """The models whose parameters a call gives to a new optimizer; none if it makes no optimizer."""
    return set(map(dotted, optimized(context, call))) - {""}


def optimized(context: Context, call: ast.Call) -> list[ast.expr]:
    """The expressions of these models."""
    return _models(call) if _is_optimizer(context, call) else []


def _models(call: ast.Call) -> list[ast.expr]:
    """What an optimizer is given all parameters of: ``model`` of ``model.parameters()``.

    A single choice by name leaves some out; several are groups that have them all, as for the weight decay.
    """
    choices = [node for node in ast.walk(call) if isinstance(node, ast.comprehension) and node.ifs]
    if len(choices) == 1 and not all(map(_is_about_gradients, choices[0].ifs)):
        return []
    return [
        node.func.value
        for node in ast.walk(call)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("parameters", "named_parameters")
    ]


def _is_about_gradients(test: ast.expr) -> bool:
    """``p.requires_grad``."""
    return isinstance(test, ast.Attribute) and test.attr == "requires_grad"


def _given_again(context: Context, body: Sequence[Placed], optimizer: str, models: set[str]) -> bool:
    """Whether later code makes another optimizer, gives this one more, or binds a name of these anew."""
    statements = [each.node for each in body]
    names = models | {optimizer}
    if _gives(context, statements, names):
        return True
    own = {name for name in names if name.startswith("self.")}
    return any(_gives(each, each.snippet.body, own) for each in _called(context, statements, optimizer))


def _gives(context: Context, body: Sequence[ast.AST], names: set[str]) -> bool:
    """Whether some code makes an optimizer, writes the parameters of a group, or binds one of the names."""
    aliases = {name for statement in body for name in _groups_named(statement)}
    for node in (inner for statement in body for inner in ast.walk(statement)):
        match node:
            case ast.Call(func=ast.Attribute(attr="add_param_group" | "__init__")):
                return True
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in CHANGES and _is_of_groups(
                owner, aliases
            ):
                return True
            case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) if _holds_parameters(node, aliases):
                return True
            case ast.Call() if _is_optimizer(context, node):
                return True
            case ast.Name(ctx=ast.Store(), id=name) if name in {each.partition(".")[0] for each in names}:
                return True
            case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) if dotted(node) in names:
                return True
    return False


def _called(context: Context, body: Sequence[ast.AST], optimizer: str) -> Iterator[Context]:
    """The own methods that code calls, and the functions of the project that it gives the optimizer."""
    for call in (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)):
        given = [*call.args, *(word.value for word in call.keywords)]
        if own_attribute(call.func) is not None or optimizer in map(dotted, given):
            called = named_function(context, call.func)
            yield from [called] if called is not None else []


def _groups_named(statement: ast.AST) -> Iterator[str]:
    """The variables that stand for the groups of an optimizer, or for one of them."""
    for node in ast.walk(statement):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.For(target=ast.Name(id=name), iter=value)
                | ast.For(target=ast.Tuple(elts=[_, ast.Name(id=name)]), iter=value)
            ):
                if _is_of_groups(value, set()) and not isinstance(value, COLLECTIONS):
                    yield name


def _is_of_groups(owner: ast.expr, aliases: set[str]) -> bool:
    """Whether an expression is the list of an optimizer's groups, or a part of it."""
    return any(
        node.attr == "param_groups" if isinstance(node, ast.Attribute) else node.id in aliases
        for node in nodes(owner)
        if isinstance(node, ast.Attribute | ast.Name)
    )


def _holds_parameters(target: ast.expr, aliases: set[str]) -> bool:
    """Whether a target is the list of groups, a group, or the parameters of one, and no other setting of it."""
    part, keys = target, list[ast.expr]()
    while isinstance(part, ast.Subscript):
        keys.append(part.slice)
        part = part.value
    settings = [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return "params" in settings or (not settings and _is_of_groups(part, aliases))


def _replaced(context: Context, statement: ast.stmt, models: set[str]) -> tuple[ast.expr, ast.expr] | None:
    """The part of a model that a statement replaces by a new layer with parameters, or a new parameter."""
    match statement:
        case (
            ast.Assign(targets=[ast.Attribute() | ast.Subscript() as target], value=value)
            | ast.AnnAssign(target=ast.Attribute() | ast.Subscript() as target, value=ast.expr() as value)
        ):
            owner = _owner(target)
            inside = any(owner == model or owner.startswith(f"{model}.") for model in models)
            return (target, value) if inside and has_parameters(context, value) else None
    return None


def _is_frozen(context: Context, target: ast.expr) -> bool:
    """Whether code freezes what is put into a model: itself, the model around it, or both parameters of a layer."""
    name, every = spelled(target), set(frozen(context))
    whole = any(name == each or name.startswith((f"{each}.", f"{each}[")) for each in every)
    return whole or {f"{name}.weight", f"{name}.bias"} <= every


def _is_put_back(body: Sequence[Placed], target: ast.expr) -> bool:
    """Whether later code gives a part of a model something that it does not make there: what was replaced before."""
    for node in (inner for statement in body for inner in ast.walk(statement.node)):
        match node:
            case ast.Assign(targets=[given], value=value) if spelled(given) == spelled(target):
                return not isinstance(value, ast.Call)
            case ast.Call(func=ast.Name(id="setattr"), args=[owner, ast.Constant(value=str(name)), value]):
                if f"{spelled(owner)}.{name}" == spelled(target):
                    return not isinstance(value, ast.Call)
    return False


def _owner(target: ast.expr) -> str:
    """The name of what a target is an attribute or an item of."""
    node = target.value if isinstance(target, ast.Attribute | ast.Subscript) else target
    while isinstance(node, ast.Subscript):
        node = node.value
    return dotted(node)


def has_parameters(context: Context, value: ast.expr) -> bool:
    """Whether an expression makes a parameter that is trained, or a layer with parameters, and does not freeze it."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr not in torch_api.RETURN_THE_MODULE - {"eval"}:
            break
        value = value.func.value
    if not isinstance(value, ast.Call):
        return False
    if context.canonical(value.func) == "torch.nn.Parameter":
        return is_trainable(context, value)
    return is_stateful(context, value, buffers=False)


def _goes_on(body: Sequence[Placed], optimizer: str) -> bool:
    """Whether an optimizer is an attribute of the object, or later code may take steps with it."""
    if optimizer.startswith("self."):
        return True
    inner = [node for statement in body for node in nodes(statement.node)]
    named = {node for node in inner if isinstance(node, ast.Name | ast.Attribute) and dotted(node) == optimizer}
    kept = {node.value for node in inner if isinstance(node, ast.Attribute) and node.attr in NO_STEPS}
    return bool(named - kept)
