"""INI111: a kernel that is written to one channel of a dense convolution."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.weights import PartialKernel


class PartialKernelWritten(Rule[PartialKernel]):
    """
    ## What it does
    Reports an initializer that writes kernels, for example for bilinear upsampling, to index 0 of one dimension of a
    convolution's weight only, if the convolution has several channels there and no groups. An identity that is written for
    every pair of channels (`weight[:, :, 1, 1] = 1` behind zeros) is reported too.

    ## Why is this bad?
    The weight of a convolution without groups has one kernel for each pair of input and output. The kernels that nothing
    writes keep their random draw: only the first channel is upsampled, and noise from the others is added to it.

    ## Example
    ```python
    up = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
    for channel in range(channels):
        up.weight.data[channel, 0] = kernel
    ```

    ## Use instead
    ```python
    up = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
    nn.init.zeros_(up.weight)
    for channel in range(channels):
        up.weight.data[channel, channel] = kernel
    ```

    ## Known problems
    Only layers that the same file creates are judged. In timm 1.0.31, transformers 5.23.0, diffusers 0.42.1 and
    torch_geometric 2.8.1 it reports nothing; in 75 repositories of users one place, which is right.

    ## References
    - [ConvTranspose2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html): the shape of the weight
    - [CenterNet#817: bilinear kernels in a dense transposed convolution](https://github.com/xingyizhou/CenterNet/issues/817)
    """

    code = "INI111"
    name = "partial-kernel"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = PartialKernel
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Smooth(nn.Module):
                def __init__(self, c):
                    super().__init__()
                    self.conv = nn.Conv2d(c, c, 3, padding=1, bias=False)
                    with torch.no_grad():
                        self.conv.weight.zero_()
                        self.conv.weight[:, :, 1, 1] = 1.0
            """,
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def bilinear(layer):
                w = layer.weight.data
                for i in range(w.size(2)):
                    for j in range(w.size(3)):
                        w[0, 0, i, j] = (1 - abs(i / 2 - 0.75)) * (1 - abs(j / 2 - 0.75))
                for channel in range(1, w.size(0)):
                    w[channel, 0] = w[0, 0]

            class Up(nn.Module):
                def __init__(self, channels):
                    super().__init__()
                    self.up = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
                    bilinear(self.up)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Blur(nn.Module):
                def __init__(self, channels, kernel):
                    super().__init__()
                    self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
                    self.conv.weight.data[0, 0] = kernel
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Up(nn.Module):
                def __init__(self, channels, kernel):
                    super().__init__()
                    self.up = nn.ConvTranspose2d(channels, channels, 4, stride=2, groups=channels, bias=False)
                    self.dense = nn.ConvTranspose2d(channels, channels, 4, stride=2, bias=False)
                    self.grey = nn.Conv2d(1, 1, 3, bias=False)
                    nn.init.zeros_(self.dense.weight)
                    self.grey.weight.data[0, 0] = kernel
                    for channel in range(channels):
                        self.up.weight.data[channel, 0] = kernel
                        self.dense.weight.data[channel, channel] = kernel
            """,
        ),
    )

    def check(self, subject: PartialKernel) -> Iterator[Finding]:
        if subject.axis is None:
            yield self.finding(
                subject.place,
                f"`{subject.source}` writes to every pair of channels, so that each output of `{subject.layer}` starts as the sum "
                f"of all inputs, and all are the same; for an identity, write it for equal channels only (`nn.init.dirac_`)",
                evidence=[Evidence(Observer.ANALYZER, "all other elements are zero, and the layer has no groups")],
            )
            return
        yield self.finding(
            subject.place,
            f"`{subject.source}` writes kernels for one index of dimension {subject.axis} only, but `{subject.layer}` has "
            f"several channels there: the other kernels keep their random values; write zeros to the weight first, and one "
            f"kernel for each channel",
            evidence=[Evidence(Observer.ANALYZER, "the layer has no groups")],
        )
