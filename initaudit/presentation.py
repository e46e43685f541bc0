"""What every report needs besides the findings: the texts of the rules, the sources and the current folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from initaudit.finding import Finding
from initaudit.report import render
from initaudit.report.base import Context, RuleCard
from initaudit.repository import Repositories
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule
from initaudit.sources.files import Sources
from initaudit.sources.source import SourceFile
from initaudit.version import __version__


def context_of(
    findings: Iterable[Finding],
    given: Sequence[SourceFile] = (),
    *,
    color: bool = False,
    width: int | None = None,
    links: bool = False,
) -> Context:
    """Return the context in which findings are reported; ``given`` holds texts that replace files on disk."""
    repositories = Repositories(Path.cwd())
    return Context(
        version=__version__,
        root=repositories.shared(finding.place.filename for finding in findings),
        relative=repositories.relative,
        rules={code: _card(rule) for code, rule in catalogue().items()},
        sources=Sources(given),
        color=color,
        width=width,
        links=links,
    )


def as_text(findings: Sequence[Finding]) -> str:
    """Return findings as text, as the command prints them."""
    return render("full", findings, context_of(findings))


def as_html(findings: Sequence[Finding]) -> str:
    """Return findings as a table for a notebook."""
    from markdown_it import MarkdownIt

    text = render("markdown", findings, context_of(findings))
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


def _card(one: AnyRule) -> RuleCard:
    return RuleCard(
        code=one.code,
        name=one.name,
        summary=one.summary(),
        documentation=one.documentation(),
        severity=one.severity,
        category=one.category,
        url=one.url(),
    )
