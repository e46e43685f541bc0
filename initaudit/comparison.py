"""What differs between two builds of a model: measurements, parameters, findings, and what got worse.

Reads observations and findings; knows neither how they were made nor how they are shown.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from initaudit.finding import Finding, Severity
from initaudit.observation import Observation
from initaudit.timeline import Coverage, Layer, ParameterTimeline, SignalProfile, Values

SHOWN = 6
"""Number of paths that one sentence lists."""
LOUD, LOUDER = 100.0, 10.0
"""Rms above which an output is too large, and the factor by which it must exceed the rms before."""
DEVIATIONS = 5.0
"""Standard errors by which a mean or a standard deviation must move to differ by more than two seeds do."""
FEWEST = 4
"""Minimum number of elements whose mean and standard deviation can be compared."""
NORMAL_KURTOSIS = 3.0


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A measure at the first and the last layer, the median over seeds; ``first`` is None for one place alone."""

    first: float | None
    last: float
    unit: str = ""

    @property
    def decades(self) -> float | None:
        """How far the measure rises, in powers of ten; None if that is not a number."""
        if self.first is None or not (self.first > 0 and self.last > 0 and math.isfinite(self.first * self.last)):
            return None
        return math.log10(self.last / self.first)

    @property
    def ends(self) -> str:
        """The values, without how far they rise."""
        first = f"{_number(self.first)} to " if self.first is not None else ""
        unit = self.unit if math.isfinite(self.last) else ""
        return f"{first}{_number(self.last)}{unit}"

    def __str__(self) -> str:
        return self.ends + (f" ({self.decades:+.2f} decades)" if self.decades is not None else "")


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of both builds: the field of ``Layer`` or of ``SignalProfile``, its name, and what is measured."""

    field: str
    name: str
    of: str
    before: Passage | None
    after: Passage | None


class ParameterChange(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that differs: ``what`` holds "new", "gone", or what of it changed ("scheme", "std", ...)."""

    path: str
    before: ParameterTimeline | None
    after: ParameterTimeline | None
    what: tuple[str, ...]


class Turnover(msgspec.Struct, frozen=True, kw_only=True):
    """The findings that are gone, those that are new, and those that stay, as they were and as they are."""

    gone: tuple[Finding, ...] = ()
    new: tuple[Finding, ...] = ()
    stayed: tuple[tuple[Finding, Finding], ...] = ()

    @property
    def worse(self) -> tuple[Finding, ...]:
        """The errors and warnings that are new, or were less severe before."""
        risen = (after for before, after in self.stayed if after.severity.rank > before.severity.rank)
        return tuple(one for one in (*self.new, *risen) if one.severity is not Severity.NOTE)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A model before and after a change; ``after`` is None if it could not be built.

    ``reported`` are parameters, by their names in their classes, that new findings are about.
    """

    before: Observation
    after: Observation | None
    reported: frozenset[str] = frozenset()

    @property
    def measures(self) -> tuple[Measured, ...]:
        """The measures that at least one of the builds has."""
        return tuple(_measures(self.before.signal, self.after.signal if self.after is not None else None))

    @property
    def parameters(self) -> tuple[ParameterChange, ...]:
        """The parameters that differ, in the order of the model; those that are gone come last."""
        return tuple(_changes(self.before, self.after)) if self.after is not None else ()

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that differ besides the change, in words."""
        return tuple(_conditions(self.before, self.after)) if self.after is not None else ()

    @property
    def harm(self) -> tuple[str, ...]:
        """What is worse than before: a gradient is zero, an output is too large, a parameter is no longer written."""
        return tuple(_harm(self.before, self.after, self.reported))


def turnover(before: Iterable[Finding], after: Iterable[Finding], *, renamed: bool = False) -> Turnover:
    """Match findings by rule, class and parameter; with ``renamed``, classes of other names match as well."""
    gone, new = list(before), list(after)
    stayed: list[tuple[Finding, Finding]] = []
    for identity in (identity_of, _nameless) if renamed else (identity_of,):
        for one in tuple(gone):
            same = next((other for other in new if identity(other) == identity(one)), None)
            if same is not None:
                gone.remove(one)
                new.remove(same)
                stayed.append((one, same))
    return Turnover(gone=tuple(gone), new=tuple(new), stayed=tuple(stayed))


def identity_of(finding: Finding) -> tuple[str, str, str | None]:
    """Return what a finding keeps when lines move: its rule, the name of the class, and the parameter."""
    return (finding.code, (finding.model or "").rpartition(".")[2], finding.parameter)


def _nameless(finding: Finding) -> tuple[str, str | None]:
    return (finding.code, finding.parameter)


def named(finding: Finding) -> str:
    """Return the rule of a finding, its parameter and its severity."""
    about = f" `{finding.parameter}`" if finding.parameter else ""
    return f"{finding.code} {finding.name}{about}, {finding.severity.value}"


def _measures(before: SignalProfile | None, after: SignalProfile | None) -> Iterator[Measured]:
    for field, name, of, measure in _MEASURES:
        was, now = (measure(one) if one is not None else None for one in (before, after))
        if was is not None or now is not None:
            yield Measured(field=field, name=name, of=of, before=was, after=now)


def _scale(profile: SignalProfile) -> Passage | None:
    return _passage([_median(layer.rms) for layer in profile.layers if layer.rms and not layer.output])


def _gradient(profile: SignalProfile) -> Passage | None:
    return _passage([_median(layer.gradient) for layer in profile.layers if layer.gradient])


def _passage(values: Sequence[float]) -> Passage | None:
    return Passage(first=values[0], last=values[-1]) if len(values) > 1 else None


def _discrimination(profile: SignalProfile) -> Passage | None:
    medians = [_median(layer.discrimination) for layer in profile.layers if layer.discrimination and not layer.output]
    return Passage(first=None, last=medians[-1]) if medians else None


def _dead(profile: SignalProfile) -> Passage | None:
    counted = [(layer.units, _median(layer.dead)) for layer in profile.layers if layer.dead and layer.units]
    units = sum(count for count, _ in counted)
    if not units:
        return None
    return Passage(first=None, last=100 * sum(count * share for count, share in counted) / units, unit=" %")


def _loss(profile: SignalProfile) -> Passage | None:
    excesses = [_median(loss.excess) for loss in profile.losses if loss.excess]
    return Passage(first=None, last=max(excesses), unit=" nats") if excesses else None


_MEASURES: tuple[tuple[str, str, str, Callable[[SignalProfile], Passage | None]], ...] = (
    ("rms", "activation rms", "first to last hidden layer", _scale),
    (
        "discrimination",
        "discrimination",
        "part of the output that varies with the input, last hidden layer",
        _discrimination,
    ),
    ("gradient", "gradient rms", "first to last layer", _gradient),
    ("dead", "dead units", "before a rectifier", _dead),
    ("losses", "initial loss", "above ln(classes)", _loss),
)


def _median(values: Sequence[float]) -> float:
    """Return the median over seeds; not a number if a value is not finite."""
    return statistics.median(values) if all(map(math.isfinite, values)) else math.nan


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.0f}" if 10 <= abs(value) < 10_000 else f"{value:.2g}"


def _changes(before: Observation, after: Observation) -> Iterator[ParameterChange]:
    was = {path_of(one): one for one in before.parameters}
    now = {path_of(one): one for one in after.parameters}
    for path, one in now.items():
        old = was.get(path)
        what = ("new",) if old is None else tuple(_differences(old, one))
        if what:
            yield ParameterChange(path=path, before=old, after=one, what=what)
    for path, one in was.items():
        if path not in now:
            yield ParameterChange(path=path, before=one, after=None, what=("gone",))


def path_of(timeline: ParameterTimeline) -> str:
    """Return the path of a parameter in its model."""
    return timeline.path or timeline.name


def _differences(old: ParameterTimeline, new: ParameterTimeline) -> Iterator[str]:
    was, now = old.values, new.values
    if was is not None and now is not None:
        if was.shape != now.shape:
            yield "shape"
        if was.dtype != now.dtype:
            yield "dtype"
    if old.coverage is not new.coverage:
        yield "coverage"
    if (old.scheme or "") != (new.scheme or ""):
        yield "scheme"
    if was is not None and now is not None:
        if _odd(was) != _odd(now):
            yield "not finite"
        yield from _moments(old, new, was, now)


def _moments(old: ParameterTimeline, new: ParameterTimeline, was: Values, now: Values) -> Iterator[str]:
    """Yield "std" and "mean" if they differ by more than the draws of two seeds do.

    The standard error of a mean over n elements is std / sqrt(n), that of log(std) is sqrt((kurtosis - 1) / 4n). A few
    elements need a larger distance, since both are estimated.
    """
    if was.mean is None or now.mean is None or was.std is None or now.std is None:
        return
    if _is_constant(old, was) and _is_constant(new, now):
        if was.mean != now.mean:
            yield "mean"
        return
    sizes = [_count(one) for one in (was, now)]
    if min(sizes) < FEWEST:
        return
    distance = DEVIATIONS * (1 + FEWEST / min(sizes))
    if not was.std or not now.std:
        if was.std != now.std:
            yield "std"
    else:
        error = math.sqrt(sum((_kurtosis(one) - 1) / (4 * n) for one, n in zip((was, now), sizes, strict=True)))
        if abs(math.log(now.std / was.std)) > distance * error:
            yield "std"
    error = math.sqrt(sum(one.std**2 / n for one, n in zip((was, now), sizes, strict=True) if one.std is not None))
    if abs(now.mean - was.mean) > distance * error:
        yield "mean"


def _is_constant(timeline: ParameterTimeline, values: Values) -> bool:
    """Whether all elements have one value that is not drawn; a single element tells that only by what wrote it."""
    if values.min is None or values.min != values.max:
        return False
    last = timeline.writes[-1].distribution if timeline.writes else None
    return _count(values) > 1 or (last is not None and last.family == "constant")


def _count(values: Values) -> int:
    return math.prod(values.shape) - _odd(values)


def _odd(values: Values) -> int:
    return values.nan + values.inf


def _kurtosis(values: Values) -> float:
    """Return the kurtosis by the histogram, at least that of a normal distribution."""
    total = sum(values.counts)
    if not total or values.min is None or values.max is None or not values.std or values.mean is None:
        return NORMAL_KURTOSIS
    width = (values.max - values.min) / len(values.counts)
    centres = (values.min + (at + 0.5) * width for at in range(len(values.counts)))
    fourth = sum(n * (centre - values.mean) ** 4 for n, centre in zip(values.counts, centres, strict=True)) / total
    return max(NORMAL_KURTOSIS, fourth / values.std**4)


def _conditions(before: Observation, after: Observation) -> Iterator[str]:
    was, now = before.signal, after.signal
    if was is not None and now is not None:
        if was.inputs != now.inputs:
            yield f"inputs: {', '.join(was.inputs)} before, {', '.join(now.inputs)} after"
        if was.seeds != now.seeds:
            yield f"seeds: {len(was.seeds)} before, {len(now.seeds)} after"
    if before.parameters and after.parameters:
        for word, has in (("values", _has_values), ("a measured forward", _has_signal)):
            if has(before) != has(after):
                yield f"{word}: {'only before' if has(before) else 'only after'}"
    if before.environment is not None and after.environment is not None:
        for field in ("torch", "device", "dtype", "seed"):
            old, new = getattr(before.environment, field), getattr(after.environment, field)
            if old != new:
                yield f"{field}: {old} before, {new} after"


def _has_values(built: Observation) -> bool:
    """Whether a model was built with memory."""
    return any(one.values is not None for one in built.parameters)


def _has_signal(built: Observation) -> bool:
    return built.signal is not None


def _harm(one: Observation, other: Observation | None, reported: frozenset[str]) -> Iterator[str]:
    if other is None:
        yield "the model could not be built and run"
        return
    yield from _unwritten(one, other, reported)
    before, after = one.signal, other.signal
    if after is None:
        if not other.parameters:
            yield "the model could not be built"
        elif before is not None and _has_values(other):
            reasons = (item.reason for item in other.undecided if SignalProfile.__name__ in item.unseen)
            cause = next(reasons, "").rpartition(" not judged: ")[2]
            yield "no forward could be measured any more" + (f": {cause}" if cause else "")
        return
    was = {layer.path: layer for layer in before.layers} if before is not None else {}
    dead = [layer.path for layer in after.layers if _is_dead(layer, was.get(layer.path))]
    if dead:
        them = "it" if len(dead) == 1 else "them"
        yield f"no gradient reaches {few(dead)} any more: training cannot change {them}"
    now, left = {layer.path: layer for layer in after.layers}, {path_of(parameter) for parameter in other.parameters}
    lost = [
        path
        for path, layer in was.items()
        if layer.gradient and layer.source in left and not (path in now and now[path].gradient)
    ]
    if lost and not dead:
        yield f"the gradient of {few(lost)} can no longer be measured"
    loud = [layer.path for layer in after.layers if _is_louder(layer, was.get(layer.path))]
    if loud:
        worst = max(_loudness(layer) for layer in after.layers if layer.path in loud)
        size = f"grows to an rms of {worst:.2g}" if math.isfinite(worst) else "is no longer finite"
        yield f"the output of {few(loud)} {size}"


def _unwritten(before: Observation, after: Observation, reported: frozenset[str]) -> Iterator[str]:
    """Yield the parameters that were written and no longer are, and those that are no longer finite."""
    was = {path_of(one): one for one in before.parameters}
    unwritten, odd = [], []
    for one in after.parameters:
        old = was.get(path_of(one))
        if old is None or one.name in reported:
            continue
        if old.coverage is Coverage.WRITTEN and one.coverage in (Coverage.NEVER, Coverage.PARTIAL):
            unwritten.append(path_of(one))
        if old.values and one.values and _odd(one.values) and not _odd(old.values):
            odd.append(path_of(one))
    if unwritten:
        yield f"{few(unwritten)} {'is' if len(unwritten) == 1 else 'are'} no longer fully written"
    if odd:
        yield f"{few(odd)} {'has' if len(odd) == 1 else 'have'} elements that are no longer finite"


def _is_dead(layer: Layer, before: Layer | None) -> bool:
    """Whether no gradient reaches a weight that had one before or was not measured before."""
    alive = before is None or not before.gradient or any(before.gradient)
    return bool(layer.gradient) and not any(layer.gradient) and alive


def _is_louder(layer: Layer, before: Layer | None) -> bool:
    """Whether an output is too large and was much smaller before."""
    loudness = _loudness(layer)
    if math.isnan(loudness) or before is None or not before.rms:
        return False
    return loudness > LOUD and loudness > LOUDER * _loudness(before)


def _loudness(layer: Layer) -> float:
    finite = all(math.isfinite(rms) for rms in layer.rms)
    return max(layer.rms, default=math.nan) if finite else math.inf


def few(paths: Sequence[str]) -> str:
    """List paths, or the first of many."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(f"`{path}`" for path in paths[:SHOWN]) + more
