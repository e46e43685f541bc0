"""INI502: parameters that keep one another at zero."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.weights import ZeroFactors


class AllFactorsZero(Rule[ZeroFactors]):
    """
    ## What it does
    Reports parameters that are multiplied with one another and all start at zero: the two matrices of a low-rank adapter, a
    gate and the last layer of the block that it scales.

    ## Why is this bad?
    The gradient of a factor is a product with the other factors. Where all are zero, no gradient ever reaches them: they
    stay at zero, and whatever they belong to does not learn. One factor at zero is what LoRA and ReZero do on
    purpose, and is enough to start as the identity.

    ## Example
    ```python
    self.lora_A = nn.Parameter(torch.zeros(rank, width))
    self.lora_B = nn.Parameter(torch.zeros(width, rank))
    ...
    return x + x @ self.lora_A.T @ self.lora_B.T
    ```

    ## Use instead
    ```python
    self.lora_A = nn.Parameter(torch.randn(rank, width) / width**0.5)
    self.lora_B = nn.Parameter(torch.zeros(width, rank))
    ...
    return x + x @ self.lora_A.T @ self.lora_B.T
    ```

    ## Known problems
    The analyzer knows the factors of adapters by their names: `lora_A` and `lora_B`, or `up` and `down` in a class that is called
    after LoRA, and not those that are layers of their own. The probe knows none and trains: no gradient may reach the parameters at the start and after each of three
    steps, but one has to when they are not zero. For that an input has to be known, and the model has to run in double
    precision.
    Fewer than five findings on released code are known.

    ## References
    - Hu et al. 2021, [LoRA: Low-Rank Adaptation of Large Language Models](https://arxiv.org/abs/2106.09685)
    - Bachlechner et al. 2020, [ReZero is All You Need](https://arxiv.org/abs/2003.04887)
    """

    code = "INI502"
    name = "all-factors-zero"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = BOTH
    subject = ZeroFactors
    supersedes = ("INI704",)
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Adapted(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.lora_A = nn.Parameter(torch.zeros(2, 8))
                    self.lora_B = nn.Parameter(torch.zeros(8, 2))

                def forward(self, x):
                    x = self.fc(x)
                    return x + x @ self.lora_A.T @ self.lora_B.T
            """,
            target="Adapted",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class LoRALinear(nn.Module):
                def __init__(self, width=8, rank=2):
                    super().__init__()
                    self.base = nn.Linear(width, width)
                    self.down = nn.Parameter(torch.empty(rank, width))
                    self.up = nn.Parameter(torch.empty(width, rank))
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.zeros_(self.down)
                    nn.init.zeros_(self.up)

                def forward(self, x):
                    return self.base(x) + x @ self.down.T @ self.up.T
            """,
            target="LoRALinear",
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Adapted(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.lora_A = nn.Parameter(torch.randn(2, 8))
                    self.lora_B = nn.Parameter(torch.zeros(8, 2))

                def forward(self, x):
                    x = self.fc(x)
                    return x + x @ self.lora_A.T @ self.lora_B.T
            """,
            target="Adapted",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class ZeroBlockAndHead(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.first = nn.Linear(8, 16)
                    self.last = nn.Linear(16, 16)
                    self.norm = nn.BatchNorm1d(16)
                    self.head = nn.Linear(16, 4)
                    for one in (*self.last.parameters(), *self.head.parameters()):
                        nn.init.zeros_(one)

                def forward(self, x):
                    x = self.first(x)
                    return self.head(self.norm(x + self.last(torch.relu(x))))
            """,
            target="ZeroBlockAndHead",
        ),
        Example(
            source="""
            import torch

            class LoRAWeights:
                def __init__(self, lora_a, lora_b):
                    self.lora_a, self.lora_b = lora_a, lora_b

                @classmethod
                def placeholder(cls, width, rank):
                    lora_a = torch.zeros(rank, width)
                    lora_b = torch.zeros(width, rank)
                    return cls(lora_a, lora_b)
            """,
        ),
    )

    def check(self, subject: ZeroFactors) -> Iterator[Finding]:
        names = ", ".join(f"`{name}`" for name in subject.factors)
        start = "start" if len(subject.factors) > 1 else "starts"
        yield self.finding(
            subject.place,
            f"{names} {start} at zero and keep one another there: no gradient reaches them; leave one at zero and draw the "
            "others at random",
            evidence=[Evidence(subject.observer, seen(subject))],
            model=subject.model,
            parameter=subject.parameter,
            affects=subject.factors,
            advice=[self.remedy(subject)],
        )

    @staticmethod
    def remedy(subject: ZeroFactors) -> Advice:
        """The call for one of them: ones for a gain, which a draw around zero would nearly switch off."""
        if subject.gains:
            return Advice(model=subject.model, parameter=subject.gains[0], initializer="ones_")
        return Advice(model=subject.model, parameter=subject.parameter, initializer="normal_", std=0.02)


def seen(subject: ZeroFactors) -> str:
    """What the observer saw."""
    if subject.observer is Observer.ANALYZER:
        return f"reads as zeros, every one: {', '.join(subject.factors)}"
    return f"no gradient at the start and after three steps, but one when they are not zero: {shown(subject.paths)}"


def shown(paths: tuple[str, ...]) -> str:
    """The first few paths."""
    return ", ".join(paths[:4]) + (", ..." if len(paths) > 4 else "")
