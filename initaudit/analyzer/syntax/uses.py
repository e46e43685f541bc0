"""Where names are used as models or parameters, and whether anything near seems to bind them: as patterns tell."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from typing import NamedTuple

MODEL_LIKE = re.compile(r"net|model|module|encoder|decoder|backbone|classifier|critic|actor|policy", re.IGNORECASE)
_WALKS = tuple(
    re.compile(rf"{walk}\(")
    for walk in ("parameters", "modules", "children", "buffers", r"apply(?<=\.apply)", r"state_dict(?<=\.state_dict)")
)
"""Each begins with plain letters, and is therefore found quickly."""
_RECEIVER = re.compile(r"(?<![\w.\])])(?P<name>[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*\.(?:named_)?$")
_INITIALIZED = re.compile(r"init\.(?<!\winit\.)\w+_?\(\s*(?P<name>[A-Za-z_]\w*)(?=[.\[,)])")
_NOT_LOOKED_FOR = {"self", "cls", "super", "torch", "nn", *dir(builtins)}


class Use(NamedTuple):
    """A name that is used as a model or a parameter: where it stands, and where the use of it begins."""

    start: int
    name: str
    begins: int


def may_hold_undefined(text: str) -> bool:
    """Whether some name of a file is used as a model or a parameter and may be bound nowhere."""
    return next(_seemingly_unbound(text), None) is not None


def seemingly_unbound(text: str) -> list[Use]:
    """The uses of names that neither the top level nor the function around them seems to bind, in order."""
    return sorted(_seemingly_unbound(text))


def _seemingly_unbound(text: str) -> Iterator[Use]:
    bound: dict[str, bool] = {}
    for use in _uses(text):
        if use.name not in _NOT_LOOKED_FOR and not _is_bound_before(text, use):
            if use.name not in bound:
                bound[use.name] = _is_bound_outside(text, use.name)
            if not bound[use.name]:
                yield use


def _uses(text: str) -> Iterator[Use]:
    """Where names are walked as models or initialized, also in strings and comments."""
    for pattern in _WALKS:
        for walk in pattern.finditer(text):
            line = text.rfind("\n", 0, walk.start()) + 1
            before = _RECEIVER.search(text, line, walk.start())
            if before is not None:
                yield Use(before.start(), before["name"], before.start())
    for call in _INITIALIZED.finditer(text):
        yield Use(call.start("name"), call["name"], call.start())


def _is_bound_before(text: str, use: Use) -> bool:
    """Whether the function around a use seems to bind its name."""
    before = text[_function_start(text, use.begins) : use.begins]
    pattern = rf"(?:^|[(,*])\s*{use.name}\s*(?:[,:=)](?!=)|$)|\b(?:for|as)\b[^\n]*\b{use.name}\b"
    return re.search(pattern, before, re.MULTILINE) is not None


def _function_start(text: str, offset: int) -> int:
    """Where the outermost function that an offset lies in begins; the offset itself outside of functions."""
    method = text.rfind("\n    def ", 0, offset)
    found = max(method, text.rfind("\ndef ", max(method, 0), offset))
    return offset if found < 0 else found


def _is_bound_outside(text: str, name: str) -> bool:
    """Whether a statement at the left margin seems to bind a name."""
    pattern = (
        rf"^(?:(?:class|def|async def)[ \t]+{name}\b"
        rf"|{name}[ \t]*(?::[^=\n]+)?=(?!=)|(?:from|import)[ \t][^\n]*\b{name}\b)"
    )
    return re.search(pattern, text, re.MULTILINE) is not None
