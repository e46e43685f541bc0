"""Units that stay equal and factors that keep one another at zero, as a few steps of training show."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence

import msgspec
import torch

from initaudit.finding import Observer, Place
from initaudit.probe.blame import is_ours
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.declarations import is_torch
from initaudit.probe.record.poison import Make
from initaudit.probe.signal.propagate import Given
from initaudit.probe.training.steps import Gradients, Trainee, UntrainableError, equal_rows, is_trained, moved, refined
from initaudit.subjects.weights import EqualUnits, Factor, ZeroFactors
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
        rows = tensor.detach().movedim(self.axis, 0).reshape(tensor.shape[self.axis], -1)
        return torch.view_as_real(rows).flatten(1) if rows.is_complex() else rows


EXAMPLES = 2
"""Parameters of one declaration that are tried: layers that are alike behave alike."""
MOST = 24
"""Parameters that are tried in all."""

STEPS = 3
MOST_STEPS = 12
"""Steps in all: there are more of them while each moves another zero, as those behind one another move in turn."""
SCALINGS = 2

Kind = tuple[str, str, str]
Units = tuple[Slice, ...]
"""Everything that belongs to the units of a layer, its matrix first."""


class Candidate:
    """Units of which some start the same, and what is left of that. Those of a ``state`` multiply no input."""

    def __init__(self, units: Units, classes: torch.Tensor, *, state: bool) -> None:
        self.units = units
        self.classes = classes
        self.state = state
        self.stirred = torch.zeros(len(classes), dtype=torch.bool)

    @property
    def twins(self) -> torch.Tensor:
        """Which units have another one that is the same, and were moved by some gradient."""
        return self.shared & self.stirred

    @property
    def shared(self) -> torch.Tensor:
        """Which units have another one that is the same."""
        return self.classes.bincount()[self.classes] > 1

    def compare(self, tensors: Mapping[str, torch.Tensor], trainee: Trainee) -> None:
        """Tell apart what differs."""
        for part in self.units:
            rows = part.of(tensors)
            if rows is not None:
                self.classes = refined(self.classes, rows, trainee.generator, trainee.same)

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
    """What training cannot repair. ``multiplied`` are the paths of the weights that the forward multiplies with, and
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
    if not Study(suspects, zeros).open:
        return
    try:
        yield from _after_training(Study(suspects, zeros), Trainee(make, given, seed), timelines)
    except UntrainableError:
        raise
    except Exception as error:  # whatever a forward raises in double precision
        if is_ours(error):
            raise
        again = Study(list(_suspects(built, tensors, multiplied)), zeros)
        yield from _after_training(again, Trainee(make, given, seed, double=False), timelines)


def _after_training(study: Study, trainee: Trainee, timelines: Timelines) -> Sequence[EqualUnits | ZeroFactors]:
    study.learn(trainee)
    left = STEPS
    for _ in range(MOST_STEPS):
        if left and study.open:
            left = STEPS if study.learn(trainee, step=True) else left - 1
    if not study.open:
        return ()
    study.learn(trainee)
    held = trainee.held()
    for _ in range(SCALINGS):
        trainee.scale()
        study.learn(trainee)
    for suspect in study.suspects:
        suspect.compare(trainee.parameters, trainee)
    equal = [
        _equal_units(suspect, timelines)
        for suspect in study.suspects
        if bool(suspect.twins.any()) and not (suspect.state and _is_summed(suspect.units[0], held, trainee))
    ]
    groups = Zeros(trainee, held, study.stuck).factors(timelines)
    factors = [_factors(paths, timelines, trainee.model) for paths in groups]
    return [*equal, *factors]


class Study:
    """What steps of training show of units that start the same, and of parameters that start at zero."""

    def __init__(self, suspects: Sequence[Candidate], zeros: Sequence[str]) -> None:
        self.suspects = suspects
        self.zeros = zeros
        self._reached: set[str] = set()
        self._moved: set[str] = set()

    @property
    def open(self) -> bool:
        """Whether more steps may show something."""
        return len(self.zeros) > len(self._moved) or any(bool(suspect.shared.any()) for suspect in self.suspects)

    @property
    def stuck(self) -> list[str]:
        """The zeros that outputs depend on and no gradient has moved."""
        return [name for name in self.zeros if name in self._reached - self._moved]

    def learn(self, trainee: Trainee, *, step: bool = False) -> bool:
        """Take in what another batch shows; whether it moves a zero that none has moved before."""
        gradients = trainee.gradients()
        for suspect in self.suspects:
            suspect.compare(gradients, trainee)
            suspect.feel(gradients)
        known = len(self._moved)
        self._moved.update(name for name in self.zeros if name in gradients and bool(gradients[name].any()))
        self._reached.update(gradients)
        if step:
            trainee.step(gradients)
        return len(self._moved) > known


# Units


def _suspects(
    model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], multiplied: Container[str]
) -> Iterator[Candidate]:
    """The units of which some start the same."""
    for units in _all_units(model, tensors, multiplied):
        rows = [part.of(tensors) for part in units]
        classes = equal_rows(torch.cat([one for one in rows if one is not None], dim=1))
        if len(classes) > int(classes.max()) + 1:
            path = units[0].path
            own = not is_torch(type(model.get_submodule(path.rpartition(".")[0])))
            yield Candidate(units, classes, state=own and path not in multiplied)


def _all_units(
    model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], multiplied: Container[str]
) -> Iterator[Units]:
    """The units of every layer: of torch's own along the output, of others along either side of a matrix.

    Those of a state that a model learns, such as queries, lie along each of its axes but the last. The rows of a table
    that is looked up are no units: which is used where does not come from their values.
    """
    for path, module in model.named_modules():
        if isinstance(module, TABLES):
            continue
        prefix = f"{path}." if path else ""
        names = [f"{prefix}{name}" for name, _ in module.named_parameters(recurse=False)]
        own = {name: tensors[name] for name in names if name in tensors}
        for name, matrix in own.items():
            for axis in _axes(module, matrix, multiplied=name in multiplied):
                if matrix.shape[axis] > 1:
                    yield (Slice(name, axis), *_beside(name, matrix.shape[axis], own))


def _axes(module: torch.nn.Module, matrix: torch.Tensor, *, multiplied: bool) -> Sequence[int]:
    """The axes of a parameter along which its units may lie."""
    if matrix.dim() < 2:
        return ()
    if isinstance(module, TRANSPOSED):
        return (1,) if module.groups == 1 else ()
    if is_torch(type(module)):
        return (0,)
    if multiplied:
        return (0, 1) if matrix.dim() == 2 else ()
    return range(matrix.dim() - 1) if matrix.shape[-1:] != (1,) else ()


def _beside(matrix: str, count: int, own: Mapping[str, torch.Tensor]) -> Iterator[Slice]:
    """What else a unit of a matrix has: biases, and the recurrent weights of the same layer ("weight_hh_l0")."""
    layer = matrix.rpartition("_l")[2] if "weight_ih_l" in matrix or "weight_hh_l" in matrix else None
    for name, one in own.items():
        if name == matrix or one.shape[:1] != (count,):
            continue
        if (layer is None and one.dim() == 1) or (layer is not None and name.endswith(f"_l{layer}")):
            yield Slice(name, 0)


def _is_summed(rows: Slice, held: Mapping[str, torch.Tensor], trainee: Trainee) -> bool:
    """Whether the rows of a state have one gradient even where they differ: their sum is all that matters."""
    gradients = rows.of(trainee.disturbed(held, [rows.path]))
    if gradients is None:
        return True
    alike = torch.zeros(len(gradients), dtype=torch.long)
    return bool((refined(alike, gradients, trainee.generator, trainee.same) == alike).all())


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
        state=suspect.state,
        units=len(suspect.classes),
        equal=int(twins.sum()),
        distinct=int(suspect.classes[twins].unique().numel()),
    )


# Zeros


class Zeros:
    """Parameters at zero that no gradient moves, in a model that was trained until nothing else was to be expected."""

    def __init__(self, trainee: Trainee, held: Mapping[str, torch.Tensor], stuck: Sequence[str]) -> None:
        self.trainee = trainee
        self.held = held
        self.stuck = stuck

    def factors(self, timelines: Timelines) -> list[Sequence[str]]:
        """Groups of which each gets a gradient as soon as the others are no longer zero.

        Biases start at zero almost everywhere, so that they count only where nothing else explains what is stuck.
        """
        every = self.stuck
        self.stuck = [name for name in every if not _is_bias(name, self.trainee.model, every)]
        found = list(self._groups(timelines))
        if found:
            return found
        self.stuck = every
        return list(self._groups(timelines)) or list(self._alone())

    def _alone(self) -> Iterator[Sequence[str]]:
        """Matrices and tables that nothing but their own zeros keeps at zero, as where a rectifier follows."""
        for name in self.stuck[:MOST]:
            if self.held[name].dim() > 1 and name in self._revived([name]):
                yield [name]

    def _groups(self, timelines: Timelines) -> Iterator[Sequence[str]]:
        """Groups among those that are stuck; what one statement sets to zero is in one.

        Both directions count: behind a dead unit, a bias may free what comes after it, and nothing frees the bias.
        """
        kinds = {name: _kind(name, timelines) for name in self.stuck}
        places = {name: timelines.written_at(name) for name in self.stuck}
        freed = self._freed(kinds)
        links = {one: {two for two in freed[one] if two != one and one in freed.get(two, ())} for one in freed}
        reported: set[str] = set()
        for group in _together(links, kinds):
            if reported.issuperset(group):
                continue
            alike, zeroed = {kinds[name] for name in group}, {places[name] for name in group}
            members = [
                one
                for one in self.stuck
                if one in group or places[one] in zeroed or (one not in freed and kinds[one] in alike)
            ]
            reported.update(members)
            blocking = self._blocking(members)
            yield blocking if any(not links.get(one, set()).isdisjoint(blocking) for one in blocking) else members
        yield from self._only_together([name for name in self.stuck if name not in reported], kinds, places)

    def _only_together(
        self, rest: Sequence[str], kinds: Mapping[str, Kind], places: Mapping[str, Place]
    ) -> Iterator[Sequence[str]]:
        """Factors that only all others together free: products of three and more, and zeros around a rectifier.

        What is freed as soon as it is not zero itself waits for no other factor: a dead unit is its cause.
        """
        names = list(rest) if len(rest) <= MOST else _examples(rest, kinds)
        if len(names) < 2:
            return
        if len(names) > MOST:  # too many to ask each
            yield rest
            return
        alone = {name: self._revived([name]) for name in names}
        dead = {each for name, freed in alone.items() if name in freed for each in freed}
        revived = self._revived(rest)
        needed = group = [name for name in names if name in revived - dead]
        last_first = group[::-1]  # a bias may wait beside its weight, and comes after it
        for name in sorted(last_first, key=lambda name: self.held[name].dim()):
            fewer = [one for one in needed if one != name]
            if self._revived(fewer).issuperset(group):
                needed = fewer
        alike, zeroed = {kinds[name] for name in needed}, {places[name] for name in needed}
        blocking = [name for name in rest if kinds[name] in alike or places[name] in zeroed]
        if len(blocking) > 1:
            yield blocking

    def _freed(self, kinds: Mapping[str, Kind]) -> dict[str, set[str]]:
        """What each of some examples frees, and what each of those does in turn."""
        freed: dict[str, set[str]] = {}
        waiting = _examples(self.stuck, kinds)
        while waiting and len(freed) < MOST:
            name = waiting.pop(0)
            freed[name] = self._revived([name])
            met = [one for one in self.stuck if one in freed[name] and one not in freed and one not in waiting]
            waiting[:0] = met[:EXAMPLES]
        return freed

    def _blocking(self, group: Sequence[str]) -> Sequence[str]:
        """Those of a group that keep another one at zero; the others only wait behind them, as earlier biases do."""
        if len(group) > MOST:
            return group
        without = {name: self._revived([each for each in self.stuck if each != name]) for name in group}
        freed = {name for name in group if name in without[name]}
        return [name for name in group if name in freed and not freed - {name} <= without[name]]

    def _revived(self, disturbed: Sequence[str]) -> set[str]:
        """What gets a gradient when some parameters are not zero."""
        gradients = self.trainee.disturbed(self.held, disturbed)
        least = moved(gradients)
        return {name for name in self.stuck if name in gradients and float(gradients[name].abs().amax()) > least}


def _kind(path: str, timelines: Timelines) -> Kind:
    """Parameters that are alike: one declaration, at places that differ in numbers alone."""
    declared = timelines.declared[path]
    return declared.model, declared.name, re.sub(r"\d+", "#", path)


def _examples(names: Sequence[str], kinds: Mapping[str, Kind]) -> list[str]:
    """The first few of each kind."""
    found: dict[Kind, list[str]] = {}
    for name in names:
        found.setdefault(kinds[name], []).append(name)
    return [name for alike in found.values() for name in alike[:EXAMPLES]]


def _together(links: Mapping[str, Container[str]], kinds: Mapping[str, Kind]) -> Iterator[list[str]]:
    """What is linked, directly or by others, in groups; those with members of one kind are one."""
    left = [name for name in links if any(other in links[name] for other in links)]
    while left:
        group = [left.pop(0)]
        for name in group:
            near = [other for other in left if other in links[name] or kinds[other] == kinds[name]]
            group += near
            left = [other for other in left if other not in near]
        yield group


def _factors(paths: Sequence[str], timelines: Timelines, model: torch.nn.Module) -> ZeroFactors:
    def factor(path: str) -> Factor:
        declared, matrix = timelines.declared[path], timelines.tensors[path].dim() > 1
        return Factor(declared.model, declared.name, gain=_is_gain(path, model), matrix=matrix)

    return ZeroFactors(
        observer=Observer.PROBE,
        place=timelines.written_at(paths[0]),
        factors=tuple(dict.fromkeys(map(factor, paths))),
        paths=tuple(paths),
    )


def _is_gain(path: str, model: torch.nn.Module) -> bool:
    """Whether a vector multiplies: it is no bias."""
    return model.get_parameter(path).dim() == 1 and not _is_bias(path, model, dict(model.named_parameters()))


def _is_bias(path: str, model: torch.nn.Module, among: Container[str]) -> bool:
    """Whether a vector is a bias: of a layer of torch's, or beside a matrix ``among`` others that has as many units."""
    prefix, _, name = path.rpartition(".")
    owner, vector = model.get_submodule(prefix), model.get_parameter(path)
    if vector.dim() != 1:
        return False
    if is_torch(type(owner)):
        return name.startswith("bias")
    beside = ((f"{prefix}.{other}".lstrip("."), one) for other, one in owner.named_parameters(recurse=False))
    return any(other in among and one.dim() > 1 and len(vector) in one.shape for other, one in beside)
