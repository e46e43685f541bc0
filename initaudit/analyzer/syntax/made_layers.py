"""The layers that a file makes and names, of classes with some word in their name."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from initaudit.analyzer.file.matches import Words, groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.project.names import Defined, External, Project
from initaudit.analyzer.source.snippets import Snippet, dotted
from initaudit.analyzer.syntax.context import Context, in_order
from initaudit.analyzer.syntax.scopes import scopes_holding


@dataclass(frozen=True, slots=True)
class Made:
    """A layer that code makes and names, in which function, and the call that makes it."""

    name: str  # "self.embed", or a local "m"
    layer: str  # canonical
    scope: Definition | None
    snippet: Snippet
    call: ast.Call

    def visible_in(self, scope: Definition | None) -> bool:
        """Whether the name means this layer in some function."""
        if self.scope is scope:
            return True
        owner = scope.owner if scope is not None else None
        return (
            self.name.startswith("self.") and owner is not None and self.scope is not None and self.scope.owner is owner
        )


class MadeLayers:
    """The layers of one file, and its code."""

    def __init__(self, project: Project, module: Module, word: str) -> None:
        """``word`` stands in the names of their classes, here or where these are imported from."""
        self.project = project
        self.module = module
        self._word = word

    def functions(self, words: Words) -> Iterator[Context]:
        """The functions that are not inside others, and top-level code, as far as some words stand in them."""
        for start, end, scope in scopes_holding(self.module, words):
            snippet = self.module.snippet(start, end)
            if snippet is not None:
                yield Context(self.project, self.module, scope, snippet)

    @functools.cached_property
    def made(self) -> list[Made]:
        """The layers, and what else the file gives their names."""
        assigned = [
            (name, node.value, context)
            for context in self.functions(groups(f"{self._word}*("))
            for node in in_order(context.snippet.body, later=True)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1
            if (name := dotted(node.targets[0]))
        ]
        names = {name for name, call, _ in assigned if self._is_called_so(call)}
        return [
            Made(name, layer, context.definition, context.snippet, call)
            for name, call, context in assigned
            if name in names and (layer := self._class_of(context, call)) is not None
        ]

    def _is_called_so(self, call: ast.Call) -> bool:
        name = dotted(call.func)
        imported = self.module.outline.imports.get(name, "")
        return any(self._word in each.rpartition(".")[2] for each in (name, imported))

    def _class_of(self, context: Context, call: ast.Call) -> str | None:
        """The canonical name of the class that a call names."""
        found = context.resolve(call.func)
        known = isinstance(found, External) or (isinstance(found, Defined) and found.definition.is_class)
        return context.class_name(call.func) if known else None
