"""Low-rank adapters by their names: which factor of which product a parameter is."""

from __future__ import annotations

import re

ADAPTER = re.compile(r"(?<![a-z])(?:lora|hada|lokr)", re.IGNORECASE)
"""Not those that freeze random factors and train what scales them, such as RandLoRA."""
FACTOR = re.compile(r"(?P<stem>.*?)_?(?P<role>[ABEab]|down|up)$")
FIRST = ("A", "a", "down")
LAST = ("E", "B", "b", "up")
"""The roles of which one is zero at the start, in the order in which they are reported."""


def factor(name: str, owner: str = "") -> tuple[str, str] | None:
    """The adapter ("lora") and the role ("A") of a parameter with this name in a class with that one."""
    found = FACTOR.fullmatch(name)
    adapter = ADAPTER.search(found["stem"] or owner) if found is not None else None
    return (adapter[0].lower(), found["role"]) if found is not None and adapter is not None else None
