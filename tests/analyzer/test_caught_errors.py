"""An initializer that raises for a vector writes nothing, and code around it that catches the error goes on."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

LAYER = """
import contextlib

class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, 4))
        self.bias = nn.Parameter(torch.empty(n, ))
        for p in self.parameters():
"""


@pytest.mark.parametrize(
    "body",
    [
        "with contextlib.suppress(ValueError): nn.init.xavier_uniform_(p)",
        "try: nn.init.orthogonal_(p)\nexcept ValueError: pass",
        "try: nn.init.kaiming_normal_(p.data)\nexcept Exception: print(p)",
    ],
)
def test_a_vector_stays_raw(body: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=LAYER + textwrap.indent(body, " " * 12)) == {"bias"}


@pytest.mark.parametrize(
    "body",
    [
        "try: nn.init.xavier_uniform_(p)\nexcept ValueError: p.data.zero_()",
        "with contextlib.suppress(ValueError): nn.init.normal_(p)",
        "nn.init.zeros_(p)\nwith contextlib.suppress(ValueError): nn.init.xavier_uniform_(p)",
    ],
)
def test_a_vector_that_something_else_writes_does_not(body: str, unwritten: Callable[..., set[str]]) -> None:
    assert not unwritten(layer=LAYER + textwrap.indent(body, " " * 12))


MODE = """
class Layer(nn.Module):
    def __init__(self, training=True):
        super().__init__()
        {}
        self.weight = nn.Parameter(torch.empty(3, 4))
        self.reset_parameters()

    def reset_parameters(self):
        if {}:
            nn.init.normal_(self.weight)
"""


def test_a_module_is_in_training_mode_while_it_is_constructed(unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=MODE.format("pass", "not self.training")) == {"weight"}
    assert not unwritten(layer=MODE.format("pass", "self.training"))
