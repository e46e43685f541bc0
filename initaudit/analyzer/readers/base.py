"""The base of readers: a reader is a function that states subjects of one kind, with a declaration of what it reads.

    @reads(RepeatedLayer, words="ModuleList( Sequential(", scope=Context)
    def repeated_layers(context: Context) -> Iterator[RepeatedLayer]: ...

The scope is what the function is given: a ``File``, a ``Class`` or a ``Context`` (a function, or a stretch of top-level
code). Words spare work, and decide nothing: nothing else is read than scopes in which they stand.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from initaudit.analyzer.failures import Failure, guarded
from initaudit.analyzer.file.matches import Words, groups
from initaudit.analyzer.syntax.context import Class, Context, File
from initaudit.observation import Undecided
from initaudit.subjects.base import Fact
from initaudit.timeline import Chain, ParameterTimeline

Observed = Fact | ParameterTimeline | Chain | Undecided | Failure
Scope = File | Class | Context
S = TypeVar("S", File, Class, Context)


@dataclass(frozen=True, slots=True)
class Declared:
    """A kind of subject that a reader states, and where it may be found.

    One word of each group of ``words`` stands in the scope, one of each group of ``nearby`` in its file, and one of
    ``named``, if there are any, in the name of its function.
    """

    subject: type
    words: Words
    nearby: Words
    named: tuple[str, ...]


@dataclass(frozen=True)
class Reader(Generic[S]):
    """A function that states subjects, the scope that it looks at, and what it declares to read.

    ``imported`` says that only files are read that import torch, or a part of it.
    """

    function: Callable[[S], Iterable[Observed]]
    scope: type[S]
    declared: tuple[Declared, ...]
    imported: bool

    def __call__(self, scope: S) -> Iterator[Observed]:
        """Yield what stands in one scope; last what went wrong, if anything did."""
        yield from guarded(self.function(scope), _name(scope))

    @property
    def name(self) -> str:
        return f"{self.function.__module__}.{self.function.__name__}"


def _name(scope: Scope) -> str:
    """Return what a scope is called in a message."""
    definition = None if isinstance(scope, File) else scope.definition
    return scope.module.name if definition is None else f"{scope.module.name}.{definition.qualname}"


Reads = Callable[[S], Iterable[Any]]


def reads(
    subject: type,
    *,
    scope: type[S],
    words: str | Iterable[str],
    nearby: str | Iterable[str] = (),
    named: str = "",
    imported: bool = True,
) -> Callable[[Reads[S] | Reader[S]], Reader[S]]:
    """Declare what a function reads. Words of a group are separated by blanks; groups are several such texts.

    It may be said more than once: of several kinds of subject, or of one that can be found by other words too.
    """
    declared = Declared(subject, groups(words), groups(nearby), tuple(named.split()))

    def declare(read: Reads[S] | Reader[S]) -> Reader[S]:
        if not isinstance(read, Reader):
            return Reader(read, scope, (declared,), imported)
        known: Reader[S] = read  # type: ignore[assignment, unused-ignore]
        return replace(known, declared=(declared, *known.declared))

    return declare


def readers_of(module: object) -> Iterator[Reader[Any]]:
    """Yield the readers that a module defines."""
    for _, value in inspect.getmembers(module, lambda value: isinstance(value, Reader)):
        if value.function.__module__ == getattr(module, "__name__", None):
            yield value
