"""INI206: a tensor passed to a helper that initializes modules."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import (
    Applicability,
    Category,
    Evidence,
    Finding,
    Fix,
    Observer,
    Recall,
    Remedy,
    Replace,
    Severity,
)
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import HelperCall

NAMED_AFTER = {
    "trunc_normal_init": "trunc_normal_",
    "normal_init": "normal_",
    "uniform_init": "uniform_",
    "constant_init": "constant_",
    "xavier_init": "xavier_normal_",
    "kaiming_init": "kaiming_normal_",
}
"""Helpers of mmcv and mmengine, and the functions of `nn.init` that they call."""


class WrongInitializerArgument(Rule[HelperCall]):
    """
    ## What it does
    Reports a parameter that is passed to a helper for modules: `constant_init(m.weight, 1)`. Such a helper initializes the
    weight of its argument, and does nothing if the argument has no weight. Also reports a model that is passed to a function
    for its layers: `init_weights(self)` of a function that does nothing unless its argument is an `nn.Linear`.

    ## Why is this bad?
    Such a helper checks `hasattr(module, "weight")` first. A tensor has no such attribute, so the call silently does nothing
    and the parameter does not change.

    ## Example
    ```python
    from mmcv.cnn import trunc_normal_init


    def init_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Linear):
                trunc_normal_init(m.weight, std=0.02)
    ```

    ## Use instead
    ```python
    from mmcv.cnn import trunc_normal_init


    def init_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Linear):
                trunc_normal_init(m, std=0.02)
    ```

    ## Known problems
    initaudit reads the helper if its source is available, and knows those of mmcv and mmengine by name. A helper that does
    anything outside of its check is not judged. In the 25,000 files of 62 released projects the rule reports eleven calls,
    each of which does nothing.

    ## References
    - [The fix in mmdetection](https://github.com/open-mmlab/mmdetection/pull/6432)
    """

    code = "INI206"
    name = "wrong-initializer-argument"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = HelperCall
    supersedes = ("INI101", "INI102")
    invalid = (
        Example(
            source="""
            import torch
            from mmcv.cnn import trunc_normal_init
            from torch import nn

            class Positions(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.pos_embed = nn.Parameter(torch.zeros(1, n))

                def init_weights(self):
                    trunc_normal_init(self.pos_embed, std=0.02)
            """
        ),
        Example(
            source="""
            from torch import nn

            def normal_init(module, std):
                if hasattr(module, "weight") and module.weight is not None:
                    nn.init.normal_(module.weight, 0, std)
                if hasattr(module, "bias") and module.bias is not None:
                    nn.init.zeros_(module.bias)

            def build():
                layer = nn.Linear(3, 4)
                normal_init(layer.weight, 0.02)
                return layer
            """
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.embed = nn.Embedding(n, n)
                    self.head = nn.Linear(n, n)
                    init_weights(self)

                def forward(self, x):
                    return self.head(self.embed(x))

            def init_weights(module):
                if isinstance(module, (nn.Linear, nn.Embedding)):
                    nn.init.normal_(module.weight, std=0.02)
            """,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            from mmcv.cnn import trunc_normal_init
            from mmcv.cnn.utils.weight_init import trunc_normal_
            from torch import nn

            def init_weights(model):
                for m in model.modules():
                    if isinstance(m, nn.Linear):
                        trunc_normal_init(m, std=0.02)
                    elif isinstance(m, nn.Embedding):
                        trunc_normal_(m.weight, std=0.02)
            """
        ),
        Example(
            source="""
            from torch import nn

            def normal_init(module, std):
                if hasattr(module, "weight"):
                    nn.init.normal_(module.weight, 0, std)
                else:
                    nn.init.normal_(module, 0, std)

            layer = nn.Linear(3, 4)
            normal_init(layer.weight, 0.02)
            """
        ),
    )

    def check(self, subject: HelperCall) -> Iterator[Finding]:
        if subject.argument == "self":
            yield self.finding(
                subject.place,
                f"`{subject.helper}` initializes single layers and does nothing to `self`, which is none of them; call it for each, "
                "as `self.apply` does",
                evidence=[Evidence(Observer.ANALYZER, f"the helper does nothing unless `{subject.guard}`")],
                model=subject.model,
            )
            return
        module = f"pass `{subject.module}`, or " if subject.parameter is None else ""
        yield self.finding(
            subject.place,
            f"`{subject.helper}` initializes modules and does nothing to the tensor `{subject.argument}`; "
            f"{module}initialize the tensor with `nn.init`",
            evidence=[Evidence(Observer.ANALYZER, f"the helper does nothing unless `{subject.guard}`")],
            model=subject.model,
            parameter=subject.parameter,
            fix=self.given_the_module(subject),
        )

    @staticmethod
    def given_the_module(subject: HelperCall) -> Fix | None:
        """Return the fix that passes the module, or that calls the function of `nn.init` for a parameter of `self`."""
        if subject.parameter is None:
            remedy: Remedy = Replace(place=subject.place, old=subject.argument, new=subject.module)
            return Fix(Applicability.UNSAFE, f"Pass `{subject.module}`", remedies=(remedy,))
        helper = subject.helper.rpartition(".")[2]
        function = NAMED_AFTER.get(helper)
        if function is None:
            return None
        remedy = Recall(
            place=subject.place, old=helper, function=f"torch.nn.init.{function}", drop=("bias", "distribution")
        )
        return Fix(Applicability.UNSAFE, f"Call `nn.init.{function}`", remedies=(remedy,))
