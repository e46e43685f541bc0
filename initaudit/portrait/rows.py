"""The rows of the parameter table. Parameters that repeat from block to block share one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from initaudit.finding import Place
from initaudit.timeline import Coverage, Kind, ParameterTimeline

NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")  # a part of a path that is a number


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter or buffer, or ``count`` of them that differ only by numbers in their paths.

    ``by`` is the last call that wrote it, or that allocated it if none did; ``at`` is its line. The statistics of
    several are the mean of the means, the root mean square of the standard deviations, and the overall extremes.
    """

    path: str
    count: int = 1
    kind: Kind
    coverage: Coverage
    shape: tuple[int | None, ...] | None
    dtype: str
    by: str
    at: Place | None
    scheme: str
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    odd: int = 0  # elements that are not finite

    @property
    def elements(self) -> int:
        """The number of elements of one of them; 0 if unknown."""
        return math.prod(size or 0 for size in self.shape or (0,))


def row_of(timeline: ParameterTimeline) -> Row:
    """Return the row of one parameter."""
    values, allocation = timeline.values, timeline.allocation
    by, at = written_by(timeline)
    return Row(
        path=timeline.path or timeline.name,
        kind=timeline.kind,
        coverage=timeline.coverage,
        shape=values.shape if values else allocation.shape if allocation else None,
        dtype=values.dtype if values else "",
        by=by,
        at=at,
        scheme=timeline.scheme or _filled(timeline),
        mean=values.mean if values else None,
        std=values.std if values else None,
        min=values.min if values else None,
        max=values.max if values else None,
        odd=values.nan + values.inf if values else 0,
    )


def _filled(timeline: ParameterTimeline) -> str:
    """Return the values that replaced unwritten elements for the forward."""
    filled = timeline.usage.filled if timeline.usage is not None else ""
    return f"{filled}, for the forward only" if filled else ""


def written_by(timeline: ParameterTimeline) -> tuple[str, Place | None]:
    """Return the call that last wrote the parameter and its place; if none did, the place of the allocation."""
    if timeline.coverage is Coverage.NEVER and timeline.allocation:
        return "nothing", timeline.allocation.place
    if timeline.writes:
        last = timeline.writes[-1]
        return last.by, last.place
    return (timeline.allocation.call, timeline.allocation.place) if timeline.allocation else ("", None)


def together(rows: Iterable[Row]) -> list[Row]:
    """Join rows that differ only by numbers in their paths and by their statistics: ``layers.*.weight``."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        pattern = NUMBER.sub("*", row.path)
        groups.setdefault((pattern, row.kind, row.coverage, row.shape, row.dtype, row.by, row.at), []).append(row)
    return [joined(group) for group in groups.values()]


def repeated(names: Iterable[str]) -> Iterator[str]:
    """Join names that differ only by numbers: "layers.*.weight (12)"."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(NUMBER.sub("*", name), []).append(name)
    return (f"{pattern} ({len(group)})" if len(group) > 1 else group[0] for pattern, group in groups.items())


def joined(group: Sequence[Row]) -> Row:
    """Join rows into one."""
    first = group[0]
    if len(group) == 1:
        return first
    stds = list(_known(row.std for row in group))
    means = list(_known(row.mean for row in group))
    return msgspec.structs.replace(
        first,
        path=NUMBER.sub("*", first.path),
        count=len(group),
        scheme=" or ".join(dict.fromkeys(row.scheme for row in group if row.scheme)),
        mean=math.fsum(means) / len(means) if means else None,
        std=math.sqrt(math.fsum(std * std for std in stds) / len(stds)) if stds else None,
        min=min(_known(row.min for row in group), default=None),
        max=max(_known(row.max for row in group), default=None),
        odd=sum(row.odd for row in group),
    )


def _known(numbers: Iterable[float | None]) -> Iterator[float]:
    return (number for number in numbers if number is not None)


def size(shape: tuple[int | None, ...] | None) -> str:
    """Format a shape; "?" stands for an unknown size."""
    return "" if shape is None else f"({', '.join('?' if size is None else str(size) for size in shape)})"


def line(place: Place | None) -> str:
    """Format a place as the name of its file and its row."""
    return f"{place.filename.replace(chr(92), '/').rpartition('/')[2]}:{place.row}" if place else ""


def number(value: float | None) -> str:
    """Format a number with four significant digits."""
    return "" if value is None else f"{value:.4g}"
