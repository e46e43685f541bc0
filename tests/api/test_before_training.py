"""`initaudit.integrations` audits where training begins, and changes nothing about the training."""

from __future__ import annotations

import importlib.util
import logging
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from initaudit.integrations import (
    InitializationError,
    InitializationWarning,
    before_training,
    lightning_callback,
    transformers_callback,
)

Hook = Callable[[nn.Module, Any], Any]
LIGHTNING = next((name for name in ("lightning", "pytorch_lightning") if importlib.util.find_spec(name)), None)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(8, 32)
        self.norm = nn.BatchNorm1d(32)
        self.drop = nn.Dropout(0.2)
        self.down = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return self.down(self.drop(self.norm(self.up(x).relu()))) * scale


class Stuck(Net):
    """A layer of zeros before a ReLU, which no gradient reaches."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)


class Writing(Net):
    """A forward that writes to its input."""

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return super().forward(x.mul_(2), scale)


def state(model: nn.Module) -> list[Any]:
    """Everything about a model and the generators that a training depends on."""
    numpy = pytest.importorskip("numpy")
    return [
        {name: one.clone() for name, one in model.state_dict().items()},
        {name: None if one.grad is None else one.grad.clone() for name, one in model.named_parameters()},
        {name: module.training for name, module in model.named_modules()},
        {name: one.requires_grad for name, one in model.named_parameters()},
        [len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.modules()],
        torch.get_rng_state(),
        random.getstate(),
        numpy.random.get_state()[1].tolist(),
        torch.is_grad_enabled(),
    ]


def equal(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(two, torch.Tensor) and torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(equal, one, two))
    return bool(one == two)


def trained(make: type[nn.Module], hook: Hook | None) -> list[Any]:
    """The state of a model after a few steps, with gradients and a layer in evaluation mode before the first one."""
    torch.manual_seed(3)
    random.seed(3)
    model = make()
    model(torch.randn(16, 8)).sum().backward()
    model.norm.eval()  # type: ignore[union-attr]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(3):
        batch = (torch.randn(16, 8), torch.randint(0, 4, (16,)))
        if step == 0 and hook is not None:
            hook(model, batch)
        nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return state(model)


@pytest.mark.filterwarnings("ignore::initaudit.integrations.InitializationWarning")
@pytest.mark.parametrize("model", [Net, Stuck, Writing])
def test_a_training_goes_on_as_if_nothing_had_been_audited(model: type[nn.Module]) -> None:
    assert equal(trained(model, None), trained(model, before_training))


@pytest.mark.filterwarnings("ignore::initaudit.integrations.InitializationWarning")
@pytest.mark.parametrize("mode", [torch.no_grad, lambda: torch.autocast("cpu", torch.bfloat16)], ids=["no", "autocast"])
def test_an_audit_leaves_the_model_and_its_batch_alone(mode: Callable[[], Any]) -> None:
    model, batch = Stuck(), {"x": torch.randn(16, 8)}
    before, inputs = state(model), batch["x"].clone()
    with mode():
        report = before_training(model, batch)
        assert torch.is_autocast_enabled("cpu") == (mode is not torch.no_grad)
    assert "INI502" in {finding.code for finding in report.findings}
    assert equal(before, state(model))
    assert torch.equal(inputs, batch["x"])


@pytest.mark.parametrize(
    "batch",
    [
        torch.randn(16, 8),
        (torch.randn(16, 8), torch.zeros(16)),
        [torch.randn(16, 8)],
        {"x": torch.randn(16, 8), "labels": torch.zeros(16)},
        {"x": torch.randn(16, 8), "scale": 0.5},
    ],
    ids=["tensor", "tuple", "list", "with labels", "with options"],
)
def test_the_forward_takes_of_a_batch_what_it_knows(batch: Any) -> None:
    report = before_training(Net(), batch)
    assert report.errors == ()
    assert report.observations[0].signal is not None


def test_without_a_batch_and_in_a_wrapper_values_are_judged() -> None:
    model = Net()
    nn.init.constant_(model.up.weight, float("nan"))
    with pytest.warns(InitializationWarning, match="INI601"):
        before_training(torch.compile(model))


@pytest.mark.parametrize("model", [Net(), Stuck()], ids=["clean", "stuck"])
def test_a_finding_raises_warns_or_is_logged(model: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    class Writer:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def add_text(self, tag: str, text: str) -> None:
            self.texts.append(f"{tag} {text}")

    clean, batch, writer = type(model) is Net, torch.randn(16, 8), Writer()
    with caplog.at_level(logging.WARNING, "initaudit"), warnings.catch_warnings():
        warnings.simplefilter("error")
        before_training(model, batch, on_finding="log", writer=writer)
        before_training(model, batch, on_finding="raise", ignore=["INI502"])
        if not clean:
            with pytest.raises(InitializationError, match="INI502") as raised:
                before_training(model, batch, on_finding="raise")
            assert raised.value.report.findings
    assert [("INI502" in text) for text in writer.texts] == ([] if clean else [True])
    assert [("INI502" in record.message) for record in caplog.records] == ([] if clean else [True])


def test_what_could_not_be_judged_warns_and_never_ends_a_training() -> None:
    with pytest.warns(InitializationWarning, match="the forward raised"):
        before_training(Net(), torch.randn(16, 7), on_finding="raise")
    with torch.device("meta"):
        model = Net()
    with pytest.warns(InitializationWarning, match="on meta"):
        before_training(model, torch.randn(16, 8), on_finding="raise")


def test_importing_loads_no_framework() -> None:
    code = (
        "import initaudit.integrations, sys; "
        "print({'torch', 'transformers', 'lightning', 'pytorch_lightning'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


# Frameworks


class Samples(torch.utils.data.Dataset[Any]):
    """A few inputs and classes, as the frameworks want them."""

    def __init__(self, *, named: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(32, 8, generator=generator)
        self.named = named

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Any:
        x, label = self.inputs[index], index % 4
        return {"x": x, "labels": label} if self.named else (x, label)


class WithLoss(Net):
    """A model as transformers trains it."""

    def forward(self, x: torch.Tensor, labels: Any = None) -> Any:  # type: ignore[override]
        logits = super().forward(x)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class StuckWithLoss(WithLoss):
    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)


def trained_by_transformers(model: nn.Module, callbacks: list[Any]) -> list[Any]:
    transformers = pytest.importorskip("transformers")
    arguments = transformers.TrainingArguments(
        "out",
        max_steps=4,
        per_device_train_batch_size=8,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    transformers.Trainer(model, arguments, train_dataset=Samples(named=True), callbacks=callbacks).train()
    return state(model)


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
def test_a_training_by_transformers_is_the_same_with_the_callback() -> None:
    states = []
    for callbacks in ([], [transformers_callback(on_finding="raise", isolated=True)]):
        torch.manual_seed(0)
        states.append(trained_by_transformers(WithLoss(), callbacks))
    assert equal(*states)


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
def test_a_training_by_transformers_ends_where_the_callback_finds_something() -> None:
    with pytest.raises(InitializationError, match="INI502"):
        trained_by_transformers(StuckWithLoss(), [transformers_callback(on_finding="raise")])


def trained_by_lightning(make: type[nn.Module], callbacks: list[Any], *, with_forward: bool = True) -> list[Any]:
    lightning: Any = importlib.import_module("lightning.pytorch" if LIGHTNING == "lightning" else "pytorch_lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = make()

            self.loss = nn.CrossEntropyLoss()

        def training_step(self, batch: Any, index: int) -> Any:
            return self.loss((self if with_forward else self.net)(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    class Calling(Module):
        def forward(self, x: torch.Tensor) -> Any:
            return self.net(x)

    torch.manual_seed(0)
    model = Calling() if with_forward else Module()
    trainer = lightning.Trainer(
        max_steps=4, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=callbacks,
    )  # fmt: skip
    trainer.fit(model, torch.utils.data.DataLoader(Samples(named=False), batch_size=8, shuffle=True))
    return state(model)


@pytest.mark.skipif(LIGHTNING is None, reason="Lightning is not installed")
@pytest.mark.parametrize("with_forward", [True, False])
@pytest.mark.filterwarnings("error::initaudit.integrations.InitializationWarning")
def test_a_training_by_lightning_is_the_same_with_the_callback(with_forward: bool) -> None:
    """A module without a forward calls its network in the training step: the network is audited then."""
    callback = lightning_callback(on_finding="raise", isolated=True)
    with_callback = trained_by_lightning(Net, [callback], with_forward=with_forward)
    assert equal(trained_by_lightning(Net, [], with_forward=with_forward), with_callback)


@pytest.mark.skipif(LIGHTNING is None, reason="Lightning is not installed")
@pytest.mark.parametrize("with_forward", [True, False])
def test_a_training_by_lightning_ends_where_the_callback_finds_something(with_forward: bool) -> None:
    with pytest.raises(InitializationError, match="INI502"):
        trained_by_lightning(Stuck, [lightning_callback(on_finding="raise")], with_forward=with_forward)
