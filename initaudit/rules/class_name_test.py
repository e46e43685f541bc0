"""INI304: an initializer that tests for part of a class name, and reaches a module without the attribute that it writes."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Default, Example, Rule
from initaudit.subjects.module_tests import ClassNameTest


class ClassName(Rule[ClassNameTest]):
    """
    ## What it does
    Reports `classname.find("Conv") != -1` in a function that is applied to every module, if a class in the same file has such
    a name but not the attribute that is then initialized.

    ## Why is this bad?
    `ConvBlock` and `ConvDiscriminator` have "Conv" in their names, as `Conv2d` does, but have no weight: `apply` raises
    AttributeError when it reaches one. The name of a class does not say which attributes it has.

    ## Example
    ```python
    def weights_init(m):
        classname = m.__class__.__name__
        if classname.find("Conv") != -1:
            m.weight.data.normal_(0.0, 0.02)
    ```

    ## Use instead
    ```python
    def weights_init(m):
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            m.weight.data.normal_(0.0, 0.02)
    ```

    ## Known problems
    Only classes and calls of `apply` in the same file as the function are checked. Such code does not run, so releases do not
    contain it: in about 30 of them the rule reported nothing, right or wrong. Building such a model raises, which the
    probe reports as INI003, at the line that reads the attribute. A test that no class passes is not reported, because
    initializers for many models have such tests.

    ## References
    - [isinstance](https://docs.python.org/3/library/functions.html#isinstance)
    - [vid2vid#11: "Conv" is in the name of the model itself](https://github.com/createamind/vid2vid/issues/11)
    """

    code = "INI304"
    name = "class-name-test"
    category = Category.SUSPICIOUS
    severity = Severity.WARNING
    default = Default.PREVIEW
    observers = ANALYZER
    subject = ClassNameTest
    invalid = (
        Example(
            source="""
            from torch import nn

            def weights_init(m):
                classname = m.__class__.__name__
                if classname.find("Conv") != -1:
                    m.weight.data.normal_(0.0, 0.02)

            class ConvNet(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.layer = nn.Conv2d(3, 8, 3)

            net = ConvNet()
            net.apply(weights_init)
            """,
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            def weights_init(m):
                classname = m.__class__.__name__
                if classname.find("Conv") != -1 and hasattr(m, "weight"):
                    m.weight.data.normal_(0.0, 0.02)
                elif classname.find("BatchNorm2d") != -1:
                    m.weight.data.normal_(1.0, 0.02)

            class ConvNet(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.layer = nn.Conv2d(3, 8, 3)

            net = ConvNet()
            net.apply(weights_init)
            """,
        ),
        Example(
            source="""
            from torch import nn

            def weights_init(m):
                if "Conv" in type(m).__name__:
                    nn.init.normal_(m.weight, 0.0, 0.02)

            class ConvBlock(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.layer = nn.Conv2d(3, 8, 3)

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.first = nn.Conv2d(3, 8, 3)
                    self.apply(weights_init)
            """,
        ),
    )

    def check(self, subject: ClassNameTest) -> Iterator[Finding]:
        cls = subject.model.rpartition(".")[2]
        yield self.finding(
            subject.place,
            f"`{subject.source}` is true for `{cls}` too, which has no `{subject.attribute}`; test with `isinstance`",
            evidence=[Evidence(Observer.ANALYZER, f"the function is applied to a model that is or contains a `{cls}`")],
        )
