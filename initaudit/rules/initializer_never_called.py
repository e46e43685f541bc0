"""INI213: an initializer that nothing in the project calls."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import UncalledInitializer


class InitializerNeverCalled(Rule[UncalledInitializer]):
    """
    ## What it does
    Reports a method of a module class, or a function of a script, that initializes parameters but that nothing in the project
    calls, mentions or passes on.

    ## Why is this bad?
    The model does not get the initialization that its author wrote. Nothing fails: torch's layers initialize themselves, so
    the model trains, only differently.

    ## Example
    ```python
    class SEBlock(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.fc = nn.Linear(n, n)

        def init_weights(self):
            nn.init.normal_(self.fc.weight, std=0.001)
    ```

    ## Use instead
    ```python
    class SEBlock(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.fc = nn.Linear(n, n)
            self.init_weights()

        def init_weights(self):
            nn.init.normal_(self.fc.weight, std=0.001)
    ```

    ## Known problems
    A public method may be meant for users of a library. `reset_parameters`, which frameworks call, is reported only if
    a class in the same file calls its own and nothing calls any other. A method is not reported if the bases of its
    class cannot be read, or if every object of the class gets a checkpoint at once. It is a note if another method of
    the class fills the object from a checkpoint, or if a program that builds the model initializes its layers in
    another way, or loads them; to copy the weights of one object to another initializes neither.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI213"
    name = "initializer-never-called"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = UncalledInitializer
    invalid = (
        Example(
            source="""
            from torch import nn

            class SEBlock(nn.Module):
                def __init__(self, n=8):
                    super().__init__()
                    self.fc = nn.Linear(n, n)

                def init_weights(self):
                    for m in self.modules():
                        if isinstance(m, nn.Linear):
                            nn.init.normal_(m.weight, std=0.001)

            if __name__ == "__main__":
                print(SEBlock())
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 8, 3)

                def draw(self):
                    for m in self.modules():
                        if isinstance(m, nn.Conv2d):
                            nn.init.xavier_normal(m.weight.data)

            net = Net()
            """,
        ),
        Example(
            source="""
            from torch import nn

            def weights_init(m):
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)

            net = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
            for step in range(3):
                print(net)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)

                def __init_weights__(self):
                    nn.init.orthogonal_(self.fc.weight)

                def forward(self, x):
                    return self.fc(x)

            net = Net()
            torch.optim.SGD(net.parameters(), lr=0.1)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Bayes(nn.Module):
                def __init__(self, n=8):
                    super().__init__()
                    self.mean = nn.Parameter(torch.zeros(n))

                def sample(self, times):
                    samples = []
                    for _ in range(times):
                        samples.append(self.mean + self.mean.data.new(self.mean.size()).normal_())
                    return samples

                def forward(self, x):
                    return x * self.mean

            net = Bayes()
            torch.optim.SGD(net.parameters(), lr=0.1)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n=8):
                    super().__init__()
                    self.fc = nn.Linear(n, n)
                    self.init_weights()

                def init_weights(self):
                    nn.init.normal_(self.fc.weight, std=0.001)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self, n=8):
                    super().__init__()
                    self.fc = nn.Linear(n, n)

                def init_weights(self):
                    nn.init.normal_(self.fc.weight, std=0.001)

            def make():
                block = Block()
                block.init_weights()
                return block
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(module, std=0.02):
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=std)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.__init_weights__()
                    self.__start()

                def __init_weights__(self):
                    nn.init.orthogonal_(self.fc.weight)

                def __start(self):
                    nn.init.zeros_(self.fc.bias)

                def __setstate__(self, state):
                    super().__setstate__(state)
                    nn.init.zeros_(self.fc.bias)

                def forward(self, x):
                    return self.fc(x)

            net = Net()
            torch.optim.SGD(net.parameters(), lr=0.1)
            """,
        ),
    )

    def check(self, subject: UncalledInitializer) -> Iterator[Finding]:
        what = "method" if subject.model is not None else "function"
        message = f"nothing in the project calls `{subject.name}`, so it initializes nothing"
        if subject.siblings:
            call = "call theirs" if len(subject.siblings) > 1 else "calls its own"
            message += f"; {', '.join(f'`{name}`' for name in subject.siblings)} {call}"
        if subject.drawn:
            message += "; the code that builds the model initializes or loads its layers instead"
        yield self.finding(
            subject.place,
            message,
            model=subject.model,
            severity=Severity.NOTE if subject.loaded or subject.drawn else None,
            evidence=[Evidence(Observer.ANALYZER, f"no file of the project mentions this {what}")],
        )
