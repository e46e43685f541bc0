"""Attention: how large the logits are that two weights make, and how much of each softmax its largest share takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import torch

from initaudit.probe.record.storages import key_of
from initaudit.probe.signal.measure import is_dense
from initaudit.probe.signal.operators import COPIES
from initaudit.probe.signal.products import PRODUCTS
from initaudit.probe.signal.signals import Signal
from initaudit.probe.signal.uses import Use

FUSED = frozenset({
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math",
    "_scaled_dot_product_efficient_attention", "scaled_dot_product_attention", "_scaled_dot_product_flash_attention",
})  # fmt: skip
KEEPING = COPIES | {"mul", "div", "add", "sub", "masked_fill", "where", "view", "_unsafe_view", "reshape", "clamp"}
"""Operators after which the logits are still the same, scaled, shifted or masked."""
MASKED = -1e4
"""Logits below this are masked."""
ENOUGH = 8
"""The number of keys from which a softmax is judged."""
SOME = 8
"""Samples of a fused attention of which the logits are computed."""


class Attention(msgspec.Struct, frozen=True):
    """A softmax over keys: the weights of queries and keys, the rms deviation of its logits, and its largest share."""

    makers: tuple[Use, ...]
    spread: float
    largest: float
    keys: int


class Attentions:
    """Follows the products of two signals up to the softmax over them. ``signal_of`` gives the signal of a tensor."""

    def __init__(self, signal_of: Callable[[torch.Tensor], Signal | None]) -> None:
        self.found: list[Attention] = []
        self._signal_of = signal_of
        self._logits: dict[int, tuple[Use, ...]] = {}

    def take_in(
        self, name: str, args: Sequence[Any], kwargs: dict[str, Any], operands: Sequence[torch.Tensor], result: Any
    ) -> None:
        """Mark the products of two signals, and measure a softmax of one. Called before signals are ended."""
        if name in FUSED:
            self._fused(args, kwargs)
        elif name in PRODUCTS:
            product = self._makers(operands[-2:])
            if product and isinstance(result, torch.Tensor):
                self._logits[key_of(result) or 0] = product
        elif name == "_softmax" and (known := self._logits.get(key_of(operands[0]) or 0)) is not None:
            self._measure(operands[0], result, known)
        elif name in KEEPING and isinstance(result, torch.Tensor):
            found = [makers for one in operands if (makers := self._logits.get(key_of(one) or 0))]
            if len(found) == 1:
                self._logits[key_of(result) or 0] = found[0]

    def _makers(self, operands: Sequence[torch.Tensor]) -> tuple[Use, ...]:
        """The weights that two factors come from; none unless each comes from one that nothing has normalized."""
        uses = [
            signal.last for one in operands if (signal := self._signal_of(one)) is not None and signal.last is not None
        ]
        plain = len(operands) == 2 == len(uses) and not any(use.normalized for use in uses)
        return tuple(dict.fromkeys(uses)) if plain else ()

    def _fused(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        query, key = args[0], args[1]
        makers = self._makers((query, key))
        if not makers or not is_dense(query):
            return
        with torch.no_grad():
            scale = kwargs.get("scale") or 1 / math.sqrt(query.shape[-1])
            logits = (query[:SOME].float() @ key[:SOME].float().transpose(-2, -1)) * scale
            if True in (kwargs.get("is_causal"), *args[3:6]):
                logits = logits.masked_fill(torch.ones_like(logits, dtype=torch.bool).triu(1), -math.inf)
            self._measure(logits, logits.softmax(-1), makers)

    def _measure(self, logits: torch.Tensor, shares: torch.Tensor, makers: tuple[Use, ...]) -> None:
        if not is_dense(logits) or logits.dim() < 2:
            return
        values = logits.detach().float()
        kept = values > MASKED
        counts = kept.sum(-1)
        rows = counts >= ENOUGH
        if not bool(rows.any()) or not bool(values[kept].isfinite().all()):
            return
        counts = counts.clamp(min=1).unsqueeze(-1)
        mean = values.where(kept, 0.0).sum(-1, keepdim=True) / counts
        variance = (values - mean).where(kept, 0.0).square().sum(-1) / counts.squeeze(-1)
        self.found.append(
            Attention(
                makers=makers,
                spread=math.sqrt(float(variance[rows].mean())),
                largest=float(shares.detach().amax(-1)[rows].mean()),
                keys=int(counts.max()),
            )
        )
