"""Programs that call long functions again and again: what these do not touch takes no steps, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Verdicts = dict[str, tuple[str, str | None]]
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 3))

    def forward(self, x):
        return x @ self.weight

"""
LONG = "    found = x\n" * 1_200
STEPS = "".join(f"    def step{each}(self, x):\n" + "        x = kind_of('a')\n" * 30 for each in range(8))


def program(helper: str, before: str = "", after: str = "") -> str:
    """A class that builds and trains a model, and asks a function often."""
    head = f"{NET}\n{helper}\n\nclass Job:\n    def train(self, x):\n{before}        net = Net()\n{after}"
    return f"{head}        optimizer = torch.optim.SGD(net.parameters(), 0.1)\n        net(x).backward()\n{STEPS}"


@pytest.mark.parametrize(
    "helper",
    [
        f'def kind_of(x):\n    """Tell the kind.\n\n    Parameters\n    ----------\n    """\n{LONG}    return "kind"\n',
        f"def kind_of(x):\n    # a Net asks for it, and nn.Linear would too\n{LONG}    return 'kind'\n",
        f"def kind_of(x):\n    layer = nn.Linear(2, 2)\n{LONG}    return 'kind'\n",
        f"def kind_of(x):\n    if x not in ('a', 'b'):\n        raise ValueError\n    nn.init.calculate_gain('relu')\n"
        f"{LONG}    return 'kind'\n",
    ],
)
def test_what_touches_no_model_is_not_followed_again_and_again(helper: str, decided: Callable[..., Verdicts]) -> None:
    assert decided(net=program(helper)) == {"weight": ("never", None)}


@pytest.mark.parametrize(
    ("helper", "before", "after"),
    [
        # what makes a new object each time
        ("def fresh():\n    return nn.init.normal_\n", "        draw = fresh()\n", "        fresh()(net.weight)\n"),
        # what draws the model that it is given
        (
            "def draw(net=None):\n    if net is not None:\n        nn.init.normal_(net.weight)\n    return 'done'\n",
            "        draw()\n        draw()\n",
            "        draw(net)\n",
        ),
        # what gives the name of the initializer
        (
            "def name():\n    nn.init.calculate_gain('relu')\n    return 'normal_'\n",
            "        name()\n",
            "        getattr(nn.init, name())(net.weight)\n",
        ),
        # what finds the model in a file
        (
            "made = []\n\n\ndef draw():\n    for each in made:\n        nn.init.normal_(each.weight)\n    return 0\n",
            "        draw()\n",
            "        made.append(net)\n        draw()\n",
        ),
        (
            "made = {}\n\n\ndef draw():\n    for each in made.values():\n        nn.init.normal_(each.weight)\n"
            "    return 0\n",
            "        draw()\n",
            "        made['net'] = net\n        draw()\n",
        ),
    ],
)
def test_what_draws_the_model_is(helper: str, before: str, after: str, decided: Callable[..., Verdicts]) -> None:
    text = program(helper + "\ndef kind_of(x):\n    return 'kind'\n", before, after)
    assert decided(net=text).get("weight", ("written", None))[0] in ("written", "unknown")
