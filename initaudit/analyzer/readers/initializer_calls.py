"""Facts about calls of initializers: which, with what arguments, and what these stand for."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.initializer_arguments import ALLOCATIONS
from initaudit.analyzer.source.snippets import FunctionNode, dotted, last_name, nodes
from initaudit.analyzer.syntax.context import Context, own_attribute, own_constructor
from initaudit.naming import blocks
from initaudit.schemes.calls import RENAMED
from initaudit.subjects.calls import Argument, Called, InitializerCall

METHODS = frozenset({"normal_", "uniform_"})
"""Methods of a tensor that are initializers under the same name."""
LONGEST = 400
"""Characters of an expression that is put in the place of a name."""


SCALED = {"torch.randn": "normal_", "torch.randn_like": "normal_"}
"""What draws a new tensor, and the initializer that draws the same in place, around zero."""


@reads(InitializerCall, scope=Context, words="_(")
@reads(InitializerCall, scope=Context, words=("randn( randn_like(", ".weight= .data="))
@reads(InitializerCall, scope=Context, words=("randn(", "/"), nearby="Parameter( requires_grad")
def initializer_calls(context: Context) -> Iterator[InitializerCall]:
    """Calls of ``nn.init.kaiming_normal_`` and kin, and of ``normal_`` and ``uniform_`` on a tensor."""
    wanted = {id(call): function for call in context.calls() if (function := _initializer(context, call)) is not None}
    if wanted or context.holds("randn(") or context.holds("randn_like("):
        yield from _in_order(context, context.snippet.body, _built(context), wanted)


def _initializer(context: Context, call: ast.Call) -> str | None:
    """The name of an initializer that is called, without its module."""
    last = last_name(call.func)
    name = context.canonical(call.func) if last.endswith("_") or isinstance(call.func, ast.Name) else None
    if name is not None:
        return name.removeprefix(torch_api.INIT) if name.startswith(torch_api.INIT) else None
    return last if last in METHODS and isinstance(call.func, ast.Attribute) else None


class Bound:
    """What was assigned to a name, or to an attribute of ``self``, just before, with such names replaced in turn."""

    def __init__(self, values: dict[str, ast.expr] | None = None) -> None:
        self.values = values or {}

    def copied(self) -> Bound:
        return Bound(dict(self.values))

    def meaning(self, node: ast.expr) -> ast.expr:
        """An expression in which names stand for what was assigned to them."""
        if not any(_name(inner) in self.values for inner in nodes(node)):
            return node
        meant = _Substitution(self.values).visit(copy.deepcopy(node))
        return meant if isinstance(meant, ast.expr) else node

    def bind(self, statement: ast.stmt) -> None:
        """Take in what a statement assigns."""
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(
                values
            ):
                pairs = list(zip(targets, values, strict=True))
            case ast.Assign(targets=[target], value=value):
                pairs = [(target, value)]
            case _:
                pairs = []
        meant = [(name, self.meaning(value)) for target, value in pairs if (name := _name(target)) is not None]
        self.forget(statement)
        self.values.update((name, value) for name, value in meant if len(ast.unparse(value)) <= LONGEST)

    def forget(self, statement: ast.stmt) -> None:
        """Drop what a statement, or anything in it, may assign anew, and what was said in such names."""
        if not self.values:
            return
        assigned = {name for node in nodes(statement) for name in _assigned(node)}
        for name, value in list(self.values.items()) if assigned else ():
            if name in assigned or any(_name(inner) in assigned for inner in nodes(value)):
                del self.values[name]


class _Substitution(ast.NodeTransformer):
    def __init__(self, values: dict[str, ast.expr]) -> None:
        self.values = values

    def visit(self, node: ast.AST) -> ast.AST:
        value = self.values.get(_name(node) or "")
        if value is not None:
            return value
        visited: ast.AST = super().visit(node)
        return visited


def _name(node: ast.AST) -> str | None:
    """A name, or an attribute of ``self``."""
    if isinstance(node, ast.Name):
        return node.id
    own = own_attribute(node)
    return f"self.{own}" if own is not None else None


def _assigned(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
            if (name := _name(node)) is not None:
                yield name
        case ast.arg(arg=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
            yield name


def _built(context: Context) -> Bound:
    """The attributes that a class's own constructor sets once, and to what."""
    bound = Bound()
    if context.cls is None or context.definition is None or context.definition.name == "__init__":
        return bound
    init = own_constructor(context.project, context.cls)
    for statement in init.function.body if init is not None and init.function is not None else ():
        bound.bind(statement)
    return Bound({name: value for name, value in bound.values.items() if name.startswith("self.")})


def _in_order(
    context: Context, body: Iterable[ast.stmt], before: Bound, wanted: dict[int, str]
) -> Iterator[InitializerCall]:
    """The calls of a body, where ``before`` holds at its begin."""
    bound = before.copied()
    for statement in body:
        inner = list(blocks(statement))
        if not inner:
            for node in nodes(statement):
                if isinstance(node, ast.Call) and id(node) in wanted:
                    yield _call(context, node, wanted[id(node)], bound)
            assigned = list(_assigned_draw(context, statement, bound))
            yield from assigned or _new_draws(context, statement, bound)
        elif isinstance(statement, ast.For | ast.AsyncFor | ast.While | FunctionNode):
            bound.forget(statement)  # what a round assigns, the next one finds; a parameter hides another name
        for block in inner:
            yield from _in_order(context, block, bound, wanted)
        bound.bind(statement)


def _call(context: Context, node: ast.Call, function: str, bound: Bound) -> InitializerCall:
    given = list(_arguments(context, node, bound))
    first = next(iter((*node.args, *(each.value for each in node.keywords if each.arg is not None))), None)
    if function in METHODS and isinstance(node.func, ast.Attribute) and context.canonical(node.func) is None:
        first = node.func.value
        target = context.snippet.source(first)
        named = [Argument(RENAMED.get(a.keyword or "", a.keyword), a.source, a.meaning) for a in given]
        given = [Argument(None, target, target), *named]
    return InitializerCall(
        place=context.snippet.place(node),
        function=function,
        arguments=tuple(given),
        layer=_layer(context, ast.unparse(first).lstrip("*"), bound) if first is not None else None,
    )


def _new_draws(context: Context, statement: ast.stmt, bound: Bound) -> Iterator[InitializerCall]:
    """``w = torch.randn(n, m) * std``, as ``normal_(w, 0, std)`` on a matrix of these sizes."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        _, scale = (_scaled(context, node) if isinstance(node, ast.BinOp) else None) or ("", None)
        made = _drawn_in(context, node) if isinstance(node, ast.BinOp) else None
        if scale is None or made is None:
            pending += ast.iter_child_nodes(node)
            continue
        tensor = Argument(None, ast.unparse(made), ast.unparse(made))
        yield InitializerCall(
            place=context.snippet.place(node),
            function="normal_",
            arguments=(tensor, Argument(None, "0", "0"), _deviation(context, scale, bound)),
            layer=_matrix(context, made, bound),
        )


def _deviation(context: Context, scale: ast.expr, bound: Bound) -> Argument:
    """The factor of a draw, as the standard deviation that an initializer is given."""
    written = context.snippet.source(scale) if scale in context.snippet.parents else ast.unparse(scale)
    return Argument(None, written, ast.unparse(bound.meaning(scale)))


def _drawn_in(context: Context, product: ast.expr) -> ast.Call | None:
    """The call of ``torch.randn`` in a product."""
    return next(
        (
            each
            for each in nodes(product)
            if isinstance(each, ast.Call) and context.canonical(each.func) == "torch.randn"
        ),
        None,
    )


def _assigned_draw(context: Context, statement: ast.stmt, bound: Bound) -> Iterator[InitializerCall]:
    """``m.weight.data = torch.randn(m.weight.shape) * std``, as ``m.weight.normal_(0, std)``, however it is scaled."""
    match statement:
        case ast.Assign(
            targets=[ast.Attribute(attr="weight") as target] | [ast.Attribute(attr="data", value=target)],
            value=ast.expr() as value,
        ):
            pass
        case _:
            return
    if isinstance(value, ast.Call) and context.canonical(value.func) == "torch.nn.Parameter" and value.args:
        value = value.args[0]
    found = _scaled(context, value)
    function, scale = found if found is not None else ("", None)
    if scale is None or not isinstance(target, ast.Attribute) or target.attr != "weight":
        return
    tensor = context.snippet.source(target)
    yield InitializerCall(
        place=context.snippet.place(value),
        function=function,
        arguments=(Argument(None, tensor, tensor), Argument(None, "0", "0"), _deviation(context, scale, bound)),
        layer=_layer(context, ast.unparse(target), bound),
    )


def _scaled(context: Context, value: ast.expr) -> tuple[str, ast.expr | None] | None:
    """The initializer that draws what a value is a multiple of, and the factor; None for that where there is none."""
    match value:
        case ast.Call(func=made) if (function := SCALED.get(context.canonical(made) or "")) is not None:
            return function, None
        case ast.Call(func=ast.Attribute(value=left, attr="mul" | "mul_"), args=[right]):
            operator: ast.operator = ast.Mult()
        case ast.Call(func=ast.Attribute(value=left, attr="div" | "div_"), args=[right]):
            operator = ast.Div()
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as operator, right=right):
            pass
        case _:
            return None
    drawn, by = _scaled(context, left), right
    if drawn is None and isinstance(operator, ast.Mult):
        drawn, by = _scaled(context, right), left
    if drawn is None:
        return None
    function, scale = drawn
    if scale is None and isinstance(operator, ast.Mult):
        return function, by
    return function, ast.copy_location(ast.BinOp(scale or ast.Constant(1), operator, by), value)


def _arguments(context: Context, node: ast.Call, bound: Bound) -> Iterator[Argument]:
    for arg in node.args:
        yield Argument(None, context.snippet.source(arg), ast.unparse(bound.meaning(arg)))
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield Argument(
                keyword.arg, context.snippet.source(keyword.value), ast.unparse(bound.meaning(keyword.value))
            )


def _matrix(context: Context, made: ast.Call, bound: Bound) -> Called | None:
    """A matrix that a call makes, as a call with its two sizes."""
    match made.args:
        case [ast.Tuple(elts=[first, second]) | ast.List(elts=[first, second])] | [first, second]:
            sizes = [
                Argument(
                    None,
                    context.snippet.source(each) if each in context.snippet.parents else ast.unparse(each),
                    ast.unparse(bound.meaning(each)),
                )
                for each in (first, second)
            ]
            return Called(function="Parameter", arguments=tuple(sizes))
    return None


def _layer(context: Context, tensor: str, bound: Bound) -> Called | None:
    """The call of a torch layer that made the owner of a weight, or of what made the weight itself."""
    parameter = bound.values.get(tensor.removesuffix(".data"))
    match parameter:
        case ast.Call(func=wrapper, args=[ast.Call() as memory, *_]) if (
            context.canonical(wrapper) == "torch.nn.Parameter" and context.canonical(memory.func) in ALLOCATIONS
        ):
            return _matrix(context, memory, bound)
    made = bound.values.get(tensor.removesuffix(".data").removesuffix(".weight"))
    if not isinstance(made, ast.Call) or not dotted(made.func):
        return None
    found = context.resolve(made.func)
    if not isinstance(found, External) or not found.name.startswith("torch.nn."):
        return None
    given: Sequence[tuple[str | None, ast.expr]] = [
        *((None, value) for value in made.args),
        *((keyword.arg, keyword.value) for keyword in made.keywords),
    ]
    return Called(
        function=found.name.removeprefix("torch.nn."),
        arguments=tuple(Argument(keyword, ast.unparse(value), ast.unparse(value)) for keyword, value in given),
    )
