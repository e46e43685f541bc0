"""INI212: a constructor argument for an initial value that has no effect, because the initializer writes a constant."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.calls import IgnoredArgument


class IgnoredInitArgument(Rule[IgnoredArgument]):
    """
    ## What it does
    Reports an initializer that writes a constant, although the constructor of the class takes an argument for the value
    (`init_values`, `init_std`, `init_gain`) that has no other effect: it is multiplied into memory that is then overwritten,
    or stored under a name that nothing reads. It also reports a function that never reads the `gain` it is given, and a
    class whose constructor never reads what asks for zeros (`zero_init_residual=True`) or step sizes (`dt_min`, `dt_max`).

    ## Why is this bad?
    The parameter gets the constant whatever the argument is. A layer scale that should start at 1e-5 starts at 1.

    ## Example
    ```python
    class LayerScale(nn.Module):
        def __init__(self, dim, init_values=1e-5):
            super().__init__()
            self.gamma = nn.Parameter(init_values * torch.empty(dim))
            self.reset_parameters()

        def reset_parameters(self):
            nn.init.ones_(self.gamma)
    ```

    ## Use instead
    ```python
    class LayerScale(nn.Module):
        def __init__(self, dim, init_values=1e-5):
            super().__init__()
            self.init_values = init_values
            self.gamma = nn.Parameter(torch.empty(dim))
            self.reset_parameters()

        def reset_parameters(self):
            nn.init.constant_(self.gamma, self.init_values)
    ```

    ## Known problems
    An argument that is passed on, compared or computed with counts as used. Rare: in 71 repositories of users and 82 releases
    the rule reports two lines, in timm 1.0.21, and both are right.

    ## References
    - [The fix in timm](https://github.com/huggingface/pytorch-image-models/pull/2605)
    """

    code = "INI212"
    name = "ignored-init-argument"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = IgnoredArgument
    invalid = (
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n, zero_init=True):
                    super().__init__()
                    self.fc = nn.Linear(n, n)
                    self.out = nn.Linear(n, n)

                def forward(self, x):
                    return x + self.out(self.fc(x).relu())
            """,
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class LayerScale(nn.Module):
                def __init__(self, dim, init_values=1e-5):
                    super().__init__()
                    self.gamma = nn.Parameter(init_values * torch.empty(dim))
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.ones_(self.gamma)
            """
        ),
        Example(
            source="""
            from torch import nn

            class Head(nn.Module):
                def __init__(self, n, init_std=0.01):
                    super().__init__()
                    self.init_std = init_std
                    self.fc = nn.Linear(n, n)
                    self.init_weights()

                def init_weights(self):
                    nn.init.normal_(self.fc.weight, std=0.02)
            """
        ),
        Example(
            source="""
            from torch import nn

            class Encoder(nn.Module):
                def __init__(self, d, initializer_range=0.02):
                    super().__init__()
                    self.initializer_range = initializer_range
                    self.fc = nn.Linear(d, d)
                    self.apply(self._start)

                def _start(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.normal_(m.weight, mean=0.0, std=0.02)
            """
        ),
        Example(
            source="""
            from torch import nn

            def layer_init(layer, gain=2**0.5, bias=0.0):
                nn.init.orthogonal_(layer.weight, 2**0.5)
                nn.init.constant_(layer.bias, bias)
                return layer

            head = layer_init(nn.Linear(64, 2), gain=0.01)
            """
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class LayerScale(nn.Module):
                def __init__(self, dim, init_values=1e-5):
                    super().__init__()
                    self.init_values = init_values
                    self.gamma = nn.Parameter(torch.empty(dim))
                    self.beta = nn.Parameter(torch.empty(dim))
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.constant_(self.gamma, self.init_values)
                    nn.init.zeros_(self.beta)
            """
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, dim, init_value=1e-5, bias=True):
                    super().__init__()
                    self.gamma = nn.Parameter(init_value * torch.ones(dim))
                    self.beta = nn.Parameter(torch.empty(dim))
                    nn.init.zeros_(self.beta)
            """
        ),
    )

    def check(self, subject: IgnoredArgument) -> Iterator[Finding]:
        message = f"`{subject.written}` does not depend on the argument `{subject.argument}`, which has no effect"
        if not subject.written:
            message = f"`{subject.argument}` has no effect: nothing reads it, and no parameter starts accordingly"
        if subject.chooses:
            message = f"`{subject.written}` overwrites what the constructor chose for `{subject.parameter}` according to `{subject.argument}`"
        yield self.finding(
            subject.place,
            message,
            evidence=[Evidence(Observer.ANALYZER, f"no value that is kept depends on `{subject.argument}`")],
            model=subject.model,
            parameter=subject.parameter,
        )
