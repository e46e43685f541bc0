"""What is reported was read with libcst, and says what the quick reading says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from initaudit import engine
from initaudit.analyzer import analyze
from initaudit.analyzer.file import module
from initaudit.analyzer.readers import readers
from initaudit.analyzer.readers.base import Reader
from initaudit.finding import Observer
from initaudit.observation import Observation
from initaudit.rules import catalogue, questions
from initaudit.rules.base import Example

EXAMPLES = [
    pytest.param(example, id=f"{code}-{number}")
    for code, rule in sorted(catalogue().items())
    if Observer.ANALYZER in rule.observers
    for number, example in enumerate(rule.invalid)
]
CLEAN = "import torch\nfrom torch import nn\nw = nn.Parameter(torch.empty(3))\nnn.init.normal_(w)\n"


def read(file: Path, *, twice: bool) -> list[Observation]:
    asked = questions(catalogue().values(), Observer.ANALYZER)
    return analyze([str(file)], questions=asked, jobs=1, judge=engine.Judge() if twice else None)


@pytest.mark.parametrize("example", EXAMPLES)
def test_both_readings_say_the_same(example: Example, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(example.text(), encoding="utf-8")
    twice = [msgspec.structs.replace(each, fixes=()) for each in read(file, twice=True)]
    assert twice == read(file, twice=False)


def test_libcst_alone_sees_in_every_fixture_what_python_s_parser_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(map(str, (Path(__file__).parents[2] / "fixtures").glob("INI[1-3]*.py")))
    asked = questions(catalogue().values(), Observer.ANALYZER)
    quick = analyze(files, questions=asked, jobs=1)
    monkeypatch.setattr(module, "parsed", module.losslessly)
    assert len(quick) > 20
    assert analyze(files, questions=asked, jobs=1) == quick


@pytest.mark.parametrize(("text", "slices"), [(CLEAN, False), (CLEAN.replace("normal_", "normal"), True)])
def test_only_what_is_reported_is_read_with_libcst(
    text: str, slices: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_with_libcst = []
    losslessly = module.losslessly
    monkeypatch.setattr(module, "losslessly", lambda text: read_with_libcst.append(text) or losslessly(text))
    file = tmp_path / "net.py"
    file.write_text(text, encoding="utf-8")
    read(file, twice=True)
    assert bool(read_with_libcst) == slices


def test_only_readers_of_what_is_reported_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    call = Reader.__call__
    monkeypatch.setattr(engine.Judge, "proved", lambda *_: ())  # which reads a fixed text
    monkeypatch.setattr(Reader, "__call__", lambda self, scope: called.append(self.name) or call(self, scope))
    file = tmp_path / "net.py"
    file.write_text(CLEAN.replace("normal_", "normal"), encoding="utf-8")
    (quick,) = read(file, twice=False)
    before = Counter(called)
    called.clear()
    read(file, twice=True)
    kinds = {kind for kind, _ in engine.Judge().accused(quick)}
    again = {name for name, count in Counter(called).items() if count > before[name]}
    stating = {each.name for each in readers() if kinds & {declared.subject.__name__ for declared in each.declared}}
    assert again and again <= stating
    assert set(before) - again


def test_what_libcst_refuses_is_reported_as_python_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(text: str) -> None:
        raise module.SnippetError("too deep")

    monkeypatch.setattr(module, "losslessly", refuse)
    file = tmp_path / "net.py"
    file.write_text(CLEAN.replace("normal_", "normal"), encoding="utf-8")
    (seen,) = read(file, twice=True)
    assert engine.Judge().accused(seen)
