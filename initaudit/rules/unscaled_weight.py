"""INI407: a weight that is left at N(0, 1), or at positive numbers only."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.weights import WeightUse

MANY = 16
"""Inputs from which on a weight of N(0, 1) makes its output four times larger than its input, and more."""
NO_WEIGHT = re.compile(
    r"quer|token|embed|emb\b|pos|prompt|anchor|codebook|codewords|memory|prototype|centro?i?d|cluster|latent|slot|freq|key",
    re.IGNORECASE,
)
"""Names of what is looked up, compared or learned as a value, for which N(0, 1) is a scale like any other."""


class UnscaledWeight(Rule[WeightUse]):
    """
    ## What it does
    Reports a weight that multiplies 16 inputs or more and is left at N(0, 1), as `torch.randn` gives it, or at U(0, 1), as
    `torch.rand` does, with no normalization behind it. A normal draw that is given one number is reported too: that is the mean,
    and the standard deviation stays 1.

    ## Why is this bad?
    An output sums over the inputs: at 256 of them it is 16 times larger than they are. A few such layers overflow, a softmax or
    a sigmoid behind one is saturated from the start. Numbers that are all positive add up instead of cancelling: all outputs are
    nearly the same.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.randn(256, 64))
    ...
    return x @ self.weight
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.randn(256, 64) / 256**0.5)
    ...
    return x @ self.weight
    ```

    ## Known problems
    A factor that is applied to the output makes up for it, and is not seen; queries, tokens, positions and codebooks are told
    by their names. In a third of the models of transformers, built small, it reported CpmAnt alone,
    whose configuration draws every layer from N(0, 1).

    The analyzer is silent where a parameter has any use but a plain product, where the output meets anything but sums, views
    and an activation, and where other code may write it. A size that is an argument counts as large, and a normalization behind
    the forward of the class is not seen. In fifty released packages it reported eleven weights, of a recurrent cell and two
    attentions, and two in tests of torch; two of the eleven multiply a single input in the first layer of their model. In 26
    others it reported five: three right, one that attends, and one, a quantizer, that was wrong and is left alone now.

    ## References
    - LeCun, Bottou, Orr & Müller 1998, [Efficient BackProp](https://link.springer.com/chapter/10.1007/3-540-49430-8_2)
    """

    code = "INI407"
    name = "unscaled-weight"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = WeightUse
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.randn(64, 32))

                def forward(self, x):
                    return torch.relu(self.fc(x)) @ self.weight
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Layer(nn.Module):
                def __init__(self, in_features, out_features):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(in_features, out_features))
                    nn.init.normal_(self.weight)

                def forward(self, x):
                    return torch.mm(x, self.weight)
            """
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.rand(64, 32))

                def forward(self, x):
                    return torch.relu(self.fc(x)) @ self.weight
            """,
            target="Net",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.randn(64, 32) / 8)
                    self.queries = nn.Parameter(torch.randn(32, 5))
                    self.few = nn.Parameter(torch.randn(5, 3))

                def forward(self, x):
                    return torch.relu(self.fc(x)) @ self.weight @ self.queries @ self.few
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Normalized(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.randn(64, 32))
                    self.norm = nn.LayerNorm(32)

                def forward(self, x):
                    return self.norm(self.fc(x) @ self.weight)
            """,
            target="Normalized",
        ),
    )

    @staticmethod
    def takes_mean_for_std(subject: WeightUse) -> bool:
        """Whether a normal draw is given a mean alone, as if that were its standard deviation."""
        drawn = subject.distribution
        return (
            drawn is not None
            and subject.by.endswith(".normal_")
            and (drawn.family, drawn.std) == ("normal", 1)
            and drawn.mean != 0
        )

    def check(self, subject: WeightUse) -> Iterator[Finding]:
        drawn, inputs = subject.distribution, subject.fan_in
        if drawn is None:
            return
        if self.takes_mean_for_std(subject):
            yield self.finding(
                subject.place,
                f"`{subject.parameter}` is drawn with the standard deviation 1: the first number of `normal_` is the mean; "
                "name it, as in `std=0.02`",
                evidence=[Evidence(subject.observer, f"`{subject.by}` is given one number")],
                model=subject.model,
                parameter=subject.parameter,
            )
            return
        positive = drawn.family == "uniform" and bool(drawn.mean) and (drawn.mean or 0) >= (drawn.std or math.inf)
        if not positive and (drawn.family, drawn.mean, drawn.std) != ("normal", 0, 1):
            return
        if subject.normalized or NO_WEIGHT.search(subject.parameter):
            return
        if isinstance(inputs, int) and inputs < MANY:
            return
        times, remedy, advice = f"sqrt({inputs})", "divide it by that", []
        if isinstance(inputs, int):
            std = float(f"{inputs**-0.5:.3g}")
            advice = [Advice(model=subject.model, parameter=subject.parameter, initializer="normal_", std=std)]
            times, remedy = f"{inputs**0.5:.0f}", f"use `{advice[0]}`"
        shape = ", ".join(map(str, subject.shape))
        if positive:
            yield self.finding(
                subject.place,
                f"all elements of `{subject.parameter}` are positive, around {drawn.mean:.2g}, and it multiplies {inputs} "
                f"inputs: every output is nearly the same sum of them; draw around zero, for example with "
                f"`nn.init.xavier_uniform_`",
                evidence=[Evidence(subject.observer, f"a forward multiplies by {subject.use}, ({shape})")],
                model=subject.model,
                parameter=subject.parameter,
                advice=advice,
            )
            return
        yield self.finding(
            subject.place,
            f"`{subject.parameter}` is left at N(0, 1) and multiplies {inputs} inputs: its output is {times} times larger "
            f"than they are; {remedy}",
            evidence=[Evidence(subject.observer, f"a forward multiplies by {subject.use}, ({shape})")],
            model=subject.model,
            parameter=subject.parameter,
            advice=advice,
        )
