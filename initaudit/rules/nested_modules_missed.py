"""INI210: an initialization loop over children that misses layers inside containers."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.loops import ModelLoop

EVIDENCE = {
    Observer.ANALYZER: "such layers are registered only inside {}",
    Observer.PROBE: "during construction, the loop reached none of those inside {}, and nothing else initialized them",
}


class NestedModulesMissed(Rule[ModelLoop]):
    """
    ## What it does
    Reports a loop over `children()` that initializes layers of some type, or calls `reset_parameters()` where a child has
    it, if all layers of some type are inside containers or blocks, so that none of them is a child.

    ## Why is this bad?
    `children()` yields only the modules that are registered on the module itself. Layers in an `nn.ModuleList` or
    `nn.Sequential` are children of that container, which has no `reset_parameters`: the loop skips them, and they keep
    torch's default initialization, or the trained values that the reset was to remove.

    ## Example
    ```python
    self.blocks = nn.ModuleList(nn.Conv2d(n, n, 3) for _ in range(4))
    for m in self.children():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_uniform_(m.weight, a=1)
    ```

    ## Use instead
    ```python
    self.blocks = nn.ModuleList(nn.Conv2d(n, n, 3) for _ in range(4))
    for m in self.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_uniform_(m.weight, a=1)
    ```

    ## Known problems
    The analyzer judges only loops over the children of `self`, or of an attribute of it, in classes whose attributes it
    understands completely; beside layers that are reached, normalizations do not count. The probe judges every loop that ran, and reports nothing if something else initialized one of
    the layers.
    Rare in released code; its precision is not well measured.

    ## References
    - [torch.nn.Module.children](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.children)
    - [The fix in torchvision](https://github.com/pytorch/vision/pull/2954)
    """

    code = "INI210"
    name = "nested-modules-missed"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = ModelLoop
    words = (("children(",),)
    invalid = (
        Example(
            target="Pyramid",
            source="""
            from torch import nn

            class Pyramid(nn.Module):
                def __init__(self, n=3):
                    super().__init__()
                    self.inner = nn.ModuleList()
                    for _ in range(4):
                        self.inner.append(nn.Conv2d(n, n, 1))
                    for m in self.children():
                        if isinstance(m, nn.Conv2d):
                            nn.init.kaiming_uniform_(m.weight, a=1)
                            nn.init.constant_(m.bias, 0)
            """,
        ),
        Example(
            target="Head",
            source="""
            from torch import nn

            class Head(nn.Module):
                def __init__(self, n=3):
                    super().__init__()
                    self.layers = nn.Sequential(nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 1))
                    self.init_weights()

                def init_weights(self):
                    for name, m in self.named_children():
                        if isinstance(m, nn.Linear):
                            m.weight.data.normal_(0, 0.01)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n=3):
                    super().__init__()
                    self.body = nn.Sequential(nn.Conv2d(n, n, 3), nn.BatchNorm2d(n), nn.ReLU())
                    self.head = nn.Linear(n, 10)
                    for m in self.children():
                        if isinstance(m, nn.Linear):
                            nn.init.normal_(m.weight, std=0.01)
                        elif isinstance(m, nn.Conv2d):
                            nn.init.normal_(m.weight, std=0.001)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n=3):
                    super().__init__()
                    self.body = nn.Sequential(nn.Conv2d(n, n, 3), nn.ReLU())
                    self.head = nn.Linear(n, 10)

            def reset(model):
                for layer in model.children():
                    if hasattr(layer, "reset_parameters"):
                        layer.reset_parameters()

            net = Net()
            reset(net)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n=3):
                    super().__init__()
                    self.body = nn.Sequential(nn.BatchNorm1d(n), nn.Dropout(0.1))
                    self.head = nn.Linear(n, 10)
                    for m in self.children():
                        if isinstance(m, nn.Linear):
                            nn.init.normal_(m.weight, std=0.01)
                        elif isinstance(m, nn.BatchNorm1d):
                            nn.init.ones_(m.weight)
            """,
        ),
        Example(
            target="Pyramid",
            source="""
            from torch import nn

            class Pyramid(nn.Module):
                def __init__(self, n=3):
                    super().__init__()
                    self.inner = nn.ModuleList([nn.Conv2d(n, n, 1) for _ in range(4)])
                    self.outer = nn.Conv2d(n, n, 3)
                    for m in self.children():
                        if isinstance(m, nn.Conv2d):
                            nn.init.kaiming_uniform_(m.weight, a=1)
            """,
        ),
        Example(
            target="Head",
            source="""
            from torch import nn

            class Head(nn.Module):
                def __init__(self, n=3):
                    super().__init__()
                    self.layers = nn.Sequential(nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 1))
                    for m in self.layers.children():
                        if isinstance(m, nn.Linear):
                            nn.init.normal_(m.weight, 0, 0.01)
                    for m in self.children():
                        if isinstance(m, nn.Sequential):
                            nn.init.zeros_(m[0].bias)
            """,
        ),
    )

    def check(self, subject: ModelLoop) -> Iterator[Finding]:
        if not subject.missed:
            return
        kinds = " or ".join(f"`{kind.removeprefix('torch.')}`" for kind in subject.missed)
        held = " and ".join(f"`{name}`" for name in subject.missed_in)
        deep = subject.iterates.value.replace("children", "modules")
        yield self.finding(
            subject.place,
            f"this loop reaches no {kinds}: all of them are inside {held}, not children of `{subject.model}`; "
            f"loop over `{subject.model}.{deep}()`",
            evidence=[Evidence(subject.observer, EVIDENCE[subject.observer].format(held))],
            affects=subject.missed_in,
            fix=Fix(
                Applicability.UNSAFE,
                f"Loop over `{subject.model}.{deep}()`",
                remedies=(
                    Replace(
                        place=subject.place,
                        old=f"{subject.model}.{subject.iterates.value}",
                        new=f"{subject.model}.{deep}",
                    ),
                ),
            ),
        )
