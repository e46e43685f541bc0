"""INI504: a container that holds the same layer several times."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Applicability, Category, Comprehend, Evidence, Finding, Fix, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.layers import RepeatedLayer


class RepeatedReference(Rule[RepeatedLayer]):
    """
    ## What it does
    Reports `nn.ModuleList([layer] * n)` and `nn.Sequential(*[layer] * n)` of a layer with parameters or buffers, and
    the same by a comprehension, `[layer for _ in range(n)]`, or by a loop that appends a layer created before it.

    ## Why is this bad?
    Multiplying a list repeats references: the container holds the same layer n times. The model has the intended depth,
    but the parameters of a single layer.

    ## Example
    ```python
    self.layers = nn.ModuleList([nn.Linear(8, 8)] * 6)
    ```

    ## Use instead
    ```python
    self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(6)])
    ```

    ## Known problems
    A layer with a name may be shared on purpose: it is not reported when the code around it mentions sharing or tying,
    or uses the layer elsewhere too. No bug of this kind has been found in released code yet: the two such containers in
    transformers 5.23.0 share on purpose.

    ## References
    - [Common sequence operations](https://docs.python.org/3/library/stdtypes.html#common-sequence-operations)
    - [nn.ModuleList](https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html)
    """

    code = "INI504"
    name = "repeated-reference"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = RepeatedLayer
    invalid = (
        Example(
            source="""
            from torch import nn

            def clones(module, n):
                return nn.ModuleList([module for _ in range(n)])

            layers = clones(nn.TransformerEncoderLayer(8, 2), 6)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, depth):
                    super().__init__()
                    self.layers = nn.ModuleList([nn.Linear(8, 8)] * depth)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Block(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(8, 8, 3)

            def stack(depth):
                block = Block()
                return nn.Sequential(*[block] * depth)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, depth):
                    super().__init__()
                    layer = nn.Linear(8, 8)
                    self.layers = nn.ModuleList()
                    for _ in range(depth):
                        self.layers.append(layer)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            class Decoder(nn.Module):
                def __init__(self, d, n):
                    super().__init__()
                    layer = nn.TransformerDecoderLayer(d, 4)
                    self.layers = nn.ModuleList(layer for _ in range(n))
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            class Tower(nn.Module):
                def __init__(self, c, n):
                    super().__init__()
                    block = nn.Conv2d(c, c, 3)
                    layers = []
                    for _ in range(n):
                        layers += [block, nn.ReLU()]
                    self.layers = nn.Sequential(*layers)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            def tower(c, n):
                conv = nn.Conv2d(c, c, 3)
                layers = []
                for _ in range(n):
                    layers.extend([conv, nn.ReLU()])
                return nn.Sequential(*layers)
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            def repeated(module, n):
                return nn.ModuleList([module for _ in range(n)])

            activations = repeated(nn.ReLU(), 6)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, depth):
                    super().__init__()
                    self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(depth)])
                    self.activations = nn.ModuleList([nn.ReLU()] * depth)
                    self.widths = [8] * depth
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Detector(nn.Module):
                def __init__(self, depth):
                    super().__init__()
                    shared_head = nn.Linear(8, 4)
                    self.heads = nn.ModuleList([shared_head] * depth)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def tower(c, n):
                act = nn.ReLU()
                layers = [nn.Conv2d(c, c, 3)]
                for _ in range(n):
                    conv = nn.Conv2d(c, c, 3)
                    layers += [conv, act]
                return nn.Sequential(*layers)
            """,
        ),
    )

    def check(self, subject: RepeatedLayer) -> Iterator[Finding]:
        advice = "create a new layer each time, unless sharing is intended"
        if "(" in subject.layer:
            advice = f"create a new one each time, as in `[{subject.layer} for _ in range(n)]`"
        asked = "; so far, all who build the class ask for one at most" if subject.once else ""
        yield self.finding(
            subject.place,
            f"`{subject.source}` repeats one layer: all items share its parameters{asked}; {advice}",
            severity=Severity.NOTE if subject.once else Severity.WARNING if subject.listed else None,
            evidence=[Evidence(Observer.ANALYZER, "all items are the same object")],
            fix=self.made_anew(subject),
        )

    @staticmethod
    def made_anew(subject: RepeatedLayer) -> Fix | None:
        """Return the fix: a new layer for each item; None when the source does not show how to create one."""
        if "(" not in subject.layer:
            return None
        remedy = Comprehend(place=subject.place)
        return Fix(Applicability.UNSAFE, f"Write `[{subject.layer} for _ in ...]`", remedies=(remedy,))
