"""Initializers for layers that are given a model, of which every test fails; names of parameters that are not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.observation import Observation
from initaudit.subjects.files import UndefinedName
from initaudit.subjects.lost_writes import HelperCall

NET = """
{top}

class Net({base}):
    def __init__(self, n):
        super().__init__({given})
        self.embed = nn.Embedding(n, n)
        self.lin = nn.Linear(n, n)
        {call}

    def forward(self, x):
        return self.lin(self.embed(x))

    def set_up(self, m):
        if isinstance(m, nn.Linear):
            nn.init.zeros_(m.bias)

    def walk(self, m):
        for each in self.modules():
            if isinstance(each, nn.Linear):
                nn.init.zeros_(each.bias)
"""
INIT = (
    "def init_weights(module):\n    if isinstance(module, (nn.Linear, nn.Embedding)):\n"
    "        nn.init.normal_(module.weight, std=0.02)\n    elif isinstance(module, nn.LayerNorm):\n        {more}\n"
)
ONE = INIT.format(more="module.bias.data.zero_()")
RECURSIVE = ONE + "    for child in module.children():\n        init_weights(child)\n"
OWN = (
    "class Head(nn.Module):\n    pass\n\ndef init_head(m, std=0.02):\n"
    "    if isinstance(m, Head) and std > 0:\n        m.w.data.normal_(0, std)\n"
)
ATTRIBUTE = ONE.replace("isinstance(module, nn.LayerNorm)", "hasattr(module, 'lin')")
WITH_NET = ONE.replace("(nn.Linear, nn.Embedding)", "(nn.Linear, Net)")
ELSE = ONE + "    else:\n        module.lin.weight.data.normal_()\n"


def told(
    analyzed: Callable[..., dict[str, Observation]], top: str, call: str, base: str = "nn.Module", given: str = ""
) -> list[str]:
    seen = analyzed(net=NET.format(top=top, call=call, base=base, given=given))["net"]
    return [each.argument for each in seen.facts if isinstance(each, HelperCall)]


@pytest.mark.parametrize(
    ("top", "call"),
    [
        (ONE, "init_weights(self)"),
        (OWN, "init_head(self, std=0.1)"),
        ("", "self.set_up(self)"),
        (ONE.replace("def init_weights", "def _init_weights"), "_init_weights(self)"),
    ],
)
def test_an_initializer_for_layers_that_is_given_a_model_does_nothing(
    top: str, call: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    expected = [] if "set_up" in call else ["self"]  # only a name with `init` says that it initializes
    assert told(analyzed, top, call) == expected


@pytest.mark.parametrize(
    ("top", "call", "base", "given"),
    [
        (ONE, "self.apply(init_weights)", "nn.Module", ""),
        (ONE, "init_weights(self.lin)", "nn.Module", ""),
        (ONE, "init_weights(self)", "nn.Linear", "n, n"),
        (RECURSIVE, "init_weights(self)", "nn.Module", ""),
        (ELSE, "init_weights(self)", "nn.Module", ""),
        (ONE, "init_weights(self)", "unknown.Base", ""),
        (
            ONE.replace("isinstance(module, nn.LayerNorm)", "hasattr(module, 'lin')"),
            "init_weights(self)",
            "nn.Module",
            "",
        ),
        (ONE.replace("(nn.Linear, nn.Embedding)", "nn.Module"), "init_weights(self)", "nn.Module", ""),
        (ONE.replace("(nn.Linear, nn.Embedding)", "KINDS"), "init_weights(self)", "nn.Module", ""),
        ("", "self.walk(self)", "nn.Module", ""),
        (
            "class Sub:\n    pass\n" + ONE.replace("(nn.Linear, nn.Embedding)", "(nn.Linear, Net)"),
            "init_weights(self)",
            "nn.Module",
            "",
        ),
    ],
)
def test_one_that_may_do_something_is_not_reported(
    top: str, call: str, base: str, given: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    assert told(analyzed, top, call, base, given) == []


UNDEFINED = [
    ("self.w = Hyperbolic_Parameter(sizes=n)", "Hyperbolic_Parameter"),
    ("self.w, self.b = nn.Parameter(torch.ones(n)), Parameter(torch.zeros(n))", "Parameter"),
    ("self.register_parameter('w', NoisyParameter(n))", "NoisyParameter"),
]
DEFINED = [
    ("from other import Parameter", "self.w = Parameter(torch.zeros(n))"),
    ("from other import *", "self.w = Parameter(torch.zeros(n))"),
    ("def Parameter(n):\n    return nn.Parameter(n)", "self.w = Parameter(torch.zeros(n))"),
    ("", "from other import Parameter\n        self.w = Parameter(torch.zeros(n))"),
    ("try:\n    from other import Parameter\nexcept ImportError:\n    pass", "self.w = Parameter(torch.zeros(n))"),
]


@pytest.mark.parametrize(("call", "name"), UNDEFINED)
def test_a_parameter_that_is_made_by_a_name_that_is_not_there(
    call: str, name: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(net=NET.format(top="", call=call, base="nn.Module", given=""))["net"]
    assert [each.name for each in seen.facts if isinstance(each, UndefinedName)] == [name]


@pytest.mark.parametrize(("top", "call"), DEFINED)
def test_a_parameter_that_is_made_by_a_name_that_may_be_there(
    top: str, call: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(net=NET.format(top=top, call=call, base="nn.Module", given=""))["net"]
    assert [each.name for each in seen.facts if isinstance(each, UndefinedName)] == []
