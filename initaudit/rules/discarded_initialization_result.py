"""INI202: a new tensor that is made from a parameter and discarded."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Replace, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import DroppedTensor


class DiscardedInitializationResult(Rule[DroppedTensor]):
    """
    ## What it does
    Reports a statement that makes a new tensor from the size or the values of a parameter and discards it:
    `torch.full(self.scale.size(), 1.0)`, `torch.randn_like(p)`, `p.data.clamp(-1, 1)`. An assignment to an in-place method
    instead of a call (`p.data.copy_ = values`) is reported too, and so is `self.embedding.from_pretrained(vectors)`, which
    makes another embedding.

    ## Why is this bad?
    The parameter does not change. If it was uninitialized, it still is.

    ## Example
    ```python
    def reset_parameters(self):
        torch.full(self.scale.size(), 1.0)
        self.weight.data.clamp(-1, 1)
    ```

    ## Use instead
    ```python
    def reset_parameters(self):
        nn.init.constant_(self.scale, 1.0)
        self.weight.data.clamp_(-1, 1)
    ```

    ## Known problems
    The fix is unsafe: it changes the values of the parameter to those that were meant.
    Rare in released code; its precision is not well measured.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    - [In-place operations](https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd)
    """

    code = "INI202"
    name = "discarded-initialization-result"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = DroppedTensor
    supersedes = ("INI101", "INI102")
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Sparse(nn.Linear):
                def __init__(self, n, m):
                    super().__init__(n, m)
                    torch.where(torch.rand_like(self.weight) < 0.1, self.weight, torch.zeros_like(self.weight))
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            def shrink(net):
                for p in net.parameters():
                    p.data * 0.01

            shrink(nn.Linear(3, 4))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.scale = nn.Parameter(torch.empty(n))
                    self.reset_parameters()

                def reset_parameters(self):
                    torch.full(self.scale.size(), 1.0)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Clipped(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.weight = nn.Parameter(torch.randn(n))
                    self.weight.data.clamp(-1, 1)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def init_weights(model: nn.Module):
                for p in model.parameters():
                    torch.randn_like(p)
            """,
        ),
        Example(
            source="""
            from torch import nn

            layer = nn.Linear(3, 4)
            layer.weight.data * 0.1
            for p in layer.parameters():
                p.data - 0.5
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            def shrink(m):
                if isinstance(m, nn.Linear):
                    m.weight.detach().mul(0.5)

            nn.Linear(3, 4).apply(shrink)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    m.weight.data.copy_ = torch.randn(m.weight.shape) * 0.01

            nn.Sequential(nn.Linear(4, 4), nn.ReLU()).apply(init_weights)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            class Classifier(nn.Module):
                def __init__(self, vectors):
                    super().__init__()
                    self.embedding = nn.Embedding(len(vectors), 300)
                    self.embedding.from_pretrained(vectors)
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.scale = nn.Parameter(torch.empty(n))
                    self.scale.data = torch.full(self.scale.size(), 1.0)
                    self.scale.data.clamp_(-1, 1)
                    torch.zeros(n, out=self.scale.data)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Warm(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3, 4)
                    self.fc(torch.zeros(1, 3))
                    torch.zeros(1).cuda()
            """,
        ),
    )

    def check(self, subject: DroppedTensor) -> Iterator[Finding]:
        named = (subject.parameter,) if subject.parameter else ()
        advice = f"; write `{subject.inplace}`" if subject.inplace else "; write to it in place"
        what = "makes a new tensor, which is discarded"
        if subject.call.endswith(".from_pretrained"):
            what = "makes a new layer, which is discarded"
        if subject.call.endswith("= ..."):
            what = "assigns to a method instead of calling it"
        yield self.finding(
            subject.place,
            f"`{subject.call}` {what}: `{subject.target}` does not change{advice}",
            evidence=[Evidence(Observer.ANALYZER, "the new tensor is not used")],
            model=subject.model,
            parameter=subject.parameter,
            affects=named,
            fix=self.in_place(subject),
        )

    @staticmethod
    def in_place(subject: DroppedTensor) -> Fix | None:
        """Return the fix that writes to the parameter in place."""
        if subject.inplace is None or subject.call.endswith(".from_pretrained"):
            return None  # the new layer may be frozen
        remedy = Replace(place=subject.place, new=subject.inplace)
        return Fix(Applicability.UNSAFE, f"Write to `{subject.target}` in place", remedies=(remedy,))
