"""Reads text with libcst: the trees that Python's parser gives.

The grammar is that of libcst, whatever Python runs this.
"""

from __future__ import annotations

import ast
import warnings

from initaudit.analyzer.source import expressions, patterns, statements, strings  # noqa: F401  # they fill the table
from initaudit.analyzer.source.lowering import Lowering, LoweringError
from initaudit.analyzer.source.snippets import SnippetError
from initaudit.sources.newer_python import nests_too_deep


def lossless(text: str) -> list[ast.stmt]:
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
            return to.body([*module.body])
    except (libcst.ParserSyntaxError, LoweringError, RecursionError, ValueError, SyntaxError) as error:
        raise SnippetError(str(error)) from error
