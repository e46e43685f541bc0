"""Reads text with libcst: the trees that Python's parser gives, linked to what they were made from.

The grammar is that of libcst, whatever Python runs this.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from initaudit.analyzer.source import expressions, patterns, statements, strings  # noqa: F401  # they fill the table
from initaudit.analyzer.source.lowering import Lowering, LoweringError
from initaudit.analyzer.source.snippets import SnippetError
from initaudit.sources.newer_python import nests_too_deep

if TYPE_CHECKING:
    import libcst as cst


@dataclass(frozen=True, slots=True)
class Lossless:
    """A text as libcst read it: its syntax trees, and the libcst node that each of their nodes was made from."""

    module: cst.Module
    body: list[ast.stmt]
    links: Mapping[ast.AST, cst.CSTNode]


def lossless(text: str) -> Lossless:
    """Read a text; raises SnippetError when it is no Python that libcst knows, or too deep for it."""
    import libcst
    from libcst.metadata import MetadataWrapper, PositionProvider

    if nests_too_deep(text):
        raise SnippetError("nests too deep to follow")
    try:
        module = libcst.parse_module(text)
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        to = Lowering(module, wrapper.resolve(PositionProvider), text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Lossless(module, to.body([*module.body]), to.links)
    except (libcst.ParserSyntaxError, LoweringError, RecursionError, ValueError, SyntaxError) as error:
        raise SnippetError(str(error)) from error
