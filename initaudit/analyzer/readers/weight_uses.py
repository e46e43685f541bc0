"""The weights that a class draws for itself and multiplies by: what from, and with which fans."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

import msgspec

from initaudit.analyzer.programs.constructor import (
    Construction,
    Registered,
    construct,
    declaring_class,
    registered,
    trial,
    unreadable_base,
)
from initaudit.analyzer.programs.graph import is_template
from initaudit.analyzer.readers.applications import is_alone, only_shows
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import largest_given
from initaudit.analyzer.readers.layer_draws import mean_alone
from initaudit.analyzer.source.snippets import dotted, last_name
from initaudit.analyzer.starts import SCHEMES, is_final, start_of
from initaudit.analyzer.symbolic.values import Constant, Origin, Storage, Symbol, Value
from initaudit.analyzer.syntax.context import Class
from initaudit.analyzer.syntax.products import factors, multiplies, products
from initaudit.finding import Observer
from initaudit.schemes import Recognition
from initaudit.subjects.weights import Extent, WeightUse
from initaudit.timeline import Kind

UNCLEAR = re.compile(r"[^\w\s.()\[\]+*/%-]|each of|module ")
"""What stands in the text of a value that is no expression of the source."""


@reads(
    WeightUse,
    scope=Class,
    words=("randn( rand( normal_( uniform_( xavier_ kaiming_", "@ mm( matmul( einsum( linear( conv1d( conv2d( conv3d("),
    nearby="Parameter( register_parameter( register_buffer( Buffer( DTensor",
)
def weight_uses(cls: Class) -> Iterator[WeightUse]:
    """Every weight of a class that is drawn once, whatever the path, and only multiplied by."""
    for found, use in (weights := Weights.of(cls)).uses:
        if weights.is_final(found):
            most = _largest(cls, use.fan_in)
            yield msgspec.structs.replace(use, most=most)


def _largest(cls: Class, size: Extent) -> int | None:
    """The largest number that a script gives its own class for a size that is a parameter of the constructor."""
    if not isinstance(size, str) or not size.isidentifier() or not is_alone(cls.project, cls.module):
        return None
    return largest_given(cls.defined, size)


class Weights:
    """The weights that a class draws, and their uses as products; several readers ask, and it is constructed once."""

    def __init__(self, cls: Class) -> None:
        project, defined = cls.project, cls.defined
        self.construction: Construction | None = None
        self.registered: list[Registered] = []
        self.uses: list[tuple[Registered, WeightUse]] = []
        self._final: dict[tuple[int, bool], bool] = {}
        if not project.is_module_class(defined) or not multiplies(cls) or is_template(project, cls.module):
            return
        if unreadable_base(project, defined) is None and factors(project, defined):
            self.construction = construct(project, defined)
            if self.construction.failure is None:
                self.registered = [each for raw in (True, False) for each in registered(self.construction, raw=raw)]
                self.uses = list(multiplied_in(self.construction))

    @staticmethod
    def of(cls: Class) -> Weights:
        """Return what is known of a class as long as its trees are kept."""
        key = __name__, cls.definition.row
        found = cls.module.memory.get(key)
        if not isinstance(found, Weights):
            found = cls.module.memory[key] = Weights(cls)
        return found

    def is_final(self, found: Registered, *, held: bool = False) -> bool:
        """Whether nobody else writes a weight; what is tried to tell that says nothing of another one."""
        if (id(found), held) not in self._final and self.construction is not None:
            with trial(self.construction):
                self._final[id(found), held] = is_final(self.construction, found, held=held)
        return self._final[id(found), held]


def multiplied_in(construction: Construction) -> Iterator[tuple[Registered, WeightUse]]:
    """Yield the weights that a constructed class draws, whoever else writes them, and their uses as products."""
    drawn = {
        found.name: (found, start)
        for raw in (False, True)
        for found in registered(construction, raw=raw)
        if found.kind is Kind.PARAMETER and (start := start_of(found)) is not None
    }
    multiplied = products(construction.run.project, construction.cls, set(drawn)) if drawn else {}
    for name, product in multiplied.items():
        found, (origin, by, distribution) = drawn[name]
        shape = shape_of(found.storage)
        if shape is None or len(shape) < 2:
            continue
        fan_in, fan_out = (product_over(shape, dimensions) for dimensions in (product.summed, product.kept))
        if fan_in is None or fan_out is None:
            continue
        scheme = _scheme(origin, by)
        call = origin.node if isinstance(origin.node, ast.Call) and by.endswith(".normal_") else None
        mean = mean_alone(call, of_init=by.startswith("init.")) if call is not None else None
        use = WeightUse(
            observer=Observer.ANALYZER,
            place=origin.snippet.place(origin.node),
            model=declaring_class(construction, origin).qualname,
            parameter=name,
            use=product.context.snippet.source(product.node),
            shape=shape,
            by=by,
            distribution=distribution,
            mean_alone=origin.snippet.source(mean) if mean is not None else "",
            fan_in=fan_in,
            fan_out=fan_out,
            schemes=(scheme,) if scheme is not None else (),
            counted=(product_of([shape[1], *shape[2:]]), product_of([shape[0], *shape[2:]])),
            shown=only_shows(construction.run.project, construction.cls.module),
        )
        yield found, use


def _scheme(origin: Origin, by: str) -> Recognition | None:
    """The scheme of Xavier's or Kaiming's that an initializer follows for a tensor as it is, not for a view of it."""
    name, call = by.removeprefix("init.").rstrip("_"), origin.node
    if not name.startswith(SCHEMES) or not isinstance(call, ast.Call):
        return None
    given = dict(zip(("tensor", "a", "mode"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    tensor, mode = given.get("tensor"), given.get("mode", ast.Constant("fan_in"))
    if tensor is None or not dotted(tensor) or last_name(tensor) in ("T", "mT"):
        return None
    if name.startswith("xavier"):
        return Recognition(scheme=name)
    known = isinstance(mode, ast.Constant) and mode.value in ("fan_in", "fan_out")
    return Recognition(scheme=name, mode=ast.literal_eval(mode)) if known else None


def shape_of(storage: Storage) -> tuple[Extent, ...] | None:
    """A shape all of whose sizes have a text of their own."""
    entries = storage.shape or ()
    sizes = [size for entry in entries if (size := _size(entry)) is not None]
    return tuple(sizes) if len(sizes) == len(entries) else None


def _size(entry: Value) -> Extent | None:
    """One dimension, if it is the same whenever it is asked for."""
    match entry:
        case Constant(int(number)):
            return number
        case Symbol(name) if not UNCLEAR.search(name):
            return _tidy(name)
    return None


def product_of(sizes: list[Extent]) -> Extent:
    """The product of some sizes, as a number where it is one."""
    number = math.prod(size for size in sizes if isinstance(size, int))
    named = sorted(size for size in sizes if isinstance(size, str))
    factors = [*([] if number == 1 else [str(number)]), *(f"({size})" for size in named)]
    return _tidy(" * ".join(factors)) if named else number


def product_over(shape: tuple[Extent, ...], dimensions: tuple[int, ...]) -> Extent | None:
    """The product of the sizes of some dimensions; None if the shape lacks one of them, as a vector does."""
    if any(not -len(shape) <= at < len(shape) for at in dimensions):
        return None
    return product_of([shape[at] for at in dimensions])


def _tidy(expression: str) -> str:
    """An expression without brackets that say nothing."""
    return ast.unparse(ast.parse(expression, mode="eval"))
