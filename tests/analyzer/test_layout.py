"""How code is laid out changes no finding but its place: on every example of every rule, and every fixture."""

from __future__ import annotations

import ast
import functools
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from initaudit.cli import main
from initaudit.rules import catalogue

sys.path.insert(0, str(Path(__file__).parents[1]))
from relayout import WAYS, WIDTHS, formatted, laid_out, told

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").glob("*.py"))
TEXTS = {
    **{file.stem: file.read_text(encoding="utf-8") for file in FIXTURES},
    **{
        f"{rule.code.lower()}_{kind}_{number}": example.text()
        for rule in catalogue().values()
        for kind, examples in (("invalid", rule.invalid), ("valid", rule.valid))
        for number, example in enumerate(examples)
    },
}
Found = Counter[tuple[str, str, str]]


def found(way: str | random.Random | None = None, width: int | None = None, texts: Mapping[str, str] = TEXTS) -> Found:
    """What is reported of each text, by its code and what is said."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            changed = text if way is None else laid_out(text, way)
            (Path(folder) / f"{name}.py").write_bytes(changed.encode())
        if width is not None:
            formatted(Path(folder), width)
        flags = ["--select", "ALL", "--preview", "--isolated", "--no-cache", "-j", "1", "--output-format", "json"]
        outcome = CliRunner().invoke(main, ["check", folder, *flags])
    assert outcome.exit_code in (0, 1), outcome.output
    seen = json.loads(outcome.stdout)
    return Counter((Path(one["filename"]).stem, one["code"], told(one["message"])) for one in seen)


@functools.cache
def as_written() -> Found:
    return found()


@pytest.mark.parametrize("way", WAYS)
def test_a_layout_changes_no_finding(way: str) -> None:
    changed = [name for name, text in TEXTS.items() if laid_out(text, way) != text]
    assert len(changed) > len(TEXTS) * 0.9, "this way changes hardly anything"
    seen = found(way)
    assert (sorted(as_written() - seen), sorted(seen - as_written())) == ([], [])


@pytest.mark.parametrize("width", WIDTHS)
def test_a_width_changes_no_finding(width: int) -> None:
    seen = found(width=width)
    assert (sorted(as_written() - seen), sorted(seen - as_written())) == ([], [])


@given(names=st.sets(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=10), seed=st.integers(0, 2**16))
@settings(max_examples=15, deadline=None)
def test_no_mixture_of_layouts_changes_a_finding(names: set[str], seed: int) -> None:
    texts = {name: TEXTS[name] for name in sorted(names)}
    as_they_are, seen = found(texts=texts), found(random.Random(seed), texts=texts)
    assert (sorted(as_they_are - seen), sorted(seen - as_they_are)) == ([], [])


def test_every_way_keeps_the_syntax_tree() -> None:
    text = TEXTS["INI201_no_op_initialization_loop"]
    for way in WAYS:
        assert laid_out(text, way) != text
        assert ast.dump(ast.parse(laid_out(text, way))) == ast.dump(ast.parse(text))
