"""What runs in the process of its caller runs with torch."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the probe runs with torch")
