"""What a text must hold to matter for a kind of subject: some words, and some patterns.

A trigger is wide on purpose: it only spares parsing, it decides nothing. Plain words are looked for first, since that
costs next to nothing, and a pattern only where one of them stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import AnyStr

from initaudit.analyzer.sieve import Held, compiled
from initaudit.analyzer.syntax.uses import may_hold_undefined


def rows_of(text: AnyStr, offsets: Iterable[int]) -> set[int]:
    """The rows of some offsets."""
    newline = "\n" if isinstance(text, str) else b"\n"
    rows: set[int] = set()
    row, position = 1, 0
    for offset in sorted(offsets):
        row += text.count(newline, position, offset)
        position = offset
        rows.add(row)
    return rows


class Trigger:
    """What a text must hold: one of some words, and one of some patterns. Works on a file's bytes and on its text.

    A pattern that begins with plain letters is found ten times as fast as one that begins with a choice, so a choice is
    made of several patterns. Where that cannot be, ``quick`` are patterns of the fast kind of which one must match too.
    """

    is_call = False

    def __init__(self, words: str, *patterns: str, quick: Sequence[str] = ()) -> None:
        self.words = tuple(words.split())
        self._raw_words = frozenset(word.encode() for word in self.words)
        stages = [stage for stage in (quick, patterns) if stage]
        self._stages = [[re.compile(each, re.MULTILINE) for each in stage] for stage in stages]
        self._patterns = self._stages[-1] if patterns else []
        self._raw_stages = [
            {pattern.pattern: pattern for each in stage for pattern in [compiled(f"(?m){each}".encode())]}
            for stage in stages
        ]

    def found(self, text: str) -> bool:
        """Whether some text may matter."""
        if not any(word in text for word in self.words):
            return False
        return all(any(pattern.search(text) for pattern in stage) for stage in self._stages)

    def stands_in(self, unit: str) -> bool:
        """Whether a part of such a text may matter: the words may stand elsewhere, the pattern not."""
        return not self._patterns or any(pattern.search(unit) for pattern in self._patterns)

    def rows(self, raw: bytes) -> set[int] | None:
        """The rows in which a pattern matches, by the last character of the match; None when there is no pattern."""
        if not self._patterns:
            return None
        shifted = b"\n" + raw  # a pattern may ask for the begin of a line
        ends = (match.end() - 2 for pattern in self._raw_stages[-1].values() for match in pattern.finditer(shifted))
        return rows_of(raw, ends)

    @property
    def looks_for(self) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """The words and the patterns that are looked for in a file."""
        return self._raw_words, chain(*self._raw_stages)

    def found_in(self, held: Held) -> bool:
        """Whether a file may matter."""
        return held.any_word(self._raw_words) and all(
            held.any_match(stage, call=self.is_call) for stage in self._raw_stages
        )


class Call(Trigger):
    """A call of a function by its name, which a pattern tells: that is looked for before the brackets of a file."""

    is_call = True


class ModelUse(Trigger):
    """A name that is used as a model, and that nothing near it seems to bind."""

    def found_in(self, held: Held) -> bool:
        # Latin-1 decodes whatever is there, and at once; a name in other letters is looked at again.
        return super().found_in(held) and may_hold_undefined(held.raw.decode("latin-1"))


class Either:
    """Several triggers of which all of one pair have to be found."""

    def __init__(self, *pairs: tuple[Trigger, Trigger]) -> None:
        self.pairs = pairs

    @property
    def looks_for(self) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """The words and the patterns that are looked for in a file."""
        words, patterns = zip(*(trigger.looks_for for pair in self.pairs for trigger in pair), strict=True)
        return chain.from_iterable(words), chain.from_iterable(patterns)

    def found_in(self, held: Held) -> bool:
        """Whether a file may matter."""
        return any(one.found_in(held) and other.found_in(held) for one, other in self.pairs)

    def stands_in(self, unit: str) -> bool:
        """Whether a part of a file that matters may."""
        return any(one.stands_in(unit) and other.stands_in(unit) for one, other in self.pairs)

    def rows(self, raw: bytes) -> None:
        """Either may stand anywhere."""


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

RAW = Call(
    "Tensor( empty .new(",
    r"Tensor\(",
    r"\.new\(",
    r"empty(?:(?<!\wempty)|(?<=new_empty)(?<!\wnew_empty))\w*\(",
)
REGISTERED = Trigger("Parameter( register_parameter( register_buffer( nn.Buffer( DTensor")
REGISTERING = Trigger(
    "aram uffer egist DTensor .data",
    r"aram\w*\((?<!\bparameters\()(?<!named_parameters\()",
    r"uffer\w*\((?<!\bbuffers\()(?<!named_buffers\()",
    r"egist\w*\(",
    r"DTensor",
    r"\.data\s*=(?!=)",
)
"""What registers memory, or is called as if it did; or puts it in the place of what is registered."""
LOOP = Trigger("parameters( modules( children(", r"\n[ \t]*(?:async )?for\b[^\n]*(?:parameters|modules|children)\(")
DROPPED = Trigger("(", STATEMENT + rf"[\w.]+\.(?:{NEW_TENSORS})(?:_like)?\(")
BARE = Trigger(
    "_",
    STATEMENT + r"[\w.]+(?:_|\.apply|reset_parameters|init_weights|initialize_weights)[ \t]*(?:#[^\n]*)?$",
    quick=[
        rf"{ending}[ \t]*(?:#[^\n]*)?$" for ending in ("_", "apply", "reset_parameters", "init_weights", "lize_weights")
    ],
)
TYPE_TEST = Trigger(
    "modules( children( .apply(",
    r"or[ \t]+(?!None|True|False)[\w.]*\b[A-Z]\w*[ \t]*[:)\n]",
    r"isinstance\(\w+,[^()\n]*\b(?:or|and)\b",
    r"is[ \t]+(?!None|True|False)(?:\w+\.)*[A-Z][a-z]",
    r"==[ \t]+(?!None|True|False)(?:\w+\.)*[A-Z][a-z]",
)
DEPRECATED_CALL = Call(
    "uniform( normal( constant( eye( dirac( orthogonal( sparse(",
    r"(?:xavier_uniform|xavier_normal|kaiming_uniform|kaiming_normal|orthogonal|dirac)\("
    r"|(?:init\w*\.|(?<![.\w]))(?:uniform|normal|constant|eye|sparse)\(",
)
INITIALIZER_CALL = Trigger("_(", r"\w_\([^)]")
HELPER_CALL = Trigger(
    "init normal xavier kaiming",
    *(
        rf"{word}\w*(?<!_)\(\s*(?!\w+\.config\b)(?:\w+\.)+\w+[ \t]*[,)]"
        for word in ("init", "normal", "xavier", "kaiming")
    ),
)
RESET = Trigger("reset init", r"def _?(?!_init__)(?:\w*reset|init|\w*_init)\w*\(\s*self\b")
INIT_ARGUMENT = Trigger(
    "init_ initial_ initializer_ _init",
    r"def __init__\([^)]*?\b(?:\w+_)?init(?:ial|ializer)?_(?:value|scale|gamma|bias|constant|std|sigma|range|gain)",
)
DERIVED = Trigger(
    ".apply( weight_norm( orthogonal(", r"\.apply\(\s*\w", r"self\.\w+\.weight\b[^\n]*_\(", r"_\(self\.\w+\.weight\b"
)
FILLS = ("normal_", "uniform_", "zero_", "fill_", "copy_", "trunc_normal_", "masked_fill_", "bernoulli_", "random_")
FILLED_RESULTS = " ".join(f"{end}.{fill}(" for end in ")]" for fill in FILLS)
WRITTEN_COPY = Trigger(
    f".weight.clone( .bias.clone( .data.clone( [[ {FILLED_RESULTS}",
    r"_\((?:" + "|".join(rf"(?<=[)\]]\.{fill}\()" for fill in FILLS) + r"|[^\n()]*(?:\.clone\(\)|\[\[))",
)
CONSTRUCTOR = Trigger("def __init__(", r"def __init__\(")
OVERWRITTEN = Trigger(
    ".apply( modules( post_init( _no_ skip_",
    r"self\.(?:apply|(?:named_)?modules|\w*init\w*)\(|\._?(?:no|skip)_\w*init\w*\s*=",
)
WALK = Trigger(".apply( modules(", r"self\.(?:apply|(?:named_)?modules|\w*init\w*|\w*reset\w*)\(")
MODEL_USE = ModelUse("parameters( modules( children( buffers( .apply( .state_dict( init.")
SCALE = Trigger("xavier glorot sqrt", "xavier", "glorot", r"normal_\([^\n]*sqrt", r"uniform_\([^\n]*sqrt")
RECTIFIER = Trigger("relu Relu ReLU RELU")
KAIMING = Trigger("kaiming_")
SATURATING = Trigger("tanh Tanh sigmoid Sigmoid")
SCALED = Either((SCALE, RECTIFIER), (KAIMING, SATURATING))
"""Draws by a scheme, and activations that the scheme was not made for."""
PADDED = Trigger(
    "Embedding(",
    quick=[
        r"padding_idx\s*=(?!\s*None)",
        r"Embedding\([^,()\n]*,[^,()\n]*,\s*(?!padding_idx|dtype|device|max_norm|_weight|sparse|\*)",
    ],
)
TABLE_WRITTEN = Trigger("normal_( uniform_( orthogonal_( weight[ data[")
NORMALIZATION = Trigger(
    "Norm",
    quick=[
        r"isinstance\([^)]*Norm[^\n]*\n(?:(?![^\n]*(?:isinstance|elif))[^\n]*\n){0,9}?"
        r"(?![^\n]*(?:isinstance|elif))[^\n]*(?:normal|uniform|orthogonal)_\(",
        r"type\(\w+\)[^\n]*Norm",
        r"orm\w*\.(?:weight|gamma|scale)\b[^\n]*(?:normal|uniform)_\(",
        r"l_\([^\n]*orm\w*\.(?:weight|gamma|scale)\b",
        r"uniform_\([^\n]*orm\w*\.(?:weight|gamma|scale)\b",
    ],
)
DRAW = Trigger("normal_( uniform_( orthogonal_(")
REPEATED = Trigger(
    "ModuleList( Sequential(",
    r"ModuleList\([^\n]*(?:\]\s*\*|\*\s*\[)",
    r"Sequential\(\s*\*[^\n]*(?:\]\s*\*|\*\s*\[)",
)
COPIED = Trigger("deepcopy(", quick=[r"deepcopy\([\w.]+\)\s+for\b"])
CONTAINER = Trigger("ModuleList( Sequential(")
EXACT_TYPE = Trigger("type( __class__", r"\bif\b[^\n]*(?:type\(\w+\)|__class__)\s*(?:==|is|in)\s")
CLASS_NAME = Trigger("__name__", r"__name__")
NAME_TEST = Trigger("named_parameters( named_modules( named_children(", r"\bfor\b[^\n]*named_\w+\(")
LEAF_WRITTEN = Trigger(
    "Parameter( Linear( Embedding(",
    r"(?:normal|uniform|zero|fill|copy|mul|div|add|sub|clamp)_\(|\]\s*[-+*/]?=(?!=)|[-+*/]=",
)
FACTORS = Trigger("lora LoRA Lora hada lokr", r"(?:_[ABEab]|down|up)\b")
ZEROS = Trigger("zeros zero_ constant_ fill_")
CONSTANT_WRITTEN = Trigger("constant_( ones_( fill_( zeros_( zero_(")
LAYER_MADE = Trigger("Linear( Conv1d( Conv2d( Conv3d(")
DRAWN_WEIGHT = Trigger("randn( normal_( xavier_ kaiming_")
PRODUCT = Trigger(
    "@ mm( matmul( linear( conv1d( conv2d( conv3d(", r"[\w)\]] @ ", r"m\(", r"matmul\(", r"linear\(", r"conv[123]d\("
)

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
    "EmbeddingWrite": (TABLE_WRITTEN, PADDED),
    "RepeatedLayer": (REPEATED,),
    "CopiedLayers": (COPIED, CONTAINER),
    "ExactTypeTest": (EXACT_TYPE,),
    "ClassNameTest": (CLASS_NAME,),
    "NameTest": (NAME_TEST,),
    "LeafWrite": (LEAF_WRITTEN,),
    "LowRankFactors": (FACTORS,),
    "ZeroFactors": (ZEROS, FACTORS),
    "GainDraw": (DRAW, NORMALIZATION),
    "Chain": (SCALED,),
    "RepeatedReset": (RESET,),
    "IgnoredArgument": (INIT_ARGUMENT,),
    "DerivedWrite": (DERIVED,),
    "CopyWrite": (WRITTEN_COPY,),
    "Overwritten": (OVERWRITTEN,),
    "EarlyWalk": (CONSTRUCTOR, WALK),
    "EqualUnits": (CONSTANT_WRITTEN, LAYER_MADE),
    "WeightUse": (REGISTERED, DRAWN_WEIGHT, PRODUCT),
}
"""By the kind of subject, all the triggers that have to be found."""
