"""Initialization code that tests the exact type of a module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import alternatives
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.walks import attributes_written, typed
from initaudit.subjects.module_tests import ExactTypeTest


@reads(ExactTypeTest, scope=Context, words=("type( __class__", "_("))
def exact_type_tests(context: Context) -> Iterator[ExactTypeTest]:
    """``type(m) == nn.Linear`` before something of ``m`` is initialized."""
    for branch in context.walk():
        if not isinstance(branch, ast.If):
            continue
        initialized = {owner for owner, _ in attributes_written(context, branch.body)}
        for test in ast.walk(branch.test):
            subject = typed(test.left) if isinstance(test, ast.Compare) and len(test.ops) == 1 else None
            if subject is None or subject not in initialized or not isinstance(test, ast.Compare):
                continue
            kinds = list(alternatives(test.comparators[0]))
            if isinstance(test.ops[0], ast.Eq | ast.Is | ast.In) and all(
                context.is_module_class(kind) for kind in kinds
            ):
                yield ExactTypeTest(
                    place=context.snippet.place(test),
                    source=context.snippet.source(test),
                    mended=f"isinstance({subject}, {context.snippet.source(test.comparators[0])})",
                )
