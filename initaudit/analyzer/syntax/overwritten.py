"""Layers that are initialized on purpose, and then once more by what goes over the whole model."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.analyzer.project import Defined, Project
from initaudit.analyzer.reading import Search
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.code import Code, method, own_attribute, own_attributes, unit
from initaudit.analyzer.syntax.derived import below
from initaudit.analyzer.syntax.order import walked
from initaudit.analyzer.syntax.structure import Attribute, Layer, constructed
from initaudit.analyzer.syntax.walks import Walk, written
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten

CONSTANTS = {"zeros_", "ones_", "constant_", "zero_", "fill_", "eye_"}
FLAG = re.compile(r"^_?(?:no|skip)_(?:\w+_)?(?:re)?init(?:ialize|ialization)?$")
KNOWS = re.compile(r"_no_\w*init|skip|_is_")
"""What stands in an initializer that leaves some modules out."""


def overwritten(code: Code) -> Iterator[Overwritten]:
    """What is initialized on purpose, and drawn anew by a walk over the whole object; marks that nobody looks at."""
    yield from _flags(code)
    function, cls = code.function, code.cls
    if function is None or cls is None or function.name != "__init__":
        return
    for position, statement in enumerate(function.body):
        walks = walked(code, statement)
        if not walks or any(KNOWS.search(_source(walk)) for walk in walks):
            continue
        again = _Again(code, statement, walks, function.body[position + 1 :])
        row = code.snippet.place(statement).row
        structure = constructed(code.project, cls)
        there = {name: one for name, one in structure.items() if max(one.rows, default=0) < row}
        yield from again.of(code, function.body[:position], there)
        for inner in _classes(code.project, [each for one in there.values() for each in one.layers]):
            made = _constructor(code, inner)
            if made is not None and made.function is not None and not again.mentions(inner.definition.name):
                yield from again.of(made, made.function.body, constructed(code.project, inner))


def _constructor(code: Code, cls: Defined) -> Code | None:
    """The constructor that a class of the same file defines."""
    member = cls.definition.members.get("__init__")
    own = cls.module is code.module and member is not None
    return unit(code.project, Defined(cls.module, member)) if own and member is not None else None


def _flags(code: Code) -> Iterator[Overwritten]:
    """Marks on parameters that are to keep an initializer away, where nothing in the project looks for them."""
    for node in code.walk():
        match node:
            case ast.Assign(targets=[ast.Attribute(value=marked, attr=flag) as target], value=ast.Constant(value=True)):
                if FLAG.match(flag) and isinstance(marked, ast.Attribute) and not _is_read(code, flag):
                    yield Overwritten(
                        observer=Observer.ANALYZER,
                        place=code.snippet.place(target),
                        source=code.snippet.source(target),
                        flag=flag,
                    )
            case _:
                pass


def _is_read(code: Code, flag: str) -> bool:
    """Whether some file of the project asks for a mark."""
    read = re.compile(rf"\.{flag}\b(?!\s*=[^=])|['\"]{flag}['\"]")
    naming = code.project.find(Search(code.module.project_folder, word=flag.encode()))
    found = map(code.project.load, naming)
    return any(module is None or read.search(module.text) for module in found) or bool(read.search(code.module.text))


def _source(walk: Walk) -> str:
    definition = walk.code.definition
    return walk.code.module.slice(definition) if definition is not None else ""


def _classes(project: Project, layers: list[Layer]) -> list[Defined]:
    """The project's own classes among layers and below them."""
    return list(dict.fromkeys(each.cls for each in below(project, layers, set()) if each.cls is not None))


class _Again:
    """A statement that goes over all modules of an object, and what runs after it."""

    def __init__(self, code: Code, statement: ast.stmt, walks: list[Walk], later: list[ast.stmt]) -> None:
        self.place = code.snippet.place(statement)
        self.source = code.snippet.source(statement).partition("\n")[0]
        self.meant = [write for walk in walks for write in walk.writes if write.kinds]
        called = [found for name in own_attributes(statement) if (found := method(code, name)) is not None]
        texts = [_source(walk) for walk in walks] + [each.module.slice(d) for each in called if (d := each.definition)]
        self.text = "\n".join([*texts, *(code.snippet.source(each) for each in later)])

    def mentions(self, name: str) -> bool:
        """Whether what initializes, or what runs after it, speaks of a class or an attribute."""
        return re.search(rf"\b{re.escape(name)}\b", self.text) is not None

    def of(self, code: Code, body: list[ast.stmt], structure: dict[str, Attribute]) -> Iterator[Overwritten]:
        """Constants that a constructor writes in its own layers, and that are drawn anew."""
        for statement in body:
            for inner in statement.body if isinstance(statement, ast.With) else [statement]:
                if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
                    yield from self._call(code, inner.value, structure)

    def _call(self, code: Code, call: ast.Call, structure: dict[str, Attribute]) -> Iterator[Overwritten]:
        target = written(code, call)
        name = _attribute(target.value) if isinstance(target, ast.Attribute) else None
        if name is None or name not in structure or _called(call) not in CONSTANTS or self.mentions(name):
            return
        assert isinstance(target, ast.Attribute) and code.cls is not None
        layers = [each for each in structure[name].layers if each.cls is None]
        again = [
            write
            for write in self.meant
            if write.attribute == target.attr and any(write.meant_for(code, each) for each in layers)
        ]
        if again and not any(_called(write.node) in CONSTANTS for write in again):
            yield Overwritten(
                observer=Observer.ANALYZER,
                place=code.snippet.place(call),
                source=code.snippet.source(call),
                by=self.source,
                again=self.place,
                model=code.cls.qualname,
                parameter=f"{name}.{target.attr}",
            )


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)


def _attribute(node: ast.expr) -> str | None:
    """The attribute of ``self`` that is, or holds, the layer ``node``: ``self.gate``, ``self.gate[0]``."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return own_attribute(node)
