"""Memory that nothing wrote decides no answer: it is filled before a forward, and what depends on it is not judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.probe.conftest import Seen

MODELS = """\
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.Tensor(32))
        self.w = nn.Parameter(torch.empty(32, 32) * 2)
        self.part = nn.Parameter(torch.empty(32, 32))
        self.part.data[:5].normal_()
        self.shift = nn.Parameter(torch.from_numpy(np.empty((40, 32), dtype=np.float32)))
        if self.gain.sum() > 1:
            torch.randn(5)
        self.layers = nn.Sequential(*[part for _ in range(8) for part in (nn.Linear(32, 32), nn.ReLU())])
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        out = torch.empty(x.shape[0], 4)
        out[:, :3] = self.head(self.layers(F.linear(x * self.gain, self.part) @ self.w) + self.shift[0])[:, :3]
        return out
"""


def probed(folder: Path, perturb: int) -> bytes:
    """What the probe says and measures under one content of unwritten memory."""
    table = folder / f"{perturb}.table"
    command = ["probe", "models.py:Deep", "--input-size", "32,32", "--preview", "--show-unknown"]
    done = subprocess.run(
        [sys.executable, "-m", "initaudit", *command, "--output-format", "json", "--table", str(table)],
        cwd=folder,
        env={**os.environ, "MALLOC_PERTURB_": str(perturb)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert {one["code"] for one in json.loads(done.stdout)} == {"INI101", "INI102"}
    return done.stdout + done.stderr + table.read_bytes()


def test_whatever_memory_holds_the_answer_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    assert len({probed(tmp_path, perturb) for perturb in (0, 85, 254)}) == 1


class Faint(nn.Module):
    """A chain that fades, behind a gain that nothing wrote."""

    def __init__(self, *, written: bool) -> None:
        super().__init__()
        self.first = nn.Linear(32, 32)
        self.gain = nn.Parameter(torch.ones(32) if written else torch.empty(32))
        parts: list[nn.Module] = []
        for _ in range(8):
            layer = nn.Linear(32, 32)
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
            parts += [layer, nn.ReLU()]
        self.layers = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x) * self.gain
        return self.layers(x)  # type: ignore[no-any-return]


def test_nothing_behind_unwritten_memory_is_accused(observe: Callable[..., Seen]) -> None:
    assert "INI701" in observe(Faint, written=True).codes
    seen = observe(Faint, written=False)
    assert seen.codes == ["INI101"]
    assert "not judged: depends on `gain`, which was never written" in seen.reasons
    assert "gradient not judged: depends on `gain`, which was never written" in seen.reasons


def test_what_comes_before_unwritten_memory_is_judged(observe: Callable[..., Seen]) -> None:
    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(16, 64), nn.Linear(64, 4)
            nn.init.constant_(self.first.bias, -50.0)
            self.scale = nn.Parameter(torch.empty(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x))) * self.scale  # type: ignore[no-any-return]

    assert sorted(observe(Dead, (32, 16)).codes) == ["INI101", "INI704"]


def test_what_is_overwritten_before_it_is_read_spoils_nothing(observe: Callable[..., Seen]) -> None:
    class Cached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(16, 64), nn.Linear(64, 4)
            nn.init.constant_(self.last.weight, 1e30)
            self.register_buffer("cache", torch.empty(32, 64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.cache.copy_(self.first(x).detach())
            return self.last(self.cache)  # type: ignore[no-any-return]

    seen = observe(Cached, (32, 16))
    assert "INI602" in seen.codes
    assert not any("not judged: depends" in reason for reason in seen.reasons)


@pytest.mark.parametrize(("gain", "loss"), [("ones", True), ("empty", False)])
def test_a_loss_that_depends_on_unwritten_memory_is_not_judged(
    observe: Callable[..., Seen], gain: str, *, loss: bool
) -> None:
    class Sure(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(256, 10)
            nn.init.normal_(self.head.weight)
            self.gain = nn.Parameter(getattr(torch, gain)(256))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x * self.gain).log_softmax(-1)  # type: ignore[no-any-return]

    assert ("INI705" in observe(Sure, (32, 256)).codes) is loss


def test_the_report_says_what_the_forward_was_given(observe: Callable[..., Seen]) -> None:
    (finding,) = observe(Faint, written=False).findings
    assert "ran with ones in their place" in finding.evidence[0].detail
