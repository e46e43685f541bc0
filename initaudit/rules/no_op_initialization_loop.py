"""INI201: a loop over a model's parameters or modules that has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.loops import ModelLoop


class NoOpInitializationLoop(Rule[ModelLoop]):
    """
    ## What it does
    Reports a `for` loop over the parameters or modules of a model whose body has no effect: it only passes, or evaluates
    names, subscripts and comparisons and discards the result. Also reports a loop that initializes, if `return` or `break`
    ends it in its first round, and a loop over an iterator (`params = net.parameters()`, a `filter`, a generator) of which
    an earlier statement has taken all.

    ## Why is this bad?
    Such a loop was meant to initialize the model. It runs without an error and does not change the model, or no more of it
    than the first parameter or module; the first of `modules()` is the model itself.

    ## Example
    ```python
    for name, p in model.named_parameters():
        if "weight" in name:
            p.data
        elif "bias" in name:
            pass
    ```

    ## Use instead
    ```python
    for name, p in model.named_parameters():
        if "weight" in name:
            nn.init.xavier_uniform_(p)
        elif "bias" in name:
            nn.init.zeros_(p)
    ```

    ## Known problems
    A loop that only counts or collects is not reported, and neither is one that calls anything that may have an effect.
    Rare in released code; its precision is not well measured.

    ## References
    - [Module.named_parameters](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.named_parameters)
    - [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
    """

    code = "INI201"
    name = "no-op-initialization-loop"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ModelLoop
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            net = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
            params = net.parameters()
            optimizer = torch.optim.SGD(params, lr=0.1)
            for p in params:
                nn.init.normal_(p, std=0.01)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
            for name, p in model.named_parameters():
                if name.find("weight") != -1:
                    p[0]
                elif name.find("bias") != -1:
                    pass
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(net: nn.Module):
                for m in net.modules():
                    if isinstance(m, nn.Linear):
                        m.weight.data
                        m.bias
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(3, 4)
                    for p in self.parameters():
                        p.requires_grad == False
            """,
        ),
        Example(
            source="""
            from torch import nn

            def build():
                net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
                for m in net.modules():
                    if isinstance(m, nn.Conv2d):
                        nn.init.xavier_uniform_(m.weight)
                    return net
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
            for name, p in model.named_parameters():
                if name.endswith("weight"):
                    nn.init.xavier_uniform_(p)
                else:
                    pass
            """,
        ),
        Example(
            source="""
            from torch import nn

            model = nn.Linear(3, 4)
            for p in model.parameters():
                p.requires_grad = False
            for p in model.parameters():
                p.requires_grad_(True)
            for m in model.modules():
                m.to("cpu")
            """,
        ),
        Example(
            source="""
            from torch import nn

            model = nn.Linear(3, 4)
            total = 0
            names = []
            for name, p in model.named_parameters():
                total += p.numel()
                names.append(name)
            for name, p in model.named_parameters():
                print(name, p.shape)
            for name, p in model.named_parameters():
                assert p.dim() > 0, name
            """,
        ),
        Example(
            source="""
            from torch import nn

            def weights(model: nn.Module):
                for name, p in model.named_parameters():
                    if name.endswith("weight"):
                        yield p

            def first_bias(model: nn.Module):
                for name, p in model.named_parameters():
                    if name.endswith("bias"):
                        return p
                return None
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            model = nn.Linear(3, 4)
            for p in model.parameters():
                p.data = torch.zeros_like(p)
            for p in model.parameters():
                p.data[:] = 0
            for p in model.parameters():
                with torch.no_grad():
                    p *= 0.5
            """,
        ),
        Example(
            source="""
            from torch import nn

            model = nn.Linear(3, 4)
            for name, p in model.named_parameters():
                if p.dim() < 2:
                    break
            print(name)
            """,
        ),
    )

    def check(self, subject: ModelLoop) -> Iterator[Finding]:
        if subject.ends is not None:
            yield self.finding(
                subject.ends,
                f"this line ends the loop over `{subject.model}.{subject.iterates.value}()` in its first round, so that only the "
                "first one can be initialized; move it behind the loop",
                evidence=[Evidence(Observer.ANALYZER, "it is the last statement of the loop, without a condition")],
            )
        if subject.used_up is not None:
            yield self.finding(
                subject.place,
                f"nothing is left of `{subject.model}`, an iterator that {subject.used_up.seen_from(subject.place)} used up: this "
                "loop never runs; make a list of it",
                evidence=[Evidence(Observer.ANALYZER, "an iterator gives each parameter once")],
            )
        if subject.effect:
            return
        yield self.finding(
            subject.place,
            f"this loop over `{subject.model}.{subject.iterates.value}()` changes nothing: its body has no effect",
            evidence=[Evidence(Observer.ANALYZER, "no statement of the body writes to the model or to anything else")],
        )
