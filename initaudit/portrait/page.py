"""The HTML reports: self-contained pages without network access, under 500 KB whatever the size of the model.

`page.html.jinja` shows built models, `comparison.html.jinja` two runs; both extend `base.html.jinja`, and share
the parts of `parts.html.jinja`, one style and one script. jinja2 is imported only to make a page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from initaudit.finding import Applicability, Finding, Severity
from initaudit.observation import Observation
from initaudit.portrait import built, compared
from initaudit.portrait.colours import ColouredRow, Span, coloured, spans
from initaudit.portrait.compared import Runs
from initaudit.portrait.rows import number, repeated
from initaudit.portrait.sides import Trial, sides, trial_view, turns
from initaudit.portrait.signals import MEASURES
from initaudit.portrait.titles import path_of, place_in_words, title_of, title_of_all
from initaudit.portrait.views import ModelView, view
from initaudit.report.base import Context
from initaudit.report.excerpt import excerpt
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
    rows: tuple[ColouredRow, ...]
    cut: bool
    affects: str
    how: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The headline of the page: the worst severity (None: no finding), in words and with counts."""

    severity: Severity | None
    words: str
    counts: str


def page(
    findings: Sequence[Finding], observations: Sequence[Observation], context: Context, trials: Sequence[Trial] = ()
) -> bytes:
    """Return the page of the built models and their findings, and of the trials of the advice."""
    worst = sorted(findings, key=lambda finding: -finding.severity.rank)
    models = built(observations)
    sources: dict[tuple[str, int | None], dict[int, list[Span]]] = {}

    def content(rows: int) -> dict[str, Any]:
        return {
            "title": title_of_all((model.source for model in models), context.relative),
            "verdict": verdict(findings),
            "cards": [_card(finding, context, sources) for finding in worst[:rows]],
            "more_findings": max(0, len(findings) - rows),
            "models": [view(model, rows, context.relative) for model in models],
            "trials": {trial.target: trial_view(trial, context.relative, rows) for trial in trials},
            "data": _embedded(worst, models, context, rows),
        }

    return _fitting("page.html.jinja", content, context)


def comparison_page(these: Runs, context: Context) -> bytes:
    """Return the page of two runs side by side."""

    def content(rows: int) -> dict[str, Any]:
        several = [
            {"title": title_of(one.target, context.relative), "sides": sides(one.comparison, rows)} for one in pairs
        ]
        return {
            "title": title_of_all((one.target for one in pairs), context.relative),
            "runs": these,
            "files": [path_of(name, context.relative) for name in (these.before, these.after)],
            "was": [str(title_of(one.was, context.relative)) for one in pairs if one.was != one.target],
            "verdict": _outcome(these),
            "pairs": several,
            "turns": turns(these.findings, context.relative, rows),
            "data": _escaped(compared.as_json(these)) if rows == ROWS[0] else "{}",
        }

    pairs = these.pairs
    return _fitting("comparison.html.jinja", content, context)


def _fitting(name: str, content: Callable[[int], dict[str, Any]], context: Context) -> bytes:
    """Render a template with as many rows as its size allows."""
    template = _templates().get_template(name)
    for rows in ROWS:
        made = template.render(
            version=context.version, style=_own("page.css"), script=_own("page.js"), **content(rows)
        ).encode("utf-8", "replace")
        if len(made) <= LARGEST:
            break
    return made


def _outcome(these: Runs) -> Verdict:
    """Return the headline of a comparison."""
    worse = these.findings.worse if these.findings is not None else ()
    severities = [one.severity for one in worse] + [Severity.WARNING] * any(one.comparison.harm for one in these.pairs)
    severity = max(severities, key=lambda one: one.rank, default=None)
    head, _, rest = these.verdict.partition(": ")
    return Verdict(severity=severity, words=f"{head[:1].upper()}{head[1:]}", counts=rest)


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


def _card(finding: Finding, context: Context, sources: dict[tuple[str, int | None], dict[int, list[Span]]]) -> Card:
    place = finding.place
    lines = context.sources.lines(place)
    shown = excerpt(place, lines)
    if (place.filename, place.cell) not in sources:
        sources[place.filename, place.cell] = {} if context.sources.has_prose(place) else spans(lines)
    found = sources[place.filename, place.cell]
    return Card(
        finding=finding,
        where=place_in_words(place, context.relative),
        rows=coloured(shown.rows, lines, found),
        cut=shown.cut,
        affects=", ".join(repeated(finding.affects)),
        how=_FIXES[finding.fix.applicability] if finding.fix else "",
    )


def _embedded(findings: Sequence[Finding], models: Sequence[Observation], context: Context, rows: int) -> str:
    """Return the content of the page as JSON, escaped so that no text can close the script element around it."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "version": context.version,
        "findings": [as_json(finding) for finding in findings[:rows]],
        "models": [_model_as_data(view(model, rows, context.relative)) for model in models],
    }
    return _escaped(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def _escaped(text: str) -> str:
    """Escape JSON so that no text in it can close the script element around it."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


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


def _templates() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_own),
    )
    environment.filters["ticked"] = _ticked
    return environment


def _ticked(text: str) -> Markup:
    """Return HTML with the text between backticks as code."""
    import markupsafe

    pieces = (markupsafe.escape(piece) for piece in text.split("`"))
    return markupsafe.Markup("").join(
        markupsafe.Markup(f"<code>{piece}</code>") if position % 2 else piece for position, piece in enumerate(pieces)
    )


def _own(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
