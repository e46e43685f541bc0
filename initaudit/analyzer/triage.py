"""Which files can hold anything a selected rule looks at, decided on bytes in one scan."""

from __future__ import annotations

import functools
import re

from initaudit.analyzer.patterns import PATTERNS

TORCH = re.compile(rb"\btorch\b")


@functools.lru_cache(maxsize=8)
def _pattern(codes: frozenset[str]) -> re.Pattern[bytes] | None:
    patterns = sorted({pattern for code, pattern in PATTERNS.items() if code in codes})
    return re.compile("|".join(f"(?:{p})" for p in patterns).encode(), re.MULTILINE) if patterns else None


def matters(raw: bytes, codes: frozenset[str]) -> bool:
    """Whether a file has to be looked at for these codes."""
    if TORCH.search(raw) is None:
        return False
    pattern = _pattern(codes)
    if pattern is None:
        return "INI001" in codes
    return pattern.search(raw) is not None
