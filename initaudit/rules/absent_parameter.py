"""INI315: a write of a parameter that its layer is made without."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.initializers import AbsentParameter


class WriteOfAbsentParameter(Rule[AbsentParameter]):
    """
    ## What it does
    Reports the initialization of a `bias` or `weight` that a layer does not have, because it is created with `bias=False`,
    `affine=False` or `elementwise_affine=False`.

    ## Why is this bad?
    The layer registers the name as None, and None has neither `data` nor `fill_`: the statement raises AttributeError.

    ## Example
    ```python
    self.conv = nn.Conv2d(3, 8, 3, bias=False)
    self.conv.bias.data.fill_(0)
    ```

    ## Use instead
    ```python
    self.conv = nn.Conv2d(3, 8, 3, bias=False)
    self.bn = nn.BatchNorm2d(8)
    ```

    ## Known problems
    A layer that is created in several places is not judged, nor is one whose flag is a variable. A function is judged by what
    the same file gives it.

    ## References
    - [nn.Module.register_parameter](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_parameter)
    """

    code = "INI315"
    name = "absent-parameter"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = AbsentParameter
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 8, 3, bias=False)
                    self.conv.bias.data.fill_(0)
            """,
        ),
        Example(
            source="""
            from torch import nn

            norm = nn.BatchNorm2d(8, affine=False)
            nn.init.ones_(norm.weight)
            nn.init.zeros_(norm.bias)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, bias=False):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 8, 3, bias=False)
                    self.fc = nn.Linear(8, 2, bias=bias)
                    if self.conv.bias is not None:
                        self.conv.bias.data.fill_(0)
                    if bias:
                        nn.init.zeros_(self.fc.bias)
            """,
        ),
    )

    def check(self, subject: AbsentParameter) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            f"`{subject.target}` is None, because `{subject.made}` creates the layer without it, so this line raises an exception; "
            f"remove it, or create the layer with the parameter",
            evidence=[Evidence(Observer.ANALYZER, f"only `{subject.made}` creates the layer")],
        )
