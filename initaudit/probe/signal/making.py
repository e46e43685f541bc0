"""Weights computed from parameters alone: normalized, masked, scaled, multiplied out, gathered or generated.

By data flow through the dispatcher. A value that comes from parameters and constants, and from no input, is a weight
where an input is multiplied with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import torch

from initaudit.probe.record.storages import key_of
from initaudit.probe.signal.products import CONVOLUTIONS, MATRIX
from initaudit.probe.signal.uses import Use

MANY = 64
"""Parameters from which on a value is no weight, but what a model without inputs computes."""
ADDED = frozenset({"addmm", "baddbmm", "addmv", "addbmm", "_addmm_activation"})
"""Products of which the first argument is a bias."""
MULTIPLYING = frozenset({"mul", "div"})
"""Products element by element."""
BATCHED = frozenset({"bmm", "baddbmm"})
PLAIN = frozenset({
    "add", "sub", "rsub", "addcmul", "cat", "stack", "where", "copy", "copysign", "embedding", "index",
    "index_select", "gather", "_embedding_bag", "_embedding_bag_forward_only", "take", "masked_fill",
    "index_put", "index_add", "index_copy", "scatter", "scatter_add", "_index_put_impl", "masked_scatter",
    "slice_scatter", "select_scatter", "expand", "view", "maximum", "minimum", "clamp", "lerp", "eq", "ne",
    "lt", "le", "gt", "ge", "set", "prelu", "_prelu_kernel", "scaled_dot_product_attention",
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math",
    "_scaled_dot_product_efficient_attention", "_cdist_forward", "_euclidean_dist",
})  # fmt: skip
"""Operators that add, look up or compare: what is given to them is no weight, or a table."""


class Origin(msgspec.Struct, frozen=True):
    """The parameters that make a value, and the products that were met on the way: they multiply no input."""

    paths: tuple[str, ...]
    uses: tuple[Use, ...] = ()
    product: bool = False


class Making:
    """Which values come from parameters alone. ``sources`` are all parameters by storage, ``data`` what inputs give."""

    def __init__(self, sources: Mapping[int, str], data: set[int | None]) -> None:
        self.sources = sources
        self.data = data
        self.unfollowed: dict[str, str] = {}
        self._origins: dict[int, Origin] = {}
        self._products: dict[int, list[str]] = {}  # by storage, what was not followed in computing it

    def origin(self, tensor: torch.Tensor) -> Origin | None:
        """The parameters that a value comes from, and nothing else; None for a constant, and for what inputs give."""
        key = key_of(tensor)
        if key is None or key in self.data:
            return None
        path = self.sources.get(key)
        return Origin((path,)) if path is not None else self._origins.get(key)

    def factor(self, name: str, operands: Sequence[torch.Tensor]) -> tuple[torch.Tensor, Origin] | None:
        """The operand of a product that is a weight made of parameters, if one is."""
        among = operands[1:2] if name in CONVOLUTIONS else operands[1:] if name in ADDED else operands
        for one in reversed(among):
            matrix = one.is_complex() or (one.is_floating_point() and one.dim() > 1)
            origin = self.origin(one) if matrix else None
            if origin is None:
                continue
            left = name in MATRIX and one is not among[-1]
            if origin.product and (left or (name in BATCHED and one.shape[0] > 1)):
                continue  # learned queries that went through a layer meet keys from the left, or for each sample
            return one, origin
        return None

    def take_in(
        self,
        name: str,
        operands: Sequence[torch.Tensor],
        results: Sequence[torch.Tensor],
        use: Use | None,
        *,
        followed: bool,
    ) -> None:
        """Mark what an operator gives. ``use`` is the one that it is, where it multiplies with a weight."""
        keys = [key_of(one) for one in operands]
        origins = [origin for one in operands if (origin := self.origin(one)) is not None]
        if not self.data.isdisjoint(keys):
            if origins and not followed and name not in PLAIN:
                self._note(name, operands, results)
            self._mark(results, None)
        elif origins:
            paths = dict.fromkeys(path for origin in origins for path in origin.paths)
            uses = dict.fromkeys(used for origin in origins for used in origin.uses)
            if use is not None:
                uses[use] = None
            product = name in MATRIX or any(origin.product for origin in origins)
            self._mark(results, Origin(tuple(paths), tuple(uses), product) if len(paths) <= MANY else None)

    def _mark(self, results: Sequence[torch.Tensor], origin: Origin | None) -> None:
        for one in results:
            key = key_of(one)
            if key is None or key in self.sources:
                continue
            if origin is None:
                self.data.add(key)
                self._origins.pop(key, None)
            elif key not in self.data:
                self._origins[key] = origin

    def normalized(self, operands: Sequence[torch.Tensor]) -> None:
        """Take back that a product was not followed: it is divided by its own scale, or by that of its input."""
        for one in operands:
            for path in self._products.pop(key_of(one) or 0, ()):
                self.unfollowed.pop(path, None)

    def _note(self, name: str, operands: Sequence[torch.Tensor], results: Sequence[torch.Tensor]) -> None:
        """Remember what meets an input in an operator that is not followed: matrices, and whatever multiplies."""
        least = 0 if name in MULTIPLYING else 2
        for one in operands:
            origin = self.origin(one)
            if origin is not None and not origin.product and sum(size > 1 for size in one.shape) >= least:
                new = [path for path in origin.paths if path not in self.unfollowed]
                self.unfollowed.update(dict.fromkeys(new, name))
                self._products.update({key: new for each in results if (key := key_of(each)) is not None})
