"""Weights that are drawn with variance one and scaled by hand, by an expression of their own sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.programs.constructor import declaring_class
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.weight_uses import Weights, product_over, shape_of
from initaudit.analyzer.source.snippets import defaults
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.syntax.context import Class, own_constructor
from initaudit.analyzer.syntax.products import products
from initaudit.schemes.expressions import Term, fold
from initaudit.subjects.weights import SizedScale
from initaudit.timeline import Kind

SIMILAR = 4
"""How many times larger or smaller a variance may be that is about the same."""


@reads(
    SizedScale,
    scope=Class,
    words=("randn( rand(", "@ mm( matmul( einsum( linear( conv1d( conv2d( conv3d("),
    nearby="Parameter( register_parameter(",
)
def sized_scales(cls: Class) -> Iterator[SizedScale]:
    """Every such weight that the forward sums over, and that nothing writes again."""
    weights = Weights.of(cls)
    if weights.construction is None:
        return
    drawn = {
        found.name: found
        for found in weights.registered
        if found.kind is Kind.PARAMETER and found.condition == TRUE
        if found.storage.factor is not None and not found.storage.writes and found.storage.call != "torch.ones"
    }
    multiplied = products(cls.project, cls.defined, set(drawn)) if drawn else {}
    for name, product in multiplied.items():
        storage = drawn[name].storage
        shape, scale = shape_of(storage), fold(storage.factor or "")
        if shape is None or scale is None or storage.origin is None:
            continue
        fan_in = product_over(shape, product.summed)
        summed = None if fan_in is None else fold(str(fan_in))
        sizes = {size for size in shape if isinstance(size, str)}
        if fan_in is None or summed is None or not _is_of(scale, sizes) or not weights.is_final(drawn[name], held=True):
            continue
        if _fits_by_default(cls, scale, summed):
            continue
        yield SizedScale(
            place=storage.origin.snippet.place(storage.origin.node),
            model=declaring_class(weights.construction, storage.origin).qualname,
            parameter=name,
            use=product.context.snippet.source(product.node),
            factor=storage.factor or "",
            fan_in=fan_in,
            degree=2 * _degree(scale) + _degree(summed),
        )


def _fits_by_default(cls: Class, scale: Term, summed: Term) -> bool:
    """Whether the outputs vary about as much as the inputs for the sizes that the constructor has by default."""
    constructor = own_constructor(cls.project, cls.defined)
    if constructor is None or constructor.function is None:
        return False
    names = {
        name: float(given.value)
        for name, given in defaults(constructor.function.args).items()
        if isinstance(given, ast.Constant) and type(given.value) is int and given.value > 0
    }
    try:
        variance = scale.value(names) ** 2 * summed.value(names)
    except (ArithmeticError, KeyError):
        return False
    return 1 / SIMILAR < variance < SIMILAR


def _is_of(term: Term, sizes: set[str]) -> bool:
    """Whether an expression is a product of powers of some sizes, and of at least one."""
    return bool(term.powers) and all(factor.base in sizes for factor in term.powers)


def _degree(term: Term) -> float:
    """The sum of the powers in a product."""
    return sum(factor.exponent for factor in term.powers)
