"""INI306: a test of parameter names that no parameter of the model passes."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.naming import OF_PARAMETERS
from initaudit.rules.base import BOTH, Example, Rule
from initaudit.subjects.module_tests import NameTest

SHOWN = 6


class NeverMatchingName(Rule[NameTest]):
    """
    ## What it does
    Reports `if "linear" in name:` in a loop that initializes the parameters of a model, where no parameter of that model can have
    such a name, and `name == "out.weight"` where `out` is an attribute of a part of the model only.

    ## Why is this bad?
    The branch never runs, and the parameters that it should initialize keep their values. Parameters are named after
    attributes ("fc.weight") and positions ("0.weight"), not after the types of layers.

    ## Example
    ```python
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    for name, p in model.named_parameters():
        if name.find("linear") != -1:
            nn.init.xavier_uniform_(p)
    ```

    ## Use instead
    ```python
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    ```

    ## Known problems
    The finding is a note if the loop initializes other parameters: code for several models tests for names that not all of
    them have. The analyzer knows the names only if every layer of the model is known, so it reports little. The probe knows
    all names, but only those of the model that it builds: a helper for several models may be meant for another one.
    It does not report the names of torch's own parameters ("bias", "weight_hh"), because a model without them has nothing
    to initialize there. No finding on released code is known, right or wrong: such loops are rare there. Of 151
    released models that were built, four have such a loop, and each of its tests matches a name.

    ## References
    - [Module.named_parameters](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.named_parameters)
    """

    code = "INI306"
    name = "never-matching-name"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    observers = BOTH
    subject = NameTest
    invalid = (
        Example(
            source="""
            from torch import nn

            class Autoencoder(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.encoder = nn.Linear(n, 4)
                    self.decoder = nn.Linear(4, n)

            model = Autoencoder(32)
            for name, p in model.named_parameters():
                if name == "weight":
                    nn.init.xavier_uniform_(p)
            """,
        ),
        Example(
            source="""
            from torch import nn

            model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
            for name, p in model.named_parameters():
                if name.find("linear") != -1:
                    nn.init.xavier_uniform_(p)
            """,
        ),
        Example(
            target="Net",
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3, 4)
                    self.norm = nn.LayerNorm(4)
                    for name, p in self.named_parameters():
                        if "LayerNorm" in name:
                            nn.init.ones_(p)
                        elif name.endswith("kernel"):
                            p.data.normal_(0, 0.02)
            """,
            count=2,
        ),
    )
    valid = (
        Example(
            target="Net",
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3, 4)
                    self.rnn = nn.LSTM(4, 4)
                    for name, p in self.named_parameters():
                        if "fc" in name and name.endswith("weight"):
                            nn.init.xavier_uniform_(p)
                        elif "bias" in name or name.startswith("rnn.weight_hh"):
                            nn.init.zeros_(p)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Base(nn.Module):
                def draw(self):
                    for name, p in self.named_parameters():
                        if "embed" in name or "bias_ih" in name:
                            nn.init.zeros_(p)

            class Tagger(Base):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Linear(4, 4)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init(model: nn.Module):
                for name, p in model.named_parameters():
                    if "kernel" in name:
                        nn.init.xavier_uniform_(p)
            """,
        ),
    )

    def check(self, subject: NameTest) -> Iterator[Finding]:
        names = ", ".join(f"`{name}`" for name in subject.known[:SHOWN]) or "numbers"
        of = "of the built model" if subject.observer is Observer.PROBE else "of the model"
        missing = f"has `{subject.part}` in its name; test the type of the module instead"
        evidence = f"parameter names {of} consist of {names} and those of torch's layers"
        if subject.whole and "." in subject.part:
            missing = f"is named `{subject.part}`: its names start with its own attributes; test how the name ends"
            evidence = f"its own attributes are {names}"
        elif subject.whole and subject.part in OF_PARAMETERS:
            whole = f"{next(iter(subject.known), 0)}.{subject.part}"
            missing = f"is named `{subject.part}`: their names are as `{whole}`; test how the name ends"
        elif subject.whole:
            missing = f"is named `{subject.part}`: their names are as `{subject.part}.weight`; test how the name starts"
        elif subject.near is not None:
            missing = f"has `{subject.part}` in its name; did you mean `{subject.near}`?"
        yield self.finding(
            subject.place,
            f"no parameter of `{subject.model}` {missing}",
            evidence=[Evidence(subject.observer, evidence)],
            severity=Severity.NOTE if subject.others_pass and subject.near is None else None,
        )
