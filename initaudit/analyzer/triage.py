"""Which files, and which functions in them, can hold anything that is asked for.

A trigger is wide on purpose: it only spares parsing, it decides nothing. Plain words are looked for first, since that
costs next to nothing, and a pattern only where one of them stands.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from initaudit.facts import Question, SyntaxFault


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

    def stands_in(self, unit: str) -> bool:
        """Whether a part of a file that matters may: the words may stand elsewhere in the file."""
        return self.pattern.search(unit) is not None


class Either:
    """Several triggers of which all of one pair have to be found."""

    def __init__(self, *pairs: tuple[Trigger, Trigger]) -> None:
        self.pairs = pairs

    def found(self, text: str) -> bool:
        """Whether some text may matter."""
        return any(one.found(text) and other.found(text) for one, other in self.pairs)

    def found_in_bytes(self, raw: bytes) -> bool:
        """Whether a file may matter."""
        return any(one.found_in_bytes(raw) and other.found_in_bytes(raw) for one, other in self.pairs)

    def stands_in(self, unit: str) -> bool:
        """Whether a part of a file that matters may."""
        return any(one.stands_in(unit) and other.stands_in(unit) for one, other in self.pairs)


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
INITIALIZER_CALL = Trigger("_(", r"\w_\([^)]")
HELPER_CALL = Trigger(
    "init normal xavier kaiming",
    r"(?:init|normal|xavier|kaiming)\w*(?<!_)\(\s*(?:\w+\.)+\w+[ \t]*[,)]",
)
RESET = Trigger("reset init", r"\n[ \t]*def _?(?!_init__)(?:\w*reset|init|\w*_init)\w*\(\s*self\b")
INIT_ARGUMENT = Trigger(
    "init_ initial_ initializer_ _init",
    r"\bdef __init__\([^)]*?\b(?:\w+_)?init(?:ial|ializer)?_(?:value|scale|gamma|bias|constant|std|sigma|range|gain)",
)
DERIVED = Trigger(
    ".apply( weight_norm( orthogonal(", r"\.apply\(\s*\w|self\.\w+\.weight\b[^\n]*_\(|_\(self\.\w+\.weight\b"
)
CONSTRUCTOR = Trigger("def __init__(", r"\bdef __init__\(")
WALK = Trigger(".apply( modules(", r"self\.(?:apply|(?:named_)?modules|\w*init\w*|\w*reset\w*)\(|super\(\w*\)?")
MODEL_USE = Trigger(
    ".parameters( .named_parameters( .modules( .named_modules( .children( .named_children( .buffers( .named_buffers( "
    ".apply( .state_dict( init.",
)
SCALE = Trigger("xavier glorot sqrt", r"xavier|glorot|(?:normal_|uniform_)\([^\n]*sqrt")
RECTIFIER = Trigger("relu Relu ReLU RELU")
KAIMING = Trigger("kaiming_")
SATURATING = Trigger("tanh Tanh sigmoid Sigmoid")
SCALED = Either((SCALE, RECTIFIER), (KAIMING, SATURATING))
"""Draws by a scheme, and activations that the scheme was not made for."""
TABLE = Trigger("Embedding(")
NORMALIZATION = Trigger("Norm")
DRAW = Trigger("normal_( uniform_( orthogonal_(")
TABLE_WRITTEN = Trigger("normal_( uniform_( orthogonal_( weight[ data[")
REPEATED = Trigger("ModuleList( Sequential(", r"\]\s*\*|\*\s*\[")
COPIED = Trigger("deepcopy(")
CONTAINER = Trigger("ModuleList( Sequential(")
FACTORS = Trigger("lora LoRA Lora hada lokr", r"(?:_[ABEab]|down|up)\b")

TRIGGERS: dict[str, tuple[Trigger | Either, ...]] = {
    "ParameterTimeline": (RAW,),
    "NotRestored": (REGISTERED,),
    "ModelLoop": (LOOP,),
    "DroppedTensor": (DROPPED,),
    "BareReference": (BARE,),
    "UndefinedName": (MODEL_USE,),
    "TypeTest": (TYPE_TEST,),
    "DeprecatedCall": (DEPRECATED_CALL,),
    "InitializerCall": (INITIALIZER_CALL,),
    "HelperCall": (HELPER_CALL,),
    "EmbeddingWrite": (TABLE, TABLE_WRITTEN),
    "RepeatedLayer": (REPEATED,),
    "CopiedLayers": (COPIED, CONTAINER),
    "LowRankFactors": (FACTORS,),
    "GainDraw": (NORMALIZATION, DRAW),
    "Chain": (SCALED,),
    "RepeatedReset": (RESET,),
    "IgnoredArgument": (INIT_ARGUMENT,),
    "DerivedWrite": (DERIVED,),
    "EarlyWalk": (CONSTRUCTOR, WALK),
}
"""By the kind of subject, all the triggers that have to be found."""


class Sought:
    """What answers some questions about one kind of subject: its triggers, and words of which one must stand there."""

    def __init__(self, subject: str, questions: Iterable[Question]) -> None:
        self.subject = subject
        self._triggers = TRIGGERS[subject]
        narrow = [question.words for question in questions]
        self._words = tuple(dict.fromkeys(word for words in narrow for word in words)) if all(narrow) else ()
        self._raw_words = tuple(word.encode() for word in self._words)

    def found(self, text: str) -> bool:
        """Whether a file may hold such a subject."""
        return self._named(text) and all(trigger.found(text) for trigger in self._triggers)

    def stands_in(self, unit: str) -> bool:
        """Whether a part of such a file may hold one: the words of a trigger may stand elsewhere, its pattern not."""
        return self._named(unit) and all(trigger.stands_in(unit) for trigger in self._triggers)

    def found_in_bytes(self, raw: bytes) -> bool:
        """Whether a file may hold such a subject."""
        if self._raw_words and not any(word in raw for word in self._raw_words):
            return False
        return all(trigger.found_in_bytes(raw) for trigger in self._triggers)

    def _named(self, text: str) -> bool:
        return not self._words or any(word in text for word in self._words)


@functools.lru_cache(maxsize=8)
def sought(questions: frozenset[Question]) -> tuple[Sought, ...]:
    """What to look for to answer some questions, each kind of subject once."""
    by_subject: dict[str, list[Question]] = {}
    for question in sorted(questions):
        if question.subject in TRIGGERS:
            by_subject.setdefault(question.subject, []).append(question)
    return tuple(Sought(subject, asked) for subject, asked in by_subject.items())


SYNTAX = Question(SyntaxFault.__name__)
_OUR_NOQA = re.compile(rb"noqa[^\n]*\bINI[0-9]", re.IGNORECASE)


def matters(raw: bytes, questions: frozenset[Question]) -> bool:
    """Whether a file has to be looked at for these questions."""
    if b"torch" not in raw:
        return False
    wanted = sought(questions)
    if not wanted:
        return SYNTAX in questions
    return any(each.found_in_bytes(raw) for each in wanted)


def comments(raw: bytes) -> bool:
    """Whether a file may hold suppressions that are written for this tool."""
    return b"initaudit:" in raw or (b"INI" in raw and _OUR_NOQA.search(raw) is not None)
