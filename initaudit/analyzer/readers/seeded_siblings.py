"""Layers of a container that each draw their weights from a generator of one seed, and so start alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.global_seeds import RESTORES, SEEDS
from initaudit.analyzer.source.snippets import begin, defaults, end, nodes, parameters
from initaudit.analyzer.syntax.context import Context, function_context, own_attribute, own_constructor
from initaudit.analyzer.syntax.meaning import targets
from initaudit.analyzer.syntax.stateful import is_stateful
from initaudit.analyzer.syntax.structure import LISTS
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.layers import CopiedLayers

GENERATORS = {"numpy.random.RandomState", "numpy.random.default_rng"}
DRAWN = {f"torch.{name}" for name in ("randn", "rand", "normal")}
DRAWS_OF_NUMPY = {"randn", "rand", "normal", "standard_normal", "uniform", "random"}


@reads(CopiedLayers, scope=Context, words="ModuleList( Sequential(", nearby="manual_seed(")
def seeded_siblings(context: Context) -> Iterator[CopiedLayers]:
    """``nn.ModuleList([Expert(d) for _ in range(n)])`` of a class or a function that sets a seed and then draws.

    Also two attributes that are made alike by a function which does so.
    """
    if context.cls is None or not context.project.is_module_class(context.cls):
        return
    before: dict[str, str] = {}
    for statement in context.walk():
        match statement:
            case ast.Assign(targets=[target], value=ast.Call() as value) if (name := own_attribute(target)) is not None:
                pass
            case _:
                continue
        in_list = context.canonical(value.func) in LISTS and bool(value.args)
        made = _made_alike(context, value.args[0]) if in_list else None
        seed = _seed(context, made) if made is not None else None
        beside: tuple[str, ...] = ()
        if seed is None:
            calls = (_seed(context, each) for each in nodes(value) if isinstance(each, ast.Call))
            made, seed = value, next((each for each in calls if each is not None), None)
            other = before.setdefault(ast.unparse(value), name) if seed is not None else name
            beside = (other, name) if other != name else ()
        if made is not None and seed is not None and (beside or made is not value):
            yield CopiedLayers(
                observer=Observer.ANALYZER,
                place=context.snippet.place(made),
                model=context.cls.qualname,
                name=name,
                source=seed,
                seeded=True,
                beside=beside,
            )


@reads(CopiedLayers, scope=Context, words=("'for'", "manual_seed( RandomState( default_rng("), named="__init__")
def seeded_draws(context: Context) -> Iterator[CopiedLayers]:
    """Layers and parameters that each round of a loop draws from one seed, and adds to a container of the object."""
    if context.cls is None or not context.project.is_module_class(context.cls):
        return
    for loop in (node for node in context.walk() if isinstance(node, ast.For)):
        changing = {node.id for node in nodes(loop) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        for position, statement in enumerate(loop.body):
            seed = _seed_in(context, statement, changing)
            if seed is None or isinstance(statement, ast.For | ast.While | ast.If | ast.FunctionDef):
                continue
            bound = {node.id for node in nodes(statement) if isinstance(node, ast.Name) and node.id in changing}
            everywhere = context.canonical(seed.func) in SEEDS
            added = _added(context, loop.body[position:], targets(loop.target), None if everywhere else bound)
            name = _held_as(context, added) if added is not None else None
            if name is not None:
                yield CopiedLayers(
                    observer=Observer.ANALYZER,
                    place=context.snippet.place(seed),
                    model=context.cls.qualname,
                    name=name,
                    source=context.snippet.source(seed),
                    seeded=True,
                )


def _seed_in(context: Context, statement: ast.stmt, changing: set[str]) -> ast.Call | None:
    """The call in a statement that sets a seed, or makes a generator of one, which is the same in every round."""
    for node in nodes(statement):
        match node:
            case ast.Call(func=ast.Attribute(attr="manual_seed", value=owner) as function, args=[seed], keywords=[]):
                made = isinstance(owner, ast.Call) and context.canonical(owner.func) == "torch.Generator"
                sets = made or context.canonical(function) in SEEDS
            case ast.Call(func=function, args=[seed], keywords=[]):
                sets = context.canonical(function) in GENERATORS
            case _:
                continue
        names = {each.id for each in nodes(seed) if isinstance(each, ast.Name)}
        if sets and not names & changing and not any(isinstance(each, ast.Call) for each in nodes(seed)):
            return node
    return None


def _added(context: Context, body: list[ast.stmt], varies: set[str], generators: set[str] | None) -> ast.expr | None:
    """The container to which some statements add what they draw, from one of some generators where these are named.

    What is made of a variable of the loop, other than its key, is another thing in each round.
    """
    drawn: set[str] = set()
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append", value=owner), args=[value])):
                pass
            case ast.Expr(value=ast.Call() as call) if generators is not None and _draws(context, call, generators):
                target = written(context, call)
                drawn |= (
                    {each.id for each in nodes(target) if isinstance(each, ast.Name)} if target is not None else set()
                )
                continue
            case ast.Assign(targets=[ast.Subscript(value=owner)], value=value):
                pass
            case ast.Assign(targets=[ast.Name(id=name) as owner], value=value):
                pass
            case _:
                continue
        used = {node.id for node in nodes(value) if isinstance(node, ast.Name)}
        if used & varies:
            drawn -= {owner.id} if isinstance(owner, ast.Name) else set()
            varies = varies | ({owner.id} if isinstance(owner, ast.Name) else set())
            continue
        if used & drawn or _draws(context, value, generators):
            if not isinstance(statement, ast.Assign) or not isinstance(owner, ast.Name):
                return owner
            drawn.add(name)
    return None


def _draws(context: Context, value: ast.AST, generators: set[str] | None) -> bool:
    """Whether an expression makes a layer or a parameter, or draws from one of some generators."""
    for node in nodes(value):
        match node:
            case ast.keyword(arg="generator", value=given) if generators is not None:
                if isinstance(given, ast.Call) or (isinstance(given, ast.Name) and given.id in generators):
                    return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method)) if generators is not None:
                if owner in generators and method in DRAWS_OF_NUMPY:
                    return True
            case ast.Call(func=made) if generators is None and is_stateful(context, node, buffers=False):
                if context.canonical(made) != "torch.nn.Parameter":
                    return True
            case ast.Call(func=made) if generators is None and context.canonical(made) in DRAWN:
                return True
            case _:
                pass
    return False


def _held_as(context: Context, container: ast.expr) -> str | None:
    """The attribute that is a container, or that gets a list of it."""
    if not isinstance(container, ast.Name):
        return own_attribute(container)
    for node in context.walk():
        match node:
            case ast.Assign(targets=[target], value=ast.Call(func=made, args=args)) if container.id in {
                each.id for arg in args for each in nodes(arg) if isinstance(each, ast.Name)
            }:
                if context.canonical(made) in LISTS | {"torch.nn.ParameterList"}:
                    return own_attribute(target)
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
    """The call in what makes an object that sets a seed of a number, before something is drawn with it.

    That is a constructor, or a function of which the call leaves the seed as it is.
    """
    found = context.resolve(made.func)
    if not isinstance(found, Defined):
        return None
    if not found.definition.is_class:
        return _seed_of_function(context, found, made)
    init = own_constructor(context.project, found) if context.project.is_module_class(found) else None
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


def _seed_of_function(context: Context, found: Defined, made: ast.Call) -> str | None:
    """The first call of a function that sets a seed, where it makes a layer or a tensor behind it."""
    inner = function_context(context.project, found)
    function = inner.function if inner is not None else None
    if inner is None or function is None or any(each.arg is None for each in made.keywords):
        return None
    if any(isinstance(node, ast.Attribute) and node.attr in RESTORES for node in inner.walk()):
        return None
    names = [param.arg for param in parameters(function)]
    left = set(names[len(made.args) :]) - {each.arg for each in made.keywords}
    fixed = {
        name for name, value in defaults(function.args).items() if name in left and isinstance(value, ast.Constant)
    }
    for position, statement in enumerate(function.body):
        seed = _seed_in(inner, statement, set())
        if seed is None or not all(
            each.id in fixed for arg in seed.args for each in nodes(arg) if isinstance(each, ast.Name)
        ):
            continue
        everywhere = inner.canonical(seed.func) in SEEDS
        bound = {each.id for each in nodes(statement) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        drawn = (_draws(inner, each, None if everywhere else bound) for each in function.body[position + 1 :])
        return inner.snippet.source(seed) if any(drawn) else None
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
