"""Methods and functions that initialize a model, and that nothing in the project calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from initaudit.analyzer import torch_api
from initaudit.analyzer.frameworks import CALLED_BY_FRAMEWORK, DRAWN_BY, LIGHTNING_HOOKS, LIGHTNING_MODULES, RESETS
from initaudit.analyzer.programs.verdict import drawn_by_programs
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.readers.applications import is_program
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import is_always_loaded, is_built
from initaudit.analyzer.readers.calls import SIBLINGS, Calls, uses_of
from initaudit.analyzer.source.snippets import FunctionNode, last_name, nodes, root
from initaudit.analyzer.syntax.context import Context, first_parameter, initializes
from initaudit.analyzer.syntax.expressions import COPIES
from initaudit.analyzer.syntax.results import OUT_OF_PLACE
from initaudit.analyzer.syntax.walks import applied
from initaudit.finding import Place
from initaudit.subjects.initializers import UncalledInitializer

MAGIC = {
    "__post_init__",
    "__attrs_post_init__",
    "__init_subclass__",
    "__set_name__",
    "__reduce_ex__",
    "__torch_function__",
}
"""Methods of several words that Python or a library calls by itself; others that look like them are called by name."""
SPECIAL = {"forward", "extra_repr", "setup", "configure_model", "configure_optimizers", "build", "create", "make"}

DRAWS = f"_( apply( {' '.join(f'{name}(' for name in torch_api.OLD_INITIALIZERS)}"
MAKES_NEW = COPIES | OUT_OF_PLACE | {"new", "deepcopy"}
"""Functions and methods whose result is another tensor."""


@reads(UncalledInitializer, scope=Context, words=DRAWS, nearby="Module nn")
def uncalled_initializers(context: Context) -> Iterator[UncalledInitializer]:
    """A method of a module class, or a function of a script, that initializes and that nothing calls."""
    function, definition = context.function, context.definition
    if function is None or definition is None or function.decorator_list or not _may_be_forgotten(function.name):
        return
    if not _initializes(context, function):
        return
    project, module = context.project, context.module
    of_objects = _mixed_into(context)
    misnamed = context.cls is not None and _is_misnamed_hook(context, context.cls, function.name)
    if context.cls is not None and not misnamed:
        if of_objects is None or not _is_plain(context, of_objects, function.name):
            return
    elif context.cls is None and (definition.parent is not None or not is_program(project, module)):
        return
    calls = Calls(project, module, function.name)
    if calls.anywhere(context.cls):
        return
    if context.cls is not None and not misnamed:
        if function.name in RESETS and not _is_forgotten_reset(calls, context.cls):
            return
        private = function.name.startswith("_") and _draws(context, function, "self")
        of_objects = of_objects or context.cls
        if not (private or calls.siblings or is_built(project, of_objects, calls.importing)):
            return  # users of a library may call it
        if is_always_loaded(project, of_objects):
            return  # what its layers drew is replaced
    yield UncalledInitializer(
        place=_header(context, function),
        name=function.name,
        model=context.cls.qualname if context.cls is not None else None,
        siblings=tuple(dict.fromkeys(calls.siblings))[:SIBLINGS],
        loaded=context.cls is not None and _is_filled_by_another(calls, context.cls, function.name),
        drawn=context.cls is not None and drawn_by_programs(project, context.cls, copies=False),
    )


def _mixed_into(context: Context) -> Defined | None:
    """The class of a method, or the only one of modules that derives from it where it is no class of modules itself."""
    cls, project = context.cls, context.project
    if cls is None or project.is_module_class(cls):
        return cls
    derived = [each for each in project.descendants(cls, context.module) if each != cls]
    return derived[0] if len(derived) == 1 and project.is_module_class(derived[0]) else None


def _header(context: Context, function: FunctionNode) -> Place:
    """The place of the line that defines a function."""
    place = context.snippet.place(function)
    header = context.module.lines[place.row - 1]
    return msgspec.structs.replace(place, end_row=place.row, end_column=len(header) + 1)


@reads(UncalledInitializer, scope=Context, words=DRAWS, nearby="Module nn")
def nested_initializers(context: Context) -> Iterator[UncalledInitializer]:
    """Functions inside a method of a module class that initialize what they are given, and that nothing there reads."""
    outer = context.function
    if outer is None or context.cls is None or not context.project.is_module_class(context.cls):
        return
    for node in context.walk():
        match node:
            case ast.FunctionDef(name=name, args=ast.arguments(args=[first, *_]), decorator_list=[]):
                given = first.arg
            case ast.FunctionDef(name=name, args=ast.arguments(args=[], vararg=None, kwonlyargs=[]), decorator_list=[]):
                given = "self"
            case _:
                continue
        if node is outer:
            continue
        read = any(isinstance(each, ast.Name) and each.id == name for each in context.walk())
        if not read and not _reads_all(context) and _draws(context, node, given):
            yield UncalledInitializer(
                place=_header(context, node),
                name=name,
                model=context.cls.qualname,
                drawn=drawn_by_programs(context.project, context.cls, copies=False),
            )


def _reads_all(context: Context) -> bool:
    """Whether some code asks for all of its local names at once."""
    return any(last_name(call.func) == "locals" for call in context.calls())


def _is_filled_by_another(calls: Calls, cls: Defined, name: str) -> bool:
    """Whether another method of the class loads a checkpoint into the object, and something outside calls that."""
    for definition in cls.definition.members.values():
        if definition.is_class or definition.name == name or not _may_be_forgotten(definition.name):
            continue
        used = cls.module.usage(definition)
        copies = "state_dict" in used.own and "copy_" in used.last_called
        loads = "torch.load" in used.called or "load_state_dict" in used.own or copies
        if loads and Calls(calls.project, calls.module, definition.name).anywhere(cls):
            return True
    return False


def _may_be_forgotten(name: str) -> bool:
    """Whether a function of this name is called by name or not at all."""
    magic = name.startswith("__") and name.endswith("__") and ("_" not in name.strip("_") or name in MAGIC)
    return not magic and name not in SPECIAL and not name.startswith("test")


def _is_forgotten_reset(calls: Calls, cls: Defined) -> bool:
    """Whether a method that torch's own layers have too is called by other classes of the file, and not for this one.

    Who builds the class may call it, and so may a base that has one.
    """
    order = calls.project.mro(cls) or ()
    plain = all(not isinstance(base, External) or base.name in ("torch.nn.Module", "object") for base in order)
    beside = uses_of(cls.module, calls.name)
    return plain and beside is not None and bool(beside.siblings) and is_built(calls.project, cls, calls.importing)


def _initializes(context: Context, function: FunctionNode) -> bool:
    """Whether a function draws or sets parameters of the object, or of what it is given, and does little else.

    A method that is called after initialization may be meant for ``apply``.
    """
    given = first_parameter(context) if context.cls is None or "init" in function.name else None
    whole = context.cls is not None and _draws(context, function, "self")
    return whole or (given is not None and _draws(context, function, given))


def _makes_layer(context: Context, value: ast.expr) -> bool:
    """Whether an expression makes a module."""
    return isinstance(value, ast.Call) and context.is_module_class(value.func)


def _draws(context: Context, function: FunctionNode, given: str) -> bool:
    """Whether a function draws or sets parameters of ``given``, and does little else."""
    elements = {given}
    for node in nodes(function):  # what loops over it, or names taken from it, stand for
        if isinstance(node, ast.For) and _root(node.iter) in elements:
            elements |= {each.id for each in nodes(node.target) if isinstance(each, ast.Name)}
    drawn, given_back = False, _given_back(function, elements)
    for node in nodes(function):
        if (
            isinstance(node, ast.Return)
            and node.value is not None
            and not isinstance(node.value, ast.Name | ast.Constant)
        ):
            return False
        if isinstance(node, ast.Assign) and _root(node.targets[0]) == given and _makes_layer(context, node.value):
            return False  # without the call, there is no such layer to initialize
        if not isinstance(node, ast.Call):
            continue
        canonical = context.canonical(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "apply" and _root(node.func.value) == given:
            walk = applied(context, node)
            drawn = drawn or (walk is not None and any(map(initializes, walk.body)))
        elif canonical is not None and torch_api.is_initializer(canonical) and node.args:
            drawn = drawn or (_root(node.args[0]) in elements and (node in given_back or not _is_new(node.args[0])))
        elif isinstance(node.func, ast.Attribute) and node.func.attr in torch_api.OVERWRITES - {"copy_", "set_"}:
            target = node.func.value
            drawn = drawn or (
                _root(target) in elements and _names_parameter(target) and (node in given_back or not _is_new(target))
            )
    return drawn


def _given_back(function: FunctionNode, elements: set[str]) -> set[ast.AST]:
    """The parts of a function that compute what a parameter becomes, by an assignment or a copy."""
    found: set[ast.AST] = set()
    for node in nodes(function):
        match node:
            case ast.Assign(targets=[ast.Attribute() as target], value=value):
                pass
            case ast.Call(func=ast.Attribute(attr="copy_", value=target), args=[value, *_]):
                pass
            case _:
                continue
        if _root(target) in elements and _names_parameter(target) and not _is_new(target):
            found.update(nodes(value))
    return found


def _is_new(node: ast.expr) -> bool:
    """Whether an expression makes another tensor: ``self.weight.data.new(3)``, ``torch.empty_like(weight)``."""
    while True:
        match node:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Call(func=function, args=given):
                name = last_name(function)
                if name in MAKES_NEW or name.startswith("new_") or name.endswith("_like"):
                    return True
                if not isinstance(function, ast.Attribute) and not given:
                    return False
                node = function.value if isinstance(function, ast.Attribute) else given[0]
            case _:
                return False


def _names_parameter(node: ast.expr) -> bool:
    """Whether an expression goes by ``weight``, ``bias`` or ``data``, as parameters do, and not by their gradients."""
    names = {inner.attr for inner in nodes(node) if isinstance(inner, ast.Attribute)}
    return not names.isdisjoint(("weight", "bias", "data")) and "grad" not in names


def _root(node: ast.expr) -> str | None:
    """The variable that an expression begins with, or that is given to what it calls."""
    found = root(node, calls=True)
    return found.id if found is not None else None


def _is_plain(context: Context, cls: Defined, name: str) -> bool:
    """Whether the bases of a class are known, and none of them has the method or calls it."""
    order = context.project.mro(cls)
    if order is None:
        return False
    for base in order:
        if isinstance(base, External):
            package = base.name.partition(".")[0]
            known = torch_api.is_torch(base.name) or base.name == "object" or base.name.startswith(("typing.", "abc."))
            if base.name in LIGHTNING_MODULES:
                known = not name.startswith(LIGHTNING_HOOKS)
            if not known or name in CALLED_BY_FRAMEWORK.get(package, ()):
                return False
        elif base not in (cls, context.cls) and name in base.definition.members:
            return False
    return True


def _is_misnamed_hook(context: Context, cls: Defined, name: str) -> bool:
    """Whether a method is named as what a framework calls to draw, but for a letter, or two that changed places."""
    order = context.project.mro(cls) or ()
    packages = (base.name.partition(".")[0] for base in order if isinstance(base, External))
    hook = next((DRAWN_BY[package] for package in packages if package in DRAWN_BY), None)
    if hook is None or any(isinstance(base, Defined) and hook in base.definition.members for base in order):
        return False
    swapped = {name[:at] + name[at : at + 2][::-1] + name[at + 2 :] for at in range(len(name))}
    return name != hook and (hook in swapped or name in {hook[:at] + hook[at + 1 :] for at in range(1, len(hook))})
