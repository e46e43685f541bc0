"""Low-rank adapters, and how each factor of their product starts."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.adapters import FIRST, LAST
from initaudit.analyzer.programs.verdict import drawn_by_programs
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import File
from initaudit.analyzer.syntax.factors import WORDS, Holds, adapters
from initaudit.finding import Observer
from initaudit.subjects.weights import Factor, LowRankFactors, ZeroFactors


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


@reads(ZeroFactors, scope=File, words=(WORDS, "zeros zero_ constant_ fill_"))
def zero_factors(file: File) -> Iterator[ZeroFactors]:
    """The adapters of a file all of whose factors are zeros, whatever writes them."""
    for adapter in adapters(file):
        start, zeros = adapter.first(FIRST), adapter.names(Holds.ZERO)
        if start is not None and len(zeros) > 1 and not adapter.names(Holds.RANDOM):
            if adapter.of_layers and drawn_by_programs(file.project, adapter.cls):
                continue
            yield ZeroFactors(
                observer=Observer.ANALYZER,
                place=start.snippet.place(start.node),
                factors=tuple(Factor(adapter.cls.qualname, name) for name in dict.fromkeys([start.name, *zeros])),
            )
