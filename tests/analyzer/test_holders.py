"""An object of the project that is given a tensor reads it, or may write it."""

from __future__ import annotations

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
