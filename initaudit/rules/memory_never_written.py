"""INI109: a model that gets new memory, of which some or all is never written."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_on_meta import GivenMemory

INITIALIZED = "the code behind `to_empty` writes other parameters of the model"
LOADED = "a state is loaded behind `to_empty`, and no state contains a buffer with `persistent=False`"


class MemoryNeverWritten(Rule[GivenMemory]):
    """
    ## What it does
    Reports `model.to_empty(...)` if the model is called or trained afterwards, and nothing initializes it or loads a state
    into it before that. Reports a parameter or buffer too, if the code behind `to_empty` initializes others of the model and
    leaves this one out, and a buffer with `persistent=False` if the code only loads a state, which does not contain it.

    ## Why is this bad?
    `to_empty` allocates memory for every parameter and buffer and writes none of it. The initial values are lost, and the
    model computes with arbitrary numbers.

    ## Example
    ```python
    with torch.device("meta"):
        model = Net()
    model.to_empty(device="cuda")
    optimizer = torch.optim.AdamW(model.parameters())
    ```

    ## Use instead
    ```python
    with torch.device("meta"):
        model = Net()
    model.to_empty(device="cuda")
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    optimizer = torch.optim.AdamW(model.parameters())
    ```

    ## Known problems
    A model that is passed to a function that cannot be read, returned, or kept in an object is not reported, since other code
    may initialize it. A buffer that is left out is reported only if its class reads it and never writes it. The
    part about what is left out reports nothing in seven releases and in 14 repositories of users that call `to_empty`.

    ## References
    - [nn.Module.to_empty](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.to_empty)
    - [Meta device](https://docs.pytorch.org/docs/stable/meta.html)
    """

    code = "INI109"
    name = "memory-never-written"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = GivenMemory
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            with torch.device("meta"):
                model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
            model = model.to_empty(device="cpu")
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def train(x):
                model = nn.Linear(4, 4)
                nn.init.eye_(model.weight)
                model.to_empty(device="cuda")
                model.train()
                return model(x)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Router(nn.Module):
                def __init__(self, dim):
                    super().__init__()
                    self.gate = nn.Linear(dim, 4)
                    self.scale = nn.Parameter(torch.ones(4))

                def init_weights(self):
                    self.gate.reset_parameters()

            with torch.device("meta"):
                router = Router(8)
            router.to_empty(device="cuda")
            router.init_weights()
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Positions(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.scale = nn.Linear(1, 1)
                    self.register_buffer("steps", torch.arange(n).float(), persistent=False)

                def forward(self, x):
                    return self.scale(x) + self.steps

            def load(path, x):
                with torch.device("meta"):
                    model = Positions(8)
                model.to_empty(device="cuda")
                model.load_state_dict(torch.load(path))
                return model(x)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            def load(x, state):
                with torch.device("meta"):
                    model = nn.Linear(4, 4)
                model.to_empty(device="cuda")
                model.load_state_dict(state)
                return model(x)

            def reset(x):
                with torch.device("meta"):
                    model = nn.Linear(4, 4)
                model.to_empty(device="cuda")
                model.reset_parameters()
                return model(x)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Router(nn.Module):
                def __init__(self, dim):
                    super().__init__()
                    self.gate = nn.Linear(dim, 4)
                    self.scale = nn.Parameter(torch.ones(4))

                def init_weights(self):
                    self.gate.reset_parameters()

            def build():
                router = Router(8).to_empty(device="cuda")
                router.init_weights()
                return router

            with torch.device("meta"):
                router = Router(8)
            router.to_empty(device="cuda")
            router.init_weights()
            nn.init.ones_(router.scale)
            """,
        ),
    )

    def check(self, subject: GivenMemory) -> Iterator[Finding]:
        if subject.left:
            names = " and ".join(f"`{each}`" for each in subject.left)
            yield self.finding(
                subject.place,
                f"`{subject.model}` gets new memory in {subject.used.seen_from(subject.place)}, and nothing writes {names} of "
                f"`{subject.cls.rpartition('.')[2]}` after that: the values of the constructor are lost; initialize "
                f"{'them' if len(subject.left) > 1 else 'it'} {'after' if subject.loaded else 'where'} the other parameters"
                f"{'' if subject.loaded else ' are'}",
                evidence=[Evidence(Observer.ANALYZER, LOADED if subject.loaded else INITIALIZED)],
                model=subject.cls,
                parameter=subject.left[0],
            )
            return
        yield self.finding(
            subject.place,
            f"`{subject.model}` gets new memory here and is used in {subject.used.seen_from(subject.place)} before anything "
            f"writes it; initialize it, or load a state, between the two",
            evidence=[Evidence(Observer.ANALYZER, "`to_empty` allocates and writes nothing")],
        )
