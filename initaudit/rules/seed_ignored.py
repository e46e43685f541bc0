"""INI604: random values that are the same for every seed."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.builds import SeedIgnored


class SeedIgnoredByInitialization(Rule[SeedIgnored]):
    """
    ## What it does
    Reports trainable parameters with random values that are the same in models built with different seeds: they come
    from a generator with a fixed seed, or the constructor seeds the generator itself.

    ## Why is this bad?
    Runs with different seeds are then not independent, and their agreement may come from one lucky initialization. A
    constructor that seeds the global generator also repeats every random number drawn after it.

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
    A fixed random projection can be intended; so it is a note. For values that the probe did not see drawn, it judges
    from 256 elements on whether they look random: hardly any value occurs twice, and neighbours are not correlated.
    Pretrained weights look random, too.

    Rare in released models; its precision is not well measured.

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
        many = "1 tensor is" if len(subject.paths) == 1 else f"{len(subject.paths)} tensors are"
        yield self.finding(
            subject.place,
            f"{names} {'are' if others > 0 else 'is'} random, but the same for every seed; draw from the generator that the "
            "caller seeds",
            evidence=[
                Evidence(
                    subject.observer,
                    f"{many} the same for the seeds {' and '.join(map(str, subject.seeds))}",
                )
            ],
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.affects,
        )
