"""Which functions of a file may write which parameters, as far as the words in them tell."""

from __future__ import annotations

import functools
import re

from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Module

WRITES = re.compile(r"[a-z]_\(|\.data\b|\binit\.|\]\s*=|copy|initialize|_init")
WALKS = re.compile(r"\b(?:named_)?(?:parameters|modules|children)\(|\.apply\(|setattr\(|getattr\(")
LOADS = re.compile(r"\bdef \w*(?<!off)load\w*\((?s:.*)(?:parameters\(|\w\(self[,)])")
REMEMBERED = 1024
"""Files whose functions are known at once."""


class Functions:
    """The functions and methods of a file that are not inside others, by what they may write."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._anything: list[Definition] = []
        self._by_word: dict[str, list[Definition]] = {}
        self._forwards: dict[str, list[Definition]] = {}
        self._constructors: dict[str, list[Definition]] = {}
        self._found: dict[str, list[Definition]] = {}
        for definition in module.outline.definitions:
            if not definition.is_class and (definition.parent is None or definition.parent.is_class):
                self._add(definition)

    def _add(self, definition: Definition) -> None:
        source = self._module.slice(definition)
        is_forward = "forward" in definition.name
        if ("load" in source and LOADS.search(source)) or (not is_forward and _writes_whatever_it_walks(source)):
            self._anything.append(definition)
        elif is_forward or WRITES.search(source):
            by_name = {"__init__": self._constructors}
            known = self._forwards if is_forward else by_name.get(definition.name, self._by_word)
            for word in self._module.names_in(definition):
                known.setdefault(word, []).append(definition)

    def that_may_write(self, name: str) -> list[Definition]:
        """Those that may write a parameter of this name, in the order of the file."""
        attribute = name.partition(".")[0]
        if attribute not in self._found:
            forwards = [each for each in self._forwards.get(attribute, ()) if self._plainly_writes(each, attribute)]
            constructors = [each for each in self._constructors.get(attribute, ()) if self._reaches(each, attribute)]
            found = [*self._anything, *self._by_word.get(attribute, ()), *forwards, *constructors]
            self._found[attribute] = sorted(found, key=lambda definition: definition.row)
        return self._found[attribute]

    def _reaches(self, constructor: Definition, name: str) -> bool:
        """Whether a constructor speaks of an attribute of another object: what it makes itself is not the parameter."""
        others = rf"(?<!\bself)\.{re.escape(name)}\b|['\"]{re.escape(name)}\b"
        return re.search(others, self._module.slice(constructor)) is not None

    def _plainly_writes(self, definition: Definition, name: str) -> bool:
        """Whether a forward writes the parameter itself: what it hands to others, it hands to read."""
        attribute = rf"\.{re.escape(name)}\b"
        written = rf"{attribute}(?:\.\w+)*\.\w+_\(|{attribute}(?:\.data)?\s*=[^=]|_\([^\n]*{attribute}"
        return re.search(written, self._module.slice(definition)) is not None


@functools.lru_cache(maxsize=REMEMBERED)
def functions(module: Module) -> Functions:
    """The functions of a file."""
    return Functions(module)


def may_write(source: str, name: str) -> bool:
    """Whether a function may write a parameter of this name."""
    if not WRITES.search(source):
        return False
    attribute = name.partition(".")[0]
    return re.search(rf"\b{re.escape(attribute)}\b", source) is not None or WALKS.search(source) is not None


def _writes_whatever_it_walks(source: str) -> bool:
    return WALKS.search(source) is not None and WRITES.search(source) is not None
