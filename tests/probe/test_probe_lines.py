"""Lines of user code that cause a write: code that a package generates is nobody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import torch
from torch import nn

Observe = Callable[..., Any]
GENERATED = (
    "<@beartype(models.Net.__init__) at 0x7f6730ed19e0>",
    "<attrs generated init models.Net>",
    "<decorator-gen-17>",
    "<makefun-gen-3>",
)


def passed_on(function: Callable[..., Any], filename: str) -> Callable[..., Any]:
    """Return a function that a package might generate to check the arguments of another one."""
    space: dict[str, Any] = {"function": function}
    exec(compile("def checked(*args, **kwargs):\n    return function(*args, **kwargs)\n", filename, "exec"), space)
    return space["checked"]  # type: ignore[no-any-return]


def model(filename: str) -> type[nn.Module]:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)
            draw(self.layer.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)  # type: ignore[no-any-return]

    draw = passed_on(lambda weight: nn.init.normal_(weight, std=0.5), filename)
    Net.__init__ = passed_on(Net.__init__, filename)  # type: ignore[method-assign]
    return Net


@pytest.mark.parametrize("filename", GENERATED)
def test_generated_code_causes_no_write(observe: Observe, filename: str) -> None:
    observation = observe(model(filename), (32, 8)).observation
    assert filename.encode() not in msgspec.json.encode(observation, enc_hook=repr)


def test_what_is_typed_at_a_prompt_does(observe: Observe) -> None:
    observation = observe(model("<stdin>"), (32, 8)).observation
    assert b"<stdin>" in msgspec.json.encode(observation, enc_hook=repr)
