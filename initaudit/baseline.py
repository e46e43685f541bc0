"""The baseline: a file of fingerprints of known findings, so that a run reports only new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from initaudit.finding import Finding
from initaudit.sources.files import read_regular, replace

DEFAULT_FILENAME = ".initaudit-baseline.json"


class BaselineError(Exception):
    """A baseline cannot be read."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One known finding. Only the fingerprint is compared; the rest is for people who read the file."""

    fingerprint: str
    code: str
    filename: str
    message: str


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a baseline file."""

    schema_version: int = 1
    findings: tuple[Entry, ...] = ()

    def fingerprints(self) -> frozenset[str]:
        return frozenset(entry.fingerprint for entry in self.findings)


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file."""
    try:
        baseline = msgspec.json.decode(read_regular(path), type=Baseline)
    except OSError as error:
        raise BaselineError(f"{path}: {error.strerror or error}; create it with `initaudit baseline`") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BaselineError(f"{path}: not a baseline: {error}") from error
    if baseline.schema_version != 1:
        raise BaselineError(f"{path}: written by a newer initaudit (schema {baseline.schema_version})")
    return baseline


def write_baseline(path: Path, findings: Iterable[Finding], relative: Callable[[str], str]) -> None:
    """Write a baseline file with these findings."""
    entries = tuple(
        Entry(
            fingerprint=finding.fingerprint,
            code=finding.code,
            filename=_text(relative(finding.place.filename)),
            message=_text(finding.message),
        )
        for finding in findings
    )
    replace(path, msgspec.json.format(msgspec.json.encode(Baseline(findings=entries)), indent=2) + b"\n")


def _text(text: str) -> str:
    """Replace what UTF-8 cannot encode: a file name may hold any bytes."""
    return text.encode("utf-8", "replace").decode("utf-8")
