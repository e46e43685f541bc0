"""Facts about statements: results that are dropped, initializers that are only named, type tests.

Each function reads one statement of a unit (a function, or a stretch of top-level code) and states what is there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.constructor import construct, coverage, registered, unreadable_base
from initaudit.analyzer.project import Defined, Project
from initaudit.analyzer.snippets import defaults, dotted, has_decorator, nodes, parameters
from initaudit.analyzer.syntax.code import Code, makes_parameter, own_attribute
from initaudit.analyzer.writers import forgotten_initializers
from initaudit.subjects.lost_writes import BareReference, DroppedTensor
from initaudit.subjects.module_tests import TypeTest
from initaudit.timeline import Coverage

INITIALIZER_METHODS = {
    "reset_parameters", "_reset_parameters", "init_weights", "_init_weights", "initialize_weights",
}  # fmt: skip
OUT_OF_PLACE = {
    "clamp", "clip", "mul", "div", "add", "sub", "neg", "abs", "exp", "sqrt", "pow", "masked_fill", "index_fill",
    "fill", "copy", "normal", "uniform", "zero", "multiply", "divide",
}  # fmt: skip
FILLS = {"full": "fill_({0})", "zeros": "zero_()", "ones": "fill_(1.0)", "randn": "normal_()", "rand": "uniform_()"}


# Dropped results


def dropped(code: Code, call: ast.Call, parameters: Sequence[str]) -> DroppedTensor | None:
    """A tensor that a statement makes for a parameter and drops. ``parameters`` are loop variables over parameters."""
    if any(keyword.arg == "out" for keyword in call.keywords):
        return None
    name = code.canonical(call.func)
    if name in torch_api.NEW_TENSOR_FACTORIES:
        target = _imitated(code, call, parameters)
        return None if target is None else _fact(code, call, name, target, _fill(code, name, call, target))
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in OUT_OF_PLACE:
        return None
    target = call.func.value
    if isinstance(target, ast.Attribute) and target.attr == "data":
        target = target.value
    if not is_parameter(code, target, parameters):
        return None
    return _fact(code, call, f"Tensor.{call.func.attr}", target, _underscored(code, call, call.func.attr, target))


def _fact(code: Code, call: ast.Call, name: str, target: ast.expr, inplace: str | None) -> DroppedTensor:
    own = own_attribute(target)
    return DroppedTensor(
        place=code.snippet.place(call),
        call=name,
        parameter=own,
        model=code.cls.qualname if own is not None and code.cls is not None else None,
        target=code.snippet.source(target),
        inplace=inplace,
    )


def _imitated(code: Code, call: ast.Call, parameters: Sequence[str]) -> ast.expr | None:
    """The parameter whose size (or self, for ``*_like``) a factory is given."""
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        imitated = value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "size":
            imitated = value.func.value
        elif isinstance(value, ast.Attribute) and value.attr in ("shape", "data"):
            imitated = value.value
        elif not dotted(call.func).endswith("_like"):
            continue
        if is_parameter(code, imitated, parameters):
            return imitated
    return None


def is_parameter(code: Code, node: ast.expr, parameters: Sequence[str]) -> bool:
    """Whether an expression is known to be a parameter: a loop variable, ``layer.weight``, or an attribute made one."""
    if isinstance(node, ast.Name):
        return node.id in parameters
    if isinstance(node, ast.Attribute) and node.attr in ("weight", "bias"):
        return True
    own = own_attribute(node)
    return own is not None and code.cls is not None and makes_parameter(code.project, code.cls, own)


def _fill(code: Code, name: str, call: ast.Call, target: ast.expr) -> str | None:
    """The in-place form of a factory."""
    form = FILLS.get(name.removeprefix("torch.").removesuffix("_like"))
    if form is None or ("{0}" in form and len(call.args) < 2):
        return None
    value = code.snippet.source(call.args[1]) if "{0}" in form else ""
    return f"{code.snippet.source(target)}.data.{form.format(value)}"


def _underscored(code: Code, call: ast.Call, name: str, target: ast.expr) -> str | None:
    """The in-place form of a method, on the data of a parameter: autograd does not let the parameter be written."""
    function, whole = code.snippet.source(call.func), code.snippet.source(call)
    if not whole.startswith(function):
        return None
    return f"{code.snippet.source(target)}.data.{name}_{whole[len(function) :]}"


# Bare references


def bare_reference(code: Code, expression: ast.expr) -> BareReference | None:
    """An initializer that a statement names and does not call."""
    if not isinstance(expression, ast.Attribute | ast.Name):
        return None
    name = code.canonical(expression)
    if name is not None:
        is_initializer = name.startswith(torch_api.INIT) and name.endswith("_")
        return _reference(code, expression, False) if is_initializer else None
    if not isinstance(expression, ast.Attribute) or not isinstance(expression.value, ast.Name):
        return None
    if expression.attr == "apply":
        return _reference(code, expression, False)
    if expression.attr not in INITIALIZER_METHODS:
        return None
    return _reference(code, expression, _needs_no_argument(code, expression))


def _needs_no_argument(code: Code, method: ast.Attribute) -> bool:
    """Whether a method can be called with nothing; where it cannot be read, whether one of torch's can."""
    own = own_attribute(method)
    found = code.project.method(code.cls, own) if own is not None and code.cls is not None else None
    function = found.module.function(found.definition) if isinstance(found, Defined) else None
    if function is None:
        return method.attr in torch_api.RESET_BY_CONSTRUCTOR.values()
    _, node = function
    optional = defaults(node.args)
    given = parameters(node) if has_decorator(node, "staticmethod") else parameters(node)[1:]
    return all(param.arg in optional for param in given)


def _reference(code: Code, expression: ast.expr, callable_alone: bool) -> BareReference:
    own = own_attribute(expression)
    parameters = _left_raw(code.project, code.cls, own) if own is not None and code.cls is not None else ()
    return BareReference(
        place=code.snippet.place(expression),
        source=code.snippet.source(expression),
        callable_without_arguments=callable_alone,
        model=code.cls.qualname if parameters and code.cls is not None else None,
        parameters=parameters,
    )


def _left_raw(project: Project, cls: Defined, method: str) -> tuple[str, ...]:
    """The parameters that a method would have written and nothing else does."""
    if unreadable_base(project, cls) is not None or not project.is_module_class(cls):
        return ()
    built = construct(project, cls)
    raw = [e for e in registered(built) if coverage(e, [], [])[0] is Coverage.NEVER and not e.storage.escaped]
    would = [(entry.name, {each.definition.name for each in forgotten_initializers(built, entry)}) for entry in raw]
    return tuple(name for name, methods in would if method in methods)


# Type tests


def type_tests(code: Code, expression: ast.AST, modules: Sequence[str]) -> Iterator[TypeTest]:
    """Tests of the type of a module that do not test it. ``modules`` are names known to be bound to modules."""
    for node in nodes(expression):
        match node:
            case ast.BoolOp(op=ast.Or()):
                yield from _always_true(code, node, modules)
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=subject), ast.BoolOp() as types]):
                kinds = _operands(types)
                if subject in modules and all(map(code.is_module_class, kinds)):
                    mended = f"isinstance({subject}, ({', '.join(map(code.snippet.source, kinds))}))"
                    which = "first" if isinstance(types.op, ast.Or) else "last"
                    yield _type_test(code, node, f"tests only the {which}", mended if which == "first" else None)
            case ast.Compare(left=ast.Name(id=subject), ops=[ast.Is() | ast.Eq()], comparators=[kind]):
                if subject in modules and code.is_module_class(kind):
                    yield _type_test(code, node, "never true", f"isinstance({subject}, {code.snippet.source(kind)})")


def _always_true(code: Code, node: ast.BoolOp, modules: Sequence[str]) -> Iterator[TypeTest]:
    """``isinstance(m, A) or B``."""
    operands = _operands(node)
    tests = [operand for operand in operands if _tested(operand) in modules]
    classes = [operand for operand in operands if code.is_module_class(operand)]
    if not tests or not classes:
        return
    kinds = [code.snippet.source(test.args[1]) for test in tests if isinstance(test, ast.Call)]
    kinds += map(code.snippet.source, classes)
    complete = len(tests) + len(classes) == len(operands) and not any(kind.startswith("(") for kind in kinds)
    complete = complete and len(set(map(_tested, tests))) == 1
    mended = f"isinstance({_tested(tests[0])}, ({', '.join(kinds)}))" if complete else None
    yield _type_test(code, node, "always true", mended)


def _type_test(code: Code, node: ast.expr, outcome: str, mended: str | None) -> TypeTest:
    return TypeTest(place=code.snippet.place(node), source=code.snippet.source(node), outcome=outcome, mended=mended)


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BoolOp):
        return [operand for value in node.values for operand in _operands(value)]
    return [node]


def _tested(node: ast.expr) -> str | None:
    """The name that an ``isinstance`` call tests."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=subject), _], keywords=[]):
            return subject
    return None
