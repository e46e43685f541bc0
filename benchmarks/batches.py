"""Random batches for the models of ``healthy.py`` and its further sets, mostly of 32 samples."""

from __future__ import annotations

import torch


def image(side: int = 32, channels: int = 3) -> torch.Tensor:
    """Return images of shape (32, channels, side, side)."""
    return torch.randn(32, channels, side, side)


def tokens(below: int = 64, length: int = 16) -> torch.Tensor:
    """Return token ids of shape (32, length)."""
    return torch.randint(0, below, (32, length))


def sequence(width: int = 32, length: int = 16) -> torch.Tensor:
    """Return sequences of shape (32, length, width)."""
    return torch.randn(32, length, width)


def graph(channels: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features of 100 nodes, and 400 random edges."""
    return torch.randn(100, channels), torch.randint(0, 100, (2, 400))


def times() -> torch.Tensor:
    """Return 32 steps of a diffusion of 100 steps."""
    return torch.randint(0, 100, (32,))
