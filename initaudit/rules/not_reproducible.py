"""INI603: two builds from one seed differ."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.facts import Irreproducible
from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule


class NotReproducible(Rule[Irreproducible]):
    """
    ## What it does
    Reports a parameter or buffer that differs between two builds of the model from one seed, with the same content of
    unwritten memory.

    ## Why is this bad?
    Runs cannot be repeated, and a difference between two experiments may be nothing but a different start.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.tensor(random.SystemRandom().random()))
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.rand(()))
    ```

    ## Known problems
    The generators of Python, numpy and torch are seeded. One that a model makes itself has to be seeded by it.

    ## References
    - [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
    """

    code = "INI603"
    name = "not-reproducible"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = Irreproducible
    invalid = (
        Example(
            source="""
            import random
            import torch
            from torch import nn

            class Noise(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.start = nn.Parameter(torch.tensor(random.SystemRandom().random()))
            """,
            target="Noise",
        ),
    )
    valid = (
        Example(
            source="""
            import random
            import torch
            from torch import nn

            class Seeded(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.start = nn.Parameter(torch.tensor(random.random()))
                    self.weight = nn.Parameter(torch.randn(3, 4))
                    self.raw = nn.Parameter(torch.empty(3))
            """,
            target="Seeded",
        ),
    )

    def check(self, subject: Irreproducible) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.parameter}` differs between two builds from one seed; draw it from a generator that is seeded",
            evidence=[Evidence(Observer.PROBE, f"{subject.elements} of {subject.total} elements differ")],
            model=subject.model,
            parameter=subject.parameter,
        )
