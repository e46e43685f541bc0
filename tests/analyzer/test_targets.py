"""What takes over the state of a model only reads it: targets of reinforcement learning, averages, copies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

NET = """
from copy import deepcopy
from elsewhere import average, fill


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.w = nn.Parameter(torch.empty(n, n))

    def forward(self, x):
        return x @ self.w


class Agent:
    def __init__(self, n, path):
        self.net = Net(n)
{rest}
        self.optimizer = torch.optim.Adam(self.net.parameters(), 0.1)

    def step(self, x):
        self.net(x).sum().backward()
        self.optimizer.step()
"""


@pytest.mark.parametrize(
    "rest",
    [
        "        self.target = deepcopy(self.net)\n        self.target.load_state_dict(self.net.state_dict())",
        "        self.average = average(self.net)\n        self.average.load_state_dict(self.net.state_dict())",
        "        self.others = [average() for _ in range(3)]\n        for each in self.others:\n"
        "            each.load_state_dict(self.net.state_dict(), strict=False)",
        "        copied = deepcopy if n else average\n        copied(self.net).load_state_dict(self.net.state_dict())",
        "        target = deepcopy(self.net)\n"
        "        target.load_state_dict({name: value for name, value in self.net.state_dict().items()})",
    ],
)
def test_what_takes_over_a_state_leaves_it_as_it_is(
    rest: str, decided: Callable[..., dict[str, tuple[str, str | None]]]
) -> None:
    assert decided(net=NET.format(rest=rest)) == {"w": ("never", None)}


@pytest.mark.parametrize(
    "rest",
    [
        "        fill.load(self.net)",
        "        fill.load_weights(self.net.state_dict())",
        "        fill(path).load_state_dict_into(self.net)",
    ],
)
def test_what_may_write_the_model_may(rest: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=NET.format(rest=rest)) == set()
