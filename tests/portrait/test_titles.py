"""Models and places are named as a person would name them."""

from __future__ import annotations

import pytest

from initaudit.finding import Place
from initaudit.portrait.titles import place_in_words, title_of_all


def relative(path: str) -> str:
    return path.removeprefix("/work/project/")


@pytest.mark.parametrize(
    ("targets", "title"),
    [
        (["net.py:Net"], "Net in net.py"),
        (["package.module:build"], "build in package.module"),
        (["/work/project/src/net.py:Net"], "Net in src/net.py"),
        (["/elsewhere/net.py:Net"], "Net in /elsewhere/net.py"),
        (["hf:llama"], "llama from transformers"),
        (["timm:resnet50"], "resnet50 from timm"),
        (["net.py:A", "net.py:B"], "A and B in net.py"),
        (["net.py:A", "net.py:B", "net.py:C"], "A, B and C in net.py"),
        (["a.py:A", "hf:bert"], "A in a.py and bert from transformers"),
        (["a.py:A"] * 4, "4 models"),
        ([], "0 models"),
        (["no target"], "no target"),
    ],
)
def test_a_title_names_the_models_and_where_they_are_from(targets: list[str], title: str) -> None:
    assert str(title_of_all(targets, relative)) == title


def test_a_place_is_named_with_its_line() -> None:
    assert place_in_words(Place("/work/project/a.py", 3, 1, 3, 2), relative) == "a.py, line\xa03"
    assert place_in_words(Place("a.ipynb", 3, 1, 3, 2, cell=2), relative) == "a.ipynb, cell 2, line\xa03"
