"""INI603: two builds with the same seed differ."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.builds import Irreproducible


class NotReproducible(Rule[Irreproducible]):
    """
    ## What it does
    Reports a parameter or buffer that differs between two builds of the model with the same seed. Uninitialized memory
    does not count, unless construction branches on its values, so that other parameters differ too.

    A difference that rounding can explain is a note.

    ## Why is this bad?
    Runs cannot be repeated, and a difference between two experiments may only be a difference in their initial values.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.tensor(random.SystemRandom().random()))
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.rand(()))
    ```

    ## Known problems
    The probe seeds the generators of Python, numpy and torch. A model that creates its own generator has to seed it.

    Rare in released models; its precision is not well measured.

    ## References
    - [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
    """

    code = "INI603"
    name = "not-reproducible"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = PROBE
    subject = Irreproducible
    supersedes = ("INI601", "INI602")
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
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.scale = torch.empty(4)
                    if self.scale.sum() > 0:
                        self.shuffle = torch.randperm(8)
                    self.fc = nn.Linear(4, 4)
            """,
            target="Net",
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
        most = "" if subject.largest is None else f", by at most {subject.largest:.2g}"
        evidence = [Evidence(Observer.PROBE, f"{subject.elements} of {subject.total} elements differ{most}")]
        if subject.rounding:  # without `parameter`, so that it hides no other finding about this one
            yield self.finding(
                subject.place,
                f"`{subject.parameter}` differs between two builds with the same seed{most}: rounding depends on memory "
                "alignment and the number of threads; runs are close, but not bitwise equal",
                evidence=evidence,
                severity=Severity.NOTE,
            )
            return
        others = len(subject.affects) - 1
        names = f"`{subject.parameter}`" + (f" and {others} more" if others > 0 else "")
        verb = "differ" if others > 0 else "differs"
        advice = "draw it from a seeded generator" if subject.because is None else "initialize that memory first"
        because = "" if subject.because is None else f", because {subject.because}"
        yield self.finding(
            subject.place,
            f"{names} {verb} between two builds with the same seed{because}; {advice}",
            evidence=evidence,
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.affects,
        )
