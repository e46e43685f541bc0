"""`initaudit.audit` watches a model where it is at hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import initaudit
from initaudit.finding import Severity
from initaudit.probe import TargetError


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Net(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.raw = nn.Parameter(torch.empty(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.fc(x)) + self.raw


class Clean(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))


@pytest.mark.parametrize("model", [Net, lambda: Net(4)], ids=["class", "factory"])
def test_what_is_wrong_is_found_at_its_line(model: Any) -> None:
    report = initaudit.audit(model)
    (finding,) = (finding for finding in report.findings if finding.code == "INI101")
    assert finding.place.filename == __file__
    assert "torch.empty(width)" in Path(__file__).read_text(encoding="utf-8").splitlines()[finding.place.row - 1]
    assert report.exit_code() == 1


@pytest.mark.parametrize(
    "inputs",
    [torch.ones(8, 4), (torch.ones(8, 4),), {"input": torch.ones(8, 4)}],
    ids=["tensor", "tuple", "dictionary"],
)
def test_inputs_are_what_signals_are_measured_on(inputs: Any) -> None:
    (seen,) = initaudit.audit(Clean, inputs, seeds=2).observations
    assert seen.signal is not None
    assert (seen.signal.batch, seen.signal.seeds) == (8, (0, 1))
    assert [layer.path for layer in seen.signal.layers] == ["0.weight", "2.weight"]


def test_the_report_holds_timelines_and_statistics() -> None:
    (seen,) = initaudit.audit(Clean).observations
    weight = seen.parameters[0]
    assert weight.values is not None
    assert (weight.path, weight.values.shape, weight.writes[-1].by) == ("0.weight", (4, 4), "init.kaiming_uniform_")


def test_of_an_instance_only_the_values_are_audited() -> None:
    model = Clean()
    nn.init.constant_(model[0].weight, float("nan"))
    report = initaudit.audit(model)
    assert [finding.code for finding in report.findings] == ["INI601"]
    assert "the instance already exists" in report.undecided[0].reason


class Kept(nn.Module):
    """A model that keeps the arguments of its constructor as Lightning does, under ``hparams``."""

    def __init__(self, n: int, bias: bool = True) -> None:
        super().__init__()
        self.hparams = {"n": n, "bias": bias}
        self.fc = nn.Linear(n, n, bias=bias)
        self.scale = nn.Parameter(torch.empty(n))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) * self.scale


class Configured(Kept):
    """A model that keeps them as transformers does."""

    def __init__(self, config: dict[str, int]) -> None:
        super().__init__(config["n"])
        self.config = config


@pytest.mark.parametrize("model", [lambda: Kept(4, bias=False), lambda: Configured({"n": 4})])
def test_an_instance_with_known_arguments_is_built_again_beside_it(model: Callable[[], nn.Module]) -> None:
    built = model()
    with torch.no_grad():
        built.scale.fill_(2.0)  # what wrote to it since the audit cannot know
    state, draw = {name: each.clone() for name, each in built.state_dict().items()}, torch.random.get_rng_state()
    report = initaudit.audit(built)
    (found,) = report.findings
    assert (found.code, found.severity, found.parameter) == ("INI101", Severity.NOTE, "scale")
    assert "check that other code does" in found.message
    assert "called again with its" in report.undecided[0].reason
    assert all(torch.equal(each, state[name]) for name, each in built.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), draw)


def test_an_instance_that_has_become_another_model_is_not_built_again() -> None:
    built = Kept(4)
    nn.init.ones_(built.scale)
    built.fc = nn.Linear(4, 8)
    report = initaudit.audit(built)
    assert not report.findings
    assert "only its values are audited;" in report.undecided[0].reason


def test_an_instance_on_meta_is_not_judged_and_says_so() -> None:
    with torch.device("meta"):
        whole, part = Clean(), nn.Sequential(Clean(), Clean())
    report = initaudit.audit(whole)
    assert (report.findings, report.exit_code()) == ((), 2)
    assert "not judged: every parameter and buffer is on meta" in str(report)
    part[0].to_empty(device="cpu").apply(lambda module: getattr(module, "reset_parameters", int)())
    report = initaudit.audit(part)
    assert (report.findings, report.exit_code()) == ((), 0)
    assert "not judged: on meta, without values" in str(report)


@pytest.fixture
def _alone() -> Iterator[None]:
    """A process group of this process."""
    distributed = pytest.importorskip("torch.distributed")
    distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("on_meta", [False, True])
def test_shards_that_are_the_whole_are_judged_by_their_values(on_meta: bool) -> None:
    from torch.distributed.fsdp import fully_shard

    with torch.device("meta" if on_meta else "cpu"):
        model = fully_shard(Net())
    if on_meta:
        assert "every parameter and buffer is on meta" in str(initaudit.audit(model))
        model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.constant_(parameter, float("inf") if parameter is model.raw else 0.0)
    (finding,) = initaudit.audit(model, select=["INI6"]).findings
    assert finding.code == "INI601"
    assert finding.model == f"{__name__}.Net"
    assert finding.place.filename.endswith("test_audit.py")


@pytest.mark.usefixtures("_alone")
def test_a_factory_that_shards_and_allocates_is_watched() -> None:
    from torch.distributed.fsdp import fully_shard

    def build() -> nn.Module:
        with torch.device("meta"):
            model = fully_shard(nn.Linear(4, 4))
        return model.to_empty(device="cpu")

    report = initaudit.audit(build)
    assert "the elements of a DTensor are not read" in {one.reason for one in report.undecided}


def test_a_constructor_that_raises_is_a_finding() -> None:
    def build() -> nn.Module:
        raise ValueError("no luck")

    (finding,) = initaudit.audit(build).findings
    assert finding.code == "INI003"
    assert "no luck" in finding.message + finding.evidence[0].detail


def test_a_factory_that_gives_no_model_is_an_error_of_use() -> None:
    with pytest.raises(TargetError, match="not a torch"):
        initaudit.audit(lambda: 3)
    with pytest.raises(TargetError, match="3 is neither a class, a function nor a module instance"):
        initaudit.audit(3)  # type: ignore[arg-type]


def test_random_numbers_go_on_as_if_nothing_had_been_built() -> None:
    numpy = pytest.importorskip("numpy")

    def drawn() -> tuple[float, float, float]:
        return random.random(), float(numpy.random.rand()), float(torch.rand(()))

    def begin() -> None:
        random.seed(1), numpy.random.seed(1), torch.manual_seed(1)

    begin()
    expected = drawn()
    begin()
    initaudit.audit(Clean, torch.ones(8, 4))
    assert drawn() == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_default_device("meta"),
        lambda: torch.set_grad_enabled(False),
    ],
    ids=["dtype", "device", "gradients"],
)
def test_what_a_constructor_sets_for_all_tensors_ends_with_it(change: Callable[[], object]) -> None:
    def make() -> nn.Module:
        model = Clean()
        change()
        return model

    report = initaudit.audit(make, seeds=2)
    assert report.findings == ()
    assert (torch.get_default_dtype(), torch.get_default_device().type) == (torch.float32, "cpu")
    assert torch.is_grad_enabled()


def test_rules_are_chosen_as_elsewhere(tmp_path: Path) -> None:
    assert initaudit.audit(Net, ignore=["INI101"]).findings == ()
    (tmp_path / "initaudit.toml").write_text('ignore = ["INI101"]', encoding="utf-8")
    assert initaudit.audit(Net).findings == ()
    assert [finding.code for finding in initaudit.audit(Net, isolated=True).findings] == ["INI101"]
