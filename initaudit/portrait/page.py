"""The HTML report: one self-contained page without network access, under 500 KB whatever the size of the model.

The template is `page.html.jinja`, with its style and script beside it. jinja2 is imported only to make a page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from initaudit.finding import Applicability, Finding, Severity
from initaudit.observation import Observation
from initaudit.portrait import built
from initaudit.portrait.rows import number, repeated
from initaudit.portrait.signals import MEASURES
from initaudit.portrait.views import ModelView, view
from initaudit.report.base import Context
from initaudit.report.excerpt import Excerpt, excerpt
from initaudit.report.plain_json import as_json
from initaudit.timeline import Layer

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

SCHEMA_VERSION = 1
LARGEST = 500_000
"""Maximum size of a page, in bytes."""
ROWS = (400, 200, 100, 50, 20, 5)
"""Numbers of rows per list; the first that keeps the page below its maximum size is used."""

_VERDICTS = {
    Severity.ERROR: "Initialization is wrong",
    Severity.WARNING: "Initialization is suspicious",
    Severity.NOTE: "Notes only",
    None: "No problems found",
}
_FIXES = {
    Applicability.SAFE: "Apply with initaudit check --fix.",
    Applicability.UNSAFE: "Apply with initaudit check --fix --unsafe-fixes; may change behaviour.",
    Applicability.DISPLAY: "",
}


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as shown on the page."""

    finding: Finding
    where: str
    excerpt: Excerpt
    affects: str
    how: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The headline of the page: the worst severity (None: no finding), in words and with counts."""

    severity: Severity | None
    words: str
    counts: str


def page(findings: Sequence[Finding], observations: Sequence[Observation], context: Context) -> bytes:
    """Return the page of the built models and their findings."""
    template = _template()
    worst = sorted(findings, key=lambda finding: -finding.severity.rank)
    models = built(observations)
    for rows in ROWS:
        content = template.render(
            title=models[0].source if len(models) == 1 else f"{len(models)} models",
            version=context.version,
            verdict=verdict(findings),
            cards=[_card(finding, context) for finding in worst[:rows]],
            more_findings=max(0, len(findings) - rows),
            models=[view(model, rows) for model in models],
            data=_embedded(worst, models, context, rows),
            style=_own("page.css"),
            script=_own("page.js"),
        ).encode("utf-8", "replace")
        if len(content) <= LARGEST:
            break
    return content


def verdict(findings: Sequence[Finding]) -> Verdict:
    """Return the headline for these findings."""
    severities = [finding.severity for finding in findings]
    counts = [(severities.count(severity), severity.value) for severity in reversed(Severity)]
    worst = max(severities, key=lambda severity: severity.rank, default=None)
    return Verdict(
        severity=worst,
        words=_VERDICTS[worst],
        counts=", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count),
    )


def _card(finding: Finding, context: Context) -> Card:
    place = finding.place
    cell = f", cell {place.cell}" if place.cell is not None else ""
    return Card(
        finding=finding,
        where=f"{place.filename}{cell}:{place.row}:{place.column}",
        excerpt=excerpt(place, context.sources.lines(place)),
        affects=", ".join(repeated(finding.affects)),
        how=_FIXES[finding.fix.applicability] if finding.fix else "",
    )


def _embedded(findings: Sequence[Finding], models: Sequence[Observation], context: Context, rows: int) -> str:
    """Return the content of the page as JSON, escaped so that no text can close the script element around it."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "version": context.version,
        "findings": [as_json(finding) for finding in findings[:rows]],
        "models": [_model_as_data(view(model, rows)) for model in models],
    }
    return (
        json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    )


def _model_as_data(model: ModelView) -> dict[str, Any]:
    return {
        "target": model.target,
        "environment": {fact.name: fact.value for fact in model.environment},
        "parameters": [msgspec.to_builtins(row) for row in model.rows],
        "layers": [_layer_as_data(layer) for layer in model.measured],
        "left_out": model.more_rows + model.more_layers,
    }


def _layer_as_data(layer: Layer) -> dict[str, Any]:
    """Return the measurements of a layer, to four digits, one number per seed."""
    measured = {measure.name: [float(number(value)) for value in measure.of(layer)] for measure in MEASURES}
    return {"path": layer.path, "activation": layer.activation, **measured}


def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["ticked"] = _ticked
    return environment.from_string(_own("page.html.jinja"))


def _ticked(text: str) -> Markup:
    """Return HTML with the text between backticks as code."""
    import markupsafe

    pieces = (markupsafe.escape(piece) for piece in text.split("`"))
    return markupsafe.Markup("").join(
        markupsafe.Markup(f"<code>{piece}</code>") if position % 2 else piece for position, piece in enumerate(pieces)
    )


def _own(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
