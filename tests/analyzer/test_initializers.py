"""What the configuration says of a function counts, whether or not its source can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.analyzer import analyze
from initaudit.observation import Observation, Question

PARAMETERS = frozenset({Question("ParameterTimeline")})
NET = """
import torch
from torch import nn
import away

def mystery(*things):
    {unreadable}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.empty(3))
        self.b = nn.Parameter(torch.empty(3))
        {call}
"""


def seen(tmp_path: Path, call: str, *initializers: str, unreadable: str = "pass") -> dict[str, str]:
    path = tmp_path / "net.py"
    path.write_text(NET.format(call=call, unreadable=unreadable), encoding="utf-8")
    found: list[Observation] = analyze([str(path)], questions=PARAMETERS, initializers=initializers, jobs=1)
    return {timeline.name: timeline.coverage.value for one in found for timeline in one.parameters}


@pytest.mark.parametrize("call", ["away.fill(self.w)", "away.fill([self.w])", "mystery(self.w)"])
def test_a_function_that_initializes_what_it_is_given_writes_that_alone(call: str, tmp_path: Path) -> None:
    assert seen(tmp_path, call, "away.f*", "net.mystery") == {"b": "never"}


@pytest.mark.parametrize("call", ["away.fill(self)", "mystery(self)"])
def test_a_module_that_it_is_given_is_written_whole(call: str, tmp_path: Path) -> None:
    assert seen(tmp_path, call, "away.f*", "net.mystery") == {}


def test_without_that_the_source_decides_or_nothing_does(tmp_path: Path) -> None:
    assert seen(tmp_path, "away.fill(self.w)") == {"w": "unknown", "b": "never"}
    assert seen(tmp_path, "mystery(self.w)", "mystery", "other.*") == {"w": "never", "b": "never"}
