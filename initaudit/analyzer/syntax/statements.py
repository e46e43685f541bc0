"""Facts about statements: results that are dropped, initializers that are only named, type tests.

Each function reads one statement of a unit (a function, or a stretch of top-level code) and states what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from initaudit.analyzer import torch_api
from initaudit.analyzer.constructor import construct, coverage, registered, unreadable_base
from initaudit.analyzer.fragments import Fragment, dotted
from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Defined, External, Module, Project
from initaudit.analyzer.writers import forgotten_initializer
from initaudit.facts import BareReference, DroppedTensor, TypeTest
from initaudit.timeline import Coverage

INITIALIZER_METHODS = {
    "reset_parameters", "_reset_parameters", "init_weights", "_init_weights", "initialize_weights",
}  # fmt: skip
OUT_OF_PLACE = {
    "clamp", "clip", "mul", "div", "add", "sub", "neg", "abs", "exp", "sqrt", "pow", "masked_fill", "index_fill",
    "fill", "copy", "normal", "uniform", "zero", "multiply", "divide",
}  # fmt: skip
FILLS = {"full": "fill_({0})", "zeros": "zero_()", "ones": "fill_(1.0)", "randn": "normal_()", "rand": "uniform_()"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A function or a stretch of top-level code, parsed."""

    project: Project
    module: Module
    definition: Definition | None
    fragment: Fragment

    @property
    def cls(self) -> Defined | None:
        """The class whose method this is."""
        owner = self.definition.owner if self.definition is not None else None
        return Defined(self.module, owner) if owner is not None else None

    def canonical(self, node: cst.BaseExpression) -> str | None:
        """The canonical name that a dotted expression stands for, when it is one of an external package."""
        name = dotted(node)
        if not name or name.startswith("."):
            return None
        found = self.project.resolve(self.module, name)
        return found.name if isinstance(found, External) else None

    def source(self, node: cst.CSTNode) -> str:
        return self.fragment.source(node)


def blocks(statement: cst.CSTNode) -> Iterator[Sequence[cst.BaseStatement | cst.BaseSmallStatement]]:
    """The bodies of a compound statement."""
    match statement:
        case cst.If(body=body, orelse=orelse):
            yield body.body
            if isinstance(orelse, cst.If):
                yield [orelse]
            elif orelse is not None:
                yield orelse.body.body
        case cst.For(body=body, orelse=orelse) | cst.While(body=body, orelse=orelse):
            yield body.body
            if orelse is not None:
                yield orelse.body.body
        case cst.With(body=body) | cst.FunctionDef(body=body) | cst.ClassDef(body=body):
            yield body.body
        case (
            cst.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final)
            | cst.TryStar(body=body, handlers=handlers, orelse=orelse, finalbody=final)
        ):
            yield body.body
            for handler in handlers:
                yield handler.body.body
            for extra in (orelse, final):
                if extra is not None:
                    yield extra.body.body
        case cst.Match(cases=cases):
            for case in cases:
                yield case.body.body


def small_statements(statement: cst.CSTNode) -> Sequence[cst.CSTNode]:
    """The simple statements of a line."""
    return statement.body if isinstance(statement, cst.SimpleStatementLine) else [statement]


def nodes(root: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Every node below ``root``, in the order of the source."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.children))


# Dropped results


def dropped(unit: Unit, call: cst.Call, parameters: Sequence[str]) -> DroppedTensor | None:
    """A tensor that a statement makes for a parameter and drops. ``parameters`` are loop variables over parameters."""
    if any(arg.keyword is not None and arg.keyword.value == "out" for arg in call.args):
        return None
    name = unit.canonical(call.func)
    if name in torch_api.NEW_TENSOR_FACTORIES:
        target = _imitated(unit, call, parameters)
        return None if target is None else _fact(unit, call, name, target, _fill(unit, name, call, target))
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in OUT_OF_PLACE:
        return None
    target = call.func.value
    if isinstance(target, cst.Attribute) and target.attr.value == "data":
        target = target.value
    if not is_parameter(unit, target, parameters):
        return None
    inplace = unit.source(call.with_changes(func=call.func.with_changes(attr=cst.Name(f"{call.func.attr.value}_"))))
    return _fact(unit, call, f"Tensor.{call.func.attr.value}", target, inplace)


def _fact(unit: Unit, call: cst.Call, name: str, target: cst.BaseExpression, inplace: str | None) -> DroppedTensor:
    own = isinstance(target, cst.Attribute) and isinstance(target.value, cst.Name) and target.value.value == "self"
    return DroppedTensor(
        place=unit.fragment.place(call),
        call=name,
        parameter=target.attr.value if own and isinstance(target, cst.Attribute) else None,
        model=unit.cls.qualname if own and unit.cls is not None else None,
        target=unit.source(target),
        inplace=inplace,
    )


def _imitated(unit: Unit, call: cst.Call, parameters: Sequence[str]) -> cst.BaseExpression | None:
    """The parameter whose size (or self, for ``*_like``) a factory is given."""
    for arg in call.args:
        value = arg.value
        if isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute) and value.func.attr.value == "size":
            value = value.func.value
        elif isinstance(value, cst.Attribute) and value.attr.value in ("shape", "data"):
            value = value.value
        elif not dotted(call.func).endswith("_like"):
            continue
        if is_parameter(unit, value, parameters):
            return value
    return None


def is_parameter(unit: Unit, node: cst.BaseExpression, parameters: Sequence[str]) -> bool:
    """Whether an expression is known to be a parameter: a loop variable, ``layer.weight``, or an attribute made one."""
    if isinstance(node, cst.Name):
        return node.value in parameters
    if not isinstance(node, cst.Attribute):
        return False
    if node.attr.value in ("weight", "bias"):
        return True
    if unit.cls is None or not isinstance(node.value, cst.Name) or node.value.value != "self":
        return False
    name = re.escape(node.attr.value)
    made = rf"self\.{name}\s*(?::[^=\n]+)?=[^=][^\n]*\bParameter\b|register_parameter\(\s*['\"]{name}['\"]"
    return any(
        re.search(made, base.module.slice(base.definition))
        for base in unit.project.mro(unit.cls) or (unit.cls,)
        if isinstance(base, Defined)
    )


def _fill(unit: Unit, name: str, call: cst.Call, target: cst.BaseExpression) -> str | None:
    """The in-place form of a factory."""
    form = FILLS.get(name.removeprefix("torch.").removesuffix("_like"))
    positional = [arg for arg in call.args if arg.keyword is None]
    if form is None or ("{0}" in form and len(positional) < 2):
        return None
    return f"{unit.source(target)}.data.{form.format(unit.source(positional[1].value) if '{0}' in form else '')}"


# Bare references


def bare_reference(unit: Unit, expression: cst.BaseExpression) -> BareReference | None:
    """An initializer that a statement names and does not call."""
    if not isinstance(expression, cst.Attribute | cst.Name):
        return None
    name = unit.canonical(expression)
    if name is not None:
        is_initializer = name.startswith(torch_api.INIT) and name.endswith("_")
        return _reference(unit, expression, False) if is_initializer else None
    if not isinstance(expression, cst.Attribute) or not isinstance(expression.value, cst.Name):
        return None
    attribute = expression.attr.value
    if attribute == "apply":
        return _reference(unit, expression, False)
    return _reference(unit, expression, True) if attribute in INITIALIZER_METHODS else None


def _reference(unit: Unit, expression: cst.BaseExpression, callable_alone: bool) -> BareReference:
    parameters: tuple[str, ...] = ()
    own = (
        isinstance(expression, cst.Attribute)
        and isinstance(expression.value, cst.Name)
        and expression.value.value == "self"
    )
    if own and isinstance(expression, cst.Attribute) and unit.cls is not None:
        parameters = _left_raw(unit.project, unit.cls, expression.attr.value)
    return BareReference(
        place=unit.fragment.place(expression),
        source=unit.source(expression),
        callable_without_arguments=callable_alone,
        model=unit.cls.qualname if parameters and unit.cls is not None else None,
        parameters=parameters,
    )


def _left_raw(project: Project, cls: Defined, method: str) -> tuple[str, ...]:
    """The parameters that a method would have written and nothing else does."""
    if unreadable_base(project, cls) is not None or not project.is_module_class(cls):
        return ()
    built = construct(project, cls)
    raw = [e for e in registered(built) if coverage(e, [], [])[0] is Coverage.NEVER and not e.storage.escaped]
    would = [(entry.name, forgotten_initializer(built, entry)) for entry in raw]
    return tuple(name for name, found in would if found is not None and found.definition.name == method)


# Type tests


def type_tests(unit: Unit, expression: cst.CSTNode, modules: Sequence[str]) -> Iterator[TypeTest]:
    """Tests of the type of a module that do not test it. ``modules`` are names known to be bound to modules."""
    for node in nodes(expression):
        match node:
            case cst.BooleanOperation(operator=cst.Or()):
                yield from _always_true(unit, node, modules)
            case cst.Call(func=cst.Name("isinstance"), args=[first, cst.Arg(value=cst.BooleanOperation() as types)]):
                if _name_of(first.value) in modules:
                    kinds = _operands(types)
                    if all(is_module_class(unit, kind) for kind in kinds):
                        mended = f"isinstance({unit.source(first.value)}, ({', '.join(map(unit.source, kinds))}))"
                        which = "first" if isinstance(types.operator, cst.Or) else "last"
                        yield TypeTest(
                            place=unit.fragment.place(node),
                            source=unit.source(node),
                            outcome=f"tests only the {which}",
                            mended=mended if which == "first" else None,
                        )
            case cst.Comparison(
                left=left, comparisons=[cst.ComparisonTarget(operator=cst.Is() | cst.Equal(), comparator=kind)]
            ):
                if _name_of(left) in modules and is_module_class(unit, kind):
                    mended = f"isinstance({unit.source(left)}, {unit.source(kind)})"
                    yield TypeTest(
                        place=unit.fragment.place(node), source=unit.source(node), outcome="never true", mended=mended
                    )


def _always_true(unit: Unit, node: cst.BooleanOperation, modules: Sequence[str]) -> Iterator[TypeTest]:
    """``isinstance(m, A) or B``, at the outermost ``or``."""
    operands = _operands(node)
    tests = [operand for operand in operands if _tested(operand) in modules]
    classes = [operand for operand in operands if is_module_class(unit, operand)]
    if not tests or not classes:
        return
    subject = _tested(tests[0])
    kinds = [unit.source(test.args[1].value) for test in tests if isinstance(test, cst.Call)]
    kinds += [unit.source(kind) for kind in classes]
    complete = len(tests) + len(classes) == len(operands) and not any(kind.startswith("(") for kind in kinds)
    yield TypeTest(
        place=unit.fragment.place(node),
        source=unit.source(node),
        outcome="always true",
        mended=f"isinstance({subject}, ({', '.join(kinds)}))" if complete else None,
    )


def _operands(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(node, cst.BooleanOperation):
        return [*_operands(node.left), *_operands(node.right)]
    return [node]


def _name_of(node: cst.BaseExpression) -> str | None:
    return node.value if isinstance(node, cst.Name) else None


def _tested(node: cst.BaseExpression) -> str | None:
    """The name that an ``isinstance`` call tests."""
    if (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Name)
        and node.func.value == "isinstance"
        and len(node.args) == 2
    ):
        return _name_of(node.args[0].value)
    return None


def is_module_class(unit: Unit, node: cst.CSTNode) -> bool:
    """Whether an expression names a class of modules."""
    if not isinstance(node, cst.Name | cst.Attribute):
        return False
    found = unit.project.resolve(unit.module, dotted(node)) if dotted(node) else None
    if isinstance(found, External):
        return found.name.startswith("torch.nn.") and found.name.rpartition(".")[2][:1].isupper()
    return isinstance(found, Defined) and found.definition.is_class and unit.project.is_module_class(found)
