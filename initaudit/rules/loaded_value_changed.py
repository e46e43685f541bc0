"""INI110: a value of a state dict that the model changes when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.lost_on_meta import ChangedOnLoad


class LoadedValueChanged(Rule[ChangedOnLoad]):
    """
    ## What it does
    Reports a parameter or buffer that does not hold the value of the state dict that was loaded: something initializes it
    again afterwards, or computes it anew from what was loaded each time.

    ## Why is this bad?
    A pretrained value is lost without a word, or a scale is applied once more with every save and load.

    ## Example
    ```python
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(8, 8)
            self.head = nn.Linear(8, 2)
            self.register_load_state_dict_post_hook(reset_if_missing)

    def reset_if_missing(model, keys):
        if keys.missing_keys:
            nn.init.normal_(model.body.weight, std=0.02)
            nn.init.normal_(model.head.weight, std=0.02)
    ```

    ## Use instead
    ```python
    def reset_if_missing(model, keys):
        for key in keys.missing_keys:
            if key.endswith("weight"):
                nn.init.normal_(model.get_parameter(key), std=0.02)
    ```

    ## Known problems
    Only a replay shows it: `initaudit probe TARGET --missing-keys PATTERN`, or `--state-dict FILE`. A value that is converted
    when it is loaded, and stays the same when the model's own state is loaded, is not reported. An integer of which only one
    value is loaded is not judged.

    ## References
    - [torch.nn.Module.load_state_dict](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict)
    """

    code = "INI110"
    name = "loaded-value-changed"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = PROBE
    subject = ChangedOnLoad
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.body = nn.Linear(8, 8)
                    self.head = nn.Linear(8, 2)
                    self.register_load_state_dict_post_hook(reset_if_missing)

            def reset_if_missing(model, keys):
                if keys.missing_keys:
                    nn.init.normal_(model.body.weight, std=0.02)
                    nn.init.normal_(model.head.weight, std=0.02)
            """,
            target="Net",
            missing_keys=("head.*",),
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scaled(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.head = nn.Linear(8, 2)
                    self.register_load_state_dict_post_hook(scale)

            def scale(model, keys):
                with torch.no_grad():
                    model.fc.weight.mul_(8 ** -0.5)
            """,
            target="Scaled",
            missing_keys=("head.bias",),
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.body = nn.Linear(8, 8)
                    self.head = nn.Linear(8, 2)
                    self.register_load_state_dict_post_hook(reset_if_missing)

            def reset_if_missing(model, keys):
                for key in keys.missing_keys:
                    if key.endswith("weight"):
                        nn.init.normal_(model.get_parameter(key), std=0.02)
            """,
            target="Net",
            missing_keys=("head.*",),
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Bounded(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(8, 8)
                    self.head = nn.Linear(8, 2)
                    self.register_load_state_dict_post_hook(bound)

            def bound(model, keys):
                with torch.no_grad():
                    model.fc.weight.clamp_(-0.1, 0.1)
            """,
            target="Bounded",
            missing_keys=("head.bias",),
        ),
    )

    def check(self, subject: ChangedOnLoad) -> Iterator[Finding]:
        message = (
            f"the loaded value of `{subject.name}` is overwritten; initialize only what was not loaded"
            if subject.overwritten
            else f"`{subject.name}` is computed anew from its loaded value each time a state dict is loaded; do it once, in "
            "`__init__`"
        )
        more = f"; in {len(subject.paths)} places" if len(subject.paths) > 1 else ""
        yield self.finding(
            subject.place,
            message,
            evidence=[
                Evidence(
                    Observer.PROBE,
                    f"{subject.elements} of {subject.total} elements are not what was loaded; replayed: {subject.loaded}{more}",
                )
            ],
            model=subject.model,
            parameter=subject.name,
        )
