"""The parameters of built models, with their writes and values, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from initaudit.observation import Observation
from initaudit.portrait import built

SCHEMA_VERSION = 2


def as_json(observations: Iterable[Observation]) -> bytes:
    """Return every parameter with its timeline and statistics, the measured signal, and the environment."""
    document = {"schema_version": SCHEMA_VERSION, "models": [_model(one) for one in built(observations)]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _model(model: Observation) -> dict[str, Any]:
    return {
        "target": model.source,
        "environment": model.environment,
        "parameters": model.parameters,
        "signal": model.signal,
        "undecided": model.undecided,
    }
