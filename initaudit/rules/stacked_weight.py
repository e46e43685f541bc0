"""INI409: one draw for several matrices that a tensor holds."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.weights import StackedDraw


class StackedWeight(Rule[StackedDraw]):
    """
    ## What it does
    Reports Xavier's and the orthogonal scheme for a tensor that holds several matrices: `weight_ih` and `weight_hh` of an LSTM or a GRU, a
    fused projection of query, key and value that the forward takes apart.

    ## Why is this bad?
    Xavier counts the rows of all parts as fan out: three parts of n rows get half the variance that each would get alone. One orthogonal draw
    of a tall matrix makes none of the parts orthogonal, and each is smaller by the root of their number.

    ## Example
    ```python
    nn.init.orthogonal_(self.rnn.weight_hh_l0)
    ```

    ## Use instead
    ```python
    for gate in self.rnn.weight_hh_l0.chunk(4):
        nn.init.orthogonal_(gate)
    ```

    ## Known problems
    It is in preview: many codes initialize recurrent layers like this and train well. A gain that makes up for it is taken for that, whatever its
    size.

    ## References
    - Glorot & Bengio 2010, [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
    - Saxe, McClelland & Ganguli 2014, [Exact solutions to the nonlinear dynamics of learning](https://arxiv.org/abs/1312.6120)
    """

    code = "INI409"
    name = "stacked-weight"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    default = Default.PREVIEW
    observers = ANALYZER
    subject = StackedDraw
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.rnn = nn.LSTM(8, 16)
                    nn.init.orthogonal_(self.rnn.weight_hh_l0)

                def forward(self, x):
                    return self.rnn(x)
            """,
        ),
        Example(
            source="""
            import torch
            import torch.nn.functional as F
            from torch import nn

            class SelfAttention(nn.Module):
                def __init__(self, width=16):
                    super().__init__()
                    self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
                    nn.init.xavier_uniform_(self.in_proj_weight)

                def forward(self, x):
                    q, k, v = F.linear(x, self.in_proj_weight).chunk(3, dim=-1)
                    return F.scaled_dot_product_attention(q, k, v)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.gru = nn.GRU(8, 16)
                    for name, p in self.gru.named_parameters():
                        if "weight" in name:
                            nn.init.orthogonal_(p)

                def forward(self, x):
                    return self.gru(x)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            import torch.nn.functional as F
            from torch import nn

            class Net(nn.Module):
                def __init__(self, width=16):
                    super().__init__()
                    self.rnn = nn.LSTM(8, 16)
                    for gate in self.rnn.weight_hh_l0.chunk(4):
                        nn.init.orthogonal_(gate)
                    self.qkv = nn.Parameter(torch.empty(3 * width, width))
                    nn.init.xavier_uniform_(self.qkv, gain=2**0.5)
                    self.hidden = nn.Parameter(torch.empty(4 * width, width))
                    nn.init.xavier_uniform_(self.hidden)

                def forward(self, x):
                    q, k, v = F.linear(x, self.qkv).chunk(3, dim=-1)
                    return F.linear(F.scaled_dot_product_attention(q, k, v), self.hidden)
            """,
        ),
    )

    def check(self, subject: StackedDraw) -> Iterator[Finding]:
        if subject.initializer.startswith("orthogonal"):
            effect = "none of them becomes orthogonal"
        else:
            effect = f"the fan out of all {subject.parts} makes the variance of each too small"
        where = [Evidence(Observer.ANALYZER, f"`{subject.target}` holds {subject.parts} matrices")]
        if subject.split is not None:
            where = [Evidence(Observer.ANALYZER, f"it is taken apart in {subject.split.seen_from(subject.place)}")]
        yield self.finding(
            subject.place,
            f"`{subject.initializer}` draws `{subject.target}` at once, which holds {subject.parts} matrices ({subject.what}): {effect}; "
            f"initialize each part, as in `for part in {subject.target}.chunk({subject.parts})`",
            evidence=where,
        )
