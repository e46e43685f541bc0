"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure, and the first example may have to import torch. What CI says of a commit is the same
# every time; other runs look further.
settings.register_profile("untimed", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "untimed")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test finds what another run has kept, or leaves anything in the checkout."""
    monkeypatch.setenv("INITAUDIT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def listed() -> Callable[[str], list[tuple[str, str]]]:
    """The rows below a heading of `docs/situations.md`: what was tried, and what happens."""
    page = (Path(__file__).parent.parent / "docs" / "situations.md").read_text(encoding="utf-8")

    def rows(heading: str) -> list[tuple[str, str]]:
        section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        table = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
        return [(name, outcome) for name, outcome in table[2:]]

    return rows
