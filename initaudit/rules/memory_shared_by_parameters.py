"""INI229: a parameter that is made of another one of the same module, and shares its memory."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import SharedMemory


class MemorySharedByParameters(Rule[SharedMemory]):
    """
    ## What it does
    Reports `self.out.weight = nn.Parameter(self.embed.weight)`, also of `.data`, `.detach()` or a transposed weight, where the module keeps
    both.

    ## Why is this bad?
    The new parameter is another one over the same memory. An optimizer updates the memory twice, once for each of the two, with separate
    moments. `.to(device)` and `.half()` give each its own memory: on a GPU the weights are not tied, on a CPU they are not a copy.

    ## Example
    ```python
    self.embed = nn.Embedding(1000, 64)
    self.out = nn.Linear(64, 1000, bias=False)
    self.out.weight = nn.Parameter(self.embed.weight)
    ```

    ## Use instead
    ```python
    self.embed = nn.Embedding(1000, 64)
    self.out = nn.Linear(64, 1000, bias=False)
    self.out.weight = self.embed.weight
    ```

    ## Known problems
    Only parameters of one object are compared, in methods of its class. A layer that the class assigns anew or deletes is not reported, and
    neither is a parameter with `requires_grad=False`.

    ## References
    - [torch.nn.parameter.Parameter](https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html)
    - Press and Wolf 2017, [Using the Output Embedding to Improve Language Models](https://arxiv.org/abs/1608.05859)
    """

    code = "INI229"
    name = "memory-shared-by-parameters"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = SharedMemory
    invalid = (
        Example(
            source="""
            from torch import nn

            class LanguageModel(nn.Module):
                def __init__(self, words, d):
                    super().__init__()
                    self.embed = nn.Embedding(words, d)
                    self.out = nn.Linear(d, words, bias=False)
                    self.out.weight = nn.Parameter(self.embed.weight)

                def forward(self, x):
                    return self.out(self.embed(x))
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Autoencoder(nn.Module):
                def __init__(self, d, hidden):
                    super().__init__()
                    self.encoder = nn.Linear(d, hidden)
                    self.decoder = nn.Linear(hidden, d)
                    self.decoder.weight = nn.Parameter(self.encoder.weight.t())

                def forward(self, x):
                    return self.decoder(self.encoder(x).relu())
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Copies(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.online = nn.Linear(d, d)
                    self.target = nn.Linear(d, d)
                    self.target.weight = nn.Parameter(self.online.weight.clone())
                    self.frozen = nn.Parameter(self.online.weight, requires_grad=False)

            class Tied(nn.Module):
                def __init__(self, words, d):
                    super().__init__()
                    self.embed = nn.Embedding(words, d)
                    self.out = nn.Linear(d, words, bias=False)
                    self.out.weight = self.embed.weight

            class Converted(nn.Module):
                def __init__(self, layer):
                    super().__init__()
                    self.weight = nn.Parameter(layer.weight)
                    self.linear = nn.Linear(8, 8)
                    self.fast = nn.Linear(8, 8)
                    self.fast.weight = nn.Parameter(self.linear.weight)
                    del self.linear
            """,
        ),
    )

    def check(self, subject: SharedMemory) -> Iterator[Finding]:
        tie = f"use `{subject.source}` in the forward" if subject.viewed else f"assign `{subject.source}` itself"
        yield self.finding(
            subject.place,
            f"`{subject.target}` is another parameter over the memory of `{subject.source}`: an optimizer updates it twice, and "
            f"`.to()` parts the two; {tie} to tie them, or its `.clone()` to copy it",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.source}` is passed to `nn.Parameter`")],
            model=subject.model,
        )
