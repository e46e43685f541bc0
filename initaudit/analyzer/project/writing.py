"""Which functions of a file may write which parameters, as far as the names in them tell."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

from initaudit.analyzer.file.matches import Matches, groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.usage import WALKS, spelled
from initaudit.analyzer.frameworks import INITIALIZERS

WRITES = groups("copy initialize _init .data init. ]= _(")
REACHES = WALKS | {"apply", "getattr", "setattr", "get_parameter", "__getattr__", "__setattr__"}
"""What gives parameters without their names."""
REMEMBERED = 1024
"""Files whose functions are known at once."""


class Functions:
    """The functions and methods of a file that are not inside others, by what they may write."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._whatever: list[Definition] = []  # those that write what they walk, load, or leave to their base
        self._named: set[int] = set()  # the rows of those that write what they name
        self._found: dict[str, list[Definition]] = {}
        for definition in module.outline.definitions:
            if not definition.is_class and (definition.parent is None or definition.parent.is_class):
                self._add(definition)

    def _add(self, definition: Definition) -> None:
        words = self._module.matches(definition.start, definition.end)
        is_forward = "forward" in definition.name
        writes = is_forward or words.holds_all(WRITES)
        walks = writes and not is_forward and not REACHES.isdisjoint(words.names_called)
        extends = definition.name in INITIALIZERS and "super" in words.names_called
        if walks or extends or self._loads(definition, words):
            self._whatever.append(definition)
        elif writes:
            self._named.add(definition.row)

    def _loads(self, definition: Definition, words: Matches) -> bool:
        """Whether a function may load all parameters of what it is given."""
        if "load" not in words.text:
            return False
        if definition.name == "__init__" and "load_state_dict" in words.names_called:
            return True
        if not any(map(may_load, names_of(definition))):
            return False
        usage = self._module.usage(definition)
        return usage.hands_itself or any(name.endswith("parameters") for name in usage.called)

    def that_may_write(self, name: str) -> list[Definition]:
        """Those that may write a parameter of this name, in the order of the file."""
        attribute = name.partition(".")[0]
        if attribute not in self._found:
            named = (each for each in self._module.naming(attribute) if each.row in self._named)
            found = [*self._whatever, *(each for each in named if self._may_write(each, attribute))]
            self._found[attribute] = sorted(found, key=lambda definition: definition.row)
        return self._found[attribute]

    def _may_write(self, definition: Definition, name: str) -> bool:
        """Whether a function that names a parameter may write it.

        What a constructor calls its own is another parameter; what a forward hands to others, it hands to read.
        """
        if definition.name == "__init__":
            usage = self._module.usage(definition)
            return usage.of_others(name) or any(text.partition(".")[0] == name for text in usage.texts)
        if "forward" in definition.name:
            found = self._module.function(definition)
            return found is not None and any(_writes(node, name) for node in found[0].nodes)
        return True


def names_of(definition: Definition) -> Iterator[str]:
    """The name of a function, and of those in it."""
    yield definition.name
    for inner in definition.members.values():
        yield from names_of(inner)


def may_load(function: str) -> bool:
    """Whether a function is one that loads, by its name."""
    return "load" in function.replace("offload", "") or function == "from_pretrained"


def _writes(node: ast.AST, attribute: str) -> bool:
    """Whether a node assigns an attribute, calls something in place of it or in it, or gives it to what does."""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(spelled(each).removesuffix(".data").endswith(f".{attribute}") for each in targets)
    if not isinstance(node, ast.Call) or not spelled(node.func).endswith("_"):
        return False
    return f".{attribute}." in spelled(node.func) or any(
        isinstance(inner, ast.Attribute) and inner.attr == attribute for each in node.args for inner in ast.walk(each)
    )


@functools.lru_cache(maxsize=REMEMBERED)
def functions(module: Module) -> Functions:
    """The functions of a file."""
    return Functions(module)


def may_write(module: Module, definition: Definition, name: str) -> bool:
    """Whether a function may write a parameter of this name."""
    words = module.matches(definition.start, definition.end)
    if not words.holds_all(WRITES):
        return False
    named = any(each is definition for each in module.naming(name.partition(".")[0]))
    return named or not REACHES.isdisjoint(words.names_called)
