"""Attention whose logits are too large at the start, in the forms in which it is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

Observe = Callable[..., Any]
WIDTH, HEADS = 32, 4


class Attending(nn.Module):
    """Attention by torch's function, by a product and a softmax, by einsum or with a mask; from one matrix or two."""

    def __init__(self, form: str, std: float, *, packed: bool = False, normalized: bool = False) -> None:
        super().__init__()
        self.form, self.packed = form, packed
        self.norm = nn.LayerNorm(WIDTH)
        self.first = nn.Linear(WIDTH, (3 if packed else 1) * WIDTH)
        self.second, self.value = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        for layer in (self.first, self.second):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
        self.each = nn.LayerNorm(WIDTH) if normalized else nn.Identity()
        self.out = nn.Linear(WIDTH, 5)
        nn.init.normal_(self.out.weight, std=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x)
        q, k, v = self.first(x).chunk(3, -1) if self.packed else (self.first(x), self.second(x), self.value(x))
        q, k, v = (one.unflatten(-1, (HEADS, -1)).transpose(1, 2) for one in (self.each(q), self.each(k), v))
        if self.form == "fused":
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            logits = torch.einsum("bhid,bhjd->bhij", q, k) if self.form == "einsum" else q @ k.transpose(-2, -1)
            logits = logits / math.sqrt(q.shape[-1])
            if self.form == "masked":
                logits = logits.masked_fill(torch.ones_like(logits, dtype=torch.bool).triu(1), float("-inf"))
            mixed = logits.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).flatten(2)).mean(1)


FORMS = ["fused", "product", "einsum", "masked"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_logits_that_leave_one_key_alone_are_told_at_the_weight(observe: Observe, form: str, packed: bool) -> None:
    findings = observe(lambda: Attending(form, 0.9, packed=packed), (32, 16, WIDTH)).findings
    (told,) = (one for one in findings if one.code == "INI702")
    assert "saturated" in told.message and told.parameter in ("first.weight", "second.weight")


@pytest.mark.parametrize("form", FORMS)
def test_logits_of_the_usual_size_and_normalized_queries_are_not(observe: Observe, form: str) -> None:
    assert observe(lambda: Attending(form, WIDTH**-0.5), (32, 16, WIDTH)).codes == []
    assert "INI702" not in observe(lambda: Attending(form, 0.9, normalized=True), (32, 16, WIDTH)).codes
