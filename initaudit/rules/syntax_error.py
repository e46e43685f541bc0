"""INI001: a file that cannot be parsed."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.files import SyntaxFault


class SyntaxErrorInFile(Rule[SyntaxFault]):
    """
    ## What it does
    Reports a file that contains something a selected rule looks for, but that Python refuses: it cannot be parsed, or its
    bytes are not text in its declared encoding. In a notebook, each cell that IPython would refuse is reported.

    ## Why is this bad?
    Nothing in the file, or in the cell, was checked. All other files and cells were.

    ## Example
    ```text
    class Net(nn.Module:
        pass
    ```

    ## Use instead
    ```python
    class Net(nn.Module):
        pass
    ```

    ## Known problems
    The rule runs under every selection; only its own code turns it off (`--ignore INI001`).
    A blank to fill in is a note: `<YOUR CODE>`, `???`, a missing value or body beside a comment that asks for it, and in a
    notebook also a missing value or function body without a comment. The cells of a notebook are reported as one finding.
    A cell that holds sentences and no code is a note, and so is a file that only IPython can run, as an export of a
    notebook with `!pip install`. So is a file that nothing imports and that is no program: files pasted into one with a row
    of dashes between them, shell commands, a table, or a report with code in it. So is a draft: a file of functions
    and classes that stops where a value or a body is missing, runs nothing itself, and that nothing else imports.
    Of files written for Python 2, or for a Python before 3.7 in which `async` is a name, the first is an error and the
    others are notes; a cell for Python 2 is a note if its
    notebook names a kernel of Python 2. Files and functions that contain nothing a selected rule looks for are not parsed.
    Templates with the suffix `.py` are reported; exclude them.
    Rare in released code; its precision is not well measured.

    ## References
    - [Python's grammar](https://docs.python.org/3/reference/grammar.html)
    - [Source code encodings (PEP 263)](https://peps.python.org/pep-0263/)
    """

    code = "INI001"
    name = "syntax-error"
    category = Category.TOOL
    severity = Severity.ERROR
    always = True
    observers = ANALYZER
    subject = SyntaxFault
    invalid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__(
                    self.weight = nn.Parameter(torch.empty(3))
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            from torch import nn

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = nn.Parameter(torch.ones(3))
            """,
        ),
    )

    def check(self, subject: SyntaxFault) -> Iterator[Finding]:
        cell = subject.place.cell is not None
        old = bool(subject.older) and not subject.unfinished and not subject.exported and not subject.prose
        what = "the cell is not Python" if cell else "the file cannot be parsed"
        if subject.unfinished:
            what = "the cell is unfinished" if cell else "the file has a blank that is to be filled in"
        if subject.exported:
            what = "the file has commands of IPython"
        if subject.prose:
            what = "the cell is a text for its readers" if cell else "the file is no program"
        remark = f" (it is {subject.older}{', as the notebook says' if subject.declared else ''})"
        mild = subject.unfinished or subject.exported or subject.prose or subject.declared or subject.aside
        what += ", and nothing imports it" * subject.aside
        yield self.finding(
            subject.place,
            f"{what}: {subject.detail}{remark * old}; {'the other cells were checked' if cell else 'nothing in it was checked'}",
            evidence=[Evidence(Observer.ANALYZER, subject.detail)],
            severity=Severity.NOTE if mild else None,
            group=("blanks" if mild else "cells") if cell else "",
            decision="an older Python" if old and not mild else "",
        )
