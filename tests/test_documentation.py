"""Every command on a page of the documentation is run and shows what the page shows; the site builds without warnings.

A block of commands stands below `<!-- run -->` (or `<!-- run: exit 1 -->`), and what a page needs below
`<!-- file: NAME -->`; the blocks of a page run one after the other in one folder. `<!-- not run: why -->` is for what
cannot be had here. Run as a script, this file writes down what the commands show.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from initaudit.rules import catalogue

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OWN = {"design.md", "contributing.md", "situations.md"}
"""Pages about the code of initaudit, which have tests of their own."""
CONFIGURED = (ROOT / "mkdocs.yml").exists()
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if path.name not in OWN] if CONFIGURED else []
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
COMMANDS = ("console", "bash", "sh", "shell")
MEASURED = re.compile(r"[▁▂▃▄▅▆▇█·]+|[ ─]+|\d+\.\d+")
"""What depends on the machine, and the columns that it takes."""

pytestmark = [
    pytest.mark.skipif(not CONFIGURED, reason="the site is not part of a release"),
    pytest.mark.skipif(sys.platform == "win32", reason="the pages are written for a POSIX shell"),
]


class Step(NamedTuple):
    """A command, the exit code that it has, and what it shows."""

    command: str
    code: int
    shown: str


def steps(mark: str, text: str) -> list[Step]:
    """The commands of a block; the exit code is that of the last one."""
    parts = re.split(r"^\$ ", text, flags=re.M)[1:]
    commands = [part.partition("\n")[::2] for part in parts]
    last = int(mark.partition("exit ")[2] or 0)
    return [Step(command, last if n == len(commands) - 1 else 0, shown) for n, (command, shown) in enumerate(commands)]


def provide(folder: Path, name: str, text: str) -> None:
    """Write a file of a page; a block of a notebook is one more cell of it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".ipynb":
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": []}
        if path.exists():
            notebook = json.loads(path.read_text(encoding="utf-8"))
        cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text.rstrip()}
        cells: list[object] = notebook["cells"]  # type: ignore[assignment]
        cells.append(cell)
        text = json.dumps(notebook, indent=1)
    path.write_text(text, encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    """Where `initaudit`, `python` and `pytest` are those of this run, and nothing is kept."""
    binaries = folder / "bin"
    binaries.mkdir()
    for name, command in (
        ("initaudit", " -m initaudit"),
        ("pytest", " -m pytest -n 0 -p no:cacheprovider"),
        ("python", ""),
    ):
        (binaries / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{command} "$@"\n', encoding="utf-8")
        (binaries / name).chmod(0o755)
    kept = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS")
    }
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(step: Step, folder: Path, where: dict[str, str]) -> str:
    """What a command shows on both of its outputs."""
    ran = subprocess.run(
        ["/bin/sh", "-c", step.command],
        cwd=folder, env=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == step.code, f"$ {step.command}\n{ran.stdout}"
    return ran.stdout.replace(str(folder), "~/project")


def played(page: str, scratch: Path) -> str:
    """A page with what its commands show now."""
    folder = scratch / "project"
    folder.mkdir()
    where = environment(scratch)

    def play(block: re.Match[str]) -> str:
        mark, text = block["mark"] or "", block["text"]
        if mark.startswith("file: "):
            provide(folder, mark.removeprefix("file: "), text)
        elif mark.startswith("run"):
            shown = ""
            for step in steps(mark, text):
                output = run(step, folder, where)
                shown += f"$ {step.command}\n{elided_as(step.shown, output) if '...' in step.shown else output}"
            return block[0].replace(text, shown)
        return block[0]

    return BLOCK.sub(play, page)


def elided_as(shown: str, output: str) -> str:
    """What a page shows of an output, if all of that is in it; else the whole."""
    lines = iter(unmeasured(output))
    return shown if all(line in lines for line in unmeasured(shown) if line != ["..."]) else output


def unmeasured(text: str) -> list[list[str]]:
    return [MEASURED.sub(" ", line).split() for line in text.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_every_command_of_a_page_is_run_or_says_why_not(page: Path) -> None:
    blocks = [block for block in BLOCK.finditer(page.read_text(encoding="utf-8")) if block["language"] in COMMANDS]
    unmarked = [block["text"] for block in blocks if not re.match(r"run\b|not run: \w", block["mark"] or "")]
    assert unmarked == []
    assert all(re.match(r"\$ ", block["text"]) for block in blocks)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="some commands build models")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_the_commands_of_a_page_show_what_it_shows(page: Path, tmp_path: Path) -> None:
    written = page.read_text(encoding="utf-8")
    assert unmeasured(played(written, tmp_path)) == unmeasured(written), f"run `python {Path(__file__).name}`"


@pytest.mark.skipif(importlib.util.find_spec("material") is None, reason="the site is made with mkdocs-material")
def test_the_site_builds_without_a_warning_and_has_a_page_for_each_rule(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for code, rule in catalogue().items():
        text = (tmp_path / "site" / "rules" / code / "index.html").read_text(encoding="utf-8")
        assert f"{code} {rule.name}" in text
        assert 'id="a-real-bug"' in text
        assert 'id="reported"' in text or not rule.invalid
    loaded = {
        address
        for path in (tmp_path / "site").rglob("*.html")
        for address in re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', path.read_text(encoding="utf-8")
        )
    }
    assert loaded == set(), "a page loads nothing from elsewhere"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the figures are measured")
def test_the_figures_show_what_is_measured() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        import figures  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(DOCS))
    written = (DOCS / "science.md").read_text(encoding="utf-8")
    for line in figures.table(figures.measured()).splitlines()[2:]:
        name, *values = (cell.strip() for cell in line.strip("|").split("|"))
        found = re.search(rf"^\| {re.escape(name)} \| (\S+) \| (\S+) \| (\S+) \|$", written, re.M)
        assert found is not None, f"run `python docs/figures.py`: {line}"
        assert [float(value) for value in found.groups()] == pytest.approx([float(v) for v in values], rel=0.5, abs=0.1)


if __name__ == "__main__":
    for each in [ROOT / name for name in sys.argv[1:]] or PAGES:
        with tempfile.TemporaryDirectory() as scratch:
            each.write_text(played(each.read_text(encoding="utf-8"), Path(scratch)), encoding="utf-8")
    shutil.rmtree(DOCS / "__pycache__", ignore_errors=True)
