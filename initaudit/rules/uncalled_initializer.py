"""INI205: a statement that names an initializer without calling it."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Call, Category, Evidence, Finding, Fix, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import BareReference


class UncalledInitializer(Rule[BareReference]):
    """
    ## What it does
    Reports a statement that names an initializer without calling it: `self.reset_parameters`, `nn.init.xavier_uniform_`,
    `net.apply`, `target.load_state_dict`. Also reports a `map` or a generator that would call one, if nothing iterates over it.

    ## Why is this bad?
    Python looks up the name and does nothing else. The parameters that the call would initialize keep their values, or stay
    uninitialized.

    ## Example
    ```python
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
        self.reset_parameters
    ```

    ## Use instead
    ```python
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
        self.reset_parameters()
    ```

    ## Known problems
    The fix adds a pair of parentheses if the call needs no argument. It is unsafe, because the call then runs.
    Rare in released code; its precision is not well measured.

    ## References
    - [Expression statements](https://docs.python.org/3/reference/simple_stmts.html#expression-statements)
    """

    code = "INI205"
    name = "uncalled-initializer"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = BareReference
    supersedes = ("INI101", "INI102")
    invalid = (
        Example(
            source="""
            from functools import partial
            from torch import nn

            class Head(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.out = nn.Linear(n, n)
                    partial(nn.init.normal_, self.out.weight, std=0.02)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.layers = nn.ModuleList([nn.Linear(n, n), nn.Tanh()])
                    self.layers[0].reset_parameters
                    (nn.init.zeros_(layer.bias) for layer in self.layers)

            Net(4).apply(lambda m: nn.init.xavier_uniform_ if isinstance(m, nn.Linear) else None)
            """,
            count=3,
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    self.reset_parameters

                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.weight)
            """,
            fixed="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.empty(3, 4))
                    self.reset_parameters()

                def reset_parameters(self):
                    nn.init.xavier_uniform_(self.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn import init

            net = nn.Linear(3, 4)
            init.xavier_uniform_
            net.apply
            """,
            count=2,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
            (nn.init.zeros_(m.bias) for m in net.modules() if isinstance(m, nn.Linear))
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.layers = nn.ModuleList([nn.Linear(n, n), nn.Tanh()])
                    self.layers[0].reset_parameters()
                    [nn.init.zeros_(layer.bias) for layer in self.layers[:1]]
                    self.start = self.layers[0].reset_parameters

            Net(4).apply(lambda m: nn.init.xavier_uniform_(m.weight) if isinstance(m, nn.Linear) else None)
            """,
        ),
        Example(
            source="""
            from torch import nn
            from torch.nn import init

            INITIALIZERS = {"xavier": init.xavier_uniform_}
            net = nn.Linear(3, 4)
            initialize = init.xavier_uniform_
            initialize(net.weight)
            net.reset_parameters()
            """,
        ),
        Example(
            source="""
            from torch.nn import init

            try:
                init.trunc_normal_
            except AttributeError:
                init.trunc_normal_ = init.normal_
            """,
        ),
    )

    def check(self, subject: BareReference) -> Iterator[Finding]:
        left = f"; {_listed(subject.parameters)} not initialized" if subject.parameters else ""
        message, seen = f"`{subject.source}` is named but not called{left}", "the statement contains no call"
        if subject.within is not None:
            message = f"nothing iterates over this {subject.within}, so `{subject.source}` is never called{left}; write a loop"
            seen = "the statement drops what it makes"
        yield self.finding(
            subject.place,
            message,
            evidence=[Evidence(Observer.ANALYZER, seen)],
            model=subject.model,
            parameter=subject.parameters[0] if len(subject.parameters) == 1 else None,
            affects=subject.parameters,
            fix=self.called(subject),
        )

    @staticmethod
    def called(subject: BareReference) -> Fix | None:
        """Return the fix that adds the call; None if it needs an argument."""
        if not subject.callable_without_arguments:
            return None
        return Fix(Applicability.UNSAFE, f"Call `{subject.source}`", remedies=(Call(place=subject.place),))


def _listed(parameters: tuple[str, ...]) -> str:
    """Return the parameters with their verb: "`weight` is", or "`weight` and `bias` are"."""
    *others, last = (f"`{parameter}`" for parameter in parameters)
    return f"{', '.join(others)} and {last} are" if others else f"{last} is"
