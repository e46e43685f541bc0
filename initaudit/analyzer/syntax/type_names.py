"""Initializing code that asks for the exact type of a module, or for the name of its class."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Defined, External
from initaudit.analyzer.snippets import dotted
from initaudit.analyzer.syntax.code import Code
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.module_tests import ClassNameTest, ExactTypeTest

BARE = {"torch.nn.Module", "torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict", "object"}
"""Bases without parameters of their own."""


def exact_type_tests(code: Code) -> Iterator[ExactTypeTest]:
    """``type(m) == nn.Linear`` before something of ``m`` is initialized."""
    for branch in code.walk():
        if not isinstance(branch, ast.If):
            continue
        initialized = set(_initialized(code, branch.body))
        for test in ast.walk(branch.test):
            subject = _typed(test.left) if isinstance(test, ast.Compare) and len(test.ops) == 1 else None
            if subject is None or subject not in initialized or not isinstance(test, ast.Compare):
                continue
            kinds = test.comparators[0].elts if isinstance(test.comparators[0], ast.Tuple) else test.comparators
            if isinstance(test.ops[0], ast.Eq | ast.Is | ast.In) and all(code.is_module_class(kind) for kind in kinds):
                yield ExactTypeTest(
                    place=code.snippet.place(test),
                    source=code.snippet.source(test),
                    mended=f"isinstance({subject}, {code.snippet.source(test.comparators[0])})",
                )


def _typed(node: ast.expr) -> str | None:
    """The object whose type an expression is."""
    match node:
        case ast.Call(func=ast.Name(id="type"), args=[subject]):
            return dotted(subject) or None
        case ast.Attribute(attr="__class__", value=subject):
            return dotted(subject) or None
    return None


def _initialized(code: Code, body: Sequence[ast.stmt]) -> Iterator[str]:
    """The objects of which some statement initializes an attribute."""
    for owner, _ in _attributes(code, body):
        yield owner


def _attributes(code: Code, body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The objects, and the attribute of each, that some statement initializes."""
    for statement in body:
        for node in ast.walk(statement):
            target = written(code, node) if isinstance(node, ast.Call) else None
            if isinstance(target, ast.Attribute) and dotted(target.value):
                yield dotted(target.value), target.attr


# Names of classes


def class_name_tests(code: Code) -> Iterator[ClassNameTest]:
    """``classname.find("Conv") != -1`` in a function that ``apply`` calls, before attributes that some module lacks.

    The module is of a class of the file that has such a name, and to which the function is applied in this file.
    """
    function = code.function
    if function is None or not re.search(rf"\.apply\(\s*(?:\w+\.)?{re.escape(function.name)}\b", code.module.text):
        return
    aliases = {
        node.targets[0].id: subject
        for node in code.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if (subject := _class_named(node.value, {})) is not None
    }
    met: set[int] = set()
    for branch in code.walk():
        if not isinstance(branch, ast.If):
            continue
        tests = [(test, *found) for test in ast.walk(branch.test) if (found := _name_test(test, aliases)) is not None]
        conjoined = not any(isinstance(node, ast.Or | ast.Not) for node in ast.walk(branch.test))
        for test, subject, part in tests if conjoined else ():
            named = [
                each for each in _applied_classes(code, function.name) if part in each.name and each.row not in met
            ]
            met.update(each.row for each in named)
            for attribute in dict.fromkeys(name for owner, name in _attributes(code, branch.body) if owner == subject):
                lacking = next((each for each in named if _lacks(code, each, attribute)), None)
                if lacking is not None and not _asks_for(code, branch, attribute):
                    yield ClassNameTest(
                        place=code.snippet.place(test),
                        source=code.snippet.source(test),
                        part=part,
                        model=Defined(code.module, lacking).qualname,
                        attribute=attribute,
                    )
                    break


def _class_named(node: ast.expr, aliases: Mapping[str, str]) -> str | None:
    """The object whose class's name an expression is."""
    if isinstance(node, ast.Attribute) and node.attr == "__name__":
        return _typed(node.value)
    return aliases.get(node.id) if isinstance(node, ast.Name) else None


def _name_test(node: ast.AST, aliases: Mapping[str, str]) -> tuple[str, str] | None:
    """The object, and the part of its class's name that a test looks for."""
    match node:
        case ast.Compare(
            left=ast.Call(func=ast.Attribute(attr="find", value=name), args=[ast.Constant(value=str(part))]),
            ops=[ast.NotEq() | ast.GtE() | ast.Gt()],
        ):
            pass
        case ast.Compare(left=ast.Constant(value=str(part)), ops=[ast.In()], comparators=[name]):
            pass
        case ast.Call(func=ast.Attribute(attr="startswith", value=name), args=[ast.Constant(value=str(part))]):
            pass
        case _:
            return None
    subject = _class_named(name, aliases)
    return (subject, part) if subject is not None else None


def _asks_for(code: Code, branch: ast.If, attribute: str) -> bool:
    """Whether a test around or within a branch asks whether there is such an attribute."""
    if any(isinstance(node, ast.Try) for node in code.walk()):
        return True
    outer = [other.test for other in code.walk() if isinstance(other, ast.If) and branch in ast.walk(other)]
    inner = [other.test for other in ast.walk(branch) if isinstance(other, ast.If)]
    asked = "\n".join(code.snippet.source(test) for test in (*outer, *inner))
    return re.search(rf"(?:has|get)attr|\.{re.escape(attribute)}\b|isinstance", asked) is not None


def _applied_classes(code: Code, name: str) -> list[Definition]:
    """The classes of the file whose objects the function is applied to, by themselves or as part of others."""
    applies = re.compile(rf"\.apply\(\s*(?:\w+\.)?{re.escape(name)}\b")
    module, outline = code.module, code.module.outline
    texts = [module.slice(each) for each in outline.members.values()]
    texts += ["", *("\n".join(module.lines[start - 1 : end]) for start, end in outline.top_level)]
    reached = [text for text in texts if applies.search(text)]
    left = [each for each in outline.classes() if code.project.is_module_class(Defined(module, each))]
    found: list[Definition] = []
    while True:
        made = [
            each for each in left if module.slice(each) in reached or any(_makes(text, each.name) for text in reached)
        ]
        if not made:
            return found
        found += made
        left = [each for each in left if each not in made]
        reached += [module.slice(each) for each in made]


def _makes(text: str, name: str) -> bool:
    """Whether some code calls a class, other than to derive from it."""
    return re.search(rf"(?<!class )\b{re.escape(name)}\(", text) is not None


def _lacks(code: Code, definition: Definition, attribute: str) -> bool:
    """Whether no object of a class has an attribute, as far as all of its bases are read."""
    order = code.project.mro(Defined(code.module, definition))
    name = re.escape(attribute)
    spelled = re.compile(rf"\bself\.{name}\b|['\"]{name}['\"]|def {name}\b")
    return order is not None and all(
        base.name in BARE if isinstance(base, External) else not spelled.search(base.module.slice(base.definition))
        for base in order
    )
