"""Which files, and which functions in them, can hold anything a selected rule looks at.

A trigger is wide on purpose: it only spares parsing, it decides nothing. Plain words are looked for first, since that
costs next to nothing, and a pattern only where one of them stands.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable


class Trigger:
    """What a text must hold: one of some words, and a pattern. Works on a file's bytes and on its text alike.

    A pattern that is to hold at the begin of a line begins with the newline before it: that is found quickly.
    """

    def __init__(self, words: str, pattern: str = "") -> None:
        self.words = tuple(words.split())
        self.pattern = re.compile(pattern, re.MULTILINE)
        self._raw_words = tuple(word.encode() for word in self.words)
        self._raw_pattern = re.compile(pattern.encode(), re.MULTILINE)

    def found(self, text: str) -> bool:
        """Whether some text may matter."""
        return any(word in text for word in self.words) and self.pattern.search(text) is not None

    def found_in_bytes(self, raw: bytes) -> bool:
        """Whether a file may matter."""
        return any(word in raw for word in self._raw_words) and self._raw_pattern.search(raw) is not None


DEPRECATED = (
    "uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform",
    "kaiming_normal", "orthogonal", "sparse",
)  # fmt: skip
NEW_TENSORS = (
    r"full|zeros|ones|randn?|randint|normal|empty|clamp|clip|mul|div|add|sub|neg|abs|exp|sqrt|pow|masked_fill|"
    r"index_fill|fill|copy|uniform|zero|multiply|divide"
)
STATEMENT = r"\n(?<![,(\[{=+*/\\|-]\n)[ \t]*"
"""The begin of a line that does not go on with the one before."""

RAW = Trigger(
    "Tensor( empty( empty_like( empty_strided( empty_permuted( .new(",
    r"Tensor\(|\.new\(|(?<!\w)(?:new_)?empty\w*\(",
)
REGISTERED = Trigger("Parameter( register_parameter( register_buffer( nn.Buffer(")
LOOP = Trigger("parameters( modules( children(", r"\n[ \t]*(?:async )?for\b[^\n]*(?:parameters|modules|children)\(")
DROPPED = Trigger("(", STATEMENT + rf"[\w.]+\.(?:{NEW_TENSORS})(?:_like)?\(")
BARE = Trigger(
    "_ apply init weights",
    STATEMENT + r"[\w.]+(?:_|\.apply|\.reset_parameters|init\w*|weights)[ \t]*(?:#[^\n]*)?$",
)
TYPE_TEST = Trigger(
    "modules( children( .apply(",
    r"\bor[ \t]+(?!None|True|False)[\w.]*\b[A-Z]\w*[ \t]*[:)\n]|isinstance\(\w+,[^()\n]*\b(?:or|and)\b"
    r"|(?:\bis|==)[ \t]+(?!None|True|False)(?:\w+\.)*[A-Z][a-z]",
)
DEPRECATED_CALL = Trigger(
    " ".join(f"{name}(" for name in DEPRECATED),
    r"(?:xavier_uniform|xavier_normal|kaiming_uniform|kaiming_normal|orthogonal|dirac)\("
    r"|(?:init\w*\.|(?<![.\w]))(?:uniform|normal|constant|eye|sparse)\(",
)
KAIMING_CALL = Trigger("kaiming_", r"kaiming_(?:uniform|normal)_?\([^)]")
TRUNCATED_CALL = Trigger("trunc_normal_", r"trunc_normal_\([^)]")
MODEL_USE = Trigger(
    ".parameters( .named_parameters( .modules( .named_modules( .children( .named_children( .buffers( .named_buffers( "
    ".apply( .state_dict( init.",
)
SCALE = Trigger("xavier glorot sqrt", r"xavier|glorot|(?:normal_|uniform_)\([^\n]*sqrt")
RECTIFIER = Trigger("relu Relu ReLU RELU")

TRIGGERS = {
    **dict.fromkeys(("INI101", "INI102", "INI103", "INI104"), (RAW,)),
    **dict.fromkeys(("INI105", "INI106"), (REGISTERED,)),
    **dict.fromkeys(("INI201", "INI204", "INI305"), (LOOP,)),
    "INI202": (DROPPED,),
    "INI205": (BARE,),
    "INI301": (MODEL_USE,),
    "INI302": (TYPE_TEST,),
    "INI308": (DEPRECATED_CALL,),
    "INI404": (TRUNCATED_CALL,),
    "INI406": (KAIMING_CALL,),
    "INI401": (SCALE, RECTIFIER),
}
"""By code, all the triggers that have to be found."""


_OUR_NOQA = re.compile(rb"noqa[^\n]*\bINI[0-9]", re.IGNORECASE)


@functools.lru_cache(maxsize=8)
def _wanted(codes: frozenset[str]) -> tuple[tuple[Trigger, ...], ...]:
    """The triggers of some rules, each combination once."""
    return tuple(dict.fromkeys(triggers for code, triggers in TRIGGERS.items() if code in codes))


def matters(raw: bytes, codes: frozenset[str]) -> bool:
    """Whether a file has to be looked at for these codes."""
    if b"torch" not in raw:
        return False
    wanted = _wanted(codes)
    if not wanted:
        return "INI001" in codes
    return any(all(trigger.found_in_bytes(raw) for trigger in triggers) for triggers in wanted)


def comments(raw: bytes) -> bool:
    """Whether a file may hold suppressions that are written for this tool."""
    return b"initaudit:" in raw or (b"INI" in raw and _OUR_NOQA.search(raw) is not None)


def triggers_for(codes: Iterable[str]) -> list[Trigger]:
    """The triggers of some rules that have one each."""
    return list(dict.fromkeys(trigger for code in codes for trigger in TRIGGERS[code]))
