"""Findings in the editor: diagnostics, code actions and hover texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from lsprotocol import types
from pygls.workspace import Workspace

from initaudit.finding import Applicability, Edit, Finding, Severity, moved
from initaudit.fixes import files as fix
from initaudit.rules import catalogue
from initaudit.server.documents import Document, range_of
from initaudit.sources.source import newline_of
from initaudit.suppression import suppressing

SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.NOTE: types.DiagnosticSeverity.Information,
}
FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.initaudit"
MAY_CHANGE = " (may change behaviour)"


class Diagnosed(msgspec.Struct, frozen=True):
    """The findings in one version of a document."""

    document: Document
    findings: tuple[Finding, ...]

    def at(self, uri: str) -> list[Finding]:
        """Return the findings in the document or cell with this address."""
        return [finding for finding in self.findings if self.document.uri_of(finding.place) == uri]


def diagnostic(finding: Finding, uri: str, workspace: Workspace) -> types.Diagnostic:
    """Return a finding as a diagnostic."""
    return types.Diagnostic(
        range=range_of(finding.place, uri, workspace),
        message=finding.message,
        severity=SEVERITIES[finding.severity],
        code=finding.code,
        code_description=types.CodeDescription(href=finding.url) if finding.url else None,
        source="initaudit",
        data=finding.fingerprint,
    )


def hover(diagnosed: Diagnosed, uri: str, at: types.Position, workspace: Workspace) -> types.Hover | None:
    """Return the findings at the cursor with their evidence, and the documentation of their rules."""
    here = types.Range(start=at, end=at)
    found = [one for one in diagnosed.at(uri) if _meet(range_of(one.place, uri, workspace), here)]
    if not found:
        return None
    seen = "\n\n".join("\n".join([_plain(one.message), *_evidence(one)]) for one in found)
    rules = [catalogue()[code] for code in dict.fromkeys(one.code for one in found)]
    texts = "\n\n".join(f"# {rule.code} {rule.name}\n\n{rule.documentation()}" for rule in rules)
    value = f"{seen}\n\n---\n\n{texts}"
    return types.Hover(types.MarkupContent(kind=types.MarkupKind.Markdown, value=value))


def _evidence(finding: Finding) -> Iterator[str]:
    yield ""
    yield from (f"- {one.observer.value}: {_plain(one.detail)}" for one in finding.evidence)


def _plain(text: str) -> str:
    """Return a message as Markdown: code in it is already between backticks."""
    return text.replace("<", "&lt;")


def actions(
    diagnosed: Diagnosed, uri: str, chosen: types.Range, only: Sequence[str] | None, workspace: Workspace
) -> Iterator[types.CodeAction]:
    """Yield the code actions for the findings in a range, and for all in the document."""
    wants = [kind.value if isinstance(kind, types.CodeActionKind) else kind for kind in only or ()]

    def wanted(kind: str) -> bool:
        return only is None or any(kind == one or kind.startswith(f"{one}.") for one in wants)

    if wanted(types.CodeActionKind.QuickFix.value):
        here = [one for one in diagnosed.at(uri) if _meet(range_of(one.place, uri, workspace), chosen)]
        for finding in here:
            yield from _quick_fixes(finding, diagnosed.document, uri, workspace)
    if wanted(FIX_ALL) and not diagnosed.document.cells:
        fixes = fix.mend(diagnosed.document.source(_name(diagnosed)), diagnosed.findings).fixed
        edits = [edit for one in fixes if one.fix is not None for edit in one.fix.edits]
        if edits:
            yield types.CodeAction(
                title=f"initaudit: Apply all safe fixes ({len(fixes)})",
                kind=FIX_ALL,
                edit=_edit(dict.fromkeys(edits), diagnosed.document, workspace),
            )


def _name(diagnosed: Diagnosed) -> str:
    return diagnosed.findings[0].place.filename if diagnosed.findings else diagnosed.document.path


def _quick_fixes(finding: Finding, document: Document, uri: str, workspace: Workspace) -> Iterator[types.CodeAction]:
    shown = diagnostic(finding, uri, workspace)
    if finding.fix is not None and fix.applicable(finding, unsafe=True):
        safe = finding.fix.applicability is Applicability.SAFE
        yield types.CodeAction(
            title=f"{finding.code}: {finding.fix.message}{'' if safe else MAY_CHANGE}",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[shown],
            is_preferred=safe,
            edit=_edit(finding.fix.edits, document, workspace),
        )
    source = document.source(finding.place.filename)
    comment = moved(suppressing(source, [moved(finding, source.located)]), source.shown)
    if comment:
        yield types.CodeAction(
            title=f"{finding.code}: Ignore in this statement",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[shown],
            edit=_edit(comment, document, workspace),
        )


def _edit(edits: Iterable[Edit], document: Document, workspace: Workspace) -> types.WorkspaceEdit:
    """Return the edits, grouped by document or cell."""
    changes: dict[str, list[types.TextEdit]] = {}
    for edit in edits:
        uri = document.uri_of(edit.place)
        newline = newline_of(workspace.get_text_document(uri).source)
        text = edit.content.replace("\n", newline)
        changes.setdefault(uri, []).append(types.TextEdit(range=range_of(edit.place, uri, workspace), new_text=text))
    return types.WorkspaceEdit(changes=changes)


def _meet(one: types.Range, other: types.Range) -> bool:
    """Whether two ranges overlap or touch."""
    return one.start <= other.end and other.start <= one.end
