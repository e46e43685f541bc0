"""Facts about calls of initializers: which, with what arguments, and what these stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

import libcst as cst

from initaudit.analyzer import torch_api
from initaudit.analyzer.fragments import dotted
from initaudit.analyzer.project import External
from initaudit.analyzer.syntax.statements import Unit, blocks, nodes, small_statements
from initaudit.analyzer.triage import DEPRECATED
from initaudit.facts import Argument, Called, DeprecatedCall, Fact, InitializerCall
from initaudit.schemes.calls import RENAMED

METHODS = frozenset({"normal_", "uniform_"})
"""Methods of a tensor that are initializers under the same name."""
LONGEST = 400
"""Characters of an expression that is put in the place of a name."""

Bound = Mapping[str, str]
"""What was assigned to a name, or to an attribute of ``self``, just before, with such names replaced in turn."""


def deprecated_calls(unit: Unit, body: Iterable[cst.CSTNode]) -> Iterator[Fact]:
    """Calls of ``nn.init.xavier_normal`` and kin, which lack the underscore."""
    for node in (node for statement in body for node in nodes(statement)):
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name | cst.Attribute):
            last = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
            if last.value in DEPRECATED or isinstance(node.func, cst.Name):
                name = unit.canonical(node.func)
                if (
                    name is not None
                    and name.startswith(torch_api.INIT)
                    and name.removeprefix(torch_api.INIT) in DEPRECATED
                ):
                    place = unit.fragment.place
                    yield DeprecatedCall(place=place(node), name=place(last), function=name)


def initializer_calls(unit: Unit, body: Iterable[cst.CSTNode]) -> Iterator[Fact]:
    """Calls of ``nn.init.kaiming_normal_`` and kin, and of ``normal_`` and ``uniform_`` on a tensor."""
    built: Bound = {}
    if unit.cls is not None and unit.definition is not None and unit.definition.name != "__init__":
        built = _built(unit)
    yield from _in_order(unit, body, built)


def _built(unit: Unit) -> Bound:
    """The attributes that a class's own constructor sets once, and to what."""
    init = unit.cls.definition.members.get("__init__") if unit.cls is not None else None
    fragment = unit.module.fragment(init.start, init.end) if init is not None else None
    if fragment is None:
        return {}
    header = fragment.body()[-1]
    bound: dict[str, str] = {}
    for statement in next(iter(blocks(header)), ()):
        _bind(unit, statement, bound)
    return {name: value for name, value in bound.items() if name.startswith("self.")}


def _in_order(unit: Unit, body: Iterable[cst.CSTNode], before: Bound) -> Iterator[Fact]:
    """The calls of a body, where ``before`` holds at its begin."""
    bound = dict(before)
    for statement in body:
        inner = list(blocks(statement))
        if not inner:
            yield from _of_statement(unit, statement, bound)
        elif isinstance(statement, cst.For | cst.While | cst.FunctionDef):
            _forget(statement, bound)  # what a round assigns, the next one finds; a parameter hides another name
        for block in inner:
            yield from _in_order(unit, block, bound)
        _bind(unit, statement, bound)


def _bind(unit: Unit, statement: cst.CSTNode, bound: dict[str, str]) -> None:
    """Take in what a statement assigns."""
    for small in small_statements(statement):
        values = {}
        if isinstance(small, cst.Assign) and len(small.targets) == 1 and (name := _target(small.targets[0].target)):
            values[name] = _meaning(unit.source(small.value), bound)
        _forget(small, bound)
        bound.update((name, value) for name, value in values.items() if len(value) <= LONGEST)


def _forget(statement: cst.CSTNode, bound: dict[str, str]) -> None:
    """Drop what a statement, or anything in it, may assign anew, and what was said in such names."""
    assigned = {name for node in nodes(statement) for name in _assigned(node)}
    for name, value in list(bound.items()):
        if name in assigned or any(_speaks_of(value, other) for other in assigned):
            del bound[name]


def _assigned(node: cst.CSTNode) -> Iterator[str]:
    match node:
        case cst.AssignTarget(target=target) | cst.AnnAssign(target=target) | cst.AugAssign(target=target):
            yield from filter(None, map(_target, nodes(target)))
        case cst.For(target=target) | cst.NamedExpr(target=target) | cst.AsName(name=target):
            yield from filter(None, map(_target, nodes(target)))
        case cst.Del(target=target) | cst.Param(name=target):
            yield from filter(None, map(_target, nodes(target)))


def _speaks_of(value: str, name: str) -> bool:
    """Whether an expression uses a name."""
    if name not in value:
        return False
    tree = _parsed(value)
    return tree is None or any(ast.unparse(node) == name for node in ast.walk(tree) if isinstance(node, ast.expr))


def _target(node: cst.CSTNode) -> str | None:
    """A name, or an attribute of ``self``."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == "self":
        return dotted(node)
    return None


def _of_statement(unit: Unit, statement: cst.CSTNode, bound: Bound) -> Iterator[Fact]:
    for node in nodes(statement):
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Name | cst.Attribute):
            continue
        last = node.func.attr.value if isinstance(node.func, cst.Attribute) else node.func.value
        name = unit.canonical(node.func) if last.endswith("_") or isinstance(node.func, cst.Name) else None
        given = [_argument(unit, arg, bound) for arg in node.args if arg.star != "**"]
        if name is not None and name.startswith(torch_api.INIT):
            yield _call(unit, node, name.removeprefix(torch_api.INIT), given, bound)
        elif name is None and last in METHODS and isinstance(node.func, cst.Attribute):
            target = unit.source(node.func.value).strip()
            named = [Argument(RENAMED.get(a.keyword or "", a.keyword), a.source, a.meaning) for a in given]
            yield _call(unit, node, last, [Argument(None, target, target), *named], bound)


def _call(unit: Unit, node: cst.Call, function: str, given: Sequence[Argument], bound: Bound) -> InitializerCall:
    return InitializerCall(
        place=unit.fragment.place(node),
        function=function,
        arguments=tuple(given),
        layer=_layer(unit, given[0].source, bound) if given else None,
    )


def _argument(unit: Unit, arg: cst.Arg, bound: Bound) -> Argument:
    source = f"{arg.star}{unit.source(arg.value)}"
    return Argument(arg.keyword.value if arg.keyword else None, source, _meaning(source, bound))


def _layer(unit: Unit, tensor: str, bound: Bound) -> Called | None:
    """The call of a torch layer that made the owner of a weight."""
    made = _parsed(bound.get(tensor.removesuffix(".data").removesuffix(".weight"), ""))
    if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name | ast.Attribute):
        return None
    found = unit.project.resolve(unit.module, ast.unparse(made.func))
    if not isinstance(found, External) or not found.name.startswith("torch.nn."):
        return None
    given = [(None, value) for value in made.args] + [(keyword.arg, keyword.value) for keyword in made.keywords]
    return Called(
        function=found.name.removeprefix("torch.nn."),
        arguments=tuple(Argument(keyword, ast.unparse(value), ast.unparse(value)) for keyword, value in given),
    )


def _meaning(source: str, bound: Bound) -> str:
    """An expression in which names stand for what was assigned to them."""
    tree = _parsed(source)
    if tree is None:
        return source
    return ast.unparse(_Substitution(bound).visit(tree))


class _Substitution(ast.NodeTransformer):
    def __init__(self, bound: Bound) -> None:
        self.bound = bound

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Name | ast.Attribute):
            value = _parsed(self.bound.get(ast.unparse(node), ""))
            if value is not None:
                return value
        visited: ast.AST = super().visit(node)
        return visited


def _parsed(source: str) -> ast.expr | None:
    try:
        return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
