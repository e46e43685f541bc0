"""What is costly is done where something may come of it, once for all who ask, and is not kept for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from initaudit.analyzer import analyze
from initaudit.analyzer.programs import verdict
from initaudit.analyzer.programs.constructor import Construction, construct
from initaudit.analyzer.project import modules
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers import chains, embedding_writes, weight_uses
from initaudit.analyzer.syntax.made_layers import MadeLayers
from initaudit.finding import Place
from initaudit.observation import Observation, Question
from initaudit.timeline import Chain

WEIGHTS = frozenset({Question("ConstantWeights"), Question("WeightUse")})
NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.a = nn.Parameter(torch.randn(n, m))
        self.b = nn.Parameter(torch.ones(n, m))

    def forward(self, x):
        return x @ self.a + x @ self.b


def main():
    net = Net(3, 4)
    nn.init.normal_(net.fc.weight)


main()
"""
CHAIN = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.act = nn.ReLU()
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_normal_(m.weight)

    def forward(self, x):
        return {result}


net = Net(3)
"""


def observed(folder: Path, texts: dict[str, str], questions: frozenset[Question] = WEIGHTS) -> list[Observation]:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return analyze([str(folder / name) for name in texts], questions=questions, jobs=1)


def test_a_class_is_constructed_once_for_all_who_ask_for_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Defined] = []

    def counted(project: Project, cls: Defined) -> Construction:
        made.append(cls)
        return construct(project, cls)

    monkeypatch.setattr(weight_uses, "construct", counted)
    (seen,) = observed(tmp_path, {"net.py": NET})
    assert {type(fact).__name__ for fact in seen.facts} == {"ConstantWeights", "WeightUse"}
    assert [cls.definition.name for cls in made] == ["Net"]


@pytest.mark.parametrize(
    ("product", "made"),
    [
        ("(x @ x.t()) * self.a", False),
        ("torch.matmul(self.norm(x), x) + self.a", False),
        ("x @ self.a", True),
        ("torch.einsum('bi,ij->bj', x, self.a)", True),
        ("self.a.t().matmul(x)", True),
    ],
)
def test_a_class_is_constructed_only_where_it_multiplies_by_an_attribute(
    product: str, made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constructed: list[Defined] = []
    monkeypatch.setattr(
        weight_uses, "construct", lambda project, cls: constructed.append(cls) or construct(project, cls)
    )
    observed(tmp_path, {"net.py": NET.replace("x @ self.a + x @ self.b", product)})
    assert bool(constructed) is made


def test_weights_of_programs_that_are_too_long_to_follow_are_not_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert observed(tmp_path, {"net.py": NET})
    monkeypatch.setattr(verdict, "STEPS_TO_A_WRITER", 3)
    assert not observed(tmp_path, {"net.py": NET})


@pytest.mark.parametrize(("result", "follows"), [("self.act(self.fc(x))", True), ("self.fc(self.act(x))", False)])
def test_programs_are_followed_for_chains_only_where_a_forward_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str, follows: bool
) -> None:
    followed: list[str] = []
    monkeypatch.setattr(chains, "initialize", lambda made: followed.append(made.cls.definition.name))
    seen = observed(tmp_path, {"net.py": CHAIN.format(result=result)}, frozenset({Question(Chain.__name__)}))
    assert bool(followed) is follows is bool(seen)


def test_what_a_file_shows_does_not_depend_on_which_texts_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "net.py": NET,
        "other.py": NET.replace("nn.Module", "Net").replace("import nn", "import nn\nfrom net import Net"),
    }
    kept = observed(tmp_path, texts)
    monkeypatch.setattr(modules, "AWAKE", 0)
    assert observed(tmp_path, texts) == kept


TABLES = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.a = nn.Embedding(n, 4, padding_idx=0)
        self.b = nn.Embedding(n, 4, padding_idx=0)
        self.c = nn.Embedding(n, 4, padding_idx=0)
        nn.init.normal_(self.a.weight)
        nn.init.normal_(self.b.weight)
        nn.init.normal_(self.c.weight)
"""


def test_a_project_is_searched_once_for_all_draws_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    search = embedding_writes._zeroing

    def counted(reader: MadeLayers) -> Iterator[Place]:
        searched.append(reader.module.filename)
        return search(reader)

    monkeypatch.setattr(embedding_writes, "_zeroing", counted)
    (seen,) = observed(tmp_path, {"net.py": TABLES}, frozenset({Question("EmbeddingWrite")}))
    assert len(seen.facts) == 3
    assert len(searched) == 1


HELD = """
class {0}(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.net = Net(n, n)
        self.apply(self.start_weights)

    def start_weights(self, m):
        if isinstance(m, Net):
            nn.init.normal_(m.{1})
"""


def test_what_models_leave_raw_is_followed_once_for_all_who_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Defined] = []

    def counted(project: Project, cls: Defined) -> Construction:
        made.append(cls)
        return construct(project, cls)

    monkeypatch.setattr(verdict, "construct", counted)
    raw = NET.partition("def main")[0].replace("torch.randn", "torch.empty").replace("torch.ones", "torch.empty")
    other = HELD.format("Other", "a").partition("        self.apply")[0]
    text = raw + HELD.format("First", "a") + HELD.format("Second", "b") + other
    (seen,) = observed(tmp_path, {"net.py": text}, frozenset({Question("ParameterTimeline")}))
    assert {each.name: each.gap for each in seen.parameters} == {
        "a": "`First` initializes it, `Other` does not",
        "b": "`Second` initializes it, `Other` does not",
    }
    assert len(made) == 1
