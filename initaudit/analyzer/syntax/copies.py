"""Layers that stand several times in a container: one object repeated, or copies of one that start alike."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from initaudit.analyzer import frameworks, torch_api
from initaudit.analyzer.module import Module
from initaudit.analyzer.project import Defined, External, Project
from initaudit.analyzer.syntax.code import Code, own_attribute
from initaudit.analyzer.syntax.units import units
from initaudit.finding import Observer
from initaudit.subjects.layers import CopiedLayers, RepeatedLayer

CONTAINERS = {"torch.nn.ModuleList", "torch.nn.Sequential"}
STATEFUL = torch_api.LINEAR_LIKE | torch_api.RESET_BY_CONSTRUCTOR.keys() | {"PReLU", "TransformerEncoderLayer"}
"""Layers of torch that have parameters."""
OWNS = re.compile(r"\bParameter\(|register_(?:buffer|parameter)\(|\bnn\.(?:" + "|".join(STATEFUL) + r")\(")
SHARED = re.compile(r"shar|tie|same|reuse", re.IGNORECASE)
"""Words of code that repeats a layer on purpose."""
REINITIALIZED = re.compile(
    r"\bin\b[^\n]*(?:parameters|modules|children)\(|\.apply\(|named_apply\(|post_init\(|init_weights|initialize_weights|"
    r"load_state_dict\(|from_pretrained\(|(?<!self\.)(?<!self\._)(?<!def )(?<!def _)reset_parameters\(|_init_params"
)
"""What may write to layers that others have made."""
MAX_LEVELS = 4


def repeated_layers(code: Code) -> Iterator[RepeatedLayer]:
    """``nn.ModuleList([layer] * n)`` of a layer with parameters or buffers."""
    made = {
        node.targets[0].id: node.value
        for node in code.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    }
    for call in code.calls():
        if code.canonical(call.func) not in CONTAINERS or len(call.args) != 1:
            continue
        items = call.args[0].value if isinstance(call.args[0], ast.Starred) else call.args[0]
        layer = _repeated(items)
        maker = made.get(layer.id) if isinstance(layer, ast.Name) else layer
        if layer is None or not isinstance(maker, ast.Call) or not _is_stateful(code, maker):
            continue
        if isinstance(layer, ast.Name) and SHARED.search(_around(code, call)):
            continue
        yield RepeatedLayer(
            place=code.snippet.place(call),
            source=code.snippet.source(items),
            layer=code.snippet.source(layer),
        )


def _repeated(items: ast.expr) -> ast.expr | None:
    """The only element of a list that is multiplied."""
    if not isinstance(items, ast.BinOp) or not isinstance(items.op, ast.Mult):
        return None
    for side in (items.left, items.right):
        if isinstance(side, ast.List | ast.Tuple) and len(side.elts) == 1:
            return side.elts[0]
    return None


def _is_stateful(code: Code, maker: ast.Call) -> bool:
    """Whether a call is known to make a layer with parameters or buffers."""
    found = code.resolve(maker.func)
    if isinstance(found, External):
        return found.name.startswith("torch.nn.") and found.name.removeprefix("torch.nn.") in STATEFUL
    if not isinstance(found, Defined) or not found.definition.is_class or not code.project.is_module_class(found):
        return False
    return any(
        OWNS.search(base.module.slice(base.definition)) if isinstance(base, Defined) else _plain(base.name) in STATEFUL
        for base in code.project.mro(found) or ()
    )


def _plain(name: str) -> str:
    return name.removeprefix("torch.nn.")


def _around(code: Code, node: ast.AST) -> str:
    """The lines of a statement, the comment before it and the conditions that lead to it."""
    place = code.snippet.place(node)
    tests = [
        code.snippet.source(test.test)
        for test in code.walk()
        if isinstance(test, ast.If) and any(inner is node for inner in ast.walk(test))
    ]
    return "\n".join([*code.module.lines[max(place.row - 3, 0) : place.end_row], *tests])


# Copies


def copied_layers(project: Project, module: Module) -> Iterator[CopiedLayers]:
    """Copies of a layer that the classes of a file make for a container, where nobody writes to them again."""
    functions = [each for each in module.outline.members.values() if not each.is_class]
    makers = [each.name for each in functions if "deepcopy(" in module.slice(each)]
    copies = re.compile(rf"\b(?:{'|'.join(map(re.escape, ['deepcopy', *makers]))})\(")
    for start, end, definition in units(module):
        owner = definition.owner if definition is not None else None
        if owner is None or definition is None or not copies.search(module.slice(definition)):
            continue
        snippet = module.snippet(start, end) if project.is_module_class(Defined(module, owner)) else None
        if snippet is not None:
            yield from _of_method(Code(project, module, definition, snippet))


def _of_method(code: Code) -> Iterator[CopiedLayers]:
    """The copies that one method of a module makes."""
    for statement in code.walk():
        if not isinstance(statement, ast.Assign) or (name := own_attribute(statement.targets[0])) is None:
            continue
        copy = _copied_in(code, statement.value)
        if copy is not None and code.cls is not None and _stays(code.project, code.cls):
            yield CopiedLayers(
                observer=Observer.ANALYZER,
                place=code.snippet.place(copy),
                model=code.cls.qualname,
                name=name,
                source=code.snippet.source(copy),
            )


def _copied_in(code: Code, value: ast.expr) -> ast.Call | None:
    """The call that copies, in a container whose every element is a copy of one layer."""
    if not isinstance(value, ast.Call) or not value.args:
        return None
    if code.canonical(value.func) in CONTAINERS:
        items = value.args[0].value if isinstance(value.args[0], ast.Starred) else value.args[0]
        return _each_copied(code, items)
    helper = code.resolve(value.func)
    if isinstance(helper, Defined) and not helper.definition.is_class and "deepcopy" in (text := _text(helper)):
        return value if re.search(r"ModuleList\(\s*\[?\s*(?:\w+\.)?deepcopy\(\w+\) for ", text) else None
    return None


def _each_copied(code: Code, items: ast.expr) -> ast.Call | None:
    if not isinstance(items, ast.ListComp | ast.GeneratorExp) or not isinstance(items.elt, ast.Call):
        return None
    copy = items.elt
    loop_names = {node.id for each in items.generators for node in ast.walk(each.target) if isinstance(node, ast.Name)}
    if code.canonical(copy.func) != "copy.deepcopy" or len(copy.args) != 1:
        return None
    names = {node.id for node in ast.walk(copy.args[0]) if isinstance(node, ast.Name)}
    return copy if not names & loop_names else None


def _text(defined: Defined) -> str:
    return defined.module.slice(defined.definition)


def _stays(project: Project, cls: Defined) -> bool:
    """Whether a class, and everything that makes one of it, leaves its layers as they are, and something makes it."""
    seen: set[Defined | str] = set()
    level: set[Defined | str] = {cls}
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


def _writes_again(project: Project, defined: Defined | str) -> bool:
    """Whether a class, a function or a text may write to layers that others have made."""
    if isinstance(defined, str):
        return REINITIALIZED.search(defined) is not None
    if not defined.definition.is_class:
        return REINITIALIZED.search(_text(defined)) is not None
    order = project.mro(defined)
    return order is None or any(
        REINITIALIZED.search(_text(base)) is not None
        if isinstance(base, Defined)
        else not (base.name.startswith("torch.nn.") or base.name in frameworks.KNOWN_BASES)
        for base in order
    )


def _makers(project: Project, defined: Defined, filenames: Iterable[str]) -> Iterator[Defined | str]:
    """The classes and functions that may make or call something, and the text of top-level code that does."""
    name = defined.definition.name
    calls = re.compile(rf"(?<!self\.)\b{re.escape(name)}\b(?!\s*[:=])")
    for filename in filenames:
        module = project.load(filename)
        if module is None or project.resolve(module, name) not in (defined, None):
            continue  # it means something else there
        for start, end, definition in units(module):
            text = "\n".join(module.lines[start - 1 : end])
            top = definition.owner or definition if definition is not None else None
            if top is not None and top.name != name and calls.search(text.partition("\n")[2]):
                yield Defined(module, top)
            elif top is None and f"{name}(" in text:
                yield text
