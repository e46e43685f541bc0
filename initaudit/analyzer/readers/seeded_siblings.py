"""Layers of a container that each draw their weights from a generator of one seed, and so start alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.global_seeds import SEEDS
from initaudit.analyzer.source.snippets import begin, end, nodes
from initaudit.analyzer.syntax.context import Context, own_attribute, own_constructor
from initaudit.analyzer.syntax.meaning import targets
from initaudit.analyzer.syntax.structure import LISTS
from initaudit.finding import Observer
from initaudit.subjects.layers import CopiedLayers


@reads(CopiedLayers, scope=Context, words="ModuleList( Sequential(", nearby="manual_seed(")
def seeded_siblings(context: Context) -> Iterator[CopiedLayers]:
    """``nn.ModuleList([Expert(d) for _ in range(n)])`` of a class whose constructor sets a seed and then draws."""
    if context.cls is None or not context.project.is_module_class(context.cls):
        return
    for statement in context.walk():
        match statement:
            case ast.Assign(targets=[target], value=ast.Call(func=container, args=[items])) if (
                context.canonical(container) in LISTS
            ):
                name = own_attribute(target)
            case _:
                continue
        made = _made_alike(context, items)
        seed = _seed(context, made) if made is not None else None
        if name is not None and made is not None and seed is not None:
            yield CopiedLayers(
                observer=Observer.ANALYZER,
                place=context.snippet.place(made),
                model=context.cls.qualname,
                name=name,
                source=seed,
                seeded=True,
            )


@reads(CopiedLayers, scope=Context, words=("'for'", "manual_seed("), nearby="Parameter", named="__init__")
def seeded_draws(context: Context) -> Iterator[CopiedLayers]:
    """Parameters that each round of a loop draws with a new generator of one seed, and adds to a list of the object."""
    if context.cls is None or not context.project.is_module_class(context.cls):
        return
    for loop in (node for node in context.walk() if isinstance(node, ast.For)):
        for statement in loop.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=generator)], value=value) if seeds := _new_generators(
                    context, value
                ):
                    name = _adds_drawn(context, loop.body, generator)
                case ast.Expr(value=ast.Call() as added) if seeds := _new_generators(context, added):
                    name = own_attribute(added.func.value) if isinstance(added.func, ast.Attribute) else None
                case _:
                    continue
            if name is not None:
                yield CopiedLayers(
                    observer=Observer.ANALYZER,
                    place=context.snippet.place(seeds[0]),
                    model=context.cls.qualname,
                    name=name,
                    source=context.snippet.source(seeds[0]),
                    seeded=True,
                )


def _new_generators(context: Context, value: ast.expr) -> list[ast.Call]:
    """The calls in an expression that make a generator of a number: ``torch.Generator().manual_seed(0)``."""
    return [
        node
        for node in nodes(value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "manual_seed"
        if isinstance(node.func.value, ast.Call) and context.canonical(node.func.value.func) == "torch.Generator"
        if len(node.args) == 1 and isinstance(node.args[0], ast.Constant)
    ]


def _adds_drawn(context: Context, body: list[ast.stmt], generator: str) -> str | None:
    """The attribute that a loop adds to what it draws with a generator."""
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append", value=owner)) as added):
                given = (
                    each.value for each in nodes(added) if isinstance(each, ast.keyword) and each.arg == "generator"
                )
                if any(isinstance(each, ast.Name) and each.id == generator for each in given):
                    return own_attribute(owner)
            case _:
                pass
    return None


def _made_alike(context: Context, items: ast.expr) -> ast.Call | None:
    """The call that makes every item, where what it is given does not change from one to the next."""
    if isinstance(items, ast.Starred):
        items = items.value
    if not isinstance(items, ast.ListComp | ast.GeneratorExp) or not isinstance(items.elt, ast.Call):
        return None
    bound = {name for each in items.generators for name in targets(each.target)}
    used = {node.id for node in nodes(items.elt) if isinstance(node, ast.Name)}
    return items.elt if not bound & used else None


def _seed(context: Context, made: ast.Call) -> str | None:
    """The call in the constructor of what is made that sets a seed of a number, before something is drawn with it."""
    found = context.resolve(made.func)
    if not isinstance(found, Defined) or not context.project.is_module_class(found):
        return None
    init = own_constructor(context.project, found)
    if init is None or init.function is None:
        return None
    for statement in init.function.body:
        for node in nodes(statement):
            match node:
                case ast.Call(func=ast.Attribute(attr="manual_seed", value=owner) as function, args=[seed]):
                    own = init.canonical(function) not in SEEDS
                    given = _with_generator(init, owner) if own else _registers(init, statement)
                    if given and isinstance(seed, ast.Constant):
                        return init.snippet.source(node)
    return None


def _with_generator(init: Context, owner: ast.expr) -> bool:
    """Whether a parameter of the object is drawn with the generator that a seed is set of."""
    if isinstance(owner, ast.Call) and init.canonical(owner.func) != "torch.Generator":
        return False
    drawn = [
        node
        for node in init.walk()
        if isinstance(node, ast.Assign | ast.Expr)
        and any(isinstance(each, ast.keyword) and each.arg == "generator" for each in nodes(node))
    ]
    return any(
        isinstance(each, ast.Attribute) and own_attribute(each) is not None and init.is_parameter(each)
        for node in drawn
        for each in nodes(node)
    )


def _registers(init: Context, statement: ast.stmt) -> bool:
    """Whether the object gets a layer or a parameter behind a statement."""
    return any(
        isinstance(node, ast.Assign)
        and begin(node) > end(statement)
        and any(own_attribute(target) is not None for target in node.targets)
        and isinstance(node.value, ast.Call)
        and (init.is_module_class(node.value.func) or init.canonical(node.value.func) == "torch.nn.Parameter")
        for node in init.walk()
    )
