"""What a command ends with: its findings in the requested format, a summary, what to do next, and the exit code."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from initaudit.cli import hints
from initaudit.cli.output import Output, log
from initaudit.engine import Report
from initaudit.finding import Finding, Severity
from initaudit.fixes import files as fix
from initaudit.presentation import context_of
from initaudit.report import render
from initaudit.report.base import position, printable
from initaudit.session import Prepared
from initaudit.sources.source import SourceFile


def shown(report: Report, output: Output, given: Sequence[SourceFile]) -> str:
    """Return the findings in the requested format."""
    if output.statistics:
        return COUNTED[output.output_format](_statistics(report.findings))
    width = shutil.get_terminal_size().columns if output.on_terminal else None
    context = context_of(report.findings, given, color=output.color, width=width, links=output.links)
    return render(output.output_format, report.findings, context)


def _statistics(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Count the findings of each rule, most frequent first."""
    counts = Counter((finding.code, finding.name) for finding in findings)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"code": code, "name": name, "count": count} for (code, name), count in ranked]


def _counts_as_text(counts: list[dict[str, Any]]) -> str:
    return "".join("{count:>6}  {code}  {name}\n".format(**one) for one in counts)


COUNTED: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "full": _counts_as_text,
    "concise": _counts_as_text,
    "json": lambda counts: json.dumps(counts, indent=2) + "\n",
    "json-lines": lambda counts: "".join(json.dumps(one) + "\n" for one in counts),
}
"""The formats that `--statistics` supports."""


def conclude(
    report: Report,
    prepared: Prepared,
    output: Output,
    fixed: Sequence[Finding] = (),
    *,
    offered: Collection[str] | None = None,
) -> int:
    """Print what was done and what to do next; return the exit code.

    ``offered`` are flags that may be suggested; with None, nothing is suggested.
    """
    if output.show_fixes and not output.silent:
        for line in _fixes(fixed):
            log(printable(line))
    if output.verbose:
        for configuration in _configurations(prepared):
            log(printable(f"configuration: {configuration}"))
        for filename in prepared.task.filenames:
            log(printable(f"checked: {filename}"))
    if output.show_unknown:
        for line in _undecided(report):
            log(line)
    if output.show_unknown or output.verbose:
        for one in report.unread:
            log(printable(f"{one.place.filename}:{position(one.place)}: skipped: {one.reason}"))
    for line in hints.messages(report.observations, report.remarks, quiet=output.quiet):
        log(printable(line))
    if not output.quiet:
        for warning in report.warnings:
            log(printable(f"initaudit: warning: {warning}"))
        if not report.errors:
            log(_summary(report, unsafe=prepared.configuration.run.unsafe_fixes))
            if offered is not None and output.for_people and not output.fix_only:
                for hint in hints.next_step(report.findings, offered):
                    log(hint)
    for error in report.errors:
        log(f"initaudit: error: {error}")
    code = report.exit_code(prepared.configuration.run.fail_on)
    if output.fix_only and code == 1:
        code = 0
    if output.exit_non_zero_on_fix and fixed and code == 0:
        return 1
    return 0 if output.exit_zero and code == 1 else code


def _fixes(fixed: Iterable[Finding]) -> Iterator[str]:
    """Yield a line for the applied fixes of each file and rule."""
    counts = Counter((finding.place.filename, finding.code, finding.name) for finding in fixed)
    for (filename, code, name), count in sorted(counts.items()):
        yield f"fixed: {filename}: {count} x {code} ({name})"


def _configurations(prepared: Prepared) -> list[str]:
    """Return the configuration files used, that of the run first."""
    configuration = prepared.configuration
    located = [configuration.root, *map(configuration.for_file, prepared.task.filenames)]
    return list(dict.fromkeys(str(one.filename) for one in located if one.filename is not None)) or ["none"]


def _undecided(report: Report) -> Iterator[str]:
    for item in report.undecided:
        where = f"{item.place.filename}:{position(item.place)}: " if item.place else ""
        yield printable(f"{where}not decided: {item.subject}: {item.reason}")


def _summary(report: Report, *, unsafe: bool) -> str:
    """Return one line: what was checked, and the outcome. It is not printed after an error."""
    done = report.summary
    models = done.built or done.not_built
    looked = [f"{count(done.files, 'file')} checked"] if done.files or done.not_read or not models else []
    looked += [f"{done.not_read} not read to the end"] if done.not_read else []
    looked += [f"{count(done.built, 'model')} built"] if models else []
    looked += [f"{done.not_built} not built"] if done.not_built else []
    listing = " (--show-unknown lists them)" if done.undecided else ""
    looked += [f"{done.skipped} skipped", f"{done.undecided} not decided{listing}"]
    outcome = [_outcome(report.findings)]
    outcome += [f"{done.fixed} fixed"] if done.fixed else []
    outcome += [f"{done.suppressed} suppressed"] if done.suppressed else []
    outcome += [f"{done.known} in the baseline"] if done.known else []
    waiting = sum(fix.applicable(finding, unsafe=unsafe) for finding in report.findings)
    outcome += [f"{waiting} can be fixed with --fix"] if waiting else []
    return f"{', '.join(looked)}; {', '.join(outcome)}."


def _outcome(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    shown = [count(counts[one], one.value) for one in reversed(Severity) if counts[one]]
    return ", ".join(shown) or "nothing found"


def count(number: int, noun: str) -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
