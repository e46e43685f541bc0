"""What initializers draw for embeddings and normalizations is told only where the type of the layer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from initaudit.subjects.layers import EmbeddingWrite, GainDraw

Analysis = Callable[..., dict[str, Any]]

NORM = """
    class RootNorm(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.gamma = nn.Parameter(torch.{start}(n))
"""
DRAW = """
    from layers import RootNorm

    def init_weights(module):
        if isinstance(module, RootNorm):
            nn.init.normal_(module.gamma, std=0.02)
"""
PADDED = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(9, 4, padding_idx=0)
            self.places = nn.Embedding(9, 4)
"""


def facts(seen: dict[str, Any], name: str, kind: type) -> list[Any]:
    """What is said of a file, about which there may be nothing to say."""
    return [fact for fact in seen[name].facts if isinstance(fact, kind)] if name in seen else []


@pytest.mark.parametrize(("start", "count"), [("ones", 1), ("zeros", 0)])
def test_a_normalization_of_another_file_is_known_by_what_its_gain_starts_at(
    analyzed: Analysis, start: str, count: int
) -> None:
    seen = analyzed(layers=NORM.format(start=start), net=DRAW)
    assert [(fact.layer, fact.parameter) for fact in facts(seen, "net", GainDraw)] == [
        ("layers.RootNorm", "gamma")
    ] * count


def test_a_draw_for_any_embedding_reaches_padding_rows_of_its_file_only(analyzed: Analysis) -> None:
    draw = """
    def init_weights(module):
        if isinstance(module, nn.Embedding):
            module.weight.data.normal_()
    """
    seen = analyzed(net=PADDED + draw, other=draw)
    assert len(facts(seen, "net", EmbeddingWrite)) == 1
    assert facts(seen, "other", EmbeddingWrite) == []


@pytest.mark.parametrize(("owner", "count"), [("words", 1), ("places", 0)])
def test_an_embedding_is_known_by_its_name_in_another_object(analyzed: Analysis, owner: str, count: int) -> None:
    draw = f"""
    def init_weights(module):
        nn.init.normal_(module.{owner}.weight)
    """
    assert len(facts(analyzed(net=PADDED + draw), "net", EmbeddingWrite)) == count


@pytest.mark.parametrize(
    "care",
    [
        "nn.init.zeros_(module.words.weight[0])",
        "module.words._fill_padding_idx_with_zero()",
        "for table in (module.words,): table.weight.data[table.padding_idx].zero_()",
    ],
)
def test_code_that_speaks_of_rows_or_of_padding_is_silent(analyzed: Analysis, care: str) -> None:
    draw = f"""
    def init_weights(module):
        nn.init.normal_(module.words.weight)
        {care}
    """
    assert facts(analyzed(net=PADDED + draw), "net", EmbeddingWrite) == []


@pytest.mark.parametrize(("care", "count"), [("self.words.weight.data[0].zero_()", 0), ("self.words.weight", 1)])
def test_for_a_table_of_the_object_itself_the_whole_class_is_asked(analyzed: Analysis, care: str, count: int) -> None:
    methods = f"""
        def reset(self):
            nn.init.normal_(self.words.weight)
            self.after()

        def after(self):
            {care}
    """
    assert len(facts(analyzed(net=PADDED + methods), "net", EmbeddingWrite)) == count


@pytest.mark.parametrize(
    ("call", "mean"),
    [
        ("init.normal_(m.weight, 1.0, 0.02)", 1.0),
        ("init.normal_(m.weight, mean=mu)", None),
        ("init.uniform_(m.weight, -bound, bound)", 0.0),
        ("init.uniform_(m.weight)", 0.5),
        ("init.xavier_uniform_(m.weight)", 0.0),
        ("init.trunc_normal_(m.weight, std=0.02)", 0.0),
    ],
)
def test_the_mean_of_a_draw_is_what_its_arguments_say(analyzed: Analysis, call: str, mean: float | None) -> None:
    source = f"""
    def weights(m, mu, bound):
        if isinstance(m, nn.BatchNorm2d):
            nn.{call}
    """
    (fact,) = facts(analyzed(net=source), "net", GainDraw)
    assert fact.mean == mean
