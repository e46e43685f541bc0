"""INI409: one Xavier or orthogonal draw for a tensor that holds several matrices."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.weights import StackedDraw


class StackedWeight(Rule[StackedDraw]):
    """
    ## What it does
    Reports Xavier and orthogonal initialization of a tensor that holds several matrices: `weight_ih` and `weight_hh` of
    an LSTM or a GRU, or a fused projection of query, key and value that the forward splits.

    ## Why is this bad?
    Xavier counts the rows of all parts as fan_out: three square parts get half the variance that each would get on its
    own. One orthogonal draw of a tall matrix makes none of the parts orthogonal, and the scale of each is too small by
    the square root of their number.

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
    The rule is in preview: many projects initialize recurrent layers like this and train well. Any gain counts as
    compensation, whatever its size.

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
            effect = "none of them is orthogonal"
        else:
            effect = "the fan_out counts all of them, so their variance is too small"
        where = [Evidence(Observer.ANALYZER, f"`{subject.target}` holds {subject.parts} matrices")]
        if subject.split is not None:
            where = [
                Evidence(
                    Observer.ANALYZER, f"split into {subject.parts} parts in {subject.split.seen_from(subject.place)}"
                )
            ]
        yield self.finding(
            subject.place,
            f"`{subject.initializer}` draws `{subject.target}` as one matrix, but it holds {subject.parts} {subject.what}: "
            f"{effect}; initialize each part, as in `for part in {subject.target}.chunk({subject.parts})`",
            evidence=where,
        )
