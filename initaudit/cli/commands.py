"""What each command does once its flags are parsed.

Every command returns its exit code: 0 success, 1 findings, 2 the tool could not do what was asked.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec

from initaudit import attempt, engine, session, settings
from initaudit.baseline import DEFAULT_FILENAME, write_baseline
from initaudit.cli import progress
from initaudit.cli.conclusion import conclude, count, shown
from initaudit.cli.output import Output, OutputError, encoded, log, print_bytes, save, write
from initaudit.engine import Report, Task
from initaudit.finding import Finding, Observer, moved
from initaudit.fixes import files as fix
from initaudit.portrait import table
from initaudit.presentation import context_of
from initaudit.report.base import printable_lines
from initaudit.repository import Repositories
from initaudit.rules import catalogue
from initaudit.rules.base import AnyRule
from initaudit.selection import matching
from initaudit.session import IMPOSSIBLE, Asked, Prepared
from initaudit.sources.files import Sources, decode_source
from initaudit.suppression import suppressing

Parameters = ParamSpec("Parameters")
Outcome = TypeVar("Outcome")


MANY = 8
"""Number of models above which each is one row, without its parameters."""
FRAMES = 30
"""Number of innermost frames shown of a traceback."""


def exits_with_2(command: Callable[Parameters, int]) -> Callable[Parameters, int]:
    """Print errors that make a run impossible as one line, and exit with 2, never with the exit code of findings."""

    @functools.wraps(command)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except (*IMPOSSIBLE, OutputError, table.TableError) as error:
            log(f"initaudit: error: {error}")
        except OSError as error:
            log(f"initaudit: error: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        except KeyboardInterrupt:
            log("initaudit: interrupted")
            return 130
        except Exception:  # Python would exit with 1, which means findings
            log(traceback.format_exc(limit=-FRAMES), end="")
            log("initaudit: error: initaudit itself failed; please report the traceback above")
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
    parts = (shown(report, output, prepared.task.given), _portraits(report, prepared, output))
    if not output.fix_only:
        write(encoded("\n".join(filter(None, parts))), output)
    return conclude(report, prepared, output, fixed, offered=() if mend else ("--fix",))


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
    text = shown(report, output, ())
    text = "\n".join(filter(None, (text, _portraits(report, prepared, output))))
    if table_file is not None:
        save(table_file, table.as_json(report.observations, report.findings))
    attempts: list[attempt.Attempt] = []
    if try_advice:
        with progress.shown(quiet=output.quiet) as tell:
            attempts = list(attempt.attempt(prepared.task, report, prepared.models, tell))
        tried = attempt.as_text(attempts) or "nothing to try."
        if output.output_format == "full":
            text += f"\n{printable_lines(tried)}\n"
        else:
            log(tried)
    if page_file is not None:
        from initaudit.portrait.page import page

        context = context_of(report.findings, color=output.color)
        save(page_file, page(report.findings, report.observations, context, attempt.trials(attempts)))
    write(encoded(text), output)
    return conclude(report, prepared, output, offered=() if try_advice else ("--try",))


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

        save(page_file, comparison_page(runs, context_of(())))
    width = shutil.get_terminal_size().columns
    text = (
        compared.as_text(runs, width=width, color=color)
        if output_format == "text"
        else compared.FORMATS[output_format](runs)
    )
    print_bytes(encoded(text))
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
    write(b"".join(fix.unified_diff(before, after) for before, after in mending.texts), output)
    report = msgspec.structs.replace(mending.found, errors=mending.remaining.errors)
    return conclude(prepared.with_errors(report), prepared, output)


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
        print_bytes(task.given[0].raw)
    if not output.quiet and (written or (not report.errors and not errors)):
        log(f"{count(written, 'finding')} suppressed.")
    for message in (*report.errors, *errors):
        log(f"initaudit: error: {message}")
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
    write(encoded("".join(f"{filename}\n" for filename in found.files)), output)
    return 0


@exits_with_2
def baseline(asked: Asked, output: Output) -> int:
    """Write the current findings to the baseline."""
    prepared, report = _looked(asked, output, _run)
    report = prepared.with_errors(report)
    for error in report.errors:
        log(f"initaudit: error: {error}")
    if report.errors:
        return 2
    root = prepared.configuration.root.folder
    path = session.baseline_path(prepared.configuration) or root / DEFAULT_FILENAME
    write_baseline(path, report.separate, Repositories(Path.cwd()).relative)
    if not output.quiet:
        log(f"{count(len(report.findings), 'finding')} written to {path}.")
    return 0


@exits_with_2
def rule(selector: str | None, *, as_json: bool) -> int:
    """Print the documentation of the rules that a selector names, or of all."""
    rules = catalogue()
    chosen = [rules[code] for code in sorted(matching(selector or "ALL", rules))]
    if as_json:
        documents = [_rule_as_json(one) for one in chosen]
        single = selector is not None and len(documents) == 1
        print_bytes(encoded(json.dumps(documents[0] if single else documents, indent=2, ensure_ascii=False) + "\n"))
    else:
        print_bytes(encoded("\n".join(_rule_as_text(one) for one in chosen)))
    return 0


@exits_with_2
def rule_in_browser(selector: str) -> int:
    """Open the page of one rule in a browser, and print its address."""
    import webbrowser

    from initaudit.cli.rule_page import address_of

    rules = catalogue()
    codes = matching(selector, rules)
    if len(codes) != 1:
        raise session.UseError(f"`{selector}` selects {len(codes)} rules; --web opens one")
    address = address_of(rules[next(iter(codes))])
    print_bytes(encoded(f"{address}\n"))
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
        print_bytes(encoded("\n".join(settings.explained(configuration.run, key)) + "\n"))
        return 0
    source = configuration.root.filename
    head = f"# {source if source else 'no configuration file: the defaults'}"
    print_bytes(encoded(f"{head}\n{settings.as_toml(configuration.run)}\n"))
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
    log(f"{folder}: the cache was removed; other files were kept." if folder.exists() else f"{folder} removed.")
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
    print_bytes(encoded(json.dumps(settings.schema(), indent=2) + "\n"))
    return 0


def _mend_standard_input(prepared: Prepared, output: Output) -> int:
    """Print the fixed text to standard output, and the remaining findings to the output file or standard error."""
    unsafe = prepared.configuration.run.unsafe_fixes
    mending = engine.mend(prepared.task, prepared.watches, unsafe=unsafe, writing=False)
    report, given = mending.remaining, tuple(after for _, after in mending.texts) or prepared.task.given
    print_bytes(given[0].raw)
    if output.filename is not None:
        write(encoded(shown(report, output, given)), output)
    else:
        log(shown(report, output, given), end="", escaped=True)
    return conclude(report, prepared, output, mending.fixed)
