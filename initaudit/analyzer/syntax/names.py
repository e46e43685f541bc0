"""Names that no scope binds, used as a model or a parameter."""

from __future__ import annotations

import builtins
import difflib
import io
import symtable
import tokenize
from collections.abc import Iterator

from initaudit.analyzer.module import Module
from initaudit.analyzer.scopes import Scopes
from initaudit.analyzer.syntax.uses import MODEL_LIKE, Use, seemingly_unbound
from initaudit.finding import Place
from initaudit.subjects.files import UndefinedName

LONGEST_USE = 60


def undefined(module: Module) -> Iterator[UndefinedName]:
    """Every name of the file that is used as a model or parameter and bound nowhere, once per scope."""
    uses = [use for use in seemingly_unbound(module.text) if not module.outline.binds(use.name)]
    if not uses or module.outline.star_imports or (scopes := module.scopes) is None:
        return
    unbound = dict(_unbound(scopes))
    seen: set[tuple[str, int]] = set()
    names = _names(module)
    for use in uses:
        row = module.text.count("\n", 0, use.start) + 1
        scope = _scope_row(unbound.get(use.name, []), scopes, row)
        if scope is None or (use.name, scope) in seen or (row, _column(module, use)) not in names:
            continue
        seen.add((use.name, scope))
        yield _fact(module, use, row)


def _unbound(scopes: Scopes) -> Iterator[tuple[str, list[symtable.SymbolTable]]]:
    """Names that some scopes read from the module or from the builtins, and that neither binds."""
    table, every = scopes.table, list(scopes.all())
    bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    bound |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_namespace()}
    for scope in every:
        bound |= {s.get_name() for s in scope.get_symbols() if s.is_declared_global() and s.is_assigned()}
    readers: dict[str, list[symtable.SymbolTable]] = {}
    for scope in every:
        for symbol in scope.get_symbols():
            name = symbol.get_name()
            outer = symbol.is_global() or scope is table
            if symbol.is_referenced() and outer and name not in bound and not hasattr(builtins, name):
                readers.setdefault(name, []).append(scope)
    yield from readers.items()


def _scope_row(readers: list[symtable.SymbolTable], scopes: Scopes, row: int) -> int | None:
    """The row of the innermost scope that reads the name and may hold the row."""
    rows = map(scopes.row, readers)
    below = [start for start in rows if start <= row]
    return max(below) if below else None


def _names(module: Module) -> set[tuple[int, int]]:
    """Where names stand that are neither in a comment nor in a string, as far as the file can be read."""
    found: set[tuple[int, int]] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
            if token.type == tokenize.NAME:
                found.add(token.start)
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def _column(module: Module, use: Use) -> int:
    return use.start - module.text.rfind("\n", 0, use.start) - 1


def _fact(module: Module, use: Use, row: int) -> UndefinedName:
    column = _column(module, use) + 1
    return UndefinedName(
        place=Place(module.filename, row, column, row, column + len(use.name)),
        name=use.name,
        use=_source(module, use),
        suggestion=_suggestion(module, use.name),
    )


def _source(module: Module, use: Use) -> str:
    """The call that uses the name, its arguments left out where they are long."""
    text = module.text
    start, opened = use.begins, text.index("(", use.begins)
    while text[start - 1 : start].isidentifier() or text[start - 1 : start] == ".":
        start -= 1
    depth = 0
    for position in range(opened, min(opened + LONGEST_USE, len(text))):
        depth += (text[position] in "([{") - (text[position] in ")]}")
        if depth == 0:
            return " ".join(text[start : position + 1].split())
    return f"{text[start:opened]}(...)"


def _suggestion(module: Module, name: str) -> str | None:
    """A name of the file that was probably meant."""
    names = [*module.outline.globals, *module.outline.imports]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if close:
        return close[0]
    models = [other for other in module.outline.globals if MODEL_LIKE.search(other) and not other.isupper()]
    return models[0] if len(models) == 1 and MODEL_LIKE.search(name) else None
