"""Walks of user code over the parts of a model during a build, and their loops in the source.

What a loop is given is what it would be given anyway: a walk is only looked on at.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import sys
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

import torch

from initaudit.naming import NAMED
from initaudit.probe.blame import crossing
from initaudit.probe.files import is_user_code
from initaudit.probe.record.lines import Call
from initaudit.probe.record.watch import OF_CHILDREN, Walk, Watch

PASSED_ON = frozenset({"enumerate", "list", "tuple", "reversed", "sorted"})
"""Functions that give on what they are given."""


@contextmanager
def walks_watched(watch: Watch) -> Iterator[None]:
    """Inside, the walks that user code asks for are noted."""
    originals = {method: getattr(torch.nn.Module, method) for method in NAMED | OF_CHILDREN}
    for method, original in originals.items():
        setattr(torch.nn.Module, method, _watched(original, method, watch))
    try:
        yield
    finally:
        for method, original in originals.items():
            setattr(torch.nn.Module, method, original)


def _watched(original: Callable[..., Iterable[Any]], method: str, watch: Watch) -> Callable[..., Iterable[Any]]:
    @functools.wraps(original)
    @crossing
    def walk(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Iterable[Any]:
        parts, frame = original(self, *args, **kwargs), sys._getframe(1)
        if not is_user_code(frame.f_code.co_filename):
            return parts
        watch.walks.append(noted := Walk(Call(frame), method, self, frame.f_globals))
        return _followed(parts, noted)

    return walk


@crossing
def _followed(parts: Iterable[Any], walk: Walk) -> Iterator[Any]:
    named = walk.method in NAMED
    for part in parts:
        if named:
            walk.names.append(part[0])
        walk.kinds.add(type(part[1] if named else part))
        yield part
    walk.end()


class Loop:
    """A ``for`` of the source, and every walk that it was while a model was built."""

    def __init__(self, node: ast.For, walked: ast.expr, walks: list[Walk]) -> None:
        self.node = node
        self.walked = walked
        """What it walks over."""
        self.walks = walks

    @property
    def code(self) -> CodeType:
        return self.walks[0].call.code

    @property
    def names(self) -> set[str]:
        """All that it came to."""
        return {name for walk in self.walks for name in walk.names}

    def variables(self) -> tuple[str | None, str] | None:
        """Those that hold the name, where there is one, and what has it."""
        target = self.node.target
        if _called(self.node.iter) == "enumerate":
            target = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) > 1 else target
        match target:
            case ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=element)]):
                return name, element
            case ast.Name(id=element):
                return None, element
        return None

    def own(self) -> set[str]:
        """The variables of the function around it, without those that hold what it comes to."""
        bound = {*self.code.co_varnames, *self.code.co_cellvars, *self.code.co_freevars}
        return bound.difference(self.variables() or ())


def loops(watch: Watch, matters: Callable[[CodeType], bool]) -> Iterator[Loop]:
    """The loops of which every walk came to its end, in code that may matter."""
    at_line: dict[tuple[CodeType, int, str], list[Walk]] = defaultdict(list)
    for walk in watch.walks:
        at_line[walk.call.code, walk.call.row, walk.method].append(walk)
    for (code, row, method), walks in at_line.items():
        tree = function_of(code) if matters(code) and all(walk.ended for walk in walks) else None
        found = [
            Loop(node, walked, walks)
            for node in (ast.walk(tree) if tree is not None else ())
            if isinstance(node, ast.For) and (walked := _walked(node.iter, method, row)) is not None
        ]
        if len(found) == 1:
            yield found[0]


def variables_in(test: ast.expr) -> set[str]:
    """What a test mentions."""
    return {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}


def _walked(iterated: ast.expr, method: str, row: int) -> ast.expr | None:
    """What a method is called of in a row, when that is what a loop goes over."""
    while _called(iterated) in PASSED_ON and isinstance(iterated, ast.Call) and iterated.args:
        iterated = iterated.args[0]
    match iterated:
        case ast.Call(func=ast.Attribute(attr=called, value=walked)) if called == method:
            return walked if iterated.lineno <= row <= (iterated.end_lineno or row) else None
    return None


def _called(node: ast.expr) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


@functools.lru_cache(maxsize=256)
def function_of(code: CodeType) -> ast.Module | None:
    """The function that some code was compiled from, in the rows of its file; None where its source is not at hand."""
    first, lines = code.co_firstlineno, linecache.getlines(code.co_filename)
    try:
        block = "".join(inspect.getblock(lines[first - 1 :]))
        above = "\n" * (first - 2) + "if 1:\n" if block[:1].isspace() else "\n" * (first - 1)
        tree = ast.parse(above + block)
    except (SyntaxError, ValueError, tokenize.TokenError):
        return None
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, functions)}
    return tree if code.co_name in names else None
