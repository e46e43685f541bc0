"""The meanings of local names in initialization code, statement by statement.

A scope is read once, in the order of execution. If branches disagree about a name, it has no meaning.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initaudit.analyzer.source.snippets import FunctionNode, parameters, spelled
from initaudit.analyzer.syntax.expressions import Expressions
from initaudit.analyzer.syntax.meaning import (
    Later,
    Meaning,
    Names,
    Step,
    What,
    bound_in,
    forget,
    join,
    leaves,
    targets,
)  # fmt: skip
from initaudit.analyzer.syntax.models import asked_for, is_module
from initaudit.analyzer.syntax.narrowing import class_name_of, narrowed
from initaudit.analyzer.syntax.walks import applied_names
from initaudit.naming import blocks


class Meanings(Expressions):
    """The steps of a scope, and the meanings of expressions in it."""

    def steps(self) -> Sequence[Step]:
        """Return every statement of the scope in source order, also of nested functions.

        Most readers ask only few statements for meanings, so that these are looked for once one of them is asked for.
        """
        memory = self.context.snippet.memory
        if __name__ not in memory:
            known = functools.cache(lambda: list(self._steps()))
            alone = _Statements(self.context)._steps()
            memory[__name__] = [replace(step, names=Later(known, at)) for at, step in enumerate(alone)]
        found: Sequence[Step] = memory[__name__]
        return found

    def unguarded(self) -> Iterator[tuple[Step, ast.Call]]:
        """Yield the calls that stand in no ``try``, each with its step."""
        return ((step, call) for step in self.steps() if not step.guarded for call in step.calls())

    def _steps(self) -> Iterator[Step]:
        function = self.context.function
        if function is None:
            yield from self._body(self.context.snippet.body, self._before(), (), (), (), guarded=False)
        else:
            yield from self._function(function, {})

    def _before(self) -> dict[str, Meaning]:
        """Return the meanings at the beginning of a stretch of top-level code, which classes and functions separate."""
        names: dict[str, Meaning] = {}
        module = self.context.module
        for start, end in module.outline.top_level:
            if start >= self.context.snippet.start:
                break
            snippet = module.snippet(start, end)
            if snippet is not None:
                earlier = Meanings(replace(self.context, snippet=snippet))
                for _ in earlier._body(snippet.body, names, (), (), (), guarded=False):
                    pass
        return names

    def _function(self, function: FunctionNode, around: Names) -> Iterator[Step]:
        names = {name: meaning for name, meaning in around.items() if name not in bound_in(function)}
        applied = function.name in applied_names(self.context)
        first = next((param.arg for param in parameters(function) if param.arg != "self"), None)
        asked = asked_for(self.context, function)
        for param in parameters(function):
            if is_module(self.context, param, asked) or (applied and param.arg == first):
                names[param.arg] = Meaning(What.MODULE, param.arg)
        yield from self._body(function.body, names, (), (), (), guarded=False)

    def _body(
        self,
        body: Sequence[ast.stmt],
        names: dict[str, Meaning],
        following: tuple[ast.stmt, ...],
        rounds: tuple[ast.For | ast.AsyncFor | ast.While, ...],
        tests: tuple[tuple[ast.expr, bool], ...],
        *,
        guarded: bool,
    ) -> Iterator[Step]:
        """Yield the steps of a body, and update ``names`` from its beginning to its end."""
        top = (
            self.context.function is None
            and not rounds
            and not tests
            and self.context.module.filename.lower().endswith(".ipynb")
        )
        for position, statement in enumerate(body):
            after = (*body[position + 1 :], *following)
            here = Step(statement, dict(names), after, rounds, tests, guarded, top and isinstance(statement, ast.Expr))
            yield here
            yield from self._each(here)
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    names.pop(statement.name, None)
                    yield from self._function(statement, names)
                case ast.ClassDef(name=name, body=members):
                    names.pop(name, None)
                    for member in members:
                        if isinstance(member, FunctionNode):
                            yield from self._function(member, names)
                case ast.If(test=test, body=then, orelse=otherwise):
                    one, other = (self._narrowed(test, names, holds=holds) for holds in (True, False))
                    yield from self._body(then, one, after, rounds, (*tests, (test, True)), guarded=guarded)
                    yield from self._body(otherwise, other, after, rounds, (*tests, (test, False)), guarded=guarded)
                    joined = [one] * (not leaves(then)) + [other] * (not leaves(otherwise))
                    join(names, joined)
                    if len(joined) == 1:
                        tests = (*tests, (test, not leaves(then)))
                case ast.For() | ast.AsyncFor():
                    inner = {**names, **self.elements(statement, names)}
                    for name in targets(statement.target) - self.elements(statement, names).keys():
                        inner.pop(name, None)
                    yield from self._body(statement.body, inner, after, (statement, *rounds), tests, guarded=guarded)
                    yield from self._body(statement.orelse, dict(names), after, rounds, tests, guarded=guarded)
                    forget(names, statement)
                case ast.While(body=inner_body):
                    forget(names, statement)
                    yield from self._body(inner_body, dict(names), after, (statement, *rounds), tests, guarded=guarded)
                case ast.With(body=inner_body) | ast.AsyncWith(body=inner_body):
                    yield from self._body(inner_body, names, after, rounds, tests, guarded=guarded)
                case _:
                    for block in blocks(statement):
                        is_try = block is getattr(statement, "body", None) and hasattr(statement, "handlers")
                        yield from self._body(block, dict(names), after, rounds, tests, guarded=guarded or is_try)
                    self._bind(statement, names)

    def _each(self, step: Step) -> Iterator[Step]:
        """Yield the element of a comprehension, and the body of a lambda, as statements."""
        match step.statement:
            case (
                ast.Expr(value=ast.ListComp() as made)
                | ast.Assign(targets=[ast.Name(id="_")], value=ast.ListComp() as made)
            ):
                names, conditions = dict(step.names), step.conditions
                for each in made.generators:
                    names = {**names, **self.elements(each, names)}
                    conditions = (*conditions, *((test, True) for test in each.ifs))
                value = made.elt
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(attr="apply", value=model), args=[ast.Lambda(args=given) as made])
            ):
                each_module = Meaning(What.MODULE, f"{spelled(model)}.modules()", element=True)
                names = {**step.names, **dict.fromkeys([arg.arg for arg in given.args[:1]], each_module)}
                conditions, value = step.conditions, made.body
            case _:
                return
        if isinstance(value, ast.IfExp):
            names = self._narrowed(value.test, names, holds=True)
            conditions = (*conditions, (value.test, True))
            value = value.body
        statement = ast.copy_location(ast.Expr(value), value)
        yield replace(step, statement=statement, names=names, conditions=conditions, displayed=False)

    def _bind(self, statement: ast.stmt, names: dict[str, Meaning]) -> None:
        bound: dict[str, Meaning] = {}
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if subject := class_name_of(value):
                bound[name] = Meaning(What.CLASS_NAME, subject)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                meaning = self.meaning(value, names)
                if (part := self.split(value, names)) is not None and part.what is What.PARAMETER:
                    bound[name] = replace(part, what=What.PARAMETERS)
                elif meaning is not None:
                    grows = isinstance(value, ast.List)  # items may be added to it
                    bound[name] = replace(meaning, element=False, kinds=() if grows else meaning.kinds)
            case ast.Assign(targets=[ast.Tuple(elts=elements)], value=ast.Tuple(elts=values)) if len(elements) == len(
                values
            ):
                for element, value in zip(elements, values, strict=True):
                    meaning = self.meaning(value, names)
                    if isinstance(element, ast.Name) and meaning is not None:
                        bound[element.id] = replace(meaning, element=False)
            case ast.Assign(targets=[ast.Tuple(elts=elements)], value=value) if part := self.split(value, names):
                bound |= {element.id: part for element in elements if isinstance(element, ast.Name)}
            case ast.AugAssign(target=ast.Name()):
                return
            case _:
                pass
        forget(names, statement)
        names.update(bound)

    def _narrowed(self, test: ast.expr, names: Names, *, holds: bool) -> dict[str, Meaning]:
        """Return the meanings of names where a test holds, or where it does not."""
        return narrowed(self.context, test, names, holds=holds)


class _Statements(Meanings):
    """The same steps in the same order, without the meanings of names."""

    def _before(self) -> dict[str, Meaning]:
        return {}

    def _function(self, function: FunctionNode, around: Names) -> Iterator[Step]:
        yield from self._body(function.body, {}, (), (), (), guarded=False)

    def _bind(self, statement: ast.stmt, names: dict[str, Meaning]) -> None:
        pass

    def _narrowed(self, test: ast.expr, names: Names, *, holds: bool) -> dict[str, Meaning]:
        return {}

    def elements(self, loop: ast.For | ast.AsyncFor | ast.comprehension, names: Names) -> dict[str, Meaning]:
        return {}
