"""Parameters of which numbers along several dimensions select what is written: all cells, or only some."""

from __future__ import annotations

from collections.abc import Callable

import pytest

NET = """
class Net(nn.Module):
    def __init__(self, n, k=2):
        super().__init__()
        self.w = nn.Parameter(torch.empty({shape}))
        with torch.no_grad():
            {writes}

    def forward(self, x):
        return x @ self.w
"""


@pytest.mark.parametrize(
    ("shape", "writes"),
    [
        ("(n, 2, 2)", ["self.w[:, 0, 0] = 0.7", "self.w[:, 1, 1] = 0.7"]),
        ("2, 2, n", ["self.w[0, 0].fill_(1)", "nn.init.ones_(self.w[1, 1])"]),
        ("n, 3, 3", ["self.w.data[:, 0, 0] = 1", "self.w.data[:, 1, 1] = 1", "self.w.data[:, -1, -1] = 1"]),
        ("(2, n, 2)", ["self.w[0, :, 0] = 1", "self.w[0, :, 1] = 1", "self.w[1, :, 0] = 1", "self.w[1, :, -2] = 1"]),
        ("(n, 2, 2)", ["self.w[:, 0, 0] = 1"]),
    ],
)
def test_some_cells_are_not_all(shape: str, writes: list[str], decided: Callable[..., dict[str, object]]) -> None:
    text = NET.format(shape=shape, writes="\n            ".join(writes))
    assert [each[0] for each in decided(net=text).values() if isinstance(each, tuple)] == ["partial"]


@pytest.mark.parametrize(
    ("shape", "writes"),
    [
        ("(n, 2, 2)", [f"self.w[:, {i}, {j}] = {i * j}" for i in (0, 1) for j in (0, 1)]),
        ("(n, 2, 2)", [f"self.w[:, {i}, {j}] = 0.5" for i in (0, -1) for j in (-2, 1)]),
        ("(n, 2, 2)", ["self.w.zero_()", "self.w[:, 0, 0] = 0.7", "self.w[:, 1, 1] = 0.7"]),
        ("(n, 2, 2)", ["self.w[:, 0, 0] = 0.7", "self.w[:, 1, 1] = 0.7", "self.w[:, 0, 1] = self.w[:, 1, 0] = 0"]),
        ("2, 1, n", ["self.w[0, 0] = 1", "self.w[1, 0] = 2"]),
        ("(n, 2, 2)", ["self.w[:, 0] = 1", "self.w[:, 1, 0] = 1", "self.w[:, 1, 1] = 1"]),
        ("(n, 2, 2)", ["for i in (0, 1):", "    for j in (0, 1):", "        self.w[:, i, j] = i - j"]),
        ("(n, 2, 2)", ["self.w[..., 0, 0] = 1", "self.w[..., 1, 1] = 1"]),
    ],
)
def test_all_cells_or_unknown_ones_are_enough(
    shape: str, writes: list[str], unwritten: Callable[..., set[str]]
) -> None:
    assert unwritten(net=NET.format(shape=shape, writes="\n            ".join(writes))) == set()


BASE = """
class Base(nn.Module):
    def __init__(self, n, full=False):
        super().__init__()
        self.w = nn.Parameter(torch.empty(n, 2, 2))
        with torch.no_grad():
            self.w[:, 0, 0] = 1
            self.w[:, 1, 1] = 1
            if full:
                self.w[:, 0, 1] = 0
                self.w[:, 1, 0] = 0

    def forward(self, x):
        return x @ self.w

"""


@pytest.mark.parametrize(
    "subclass",
    [
        "class Net(Base):\n    pass\n",
        "class Net(Base):\n    def __init__(self, n):\n        super().__init__(n)\n        self.n = n\n",
        "class Net(Base):\n    def extra_repr(self):\n        return 'net'\n",
    ],
)
def test_a_subclass_that_writes_no_more_changes_nothing(subclass: str, unwritten: Callable[..., set[str]]) -> None:
    short = BASE.replace(
        "            if full:\n                self.w[:, 0, 1] = 0\n                self.w[:, 1, 0] = 0\n", ""
    )
    assert unwritten(net=f"{short}\n{subclass}") == {"w"}


@pytest.mark.parametrize(
    "subclass",
    [
        "class Net(Base):\n    def __init__(self, n):\n        super().__init__(n, full=True)\n",
        "class Net(Base):\n    def __init__(self, n):\n        super().__init__(n)\n        nn.init.ones_(self.w)\n",
        "class Net(Base):\n    def __init__(self, n):\n        super().__init__(n)\n        draw(self)\n",
    ],
)
def test_a_subclass_may_write_the_rest(subclass: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=f"from elsewhere import draw\n{BASE}\n{subclass}") == set()
