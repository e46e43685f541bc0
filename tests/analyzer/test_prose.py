"""Cells that hold sentences and no code."""

# ruff: noqa: RUF001

from __future__ import annotations

import pytest

from initaudit.analyzer.refused.prose import is_prose
from initaudit.analyzer.refused.statements import parts


def prose(text: str) -> bool:
    return is_prose(text, parts(text)[0])


@pytest.mark.parametrize(
    "remark",
    [
        "Compose：将多个变换组合起来\n常用于数据增强",
        "数据增强\n\n裁剪、翻转、旋转",
        "We now train the model with the optimizer from above.",
        "Question 3\n- what does the mask do?\n- why is it needed here?",
        "1. First load the data (see above)\n2. Then train the model",
        "**Note:** the second layer isn't trained yet",
        "# What follows\nThe loss of the model should fall below 0.3 here",
        "Epoch 1: loss 0.301 acc 0.91\nEpoch 2: loss 0.213 acc 0.94",
        "Результат：\nмодель учится хорошо и быстро",
    ],
)
def test_a_remark_is_prose(remark: str) -> None:
    assert prose(f"# nn.Parameter\n{remark}\n")


@pytest.mark.parametrize(
    "slip",
    [
        "We now train the model\nnet.fit(w)",
        "net = nn.Linear(8 8 8)",
        "net.fit(w w w)",
        "if w：\n    print(w)",
        "print（w）",
        "损失 = 模型（输入）",
        "w = the old one here",
        "for each in w print each",
        "print w",
        "import torch as th from torch",
        "数据 = 载入(w)\n打印（数据）",
        "def softmax of x y z:\n    return 1",
    ],
)
def test_a_slip_is_no_prose(slip: str) -> None:
    assert not prose(f"# nn.Parameter\n{slip}\n")
