"""What initializing code does to the padding rows of embeddings."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.builds import all_given
from initaudit.analyzer.source.snippets import (
    FunctionNode,
    Snippet,
    argument,
    defaults,
    dotted,
    last_name,
    nodes,
    parameters,
)
from initaudit.analyzer.syntax.context import Context, File
from initaudit.analyzer.syntax.draws import DRAWN, REPLACED, Draw, draws, replacements, tensor_of
from initaudit.analyzer.syntax.made_layers import Made, MadeLayers
from initaudit.analyzer.syntax.scopes import holding, scopes_holding
from initaudit.analyzer.syntax.structure import constructed
from initaudit.finding import Observer, Place
from initaudit.subjects.layers import EmbeddingWrite

SETS = "zero_( fill_( zeros_( constant_( ]="
ROW = groups(("weight", "[", SETS))
EMBEDDING = "torch.nn.Embedding"
PADDING = groups(("padding_idx", "["))
LENGTHS = {"len", "lens", "length", "lengths"}
"""Parts of the names of how much of a row is no padding."""
MAX_FILES = 40


@reads(EmbeddingWrite, scope=File, words=("normal_( uniform_( orthogonal_(", "Embedding("))
@reads(EmbeddingWrite, scope=File, words=("weight", "randn( rand( normal(", "Embedding("))
@reads(EmbeddingWrite, scope=File, words=("weight", SETS, "Embedding("))
def embedding_writes(file: File) -> Iterator[EmbeddingWrite]:
    """Draws that reach the padding row of an embedding, and zeroes for a row that may be the whole table."""
    reader = MadeLayers(file.project, file.module, "Embedding")
    if not any(holding(file.module, each) for each in (ROW, DRAWN, REPLACED)):
        return
    for context in reader.functions(ROW):
        yield from _zeroed_tables(reader, context.definition, context.snippet)
    padded = [made for made in reader.made if made.layer == EMBEDDING and _pads(file, made)]
    if not padded:
        return
    for context in reader.functions(DRAWN):
        yield from _drawn_with_all(reader, context.definition, context.snippet, padded)
        yield from _drawn(reader, context, draws(context), padded)
    for context in reader.functions(REPLACED):
        yield from _drawn(reader, context, replacements(context), padded)


def _drawn(
    reader: MadeLayers, context: Context, drawn: Iterator[Draw], padded: Sequence[Made]
) -> Iterator[EmbeddingWrite]:
    """Draws that reach the padding row of an embedding."""
    scope, snippet = context.definition, context.snippet
    visible = {made.name: made for made in reader.made if made.visible_in(scope)}
    visible |= _reached_by_name(snippet, [made for made in reader.made if made.layer == EMBEDDING], padded)
    for draw in drawn:
        layers = (visible[draw.owner].layer,) if draw.owner in visible else draw.layers
        if draw.parameter != "weight" or EMBEDDING not in layers:
            continue
        reached = [made for made in [visible[draw.owner]] if made in padded] if draw.owner in visible else padded
        if reached and not _takes_care(reader, scope, snippet, draw.owner):
            yield EmbeddingWrite(
                observer=Observer.ANALYZER,
                place=snippet.place(draw.node),
                source=snippet.source(draw.node),
                embedding=reached[0].snippet.place(reached[0].call),
                needed=_zeroed_column(snippet, draw.owner) or _needed(reader, reached),
            )


def _drawn_with_all(
    reader: MadeLayers, scope: Definition | None, snippet: Snippet, padded: Sequence[Made]
) -> Iterator[EmbeddingWrite]:
    """Draws for every parameter, or every matrix, of an object that has an embedding with a padding row."""
    for loop in snippet.nodes:
        match loop:
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Attribute(attr="parameters", value=owner)),
                body=body,
            ):
                draw = _drawn_always(body, name)
                row = snippet.place(loop).row
                held = _held(reader, scope, dotted(owner), padded, row) if draw is not None else []
                if draw is not None and held and not any(_cared_for(reader, scope, snippet, *each) for each in held):
                    yield EmbeddingWrite(
                        observer=Observer.ANALYZER,
                        place=snippet.place(draw),
                        source=snippet.source(draw),
                        embedding=held[0][1].snippet.place(held[0][1].call),
                        needed=_needed(reader, [made for _, made in held]),
                    )
            case _:
                pass


def _held(
    reader: MadeLayers, scope: Definition | None, owner: str, padded: Sequence[Made], row: int
) -> list[tuple[str, Made]]:
    """The embeddings that an object, or a module that it is made of, has in a row of a method, by their names there."""
    if scope is None or scope.owner is None or not f"{owner}.".startswith("self."):
        return []
    own = [made for made in padded if made.name.startswith("self.")]
    late = range(row, scope.end + 1) if scope.name == "__init__" else range(0)
    there = (made for made in own if made.visible_in(scope) and made.snippet.place(made.call).row not in late)
    held = [(made.name, made) for made in there]
    for attribute in constructed(reader.project, Defined(reader.module, scope.owner)).values():
        rows = {row for row, _ in attribute.ends}
        certain = attribute.complete and len(attribute.layers) == 1 and rows.isdisjoint(late)
        only = attribute.layers[0].cls if certain else None
        if only is not None and only.module is reader.module:
            inside = (made for made in own if made.scope is not None and made.scope.owner is only.definition)
            held += [(f"self.{attribute.name}{made.name.removeprefix('self')}", made) for made in inside]
    return [(name, made) for name, made in held if name == owner or name.startswith(f"{owner}.")]


def _cared_for(reader: MadeLayers, scope: Definition | None, snippet: Snippet, name: str, made: Made) -> bool:
    """Whether something is said about the rows of an embedding where it is drawn, or where it is made."""
    return _takes_care(reader, scope, snippet, name) or _takes_care(reader, made.scope, made.snippet, made.name)


def _needed(reader: MadeLayers, tables: Sequence[Made]) -> Place | None:
    """The code that needs the padding row to be zero: it adds up all positions, or zeroes such a row itself."""
    adding = (place for made in tables if (place := _adds_up(reader, made)) is not None)
    return next(adding, None) or _zeroed_anywhere(reader)


def _zeroed_anywhere(reader: MadeLayers) -> Place | None:
    """Where the project zeroes a padding row itself, which is looked for once for all draws of a file."""
    memory, key = reader.module.memory, (__name__, 0)
    if key not in memory:
        memory[key] = next(_zeroing(reader), None)
    found: Place | None = memory[key]
    return found


def _adds_up(reader: MadeLayers, made: Made) -> Place | None:
    """Where the class of an embedding sums or averages over positions, and knows neither masks nor lengths."""
    owner = made.scope.owner if made.scope is not None else None
    whole = reader.module.quiet_snippet(owner.start, owner.end) if owner is not None else None
    if whole is None or owner is None or _knows_lengths(reader.module, owner):
        return None
    looked_up = {made.name}
    for node in whole.nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="sum" | "mean" as name, value=value), args=[*given], keywords=named):
                if dotted(value) == "torch":
                    value, *given = given or [value]
                dims = [*given[:1], *(each.value for each in named if each.arg in ("dim", "axis"))]
                if [ast.unparse(dim) for dim in dims] in (["1"], ["-2"]) and _is_looked_up(value, looked_up):
                    return whole.place(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                (looked_up.add if _is_looked_up(value, looked_up) else looked_up.discard)(name)
    return None


def _knows_lengths(module: Module, owner: Definition) -> bool:
    """Whether a class names masks, or a method of it the lengths of what it is given, beside the greatest."""
    methods = [each for name, each in owner.members.items() if name != "__init__"]
    parts = [set(name.lower().split("_")) for each in methods for name in module.usage(each).names - {"len"}]
    masks = any("mask" in name.lower() for name in module.usage(owner).names)
    return masks or any("max" not in each and not each.isdisjoint(LENGTHS) for each in parts)


def _is_looked_up(value: ast.expr, names: set[str]) -> bool:
    """Whether a value is what an embedding gives, by one of its names, whatever drops or scales it."""
    match value:
        case ast.Name(id=name):
            return name in names
        case ast.Call(func=function, args=[*given]):
            return dotted(function) in names or (len(given) == 1 and _is_looked_up(given[0], names))
    return False


def _zeroing(reader: MadeLayers) -> Iterator[Place]:
    """Where the project zeroes the padding row of an embedding that it draws."""
    project = reader.project
    for filename in project.find(Search(project.work_folder(reader.module), word=b"padding_idx"))[:MAX_FILES]:
        module = project.load(filename)
        for start, end, _ in scopes_holding(module, PADDING) if module is not None else ():
            snippet = module.snippet(start, end) if module is not None else None
            for node in snippet.nodes if snippet is not None else ():
                row = _zeroed_row(node)
                if snippet is not None and row is not None and _is_row_of_a_weight(row):
                    yield snippet.place(node)


def _is_row_of_a_weight(row: ast.Subscript) -> bool:
    """Whether something is the padding row of a layer's weight, and no column, or weight of a class in a loss."""
    first = row.slice.elts[0] if isinstance(row.slice, ast.Tuple) and row.slice.elts else row.slice
    of_layer = any(isinstance(each, ast.Attribute) and each.attr in ("weight", "data") for each in nodes(row.value))
    return of_layer and "padding_idx" in usage([first]).names


def _asks_for_matrix(test: ast.expr, name: str) -> bool:
    """Whether a test holds for matrices and tensors of more dimensions, and for no others."""
    dimensions = (f"{name}.dim()", f"{name}.ndim", f"len({name}.shape)", f"len({name}.size())")
    return ast.unparse(test) in [f"{each} {more}" for each in dimensions for more in ("> 1", ">= 2")]


def _drawn_always(body: Sequence[ast.stmt], name: str) -> ast.Call | None:
    """The draw of a parameter that no test keeps from a matrix."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=then) if _asks_for_matrix(test, name):
                return _drawn_always(then, name)
            case ast.Expr(value=ast.Call(func=function, args=args) as call):
                called = last_name(function)
                given = [*args[:1], *([function.value] if isinstance(function, ast.Attribute) else [])]
                if called in torch_api.DRAWS and any(dotted(each).removesuffix(".data") == name for each in given):
                    return call
            case _:
                return None
    return None


def _reached_by_name(snippet: Snippet, embeddings: Sequence[Made], padded: Sequence[Made]) -> dict[str, Made]:
    """The embeddings that a function reaches as an attribute of another object: ``module.words`` for ``self.words``.

    Only where every embedding of that name in the file has a padding row.
    """
    known = set(map(id, padded))
    others = {each.name for each in embeddings if id(each) not in known}
    by_attribute = {
        made.name.removeprefix("self."): made
        for made in padded
        if made.name.startswith("self.") and made.name not in others
    }
    owners = (node.value for node in snippet.nodes if isinstance(node, ast.Attribute) and node.attr == "weight")
    reached = [(name, owner.attr) for owner in owners if isinstance(owner, ast.Attribute) and (name := dotted(owner))]
    return {
        owner: by_attribute[attribute]
        for owner, attribute in reached
        if attribute in by_attribute and not owner.startswith(("self.", "."))
    }


def _takes_care(reader: MadeLayers, scope: Definition | None, snippet: Snippet, owner: str) -> bool:
    """Whether something is said about rows of the table, or about padding, where the table is drawn.

    For a table of the object itself the whole class is asked. A padding row of any table counts, for code may
    collect the tables first.
    """
    if owner.startswith("self.") and scope is not None and scope.owner is not None:
        whole = reader.module.quiet_snippet(scope.owner.start, scope.owner.end)
        return whole is None or any(_is_about_rows(node, owner) for node in whole.nodes)
    return _calls_about_padding(snippet) or any(_is_about_rows(node, owner) for node in snippet.nodes)


def _is_about_rows(node: ast.AST, owner: str) -> bool:
    """Whether a node is a row of the table of an object, or of any table at a padding index, or asks for that index."""
    if isinstance(node, ast.Attribute):
        return node.attr == "padding_idx" and _is(dotted(node.value), owner)
    table = tensor_of(node.value) if isinstance(node, ast.Subscript) else None
    if not isinstance(node, ast.Subscript) or table is None or table[1] != "weight" or _is_of_columns(node.slice):
        return False
    return _is(table[0], owner) or any("pad" in name for name in usage([node.slice]).names)


def _is_of_columns(index: ast.expr) -> bool:
    """Whether an index is of all rows: ``[:, padding_idx]``."""
    match index:
        case ast.Tuple(elts=[ast.Slice(lower=None, upper=None), *_]):
            return True
    return False


def _zeroed_column(snippet: Snippet, owner: str) -> Place | None:
    """Where a column of a table is zeroed that has a padding row: the row was meant."""
    for node in snippet.nodes:
        row = _zeroed_row(node)
        if row is not None and _is_of_columns(row.slice) and tensor_of(row.value) == (owner, "weight"):
            return snippet.place(node)
    return None


def _is(name: str, owner: str) -> bool:
    """Whether a dotted name is that of an object, also behind another one."""
    return f".{name}".endswith(f".{owner}")


@functools.lru_cache(maxsize=64)
def _calls_about_padding(snippet: Snippet) -> bool:
    return any(isinstance(node, ast.Call) and "pad" in dotted(node.func) for node in snippet.nodes)


def _zeroed_tables(reader: MadeLayers, scope: Definition | None, snippet: Snippet) -> Iterator[EmbeddingWrite]:
    """Rows that are zeroed at the padding index of an embedding, where nothing asks whether there is one."""
    made = {made.name: made for made in reader.made if made.layer == EMBEDDING and made.visible_in(scope)}
    for node in snippet.nodes:
        row = _zeroed_row(node)
        table = tensor_of(row.value) if row is not None else None
        if row is None or table is None or table[0] not in made or table[1] != "weight":
            continue
        embedding, index = made[table[0]], dotted(row.slice)
        padding = argument(embedding.call, 2, "padding_idx")
        if padding is None or dotted(padding) != index:
            continue
        optional = _optional(snippet, index)
        if optional is not None and not _asked(snippet, index):
            yield EmbeddingWrite(
                observer=Observer.ANALYZER,
                place=snippet.place(node),
                source=snippet.source(node),
                embedding=embedding.snippet.place(embedding.call),
                index=index,
                optional=optional,
            )


def _zeroed_row(node: ast.AST) -> ast.Subscript | None:
    """The part of a tensor that a node sets to zero."""
    match node:
        case ast.Call(func=ast.Attribute(attr="zero_", value=ast.Subscript() as row), args=[]):
            return row
        case ast.Call(func=ast.Attribute(attr="fill_", value=ast.Subscript() as row), args=[ast.Constant(value=0)]):
            return row
        case ast.Call(func=ast.Attribute(attr="zeros_") | ast.Name(id="zeros_"), args=[ast.Subscript() as row]):
            return row
        case ast.Call(
            func=ast.Attribute(attr="constant_") | ast.Name(id="constant_"),
            args=[ast.Subscript() as row, ast.Constant(value=0)],
        ):
            return row
        case ast.Assign(targets=[ast.Subscript() as row], value=ast.Constant(value=0)):
            return row
    return None


def _asked(snippet: Snippet, index: str) -> bool:
    """Whether some condition of a function is about the index."""
    conditions = (node.test for node in snippet.nodes if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert))
    return any(dotted(node) == index for test in conditions for node in nodes(test) if isinstance(node, ast.expr))


def _optional(snippet: Snippet, index: str) -> bool | None:
    """Whether a function says that an argument may be None; None for what is no argument, or surely a number."""
    for function in snippet.nodes:
        given = (
            [each for each in parameters(function) if each.arg == index] if isinstance(function, FunctionNode) else []
        )
        if given and isinstance(function, FunctionNode):
            default = defaults(function.args).get(index)
            by_default = _is_none(default)
            kind = given[0].annotation
            if by_default or (kind is not None and _may_be_none(kind)):
                return True
            number = default is not None or kind is not None or _is_counted_with(function, index)
            return None if number else False
    return None


def _may_be_none(annotation: ast.expr) -> bool:
    """Whether an annotation says ``Optional`` or ``None``, also in a string."""
    said = usage([annotation])
    none = any(isinstance(node, ast.Constant) and node.value is None for node in ast.walk(annotation))
    return none or said.says(re.compile(r"\b(?:Optional|None)\b"))


def _is_counted_with(function: FunctionNode, name: str) -> bool:
    """Whether a function does arithmetic with an argument, which then is a number."""
    return any(
        isinstance(node, ast.BinOp)
        and any(isinstance(side, ast.Name) and side.id == name for side in (node.left, node.right))
        for node in nodes(function)
    )


def _pads(file: File, made: Made) -> bool:
    """Whether an embedding is made with a padding row, in a function that some caller asks for one, if any calls it."""
    given, scope = argument(made.call, 2, "padding_idx"), made.scope
    if isinstance(given, ast.Name) and scope is not None:
        of_class = scope.owner if scope.name == "__init__" else None
        called, files = Defined(file.module, of_class or scope), importing(file.project, file.module)
        calls = all_given(called, given.id, files)
        derived = of_class and any(True for each in files for _ in file.project.descendants(called, each))
        return bool(derived) or not calls or not all(map(_is_none, calls))
    return given is not None and not _is_none(given)


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
