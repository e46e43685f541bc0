"""INI604: random values that are the same from every seed."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.builds import SeedIgnored


class SeedIgnoredByInitialization(Rule[SeedIgnored]):
    """
    ## What it does
    Reports trainable parameters that are drawn at random, and are the same in models that are built from different seeds: a
    generator with a seed of its own draws them, or the constructor seeds the generator itself.

    ## Why is this bad?
    Runs from several seeds are then no independent runs, and what they agree in may be owed to one lucky start. A
    constructor that seeds the global generator also repeats every random number that comes after it.

    ## Example
    ```python
    generator = torch.Generator().manual_seed(0)
    self.weight = nn.Parameter(torch.randn(8, 8, generator=generator))
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.randn(8, 8))
    ```

    ## Known problems
    A fixed random projection can be meant; so it is a note. Whether values that come from elsewhere are random is told by their
    looks, from 256 elements on: hardly any twice, and neighbours that do not correlate. Pretrained weights look so
    too.
    Fewer than five findings on released models are known.

    ## References
    - [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
    """

    code = "INI604"
    name = "seed-ignored"
    category = Category.SUSPICIOUS
    severity = Severity.NOTE
    observers = PROBE
    subject = SeedIgnored
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Own(nn.Module):
                def __init__(self):
                    super().__init__()
                    generator = torch.Generator().manual_seed(0)
                    self.weight = nn.Parameter(torch.randn(8, 8, generator=generator))
                    self.fc = nn.Linear(8, 8)
            """,
            target="Own",
        ),
        Example(
            source="""
            import numpy as np
            import torch
            from torch import nn

            class FromNumpy(nn.Module):
                def __init__(self):
                    super().__init__()
                    values = np.random.RandomState(0).normal(size=(32, 32))
                    self.weight = nn.Parameter(torch.from_numpy(values))
            """,
            target="FromNumpy",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Seeds(nn.Module):
                def __init__(self):
                    super().__init__()
                    torch.manual_seed(42)
                    self.one = nn.Linear(8, 8)
                    self.two = nn.Linear(8, 8)
            """,
            target="Seeds",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.norm = nn.LayerNorm(8)
                    angle = torch.arange(64.0)[:, None] / 1000 ** (torch.arange(16) / 16)
                    self.positions = nn.Parameter(torch.cat([angle.sin(), angle.cos()], dim=1))
                    self.register_buffer("projection", torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))
            """,
            target="Net",
        ),
    )

    def check(self, subject: SeedIgnored) -> Iterator[Finding]:
        others = len(subject.affects) - 1
        names = f"`{subject.parameter}`" + (f" and {others} more" if others > 0 else "")
        yield self.finding(
            subject.place,
            f"{names} {'are' if others > 0 else 'is'} random, and the same from every seed: draw from the generator that the "
            "caller seeds",
            evidence=[
                Evidence(
                    subject.observer,
                    f"{len(subject.paths)} tensors are the same from the seeds {' and '.join(map(str, subject.seeds))}",
                )
            ],
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.affects,
        )
