"""The parameters of built models, with their writes and values, as JSON; and such a document read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from initaudit.finding import Finding, Observer
from initaudit.observation import Observation
from initaudit.portrait import built
from initaudit.report import plain_json

SCHEMA_VERSION = 2
"""Rises when a field is removed or changes its meaning. New fields do not raise it."""


class TableError(Exception):
    """A text is no such document, or two of them cannot be compared."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The models of one run and their findings; ``findings`` is None in a document of a version that wrote none."""

    models: tuple[Observation, ...]
    findings: tuple[Finding, ...] | None


def as_json(observations: Iterable[Observation], findings: Sequence[Finding] = ()) -> bytes:
    """Return every parameter with its timeline and statistics, the signal, the environment, and the findings."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "models": [_model(one) for one in built(observations)],
        "findings": [plain_json.as_json(finding) for finding in findings],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _model(model: Observation) -> dict[str, Any]:
    return {
        "target": model.source,
        "environment": model.environment,
        "parameters": model.parameters,
        "signal": model.signal,
        "undecided": model.undecided,
    }


def read_file(filename: str) -> Table:
    """Return the document in a file; raises TableError, which names the file, or OSError."""
    try:
        return read(Path(filename).read_bytes())
    except TableError as error:
        raise TableError(f"{filename}: {error}") from error


def read(content: bytes) -> Table:
    """Return the document in a text; raises TableError."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise TableError(f"not a table that `initaudit probe --table` writes: not JSON: {reason}") from error
    if not isinstance(document, dict) or not isinstance(document.get("models"), list) or "version" in document:
        raise TableError("JSON, but not a table that `initaudit probe --table` writes")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise TableError(f"schema version {version!r}; this version of initaudit reads {SCHEMA_VERSION}")
    try:
        findings = document.get("findings")
        return Table(
            models=tuple(_observation(model) for model in document["models"]),
            findings=None if findings is None else tuple(plain_json.finding(one) for one in findings),
        )
    except KeyError as error:
        raise TableError(f"a table that does not follow its schema: a field {error} is missing") from error
    except (msgspec.ValidationError, TypeError) as error:
        raise TableError(f"a table that does not follow its schema: {error}") from error


def _observation(model: dict[str, Any]) -> Observation:
    fields = {name: model[name] for name in ("environment", "parameters", "undecided")}
    return msgspec.convert(
        {"observer": Observer.PROBE.value, "source": model["target"], "signal": _measured(model["signal"]), **fields},
        Observation,
    )


def _measured(value: Any) -> Any:
    """Return measurements with NaN where JSON, which has no infinities, holds null in a list."""
    if isinstance(value, dict):
        return {name: _measured(part) for name, part in value.items()}
    if isinstance(value, list):
        return [float("nan") if part is None else _measured(part) for part in value]
    return value
