"""INI314 sees parameters that are made of a number, of sizes, of a list or of integers, which raises."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn.parameter import Parameter\n"
NET = "class Net(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n        self.p = {0}\n"
REFUSED = {
    "nn.Parameter(1, n, n)": "given 3 values",
    "Parameter(4, 4)": "given a number",
    "torch.nn.Parameter(0.5)": "given a number",
    "nn.Parameter(-1.0, requires_grad=False)": "given a number",
    "nn.Parameter(data=[0.1, 0.2])": "given a list",
    "nn.Parameter((n, n))": "given a tuple",
    "nn.Parameter(torch.full((n,), 0))": "holds integers",
    "nn.Parameter(torch.full((n,), fill_value=-1), requires_grad=True)": "holds integers",
    "nn.Parameter(torch.zeros(n, dtype=torch.long))": "holds integers",
    "Parameter(torch.tensor([[1, 0], [0, -1]]))": "holds integers",
    "nn.Parameter(torch.LongTensor(3), True)": "holds integers",
    "nn.Parameter(torch.ones(n).long())": "holds integers",
    "nn.Parameter(torch.randint(0, 2, (n,)))": "holds integers",
    "nn.Parameter(torch.arange(4).view(2, 2))": "holds integers",
    "nn.Parameter(data=torch.full((n,), True))": "holds integers",
}
TAKEN = [
    "nn.Parameter(torch.rand(1, n, n))",
    "nn.Parameter(n)",
    "nn.Parameter(torch.rand(n), False)",
    "nn.Parameter(*n)",
    "nn.Parameter(data=torch.tensor([0.1]))",
    "nn.Parameter()",
    "nn.Parameter(torch.full((n,), 0.0))",
    "nn.Parameter(torch.full((n,), 0, dtype=torch.float))",
    "nn.Parameter(torch.full((n,), n))",
    "nn.Parameter(torch.arange(4.0))",
    "nn.Parameter(torch.arange(4) / 4)",
    "nn.Parameter(torch.arange(4).float())",
    "nn.Parameter(torch.arange(0, 1, 0.1))",
    "nn.Parameter(torch.arange(4), requires_grad=False)",
    "nn.Parameter(torch.arange(4), False)",
    "nn.Parameter(torch.arange(4), requires_grad=n)",
    "nn.Parameter(torch.tensor([1, 0.5]))",
    "nn.Parameter(torch.zeros(n, dtype=n))",
    "nn.Parameter(torch.randint(0, 2, (n,)).to(torch.float32))",
]


def found(made: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(HEAD + NET.format(made), encoding="utf-8")
    return [each.message for each in initaudit.check(["net.py"], select=["INI314"]).findings]


@pytest.mark.parametrize(("made", "why"), REFUSED.items(), ids=REFUSED)
def test_no_tensor(made: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (message,) = found(made, monkeypatch, tmp_path)
    assert why in message
    with pytest.raises((AttributeError, RuntimeError, TypeError)):
        eval(made, {"n": 2}, _names())


@pytest.mark.parametrize("made", TAKEN)
def test_a_tensor_or_what_may_be_one(made: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert found(made, monkeypatch, tmp_path) == []


def _names() -> dict[str, object]:
    names: dict[str, object] = {}
    exec(HEAD, names)
    return names
