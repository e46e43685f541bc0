"""INI503: layers that are copies of one another, and so start alike."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Follow, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.layers import CopiedLayers

SHOWN = 4


class ClonedInitialization(Rule[CopiedLayers]):
    """
    ## What it does
    Reports layers of a container that are made by copying one layer, `[deepcopy(layer) for _ in range(n)]`, where nothing draws
    their weights again.

    Layers of a container that each seed the generator they draw from with the same number are reported likewise.

    ## Why is this bad?
    A copy copies the random values too: all layers of the stack start with the same weights, bit for bit. The scheme
    that drew them assumes layers that are independent of one another.

    ## Example
    ```python
    self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(n)])
    ```

    ## Use instead
    ```python
    self.layers = nn.ModuleList([make_layer() for _ in range(n)])
    ```

    ## Known problems
    Copies for a target network or a moving average are made one by one, and not reported. The analyzer is silent where
    the class that copies, or what builds one, goes over parameters or modules, or is not to be found. Fewer than
    five findings on released code are known, so its precision there is not known well.

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
        how, advice = "copies of one", "make each of them anew, or draw their weights again"
        if subject.seeded:
            how, advice = "drawn from one seed", "give each a seed or a generator of its own"
        yield self.finding(
            subject.place,
            f"the layers of `{subject.name}` are {how}{source} and start with the same weights; {advice}",
            evidence=[Evidence(subject.observer, self.seen(subject))],
            severity=Severity.NOTE if subject.by_torch else None,
            model=subject.model,
            parameter=subject.name,
            fix=self.drawn_again(subject) if not subject.seeded else None,
        )

    @staticmethod
    def seen(subject: CopiedLayers) -> str:
        """How the observer knows."""
        if not subject.paths:
            return "nothing that builds the model draws them again"
        more = ", ..." if len(subject.paths) > SHOWN else ""
        others = f", and {subject.groups - 1} more such groups" if subject.groups > 1 else ""
        return f"alike bit for bit: {', '.join(subject.paths[:SHOWN])}{more}{others}"

    @staticmethod
    def drawn_again(subject: CopiedLayers) -> Fix:
        """A loop that lets each copy draw its own weights."""
        code = f'for module in self.{subject.name}.modules():\n    if hasattr(module, "reset_parameters"):\n        module.reset_parameters()\n'
        remedy = Follow(place=subject.place, code=code, binds=f"self.{subject.name}")
        return Fix(Applicability.UNSAFE, "Draw the weights of each copy again", remedies=(remedy,))
