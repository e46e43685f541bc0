"""Flags that several commands have, what their values are, and what a shell completes them with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from initaudit.finding import Severity
from initaudit.report import FORMATS
from initaudit.zoo import Shard, ZooError, targets

Command = TypeVar("Command", bound=Callable[..., Any])


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a file or a folder."""
    return [CompletionItem(incomplete, type="file")]


def codes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the code of a rule."""
    from initaudit.rules import catalogue

    return [
        CompletionItem(code, help=rule.name)
        for code, rule in sorted(catalogue().items())
        if code.startswith(incomplete.upper())
    ]


def comma_separated(value: str) -> tuple[str, ...]:
    """Parse `A,B`. The flag may also be repeated."""
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    if not parts:
        raise click.BadParameter(f"{value!r} is an empty list")
    return parts


def pattern_and_codes(value: str) -> tuple[str, tuple[str, ...]]:
    """Parse `PATTERN:CODE,CODE`, as in `--per-file-ignores "tests/**:INI401"`."""
    pattern, colon, codes = value.rpartition(":")
    if not colon:
        raise click.BadParameter(f"{value!r} is not PATTERN:CODE")
    if not codes.strip(" ,"):
        raise click.BadParameter(f"{value!r} names no rule")
    return pattern, comma_separated(codes)


def size(value: str) -> tuple[int, ...]:
    """Parse `1,3,224,224`."""
    try:
        sizes = tuple(int(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a size such as 1,3,224,224") from error
    if min(sizes) < 0:
        raise click.BadParameter(f"{value!r} is not a size: it has a negative number")
    return sizes


def zoo(value: str) -> tuple[str, ...]:
    """Return the targets of a zoo."""
    try:
        return targets(value)
    except ZooError as error:
        raise click.BadParameter(str(error)) from error


def shard(value: str) -> Shard:
    """Parse `I/N`, such as 2/8."""
    number, slash, total = value.partition("/")
    if not (slash and number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise click.BadParameter(f"{value!r} is not I/N, with I from 1 to N")
    return Shard(int(number), int(total))


def json_object(value: str) -> dict[str, Any]:
    """Parse the arguments of a constructor."""
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from error
    except RecursionError as error:
        raise click.BadParameter("it is nested too deeply") from error
    if not isinstance(parsed, dict):
        raise click.BadParameter("not a JSON object")
    return parsed


def together(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return one decorator that applies several."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


CACHE_DIR = "Cache directory. Default: .initaudit_cache beside the configuration, else in the current folder."
BASELINE = "Do not report the findings in this file. Default: .initaudit-baseline.json beside the configuration."
LIST: dict[str, Any] = {"type": comma_separated, "multiple": True, "metavar": "CODE,..."}
PATTERNS: dict[str, Any] = {**LIST, "metavar": "PATTERN,..."}

configuration_flags = together(
    click.option(
        "--config",
        multiple=True,
        metavar="FILE | KEY = VALUE",
        help="Use this configuration file, or override one key with a line of TOML (repeatable).",
    ),
    click.option("--isolated", is_flag=True, help="Ignore all configuration files."),
)
selection_flags = together(
    click.option("--select", **LIST, help="Rules to run: codes, prefixes, names, categories or ALL."),
    click.option("--extend-select", **LIST, help="Rules to run in addition to the selected ones."),
    click.option("--ignore", **LIST, help="Rules not to run."),
    click.option(
        "--per-file-ignores",
        type=pattern_and_codes,
        multiple=True,
        metavar="PATTERN:CODE,...",
        help="Rules not to run on files that match PATTERN.",
    ),
    click.option(
        "--extend-per-file-ignores",
        type=pattern_and_codes,
        multiple=True,
        metavar="PATTERN:CODE,...",
        help="The same as --per-file-ignores.",
    ),
    click.option("--preview/--no-preview", default=None, help="Also run preview rules."),
    click.option("--ignore-noqa", is_flag=True, help="Also report findings that comments suppress."),
    click.option(
        "--fail-on",
        type=click.Choice([severity.value for severity in Severity]),
        help="Minimum severity that makes the exit code 1. Default: warning.",
    ),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings."),
)
output_flags = together(
    click.option(
        "--output-format",
        type=click.Choice(list(FORMATS)),
        default="full",
        show_default=True,
        help="Format of the findings.",
    ),
    click.option(
        "--output-file",
        "-o",
        type=click.Path(dir_okay=False),
        help="Write the findings to FILE instead of standard output.",
    ),
    click.option("--statistics", is_flag=True, help="Print the number of findings per rule instead of the findings."),
    click.option("--show-unknown", is_flag=True, help="List what could not be decided, and why."),
    click.option("--all-parameters", is_flag=True, help="Print one row for each parameter of a built model."),
    click.option(
        "--color",
        type=click.Choice(("auto", "always", "never")),
        default="auto",
        show_default=True,
        help="When to color the output.",
    ),
    click.option("--quiet", "-q", is_flag=True, help="Print only findings and errors."),
    click.option(
        "--silent", "-s", is_flag=True, help="Print only errors; the exit code says whether there are findings."
    ),
    click.option(
        "--verbose", "-v", is_flag=True, help="Also print the configuration files used and the files checked."
    ),
    click.option("--baseline", type=click.Path(dir_okay=False), help=BASELINE),
)
file_flags = together(
    click.option("--exclude", **PATTERNS, help="Files and folders to skip, instead of the configured ones."),
    click.option("--extend-exclude", **PATTERNS, help="Files and folders to skip in addition."),
    click.option(
        "--force-exclude/--no-force-exclude", default=None, help="Skip excluded files even when passed explicitly."
    ),
    click.option("--respect-gitignore/--no-respect-gitignore", default=None, help="Skip files that git ignores."),
    click.option("--jobs", "-j", type=click.IntRange(min=1), help="Number of processes."),
    click.option("--no-site-packages", is_flag=True, help="Do not follow imports into installed packages."),
    click.option("--no-cache", is_flag=True, help="Neither read nor write the cache."),
    click.option("--cache-dir", type=click.Path(file_okay=False), envvar="INITAUDIT_CACHE_DIR", help=CACHE_DIR),
    click.option("--probe", is_flag=True, help="Also build and probe the models listed in the configuration."),
    click.option(
        "--discover",
        is_flag=True,
        help="With --probe: also import the files, and probe their module classes whose arguments can be inferred.",
    ),
)
zoo_flags = together(
    click.option(
        "--zoo",
        type=zoo,
        multiple=True,
        metavar="LIBRARY | FILE",
        help="Build all models of transformers, timm or torchvision, or the targets listed in FILE (repeatable).",
    ),
    click.option(
        "--shard",
        type=shard,
        default="1/1",
        metavar="I/N",
        help="Build every N-th model only, from the I-th on: one part of a CI matrix or a job array.",
    ),
    click.option(
        "--jobs",
        "-j",
        type=click.IntRange(min=1),
        help="Number of models to build at a time. Default: 1, or the processors of the Ray cluster.",
    ),
    click.option(
        "--engine",
        type=click.Choice(("local", "ray")),
        default="local",
        show_default=True,
        help="Build models in processes of this machine, or as tasks of a Ray cluster.",
    ),
    click.option(
        "--resume",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
        help="Keep what was seen of libraries' models in FOLDER, and do not build those that are there again.",
    ),
)
