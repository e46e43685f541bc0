"""What the methods of a class multiply by the parameters that it makes itself.

Only a parameter all of whose uses are understood is reported: each is a product that nothing scales or normalizes as
far as the method shows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from initaudit.activations import lookup
from initaudit.analyzer.file.matches import groups
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Class, Context, function_context, method, own_attribute, own_attributes
from initaudit.analyzer.syntax.einsums import Einsum, einsum
from initaudit.analyzer.syntax.flow import NO_FORWARD, called, computing, names_in
from initaudit.analyzer.syntax.scaled import Scaling, given_to

MATMULS = {"torch.matmul", "torch.mm", "torch.bmm"}
METHODS = {name.rpartition(".")[2] for name in MATMULS}
LINEAR = "torch.nn.functional.linear"
CONVOLUTION = re.compile(r"torch\.(?:nn\.functional\.)?conv[123]d")
PRODUCTS = groups("@ mm( matmul( linear( einsum( conv1d( conv2d( conv3d(")
MULTIPLIES = re.compile(r"(?:m|matmul|linear|einsum|conv[123]d)$")
"""Names of functions that multiply: torch's, and others that are called like them."""
SAME = {"to", "type_as", "float", "contiguous", "clone"}
"""Methods whose result has the same dimensions and values."""
ASKED = {"shape", "size", "dim", "ndim", "dtype", "device", "is_cuda", "requires_grad", "get_device", "type"}
"""What is asked of a parameter without using its values."""
PASSES = re.compile(
    r"view|reshape|permute|transpose|t|contiguous|(?:un)?squeeze|flatten|unflatten|chunk|split|unbind|expand|repeat|type_as|"
    r"to|float|i?r?fft[2n]?|cat|stack|concat|add|sub|sum|\w*drop(?:out)?\w*|\w*identity"
)
"""Names of what gives a product no other scale, as far as its name says."""
ENDS = re.compile(r"\w*act(?:ivation|ivate)?(?:_?fn|_?func)?\d?|exp|\w*non_?linearity|\w*loss\w*|sin|cos|softmax\w*")
"""Names of what makes something else of it."""
AVERAGES = re.compile(r"softmax|one_?hot|att(?:n|ention)|prob|adj|assign|gumbel|rout|gate|normalize", re.IGNORECASE)
"""What the other side of a product is made of when its entries sum to one: then the product is an average."""
MAX_STEPS = 30


@dataclass(frozen=True, slots=True)
class Product:
    """A product with a parameter: the dimensions of the parameter that it sums over, and those that it keeps.

    They count from the end of the parameter's shape where they are negative.
    """

    context: Context
    node: ast.expr
    summed: tuple[int, ...]
    kept: tuple[int, ...]


def multiplies(cls: Class) -> bool:
    """Whether a method of a class itself may multiply by something, other than as its initialization."""
    return any(
        _is_product(node)
        for member in cls.definition.members.values()
        if not member.is_class and not NO_FORWARD.search(member.name)
        if cls.module.matches(member.start, member.end).holds_all(PRODUCTS)
        if (snippet := cls.module.snippet(member.start, member.end)) is not None
        for node in snippet.nodes
    )


def _is_product(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return isinstance(node, ast.Call) and MULTIPLIES.search(last_name(node.func)) is not None


def factors(project: Project, cls: Defined) -> set[str]:
    """The attributes of an object that some method of its class multiplies by, whatever they are."""
    return {
        name
        for defined in computing(project, cls)
        if defined.module.matches(defined.definition.start, defined.definition.end).holds_all(PRODUCTS)
        if (context := function_context(project, defined)) is not None and (names := _near_products(context))
        for name, product in _Method(context).uses(names)
        if product is not None
    }


def _near_products(context: Context) -> set[str]:
    """The attributes of ``self`` that stand in a product, or that a local name is given to."""
    found: set[str] = set()
    for node in context.walk():
        if _is_product(node):
            found |= own_attributes(node)
        match node:
            case (
                ast.Assign(targets=[ast.Name(), *_], value=value)
                | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
            ):
                found.add(own_attribute(value) or "")
    return found - {""}


def products(project: Project, cls: Defined, names: set[str]) -> dict[str, Product]:
    """The first product with each of these parameters of a class, where every use of it is a product."""
    found: dict[str, Product] = {}
    others: set[str] = set()
    for defined in computing(project, cls):
        text = defined.module.slice(defined.definition)
        if any(name in text for name in names):
            context = function_context(project, defined)
            if context is None:
                return {}
            for name, product in _Method(context).uses(names):
                if product is None:
                    others.add(name)
                else:
                    found.setdefault(name, product)
    return {name: product for name, product in found.items() if name not in others}


class _Method(Scaling):
    """A method, and what it does with parameters."""

    def uses(self, names: set[str]) -> Iterator[tuple[str, Product | None]]:
        """Every use of some parameters; None for one that is not an understood product."""
        aliases: dict[str, str] = {}
        for node in self.context.walk():
            if not isinstance(node, ast.Attribute | ast.Name) or self._only_asked(node):
                continue
            name = aliases.get(node.id) if isinstance(node, ast.Name) else own_attribute(node)
            if name not in names or name is None:
                continue
            if alias := self._alias(node):
                aliases[alias] = name
            else:
                yield name, self._product(node)

    def _alias(self, node: ast.expr) -> str | None:
        """The local name that stands for a parameter and for nothing else."""
        match self.parents.get(node):
            case ast.Assign(targets=[ast.Name(id=alias)]) | ast.AnnAssign(target=ast.Name(id=alias)) if (
                len(self.assigned.get(alias, ())) == 1
            ):
                return alias
        return None

    def _only_asked(self, node: ast.expr) -> bool:
        parent = self.parents.get(node)
        tested = isinstance(parent, ast.Compare) and isinstance(parent.ops[0], ast.Is | ast.IsNot)
        return tested or (isinstance(parent, ast.Attribute) and parent.attr in ASKED)

    def _product(self, node: ast.expr) -> Product | None:
        """The product that a parameter is a factor of, if nothing scales it."""
        factor, flipped = node, False
        while (viewed := self._viewed(factor)) is not None:
            factor, flipped = viewed[0], flipped != viewed[1]
        found = self._multiplied(factor)
        if found is None:
            return None
        product, other, summed, kept = found
        if not names_in(other):
            return None  # another parameter: together they are a weight, and what it multiplies is not here
        if flipped and {summed, kept} != {(-1,), (-2,)}:
            return None
        if flipped:
            summed, kept = kept, summed
        if self._averages(other) or self.shrinks(other) or not self._keeps_scale(product):
            return None
        return Product(self.context, product, summed, kept)

    def _viewed(self, node: ast.expr) -> tuple[ast.expr, bool] | None:
        """A view of a tensor, and whether its last two dimensions have changed places."""
        attribute = self.parents.get(node)
        if isinstance(attribute, ast.Call) and self.context.canonical(attribute.func) == "torch.view_as_complex":
            return attribute, False
        if not isinstance(attribute, ast.Attribute):
            return None
        if attribute.attr in ("T", "mT"):
            return attribute, True
        call = self.parents.get(attribute)
        if not isinstance(call, ast.Call) or call.func is not attribute:
            return None
        arguments = [ast.unparse(argument) for argument in call.args]
        if attribute.attr == "t" or (
            attribute.attr == "transpose" and set(arguments) in ({"0", "1"}, {"-1", "-2"}, {"1", "2"})
        ):
            return call, True
        return (call, False) if attribute.attr in SAME or (attribute.attr, arguments) == ("unsqueeze", ["0"]) else None

    def _multiplied(self, factor: ast.expr) -> tuple[ast.expr, ast.expr, tuple[int, ...], tuple[int, ...]] | None:
        """The product that a tensor stands in: the other factor, and which dimensions of it are summed and kept."""
        match parent := self.parents.get(factor):
            case ast.BinOp(op=ast.MatMult(), left=left, right=right):
                return (parent, right, (-1,), (-2,)) if left is factor else (parent, left, (-2,), (-1,))
            case ast.Call(func=ast.Attribute(attr=name, value=other), args=[argument]) if name in METHODS:
                return (parent, other, (-2,), (-1,)) if argument is factor else None
            case ast.Attribute(attr=name) if name in METHODS:
                call = self.parents.get(parent)
                if isinstance(call, ast.Call) and len(call.args) == 1 and call.func is parent:
                    return call, call.args[0], (-1,), (-2,)
            case ast.Call(args=[left, right, *_]):
                function = self.context.canonical(parent.func) or ""
                if (product := einsum(parent, function)) is not None:
                    at = 1 if factor is product.factors[1] else 0
                    parts = _contracted(product, at)
                    return (parent, product.factors[1 - at], *parts) if parts is not None else None
                if function in MATMULS:
                    return (parent, right, (-1,), (-2,)) if left is factor else (parent, left, (-2,), (-1,))
                if function == LINEAR and right is factor:
                    return parent, left, (-1,), (-2,)
                if CONVOLUTION.fullmatch(function) and right is factor:
                    dimensions = tuple(range(2, 2 + int(function[-2])))
                    return parent, left, (1, *dimensions), (0, *dimensions)
        return None

    def _averages(self, other: ast.expr) -> bool:
        """Whether the entries of the other factor may sum to one."""
        made = [value for name in names_in(other) for node in self.assigned.get(name, ()) if (value := _value(node))]
        sources = [ast.unparse(node) for node in (other, *made)]
        for name in {name for node in (other, *made) for name in own_attributes(node)}:
            sources += _attribute_made_by(self.context, name)
        return any(map(AVERAGES.search, sources))

    def _keeps_scale(self, product: ast.expr) -> bool:
        """Whether a product reaches an activation or the end of the method as it is, under all names it gets."""
        pending: list[ast.expr] = [product]
        followed: set[str] = set()
        for _ in range(MAX_STEPS):
            if not pending:
                return True
            node = pending.pop()
            match parent := self.parents.get(node):
                case ast.BinOp(op=ast.Add() | ast.Sub()) | ast.Tuple() | ast.List() | ast.keyword() | ast.Subscript():
                    pending.append(parent)  # type: ignore[arg-type]
                case ast.Attribute() if isinstance(call := self.parents.get(parent), ast.Call):
                    pending += [call] if PASSES.fullmatch(parent.attr) else []
                    if not (PASSES.fullmatch(parent.attr) or self._ends(call)):
                        return False
                case ast.Attribute(attr=name) if name in ("T", "mT", "data", *ASKED):
                    pending += [parent] if name not in ASKED else []
                case ast.Call():
                    passes = PASSES.fullmatch(called(parent)) is not None
                    pending += [parent] if passes else []
                    if not (passes or self._ends(parent)):
                        return False
                case ast.Assign() | ast.AnnAssign() | ast.AugAssign(op=ast.Add() | ast.Sub()):
                    targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
                    names = {name for target in targets for name in names_in(target)} - followed
                    followed |= names
                    pending += [load for name in names for load in self.loads(name, parent)]
                case ast.Return() | ast.BinOp(op=ast.MatMult()):
                    pass
                case _:
                    return False
        return False

    def _ends(self, call: ast.Call) -> bool:
        """Whether a call is an activation, or another product."""
        name, function = called(call), self.context.canonical(call.func)
        multiplies = name in METHODS or name in ("spmm", "einsum") or function == LINEAR
        return multiplies or lookup(name) is not None or ENDS.fullmatch(name) is not None


def _contracted(product: Einsum, at: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The dimensions of one factor of an einsum that are summed over and those that are kept, without shared ones.

    Returns None unless each axis of the factor is one of these, or is in the other factor and in the result.
    """
    own, other, result = product.axes[at], product.axes[1 - at], product.product
    if "." in own or len(set(own)) != len(own):
        return None
    summed = tuple(place for place, letter in enumerate(own) if letter in other and letter not in result)
    kept = tuple(place for place, letter in enumerate(own) if letter in result and letter not in other)
    lost = any(letter not in result and letter not in other for letter in own)
    return (summed, kept) if summed and kept and not lost else None


def _value(node: ast.AST) -> ast.expr | None:
    """What an assignment assigns."""
    return node.value if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) else None


def _attribute_made_by(context: Context, name: str) -> list[str]:
    """The sources of what the constructor of the class assigns to an attribute of the object."""
    return [ast.unparse(value) for value in given_to(method(context, "__init__"), name)]
