"""Walks over a model that give all elements of its weights one number."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.programs.graph import Scope
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.readers.applications import only_shows
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import is_always_loaded
from initaudit.analyzer.readers.single_units import has_single_units
from initaudit.analyzer.readers.weight_uses import Weights
from initaudit.analyzer.source.snippets import defaults, dotted, handed_on, last_name, nodes, parameters, root, spelled
from initaudit.analyzer.syntax.context import Class, Context, method, own_attribute
from initaudit.analyzer.syntax.expressions import RECURRENT, STACKED
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.narrowing import class_name_of
from initaudit.analyzer.syntax.reached import below, layers_of, walked_model
from initaudit.analyzer.syntax.scopes import scopes, scopes_holding
from initaudit.analyzer.syntax.walks import APPLIED
from initaudit.subjects.weights import ConstantWeights, WeightUse

FILLS = {"constant_": 1, "fill_": 0, "constant": 1, "zeros_": None, "ones_": None, "zero_": None}
"""Functions that write one number, and which argument is that number: of ``nn.init`` behind the tensor."""
LAYERS = {f"torch.nn.{name}" for name in torch_api.LINEAR_LIKE}
DRAWS = {"normal_", "normal", "trunc_normal_"}
"""Functions that draw around a number, which is all that comes of it where they are given a deviation of zero."""
QUESTIONS = {"isinstance", "hasattr", "getattr", "type", "find", "startswith", "dim", "len", "size", "ndimension"}
"""What may be asked of a layer, or of a tensor, without picking out single ones."""
DIMENSIONS = {"dim", "ndim", "ndimension"}
"""What tells a matrix from a vector: what is left are the vectors."""


@reads(
    ConstantWeights,
    scope=Context,
    words="constant_( fill_( zeros_( ones_( zero_( constant( normal_( normal( ones( zeros( full( _like( ]=",
    nearby="modules( apply( parameters( children(",
)
@reads(
    ConstantWeights,
    scope=Context,
    words=("constant_( fill_( zeros_( ones_( zero_(", "'for'"),
    nearby="ModuleList( Sequential(",
)
def constant_weights(context: Context) -> Iterator[ConstantWeights]:
    """Statements of such a walk, where nothing writes the weight again behind them."""
    meanings = Meanings(context)
    for step in meanings.steps():
        match step.statement:
            case (
                ast.Expr(
                    value=ast.Call(func=ast.Attribute(attr="copy_", value=target), args=[ast.Call() as made])
                ) as call
            ):
                found = _replaced(context, target, made)
            case ast.Expr(value=ast.Call() as call):
                found = _filled(context, call)
            case ast.Assign(targets=[ast.Attribute(attr="data") as target], value=ast.Call() as call):
                found = _replaced(context, target, call)
            case ast.Assign(targets=[ast.Subscript(value=target, slice=index)], value=value) as call:
                found = (target, ast.unparse(value)) if _is_whole(index) and _is_number(value) else None
            case _:
                continue
        meaning = meanings.meaning(found[0], step.names) if found is not None else None
        if found is None or meaning is None or meaning.part or meaning.what is not What.PARAMETER:
            continue
        walk = _walk(context, found[0], meaning, step, zero=_is_zero(found[1]))
        named = meaning.source.rpartition(".")[2].startswith("named_")
        weights = named and all(_asks_for_weights(test, step) for test in step.tests)
        plain = weights or all(_plain(test, step) for test in step.tests)
        if walk is None or not plain or not all(_plain(test, step) for test in step.excluded):
            continue
        if any(map(_leaves_out_matrices, step.tests)):
            continue
        if not DIMENSIONS.isdisjoint(usage(step.excluded).names) or _written_again(context, meanings, meaning, step):
            continue
        if context.cls is not None and is_always_loaded(context.project, context.cls):
            continue  # what it fills is replaced
        yield ConstantWeights(
            place=context.snippet.place(call),
            source=context.snippet.source(call),
            value=found[1],
            walk=walk,
            kinds=tuple(kind.removeprefix("torch.nn.") for kind in meaning.kinds if kind in LAYERS),
            shown=_is_of_test(context) or only_shows(context.project, context.module),
        )


@reads(
    ConstantWeights,
    scope=Class,
    words=("ones( full( zeros( constant_( fill_( ones_( zeros_( zero_(", "@ mm( matmul( einsum( linear("),
    nearby="Parameter( register_parameter(",
)
def constant_factors(cls: Class) -> Iterator[ConstantWeights]:
    """Weights of a class that are one number and multiply; zeros only where there are several."""
    weights = Weights.of(cls)
    uses = weights.uses
    numbers = [(found, use, use.distribution.mean) for found, use in uses if _is_constant(use) and use.distribution]
    zeros = sum(not number for _, _, number in numbers)
    named = {found.name for found, _, _ in numbers}
    others = (each for each in weights.registered if each.name not in named)
    matrices = any(each.storage.shape is None or len(each.storage.shape) > 1 for each in others)
    paired = zeros < 2 or matrices  # another weight, with values of its own, may be what it multiplies
    for found, use, value in numbers:
        if (not value and paired) or 1 in use.shape[-2:] or not weights.is_final(found):
            continue
        yield ConstantWeights(
            place=use.place,
            source=use.by,
            value=f"{value:g}",
            model=use.model,
            parameter=use.parameter,
            use=use.use,
        )


def _is_constant(use: WeightUse) -> bool:
    return use.distribution is not None and use.distribution.family == "constant"


def _is_of_test(context: Context) -> bool:
    """Whether a test runs code, which may compare with numbers that follow from constant weights, and nobody else."""
    definition = context.definition
    if definition is None or _is_test(context.module, definition):
        return _is_test(context.module, definition)
    callers = [
        _is_test(module, scope.definition)
        for module in importing(context.project, context.module)
        for scope in scopes_holding(module, ((definition.name,),))
        if scope.definition is None or scope.definition.name != definition.name
    ]
    return bool(callers) and all(callers)


def _is_test(module: Module, definition: Definition | None) -> bool:
    return (definition is not None and definition.name.startswith("test_")) or Scope(module, definition).is_test


def _filled(context: Context, call: ast.Call) -> tuple[ast.expr, str] | None:
    """What a call fills, and with which number."""
    name = context.canonical(call.func)
    last = last_name(call.func)
    last = (name or last).rpartition(".")[2]
    if last not in FILLS and last not in DRAWS:
        return None
    arguments = list(call.args)
    if name is not None and name.startswith(torch_api.INIT):
        if not arguments:
            return None
        target = arguments.pop(0)
    elif name is None and isinstance(call.func, ast.Attribute):
        target = call.func.value
    else:
        return None
    if last in DRAWS:
        given = dict(zip(("mean", "std"), arguments, strict=False)) | {each.arg: each.value for each in call.keywords}
        mean, std = given.get("mean", ast.Constant(0)), given.get("std")
        without = std is not None and _is_number(std) and _is_zero(ast.unparse(std)) and _is_number(mean)
        return (target, ast.unparse(mean)) if without else None
    numbers = [*arguments, *(each.value for each in call.keywords if each.arg == "val")]
    numbers = [_given_number(context, each) or each for each in numbers]
    if FILLS[last] is None:
        return target, "1" if last == "ones_" else "0"
    return (target, ast.unparse(numbers[0])) if len(numbers) == 1 and _is_number(numbers[0]) else None


def _given_number(context: Context, node: ast.expr) -> ast.expr | None:
    """The number that a parameter of a function gets wherever the file applies it, by ``partial`` or by default."""
    function = context.function
    if function is None or not isinstance(node, ast.Name) or context.cls is not None:
        return None
    names = [param.arg for param in parameters(function)]
    found: dict[str, ast.expr] = {}
    for start, end, _ in scopes_holding(context.module, APPLIED) if node.id in names[1:] else ():
        snippet = context.module.quiet_snippet(start, end)
        for call in snippet.nodes if snippet is not None else ():
            match call:
                case ast.Call(func=ast.Attribute(attr="apply"), args=[given]) if (
                    dotted(handed_on(given)) == function.name
                ):
                    number = _bound(given, names.index(node.id), node.id) or defaults(function.args).get(node.id)
                    if number is None or not _is_number(number):
                        return None
                    found[ast.unparse(number)] = number
    return next(iter(found.values())) if len(found) == 1 else None


def _bound(given: ast.expr, position: int, name: str) -> ast.expr | None:
    """What ``partial(f, name=1)`` or ``lambda m: f(m, 1)`` gives a parameter."""
    call = given.body if isinstance(given, ast.Lambda) else given
    if not isinstance(call, ast.Call):
        return None
    by_position = call.args[position] if isinstance(given, ast.Lambda) and position < len(call.args) else None
    return by_position or next((each.value for each in call.keywords if each.arg == name), None)


def _replaced(context: Context, target: ast.expr, made: ast.Call) -> tuple[ast.expr, str] | None:
    """What is given new data of one number: ``m.weight.data = torch.ones_like(m.weight)``."""
    maker = (context.canonical(made.func) or "").removeprefix("torch.").removesuffix("_like")
    if maker in ("ones", "zeros"):
        return target, "1" if maker == "ones" else "0"
    numbers = [each.value for each in made.keywords if each.arg == "fill_value"] or made.args[1:]
    if maker == "full" and len(numbers) == 1:
        number = _default_number(context, numbers[0]) or numbers[0]
        return (target, ast.unparse(number)) if _is_number(number) else None
    return None


def _default_number(context: Context, node: ast.expr) -> ast.expr | None:
    """The default of a parameter, which is the number wherever nobody gives another one."""
    function = context.function
    return defaults(function.args).get(node.id) if function is not None and isinstance(node, ast.Name) else None


def _is_whole(index: ast.expr) -> bool:
    """Whether an index selects everything: ``[:]``, ``[...]``."""
    match index:
        case ast.Slice(lower=None, upper=None, step=None) | ast.Constant(value=builtins.Ellipsis):
            return True
    return False


def _asks_for_weights(test: ast.expr, step: Step) -> bool:
    """``"weight" in name``, ``name.endswith("weight")``."""
    match test:
        case ast.Compare(left=ast.Constant(value=text), ops=[ast.In()], comparators=[ast.Name()]):
            return text in ("weight", ".weight")
        case ast.Call(func=ast.Attribute(value=ast.Name(), attr="endswith"), args=[ast.Constant(value=text)]):
            return text in ("weight", ".weight")
    return _plain(test, step)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _walk(context: Context, target: ast.expr, meaning: Meaning, step: Step, *, zero: bool) -> str | None:
    """The walk that brings a statement to every layer of the kinds; None when it may reach single ones only.

    A part of a model, and a whole class, may start at ``zero`` on purpose.
    """
    variable = root(target, calls=True)
    owner = step.names.get(variable.id) if variable is not None else None
    if owner is None or variable is None:
        return None
    module = owner.source.partition(".")[0]
    if owner.what is What.PARAMETER and owner.attribute is not None and not owner.element and module in step.names:
        variable, owner = ast.Name(module), step.names[module]  # a name for the weight of a layer
    if owner.what is What.PARAMETER:
        return owner.source if owner.element and _has_layers(context, owner.source, zero=zero) else None
    if meaning.attribute != "weight" or not meaning.kinds or not set(meaning.kinds) <= LAYERS:
        return None
    if owner.element:
        walked = ast.parse(owner.source, mode="eval").body
        model = walked.func.value if isinstance(walked, ast.Call) and isinstance(walked.func, ast.Attribute) else walked
        if has_single_units(context, model, meaning.kinds):
            return None
        whole = (
            _is_chain(context, owner.source)
            if own_attribute(walked) is not None
            else _of_whole_model(context, owner.source, zero=zero)
        )
        return owner.source if whole else None
    return _applied(context, meaning.kinds, zero=zero) if owner.source == variable.id else None


def _is_zero(value: str) -> bool:
    return not ast.literal_eval(value)


def _of_whole_model(context: Context, walk: str, *, zero: bool) -> bool:
    """Whether a walk goes over a model itself, and not over a part of one: ``self.modules()``, ``net.modules()``."""
    model, _, method = walk.rpartition(".")
    if method in ("children()", "named_children()"):
        return model == "self" and not zero
    if method not in ("modules()", "named_modules()") or "." in model:
        return False
    return not zero or model == "self" or context.function is None


def _is_chain(context: Context, layers: str) -> bool:
    """Whether the forward gives each layer of a list the output of the one before it, and adds nothing to it."""
    forward = method(context, "forward")
    for loop in forward.walk() if forward is not None else ():
        if not isinstance(loop, ast.For) or layers not in map(spelled, _expressions(loop.iter)):
            continue
        layer = dotted(loop.target)
        for statement in loop.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=signal)], value=value):
                    calls = [each for each in nodes(value) if isinstance(each, ast.Call) and dotted(each.func) == layer]
                    chained = any(signal in map(dotted, each.args) for each in calls)
                    if chained and not any(isinstance(each, ast.BinOp) for each in nodes(value)):
                        return not any(isinstance(each, ast.AugAssign) for each in loop.body)
                case _:
                    pass
    return False


def _expressions(node: ast.expr) -> list[ast.expr]:
    return [each for each in nodes(node) if isinstance(each, ast.Attribute)]


def _has_layers(context: Context, walk: str, *, zero: bool) -> bool:
    """Whether the model whose parameters a loop goes over has several layers with weights, of more than one unit.

    Dropout tells units apart. What zeros mean depends on the forward, except for recurrent layers.
    """
    model = walked_model(walk)
    kinds = [layer.kind for layer in below(context, layers_of(context, model)).layers] if model is not None else []
    if model is None or any("Dropout" in kind for kind in kinds) or (zero and RECURRENT.isdisjoint(kinds)):
        return False
    return sum(kind in LAYERS | STACKED for kind in kinds) > 1 and not has_single_units(
        context, model, LAYERS | STACKED
    )


def _applied(context: Context, kinds: Sequence[str], *, zero: bool) -> str | None:
    """The call that applies the function to a whole model, in the same file; of those with more units than one each."""
    definition, module = context.definition, context.module
    if definition is None:
        return None
    calls: list[str] = []
    for scope in scopes(module):
        if not any(definition.name in line for line in module.lines[scope.start - 1 : scope.end]):
            continue
        snippet = module.snippet(scope.start, scope.end)
        for node in snippet.nodes if snippet is not None else ():
            match node:
                case ast.Call(func=ast.Attribute(attr="apply", value=owner), args=[given]):
                    if last_name(handed_on(given)) == definition.name:
                        if not isinstance(owner, ast.Name) or (
                            zero and scope.definition is not None and owner.id != "self"
                        ):
                            return None  # a part of a model may be started by it
                        assert snippet is not None
                        where = Context(context.project, module, scope.definition, snippet)
                        if not has_single_units(where, owner, kinds):
                            calls.append(snippet.source(node))
    return calls[0] if calls else None


def _plain(test: ast.expr, step: Step) -> bool:
    """Whether a condition asks for kinds of layers, and picks out none of them by name, position or size."""
    for node in ast.walk(test):
        if isinstance(node, ast.Call):
            name = last_name(node.func)
            if name not in QUESTIONS or (name in ("find", "startswith") and not _is_about_kinds(node, step)):
                return False
        if isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                if isinstance(side, ast.Constant) and isinstance(side.value, str):
                    return False
            if isinstance(node.left, ast.Name) and not all(map(_is_constant_or_texts, node.comparators)):
                return False
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return False
    return True


def _leaves_out_matrices(test: ast.expr) -> bool:
    """``p.dim() == 1``, ``len(p.shape) < 2``: a comparison that no tensor of two dimensions passes."""
    for node in ast.walk(test):
        match node:
            case ast.Compare(left=asked, ops=[op], comparators=[ast.Constant(value=int() as limit)]) if (
                not DIMENSIONS.isdisjoint(usage([asked]).names) or last_name(getattr(asked, "func", asked)) == "len"
            ):
                passed = {
                    ast.Eq: limit == 2, ast.NotEq: limit != 2, ast.Lt: limit > 2, ast.LtE: limit >= 2,
                    ast.Gt: limit < 2, ast.GtE: limit <= 2,
                }  # fmt: skip
                if not passed.get(type(op), True):
                    return True
    return False


def _is_constant_or_texts(node: ast.expr) -> bool:
    among = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return all(isinstance(each, ast.Constant) for each in among)


def _is_about_kinds(question: ast.Call, step: Step) -> bool:
    """Whether the name of a class is searched for that of a kind of layer, as in ``classname.find("Linear")``."""
    match question:
        case ast.Call(func=ast.Attribute(value=searched), args=[ast.Constant(value=str(text))]):
            meaning = step.names.get(searched.id) if isinstance(searched, ast.Name) else None
            of_class = class_name_of(searched) or (meaning is not None and meaning.what is What.CLASS_NAME)
            return bool(of_class and text) and any(kind.startswith(text) for kind in torch_api.LINEAR_LIKE)
    return False


def _written_again(context: Context, meanings: Meanings, meaning: Meaning, step: Step) -> bool:
    """Whether something behind the statement may write the same weight: a part of it, or all of it once more."""
    for later in step.after:
        for node in ast.walk(later):
            if isinstance(node, ast.Attribute | ast.Name) and not isinstance(later, ast.FunctionDef):
                found = meanings.meaning(node, step.names)
                same = found is not None and found.what is What.PARAMETER and found.attribute == meaning.attribute
                if same and (meaning.attribute is not None or isinstance(node, ast.Name)):
                    return True
    return False
