"""INI502: factors of one product that all start at zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from initaudit.finding import Advice, Category, Evidence, Finding, Observer, Severity, listed
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.weights import Factor, ZeroFactors

SHOWN = 4
"""Factors that a message names."""


class AllFactorsZero(Rule[ZeroFactors]):
    """
    ## What it does
    Reports parameters that are multiplied with each other and all start at zero: the two matrices of a low-rank
    adapter, both tables of a factorization, or a gate and the last layer of the block that it scales. The probe also reports a matrix whose own zeros
    keep it at zero, as where a ReLU follows and no bias is added.

    ## Why is this bad?
    The gradient of one factor is proportional to the other factors. When all are zero, no gradient ever reaches them:
    they stay zero, and their module does not learn. To start as the identity, one factor at zero is enough; LoRA and
    ReZero do that on purpose.

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
    The analyzer recognizes the factors of adapters by their names: `lora_A` and `lora_B`, or `up` and `down` in a class
    named after LoRA. Other parameters, tables of embeddings and weights of linear layers count if the methods of their
    class do nothing else with them than to multiply them with one another, and no other code names them. The probe needs no names; it trains: no
    gradient may reach the parameters at the start and after each of at least three steps, but one has to when they are
    not zero.
    For that it needs an input.

    Rare in released code; its precision is not well measured.

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
    supersedes = ("INI501", "INI704")
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
        Example(
            source="""
            from torch import nn

            class LoRALinear(nn.Module):
                def __init__(self, base, rank=2):
                    super().__init__()
                    self.base = base
                    self.lora_A = nn.Linear(base.in_features, rank, bias=False)
                    self.lora_B = nn.Linear(rank, base.out_features, bias=False)
                    for layer in (self.lora_A, self.lora_B):
                        nn.init.zeros_(layer.weight)

                def forward(self, x):
                    return self.base(x) + self.lora_B(self.lora_A(x))
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Factorization(nn.Module):
                def __init__(self, users, items, k=16):
                    super().__init__()
                    self.users = nn.Embedding(users, k)
                    self.items = nn.Embedding(items, k)
                    for table in (self.users, self.items):
                        nn.init.zeros_(table.weight)

                def forward(self, u, i):
                    return (self.users(u) * self.items(i)).sum(-1)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Block(nn.Module):
                def __init__(self, c):
                    super().__init__()
                    self.body = nn.Conv2d(c, c, 3, padding=1)
                    self.last = nn.Conv2d(c, c, 1, bias=False)
                    self.scale = nn.Parameter(torch.zeros(1))
                    nn.init.zeros_(self.last.weight)

                def forward(self, x):
                    return x + self.scale * self.last(self.body(x).relu())

            net = Block(8)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Factorization(nn.Module):
                def __init__(self, users, items, k=16):
                    super().__init__()
                    self.users = nn.Parameter(torch.zeros(users, k))
                    self.items = nn.Parameter(torch.zeros(items, k))
                    self.shift = nn.Parameter(torch.zeros(items))

                def forward(self, u):
                    return (1 + self.users[u]) @ self.items.t() + self.shift
            """,
        ),
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
        first = subject.factors[0]
        every = [listed(one.parameter, one.model, first.model) for one in subject.factors]
        names = ", ".join(f"`{name}`" for name in every[:SHOWN])
        if len(every) > SHOWN:
            names += f" and {len(every) - SHOWN} more"
        if len(subject.paths) == 1 and subject.observer is Observer.PROBE:
            said = f"{names} starts at zero, where its own gradient is zero: it stays zero; draw it at random"
        else:
            names = f"the {names} of {len(subject.paths)} layers" if len(every) == 1 else names
            said = (
                f"{names} start at zero, and no gradient reaches them: they stay zero; leave one at zero and draw the "
                "others at random"
            )
        yield self.finding(
            subject.place,
            said,
            evidence=[Evidence(subject.observer, seen(subject))],
            model=first.model,
            parameter=first.parameter,
            affects=tuple(every),
            advice=list(self.remedies(subject.factors)),
        )

    @staticmethod
    def remedies(factors: Sequence[Factor]) -> Iterator[Advice]:
        """Yield the calls that let gradients through.

        Of two factors one is drawn; a gain gets ones, since a small value would nearly switch it off. Of more, all are
        drawn but gains, or else the last: through small values, the signal of a network of zeros would vanish.
        """
        first = next((one for one in factors if one.gain), factors[0])
        if len(factors) < 3:
            call = Advice(model=first.model, parameter=first.parameter, initializer="normal_", std=0.02)
            yield msgspec.structs.replace(call, initializer="ones_", std=None) if first.gain else call
            return
        for one in [one for one in factors if not one.gain] if first.gain else factors[:-1]:
            call = Advice(model=one.model, parameter=one.parameter, initializer="normal_", std=0.02)
            yield msgspec.structs.replace(call, initializer="xavier_uniform_", std=None) if one.matrix else call


def seen(subject: ZeroFactors) -> str:
    """Say what the observer saw."""
    if subject.observer is Observer.ANALYZER:
        return f"the code sets all of them to zero: {', '.join(one.parameter for one in subject.factors)}"
    return (
        "no gradient at the start or after at least three steps, but a gradient once they are not zero: "
        f"{shown(subject.paths)}"
    )


def shown(paths: tuple[str, ...]) -> str:
    """Return the first four paths as text."""
    return ", ".join(paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")
