"""INI203: an initialization of a copy of a parameter, which is then discarded."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Evidence, Finding, Fix, Observer, Severity, Uncopy
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.lost_writes import CopyWrite


class InitializationOfACopy(Rule[CopyWrite]):
    """
    ## What it does
    Reports an in-place initialization of a copy that is not used afterwards: the result of `.clone()`, of indexing a
    parameter with a list or a mask, of a conversion of one, or a copy as a NumPy array. Also reports `apply` of a deep copy
    of a model that is dropped, and values that are put into the dictionary that `state_dict()` returns, if nothing loads it,
    or into `dict(model.named_parameters())`, if nothing uses it.

    ## Why is this bad?
    The parameter does not change: `w[[0, 2]]` and `w[w > 1]` are new tensors, unlike the view `w[0:2]`.

    ## Example
    ```python
    nn.init.zeros_(self.weight[[0, 2]])
    self.weight.data[self.weight > 1].fill_(1)
    ```

    ## Use instead
    ```python
    with torch.no_grad():
        self.weight[[0, 2]] = 0
        self.weight[self.weight > 1] = 1
    ```

    ## Known problems
    `.float()`, `.to()`, `.cpu()` and similar methods return the same tensor if there is nothing to convert: the analyzer
    reports them as a note, and the probe decides. In 80 released projects the rule reports fewer than five writes.

    ## References
    - [Advanced indexing copies](https://docs.pytorch.org/docs/stable/tensor_view.html)
    """

    code = "INI203"
    name = "initialization-of-a-copy"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = BOTH
    subject = CopyWrite
    supersedes = ("INI101", "INI102")
    invalid = (
        Example(
            source="""
            import copy
            import numpy as np
            from torch import nn

            def start(m):
                if isinstance(m, nn.Linear):
                    nn.init.zeros_(m.bias)

            layer = nn.Linear(3, 4)
            w = np.array(layer.weight.data)
            w[:] = np.random.randn(4, 3) * 0.1
            copy.deepcopy(layer).apply(start)
            """,
            count=2,
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def start(table: nn.Embedding, known, rows):
                nn.init.normal_(table.weight[~known], std=0.01)
                table.weight.data[(rows > 5) & known].zero_()
            """,
            count=2,
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.ones(3, 4))
                    nn.init.zeros_(self.weight[[0, 2]])
            """,
            target="Net",
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.randn(3, 4))
                    self.weight.detach().clone().normal_(0, 0.02)
                    self.weight.data[self.weight > 1].fill_(1)
            """,
            target="Net",
            count=2,
            advice=True,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            model = nn.Linear(4, 4)
            target = nn.Linear(4, 4)
            target.state_dict().update(model.state_dict())
            states = model.state_dict()
            for name in states:
                states[name] = torch.zeros_like(states[name])
            """,
            count=2,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            def start(table: nn.Embedding, known, rows):
                with torch.no_grad():
                    table.weight[~known] = 0.01 * torch.randn(int((~known).sum()), 8)
                    nn.init.normal_(table.weight[-1], std=0.01)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.randn(3, 4))
                    with torch.no_grad():
                        self.weight[0:2].fill_(0)
                        self.weight[[0, 2]] = 0
                    self.weight.data = self.weight.data.clone().normal_(0, 0.02)
                    drawn = self.weight.detach().clone()
                    drawn.normal_(0, 0.02)
                    self.weight.data.copy_(drawn)
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
                    self.weight = nn.Parameter(torch.randn(3, 4))
                    self.register_buffer("start", self.weight.detach().clone().zero_())
                    self.first = self.weight.detach().clone()
                    self.first.zero_()
            """,
            target="Net",
        ),
        Example(
            source="""
            import torch
            from torch import nn

            model = nn.Linear(4, 4)
            states = model.state_dict()
            states["bias"] = torch.zeros(4)
            model.load_state_dict(states)
            model.state_dict()["weight"].normal_(std=0.02)
            """,
        ),
    )

    def check(self, subject: CopyWrite) -> Iterator[Finding]:
        copies, does = ("makes", "does") if subject.certain else ("may make", "may")
        why = f"{subject.how} {copies} a copy"
        instead = "write to the parameter itself"
        if subject.how == "`state_dict`":
            why, instead = "`state_dict()` returns a new dictionary", "give the dictionary to `load_state_dict`"
        elif subject.how == "`dict()`":
            why = "`dict()` makes a new dictionary"
        by_probe = subject.observer is Observer.PROBE
        detail = "nothing read the written values" if by_probe else "nothing uses the result"
        yield self.finding(
            subject.place,
            f"{why}, so this write {does} not reach `{subject.target}`; {instead}",
            evidence=[Evidence(subject.observer, detail)],
            severity=None if subject.certain else Severity.NOTE,
            model=subject.model,
            parameter=subject.parameter,
            fix=self.uncopied(subject),
        )

    @staticmethod
    def uncopied(subject: CopyWrite) -> Fix | None:
        """Return the fix that writes to the parameter itself; None if indexing or `state_dict` makes the copy."""
        method = subject.how.strip("`")
        if not method.isidentifier() or method == "state_dict":
            return None
        remedy = Uncopy(place=subject.place, method=method)
        return Fix(Applicability.UNSAFE, f"Write to `{subject.target}` directly", remedies=(remedy,))
