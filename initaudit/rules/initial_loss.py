"""INI705: a classifier that starts out confident and wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.rules.depth import STEEP, by_weight, factor, middle, place_of
from initaudit.timeline import InitialLoss as Loss
from initaudit.timeline import Layer, SignalProfile

HIGH, ABSURD = 2.0, 10.0
"""Nats above ln(classes), which is about half the variance of the logits."""
ERRORS = 3
"""The margin for chance, in standard errors."""


class InitialLoss(Rule[SignalProfile]):
    """
    ## What it does
    Reports a classifier whose loss before training is more than 2 nats above ln(classes), the loss of uniform guessing.
    Above 10 nats it is an error.

    ## Why is this bad?
    The model starts out confident in random answers: the first steps of training only unlearn them, with gradients that
    the learning rate was not chosen for.

    ## Example
    ```python
    nn.init.normal_(self.head.weight)
    ```

    ## Use instead
    ```python
    nn.init.normal_(self.head.weight, std=0.01)
    ```

    ## Known problems
    The probe needs an input, and an output that is certainly over classes: a softmax computes it, the forward takes a
    loss over classes of it or returns it as `logits`, or it is as wide as the model has classes. That number is the
    value of `num_classes`, `vocab_size` or a similar name in the model, its configuration or the arguments of its
    constructor, or the number of rows of a table that an integer input indexes. If only a name suggests classes (that
    of a size, such as `n_outputs`, of the last layer, of the model, or of the argument `labels`), or if the model ends
    in a linear layer, more than 10 nats are a warning, and less is not reported unless the layer alone makes its output
    ten times larger than its input. The loss is averaged over all labels with equal weight.

    ## References
    - Karpathy 2019, [A Recipe for Training Neural Networks](https://karpathy.github.io/2019/04/25/recipe/): "verify loss at init"
    """

    code = "INI705"
    name = "initial-loss"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = SignalProfile
    reads = ("losses",)
    invalid = (
        Example(
            source="""
            from torch import nn

            class Sure(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.head = nn.Linear(256, 10)
                    nn.init.normal_(self.head.weight)

                def forward(self, x):
                    return self.head(x).log_softmax(-1)
            """,
            target="Sure",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Open(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.head = nn.Linear(256, 10)
                    nn.init.normal_(self.head.weight, std=0.01)

                def forward(self, x):
                    return self.head(x).log_softmax(-1)
            """,
            target="Open",
        ),
    )

    def check(self, subject: SignalProfile) -> Iterator[Finding]:
        layers = {layer.path: layer for layer in subject.layers}
        for loss in subject.losses:
            if loss.path in layers:
                yield from self.judged(subject, loss, layers[loss.path])

    def judged(self, subject: SignalProfile, loss: Loss, head: Layer) -> Iterator[Finding]:
        """Yield the finding that the loss of an output is too large, if it is."""
        advice = Advice(model=head.model, parameter=head.parameter, initializer="normal_", std=0.01)
        excess, error = middle(loss.excess) or 0.0, middle(loss.error) or 0.0
        sure = excess - ERRORS * error
        plain = not loss.guessed or (by_weight(head) and factor(head) >= STEEP)
        if not math.isfinite(sure) or sure <= (HIGH if plain else ABSURD):
            return
        if loss.guessed:  # it may be a regression, which should not start at that scale either
            what = f"if the output of `{head.parameter}` is logits over {loss.classes} classes, as {loss.known_by} suggests, "
            what += f"the loss before training is {excess:.3g} nats above ln({loss.classes}), the loss of guessing; "
            what += f"use smaller weights, as in `{advice}`"
        else:
            what = f"the loss before training is {excess:.3g} nats above ln({loss.classes}), the loss of guessing: "
            what += f"the logits of `{head.parameter}` are too large; use smaller weights, as in `{advice}`"
        yield self.finding(
            place_of(head, subject),
            what,
            evidence=[Evidence(subject.observer, self.measured(loss, excess, error))],
            severity=Severity.ERROR if sure > ABSURD and not loss.guessed else Severity.WARNING,
            model=head.model,
            parameter=head.parameter,
            advice=[advice],
        )

    @staticmethod
    def measured(loss: Loss, excess: float, error: float) -> str:
        """Say what was measured, and how the probe knows that the output is over classes."""
        return (
            f"over {loss.classes} classes ({loss.known_by}), the loss starts at {excess + math.log(loss.classes):.3g} "
            f"± {error:.2g} nats; guessing gives {math.log(loss.classes):.3g}"
        )
