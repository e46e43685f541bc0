"""The command line: commands and flags. What a command does is in ``commands``, which is imported when needed."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from initaudit.finding import Severity, shortened
from initaudit.naming import near
from initaudit.report import FORMATS
from initaudit.report.base import printable_lines
from initaudit.settings import MOST
from initaudit.version import __version__

if TYPE_CHECKING:
    from initaudit.commands import Output
    from initaudit.session import Asked
    from initaudit.settings import Overrides

Command = TypeVar("Command", bound=Callable[..., Any])


LINKING = frozenset({"Hyper", "WezTerm", "ghostty", "iTerm.app", "vscode"})
"""Terminals, as they call themselves, that show links."""
SEPARATOR = "--"
"""What stands between the flags of `probe` and the arguments that the target finds in `sys.argv`."""
ALIASES = {"explain": "rule"}


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Make the messages of click printable and short, and let them suggest only what is near to what was typed."""
    try:
        yield
    except click.UsageError as error:
        text = error.format_message()
        if isinstance(error, click.NoSuchOption):
            meant = near(error.option_name, error.possibilities or ())
            text = error.message + (f" Did you mean {meant!r}?" if meant is not None else "")
        raise click.UsageError(printable_lines(shortened(text)), error.ctx) from error


class CheckByDefault(click.Group):
    """A group in which bare paths, or flags, mean `check`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *ALIASES, "--help", "-h", "--version", "-V"}
        if args[:1] == ["help"]:
            if args[1:] and args[1] not in own:
                meant = near(args[1], [*self.commands, *ALIASES])
                hint = f"; did you mean `{meant}`?" if meant is not None else ""
                raise click.UsageError(f"there is no command `{args[1]}`{hint}", ctx)
            args = [*args[1:2], "--help"]
        if args and args[0] not in own:
            self._refuse_misspelt(ctx, args[0])
        if not args or args[0] not in own:
            args = ["check", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name or by another tool's name for it."""
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def _refuse_misspelt(self, ctx: click.Context, word: str) -> None:
        """Say that a word which is neither a flag nor a path is like a command."""
        close = near(word, [*self.commands, *ALIASES])
        if close is not None and word.isidentifier() and not os.path.lexists(word):
            raise click.UsageError(f"there is no command or path `{word}`; did you mean `{close}`?", ctx)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse what stands before the command and its name."""
        with readable():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; who interrupts it, at whatever it waits for, does not see the exit code of findings."""
        try:
            with readable():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("initaudit: interrupted", err=True)
            sys.exit(130)


class PassingOn(click.Command):
    """A command of which everything behind `--` is for the target."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if SEPARATOR in args:
            end = args.index(SEPARATOR)
            ctx.meta[SEPARATOR] = tuple(args[end + 1 :])
            args = args[:end]
        return super().parse_args(ctx, args)


def comma_separated(value: str) -> tuple[str, ...]:
    """`A,B`; a flag that may be repeated takes either form."""
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    if not parts:
        raise click.BadParameter(f"{value!r} names nothing")
    return parts


def pattern_and_codes(value: str) -> tuple[str, tuple[str, ...]]:
    """`PATTERN:CODE,CODE`, as in `--per-file-ignores "tests/**:INI401"`."""
    pattern, colon, codes = value.rpartition(":")
    if not colon:
        raise click.BadParameter(f"{value!r} is not PATTERN:CODE")
    if not codes.strip(" ,"):
        raise click.BadParameter(f"{value!r} names no rule")
    return pattern, comma_separated(codes)


def size(value: str) -> tuple[int, ...]:
    """`1,3,224,224`."""
    try:
        sizes = tuple(int(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a size such as 1,3,224,224") from error
    if min(sizes) < 0:
        raise click.BadParameter(f"{value!r} is not a size: it has a negative number")
    return sizes


def json_object(value: str) -> dict[str, Any]:
    """The arguments of a constructor."""
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
    """Several decorators as one."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


CACHE_DIR = "Keep what was read there. Default: .initaudit_cache beside the configuration, else in the current folder."
BASELINE = "Do not report what this file lists. Default: .initaudit-baseline.json beside the configuration."
BUILDING = (
    "kwargs", "input_size", "input_data", "dtype", "train", "device", "seeds", "timeout", "memory", "abstract",
)  # fmt: skip
"""Flags of `probe` that say how a model is built and run, named as the keys of a configured one."""
LIST: dict[str, Any] = {"type": comma_separated, "multiple": True, "metavar": "CODE,..."}
PATTERNS: dict[str, Any] = {**LIST, "metavar": "PATTERN,..."}

configuration_flags = together(
    click.option(
        "--config",
        multiple=True,
        metavar="FILE | KEY = VALUE",
        help="Use this configuration file; or set one key, in TOML, over every file (repeatable).",
    ),
    click.option("--isolated", is_flag=True, help="Ignore all configuration files."),
)
selection_flags = together(
    click.option("--select", **LIST, help="Rules to run: codes, prefixes, names, categories or ALL."),
    click.option("--extend-select", **LIST, help="Rules to run besides."),
    click.option("--ignore", **LIST, help="Rules not to run."),
    click.option(
        "--per-file-ignores",
        type=pattern_and_codes,
        multiple=True,
        metavar="PATTERN:CODE,...",
        help="Rules not to run on some files.",
    ),
    click.option(
        "--extend-per-file-ignores",
        type=pattern_and_codes,
        multiple=True,
        metavar="PATTERN:CODE,...",
        help="More of them.",
    ),
    click.option("--preview/--no-preview", default=None, help="Run preview rules too."),
    click.option("--ignore-noqa", is_flag=True, help="Report what comments suppress."),
    click.option(
        "--fail-on",
        type=click.Choice([severity.value for severity in Severity]),
        help="The least severity that fails. Default: warning.",
    ),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever was found."),
)
output_flags = together(
    click.option("--output-format", type=click.Choice(list(FORMATS)), default="full", show_default=True),
    click.option(
        "--output-file", "-o", type=click.Path(dir_okay=False), help="Write there instead of standard output."
    ),
    click.option("--statistics", is_flag=True, help="Count findings by rule instead of listing them."),
    click.option("--show-unknown", is_flag=True, help="List what could not be decided."),
    click.option("--all-parameters", is_flag=True, help="Show every parameter of a built model on a row of its own."),
    click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True),
    click.option("--quiet", "-q", is_flag=True, help="Print findings only."),
    click.option("--silent", "-s", is_flag=True, help="Print errors of use only; the exit code tells the rest."),
    click.option("--verbose", "-v", is_flag=True, help="Say which configuration and files are used."),
    click.option("--baseline", type=click.Path(dir_okay=False), help=BASELINE),
)
file_flags = together(
    click.option("--exclude", **PATTERNS, help="Files and folders to leave out, instead of the configured ones."),
    click.option("--extend-exclude", **PATTERNS, help="More of them."),
    click.option("--force-exclude/--no-force-exclude", default=None, help="Leave them out even when named."),
    click.option("--respect-gitignore/--no-respect-gitignore", default=None, help="Leave out ignored files."),
    click.option("--jobs", "-j", type=click.IntRange(min=1), help="Processes to use."),
    click.option("--no-site-packages", is_flag=True, help="Do not look into installed packages."),
    click.option("--no-cache", is_flag=True, help="Read every file anew and keep nothing."),
    click.option("--cache-dir", type=click.Path(file_okay=False), envvar="INITAUDIT_CACHE_DIR", help=CACHE_DIR),
    click.option("--probe", is_flag=True, help="Also build the configured models."),
)


@click.group(cls=CheckByDefault, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "--version", "-V", prog_name="initaudit", message="%(prog)s %(version)s")
def main() -> None:
    """Find wrong or missing parameter initialization in PyTorch.

    `initaudit PATH...` reads source; `initaudit probe TARGET...` builds a model and watches.
    """


@main.command()
@click.argument("paths", nargs=-1)
@selection_flags
@file_flags
@output_flags
@configuration_flags
@click.option("--fix", is_flag=True, help="Apply safe fixes.")
@click.option("--fix-only", is_flag=True, help="Apply fixes, and neither report nor fail for what is left.")
@click.option("--show-fixes", is_flag=True, help="List the fixes that were applied.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 when something was fixed.")
@click.option("--fixable", **LIST, help="Rules whose findings may be fixed.")
@click.option("--unfixable", **LIST, help="Rules whose findings may not be fixed.")
@click.option("--unsafe-fixes/--no-unsafe-fixes", default=None, help="Include fixes that may change behaviour.")
@click.option("--diff", is_flag=True, help="Print what --fix would change, and change nothing.")
@click.option("--add-ignore", is_flag=True, help="Suppress every finding by a comment.")
@click.option("--diff-base", metavar="REV", help="Report only lines that changed since this revision.")
@click.option("--show-files", is_flag=True, help="List the files that would be checked.")
@click.option("--show-settings", is_flag=True, help="Print the effective settings.")
@click.option("--stdin-filename", help="Read standard input, as the content of this file.")
def check(paths: tuple[str, ...], **flags: Any) -> None:
    """Read files and folders (default: the current folder). Never imports them."""
    from initaudit import commands

    paths = paths or (("-",) if flags["stdin_filename"] else (".",))
    asked, output = _asked(flags, paths=paths, read=True, probe=flags["probe"]), _output(flags)
    if flags["show_settings"]:
        sys.exit(commands.config(asked))
    if flags["show_files"]:
        sys.exit(commands.show_files(asked, output))
    if flags["diff"]:
        sys.exit(commands.diff(asked, output))
    if flags["add_ignore"]:
        sys.exit(commands.add_ignores(asked, output))
    sys.exit(commands.check(asked, output, mend=flags["fix"] or flags["fix_only"]))


@main.command(cls=PassingOn)
@click.argument("targets", nargs=-1)
@selection_flags
@output_flags
@configuration_flags
@click.option(
    "--kwargs", type=json_object, default="{}", metavar="JSON", help="Arguments of the constructor, as a JSON object."
)
@click.option(
    "--input-size", type=size, multiple=True, metavar="N,...", help="The size of an input, batch included; repeatable."
)
@click.option(
    "--dtype", multiple=True, help="The dtype of the inputs: one for all, or one for each. Default: the model's."
)
@click.option("--input-data", metavar="MODULE:FUNCTION", help="A function that returns the inputs.")
@click.option("--train", is_flag=True, help="Run the forward with the dropout of training.")
@click.option("--device", default="cpu", show_default=True, help="Where to build and run.")
@click.option(
    "--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Seeds to measure a forward for."
)
@click.option(
    "--abstract",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    show_default=True,
    help="Watch without memory; auto: when the build takes more than it may.",
)
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True, max=MOST),
    metavar="GB",
    help="Gigabytes that a build may take. Default: most of what is free.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True, max=MOST), help="Seconds until a build is given up."
)
@click.option("--try", "try_advice", is_flag=True, help="Build again with what is advised, and show before and after.")
@click.option("--table", type=click.Path(dir_okay=False), help="Write every parameter there, as JSON.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write a page for people there.")
def probe(targets: tuple[str, ...], **flags: Any) -> None:
    """Build models and watch: the configured ones, or `package.module:Attr`, `path/file.py:Attr`.

    `hf:NAME`, `timm:NAME` and `torchvision:NAME` are a library's, built from their configurations. What stands behind
    `--` is in the target's `sys.argv`.
    """
    from initaudit import commands
    from initaudit.settings import Model

    how = {key: flags[key] for key in BUILDING}
    argv = click.get_current_context().meta.get(SEPARATOR, ())
    models = tuple(Model(target=target, argv=argv, **how) for target in targets)
    asked, output = _asked(flags, targets=models, probe=True), _output(flags)
    sys.exit(
        commands.probe(
            asked, output, table_file=flags["table"], page_file=flags["html"], try_advice=flags["try_advice"]
        )
    )


@main.command()
@click.argument("rule", required=False, metavar="CODE")
@click.option("--all", "every", is_flag=True, help="Every rule.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--web", is_flag=True, help="Open the rule's page in a browser instead, and print its address.")
def rule(rule: str | None, every: bool, output_format: str, web: bool) -> None:
    """Print a rule's documentation."""
    from initaudit import commands

    if (rule is None) == (not every):
        raise click.UsageError("name one rule, or --all")
    if web:
        sys.exit(commands.rule_in_browser(rule or "ALL"))
    sys.exit(commands.rule(rule, as_json=output_format == "json"))


@main.command()
@click.argument("key", required=False)
@configuration_flags
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the configuration instead.")
def config(key: str | None, schema: bool, **flags: Any) -> None:
    """Print the effective settings, or what one KEY means and is."""
    from initaudit import commands

    sys.exit(commands.schema() if schema else commands.config(_asked(flags), key))


@main.command()
@click.argument("paths", nargs=-1)
@selection_flags
@file_flags
@output_flags
@configuration_flags
def baseline(paths: tuple[str, ...], **flags: Any) -> None:
    """Write the baseline: what is found now is known, and no longer reported."""
    from initaudit import commands

    asked = _asked(flags, paths=paths or (".",), read=True, probe=flags["probe"], use_baseline=False)
    sys.exit(commands.baseline(asked, _output(flags)))


@main.command()
@click.option("--cache-dir", type=click.Path(file_okay=False), envvar="INITAUDIT_CACHE_DIR", help=CACHE_DIR)
@configuration_flags
def clean(**flags: Any) -> None:
    """Remove the cache."""
    from initaudit import commands

    sys.exit(commands.clean(_asked(flags)))


@main.command()
def server() -> None:
    """Serve an editor by the language server protocol, over standard input and output."""
    from initaudit import commands

    sys.exit(commands.server())


def _asked(flags: dict[str, Any], **what: Any) -> Asked:
    """What the flags ask a run to do."""
    from initaudit.session import STANDARD_INPUT, Asked

    return Asked(
        **what,
        overrides=_overrides(flags),
        config=next((one for one in flags["config"] if not _is_assignment(one)), None),
        assignments=tuple(one for one in flags["config"] if _is_assignment(one)),
        isolated=flags["isolated"],
        noqa=not flags.get("ignore_noqa"),
        jobs=flags.get("jobs"),
        site_packages=not flags.get("no_site_packages"),
        cache=not flags.get("no_cache"),
        cache_dir=flags.get("cache_dir"),
        diff_base=flags.get("diff_base"),
        standard_input=_standard_input() if STANDARD_INPUT in what.get("paths", ()) else b"",
        standard_input_filename=flags.get("stdin_filename"),
    )


def _is_assignment(value: str) -> bool:
    """Whether a `--config` sets a key: it is no file, and has an equals sign."""
    return "=" in value and not os.path.exists(value)  # noqa: PTH110


def _standard_input() -> bytes:
    """What `-` stands for."""
    if sys.stdin is None:
        raise click.UsageError("standard input is closed")
    return sys.stdin.buffer.read()


def _overrides(flags: dict[str, Any]) -> Overrides:
    """What the flags say instead of a configuration."""
    from initaudit.settings import Overrides

    per_file: dict[str, tuple[str, ...]] = {}
    for pattern, codes in (*flags.get("per_file_ignores", ()), *flags.get("extend_per_file_ignores", ())):
        per_file[pattern] = per_file.get(pattern, ()) + codes
    return Overrides(
        select=_joined(flags, "select") or None,
        extend_select=_joined(flags, "extend_select"),
        ignore=_joined(flags, "ignore"),
        per_file_ignores=per_file,
        preview=flags.get("preview"),
        exclude=_joined(flags, "exclude") or None,
        extend_exclude=_joined(flags, "extend_exclude"),
        force_exclude=flags.get("force_exclude"),
        respect_gitignore=flags.get("respect_gitignore"),
        unsafe_fixes=flags.get("unsafe_fixes"),
        fixable=_joined(flags, "fixable") or None,
        unfixable=_joined(flags, "unfixable"),
        fail_on=Severity(flags["fail_on"]) if flags.get("fail_on") else None,
        baseline=flags.get("baseline"),
    )


def _joined(flags: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(part for parts in flags.get(name, ()) for part in parts)


def _output(flags: dict[str, Any]) -> Output:
    """How the flags want the outcome shown."""
    from initaudit.commands import COUNTED, Output

    if flags["statistics"] and flags["output_format"] not in COUNTED:
        raise click.UsageError(f"--statistics counts as {', '.join(COUNTED)}, and not as {flags['output_format']}")
    return Output(
        output_format=flags["output_format"],
        filename=flags["output_file"],
        statistics=flags["statistics"],
        show_unknown=flags["show_unknown"],
        all_parameters=flags["all_parameters"],
        on_terminal=sys.stdout is not None and sys.stdout.isatty() and not flags["output_file"],
        color=_color(flags["color"]) and not flags["output_file"],
        links=_color(flags["color"]) and not flags["output_file"] and _links(),
        quiet=flags["quiet"] or flags["silent"],
        silent=flags["silent"],
        fix_only=flags.get("fix_only", False),
        show_fixes=flags.get("show_fixes", False),
        exit_non_zero_on_fix=flags.get("exit_non_zero_on_fix", False),
        verbose=flags["verbose"],
        exit_zero=flags["exit_zero"],
    )


def _color(wish: str) -> bool:
    """Whether to paint, as ruff decides it: as wished, else as the environment says, else on a terminal."""
    if wish != "auto":
        return wish == "always"
    said = os.environ.get
    if said("NO_COLOR"):
        return False
    if said("FORCE_COLOR") or said("CLICOLOR_FORCE"):
        return True
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    return on_terminal and said("CLICOLOR") != "0" and said("TERM") != "dumb"


def _links() -> bool:
    """Whether the terminal shows links: as FORCE_HYPERLINK says, else if it is one that is known to."""
    said = os.environ.get
    if (forced := said("FORCE_HYPERLINK")) is not None:
        return forced != "0"
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    version = said("VTE_VERSION", "")
    known = said("TERM_PROGRAM") in LINKING or any(map(said, ("WT_SESSION", "KITTY_WINDOW_ID", "DOMTERM")))
    return known or (version.isdigit() and int(version) >= 5000)
