"""INI305: a parameter that is subscripted as if it were a module with a weight and a bias."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Distinguish, Evidence, Finding, Fix, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.loops import ModelLoop


class ParameterIndexedAsModule(Rule[ModelLoop]):
    """
    ## What it does
    Reports `p[0]` and `p[1]` used as weight and bias, if `p` is one tensor that a loop over `named_parameters()` yields. Each
    loop is reported once, at the first such subscript.

    ## Why is this bad?
    `named_parameters()` yields each weight and each bias separately. `p[0]` is the first row of a weight, or the first
    element of a bias, not a parameter.

    ## Example
    ```python
    for name, p in model.named_parameters():
        if "linear" in name:
            p[0]  # the weight?
            p[1]  # the bias?
    ```

    ## Use instead
    ```python
    for name, p in model.named_parameters():
        if name.endswith("weight"):
            nn.init.xavier_uniform_(p)
        elif name.endswith("bias"):
            nn.init.zeros_(p)
    ```

    ## Known problems
    A subscript whose value is used is not reported, because a row may be meant.
    Rare in released code; its precision is not well measured.

    ## References
    - [Module.named_parameters](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.named_parameters)
    """

    code = "INI305"
    name = "parameter-indexed-as-module"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ModelLoop
    invalid = (
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Linear(3, 4), nn.Conv1d(3, 4, 1))
            for name, p in net.named_parameters():
                if name.find("linear") != -1:
                    p[0]
                    p[1]
                elif name.find("conv") != -1:
                    p[0]
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            net = nn.Linear(3, 4)
            for item in net.named_parameters():
                if "weight" in item[0]:
                    nn.init.xavier_uniform_(item[1])
            """,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Embedding(3, 4)
            for name, p in net.named_parameters():
                p.data[0].fill_(0)
                p.data[1] = 1.0
                print(name, p[0])
            """,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Sequential(nn.Linear(3, 4)))
            for m in net.children():
                m[0].reset_parameters()
            """,
        ),
    )

    def check(self, subject: ModelLoop) -> Iterator[Finding]:
        if subject.indexed is None or not subject.iterates.tensors:
            return
        name = subject.indexed_name or "the loop variable"
        yield self.finding(
            subject.indexed,
            f"`{name}` is one tensor, not a module: subscripting it gives a row, not its weight or bias; "
            "tell weight and bias apart by name or by `dim()`",
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.iterates.value}()` yields tensors")],
            fix=self.distinguished(subject),
        )

    @staticmethod
    def distinguished(subject: ModelLoop) -> Fix | None:
        """Return the fix that tells weights and biases apart by their dimensions."""
        if subject.indexed is None or subject.indexed_name is None:
            return None
        remedy = Distinguish(place=subject.indexed, name=subject.indexed_name)
        name = subject.indexed_name
        return Fix(Applicability.UNSAFE, f"Initialize `{name}` depending on `{name}.dim()`", remedies=(remedy,))
