"""Combine the passes through models of several seeds into the signal profile that the rules read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch

from initaudit.finding import Observer
from initaudit.probe.facts.timelines import Timelines
from initaudit.probe.forward.inputs import in_words
from initaudit.probe.signal.propagate import Given, Pass
from initaudit.probe.signal.uses import Use
from initaudit.probe.words import few
from initaudit.timeline import (
    Decisive,
    Gain,
    InitialLoss,
    Kind,
    Layer,
    Named,
    Setting,
    SignalProfile,
    SoftmaxOfProducts,
    TableSum,
)

REMEMBERED = 256
"""Maximum number of uses of one weight that are reported."""
ENOUGH = 32
"""Minimum number of samples for counting dead units; with one sample, half of a healthy network is off."""


def profile(
    passes: Sequence[Pass],
    seeds: Sequence[int],
    chains: Mapping[str, int],
    given: Given,
    timelines: Timelines,
    model: torch.nn.Module,
) -> SignalProfile:
    """Return the layers of the first pass with the measurements of all passes. ``chains`` maps paths to chains."""
    first = passes[0]
    return SignalProfile(
        observer=Observer.PROBE,
        model=f"{type(model).__module__}.{type(model).__qualname__}",
        place=timelines.definition,
        inputs=tuple(in_words(given)),
        batch=first.batch,
        varied=first.varied,
        seeds=tuple(seeds),
        layers=tuple(_layers(passes, chains, timelines)),
        losses=tuple(_losses(passes)),
        overflow=_overflow(first, timelines),
        skipped=dict(_skipped(first, unfollowed(first, timelines, model))),
        sums=tuple(
            TableSum(
                table=_named(one.table, timelines) if one.table is not None else None,
                signal=_named(one.signal, timelines),
                table_rms=one.sizes[0],
                signal_rms=one.sizes[1],
                own=one.own,
                left=one.left,
            )
            for one in first.sums
        ),
        attentions=tuple(
            SoftmaxOfProducts(
                paths=tuple(use.label for use in one.makers), spread=one.spread, largest=one.largest, keys=one.keys
            )
            for one in first.attentions
        ),
    )


def _overflow(one: Pass, timelines: Timelines) -> str | None:
    """The first weight whose output is not finite, if all parameters are: other values are reported as such."""
    first = next((use for use in one.uses if not math.isfinite(use.rms) and use.depends is None), None)
    parameters = (path for path, declared in timelines.declared.items() if declared.kind is Kind.PARAMETER)
    values = (value for path in parameters if (value := timelines.values.get(path)) is not None)
    return first.label if first is not None and not any(value.nan or value.inf for value in values) else None


def _named(path: str, timelines: Timelines) -> Named:
    declared = timelines.declared[path]
    return Named(place=timelines.written_at(path), model=declared.model, parameter=declared.name)


def _layers(passes: Sequence[Pass], chains: Mapping[str, int], timelines: Timelines) -> Iterator[Layer]:
    """Yield every weight at its first use."""
    by_label: list[dict[str, Use]] = [{use.label: use for use in reversed(one.uses)} for one in passes]
    every: dict[str, list[Use]] = {}
    for use in passes[0].uses:
        every.setdefault(use.label, []).append(use)
    for label, met in every.items():
        uses = [found for labels in by_label if (found := labels.get(label)) is not None]
        use, path = uses[0], uses[0].path
        declared, own = timelines.declared[path], not use.makers and not use.piece
        yield Layer(
            path=label,
            piece=use.piece,
            place=timelines.written_at(path),
            model=declared.model,
            parameter=declared.name,
            shape=tuple(timelines.tensors[path].shape) if own else use.shape,
            fan_in=use.fans.fan_in,
            fan_out=use.fans.fan_out,
            convolution=use.convolution,
            activation=use.activation,
            bounds=use.bounds,
            chain=chains.get(label),
            normalized=use.normalized,
            fed=any(one.fed for one in met),
            output=use.output,
            bias=timelines.declared[use.bias].name if use.bias is not None else None,
            bias_place=timelines.written_at(use.bias) if use.bias is not None else None,
            bias_model=timelines.declared[use.bias].model if use.bias is not None else None,
            rms=tuple(one.rms for one in uses),
            discrimination=_measured(uses, "discrimination"),
            bias_share=_measured(uses, "bias_share"),
            given=_measured(uses, "given"),
            gradient=tuple(one.gradients[path] for one in passes if path in one.gradients)
            if own
            else _measured(uses, "gradient"),
            dead=_measured(uses, "dead") if (passes[0].batch or use.samples) >= ENOUGH else (),
            apart=_measured(uses, "apart"),
            again=tuple(one.rms for one in met[:REMEMBERED]) if len(met) > 1 else (),
            units=use.units,
            depends=next(filter(None, (one.depends for one in met)), None),
            gradient_depends=passes[0].influenced.get(path),
            decided_by=_decisive(use, timelines),
            gain=Gain(named=_named(use.gain[0], timelines), path=use.gain[0], factor=use.gain[1])
            if use.gain is not None
            else None,
            setting=Setting(*use.setting) if use.setting is not None else None,
            fixed=use.fixed,
        )


def _decisive(use: Use, timelines: Timelines) -> Decisive | None:
    if use.decided_by is None:
        return None
    path, gain = use.decided_by
    declared = timelines.declared[path]
    return Decisive(place=timelines.written_at(path), model=declared.model, parameter=declared.name, gain=gain)


def _measured(uses: Sequence[Use], name: str) -> tuple[float, ...]:
    return tuple(value for use in uses if (value := getattr(use, name)) is not None)


def _losses(passes: Sequence[Pass]) -> Iterator[InitialLoss]:
    for path, first in passes[0].losses.items():
        same = [one.losses[path] for one in passes if path in one.losses]
        yield InitialLoss(
            path=path,
            classes=first.classes,
            excess=tuple(one.excess for one in same),
            error=tuple(one.error for one in same),
            known_by=first.known_by,
            guessed=first.guessed,
        )


def unfollowed(one: Pass, timelines: Timelines, model: torch.nn.Module) -> str | None:
    """Return which weights were used but not measured, as text; None if there are none."""
    measured = {path for use in one.uses for path in (use.path, *use.makers)}
    left = {path: name for path, name in one.unfollowed.items() if path not in measured}
    fixed = dict.fromkeys(use.path for use in one.uses if use.fixed and not use.normalized)
    said = []
    if left:
        verb = "is" if len(left) == 1 else "are"
        said.append(f"{few(list(left))} {verb} used by {', '.join(dict.fromkeys(left.values()))}, which is not tracked")
    if fixed:
        said.append(f"the scale of the weights computed from {few(list(fixed))} does not depend on any initializer")
    trained = any(one.requires_grad and one.dim() > 1 for one in model.parameters())
    if not one.uses and trained and not left:
        said.append("no weight with two or more dimensions was used in a multiplication")
    return "; ".join(said) or None


def _skipped(one: Pass, unmeasured: str | None) -> Iterator[tuple[str, str]]:
    """Yield each measurement that a pass lacks, and the reason."""
    if unmeasured is not None:
        yield "layers", f"the signal after some weights was not judged: {unmeasured}"
    if one.no_gradient is not None:
        yield "gradient", f"the slope of gradients was not judged: {one.no_gradient}"
    few = "dead units were not judged: "
    if one.batch is not None and one.batch < ENOUGH:
        yield "dead", f"{few}the batch has fewer than {ENOUGH} samples"
    elif one.batch is None and not any(use.samples >= ENOUGH for use in one.uses):
        yield "dead", f"{few}the inputs share no batch, and no layer before a ReLU has {ENOUGH} samples"
    if one.batch is None:
        why = "the inputs share no first dimension that could be the batch"
        yield "discrimination", f"discrimination was not judged: {why}"
    if not one.varied:
        why = "the samples of the batch are all the same"
        yield "discrimination", f"discrimination was not judged: {why}"
    if not one.losses:
        yield "losses", "the initial loss was not judged: nothing shows that an output is over classes"
