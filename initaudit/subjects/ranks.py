"""Facts about several ranks: their parts of one model, compared.

Each fact is about one model. ``parameter`` is the first of ``affects``, named as in their classes.
``paths`` lead to all of them.
"""

from __future__ import annotations

import enum

from initaudit.finding import Place
from initaudit.subjects.base import Fact


class Copies(enum.Enum):
    """Why ranks should hold the same values."""

    WRAPPED = "wrapped"  # DistributedDataParallel wraps the module
    REPLICATED = "replicated"  # the placement of a DTensor says so
    BESIDE = "beside"  # a plain tensor beside DTensors of the same model
    PLAIN = "plain"  # the ranks hold the same plain module, and nothing says what becomes of it


class ReplicasDiffer(Fact, frozen=True, kw_only=True):
    """Tensors of which two ``ranks`` hold different values, and ``why`` they should hold the same."""

    place: Place
    model: str
    parameter: str
    affects: tuple[str, ...]
    paths: tuple[str, ...]
    ranks: tuple[int, int]
    why: Copies


class ShardsAlike(Fact, frozen=True, kw_only=True):
    """Sharded parameters of which two ``ranks`` hold different parts, with the same random values bit for bit."""

    place: Place
    model: str
    parameter: str
    affects: tuple[str, ...]
    paths: tuple[str, ...]
    ranks: tuple[int, int]


class ShardsLeft(Fact, frozen=True, kw_only=True):
    """Sharded parameters whose parts on ``ranks`` were not initialized.

    They hold one number each, while those on the ranks ``elsewhere`` were drawn; without any, no matrix of the model
    was. Or they are ``unwritten``: they change with what fresh memory holds.
    """

    place: Place
    model: str
    parameter: str
    affects: tuple[str, ...]
    paths: tuple[str, ...]
    ranks: tuple[int, ...]
    elsewhere: tuple[int, ...]
    unwritten: bool = False
