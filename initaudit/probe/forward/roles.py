"""How a forward uses the tensors that construction left unwritten: as factors, offsets, weights or tables.

By data flow through the dispatcher. A tensor keeps its identity through views, copies and functions of itself alone,
and where it meets other parameters before any input does, as a weight does that is scaled or masked. Its role is what
becomes of it where it meets the data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import torch

from initaudit.probe.forward.neutral import Neutral
from initaudit.probe.record.modes import Mode
from initaudit.probe.record.poison import seed_everything, tensors_of
from initaudit.probe.record.storages import key_of
from initaudit.probe.record.watch import plain_name, tensors_in
from initaudit.probe.signal.operators import COPIES, NORMALIZATIONS, OPAQUE
from initaudit.probe.signal.products import CONVOLUTIONS, PRODUCTS, meeting
from initaudit.probe.signal.propagate import Given, forwarded, measurable
from initaudit.schemes import fans
from initaudit.timeline import Role, Usage

FACTORS = frozenset({"mul", "div", "pow", "addcmul", "addcdiv", "_weight_norm_interface", "true_divide"})
OFFSETS = frozenset({"add", "sub", "rsub"})
LOOKUPS = frozenset({
    "embedding", "index", "index_select", "gather", "_embedding_bag", "_embedding_bag_forward_only", "take",
})  # fmt: skip
JOINS = frozenset({
    "cat", "stack", "where", "copy", "index_put", "_index_put_impl", "index_copy", "index_add", "scatter",
    "scatter_add", "masked_scatter", "masked_fill", "slice_scatter", "select_scatter", "_cdist_forward",
    "_euclidean_dist",
})  # fmt: skip
PRELU = frozenset({"_prelu_kernel", "prelu"})
TRANSFORMS = {"_softmax": "softmax"} | {
    name: name for name in ("exp", "exp2", "sigmoid", "softplus", "tanh", "softmax", "reciprocal", "view_as_complex")
}
"""Functions of a parameter alone that change what a neutral value of it is."""
REDUCTIONS = frozenset({
    "norm", "linalg_vector_norm", "sum", "mean", "amax", "amin", "var", "std", "var_mean", "std_mean",
})  # fmt: skip
BIASES = {"addmm": "self", "baddbmm": "self", "addmv": "self", "addbmm": "self", "_addmm_activation": "self"}
"""Operators of which the first argument is added to the product."""
BESIDE = {"weight": Role.FACTOR, "bias": Role.OFFSET, "running_mean": Role.OFFSET, "running_var": Role.FACTOR}
"""What the arguments of a normalization do."""
FIRST = frozenset({"self", "mat1", "batch1", "input"})
"""Names of the left side of a product."""


class Source(msgspec.Struct, frozen=True):
    """Values that come from tensors that nothing wrote, and from no input.

    ``through`` is the function they went through, ``looked_up`` tells that constant indices chose among them, and
    ``partial`` that they are no longer one for each element.
    """

    paths: tuple[str, ...]
    through: str | None = None
    looked_up: bool = False
    partial: bool = False


class Found(msgspec.Struct, frozen=True):
    """One use of a tensor; ``rank`` orders them: the first use of the lowest rank counts."""

    rank: int
    usage: Usage


def usages_of(model: torch.nn.Module, given: Given, unwritten: Neutral, seed: int) -> dict[str, Usage]:
    """How a forward uses each tensor that nothing wrote, as far as it shows; nothing when the forward raises."""
    for normalized in (True, False):
        roles = Roles(model, given, unwritten)
        seed_everything(seed)
        try:
            with measurable(model, normalized=normalized, dropping=False), torch.no_grad(), roles:
                forwarded(model, given)
        except (
            Exception
        ):  # whatever the user's forward raises: what was seen up to there counts if nothing better comes
            continue
        return roles.usages()
    return roles.usages()


class Roles(Mode):
    """Watches one forward for what the tensors that nothing wrote meet."""

    def __init__(self, model: torch.nn.Module, given: Given, unwritten: Neutral) -> None:
        super().__init__()
        self.tensors = tensors_of(model)
        self.found: dict[str, list[Found]] = {}
        self._layers = {
            key_of(module.weight)
            for module in model.modules()
            if isinstance(module, torch.nn.Linear | torch.nn.Bilinear)
        }
        shared: dict[int, list[str]] = {}
        for path in unwritten.raw:
            key = key_of(self.tensors[path])
            if key is not None:
                shared.setdefault(key, []).append(path)
        self._sources = {key: Source(tuple(paths)) for key, paths in shared.items()}
        self._fed = {key_of(tensor) for tensor in tensors_in(given)} - {None}
        self._scaled: dict[int, tuple[Source, torch.Size]] = {}  # products of which a sum may make a contraction

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        name = plain_name(function).removesuffix("_")
        named = list(_named_tensors(function, args, given))
        keys = [key_of(tensor) for _, tensor in named]
        sources = [self._sources.get(key or 0) for key in keys]
        result = function(*args, **given)
        results = list(tensors_in(result))
        shape_only = name.endswith("_like") or name.startswith("new_")
        fed = not shape_only and not self._fed.isdisjoint(keys)
        if any(source is not None for source in sources) and not shape_only:
            self._meet(name, args, named, sources, results, fed=fed)
        if name in ("sum", "mean") and len(named) == 1:
            self._summed(name, args, keys[0], named[0][1])
        for tensor in results:
            key = key_of(tensor)
            if key is not None and fed:
                self._fed.add(key)
                self._sources.pop(key, None)
        return result

    def usages(self) -> dict[str, Usage]:
        """The use that counts of each tensor."""
        return {path: min(found, key=lambda one: one.rank).usage for path, found in self.found.items()}

    def _meet(
        self,
        name: str,
        args: tuple[Any, ...],
        named: list[tuple[str, torch.Tensor]],
        sources: list[Source | None],
        results: list[torch.Tensor],
        *,
        fed: bool,
    ) -> None:
        if len(named) == 1 and sources[0] is not None:
            self._alone(name, args, sources[0], named[0][1], results)
            return
        for (argument, tensor), source in zip(named, sources, strict=True):
            if source is None or source.partial:
                continue
            others = [one for one, (_, other) in zip(sources, named, strict=True) if other is not tensor]
            if any(one is not None and set(one.paths) & set(source.paths) for one in others):
                self._pass_on(source, tensor, results)  # it meets itself, as where it is divided by its norm
            elif not fed and self._keeps_on(name, argument, tensor, named, results):
                looked_up = source.looked_up or name in LOOKUPS
                self._pass_on(msgspec.structs.replace(source, looked_up=looked_up), tensor, results)
            else:
                self._used(name, argument, args, tensor, source, named, results)

    def _alone(
        self, name: str, args: tuple[Any, ...], source: Source, tensor: torch.Tensor, results: list[torch.Tensor]
    ) -> None:
        """A function of one tensor: what it makes is still this tensor, in another form."""
        through = source.through
        if name in TRANSFORMS:
            through = TRANSFORMS[name] if through is None else through
        elif name in OFFSETS and any(isinstance(value, int | float) and value != 0 for value in args):
            through = "shifted" if through is None else through
        partial = source.partial or name in REDUCTIONS
        changed = Source(source.paths, through, source.looked_up, partial)
        for one in results:
            key = key_of(one)
            if key is not None and (key != key_of(tensor) or name == "view_as_complex"):
                self._sources[key] = changed

    def _pass_on(self, source: Source, tensor: torch.Tensor, results: list[torch.Tensor]) -> None:
        for one in results:
            key = key_of(one)
            if key is not None and one.is_floating_point() == tensor.is_floating_point():
                self._sources.setdefault(key, source)

    @staticmethod
    def _keeps_on(
        name: str,
        argument: str,
        tensor: torch.Tensor,
        named: list[tuple[str, torch.Tensor]],
        results: list[torch.Tensor],
    ) -> bool:
        """Whether a tensor that meets parameters and constants alone stays what it is: scaled, masked or joined."""
        if name in JOINS or name in COPIES:
            return True
        if name in LOOKUPS:
            return argument in ("self", "weight")
        if name == "_weight_norm_interface":
            return argument == "v"
        if name not in FACTORS | OFFSETS or not results:
            return False
        return tensor.numel() == results[0].numel() and tensor.dim() > 0 and argument != "exponent"

    def _used(
        self,
        name: str,
        argument: str,
        args: tuple[Any, ...],
        tensor: torch.Tensor,
        source: Source,
        named: list[tuple[str, torch.Tensor]],
        results: list[torch.Tensor],
    ) -> None:
        """Note what an operator does with a tensor."""
        bias = argument == "bias" or BIASES.get(name) == argument
        if name in NORMALIZATIONS:
            role = BESIDE.get(argument)
            if role is not None:
                self._note(source, 3 if role is Role.FACTOR else 5, role)
        elif name in PRODUCTS and not bias:
            self._multiplied(name, argument, args, tensor, source, named)
        elif name in PRODUCTS or (name in OFFSETS) or (name == "addcmul" and argument == "self"):
            self._added(source)
        elif name in FACTORS:
            self._note(source, 3, Role.FACTOR)
            if name == "mul" and results and (key := key_of(results[0])) is not None:
                self._scaled[key] = (source, tensor.shape)
        elif name in LOOKUPS:
            if argument in ("self", "weight"):
                self._note(source, 0, Role.TABLE)
        elif name in PRELU:
            self._note(source, 4, Role.SLOPE)
        elif name in JOINS:
            self._note(source, 2, Role.TABLE)
        elif name in OPAQUE:
            self._opaque(argument, tensor, source)

    def _multiplied(
        self,
        name: str,
        argument: str,
        args: tuple[Any, ...],
        tensor: torch.Tensor,
        source: Source,
        named: list[tuple[str, torch.Tensor]],
    ) -> None:
        """A factor of a matrix product or a convolution: the weight of it, or what goes into a layer."""
        others = {key_of(other) for _, other in named if other is not tensor}
        if argument in FIRST and others & self._layers and key_of(tensor) not in self._layers:
            self._note(source, 2, Role.TABLE)  # learned queries go into a layer as inputs do
            return
        self._note(source, 1, Role.WEIGHT, meeting(name, args, tensor).fan_in, convolved=name in CONVOLUTIONS)

    def _added(self, source: Source) -> None:
        """An offset; a table, where it has a value for each position and channel."""
        for path in source.paths:
            table = source.looked_up or sum(size > 1 for size in self.tensors[path].shape) > 1
            one = msgspec.structs.replace(source, paths=(path,))
            self._note(one, 2 if table else 5, Role.TABLE if table else Role.OFFSET)

    def _opaque(self, argument: str, tensor: torch.Tensor, source: Source) -> None:
        if argument in ("query", "key", "value", "input", "hx"):
            self._note(source, 2, Role.TABLE)
        elif tensor.dim() > 1:
            self._note(source, 1, Role.WEIGHT, tensor.shape[-1])
        else:
            self._note(source, 5, Role.OFFSET)

    def _summed(self, name: str, args: tuple[Any, ...], key: int | None, product: torch.Tensor) -> None:
        """A product that is summed over axes along which the tensor has several elements contracts it."""
        known = self._scaled.get(key or 0)
        if known is None or name != "sum":
            return
        source, shape = known
        axes = args[1] if len(args) > 1 and isinstance(args[1], list | tuple) and args[1] else range(product.dim())
        aligned = (1,) * (product.dim() - len(shape)) + tuple(shape)
        inputs = math.prod(aligned[axis] for axis in axes if -len(aligned) <= axis < len(aligned))
        if inputs > 1:
            self._note(source, 1, Role.WEIGHT, inputs)

    def _note(
        self, source: Source, rank: int, role: Role, inputs: int | None = None, *, convolved: bool = False
    ) -> None:
        for path in source.paths:
            mode = _mode(tuple(self.tensors[path].shape), inputs, convolved=convolved)
            usage = Usage(role=role, inputs=inputs, mode=mode, through=source.through)
            self.found.setdefault(path, []).append(Found(rank, usage))


def _mode(shape: tuple[int, ...], inputs: int | None, *, convolved: bool) -> str | None:
    """The fan of torch's initializers that counts so many inputs: they know matrices and kernels alone."""
    if inputs is None or len(shape) < 2 or (len(shape) > 2 and not convolved):
        return None
    counted = fans(shape)
    if counted.fan_in == inputs:
        return "fan_in"
    return "fan_out" if counted.fan_out == inputs else None


def _named_tensors(
    function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor that an operator is given, with the name of its argument."""
    arguments: Iterable[Any] = function._schema.arguments
    for argument, value in zip(arguments, args, strict=False):
        yield from ((argument.name, tensor) for tensor in tensors_in(value))
    for keyword, value in kwargs.items():
        yield from ((keyword, tensor) for tensor in tensors_in(value))
