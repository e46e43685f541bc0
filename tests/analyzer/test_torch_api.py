"""The table of methods that have a form in place, compared with torch."""

from __future__ import annotations

import torch

from initaudit.analyzer.torch_api import IN_PLACE_FORMS

VIEWS = {
    "as_strided", "detach", "requires_grad", "resize", "resize_as", "squeeze", "swapaxes", "swapdims", "t",
    "transpose", "unsqueeze",
}  # fmt: skip
"""Methods that change what a tensor is, and none of its values."""
ANSWERS = {"eq", "ne", "not_equal", "ge", "greater", "greater_equal", "gt", "le", "less", "less_equal", "lt"}
"""Comparisons; those of bits have a prefix."""


def test_the_table_has_every_method_that_torch_has_in_place_too() -> None:
    there = {name for name in dir(torch.Tensor) if not name.startswith("_") and f"{name}_" in dir(torch.Tensor)}
    computing = {name for name in there - VIEWS - ANSWERS if not name.startswith(("logical_", "bitwise_"))}
    assert computing <= IN_PLACE_FORMS  # an older torch may have fewer
