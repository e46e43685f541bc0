"""Bases that cannot be read: what stands behind nn.Module never runs while an object is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

HEAD = "from abc import ABC\nfrom elsewhere import Cites\n\n"
BODY = """
    def __init__(self, n):
        super().__init__()
        self.w = nn.Parameter(torch.empty(n, n))
        {rest}

    def forward(self, x):
        return x @ self.w

"""


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("class Own(Cites):\n    pass\n\n\nclass Net(nn.Module, Own):{body}", "self.n = n"),
        ("class Net(nn.Module, Cites):{body}", "self.register_buffer('b', torch.zeros(3))"),
        ("class Net(torch.nn.Module, ABC, Cites):{body}", "self.to('cpu')"),
        ("class Net(nn.Module, Cites):{body}\n    def size(self):\n        return 3\n", "self.n = self.size()"),
        (
            "class Base(nn.Module, Cites):\n    pass\n\n\nclass Net(Base):{body}",
            "self.f = nn.ReLU(); self.f(1)",
        ),
        (
            "class Part(nn.Module):{body}\n\nclass Net(nn.Module, Cites):\n    def __init__(self):\n"
            "        super().__init__()\n        self.part = Part(3)\n\n    def forward(self, x):\n"
            "        return self.part(x)\n",
            "self.n = n",
        ),
    ],
)
def test_a_base_behind_module_writes_nothing(text: str, rest: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=HEAD + text.format(body=BODY.format(rest=rest))) == {"w"}


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("class Net(Cites, nn.Module):{body}", "self.n = n"),
        ("class Own(Cites):\n    pass\n\n\nclass Net(Own, nn.Module):{body}", "self.n = n"),
        ("class Net(nn.Module, Cites):{body}", "self.draw()"),
        ("class Net(nn.Module, Cites):{body}", "Cites.__init__(self)"),
        ("class Base(nn.Module):\n    pass\n\n\nclass Net(Base, Cites):{body}", "self.n = n"),
        ("class Net(nn.Module, Cites):\n    call_super_init = True\n{body}", "self.n = n"),
    ],
)
def test_any_other_base_may(text: str, rest: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=HEAD + text.format(body=BODY.format(rest=rest))) == set()
