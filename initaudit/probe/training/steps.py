"""Train for a few steps, to find units that stay equal and parameters that never get a gradient.

Units that start the same can differ only by their gradients. So a model is built anew and trained for at least three
steps, on independent batches and with a random cotangent, with dropout and whatever else it does in training: what has
the same gradient every time stays the same for good. That is in double precision, or in the model's own if its forward
does not run otherwise.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Container, Mapping
from typing import Any

import torch

from initaudit.probe.blame import crossing
from initaudit.probe.record.poison import Make, seed_everything
from initaudit.probe.record.readable import has_memory
from initaudit.probe.record.watch import tensors_in
from initaudit.probe.signal.propagate import Given, differentiated, forwarded, plain_outputs
from initaudit.probe.training.batches import another_batch
from initaudit.probe.training.precision import doubled, in_double

SAME, NEARLY_SAME = 1e-9, 1e-5
"""The part of the largest element by which gradients, or parameters, may differ and still be the same: in double
precision, and in single."""
NOTHING = 1e-12
"""The part of the largest gradient of a model below which another one is rounding."""
PACE = 0.01
"""How far a step goes, in parts of the rms of all parameters."""
SMALLEST_SCALE = 1e-4
"""Parameters are multiplied by factors from this to one."""
CHUNK = 4096
"""Rows that are held in double precision at once."""
SMALLEST = 1e-2
"""The rms that parameters are taken to have at least, so that a step leads away from zero."""

Gradients = dict[str, torch.Tensor]


class UntrainableError(Exception):
    """A model that cannot be trained here, and why."""


@crossing
def _built(make: Make, *, double: bool) -> torch.nn.Module:
    """Return a new model, in double precision if asked, which not every kind of tensor has."""
    model = make().train()
    return doubled(model) if double else model


class Trainee:
    """A model of its own that is trained from the start that its constructor gave it.

    ``same`` is the part of the largest element by which what is the same may differ, in the precision of the training.
    """

    def __init__(self, make: Make, given: Given, seed: int, *, double: bool = True) -> None:
        seed_everything(seed)
        self.double = double
        self.same = SAME if double else NEARLY_SAME
        self.model = _built(make, double=double)
        self.given = given
        self.generator = torch.Generator().manual_seed(seed)
        self.parameters = {name: one for name, one in self.model.named_parameters() if is_trained(one)}

    def gradients(self) -> Gradients:
        """The gradients for a new batch and a new cotangent, of whatever the outputs depend on."""
        with in_double() if self.double else contextlib.nullcontext(), torch.enable_grad():
            batch = another_batch(self.given, self.generator, double=self.double)
            outputs = plain_outputs(forwarded(self.model, batch))
            differentiable = [one for one in tensors_in(outputs) if one.requires_grad and one.numel() > 0]
            if not differentiable:
                raise UntrainableError("no output depends on a trainable parameter")
            cotangents = [torch.randn(one.shape, generator=self.generator).to(one) for one in differentiable]
            found = differentiated(differentiable, list(self.parameters.values()), cotangents)
        gradients = {name: one for name, one in zip(self.parameters, found, strict=True) if one is not None}
        if not all(bool(one.isfinite().all()) for one in gradients.values()):
            raise UntrainableError("a gradient is not finite")
        return gradients

    def step(self, gradients: Gradients) -> None:
        """One step of plain gradient descent."""
        scale = _rms(gradients.values())
        pace = PACE * max(_rms(self.parameters.values()), SMALLEST) / scale if scale > 0 else 0.0
        with torch.no_grad():
            for name, gradient in gradients.items():
                self.parameters[name].sub_(gradient, alpha=pace)

    def scale(self) -> None:
        """Multiply each parameter by a factor of its own.

        Units that are one stay one whatever the scales; what is alike for the values that others hold just now, as two
        samples that both lie outside of an image, is distinguished.
        """
        with torch.no_grad():
            for parameter in self.parameters.values():
                parameter.mul_(SMALLEST_SCALE ** float(torch.rand((), generator=self.generator)))

    def held(self) -> dict[str, torch.Tensor]:
        """What the model has learned so far."""
        return {name: one.detach().clone() for name, one in self.parameters.items()}

    def disturbed(self, held: Mapping[str, torch.Tensor], names: Container[str]) -> Gradients:
        """The gradients for what the model held, with some of it drawn at random, as layers are."""
        with torch.no_grad():
            for name, one in self.parameters.items():
                one.copy_(held[name])
                if name in names:
                    one.normal_(0, one[0].numel() ** -0.5 if one.dim() > 1 else 1.0, generator=self.generator)
        return self.gradients()


def is_trained(tensor: torch.Tensor) -> bool:
    """Whether training can move a parameter."""
    numbers = tensor.is_floating_point() or tensor.is_complex()
    return has_memory(tensor) and tensor.requires_grad and numbers and tensor.numel() > 0


def _rms(tensors: Any) -> float:
    total, count = 0.0, 0
    for tensor in tensors:
        total += float(tensor.detach().abs().square().sum())
        count += tensor.numel()
    return math.sqrt(total / count) if count else 0.0


# Which rows are the same


def equal_rows(rows: torch.Tensor) -> torch.Tensor:
    """For each row the number of its class: rows are in one class when they are equal.

    Rows are compared element by element only where a random projection does not tell them apart.
    """
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(rows.shape[1], generator=generator, dtype=torch.float64)
    shadow = torch.cat([part.double() @ direction for part in rows.split(CHUNK)])
    order = shadow.argsort()
    near = shadow[order].diff().abs() <= SAME * shadow.abs().amax()
    alike = torch.zeros(len(rows), dtype=torch.bool)
    alike[order[:-1][near]] = True
    alike[order[1:][near]] = True
    classes = torch.arange(len(rows))
    if alike.any():
        numbers = torch.unique(rows[alike], dim=0, return_inverse=True)[1]
        classes[alike] = len(rows) + numbers
    return torch.unique(classes, return_inverse=True)[1]


def refined(classes: torch.Tensor, rows: torch.Tensor, generator: torch.Generator, same: float = SAME) -> torch.Tensor:
    """Classes whose rows are the same but for rounding.

    By one random projection: rows that differ do not meet there, rows that agree to ``same`` do.
    """
    flat = rows.reshape(len(rows), -1).double()
    largest = float(flat.abs().amax()) if flat.numel() else 0.0
    if largest == 0:
        return classes
    direction = torch.randn(flat.shape[1], generator=generator, dtype=torch.float64)
    shadow = flat @ direction / (largest * math.sqrt(flat.shape[1]))
    order = torch.argsort(shadow)
    order = order[torch.argsort(classes[order], stable=True)]
    label, value = classes[order], shadow[order]
    apart = (label[1:] != label[:-1]) | ((value[1:] - value[:-1]).abs() > same)
    numbers = torch.cat([torch.zeros(1, dtype=torch.long), apart.long().cumsum(0)])
    result = torch.empty_like(numbers)
    result[order] = numbers
    return result


def moved(gradients: Mapping[str, torch.Tensor]) -> float:
    """The size from which on a gradient of this model is more than rounding."""
    largest = max((float(one.abs().amax()) for one in gradients.values()), default=0.0)
    return largest * NOTHING
