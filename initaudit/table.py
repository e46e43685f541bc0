"""Every parameter of a built model, with what wrote it and what it holds: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from initaudit.facts import Observation
from initaudit.finding import Observer, Place
from initaudit.timeline import Coverage, ParameterTimeline

SCHEMA_VERSION = 1
HEADINGS = ("parameter", "shape", "written by", "at", "scheme", "mean", "std", "min", "max")
NUMBERS = len(HEADINGS) - 4  # the columns from here on are aligned to the right


def built(observations: Iterable[Observation]) -> list[Observation]:
    """The observations of the probe."""
    return [observation for observation in observations if observation.observer is Observer.PROBE]


def as_json(observations: Iterable[Observation]) -> bytes:
    """Every parameter with its timeline and statistics."""
    models = [{"target": one.source, "parameters": one.parameters} for one in built(observations)]
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "models": models}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def as_text(observations: Iterable[Observation]) -> str:
    """Aligned columns, one table for each model."""
    return "\n".join(
        f"{one.source}\n{_aligned([HEADINGS, *_rows(one)])}" for one in built(observations) if one.parameters
    )


def _rows(observation: Observation) -> Iterator[tuple[str, ...]]:
    for timeline in observation.parameters:
        yield (
            timeline.path or timeline.name,
            _shape(timeline),
            *_writer(timeline),
            timeline.scheme or "",
            *_statistics(timeline),
        )


def _shape(timeline: ParameterTimeline) -> str:
    shape = timeline.values.shape if timeline.values else timeline.allocation.shape if timeline.allocation else None
    return "" if shape is None else f"({', '.join('?' if size is None else str(size) for size in shape)})"


def _writer(timeline: ParameterTimeline) -> tuple[str, str]:
    """What wrote the parameter last, and where; of one that nothing wrote, what allocated it."""
    if timeline.coverage is Coverage.NEVER and timeline.allocation:
        return "nothing", _at(timeline.allocation.place)
    if timeline.writes:
        last = timeline.writes[-1]
        return last.by, _at(last.place)
    return (timeline.allocation.call, _at(timeline.allocation.place)) if timeline.allocation else ("", "")


def _at(place: Place | None) -> str:
    return f"{place.filename.replace(chr(92), '/').rpartition('/')[2]}:{place.row}" if place else ""


def _statistics(timeline: ParameterTimeline) -> tuple[str, ...]:
    values = timeline.values
    numbers = (values.mean, values.std, values.min, values.max) if values else (None,) * 4
    return tuple("" if number is None else f"{number:.4g}" for number in numbers)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = (
        "  ".join(
            cell.ljust(width) if column < NUMBERS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "".join(line.rstrip() + "\n" for line in lines)
