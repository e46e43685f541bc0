"""INI208 sees a write that each branch of the next ``if`` overwrites, where an ``elif`` was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit
from initaudit.finding import Severity

HEAD = "from torch import nn\nnet = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))\n"
BY_NAME = "for name, p in net.named_parameters():\n    if p.dim() > 1:\n"
LOST = {
    "an if for an elif": HEAD + BY_NAME + (
        "        if '2' in name:\n            nn.init.xavier_normal_(p, 0.1)\n"
        "        if '0' in name:\n            nn.init.xavier_normal_(p)\n"
        "        else:\n            nn.init.kaiming_normal_(p)\n"
    ),
    "three branches": HEAD + BY_NAME + (
        "        if '2' in name:\n            p.data.fill_(0.1)\n"
        "        if '0' in name:\n            p.data.normal_(0, 0.1)\n"
        "        elif '1' in name:\n            p.data.zero_()\n"
        "        else:\n            p.data.normal_(0, 0.2)\n"
    ),
    "layers by type": HEAD + (
        "for m in net.modules():\n    if isinstance(m, nn.Linear):\n        nn.init.xavier_normal_(m.weight)\n"
        "    if isinstance(m, nn.Conv2d):\n        nn.init.kaiming_normal_(m.weight)\n"
        "    else:\n        nn.init.normal_(m.weight)\n"
    ),
}  # fmt: skip
KEPT = {
    "a chain": LOST["an if for an elif"].replace("        if '0'", "        elif '0'"),
    "no last branch": LOST["three branches"].replace("        else:\n            p.data.normal_(0, 0.2)\n", ""),
    "a branch that scales": LOST["an if for an elif"].replace("nn.init.kaiming_normal_(p)", "p.data.mul_(0.5)"),
    "a branch that reads": LOST["an if for an elif"].replace(
        "_normal_(p)\n        else", "_normal_(p, float(p.std()))\n        else"
    ),
    "a test that reads": LOST["an if for an elif"].replace("if '0' in name", "if p.std() > 1"),
    "another parameter": LOST["layers by type"].replace("nn.init.normal_(m.weight)", "nn.init.normal_(m.bias)"),
}


def found(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(body, encoding="utf-8")
    return [each.message for each in initaudit.check(["train.py"], select=["INI208"]).findings]


@pytest.mark.parametrize("body", LOST.values(), ids=LOST)
def test_a_write_that_all_branches_overwrite(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (message,) = found(body, monkeypatch, tmp_path)
    assert message.startswith("all branches of the next `if` overwrite")


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_a_write_that_may_stay(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert found(body, monkeypatch, tmp_path) == []


OVER = (
    "from torch import nn\nfor m in nn.Sequential(nn.Linear(4, 4)).modules():\n    if isinstance(m, nn.Linear):\n"
    "        m.weight.data.{first}\n        m.weight.data.normal_(0, 0.1)\n        {then}\n"
)


@pytest.mark.parametrize(
    ("first", "then", "severity"),
    [
        ("zero_()", "m.bias.data.zero_()", Severity.NOTE),
        ("normal_(0, 0.1)", "nn.init.zeros_(m.bias)", Severity.NOTE),
        ("zero_()", "if m.bias is not None:\n            nn.init.constant_(m.bias, 0.1)", Severity.NOTE),
        ("zero_()", "pass", Severity.WARNING),
        ("zero_()", "other.bias.data.zero_()", Severity.WARNING),
    ],
)
def test_a_write_to_spare_is_a_note_where_the_other_parameter_is_written_too(
    first: str, then: str, severity: Severity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(OVER.format(first=first, then=then), encoding="utf-8")
    assert [each.severity for each in initaudit.check(["train.py"], select=["INI208"]).findings] == [severity]
