"""One transformer for each kind of remedy: a table from its type to what it changes in the libcst tree."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import libcst as cst

from initaudit.finding import (
    Call,
    Comprehend,
    CopyInto,
    Distinguish,
    Edit,
    Follow,
    Guard,
    Postpone,
    Recall,
    Remedy,
    Replace,
    Uncopy,
)
from initaudit.fixes import NoFixError
from initaudit.fixes.files import overlapping
from initaudit.fixes.imports import Imports
from initaudit.fixes.site import Change, Site

Transform = Callable[[Site, Any, Imports], Mapping[cst.CSTNode, Change]]
T = TypeVar("T", bound=Transform)

_TRANSFORMS: dict[type[Remedy], tuple[Transform, bool]] = {}
BY_DIMENSION = """\
if {name}.dim() > 1:
    torch.nn.init.xavier_uniform_({name})
else:
    torch.nn.init.zeros_({name})
"""


def edits_of(text: str, remedies: Sequence[Remedy]) -> tuple[Edit, ...]:
    """Return the edits of a text that some remedies come to; raises NoFixError where one does not fit the code."""
    found: list[Edit] = []
    imports = Imports(text)
    for remedy in remedies:
        transform, around = _TRANSFORMS[type(remedy)]
        site = Site(text, remedy.place, around=around)
        try:
            found += site.edits(transform(site, remedy, imports))
        except cst.ParserSyntaxError as error:
            raise NoFixError(str(error)) from error
    edits = tuple(dict.fromkeys((*imports.edits(remedies[0].place.filename), *found)))
    if any(overlapping([edit], edits[:position]) for position, edit in enumerate(edits)):
        raise NoFixError("the remedies change the same code in different ways")
    return edits


def _transforms(kind: type[Remedy], *, around: bool = False) -> Callable[[T], T]:
    """Register the transformer for a kind of remedy, and whether it needs the function around the statement."""

    def register(function: T) -> T:
        _TRANSFORMS[kind] = function, around
        return function

    return register


@_transforms(Replace)
def _replace(site: Site, remedy: Replace, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    new = cst.parse_expression(imports.spelled(remedy.new))
    if remedy.old is None:
        node = site.at(remedy.place, cst.BaseExpression)  # type: ignore[type-abstract]
        return {node: functools.partial(_in_parentheses, new)}
    old = cst.parse_expression(remedy.old)
    inside = site.within(site.statement, cst.BaseExpression)  # type: ignore[type-abstract]
    same = [each for each in inside if _same(each, old) and _is_value(site, each)]
    if not same:
        raise NoFixError(f"`{remedy.old}` is not there")
    return {same[0]: functools.partial(_in_parentheses, new)}


def _in_parentheses(new: cst.BaseExpression, old: cst.CSTNode) -> cst.BaseExpression:
    """Return an expression in the parentheses of the one that it replaces, unless it has its own."""
    around = cast("cst.BaseExpression", old)
    if new.lpar or not around.lpar:
        return new
    return new.with_changes(lpar=around.lpar, rpar=around.rpar)


def _is_value(site: Site, node: cst.CSTNode) -> bool:
    """Whether an expression is not the name of an argument or of an attribute."""
    parent = site.parents[node]
    return node not in (getattr(parent, "keyword", None), getattr(parent, "attr", None))


def _same(one: cst.CSTNode, other: cst.CSTNode) -> bool:
    """Whether two expressions are the same, however they are laid out."""
    return _dumped(one) == _dumped(other)


def _dumped(node: cst.CSTNode) -> str:
    try:
        return ast.dump(ast.parse(f"({cst.Module([]).code_for_node(node)}\n)", mode="eval"))
    except SyntaxError:  # a starred one, or one for a newer Python
        return _words(node)


def _words(node: cst.CSTNode) -> str:
    return "".join(cst.Module([]).code_for_node(node).split())


@_transforms(Call)
def _call(site: Site, remedy: Call, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    node = site.at(remedy.place, cst.BaseExpression)  # type: ignore[type-abstract]
    return {node: lambda node: cst.Call(cast("cst.BaseExpression", node))}


@_transforms(Recall)
def _recall(site: Site, remedy: Recall, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    calls = [each for each in site.within(site.statement, cst.Call) if _last_name(each.func) == remedy.old]
    if len(calls) != 1 or any(each.star for each in calls[0].args):
        raise NoFixError(f"no single call of `{remedy.old}` is there")
    return {calls[0]: lambda node: _called_anew(cast("cst.Call", node), remedy, imports)}


def _called_anew(node: cst.Call, remedy: Recall, imports: Imports) -> cst.Call:
    positional = [each for each in node.args if each.keyword is None]
    kept = positional if remedy.keep is None else positional[: remedy.keep]
    dropped = {*remedy.drop, *(keyword for keyword, _ in remedy.given)}
    named = [each for each in node.args if each.keyword is not None and each.keyword.value not in dropped]
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    given = [
        cst.Arg(cst.parse_expression(imports.spelled(source)), cst.Name(keyword), equal=equal)
        for keyword, source in remedy.given
    ]
    args = [*kept, *named, *given]
    if args and node.args[-1].comma is cst.MaybeSentinel.DEFAULT:
        args[-1] = args[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    function = node.func
    if remedy.function is not None:
        name = remedy.function.rpartition(".")[2]
        if isinstance(function, cst.Attribute):
            function = function.with_changes(attr=cst.Name(name))
        else:
            function = cst.parse_expression(imports.spelled(remedy.function))
    return node.with_changes(func=function, args=args)


def _last_name(function: cst.BaseExpression) -> str | None:
    if isinstance(function, cst.Attribute):
        return function.attr.value
    return function.value if isinstance(function, cst.Name) else None


@_transforms(Uncopy)
def _uncopy(site: Site, remedy: Uncopy, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    for call in site.within(site.at(remedy.place, cst.Call), cst.Call):
        function = call.func
        if isinstance(function, cst.Attribute) and function.attr.value == remedy.method:
            written = isinstance(site.parents[call], cst.Attribute)
            copied = isinstance(function.value, cst.Attribute) and function.value.attr.value != "data"
            if written and (copied or isinstance(function.value, cst.Name)):
                return {call: lambda node: cst.Attribute(node.func.value, cst.Name("data"))}  # type: ignore[attr-defined]
            return {call: lambda node: node.func.value}  # type: ignore[attr-defined]
    raise NoFixError(f"`{remedy.method}` is not there")


@_transforms(Follow, around=True)
def _follow(site: Site, remedy: Follow, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    statement: cst.CSTNode = site.statement
    block = site.block(statement)
    behind = [*block.body][[*block.body].index(statement) :]  # type: ignore[arg-type]
    if remedy.binds is not None:
        binding = next((each for each in behind if _binds(each, remedy.binds)), None)
        if binding is None:
            raise NoFixError(f"`{remedy.binds}` is not bound there")
        statement = binding
    if remedy.last:
        statement = next((each for each in reversed(behind) if not _returns(each)), statement)
    added = _parsed(imports.spelled(remedy.code), site)
    return {statement: lambda node: cst.FlattenSentinel([node, *added])}


def _parsed(code: str, site: Site) -> Sequence[cst.BaseStatement]:
    """Return some statements, with blocks indented as in the file."""
    module = cst.parse_module(code)
    return [_indented(each, site) for each in module.body if isinstance(each, cst.BaseStatement)]


def _indented(statement: cst.BaseStatement, site: Site) -> cst.BaseStatement:
    blocks = list(site.within(statement, cst.IndentedBlock))
    for block in blocks:
        statement = statement.with_deep_changes(block, indent=site.indent)
    return statement


def _binds(statement: cst.CSTNode, target: str) -> bool:
    """Whether a statement assigns an attribute, or registers a parameter of this name."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    for each in statement.body:
        targets = [one.target for one in each.targets] if isinstance(each, cst.Assign) else []
        targets += [each.target] if isinstance(each, cst.AnnAssign) else []
        if any(_words(one) == target for one in targets):
            return True
    registered = f'self.register_parameter("{target.rpartition(".")[2]}"'
    return _words(statement).replace("'", '"').startswith(registered)


def _returns(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[-1], cst.Return | cst.Raise)


@_transforms(Guard)
def _guard(site: Site, remedy: Guard, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    (guard,) = _parsed(f"{imports.spelled(remedy.header)}\n    pass\n", site)

    def put_under(node: cst.CSTNode) -> cst.CSTNode:
        statement = cast("cst.SimpleStatementLine", node)
        block = cst.IndentedBlock([statement.with_changes(leading_lines=[])], indent=site.indent)
        return guard.with_changes(body=block, leading_lines=statement.leading_lines)

    return {site.statement: put_under}


@_transforms(Postpone, around=True)
def _postpone(site: Site, remedy: Postpone, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    statement = site.statement
    block = site.block(statement)
    if not isinstance(site.parents[block], cst.FunctionDef):
        raise NoFixError("the statement runs under a condition")
    position, last = [*block.body].index(statement), len(block.body) - int(_returns(block.body[-1]))

    def move(node: cst.CSTNode) -> cst.CSTNode:
        body = list(cast("cst.IndentedBlock", node).body)
        moved = body[position]
        return node.with_changes(body=[*body[:position], *body[position + 1 : last], moved, *body[last:]])

    return {block: move}


@_transforms(CopyInto)
def _copy_into(site: Site, remedy: CopyInto, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    match site.statement:
        case cst.SimpleStatementLine(body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))]) as old]):
            function = cst.parse_expression(f"{name}.data.copy_")
            return {old: lambda node: cst.Expr(cst.Call(function, [cst.Arg(cast("cst.Assign", node).value)]))}
    raise NoFixError("nothing is assigned there")


@_transforms(Comprehend)
def _comprehend(site: Site, remedy: Comprehend, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    whole = site.at(remedy.place, cst.BaseExpression)  # type: ignore[type-abstract]
    for node in site.within(whole, cst.BinaryOperation):
        repeated, count = (node.left, node.right) if isinstance(node.left, cst.List) else (node.right, node.left)
        if isinstance(repeated, cst.List) and len(repeated.elements) == 1:
            layer = site.text(repeated.elements[0].value)
            new = cst.parse_expression(f"[{layer} for _ in range({site.text(count)})]")
            return {node: functools.partial(_in_parentheses, new)}
    raise NoFixError("no list of one layer is there")


@_transforms(Distinguish, around=True)
def _distinguish(site: Site, remedy: Distinguish, imports: Imports) -> Mapping[cst.CSTNode, Change]:
    loop = site.above(site.statement, cst.For)
    (by_dimension,) = _parsed(imports.spelled(BY_DIMENSION.format(name=remedy.name)), site)
    changes: dict[cst.CSTNode, Change] = {}
    blocks: set[cst.CSTNode] = set()
    for statement in _rows_named(site, loop, remedy.name):
        block = site.block(statement)
        if block in blocks:
            changes[statement] = lambda node: cst.RemoveFromParent()
        else:
            changes[statement] = lambda node: by_dimension.with_changes(leading_lines=node.leading_lines)  # type: ignore[attr-defined]
        blocks.add(block)
    return changes


def _rows_named(site: Site, loop: cst.For, name: str) -> Iterator[cst.SimpleStatementLine]:
    """Yield the statements of a loop that only name a row of a tensor."""
    for statement in site.within(loop, cst.SimpleStatementLine):
        match statement.body:
            case [cst.Expr(value=cst.Subscript(value=cst.Name(value=value)))] if value == name:
                yield statement
