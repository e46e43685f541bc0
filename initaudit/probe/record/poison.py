"""The differential oracle: an element that changes with the content of new memory was never written.

A model is built from one seed with every fresh allocation filled, under NaN (N), one ramp (A) twice, and another (B).
A clean model is the same each time, bit for bit. If the watch of the control build saw that nothing unwritten is left,
the two ramps confirm it, and no more is built.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from initaudit.probe.record.applications import applications_watched
from initaudit.probe.record.arguments import arguments_noted
from initaudit.probe.record.fills import Content, filling
from initaudit.probe.record.foreign import lending_watched, numpy_watched
from initaudit.probe.record.readable import bare, has_memory, local_of
from initaudit.probe.record.walks import walks_watched
from initaudit.probe.record.watch import Decision, Fill, Filler, Watch
from initaudit.probe.request import TargetError
from initaudit.probe.words import message_of

Tensors = dict[str, torch.Tensor]
Make = Callable[[], torch.nn.Module]

LARGE = (Content.DOWN, Content.UP)
SMALL = (Content.SLIGHTLY_DOWN, Content.SLIGHTLY_UP)
SHORT = 2
"""Bytes of the shortest numbers that are compared by size."""
NONE = torch.zeros((), dtype=torch.bool, device="cpu")
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}
"""A type to compare elements of so many bytes in."""


class Built:
    """A model built under watch. ``failure`` is what the constructor raised with zeros in fresh memory."""

    def __init__(self, model: torch.nn.Module, watch: Watch, failure: BaseException | None = None) -> None:
        self.model = model
        self.watch = watch
        self.failure = failure

    @property
    def tensors(self) -> Tensors:
        return tensors_of(self.model)


class BuildError(Exception):
    """A constructor that raised under watch; ``garbage`` says whether there was unwritten memory to depend on."""

    def __init__(self, error: BaseException, *, garbage: bool) -> None:
        super().__init__(message_of(error))
        self.error = error
        self.garbage = garbage


class Apart(NamedTuple):
    """How many elements differ between equal builds, and by how much at most; None where that cannot be known."""

    elements: int
    largest: float | None = None


class Verdict:
    """For each tensor by path: which elements depend on unwritten memory, and how far equal builds are apart.

    ``rounding`` are the tensors that differ by no more than rounding can make, as where memory lies otherwise.
    ``failure`` was raised by a constructor that was given other garbage. ``depends`` has no entry for a tensor that
    no build came to.
    """

    def __init__(self) -> None:
        self.depends: dict[str, torch.Tensor] = {}
        self.unstable: dict[str, Apart] = {}
        self.rounding: dict[str, Apart] = {}
        self.failure: BaseException | None = None
        self.once: BaseException | None = None  # raised by a second build, where no unwritten memory was in play
        self.decisions: list[Decision] = []
        self.watch_failure: Exception | None = None  # our own, while a build was watched

    def note(self, failure: BuildError) -> None:
        """Take in the first failure of a build."""
        if failure.garbage:
            self.failure = self.failure or failure.error
        else:
            self.once = self.once or failure.error


def control_build(make: Make, seed: int) -> Built:
    """Build with zeros in fresh memory, as it often comes; where the constructor raises on that, with small numbers.

    What the allocator happens to give would make the answer another one from run to run. A constructor that raises
    either way is not to be built: its exception goes to the caller.
    """
    try:
        return build(make, seed, filling(Content.ZERO))
    except BuildError as failure:
        if not failure.garbage:
            raise failure.error from None
        try:
            built = build(make, seed, filling(Content.SLIGHTLY_UP))
        except BuildError:
            raise failure.error from None
        built.failure = failure.error
        return built


def build(make: Make, seed: int, fill: Fill | None) -> Built:
    """Build from a seed with every fresh allocation filled. Raises BuildError for what the constructor raises."""
    seed_everything(seed)
    watch = Watch(fill)
    try:
        with (
            numpy_watched(watch),
            lending_watched(watch),
            applications_watched(watch),
            walks_watched(watch),
            arguments_noted(),
            watch,
        ):
            model = make()
    except TargetError:
        raise
    except (Exception, SystemExit) as error:  # whatever a constructor raises
        raise BuildError(error, garbage=watch.holds_garbage) from error
    return Built(model, watch)


def build_again(make: Make, seed: int, fill: Fill) -> Tensors:
    """The tensors of a build that is only compared: who writes what is not asked, unless the constructor raises."""
    seed_everything(seed)
    filler = Filler(fill)
    try:
        with numpy_watched(filler), filler:
            model = make()
    except TargetError:
        raise
    except (Exception, SystemExit):  # whatever a constructor raises
        return build(make, seed, fill).tensors
    return tensors_of(model)


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators."""
    random.seed(seed)
    torch.manual_seed(seed)
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(seed)


def judge(make: Make, seed: int, control: Built | None = None) -> Verdict:
    """Build under the fills and compare; where large numbers make the constructor raise, with small ones."""
    verdict = Verdict()
    if control is not None and _is_clean(control, make, seed):
        verdict.depends = {name: _nothing_of(tensor) for name, tensor in control.tensors.items()}
        return verdict
    for ramps in (LARGE, SMALL):
        try:
            return _compare(verdict, make, seed, *ramps)
        except BuildError as failure:  # the control build did not raise
            verdict.note(failure)
    return verdict


def _is_clean(control: Built, make: Make, seed: int) -> bool:
    """Whether the control build was seen to leave nothing unwritten, and builds under ramps are the same."""
    watch, tensors = control.watch, control.tensors
    records = [watch.record_of(tensor) for tensor in tensors.values()]
    seen = control.failure is None and watch.failure is None and not watch.decisions
    if not seen or any(record is None or record.lent or record.garbage is not None for record in records):
        return False
    try:
        return all(_is_same(tensors, build_again(make, seed, filling(content))) for content in LARGE)
    except BuildError:  # which the comparison that follows explains
        return False


def _is_same(one: Tensors, two: Tensors) -> bool:
    return not any(how_many(differs) for _, differs in differences(one, two))


def _nothing_of(tensor: torch.Tensor) -> torch.Tensor:
    """Mark no element, of a shard none of those held here."""
    return NONE.expand(local_of(tensor).numel())


def _compare(verdict: Verdict, make: Make, seed: int, one: Content, other: Content) -> Verdict:
    """One build at a time beside the first, so that no more than two are in memory."""
    first = build(make, seed, filling(one))
    tensors = first.tensors
    again = build_again(make, seed, filling(one))
    unstable = dict(_differing(verdict, first, again))
    verdict.unstable = {name: _apart(tensors[name], again.get(name), differs) for name, differs in unstable.items()}
    del again
    other_memory = build_again(make, seed, filling(other))
    depends = {name: _nothing_of(tensor) for name, tensor in tensors.items()}
    depends.update(_differing(verdict, first, other_memory))
    del other_memory
    verdict.depends, verdict.decisions, verdict.watch_failure = depends, first.watch.decisions, first.watch.failure
    try:
        last = build_again(make, seed, filling(Content.NOT_A_NUMBER))
    except BuildError as failure:  # the ramps found what they could
        verdict.note(failure)
    else:
        for name, differs in _differing(verdict, first, last):
            depends[name] = depends[name] | differs
    for name, differs in unstable.items():  # what equal builds do not share has another reason
        depends[name] = depends[name] & ~differs
    return verdict


def _differing(verdict: Verdict, first: Built, other: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of which some elements differ, and which; those that differ by rounding alone are noted."""
    for name, differs in differences(first.tensors, other):
        if not how_many(differs):
            continue
        one, two = first.tensors[name], other.get(name)
        record = first.watch.record_of(one)
        one, two = local_of(one), None if two is None else local_of(two)
        if two is not None and (record is None or record.garbage is None) and rounded(one, two):
            apart = _apart(one, two, differs)
            known = verdict.rounding.get(name)
            if known is None or (known.largest or 0.0) < (apart.largest or 0.0):
                verdict.rounding[name] = apart
            continue
        yield name, differs


def rounded(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Whether rounding, and what an ill-conditioned computation makes of it, may be all that two tensors differ by.

    Draws differ by about their spread. Rounding is a part of the spread that is small next to it: the square root of
    the precision, of the spread or, where all elements are alike, of their size.
    """
    if one.shape != two.shape or one.dtype != two.dtype or one.is_quantized:
        return False
    if not (one.is_floating_point() or one.is_complex()) or one.element_size() < SHORT:
        return False
    values, others = (_numbers(tensor) for tensor in (one, two))
    finite = values.isfinite()
    if not torch.equal(finite, others.isfinite()) or not bool(finite.any()):
        return False
    values, others = values[finite], others[finite]
    size = float(values.abs().amax())
    spread = float(values.std(correction=0))
    precision = torch.finfo(one.dtype).eps
    scale = spread if spread > size * precision**0.5 else size
    return float((values - others).abs().amax()) <= precision**0.5 * scale


def _apart(one: torch.Tensor, two: torch.Tensor | None, differs: torch.Tensor) -> Apart:
    elements = how_many(differs)
    one, two = local_of(one), None if two is None else local_of(two)
    if two is None or one.shape != two.shape or one.is_quantized or one.dtype.itemsize < SHORT:
        return Apart(elements)
    largest = float((_numbers(one) - _numbers(two)).abs().amax())
    return Apart(elements, largest if math.isfinite(largest) else None)


def _numbers(tensor: torch.Tensor) -> torch.Tensor:
    plain = bare(tensor).cpu().reshape(-1)
    return plain.to(torch.complex128) if plain.is_complex() else plain.double()


def tensors_of(model: torch.nn.Module) -> Tensors:
    """Every parameter and buffer by path, a tied one under each of its paths, without those that are not there yet."""
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {name: tensor for name, tensor in named if not torch.nn.parameter.is_lazy(tensor)}


def differences(one: Tensors, two: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    """For each tensor, which elements differ."""
    for name, tensor in one.items():
        yield name, differing(tensor, two.get(name))


def differing(one: torch.Tensor, two: torch.Tensor | None) -> torch.Tensor:
    """Which elements differ in their bits; all of them when the shapes do. Flat, bool; of a shard, those held here."""
    one, two = local_of(one), None if two is None else local_of(two)
    if two is not None and not (has_memory(one) and has_memory(two)):
        return torch.zeros((), dtype=torch.bool, device="cpu").expand(one.numel())
    if two is None or one.shape != two.shape or one.dtype != two.dtype:
        return torch.ones((), dtype=torch.bool, device="cpu").expand(one.numel())
    if one.numel() == 0:
        return torch.zeros((), dtype=torch.bool, device="cpu").expand(one.numel())
    bits = [_bits(tensor) for tensor in (one, two)]
    if torch.equal(*bits):
        return torch.zeros((), dtype=torch.bool, device="cpu").expand(one.numel())
    return (bits[0] != bits[1]).reshape(one.numel(), -1).any(dim=1)


def how_many(mask: torch.Tensor) -> int:
    """How many elements of a flat mask are set: at once, where one stands for all."""
    if mask.stride() == (0,) and mask.numel() > 0:
        return mask.numel() * int(mask[0])
    return int(mask.sum())


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    plain = bare(tensor).cpu()
    plain = plain.int_repr() if plain.is_quantized else plain.resolve_conj().resolve_neg()
    flat = plain.contiguous().reshape(-1)
    return flat.view(BITS[tensor.element_size()])
