"""An object of the project that is given a tensor reads it, or may write it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

SAMPLER = """
from others import start

class Sampler(nn.Module):
    def __init__(self, mu, scale=1.0):
        super().__init__()
        self.mu = mu
        self.scale = scale

    def sample(self):
        return self.mu + self.scale * torch.randn(self.mu.shape, device=self.mu.device)
"""
LAYER = """
class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self._weight = nn.Parameter(torch.empty(n, n))
        self.sampler = Sampler(self._weight)

    def forward(self, x):
        return x @ self.sampler.sample()
"""


@pytest.mark.parametrize(
    "sampler",
    [
        SAMPLER,
        SAMPLER.replace("(nn.Module)", "").replace("        super().__init__()\n", ""),
        SAMPLER + "    def penalty(self):\n        return torch.sum(torch.log(self.mu)) + self.mu.norm()\n",
        SAMPLER.replace("self.mu = mu", "self.mu = [mu][0]")
        + "    def __call__(self):\n        return self.sample()\n",
    ],
)
def test_what_only_reads_a_tensor_leaves_it_raw(sampler: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=sampler + LAYER) == {"_weight"}


@pytest.mark.parametrize(
    ("sampler", "layer"),
    [
        (SAMPLER.replace("self.mu = mu", "self.mu = nn.init.normal_(mu)"), LAYER),
        (SAMPLER.replace("self.mu = mu", "self.mu = mu\n        start(mu)"), LAYER),
        (SAMPLER + "    def reset(self):\n        self.mu.data.normal_()\n", LAYER),
        (SAMPLER + "    def reset(self):\n        start(self.mu)\n", LAYER),
        (SAMPLER + "    def reset(self):\n        start(weight=[self])\n", LAYER),
        (SAMPLER.replace("Sampler(nn.Module)", "Sampler(Unknown)"), LAYER),
        (SAMPLER, LAYER.replace("(self._weight)", "(self._weight)\n        nn.init.normal_(self.sampler.mu)")),
        (SAMPLER, LAYER + "\n    def reset(self):\n        self.sampler.mu.data.normal_()\n"),
        (SAMPLER, LAYER + "\ndef visit(m):\n    if isinstance(m, Sampler):\n        m.mu.data.normal_()\n"),
        (SAMPLER + "    def part(self):\n        return Sampler(self.mu[0])\n", LAYER),
    ],
)
def test_nothing_is_said_where_it_may_be_written(sampler: str, layer: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=sampler + layer) == set()


PART = """
class Part(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))

    def forward(self, x):
        return x @ self.weight

class Careful(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.part = Part(n)
        self.{method}()

    def {method}(self):
        nn.init.normal_(self.part.weight)

    def forward(self, x):
        return self.part(x)
"""
OTHER = """
class Other(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.inner = Part(n)

    def forward(self, x):
        return self.inner(x)
"""


WALKING = PART.replace(
    "nn.init.normal_(self.part.weight)",
    "for m in self.modules():\n            if isinstance(m, Part):\n                nn.init.normal_(m.weight)",
)
APPLYING = PART.replace("self.{method}()", "self.apply(self.{method})").replace("{method}(self):", "{method}(self, m):")
APPLYING = APPLYING.replace("nn.init.normal_(self.part", "if isinstance(m, Part):\n            nn.init.normal_(m")


@pytest.mark.parametrize("text", [PART, WALKING, APPLYING])
@pytest.mark.parametrize("method", ["reset_parameters", "start", "_init_weights"])
@pytest.mark.parametrize(
    ("other", "name"), [(OTHER, "Other"), (OTHER + OTHER.replace("Other", "Last").replace("Part", "Other"), "Last")]
)
def test_what_only_one_of_its_holders_initializes_is_told_with_the_one_that_does_not(
    text: str, method: str, other: str, name: str, decided: Callable[..., dict[str, tuple[str, str | None]]]
) -> None:
    found = decided(net=text.format(method=method) + other)
    assert found == {"weight": ("partial", f"`Careful` initializes it, `{name}` does not")}


@pytest.mark.parametrize(
    "other",
    [
        "",
        OTHER.replace("Other(nn.Module)", "Other(Careful)"),
        OTHER.replace("self.inner = Part(n)", "self.inner = Careful(n)"),
        OTHER.replace("self.inner = Part(n)", "self.inner = Part(n)\n        nn.init.zeros_(self.inner.weight)"),
        OTHER.replace("Other(nn.Module)", "Other(Unknown)"),
    ],
)
def test_holders_that_initialize_it_too_leave_nothing_to_say(other: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=PART.format(method="reset_parameters") + other) == set()


LINES = ["self.a = nn.Parameter(torch.empty(n))", "self.b = nn.Parameter(torch.empty(n))"]
LINES += ["self.c = nn.Parameter(torch.empty(n))", "self.d = nn.Parameter(torch.empty(n))"]
SEVERAL = """
class Part(nn.Module):
    def __init__(self, n):
        super().__init__()
        {lines}

    def forward(self, x):
        return x * self.a + self.b + self.c + self.d

class First(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.part = Part(n)
        self.apply(self._init_weights)

    def _init_weights(self, m):
        if isinstance(m, Part):
            nn.init.normal_(m.a)
            nn.init.normal_(m.c)

class Second(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.part = Part(n)
        self.apply(self._start_weights)

    def _start_weights(self, m):
        if isinstance(m, Part):
            nn.init.normal_(m.b)

class Other(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.inner = Part(n)

    def forward(self, x):
        return self.inner(x)
"""


def test_the_order_of_parameters_changes_no_verdict(
    decided: Callable[..., dict[str, tuple[str, str | None]]],
) -> None:
    found = [decided(net=SEVERAL.format(lines="\n        ".join(lines))) for lines in itertools.permutations(LINES)]
    assert found[0]["a"] == ("partial", "`First` initializes it, `Other` does not")
    assert found[0]["b"] == ("partial", "`Second` initializes it, `Other` does not")
    assert all(each == found[0] for each in found)


STACK = """
from cells import Cell, Other

class Stack(nn.Module):
    def __init__(self, kind, count=2):
        super().__init__()
        self.count = count
        for i in range(count):
            setattr(self, f"cell_{i}", kind())
        for i in range(count):
            getattr(self, f"cell_{i}").reset_parameters()

    def forward(self, x):
        for i in range(self.count):
            cell = getattr(self, f"cell_{i}")
            x = cell(x, None) if isinstance(cell, Cell) else cell(x)
        return x
"""
CELLS = """
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 3))

    def reset_parameters(self):
        nn.init.eye_(self.weight)

    def forward(self, x, state):
        return x @ self.weight

class Other(nn.Linear):
    def __init__(self):
        super().__init__(3, 3)
"""


def test_a_model_that_is_given_another_class_of_layers_does_not_hold_this_one(
    unwritten: Callable[..., set[str]],
) -> None:
    train = (
        "from cells import Cell, Other\nfrom stack import Stack\nif len(sys.argv) > 1:\n    net = Stack(kind=Cell)\n"
    )
    train += "else:\n    net = Stack(kind=Other)\nnet(torch.ones(2, 3)).sum().backward()\n"
    assert not unwritten(cells=CELLS, stack=STACK, train=f"import sys\n{train}")
