"""INI233: `requires_grad` set on a module, which freezes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import UnfrozenModule


class ModuleNotFrozen(Rule[UnfrozenModule]):
    """
    ## What it does
    Reports `module.requires_grad = False` where `module` is an `nn.Module` with parameters.

    ## Why is this bad?
    A module has no such flag: the assignment makes an ordinary attribute, and all parameters of the module stay
    trainable. Fixed values, such as those of a normalization that a constructor writes, or pretrained ones, are changed
    by the first step of the optimizer.

    ## Example
    ```python
    class Normalize(nn.Conv2d):
        def __init__(self, mean):
            super().__init__(3, 3, 1)
            self.weight.data = torch.eye(3).view(3, 3, 1, 1)
            self.bias.data = -torch.tensor(mean)
            self.requires_grad = False
    ```

    ## Use instead
    ```python
    class Normalize(nn.Conv2d):
        def __init__(self, mean):
            super().__init__(3, 3, 1)
            self.weight.data = torch.eye(3).view(3, 3, 1, 1)
            self.bias.data = -torch.tensor(mean)
            self.requires_grad_(False)
    ```

    ## Known problems
    Variables are followed only to an optimizer that is given their parameters in the same function. Modules that come from
    elsewhere, such as arguments, are not reported, nor are classes that read the flag, freeze parameters in another way,
    or call `no_grad` or `detach`. Rare in released code; its precision is not well measured.

    ## References
    - [nn.Module.requires_grad_](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_)
    """

    code = "INI233"
    name = "module-not-frozen"
    category = Category.CORRECTNESS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = UnfrozenModule
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Normalize(nn.Conv2d):
                def __init__(self, mean):
                    super().__init__(3, 3, 1)
                    self.weight.data = torch.eye(3).view(3, 3, 1, 1)
                    self.bias.data = -torch.tensor(mean)
                    self.requires_grad = False
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Model(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.encoder = nn.Sequential(nn.Linear(d, d), nn.ReLU())
                    self.encoder.requires_grad = False
                    self.head = nn.Linear(d, 2)

                def forward(self, x):
                    return self.head(self.encoder(x))
            """,
        ),
        Example(
            source="""
            import torch
            import torchvision
            from torch import nn

            model = torchvision.models.resnet18(weights="DEFAULT")
            for child in model.children():
                child.requires_grad = False
            model.fc = nn.Linear(512, 5)
            optimizer = torch.optim.Adam(model.parameters())
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.factor = nn.Parameter(torch.ones(d))
                    self.factor.requires_grad = False
                    self.fc = nn.Linear(d, d)
                    self.fc.requires_grad_(False)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Wavelet(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.requires_grad = False

                def forward(self, x):
                    return x[:, :, 0::2] + x[:, :, 1::2]
            """,
        ),
    )

    def check(self, subject: UnfrozenModule) -> Iterator[Finding]:
        which = "each module" if subject.each else f"`{subject.module}`, which is a module,"
        yield self.finding(
            subject.place,
            f"`{subject.source}` gives {which} a new attribute and freezes nothing: its parameters are trained; "
            f"write `{subject.module}.requires_grad_(False)`",
            evidence=[Evidence(Observer.ANALYZER, "`nn.Module` has no attribute `requires_grad`")],
        )
