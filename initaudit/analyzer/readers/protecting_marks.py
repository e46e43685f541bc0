"""Marks on parameters that are to keep initializers away, where nothing looks for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.analyzer.programs.constructor import all_registered, construct
from initaudit.analyzer.programs.verdict import written_elsewhere
from initaudit.analyzer.readers.applications import is_alone, is_of_an_application
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.elsewhere import is_read_anywhere
from initaudit.finding import Observer
from initaudit.subjects.order import Overwritten

MARK = re.compile(r"^_?(?:no|skip)_(?:\w+_)?(?:re)?init(?:ialize|ialization)?$")


@reads(Overwritten, scope=Context, words="no_*init skip_*init")
def protecting_marks(context: Context) -> Iterator[Overwritten]:
    """``self.dt_proj.bias._no_reinit = True``, which nothing in the project reads."""
    for node in context.walk():
        match node:
            case ast.Assign(targets=[ast.Attribute(value=marked, attr=mark) as target], value=ast.Constant(value=True)):
                if MARK.match(mark) and isinstance(marked, ast.Attribute) and not is_read_anywhere(context, mark):
                    yield Overwritten(
                        observer=Observer.ANALYZER,
                        place=context.snippet.place(target),
                        source=context.snippet.source(target),
                        flag=mark,
                        spare=_is_left_alone(context, dotted(marked)),
                    )
            case _:
                pass


def _is_left_alone(context: Context, marked: str) -> bool:
    """Whether no program has an initializer that would write the parameter, in a project that nobody installs."""
    project, module, cls = context.project, context.module, context.cls
    if cls is None or not (is_of_an_application(project, module, outside=True) or is_alone(project, module)):
        return False
    construction = construct(project, cls)
    its = [each for each in all_registered(construction) if f"self.{each.name}" == marked]
    return bool(its) and construction.failure is None and not any(written_elsewhere(construction, each) for each in its)
