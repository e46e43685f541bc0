"""Audit a model when training begins: a plain function, a callback for transformers' Trainer, and one for Lightning.

Each checks the values of the model, and runs copies of it forward and backward on a real batch. The model, its mode,
its gradients and the random number generators stay as they are, so the training that follows is unchanged. torch,
transformers and Lightning are imported only when needed.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from initaudit.engine import Report

LOGGER = logging.getLogger("initaudit")
TAG = "initaudit"

OnFinding = Literal["warn", "raise", "log"]


class InitializationWarning(UserWarning):
    """Warns of a wrong initialization of a model before its training."""


class InitializationError(Exception):
    """The initialization of a model is wrong before its training; ``report`` holds the findings."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"initialization is not clean\n{report}")
        self.report = report


def before_training(
    model: Any,
    batch: Any = None,
    *,
    on_finding: OnFinding = "warn",
    fail_on: str = "warning",
    writer: Any = None,
    seed: int = 0,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    preview: bool | None = None,
    config: str | None = None,
    isolated: bool = False,
) -> Report:
    """Audit a model before its training, and return the report. Every rank has to call it.

    ``batch`` is what a data loader yields: a tensor, a tuple that begins with the inputs, or a dictionary that holds
    arguments of the forward. ``on_finding`` says what to do about findings of at least the severity ``fail_on``; less
    severe ones are only in the report. ``writer`` also receives the text, through ``add_text(tag, text)`` as of
    TensorBoard's SummaryWriter. Raises InitializationError if ``on_finding`` is "raise".
    """
    import initaudit

    with _plain_modes(model):
        report = initaudit.audit(
            model,
            _inputs(model, batch),
            seed=seed,
            select=select,
            ignore=ignore,
            preview=preview,
            config=config,
            isolated=isolated,
        )
    _tell(report, on_finding, fail_on, writer)
    return report


def transformers_callback(**settings: Any) -> Any:
    """Return a ``TrainerCallback`` that audits the model at the first forward of the training, on its batch.

    ``settings`` are those of :func:`before_training`. A training resumed from a checkpoint is not audited.
    """
    from transformers import TrainerCallback

    class InitializationCallback(TrainerCallback):  # type: ignore[misc]
        """Audits the model when training begins."""

        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
            if model is not None and state.global_step == 0:
                _at_first_forward(model, settings)

    return InitializationCallback()


def lightning_callback(**settings: Any) -> Any:
    """Return a Lightning ``Callback`` that audits the module on its first training batch.

    ``settings`` are those of :func:`before_training`. A training resumed from a checkpoint is not audited. Of a module
    without a ``forward``, each child with parameters is audited when it is first called.
    """
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        from pytorch_lightning import Callback, LightningModule
    else:
        from lightning.pytorch import Callback, LightningModule

    class InitializationCallback(Callback):  # type: ignore[misc]
        """Audits the module before its first training step."""

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step != 0 or batch_idx != 0:
                return
            if type(pl_module).forward is not LightningModule.forward:
                before_training(pl_module, batch, **settings)
                return
            for child in pl_module.children():
                if any(True for _ in child.parameters()):
                    _at_first_forward(child, settings)

    return InitializationCallback()


def _at_first_forward(model: Any, settings: Mapping[str, Any]) -> None:
    """Audit a model at its next call, with the arguments of the call."""

    def audited(module: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        handle.remove()
        named = _parameters(module)
        positional = dict(zip(named, args, strict=False))
        before_training(module, {**positional, **keywords}, **settings)

    handle = model.register_forward_pre_hook(audited, with_kwargs=True)


@contextlib.contextmanager
def _plain_modes(model: Any) -> Iterator[None]:
    """Enable gradients and disable autocast, whatever modes the training loop has set."""
    import torch

    devices = {tensor.device.type for tensor in model.parameters()} - {"meta"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in devices:
            stack.enter_context(torch.autocast(device, enabled=False))
        yield


def _inputs(model: Any, batch: Any) -> Any:
    """Return copies of the inputs of the forward in a batch; None if it holds none."""
    if batch is None:
        return None
    parameters = _parameters(model)
    if isinstance(batch, Mapping):
        takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        return {name: _copied(one) for name, one in batch.items() if takes_all or name in parameters} or None
    if isinstance(batch, tuple | list):
        required = [one for one in parameters.values() if one.default is one.empty and one.kind <= one.VAR_POSITIONAL]
        return tuple(_copied(one) for one in batch[: max(1, len(required))])
    return (_copied(batch),)


def _parameters(model: Any) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of the forward, looking inside wrappers of torch."""
    from initaudit.probe.record.declarations import wrapped

    return inspect.signature(wrapped(model).forward).parameters


def _copied(value: Any) -> Any:
    """Return detached copies of inputs, which a forward may modify."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value


def _tell(report: Report, on_finding: OnFinding, fail_on: str, writer: Any) -> None:
    """Warn, log or raise, as asked. One rank warns or logs; all ranks raise."""
    from initaudit.finding import Severity

    wrong = any(finding.severity.rank >= Severity(fail_on).rank for finding in report.findings)
    text = str(report)
    if text and (wrong or report.errors):
        if writer is not None:
            writer.add_text(TAG, text)
        if on_finding == "log":
            LOGGER.warning("%s", text)
        elif on_finding == "warn" or not wrong:
            warnings.warn(text, InitializationWarning, stacklevel=3)
    if wrong and on_finding == "raise":
        raise InitializationError(report)
