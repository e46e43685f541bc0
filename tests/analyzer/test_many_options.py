"""Constructors with many options: what the allocation itself asks for is known of every path on which it exists."""

from __future__ import annotations

from collections.abc import Callable

import pytest

NET = """
class Net(nn.Module):
    def __init__(self, n, kdim=None, start=None, bias=True, a=1, b=1, c=1, d=1, e=1, f=1, g=1, norm=None):
        super().__init__()
        if a <= 0 or b <= 0 or c <= 0 or d <= 0:
            raise ValueError
        if e <= 0 or f <= 0 or g <= 0:
            raise ValueError
        if norm is None:
            self.norm = None
        elif isinstance(norm, str):
            self.norm = nn.LayerNorm(n)
        elif callable(norm):
            self.norm = norm(n)
        else:
            raise NotImplementedError
        self.kdim = kdim if kdim is not None else n
        self.same = self.kdim == n
        self.start = start
        self.p = nn.Parameter(torch.empty(n, n))
{rest}

    def forward(self, x):
        return x @ self.p + self.q
"""
MADE = """
if not self.same:
    self.q = nn.Parameter(torch.empty(n, self.kdim))
    self.register_parameter("r", None)
else:
    self.register_parameter("q", None)
    self.r = nn.Parameter(torch.empty(n, n))
"""
GIVEN = """
if bias:
    self.q = nn.Parameter(torch.empty(n, n))
    if start is not None:
        self.q.data = start
"""


def net(made: str, writes: str) -> str:
    lines = [*made.strip().splitlines(), *writes.strip().splitlines()]
    return NET.format(rest="\n".join(f"        {line}" for line in lines))


@pytest.mark.parametrize(
    ("made", "writes"),
    [
        (MADE, "nn.init.ones_(self.p)\nif self.same:\n    nn.init.ones_(self.r)"),
        (MADE, "nn.init.ones_(self.p)\nif self.r is not None:\n    nn.init.ones_(self.r)\nelse:\n    pass"),
        (GIVEN, "nn.init.ones_(self.p)"),
        ("self.q = nn.Parameter(torch.empty(n)) if bias else None", "nn.init.ones_(self.p)"),
    ],
)
def test_what_no_path_writes_is_told_whatever_the_options(
    made: str, writes: str, unwritten: Callable[..., set[str]]
) -> None:
    assert unwritten(net=net(made, writes)) == {"q"}


@pytest.mark.parametrize(
    ("made", "writes"),
    [
        (MADE, "nn.init.ones_(self.p)\nif self.same:\n    nn.init.ones_(self.r)\nelse:\n    nn.init.ones_(self.q)"),
        (MADE, "for each in (self.p, self.q, self.r):\n    if each is not None:\n        nn.init.ones_(each)"),
        (GIVEN, "nn.init.ones_(self.p)\nif bias and start is None:\n    nn.init.ones_(self.q)"),
        (GIVEN, "nn.init.ones_(self.p)\nif bias:\n    nn.init.ones_(self.q)"),
        (
            "self.q = nn.Parameter(torch.empty(n)) if bias else None",
            "for each in self.parameters():\n    nn.init.ones_(each)",
        ),
    ],
)
def test_what_every_path_writes_that_has_it_is_written(
    made: str, writes: str, unwritten: Callable[..., set[str]]
) -> None:
    assert unwritten(net=net(made, writes)) == set()
