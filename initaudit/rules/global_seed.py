"""INI605: library code that seeds the global generator."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import GlobalSeed, Runs


class GlobalSeedRule(Rule[GlobalSeed]):
    """
    ## What it does
    Reports `torch.manual_seed(...)` that runs when a file of a package is imported, in the constructor of a module, in
    its forward, or in a method that one of these calls.

    ## Why is this bad?
    Every program that imports the package, builds the layer or runs it gets the same random numbers from then on,
    whatever seed it set before: runs that should differ start identical, and two layers that seed themselves are equal.

    ## Example
    ```python
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.weight = nn.Parameter(torch.randn(8, 8))
    ```

    ## Use instead
    ```python
    class Layer(nn.Module):
        def __init__(self, generator=None):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8, 8, generator=generator))
    ```

    ## Known problems
    Scripts, notebooks and tests seed on purpose and are not reported. If the caller chooses the seed, the finding is a
    note; so is a seed on import if a program of the project seeds the generator itself. A seed on import or in a
    constructor is a note, too, in a project that is not installed and whose own programs use the file.

    ## References
    - [Reproducibility](https://docs.pytorch.org/docs/stable/notes/randomness.html)
    - [torch.random.fork_rng](https://docs.pytorch.org/docs/stable/random.html#torch.random.fork_rng)
    """

    code = "INI605"
    name = "global-seed"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = GlobalSeed
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Layer(nn.Module):
                def __init__(self):
                    super().__init__()
                    torch.manual_seed(0)
                    self.weight = nn.Parameter(torch.randn(8, 8))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            torch.manual_seed(23)

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.layer = nn.Linear(8, 8)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            torch.manual_seed(0)

            class Net(nn.Module):
                def __init__(self, seed):
                    super().__init__()
                    with torch.random.fork_rng():
                        torch.manual_seed(seed)
                        self.layer = nn.Linear(8, 8)

            net = Net(1)
            for step in range(3):
                print(net(torch.randn(2, 8)))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.layer = nn.Linear(8, 8)

            def main(seed):
                torch.manual_seed(seed)
                return Net()

            if __name__ == "__main__":
                torch.manual_seed(1)
                main(0)
            """,
        ),
    )

    def check(self, subject: GlobalSeed) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.call}` seeds the global generator {subject.runs.value}; draw from a separate `torch.Generator`, or "
            f"seed inside `torch.random.fork_rng()`",
            severity=Severity.NOTE if self.is_chosen(subject) else None,
            model=subject.model,
            evidence=[Evidence(Observer.ANALYZER, "the code does not restore the generator")],
        )

    @staticmethod
    def is_chosen(subject: GlobalSeed) -> bool:
        """Whether the user has the seed in hand: it is given, a program seeds after the import, or it is all theirs."""
        seeded = subject.runs is Runs.ON_IMPORT and subject.seeded
        return subject.given or seeded or (subject.runs is not Runs.IN_FORWARD and subject.application)
