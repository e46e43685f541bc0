"""Apply the advice of findings to a built model in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from initaudit.finding import Advice, Change


def change(model: torch.nn.Module, changes: Iterable[Change]) -> None:
    """Initialize parameters as advised. A parameter that the model has no longer is left out."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for one in changes:
        tensor = parameters.get(one.path)
        if tensor is not None and not torch.nn.parameter.is_lazy(tensor):
            getattr(torch.nn.init, one.advice.initializer)(tensor, **_arguments(one.advice))


def _arguments(advice: Advice) -> dict[str, Any]:
    gain = torch.nn.init.calculate_gain(advice.gain_for) if advice.gain_for is not None else None
    plain = {name: getattr(advice, name) for name in ("nonlinearity", "std", "mode", "val")}
    return {name: value for name, value in (*plain.items(), ("gain", gain)) if value is not None}
