"""INI220: a write to a name that a layer does not have."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import MisnamedParameter


class MisnamedParameterWritten(Rule[MisnamedParameter]):
    """
    ## What it does
    Reports a write to a torch layer under a name that is nearly that of a parameter, such as `weights` instead of `weight`.

    ## Why is this bad?
    The layer computes with `weight` and `bias`. An assignment to another name registers a second parameter, which nothing
    reads: pretrained vectors are not used, and the layer keeps its random values. Initialization of such a name raises
    AttributeError.

    ## Example
    ```python
    self.words = nn.Embedding(1000, 64)
    self.words.weights = nn.Parameter(vectors)
    ```

    ## Use instead
    ```python
    self.words = nn.Embedding(1000, 64)
    self.words.weight = nn.Parameter(vectors)
    ```

    ## Known problems
    Only usual misspellings are known. A name that the project reads, or has as a string, is not reported.

    ## References
    - [nn.Embedding](https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html)
    """

    code = "INI220"
    name = "misnamed-parameter"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = MisnamedParameter
    invalid = (
        Example(
            source="""
            from torch import nn

            class Tagger(nn.Module):
                def __init__(self, vectors):
                    super().__init__()
                    self.words = nn.Embedding(1000, 64)
                    self.words.weights = nn.Parameter(vectors)

                def forward(self, x):
                    return self.words(x)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    nn.init.xavier_uniform_(self.fc.weights)
                    self.fc.biases.data.zero_()
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Masked(nn.Module):
                def __init__(self, mask):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.fc.weights = nn.Parameter(mask)
                    nn.init.zeros_(self.fc.bias)

                def forward(self, x):
                    return self.fc(x) * self.fc.weights
            """,
        ),
    )

    def check(self, subject: MisnamedParameter) -> Iterator[Finding]:
        name = subject.target.rpartition(".")[2]
        message = f"`{subject.layer}` has no `{name}`: this raises AttributeError; did you mean `{subject.meant}`?"
        if not subject.raises:
            message = (
                f"`{subject.layer}` computes with `{subject.meant}`, and nothing reads `{name}`: this assignment has no "
                f"effect; did you mean `{subject.meant}`?"
            )
        yield self.finding(
            subject.place,
            message,
            evidence=[Evidence(Observer.ANALYZER, f"`{subject.target}` is no parameter of the layer")],
        )
