"""Methods of torch's layers that a class runs on itself: by their class, or under a name of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CLASS = """
class Base(nn.Module):
    def reset_parameters(self):
        pass

    def start(self):
        pass


def fill(self):
    nn.init.xavier_uniform_(self.weight)


class Layer({base}):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
        {call}

    {body}
"""
RESETS = {
    "by its class": "def reset_parameters(self):\n        nn.Linear.reset_parameters(self)",
    "by its full name": "def reset_parameters(self):\n        torch.nn.modules.linear.Linear.reset_parameters(self)",
    "under its name": "reset_parameters = nn.Linear.reset_parameters",
    "with a mark": "reset_parameters = torch.jit.unused(nn.Linear.reset_parameters)",
    "a function of the file": "reset_parameters = fill",
    "with two marks": "reset_parameters = torch.jit.ignore(torch.jit.unused(fill))",
}


@pytest.mark.parametrize("base", ["nn.Module", "Base"])
@pytest.mark.parametrize("reset", RESETS)
def test_a_reset_of_another_layer_writes_the_weight(base: str, reset: str, unwritten: Callable[..., set[str]]) -> None:
    text = CLASS.format(base=base, call="self.reset_parameters()", body=RESETS[reset])
    assert unwritten(layer=text) == set()


@pytest.mark.parametrize(
    "body",
    [
        "reset_parameters = Base.reset_parameters",
        "start = nn.Linear.reset_parameters",
        "def reset_parameters(self):\n        nn.Linear.extra_repr(self)",
        "def reset_parameters(self):\n        nn.Module.eval(self)",
        "norm = nn.LayerNorm",
    ],
)
def test_what_writes_nothing_leaves_the_weight_raw(body: str, unwritten: Callable[..., set[str]]) -> None:
    text = CLASS.format(base="Base", call="self.reset_parameters()", body=body)
    assert unwritten(layer=text) == {"weight"}


@pytest.mark.parametrize(("body", "left"), [("pass", set()), ("def reset_parameters(self):\n        pass", {"weight"})])
def test_what_is_nearest_runs(body: str, left: set[str], unwritten: Callable[..., set[str]]) -> None:
    given = "\n\nclass Given(nn.Module):\n    reset_parameters = fill\n\n\nclass Layer"
    text = CLASS.format(base="Given", call="self.reset_parameters()", body=body).replace("\n\nclass Layer", given)
    assert unwritten(layer=text) == left
