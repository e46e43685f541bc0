"""The random initializations in code, with what is known of the layers whose parameters they write."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.source.snippets import FunctionNode, defaults, dotted, last_name, nodes, parameters
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.walks import written
from initaudit.analyzer.torch_api import DRAWS

DRAWN = groups("normal_( uniform_( orthogonal_(")
REPLACED = groups(("weight", "randn( rand( normal("))
RANDOM = {"torch.randn", "torch.rand", "torch.normal"}
AROUND = {"randn", "rand", "normal", "Parameter", "sqrt", "mul", "mul_", "div", "div_", "to", "float", "size", "len"}
"""What stands around random values without a value of its own."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Random values for all of ``owner.parameter``, where the owner ("module", "self.embed") may be of some classes."""

    node: ast.Call | ast.Assign
    owner: str
    parameter: str
    call: str
    mean: float | None
    layers: tuple[str, ...]


def draws(context: Context) -> Iterator[Draw]:
    """Yield the draws for parameters by their names."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for call in step.calls():
            if last_name(call.func) in DRAWS and (draw := _drawn(meanings, step, call)) is not None:
                yield draw


def _drawn(meanings: Meanings, step: Step, call: ast.Call) -> Draw | None:
    """The draw that a call makes."""
    context, target = meanings.context, written(meanings.context, call)
    given = tensor_of(target) if target is not None else None
    if given is None:
        return None
    of_init = not isinstance(call.func, ast.Attribute) or context.resolve(call.func) is not None
    by = f"{'init' if of_init else 'Tensor'}.{last_name(call.func)}"
    owner = meanings.meaning(ast.parse(given[0], mode="eval").body, step.names)
    layers = owner.kinds if owner is not None and owner.what is What.MODULE else ()
    return Draw(call, *given, by, mean(context, by, call.args[of_init:], call.keywords), layers)


def replacements(context: Context) -> Iterator[Draw]:
    """Yield the tensors of random values alone that take the place of all values of a parameter."""
    for node in context.walk():
        match node:
            case ast.Assign(targets=[target], value=value):
                given = tensor_of(target)
            case ast.Call(func=ast.Attribute(attr="copy_", value=target), args=[value]):
                given = tensor_of(target)
            case _:
                continue
        calls = [each for each in nodes(value) if isinstance(each, ast.Call)] if given is not None else []
        made = next((each for each in calls if context.canonical(each.func) in RANDOM), None)
        if given is not None and made is not None and all(last_name(each.func) in AROUND for each in calls):
            yield Draw(node, *given, last_name(made.func), None, ())


def tensor_of(node: ast.expr) -> tuple[str, str] | None:
    """The owner and the name of a parameter, all of which an expression stands for."""
    while isinstance(node, ast.Attribute) and node.attr == "data":
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "detach":
        return tensor_of(node.func.value)
    match node:
        case ast.Subscript(
            value=ast.Call(func=ast.Attribute(attr="state_dict", value=state), args=[], keywords=[]),
            slice=ast.Constant(value=str(key)),
        ) if all(map(str.isidentifier, key.split("."))):
            owner, _, parameter = f"{dotted(state)}.{key}".rpartition(".")
        case ast.Attribute(value=value, attr=parameter):
            owner = dotted(value)
        case _:
            return None
    return (owner, parameter) if owner and not owner.startswith(".") else None


def mean(context: Context, by: str, arguments: Sequence[ast.expr], named: Sequence[ast.keyword]) -> float | None:
    """The mean of what an initializer draws, where its arguments say, or the defaults of those around it."""
    name = by.rpartition(".")[2]
    keywords = {each.arg: _usual(context, each.value) for each in named if each.arg is not None}
    values = [_usual(context, each) for each in arguments]
    if name in ("normal_", "trunc_normal_"):
        given = values[0] if values else keywords.get("mean")
        return 0.0 if given is None else _number(given)
    if name != "uniform_":
        return 0.0
    low, high = _bounds(values, keywords)
    if low is not None and high is not None and _opposite(low, high):
        return 0.0
    bounds = [default if bound is None else _number(bound) for bound, default in ((low, 0.0), (high, 1.0))]
    return None if bounds[0] is None or bounds[1] is None else (bounds[0] + bounds[1]) / 2


def _bounds(values: Sequence[ast.expr], keywords: Mapping[str, ast.expr]) -> tuple[ast.expr | None, ast.expr | None]:
    low, high = [*values, None, None][:2]
    return low or keywords.get("a") or keywords.get("from"), high or keywords.get("b") or keywords.get("to")


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) else None


def _opposite(low: ast.expr, high: ast.expr) -> bool:
    """Whether bounds are written ``-x, x``."""
    return isinstance(low, ast.UnaryOp) and isinstance(low.op, ast.USub) and ast.dump(low.operand) == ast.dump(high)


def _usual(context: Context, node: ast.expr) -> ast.expr:
    """The default of an argument that a call in the file leaves as it is; else the expression itself."""
    if not isinstance(node, ast.Name):
        return node
    around = [each for each in context.walk() if isinstance(each, FunctionNode) and node in nodes(each)]
    function = next((each for each in reversed(around) if node.id in [param.arg for param in parameters(each)]), None)
    default = defaults(function.args).get(node.id) if function is not None else None
    if function is None or default is None or _stores(function, node.id):
        return node
    names = [param.arg for param in parameters(function)]
    position = names.index(node.id) - (names[0] in ("self", "cls"))
    calls = [
        each
        for start, end, _ in scopes_holding(context.module, groups(function.name))
        if (snippet := context.module.quiet_snippet(start, end)) is not None
        for each in snippet.nodes
        if isinstance(each, ast.Call)
    ]
    return default if any(_leaves(call, function.name, position, node.id) for call in calls) else node


def _leaves(call: ast.Call, function: str, position: int, name: str) -> bool:
    """Whether a call calls a function, or hands it on, and does not say what one of its arguments is."""
    if any(each.arg in (None, name) for each in call.keywords) or ast.Starred in map(type, call.args):
        return False
    if last_name(call.func) == function:
        return len(call.args) <= position
    return any(last_name(each) == function for each in call.args if isinstance(each, ast.Name | ast.Attribute))


def _stores(function: FunctionNode, name: str) -> bool:
    """Whether a function gives one of its arguments another value."""
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name for node in nodes(function)
    )
