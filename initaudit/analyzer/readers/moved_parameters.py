"""Tensors that are computed from a new parameter and take its place: ``nn.Parameter(values).to(device)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import FunctionNode, begin, dotted, end, inner_nodes, nodes, parameters
from initaudit.analyzer.syntax.context import Context, function_context, method, own_attribute, stretches
from initaudit.analyzer.syntax.functions import own_nodes
from initaudit.analyzer.syntax.tensor_uses import in_optimizer
from initaudit.finding import Place
from initaudit.subjects.registration import MovedParameter

PARAMETER = "torch.nn.Parameter"
DEVICES = {"to", "cuda", "xpu", "npu"}
TYPES = {"half", "bfloat16", "double"}
VIEWS = {"clone", "expand", "flatten", "permute", "repeat", "reshape", "squeeze", "t", "transpose", "unsqueeze", "view"}
KEEPS = {"requires_grad_", "share_memory_"}
"""Methods that return the same object."""
STAYS = {"to", "cpu", "float"}
"""Methods that may return the same tensor, by what they are asked for, and where a parameter is made."""
DEFAULT_TYPES = {"torch.float", "torch.float32", "torch.get_default_dtype"}
OTHER_TYPES = {f"torch.{name}" for name in ("float16", "half", "bfloat16", "float64", "double")}
NEW = {each for each in torch_api.NEW_TENSOR_FACTORIES if not each.endswith("_like")} | {
    "torch.tensor", "torch.Tensor", "torch.FloatTensor", "torch.from_numpy",
}  # fmt: skip
"""What makes tensors on the CPU, unless it is told otherwise."""
OPERATORS = {ast.Add: "`+`", ast.Sub: "`-`", ast.Mult: "`*`", ast.Div: "`/`", ast.MatMult: "`@`", ast.Pow: "`**`"}


@dataclass(frozen=True, slots=True)
class Moved:
    """The call that makes a tensor to be trained, what makes another tensor of it, and whether it always does."""

    made: ast.expr
    how: str
    certain: bool


@reads(MovedParameter, scope=Context, words="Parameter(")
def moved_parameters(context: Context) -> Iterator[MovedParameter]:
    """Attributes that are given the result of an operation on a new parameter, while a module is made or later."""
    if context.cls is None:
        return
    constructs, later = _constructs(context), _left_for_later(context)
    if not constructs and not later:
        return
    for node in context.walk():
        for text, value, registers in _registered(context, node, later, constructs=constructs):
            for outcome in _outcomes(value):
                moved = moved_from(context, outcome)
                if moved is not None and _is_call_of(context, moved.made, PARAMETER):
                    yield MovedParameter(
                        place=context.snippet.place(outcome),
                        target=text,
                        made=context.snippet.source(moved.made),
                        how=moved.how,
                        certain=moved.certain,
                        placed=not moved.certain and _is_given_values(context, moved.made),
                        model=context.cls.qualname,
                        registers=registers,
                    )


def _is_given_values(context: Context, made: ast.expr) -> bool:
    """Whether a parameter is made of what the method is given, by whoever may have put it on the device already.

    What functions of torch make new is on the CPU, and so is all that is computed with it.
    """
    function = context.function
    names = {each.arg for each in parameters(function)} - {"self"} if function is not None else set()
    pending, seen, given = list[ast.AST](getattr(made, "args", [])[:1]), set[str](), False
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call) and (context.canonical(node.func) or "") in NEW:
            return False
        if isinstance(node, ast.Name) and node.id not in seen:
            seen.add(node.id)
            given = given or node.id in names
            pending += [each.value for each in context.walk() if isinstance(each, ast.Assign) and _binds(each, node.id)]
        else:
            pending += inner_nodes(node)
    return given


def _binds(assignment: ast.Assign, name: str) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == name for target in assignment.targets for each in nodes(target)
    )


def _registered(
    context: Context, node: ast.AST, later: set[str], *, constructs: bool
) -> Iterator[tuple[str, ast.expr, bool]]:
    """What a statement or a call gives the module, the value of each, and whether it is to be registered."""
    match node:
        case ast.Assign(targets=targets, value=value):
            pairs = [pair for target in targets for pair in _pairs(target, value)]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            pairs = [(target, value)]
        case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id="self"), name_of, value]) if constructs:
            yield f"setattr(self, {context.snippet.source(name_of)})", value, False
            return
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="self"), attr="register_parameter"), args=[name_of, value]
        ) if constructs:
            yield context.snippet.source(name_of), value, True
            return
        case _:
            return
    for given, value in pairs:
        name = own_attribute(given)
        if not isinstance(given, ast.Attribute) or name is None or (not constructs and name not in later):
            continue
        if not _is_taken_up(context, given, name):
            yield f"self.{name}", value, False


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What an assignment gives each of its targets; of several at once those that stand opposite their values."""
    match target, value:
        case (ast.Tuple(elts=names) | ast.List(elts=names), ast.Tuple(elts=values) | ast.List(elts=values)):
            starred = any(isinstance(each, ast.Starred) for each in (*names, *values))
            if not starred and len(names) == len(values):
                for name, one in zip(names, values, strict=True):
                    yield from _pairs(name, one)
        case _:
            yield target, value


def _outcomes(value: ast.expr) -> Iterator[ast.expr]:
    """The expressions of which an expression may have the value: both sides of a condition, those of ``or``."""
    match value:
        case ast.IfExp(body=one, orelse=other):
            inner = [one, other]
        case ast.BoolOp(values=inner):
            pass
        case ast.NamedExpr(value=named):
            inner = [named]
        case ast.ListComp(elt=item):
            inner = [item]
        case _:
            yield value
            return
    for each in inner:
        yield from _outcomes(each)


@reads(MovedParameter, scope=Context, words=("requires_grad Parameter(", "optim grad"))
def moved_variables(context: Context) -> Iterator[MovedParameter]:
    """Variables that are trained, and are the result of an operation on the tensor that requires a gradient."""
    for node in context.walk():
        match node:
            case (
                ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=value)
                | ast.AnnAssign(target=ast.Name() | ast.Attribute() as target, value=ast.expr() as value)
            ):
                outcomes = _outcomes(value)
            case _:
                continue
        for outcome in outcomes:
            before = _made_before(context, node, target)
            moved = moved_from(context, outcome, {dotted(target): before} if before is not None else None)
            if moved is None or (own_attribute(target) and _is_call_of(context, moved.made, PARAMETER)):
                continue
            trained = _trained(context, node, dotted(target), bound=1 if before is None else 2)
            if trained is not None:
                yield MovedParameter(
                    place=context.snippet.place(outcome),
                    target=dotted(target),
                    made=context.snippet.source(moved.made),
                    how=moved.how,
                    certain=moved.certain,
                    trained=trained,
                )


def _made_before(context: Context, assignment: ast.stmt, target: ast.expr) -> ast.expr | None:
    """The tensor that a name was given before it is given a result of it: ``w = w.cuda()``."""
    name = dotted(target)
    value = getattr(assignment, "value", None)
    inside = ast.walk(value) if isinstance(value, ast.expr) else ()
    if not any(isinstance(each, ast.Name | ast.Attribute) and dotted(each) == name for each in inside):
        return None
    earlier = [each for each in _assigned(context, name) if each is not value and begin(each) < begin(assignment)]
    return earlier[0] if len(earlier) == 1 and is_trainable(context, earlier[0]) else None


@reads(MovedParameter, scope=Context, words=("Parameter(", "return"))
def moved_by_helpers(context: Context) -> Iterator[MovedParameter]:
    """The same in a function whose result the constructor of a module gives to an attribute."""
    inside = [node for node in context.walk() if isinstance(node, ast.FunctionDef)]
    for helper in [context.function, *inside] if context.function is not None else ():
        moving = [(outcome, moved) for outcome in _returned(helper) if (moved := moved_from(context, outcome))]
        found = next(_given_to(context, helper), None) if moving else None
        for outcome, moved in moving if found is not None else ():
            if found is not None and _is_call_of(context, moved.made, PARAMETER):
                yield MovedParameter(
                    place=context.snippet.place(outcome),
                    target=found[0],
                    made=context.snippet.source(moved.made),
                    how=moved.how,
                    certain=moved.certain,
                    model=found[1].qualname,
                )


def _returned(helper: FunctionNode) -> Iterator[ast.expr]:
    """The expressions that a function returns; of a variable what it is given, if that happens once."""
    inside = list(own_nodes(helper))
    given: dict[str, list[ast.expr]] = {}
    for node in inside:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                given.setdefault(name, []).append(value)
            case _:
                pass
    stored = [each.id for each in inside if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]
    for node in inside:
        match node:
            case ast.Return(value=ast.Name(id=name)) if len(given.get(name, ())) == 1 == stored.count(name):
                yield from _outcomes(given[name][0])
            case ast.Return(value=ast.expr() as value):
                yield from _outcomes(value)
            case _:
                pass


def _given_to(context: Context, helper: FunctionNode) -> Iterator[tuple[str, Defined]]:
    """The attributes of modules that a constructor gives what a function returns, each with its class."""
    project, module = context.project, context.module
    is_method = helper is context.function and context.cls is not None
    if context.cls is not None:
        classes = [context.cls]
    else:
        named = (each for each in module.outline.classes() if helper.name in module.usage(each).called)
        classes = [Defined(module, each) for each in named]
    for cls in classes:
        found = project.method(cls, "__init__") if project.is_module_class(cls) else None
        constructor = function_context(project, found) if isinstance(found, Defined) else None
        for node in constructor.walk() if constructor is not None else ():
            match node:
                case (
                    ast.Assign(targets=[ast.Attribute() as target], value=ast.Call(func=called))
                    | ast.AnnAssign(target=ast.Attribute() as target, value=ast.Call(func=called))
                ):
                    name, own = own_attribute(target), own_attribute(called)
                    calls = own == helper.name if is_method else dotted(called) == helper.name
                    if name and constructor and calls and not _is_taken_up(constructor, target, name):
                        yield f"self.{name}", cls
                case _:
                    pass


def _constructs(context: Context) -> bool:
    """Whether a method is a module's constructor, or one that it calls."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.decorator_list or not context.project.is_module_class(cls):
        return False
    if function.name == "__init__":
        return True
    constructor = method(context, "__init__")
    return constructor is not None and any(own_attribute(call.func) == function.name for call in constructor.calls())


def _left_for_later(context: Context) -> set[str]:
    """The attributes that a module's constructor sets to None, for another method to make them."""
    if context.cls is None or not context.project.is_module_class(context.cls):
        return set()
    constructor = method(context, "__init__")
    statements = constructor.walk() if constructor is not None else ()
    return {
        name
        for node in statements
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is None
        for target in node.targets
        if (name := own_attribute(target)) is not None
    }


def _is_taken_up(context: Context, target: ast.Attribute, name: str) -> bool:
    """Whether the same method makes something of an attribute again, by its value or its name."""
    for node in context.walk():
        match node:
            case ast.Assign(targets=targets, value=value) if target not in targets:
                again = any(own_attribute(each) == name for each in targets)
                if again and any(own_attribute(inner) == name for inner in ast.walk(value)):
                    return True
            case ast.Call(func=ast.Attribute(attr="register_parameter"), args=[ast.Constant(value=said), *_]):
                if said == name:
                    return True
    return False


def _trained(context: Context, assignment: ast.stmt, name: str, *, bound: int) -> Place | None:
    """Where an optimizer is given a name that is assigned once, or where its gradient is read.

    ``bound`` says how often it is assigned in all.
    """
    parents = context.snippet.parents
    uses = [node for node in context.walk() if isinstance(node, ast.Name | ast.Attribute) and dotted(node) == name]
    given = (ast.Assign, ast.AnnAssign, ast.For, ast.NamedExpr, ast.withitem)
    stored = [node for node in uses if not isinstance(node.ctx, ast.Load) and isinstance(parents.get(node), given)]
    if len(stored) != bound:
        return None
    asked = {parent.attr for node in uses if isinstance(parent := parents.get(node), ast.Attribute)}
    if asked & {"retain_grad", "data", "grad_fn", "is_leaf", "detach_"}:
        return None
    later = [node for node in uses if isinstance(node.ctx, ast.Load) and begin(node) > end(assignment)]
    optimized = next((node for node in later if in_optimizer(context, node)), None)
    read = (node for node in later if isinstance(up := parents.get(node), ast.Attribute) and up.attr == "grad")
    if (found := optimized or next(read, None)) is not None:
        return context.snippet.place(found)
    return _walked_for_gradient(context, name) if context.function is None else None


def _walked_for_gradient(context: Context, name: str) -> Place | None:
    """Where code of the file goes over global variables, this one among them, and reads the gradient of each."""
    for part in context.module.parts_naming(name):
        snippet = context.module.quiet_snippet(*part)
        if snippet is None:
            continue
        for loop in snippet.nodes:
            match loop:
                case ast.For(target=ast.Name(id=each), iter=ast.Tuple(elts=items) | ast.List(elts=items), body=body):
                    inside = (inner for statement in body for inner in ast.walk(statement))
                    reads = any(isinstance(node, ast.Attribute) and dotted(node) == f"{each}.grad" for node in inside)
                    found = next((item for item in items if dotted(item) == name), None)
                    if reads and found is not None:
                        return snippet.place(found)
                case _:
                    pass
    return None


def moved_from(context: Context, value: ast.expr, known: Mapping[str, ast.expr] | None = None) -> Moved | None:
    """What makes another tensor of a new one that requires a gradient, if an expression is no more than that.

    ``known`` are tensors that names stand for.
    """
    how, certain = "", False
    while not is_trainable(context, value):
        match value:
            case ast.Call(func=ast.Attribute(attr=name, value=inner)) if context.resolve(value.func) is None:
                if name not in KEEPS | VIEWS | DEVICES | TYPES | STAYS:
                    return None  # a detached value is no parameter on purpose
                if name not in KEEPS:
                    changes = name in VIEWS or _moves(context, name, value)
                    if changes is not False:
                        certain = certain or changes is True
                        how = how or f"`.{name}({', '.join(map(context.snippet.source, _given(value)))})`"
                elif any(not isinstance(each, ast.Constant) or not each.value for each in _given(value)):
                    return None
                value = inner
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
                sides = [side for side in (left, right) if _holds_trainable(context, side)]
                if len(sides) != 1:
                    return None
                how, certain, value = how or OPERATORS[type(operator)], True, sides[0]
            case ast.Name() | ast.Attribute() if how and known and dotted(value) in known:
                value = known[dotted(value)]
            case ast.IfExp() | ast.BoolOp() | ast.NamedExpr() if how:
                value = next((each for each in _outcomes(value) if _holds_trainable(context, each)), ast.Constant(None))
            case _:
                return None
    return Moved(value, how, certain) if how else None


def _holds_trainable(context: Context, node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Call) and is_trainable(context, inner) for inner in ast.walk(node))


def is_trainable(context: Context, node: ast.expr) -> bool:
    """Whether an expression is a call of torch that makes a tensor which requires a gradient."""
    if not isinstance(node, ast.Call):
        return False
    name = context.canonical(node.func)
    if name is None or not name.startswith("torch."):
        return False
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if name == PARAMETER and len(node.args) > 1:
        given["requires_grad"] = node.args[1]
    asked = given.get("requires_grad", ast.Constant(name == PARAMETER))
    return None not in given and isinstance(asked, ast.Constant) and asked.value is True


def _is_call_of(context: Context, node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and context.canonical(node.func) == name


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _moves(context: Context, name: str, call: ast.Call) -> bool | None:
    """Whether a method makes a new tensor: None if that depends on where it runs."""
    placed = name in DEVICES and any(_is_placed(context, each) for each in ast.walk(call.func))
    if name != "to":
        return name in DEVICES | TYPES and not placed
    asked = [value for value in _given(call) if not isinstance(value, ast.Constant) or isinstance(value.value, str)]
    asked = [value for value in asked if not (placed and _is_device(context, value))]
    if not asked or all(_is_default(context, value) for value in asked):
        return False
    certain = (
        str(value.value).startswith("cuda")
        if isinstance(value, ast.Constant)
        else context.canonical(value) in OTHER_TYPES
        for value in asked
    )
    return True if any(certain) else None


def _is_placed(context: Context, node: ast.AST) -> bool:
    """Whether a call makes a tensor on a device, or moves one there, so that it need not be moved once more."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr in DEVICES:
        return any(_is_device(context, each) for each in _given(node)) if node.func.attr == "to" else True
    made_there = (context.canonical(node.func) or "").startswith("torch.cuda.")
    return made_there or any(each.arg == "device" and _is_device(context, each.value) for each in node.keywords)


def _is_device(context: Context, value: ast.expr) -> bool:
    """Whether what a tensor is moved to is a device other than the CPU: nothing that is called a type."""
    name = context.canonical(value)
    is_type = name.startswith("torch.") if name is not None else "dtype" in dotted(value)
    is_switch = isinstance(value, ast.Constant) and not isinstance(value.value, str)
    return not is_type and not is_switch and not _is_default(context, value)


def _is_default(context: Context, value: ast.expr) -> bool:
    """Whether an expression is the CPU, or the type that tensors have by default."""
    if isinstance(value, ast.Call):
        if context.canonical(value.func) == "torch.device" and value.args:
            return _is_default(context, value.args[0])
        value = value.func
    if isinstance(value, ast.Constant):
        return value.value == "cpu"
    if context.canonical(value) in DEFAULT_TYPES:
        return True
    given = [each for each in _assigned(context, dotted(value)) if each is not value]
    return bool(given) and all(not isinstance(each, ast.Name) and _is_default(context, each) for each in given)


def _assigned(context: Context, name: str) -> Iterator[ast.expr]:
    """What a name is given in a method, or at the top level of its file."""
    for scope in (context, *stretches(context)) if name else ():
        yield from scope.assigned(name)
