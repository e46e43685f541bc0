"""What each command does once its flags are parsed. Findings go to standard output, everything else to standard error.

Every command returns its exit code: 0 success, 1 findings, 2 the tool could not do what was asked.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec

from initaudit import attempt, engine, hints, progress, session, settings
from initaudit.baseline import DEFAULT_FILENAME, write_baseline
from initaudit.engine import Report, Task
from initaudit.files import Sources, decode_source
from initaudit.finding import Finding, Observer, Severity, moved, shortened
from initaudit.fixes import files as fix
from initaudit.portrait import table
from initaudit.presentation import context_of
from initaudit.report import render
from initaudit.report.base import position, printable, printable_lines
from initaudit.repository import Repositories
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule
from initaudit.selection import matching
from initaudit.session import IMPOSSIBLE, Asked, Prepared
from initaudit.source import SourceFile
from initaudit.suppression import suppressing

Parameters = ParamSpec("Parameters")
Outcome = TypeVar("Outcome")


LONGEST_LOG = 10_000
"""Maximum length of one message on standard error, in characters."""
MANY = 8
"""Number of models above which each is one row, without its parameters."""
FRAMES = 30
"""Number of innermost frames shown of a traceback."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """How to show the outcome of a command."""

    output_format: str = "full"
    filename: str | None = None
    statistics: bool = False
    show_unknown: bool = False
    all_parameters: bool = False
    on_terminal: bool = False
    color: bool = False
    links: bool = False
    quiet: bool = False
    silent: bool = False
    verbose: bool = False
    exit_zero: bool = False
    fix_only: bool = False
    show_fixes: bool = False
    exit_non_zero_on_fix: bool = False

    @property
    def for_people(self) -> bool:
        """Whether findings are listed in a format for people."""
        return self.output_format in ("full", "concise") and not self.statistics


def exits_with_2(command: Callable[Parameters, int]) -> Callable[Parameters, int]:
    """Print errors that make a run impossible as one line, and exit with 2, never with the exit code of findings."""

    @functools.wraps(command)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except (*IMPOSSIBLE, table.TableError) as error:
            _log(f"initaudit: error: {error}")
        except OSError as error:
            _log(f"initaudit: error: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        except KeyboardInterrupt:
            _log("initaudit: interrupted")
            return 130
        except Exception:  # Python would exit with 1, which means findings
            _log(traceback.format_exc(limit=-FRAMES), end="")
            _log("initaudit: error: initaudit itself failed; please report the traceback above")
        return 2

    return guarded


def _looked(asked: Asked, output: Output, look: Callable[[Prepared], Outcome]) -> tuple[Prepared, Outcome]:
    """Prepare a run and call ``look``, with progress shown on a terminal."""
    with progress.shown(quiet=output.quiet) as tell:
        prepared = session.prepare(msgspec.structs.replace(asked, tell=tell))
        return prepared, look(prepared)


def _run(prepared: Prepared) -> Report:
    return engine.run(prepared.task, prepared.watches)


def _mend(prepared: Prepared) -> engine.Mending:
    return engine.mend(prepared.task, prepared.watches, unsafe=prepared.configuration.run.unsafe_fixes)


@exits_with_2
def check(asked: Asked, output: Output, *, mend: bool = False) -> int:
    """Check and report; with ``mend``, apply fixes first."""
    if mend and asked.standard_input_named:
        return _mend_standard_input(session.prepare(asked), output)
    fixed: tuple[Finding, ...] = ()
    if mend:
        prepared, mending = _looked(asked, output, _mend)
        report, fixed = mending.remaining, mending.fixed
    else:
        prepared, report = _looked(asked, output, _run)
    report = prepared.with_errors(report)
    parts = (_shown(report, output, prepared.task.given), _portraits(report, prepared, output))
    if not output.fix_only:
        _write(_encoded("\n".join(filter(None, parts))), output)
    return _conclude(report, prepared, output, fixed, offered=() if mend else ("--fix",))


@exits_with_2
def probe(
    asked: Asked,
    output: Output,
    *,
    table_file: str | None = None,
    page_file: str | None = None,
    try_advice: bool = False,
) -> int:
    """Build models and report; in formats for people, also show what wrote their parameters."""
    if page_file is not None:
        _need_jinja()
    prepared, report = _looked(asked, output, _run)
    report = prepared.with_errors(report)
    text = _shown(report, output, ())
    text = "\n".join(filter(None, (text, _portraits(report, prepared, output))))
    if table_file is not None:
        _save(table_file, table.as_json(report.observations, report.findings))
    attempts: list[attempt.Attempt] = []
    if try_advice:
        with progress.shown(quiet=output.quiet) as tell:
            attempts = list(attempt.attempt(prepared.task, report, prepared.models, tell))
        tried = attempt.as_text(attempts) or "nothing to try."
        if output.output_format == "full":
            text += f"\n{printable_lines(tried)}\n"
        else:
            _log(tried)
    if page_file is not None:
        from initaudit.portrait.page import page

        context = context_of(report.findings, color=output.color)
        _save(page_file, page(report.findings, report.observations, context, attempt.trials(attempts)))
    _write(_encoded(text), output)
    return _conclude(report, prepared, output, offered=() if try_advice else ("--try",))


def _need_jinja() -> None:
    if importlib.util.find_spec("jinja2") is None:
        raise session.UseError("--html needs jinja2, which is not installed: pip install 'initaudit[probe]'")


@exits_with_2
def compare(before: str, after: str, output_format: str, *, color: bool, page_file: str | None = None) -> int:
    """Compare two tables of the probe."""
    from initaudit.portrait import compared

    if page_file is not None:
        _need_jinja()
    runs = compared.runs(table.read_file(before), table.read_file(after), (before, after))
    if page_file is not None:
        from initaudit.portrait.page import comparison_page

        _save(page_file, comparison_page(runs, context_of(())))
    width = shutil.get_terminal_size().columns
    text = (
        compared.as_text(runs, width=width, color=color)
        if output_format == "text"
        else compared.FORMATS[output_format](runs)
    )
    _print(_encoded(text))
    return 1 if runs.worse else 0


def _portraits(report: Report, prepared: Prepared, output: Output) -> str:
    """Return the tables of the built models, for people."""
    if output.output_format != "full" or output.statistics or output.quiet:
        return ""
    if not any(one.observer is Observer.PROBE and one.parameters for one in report.observations):
        return ""
    width, color = shutil.get_terminal_size().columns, output.color
    if len(prepared.models) > MANY and not output.all_parameters:
        from initaudit.portrait.overview import overview

        return overview(report.observations, report.findings, width=width, color=color)
    from initaudit.portrait.terminal import portraits

    return portraits(
        report.observations,
        report.findings,
        width=width,
        color=color,
        every=output.all_parameters,
        depth=output.on_terminal,
        given={model.target for model in prepared.models if model.input_size or model.input_data},
    )


@exits_with_2
def diff(asked: Asked, output: Output) -> int:
    """Print what the fixes would change, as a patch."""
    prepared = session.prepare(asked)
    unsafe = prepared.configuration.run.unsafe_fixes
    mending = engine.mend(prepared.task, prepared.watches, unsafe=unsafe, writing=False)
    _write(b"".join(fix.unified_diff(before, after) for before, after in mending.texts), output)
    report = msgspec.structs.replace(mending.found, errors=mending.remaining.errors)
    return _conclude(prepared.with_errors(report), prepared, output)


@exits_with_2
def add_ignores(asked: Asked, output: Output) -> int:
    """Add a suppression for every finding to the checked files; print the changed text of standard input."""
    prepared = session.prepare(asked)
    task, written, errors = prepared.task, 0, list[str]()
    for _ in range(engine.FIX_ROUNDS):  # a suppressed finding no longer hides those that it superseded
        report = prepared.with_errors(engine.run(task, prepared.watches))
        mended, refused = _suppressed(task, report)
        done = 0
        for one in mended:
            try:
                if asked.standard_input_named:
                    task = msgspec.structs.replace(task, given=(decode_source(one.source.filename, fix.encoded(one)),))
                else:
                    fix.write(one)
                done += len(one.fixed)
            except fix.FixError as error:
                refused.append(str(error))
        errors += [error for error in refused if error not in errors]
        written += done
        if not done or refused:
            break
    if asked.standard_input_named:
        _print(task.given[0].raw)
    if not output.quiet and (written or (not report.errors and not errors)):
        _log(f"{_count(written, 'finding')} suppressed.")
    for message in (*report.errors, *errors):
        _log(f"initaudit: error: {message}")
    return 2 if report.errors or errors else 0


def _suppressed(task: Task, report: Report) -> tuple[list[fix.Mended], list[str]]:
    """Return the files with a comment for each finding, and errors for files that cannot get one."""
    mended, errors, sources = [], [], Sources(task.given)
    by_file: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_file.setdefault(finding.place.filename, []).append(finding)
    for filename in task.filenames:
        source = sources.get(filename)
        if source is None or filename not in by_file:
            continue
        edits = suppressing(source, [moved(finding, source.located) for finding in by_file[filename]])
        try:
            if edits:
                text = fix.apply_edits(source, moved(edits, source.shown))
                mended.append(fix.Mended(source, text, tuple(by_file[filename])))
        except fix.FixError as error:
            errors.append(str(error))
    return mended, errors


@exits_with_2
def show_files(asked: Asked, output: Output) -> int:
    """List the files that would be checked."""
    found = session.find_files(asked, session.configuration_for(asked))
    _write(_encoded("".join(f"{filename}\n" for filename in found.files)), output)
    return 0


@exits_with_2
def baseline(asked: Asked, output: Output) -> int:
    """Write the current findings to the baseline."""
    prepared, report = _looked(asked, output, _run)
    report = prepared.with_errors(report)
    for error in report.errors:
        _log(f"initaudit: error: {error}")
    if report.errors:
        return 2
    root = prepared.configuration.root.folder
    path = session.baseline_path(prepared.configuration) or root / DEFAULT_FILENAME
    write_baseline(path, report.separate, Repositories(Path.cwd()).relative)
    if not output.quiet:
        _log(f"{_count(len(report.findings), 'finding')} written to {path}.")
    return 0


@exits_with_2
def rule(selector: str | None, *, as_json: bool) -> int:
    """Print the documentation of the rules that a selector names, or of all."""
    rules = catalogue()
    chosen = [rules[code] for code in sorted(matching(selector or "ALL", rules))]
    if as_json:
        documents = [_rule_as_json(one) for one in chosen]
        single = selector is not None and len(documents) == 1
        _print(_encoded(json.dumps(documents[0] if single else documents, indent=2, ensure_ascii=False) + "\n"))
    else:
        _print(_encoded("\n".join(_rule_as_text(one) for one in chosen)))
    return 0


@exits_with_2
def rule_in_browser(selector: str) -> int:
    """Open the page of one rule in a browser, and print its address."""
    import webbrowser

    from initaudit.rule_page import address_of

    rules = catalogue()
    codes = matching(selector, rules)
    if len(codes) != 1:
        raise session.UseError(f"`{selector}` selects {len(codes)} rules; --web opens one")
    address = address_of(rules[next(iter(codes))])
    _print(_encoded(f"{address}\n"))
    webbrowser.open(address)
    return 0


def _rule_as_text(one: AnyRule) -> str:
    seen_by = " and ".join(sorted(observer.value for observer in one.observers))
    facts = f"{one.category.value}, {one.severity.value}, found by {seen_by}, {_default(one)}"
    return f"# {one.code} {one.name}\n\n{facts}\n\n{one.documentation()}\n"


def _default(one: AnyRule) -> str:
    default = {"on": "on by default", "preview": "on with --preview", "off": "off by default"}[one.default.value]
    trying = " and ".join(sorted(observer.value for observer in one.trying))
    return f"{default} (by the {trying} with --preview)" if trying else default


def _rule_as_json(one: AnyRule) -> dict[str, Any]:
    return {
        "code": one.code,
        "name": one.name,
        "category": one.category.value,
        "severity": one.severity.value,
        "default": one.default.value,
        "observers": sorted(observer.value for observer in one.observers),
        "supersedes": list(one.supersedes),
        "summary": one.summary(),
        "documentation": one.documentation(),
        "url": one.url(),
    }


@exits_with_2
def config(asked: Asked, key: str | None = None) -> int:
    """Print the effective settings as an initaudit.toml, or the meaning and value of one key."""
    configuration = session.configuration_for(asked)
    if key is not None:
        _print(_encoded("\n".join(settings.explained(configuration.run, key)) + "\n"))
        return 0
    source = configuration.root.filename
    head = f"# {source if source else 'no configuration file: the defaults'}"
    _print(_encoded(f"{head}\n{settings.as_toml(configuration.run)}\n"))
    return 0


@exits_with_2
def clean(asked: Asked) -> int:
    """Remove the cache, but no other file in its folder."""
    folder = session.cache_folder(asked, session.configuration_for(asked))
    if folder is None or not folder.exists():
        return 0
    try:
        removed = session.remove_cache(folder)
    except OSError as error:
        raise session.UseError(f"{folder}: {error.strerror or error}") from error
    if not removed:
        raise session.UseError(f"{folder}: not a cache of initaudit; nothing was removed")
    _log(f"{folder}: the cache was removed; other files were kept." if folder.exists() else f"{folder} removed.")
    return 0


@exits_with_2
def server() -> int:
    """Run the language server."""
    if importlib.util.find_spec("pygls") is None:
        raise session.UseError("the server needs pygls, which is not installed: pip install 'initaudit[lsp]'")
    from initaudit.server.server import make

    make().start_io()
    return 0


@exits_with_2
def schema() -> int:
    """Print the JSON Schema of the configuration."""
    _print(_encoded(json.dumps(settings.schema(), indent=2) + "\n"))
    return 0


def _mend_standard_input(prepared: Prepared, output: Output) -> int:
    """Print the fixed text to standard output, and the remaining findings to the output file or standard error."""
    unsafe = prepared.configuration.run.unsafe_fixes
    mending = engine.mend(prepared.task, prepared.watches, unsafe=unsafe, writing=False)
    report, given = mending.remaining, tuple(after for _, after in mending.texts) or prepared.task.given
    _print(given[0].raw)
    if output.filename is not None:
        _write(_encoded(_shown(report, output, given)), output)
    else:
        _log(_shown(report, output, given), end="", escaped=True)
    return _conclude(report, prepared, output, mending.fixed)


def _shown(report: Report, output: Output, given: Sequence[SourceFile]) -> str:
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


def _conclude(
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
            _log(printable(line))
    if output.verbose:
        for configuration in _configurations(prepared):
            _log(printable(f"configuration: {configuration}"))
        for filename in prepared.task.filenames:
            _log(printable(f"checked: {filename}"))
    if output.show_unknown:
        for line in _undecided(report):
            _log(line)
    if output.show_unknown or output.verbose:
        for one in report.unread:
            _log(printable(f"{one.place.filename}:{position(one.place)}: skipped: {one.reason}"))
    for line in hints.messages(report.observations, report.remarks, quiet=output.quiet):
        _log(printable(line))
    if not output.quiet:
        for warning in report.warnings:
            _log(printable(f"initaudit: warning: {warning}"))
        if not report.errors:
            _log(_summary(report, unsafe=prepared.configuration.run.unsafe_fixes))
            if offered is not None and output.for_people and not output.fix_only:
                for hint in hints.next_step(report.findings, offered):
                    _log(hint)
    for error in report.errors:
        _log(f"initaudit: error: {error}")
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
    looked = [f"{_count(done.files, 'file')} checked"] if done.files or done.not_read or not models else []
    looked += [f"{done.not_read} not read to the end"] if done.not_read else []
    looked += [f"{_count(done.built, 'model')} built"] if models else []
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
    shown = [_count(counts[one], one.value) for one in reversed(Severity) if counts[one]]
    return ", ".join(shown) or "nothing found"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _write(content: bytes, output: Output) -> None:
    if output.silent and output.filename is None:
        return
    if output.filename is None:
        _print(content)
    else:
        _save(output.filename, content)


def _save(filename: str, content: bytes) -> None:
    try:
        Path(filename).write_bytes(content)
    except OSError as error:
        raise session.UseError(f"{filename}: {error.strerror or error}") from error


def _print(content: bytes) -> None:
    """Write bytes to standard output, whatever its encoding."""
    if sys.stdout is None:
        raise session.UseError("standard output is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that flushing at exit does not fail
        if not isinstance(error, BrokenPipeError):  # a reader such as `head` has closed the pipe
            raise session.UseError(f"standard output: {error.strerror}") from error


def _encoded(text: str) -> bytes:
    """Encode as UTF-8, whatever the locale; file names keep their bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a name in the source may hold a lone surrogate
        return text.encode("utf-8", "replace")


def _log(message: str, end: str = "\n", *, escaped: bool = False) -> None:
    """Write to standard error, if it is open.

    A message is made printable and cut to LONGEST_LOG, unless it is a report, which is ``escaped`` already.
    """
    if sys.stderr is not None:
        message = message if escaped else printable_lines(shortened(message, LONGEST_LOG))
        with contextlib.suppress(OSError):
            sys.stderr.write(message.encode("utf-8", "replace").decode("utf-8") + end)
            sys.stderr.flush()
