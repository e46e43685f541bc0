"""INI226: layers in a plain list, or a tensor that requires a gradient, which the module does not register."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.registration import PlainAttribute

INSTEAD = {
    "tensor": "nn.Parameter",
    "dictionary": "nn.ModuleDict",
    "list": "nn.ModuleList",
    "tuple": "nn.ModuleList",
} | {
    f"{kind} of parameters": f"nn.Parameter{'Dict' if kind == 'dictionary' else 'List'}"
    for kind in ("list", "tuple", "dictionary")
}


class UnregisteredAttribute(Rule[PlainAttribute]):
    """
    ## What it does
    Reports layers that the constructor of a module puts into a plain list, tuple or dictionary and that its methods call,
    and at most initialize or move, and parameters that it puts there and that its methods compute with. Also reports a tensor
    that the forward uses, and that is made with `requires_grad=True`, filled by a function of `nn.init`, or a constant zero or
    one that something is multiplied by, and one of random numbers in a class with layers.

    ## Why is this bad?
    A module registers attributes that are modules or parameters; it looks into no list, and a tensor is no parameter.
    `parameters()` and `apply(init)` skip what is not registered: no initializer reaches it, no optimizer trains it,
    `state_dict()` does not contain it, and `model.to(device)` leaves it where it is. Random numbers are then other ones in each
    program, so that loaded layers meet others than those they were trained with.

    ## Example
    ```python
    self.layers = [nn.Linear(64, 64) for _ in range(4)]
    self.scale = torch.ones(64, requires_grad=True)
    ```

    ## Use instead
    ```python
    self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(4))
    self.scale = nn.Parameter(torch.ones(64))
    ```

    ## Known problems
    A class that uses the attribute in another way, registers layers by name, hands out their parameters or freezes them is
    not reported, nor is an attribute that code outside of the class uses: that may train it. In 132 repositories of users
    it reports two classes, both rightly, and nothing in thirteen releases, timm, transformers and torch_geometric among
    them. A tensor of random numbers is a warning, and a note where no program of the project saves or loads a state; in 14
    repositories of users that make such tensors it reports one, rightly.

    ## References
    - [nn.ModuleList](https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html)
    """

    code = "INI226"
    name = "unregistered-attribute"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = PlainAttribute
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self, d, n):
                    super().__init__()
                    self.ws = [nn.Parameter(torch.randn(d, d) / d**0.5) for _ in range(n)]

                def forward(self, x):
                    for w in self.ws:
                        x = torch.tanh(x @ w)
                    return x
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.layers = [nn.Linear(8, 8) for _ in range(n)]

                def forward(self, x):
                    for layer in self.layers:
                        x = layer(x).relu()
                    return x
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, sizes):
                    super().__init__()
                    convs = []
                    for size in sizes:
                        convs.append(nn.Conv1d(8, 8, size))
                    self.convs = convs
                    self.heads = {}
                    for name in ("a", "b"):
                        self.heads[name] = nn.Linear(8, 1)

                def forward(self, x, name):
                    return self.heads[name](sum(conv(x).mean(-1) for conv in self.convs))
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.fc = nn.Linear(d, d)

                def forward(self, x):
                    return x + self.fc(x)

            class Net(nn.Module):
                def __init__(self, d):
                    super().__init__()
                    self.blocks = []
                    for i in range(3):
                        self.blocks.append(Block(d))

                def forward(self, x):
                    for i in range(len(self.blocks)):
                        x = self.blocks[i](x)
                    return x
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Product(nn.Module):
                def __init__(self, fields, d, out):
                    super().__init__()
                    self.w = torch.randn((fields * d, out), requires_grad=True)
                    self.b = torch.zeros(out).requires_grad_()
                    self.fc = nn.Linear(out, 1)

                def forward(self, x):
                    return self.fc(torch.matmul(x, self.w) + self.b)
            """,
            count=2,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Dense(nn.Module):
                def __init__(self, n, m, kernel_init=nn.init.xavier_normal_):
                    super().__init__()
                    self.kernel = kernel_init(torch.empty(n, m))
                    self.bias = nn.init.zeros_(torch.empty(m))
                    self.alpha = torch.zeros(m)
                    self.norm = nn.BatchNorm1d(m)

                def forward(self, x):
                    x = self.norm(x @ self.kernel + self.bias)
                    return x.relu() - self.alpha * (-x).relu()
            """,
            count=3,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Fourier(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.frequencies = torch.randn(2, 64) * 10
                    self.head = nn.Linear(64, 1)

                def forward(self, x):
                    return self.head((x @ self.frequencies).sin())
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Masked(nn.Module):
                def __init__(self, n, weights=None):
                    super().__init__()
                    self.mask = torch.ones(n)
                    self.mask[0] = 0
                    self.state = torch.zeros(n)
                    self.weights = torch.ones(n) if weights is None else weights
                    self.scale = torch.ones(n)
                    if weights is not None:
                        self.scale = weights
                    self.frequencies = torch.randn(n, n)
                    w = nn.init.orthogonal_(torch.empty(n, n))
                    self.w = nn.Parameter(w)

                def forward(self, x):
                    x = x * self.mask * self.weights * self.scale + self.state
                    return torch.cos(x @ self.frequencies) @ self.w
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Registered(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.layers = []
                    for i in range(n):
                        self.layers.append(nn.Linear(8, 8))
                    self.all = nn.ModuleList(self.layers)

                def forward(self, x):
                    for layer in self.layers:
                        x = layer(x)
                    return x

            class Named(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.layers = []
                    for i in range(n):
                        layer = nn.Linear(8, 8)
                        self.layers.append(layer)
                        self.add_module(f"layer{i}", layer)

                def forward(self, x):
                    for layer in self.layers:
                        x = layer(x)
                    return x

            class Set(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.layers = [nn.Linear(8, 8) for _ in range(n)]
                    for i, layer in enumerate(self.layers):
                        self.__setattr__(f"layer{i}", layer)

                def forward(self, x):
                    for layer in self.layers:
                        x = layer(x)
                    return x

            class Sequence(nn.Module):
                def __init__(self):
                    super().__init__()
                    layers = [nn.Linear(8, 8), nn.ReLU()]
                    layers.append(nn.Linear(8, 1))
                    self.net = nn.Sequential(*layers)
                    self.activations = [nn.ReLU(), nn.Tanh()]
                    self.sizes = [8, 8]

                def forward(self, x):
                    for act in self.activations:
                        x = act(x)
                    return self.net(x)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Loss(nn.Module):
                def __init__(self, teacher):
                    super().__init__()
                    self.teacher = [teacher]
                    self.features = [nn.Conv2d(3, 8, 3) for _ in range(2)]
                    for each in self.features:
                        each.requires_grad_(False)

                def forward(self, x):
                    return sum(each(x).mean() for each in self.features) + self.teacher[0](x)

            class Ensemble(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.members = [nn.Linear(8, 1) for _ in range(n)]

                def forward(self, x):
                    return torch.stack([each(x) for each in self.members])

            class Search(nn.Module):
                def __init__(self, ops):
                    super().__init__()
                    self.alphas = torch.zeros(ops, requires_grad=True)
                    self.betas = torch.zeros(ops, requires_grad=True)
                    self.arch = [self.betas]

                def forward(self, x):
                    return x * (self.alphas.softmax(0) + self.betas).sum()

            search = Search(4)
            search_optimizer = torch.optim.Adam([search.alphas])

            ensemble = Ensemble(4)
            optimizers = [torch.optim.SGD(each.parameters(), 0.1) for each in ensemble.members]
            """,
        ),
    )

    def check(self, subject: PlainAttribute) -> Iterator[Finding]:
        if subject.kind == "random tensor":
            yield self.finding(
                subject.place,
                f"`{subject.attribute}` is a plain tensor of random numbers, so `state_dict()` does not contain it: a model that "
                "loads its layers computes with other numbers than it was trained with; use `register_buffer`, or "
                "`nn.Parameter` if it is to be trained",
                evidence=[Evidence(Observer.ANALYZER, "the forward computes with it, and layers are trained on that")],
                severity=Severity.WARNING if subject.saved else Severity.NOTE,
                model=subject.model,
            )
            return
        is_tensor = subject.kind == "tensor"
        what, them = ("it", "it") if is_tensor else (f"its layers (`{subject.source}`)", "them")
        what = "them" if subject.kind.endswith("parameters") else what
        yield self.finding(
            subject.place,
            f"`{subject.attribute}` is a plain {subject.kind}, so the module does not register {what}: no initializer, "
            f"optimizer or `state_dict()` reaches {them}; use `{INSTEAD[subject.kind]}`",
            evidence=[Evidence(Observer.ANALYZER, f"{subject.model} uses it, and nothing else does")],
            severity=Severity.NOTE if subject.shown else None,
            model=subject.model,
        )
