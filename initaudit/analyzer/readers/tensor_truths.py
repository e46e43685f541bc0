"""Parameters that are used as a condition, which raises for every one of several elements."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name, nodes
from initaudit.analyzer.syntax.callers import given_to
from initaudit.analyzer.syntax.context import Context, makes_parameter, own_attribute
from initaudit.analyzer.syntax.meaning import Meaning, Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.reached import written_layers
from initaudit.analyzer.syntax.structure import UNKNOWN, without
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.module_tests import TensorTruth

WITH_TENSORS = {f"torch.nn.{name}" for name in torch_api.LINEAR_LIKE | torch_api.NORMALIZATIONS}
"""Classes of which ``weight`` and ``bias`` are tensors or None."""
BY_SIZE = {"zeros", "ones", "empty", "rand", "randn", "full", "eye"}


@reads(TensorTruth, scope=Context, words=".weight? .bias?")
@reads(TensorTruth, scope=Context, words="self?", nearby="Parameter( register_parameter(")
def tensor_truths(context: Context) -> Iterator[TensorTruth]:
    """``if m.bias:`` where ``m`` is known to be a layer of torch."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for test in _conditions(step.statement):
            for operand in _operands(test):
                if not isinstance(operand, ast.Attribute):
                    continue
                meaning = meanings.meaning(operand, step.names)
                if meaning is None or meaning.what is not What.PARAMETER:
                    continue
                if _is_tensor(context, operand, meaning) or _is_initialized(context, operand, step.statement):
                    yield TensorTruth(
                        place=context.snippet.place(operand),
                        source=context.snippet.source(operand),
                        absent=_is_absent(context, operand, meaning, step),
                    )


def _is_absent(context: Context, node: ast.Attribute, meaning: Meaning, step: Step) -> bool:
    """Whether all layers that get to a condition are made without the parameter, by the file that alone uses it."""
    found = written_layers(context, meaning, step) if meaning.kinds else UNKNOWN
    met = [each for each in found.layers if each.kind in meaning.kinds]
    if not found.complete or not met or context.function is None:
        return False
    if not all(each.call is not None and without(each.kind, each.call, node.attr) for each in met):
        return False
    if any(True for _ in given_to(context, by_apply=False)):
        return False
    others = importing(context.project, context.module) - {context.module}
    return not any(True for each in others for _ in each.usages(context.function.name))


def _is_tensor(context: Context, node: ast.Attribute, meaning: Meaning) -> bool:
    """Whether a parameter is surely a tensor of several elements, or None."""
    if meaning.attribute in ("weight", "bias") and meaning.kinds:
        return set(meaning.kinds) <= WITH_TENSORS
    own = own_attribute(node)
    return own is not None and context.cls is not None and _only_parameter(context, own)


def _is_initialized(context: Context, node: ast.Attribute, statement: ast.stmt) -> bool:
    """Whether the statement whose condition an expression is gives it to an initializer: it is a tensor, or None."""
    source = context.snippet.source(node)
    targets = (written(context, each) for each in nodes(statement) if isinstance(each, ast.Call))
    return any(target is not None and context.snippet.source(target) == source for target in targets)


def _only_parameter(context: Context, name: str) -> bool:
    """Whether the class gives an attribute nothing but parameters of several elements, or None."""
    cls = context.cls
    if cls is None or not makes_parameter(context.project, cls, name):
        return False
    for definition in cls.definition.members.values():
        found = cls.module.function(definition)
        for node in nodes(found[1]) if found is not None else ():
            match node:
                case ast.Assign(targets=targets, value=value) if any(own_attribute(t) == name for t in targets):
                    if isinstance(value, ast.Call) and last_name(value.func) == "Parameter":
                        made = any(map(_is_sized, nodes(value)))
                    else:
                        made = isinstance(value, ast.Constant) and value.value is None
                    if not made:
                        return False
    return True


def _is_sized(node: ast.AST) -> bool:
    """Whether an expression makes a tensor by its size, which is another one than that of a single number."""
    if not isinstance(node, ast.Call) or last_name(node.func) not in BY_SIZE:
        return False
    given = node.args[:1] if last_name(node.func) == "full" else node.args
    sizes = [size for arg in given for size in (arg.elts if isinstance(arg, ast.Tuple | ast.List) else [arg])]
    return any(not isinstance(size, ast.Constant) or (type(size.value) is int and size.value > 1) for size in sizes)


def _conditions(statement: ast.stmt) -> Iterator[ast.expr]:
    match statement:
        case ast.Assert(test=ast.UnaryOp(op=ast.Not())):
            pass  # it raises for a tensor one way or the other, as is meant
        case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test):
            yield test
        case _:
            pass
    if not isinstance(statement, ast.If | ast.While | ast.For | ast.With | ast.Try | ast.FunctionDef | ast.ClassDef):
        for node in nodes(statement):
            if isinstance(node, ast.IfExp):
                yield node.test
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.BoolOp):
        yield from statement.value.values[:-1]  # `m.bias and m.bias.data.zero_()`


def _operands(test: ast.expr) -> Iterator[ast.expr]:
    """The expressions whose truth decides a condition."""
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _operands(value)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _operands(test.operand)
    else:
        yield test
