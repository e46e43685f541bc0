"""Low-rank adapters, and how each factor of their product starts."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.adapters import LAST
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import File
from initaudit.analyzer.syntax.factors import WORDS, Holds, adapters
from initaudit.finding import Observer
from initaudit.subjects.weights import LowRankFactors


@reads(LowRankFactors, scope=File, words=WORDS)
def low_rank_factors(file: File) -> Iterator[LowRankFactors]:
    """The adapters of a file all of whose factors start in a way that is known."""
    for adapter in adapters(file):
        start = adapter.first(LAST)
        if start is not None:
            yield LowRankFactors(
                observer=Observer.ANALYZER,
                place=start.snippet.place(start.node),
                model=adapter.cls.qualname,
                name=start.name,
                random=adapter.names(Holds.RANDOM),
                zero=adapter.names(Holds.ZERO),
            )
