"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure, and the first example may have to import torch.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
