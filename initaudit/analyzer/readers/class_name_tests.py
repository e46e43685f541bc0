"""Initialization code that tests the name of a module's class."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import Snippet, last_name
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.narrowing import class_name_of, part_asked_for
from initaudit.analyzer.syntax.walks import applied_names, attributes_written
from initaudit.subjects.module_tests import ClassNameTest

BARE = {"torch.nn.Module", "torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict", "object"}
"""Bases without parameters of their own."""


@reads(ClassNameTest, scope=Context, words=("__name__", "_("), nearby="apply(")
def class_name_tests(context: Context) -> Iterator[ClassNameTest]:
    """``classname.find("Conv") != -1`` in a function that ``apply`` calls, before attributes that some module lacks.

    The module is of a class of the file that has such a name, and to which the function is applied in this file.
    """
    function = context.function
    if function is None or function.name not in applied_names(context):
        return
    aliases = {
        node.targets[0].id: subject
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if (subject := class_name_of(node.value)) is not None
    }
    met: set[int] = set()
    for branch in context.walk():
        if not isinstance(branch, ast.If):
            continue
        tests = [(test, *found) for test in ast.walk(branch.test) if (found := _name_test(test, aliases)) is not None]
        conjoined = not any(isinstance(node, ast.Or | ast.Not) for node in ast.walk(branch.test))
        for test, subject, part in tests if conjoined else ():
            named = [
                each for each in _applied_classes(context, function.name) if part in each.name and each.row not in met
            ]
            met.update(each.row for each in named)
            for attribute in dict.fromkeys(
                name for owner, name in attributes_written(context, branch.body) if owner == subject
            ):
                lacking = next((each for each in named if _lacks(context, each, attribute)), None)
                if lacking is not None and not _asks_for(context, branch, attribute):
                    yield ClassNameTest(
                        place=context.snippet.place(test),
                        source=context.snippet.source(test),
                        part=part,
                        model=Defined(context.module, lacking).qualname,
                        attribute=attribute,
                    )
                    break


def _name_test(node: ast.AST, aliases: Mapping[str, str]) -> tuple[str, str] | None:
    """The object, and the part of its class's name that a test looks for."""
    asked = part_asked_for(node)
    if asked is None:
        return None
    name, part = asked
    subject = class_name_of(name) or (aliases.get(name.id) if isinstance(name, ast.Name) else None)
    return (subject, part) if subject is not None else None


def _asks_for(context: Context, branch: ast.If, attribute: str) -> bool:
    """Whether a test around or within a branch asks whether there is such an attribute."""
    if any(isinstance(node, ast.Try) for node in context.walk()):
        return True
    outer = [other.test for other in context.walk() if isinstance(other, ast.If) and branch in ast.walk(other)]
    inner = [other.test for other in ast.walk(branch) if isinstance(other, ast.If)]
    asked = usage([*outer, *inner])
    return attribute in asked.read or not asked.called.isdisjoint({"hasattr", "getattr", "isinstance"})


def _applied_classes(context: Context, name: str) -> list[Definition]:
    """The classes of the file whose objects the function is applied to, by themselves or as part of others."""
    module, outline = context.module, context.module.outline
    reached = {part for part in module.parts_naming(name) if _applies(module.quiet_snippet(*part), name)}
    left = [each for each in outline.classes() if context.project.is_module_class(Defined(module, each))]
    found: list[Definition] = []
    while True:
        called = {each.rpartition(".")[2] for part in reached for each in module.usage_of(*part).called}
        made = [each for each in left if (each.start, each.end) in reached or each.name in called]
        if not made:
            return found
        found += made
        left = [each for each in left if each not in made]
        reached.update((each.start, each.end) for each in made)


def _applies(snippet: Snippet | None, name: str) -> bool:
    """Whether some code gives a function to ``apply``."""
    calls = (node for node in (snippet.nodes if snippet is not None else ()) if isinstance(node, ast.Call))
    return any(last_name(call.func) == "apply" and last_name(call.args[0]) == name for call in calls if call.args)


def _lacks(context: Context, definition: Definition, attribute: str) -> bool:
    """Whether no object of a class has an attribute, as far as all of its bases are read."""
    order = context.project.mro(Defined(context.module, definition))
    return order is not None and all(
        base.name in BARE if isinstance(base, External) else not _spells(base, attribute) for base in order
    )


def _spells(cls: Defined, attribute: str) -> bool:
    """Whether a class says the name of an attribute that its objects may have."""
    if attribute not in cls.module.slice(cls.definition):
        return False
    found = cls.module.usage(cls.definition)
    return attribute in found.own or attribute in found.texts or attribute in cls.definition.members
