"""What the rules about uninitialized memory share: the evidence, and what to write instead. Not a rule itself."""

from __future__ import annotations

import math
import re
from typing import Any

from initaudit.finding import Advice, Applicability, Fix, Follow
from initaudit.rules.remedies import gain_before, rounded, scheme_before
from initaudit.timeline import ParameterTimeline, Role, Usage

USES = {
    Role.FACTOR: "multiplies by it elementwise",
    Role.OFFSET: "adds it",
    Role.WEIGHT: "uses it as a weight",
    Role.TABLE: "uses it as an embedding",
    Role.SLOPE: "uses it as a negative slope",
}


def seen_when_built(subject: ParameterTimeline) -> str | None:
    """Say what was seen when the model was built and run, or only how `forward` uses the parameter; None if neither is known."""
    unwritten, usage = subject.unwritten, subject.usage
    if unwritten is None:
        return (
            f"no reachable code writes it; the forward pass {USES[usage.role]}"
            if usage is not None and usage.role
            else None
        )
    text = f"{unwritten.elements} of {unwritten.total} elements were never written during construction"
    if usage is None:
        return text
    use = USES[usage.role] if usage.role is not None else "did not show how it is used"
    return f"{text}; the forward pass {use}, and ran with {usage.filled} in their place"


SMALL = 0.02
"""The standard deviation of embeddings and positions, as in BERT and ViT."""
SLOPE = 0.25
"""torch's initial value for the slope of a PReLU."""
ONE_AT_ZERO = ("exp", "exp2", "shifted", "sigmoid", "softmax")
"""Functions that turn zero into a neutral factor (one, or one half): a parameter that goes through them starts at zero."""
NAMED = (
    (re.compile(r"bias|beta|shift|offset|(^|_)b$"), Role.OFFSET),
    (re.compile(r"pos|emb|token|query|queries|prompt|cls|table|codebook"), Role.TABLE),
    (re.compile(r"gain|gamma|scale|alpha|temperature|(^|_)g$"), Role.FACTOR),
)
"""The use that the last part of a name suggests, for a use that was not seen."""


def remedy(subject: ParameterTimeline) -> Advice | None:
    """Return the call that initializes a parameter for its use; None if neither its use nor its shape is known.

    It is also None if the name cannot be written as an attribute.
    """
    if not all(part.isidentifier() or part.isdigit() for part in subject.name.split(".")):
        return None
    usage = subject.usage if subject.usage is not None and subject.usage.role is not None else _guessed(subject)
    if usage is None:
        return None
    initializer, given = _call(usage, subject)
    return Advice(model=subject.model, parameter=subject.name, initializer=initializer, **given)


def filled(subject: ParameterTimeline, advice: Advice | None) -> Fix | None:
    """Return the advice as a fix: a call of the forgotten initializer, or the advice below the line that registers the parameter."""
    if subject.allocation is None:
        return None
    place, attribute = subject.allocation.place, f"self.{subject.name}"
    if subject.forgotten is not None and subject.forgotten.isidentifier():
        call = f"self.{subject.forgotten}()"
        return Fix(Applicability.UNSAFE, f"Call `{call}`", remedies=(Follow(place=place, code=call, last=True),))
    if advice is None:
        return None
    call = str(advice)
    code = call.replace("nn.init.", "torch.nn.init.")
    return Fix(Applicability.UNSAFE, f"Add `{call}`", remedies=(Follow(place=place, code=code, binds=attribute),))


def _call(usage: Usage, subject: ParameterTimeline) -> tuple[str, dict[str, Any]]:
    match usage.role:
        case Role.FACTOR:
            return ("zeros_" if usage.through in ONE_AT_ZERO else "ones_"), {}
        case Role.OFFSET:
            return "zeros_", {}
        case Role.SLOPE:
            return "constant_", {"val": SLOPE}
        case Role.WEIGHT if usage.mode is not None:
            return scheme_before(usage.activation, usage.mode)
        case Role.WEIGHT if usage.inputs:
            parts = 2 if usage.through == "view_as_complex" else 1
            return "normal_", {"std": rounded(gain_before(usage.activation) / math.sqrt(usage.inputs * parts))}
        case Role.WEIGHT if _dimensions(subject) == 2:
            return scheme_before(usage.activation, "fan_in")
        case _:
            return "normal_", {"std": SMALL}


def _guessed(subject: ParameterTimeline) -> Usage | None:
    """Guess the use of a parameter from its name and shape."""
    name = subject.name.rpartition(".")[2].lower()
    dimensions = _dimensions(subject)
    if dimensions is None:
        return None
    for pattern, role in NAMED:
        if pattern.search(name) and (role is Role.TABLE or dimensions < 2):
            return Usage(role=role)
    if name == "weight" and dimensions == 1:
        return Usage(role=Role.FACTOR)
    return Usage(role=Role.WEIGHT) if dimensions == 2 else Usage()


def _dimensions(subject: ParameterTimeline) -> int | None:
    shape = subject.allocation.shape if subject.allocation is not None else None
    return None if shape is None else len(shape)
