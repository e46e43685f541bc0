"""What makes the objects of a class in place of its constructor: a metaclass, or a decorator that replaces it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import GIVES, OBJECT, WALKS, Usage
from initaudit.analyzer.project.lineage import bases
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.source.snippets import FunctionNode, dotted

OF_EVERY_MODULE = WALKS | GIVES | torch_api.HARMLESS_MODULE_METHODS | {"apply", "load_state_dict"}


def altered(project: Project, cls: Defined) -> str | None:
    """Return what may change how objects of a class are made: its metaclass, or a decorator that sets ``__init__``."""
    return project.trail.once((altered, cls), lambda: _altered(project, cls))


def _altered(project: Project, cls: Defined) -> str | None:
    module, definition = cls.module, cls.definition
    if definition.start == definition.row and "metaclass" not in module.text:
        return None
    snippet = module.quiet_snippet(definition.start, definition.end)
    match snippet.body if snippet is not None else ():
        case [ast.ClassDef(decorator_list=decorators, keywords=keywords)]:
            for decorator in decorators:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                found = project.resolve(module, dotted(called))
                if isinstance(found, Defined) and _changes_constructors(found):
                    return f"the decorator {found.definition.name} changes its constructor"
            metaclass = next((each.value for each in keywords if each.arg == "metaclass"), None)
            found = project.resolve(module, dotted(metaclass)) if metaclass is not None else None
            if isinstance(found, Defined) and isinstance(project.method(found, "__call__"), Defined):
                return f"its metaclass {found.definition.name} makes its objects"
        case _:
            pass
    return None


def never_runs(project: Project, cls: Defined, base: External) -> bool:
    """Whether nothing of a base runs while an object is made: it stands behind nn.Module, which calls no other base.

    Then it is no module itself, or no class could have these bases in this order. A method that the classes call on
    the object and that none of them has may be one of the base.
    """
    own = [each for each in project.mro(cls) or () if isinstance(each, Defined)]
    if not any(_is_behind_module(project, each, base) for each in own):
        return False
    used = [each.module.usage(each.definition) for each in own]
    known = OF_EVERY_MODULE.union(*(each.definition.members for each in own), *(_stored(each) for each in used))
    called = {name.split(".")[1] for each in used for name in each.called if name.startswith(f"{OBJECT}.")}
    return called <= known and not any("call_super_init" in each.names for each in used)


def _is_behind_module(project: Project, cls: Defined, base: External) -> bool:
    text = cls.module.lines[cls.definition.row - 1 : cls.definition.end]
    found = [project.resolve_base(cls, each) for each in bases(text)]
    module = External("torch.nn.Module")
    behind = found[found.index(module) + 1 :] if module in found else ()
    return any(each == base or (isinstance(each, Defined) and base in (project.mro(each) or ())) for each in behind)


def _stored(used: Usage) -> set[str]:
    """The attributes of the object that some code assigns."""
    return {name.split(".")[1] for name in used.stored if name.startswith(f"{OBJECT}.")}


def _changes_constructors(decorator: Defined) -> bool:
    """Whether a decorator of classes gives them a constructor that does more than call the old one."""
    used = decorator.module.usage(decorator.definition)
    if "__init__" in used.texts:
        return True
    if not any(each.endswith(".__init__") for each in used.stored):
        return False
    tree = decorator.module.function(decorator.definition)
    return tree is None or not all(_only_calls_the_old_one(tree[1], new) for new in _set_constructors(tree[1]))


def _set_constructors(decorator: FunctionNode) -> Iterator[ast.expr]:
    """Yield what a decorator assigns to ``__init__``."""
    for node in ast.walk(decorator):
        if isinstance(node, ast.Assign) and any(dotted(target).endswith(".__init__") for target in node.targets):
            yield node.value


def _only_calls_the_old_one(decorator: FunctionNode, new: ast.expr) -> bool:
    """Whether a new constructor hands its arguments to the old one, and otherwise sets attributes without a call."""
    nodes = list(ast.walk(decorator))
    functions = [node for node in nodes if isinstance(node, FunctionNode) and node.name == dotted(new)]
    old = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and dotted(node.value).endswith(".__init__")
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if len(functions) != 1:
        return False
    calls = 0
    for statement in functions[0].body:
        match statement:
            case ast.Expr(value=ast.Call() as call) if dotted(call.func) in old and _hands_on(functions[0], call):
                calls += 1
            case ast.Assign() | ast.AnnAssign() | ast.Expr(value=ast.Constant()) | ast.Pass():
                if any(isinstance(node, ast.Call) for node in ast.walk(statement)):
                    return False
            case _:
                return False
    return calls == 1


def _hands_on(function: FunctionNode, call: ast.Call) -> bool:
    """Whether a call is given what the function is given, all of it and in order."""
    arguments = function.args
    given = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args)]
    given += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    given += [parameter.arg for parameter in arguments.kwonlyargs]
    given += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return given == [*map(ast.unparse, call.args), *map(_named, call.keywords)]


def _named(keyword: ast.keyword) -> str:
    """A keyword argument as it would be declared; empty where its value has another name."""
    value = ast.unparse(keyword.value)
    if keyword.arg is None:
        return f"**{value}"
    return value if value == keyword.arg else ""
