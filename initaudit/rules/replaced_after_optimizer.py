"""INI223: a layer that replaces another one after the optimizer was made."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import ReplacedLayer


class ReplacedAfterOptimizer(Rule[ReplacedLayer]):
    """
    ## What it does
    Reports `model.fc = nn.Linear(512, 10)` below `optimizer = torch.optim.SGD(model.parameters())`, if that optimizer is used
    afterwards and is not given the new parameters.

    ## Why is this bad?
    The optimizer keeps the parameters that it was given. The new layer is not among them: it is never trained and stays as it
    was initialized, while the layer that it replaced is no longer used.

    ## Example
    ```python
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.fc = nn.Linear(512, 10)
    ```

    ## Use instead
    ```python
    model.fc = nn.Linear(512, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ```

    ## Known problems
    Only code in one function, or at the top level of one file, is compared, with the methods of the model that it calls. A layer
    that is replaced under a condition is not reported. It reports nothing in 132 repositories of users: its precision is not known.

    ## References
    - [torch.optim](https://docs.pytorch.org/docs/stable/optim.html)
    """

    code = "INI223"
    name = "replaced-after-optimizer"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ReplacedLayer
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            def train(x):
                net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
                optimizer = torch.optim.Adam(net.parameters())
                for m in net.modules():
                    if isinstance(m, nn.Linear):
                        m.weight = nn.Parameter(nn.init.orthogonal_(torch.empty_like(m.weight)))
                net(x).mean().backward()
                optimizer.step()
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def train(model, x):
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
                model.fc = nn.Linear(512, 10)
                model(x).sum().backward()
                optimizer.step()
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Trainer:
                def __init__(self, net):
                    self.net = net
                    self.optimizer = torch.optim.Adam([{"params": self.net.parameters(), "lr": 0.1}])
                    self.net.head[2].weight = nn.Parameter(torch.zeros(2, 8))
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            def train(x, others):
                net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
                for m in net.modules():
                    if isinstance(m, nn.Linear):
                        m.weight = nn.Parameter(nn.init.orthogonal_(torch.empty_like(m.weight)))
                optimizer = torch.optim.Adam(net.parameters())
                for m in others:
                    m.weight = nn.Parameter(torch.ones(3, 3))
                net(x).mean().backward()
                optimizer.step()
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def tune(model, x):
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
                model.fc = nn.Linear(512, 10)
                optimizer.add_param_group({"params": model.fc.parameters()})
                optimizer.step()

            def train(model, x):
                model.fc = nn.Linear(512, 10)
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
                model.fc.weight.data = torch.zeros(10, 512)
                model.drop = nn.Dropout()
                optimizer.step()
                model.fc = nn.Linear(512, 5)

            def again(model, x):
                optimizer = torch.optim.SGD(model.body.parameters(), lr=0.1)
                model.fc = nn.Linear(512, 10)
                optimizer.step()
            """,
        ),
    )

    def check(self, subject: ReplacedLayer) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.optimizer}` was given the parameters of the model before `{subject.target}` is replaced: it never trains "
            f"`{subject.value}`; replace the layer first, then make the optimizer",
            evidence=[
                Evidence(
                    Observer.ANALYZER, f"`{subject.optimizer}` is made at {subject.given.seen_from(subject.place)}"
                )
            ],
        )
