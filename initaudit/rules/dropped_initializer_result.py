"""INI214: a helper whose values do not reach the parameter that it is given."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.lost_writes import DroppedInitializerResult


class DroppedInitializerResultRule(Rule[DroppedInitializerResult]):
    """
    ## What it does
    Reports a call of a helper that returns a new tensor for its argument, if the result is discarded. Also reports
    `net.apply(helper)`, if the helper makes new tensors from the parameters of a module and returns them,
    `layer.bias = helper(layer.bias)`, if the helper writes in place and returns nothing, and
    `nn.Sequential(helper(nn.Linear(4, 8)))` for the same reason.

    ## Why is this bad?
    In the first two cases the parameters do not change. In the third the parameter becomes None, and the layer silently
    loses it; in the fourth the layer itself is lost.

    ## Example
    ```python
    def scaled(w):
        w = torch.randn_like(w) * 0.02
        return w

    scaled(self.fc.weight)
    ```

    ## Use instead
    ```python
    def scaled_(w):
        with torch.no_grad():
            w.normal_(std=0.02)

    scaled_(self.fc.weight)
    ```

    ## Known problems
    None known.

    ## References
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI214"
    name = "dropped-initializer-result"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = DroppedInitializerResult
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            def scaled(w):
                w = torch.randn_like(w) * 0.02
                return w

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    scaled(self.fc.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def zero(b):
                nn.init.zeros_(b)

            net = nn.Linear(4, 4)
            net.bias = zero(net.bias)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def scaled(w):
                w = torch.randn_like(w) * 0.02
                return w

            class Scale(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.gain = nn.Parameter(torch.zeros(4))
                    scaled(self.gain)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            def init_weights(m):
                if isinstance(m, nn.Linear):
                    weight = torch.randn(m.weight.size()) * 0.02
                    bias = torch.zeros(m.bias.size())
                    return weight, bias

            model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
            model.apply(init_weights)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def layer_init(layer, std=1.0):
                nn.init.orthogonal_(layer.weight, std)
                nn.init.zeros_(layer.bias)

            def critic(d):
                return nn.Sequential(layer_init(nn.Linear(d, 64)), nn.Tanh(), nn.Linear(64, 1))
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            def scaled(w):
                w = torch.randn_like(w) * 0.02
                return w

            def zero_(b):
                nn.init.zeros_(b)
                return b

            net = nn.Linear(4, 4)
            net.weight.data = scaled(net.weight)
            zero_(net.bias)
            net.bias = zero_(net.bias)
            """,
        ),
    )

    def check(self, subject: DroppedInitializerResult) -> Iterator[Finding]:
        if subject.layer:
            message = f"`{subject.helper}` returns nothing, so None takes the place of `{subject.target}`; end it with `return` and the layer"
            seen = f"`{subject.helper}` has no `return` with a value"
        elif subject.returns_none:
            message = f"`{subject.helper}` returns nothing, so `{subject.target}` becomes None; call it without assigning the result"
            seen = f"`{subject.helper}` has no `return` with a value"
        elif subject.applied:
            message = (
                f"`{subject.helper}` makes new tensors and returns them, and `apply` drops what a function returns: the modules "
                f"keep what they hold; write in place, for example with `nn.init`"
            )
            seen = f"`apply` is given `{subject.helper}`"
        else:
            kept = "keeps what was written in place before" if subject.written else "does not change"
            message = (
                f"`{subject.helper}` returns a new tensor, which is discarded: `{subject.target}` {kept}; write in "
                f"place in the helper, or assign its result to `{subject.target}.data`"
            )
            seen = f"`{subject.helper}` rebinds its argument to a new tensor"
        yield self.finding(subject.place, message, evidence=[Evidence(Observer.ANALYZER, seen)])
