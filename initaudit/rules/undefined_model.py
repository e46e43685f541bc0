"""INI301: an undefined name that is used as a model or a parameter."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.files import UndefinedName


class UndefinedModel(Rule[UndefinedName]):
    """
    ## What it does
    Reports an undefined name that is used as a model or a parameter: `net.named_parameters()`, `net.apply(init)`,
    `nn.init.zeros_(net.bias)`, `SGD(net.parameters())`. Each name is reported once per scope, with the name that was
    probably meant, and so is one that ends in `Parameter` and is called to make one. So is `nn` in `nn.init.zeros_(w)`, if a script does not import it.

    ## Why is this bad?
    The line raises NameError. In a notebook, it may instead initialize a model left over from a cell that was deleted.

    ## Example
    ```python
    model = Net()
    for name, p in net.named_parameters():
        nn.init.normal_(p)
    ```

    ## Use instead
    ```python
    model = Net()
    for name, p in model.named_parameters():
        nn.init.normal_(p)
    ```

    ## Known problems
    A name that is injected from outside the file is reported. A star import may define any name, so it silences the rule.
    Rare in released code; its precision is not well measured.

    ## References
    - [Naming and binding](https://docs.python.org/3/reference/executionmodel.html#naming-and-binding)
    """

    code = "INI301"
    name = "undefined-model"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    prevents_building = True
    observers = ANALYZER
    subject = UndefinedName
    invalid = (
        Example(
            source="""
            from torch import nn

            model = nn.Linear(3, 4)
            for name, p in net.named_parameters():
                nn.init.normal_(p)
            """,
        ),
        Example(
            source="""
            def init_weights(m):
                if hasattr(m, "bias"):
                    nn.init.zeros_(m.bias)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def configure():
                return torch.optim.SGD(network.parameters(), lr=0.1)

            nn.init.zeros_(net.bias)
            net.apply(print)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            def init_weights(net):
                for p in net.parameters():
                    nn.init.normal_(p)

            def build():
                global network
                network = nn.Linear(3, 4)

            def reset():
                for p in network.parameters():
                    nn.init.normal_(p)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from models import *

            for p in net.parameters():
                nn.init.normal_(p)
            """,
        ),
        Example(
            source="""
            from torch import nn

            try:
                from models import net
            except ImportError:
                net = None

            if net is not None:
                net.apply(lambda module: None)

            def later():
                nn.init.zeros_(defined_below.bias)

            defined_below = nn.Linear(3, 4)
            """,
        ),
        Example(
            source="""
            from torch import nn

            nets = [nn.Linear(3, 4)]
            sizes = [p.numel() for net in nets for p in net.parameters()]
            if (head := nn.Linear(4, 2)) is not None:
                nn.init.zeros_(head.bias)
            with open("weights") as weights:
                print(weights.read())
            """,
        ),
    )

    def check(self, subject: UndefinedName) -> Iterator[Finding]:
        hint = f"; did you mean `{subject.suggestion}`?" if subject.suggestion else ""
        yield self.finding(
            subject.place,
            f"`{subject.name}` is not defined, and `{subject.use}` needs it{hint}",
            evidence=[Evidence(Observer.ANALYZER, f"no scope defines `{subject.name}`")],
        )
