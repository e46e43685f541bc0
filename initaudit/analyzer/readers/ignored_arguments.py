"""Arguments of constructors that say how to initialize, and that nothing heeds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import defaults, dotted, last_name, parameters
from initaudit.analyzer.syntax.context import Context, first_parameter, in_order, method, own_attribute
from initaudit.analyzer.syntax.elsewhere import is_read_anywhere
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.calls import IgnoredArgument

ABOUT_VALUES = re.compile(
    r"^(?:\w+_)?init(?:ial)?_(?:values?|scale|gamma|bias|constant)(?:_\w+)?$|^(?:\w+_)?init_value$"
)
ABOUT_SCALE = re.compile(r"^(?:\w+_)?init(?:ial|ializer)?_(?:std|sigma|range|gain)(?:_\w+)?$|^(?:weight|std)_init_std$")
CONSTANTS = {"ones_", "zeros_", "constant_", "fill_", "zero_"}
DRAWS = {"normal_", "trunc_normal_"}
OF_NAMES = {"ones": 1.0, "ones_": 1.0, "zeros": 0.0, "zeros_": 0.0, "zero_": 0.0}
OF_ONE_NUMBER = {"torch.ones", "torch.zeros"}
INITIALIZING = re.compile(r"init|reset")
SAYING = "value scale gamma bias constant std sigma range gain"
"""What stands behind the word for initial in the name of such an argument."""
NAMES = " ".join(f"{word}_{of}" for word in ("init", "initial", "initializer") for of in SAYING.split())


@dataclass(frozen=True, slots=True)
class Constant:
    """A write of ``self.target`` by a call in which nothing but numbers stands."""

    node: ast.Call
    target: str | None
    source: str
    context: Context

    @property
    def numbers(self) -> set[float]:
        """The numbers that are written."""
        given = [*self.node.args, *(keyword.value for keyword in self.node.keywords)]
        return {OF_NAMES[name]} if (name := last_name(self.node.func)) in OF_NAMES else _numbers(given)


@reads(IgnoredArgument, scope=Context, words=NAMES, named="__init__")
def ignored_arguments(context: Context) -> Iterator[IgnoredArgument]:
    """Arguments of a constructor that say how to initialize, where the initializer writes a constant instead."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__":
        return
    for param in parameters(function):
        values = ABOUT_VALUES.match(param.arg) is not None
        if not values and ABOUT_SCALE.match(param.arg) is None:
            continue
        uses = _uses(function, param.arg)
        if uses is None:
            continue
        multiplied, stored = uses
        unread = not (multiplied or stored)
        if any(is_read_anywhere(context, name) for name in stored) or (unread and not _is_plain(context)):
            continue
        default = _numbers([found]) if (found := defaults(function.args).get(param.arg)) is not None else set()
        for constant in _constants(context, CONSTANTS if values else DRAWS):
            if (multiplied and constant.target not in multiplied) or _is_of_bias(constant) > ("bias" in param.arg):
                continue
            if unread and (not default or default & constant.numbers):
                continue  # nothing says that another number is meant
            yield IgnoredArgument(
                place=constant.context.snippet.place(constant.node),
                model=cls.qualname,
                parameter=constant.target,
                argument=param.arg,
                written=constant.source,
            )
            break


def _numbers(nodes: list[ast.expr]) -> set[float]:
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)}


def _is_plain(context: Context) -> bool:
    """Whether the class derives from ``nn.Module`` alone, so that no other class says what its constructor takes."""
    order = context.project.mro(context.cls) if context.cls is not None else None
    return order is not None and not any(isinstance(base, Defined) for base in order[1:])


def _is_of_bias(constant: Constant) -> bool:
    """Whether what is written is called a bias."""
    return any("bias" in name for name in usage([constant.node]).names)


def _uses(function: ast.AST, name: str) -> tuple[set[str], set[str]] | None:
    """The parameters whose first values an argument goes into and the attributes that store it; None for other uses."""
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    multiplied: set[str] = set()
    stored: set[str] = set()
    for statement in in_order(function.body):
        for part in _parts(statement):
            if not any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(part)):
                continue
            match statement:
                case ast.Assign(targets=[target], value=value) if (attribute := own_attribute(target)) is not None:
                    if isinstance(value, ast.Name):
                        stored.add(attribute)
                    elif _is_parameter(value):
                        multiplied.add(attribute)
                    else:
                        return None
                case _:
                    return None
    return multiplied, stored


def _parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """What a statement holds of its own, without the statements inside of it."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child


def _is_parameter(value: ast.expr) -> bool:
    """Whether an expression makes a parameter."""
    return isinstance(value, ast.Call) and last_name(value.func) == "Parameter"


def _constants(context: Context, names: set[str]) -> Iterator[Constant]:
    """What the initializers that a constructor runs write by numbers that stand in them, whatever else holds."""
    assert context.cls is not None
    own = [context]
    function = context.function
    for statement in function.body if function is not None else ():
        match statement:
            case ast.Expr(value=ast.Call(func=called, args=[])) if (name := own_attribute(called)) is not None:
                found = method(context, name) if INITIALIZING.search(name) else None
                own += [found] if found is not None else []
            case ast.Expr(value=ast.Call(func=called, args=[given])) if (
                own_attribute(called) == "apply" and (name := own_attribute(given)) is not None
            ):
                found = method(context, name)
                if found is not None and found.function is not None:
                    for inner in in_order(found.function.body):
                        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
                            yield from _constant(found, inner.value, names & DRAWS)
            case _:
                pass
    if names is CONSTANTS:
        yield from _only_parameter(context)
    for each in own:
        assert each.function is not None
        for statement in each.function.body:
            for inner in statement.body if isinstance(statement, ast.With) else [statement]:
                if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
                    yield from _constant(each, inner.value, names)


def _only_parameter(context: Context) -> Iterator[Constant]:
    """What the only parameter that a constructor makes starts as, where that is a number."""
    match [node for node in context.walk() if isinstance(node, ast.Assign) and _is_parameter(node.value)]:
        case [ast.Assign(targets=[target], value=ast.Call(args=[ast.Call(func=factory) as made]))]:
            if context.canonical(factory) in OF_ONE_NUMBER:
                yield Constant(made, own_attribute(target), context.snippet.source(made), context)
        case _:
            pass


def _constant(context: Context, call: ast.Call, names: set[str]) -> Iterator[Constant]:
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in names:
        return
    initializer = context.canonical(call.func)
    target: ast.expr | None = call.func.value
    arguments = call.args
    if initializer is not None and initializer.startswith("torch.nn.init."):
        target, arguments = (call.args[0], call.args[1:]) if call.args else (None, [])
    while isinstance(target, ast.Attribute) and target.attr == "data":
        target = target.value
    given = [*arguments, *(keyword.value for keyword in call.keywords)]
    if target is not None and all(isinstance(node, ast.Constant) for node in given):
        yield Constant(call, own_attribute(target), context.snippet.source(call), context)


SCHEME = re.compile(
    r"^(?:\w+_)?init(?:ial)?(?:ialization|izer)?(?:_(?:type|mode|method|scheme|weights?))?$|^scheme$", re.IGNORECASE
)
"""Names of arguments that choose how to initialize."""


@reads(IgnoredArgument, scope=Context, words="init Init scheme", nearby="reset_parameters( init*(", named="__init__")
def ignored_schemes(context: Context) -> Iterator[IgnoredArgument]:
    """Arguments that choose the values of a parameter, which a method that is called behind that overwrites."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__":
        return
    for param in parameters(function):
        if not SCHEME.match(param.arg):
            continue
        chosen = _chosen(context, function, param.arg)
        stored = {
            name
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Tuple)
            for name, value in _pairs(node)
            if isinstance(value, ast.Name) and value.id == param.arg
        }
        for called in _called_last(context, function) if chosen else ():
            assert called.function is not None
            if stored & set(_own_reads(called.function)):
                continue
            for statement in called.function.body:
                if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
                    continue
                target = own_attribute(target_of(called, statement.value))
                if target in chosen:
                    yield IgnoredArgument(
                        place=called.snippet.place(statement),
                        model=cls.qualname,
                        parameter=target,
                        argument=param.arg,
                        written=called.snippet.source(statement),
                        chooses=True,
                    )
                    break


def target_of(context: Context, call: ast.Call) -> ast.expr:
    """What a call writes in place, as a whole."""
    return written(context, call) or ast.Constant(None)


def _pairs(node: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """The attributes of ``self`` that an assignment gives a value, one by one, and the value."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = zip(target.elts, node.value.elts, strict=False)
        else:
            pairs = zip([target], [node.value], strict=True)
        for each, value in pairs:
            if (name := own_attribute(each)) is not None:
                yield name, value


def _chosen(context: Context, function: ast.FunctionDef | ast.AsyncFunctionDef, argument: str) -> set[str]:
    """The parameters whose values depend on a comparison of an argument with a text."""
    local: set[str] = set()
    chosen: set[str] = set()
    for node in in_order(function.body):
        if isinstance(node, ast.If) and _compares(node.test, argument):
            for inner in in_order([*node.body, *node.orelse]):
                if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
                    drawn = own_attribute(target_of(context, inner.value))
                    chosen |= {drawn} if drawn is not None else set()
                if isinstance(inner, ast.Assign):
                    local |= {
                        each.id for target in inner.targets for each in ast.walk(target) if isinstance(each, ast.Name)
                    }
        elif isinstance(node, ast.Assign) and _is_parameter(node.value) and local & set(_names(node.value)):
            chosen |= {name for name, _ in _pairs(node)}
    return chosen


def _names(node: ast.AST) -> Iterator[str]:
    return (each.id for each in ast.walk(node) if isinstance(each, ast.Name) and each.id != "self")


def _compares(test: ast.expr, argument: str) -> bool:
    return any(
        isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and node.left.id == argument
        and isinstance(node.comparators[0], ast.Constant)
        and isinstance(node.comparators[0].value, str)
        for node in ast.walk(test)
    )


def _called_last(context: Context, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Context]:
    """The methods that a constructor calls at its own level, with no argument."""
    for statement in function.body:
        match statement:
            case ast.Expr(value=ast.Call(func=called, args=[], keywords=[])) if name := own_attribute(called):
                found = method(context, name)
                if found is not None and found.function is not None:
                    yield found
            case _:
                pass


def _own_reads(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        name = own_attribute(node)
        if name is not None:
            yield name


UNREAD = re.compile(r"^(?:\w+_)?(?:zero_?init|init_zeros?)(?:_\w+)?$|^dt_(?:min|max)$")
"""Names of arguments that ask for zeros, or say between which values step sizes start."""
ZEROS = re.compile(r"zeros?(?!_?init)|^constant_$|^fill_$")


@reads(IgnoredArgument, scope=Context, words="zero_init zeroinit init_zero dt_min dt_max", named="__init__")
def unread_requests(context: Context) -> Iterator[IgnoredArgument]:
    """``zero_init_residual=True`` of a constructor that never reads it, in a class that writes no zeros."""
    function, cls = context.function, context.cls
    if function is None or cls is None or function.name != "__init__" or not _is_plain(context):
        return
    usual, used = defaults(function.args), cls.module.usage(cls.definition)
    for param in parameters(function):
        default, zeros = usual.get(param.arg), not param.arg.startswith("dt_")
        asked = isinstance(default, ast.Constant) and (
            default.value is True or (not zeros and default.value is not None)
        )
        writes_zeros = any(ZEROS.search(name) for name in used.names - {param.arg})
        if not asked or not UNREAD.match(param.arg) or (zeros and writes_zeros):
            continue
        if not any(isinstance(node, ast.Name) and node.id in (param.arg, "locals") for node in context.walk()):
            yield IgnoredArgument(
                place=context.snippet.place(param),
                model=cls.qualname,
                parameter=None,
                argument=param.arg,
                written="",
            )
            return


SPREADS = {"gain", "std", "scale", "val", "value", "sigma", "init_std", "init_scale", "bias_const", "bias_value"}
"""Arguments of a function that initializes a layer which say with which number."""


@reads(IgnoredArgument, scope=Context, words="_(", nearby="gain= std= scale= val= value= sigma= init_std= bias_const=")
def unread_arguments(context: Context) -> Iterator[IgnoredArgument]:
    """Functions that initialize a layer and never read the number that a caller in the file gives them for that."""
    function, definition = context.function, context.definition
    if function is None or definition is None or context.cls is not None or function.decorator_list:
        return
    read = {node.id for node in context.walk() if isinstance(node, ast.Name)}
    unread = {param.arg for param in parameters(function)[1:] if param.arg in SPREADS - read}
    first = first_parameter(context)
    drawn = [
        call
        for call in context.calls()
        if (target := written(context, call)) is not None and dotted(target).partition(".")[0] == first
    ]
    if not unread or not drawn or "locals" in read or definition.parent is not None:
        return
    for start, end, _ in scopes_holding(context.module, ((definition.name,),)):
        snippet = context.module.quiet_snippet(start, end)
        for call in snippet.nodes if snippet is not None else ():
            if not isinstance(call, ast.Call) or dotted(call.func) != definition.name:
                continue
            given = next((each.arg for each in call.keywords if each.arg in unread), None)
            if given is not None:
                yield IgnoredArgument(
                    place=context.snippet.place(drawn[0]),
                    model=definition.name,
                    parameter=None,
                    argument=given,
                    written=context.snippet.source(drawn[0]),
                )
                return
