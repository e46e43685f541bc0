"""INI210: an initialization loop over children whose targets are further down."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.loops import ModelLoop

EVIDENCE = {
    Observer.ANALYZER: "reads as registered in {} alone",
    Observer.PROBE: "when it was built, the loop came to none of those in {}, and nothing else initialized one",
}


class NestedModulesMissed(Rule[ModelLoop]):
    """
    ## What it does
    Reports a loop over `children()` that initializes layers of some type, where all layers of this type are inside of
    containers and none of them is a child.

    ## Why is this bad?
    `children()` yields what is registered on the module itself. Layers in an `nn.ModuleList` or `nn.Sequential` are children
    of that container: the loop passes the container by, and every layer keeps torch's default.

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
    Reading judges only loops over the children of `self`, or of an attribute of it, in classes whose attributes are all
    understood. Building judges every loop that ran, and is silent where something else initialized one of the layers.
    Fewer than five findings on released code are known.

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
    )
    valid = (
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
        kinds = " and ".join(f"`{kind.removeprefix('torch.')}`" for kind in subject.missed)
        held = " and ".join(f"`{name}`" for name in subject.missed_in)
        deep = subject.iterates.value.replace("children", "modules")
        yield self.finding(
            subject.place,
            f"no child of `{subject.model}` is one of the {kinds} that this loop initializes: they are inside of {held}, "
            f"which it does not look into; loop over `{subject.model}.{deep}()`",
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
