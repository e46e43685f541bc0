"""Layers of a container that are copies of one, and start alike."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from initaudit.analyzer import frameworks, torch_api
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.usage import Usage, usage
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import is_once
from initaudit.analyzer.source.snippets import FunctionNode, last_name, nodes, root
from initaudit.analyzer.syntax.context import Context, File, own_attribute
from initaudit.analyzer.syntax.scopes import scopes
from initaudit.analyzer.syntax.structure import LISTS, Layer, below, is_known, made
from initaudit.finding import Observer
from initaudit.subjects.layers import CopiedLayers

REINITIALIZES = {"apply", "named_apply", "post_init", "load_state_dict", "from_pretrained"}
"""What may write to layers that others have made, when it is called."""
CONSTANT = {"zeros", "ones", "full"}
"""What makes the parameters of a norm, where a class makes its own."""
MAX_LEVELS = 4


@reads(CopiedLayers, scope=File, words=("deepcopy(", "ModuleList( Sequential("))
def copied_layers(file: File) -> Iterator[CopiedLayers]:
    """Copies of a layer that the classes of a file make for a container, where nobody writes to them again."""
    project, module = file.project, file.module
    functions = [each for each in module.outline.members.values() if not each.is_class]
    makers = {each.name for each in functions if "deepcopy" in module.matches(each.start, each.end).names_called}
    for start, end, definition in scopes(module):
        owner = definition.owner if definition is not None else None
        if owner is None or definition is None or not _calls(module, start, end, {"deepcopy", *makers}):
            continue
        snippet = module.snippet(start, end) if project.is_module_class(Defined(module, owner)) else None
        if snippet is not None:
            yield from _of_method(Context(project, module, definition, snippet))


@reads(CopiedLayers, scope=Context, words="self", nearby="import", named="__init__")
def copied_by_import(context: Context) -> Iterator[CopiedLayers]:
    """Copies for the constructor of a module that a function of another file makes: ``clones(layer, 6)``."""
    if context.cls is not None and context.project.is_module_class(context.cls):
        yield from _of_method(context, here=False)


def _calls(module: Module, start: int, end: int, names: set[str]) -> bool:
    return not names.isdisjoint(module.matches(start, end).names_called)


def _of_method(context: Context, *, here: bool = True) -> Iterator[CopiedLayers]:
    """The copies that one method of a module makes, by code of its own file or of another."""
    for statement in context.walk():
        if not isinstance(statement, ast.Assign) or (name := own_attribute(statement.targets[0])) is None:
            continue
        copy, helper = _copied_in(context, statement.value, here=here)
        if copy is None or not _may_be_random(context, copy.args[0]):
            continue
        if context.cls is not None and stays(context.project, context.cls):
            yield CopiedLayers(
                observer=Observer.ANALYZER,
                place=context.snippet.place(copy),
                model=context.cls.qualname,
                name=name,
                source=context.snippet.source(copy),
                apart=_have_own_inputs(context.cls, name),
                once=is_once(context, _times(statement.value, copy)),
                helper=helper.qualname if helper is not None else "",
            )


def _times(value: ast.expr, copy: ast.Call) -> list[ast.expr]:
    """What may say how many copies are made: the argument of ``range``, or what a function is given with the layer."""
    ranges = (node for node in nodes(value) if isinstance(node, ast.Call) and last_name(node.func) == "range")
    return [each for call in ranges for each in call.args] or [*copy.args[1:], *(each.value for each in copy.keywords)]


def _have_own_inputs(cls: Defined, name: str) -> bool:
    """Whether each layer of a container gets an input of its own, chosen as the layer is: the layers train apart."""
    inputs = [
        given
        for definition in cls.definition.members.values()
        if definition.name != "__init__" and (found := cls.module.function(definition)) is not None
        for given in _inputs(found[1], name)
    ]
    return bool(inputs) and all(inputs)


def _inputs(function: FunctionNode, name: str) -> Iterator[bool]:
    """Whether the first argument of each call of a layer of a container depends on what chooses the layer.

    What other layers of the container have given is no input of its own.
    """
    chosen = {
        element: others
        for node in nodes(function)
        if isinstance(node, ast.For | ast.comprehension)
        for element, others in _elements(node, name)
    }
    for node in nodes(function):
        match node:
            case ast.Call(func=ast.Subscript(value=owner, slice=index), args=[first, *_]) if (
                own_attribute(owner) == name
            ):
                by = _names(index)
            case ast.Call(func=ast.Name(id=element), args=[first, *_]) if element in chosen:
                by = chosen[element]
            case _:
                continue
        yield not by.isdisjoint(_names(first)) and _made_from(function, node).isdisjoint(_names(first))


def _elements(loop: ast.For | ast.comprehension, name: str) -> Iterator[tuple[str, set[str]]]:
    """The name that a loop gives to the layers of a container, and the other names that it gives with it.

    Those of other layers of the object are none of these: what they are given may be the same.
    """
    match loop.target, loop.iter:
        case ast.Name(id=element), owner if own_attribute(owner) == name:
            yield element, set()
        case ast.Tuple(elts=[index, ast.Name(id=element)]), ast.Call(func=ast.Name(id="enumerate"), args=[owner, *_]):
            if own_attribute(owner) == name:
                yield element, _names(index)
        case ast.Tuple(elts=targets), ast.Call(func=ast.Name(id="zip"), args=owners):
            pairs = list(zip(targets, owners, strict=False))
            given = {each for target, owner in pairs if own_attribute(owner) is None for each in _names(target)}
            yield from (
                (target.id, given) for target, owner in pairs
                if isinstance(target, ast.Name) and own_attribute(owner) == name
            )  # fmt: skip
        case _:
            pass


def _made_from(function: FunctionNode, call: ast.Call) -> set[str]:
    """The variables that hold the result of a call, or something made from it."""
    found: set[str] = set()
    flows = [flow for node in nodes(function) if isinstance(node, ast.stmt) for flow in _flows(node)]
    while True:
        more = {
            into
            for value, into in flows
            if any(node is call or (isinstance(node, ast.Name) and node.id in found) for node in nodes(value))
        }
        if more <= found:
            return found
        found |= more


def _flows(statement: ast.stmt) -> Iterator[tuple[ast.expr, str]]:
    """The values that a statement puts into variables: by an assignment, or by a method such as ``append``."""
    match statement:
        case ast.Assign(value=value):
            targets = statement.targets
        case ast.AugAssign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            targets = [statement.target]
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner)) as value):
            targets = [owner]
        case _:
            return
    parts = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    yield from ((value, into.id) for part in parts if (into := root(part)) is not None)


def _names(node: ast.AST) -> set[str]:
    """The variables in an expression, but those that only choose one of the object's own layers."""
    chosen = {
        id(each)
        for part in nodes(node)
        if isinstance(part, ast.Subscript) and own_attribute(part.value) is not None
        for each in nodes(part.slice)
    }
    return {each.id for each in nodes(node) if isinstance(each, ast.Name) and id(each) not in chosen}


def _copied_in(context: Context, value: ast.expr, *, here: bool) -> tuple[ast.Call | None, Defined | None]:
    """The call that copies, in a container whose every element is a copy of one layer, and the function it calls."""
    if not isinstance(value, ast.Call) or not value.args:
        return None, None
    if here and context.canonical(value.func) in LISTS:
        items = value.args[0].value if isinstance(value.args[0], ast.Starred) else value.args[0]
        return _each_copied(context, items), None
    helper = context.resolve(value.func)
    if not isinstance(helper, Defined) or helper.definition.is_class or (helper.module is context.module) is not here:
        return None, None
    return (value, helper) if "deepcopy" in _text(helper) and _returns_copies(helper) else (None, None)


def _returns_copies(helper: Defined) -> bool:
    """Whether a function makes a ``ModuleList`` of deep copies of one name."""
    found = helper.module.function(helper.definition)
    for node in ast.walk(found[1]) if found is not None else ():
        match node:
            case ast.Call(
                func=container,
                args=[
                    ast.ListComp(elt=ast.Call(func=copy, args=[ast.Name()]))
                    | ast.GeneratorExp(elt=ast.Call(func=copy, args=[ast.Name()]))
                ],
            ):
                if last_name(container) == "ModuleList" and last_name(copy) == "deepcopy":
                    return True
            case _:
                pass
    return False


def _each_copied(context: Context, items: ast.expr) -> ast.Call | None:
    if not isinstance(items, ast.ListComp | ast.GeneratorExp) or not isinstance(items.elt, ast.Call):
        return None
    copy = items.elt
    loop_names = {node.id for each in items.generators for node in ast.walk(each.target) if isinstance(node, ast.Name)}
    if context.canonical(copy.func) != "copy.deepcopy" or len(copy.args) != 1:
        return None
    names = {node.id for node in ast.walk(copy.args[0]) if isinstance(node, ast.Name)}
    return copy if not names & loop_names else None


def _may_be_random(context: Context, layer: ast.expr) -> bool:
    """Whether a layer that is copied may have random weights: norms and activations are alike in any case."""
    found = made(context, layer)
    parts = list(below(context.project, list(found.layers), set()))
    known = found.complete and bool(parts) and all(is_known(context.project, each) for each in parts)
    return not known or any(map(is_random, parts))


def is_random(layer: Layer) -> bool:
    """Whether a layer draws weights itself."""
    if layer.cls is None:
        return layer.kind.removeprefix("torch.nn.") in torch_api.DRAWN
    called = layer.cls.module.usage(layer.cls.definition).last_called
    return "Parameter" in called and called.isdisjoint(CONSTANT)


def _text(defined: Defined) -> str:
    return defined.module.slice(defined.definition)


def stays(project: Project, cls: Defined) -> bool:
    """Whether a class, and everything that makes one of it, leaves its layers as they are, and something makes it."""
    seen: set[Defined | Usage] = set()
    level: set[Defined | Usage] = {cls}
    for _ in range(MAX_LEVELS):
        made = [each for each in level if isinstance(each, Defined)]
        near = {maker for each in made for maker in _makers(project, each, [each.module.filename])}
        if any(_writes_again(project, each) for each in level | near):  # before the whole project is searched
            return False
        seen |= level
        level = near.union(*(_makers(project, each, project.files_naming(each)) for each in made)) - seen
        if not level:
            return len(seen) > 1
    return False


def _writes_again(project: Project, defined: Defined | Usage) -> bool:
    """Whether a class, a function or top-level code may write to layers that others have made."""
    if isinstance(defined, Usage):
        return _reinitializes(defined)
    if not defined.definition.is_class:
        return _reinitializes(defined.module.usage(defined.definition))
    order = project.mro(defined)
    return order is None or any(
        _reinitializes(base.module.usage(base.definition))
        if isinstance(base, Defined)
        else not (base.name.startswith("torch.nn.") or base.name in frameworks.KNOWN_BASES)
        for base in order
    )


def _reinitializes(used: Usage) -> bool:
    """Whether some code goes over all of a model, or calls what may do so."""
    named = ("init_weights", "initialize_weights", "_init_params")
    return (
        used.walks
        or not REINITIALIZES.isdisjoint(used.last_called)
        or any(part in name for part in named for name in used.names)
        or any(each.endswith("reset_parameters") and not each.startswith("self.") for each in used.called)
    )


def _makers(project: Project, defined: Defined, filenames: Iterable[str]) -> Iterator[Defined | Usage]:
    """The classes and functions that may make or call something, and what stands in top-level code that does."""
    name = defined.definition.name
    for filename in filenames:
        module = project.load(filename)
        if module is None or project.resolve(module, name) not in (defined, None):
            continue  # it means something else there
        yield from project.descendants(defined, module)
        for start, end, definition in scopes(module):
            top = definition.owner or definition if definition is not None else None
            if (top is not None and top.name == name) or name not in module.rows(start, end):
                continue
            if definition is None and name in module.usage_of(start, end).last_called:
                yield module.usage_of(start, end)
            elif top is not None and definition is not None and _speaks_of(module, definition, name):
                yield Defined(module, top)


def _speaks_of(module: Module, definition: Definition, name: str) -> bool:
    """Whether the body of a function names something that is not its own."""
    found = module.function(definition)
    used = usage(found[1].body if found is not None else ())
    return name in used.variables or used.of_others(name)
