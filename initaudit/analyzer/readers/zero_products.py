"""Parameters of a class that start at zero and are only multiplied by one another: both tables of a factorization."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeGuard

from initaudit.adapters import ADAPTER
from initaudit.analyzer.frameworks import KNOWN_BASES
from initaudit.analyzer.programs.verdict import drawn_by_programs
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Class, Context, function_context, own_attribute
from initaudit.analyzer.syntax.elsewhere import spoken_of_elsewhere
from initaudit.analyzer.syntax.factors import ZERO_FACTORIES
from initaudit.analyzer.syntax.flow import Flow
from initaudit.analyzer.syntax.structure import constructed, without
from initaudit.analyzer.syntax.walks import written
from initaudit.finding import Observer
from initaudit.subjects.weights import Factor, ZeroFactors

ZERO_AT_ZERO = {
    "index_select", "gather", "unsqueeze", "squeeze", "view", "reshape", "transpose", "t", "permute", "expand",
    "expand_as", "repeat", "contiguous", "flatten", "relu", "gelu", "tanh", "silu", "leaky_relu", "elu", "dropout",
}  # fmt: skip
"""Functions and methods that give zeros for zeros."""
PRODUCTS = {"mul", "multiply", "matmul", "mm", "bmm", "mv", "dot", "inner", "einsum"}
ATTENTION = "MultiheadAttention"
KINDS = {"Embedding": "Embedding", ATTENTION: ATTENTION} | dict.fromkeys(
    ("Linear", "Conv1d", "Conv2d", "Conv3d"), "Linear"
)
"""Layers, and which of them each is like: what gives zeros once the weight is zero, or the weight of its last layer."""
REDRAWS = {"apply", "load_state_dict", "post_init", "from_pretrained"}
End = tuple[ast.AST, ast.AST] | None
"""A product and the factor of it that a value becomes; None for any other use."""


@dataclass(slots=True)
class _Zero:
    """What a class sets to zero: a matrix of its own, the table of an embedding, or the weight of a linear layer.

    ``uses`` are the ends of each value that is read from it, beside the call of the layer that gives the value.
    """

    kind: str
    place: Context
    node: ast.AST
    silent: bool = True
    uses: list[tuple[ast.Call | None, list[End]]] = field(default_factory=list)


@reads(ZeroFactors, scope=Class, words=("zeros zero_ zeros_ constant_ fill_", "Embedding( Parameter( Linear( Conv*("))
def zero_products(cls: Class) -> Iterator[ZeroFactors]:
    """``self.users(u) * self.items(i)``, where the constructor sets both tables to zero."""
    project, this = cls.project, cls.defined
    if not project.is_module_class(this) or ADAPTER.search(cls.module.slice(cls.definition)) or not _is_read_whole(cls):
        return
    methods = [found for each in project.methods(this) if (found := function_context(project, each)) is not None]
    zeros = _zeros(cls, methods)
    stuck = _stuck(zeros, methods) if len(zeros) > 1 else []
    if not stuck or any(spoken_of_elsewhere(project, this, name) for name in stuck) or drawn_by_programs(project, this):
        return
    first = zeros[stuck[0]]
    ends = {"Parameter": "", ATTENTION: ".out_proj.weight"}
    names = [f"{name}{ends.get(zeros[name].kind, '.weight')}" for name in stuck]
    yield ZeroFactors(
        observer=Observer.ANALYZER,
        place=first.place.snippet.place(first.node),
        factors=tuple(Factor(this.qualname, name, matrix=True) for name in names),
    )


def _is_read_whole(cls: Class) -> bool:
    """Whether the bases of a class are known, and neither they nor it go over all parameters or load them."""
    for each in cls.project.mro(cls.defined) or (None,):
        match each:
            case External(name=name):
                known = name in (*KNOWN_BASES, "object") or name.startswith(("torch.nn.", "abc.", "typing."))
            case Defined(module, definition):
                used = module.usage(definition)
                known = not used.walks and REDRAWS.isdisjoint(used.last_called)
            case _:
                known = False
        if not known:
            return False
    return True


def _zeros(cls: Class, methods: list[Context]) -> dict[str, _Zero]:
    """What a class always sets to zero, by the attributes that hold it."""
    writes = {each: (context, node) for context in methods for each, node in _writes(context)}
    found: dict[str, _Zero] = {}
    for name, attribute in constructed(cls.project, cls.defined).items():
        layer = attribute.layers[0] if attribute.complete and len(attribute.layers) == 1 else None
        kind = layer.kind.removeprefix("torch.nn.") if layer is not None else ""
        if layer is not None and layer.call is not None and kind in KINDS and (name, "weight") in writes:
            bare = KINDS[kind] != "Linear" or without(kind, layer.call, "bias") is True or (name, "bias") in writes
            found[name] = _Zero(KINDS[kind], *writes[name, "weight"], silent=bare)
    return found | {name: _Zero("Parameter", *at) for (name, parameter), at in writes.items() if not parameter}


def _writes(context: Context) -> Iterator[tuple[tuple[str, str], ast.AST]]:
    """What a method sets to zero without a condition: a parameter of a layer of the object, or one of its own ("")."""
    parents = context.snippet.parents
    for node in context.walk():
        target, around = _zeroed(context, node), parents.get(node)
        owners: list[ast.expr] = [target.value] if isinstance(target, ast.Attribute) else []
        if isinstance(around, ast.For) and isinstance(around.iter, ast.Tuple | ast.List):
            owners, around = around.iter.elts, parents.get(around)
        if not isinstance(target, ast.Attribute) or not isinstance(around, ast.FunctionDef):
            continue
        if (name := own_attribute(target)) is not None:
            yield (name, ""), node
        elif target.attr in ("weight", "bias"):
            owners = [each.value if _is_last(each) else each for each in owners]
            yield from (((name, target.attr), node) for owner in owners if (name := own_attribute(owner)) is not None)


def _is_last(node: ast.expr) -> TypeGuard[ast.Attribute]:
    """Whether an expression is the last layer of an attention, whose bias torch sets to zero."""
    return isinstance(node, ast.Attribute) and node.attr == "out_proj" and own_attribute(node) is None


def _zeroed(context: Context, node: ast.AST) -> ast.expr | None:
    """What a statement sets to zero, or makes a parameter of zeros."""
    match node:
        case ast.Expr(value=ast.Call(func=function, args=args) as call):
            value = args[-1] if args and last_name(function) in ("constant_", "fill_") else None
            zero = last_name(function) in ("zeros_", "zero_") or (isinstance(value, ast.Constant) and value.value == 0)
            return written(context, call) if zero else None
        case ast.Assign(targets=[target], value=ast.Call(func=function, args=[ast.Call() as made], keywords=named)) if (
            context.canonical(function) == "torch.nn.Parameter"
        ):
            trained = all(isinstance(each.value, ast.Constant) and each.value.value is True for each in named)
            return target if trained and _is_of_zeros(context, made) else None
        case ast.Assign(targets=[ast.Attribute(attr="data", value=target)], value=ast.Call() as made):
            return target if _is_of_zeros(context, made) else None
    return None


def _is_of_zeros(context: Context, made: ast.Call) -> bool:
    """``torch.zeros(n)``, ``torch.tensor(0.0)``, ``torch.full((n,), 0.0)``."""
    name = context.canonical(made.func)
    match made.args:
        case [ast.Constant(value=0 | 0.0)] | [ast.List(elts=[ast.Constant(value=0 | 0.0)])] if name == "torch.tensor":
            return True
        case [_, ast.Constant(value=0 | 0.0)] if name == "torch.full":
            return True
    return name in ZERO_FACTORIES


def _stuck(zeros: dict[str, _Zero], methods: list[Context]) -> list[str]:
    """The names of what is only multiplied by zeros, in the order of the source."""
    for context in methods:
        flow = _Values(context)
        zeroing = [node for _, node in _writes(context)]
        for node in context.walk():
            name = own_attribute(node)
            if name not in zeros or not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            if not any(flow.is_inside(node, each) for each in zeroing):
                zeros[name].uses.append(flow.use(node, zeros[name].kind))
    stuck = dict(zeros)
    while True:
        factors: dict[ast.AST, set[tuple[ast.AST, str]]] = {}
        for name, zero in stuck.items():
            for call, ends in zero.uses:
                for product, factor in filter(None, ends if zero.silent else ()):
                    factors.setdefault(product, set()).add((factor, name))
                if call is not None:
                    factors.setdefault(call, set()).add((call.func, name))
        left = {
            name: zero for name, zero in stuck.items() if zero.uses and all(_is_idle(use, factors) for use in zero.uses)
        }
        if len(left) == len(stuck):
            return list(left)
        stuck = left


def _is_idle(use: tuple[ast.Call | None, list[End]], factors: dict[ast.AST, set[tuple[ast.AST, str]]]) -> bool:
    """Whether a value meets nothing but zeros: as the input of its own layer, or wherever its result is used."""
    call, ends = use
    if call is not None and any(factor is not call.func for factor, _ in factors.get(call, ())):
        return True
    met = [
        [each for each, _ in factors.get(end[0], ()) if each is not end[1]] if end is not None else [] for end in ends
    ]
    return bool(met) and all(met)


class _Values(Flow):
    """Where the values that a method reads from attributes of the object are multiplied by something."""

    def is_inside(self, node: ast.AST | None, statement: ast.AST) -> bool:
        """Whether a statement, or the loop that it is all of, contains a node."""
        around = self.parents.get(statement)
        whole = around if isinstance(around, ast.For) else statement
        while node is not None and node is not whole:
            node = self.parents.get(node)
        return node is whole

    def use(self, node: ast.expr, kind: str) -> tuple[ast.Call | None, list[End]]:
        """What becomes of one value: of what a layer gives, or of a matrix where it is named."""
        around = self.parents.get(node)
        if kind != "Parameter" and isinstance(around, ast.Call) and around.func is node:
            return around if kind == "Linear" else None, list(self._ends(around))
        return None, list(self._ends(node)) if kind != "Linear" else [None]

    def _ends(self, node: ast.AST) -> Iterator[End]:
        around = self.parents.get(node)
        match around:
            case ast.Attribute(attr="weight" | "data" | "T" | "mT") | ast.Subscript(ctx=ast.Load()):
                yield from self._ends(around) if around.value is node else [None]
            case ast.Attribute(attr=name) if (
                isinstance(call := self.parents.get(around), ast.Call) and call.func is around
            ):
                if name in ZERO_AT_ZERO:
                    yield from self._ends(call)
                else:
                    yield (call, node) if name in PRODUCTS else None
            case ast.BinOp(op=ast.Mult() | ast.MatMult()):
                yield around, node
            case ast.Call(func=function, args=[first, *_]) if own_attribute(function) is not None and first is node:
                yield around, node
            case ast.Call(func=function, args=args) if node in args:
                if last_name(function) in (*ZERO_AT_ZERO, "embedding"):
                    yield from self._ends(around)
                else:
                    yield (around, node) if last_name(function) in PRODUCTS else None
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
                for load in self.loads(name, around):
                    yield from self._ends(load)
            case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id=name), *_])], value=value) if value is node:
                for load in self.loads(name, around):  # of what an attention gives
                    yield from self._ends(load)
            case _:
                yield None
