"""What initializers draw for embeddings and normalizations is told only where the type of the layer is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initaudit.analyzer import analyze
from initaudit.engine import Judge
from initaudit.finding import Observer
from initaudit.rules import catalogue, questions
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


BY_DEFAULT = """
    def weights(model, mean=0.0, std=0.02):
        for m in model.modules():
            if isinstance(m, (nn.Linear, nn.BatchNorm2d)):
                m.weight.data.normal_(mean, std)

    {use}
"""
AS_METHOD = """
    class Trainer:
        def __init__(self, net):
            {use}

        def weights(self, model, mean=0.0):
            for m in model.modules():
                if isinstance(m, nn.BatchNorm2d):
                    nn.init.normal_(m.weight, mean=mean)
"""


@pytest.mark.parametrize(
    ("source", "use", "mean"),
    [
        (BY_DEFAULT, "weights(net)", 0.0),
        (BY_DEFAULT, "weights(net, std=0.1)", 0.0),
        (BY_DEFAULT, "net.apply(weights)", 0.0),
        (BY_DEFAULT, "net.apply(functools.partial(weights, std=0.1))", 0.0),
        (BY_DEFAULT, "net.apply(functools.partial(weights, mean=1.0))", None),
        (BY_DEFAULT, "weights(net, 1.0)", None),
        (BY_DEFAULT, "weights(net, mean=1.0)", None),
        (BY_DEFAULT, "weights(net, *given)", None),
        (BY_DEFAULT, "weights(net, **given)", None),
        (BY_DEFAULT, "print(weights)", 0.0),
        (BY_DEFAULT, "", None),
        (BY_DEFAULT.replace("for m", "mean = 1 - mean\n        for m"), "weights(net)", None),
        (AS_METHOD, "self.weights(net)", 0.0),
        (AS_METHOD, "self.weights(net, 1.0)", None),
    ],
)
def test_the_default_of_an_argument_is_the_mean_where_a_call_leaves_it(
    analyzed: Analysis, source: str, use: str, mean: float | None
) -> None:
    (fact,) = facts(analyzed(net=source.format(use=use)), "net", GainDraw)
    assert fact.mean == mean


UNUSED = """
    def weights(m):
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.normal_(0, 0.02)
"""
TRAIN = "from nets.other import Net\nmodel = Net()\nfor _ in range(9):\n    model.fit()\n"


@pytest.mark.parametrize(
    ("train", "unused"),
    [
        (TRAIN, True),
        (
            "def main():\n    from nets.other import Net\n    Net().eval()\n\nif __name__ == '__main__':\n    main()\n",
            True,
        ),
        ("import nets.other\nmodel = nets.other.Net()\nprint(model)\n", True),
        (TRAIN.replace("import Net", "import Net, weights"), False),
        (TRAIN + "from nets.layers import weights\nmodel.apply(weights)\n", False),
        (TRAIN + "getattr(nets, name)(model)\n", True),
        ("class Net(nn.Module):\n    pass\n", False),
    ],
)
@pytest.mark.parametrize("package", [False, True])
def test_a_function_of_an_application_is_unused_where_nothing_names_it(
    analyzed: Analysis, train: str, unused: bool, package: bool, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    files = {"nets/layers": UNUSED, "nets/other": "class Net(nn.Module):\n    pass\n", "train": train}
    files |= {"nets/__init__": ""} if package else {}
    assert facts(analyzed(**files), "layers", GainDraw)
    names = [str(tmp_path / f"{name}.py") for name in files]
    asked = questions(catalogue().values(), Observer.ANALYZER)
    seen = {Path(one.source).stem: one for one in analyze(names, questions=asked, jobs=1, judge=Judge())}
    assert bool(seen["layers"].unreached) is unused
