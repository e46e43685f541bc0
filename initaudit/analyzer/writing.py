"""Which functions of a file may write which parameters, as far as the words in them tell."""

from __future__ import annotations

import functools
import re

from initaudit.analyzer.module import Module
from initaudit.analyzer.outline import Definition

WRITES = re.compile(r"[a-z]_\(|\.data\b|\binit\.|\]\s*=|copy|initialize|_init")
WALKS = re.compile(r"\b(?:named_)?(?:parameters|modules|children)\(|\.apply\(|[gs]etattr\(|\bget_parameter\(")
LOADS = re.compile(r"\bdef \w*(?<!off)load\w*\((?s:.*)(?:parameters\(|\w\(self[,)])")
REMEMBERED = 1024
"""Files whose functions are known at once."""


class Functions:
    """The functions and methods of a file that are not inside others, by what they may write."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._whatever: list[Definition] = []  # those that write what they walk, or load
        self._named: set[int] = set()  # the rows of those that write what they name
        self._found: dict[str, list[Definition]] = {}
        for definition in module.outline.definitions:
            if not definition.is_class and (definition.parent is None or definition.parent.is_class):
                self._add(definition)

    def _add(self, definition: Definition) -> None:
        source = self._module.slice(definition)
        is_forward = "forward" in definition.name
        writes = is_forward or WRITES.search(source) is not None
        loads = LOADS.search(source) or (definition.name == "__init__" and "load_state_dict(" in source)
        if ("load" in source and loads) or (writes and not is_forward and WALKS.search(source)):
            self._whatever.append(definition)
        elif writes:
            self._named.add(definition.row)

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
        escaped = re.escape(name)
        if definition.name == "__init__":
            written = rf"(?<!\bself)\.{escaped}\b|['\"]{escaped}\b"
        elif "forward" in definition.name:
            attribute = rf"\.{escaped}\b"
            written = rf"{attribute}(?:\.\w+)*\.\w+_\(|{attribute}(?:\.data)?\s*=[^=]|_\([^\n]*{attribute}"
        else:
            return True
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
