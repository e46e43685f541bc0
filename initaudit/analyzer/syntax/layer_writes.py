"""What initializing code draws for layers whose type it has tested, or made itself: embeddings and normalizations.

``isinstance(module, nn.Embedding)`` tells what ``module.weight`` is, and so does ``self.embed = nn.Embedding(...)``.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from initaudit.analyzer import torch_api
from initaudit.analyzer.outline import Definition
from initaudit.analyzer.project import Defined, External, Module, Project
from initaudit.analyzer.snippets import FunctionNode, Snippet, defaults, dotted, parameters
from initaudit.analyzer.syntax.units import units
from initaudit.facts import EmbeddingWrite, GainDraw
from initaudit.finding import Observer

DRAWS = {
    "normal_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_",
    "orthogonal_",
}  # fmt: skip
DRAWN = re.compile(r"(?:normal|uniform|orthogonal)_\(")
MADE = re.compile(r"Norm\w*\(|Embedding\(")
ROW = re.compile(r"weight(?:\.data)?\[")
EMBEDDING = "torch.nn.Embedding"
Types = Mapping[str, tuple[str, ...]]
"""Canonical names of the types that an object is known to have, by the object's dotted name."""


@dataclass(frozen=True, slots=True)
class Made:
    """A layer that code makes and names, in which function, and the call that makes it."""

    name: str  # "self.embed", or a local "m"
    layer: str  # canonical
    scope: Definition | None
    snippet: Snippet
    call: ast.Call

    def visible_in(self, scope: Definition | None) -> bool:
        """Whether the name means this layer in some function."""
        if self.scope is scope:
            return True
        owner = scope.owner if scope is not None else None
        return (
            self.name.startswith("self.") and owner is not None and self.scope is not None and self.scope.owner is owner
        )


@dataclass(frozen=True, slots=True)
class Draw:
    """Random values for all of ``owner.parameter``, where the owner ("module", "self.embed") has one of some types."""

    node: ast.Call
    owner: str
    parameter: str
    call: str
    mean: float | None
    layers: tuple[str, ...]


def embedding_writes(project: Project, module: Module) -> Iterator[EmbeddingWrite]:
    """Draws that reach the padding row of an embedding, and zeroes for a row that may be the whole table."""
    reader = Reader(project, module)
    padded = [made for made in reader.made if made.layer == EMBEDDING and _pads(made.call)]
    if not padded:
        return
    for scope, snippet in reader.functions(ROW):
        yield from _zeroed_tables(reader, scope, snippet)
    for scope, snippet in reader.functions(DRAWN):
        yield from _drawn_with_all(reader, scope, snippet, padded)
        visible = {made.name: made for made in reader.made if made.visible_in(scope)}
        visible |= _reached_by_name(snippet, [made for made in reader.made if made.layer == EMBEDDING], padded)
        for draw in reader.draws(snippet, {name: (made.layer,) for name, made in visible.items()}):
            if draw.parameter != "weight" or EMBEDDING not in draw.layers:
                continue
            reached = [made for made in [visible[draw.owner]] if made in padded] if draw.owner in visible else padded
            if reached and not reader.takes_care(scope, snippet, draw.owner):
                yield EmbeddingWrite(
                    observer=Observer.ANALYZER,
                    place=snippet.place(draw.node),
                    source=snippet.source(draw.node),
                    embedding=reached[0].snippet.place(reached[0].call),
                )


def _drawn_with_all(
    reader: Reader, scope: Definition | None, snippet: Snippet, padded: Sequence[Made]
) -> Iterator[EmbeddingWrite]:
    """Draws for every parameter, or every matrix, of an object that has an embedding with a padding row."""
    own = [made for made in padded if made.name.startswith("self.") and made.visible_in(scope)]
    for loop in nodes(snippet.body) if own else ():
        match loop:
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Attribute(attr="parameters", value=ast.Name(id="self"))),
                body=body,
            ):
                matrix = re.compile(rf"(?:{name}\.dim\(\)|{name}\.ndim|len\({name}\.(?:shape|size\(\))\)) (?:> 1|>= 2)")
                draw = _drawn_always(body, name, matrix)
                if draw is not None and not any(reader.takes_care(scope, snippet, made.name) for made in own):
                    yield EmbeddingWrite(
                        observer=Observer.ANALYZER,
                        place=snippet.place(draw),
                        source=snippet.source(draw),
                        embedding=own[0].snippet.place(own[0].call),
                    )
            case _:
                pass


def _drawn_always(body: Sequence[ast.stmt], name: str, matrix: re.Pattern[str]) -> ast.Call | None:
    """The draw of a parameter that no test keeps from a matrix."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=then) if matrix.fullmatch(ast.unparse(test)):
                return _drawn_always(then, name, matrix)
            case ast.Expr(value=ast.Call(func=function, args=args) as call):
                called = function.attr if isinstance(function, ast.Attribute) else dotted(function)
                given = [*args[:1], *([function.value] if isinstance(function, ast.Attribute) else [])]
                if called in DRAWS and any(dotted(each).removesuffix(".data") == name for each in given):
                    return call
            case _:
                return None
    return None


def _reached_by_name(snippet: Snippet, embeddings: Sequence[Made], padded: Sequence[Made]) -> dict[str, Made]:
    """The embeddings that a function reaches as an attribute of another object: ``module.words`` for ``self.words``.

    Only where every embedding of that name in the file has a padding row.
    """
    found = {}
    text = snippet.source(snippet.body[0], snippet.body[-1])
    for made in padded:
        attribute = made.name.removeprefix("self.")
        namesakes = [each for each in embeddings if each.name == made.name]
        if attribute.isidentifier() and attribute != made.name and all(each in padded for each in namesakes):
            for match in re.finditer(rf"\b((?:\w+\.)+{attribute})\.weight\b", text):
                if not match[1].startswith("self."):
                    found[match[1]] = made
    return found


def _zeroed_tables(reader: Reader, scope: Definition | None, snippet: Snippet) -> Iterator[EmbeddingWrite]:
    """Rows that are zeroed at the padding index of an embedding, where nothing asks whether there is one."""
    made = {made.name: made for made in reader.made if made.layer == EMBEDDING and made.visible_in(scope)}
    for node in nodes(snippet.body):
        row = _zeroed_row(node)
        table = _tensor(row.value) if row is not None else None
        if row is None or table is None or table[0] not in made or table[1] != "weight":
            continue
        embedding, index = made[table[0]], dotted(row.slice)
        padding = _padding(embedding.call)
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
    conditions = (
        node.test for node in nodes(snippet.body) if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert)
    )
    return any(dotted(node) == index for test in conditions for node in nodes([test]) if isinstance(node, ast.expr))


def _optional(snippet: Snippet, index: str) -> bool | None:
    """Whether a function says that an argument may be None; None for what is no argument."""
    for function in nodes(snippet.body):
        given = (
            [each for each in parameters(function) if each.arg == index] if isinstance(function, FunctionNode) else []
        )
        if given and isinstance(function, FunctionNode):
            default = defaults(function.args).get(index)
            by_default = isinstance(default, ast.Constant) and default.value is None
            kind = given[0].annotation
            return by_default or (kind is not None and re.search(r"Optional|None", ast.unparse(kind)) is not None)
    return None


def gain_draws(project: Project, module: Module) -> Iterator[GainDraw]:
    """Draws of the gain of a normalization."""
    reader = Reader(project, module)
    for scope, snippet in reader.functions(DRAWN):
        known = {made.name: (made.layer,) for made in reader.made if made.visible_in(scope)}
        for draw in reader.draws(snippet, known):
            layer = next((layer for layer in draw.layers if reader.starts_at_one(layer, draw.parameter)), None)
            if layer is not None:
                yield GainDraw(
                    observer=Observer.ANALYZER,
                    place=snippet.place(draw.node),
                    layer=layer,
                    parameter=draw.parameter,
                    call=draw.call,
                    mean=draw.mean,
                )


class Reader:
    """One file."""

    def __init__(self, project: Project, module: Module) -> None:
        self.project = project
        self.module = module

    def functions(self, pattern: re.Pattern[str]) -> Iterator[tuple[Definition | None, Snippet]]:
        """The functions that are not inside others, and top-level code, as far as a pattern stands in them."""
        for scope, start, end in units(self.module):
            if pattern.search("\n".join(self.module.lines[start - 1 : end])):
                snippet = self.module.snippet(start, end)
                if snippet is not None:
                    yield scope, snippet

    @functools.cached_property
    def made(self) -> list[Made]:
        """The embeddings and normalizations that the file makes and names."""
        return [
            Made(name, layer, scope, snippet, node.value)
            for scope, snippet in self.functions(MADE)
            for node in nodes(snippet.body)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1
            if (name := dotted(node.targets[0])) and (layer := self.type_named(node.value.func)) is not None
        ]

    def type_named(self, node: ast.expr) -> str | None:
        """The canonical name of the class that an expression names."""
        name = dotted(node)
        found = self.project.resolve(self.module, name) if name and not name.startswith(".") else None
        if isinstance(found, External):
            return found.name
        return found.qualname if isinstance(found, Defined) and found.definition.is_class else None

    # Draws

    def draws(self, snippet: Snippet, known: Types) -> Iterator[Draw]:
        """The draws for objects whose type is known, or tested around them."""
        yield from self._drawn(snippet.body, known)

    def _drawn(self, body: Sequence[ast.stmt], known: Types) -> Iterator[Draw]:
        for statement in body:
            for block, narrowed in self._blocks(statement, known):
                yield from self._drawn(block, narrowed)
            for node in nodes([statement], within=False):
                if isinstance(node, ast.Call) and (draw := _draw(node, known)) is not None:
                    yield draw

    def _blocks(self, statement: ast.stmt, known: Types) -> Iterator[tuple[Sequence[ast.stmt], Types]]:
        """The bodies of a compound statement, with the types that are known in each."""
        for name, block in ast.iter_fields(statement):
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                tested = self._tested(statement.test) if isinstance(statement, ast.If) and name == "body" else {}
                yield block, {**known, **tested}
            for case in block if name in ("handlers", "cases") else ():
                yield case.body, known

    def _tested(self, test: ast.expr) -> Types:
        """What a condition says of the types of objects."""
        if isinstance(test, ast.BoolOp):
            parts = [self._tested(value) for value in test.values]
            if isinstance(test.op, ast.And):
                return {name: types for part in parts for name, types in part.items()}
            common = set(parts[0]).intersection(*parts[1:])
            return {name: tuple(kind for part in parts for kind in part[name]) for name in common}
        match test:
            case ast.Call(func=ast.Name(id="isinstance"), args=[subject, kinds]):
                return self._types(subject, kinds)
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="type"), args=[subject]),
                ops=[ast.Eq() | ast.Is() | ast.In()],
                comparators=[kinds],
            ):
                return self._types(subject, kinds)
        return {}

    def _types(self, subject: ast.expr, kinds: ast.expr) -> Types:
        types = tuple(found for kind in _alternatives(kinds) if (found := self.type_named(kind)) is not None)
        return {dotted(subject): types} if dotted(subject) and types else {}

    # What is known of a layer

    def starts_at_one(self, layer: str, parameter: str) -> bool:
        """Whether a layer is a normalization, and this parameter its gain, which its constructor sets to one."""
        if layer.startswith("torch.nn."):
            return layer.removeprefix("torch.nn.") in torch_api.NORMALIZATIONS and parameter == "weight"
        found = self.project.absolute(layer) if "Norm" in layer.rpartition(".")[2] else None
        ones = re.compile(rf"self\.{parameter}\s*(?::[^=\n]+)?=\s*(?:\w+\.)*Parameter\(\s*(?:\w+\.)*ones\(")
        return isinstance(found, Defined) and any(
            ones.search(base.module.slice(base.definition))
            if isinstance(base, Defined)
            else base.name.startswith("torch.nn.") and self.starts_at_one(base.name, parameter)
            for base in self.project.mro(found) or (found,)
        )

    def takes_care(self, scope: Definition | None, snippet: Snippet, owner: str) -> bool:
        """Whether something is said about rows of the table, or about padding, where the table is drawn.

        For a table of the object itself the whole class is asked. A padding row of any table counts, for code may
        collect the tables first.
        """
        rows = re.compile(
            rf"\b{re.escape(owner)}\.(?:weight(?:\.data)?\[|padding_idx\b)|\.weight(?:\.data)?\[[^\]\n]*pad"
        )
        if owner.startswith("self.") and scope is not None and scope.owner is not None:
            return rows.search(self.module.slice(scope.owner)) is not None
        if any(isinstance(node, ast.Call) and "pad" in dotted(node.func) for node in nodes(snippet.body)):
            return True
        return rows.search(snippet.source(snippet.body[0], snippet.body[-1])) is not None


def nodes(body: Sequence[ast.AST], *, within: bool = True) -> Iterator[ast.AST]:
    """Every node of some statements in the order of the source; those of inner statements only ``within``."""
    pending = list(reversed(body))
    while pending:
        node = pending.pop()
        yield node
        inner = [
            child
            for child in ast.iter_child_nodes(node)
            if within or not isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
        ]
        pending.extend(reversed(inner))


def _alternatives(kinds: ast.expr) -> Iterator[ast.expr]:
    """The classes of ``(A, B)`` or ``A | B``."""
    if isinstance(kinds, ast.BinOp):
        yield from _alternatives(kinds.left)
        yield from _alternatives(kinds.right)
    elif isinstance(kinds, ast.Tuple | ast.List):
        yield from kinds.elts
    else:
        yield kinds


def _draw(call: ast.Call, known: Types) -> Draw | None:
    """The draw that a call makes for an object whose type is known."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
    if name not in DRAWS:
        return None
    given, arguments = _tensor(call.func.value) if isinstance(call.func, ast.Attribute) else None, call.args
    by = f"Tensor.{name}"
    if (given is None or given[0] not in known) and call.args:
        given, arguments, by = _tensor(call.args[0]), call.args[1:], f"init.{name}"
    if given is None or given[0] not in known:
        return None
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    return Draw(call, *given, by, _mean(by, arguments, keywords), known[given[0]])


def _tensor(node: ast.expr) -> tuple[str, str] | None:
    """The owner and the name of a parameter, all of which an expression stands for."""
    while isinstance(node, ast.Attribute) and node.attr == "data":
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "detach":
        return _tensor(node.func.value)
    owner = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return (owner, node.attr) if isinstance(node, ast.Attribute) and owner else None


def _mean(by: str, arguments: Sequence[ast.expr], keywords: Mapping[str, ast.expr]) -> float | None:
    """The mean of what an initializer draws, where its arguments say."""
    name = by.rpartition(".")[2]
    if name in ("normal_", "trunc_normal_"):
        given = arguments[0] if arguments else keywords.get("mean")
        return 0.0 if given is None else _number(given)
    if name != "uniform_":
        return 0.0
    low, high = [*arguments, None, None][:2]
    low = low or keywords.get("a") or keywords.get("from")
    high = high or keywords.get("b") or keywords.get("to")
    if low is not None and high is not None and _opposite(low, high):
        return 0.0
    bounds = [default if bound is None else _number(bound) for bound, default in ((low, 0.0), (high, 1.0))]
    return None if bounds[0] is None or bounds[1] is None else (bounds[0] + bounds[1]) / 2


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) else None


def _opposite(low: ast.expr, high: ast.expr) -> bool:
    """Whether bounds are written ``-x, x``."""
    return isinstance(low, ast.UnaryOp) and isinstance(low.op, ast.USub) and ast.dump(low.operand) == ast.dump(high)


def _padding(call: ast.Call) -> ast.expr | None:
    """The padding index that an embedding is made with."""
    if len(call.args) > 2:
        return call.args[2]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "padding_idx"), None)


def _pads(call: ast.Call) -> bool:
    """Whether an embedding is made with a padding row."""
    given = _padding(call)
    return given is not None and not (isinstance(given, ast.Constant) and given.value is None)
