"""Names that no scope binds, used as a model or a parameter."""

from __future__ import annotations

import ast
import builtins
import difflib
import symtable
from collections.abc import Iterator
from typing import NamedTuple

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.scopes import Scopes
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name, root
from initaudit.analyzer.syntax.context import Context, File
from initaudit.analyzer.syntax.iteration import ITERATIONS
from initaudit.analyzer.syntax.models import MODEL_LIKE
from initaudit.analyzer.syntax.scopes import scopes_holding
from initaudit.sources.files import is_document
from initaudit.subjects.files import UndefinedName

WALKS = ITERATIONS.keys() | {"buffers", "named_buffers"}
VIEWS = {"items", "keys", "values"}
INITIALIZERS = "uniform normal constant eye dirac orthogonal sparse ones zeros"
RENAMED = "uniform( normal( constant( dirac( orthogonal( sparse("
WORDS = "init. Parameter( parameters( modules( children( buffers( apply( state_dict( " + " ".join(
    [*(f"{name}_(" for name in INITIALIZERS.split()), RENAMED]
)
USING = groups(WORDS)
NOT_LOOKED_FOR = {"self", "cls", "super", "torch", "nn", *dir(builtins)}
LONGEST_USE = 60


class Use(NamedTuple):
    """A name that is used as a model or a parameter, or as the package ``of_torch``, and the call that uses it."""

    name: ast.Name
    call: ast.Call
    context: Context
    of_torch: bool = False


@reads(UndefinedName, scope=File, words=WORDS, imported=False)
def undefined_names(file: File) -> Iterator[UndefinedName]:
    """Every name of the file that is used as a model or parameter and bound nowhere, once per scope."""
    module = file.module
    if module.outline.star_imports:
        return
    uses = [use for use in _uses(file) if not module.outline.binds(use.name.id)]
    if not uses or (scopes := module.scopes) is None:
        return
    unbound = dict(_unbound(scopes))
    seen: set[tuple[str, int]] = set()
    for use in uses:
        name, place = use.name.id, use.context.snippet.place(use.name)
        scope = _scope_row(unbound.get(name, []), scopes, place.row)
        if scope is not None and (name, scope) not in seen:
            seen.add((name, scope))
            suggestion = None if use.of_torch else _suggestion(module, name)
            yield UndefinedName(place=place, name=name, use=_source(use), suggestion=suggestion)


def _uses(file: File) -> Iterator[Use]:
    """Where names are walked as models or initialized that their function does not bind, in order."""
    for start, end, definition in scopes_holding(file.module, USING):
        snippet = file.module.snippet(start, end)
        if snippet is None:
            continue
        context = Context(file.project, file.module, definition, snippet)
        found = [Use(name, call, context) for call in context.calls() if (name := _used(call)) is not None]
        if not is_document(file.module.filename):  # another document, or the text around it, may have said the imports
            calls = [(name, call) for call in context.calls() if (name := _package(call)) is not None]
            found += [Use(name, call, context, True) for name, call in calls]
        bound = set(_bound(context)) if found else set()
        left_out = bound | NOT_LOOKED_FOR
        yield from (use for use in found if use.name.id not in (bound if use.of_torch else left_out))


def _used(call: ast.Call) -> ast.Name | None:
    """The name that a call uses as a model, as a parameter that it initializes, or as what makes a parameter."""
    if isinstance(call.func, ast.Name) and call.func.id.endswith("Parameter"):
        return call.func
    if not isinstance(call.func, ast.Attribute):
        return None
    owner = call.func.value
    if call.func.attr in WALKS or (call.func.attr == "apply" and not _is_column(owner)):
        return root(owner)
    if call.func.attr in VIEWS and isinstance(owner, ast.Call) and last_name(owner.func) == "state_dict":
        return root(owner.func)
    of_init = (last_name(owner)) == "init"
    known = call.func.attr.rstrip("_").rpartition("_")[2] in INITIALIZERS.split()
    return root(call.args[0]) if of_init and known and call.args else None


def _is_column(node: ast.expr) -> bool:
    """Whether an expression is an entry under a text, as is a column of a table, whose ``apply`` takes any function."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=str())):
            return True
    return False


def _package(call: ast.Call) -> ast.Name | None:
    """The name through which a call gets at a function of ``nn.init``: ``nn`` of ``nn.init.zeros_(w)``, or ``init``."""
    match call.func:
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="nn") as name, attr="init"), attr=called):
            return name if called.endswith("_") else None
        case ast.Attribute(value=ast.Name(id="init") as name, attr=called):
            return name if torch_api.is_initializer(f"torch.nn.init.{called}") else None
    return None


def _bound(context: Context) -> Iterator[str]:
    """The names that something in a function binds."""
    for node in context.walk():
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=given):
                yield given or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case _:
                pass


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


def _source(use: Use) -> str:
    """The call that uses the name, its arguments left out where they are long."""
    snippet = use.context.snippet
    text = " ".join(snippet.source(use.call).split())
    return text if len(text) <= LONGEST_USE else f"{snippet.source(use.call.func)}(...)"


def _suggestion(module: Module, name: str) -> str | None:
    """A name of the file that was probably meant."""
    names = [*module.outline.globals, *module.outline.imports]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if close:
        return close[0]
    models = [other for other in module.outline.globals if MODEL_LIKE.search(other) and not other.isupper()]
    return models[0] if len(models) == 1 and MODEL_LIKE.search(name) else None
