"""INI412: a weight that is scaled by a higher power of its sizes than the sum of the forward makes up for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.weights import SizedScale

ONE_SIZE = -1.0
TWO_SIZES = 2.0


class ScaleOfWrongPower(Rule[SizedScale]):
    """
    ## What it does
    Reports `torch.randn(inputs, outputs) / (inputs * outputs)` and other scales that divide by more than the square root of
    the inputs that the forward sums over, and scales that multiply by a root of a size where they should divide by it.

    ## Why is this bad?
    A sum over n inputs has n times the variance of one product, so a standard deviation of `n ** -0.5` keeps the scale of
    the signal. One of `1 / (inputs * outputs)` makes the outputs smaller by `inputs ** 0.5 * outputs`: the layer starts as
    if it were zero, and the wider the model, the more so.

    ## Example
    ```python
    scale = 1 / (inputs * outputs)
    self.weight = nn.Parameter(scale * torch.randn(inputs, outputs))
    ```

    ## Use instead
    ```python
    scale = inputs**-0.5
    self.weight = nn.Parameter(scale * torch.randn(inputs, outputs))
    ```

    ## Known problems
    A standard deviation of `1 / inputs` is a note: the output layers of muP have it on purpose. Only
    weights that a class draws itself and uses in products are judged, and only sizes that are names in the source. In timm 1.0.31,
    transformers 5.23.0, diffusers 0.42.1 and torch_geometric 2.8.1 it reports nothing, nor
    in 75 repositories of users: its precision is not well measured.

    ## References
    - Glorot & Bengio 2010, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
    - [ace#786: the scale of spectral filters](https://github.com/ai2cm/ace/pull/786)
    """

    code = "INI412"
    name = "scale-of-wrong-power"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = SizedScale
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Mixing(nn.Module):
                def __init__(self, inputs=64, outputs=64):
                    super().__init__()
                    scale = 1 / (inputs * outputs)
                    self.weight = nn.Parameter(scale * torch.randn(inputs, outputs))

                def forward(self, x):
                    return torch.relu(x @ self.weight)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Spectral(nn.Module):
                def __init__(self, c_in, c_out, modes):
                    super().__init__()
                    self.scale = 1 / (c_in * c_out)
                    self.weight = nn.Parameter(self.scale * torch.randn(c_in, c_out, modes, dtype=torch.cfloat))

                def forward(self, x):
                    f = torch.fft.rfft(x)[..., : self.weight.size(-1)]
                    return torch.fft.irfft(torch.einsum("bix,iox->box", f, self.weight))
            """,
        ),
        Example(
            source="""
            import math
            import torch
            from torch import nn

            class Mixing(nn.Module):
                def __init__(self, inputs, outputs):
                    super().__init__()
                    self.weight = nn.Parameter(torch.randn(inputs, outputs) * math.sqrt(inputs / 2))
                    self.second = nn.Parameter(outputs ** 0.5 * torch.randn(outputs, outputs))

                def forward(self, x):
                    return torch.relu(torch.relu(x @ self.weight) @ self.second)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Gate(nn.Module):
                def __init__(self, context=2, outputs=2):
                    super().__init__()
                    self.gate = nn.Parameter(torch.randn(context, outputs) / outputs)

                def forward(self, x):
                    return torch.tanh(x @ self.gate)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Mixing(nn.Module):
                def __init__(self, inputs, outputs):
                    super().__init__()
                    self.first = nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5)
                    self.second = nn.Parameter((2 / (inputs + outputs)) ** 0.5 * torch.randn(inputs, outputs))
                    self.third = nn.Parameter(0.02 * torch.randn(inputs, outputs))

                def forward(self, x):
                    return torch.relu(x @ self.first) + torch.relu(x @ self.second) + torch.relu(x @ self.third)
            """,
        ),
    )

    def check(self, subject: SizedScale) -> Iterator[Finding]:
        if ONE_SIZE < subject.degree < TWO_SIZES:
            return
        compared = "larger" if subject.degree > 0 else "smaller"
        scale = ast.unparse(ast.parse(subject.factor, mode="eval"))
        fan = f"({subject.fan_in})" if not str(subject.fan_in).isidentifier() else subject.fan_in
        yield self.finding(
            subject.place,
            f"`{subject.parameter}` is scaled by `{scale}`, but the forward sums over `{subject.fan_in}` products: the outputs "
            f"are far {compared} than the inputs; scale it by `{fan} ** -0.5`",
            evidence=[Evidence(Observer.ANALYZER, f"used in `{subject.use}`")],
            severity=Severity.NOTE if subject.degree == ONE_SIZE else None,
            model=subject.model,
            parameter=subject.parameter,
        )
