"""INI217: a tied weight that is initialized twice, with different distributions."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.weights import TiedDraw


class TiedWeightDrawnTwice(Rule[TiedDraw]):
    """
    ## What it does
    Reports a weight that a constructor ties to that of another layer, and that is initialized under one name and then
    differently under the other: directly, by `apply`, or in a loop over modules. A tie that a new parameter breaks is
    reported too.

    ## Why is this bad?
    There is only one tensor, so the later initialization stays. An embedding drawn from N(0, 1) becomes fifty times smaller if
    the output layer that it is tied to is then drawn from N(0, 0.02).

    ## Example
    ```python
    nn.init.normal_(self.embedding.weight, std=1.0)
    self.decoder.weight = self.embedding.weight
    self.apply(init_linear_002)
    ```

    ## Use instead
    ```python
    self.apply(init_linear_002)
    nn.init.normal_(self.embedding.weight, std=1.0)
    self.decoder.weight = self.embedding.weight
    ```

    ## Known problems
    Rare in released code; its precision is not well measured.

    ## References
    - Press & Wolf 2017, [Using the Output Embedding to Improve Language Models](https://arxiv.org/abs/1608.05859)
    """

    code = "INI217"
    name = "tied-weight-drawn-twice"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = TiedDraw
    invalid = (
        Example(
            source="""
            from torch import nn

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=0.02)

            class LM(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embedding = nn.Embedding(50, 16)
                    nn.init.normal_(self.embedding.weight, std=1.0)
                    self.decoder = nn.Linear(16, 50)
                    self.decoder.weight = self.embedding.weight
                    self.apply(init)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class AutoEncoder(nn.Module):
                def __init__(self, d, h):
                    super().__init__()
                    self.encode = nn.Linear(d, h)
                    self.decode = nn.Linear(h, d)
                    self.decode.weight = nn.Parameter(self.encode.weight.t())
                    nn.init.xavier_uniform_(self.encode.weight)
                    nn.init.kaiming_normal_(self.decode.weight)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Model(nn.Module):
                def __init__(self, words=10, width=4):
                    super().__init__()
                    self.embedding = nn.Embedding(words, width)
                    self.decoder = nn.Linear(width, words, bias=False)
                    self.decoder.weight = self.embedding.weight
                    self.embedding.weight = nn.Parameter(torch.randn(words, width) * 0.02)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Model(nn.Module):
                def __init__(self, vocabulary=10, width=4):
                    super().__init__()
                    self.embedding = nn.Embedding(vocabulary, width)
                    self.head = nn.Linear(width, vocabulary, bias=False)
                    self.head.weight = self.embedding.weight

                def forward(self, i):
                    return self.head(self.embedding(i))

            def build():
                with torch.device("meta"):
                    model = Model()
                model = model.to_empty(device="cpu")
                for p in model.parameters():
                    nn.init.normal_(p, std=0.02)
                return model
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Tied(nn.Module):
                def __init__(self, n=64, h=16):
                    super().__init__()
                    self.enc = nn.Linear(n, h)
                    self.dec = nn.Linear(h, n)
                    self.dec.weight.data = self.enc.weight.data.t()
                    nn.init.xavier_uniform_(self.enc.weight)
                    nn.init.kaiming_normal_(self.dec.weight)

                def forward(self, x):
                    return self.dec(torch.relu(self.enc(x)))
            """
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=0.02)

            class LM(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embedding = nn.Embedding(50, 16)
                    self.decoder = nn.Linear(16, 50)
                    self.apply(init)
                    nn.init.normal_(self.embedding.weight, std=1.0)
                    self.decoder.weight = self.embedding.weight

            class Same(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.embedding = nn.Embedding(50, 16)
                    nn.init.normal_(self.embedding.weight, std=0.02)
                    self.decoder = nn.Linear(16, 50)
                    self.decoder.weight = self.embedding.weight
                    self.apply(init)
            """,
        ),
    )

    def check(self, subject: TiedDraw) -> Iterator[Finding]:
        other = f"`{subject.other}` ({subject.tied.seen_from(subject.place)})"
        message = (
            f"`{subject.by}` re-initializes `{subject.name}`, which is tied to {other}: the values from `{subject.first}` are lost; "
            f"initialize the shared weight last, or tie afterwards"
        )
        if not subject.first:
            message = (
                f"`{subject.by}` breaks the tie of `{subject.name}` to {other}, so the two train separately; "
                f"write to the shared weight in place, or tie afterwards"
            )
        yield self.finding(
            subject.place,
            message,
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.tie}` makes the two one tensor")],
            model=subject.model,
            parameter=subject.name,
        )
