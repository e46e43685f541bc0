"""A file that holds something to find and that Python refuses is never green, whatever kind of mistake is in it."""

from __future__ import annotations

import json
import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main
from initaudit.finding import Observer
from initaudit.rules import catalogue
from initaudit.rules.base import Default

EACH = 14
"""Files of each kind: more than 200 together."""


def at_line(mistake: Callable[[str, random.Random], str]) -> Callable[[bytes, random.Random], bytes]:
    """A mistake in one line of code, chosen at random."""

    def plant(raw: bytes, chance: random.Random) -> bytes:
        lines = raw.decode().split("\n")
        row = chance.choice([row for row, line in enumerate(lines) if line.strip()])
        lines[row] = mistake(lines[row], chance)
        return "\n".join(lines).encode()

    return plant


def after_indent(line: str, text: str) -> str:
    """A line with some text before its code."""
    indent = len(line) - len(line.lstrip())
    return line[:indent] + text + line[indent:]


def at_code_point(line: str, chance: random.Random, text: str) -> str:
    column = chance.randrange(len(line) + 1)
    return line[:column] + text + line[column:]


KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "open bracket": at_line(lambda line, chance: line + chance.choice(["(", "[", "{"])),
    "closing bracket": at_line(lambda line, chance: line + chance.choice([")", "]", "}"])),
    "class header without its bracket": lambda raw, chance: re.sub(rb"(class \w+\([\w.]+)\):", rb"\1:", raw, count=1),
    "missing colon": at_line(lambda line, chance: line.removesuffix(":")),
    "one space more": at_line(lambda line, chance: " " + line),
    "one space less": at_line(lambda line, chance: line.removeprefix(" ")),
    "dedented": at_line(lambda line, chance: line.lstrip()),
    "tab": at_line(lambda line, chance: "\t" + line.lstrip()),
    "stray character": at_line(lambda line, chance: at_code_point(line, chance, chance.choice("$?!\N{EURO SIGN}"))),
    "typographic quotes": at_line(lambda line, chance: line + " \N{LEFT DOUBLE QUOTATION MARK}x"),
    "unterminated string": at_line(lambda line, chance: line + " '"),
    "unterminated long string": at_line(lambda line, chance: line + ' """'),
    "null byte": at_line(lambda line, chance: at_code_point(line, chance, "\0")),
    "latin-1 byte": lambda raw, chance: raw + b"x = '\xe9'\n",
    "unknown codec": lambda raw, chance: b"# coding: latin-7x\n" + raw,
    "UTF-16": lambda raw, chance: raw.decode().encode(chance.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32"))),
    "conflict marker": at_line(lambda line, chance: f"<<<<<<< HEAD\n{line}"),
    "misspelt keyword": at_line(lambda line, chance: after_indent(line, "retrun ")),
    "statement outside of a function": lambda raw, chance: raw + b"return 1\n",
    "print of Python 2": lambda raw, chance: raw + b"print 'done'\n",
    "line continued with nothing": at_line(lambda line, chance: line + " \\ x"),
}


def refused(raw: bytes) -> bool:
    """Whether Python does not compile a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(raw, "planted.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return True
    return False


def sources() -> list[bytes]:
    """Files in which the analyzer finds something by default: the examples of the rules."""
    return [
        example.text().encode()
        for rule in catalogue().values()
        if rule.default is Default.ON and Observer.ANALYZER in rule.watched_by(preview=False) and rule.code > "INI1"
        for example in rule.invalid
        if "torch" in example.text()
    ]


def planted() -> dict[str, bytes]:
    """Files with one mistake each, by name."""
    chance = random.Random(20)
    found: dict[str, bytes] = {}
    whole = sources()
    for kind, plant in KINDS.items():
        count = 0
        while count < EACH:
            raw = plant(chance.choice(whole), chance)
            if refused(raw) and b"torch" in raw.replace(b"\0", b""):  # a file without the word is never looked at
                found[f"{kind.replace(' ', '_')}/n{count}.py"] = raw
                count += 1
    return found


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def check(*arguments: str) -> Result:
    outcome = CliRunner().invoke(main, ["check", "--no-cache", *arguments])
    assert isinstance(outcome.exception, SystemExit | None), outcome.exception
    return outcome


def write(files: dict[str, bytes]) -> None:
    for name, raw in files.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)


def test_of_more_than_200_files_that_python_refuses_every_one_is_told() -> None:
    files = planted()
    assert len(files) >= 200
    write(files)
    outcome = check("--output-format", "json")
    assert outcome.exit_code == 1
    told = {finding["filename"]: finding["code"] for finding in json.loads(outcome.stdout)}
    assert told == dict.fromkeys(files, "INI001")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_a_mistake_fails_alone_and_under_a_selection_of_its_rules(kind: str) -> None:
    chance = random.Random(kind)
    raw = b""
    while not raw or not refused(raw):
        raw = KINDS[kind](chance.choice(sources()), chance)
    write({"net.py": raw})
    for selection in ([], ["--select", "correctness,suspicious,style"], ["--ignore", "tool"]):
        outcome = check("net.py", *selection)
        assert outcome.exit_code == 1
        assert "INI001" in outcome.stdout
        assert "nothing found" not in outcome.stderr
