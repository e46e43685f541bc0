"""INI207: an in-place initialization of a weight that is computed from other parameters."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.lost_writes import DerivedWrite


class InitializationOfDerivedWeight(Rule[DerivedWrite]):
    """
    ## What it does
    Reports an in-place initialization of a weight that `weight_norm` or a parametrization computes from other parameters.

    ## Why is this bad?
    Under `weight_norm`, `conv.weight` is computed from `weight_g` and `weight_v` again before each forward pass (or, with
    parametrizations, at each access). Values that are written to it are lost, and the layer keeps the initialization of the
    parameters that the weight is computed from.

    ## Example
    ```python
    self.conv = weight_norm(nn.Conv1d(n, n, 3))
    nn.init.normal_(self.conv.weight, std=0.02)
    ```

    ## Use instead
    ```python
    conv = nn.Conv1d(n, n, 3)
    nn.init.normal_(conv.weight, std=0.02)
    self.conv = weight_norm(conv)
    ```

    ## Known problems
    The old `torch.nn.utils.spectral_norm` computes its weight in the first forward pass from the values that it finds, so it
    is not reported. For a function that is applied to many layers, the analyzer reports the write if one of them is known to
    have a computed weight, once for each initializer and file. It is a note if every program loads a checkpoint into the
    model. In 62 released projects it reports nine writes, mostly in vocoders, and each of them is lost.

    ## References
    - [torch.nn.utils.parametrizations.weight_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html)
    - [The report in PyTorch](https://github.com/pytorch/pytorch/issues/180968)
    """

    code = "INI207"
    name = "initialization-of-derived-weight"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = BOTH
    subject = DerivedWrite
    invalid = (
        Example(
            source="""
            from torch import nn
            from torch.nn.utils import weight_norm

            def init_weights(m):
                if isinstance(m, nn.Conv1d):
                    nn.init.trunc_normal_(m.weight, std=0.02)
                    nn.init.constant_(m.bias, 0)

            def WNConv1d(*args, **kwargs):
                return weight_norm(nn.Conv1d(*args, **kwargs))

            class Encoder(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.block = nn.Sequential(WNConv1d(3, 4, 3), nn.ReLU())

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.encoder = Encoder()
                    self.apply(init_weights)
            """,
            target="Net",
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn.utils.parametrizations import weight_norm

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = weight_norm(nn.Conv1d(3, 4, 3))
                    nn.init.normal_(self.conv.weight, std=0.02)
            """,
            target="Net",
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn.utils.parametrizations import weight_norm

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.one = weight_norm(nn.Conv1d(n, n, 3))
                    self.two = weight_norm(nn.Conv1d(n, n, 3))
                    self.draw()

                def draw(self):
                    for conv in (self.one, self.two):
                        conv.weight.data.normal_(0, 0.01)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn
            from torch.nn.utils.parametrizations import weight_norm

            class Block(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.one = weight_norm(nn.Conv1d(n, n, 3))
                    self.two = nn.Conv1d(n, n, 3)
                    for conv in (self.two,):
                        conv.weight.data.normal_(0, 0.01)
                    for conv in (self.one, self.two):
                        nn.init.zeros_(conv.bias)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn.utils import weight_norm

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    conv = nn.Conv1d(3, 4, 3)
                    nn.init.normal_(conv.weight, std=0.02)
                    self.conv = weight_norm(conv)
                    nn.init.zeros_(self.conv.bias)
            """,
            target="Net",
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn.utils import spectral_norm

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = spectral_norm(nn.Conv1d(3, 4, 3))
                    nn.init.normal_(self.conv.weight, std=0.02)
            """,
            target="Net",
        ),
    )

    def check(self, subject: DerivedWrite) -> Iterator[Finding]:
        by = subject.by.removeprefix("torch.nn.utils.")
        runs = "runs" if subject.observer is Observer.ANALYZER else "ran"
        lost = f"`{by}` computes `{subject.target}` from other parameters, so this write is lost"
        cure = "a checkpoint is always loaded" if subject.loaded else f"initialize before `{by}`"
        yield self.finding(
            subject.place,
            f"{lost}; {cure}",
            evidence=[Evidence(subject.observer, f"this line {runs} on `{subject.layer}` under `{by}`")],
            severity=Severity.NOTE if subject.loaded else None,
            group=f"{subject.initializer} {subject.loaded}" if subject.initializer else "",
        )
