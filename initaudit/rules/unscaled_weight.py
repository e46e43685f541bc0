"""INI407: a weight that keeps values from N(0, 1), or only positive values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from initaudit.finding import Advice, Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.weights import WeightUse

MANY = 16
"""The number of inputs from which a weight drawn from N(0, 1) makes its output four times larger than its input."""
NO_WEIGHT = re.compile(
    r"quer|token|embed|emb\b|pos|prompt|anchor|codebook|codewords|memory|prototype|centro?i?d|cluster|latent|slot|freq|key",
    re.IGNORECASE,
)
"""Names of parameters that are looked up, compared or learned as values; for them N(0, 1) is a scale like any other."""


class UnscaledWeight(Rule[WeightUse]):
    """
    ## What it does
    Reports a weight that multiplies 16 or more inputs and keeps the values of `torch.randn`, N(0, 1), or of
    `torch.rand`, U(0, 1), when no normalization follows. It also reports `normal_` and `trunc_normal_` with a single number
    for a weight of a linear layer, a convolution or an embedding, and with a single square root for any tensor: that
    number is the mean, and the standard deviation stays 1. A linear output that gets the weight of an embedding is reported
    where the table keeps N(0, 1): torch draws it so. Of a script without modules, it reports the first of two
    trained matrices from `torch.randn`, if the second multiplies what the first gives.

    ## Why is this bad?
    Each output sums over the inputs: with 256 of them it is 16 times larger than they are. A few such layers overflow,
    and a softmax or sigmoid after one is saturated from the start. With weights that are all positive, the terms add up
    instead of cancelling: all outputs are nearly the same. Fourier coefficients of either sign still cancel, so that
    complex weights are not reported for that.

    ## Example
    ```python
    self.weight = nn.Parameter(torch.randn(256, 64))
    ...
    return x @ self.weight
    ```

    ## Use instead
    ```python
    self.weight = nn.Parameter(torch.randn(256, 64) / 256**0.5)
    ...
    return x @ self.weight
    ```

    ## Known problems
    A forward that multiplies by one over a square root what it gives the layer, its weight or its output compensates for the
    scale, as an equalized learning rate does; any other factor is not seen. Queries, tokens, positions and codebooks are exempt; the rule recognizes them by their names. So are models that are frozen
    where they are initialized, as the target of a random network distillation. In a third of the models of
    transformers, built small, it reported only CpmAnt, whose configuration draws every layer from N(0, 1).

    In a class that no program of an application builds, it is a note. So is a square weight with positive bounds, as
    from `uniform_(0, 0.1)`, which may be meant as a weighted sum, and what a script only prints.

    The analyzer is silent when a parameter has any use other than a plain product, when the output goes through
    anything other than sums, views and an activation, and when other code may write the parameter. A size that is an
    argument counts as large, unless a script that nothing imports gives its class small numbers alone; a normalization
    outside the forward of the class is not seen, and a layer that an initializer draws is not reported if its file calls a
    normalization, unless its class, those that hold it and the functions that build them are known to have none.
    `transforms.Normalize` is none: it scales the examples. In fifty released packages it reported eleven weights, of a recurrent
    cell and two attentions, and two in tests of torch; two of the eleven multiply a single input in the first layer of
    their model. In 26 other packages it reported five: three were right, one is an attention, and one, a quantizer, was
    wrong and is no longer reported.

    ## References
    - LeCun, Bottou, Orr & Müller 1998, [Efficient BackProp](https://link.springer.com/chapter/10.1007/3-540-49430-8_2)
    """

    code = "INI407"
    name = "unscaled-weight"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = WeightUse
    supersedes = ("INI701", "INI702", "INI703", "INI705")
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Tied(nn.Module):
                def __init__(self, words, width):
                    super().__init__()
                    self.table = nn.Embedding(words, width)
                    self.rnn = nn.GRU(width, width, batch_first=True)
                    self.out = nn.Linear(width, words, bias=False)
                    self.out.weight = self.table.weight

                def forward(self, ids):
                    return self.out(self.rnn(self.table(ids))[0])

            class Parts(nn.Module):
                def __init__(self, words, width):
                    super().__init__()
                    self.parts = nn.ModuleDict(dict(table=nn.Embedding(words, width), norm=nn.LayerNorm(width)))
                    self.out = nn.Linear(width, words, bias=False)
                    self.out.weight = self.parts.table.weight

                def forward(self, ids):
                    return self.out(self.parts.norm(self.parts.table(ids)))

            class Option(nn.Module):
                def __init__(self, words, width, tie=True):
                    super().__init__()
                    self.table = nn.Embedding(words, width)
                    self.embedding_out = nn.Linear(width, words, bias=False)
                    if tie:
                        self.table.weight = self.embedding_out.weight
                    nn.init.normal_(self.table.weight)

                def forward(self, ids):
                    return self.embedding_out(self.table(ids).tanh())
            """,
            count=3,
        ),
        Example(
            source="""
            import torch

            first = torch.randn(784, 128, requires_grad=True)
            second = torch.randn(128, 10, requires_grad=True)

            def net(x):
                return torch.relu(x @ first) @ second
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.randn(64, 32))

                def forward(self, x):
                    return torch.relu(self.fc(x)) @ self.weight
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Layer(nn.Module):
                def __init__(self, in_features, out_features):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(in_features, out_features))
                    nn.init.normal_(self.weight)

                def forward(self, x):
                    return torch.mm(x, self.weight)
            """
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.rand(64, 32))

                def forward(self, x):
                    return torch.relu(self.fc(x)) @ self.weight
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(784, 512)
                    self.b = nn.Linear(512, 10)
                    for name, p in self.named_parameters():
                        if name.endswith(".weight"):
                            p.data = torch.randn(p.size())

                def forward(self, x):
                    return self.b(torch.relu(self.a(x)))

            net = Net()
            torch.optim.SGD(net.parameters(), lr=0.1)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def init(m):
                if isinstance(m, nn.Linear):
                    m.weight.data = torch.rand(m.weight.shape)

            net = nn.Sequential(nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 2))
            net.apply(init)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Drawn(nn.Module):
                def __init__(self, words, width):
                    super().__init__()
                    self.table = nn.Embedding(words, width)
                    self.out = nn.Linear(width, words, bias=False)
                    self.out.weight = self.table.weight
                    nn.init.normal_(self.table.weight, std=0.02)

                def forward(self, ids):
                    return self.out(self.table(ids))

            def interval(m):
                if isinstance(m, nn.Linear):
                    m.weight.data.normal_(-1.0, 1.0)

            class Kept(nn.Module):
                def __init__(self, words, width):
                    super().__init__()
                    self.table = nn.Embedding(words, width)
                    self.out = nn.Linear(width, words, bias=False)
                    self.table.weight = self.out.weight

                def forward(self, ids):
                    return self.out(self.table(ids))

            class Scaled(nn.Module):
                def __init__(self, words, width):
                    super().__init__()
                    self.scale = width**-0.5
                    self.table = nn.Embedding(words, width)
                    self.out = nn.Linear(width, words, bias=False)
                    self.out.weight = self.table.weight

                def forward(self, ids):
                    return self.out(self.table(ids)) * self.scale

            class Applied(nn.Module):
                def __init__(self, words, width):
                    super().__init__()
                    self.table = nn.Embedding(words, width)
                    self.out = nn.Linear(width, words, bias=False)
                    self.out.weight = self.table.weight
                    self.apply(self._init)

                def _init(self, module):
                    if isinstance(module, (nn.Linear, nn.Embedding)):
                        nn.init.xavier_uniform_(module.weight)

                def forward(self, ids):
                    return self.out(self.table(ids))
            """,
        ),
        Example(
            source="""
            import math

            import torch

            first = torch.randn(784, 128, requires_grad=True)
            second = torch.randn(128, 10, requires_grad=True)
            third = (torch.randn(10, 10) * 0.1).requires_grad_()

            def net(x):
                hidden = torch.relu(x @ first / math.sqrt(784))
                return hidden @ second / 128**0.5 @ third
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.randn(64, 32) / 8)
                    self.queries = nn.Parameter(torch.randn(32, 5))
                    self.few = nn.Parameter(torch.randn(5, 3))

                def forward(self, x):
                    return torch.relu(self.fc(x)) @ self.weight @ self.queries @ self.few
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Normalized(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 64)
                    self.weight = nn.Parameter(torch.randn(64, 32))
                    self.norm = nn.LayerNorm(32)

                def forward(self, x):
                    return self.norm(self.fc(x) @ self.weight)
            """,
            target="Normalized",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(300, 300)
                    self.table = nn.Embedding(30, 300)
                    self.table.weight.data = torch.randn(30, 300)
                    for name, p in self.named_parameters():
                        if name.startswith("table"):
                            nn.init.normal_(p)
                    for p in self.parameters():
                        p.data = torch.randn(p.shape)
                    nn.init.xavier_uniform_(self.a.weight)
                    nn.init.normal_(self.table.weight)

                def forward(self, x):
                    return self.a(self.table(x))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.body = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8))
                    self.head = nn.Linear(8, 2)
                    nn.init.normal_(self.body[0].weight)
                    self.apply(self.init)

                def init(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.normal_(m.weight)

                def forward(self, x):
                    return self.head(torch.tanh(self.body(x)))
            """,
        ),
    )

    @staticmethod
    def takes_mean_for_std(subject: WeightUse) -> bool:
        """Whether ``normal_`` gets only a mean, as if that were the standard deviation; the probe sees only numbers."""
        drawn = subject.distribution
        return bool(subject.mean_alone) or (
            subject.observer is Observer.PROBE
            and drawn is not None
            and subject.by.endswith(".normal_")
            and (drawn.family, drawn.std) == ("normal", 1)
            and (drawn.mean or 0) > 0
        )

    def check(self, subject: WeightUse) -> Iterator[Finding]:
        described = self._described(subject)
        if described is None:
            return
        message, seen, advice = described
        yield self.finding(
            subject.place,
            message,
            evidence=[Evidence(subject.observer, seen)],
            model=subject.model,
            parameter=subject.parameter,
            advice=advice,
            group=f"{subject.place.cell}:{subject.place.row}",
            severity=Severity.NOTE if subject.shown or self._mixes(subject) else None,
        )

    @staticmethod
    def _mixes(subject: WeightUse) -> bool:
        """Whether a square weight gets positive bounds that its author chose: it may be a weighted sum of like values."""
        drawn = subject.distribution
        square = len(subject.shape) == 2 and len(set(map(str, subject.shape))) == 1
        chosen = drawn is not None and drawn.family == "uniform" and (drawn.mean or 0) > 0 and drawn.mean != 0.5
        return square and chosen and subject.by.endswith("uniform_")

    def _described(self, subject: WeightUse) -> tuple[str, str, list[Advice]] | None:
        """Return the message, the evidence and the advice; None for a weight that is drawn as it should be."""
        drawn, inputs = subject.distribution, subject.fan_in
        if drawn is None:
            return None
        if self.takes_mean_for_std(subject):
            name, number = subject.by.rpartition(".")[2], subject.mean_alone or f"{drawn.mean:g}"
            message = (
                f"`{subject.parameter}` is drawn with standard deviation 1: the number given to `{name}` is the mean; "
                f"pass the standard deviation by name: `std={number}`"
            )
            return message, f"`{subject.by}` gets a single number", []
        around = (drawn.mean or 0) >= (drawn.std or math.inf) and bool(drawn.mean)
        positive = drawn.family == "uniform" and around and not subject.spectral
        if not positive and (drawn.family, drawn.mean, drawn.std) != ("normal", 0, 1):
            return None
        if positive and subject.fan_out == 1 and not subject.several:
            return None  # there are no outputs that could be the same
        if subject.normalized or (NO_WEIGHT.search(subject.parameter) and not subject.tied_to):
            return None
        most = inputs if isinstance(inputs, int) else subject.most
        if most is not None and most < MANY:
            return None
        up_to = "up to " if subject.several else ""
        many = f"{up_to}{inputs}" if isinstance(inputs, int) else f"{up_to}`{inputs}`"
        times, remedy, advice = f"sqrt({inputs})", f"divide it by sqrt({inputs})", []
        if isinstance(inputs, int):
            times, remedy, advice = f"{up_to}{inputs**0.5:.0f}", *self._remedy(subject, inputs)
        seen = f"the forward multiplies by {subject.use}, ({', '.join(map(str, subject.shape))})"
        if positive:
            message = (
                f"all elements of `{subject.parameter}` are positive, around {drawn.mean:.2g}, and it multiplies {many} "
                f"inputs: all outputs are nearly the same; draw values around zero, for example with "
                f"`nn.init.xavier_uniform_`"
            )
            return message, seen, advice
        if subject.tied_to:
            message = (
                f"`{subject.parameter}` is the table `{subject.tied_to}`, drawn from N(0, 1), and multiplies {many} inputs: the "
                f"first outputs are {times} times too large; draw it with a standard deviation of 0.02, or of 1/{times}"
            )
            return message, seen, []
        message = (
            f"`{subject.parameter}` is drawn from N(0, 1) and multiplies {many} inputs: its output is {times} times larger "
            f"than its input; {remedy}"
        )
        return message, seen, advice

    @staticmethod
    def _remedy(subject: WeightUse, inputs: int) -> tuple[str, list[Advice]]:
        """Return what to write instead, for a statement that writes one layer or several, and the advice for one."""
        std, target = float(f"{inputs**-0.5:.3g}"), subject.target
        owner, _, name = target.removesuffix(".data").rpartition(".")
        if subject.several:
            scale = f"{owner}.in_features**-0.5" if name == "weight" else ""
            return f"use `nn.init.normal_({target}, std={scale})`" if scale else "divide it by sqrt(in_features)", []
        if target and not target.startswith("self."):
            return f"use `nn.init.normal_({target}, std={std:g})`", []
        advice = Advice(model=subject.model, parameter=subject.parameter, initializer="normal_", std=std)
        return f"use `{advice}`", [advice]
