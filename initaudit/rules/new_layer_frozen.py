"""INI225: a new layer that is frozen with the rest of its model."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import FrozenLayer


class NewLayerFrozen(Rule[FrozenLayer]):
    """
    ## What it does
    Reports a loop that freezes all parameters of a model below `model.fc = nn.Linear(512, 5)`, if an optimizer is given
    parameters of the model afterwards and nothing in the file makes any of them trainable again.

    ## Why is this bad?
    The new layer is frozen with the others: it keeps its random values, and the optimizer has nothing to train.

    ## Example
    ```python
    model.fc = nn.Linear(512, 5)
    for p in model.parameters():
        p.requires_grad = False
    optimizer = torch.optim.Adam(model.parameters())
    ```

    ## Use instead
    ```python
    for p in model.parameters():
        p.requires_grad = False
    model.fc = nn.Linear(512, 5)
    optimizer = torch.optim.Adam(model.fc.parameters())
    ```

    ## Known problems
    The layer, the loop and the optimizer have to stand in one function, or at the top level of one file, in a row; or the
    first two in a constructor, and the optimizer in the same file. A file that loads a state dict is not judged: the layer
    may get trained values. Its precision is not known.

    ## References
    - [Autograd mechanics: requires_grad](https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad)
    """

    code = "INI225"
    name = "new-layer-frozen"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = FrozenLayer
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Tuned(nn.Module):
                def __init__(self, body):
                    super().__init__()
                    self.body = body
                    self.head = nn.Linear(64, 3)
                    self.requires_grad_(False)

            model = Tuned(nn.Linear(64, 64))
            optimizer = torch.optim.Adam(model.parameters())
            """,
        ),
        Example(
            source="""
            import torch
            import torchvision
            from torch import nn

            model = torchvision.models.resnet50(weights="DEFAULT")
            model.fc = nn.Linear(2048, 5)
            for p in model.parameters():
                p.requires_grad = False
            optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-3)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            import torchvision
            from torch import nn

            model = torchvision.models.resnet50(weights="DEFAULT")
            for p in model.parameters():
                p.requires_grad = False
            model.fc = nn.Linear(2048, 5)
            optimizer = torch.optim.Adam(model.fc.parameters(), lr=1e-3)
            """,
        ),
        Example(
            source="""
            import torch
            import torchvision
            from torch import nn

            model = torchvision.models.resnet50(weights="DEFAULT")
            model.fc = nn.Linear(2048, 5)
            for name, p in model.named_parameters():
                p.requires_grad = name.startswith("fc")
            optimizer = torch.optim.Adam(model.fc.parameters(), lr=1e-3)
            """,
        ),
    )

    def check(self, subject: FrozenLayer) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.source}` freezes the new layer `{subject.target}` too, which keeps its random values; freeze the model "
            "first, then put the layer into it",
            evidence=[
                Evidence(Observer.ANALYZER, f"`{subject.target}` is made at {subject.made.seen_from(subject.place)}")
            ],
        )
