"""Every parameter of a built model, with what wrote it and what it holds: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from initaudit.observation import Observation
from initaudit.portrait import built
from initaudit.portrait.rows import Row, line, number, row_of, size
from initaudit.report.base import printable

SCHEMA_VERSION = 2
HEADINGS = ("parameter", "shape", "written by", "at", "scheme", "mean", "std", "min", "max")
NUMBERS = len(HEADINGS) - 4  # the columns from here on are aligned to the right


def as_json(observations: Iterable[Observation]) -> bytes:
    """Every parameter with its timeline and statistics, what a forward and a backward showed, and where that was."""
    document = {"schema_version": SCHEMA_VERSION, "models": [_model(one) for one in built(observations)]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _model(model: Observation) -> dict[str, Any]:
    return {
        "target": model.source,
        "environment": model.environment,
        "parameters": model.parameters,
        "signal": model.signal,
        "undecided": model.undecided,
    }


def as_text(observations: Iterable[Observation]) -> str:
    """Aligned columns, one table for each model."""
    return "\n".join(
        f"{printable(one.source)}\n{_aligned([HEADINGS, *(_cells(row_of(timeline)) for timeline in one.parameters)])}"
        for one in built(observations)
        if one.parameters
    )


def _cells(row: Row) -> tuple[str, ...]:
    statistics = (number(value) for value in (row.mean, row.std, row.min, row.max))
    return tuple(map(printable, (row.path, size(row.shape), row.by, line(row.at), row.scheme, *statistics)))


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
