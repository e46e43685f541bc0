"""INI233: `requires_grad = False` on a module, or lost with a new parameter, which freezes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import Unfrozen


class ModuleNotFrozen(Rule[Unfrozen]):
    """
    ## What it does
    Reports `module.requires_grad = False` where `module` is an `nn.Module` with parameters, `requires_grad = False` of a
    parameter that a new `nn.Parameter` replaces below, and `nn.Parameter(torch.ones(n, requires_grad=False))`.

    ## Why is this bad?
    A module has no such flag: the assignment makes an ordinary attribute, and all parameters of the module stay
    trainable. A new parameter is trained unless `nn.Parameter` itself is told otherwise: it does not take over the flag of
    the tensor that it is given, or of the parameter that it replaces. Fixed values, such as those of a normalization that a constructor writes, or pretrained ones, are changed
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
    A parameter that is replaced is not reported if the new one is computed from it, or if the file freezes a whole model.
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
    subject = Unfrozen
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
        Example(
            source="""
            import torch
            from torch import nn

            class Sobel(nn.Module):
                def __init__(self, kernels):
                    super().__init__()
                    self.conv = nn.Conv2d(1, 2, 3, padding=1, bias=False)
                    self.conv.weight.requires_grad = False
                    self.conv.weight = nn.Parameter(kernels.view_as(self.conv.weight))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Counted(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.count = nn.Conv2d(n, 1, 5, bias=False)
                    self.count.weight = nn.Parameter(torch.ones(1, n, 5, 5, requires_grad=False))
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

            def prune(layer, keep):
                layer.weight.requires_grad = False
                layer.weight[~keep] = 0
                layer.weight = nn.Parameter(layer.weight[keep])

            class Wavelet(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.requires_grad = False

                def forward(self, x):
                    return x[:, :, 0::2] + x[:, :, 1::2]
            """,
        ),
    )

    def check(self, subject: Unfrozen) -> Iterator[Finding]:
        if subject.made is not None:
            taken = (
                "of the tensor that it is given"
                if subject.made.endswith(f"({subject.target})")
                else "of what it replaces"
            )
            yield self.finding(
                subject.place,
                f"`{subject.source}` is lost: `nn.Parameter` does not take over the flag {taken}, and the new parameter is "
                "trained; write `nn.Parameter(..., requires_grad=False)`",
                evidence=[
                    Evidence(Observer.ANALYZER, f"`{subject.made}` says nothing of `requires_grad`, which is True then")
                ],
            )
            return
        which = "each module" if subject.each else f"`{subject.target}`, which is a module,"
        yield self.finding(
            subject.place,
            f"`{subject.source}` gives {which} a new attribute and freezes nothing: its parameters are trained; "
            f"write `{subject.target}.requires_grad_(False)`",
            evidence=[Evidence(Observer.ANALYZER, "`nn.Module` has no attribute `requires_grad`")],
        )
