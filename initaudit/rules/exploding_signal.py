"""INI702: activations grow with depth, or overflow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initaudit.finding import Advice, Category, Evidence, Finding, Severity, listed
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import (
    BIASES,
    DECADES,
    EXTREME,
    GROUP,
    Trend,
    advice,
    by_weight,
    chains,
    factor,
    groups,
    guilty,
    judged,
    middle,
    named,
    place_of,
    remedies,
    remedy,
    repeated,
    runs,
    slopes,
    steep_gains,
    times,
    trend,
    unbiased,
    unscaled,
)
from initaudit.rules.remedies import rounded
from initaudit.timeline import Layer, SignalProfile

SHARP, ALONE = 8.0, 0.8
"""The standard deviation of attention logits, and the largest share of a softmax, from which it is saturated."""
FLAT = {"tanh": 6.0, "sigmoid": 12.0}
"""The rms of the input of each function from which it is flat for most units: their slopes are below 1% at half of it."""
LIFTED = 0.7
"""Decades by which a layer has to amplify its input to be why a function after it is flat."""
AMPLIFIED = 0.5
"""Decades by which a weight has to amplify its input to be the cause."""
HEAD_AMPLIFIES = 1.0
"""Decades from which a head amplifies its input so much that its loss is its own fault."""


class ExplodingSignal(Rule[SignalProfile]):
    """
    ## What it does
    Reports layers through which activations grow by more than a factor of 100, along a chain without normalization or
    from block to block (10,000 for fewer than four blocks; 100 where each of two layers does it alone, or layers in a row
    amplify tenfold each). It also reports a forward that overflows, attention whose logits start so large that one key
    takes most of the softmax, and layers that make the input of a tanh or a sigmoid so large (6 or 12 in rms) that it is
    flat there. A bias counts before a tanh alone: it may close a gate on purpose.

    ## Why is this bad?
    Gradients grow with the activations: the first step at any usual learning rate moves the weights far away, and in
    half precision the forward overflows. A saturated softmax passes almost no gradient to queries and keys, and a
    flat tanh none to what is before it.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.randn(256, 256))
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.empty(256, 256))
    nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
    ```

    ## Known problems
    The probe needs an input to run the forward. Growth through a learned scalar, or through a factor in the code,
    counts as growth, too. Rare in released models; its precision is not well measured.

    ## References
    - He, Zhang, Ren & Sun 2015, [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852)
    - Zhang, Dauphin & Ma 2019, [Fixup initialization](https://arxiv.org/abs/1901.09321)
    """

    code = "INI702"
    name = "exploding-signal"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = SignalProfile
    reads = ("attentions", "layers")
    supersedes = ("INI703", "INI704", "INI705")
    invalid = (
        Example(
            source="""
            from torch import nn

            class Loud(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = []
                    for _ in range(5):
                        layer = nn.Linear(64, 64)
                        nn.init.normal_(layer.weight)
                        layers += [layer, nn.ReLU()]
                    self.layers = nn.Sequential(*layers, nn.Linear(64, 2))

                def forward(self, x):
                    return self.layers(x)
            """,
            target="Loud",
        ),
        Example(
            source="""
            from torch import nn

            class Doubling(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.blocks = nn.ModuleList(nn.Linear(64, 64) for _ in range(24))
                    for block in self.blocks:
                        nn.init.kaiming_normal_(block.weight)
                    self.relu = nn.ReLU()

                def forward(self, x):
                    for block in self.blocks:
                        x = x + self.relu(block(x))
                    return x
            """,
            target="Doubling",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Kept(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.blocks = nn.ModuleList(nn.Linear(64, 64) for _ in range(24))
                    self.norms = nn.ModuleList(nn.LayerNorm(64) for _ in range(24))
                    for block in self.blocks:
                        nn.init.kaiming_normal_(block.weight)
                    self.relu = nn.ReLU()

                def forward(self, x):
                    for block, norm in zip(self.blocks, self.norms):
                        x = x + self.relu(block(norm(x)))
                    return x
            """,
            target="Kept",
        ),
    )

    def check(self, subject: SignalProfile) -> Iterator[Finding]:
        if subject.overflow is not None:
            yield self.overflows(subject, next(layer for layer in subject.layers if layer.path == subject.overflow))
            return
        growing = rises(subject)
        if growing:
            yield self.grows(subject, max(growing, key=rise), [layer for layers in growing for layer in layers])
        for layer, course in repeated(subject):
            if course.geometric and course.decades > 0:
                yield self.grows_in_time(subject, layer, course)
        yield from self.saturates(subject)
        flat = [layer for layer in subject.layers if flattens(layer)]
        if flat and not growing:
            yield self.flattened(subject, flat)

    def flattened(self, profile: SignalProfile, layers: Sequence[Layer]) -> Finding:
        """Return the finding that layers put the units of a bounded function where it is flat."""
        first = layers[0]
        by_bias = (middle(first.bias_share) or 0.0) > BIASES
        blamed = first.bias if by_bias and first.bias is not None else first.parameter
        model = (first.bias_model or first.model) if by_bias else first.model
        heads = (listed(head.parameter, head.model, model) for head in innocent_heads(profile))
        biases = [layer.bias for layer in layers if layer.bias and (layer.bias_model or layer.model) == model]
        others = len(layers) - 1
        more = f"; so {f'do {others} more layers' if others > 1 else 'does another layer'}" if others else ""
        return self.finding(
            (first.bias_place if by_bias else None) or place_of(first, profile),
            f"`{blamed}` gives the {first.activation or first.bounds} after it an input with an rms of "
            f"{rounded(middle(first.rms) or 0.0):g}, where it is flat: hardly any gradient passes{more}; use "
            f"{unbiased(first) if by_bias else advice(first)}",
            evidence=[
                Evidence(
                    profile.observer,
                    f"the output of {first.path} is {times(factor(first))} times larger than its input, and a bias makes up "
                    f"{middle(first.bias_share) or 0.0:.0%} of its second moment",
                )
            ],
            model=model,
            parameter=blamed,
            affects=tuple(dict.fromkeys([*named(layers, model), *biases, *heads])),
            advice=remedies(layers),
        )

    def saturates(self, profile: SignalProfile) -> Iterator[Finding]:
        """Yield the finding that attention looks at one key alone, since weights make its logits large."""
        layers = {layer.path: layer for layer in profile.layers}
        sharp = []
        for one in profile.attentions:
            makers = [layers[path] for path in one.paths if path in layers and layers[path].depends is None]
            if one.spread > SHARP and one.largest > ALONE and max(map(factor, makers), default=0.0) > AMPLIFIED:
                sharp.append((one, max(makers, key=factor), makers))
        if not sharp:
            return
        (one, first, _), every = sharp[0], [layer for _, _, makers in sharp for layer in makers]
        more = f", and in {len(sharp) - 1} more attentions" if len(sharp) > 1 else ""
        yield self.finding(
            place_of(first, profile),
            f"attention starts saturated: `{first.parameter}` makes its logits {one.spread:.3g} in standard deviation, and "
            f"one of {one.keys} keys takes {one.largest:.0%} of the softmax{more}; {advice(first)} keeps their scale",
            evidence=[
                Evidence(
                    profile.observer,
                    f"the output of {first.path} is {times(factor(first))} times larger than its input; ideally logits have a "
                    "standard deviation of about 1",
                )
            ],
            model=first.model,
            parameter=first.parameter,
            affects=named(every, first.model),
            advice=remedies(every),
        )

    def grows(self, profile: SignalProfile, layers: Sequence[Layer], every: Sequence[Layer]) -> Finding:
        """Return the finding that the scale rises over ``layers``; ``every`` are all layers over which it rises."""
        low, high = (middle(layer.rms) or math.nan for layer in (layers[0], layers[-1]))
        decades, first, gains = rise(layers), guilty(layers, 1), steep_gains(layers, 1)
        blamed = gains[0].named if gains else first
        cause = f", which multiplies them by {rounded(gains[0].factor):g}" if gains else ""
        advised = f"`{unscaled(gains[0])}`" if gains else advice(first)
        later = [*innocent_heads(profile), *(layer for group, _ in slopes(profile) for layer in group)]
        hit = (listed(layer.parameter, layer.model, blamed.model) for layer in later)
        return self.finding(
            blamed.place or profile.place,
            f"activations grow by a factor of {times(decades)} over {len(layers)} layers, starting at `{blamed.parameter}`"
            f"{cause}; {advised} keeps their scale, and residual branches need a normalization or a smaller gain",
            evidence=[
                Evidence(
                    profile.observer,
                    f"the rms of the layer outputs rises from {low:.3g} at {layers[0].path} to {high:.3g} at "
                    f"{layers[-1].path}, by a factor of {times(decades / (len(layers) - 1))} per layer; ideally it stays level",
                )
            ],
            model=blamed.model,
            parameter=blamed.parameter,
            affects=tuple(dict.fromkeys([*named(every, blamed.model), *hit])),
            advice=tuple(map(unscaled, gains)) or remedies(every),
        )

    def grows_in_time(self, profile: SignalProfile, layer: Layer, course: Trend) -> Finding:
        """Return the finding that the scale rises with each use of a weight."""
        uses = len(layer.again)
        matrix = layer.setting is None and not layer.piece and len(layer.shape) == 2
        kept = (
            Advice(model=layer.model, parameter=layer.parameter, initializer="orthogonal_") if matrix else remedy(layer)
        )
        return self.finding(
            place_of(layer, profile),
            f"activations grow by a factor of {times(course.decades)} over {uses} uses of `{layer.parameter}`; "
            f"`{kept}` keeps their scale",
            evidence=[
                Evidence(
                    profile.observer,
                    f"the rms of the output of {layer.path} rises by a factor of {times(course.decades / (uses - 1))} with each "
                    f"use; ideally it stays level",
                )
            ],
            model=layer.model,
            parameter=layer.parameter,
            affects=tuple(listed(head.parameter, head.model, layer.model) for head in innocent_heads(profile)),
            advice=[kept],
        )

    def overflows(self, profile: SignalProfile, layer: Layer) -> Finding:
        """Return the finding that the output of a layer is NaN or infinite."""
        position = profile.layers.index(layer)
        cause = _loudest(profile.layers[:position]) if not math.isfinite(middle(layer.given) or 0.0) else None
        if cause is not None:
            return self.overflows_after(profile, cause, layer)
        after = profile.layers[position:]
        return self.finding(
            place_of(layer, profile),
            f"the output of `{layer.parameter}` is NaN or infinite; {advice(layer)} keeps the scale of its input",
            evidence=[Evidence(profile.observer, f"the first layer of the forward that overflows is {layer.path}")],
            severity=Severity.ERROR,
            model=layer.model,
            parameter=layer.parameter,
            affects=named(after, layer.model),
            advice=remedies(after),
        )

    def overflows_after(self, profile: SignalProfile, cause: Layer, layer: Layer) -> Finding:
        """Return the finding that what is computed from an output, such as an exponential, is NaN or infinite."""
        return self.finding(
            place_of(cause, profile),
            f"the forward overflows after `{cause.parameter}`, the output of which has an rms of "
            f"{rounded(middle(cause.rms) or math.nan):g}; {advice(cause)} keeps the scale of its input",
            evidence=[
                Evidence(
                    profile.observer, f"the input of {layer.path} is NaN or infinite; no layer before it overflows"
                )
            ],
            severity=Severity.ERROR,
            model=cause.model,
            parameter=cause.parameter,
            affects=named([cause, layer], cause.model),
            advice=remedies([cause]),
        )


def _loudest(layers: Sequence[Layer]) -> Layer | None:
    """Return the layer with the largest output among those that amplify their input, and nothing normalizes that."""
    loud = [layer for layer in layers if judged(layer) and factor(layer) > AMPLIFIED]
    return max(loud, key=lambda layer: middle(layer.rms) or 0.0, default=None)


def innocent_heads(profile: SignalProfile) -> list[Layer]:
    """Return the heads that hardly amplify their inputs: their loss follows from the growth before them."""
    return [layer for layer in profile.layers if profile.losses and layer.output and factor(layer) <= HEAD_AMPLIFIES]


def rises(profile: SignalProfile) -> list[list[Layer]]:
    """Return the layers over which the scale rises: chains, similar layers, or weights that each amplify by much."""
    found = [chain for chain in chains(profile) if rise(chain) > DECADES]
    # a stream that was lost and is added to again rises, too, but not beyond the scale of the input
    scale = next((middle(layer.given) or 0.0 for layer in profile.layers if layer.fed), 0.0)
    for group in groups(profile, least=2):
        course = trend([middle(layer.rms) or 0.0 for layer in group])
        most = DECADES if len(group) >= GROUP else EXTREME
        beyond = (middle(group[-1].rms) or 0.0) > scale
        if course is not None and course.geometric and course.decades > most and beyond:
            found.append(group)
    found = found or list(runs(profile, 1))
    loud = [layer for layer in profile.layers if amplifies(layer)]
    return found or ([loud] if len(loud) > 1 and rise(loud) > DECADES else [])


def flattens(layer: Layer) -> bool:
    """Return whether a layer makes the input of a bounded function so large that the function is flat there.

    A bias may close a gate on purpose: it counts before a tanh alone.
    """
    by_bias = (middle(layer.bias_share) or 0.0) > BIASES
    meets = layer.activation or layer.bounds or ""
    least = FLAT.get(meets, math.inf) if not by_bias or meets == "tanh" else math.inf
    return judged(layer) and (middle(layer.rms) or 0.0) >= least and factor(layer) >= LIFTED


def amplifies(layer: Layer) -> bool:
    """Return whether a weight alone makes its input a hundred times larger, and nothing normalizes that."""
    return by_weight(layer) and factor(layer) > DECADES


def rise(layers: Sequence[Layer]) -> float:
    """Return the growth of the scale from the first layer to the last, in decades; 0 if one of them gives only zeros."""
    low, high = (middle(layer.rms) or 0.0 for layer in (layers[0], layers[-1]))
    return math.log10(high / low) if low > 0 and high > 0 else 0.0
