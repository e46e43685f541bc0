"""INI503: layers that are copies of one layer, and so start with the same weights."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Follow, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.layers import CopiedLayers

SHOWN = 4


class ClonedInitialization(Rule[CopiedLayers]):
    """
    ## What it does
    Reports layers of a container that are copies of one layer, `[deepcopy(layer) for _ in range(n)]`, when no code
    re-initializes them; and two attributes of which one is a copy of the other, if a method gives both the same input.

    It also reports layers of a container, or two attributes, that are each drawn from a generator of the same seed.

    ## Why is this bad?
    A copy has the same random values: all layers of the stack start with the same weights, bit for bit. Initialization
    schemes assume that layers are independent.

    ## Example
    ```python
    self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(n)])
    ```

    ## Use instead
    ```python
    self.layers = nn.ModuleList([make_layer() for _ in range(n)])
    ```

    ## Known problems
    Copies for a target network or a moving average are created one at a time and are not reported, nor is a copy in a class
    that freezes, detaches or copies parameters; the probe tells weights that are loaded into another layer from them by
    their gradients, for which it needs an input. The analyzer is silent when the class that copies, or the code that
    builds it, iterates over parameters or modules, or when it does not find the code that builds it. Copies that each
    get an input of their own, as the heads of several layers do, are a note: they may be meant to start alike; so are
    copies where every program asks for one at most. Of all the copies that one function makes (`clones(layer, n)`), the
    first is reported, and the others are notes. Copies of a normalization, or of another layer without random weights,
    are not reported.

    Rare in released code; its precision is not well measured.

    ## References
    - [yet-another-retnet#27: all layers start identical](https://github.com/fkodom/yet-another-retnet/issues/27)
    - [pytorch#72253: nn.TransformerEncoder copies its layer](https://github.com/pytorch/pytorch/issues/72253)
    """

    code = "INI503"
    name = "cloned-initialization"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = CopiedLayers
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Experts(nn.Module):
                def __init__(self, n, d):
                    super().__init__()
                    experts = []
                    for _ in range(n):
                        torch.manual_seed(0)
                        experts.append(nn.Linear(d, d))
                    self.experts = nn.ModuleList(experts)

            model = Experts(4, 8)
            """,
            advice=True,
        ),
        Example(
            source="""
            import copy
            from torch import nn

            class Decoder(nn.Module):
                def __init__(self, layer, n):
                    super().__init__()
                    self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(n)])

            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.decoder = Decoder(nn.Linear(8, 8), 3)
                    self.out = nn.Linear(8, 2)
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.xavier_normal_(self.out.weight)
            """,
            target="Model",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Expert(nn.Module):
                def __init__(self, width):
                    super().__init__()
                    generator = torch.Generator().manual_seed(0)
                    self.weight = nn.Parameter(torch.randn(width, width, generator=generator) / width**0.5)

            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.experts = nn.ModuleList([Expert(32) for _ in range(3)])
            """,
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Experts(nn.Module):
                def __init__(self, n, d):
                    super().__init__()
                    self.w = nn.ParameterList()
                    for i in range(n):
                        g = torch.Generator().manual_seed(0)
                        self.w.append(nn.Parameter(torch.randn(d, d, generator=g) / d**0.5))
            """,
            advice=True,
        ),
        Example(
            source="""
            import copy
            import torch
            from torch import nn

            class Critic(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.q1 = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 1))
                    self.q2 = copy.deepcopy(self.q1)

                def forward(self, x):
                    return torch.min(self.q1(x), self.q2(x))

            critic = Critic(8)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import copy
            from torch import nn

            class Decoder(nn.Module):
                def __init__(self, layer, n):
                    super().__init__()
                    self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(n)])

            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.decoder = Decoder(nn.Linear(8, 8), 3)
                    for p in self.parameters():
                        if p.dim() > 1:
                            nn.init.xavier_uniform_(p)
            """,
            target="Model",
        ),
        Example(
            source="""
            import copy
            from torch import nn

            class Agent(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.network = nn.Linear(8, 8)
                    self.target = copy.deepcopy(self.network).requires_grad_(False)
                    self.heads = nn.ModuleList([nn.Linear(8, 2) for _ in range(3)])
            """,
            target="Agent",
        ),
    )

    def check(self, subject: CopiedLayers) -> Iterator[Finding]:
        source = f" (`{subject.source}`)" if subject.source else ""
        how, advice = "copies of one layer", "create each layer separately, or re-initialize the copies"
        if subject.seeded:
            how, advice = "drawn from the same seed", "give each its own seed or generator"
        who = f"the layers of `{subject.name}`"
        if subject.beside:
            who = " and ".join(f"`{name}`" for name in subject.beside)
        asked = "; so far, all who build the class ask for one at most" if subject.once else ""
        yield self.finding(
            subject.place,
            f"{who} are {how}{source} and start with the same weights{asked}; {advice}",
            evidence=[Evidence(subject.observer, self.seen(subject))],
            severity=Severity.NOTE if subject.by_torch or subject.apart or subject.once else None,
            model=subject.model,
            parameter=subject.name,
            fix=self.drawn_again(subject) if not subject.seeded else None,
            decision=subject.helper,
        )

    @staticmethod
    def seen(subject: CopiedLayers) -> str:
        """Say how the observer knows."""
        if not subject.paths:
            return "the code that builds the model does not re-initialize them"
        more = ", ..." if len(subject.paths) > SHOWN else ""
        others = f", and {subject.groups - 1} more groups" if subject.groups > 1 else ""
        return f"bitwise equal: {', '.join(subject.paths[:SHOWN])}{more}{others}"

    @staticmethod
    def drawn_again(subject: CopiedLayers) -> Fix:
        """Return the fix: a loop that re-initializes each copy."""
        code = f'for module in self.{subject.name}.modules():\n    if hasattr(module, "reset_parameters"):\n        module.reset_parameters()\n'
        remedy = Follow(place=subject.place, code=code, binds=f"self.{subject.name}")
        return Fix(Applicability.UNSAFE, "Re-initialize each copy", remedies=(remedy,))
