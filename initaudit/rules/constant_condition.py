"""INI309: a condition of an initialization that is always or never true."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.module_tests import ConstantTest


class ConstantCondition(Rule[ConstantTest]):
    """
    ## What it does
    Reports a condition that decides which parameters are initialized but does not test what it should:
    `"conv" or "head" in name` (a non-empty string is true), `isinstance(p, nn.Linear)` of a parameter or of a pair from
    `named_modules()` (never true), `name.find("weight")` (-1 is true), `m.__class__.__name__ == "Conv"` (no class has that
    name), `p.dim == 1` (compares the method, not its result), a test for kinds of layers that the model does not have, or for
    a text that the function which names the kind never returns, `bias is None` before `bias` is initialized, and
    `not self.training` in a constructor.

    ## Why is this bad?
    The condition has the same outcome for all parameters, or the wrong outcome for some. A parameter then keeps its values, or
    gets those of the wrong branch. Only an order comparison with a method, such as `p.dim > 1`, raises TypeError; the others
    go unnoticed.

    ## Example
    ```python
    for name, p in net.named_parameters():
        if "conv" or "head" in name:
            nn.init.xavier_uniform_(p)
    ```

    ## Use instead
    ```python
    for name, p in net.named_parameters():
        if "conv" in name or "head" in name:
            nn.init.xavier_uniform_(p)
    ```

    ## Known problems
    None known.

    ## References
    - [Boolean operations](https://docs.python.org/3/reference/expressions.html#boolean-operations)
    - [str.find](https://docs.python.org/3/library/stdtypes.html#str.find)
    """

    code = "INI309"
    name = "constant-condition"
    category = Category.CORRECTNESS
    severity = Severity.ERROR
    observers = ANALYZER
    subject = ConstantTest
    supersedes = ("INI101", "INI102")
    invalid = (
        Example(
            source="""
            from torch import nn

            def group(m):
                if isinstance(m, nn.Linear):
                    return "fc"
                return "other"

            def init(m):
                k = group(m)
                if k == "conv":
                    nn.init.kaiming_normal_(m.weight)
                elif k == "fc":
                    nn.init.normal_(m.weight, std=0.01)
            """,
            advice=True,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2))
            for m in net.named_modules():
                if isinstance(m, nn.Linear):
                    nn.init.xavier_uniform_(m.weight)
            for name, p in net.named_parameters():
                if "bias" or "1." in name:
                    continue
                nn.init.normal_(p, std=0.02)
            """,
            count=2,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, 2))
            for name, m in net.named_modules():
                if isinstance(m, nn.Conv2d):
                    if "conv" or "head" in name:
                        nn.init.normal_(m.weight, std=0.01)
                    else:
                        nn.init.kaiming_uniform_(m.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(4, 4)
                    for p in self.parameters():
                        if isinstance(p, nn.Linear):
                            nn.init.kaiming_normal_(p.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def weights_init(m):
                classname = m.__class__.__name__
                if classname.find("Conv"):
                    nn.init.normal_(m.weight, 0.0, 0.02)

            nn.Sequential(nn.Conv2d(3, 8, 3)).apply(weights_init)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def weights_init(m):
                classname = m.__class__.__name__
                if classname.find("conv") != -1:
                    nn.init.normal_(m.weight, 0.0, 0.02)
                elif "batchnorm" in classname:
                    nn.init.normal_(m.weight, 1.0, 0.02)
                elif type(m).__name__.startswith("layernorm"):
                    nn.init.zeros_(m.bias)

            nn.Sequential(nn.Conv2d(3, 8, 3)).apply(weights_init)
            """,
            count=3,
        ),
        Example(
            source="""
            from torch import nn

            def weights_init(m):
                if m.__class__.__name__ == "Conv":
                    nn.init.normal_(m.weight, 0.0, 0.02)

            nn.Sequential(nn.Conv2d(3, 8, 3)).apply(weights_init)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Gan(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.body = nn.Sequential(nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 1))
                    self._draw(self.body)

                def _draw(self, m):
                    if isinstance(m, nn.Linear):
                        nn.init.normal_(m.weight, 0.0, 0.02)
                        nn.init.zeros_(m.bias)
            """,
        ),
        Example(
            source="""
            import torch
            from torch import nn

            class Scale(nn.Module):
                def __init__(self, n, shifts=True):
                    super().__init__()
                    self.weight = nn.Parameter(torch.ones(n))
                    self.bias = nn.Parameter(torch.empty(n)) if shifts else None
                    if self.bias is None:
                        nn.init.zeros_(self.bias)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Generator(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.first = nn.ConvTranspose2d(n, n, 4)
                    self.draw(0.0, 0.02)

                def draw(self, mean, std):
                    for m in self._modules:
                        if isinstance(m, nn.ConvTranspose2d):
                            m.weight.data.normal_(mean, std)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class Head(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.out = nn.Linear(n, n)
                    if not self.training:
                        nn.init.zeros_(self.out.weight)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def init_weights(model):
                for m in model.modules():
                    if hasattr(model, "reset_parameters"):
                        continue
                    if isinstance(m, nn.Linear):
                        nn.init.kaiming_uniform_(m.weight)

            def init_biases(net):
                for name, layer in net.named_modules():
                    if isinstance(net, (nn.Linear, nn.Conv2d)):
                        nn.init.zeros_(layer.bias)
            """,
            count=2,
            advice=True,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            def init_weights(model, skip, head=None):
                for m in model.modules():
                    if skip or hasattr(model, "initialized"):
                        continue
                    if hasattr(model, "weight") and m is not model:
                        continue
                    if isinstance(m, nn.Linear):
                        nn.init.kaiming_uniform_(m.weight)
                if isinstance(model, nn.Linear):
                    nn.init.zeros_(model.bias)
                for model in model.children():
                    if isinstance(model, nn.Linear):
                        nn.init.zeros_(model.bias)
            """,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2))
            for m in net.named_modules():
                if isinstance(m[1], nn.Linear):
                    nn.init.xavier_uniform_(m[1].weight)
            for name, p in net.named_parameters():
                if "bias" in name or "1." in name:
                    continue
                nn.init.normal_(p, std=0.02)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def draw(m, mean, std):
                if isinstance(m, nn.ConvTranspose2d):
                    m.weight.data.normal_(mean, std)

            class Generator(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.first = nn.ConvTranspose2d(n, n, 4)
                    for name in self._modules:
                        draw(self._modules[name], 0.0, 0.02)
                    for m in self._modules.values():
                        if isinstance(m, nn.ConvTranspose2d):
                            nn.init.zeros_(m.bias)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def draw(m):
                if isinstance(m, nn.Linear):
                    nn.init.zeros_(m.bias)

            def draw_all(m):
                for each in m.children():
                    draw(each)
                if isinstance(m, nn.Linear):
                    nn.init.zeros_(m.bias)

            def draw_any(m):
                if isinstance(m, nn.Linear):
                    nn.init.zeros_(m.bias)
                elif isinstance(m, nn.Sequential):
                    for each in m:
                        draw_any(each)

            net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            net.apply(draw)
            draw(net[0])
            draw_all(net)
            draw_any(net)
            """,
        ),
        Example(
            source="""
            from torch import nn

            class conv_block(nn.Conv2d):
                pass

            def weights_init(m, name="conv"):
                classname = m.__class__.__name__
                if classname.find("conv") != -1 or "linear" in classname.lower() or "fc" in classname:
                    nn.init.normal_(m.weight, 0.0, 0.02)
                elif "Norm" in classname or "conv" in name:
                    nn.init.normal_(m.weight, 1.0, 0.02)

            nn.Sequential(nn.Conv2d(3, 8, 3)).apply(weights_init)
            """,
        ),
        Example(
            source="""
            from torch import nn

            net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, 2))
            for name, p in net.named_parameters():
                if "weight" in name and p.dim() > 1 or name == "head":
                    nn.init.normal_(p, std=0.01)
                elif isinstance(p, nn.Parameter):
                    nn.init.zeros_(p)
            for m in net.modules():
                if isinstance(m, nn.Linear) or m.__class__.__name__.find("Conv") != -1 or type(m).__name__ == "Conv2d":
                    nn.init.zeros_(m.bias)
            """,
        ),
    )

    def check(self, subject: ConstantTest) -> Iterator[Finding]:
        meant = f"; write `{subject.fixed}`" if subject.fixed is not None else ""
        yield self.finding(
            subject.place,
            f"`{subject.source}` {self.says(subject.outcome)}: {subject.why}{meant}",
            evidence=[Evidence(Observer.ANALYZER, "the condition decides what is initialized")],
            model=subject.model if subject.parameters else None,
            affects=subject.parameters,
        )

    @staticmethod
    def says(outcome: str) -> str:
        """Return the predicate that says what is wrong with a condition."""
        if outcome == "tests only the last":
            return "tests only its last part"
        if outcome == "raises":
            return "raises TypeError"
        if outcome == "true for nothing":
            return "is the wrong way round"
        return "is true for the wrong names" if outcome == "true for other names" else f"is {outcome}"
