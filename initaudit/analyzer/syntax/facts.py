"""From a file to its facts: which units are worth parsing, and what stands in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from initaudit.analyzer.drawn import weight_uses
from initaudit.analyzer.equal_units import equal_units
from initaudit.analyzer.module import Module
from initaudit.analyzer.project import Project
from initaudit.analyzer.syntax.arguments import ignored_arguments
from initaudit.analyzer.syntax.code import Code
from initaudit.analyzer.syntax.copies import copied_layers, repeated_layers
from initaudit.analyzer.syntax.derived import derived_writes
from initaudit.analyzer.syntax.embeddings import embedding_writes
from initaudit.analyzer.syntax.factors import low_rank_factors, zero_factors
from initaudit.analyzer.syntax.gains import gain_draws
from initaudit.analyzer.syntax.helpers import helper_calls
from initaudit.analyzer.syntax.initializers import deprecated_calls, initializer_calls
from initaudit.analyzer.syntax.leaves import leaf_writes
from initaudit.analyzer.syntax.loops import element_name, iterated, model_loop
from initaudit.analyzer.syntax.name_tests import name_tests
from initaudit.analyzer.syntax.order import early_walks
from initaudit.analyzer.syntax.overwritten import overwritten
from initaudit.analyzer.syntax.resets import repeated_resets
from initaudit.analyzer.syntax.sharded import skipped_when_sharded
from initaudit.analyzer.syntax.statements import bare_reference, dropped, type_tests
from initaudit.analyzer.syntax.thrown_away import copy_writes
from initaudit.analyzer.syntax.type_names import class_name_tests, exact_type_tests
from initaudit.analyzer.syntax.units import Unit, units, units_at
from initaudit.analyzer.triage import Sought
from initaudit.naming import blocks
from initaudit.subjects.base import Fact
from initaudit.subjects.calls import DeprecatedCall, IgnoredArgument, InitializerCall
from initaudit.subjects.layers import CopiedLayers, EmbeddingWrite, GainDraw, RepeatedLayer
from initaudit.subjects.loops import ModelLoop
from initaudit.subjects.lost_on_meta import NotRestored
from initaudit.subjects.lost_writes import BareReference, CopyWrite, DerivedWrite, DroppedTensor, HelperCall, LeafWrite
from initaudit.subjects.module_tests import ClassNameTest, ExactTypeTest, NameTest, TypeTest
from initaudit.subjects.order import EarlyWalk, Overwritten, RepeatedReset
from initaudit.subjects.weights import EqualUnits, LowRankFactors, WeightUse, ZeroFactors

OF_UNITS: dict[str, Callable[[Code], Iterator[Fact]]] = {
    DeprecatedCall.__name__: deprecated_calls,
    InitializerCall.__name__: initializer_calls,
    HelperCall.__name__: helper_calls,
    RepeatedLayer.__name__: repeated_layers,
    ExactTypeTest.__name__: exact_type_tests,
    ClassNameTest.__name__: class_name_tests,
    NameTest.__name__: name_tests,
    LeafWrite.__name__: leaf_writes,
    RepeatedReset.__name__: repeated_resets,
    IgnoredArgument.__name__: ignored_arguments,
    DerivedWrite.__name__: derived_writes,
    CopyWrite.__name__: copy_writes,
    EarlyWalk.__name__: early_walks,
    Overwritten.__name__: overwritten,
}
"""What is stated of a unit, a function or a stretch of top-level code."""
OF_FILES: dict[str, Callable[[Project, Module], Iterator[Fact]]] = {
    CopiedLayers.__name__: copied_layers,
    EmbeddingWrite.__name__: embedding_writes,
    EqualUnits.__name__: equal_units,
    GainDraw.__name__: gain_draws,
    LowRankFactors.__name__: low_rank_factors,
    NotRestored.__name__: skipped_when_sharded,
    WeightUse.__name__: weight_uses,
    ZeroFactors.__name__: zero_factors,
}
"""What is read of a whole file at once."""
TRY = (ast.Try, getattr(ast, "TryStar", ast.Try))
"""``except*`` is of Python 3.11."""
OF_STATEMENTS = {fact.__name__ for fact in (ModelLoop, DroppedTensor, BareReference, TypeTest)}
"""What is stated of statements, with what runs before and behind them."""


def facts(project: Project, module: Module, wanted: Sequence[Sought]) -> Iterator[Fact]:
    """What stands in the units of a file, and in all of it, of that which it may hold."""
    of_units = [each for each in wanted if each.subject in OF_STATEMENTS | OF_UNITS.keys()]
    of_file = [each.subject for each in wanted if each.subject in OF_FILES]
    if not (of_units or of_file) or not any(name.partition(".")[0] == "torch" for name in _imported(module)):
        return
    for subject in of_file:
        yield from OF_FILES[subject](project, module)
    for unit, here in _by_unit(module, of_units):
        snippet = module.snippet(unit.start, unit.end)
        if snippet is None:
            continue
        code = Code(project, module, unit.definition, snippet)
        for subject in sorted(here & OF_UNITS.keys()):
            yield from OF_UNITS[subject](code)
        if here & OF_STATEMENTS:
            tested = _applied(code) if TypeTest.__name__ in here else ()
            yield from _of_body(code, snippet.body, [], (), tested)


def _by_unit(module: Module, wanted: Sequence[Sought]) -> Iterator[tuple[Unit, set[str]]]:
    """The units that may hold something, and the kinds of subject that they may hold."""
    every = units(module)
    found: dict[int, set[str]] = {}
    for each in wanted:
        for unit in units_at(every, each.rows(module.raw)):
            if each.stands_in("\n".join(["", *module.lines[unit.start - 1 : unit.end]])):
                found.setdefault(unit.start, set()).add(each.subject)
    for unit in every:
        if unit.start in found:
            yield unit, found[unit.start]


def _imported(module: Module) -> Iterator[str]:
    yield from module.outline.imports.values()
    yield from module.outline.star_imports


def _applied(code: Code) -> tuple[str, ...]:
    """The parameter of a function that ``apply`` calls with each module."""
    definition = code.definition
    if definition is None:
        return ()
    name = re.escape(definition.name)
    header = re.match(r"\s*def \w+\(\s*(?:self\s*,\s*)?(\w+)[^,]*\)", code.module.lines[definition.row - 1])
    if header is None or not re.search(rf"\.apply\(\s*(?:\w+\.)?{name}\b", code.module.text):
        return ()
    return (header[1],)


def _of_body(
    code: Code,
    body: Sequence[ast.stmt],
    following: Sequence[ast.stmt],
    parameters: tuple[str, ...],
    modules: tuple[str, ...],
    guarded: bool = False,
) -> Iterator[Fact]:
    """The facts of a body. ``following`` runs behind it; ``guarded`` is the body of a ``try``."""
    for position, statement in enumerate(body):
        inner = list(blocks(statement))
        behind = [*body[position + 1 :], *following] if inner else []
        if isinstance(statement, ast.Expr):
            yield from _of_expression(code, statement.value, parameters, guarded)
        if isinstance(statement, ast.If | ast.While):
            yield from type_tests(code, statement.test, modules)
        elif modules and not inner:
            yield from type_tests(code, statement, modules)
        inner_parameters, inner_modules = parameters, modules
        if isinstance(statement, ast.For | ast.AsyncFor) and (found := iterated(statement)) is not None:
            loop = model_loop(code, statement, behind)
            if loop is not None:
                yield loop
            element = element_name(statement, found[1])
            if element is not None and found[1].tensors:
                inner_parameters = (*parameters, element)
            elif element is not None:
                inner_modules = (*modules, element)
        for index, block in enumerate(inner):
            in_try = isinstance(statement, TRY) and index == 0
            yield from _of_body(code, block, behind, inner_parameters, inner_modules, in_try)


def _of_expression(code: Code, expression: ast.expr, parameters: tuple[str, ...], guarded: bool) -> Iterator[Fact]:
    if isinstance(expression, ast.Call):
        fact = dropped(code, expression, parameters)
        if fact is not None and not guarded:
            yield fact
    elif not guarded:
        reference = bare_reference(code, expression)
        if reference is not None:
            yield reference
