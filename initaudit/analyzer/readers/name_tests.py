"""Initializing loops that go by parts of parameter names, held against the names that the model can have.

Names are made of what classes call their attributes and what torch's layers call their parameters. Whatever may add a
name that is not spelled out makes the names unknown.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import OBJECT
from initaudit.analyzer.programs.graph import modules_naming
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.syntax.context import Context, own_attribute
from initaudit.analyzer.syntax.structure import ADDS, CONTAINERS, Layer, below, constructed
from initaudit.finding import Observer
from initaudit.naming import NAMED, OF_PARAMETERS, OF_PLAIN, OF_TORCH, initializes, parts_asked_for
from initaudit.subjects.module_tests import NameTest

PLAIN = torch_api.LINEAR_LIKE | torch_api.NORMALIZATIONS | torch_api.ACTIVATION_MODULES | torch_api.TRANSPARENT
ADDS_NAMES = {"setattr", "__setattr__", "add_module", "register_module", "ModuleDict", "ParameterDict", "OrderedDict"}
"""What may give a module names that are not attributes in its source."""
GIVE_PARAMETERS = {"Parameter", "UninitializedParameter", "register_parameter", "setattr", "__setattr__"}
"""What may give a module a parameter of its own."""


SHORTEST, ALIKE = 5, 0.86
"""How many letters a name has at least that is held to be mistyped, and how alike it is to the one that was meant."""


def _of_layer(kind: str) -> frozenset[str]:
    """The names in a layer of torch."""
    if kind in CONTAINERS:
        return frozenset()
    return OF_PLAIN if kind.removeprefix("torch.nn.") in PLAIN | {"Embedding", "EmbeddingBag"} else OF_TORCH


@reads(NameTest, scope=Context, words=("named_parameters( named_modules( named_children(", "for", "_("))
def name_tests(context: Context) -> Iterator[NameTest]:
    """Tests before something is initialized that no name of the model passes."""
    shown = _shown(context)
    for loop in context.walk():
        match loop:
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=element)]),
                iter=ast.Call(func=ast.Attribute(attr=kind, value=model)),
            ) if kind in NAMED:
                yield from _of_loop(
                    context, loop, model, name, element, shown.get(loop), nested=kind == "named_parameters"
                )
            case _:
                pass


def _shown(context: Context) -> dict[ast.AST, Defined]:
    """The loops over what a condition shows to be an object of one class: ``if isinstance(module, Net): for ...``."""
    shown: dict[ast.AST, Defined] = {}
    for node in context.walk():
        match node:
            case ast.If(test=ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=element), kind]), body=body):
                cls = context.resolve(kind)
                if isinstance(cls, Defined) and cls.definition.is_class and context.project.is_module_class(cls):
                    shown |= {
                        loop: cls
                        for loop in body
                        if isinstance(loop, ast.For)
                        and dotted(getattr(loop.iter, "func", loop.iter)).startswith(f"{element}.")
                    }
            case _:
                pass
    return shown


def _of_loop(
    context: Context, loop: ast.For, model: ast.expr, name: str, element: str, shown: Defined | None, *, nested: bool
) -> Iterator[NameTest]:
    """``nested`` says that names of the loop have a dot, if the model has no parameters of its own.

    ``shown`` is the class of the model, if a condition around the loop tells.
    """
    asked = [
        (branch.test, test, part)
        for branch in ast.walk(loop)
        if isinstance(branch, ast.If) and initializes(branch.body, element)
        for test, part in parts_asked_for(branch.test, name)
    ]
    tests = [(test, part) for _, test, part in asked]
    if not tests:
        return
    itself = isinstance(model, ast.Name) and model.id == "self"
    cls = context.cls if itself else shown
    if cls is not None and any(_derived(context.project, cls)):
        return
    names = _of_class(context.project, cls) if cls is not None else _names(context, model)
    first = _attributes(context.project, cls) if cls is not None else None
    if names is None and first is None:
        return
    nested = nested and (_has_none_itself(context.project, cls) if cls is not None else _all_nested(context, model))
    whole = [
        _is_whole(test, part) and (_is_deeper(part, first) if "." in part else nested and names is not None)
        for test, part in tests
    ]
    passed = [
        _given_from_outside(context, part) or ((names is None or _possible(part, names)) and not only)
        for (_, part), only in zip(tests, whole, strict=True)
    ]
    fulfilled = {test for (test, _), possible in zip(tests, passed, strict=True) if possible}
    never = [_fails_with(branch, test) for (branch, test, _) in asked if test not in fulfilled]
    never = [each for each in never if each is not None]
    others_pass = any(branch not in never for (branch, _, _), possible in zip(asked, passed, strict=True) if possible)
    seen: set[ast.expr] = set()
    for (test, part), only in zip(tests, whole, strict=True):
        if test not in fulfilled and test not in seen and (only or not _is_of_torch(part)):
            seen.add(test)
            yield NameTest(
                observer=Observer.ANALYZER,
                place=context.snippet.place(test),
                source=context.snippet.source(test),
                part=part,
                whole=only,
                model=context.snippet.source(model),
                others_pass=others_pass,
                near=_near(part, names or frozenset()),
                known=tuple(
                    sorted(first or () if only and "." in part else (names or frozenset()) - OF_TORCH - OF_PLAIN)
                ),
            )


def _derived(project: Project, cls: Defined) -> Iterator[Defined]:
    """The classes of the project that derive from a class: their objects have other names too."""
    for module in modules_naming(project, cls):
        yield from project.descendants(cls, module)


def _is_of_torch(part: str) -> bool:
    """Whether a text asks for parameters of torch's own layers: a model without them has nothing to initialize."""
    return any(part.strip(".") in name for name in OF_PARAMETERS)


def _fails_with(condition: ast.expr, test: ast.expr) -> ast.expr | None:
    """A condition that cannot hold where one of its tests fails."""
    joined = isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And) and test in condition.values
    return condition if condition is test or joined else None


def _near(part: str, names: frozenset[str]) -> str | None:
    """The name that somebody who mistyped a part of it has meant; names that differ in numbers alone are others."""
    letters = {re.sub(r"\d", "", name[: len(part.strip(".")) + 1]): name for name in sorted(names)}
    asked = re.sub(r"\d", "", part.strip("."))
    swapped = {asked[:at] + asked[at : at + 2][::-1] + asked[at + 2 :] for at in range(len(asked) - 1)} - {asked}
    if len(asked) >= SHORTEST - 1 and (meant := sorted(swapped & names)):
        return meant[0]
    if "." in asked or len(asked) < SHORTEST or asked in letters:
        return None
    found = difflib.get_close_matches(asked, letters, n=1, cutoff=ALIKE)
    return letters[found[0]] if found else None


def _all_nested(context: Context, model: ast.expr) -> bool:
    """Whether every parameter of a model belongs to a layer in it, so that its name has a dot."""
    made = context.assigned(dotted(model))
    found = context.resolve(made[0].func) if len(made) == 1 and isinstance(made[0], ast.Call) else None
    if isinstance(found, Defined):
        contained = found.definition.is_class and _has_none_itself(context.project, found)
    else:
        contained = found is not None and found.name in CONTAINERS
    return contained and not any(_added(context, dotted(model)))


def _has_none_itself(project: Project, cls: Defined) -> bool:
    """Whether the code of a class and its bases makes and registers no parameters, but layers of torch."""
    order = project.mro(cls)
    if order is None or any(
        isinstance(base, External) and base.name not in ("torch.nn.Module", "object") for base in order
    ):
        return False
    own = (base.module.usage(base.definition).last_called for base in order if isinstance(base, Defined))
    return all(called.isdisjoint(GIVE_PARAMETERS) for called in own)


def _is_whole(test: ast.expr, part: str) -> bool:
    """Whether a test asks for a whole name, and for no part of one."""
    return isinstance(test, ast.Compare) and (
        isinstance(test.ops[0], ast.Eq) or (isinstance(test.ops[0], ast.In) and isinstance(test.left, ast.Name))
    )


def _is_deeper(name: str, first: frozenset[str] | None) -> bool:
    """Whether a name with dots starts with what is known to be no attribute of the model itself."""
    return first is not None and name.partition(".")[0] not in first | OF_TORCH | OF_PLAIN


def _given_from_outside(context: Context, part: str) -> bool:
    """Whether code of the file gives another object than ``self`` an attribute of a name in the text."""
    pieces = set(part.split(".")) - OF_PLAIN - {""}
    return any(
        owner not in (OBJECT, "")
        for piece in pieces
        for used in context.module.usages(piece)
        for owner in used.gives(piece)
    )


def _possible(part: str, names: frozenset[str]) -> bool:
    """Whether a text can stand in a dotted name that is made of these."""
    return all(piece.isdigit() or any(piece in name for name in names) for piece in part.split(".") if piece)


def _names(context: Context, model: ast.expr) -> frozenset[str] | None:
    """The parts that names of a model can have, without numbers; None when they are not all known."""
    if (held := own_attribute(model)) is not None and context.cls is not None:
        attribute = constructed(context.project, context.cls).get(held)
        if attribute is None or not attribute.complete or not attribute.layers:
            return None
        inner = [
            _of_class(context.project, each.cls) if each.cls is not None else _of_layer(each.kind)
            for each in attribute.layers
        ]
        return frozenset().union(*[each for each in inner if each is not None]) if None not in inner else None
    if not isinstance(model, ast.Name):
        return None
    made = context.assigned(model.id)
    if len(made) != 1:
        return None
    parts = [_of_value(context, made[0]), *_added(context, model.id)]
    return frozenset().union(*[part for part in parts if part is not None]) if None not in parts else None


def _added(context: Context, model: str) -> Iterator[frozenset[str] | None]:
    """The names that code behind the construction of a model gives it; None for what may give it others."""
    for node in context.walk():
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Attribute) and dotted(target.value).partition(".")[0] == model:
                        yield _named(context, target.attr, value)
                    elif isinstance(target, ast.Subscript) and dotted(target.value).partition(".")[0] == model:
                        yield _of_value(context, value)
            case ast.Call(func=ast.Attribute(value=owner, attr=added), args=args) if added in ADDS:
                if dotted(owner).partition(".")[0] == model:
                    name = args[0] if len(args) == 2 else None
                    text = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
                    yield _named(context, text, args[-1]) if args and (text or added == "append") else None
            case ast.Call(func=function, args=args) if model in map(dotted, args):
                found = context.resolve(function)
                if dotted(function) == "setattr" or (isinstance(found, Defined) and not found.definition.is_class):
                    yield None


def _named(context: Context, name: str, value: ast.expr) -> frozenset[str] | None:
    """The names that a model has when it is given a module, or something else, under this name."""
    inner = frozenset[str]() if isinstance(value, ast.Constant) else _of_value(context, value)
    return None if inner is None else inner | {name}


def _of_value(context: Context, value: ast.expr) -> frozenset[str] | None:
    """The names of a model that a call makes."""
    found = context.resolve(value.func) if isinstance(value, ast.Call) else None
    if isinstance(found, Defined) and found.definition.is_class:
        return _of_class(context.project, found)
    if not isinstance(found, External) or not isinstance(value, ast.Call) or not found.name.startswith("torch.nn."):
        return None
    if found.name not in CONTAINERS:
        return _of_layer(found.name)
    parts = [_of_value(context, each) for each in value.args]
    return frozenset().union(*[part for part in parts if part is not None]) if None not in parts else None


def _of_class(project: Project, cls: Defined) -> frozenset[str] | None:
    """The names of the objects of a class, and of all that they are made of."""
    names: set[str] = set()
    met: set[Defined | str] = set()
    for layer in below(project, [Layer(cls.qualname, cls.definition.name, cls)], set()):
        key = layer.cls if layer.cls is not None else layer.kind
        if key in met:
            continue
        met.add(key)
        inner = _own(project, layer.cls) if layer.cls is not None else _of_layer(layer.kind)
        if inner is None:
            return None
        names |= inner
    return frozenset(names)


def _own(project: Project, cls: Defined) -> set[str] | None:
    """The names that a class and its bases give, if all that they hold is known."""
    attributes, spelled = constructed(project, cls), _attributes(project, cls)
    if spelled is None or not all(attribute.complete for attribute in attributes.values()):
        return None
    return set(attributes) | spelled


def _attributes(project: Project, cls: Defined) -> frozenset[str] | None:
    """The names of the attributes that a class and its bases give; None where they may give others."""
    names: set[str] = set()
    for base in project.mro(cls) or (External("unknown"),):
        if isinstance(base, External):
            if base.name not in ("torch.nn.Module", "object"):
                return None
            continue
        snippet = base.module.quiet_snippet(base.definition.start, base.definition.end)
        spelled = _spelled(snippet.nodes) if snippet is not None else None
        if spelled is None:
            return None
        names |= spelled
    return frozenset(names)


def _spelled(nodes: Iterable[ast.AST]) -> set[str] | None:
    """The names that the code of a class gives to parameters and modules; None where it may give others."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in ADDS_NAMES:
                return None
            case ast.Call(func=ast.Attribute(attr="register_parameter" | "register_buffer"), args=args, keywords=named):
                given = [*args[:1], *(each.value for each in named if each.arg == "name")]
                if not given or not isinstance(given[0], ast.Constant):
                    return None
                names.add(str(given[0].value))
            case ast.Attribute(ctx=ast.Store()) if (own := own_attribute(node)) is not None:
                names.add(own)
            case _:
                pass
    return names
