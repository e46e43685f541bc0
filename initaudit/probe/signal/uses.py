"""Uses of weights in a forward, their measurements, and the parameters from which a weight is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec
import torch

from initaudit.probe.blame import EXHAUSTED
from initaudit.probe.signal.measure import rms_of
from initaudit.probe.signal.products import Meeting

LIKE_ONE = 0.5
"""The part by which a weight has to grow with a parameter, for the parameter to set its scale."""


class Use:
    """A weight where the forward met it, and what was measured there; see ``Layer``.

    ``path`` is the parameter that it is, or that sets its scale. ``makers`` are all that it is computed from, ``made``
    the weight itself until it is settled which of them that is. ``gain`` is the first parameter that multiplies its
    output elementwise, and the factor. ``place`` tells parts of one parameter apart. ``bounds`` is the tanh or sigmoid
    that a sum meets of which it is the largest part.
    """

    __slots__ = (
        "activation", "apart", "bias", "bias_share", "bounds", "convolution", "dead", "decided_by", "depends",
        "discrimination", "fans", "fed", "fixed", "gain", "given", "gradient", "made", "makers", "normalized", "output",
        "path", "piece", "place", "rms", "same", "samples", "setting", "shape", "units",
    )  # fmt: skip

    def __init__(self, path: str, fans: Meeting, *, units: int, convolution: bool, fed: bool) -> None:
        self.path = path
        self.fans = fans
        self.units = units
        self.convolution = convolution
        self.fed = fed
        self.normalized = False
        self.output = False
        self.activation: str | None = None
        self.bounds: str | None = None
        self.bias: str | None = None
        self.rms = math.nan
        self.given: float | None = None
        self.discrimination: float | None = None
        self.bias_share: float | None = None
        self.dead: float | None = None
        self.gain: tuple[str, float] | None = None
        self.apart: float | None = None
        self.gradient: float | None = None
        self.samples = 0
        self.depends: str | None = None
        self.decided_by: tuple[str, bool] | None = None
        self.place: tuple[object, ...] = ()
        self.piece = ""
        self.made: torch.Tensor | None = None
        self.makers: tuple[str, ...] = ()
        self.same: str | None = None
        self.setting: tuple[float, float, bool] | None = None
        self.fixed = False
        self.shape: tuple[int, ...] = ()

    @property
    def axis(self) -> int:
        """The axis of its output along which its units lie."""
        return 1 if self.convolution else -1

    @property
    def label(self) -> str:
        """The path, and which part of the parameter it is, or which of the weights that it makes."""
        return self.path + self.piece


class Step(msgspec.Struct, frozen=True):
    """A weight that a signal went through, and the activation that the signal met next."""

    use: Use
    activation: str | None = None

    @property
    def path(self) -> str:
        return self.use.path

    @property
    def label(self) -> str:
        return self.use.label


Steps = tuple[Step, ...]


def settle(uses: Iterable[Use], parameters: Mapping[str, torch.Tensor]) -> list[tuple[Use, torch.Tensor]]:
    """Find the parameter that sets the scale of each weight that is computed, and tell parts of one parameter apart.

    Returns the first use of each computed weight with the weight, of which a gradient may be taken.
    """
    first: dict[tuple[object, ...], Use] = {}
    made: list[tuple[Use, torch.Tensor]] = []
    pieces: dict[str, list[tuple[object, ...]]] = {}
    every = list(uses)
    for use in every:
        weight, use.made = use.made, None
        if use.makers:
            known = first.setdefault((*use.makers, *use.place), use)
            if known is use and weight is not None:
                _set_scale(use, weight, parameters)
                made.append((use, weight))
            use.path, use.same, use.setting, use.fixed = known.path, known.same, known.setting, known.fixed
        found = pieces.setdefault(use.path, [])
        if (*use.makers, *use.place) not in found:
            found.append((*use.makers, *use.place))
    for use in every:
        found = pieces[use.path]
        use.piece = f"[{found.index((*use.makers, *use.place))}]" if len(found) > 1 else ""
    return made


def _set_scale(use: Use, weight: torch.Tensor, parameters: Mapping[str, torch.Tensor]) -> None:
    """Choose among the parameters that make a weight the one that its scale goes with, the largest of several.

    By Euler's theorem: a weight that is homogeneous of degree k in a parameter changes along it by k times itself.
    """
    named = [(path, parameters[path]) for path in use.makers if path in parameters]
    if not named:
        return
    degrees = _degrees(weight, [one for _, one in named])
    setting = [(path, one) for (path, one), degree in zip(named, degrees, strict=True) if degree > LIKE_ONE]
    path, parameter = max(setting or named, key=lambda found: found[1].numel())
    size = rms_of(weight)
    use.path, use.fixed = path, not setting and size > 0
    vector = sum(each > 1 for each in parameter.shape) < 2
    use.setting = (rms_of(parameter), size, vector and 2 * parameter.numel() < weight.numel())
    use.same = next((other for other, one in named if _equal(one, weight)), None)


def _degrees(weight: torch.Tensor, parameters: list[torch.Tensor]) -> list[float]:
    """How the scale of a weight goes with that of each parameter; 1.0 for all where that cannot be asked."""
    if not weight.requires_grad:
        return [1.0] * len(parameters)
    trained = [one for one in parameters if one.requires_grad]
    try:
        with torch.enable_grad():
            size = weight.abs().square().sum()
            found = torch.autograd.grad(size, trained, retain_graph=True, allow_unused=True)
    except EXHAUSTED:
        raise
    except Exception:  # a backward of the user's, or one that was freed, may raise anything
        return [1.0] * len(parameters)
    total = float(size.detach())
    if not 0 < total < math.inf:
        return [1.0] * len(parameters)
    slopes = {
        id(one): 0.0 if grown is None else float((grown.conj() * one.detach()).real.sum()) / (2 * total)
        for one, grown in zip(trained, found, strict=True)
    }
    return [slopes.get(id(one), 0.0) for one in parameters]


def _equal(parameter: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether a weight, or its transpose, has the values of a parameter."""
    values = weight.detach()
    turned = values.t() if values.dim() == 2 else values
    return any(
        parameter.shape == one.shape and bool(torch.allclose(parameter.detach(), one.to(parameter.dtype), rtol=1e-4))
        for one in (values, turned)
    )
