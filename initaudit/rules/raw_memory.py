"""What the rules about memory that nothing wrote share: what was seen of it, and what to write instead. No rule itself."""

from __future__ import annotations

from initaudit.timeline import ParameterTimeline, Role

USES = {
    Role.FACTOR: "multiplies by it element by element",
    Role.OFFSET: "adds it",
    Role.WEIGHT: "sums over it",
    Role.TABLE: "takes rows from it",
    Role.SLOPE: "uses it as a negative slope",
}


def seen_when_built(subject: ParameterTimeline) -> str | None:
    """What was seen when the model was built and run; None where it was only read."""
    unwritten, usage = subject.unwritten, subject.usage
    if unwritten is None:
        return None
    text = f"when built, {unwritten.elements} of {unwritten.total} elements were never written"
    if usage is None:
        return text
    use = f"; the forward {USES[usage.role]}" if usage.role is not None else "; the forward shows no use of it"
    return f"{text}{use}, and was run with {usage.filled} in place of them"
