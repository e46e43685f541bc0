"""Another way of writing the same code changes no finding, and a comment or a string that speaks of code is none."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from test_mistakes import reported

IMPORTS = "import torch\nfrom torch import nn\nfrom torch.nn import init\n\n\n"


def codes(code: str, folder: Path) -> set[str]:
    """The codes of what is found in some code at warning or above."""
    return {code for _, code in reported(IMPORTS + textwrap.dedent(code), folder)}


# A parameter that a layer is made without, and that something gives it

GIVEN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        {given}
        self.conv.bias.data.fill_(0)

    def forward(self, x):
        return self.conv(x)
"""


@pytest.mark.parametrize(
    "given",
    [
        "self.conv.bias = nn.Parameter(torch.ones(8))",
        "self.conv.bias=nn.Parameter(torch.ones(8))",
        "self.conv.bias: nn.Parameter = nn.Parameter(torch.ones(8))",
        "self.conv.bias, self.n = nn.Parameter(torch.ones(8)), 3",
        "[self.conv.bias] = [nn.Parameter(torch.ones(8))]",
        "self.conv.bias = self.other = nn.Parameter(torch.ones(8))",
        "setattr(self.conv, 'bias', nn.Parameter(torch.ones(8)))",
        "self.conv.register_parameter('bias', nn.Parameter(torch.ones(8)))",
        "self.conv._parameters['bias'] = nn.Parameter(torch.ones(8))",
        "for name in ('weight', 'bias'): setattr(self.conv, name, nn.Parameter(torch.ones(8)))",
        "conv = self.conv; conv.bias = nn.Parameter(torch.ones(8))",
        "for m in self.modules(): m.bias = nn.Parameter(torch.ones(8))",
        "(self\n            .conv\n            .bias) = nn.Parameter(torch.ones(8))",
    ],
)
def test_a_parameter_that_something_gives_a_layer_is_there(given: str, tmp_path: Path) -> None:
    assert "INI315" not in codes(GIVEN.format(given=given), tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        "pass  # self.conv.bias = nn.Parameter(torch.ones(8))",
        "print('self.conv.bias = 3; register_parameter')",
        "self.register_parameter('scale', nn.Parameter(torch.ones(8)))",
        "setattr(self, 'width', 8)",
        "self.norm = nn.Linear(3, 3); self.norm.bias = nn.Parameter(torch.ones(3))",
        "print(self.conv.bias == None)",
    ],
)
def test_what_gives_a_layer_no_parameter_excuses_nothing(given: str, tmp_path: Path) -> None:
    assert "INI315" in codes(GIVEN.format(given=given), tmp_path)


# A function that a file gives `nn.init`, and what torch refuses


@pytest.mark.parametrize(
    "given",
    [
        "init.half_ = lambda w: w.data.fill_(0.5)",
        "init.half_=lambda w: w.data.fill_(0.5)",
        "nn.init.half_: object = lambda w: w.data.fill_(0.5)",
        "setattr(init, 'half_', lambda w: w.data.fill_(0.5))",
        "init.half_, start = print, print",
        "import torch.nn.init as starts\nstarts.half_ = print",
    ],
)
def test_a_function_that_a_file_gives_torch_is_there(given: str, tmp_path: Path) -> None:
    call = "\nlayer = nn.Linear(3, 3)\ninit.half_(layer.weight)\n"
    assert codes(given + call, tmp_path) == set()
    other = given.replace("half_", "full_")
    assert "INI314" in codes(other + call, tmp_path)


@pytest.mark.parametrize("given", ["# init.half_ = 3", "print('init.half_ = 3')", "print(init.half_ == 3)"])
def test_what_only_speaks_of_a_function_gives_torch_none(given: str, tmp_path: Path) -> None:
    assert "INI314" in codes(f"{given}\nlayer = nn.Linear(3, 3)\ninit.half_(layer.weight)\n", tmp_path)


def test_another_file_of_the_project_may_give_torch_a_function(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "patch.py").write_text("import torch\n\ntorch.nn.init.half_ = print\n", encoding="utf-8")
    assert codes("init.half_(nn.Linear(3, 3).weight)\n", tmp_path) == set()
    assert "INI314" in codes("init.third_(nn.Linear(3, 3).weight)\n", tmp_path)


@pytest.mark.parametrize(
    ("raising", "found"),
    [
        ("with pytest.raises(AttributeError):", False),
        ("with pytest . raises (AttributeError):", False),
        ("with self.assertRaises(AttributeError):", False),
        ("if True:  # raises(AttributeError)", True),
        ("with open('it raises(AttributeError)'):", True),
    ],
)
def test_a_test_of_what_torch_refuses_is_told_by_its_calls(raising: str, found: bool, tmp_path: Path) -> None:
    code = f"""
    import pytest

    def test_it(self):
        {raising}
            init.half_(nn.Linear(3, 3).weight)
    """
    assert ("INI314" in codes(code, tmp_path)) is found


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("init.trunc_normal(w)", True),
        ("init.xavier(w)", True),
        ("init.trunc_normal_(w, std=0.02)", False),
        ("init.normal_(w=w)", True),
        ("init.normal_(tensor=w)", False),
        ("init.normal_(w, standard=1)", True),
    ],
)
def test_what_torch_accepts_is_its_signature(call: str, found: bool, tmp_path: Path) -> None:
    assert ("INI314" in codes(f"w = nn.Linear(3, 3).weight\n{call}\n", tmp_path)) is found
