"""INI508: weights that are all set to one number."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.weights import ConstantWeights


class ConstantWeightsRule(Rule[ConstantWeights]):
    """
    ## What it does
    Reports a walk over a whole model (`self.modules()`, `net.apply(init)`) that sets all weights of its linear or
    convolutional layers to one number; a normal draw with standard deviation 0 counts. It also reports a parameter that
    is created with `torch.ones(...)` or another constant and multiplies the input of its class, and two trained matrices
    without a module that are both constant, if one multiplies what the other gives.

    ## Why is this bad?
    All units of a layer start identical, get the same gradient and stay identical: the layer has the capacity of one
    unit. A layer of zeros passes no gradient to the layers before it.

    ## Example
    ```python
    for m in self.modules():
        if isinstance(m, nn.Linear):
            nn.init.constant_(m.weight, 0.1)
    ```

    ## Use instead
    ```python
    for m in self.modules():
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
    ```

    ## Known problems
    Courses do it on purpose, to show the effect; in a test, and in a script or notebook that
    prints weights and trains nothing, it is a note. A single layer that starts at zero, such as a head or the last layer
    of a branch, is not reported; nor is a class whose objects all load a checkpoint immediately, nor a model whose layers
    have one unit each, as a logistic regression has: there is no other unit to stay like.

    ## References
    - Goodfellow, Bengio & Courville 2016, [Deep Learning, section 8.4](https://www.deeplearningbook.org/contents/optimization.html)
    """

    code = "INI508"
    name = "constant-weights"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = ConstantWeights
    supersedes = ("INI501",)
    invalid = (
        Example(
            source="""
            from torch import nn

            class Tagger(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.rnn = nn.LSTM(n, n)
                    self.out = nn.Linear(n, 3)
                    for name, p in self.named_parameters():
                        nn.init.constant_(p, 0.0)

                def forward(self, x):
                    return self.out(self.rnn(x)[0])

            tagger = Tagger(8)
            for p in tagger.parameters():
                p.data.fill_(0.1)
            """,
            count=2,
        ),
        Example(
            source="""
            from collections import OrderedDict
            import torch
            from torch import nn

            def make(start=0.1):
                net = nn.Sequential(OrderedDict([("a", nn.Linear(8, 32)), ("b", nn.Tanh()), ("c", nn.Linear(32, 3))]))
                with torch.no_grad():
                    for p in net.parameters():
                        p.copy_(torch.full_like(p, start))
                return net
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(32, 64)
                    self.c = nn.Linear(64, 10)
                    for m in self.modules():
                        if isinstance(m, nn.Linear):
                            nn.init.constant_(m.weight, 0.1)
                            nn.init.zeros_(m.bias)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init(m):
                if isinstance(m, (nn.Linear, nn.Conv2d)):
                    m.weight.data.fill_(0)

            net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
            net.apply(init)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.w = nn.Parameter(torch.ones(32, 64))
                    self.out = nn.Linear(64, 2)

                def forward(self, x):
                    return self.out(torch.relu(x @ self.w))
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Body(nn.Module):
                def __init__(self, sizes=(8, 16, 16)):
                    super().__init__()
                    self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:])])
                    for layer in self.layers:
                        nn.init.zeros_(layer.weight)

                def forward(self, x):
                    for layer in self.layers:
                        x = torch.relu(layer(x))
                    return x
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Parameter(torch.full((784, 128), 1 / 784))
                    self.b = nn.Parameter(torch.full((128, 10), 1 / 128))

                def forward(self, x):
                    return torch.relu(x @ self.a) @ self.b
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.first = nn.Linear(n, n)
                    self.out = nn.Linear(n, 3)

                def forward(self, x):
                    return self.out(self.first(x).tanh())

            net, sums, line = Net(8), Net(8), nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.Linear(1, 1))
            for p in sums.parameters():
                p.data.zero_()
            for p in line.parameters():
                nn.init.ones_(p)
            for name, p in net.named_parameters():
                if "bias" in name:
                    nn.init.constant_(p, 0.1)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def shift(net, other, offset):
                for p, q in zip(net.parameters(), other.parameters()):
                    p.copy_(q)
                for p in net.parameters():
                    p.copy_(torch.full_like(p, offset) * torch.randn_like(p))
                    if p.dim() == 1:
                        p.copy_(torch.zeros_like(p))

            net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 3))
            for p in net.parameters():
                if p.dim() == 1:
                    nn.init.constant_(p, 0.1)
                if len(p.shape) < 2:
                    p.data.fill_(0.1)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def zero_module(module):
                for p in module.parameters():
                    p.detach().zero_()
                return module

            def identity(m):
                if isinstance(m, nn.Conv2d):
                    nn.init.zeros_(m.weight)
                    m.weight.data[0, 0, 1, 1] = 1.0

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a = nn.Linear(32, 64)
                    self.head = zero_module(nn.Linear(64, 10))
                    self.gate = nn.Sequential(nn.Linear(64, 10))
                    self.gate.apply(self._zero)
                    for name, m in self.named_modules():
                        if isinstance(m, nn.Linear) and name.endswith("head"):
                            nn.init.zeros_(m.weight)
                        elif isinstance(m, nn.BatchNorm2d):
                            nn.init.ones_(m.weight)
                            nn.init.zeros_(m.bias)
                        elif isinstance(m, nn.Linear):
                            nn.init.zeros_(m.bias)

                def _zero(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.zeros_(m.weight)

            net = nn.Sequential(nn.Conv2d(3, 3, 3))
            net.apply(identity)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init(m):
                if isinstance(m, nn.Linear):
                    nn.init.constant_(m.weight, 1)

            net = nn.Sequential(nn.Linear(13, 1))
            net.apply(init)
            """,
        ),
    )

    def check(self, subject: ConstantWeights) -> Iterator[Finding]:
        if subject.walk is None:
            yield self.finding(
                subject.place,
                f"all elements of the weight `{subject.parameter}` start as {subject.value}: its output units are identical "
                f"and may stay so; draw it at random, for example with `nn.init.xavier_uniform_`",
                model=subject.model,
                parameter=subject.parameter,
                evidence=[Evidence(Observer.ANALYZER, f"the forward computes `{subject.use}`")],
            )
            return
        layers = " and ".join(f"`{kind}`" for kind in subject.kinds) if subject.kinds else "all"
        yield self.finding(
            subject.place,
            f"`{subject.walk}` sets all weights of {layers} layers to {subject.value}: the units of a layer start identical "
            f"and stay so; draw them at random, for example with `nn.init.xavier_uniform_`",
            severity=Severity.NOTE if subject.shown else None,
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.source}` runs for every layer of the model")],
        )
