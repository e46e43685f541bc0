"""Raw memory of a base that the forward of a subclass writes at its first use, as that of the class itself would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from initaudit.timeline import Coverage

BASE = """
class Base(nn.Conv2d):
    def __init__(self, i, o, k):
        super().__init__(i, o, k)
        self.alpha = nn.Parameter(torch.Tensor(1))
        self.register_buffer("begun", torch.zeros(1))
"""
QUANTIZED = """

class Quantized(Base):
    def forward(self, x):
        if self.training and self.begun == 0:
            {write}
            self.begun.fill_(1)
        return self._conv_forward(x, self.weight * self.alpha, self.bias)

    def start(self):
        self.alpha.data.fill_(0.5)


net = Quantized(3, 4, 3)
net(torch.ones(1, 3, 8, 8)).sum().backward()
"""
Analysis = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "write",
    [
        "self.alpha.data.copy_(2 * self.weight.abs().mean())",
        "nn.init.ones_(self.alpha)",
        "self.start()",
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_it_is_written_at_first_use(analyzed: Analysis, write: str, apart: bool) -> None:
    used = QUANTIZED.format(write=write)
    files = {"base": BASE, "quantized": f"from base import Base\n{used}"} if apart else {"base": BASE + used}
    assert [each.coverage for each in analyzed(**files)["base"].parameters if each.coverage is Coverage.NEVER] == []


@pytest.mark.parametrize(
    "write",
    [
        "nn.init.ones_(self.weight)",
        "torch.nn.init.ones_(self.begun)",
        "print(self.alpha.mean())",
    ],
)
def test_what_writes_something_else_is_none(analyzed: Analysis, write: str) -> None:
    used = QUANTIZED.format(write=write).replace("        self.alpha.data.fill_(0.5)", "        pass")
    found = [each.name for each in analyzed(base=BASE + used)["base"].parameters if each.coverage is Coverage.NEVER]
    assert found == ["alpha"]
