"""Make the files of a new rule, and of a new kind of subject where there is none yet.

    python docs/scaffold.py INI499 zero-gain InitializerCall
    python docs/scaffold.py INI699 default-type-set DefaultSet --family calls --words "set_default_dtype("

With --family, the subject is new: its struct is added to that file of initaudit/subjects/, and a reader is made. What
is left to write stands in capitals. No file that exists is overwritten.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

RULE = '''"""{code}: IN A FEW WORDS."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.finding import Category, Evidence, Finding, Observer, Severity
from initaudit.rules.base import ANALYZER, Example, Rule
from initaudit.subjects.{family} import {subject}


class {cls}(Rule[{subject}]):
    """
    ## What it does
    Reports WHAT.

    ## Why is this bad?
    WHAT FOLLOWS.

    ## Example
    ```python
    WRONG
    ```

    ## Use instead
    ```python
    RIGHT
    ```

    ## Known problems
    WHAT IT MISSES, AND WHAT IT REPORTS WRONGLY.

    ## References
    - [TITLE](ADDRESS)
    """

    code = "{code}"
    name = "{name}"
    category = Category.CORRECTNESS
    severity = Severity.WARNING
    observers = ANALYZER
    subject = {subject}
    invalid = (
        Example(
            source="""
            import torch
            """,
        ),
    )
    valid = (
        Example(
            source="""
            import torch
            """,
        ),
    )

    def check(self, subject: {subject}) -> Iterator[Finding]:
        yield self.finding(
            subject.place,
            "WHAT IS WRONG; WHAT FOLLOWS; WHAT TO WRITE INSTEAD",
            evidence=[Evidence(Observer.ANALYZER, "WHAT WAS SEEN")],
        )
'''
FACT = '''

class {subject}(Fact, frozen=True, kw_only=True):
    """WHAT STANDS THERE, NOT WHETHER IT IS WRONG."""

    place: Place
'''
FAMILY = '''"""WHAT THIS FAMILY OF FACTS IS ABOUT."""

from __future__ import annotations

from initaudit.finding import Place
from initaudit.subjects.base import Fact
'''
READER = '''"""WHAT IS LOOKED FOR."""

from __future__ import annotations

from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.syntax.context import {scope}
from initaudit.subjects.{family} import {subject}


@reads({subject}, scope={scope}, words="{words}")
def {function}({argument}: {scope}) -> Iterator[{subject}]:
    """WHAT IS YIELDED."""
    yield from ()
'''
FIXTURE = '''"""WHAT THIS FILE SHOWS."""

import torch

WRONG = torch  # finds: {code}


# --- Correct code that looks wrong ---------------------------------------------------------------------------------
'''


def main() -> None:
    """Write the files that are asked for, and print their names."""
    options = _parsed(sys.argv[1:])
    subjects = options.root / "initaudit" / "subjects"
    family = options.family or _family(subjects, options.subject)
    if family is None:
        raise SystemExit(
            f"{options.subject} is no subject yet: say with --family in which file of subjects/ it belongs"
        )
    names = {
        "code": options.code,
        "name": options.name,
        "cls": "".join(part.capitalize() for part in options.name.split("-")),
        "subject": options.subject,
        "family": family,
        "scope": options.scope,
        "argument": options.scope.lower(),
        "words": options.words,
        "function": _snake(options.subject),
    }
    if options.family and _family(subjects, options.subject) is None:
        file = subjects / f"{family}.py"
        before = file.read_text(encoding="utf-8") if file.exists() else FAMILY
        _write(file, before.rstrip() + "\n" + FACT.format(**names), anew=True)
        _write(options.root / "initaudit" / "analyzer" / "readers" / f"{names['function']}.py", READER.format(**names))
    stem = options.name.replace("-", "_")
    _write(options.root / "initaudit" / "rules" / f"{stem}.py", RULE.format(**names))
    _write(options.root / "fixtures" / f"{options.code}_{stem}.py", FIXTURE.format(**names))


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("code", help="the rule's code, INI and three digits")
    parser.add_argument("name", help="the rule's name, in words with dashes")
    parser.add_argument("subject", help="the class that the rule judges")
    parser.add_argument("--family", help="the file of initaudit/subjects/ of a new subject")
    parser.add_argument("--scope", default="Context", choices=("File", "Class", "Context"))
    parser.add_argument("--words", default="", help="words of which one must stand in the scope")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent, help="the checkout")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"INI\d{3}", options.code) or not re.fullmatch(r"[a-z]+(-[a-z]+)*", options.name):
        parser.error("a code is INI and three digits, a name is made of lowercase words with dashes between them")
    if options.family and not options.words:
        parser.error("a reader needs --words")
    return options


def _family(subjects: Path, subject: str) -> str | None:
    """Return the file of the folder that defines a class."""
    defining = (file.stem for file in sorted(subjects.glob("*.py")) if f"\nclass {subject}(" in file.read_text("utf-8"))
    return next(defining, None)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _write(file: Path, text: str, *, anew: bool = False) -> None:
    if file.exists() and not anew:
        raise SystemExit(f"{file} exists")
    file.write_text(text, encoding="utf-8")
    print(file)


if __name__ == "__main__":
    main()
