"""Notebooks that train nothing: what matters only in training is a note there."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import msgspec

from initaudit.files import Sources
from initaudit.finding import Finding, Observer, Severity

ABOUT_TRAINING = frozenset({"INI401", "INI402", "INI407", "INI508"})
"""Rules about values with which a model trains badly, and that do no harm where they are only shown."""
TRAINS = ("train", "optim", "backward", "step", "fit", "minimize", "learner")
"""What stands in the names of code that trains a model."""
LEAVES = ("save", "push_to_hub", "export", "dump", "elsewhere")
"""What stands in the names of code that takes a model out of a notebook, or other code into it."""


def weighed(findings: Iterable[Finding], sources: Sources) -> Iterator[Finding]:
    """Turn findings about training into notes in notebooks that only show something."""
    known = dict[str, bool]()
    for finding in findings:
        name = finding.place.filename
        read = all(piece.observer is Observer.ANALYZER for piece in finding.evidence)
        if finding.code in ABOUT_TRAINING and read and name.endswith(".ipynb"):
            if name not in known:
                source = sources.get(name)
                known[name] = source is None or trains(source.text)
            if not known[name]:
                message = f"{finding.message} (this notebook trains nothing)"
                finding = msgspec.structs.replace(finding, message=message, severity=Severity.NOTE)
        yield finding


def trains(text: str) -> bool:
    """Whether the code of a notebook may train a model, or hands one to code that may."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return True
    return any(part in name.lower() for name in _names(tree) for part in (*TRAINS, *LEAVES))


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield the names of variables, attributes, functions and imported modules."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) | ast.ImportFrom(module=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case _:
                pass
