"""Audits where training begins: a plain hook, a callback of transformers' Trainer, and one of Lightning's.

Each judges the values of a model that is about to be trained, and runs copies of it forward and backward on a real
batch. The model, its mode, its gradients and the generators of random numbers stay as they are, and so does the
training that follows. Nothing of torch, transformers or Lightning is imported before it is needed.
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
    """What is wrong with the initialization of a model that is about to be trained."""


class InitializationError(Exception):
    """A model is about to be trained whose initialization is wrong; ``report`` says how."""

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
    """Audit a model that is about to be trained, and return the report. Every rank has to call it.

    ``batch`` is what a data loader yields: a tensor, a tuple that begins with the inputs, or a dictionary of which the
    forward takes some. ``on_finding`` says what a finding of at least the severity ``fail_on`` does; one that is less
    severe is in the report alone. ``writer`` takes the text too: it has ``add_text(tag, text)``, as TensorBoard's does.
    Raises InitializationError when ``on_finding`` is "raise".
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
    """Return a ``TrainerCallback`` that audits the model at the first forward of a training, on its batch.

    ``settings`` are those of :func:`before_training`. A training that goes on from a checkpoint is not audited.
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

    ``settings`` are those of :func:`before_training`. A training that goes on from a checkpoint is not audited.
    """
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        from pytorch_lightning import Callback
    else:
        from lightning.pytorch import Callback

    class InitializationCallback(Callback):  # type: ignore[misc]
        """Audits the module before its first training step."""

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step == 0 and batch_idx == 0:
                before_training(pl_module, batch, **settings)

    return InitializationCallback()


def _at_first_forward(model: Any, settings: Mapping[str, Any]) -> None:
    """Audit a model when it is called next, with what it is called with."""

    def audited(module: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        handle.remove()
        named = _parameters(module)
        positional = dict(zip(named, args, strict=False))
        before_training(module, {**positional, **keywords}, **settings)

    handle = model.register_forward_pre_hook(audited, with_kwargs=True)


@contextlib.contextmanager
def _plain_modes(model: Any) -> Iterator[None]:
    """Measure with gradients and without autocast, whatever the training loop has begun."""
    import torch

    devices = {tensor.device.type for tensor in model.parameters()} - {"meta"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in devices:
            stack.enter_context(torch.autocast(device, enabled=False))
        yield


def _inputs(model: Any, batch: Any) -> Any:
    """Return copies of what the forward takes of a batch; None where nothing of it is an input."""
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
    """Return the parameters of a forward, also within a wrapper of torch's."""
    from initaudit.probe.declarations import wrapped

    return inspect.signature(wrapped(model).forward).parameters


def _copied(value: Any) -> Any:
    """Return inputs that a forward may write to, without their history."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value


def _tell(report: Report, on_finding: OnFinding, fail_on: str, writer: Any) -> None:
    """Do about a report what was asked for; one rank tells, and all raise."""
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
