"""What all tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine is no failure, and the first example may have to import torch.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test finds what another run has kept, or leaves anything in the checkout."""
    monkeypatch.setenv("INITAUDIT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
