"""Arguments and tensors of kinds that nobody expects: they are recorded, or said not to be read, and never blamed."""

from __future__ import annotations

import enum
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from initaudit.finding import LONGEST, shortened
from initaudit.probe import Target, probe
from initaudit.probe.blame import crossing, is_ours
from initaudit.probe.process.child import cause_of_death
from initaudit.probe.record.plain import plain_value
from initaudit.probe.record.watch import Watch
from initaudit.probe.request import TargetError
from initaudit.probe.words import describe
from initaudit.subjects.builds import BuildFailure
from initaudit.timeline import Coverage


class Gain(float, enum.Enum):
    RELU = 2.0


class Mode(str, enum.Enum):
    OUT = "fan_out"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(1.5), 1.5),
        (np.float16(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(1.5), 1.5),
        (np.array([1.5]), 1.5),
        (torch.tensor(1.5), 1.5),
        (torch.tensor([3]), 3),
        (torch.empty((), device="meta"), None),
        (Gain.RELU, 2.0),
        (Mode.OUT, "fan_out"),
        (Fraction(1, 2), 0.5),
        (Decimal("0.5"), 0.5),
        (1j, None),
        (None, None),
        ((np.float32(1), "relu"), [1.0, "relu"]),
    ],
)
def test_an_argument_is_the_number_or_string_that_it_stands_for(value: Any, plain: Any) -> None:
    found = plain_value(value)
    assert found == plain and type(found) is type(plain)


def test_a_fake_tensor_has_no_number() -> None:
    with FakeTensorMode():
        assert plain_value(torch.tensor(0.5)) in (None, 0.5)
        assert plain_value(torch.empty(())) is None


def test_gains_of_every_kind_give_the_scheme_that_they_ask_for(observe: Callable[..., Any]) -> None:
    for gain in (np.sqrt(2), torch.tensor(2**0.5), torch.tensor([2**0.5]), np.float32(2**0.5)):

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc = nn.Linear(4, 8)
                nn.init.orthogonal_(self.fc.weight, gain)  # noqa: B023

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                out: torch.Tensor = self.fc(x)
                return out

        assert observe(Net, (8, 4))["fc.weight"].scheme == "orthogonal, gain sqrt(2)"


def nested() -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)])


def jagged() -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)], layout=torch.jagged)


def freed() -> torch.Tensor:
    tensor = torch.randn(4, 4)
    tensor.untyped_storage().resize_(0)
    return tensor


def fake() -> torch.Tensor:
    with FakeTensorMode():
        return torch.empty(3)


class Wrapper(torch.Tensor):
    """A tensor that is over another one and does nothing."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Any:
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)  # type: ignore[attr-defined]

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.aten.detach.default:
            return Wrapper(args[0].inner)
        raise NotImplementedError(f"no {function}")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (nested, "the elements of a nested tensor are not read"),
        (jagged, "the elements of a nested tensor are not read"),
        (lambda: torch.eye(3).to_sparse(), "the elements of a sparse_coo tensor are not read"),
        (freed, "its storage was freed or made smaller: it has no memory for all of its elements"),
        (fake, "it is on the meta device and has no memory"),
        (lambda: Wrapper(torch.empty(3, 3)), "the elements of a Wrapper are not read"),
    ],
)
def test_a_tensor_that_cannot_be_read_is_said_so_and_accused_of_nothing(
    observe: Callable[..., Any], made: Callable[[], torch.Tensor], said: str
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.register_buffer("odd", made())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.fc(x)
            return out

    seen = observe(Net, (8, 4))
    assert seen["odd"].coverage is Coverage.UNKNOWN and seen.codes == []
    assert said in seen.reasons and seen.observation.error is None


def test_a_failure_of_the_watch_is_ours_and_goes_past_the_constructor(
    observe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Watch, *args: Any) -> None:
        raise KeyError("a mistake of ours")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.empty(3))

    monkeypatch.setattr(Watch, "_allocated", fails)
    seen = observe(Net)
    assert seen.codes == [] and seen.observation.facts == ()
    assert seen.observation.error.startswith(
        "initaudit itself failed, and not the model (KeyError: 'a mistake of ours'"
    )


def test_what_an_operator_raises_is_the_users_and_what_we_raise_about_it_is_ours() -> None:
    @crossing
    def called(function: Callable[[], object]) -> object:
        return function()

    def raised(function: Callable[[], object]) -> BaseException:
        try:
            called(function)
        except Exception as error:
            return error
        raise AssertionError

    assert not is_ours(raised(lambda: torch.ones(2, 3) @ torch.ones(2, 3)))
    with Watch():
        assert not is_ours(raised(lambda: torch.ones(2, 3) @ torch.ones(2, 3)))
    assert is_ours(raised(lambda: shortened(5)))  # type: ignore[arg-type]


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_is_told_in_one_line_whatever_it_says() -> None:
    assert describe(MuteError()) == "MuteError"
    assert describe(ValueError("\ud800x\nsecond")) == "ValueError: \\ud800x"
    assert describe(ValueError("all of:\n  a.weight")) == "ValueError: all of: a.weight"
    long = describe(ValueError("x" * 10_000))
    assert len(long) < LONGEST + 60 and long.endswith("(9,600 more characters)")


def test_names_that_no_encoding_takes_come_out_of_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import os, torch\nfrom torch import nn\n\n\n"
        "class Named(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.register_parameter('w\\ud800', nn.Parameter(torch.empty(3)))\n\n\n"
        "class Raises(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        raise ValueError('\\ud800\\x1b[31m')\n\n\n"
        "class Signals(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        os.kill(os.getpid(), 40)\n",
        encoding="utf-8",
    )
    (timeline,) = probe(Target(spec="net.py:Named")).parameters
    assert (timeline.name, timeline.coverage) == ("w\\ud800", Coverage.NEVER)
    (failure,) = probe(Target(spec="net.py:Raises")).facts
    assert isinstance(failure, BuildFailure) and failure.detail.startswith("ValueError: \\ud800")
    (failure,) = probe(Target(spec="net.py:Signals")).facts
    assert isinstance(failure, BuildFailure) and failure.detail == cause_of_death(-40)


def test_arguments_that_cannot_be_handed_on_are_an_error_of_use() -> None:
    with pytest.raises(TargetError, match="an integer in the arguments exceeds 64 bits"):
        Target(spec="net.py:Net", kwargs={"n": 2**70}).encoded()
