"""INI506: the gain of a normalization, initialized around zero."""

from __future__ import annotations

import re
from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Guard, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.layers import GainDraw

SHOWN = 3


class NormalizationGainRedrawn(Rule[GainDraw]):
    """
    ## What it does
    Reports an initializer that draws the gain of a normalization layer around zero: `normal_(mean=0.0, std=0.02)` for
    the weight of an `nn.BatchNorm2d`, an `nn.LayerNorm`, or a similar class whose constructor sets the gain to one.

    ## Why is this bad?
    A normalization keeps the scale of its input because its gain is one. A gain drawn from N(0, 0.02) makes the output
    fifty times smaller and flips the sign of half of the channels, which defeats the purpose of the layer. This mostly
    happens when one branch of a generic initializer handles normalizations together with linear layers, or all
    parameters with "weight" in their names. Gains of zero for all normalizations of a model of layers in a row stop the
    signal and the gradients.

    ## Example
    ```python
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.BatchNorm2d)):
        module.weight.data.normal_(mean=0.0, std=0.02)
    ```

    ## Use instead
    ```python
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        module.weight.data.normal_(mean=0.0, std=0.02)
    elif isinstance(module, nn.BatchNorm2d):
        module.weight.data.fill_(1.0)
    ```

    ## Known problems
    Gains drawn around one, as in DCGAN, and gains set to zero on purpose, as at the end of a residual branch, are not
    reported; nor is a draw whose mean is neither a literal number nor an argument that some call leaves at its default.
    It is a note in a function of an application that nothing calls. All 18 warnings in transformers 5.23.0 and
    lightning-bolts 0.7.0 were right, and there was no false positive on the 546 models of transformers that were built.

    ## References
    - [Ba et al. 2016, Layer Normalization](https://arxiv.org/abs/1607.06450)
    - [transformers#143: the gain of a LayerNorm was drawn from N(0, 0.02)](https://github.com/huggingface/transformers/issues/143)
    """

    code = "INI506"
    name = "normalization-gain-redrawn"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = GainDraw
    invalid = (
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
            for m in net.modules():
                if isinstance(m, nn.BatchNorm2d):
                    nn.init.zeros_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.conv = nn.Conv2d(n, n, 3)
                    self.bn = nn.BatchNorm2d(n)

            net = nn.Sequential(Block(8), Block(8))
            for name, p in net.named_parameters():
                if "weight" in name:
                    nn.init.normal_(p, 0.0, 0.02)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 8, 3)
                    self.norm = nn.BatchNorm2d(8)
                    self.apply(self._init_weights)

                def _init_weights(self, module):
                    if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
                        module.weight.data.normal_(mean=0.0, std=0.02)
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class ScaleNorm(nn.Module):
                def __init__(self, width):
                    super().__init__()
                    self.gamma = nn.Parameter(torch.ones(width))

                def forward(self, x):
                    return self.gamma * x / x.norm(dim=-1, keepdim=True)

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.norm = ScaleNorm(8)
                    for m in self.modules():
                        if isinstance(m, ScaleNorm):
                            nn.init.uniform_(m.gamma, -0.1, 0.1)
            """,
            target="Net",
            advice=True,
        ),
        Example(
            target="Net",
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.norm = nn.LayerNorm(8)
                    for name, p in self.named_parameters():
                        if "weight" in name:
                            nn.init.normal_(p, std=0.02)
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.conv = nn.Conv2d(n, n, 3)
                    self.bn = nn.BatchNorm2d(n)

            net = nn.Sequential(Block(8), Block(8))
            for name, p in net.named_parameters():
                if "weight" in name and "bn" not in name:
                    nn.init.normal_(p, 0.0, 0.02)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Discriminator(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 8, 3)
                    self.norm = nn.BatchNorm2d(8)
                    self.apply(weights_init)

            def weights_init(m):
                if isinstance(m, nn.Conv2d):
                    m.weight.data.normal_(0.0, 0.02)
                elif isinstance(m, nn.BatchNorm2d):
                    m.weight.data.normal_(1.0, 0.02)
                    m.bias.data.fill_(0)
            """,
            target="Discriminator",
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 3, 3)
                    self.last = nn.BatchNorm2d(3)
                    nn.init.zeros_(self.last.weight)
                    nn.init.normal_(self.last.bias, std=0.02)
            """,
            target="Block",
        ),
    )

    def check(self, subject: GainDraw) -> Iterator[Finding]:
        if subject.mean != 0.0:
            return
        layer = f"`{subject.layer.rpartition('.')[2]}`"
        does = f"draws the gain of {layer} around zero"
        if subject.zero:
            does = f"sets the gain of every {layer} to zero, so the output of the model does not depend on its input"
        yield self.finding(
            subject.place,
            f"{does}; keep it at one, as in `nn.init.ones_(module.{subject.parameter})`",
            evidence=[Evidence(subject.observer, self.seen(subject))],
            fix=self.spared(subject),
        )

    @staticmethod
    def seen(subject: GainDraw) -> str:
        """Say which gains are drawn."""
        if subject.zero:
            return f"`{subject.call}` writes zeros, and no path leads around the normalizations"
        text = f"`{subject.call}` with mean 0"
        if not subject.paths:
            return f"{text} for `{subject.parameter}`, which the constructor sets to one"
        more = ", ..." if len(subject.paths) > SHOWN else ""
        return f"{text} wrote {', '.join(subject.paths[:SHOWN])}{more}"

    @staticmethod
    def spared(subject: GainDraw) -> Fix | None:
        """Return the fix: skip this normalization."""
        drawn = re.search(rf"((?:\w+\.)*\w+)\.{subject.parameter}\b", subject.source)
        if drawn is None or not subject.layer.startswith("torch.nn."):
            return None
        shown = subject.layer.removeprefix("torch.")
        remedy = Guard(place=subject.place, header=f"if not isinstance({drawn[1]}, {subject.layer}):")
        return Fix(Applicability.UNSAFE, f"Skip the gain of `{shown}`", remedies=(remedy,))
