"""Lines after the findings: what was replayed, what was not done as asked, and the next command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from initaudit.finding import Applicability, Category, Finding
from initaudit.observation import Observation


def messages(observations: Sequence[Observation], others: Sequence[str], *, quiet: bool) -> Iterator[str]:
    """Yield what the user has to know of each observation, and unless ``quiet`` the remarks about the whole run."""
    for seen in observations:
        yield from remarks(seen, quiet=quiet)
    if not quiet:
        yield from others


def remarks(seen: Observation, *, quiet: bool) -> Iterator[str]:
    """Yield what the user has to know of an observation, and unless ``quiet`` what was replayed."""
    for remark in seen.remarks:
        yield f"initaudit: warning: {seen.source}: {remark}"
    if seen.replayed is not None and not quiet:
        yield f"replayed: {seen.source}: {seen.replayed}"


def next_step(findings: Sequence[Finding], offered: Collection[str]) -> Iterator[str]:
    """Yield the most useful next step, if any; ``offered`` are flags of the command that were not given."""
    fixes = Counter(one.fix.applicability for one in findings if one.fix is not None and one.fix.edits)
    worst = max(findings, key=lambda one: one.severity.rank, default=None)
    if worst is None:
        return
    if fixes[Applicability.SAFE] and "--fix" in offered:
        yield f"next: add `--fix` to fix {fixes[Applicability.SAFE]} of {len(findings)}, or `--diff` to preview"
    elif fixes[Applicability.UNSAFE] and "--fix" in offered:
        yield f"next: add `--diff --unsafe-fixes` to preview fixes, or read `initaudit rule {worst.code}`"
    elif "--try" in offered and any(one.advice for one in findings):
        yield "next: add `--try` to build the model again with the advice applied, and compare"
    elif worst.category is Category.TOOL:
        yield f"next: `initaudit rule {worst.code}` explains what this means and what to do"
    else:
        yield f"next: `initaudit rule {worst.code}` explains why this is wrong and what to write instead"
