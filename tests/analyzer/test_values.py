"""What the interpreter's values are called."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.analyzer.symbolic.conditions import Atom, Literal
from initaudit.analyzer.symbolic.values import (
    UNKNOWN,
    Builtin,
    Choice,
    Constant,
    Instance,
    Mapping,
    Memory,
    Storage,
    Tensor,
    Value,
    text,
)

MAKERS: list[Callable[[], Value]] = [
    lambda: Tensor(UNKNOWN),
    lambda: Memory(Storage(None, "torch.empty", raw=True)),
    lambda: Instance(None, None),
    lambda: Mapping({}),
    lambda: Builtin("copy", lambda: UNKNOWN),
    lambda: Choice(Literal(Atom("bias")), Constant(1), Constant(2)),
]


@pytest.mark.parametrize("make", MAKERS)
def test_an_object_that_is_gone_leaves_its_name_to_no_other(make: Callable[[], Value]) -> None:
    assert len({text(make()) for _ in range(50)}) == 50


@pytest.mark.parametrize("make", MAKERS)
def test_an_object_keeps_its_name(make: Callable[[], Value]) -> None:
    value = make()
    assert text(value) == text(value)
