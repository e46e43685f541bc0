"""Intervals whose bounds are given to ``uniform_`` in the wrong order, which torch refuses."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.impossible_calls import expects_errors
from initaudit.analyzer.readers.initializer_calls import initializer_calls
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.schemes.expressions import Term, fold
from initaudit.subjects.calls import InitializerCall
from initaudit.subjects.initializers import ImpossibleCall


@reads(ImpossibleCall, scope=Context, words="uniform_(")
def reversed_intervals(context: Context) -> Iterator[ImpossibleCall]:
    """``nn.init.uniform_(w, bound, -bound)``, and ``w.uniform_(0.1, -0.1)``."""
    stated = (fact for fact in initializer_calls(context) if isinstance(fact, InitializerCall))
    refused = {call.place: why for call in stated if (why := _refused(call))}
    for _, call in Meanings(context).unguarded() if refused and not expects_errors(context) else ():
        place = context.snippet.place(call)
        if place in refused:
            yield ImpossibleCall(place=place, called="uniform_", why=refused[place])


def _refused(call: InitializerCall) -> str:
    low, high = call.given(1, "a"), call.given(2, "b")
    if call.function != "uniform_" or low is None or high is None:
        return ""
    if not _is_above(fold(low.meaning), fold(high.meaning)):
        return ""
    return f"`uniform_` takes the lower bound first, and is given `{low.source}` and `{high.source}`"


def _is_above(low: Term | None, high: Term | None) -> bool:
    """Whether a bound is greater than another: of two numbers, or of a positive value and its negative.

    A name alone may stand for a negative number. What is read from an object, or computed, is taken for positive.
    """
    if low is None or high is None:
        return False
    if low.number is not None and high.number is not None:
        return low.number > high.number
    if low.powers != high.powers or low.coefficient <= 0 or low.coefficient != -high.coefficient:
        return False
    names = [each.base for each in low.powers if isinstance(each.base, str)]
    computed = any(each.exponent != 1 or not str(each.base).isidentifier() for each in low.powers)
    return computed and len(names) == len(low.powers)
