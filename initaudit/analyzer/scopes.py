"""What binds which name in a file, as Python's own compiler tells, or why Python does not parse it."""

from __future__ import annotations

import symtable
import warnings

TOO_DEEP = "nests too deep to follow"


def symbols(text: str) -> symtable.SymbolTable | SyntaxError:
    """The scopes of some code, or why Python itself does not parse it.

    Twice as fast as a syntax tree, which Python would have to copy into objects of its own.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return symtable.symtable(text, "<source>", "exec")
    except SyntaxError as error:
        if "too many nested" in error.msg:
            error.msg = TOO_DEEP
        return error
    except (RecursionError, MemoryError):
        return SyntaxError(TOO_DEEP)
    except ValueError as error:
        return SyntaxError(str(error))
