"""Watching without memory sees what watching with memory sees, or says that it does not know."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import init
from torch.nn.init import orthogonal_

from initaudit.finding import Place
from initaudit.observation import Observation
from initaudit.probe import Target, probe
from initaudit.probe.audit.audit import Audit
from initaudit.probe.audit.stages import audit_abstractly
from initaudit.probe.record import abstract
from initaudit.probe.record.poison import control_build
from initaudit.probe.target.resolve import Resolved
from initaudit.rules import catalogue
from initaudit.subjects.builds import BuildFailure
from initaudit.timeline import Coverage

HERE = Place("model.py", 1, 1, 1, 2)
EXAMPLES = [
    pytest.param(example, id=f"{code}-{number}")
    for code, rule in catalogue().items()
    for number, example in enumerate((*rule.invalid, *rule.valid))
    if example.target is not None and example.ranks == 1
]


def watched(make: Callable[[], Any]) -> Observation:
    target = Target(spec="model.py:Net")
    return audit_abstractly(target, Resolved(target, make), HERE)


def coverage(seen: Observation) -> dict[str | None, Coverage]:
    return {one.path: one.coverage for one in seen.parameters}


def holding(**tensors: Callable[[], torch.Tensor]) -> Callable[[], nn.Module]:
    """A module whose parameters are made by these functions."""

    def make() -> nn.Module:
        module = nn.Module()
        for name, tensor in tensors.items():
            module.register_parameter(name, nn.Parameter(tensor()))
        return module

    return make


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_never_contradicts_what_memory_shows(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(abstract, "LARGE", 0)
    file = tmp_path / "example.py"
    file.write_text(example.text(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("example", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    attribute = getattr(module, example.target)
    if isinstance(attribute, nn.Module):
        return
    target = Target(spec="example.py:Net")
    make = Resolved(target, attribute).build
    without = coverage(audit_abstractly(target, Resolved(target, attribute), HERE))
    try:
        running = Audit(target, make, HERE, control_build(make, 0))
    except Exception:
        return
    running.compare()
    real = coverage(running.observation())
    for path, claimed in without.items():
        assert Coverage.UNKNOWN in (claimed, real.get(path)) or claimed is real.get(path), path


def test_a_model_of_sixty_billion_parameters_is_watched_in_a_machine_without_room_for_it() -> None:
    def make() -> nn.Module:
        return nn.Transformer(8192, 64, 32, 32, 32768)

    seen = watched(make)
    assert len(seen.parameters) == 964 and set(coverage(seen).values()) == {Coverage.WRITTEN}
    assert all(one.writes for one in seen.parameters)


def test_initializers_keep_their_names_where_the_meta_device_runs_none_of_them() -> None:
    def drawn(initialize: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], torch.Tensor]:
        return lambda: initialize(torch.empty(300, 300))

    seen = watched(
        holding(
            by_module=drawn(init.orthogonal_),
            by_name=drawn(lambda tensor: orthogonal_(tensor, gain=2.0)),
            truncated=drawn(lambda tensor: init.trunc_normal_(tensor, std=0.02)),
            sparse=drawn(lambda tensor: init.sparse_(tensor, 0.5)),
            scaled=lambda: 0.02 * torch.randn(300, 300),
        )
    )
    schemes = {one.path: one.scheme for one in seen.parameters}
    assert schemes["by_module"] == "orthogonal, gain 1"
    assert schemes["by_name"] is not None and schemes["by_name"].startswith("orthogonal, gain 2")
    assert schemes["truncated"] == "truncated_normal(0, 0.02, -2, 2)"
    assert schemes["sparse"] == "sparse" and schemes["scaled"] == "normal(0, 0.02)"


def test_raw_memory_is_raw_and_a_part_that_is_written_is_not_known() -> None:
    def part() -> torch.Tensor:
        tensor = torch.empty(300, 300)
        tensor[:5].normal_()
        return tensor

    seen = watched(holding(legacy=lambda: torch.Tensor(300, 300), empty=lambda: torch.empty(70_000), part=part))
    assert coverage(seen) == {"legacy": Coverage.NEVER, "empty": Coverage.NEVER, "part": Coverage.UNKNOWN}
    assert any("does not show which elements" in one.reason for one in seen.undecided)
    (raw, *_) = seen.parameters
    assert raw.unwritten is not None and raw.unwritten.elements == raw.unwritten.total == 90_000


def test_a_number_that_is_not_there_makes_nothing_raw_for_sure() -> None:
    def make() -> nn.Module:
        module = holding(one=lambda: torch.randn(300, 300), two=lambda: torch.empty(300, 300))()
        if module.one.norm().item() > 1e6:
            init.zeros_(module.two)
        return module

    seen = watched(make)
    assert coverage(seen) == {"one": Coverage.WRITTEN, "two": Coverage.UNKNOWN}
    assert any("needs a value here that does not exist without memory" in one.reason for one in seen.undecided)


def test_a_small_tensor_that_is_written_with_missing_values_has_no_statistics() -> None:
    def make() -> nn.Module:
        module = holding(small=lambda: torch.zeros(3), plain=lambda: torch.ones(3))()
        module.small.data.copy_(torch.randn(300, 300)[0, :3])
        return module

    values = {one.path: one.values for one in watched(make).parameters}
    assert values["small"] is None and values["plain"] is not None


def test_functions_are_put_back() -> None:
    before = init.orthogonal_.__code__
    watched(holding(one=lambda: init.orthogonal_(torch.empty(300, 300))))
    assert init.orthogonal_.__code__ is before and init.orthogonal_.__defaults__ == (1, None)
    assert torch.equal(init.orthogonal_(torch.empty(1, 1)).abs(), torch.ones(1, 1))


def raised_for(weight: torch.Tensor) -> torch.Tensor:
    """Raise an error of the constructor's own for what torch raises."""
    try:
        return torch.randn(300, 300)[weight.numpy() > 0]
    except TypeError as error:
        raise ValueError("no weight") from error


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.from_numpy(torch.randn(300, 300).numpy()),
        lambda: torch.tensor(torch.randn(300, 300).tolist()),
        lambda: raised_for(torch.randn(300, 300)),
    ],
)
def test_a_constructor_that_needs_values_is_an_error_and_no_bug(make: Callable[[], torch.Tensor]) -> None:
    seen = watched(holding(one=make))
    assert seen.facts == () and "cannot be built without memory" in (seen.error or "")


def missing_package() -> torch.Tensor:
    return torch.zeros(importlib.import_module("no_such_package").size)


def missing_argument() -> torch.Tensor:
    torch.randn(300, 300)
    width: Any = None
    return torch.zeros(3, width)


def wrong_value() -> torch.Tensor:
    raise ValueError("the width must be divisible by the number of heads")


@pytest.mark.parametrize("make", [missing_package, missing_argument, wrong_value])
def test_a_constructor_that_raises_in_any_case_is_found(make: Callable[[], torch.Tensor]) -> None:
    seen = watched(holding(one=make))
    assert seen.error is None
    assert [type(fact) for fact in seen.facts] == [BuildFailure]


HUGE = """\
import torch
from torch import nn


class Huge(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4096, 4096) for _ in range(60))
        self.raw = nn.Parameter(torch.empty(4096, 4096))
"""


@pytest.mark.parametrize("how", ["auto", "never"])
def test_what_takes_more_memory_than_it_may_is_watched_without_it(
    how: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "huge.py").write_text(HUGE, encoding="utf-8")
    seen = probe(Target(spec="huge.py:Huge", memory=1_200_000_000, abstract=how))
    if how == "never":
        assert [type(fact) for fact in seen.facts] == [BuildFailure]
    else:
        assert coverage(seen)["raw"] is Coverage.NEVER and coverage(seen)["layers.7.weight"] is Coverage.WRITTEN


def test_memory_that_numpy_may_have_written_is_unknown() -> None:
    import numpy

    def written() -> torch.Tensor:
        tensor = torch.empty(8)
        tensor.numpy()[:] = 1
        return tensor

    seen = watched(holding(one=written, two=lambda: torch.from_numpy(numpy.empty(8))))
    assert {one.path: one.coverage for one in seen.parameters} == {"one": Coverage.UNKNOWN, "two": Coverage.UNKNOWN}


def test_a_lazy_layer_is_undecided_and_no_bug() -> None:
    seen = watched(lambda: nn.LazyLinear(4))
    assert seen.facts == () and ["lazy" in one.reason for one in seen.undecided] == [True, True, False]


def test_what_the_allocator_refuses_is_watched_without_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from initaudit.probe.audit.stages import refused_memory

    assert refused_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    assert refused_memory(MemoryError()) and not refused_memory(RuntimeError("shapes do not fit"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "huge.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.raw = nn.Parameter(torch.empty(3))\n"
        "        self.table = nn.Embedding(10**10, 10**4)\n",
        encoding="utf-8",
    )
    seen = probe(Target(spec="huge.py:Net"))
    assert seen.facts == () and {one.path: one.coverage for one in seen.parameters}["raw"] is Coverage.NEVER
