"""INI316: initialization of a lazy layer before its first forward pass."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import LazyGiven, LazyLoss

WHAT_HAPPENS = {
    LazyLoss.RAISES: "raises ValueError: `{layer}` has no weights before the first forward pass",
    LazyLoss.LOST: "has no effect: `{layer}` gets its weights in the first forward pass, which draws them itself",
    LazyLoss.SKIPPED: "is never reached: the type of `{layer}` is another one until the first forward pass",
}


class LazyLayerInitialized(Rule[LazyGiven]):
    """
    ## What it does
    Reports the initialization of `nn.LazyLinear`, `nn.LazyConv2d` and the other lazy layers in the code that creates them,
    before the model has run.

    ## Why is this bad?
    A lazy layer learns its input size in the first forward pass. Until then its parameters have no shape: functions of
    `nn.init` raise ValueError, a write to `weight.data` changes an empty tensor, and `type(m) == nn.Linear` is false. The
    first forward pass then draws torch's default.

    ## Example
    ```python
    net = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(10))
    net.apply(init_weights)
    ```

    ## Use instead
    ```python
    net = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(10))
    net(torch.zeros(1, 20))
    net.apply(init_weights)
    ```

    ## Known problems
    Only code that creates the model itself is judged. A call that is given the model counts as a forward pass.

    ## References
    - [LazyModuleMixin](https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.lazy.LazyModuleMixin.html)
    - [d2l-en#2225: an initializer that no lazy layer meets](https://github.com/d2l-ai/d2l-en/pull/2225)
    """

    code = "INI316"
    name = "lazy-layer-initialized"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = LazyGiven
    invalid = (
        Example(
            source="""
            from torch import nn

            class Head(nn.Module):
                def __init__(self, classes):
                    super().__init__()
                    self.fc = nn.LazyLinear(classes)
                    nn.init.xavier_uniform_(self.fc.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def start(m):
                if type(m) == nn.Linear or type(m) == nn.Conv2d:
                    nn.init.xavier_uniform_(m.weight)

            net = nn.Sequential(nn.LazyConv2d(6, 5), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
            net.apply(start)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Head(nn.Module):
                def __init__(self, classes):
                    super().__init__()
                    self.fc = nn.LazyLinear(classes)
                    self.reset()

                def reset(self):
                    self.fc.weight.data.normal_(0, 0.01)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            def start(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)

            net = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(10))
            net(torch.zeros(1, 20))
            net.apply(start)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.body = nn.LazyLinear(64)
                    self.head = nn.Linear(64, 10)
                    nn.init.zeros_(self.head.weight)
            """,
        ),
    )

    def check(self, subject: LazyGiven) -> Iterator[Finding]:
        effect = WHAT_HAPPENS[subject.loss].format(layer=subject.layer)
        yield self.finding(
            subject.place,
            f"`{subject.source}` {effect}; run the model on an example batch first",
            evidence=[Evidence(Observer.ANALYZER, "nothing runs the model between its creation and this line")],
        )
