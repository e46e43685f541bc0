"""Notebooks that train nothing: what matters only in training is a note there."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

import msgspec

from initaudit.analyzer.source.snippets import root
from initaudit.finding import Finding, Observer, Severity
from initaudit.sources.files import Sources

ABOUT_TRAINING = frozenset({"INI401", "INI402", "INI407", "INI508"})
"""Rules about values with which a model trains badly, and that do no harm where they are only shown."""
TRAINS = ("train", "optim", "backward", "step", "fit", "minimize", "learner", "epoch")
"""What stands in the names of code that trains a model."""
STEPS = {"grad", "learn", "Adam", "AdamW", "SGD"}
"""Whole names in such code: the gradients that it takes a step along, and who takes the steps."""
SHOWS = {"display", "summary", "torchinfo", "torchsummary", "make_dot", "torchviz"}
"""Functions that show a model, and the modules that have them."""
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
    names = set(_names(tree))
    said = any(part in name.lower() for name in names for part in (*TRAINS, *LEAVES))
    return said or not names.isdisjoint(STEPS) or _hands_on(tree)


def _hands_on(tree: ast.AST) -> bool:
    """Return whether a model that the notebook makes is given to a function of others than itself and torch."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    of_torch = {
        (each.asname or each.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for each in node.names
        if (each.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0] == "torch"
    }
    models = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _begin(node.value.func) in own
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    known = own | of_torch | models | SHOWS | set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (begin := _begin(node.func)) is not None and begin not in known:
            given = [*node.args, *(each.value for each in node.keywords)]
            if any(isinstance(each, ast.Name) and each.id in models for each in given):
                return True
    return False


def _begin(node: ast.expr) -> str | None:
    first = root(node)
    return first.id if first is not None else None


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
