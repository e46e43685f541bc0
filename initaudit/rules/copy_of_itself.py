"""INI509: the parameters of a model are copied to the model itself, under a second name or the same."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.layers import SharedModel


class CopyOfItself(Rule[SharedModel]):
    """
    ## What it does
    Reports a second name for a model (`self.target = model.to(device)`) if the code then copies the parameters of the model
    from one name to the other, as for a target network or a moving average. It also reports a function that copies the
    parameters of a model to the same name (`self.target.load_state_dict(self.target.state_dict())`).

    ## Why is this bad?
    `to`, `cuda`, `train` and `eval` return the module itself. Both names stand for one network: the copy changes nothing, and
    the target moves with every step of the optimizer.

    ## Example
    ```python
    self.policy = model.to(device)
    self.target = model.to(device)
    self.target.load_state_dict(self.policy.state_dict())
    ```

    ## Use instead
    ```python
    self.policy = model.to(device)
    self.target = copy.deepcopy(self.policy)
    ```

    ## Known problems
    Only assignments of one function are compared, and only copies in the same class or function are seen. What a test
    loads into the same model, to see that it can, is not reported.

    ## References
    - [The report in easy-rl](https://github.com/datawhalechina/easy-rl/issues/140)
    - [nn.Module.to](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.to)
    """

    code = "INI509"
    name = "copy-of-itself"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = SharedModel
    invalid = (
        Example(
            source="""
            from torch import nn

            class Agent:
                def __init__(self, model, device):
                    self.policy = model.to(device)
                    self.target = model.to(device)
                    self.target.load_state_dict(self.policy.state_dict())
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Agent:
                def __init__(self):
                    self.policy = nn.Linear(4, 2)
                    self.target = nn.Linear(4, 2)

                def update(self):
                    self.target.load_state_dict(self.policy.state_dict())
                    self.target = self.policy
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Agent:
                def __init__(self):
                    self.policy = nn.Linear(4, 2)
                    self.target = nn.Linear(4, 2)

                def update(self):
                    self.target.load_state_dict(self.target.state_dict())

                def follow(self, tau):
                    for into, of in zip(self.target.parameters(), self.target.parameters()):
                        into.data.copy_(tau * of.data + (1 - tau) * into.data)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn, optim

            class Trainer:
                def __init__(self, net):
                    self.net = net
                    self.optim = self.new_optim(0.1)

                def new_optim(self, lr):
                    return optim.SGD(self.net.parameters(), lr=lr, momentum=0.9)

                def new_lr(self, lr):
                    new = self.new_optim(lr)
                    new.load_state_dict(self.optim.state_dict())
                    self.optim = new

                def to_half(self):
                    half = nn.Linear(4, 2).half()
                    half.load_state_dict(self.net.state_dict())
                    self.net = half

            def rebuilt(old):
                new = nn.Linear(4, 2)
                for into, of in zip(new.parameters(), old.parameters()):
                    into.data.copy_(of.data)
                old = new
                return old
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Agent:
                def __init__(self):
                    self.policy, self.target, self.best = nn.Linear(4, 2), nn.Linear(4, 2), nn.Linear(4, 2)

                def update(self, other):
                    self.target.load_state_dict(self.policy.state_dict())
                    self.other = other

                def restore(self):
                    self.best.load_state_dict(self.policy.state_dict())
                    self.policy = self.target
            """,
        ),
        Example(
            source="""
            import copy

            from torch import nn

            class Agent:
                def __init__(self, model, device):
                    self.policy = model.to(device)
                    self.target = copy.deepcopy(model).to(device)
                    self.target.load_state_dict(self.policy.state_dict())
            """,
        ),
    )

    def check(self, subject: SharedModel) -> Iterator[Finding]:
        if subject.name == subject.other:
            yield self.finding(
                subject.place,
                f"the parameters of `{subject.name}` are copied to `{subject.name}`, which changes nothing; was another "
                "model meant?",
                evidence=[Evidence(Observer.ANALYZER, "the copy is from and to the same name")],
            )
            return
        yield self.finding(
            subject.place,
            f"`{subject.name}` is the same object as `{subject.other}`, so copying the parameters from one to the other changes "
            "nothing; make it by `copy.deepcopy`",
            evidence=[Evidence(Observer.ANALYZER, f"they are copied at {subject.copied.seen_from(subject.place)}")],
        )
