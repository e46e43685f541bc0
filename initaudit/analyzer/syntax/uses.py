"""How the methods of a class use a parameter that construction leaves raw: as a factor, an offset, a weight or a table.

What the probe finds by running (`probe/forward/roles`), as far as source shows it plainly: where one use is not
understood, nothing is said of any.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import NamedTuple

from initaudit.activations import Activation, lookup
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import last_name, parameters
from initaudit.analyzer.syntax.context import Context, function_context, own_attribute
from initaudit.analyzer.syntax.einsums import Einsum, einsum
from initaudit.analyzer.syntax.flow import Flow, computing, names_in
from initaudit.analyzer.syntax.products import ASKED, CONVOLUTION, SAME
from initaudit.analyzer.syntax.structure import constructed
from initaudit.timeline import Role, Usage

Shape = tuple[int | None, ...]
VIEWS = SAME | {
    "view", "reshape", "view_as", "unsqueeze", "squeeze", "expand", "expand_as", "repeat", "flatten", "T", "mT", "t",
    "transpose", "permute", "detach", "half", "double", "cuda", "cpu", "data",
}  # fmt: skip
"""What gives a parameter another form, and leaves it what it is."""
SWAPS = {"T", "mT", "t", "transpose"}
TURNS = SWAPS | {"permute", "view", "reshape", "flatten", "unsqueeze", "expand", "repeat"}
"""Those after which its dimensions stand elsewhere."""
LIKE = {"to", "type_as", "view_as", "expand_as", "reshape_as"}
"""Methods of something else that ask for the form of the parameter they are given."""
THROUGH = {"exp", "exp2", "sigmoid", "softplus", "tanh", "softmax", "reciprocal"}
"""Functions of a parameter alone that change which value of it is neutral."""
ELEMENTWISE = {
    "mul": Role.FACTOR, "multiply": Role.FACTOR, "div": Role.FACTOR, "divide": Role.FACTOR, "true_divide": Role.FACTOR,
    "add": Role.OFFSET, "sub": Role.OFFSET, "subtract": Role.OFFSET,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], Role] = {
    ast.Mult: Role.FACTOR, ast.Div: Role.FACTOR, ast.Add: Role.OFFSET, ast.Sub: Role.OFFSET,
}  # fmt: skip
SUMS = {"sum", "mean", "norm", "einsum", "prod", "logsumexp"}
JOINS = {"cat", "concat", "concatenate", "stack", "hstack", "vstack"}
LOOKUPS = {"index_select", "gather", "take"}
PRODUCTS = {"matmul", "mm", "bmm"}
NORMALIZED = {
    "layer_norm": {2: Role.FACTOR, 3: Role.OFFSET},
    "rms_norm": {2: Role.FACTOR},
    "group_norm": {2: Role.FACTOR, 3: Role.OFFSET},
    "batch_norm": {1: Role.OFFSET, 2: Role.FACTOR, 3: Role.FACTOR, 4: Role.OFFSET},
    "instance_norm": {1: Role.OFFSET, 2: Role.FACTOR, 3: Role.FACTOR, 4: Role.OFFSET},
}
"""What the arguments of a normalization do."""
NAMED = {"weight": Role.FACTOR, "bias": Role.OFFSET, "running_mean": Role.OFFSET, "running_var": Role.FACTOR}
RANK = (Role.WEIGHT, Role.TABLE, Role.FACTOR, Role.SLOPE, Role.OFFSET)
"""Of several uses, the first of these counts."""
MAX_STEPS = 20


def usage(project: Project, cls: Defined, name: str, shape: Shape) -> Usage | None:
    """How the methods of a class use a parameter; None where that is not plain."""
    found: list[Usage | None] = []
    for defined in computing(project, cls) if name.isidentifier() else ():
        if name in defined.module.slice(defined.definition):
            context = function_context(project, defined)
            found += _Uses(context, cls, name, shape).found() if context is not None else [None]
    plain = [one for one in found if one is not None and one.role is not None]
    if len(plain) < len(found):
        return None
    return min(plain, key=lambda one: RANK.index(one.role or Role.OFFSET), default=None)


class Form(NamedTuple):
    """The parameter in some form: ``through`` is the function it went through, ``turned`` whether its two dimensions
    have changed places (None: nobody knows where they stand)."""

    node: ast.expr
    through: str | None = None
    turned: bool | None = False


class _Uses(Flow):
    """One method, and what becomes of a parameter in it."""

    def __init__(self, context: Context, cls: Defined, name: str, shape: Shape) -> None:
        super().__init__(context)
        self.cls = cls
        self.name = name
        self.shape = shape

    def found(self) -> Iterator[Usage | None]:
        """Every use; None for one that is not understood."""
        for node in self.context.walk():
            if isinstance(node, ast.Attribute) and own_attribute(node) == self.name:
                yield from self._use(Form(node))

    def _use(self, form: Form) -> Iterator[Usage | None]:
        """What becomes of the parameter in some form."""
        for _ in range(MAX_STEPS):
            parent = self.parents.get(form.node)
            if self._only_asked(parent, form.node):
                return
            match parent:
                case ast.Assign(targets=[ast.Name(id=alias)]) if len(self.assigned.get(alias, ())) == 1:
                    for load in self.loads(alias, parent):
                        yield from self._use(form._replace(node=load))
                    return
                case ast.Subscript(value=value, slice=index) if value is form.node and not _keeps(index):
                    yield Usage(role=Role.TABLE) if self._is_data(index) else None
                    return
            following = self._form(parent, form)
            if following is None:
                yield self._met(parent, form)
                return
            form = following
        yield None

    @staticmethod
    def _only_asked(parent: ast.AST | None, node: ast.expr) -> bool:
        """Whether only the form of a parameter is asked for, or whether there is one."""
        match parent:
            case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
                return True
            case ast.Attribute(attr=name):
                return name in ASKED
            case ast.Call(func=function) if node in parent.args:
                return last_name(function) in LIKE or last_name(function).endswith("_like")
            case ast.If(test=test) | ast.IfExp(test=test):
                return test is node
        return False

    def _form(self, parent: ast.AST | None, form: Form) -> Form | None:
        """What a parameter alone is made of: a view of it, a part, a multiple, or a function of it."""
        match parent:
            case ast.Subscript(value=value) if value is form.node:
                return Form(parent, form.through, turned=None)
            case ast.Attribute(attr=name) if name in VIEWS | THROUGH:
                call = self.parents.get(parent)
                following = call if isinstance(call, ast.Call) and call.func is parent else parent
                if name in THROUGH:
                    return form._replace(node=following, through=form.through or name)
                turned = form.turned if name not in TURNS else None
                if name in SWAPS and form.turned is not None and len(self.shape) == 2:
                    turned = not form.turned
                return form._replace(node=following, turned=turned)
            case ast.Call(args=[first, *_]) if first is form.node and (name := last_name(parent.func)) in THROUGH:
                return form._replace(node=parent, through=form.through or name)
            case ast.UnaryOp(op=ast.USub()):
                return form._replace(node=parent)
            case ast.BinOp(op=ast.Add() | ast.Sub()) if isinstance(_other(parent, form.node), ast.Constant):
                return form._replace(node=parent, through=form.through or "shifted")
            case ast.BinOp(op=ast.Mult()) if isinstance(_other(parent, form.node), ast.Constant):
                return form._replace(node=parent)
            case ast.BinOp(op=ast.Div(), left=left, right=ast.Constant()) if left is form.node:
                return form._replace(node=parent)
        return None

    def _is_data(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Whether an expression comes from what the method is given, and not from parameters alone."""
        function = self.context.function
        given = {each.arg for each in parameters(function)} - {"self"} if function is not None else set[str]()
        for name in names_in(node) - seen:
            made = [getattr(by, "value", None) or getattr(by, "iter", None) for by in self.assigned.get(name, ())]
            if name in given or any(isinstance(one, ast.expr) and self._is_data(one, seen | {name}) for one in made):
                return True
        return False

    def _met(self, parent: ast.AST | None, form: Form) -> Usage | None:
        """What a parameter does where it meets something else."""
        node, through = form.node, form.through
        match parent:
            case ast.BinOp(op=ast.MatMult()):
                return self._weight(parent, _other(parent, node), form, last=parent.left is not node)
            case ast.BinOp(op=ast.Pow()):
                return Usage(role=Role.FACTOR, through=through) if parent.right is node else None
            case ast.BinOp(op=op):
                return self._elementwise(OPERATORS.get(type(op)), parent, _other(parent, node), through)
            case ast.AugAssign(op=op, value=value) if value is node:
                return self._elementwise(OPERATORS.get(type(op)), parent, parent.target, through)
            case ast.keyword(arg=name):
                call = self.parents.get(parent)
                return self._given(call, name, form) if isinstance(call, ast.Call) else None
            case ast.List() | ast.Tuple():
                call = self.parents.get(parent)
                joins = isinstance(call, ast.Call) and last_name(call.func) in JOINS
                return Usage(role=Role.TABLE, through=through) if joins and self._is_data(parent) else None
            case ast.Call() if node in parent.args:
                return self._argument(parent, parent.args.index(node), form)
            case ast.Attribute(attr=name) if isinstance(call := self.parents.get(parent), ast.Call) and call.args:
                if name in PRODUCTS:
                    return self._weight(call, call.args[0], form, last=False)
                if name in LOOKUPS:
                    return Usage(role=Role.TABLE)
                return self._elementwise(ELEMENTWISE.get(name), call, call.args[0], through)
        return None

    def _argument(self, call: ast.Call, position: int, form: Form) -> Usage | None:
        """What a parameter is that a function is given by position."""
        name, args, through = last_name(call.func), call.args, form.through
        full = self.context.canonical(call.func) or ""
        if (product := einsum(call, full)) is not None:
            return self._contracted(call, product, args[position], form)
        if isinstance(call.func, ast.Attribute) and not full.startswith("torch."):  # a method of what it meets
            owner = call.func.value
            if name in PRODUCTS and position == 0:
                return self._weight(call, owner, form, last=True)
            return self._elementwise(ELEMENTWISE.get(name), call, owner, through) if position == 0 else None
        if not full.startswith("torch."):
            return None
        if name in NORMALIZED and position in NORMALIZED[name]:
            return Usage(role=NORMALIZED[name][position], through=through)
        if CONVOLUTION.fullmatch(full) or name in ("linear", "embedding", "prelu"):
            return self._of_layer(call, name, position, form)
        if name in LOOKUPS and position == 0:
            return Usage(role=Role.TABLE)
        if len(args) < 2 or position > 1:
            return None
        other = args[1 - position]
        if name in PRODUCTS:
            return self._weight(call, other, form, last=position == 1)
        return self._elementwise(ELEMENTWISE.get(name), call, other, through)

    def _of_layer(self, call: ast.Call, name: str, position: int, form: Form) -> Usage | None:
        """What a parameter is that stands in the place of a layer's."""
        match name, position:
            case "embedding", 1:
                return Usage(role=Role.TABLE)
            case "prelu", 1:
                return Usage(role=Role.SLOPE)
            case "embedding" | "prelu", _:
                return None
            case _, 2:
                return Usage(role=Role.OFFSET, through=form.through)
            case "linear", 1:
                return self._weight(call, call.args[0], form, last=False)
            case _, 1 if form.turned is False:
                return Usage(role=Role.WEIGHT, mode="fan_in", activation=self._activation(call), through=form.through)
        return None

    def _given(self, call: ast.Call, name: str | None, form: Form) -> Usage | None:
        """What a parameter is that a function of torch is given by name."""
        function = self.context.canonical(call.func) or ""
        if not function.startswith("torch."):
            return None
        last = function.rpartition(".")[2]
        if last in NORMALIZED and name in NAMED:
            return Usage(role=NAMED[name], through=form.through)
        positions = {"weight": 1, "bias": 2}
        layer = last in ("linear", "embedding", "prelu") or CONVOLUTION.fullmatch(function)
        if layer and call.args and name in positions:
            return self._of_layer(call, last, positions[name], form)
        return None

    def _elementwise(self, role: Role | None, node: ast.AST, other: ast.expr, through: str | None) -> Usage | None:
        """A factor or an offset of what a forward computes; of another parameter, nobody knows what they make."""
        if role is None or not self._is_data(other) or self._summed(node):
            return None
        axes = sum(size != 1 for size in self.shape)
        if role is Role.OFFSET and axes > 1:
            return Usage(role=Role.TABLE)
        return Usage(role=role, through=through)

    def _summed(self, node: ast.AST) -> bool:
        """Whether what an operator gives is summed over, as a dot product is that multiplies and sums."""
        names: set[str] = set()
        while node in self.parents and not isinstance(node, ast.stmt):
            if isinstance(node, ast.Call | ast.Attribute) and _sums(node):
                return True
            node = self.parents[node]
        if isinstance(node, ast.Assign):
            names = {name for target in node.targets for name in names_in(target)}
        return any(
            isinstance(each, ast.Call) and _sums(each) and names & names_in(each) for each in self.context.walk()
        )

    def _weight(self, product: ast.expr, other: ast.expr, form: Form, *, last: bool) -> Usage | None:
        """A weight of a matrix product; where it stands on the right, ``last``, its last axis but one is summed."""
        if not self._is_data(other):
            return None
        axis = -2 if last is not bool(form.turned) else -1
        known = form.turned is not None and len(self.shape) >= 2
        return Usage(
            role=Role.WEIGHT,
            inputs=self.shape[axis] if known else None,
            mode=("fan_out" if axis == -2 else "fan_in") if known and len(self.shape) == 2 else None,
            activation=self._activation(product),
            through=form.through,
        )

    def _contracted(self, call: ast.Call, product: Einsum, factor: ast.expr, form: Form) -> Usage | None:
        """A weight of an einsum: what one output sums over are the axes that the output does not have."""
        at = 1 if factor is product.factors[1] else 0
        own = product.axes[at]
        if "." in "".join(product.axes) + product.product:
            return None
        if form.turned is not False or not self._is_data(product.factors[1 - at]):
            return None
        summed = [axis for axis, letter in enumerate(own) if letter not in product.product]
        if len(own) != len(self.shape) or not summed:
            return None
        sizes = [self.shape[axis] for axis in summed]
        inputs = None if None in sizes else math.prod(size or 0 for size in sizes)
        mode = ("fan_in" if summed == [1] else "fan_out") if len(own) == 2 and len(summed) == 1 else None
        activation = self._activation(call)
        return Usage(role=Role.WEIGHT, inputs=inputs, mode=mode, activation=activation, through=form.through)

    def _activation(self, node: ast.expr) -> str | None:
        """The activation that a product meets next, as far as a name leads there; biases may be added before."""
        for _ in range(MAX_STEPS):
            match parent := self.parents.get(node):
                case ast.BinOp(op=ast.Add()):
                    node = parent
                case ast.Call() if node in parent.args[:1]:
                    known = lookup(self.context.canonical(parent.func) or "?.?") or self._layer(parent.func)
                    return known.key if known is not None else None
                case ast.Attribute(attr=name) if isinstance(call := self.parents.get(parent), ast.Call):
                    if (known := lookup(f"torch.{name}")) is not None:
                        return known.key
                    if name not in VIEWS:
                        return None
                    node = call
                case ast.Assign(targets=[ast.Name(id=name)]):
                    loads = list(self.loads(name, parent))
                    if len(loads) != 1:
                        return None
                    node = loads[0]
                case _:
                    return None
        return None

    def _layer(self, function: ast.expr) -> Activation | None:
        """The activation that an attribute of the class is."""
        made = constructed(self.context.project, self.cls).get(own_attribute(function) or "")
        if made is None or not made.complete or len(made.layers) != 1:
            return None
        return lookup(made.layers[0].kind)


def _other(operator: ast.BinOp, node: ast.expr) -> ast.expr:
    """The other side of an operator."""
    return operator.right if operator.left is node else operator.left


def _keeps(index: ast.expr) -> bool:
    """Whether an index takes a part or another form of a tensor, and chooses no rows by data."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(isinstance(part, ast.Slice | ast.Constant | ast.UnaryOp) for part in parts)


def _sums(node: ast.Call | ast.Attribute) -> bool:
    """Whether a call, or a method, sums over what it is given."""
    return last_name(node.func if isinstance(node, ast.Call) else node) in SUMS
