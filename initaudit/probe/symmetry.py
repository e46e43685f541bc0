"""Units that stay equal and factors that keep one another at zero, as three steps of training show."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

import msgspec
import torch

from initaudit.finding import Observer
from initaudit.probe.declarations import is_torch
from initaudit.probe.poison import Make
from initaudit.probe.propagate import Given
from initaudit.probe.timelines import Timelines
from initaudit.probe.training import Gradients, Trainee, equal_rows, is_trained, moved, refined
from initaudit.subjects.weights import EqualUnits, ZeroFactors
from initaudit.timeline import Coverage

TABLES = torch.nn.Embedding | torch.nn.EmbeddingBag
TRANSPOSED = torch.nn.ConvTranspose1d | torch.nn.ConvTranspose2d | torch.nn.ConvTranspose3d


class Slice(msgspec.Struct, frozen=True):
    """The axis of a parameter along which its units lie."""

    path: str
    axis: int

    def of(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """What each unit has of it, in rows."""
        tensor = tensors.get(self.path)
        if tensor is None:
            return None
        return tensor.detach().movedim(self.axis, 0).reshape(tensor.shape[self.axis], -1)


EXAMPLES = 2
"""Parameters of one declaration that are tried: layers that are alike behave alike."""
MOST = 24
"""Parameters that are tried in all."""

Units = tuple[Slice, ...]
"""Everything that belongs to the units of a layer, its matrix first."""


class Candidate:
    """Units of which some start the same, and what is left of that."""

    def __init__(self, units: Units, classes: torch.Tensor) -> None:
        self.units = units
        self.classes = classes
        self.stirred = torch.zeros(len(classes), dtype=torch.bool)

    @property
    def twins(self) -> torch.Tensor:
        """Which units have another one that is the same, and were moved by some gradient."""
        return self.shared & self.stirred

    @property
    def shared(self) -> torch.Tensor:
        """Which units have another one that is the same."""
        return self.classes.bincount()[self.classes] > 1

    def compare(self, tensors: Mapping[str, torch.Tensor], generator: torch.Generator) -> None:
        """Tell apart what differs."""
        for part in self.units:
            rows = part.of(tensors)
            if rows is not None:
                self.classes = refined(self.classes, rows, generator)

    def feel(self, gradients: Gradients) -> None:
        """Note which units a gradient moves."""
        rows = self.units[0].of(gradients)
        if rows is not None:
            self.stirred |= rows.abs().amax(dim=1) > moved(gradients)


def stuck(
    built: torch.nn.Module,
    make: Make,
    given: Given,
    seed: int,
    timelines: Timelines,
    multiplied: Container[str],
    influenced: Container[str] = (),
) -> Iterator[EqualUnits | ZeroFactors]:
    """What training cannot mend. ``multiplied`` are the paths of the weights that the forward multiplies with, and
    ``influenced`` those of parameters whose gradients depend on what nothing wrote: they are not judged.

    Raises whatever the model raises; a model without a suspect is not trained.
    """
    tensors = {
        name: one
        for name, one in built.named_parameters()
        if name in timelines.tensors
        and is_trained(one)
        and timelines.coverage(name) is Coverage.WRITTEN
        and name not in influenced
    }
    suspects = list(_suspects(built, tensors, multiplied))
    zeros = [name for name, one in tensors.items() if not bool(one.any())]
    if not suspects and len(zeros) < 2:
        return
    trainee = Trainee(make, given, seed)
    still = {name for name in zeros if name in trainee.parameters}
    reached: set[str] = set()
    for gradients in trainee.train():
        for suspect in suspects:
            suspect.compare(gradients, trainee.generator)
            suspect.feel(gradients)
        still -= {name for name, gradient in gradients.items() if bool(gradient.any())}
        reached |= gradients.keys()
        if len(still) < 2 and not any(bool(suspect.shared.any()) for suspect in suspects):
            return
    for suspect in suspects:
        suspect.compare(trainee.parameters, trainee.generator)
        if bool(suspect.twins.any()):
            yield _equal_units(suspect, timelines)
    yield from _zero_factors(make, given, seed, timelines, [name for name in zeros if name in still & reached])


# Units


def _suspects(
    model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], multiplied: Container[str]
) -> Iterator[Candidate]:
    """The units of which some start the same."""
    for units in _all_units(model, tensors, multiplied):
        rows = [part.of(tensors) for part in units]
        classes = equal_rows(torch.cat([one for one in rows if one is not None], dim=1))
        if len(classes) > int(classes.max()) + 1:
            yield Candidate(units, classes)


def _all_units(
    model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], multiplied: Container[str]
) -> Iterator[Units]:
    """The units of every layer: of torch's own along the output, of others along either side of a matrix.

    The rows of a table that is looked up or added are no units: which is used where does not come from their values.
    """
    for path, module in model.named_modules():
        if isinstance(module, TABLES):
            continue
        prefix = f"{path}." if path else ""
        names = [f"{prefix}{name}" for name, _ in module.named_parameters(recurse=False)]
        own = {name: tensors[name] for name in names if name in tensors}
        for name, matrix in own.items():
            own_matrix = matrix.dim() == 2 and name in multiplied
            if matrix.dim() < 2 or not (own_matrix or is_torch(type(module))):
                continue
            for axis in _axes(module):
                if matrix.shape[axis] > 1:
                    yield (Slice(name, axis), *_beside(name, matrix.shape[axis], own))


def _axes(module: torch.nn.Module) -> tuple[int, ...]:
    if isinstance(module, TRANSPOSED):
        return (1,) if module.groups == 1 else ()
    return (0,) if is_torch(type(module)) else (0, 1)


def _beside(matrix: str, count: int, own: Mapping[str, torch.Tensor]) -> Iterator[Slice]:
    """What else a unit of a matrix has: biases, and the recurrent weights of the same layer ("weight_hh_l0")."""
    layer = matrix.rpartition("_l")[2] if "weight_ih_l" in matrix or "weight_hh_l" in matrix else None
    for name, one in own.items():
        if name == matrix or one.shape[:1] != (count,):
            continue
        if (layer is None and one.dim() == 1) or (layer is not None and name.endswith(f"_l{layer}")):
            yield Slice(name, 0)


def _equal_units(suspect: Candidate, timelines: Timelines) -> EqualUnits:
    path = suspect.units[0].path
    declared = timelines.declared[path]
    twins = suspect.twins
    return EqualUnits(
        observer=Observer.PROBE,
        place=timelines.written_at(path),
        model=declared.model,
        parameter=declared.name,
        path=path,
        units=len(suspect.classes),
        equal=int(twins.sum()),
        distinct=int(suspect.classes[twins].unique().numel()),
    )


# Zeros


def _zero_factors(
    make: Make, given: Given, seed: int, timelines: Timelines, still: Sequence[str]
) -> Iterator[ZeroFactors]:
    """Parameters at zero that no gradient reached, each of which gets one as soon as the others are no longer zero.

    Both directions count: behind a unit that is dead, a bias may free what comes after it, and nothing frees the bias.
    """
    kinds: dict[tuple[str, str], list[str]] = {}
    for name in still:
        declared = timelines.declared[name]
        kinds.setdefault((declared.model, declared.name), []).append(name)
    examples = [name for names in kinds.values() for name in names[:EXAMPLES]][:MOST]
    freed = {name: _revived(make, given, seed, [name], still) for name in examples}
    told: set[str] = set()
    for name in examples:
        partners = [other for other in examples if other != name and other in freed[name] and name in freed[other]]
        if name in told or not partners:
            continue
        met = {(one.model, one.name) for one in (timelines.declared[each] for each in (name, *partners))}
        group = [each for kind, names in kinds.items() if kind in met for each in names]
        told.update(group)
        yield _factors(_needed(make, given, seed, group, still), timelines)
    rest = [name for name in examples if name not in told]
    if len(rest) > 2:  # products of three factors and more: each is freed by all others together
        others = {name: [each for each in rest if each != name] for name in rest}
        group = [name for name in rest if name in _revived(make, given, seed, others[name], still)]
        if len(group) > 2:
            yield _factors(_needed(make, given, seed, group, still), timelines)


def _needed(make: Make, given: Given, seed: int, group: Sequence[str], still: Sequence[str]) -> Sequence[str]:
    """Those of a group that keep another one at zero; the others only wait behind them, as earlier biases do."""
    if len(group) > MOST:
        return group
    blocking = []
    for name in group:
        others = [each for each in group if each != name]
        if not set(others) <= _revived(make, given, seed, others, still):
            blocking.append(name)
    return blocking if len(blocking) > 1 else group


def _revived(make: Make, given: Given, seed: int, disturbed: Sequence[str], still: Sequence[str]) -> set[str]:
    """What gets a gradient when some parameters are not zero."""
    trainee = Trainee(make, given, seed)
    trainee.disturb(disturbed)
    gradients = trainee.gradients()
    least = moved(gradients)
    return {name for name in still if name in gradients and float(gradients[name].abs().amax()) > least}


def _factors(paths: Sequence[str], timelines: Timelines) -> ZeroFactors:
    declared = [timelines.declared[path] for path in paths]
    return ZeroFactors(
        observer=Observer.PROBE,
        place=timelines.written_at(paths[0]),
        model=declared[0].model,
        parameter=declared[0].name,
        factors=tuple(dict.fromkeys(one.name for one in declared)),
        paths=tuple(paths),
        gains=tuple(
            dict.fromkeys(timelines.declared[path].name for path in paths if timelines.tensors[path].dim() == 1)
        ),
    )
