"""What a person at a terminal sees besides the findings: how far a run is, what to type next, and colour."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main, progress
from initaudit.observation import Headway

RAW = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 4))
"""
LEGACY = RAW.replace("torch.empty(3, 4))", "torch.Tensor(3, 4))\n        nn.init.ones_(self.weight)")
LOOP = "from torch import nn\n\n\ndef initialize():\n    for p in net.parameters():\n        nn.init.zeros_(p)\n"
UNSAFE = "next: add `--diff --unsafe-fixes` to preview fixes, or read `initaudit rule INI101`"
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")
needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudoterminal")


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


class Pipe(Terminal):
    """A standard error that another program reads."""

    def isatty(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    Path("net.py").write_text(RAW, encoding="utf-8")
    Path("loop.py").write_text(LOOP, encoding="utf-8")
    Path("legacy.py").write_text(LEGACY, encoding="utf-8")


def waiting(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Someone at a terminal, who has waited long enough. (In the test: pytest sets the streams after the fixtures.)"""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    return stream


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["--isolated", *arguments] if arguments[0].endswith(".py") else list(arguments))


def at_terminal(*arguments: str, stream: str = "stdout", columns: int = 80, **environment: str) -> str:
    """What a command writes to one stream when that is a terminal."""
    import fcntl
    import pty
    import struct
    import termios

    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writer}
    what = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | environment
    with subprocess.Popen([sys.executable, "-m", "initaudit", *arguments], env=what, **streams) as process:  # type: ignore[call-overload]  # two of its streams
        os.close(writer)
        seen = b""
        while True:
            try:
                part = os.read(reader, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        assert process.wait() in (0, 1)
    os.close(reader)
    return seen.decode().replace("\r\n", "\n")


def test_progress_says_how_many_files_were_read_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = waiting(monkeypatch)
    with progress.shown() as tell:
        tell(Headway("reading files", done=120, total=3000))
    written = terminal.getvalue()
    assert "reading files" in written and "120 of 3000" in written
    assert written.rstrip("\r").endswith("\x1b[2K")  # the line is erased
    assert "\x1b[?25l" not in written  # the cursor is not hidden


def test_progress_says_what_becomes_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = waiting(monkeypatch)
    with progress.shown() as tell:
        tell(Headway("net.py:[red]Net\x1b[2J", "seed 3, running its forward", done=1, total=2))
    written = terminal.getvalue()
    assert "net.py:[red]Net\N{REPLACEMENT CHARACTER}" in written
    assert "seed 3, running its forward" in written and "1 of 2" in written


@pytest.mark.parametrize("how", ["quiet", "dumb", "pipe", "quick"])
def test_nobody_is_told_who_does_not_wait_at_a_terminal(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    terminal = waiting(monkeypatch)
    if how == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if how == "pipe":
        terminal = Pipe()
        monkeypatch.setattr(sys, "stderr", terminal)
    if how == "quick":
        monkeypatch.setattr(progress, "PATIENCE", 3600.0)
    with progress.shown(quiet=how == "quiet") as tell:
        tell(Headway("reading files", done=1, total=2))
    assert terminal.getvalue() == ""


def test_every_file_that_is_read_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from initaudit import analyzer

    told: list[Headway] = []
    analyzer.analyze(["net.py", "legacy.py"], questions=frozenset(), jobs=1, tell=told.append)
    assert [(one.done, one.total) for one in told] == [(1, 2), (2, 2)]


@needs_pty
@needs_torch
def test_a_probe_tells_model_seed_and_stage_on_standard_error_if_that_is_a_terminal() -> None:
    command = ("probe", "net.py:Net", "--exit-zero")
    seen = at_terminal(*command, stream="stderr")
    assert re.search(r"net\.py:Net  seed 0, (importing|building) it", seen)
    piped = subprocess.run([sys.executable, "-m", "initaudit", *command], capture_output=True, text=True, check=True)
    assert "seed 0," not in piped.stderr and "\x1b" not in piped.stderr + piped.stdout


def test_rich_is_loaded_only_for_a_table_or_progress() -> None:
    code = (
        "import sys\nfrom initaudit.cli import main\n"
        "main(['check', 'net.py', '--isolated', '--no-cache'], standalone_mode=False)"
    )
    check = f"import atexit, sys\natexit.register(lambda: print('rich' in sys.modules))\n{code}"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("net.py",), UNSAFE),
        (("loop.py",), "next: `initaudit rule INI301` explains why this is wrong and what to write instead"),
        (("legacy.py",), "next: add `--fix` to fix 1 of 1, or `--diff` to preview"),
        (("net.py", "legacy.py", "--color=never"), "next: add `--fix` to fix 1 of 2, or `--diff` to preview"),
        (("legacy.py", "--fix"), None),
        (("net.py", "--quiet"), None),
        (("net.py", "--output-format", "json"), None),
        (("net.py", "--statistics"), None),
        (("net.py", "nowhere.py"), None),
    ],
)  # fmt: skip
def test_after_the_findings_a_line_says_what_to_type_next(arguments: tuple[str, ...], hint: str | None) -> None:
    hints = [line for line in run(*arguments).stderr.splitlines() if line.startswith("next: ")]
    assert hints == ([hint] if hint else [])


@needs_torch
def test_after_a_probe_advice_is_tried_next() -> None:
    outcome = run("probe", "net.py:Net")
    assert outcome.stderr.splitlines()[-1] == (
        "next: add `--try` to build the model again with the advice applied, and compare"
    )


@needs_pty
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_findings_fit_the_terminal_and_are_unbroken_elsewhere(columns: int) -> None:
    lines = at_terminal("net.py", "--isolated", "--color", "never", columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("+ |") for line in lines)
    piped = run("net.py").stdout.splitlines()[0]
    assert piped.startswith("net.py:8:36: error: INI101 ") and piped.endswith("to `__init__`")


EVERYWHERE = [
    ({"FORCE_COLOR": "1"}, "auto", True),
    ({"FORCE_COLOR": "0"}, "auto", True),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False),
    ({"FORCE_COLOR": "1", "TERM": "dumb"}, "auto", True),
    ({"CLICOLOR_FORCE": "1"}, "auto", True),
    ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, "auto", False),
    ({"NO_COLOR": "1"}, "auto", False),
    ({"CLICOLOR": "0"}, "auto", False),
    ({"TERM": "dumb"}, "auto", False),
    ({}, "always", True),
    ({"NO_COLOR": "1"}, "always", True),
    ({"TERM": "dumb"}, "always", True),
    ({"FORCE_COLOR": "1"}, "never", False),
]
"""What decides the same for a pipe and a terminal; tried with ruff 0.17."""
ELSEWISE = [({}, "auto"), ({"FORCE_COLOR": ""}, "auto"), ({"NO_COLOR": ""}, "auto"), ({"CLICOLOR": "1"}, "auto")]
CASES = [*EVERYWHERE, *((environment, wish, False) for environment, wish in ELSEWISE)]
AT_TERMINAL = [*EVERYWHERE, *((environment, wish, True) for environment, wish in ELSEWISE)]


@pytest.mark.parametrize(("environment", "wish", "colored"), CASES)
def test_color_in_a_pipe_is_as_ruff_has_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wish: str, colored: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    from initaudit.cli.command_line import _color

    assert _color(wish) is colored


@pytest.mark.parametrize(("environment", "wish", "colored"), AT_TERMINAL)
def test_color_on_a_terminal_is_as_ruff_has_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wish: str, colored: bool
) -> None:
    from initaudit.cli.command_line import _color

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert _color(wish) is colored


@needs_pty
def test_color_reaches_a_terminal_and_no_file() -> None:
    assert "\x1b[" in at_terminal("net.py", "--isolated")
    assert "\x1b" not in at_terminal("net.py", "--isolated", NO_COLOR="1")
    run("net.py", "--color", "always", "-o", "out.txt")
    assert "\x1b" not in Path("out.txt").read_text(encoding="utf-8")
