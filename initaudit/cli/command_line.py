"""Commands and flags. ``commands``, imported when needed, holds what each command does."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from initaudit.cli.flags import (
    CACHE_DIR,
    LIST,
    codes,
    configuration_flags,
    file_flags,
    files,
    json_object,
    output_flags,
    selection_flags,
    size,
    zoo_flags,
)  # fmt: skip
from initaudit.finding import Severity, shortened
from initaudit.naming import near
from initaudit.report.base import printable_lines
from initaudit.settings import MOST
from initaudit.version import __version__

if TYPE_CHECKING:
    from initaudit.cli.output import Output
    from initaudit.session import Asked
    from initaudit.settings import Overrides

LINKING = frozenset({"Hyper", "WezTerm", "ghostty", "iTerm.app", "vscode"})
"""Values of TERM_PROGRAM of the terminals that support links."""
SEPARATOR = "--"
"""Separates the flags of `probe` from the arguments that the target finds in `sys.argv`."""
ALIASES = {"explain": "rule"}
BUILDING = (
    "kwargs", "input_size", "input_data", "dtype", "train", "device", "seeds", "timeout", "memory", "abstract",
    "replay", "reinit", "missing_keys", "state_dict",
)  # fmt: skip
"""Flags of `probe` that say how to build and run a model. The configuration's models have keys of the same names."""


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Make click's messages printable and short, and let them suggest only similar flags."""
    try:
        yield
    except click.UsageError as error:
        text = error.format_message()
        if isinstance(error, click.NoSuchOption):
            meant = near(error.option_name, error.possibilities or ())
            text = error.message + (f" Did you mean {meant!r}?" if meant is not None else "")
        raise click.UsageError(printable_lines(shortened(text)), error.ctx) from error


class CheckByDefault(click.Group):
    """A group whose default command is `check`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and ctx.resilient_parsing:  # a shell completes the first word
            return super().parse_args(ctx, args)
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
        """Return a command by its name or its alias."""
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def _refuse_misspelt(self, ctx: click.Context, word: str) -> None:
        """Raise UsageError for a word that resembles a command and is not an existing path."""
        close = near(word, [*self.commands, *ALIASES])
        if close is not None and word.isidentifier() and not os.path.lexists(word):
            raise click.UsageError(f"there is no command or path `{word}`; did you mean `{close}`?", ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command, or what `check` takes; files come first, since bash drops what precedes them."""
        check = self.commands["check"]
        with check.make_context("check", [], parent=ctx, resilient_parsing=True) as inner:
            paths = [] if incomplete.startswith("-") else inner.command.params[:1]
            items = [item for path in paths for item in path.shell_complete(inner, incomplete)]
            items += [*super().shell_complete(ctx, incomplete), *check.shell_complete(inner, incomplete)]
        return list({item.value if item.type == "plain" else item.type: item for item in items}.values())

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments before the command."""
        with readable():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. An interrupt exits with 130, never with the exit code of findings."""
        try:
            with readable():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("initaudit: interrupted", err=True)
            sys.exit(130)


class PassingOn(click.Command):
    """A command that passes every argument after `--` to the target."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if SEPARATOR in args:
            end = args.index(SEPARATOR)
            ctx.meta[SEPARATOR] = tuple(args[end + 1 :])
            args = args[:end]
        return super().parse_args(ctx, args)


@click.group(cls=CheckByDefault, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "--version", "-V", prog_name="initaudit", message="%(prog)s %(version)s")
def main() -> None:
    """Find wrong or missing parameter initialization in PyTorch.

    `initaudit PATH...` checks source files; `initaudit probe TARGET...` builds a model and checks its parameters.
    """


@main.command()
@click.argument("paths", nargs=-1, shell_complete=files)
@selection_flags
@file_flags
@output_flags
@configuration_flags
@click.option("--fix", is_flag=True, help="Apply safe fixes.")
@click.option("--fix-only", is_flag=True, help="Apply fixes; neither report nor fail for the remaining findings.")
@click.option("--show-fixes", is_flag=True, help="List the applied fixes.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 if anything was fixed.")
@click.option("--fixable", **LIST, help="Rules whose findings may be fixed.")
@click.option("--unfixable", **LIST, help="Rules whose findings may not be fixed.")
@click.option("--unsafe-fixes/--no-unsafe-fixes", default=None, help="Include fixes that may change behaviour.")
@click.option("--diff", is_flag=True, help="Print what --fix would change, without changing any file.")
@click.option("--add-ignore", is_flag=True, help="Add a comment to the source that suppresses each finding.")
@click.option("--diff-base", metavar="REV", help="Report only findings on lines that changed since this revision.")
@click.option("--show-files", is_flag=True, help="List the files that would be checked.")
@click.option("--show-settings", is_flag=True, help="Print the effective settings.")
@click.option("--stdin-filename", help="Check standard input as the content of this file.")
def check(paths: tuple[str, ...], **flags: Any) -> None:
    """Check source files and folders (default: the current folder). They are never imported."""
    from initaudit.cli import commands

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
@click.argument("targets", nargs=-1, shell_complete=files)
@selection_flags
@output_flags
@configuration_flags
@zoo_flags
@click.option(
    "--kwargs", type=json_object, default="{}", metavar="JSON", help="Constructor arguments, as a JSON object."
)
@click.option(
    "--input-size",
    type=size,
    multiple=True,
    metavar="N,...",
    help="Size of one input, including the batch dimension; repeat for each input.",
)
@click.option("--dtype", multiple=True, help="dtype of the inputs: one for all, or one for each. Default: the model's.")
@click.option("--input-data", metavar="MODULE:FUNCTION", help="Function that returns the inputs.")
@click.option("--train", is_flag=True, help="Run the forward with dropout active, as in training.")
@click.option("--device", default="cpu", show_default=True, help="Device to build and run the model on.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of seeds to measure the forward for.",
)
@click.option(
    "--abstract",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    show_default=True,
    help="Build without memory for large tensors; auto: only if the build exceeds its limit.",
)
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True, max=MOST),
    metavar="GB",
    help="Memory limit for one build, in GB. Default: most of the free memory.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True, max=MOST), help="Time limit for one build, in seconds."
)
@click.option(
    "--replay",
    is_flag=True,
    help="Also build on the meta device, call `to_empty()`, initialize again, and compare with the ordinary build.",
)
@click.option(
    "--reinit",
    metavar="MODULE:FUNCTION",
    help="Function that initializes the model in a replay. Default: what its framework calls. Implies --replay.",
)
@click.option(
    "--missing-keys",
    multiple=True,
    metavar="PATTERN",
    help="Load a state dict without the keys that match PATTERN in a replay (repeatable). Implies --replay.",
)
@click.option(
    "--state-dict",
    metavar="FILE",
    help="Load this file of safetensors or torch.save in a replay, instead of the model's own. Implies --replay.",
)
@click.option("--try", "try_advice", is_flag=True, help="Build the model again with the advice applied, and compare.")
@click.option("--table", type=click.Path(dir_okay=False), help="Write all parameters to FILE as JSON.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write a self-contained HTML report to FILE.")
def probe(targets: tuple[str, ...], **flags: Any) -> None:
    """Build models and check how their parameters are initialized.

    A target is `package.module:Attr`, `path/file.py:Attr`, or a library's model that is built from its configuration:
    `hf:NAME`, `timm:NAME`, `torchvision:NAME`; `timm:resnet*` stands for all that match. Default: the models listed in
    the configuration. Arguments after `--` are passed to the target in `sys.argv`.
    """
    from initaudit.cli import commands, rank_report
    from initaudit.settings import Model

    how = {key: flags[key] for key in BUILDING}
    argv = click.get_current_context().meta.get(SEPARATOR, ())
    named = (*targets, *(target for zoo in flags["zoo"] for target in zoo))
    models = tuple(Model(target=target, argv=argv, **how) for target in named)
    asked = _asked(
        flags, targets=models, probe=True, shard=flags["shard"], engine=flags["engine"], kept=flags["resume"]
    )
    output, table, page = _output(flags), flags["table"], flags["html"]
    if not rank_report.reports():
        output, table, page = rank_report.silenced(output), None, None

    def run() -> int:
        return commands.probe(asked, output, table_file=table, page_file=page, try_advice=flags["try_advice"])

    sys.exit(rank_report.concluded(run))


@main.command()
@click.argument("before", type=click.Path(dir_okay=False))
@click.argument("after", type=click.Path(dir_okay=False))
@click.option("--html", type=click.Path(dir_okay=False), help="Write the comparison as a self-contained page to FILE.")
@click.option(
    "--output-format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Format of the comparison.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if something got worse.")
def compare(before: str, after: str, html: str | None, output_format: str, exit_zero: bool) -> None:
    """Compare two runs of the probe, before and after a change.

    BEFORE and AFTER are files that `initaudit probe TARGET... --table FILE` wrote. The exit code is 1 if there is a new
    error or warning, or if a model got worse: a gradient vanished, an output overflows, a parameter is not written.
    """
    from initaudit.cli import commands

    code = commands.compare(before, after, output_format, color=_color("auto"), page_file=html)
    sys.exit(0 if exit_zero and code == 1 else code)


@main.command()
@click.argument("rule", required=False, metavar="CODE", shell_complete=codes)
@click.option("--all", "every", is_flag=True, help="Print all rules.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--web", is_flag=True, help="Open the rule's page in a browser instead, and print its address.")
def rule(rule: str | None, every: bool, output_format: str, web: bool) -> None:
    """Print a rule's documentation."""
    from initaudit.cli import commands

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
    """Print the effective settings, or explain one KEY."""
    from initaudit.cli import commands

    sys.exit(commands.schema() if schema else commands.config(_asked(flags), key))


@main.command()
@click.argument("paths", nargs=-1, shell_complete=files)
@selection_flags
@file_flags
@output_flags
@configuration_flags
def baseline(paths: tuple[str, ...], **flags: Any) -> None:
    """Write the current findings to the baseline. Later runs do not report them."""
    from initaudit.cli import commands

    asked = _asked(flags, paths=paths or (".",), read=True, probe=flags["probe"], use_baseline=False)
    sys.exit(commands.baseline(asked, _output(flags)))


@main.command()
@click.option("--cache-dir", type=click.Path(file_okay=False), envvar="INITAUDIT_CACHE_DIR", help=CACHE_DIR)
@configuration_flags
def clean(**flags: Any) -> None:
    """Remove the cache."""
    from initaudit.cli import commands

    sys.exit(commands.clean(_asked(flags)))


@main.command()
def server() -> None:
    """Run the language server over standard input and output."""
    from initaudit.cli import commands

    sys.exit(commands.server())


def _asked(flags: dict[str, Any], **what: Any) -> Asked:
    """Return what the flags ask a run to do."""
    from initaudit.session import STANDARD_INPUT, Asked

    if flags.get("discover") and not flags["probe"]:
        raise click.UsageError("--discover builds models, which needs --probe")
    return Asked(
        **what,
        discover=flags.get("discover", False),
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
    """Whether a value of `--config` sets a key rather than names a file."""
    return "=" in value and not os.path.exists(value)  # noqa: PTH110


def _standard_input() -> bytes:
    """Return the content of standard input."""
    if sys.stdin is None:
        raise click.UsageError("standard input is closed")
    return sys.stdin.buffer.read()


def _overrides(flags: dict[str, Any]) -> Overrides:
    """Return the settings that flags override."""
    from initaudit.settings import Overrides

    per_file: dict[str, tuple[str, ...]] = {}
    for pattern, ignored in (*flags.get("per_file_ignores", ()), *flags.get("extend_per_file_ignores", ())):
        per_file[pattern] = per_file.get(pattern, ()) + ignored
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
    """Return how to show the outcome, from the flags."""
    from initaudit.cli.conclusion import COUNTED
    from initaudit.cli.output import Output

    if flags["statistics"] and flags["output_format"] not in COUNTED:
        raise click.UsageError(f"--statistics supports the formats {', '.join(COUNTED)}, not {flags['output_format']}")
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
    """Whether to color, as ruff decides it: by the flag, else by the environment, else on a terminal."""
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
    """Whether the terminal supports links: by FORCE_HYPERLINK, else if it is known to."""
    said = os.environ.get
    if (forced := said("FORCE_HYPERLINK")) is not None:
        return forced != "0"
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    version = said("VTE_VERSION", "")
    known = said("TERM_PROGRAM") in LINKING or any(map(said, ("WT_SESSION", "KITTY_WINDOW_ID", "DOMTERM")))
    return known or (version.isdigit() and int(version) >= 5000)
