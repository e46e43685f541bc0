"""INI405: an initializer that counts a wrong fan."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Severity
from initaudit.rules.base import BOTH, Default, Example, Rule
from initaudit.schemes import Recognition
from initaudit.subjects.weights import WeightUse

Count = float | str
"""A number of inputs or outputs, or the expression for it."""
FAR = 2.0
"""The factor between two fans from which they count as different."""


class WrongFan(Rule[WeightUse]):
    """
    ## What it does
    Reports a weight whose variance Xavier or Kaiming initialization computes from the wrong fan, by a factor of two or
    more, when no normalization follows: a weight with layout (in, out), several weights in one tensor, a transposed
    convolution.

    ## Why is this bad?
    `nn.init` takes every weight for (out, in, kernel...), however the forward uses it. For `x @ w`, it swaps fan_in and
    fan_out; for eight experts in one tensor, the fan is eight times too large or the product of two sizes; for a
    transposed convolution with a stride of 2, it counts four times the inputs that an output sums over. The scale is
    then not that of the scheme.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.empty(512, 64))
    nn.init.kaiming_normal_(self.weight)
    ...
    return torch.relu(x @ self.weight)
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.empty(512, 64))
    nn.init.kaiming_normal_(self.weight.T)
    ...
    return torch.relu(x @ self.weight)
    ```

    ## Known problems
    Many generators and decoders initialize transposed convolutions this way and train well; so the rule is in preview.
    Fans that the code computes by hand are not checked here (INI410 checks those read off a layer's weight), and the
    analyzer does not check layers of torch, such as transposed convolutions.

    The analyzer checks parameters that a class creates, initializes and uses only in products, and compares sizes as
    they are written: a weight with layout (in, out) that happens to be square is not reported. In fifty released
    packages it reported three weights, all of them several in one tensor and initialized with a product of their sizes;
    that is too few to know its precision.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html): fans are counted as for `F.linear` and convolutions
    - Glorot & Bengio 2010, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
    """

    code = "INI405"
    name = "wrong-fan"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    default = Default.PREVIEW
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
                    self.fc = nn.Linear(8, 128)
                    self.weight = nn.Parameter(torch.empty(128, 16))
                    nn.init.kaiming_normal_(self.weight)

                def forward(self, x):
                    return torch.relu(self.fc(x) @ self.weight)
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Experts(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 32)
                    self.experts = nn.Parameter(torch.empty(4, 32, 32))
                    nn.init.xavier_uniform_(self.experts)

                def forward(self, x):
                    x = self.fc(x)
                    return torch.relu(torch.bmm(x.expand(4, *x.shape), self.experts)).sum(0)
            """,
            target="Experts",
        ),
        Example(
            source="""
            import math
            import torch
            from torch import nn

            class Layer(nn.Module):
                def __init__(self, in_features, out_features):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(in_features, out_features))
                    nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

                def forward(self, x):
                    return torch.matmul(x, self.weight)
            """
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
                    self.fc = nn.Linear(8, 128)
                    self.transposed = nn.Parameter(torch.empty(128, 16))
                    self.weight = nn.Linear(16, 4)
                    nn.init.kaiming_normal_(self.transposed.T)
                    nn.init.xavier_normal_(self.weight.weight)

                def forward(self, x):
                    return torch.relu(self.weight(torch.relu(self.fc(x) @ self.transposed)))
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Symmetric(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 128)
                    self.weight = nn.Parameter(torch.empty(128, 16))
                    nn.init.xavier_normal_(self.weight)

                def forward(self, x):
                    return torch.relu(self.fc(x) @ self.weight)
            """,
            target="Symmetric",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Meant(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 128)
                    self.weight = nn.Parameter(torch.empty(128, 16))
                    nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

                def forward(self, x):
                    return torch.relu(self.fc(x) @ self.weight)
            """,
            target="Meant",
        ),
    )

    def check(self, subject: WeightUse) -> Iterator[Finding]:
        called = subject.by.removeprefix("init.").rstrip("_")
        named = next((found for found in subject.schemes if found.scheme == called), None)
        if subject.normalized or named is None or not called.startswith(("xavier", "kaiming")):
            return
        counted, real = counts(named, subject)
        if counted is None or are_alike(counted, real) or self.is_meant(named, counted, subject):
            return
        fan = "fan_in + fan_out" if called.startswith("xavier") else named.mode
        off = f"({real}) / ({counted}) times the intended one"
        advice = []
        if isinstance(counted, int | float) and isinstance(real, int | float):
            off = f"{max(counted, real) / min(counted, real):.3g} times too {'small' if counted > real else 'large'}"
            advice = list(self.remedy(subject, counted / real))
        shape = ", ".join(map(str, subject.shape))
        yield self.finding(
            subject.place,
            f"`{subject.parameter}` is initialized by {called} with {fan} = {shown(counted)}, but in the forward it is "
            f"{shown(real)}: the variance is {off}",
            evidence=[
                Evidence(
                    subject.observer,
                    f"the forward uses {subject.use}, ({shape}), with fan_in {subject.fan_in} and fan_out {subject.fan_out}",
                )
            ],
            model=subject.model,
            parameter=subject.parameter,
            advice=advice,
        )

    @staticmethod
    def is_meant(named: Recognition, counted: Count, subject: WeightUse) -> bool:
        """Whether ``mode="fan_out"`` is right: for a weight with layout (in, out), torch's fan_out is its fan_in."""
        return named.mode == "fan_out" and are_alike(counted, subject.fan_in)

    @staticmethod
    def remedy(subject: WeightUse, factor: float) -> Iterator[Advice]:
        """Yield the draw with the right standard deviation."""
        if subject.distribution is not None and subject.distribution.std:
            std = subject.distribution.std * factor**0.5
            yield Advice(
                model=subject.model, parameter=subject.parameter, initializer="normal_", std=float(f"{std:.3g}")
            )


def shown(count: Count) -> str:
    """Return a fan as text for a message."""
    return count if isinstance(count, str) else f"{count:g}"


def are_alike(counted: Count, real: Count) -> bool:
    """Whether two fans are within a factor of two, or are the same expression."""
    if isinstance(counted, str) or isinstance(real, str):
        return counted == real
    return max(counted, real) < FAR * min(counted, real)


def counts(named: Recognition, subject: WeightUse) -> tuple[Count | None, Count]:
    """Return the fan that the initializer counts, and the fan of the use."""
    fan_in, fan_out = subject.counted or (named.fan_in, named.fan_out)
    if fan_in is None or fan_out is None:
        return None, 0
    if named.scheme.startswith("xavier"):
        return total(fan_in, fan_out), total(subject.fan_in, subject.fan_out)
    return (fan_out, subject.fan_out) if named.mode == "fan_out" else (fan_in, subject.fan_in)


def total(one: Count, other: Count) -> Count:
    """Return the sum of two fans."""
    if isinstance(one, str) or isinstance(other, str):
        return " + ".join(sorted((str(one), str(other))))
    return one + other
