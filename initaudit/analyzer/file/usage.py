"""What some code names, reads, calls and says, as its syntax trees tell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from initaudit.analyzer.source.snippets import FunctionNode, inner_nodes

OBJECT = "self"
SUPER = "super()"
WALKS = frozenset(["parameters", "named_parameters", "modules", "named_modules", "children", "named_children"])
"""What gives all parameters, or parts, of a model."""
ANY = "*"
"""Stands for the name of an attribute that is computed."""
GIVES = {"register_parameter", "register_buffer", "register_module", "add_module"}
"""Methods that give an object an attribute whose name is their first argument."""
HOLDS = {"_parameters", "_buffers", "_modules", "__dict__"}
"""Dictionaries of an object whose items are its attributes."""


@dataclass(slots=True, eq=False)
class Usage:
    """What stands in some code.

    ``dotted`` are its dotted names: ``self.norm.weight``, and ``self.norm`` too; what stands before the first dot is
    empty where that is no name. ``stored`` are those that are given a value, by whatever assigns, ``called`` those that
    are called. ``names`` are all identifiers, ``read`` the attributes that are not only assigned, ``variables`` the
    names that are read, ``texts`` the strings but docstrings, ``imports`` what is imported: from where, and which name.
    ``hands_itself`` says that a call is given ``self`` first, ``walks`` that a loop goes over the parameters or parts
    of a model.
    """

    dotted: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    imports: set[tuple[str, str]] = field(default_factory=set)
    hands_itself: bool = False
    walks: bool = False

    @property
    def own(self) -> set[str]:
        """The attributes of ``self``."""
        return {name[5:] for name in self.dotted if name.startswith("self.") and name.count(".") == 1}

    @property
    def last_called(self) -> set[str]:
        """The last names of what is called."""
        return {name.rpartition(".")[2] for name in self.called}

    def of_others(self, name: str, *besides: str) -> bool:
        """Whether an attribute of this name belongs to something else than ``self``, or what else is left out."""
        left_out = {f"{owner}.{name}" for owner in (OBJECT, *besides)}
        return any(each.endswith(f".{name}") and each not in left_out for each in self.dotted)

    def gives(self, name: str) -> Iterator[str]:
        """The objects that are given an attribute of this name, or one whose name is computed; "" for one without."""
        for each in self.stored:
            owner, _, last = each.rpartition(".")
            if last in (name, ANY):
                yield owner

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether something like this stands in a name or a string."""
        return any(pattern.search(each) for each in (*self.names, *self.texts))

    @property
    def loads_itself(self) -> bool:
        """Whether a call may fill the object: it is handed over, or its parameters are."""
        return self.hands_itself or not self.called.isdisjoint({f"{OBJECT}.parameters", f"{OBJECT}.named_parameters"})

    def add(self, root: ast.AST) -> None:
        """Add what stands in a tree."""
        pending = [root]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring, or another text that nothing reads
            if isinstance(node, ast.Name):
                self.names.add(node.id)
                self.variables.update([node.id] if isinstance(node.ctx, ast.Load) else [])
                continue
            if isinstance(node, ast.Attribute):
                self._attribute(node)
            elif isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    self.texts.add(node.value)
                continue
            elif isinstance(node, ast.Call):
                self.called.add(spelled(node.func))
                self._given(node)
                first = node.args[0] if node.args else None
                self.hands_itself |= isinstance(first, ast.Name) and first.id == OBJECT
            elif isinstance(node, ast.stmt | ast.arg | ast.keyword | ast.alias | ast.comprehension):
                self._other(node)
            pending += inner_nodes(node)

    def _attribute(self, node: ast.Attribute) -> None:
        self.names.add(node.attr)
        self.dotted.add(spelled(node))
        if isinstance(node.ctx, ast.Load):
            self.read.add(node.attr)
        elif isinstance(node.ctx, ast.Store):
            self.stored.add(spelled(node))

    def _given(self, call: ast.Call) -> None:
        """Add the attribute that a call gives an object."""
        match call:
            case (
                ast.Call(func=ast.Name(id="setattr"), args=[owner, name, _])
                | ast.Call(func=ast.Attribute(attr="__setattr__", value=ast.Name(id="object")), args=[owner, name, _])
                | ast.Call(func=ast.Attribute(value=owner, attr="__setattr__"), args=[name, _])
            ):
                self._item(owner, name)
            case ast.Call(func=ast.Attribute(value=owner, attr=called)) if called in GIVES:
                named = (each.value for each in call.keywords if each.arg == "name")
                self._item(owner, call.args[0] if call.args else next(named, None))

    def _item(self, owner: ast.expr, name: ast.expr | None) -> None:
        constant = name.value if isinstance(name, ast.Constant) else None
        self.stored.add(f"{spelled(owner)}.{constant if isinstance(constant, str) else ANY}")

    def _other(self, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self.names.add(name)
            case ast.arg(arg=str(name)) | ast.keyword(arg=str(name)):
                self.names.add(name)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                source = "." * (level or 0) + (module or "")
                self.imports.update((source, each.name) for each in aliases)
            case ast.alias(name=name, asname=local):
                self.names.update(name.split("."))
                self.names.update([local] if local else [])
            case ast.For(iter=iterable) | ast.AsyncFor(iter=iterable) | ast.comprehension(iter=iterable):
                calls = (inner.func for inner in ast.walk(iterable) if isinstance(inner, ast.Call))
                self.walks |= any(spelled(each).rpartition(".")[2] in WALKS for each in calls)
            case ast.AugAssign(target=ast.Attribute(attr=name)):
                self.read.add(name)
            case ast.Assign(targets=targets):
                for each in targets:
                    match each:
                        case ast.Subscript(value=ast.Attribute(value=owner, attr=held), slice=key) if held in HOLDS:
                            self._item(owner, key)
            case _:
                pass


def usage(trees: Iterable[ast.AST]) -> Usage:
    """What stands in some trees."""
    found = Usage()
    for tree in trees:
        found.add(tree)
    return found


def spelled(node: ast.expr) -> str:
    """A dotted name; what is no name before the first dot is empty, except for ``super()``."""
    if isinstance(node, ast.Attribute):
        return f"{spelled(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    is_super = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    return SUPER if is_super else ""


def is_factory(function: FunctionNode) -> bool:
    """Whether a method makes objects of its class, or belongs to it alone: a static or a class method."""
    return any(spelled(each) in ("staticmethod", "classmethod") for each in function.decorator_list)
