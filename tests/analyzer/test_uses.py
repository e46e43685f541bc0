"""What INI101 and INI103 advise follows from how the source shows that a parameter is used, as the probe sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Finding

SOURCE = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 16)
        self.act = nn.GELU()
        self.other = nn.Parameter(torch.ones(16))
        {made}

    def forward(self, x, ids=None):
        h = self.fc(x)
        {steps}
"""
RELU, OUT = 'nonlinearity="relu"', 'mode="fan_out", '
TANH = 'xavier_normal_(self.p, gain=nn.init.calculate_gain("tanh"))'
SMALL = "normal_(self.p, std=0.02)"


def found(folder: Path, made: str, steps: str) -> list[Finding]:
    path = folder / "net.py"
    path.write_text(SOURCE.format(made=made, steps=steps.replace("\n", "\n        ")), encoding="utf-8")
    return list(initaudit.check(path).findings)


def advised(folder: Path, steps: str, shape: str) -> str:
    (finding,) = found(folder, f"self.p = nn.Parameter(torch.empty({shape}))", steps)
    assert finding.code == "INI101"
    (advice,) = finding.advice
    assert str(advice) in finding.message
    return str(advice).removeprefix("nn.init.")


PLAIN = [
    ("return torch.relu(h * self.p)", "16", "ones_(self.p)"),
    ("h *= self.p\nreturn h", "16", "ones_(self.p)"),
    ("return torch.mul(self.p, h)", "16", "ones_(self.p)"),
    ("return h.mul(self.p)", "16", "ones_(self.p)"),
    ("return h / self.p", "1", "ones_(self.p)"),
    ("return h.abs() ** self.p", "1", "ones_(self.p)"),
    ("scale = self.p.view(1, -1)\nreturn scale * h", "16", "ones_(self.p)"),
    ("return F.layer_norm(h, (16,), self.p)", "16", "ones_(self.p)"),
    ("return F.layer_norm(h, (16,), weight=self.p)", "16", "ones_(self.p)"),
    ("return F.batch_norm(h, None, None, bias=self.p, training=True)", "16", "zeros_(self.p)"),
    ("return torch.relu(h + self.p)", "16", "zeros_(self.p)"),
    ("h += self.p[None, :]\nreturn h", "16", "zeros_(self.p)"),
    ("return h - self.p.unsqueeze(0)", "16", "zeros_(self.p)"),
    ("return F.linear(h, self.fc.weight.T, self.p)", "8", "zeros_(self.p)"),
    ("return h.unsqueeze(-1) + self.p", "1, 16, 1", "zeros_(self.p)"),
    ("return h * self.p.exp()", "16", "zeros_(self.p)"),
    ("return h * torch.sigmoid(self.p)", "16", "zeros_(self.p)"),
    ("return h * (1 + self.p)", "16", "zeros_(self.p)"),
    ("return F.prelu(h, self.p)", "1", "constant_(self.p, 0.25)"),
    ("return torch.relu(F.linear(h, self.p))", "64, 16", f"kaiming_normal_(self.p, {RELU})"),
    ("return F.linear(h, weight=self.p).relu()", "64, 16", f"kaiming_normal_(self.p, {RELU})"),
    ("y = h @ self.p\nreturn F.relu(y + self.other)", "16, 64", f"kaiming_normal_(self.p, {OUT}{RELU})"),
    ("return self.act(torch.matmul(h, self.p.t()))", "64, 16", f"kaiming_normal_(self.p, {RELU})"),
    ("return torch.tanh(h.matmul(self.p))", "16, 64", TANH),
    ("return F.linear(h, self.p)", "10, 16", "xavier_normal_(self.p)"),
    ("return torch.relu(F.conv1d(h.unsqueeze(1), self.p))", "8, 1, 3", f"kaiming_normal_(self.p, {RELU})"),
    ("return torch.relu(torch.einsum('bi,eio->beo', h, self.p))", "4, 16, 8", "normal_(self.p, std=0.354)"),
    ("return torch.bmm(h.expand(4, -1, -1), self.p)", "4, 16, 8", "normal_(self.p, std=0.25)"),
    ("return h + F.embedding(ids, self.p)", "50, 16", SMALL),
    ("return h + self.p[ids]", "50, 16", SMALL),
    ("return h.unsqueeze(1) + self.p[:, : x.shape[0]]", "1, 9, 16", SMALL),
    ("return torch.cat([self.p.expand(len(h), -1), h], 1)", "1, 16", SMALL),
]


@pytest.mark.parametrize(("steps", "shape", "advice"), PLAIN)
def test_the_advice_follows_from_a_use_that_is_plain(tmp_path: Path, steps: str, shape: str, advice: str) -> None:
    assert advised(tmp_path, steps, shape) == advice


UNCLEAR = [
    ("return torch.relu((h * self.p).sum(-1))", "16"),
    ("y = h * self.p\nreturn y.sum(-1)", "16"),
    ("return F.linear(h, self.fc.weight.T * self.p)", "1"),
    ("return use(h, self.p)", "16"),
    ("return (h * self.p) if ids else use(self.p)", "16"),
    ("return h * self.other.mul(self.p)", "16"),
]


@pytest.mark.parametrize(("steps", "shape"), UNCLEAR)
def test_of_a_use_that_is_not_plain_name_and_shape_tell(tmp_path: Path, steps: str, shape: str) -> None:
    assert advised(tmp_path, steps, shape) == SMALL


@pytest.mark.parametrize(
    ("steps", "advice"),
    [
        ("return h - self.p", "nn.init.zeros_(self.p)"),
        ("return h / self.p", "nn.init.ones_(self.p)"),
        ("return h @ self.p", None),
        ("return h", None),
    ],
)
def test_a_buffer_is_advised_what_is_neutral_where_its_use_shows_that(
    tmp_path: Path, steps: str, advice: str | None
) -> None:
    (finding,) = found(tmp_path, 'self.register_buffer("p", torch.empty(16))', steps)
    assert finding.code == "INI103"
    assert [str(one) for one in finding.advice] == ([advice] if advice else [])
    assert ("add `nn.init" in finding.message) is (advice is not None)


def test_the_evidence_says_what_the_forward_does(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, "self.p = nn.Parameter(torch.empty(16))", "return h * self.p")
    assert finding.evidence[0].detail == "no reachable code writes it; the forward pass multiplies by it elementwise"


def test_what_is_written_in_part_is_advised_by_its_use(tmp_path: Path) -> None:
    made = "self.p = nn.Parameter(torch.empty(16))\n        self.p.data[:8] = 1"
    (finding,) = found(tmp_path, made, "return h * self.p")
    assert finding.code == "INI102"
    assert [str(one) for one in finding.advice] == ["nn.init.ones_(self.p)"]


@pytest.mark.parametrize("name", ["'a b'", "'one-two'", "'%s' % ids", "'a' * 10**9"])
def test_nothing_is_advised_that_is_no_code(tmp_path: Path, name: str) -> None:
    (finding,) = found(tmp_path, f"self.register_parameter({name}, nn.Parameter(torch.empty(16)))", "return h")
    assert finding.code == "INI101"
    assert finding.advice == ()
    assert "self." not in finding.message
