"""The weights that a forward multiplies by: their distributions, and whether user code chose them."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Observer
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.record.recognised import schemes_of
from initaudit.subjects.weights import WeightUse
from initaudit.timeline import Coverage, SignalProfile


def weight_uses(profile: SignalProfile | None, timelines: Timelines) -> Iterator[WeightUse]:
    """Every weight that user code drew, at its first use. A learned state that meets itself, and no input, is none."""
    for layer in profile.layers if profile is not None else ():
        record = timelines.record(layer.source)
        computed = layer.setting is not None or layer.piece not in ("", "[0]")
        if (
            computed
            or not layer.fed
            or record is None
            or layer.place is None
            or timelines.coverage(layer.source) is not Coverage.WRITTEN
        ):
            continue
        whole, parts = record.layers()
        caused = whole.caused if whole is not None else record.caused
        distribution = record.known()
        if caused.layer is not None or parts or distribution is None:
            continue
        yield WeightUse(
            observer=Observer.PROBE,
            place=layer.place,
            model=layer.model,
            parameter=layer.parameter,
            use=layer.source,
            shape=layer.shape,
            by=whole.by if whole is not None else record.call,
            distribution=distribution,
            schemes=schemes_of(record, layer.shape)[0],
            fan_in=layer.fan_in,
            fan_out=layer.fan_out,
            normalized=layer.normalized,
            spectral=timelines.tensors[layer.source].is_complex(),
        )
