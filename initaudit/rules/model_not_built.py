"""INI003: a model that could not be built."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import PROBE, Example, Rule
from initaudit.subjects.builds import BuildFailure


class ModelNotBuilt(Rule[BuildFailure]):
    """
    ## What it does
    Reports a model whose constructor raises an exception, does not end in time, or ends the process.

    ## Why is this bad?
    A model that cannot be built can be neither audited nor trained. The finding is at the line of user code where
    construction ended.

    ## Example
    ```python
    class Net(nn.Module):
        def __init__(self, width=3):
            super().__init__()
            if width % 2:
                raise ValueError("width must be even")
    ```

    ## Use instead
    ```python
    class Net(nn.Module):
        def __init__(self, width=4):
            super().__init__()
            if width % 2:
                raise ValueError("width must be even")
    ```
    or pass the arguments that the constructor needs: `--kwargs '{"width": 4}'`.

    ## Known problems
    The rule runs under every selection; only its own code turns it off (`--ignore INI003`).
    If the process is killed, the line is unknown, and the finding is at the definition of the target. The time limit
    (`--timeout`) is wall-clock time, so a loaded machine needs a larger one.

    ## References
    - [torch.nn.Module](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html)
    """

    code = "INI003"
    name = "model-not-built"
    category = Category.TOOL
    severity = Severity.ERROR
    always = True
    observers = PROBE
    subject = BuildFailure
    invalid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, width=3):
                    super().__init__()
                    if width % 2:
                        raise ValueError("width must be even")
            """,
            target="Net",
        ),
    )
    valid = (
        Example(
            source="""
            from torch import nn

            class Net(nn.Module):
                def __init__(self, width=4):
                    super().__init__()
                    if width % 2:
                        raise ValueError("width must be even")
            """,
            target="Net",
        ),
    )

    def check(self, subject: BuildFailure) -> Iterator[Finding]:
        verb = {"raised": "raised", "hung": "hung:", "died": "died:"}[subject.how]
        missing = " and ".join(f"`{name}`" for name in subject.missing)
        advice = f"; pass {missing} with `--kwargs`, or name a function that builds it" if missing else ""
        yield self.finding(
            subject.place,
            f"building `{subject.target}` {verb} {subject.detail}{advice}",
            model=subject.target,
            evidence=[Evidence(Observer.PROBE, f"construction {subject.how}")],
        )
