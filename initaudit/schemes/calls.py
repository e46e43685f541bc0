"""Map a call, as either observer names it, to the distribution that it draws from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from initaudit.schemes import closed_form
from initaudit.schemes.distribution import Distribution
from initaudit.schemes.weights import Shape

Scheme = Callable[..., Distribution]

INITIALIZERS: dict[str, Scheme] = {
    "normal": closed_form.normal,
    "uniform": closed_form.uniform,
    "trunc_normal": closed_form.trunc_normal,
    "constant": closed_form.constant,
    "zeros": closed_form.zeros,
    "ones": closed_form.ones,
    "eye": closed_form.eye,
    "dirac": closed_form.dirac,
    "sparse": closed_form.sparse,
    "orthogonal": closed_form.orthogonal,
    "xavier_normal": closed_form.xavier_normal,
    "xavier_uniform": closed_form.xavier_uniform,
    "kaiming_normal": closed_form.kaiming_normal,
    "kaiming_uniform": closed_form.kaiming_uniform,
}
"""The functions of ``torch.nn.init``, without the trailing underscore."""


def _full(shape: Shape, size: object = None, fill_value: float | None = None) -> Distribution:
    return closed_form.constant(shape, _given(fill_value))


def _torch_normal(shape: Shape, mean: float, std: float = 1.0, size: object = None) -> Distribution:
    return closed_form.normal(shape, mean, std)


def _given(value: float | None) -> float:
    if value is None:
        raise TypeError("an argument is missing, or not known")
    return value


def _sized(scheme: Callable[[Shape], Distribution]) -> Scheme:
    """Return a scheme as a factory: its arguments are a size or another tensor, and do not change the distribution."""

    def factory(shape: Shape, *size: object) -> Distribution:
        return scheme(shape)

    return factory


METHODS: dict[str, Scheme] = {
    "normal_": closed_form.normal,
    "uniform_": closed_form.uniform,
    "fill_": closed_form.constant,
    "zero_": closed_form.zeros,
    "new_full": _full,
    "new_zeros": _sized(closed_form.zeros),
    "new_ones": _sized(closed_form.ones),
}
"""Methods of a tensor."""

FACTORIES: dict[str, Scheme] = {
    "full": _full,
    "full_like": _full,
    "normal": _torch_normal,
    "eye": _sized(closed_form.eye),
    "zeros": _sized(closed_form.zeros),
    "zeros_like": _sized(closed_form.zeros),
    "ones": _sized(closed_form.ones),
    "ones_like": _sized(closed_form.ones),
    "rand": _sized(closed_form.uniform),
    "rand_like": _sized(closed_form.uniform),
    "randn": _sized(closed_form.normal),
    "randn_like": _sized(closed_form.normal),
}
"""Functions of ``torch`` that make a tensor."""

IRRELEVANT = frozenset(
    {"generator", "device", "dtype", "requires_grad", "layout", "out", "pin_memory", "memory_format", "names", "size"}
)
"""Keywords that do not change what is drawn."""

RENAMED = {"from": "a", "to": "b", "value": "val"}
"""Keywords that ``Tensor.uniform_`` and ``Tensor.fill_`` spell in their own way."""


def distribution_of(
    call: str,
    shape: Shape,
    arguments: Sequence[object] = (),
    keywords: Mapping[str, object] | None = None,
) -> Distribution | None:
    """Return the distribution that a call draws from, or None if it is unknown.

    ``call`` is canonical: "init.xavier_normal_" (or its deprecated form, or the bare name), "Tensor.normal_",
    "torch.randn". The arguments are those after the tensor, for a factory all of them; None stands for a value that is
    not known.
    """
    owner, _, name = call.rpartition(".")
    scheme = _schemes(owner).get(name)
    given = {RENAMED.get(key, key): value for key, value in (keywords or {}).items() if key not in IRRELEVANT}
    if scheme is None:
        return None
    try:
        return scheme(shape, *arguments, **given)
    except (TypeError, ValueError, AttributeError, ArithmeticError):
        return None  # the call would raise as well, or its fans or the value of an argument are not known


def _schemes(owner: str) -> Mapping[str, Scheme]:
    if owner == "Tensor":
        return METHODS
    if owner == "torch":
        return FACTORIES
    return INITIALIZERS | {f"{name}_": scheme for name, scheme in INITIALIZERS.items()}
