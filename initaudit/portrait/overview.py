"""Show many built models on a terminal: one row for each, those with findings first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from initaudit.finding import Finding, Severity
from initaudit.observation import Observation
from initaudit.portrait import built
from initaudit.portrait.columns import Cell, Column, table
from initaudit.portrait.rows import row_of
from initaudit.portrait.terminal import PAINT, about
from initaudit.report.base import printable
from initaudit.subjects.builds import BuildFailure
from initaudit.timeline import Kind

COLUMNS = (
    Column(heading="model", least=12),
    Column(heading="parameters", rank=2, right=True),
    Column(heading="elements", rank=3, right=True),
    Column(heading="measured", rank=1, least=20, cut=True),
    Column(heading="findings", least=8),
)


def overview(observations: Iterable[Observation], findings: Sequence[Finding], *, width: int, color: bool) -> str:
    """Return a table of the built models: their size, what was measured, and which rules report their parameters."""
    rows = [(_reported(one, findings), one) for one in built(observations)]
    rows.sort(key=lambda row: (-_rank(*row), row[1].source))
    cells = [_cells(one, reported) for reported, one in rows]
    return table(COLUMNS, cells, width, color=color)


def _reported(model: Observation, findings: Sequence[Finding]) -> list[tuple[Severity, str]]:
    """The severities and codes of the findings about the parameters of a model, the most severe first."""
    reported = {(one.severity, one.code) for timeline in model.parameters for one in about(timeline, findings)}
    return sorted(reported, key=lambda one: (-one[0].rank, one[1]))


def _failure(model: Observation) -> BuildFailure | None:
    return next((fact for fact in model.facts if isinstance(fact, BuildFailure)), None)


def _rank(reported: list[tuple[Severity, str]], model: Observation) -> int:
    """The order in the table, highest first; a model that was not built is as grave as an error."""
    severities = [severity for severity, _ in reported] + [Severity.ERROR] * (_failure(model) is not None)
    return max((one.rank for one in severities), default=-1)


def _cells(model: Observation, reported: list[tuple[Severity, str]]) -> list[Cell]:
    parameters = [one for one in model.tensors if one.kind is Kind.PARAMETER]
    elements = sum(row_of(one).elements for one in parameters)
    failed = _failure(model) is not None
    style = PAINT[reported[0][0]] if reported else PAINT[Severity.ERROR] if failed else ""
    return [
        Cell(printable(model.source), style),
        Cell(f"{len(parameters):,}"),
        Cell(f"{elements:,}"),
        Cell(printable(_measured(model)), style if failed else "dim"),
        Cell(" ".join(code for _, code in reported), style),
    ]


def _measured(model: Observation) -> str:
    """What was done with a model, in words."""
    failure = _failure(model)
    if failure is not None:
        return f"not built: it {failure.how}: {failure.detail}"
    if model.signal is None:
        return "values"
    backward = any(layer.gradient for layer in model.signal.layers)
    return "forward and backward" if backward else "forward"
