"""Odd configurations, names, arguments and files end in a sentence; `docs/situations.md` lists what was tried."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit.cli import main

LEGACY = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(3, 4))
        nn.init.ones_(self.weight)
"""
BAD = "x\n::error file=m.py::injected\n\x1b]0;TITLE\x07\x1b[31m"
DEEP = "[" * 20_000 + "]" * 20_000


def settings(text: str) -> Callable[[], object]:
    return lambda: Path("initaudit.toml").write_text(text)


def known(text: str) -> Callable[[], object]:
    return lambda: Path("known.json").write_text(text)


def pipe(name: str) -> Callable[[], object]:
    return lambda: os.mkfifo(name)


def kwargs(text: str) -> list[str]:
    return ["probe", "net.py:Net", "--kwargs", text]


CHECK, KNOWN, CONFIG = ["check", "net.py"], ["check", "net.py", "--baseline", "known.json"], ["--config", "c.toml"]
SITUATIONS: dict[str, tuple[Callable[[], object], list[str], str]] = {
    "a pipe as initaudit.toml": (pipe("initaudit.toml"), CHECK, "is a pipe or a device, and no file"),
    "a pipe as pyproject.toml": (pipe("pyproject.toml"), CHECK, "is a pipe or a device, and no file"),
    "a pipe as --config": (pipe("c.toml"), [*CHECK, *CONFIG], "is a pipe or a device, and no file"),
    "a device as --config": (
        lambda: Path("c.toml").symlink_to("/dev/zero"),
        [*CHECK, *CONFIG],
        "is a pipe or a device",
    ),
    "a folder as --config": (lambda: Path("c.toml").mkdir(), [*CHECK, *CONFIG], "is a folder"),
    "a pipe as the baseline": (pipe("known.json"), KNOWN, "is a pipe or a device, and no file"),
    "a device as the baseline": (lambda: Path("known.json").symlink_to("/dev/zero"), KNOWN, "is a pipe or a device"),
    "a folder as the baseline": (lambda: Path("known.json").mkdir(), KNOWN, "is a directory"),
    "a baseline that nests deep": (known(DEEP), KNOWN, "not a baseline"),
    "a baseline with half of a character": (known('{"findings": ["\\ud800"]}'), KNOWN, "not a baseline"),
    "a baseline with a number of 5,000 digits": (
        known('{"schema_version": ' + "9" * 5000 + "}"),
        KNOWN,
        "not a baseline",
    ),
    "a baseline that is no text": (lambda: Path("known.json").write_bytes(b"\xff"), KNOWN, "not a baseline"),
    "TOML that nests deep": (settings(f"select = {DEEP}"), CHECK, "not valid TOML"),
    "a number of 5,000 digits in TOML": (settings("preview = " + "9" * 5000), CHECK, "not valid TOML"),
    "a number over 64 bits in TOML": (settings("preview = 99999999999999999999999"), CHECK, "expected `bool`"),
    "a seed over 64 bits in TOML": (
        settings('[[models]]\ntarget = "a:b"\nseeds = -99999999999999999999999'),
        CHECK,
        "seeds",
    ),
    "TOML that is no text": (lambda: Path("initaudit.toml").write_bytes(b"\xff\xfe"), CHECK, "not valid TOML"),
    "a key of TOML with a command of GitHub": (settings(f"{json.dumps(BAD)} = 1"), CHECK, "unknown key"),
    "a selector with a command of GitHub": (settings(f"select = [{json.dumps(BAD)}]"), CHECK, "unknown rule"),
    "a path with a command of GitHub": (lambda: None, ["check", BAD], "no such file"),
    "a pattern with a command of GitHub": (settings(f"exclude = [{json.dumps('[z-a' + BAD)}]"), CHECK, ""),
    "arguments that nest deep": (lambda: None, kwargs(DEEP), "nested too deeply"),
    "arguments that are no JSON": (lambda: None, kwargs("{"), "JSON"),
    "a path to a pipe": (pipe("p.py"), ["check", "p.py"], "neither a file nor a folder"),
    "a path to a device": (lambda: None, ["check", "/dev/zero"], "neither a file nor a folder"),
    "a path without end": (lambda: None, ["check", "x" * 5000], "x"),
}


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "net.py").write_text(LEGACY)


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_cannot_be_used_is_told_in_a_sentence(name: str) -> None:
    prepare, command, sentence = SITUATIONS[name]
    prepare()
    outcome = CliRunner().invoke(main, command)
    assert sentence in outcome.stderr
    assert outcome.exit_code == 2 or not sentence
    assert "initaudit itself failed" not in outcome.stderr
    assert not any(line.lstrip().startswith(("::", "##[")) for line in outcome.output.splitlines())
    assert not set("\x1b\x07") & set(outcome.output)


def test_what_was_tried_is_listed(listed: Callable[[str], list[tuple[str, str]]]) -> None:
    rows = [
        (name, f"exit 2: {sentence}" if sentence else "no escape gets through")
        for name, (_, _, sentence) in SITUATIONS.items()
    ]
    assert listed("What cannot be used") == rows


def test_a_baseline_is_written_at_once_and_keeps_its_mode() -> None:
    path = Path("known.json")
    path.write_text("{}")
    path.chmod(0o640)
    before = path.stat().st_ino
    outcome = CliRunner().invoke(main, ["baseline", "net.py", "--baseline", "known.json"])
    assert outcome.exit_code == 0, outcome.output
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_ino != before
    assert json.loads(path.read_text())["findings"]
    assert sorted(each.name for each in Path().iterdir() if "known" in each.name) == ["known.json"]


def test_a_file_with_several_names_keeps_them_when_it_is_fixed() -> None:
    os.link("net.py", "other.py")
    CliRunner().invoke(main, ["check", "net.py", "--fix"])
    assert "torch.empty(3, 4)" in Path("net.py").read_text()
    assert Path("net.py").samefile("other.py")


def test_a_codec_that_does_not_round_trip_is_not_written() -> None:
    raw = b"# coding: utf-7\n# +AGE-\n" + LEGACY.replace("\n", "\n").encode()
    Path("net.py").write_bytes(raw)
    CliRunner().invoke(main, ["check", "net.py", "--fix"])
    assert Path("net.py").read_bytes() == raw
