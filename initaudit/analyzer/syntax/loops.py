"""The names that a loop binds to the modules, parameters and names that it goes over."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from dataclasses import replace

from initaudit.analyzer.source.snippets import nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import ELEMENTS, ITERATORS, NAMED, Meaning, Names, What
from initaudit.analyzer.syntax.models import is_model


class Loops(ABC):
    """The meanings that loops give their variables, as far as those of expressions are known."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def meaning(self, node: ast.expr, names: Names) -> Meaning | None:
        """Return the meaning of an expression, as far as it is known."""

    @abstractmethod
    def listed(self, node: ast.expr) -> Meaning | None:
        """Return the meaning of an attribute of the object that holds several modules, as what a loop goes over."""

    @abstractmethod
    def split(self, node: ast.expr, names: Names) -> Meaning | None:
        """Return the meaning of each part of ``p.chunk(4)``, or of what else gives several views of a tensor."""

    def elements(self, loop: ast.For | ast.AsyncFor | ast.comprehension, names: Names) -> dict[str, Meaning]:
        """Return the meanings of the variables of a loop."""
        return self._bound(loop.target, loop.iter, loop, names)

    def _bound(
        self, target: ast.expr, iterable: ast.expr, loop: ast.For | ast.AsyncFor | ast.comprehension, names: Names
    ) -> dict[str, Meaning]:
        """Return the meanings of the names in a target that is bound to an item of an iterable."""
        match iterable, target:
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]), ast.Tuple(elts=[_, each]):
                return self._bound(each, inner, loop, names)
            case ast.Call(func=ast.Name(id="enumerate")), _:
                return {}
            case ast.Call(func=ast.Name(id="zip"), args=parts), ast.Tuple(elts=each_target):
                if len(parts) != len(each_target):
                    return {}
                pairs = zip(each_target, parts, strict=True)
                return {
                    name: meaning
                    for each, part in pairs
                    for name, meaning in self._bound(each, part, loop, names).items()
                }
        if isinstance(target, ast.Name) and self._gives_names(iterable, loop, names):
            return {target.id: Meaning(What.NAME, self.context.snippet.source(iterable), element=True)}
        if isinstance(target, ast.Name) and (part := self.split(iterable, names)) is not None:
            return {target.id: part}
        if isinstance(iterable, ast.Attribute) and iterable.attr == "all_weights" and isinstance(target, ast.Name):
            first = ast.copy_location(ast.Subscript(iterable, ast.Constant(0), ast.Load()), iterable)
            return {target.id: found} if (found := self.meaning(first, names)) is not None else {}
        found = self.meaning(iterable, names) or self.listed(iterable)
        if found is not None and found.what is What.MODULE and found.items:  # a loop over the layers of a sequence
            found = replace(found, what=What.MODULES, kinds=tuple(dict.fromkeys(found.items)), items=())
        if found is None or found.what not in ELEMENTS:
            return {}
        if found.what in (What.MODULES, What.NAMED_MODULES) and not self._walks_model(iterable, loop, names):
            return {}
        if found.part:  # of one tensor
            return {target.id: replace(found, what=What.PARAMETER)} if isinstance(target, ast.Name) else {}
        bound: dict[str, Meaning] = {}
        if found.what in NAMED:
            if isinstance(target, ast.Name):
                return {target.id: Meaning(What.PAIR, found.source, element=True)}
            if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
                return {}
            name, target = target.elts
            if isinstance(name, ast.Name):
                bound[name.id] = Meaning(What.NAME, found.source, element=True)
        if isinstance(target, ast.Name):
            what = What.COPY if found.attribute else ELEMENTS[found.what]
            bound[target.id] = Meaning(
                what, found.source, found.kinds, found.attribute, element=True, items=found.items, chosen=found.chosen
            )
        return bound

    def _gives_names(self, iterable: ast.expr, loop: ast.For | ast.AsyncFor | ast.comprehension, names: Names) -> bool:
        """Whether an iterable is a mapping from names to what a model holds, or the keys of one."""
        match iterable:
            case ast.Call(func=ast.Attribute(value=mapping, attr="keys"), args=[]):
                return self._gives_names(mapping, loop, names)
            case ast.Attribute(value=owner, attr="_modules" | "_parameters"):
                held = self.meaning(owner, names)
                return (held is not None and held.what is What.MODULE) or is_model(self.context, owner, loop)
        found = self.meaning(iterable, names)
        return found is not None and found.what is What.STATE_DICT

    def _walks_model(self, iterable: ast.expr, loop: ast.For | ast.AsyncFor | ast.comprehension, names: Names) -> bool:
        """Whether a loop iterates over a model: other trees have ``modules()`` and ``children()`` too."""
        for node in nodes(iterable):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ITERATORS:
                owner = self.meaning(node.func.value, names)
                return (owner is not None and owner.what is What.MODULE) or is_model(
                    self.context, node.func.value, loop
                )
        return True  # a name bound to an iterator over modules or parameters
