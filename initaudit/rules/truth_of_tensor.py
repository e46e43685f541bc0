"""INI310: a parameter used as a condition."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.module_tests import TensorTruth


class TruthOfTensor(Rule[TensorTruth]):
    """
    ## What it does
    Reports `if m.bias:` where `m` is known to be a torch layer, and `if self.scale:` where the class sets `scale` to a parameter or None.

    ## Why is this bad?
    The truth value of a tensor with several elements is ambiguous: torch raises RuntimeError for every layer that has the
    parameter. The condition was meant to test whether the layer has one.

    ## Example
    ```python
    if m.bias:
        nn.init.zeros_(m.bias)
    ```

    ## Use instead
    ```python
    if m.bias is not None:
        nn.init.zeros_(m.bias)
    ```

    ## Known problems
    A tensor with one element has a truth value, that of its element. It is a note in a function of an application that
    nothing calls, and where all layers that get there are made without the parameter.

    ## References
    - [Conv2d.bias](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html)
    """

    code = "INI310"
    name = "truth-of-tensor"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = TensorTruth
    invalid = (
        Example(
            source="""
            from torch import nn

            def start(layer):
                if hasattr(layer, "bias") and layer.bias:
                    nn.init.zeros_(layer.bias)

            start(nn.Linear(3, 4))
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_params(net):
                for m in net.modules():
                    if isinstance(m, nn.Conv2d):
                        nn.init.kaiming_normal_(m.weight)
                        if m.bias:
                            nn.init.zeros_(m.bias)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n, affine=True):
                    super().__init__()
                    if affine:
                        self.gain = nn.Parameter(torch.ones(n))
                    else:
                        self.gain = None

                def forward(self, x):
                    if not self.gain:
                        return x
                    return x * self.gain
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from types import SimpleNamespace

            from torch import nn

            def start(layer, settings):
                if settings.bias and layer.bias is not None:
                    nn.init.constant_(layer.bias, settings.bias)

            start(nn.Linear(3, 4), SimpleNamespace(bias=0.1))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Own(nn.Module):
                def __init__(self, n, bias=True):
                    super().__init__()
                    self.bias = bias
                    self.fc = nn.Linear(n, n, bias=self.bias)
                    if self.bias:
                        nn.init.zeros_(self.fc.bias)

            def init_params(net):
                for m in net.modules():
                    if isinstance(m, nn.Conv2d):
                        if m.bias is not None:
                            nn.init.zeros_(m.bias)
                    if isinstance(m, Own) and m.bias:
                        nn.init.zeros_(m.fc.bias)
            """,
        ),
    )

    def check(self, subject: TensorTruth) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.source}` is a tensor or None, and a tensor with several elements has no truth value: this raises"
            f"{' as soon as a layer has one, as yet none that gets here' * subject.absent}"
            f"; write `{subject.source} is not None`",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.source}` is a parameter")],
            severity=Severity.NOTE if subject.absent else None,
        )
