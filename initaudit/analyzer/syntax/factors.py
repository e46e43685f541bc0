"""Low-rank adapters: the factors of their product, and how each of them starts.

A factor is known by its name: ``lora_A``, ``lora_down``; ``up`` in a class that is called after LoRA. What counts is
the class as a whole, for the constructor may leave to ``reset_parameters`` what a factor holds.
"""

from __future__ import annotations

import ast
import enum
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initaudit.adapters import ADAPTER, FIRST, LAST, factor
from initaudit.analyzer import torch_api
from initaudit.analyzer.file.usage import OBJECT, SUPER
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.source.snippets import Snippet, last_name, nodes, root
from initaudit.analyzer.syntax.context import Context, File, function_context

WORDS = "lora LoRA Lora hada lokr"
RANDOM_FACTORIES = {"torch.randn", "torch.rand", "torch.randn_like", "torch.rand_like", "torch.normal"}
ZERO_FACTORIES = {"torch.zeros", "torch.zeros_like"}
RAW_FACTORIES = torch_api.RAW_FACTORIES.keys() | torch_api.LEGACY_CONSTRUCTORS.keys()


class Holds(enum.Enum):
    """What a write leaves in a factor."""

    RANDOM = "random"
    ZERO = "zero"
    UNKNOWN = "unknown"


class By(enum.IntEnum):
    """What wrote a factor, and how much that says of what its author meant."""

    INITIALIZER = 0
    FACTORY = 1
    LAYER = 2  # the default of nn.Linear, which somebody else may replace


@dataclass(frozen=True, slots=True)
class Start:
    """A write to a factor of an adapter ("lora"), in its role ("A")."""

    adapter: str
    role: str
    name: str
    holds: Holds
    by: By
    node: ast.expr | ast.stmt
    snippet: Snippet


@dataclass(frozen=True, slots=True)
class Adapter:
    """One product of factors: what the methods of its class write to them, and what inherited ones write besides.

    ``of_layers`` says that some of them are weights of layers.
    """

    cls: Defined
    own: list[Start]
    starts: list[Start]
    of_layers: bool

    def first(self, roles: Sequence[str]) -> Start | None:
        """The write that says most of what its author meant, to the first of these roles that is there at all."""
        role = next((role for role in roles if any(start.role == role for start in self.starts)), None)
        starts = [start for start in self.own if start.role == role and start.by is not By.LAYER]
        return min(starts, key=lambda each: each.by, default=None)

    def names(self, holds: Holds) -> tuple[str, ...]:
        """The factors that are left like this by some write."""
        return tuple(dict.fromkeys(start.name for start in self.starts if start.holds is holds))


def adapters(file: File) -> Iterator[Adapter]:
    """The adapters that a class makes, with a first and a last factor, and no write that is not understood."""
    project, module = file.project, file.module
    for definition in module.outline.classes():
        cls = Defined(module, definition)
        if not ADAPTER.search(module.slice(definition)):
            continue
        own = [
            start for method in definition.members.values() for start in _starts(project, cls, Defined(module, method))
        ]
        for adapter in dict.fromkeys(start.adapter for start in own):
            inherited = [start for method in _called(project, cls) for start in _starts(project, cls, method)]
            every = [start for start in (*own, *inherited) if start.adapter == adapter]
            starts = _left_standing(every)
            roles = {start.role for start in starts}
            known = all(start.holds is not Holds.UNKNOWN for start in starts)
            if known and roles.intersection(FIRST) and roles.intersection(LAST):
                of_layers = any(start.by is By.LAYER for start in every)
                yield Adapter(cls, [start for start in own if start in starts], starts, of_layers)


def _left_standing(starts: list[Start]) -> list[Start]:
    """The writes without the defaults of layers whose weight another write replaces."""
    written = {start.name for start in starts if start.by is not By.LAYER}
    return [start for start in starts if start.by is not By.LAYER or start.name not in written]


def _called(project: Project, cls: Defined) -> Iterator[Defined]:
    """The inherited methods that a class calls by name; those that it leaves to others may never run."""
    called = (name.split(".") for name in cls.module.usage(cls.definition).called)
    names = {name[1] for name in called if len(name) == 2 and name[0] in (OBJECT, SUPER)}
    for method in project.methods(cls):
        if method.definition.name in names and method.definition.owner is not cls.definition:
            yield method


def _starts(project: Project, cls: Defined, method: Defined) -> Iterator[Start]:
    """Everything a method writes to factors."""
    context = function_context(project, method)
    if context is None or context.function is None:
        return
    listed = _listed(context.function.body)
    for node in itertools.chain.from_iterable(map(nodes, context.function.body)):
        for written, holds, by in _written(context, node):
            variable = root(written)
            for target in listed.get(variable.id, (written,)) if variable is not None else (written,):
                factor = _factor(target, cls.definition.name)
                if factor is not None and isinstance(node, ast.expr | ast.stmt):
                    yield Start(*factor, holds, by, node, context.snippet)


def _listed(body: Sequence[ast.stmt]) -> dict[str, list[ast.expr]]:
    """What the variables of loops over written lists stand for: ``for layer in (self.lora_A, self.lora_B)``."""
    found: dict[str, list[ast.expr]] = {}
    for node in itertools.chain.from_iterable(map(nodes, body)):
        match node:
            case ast.For(target=ast.Name(id=name), iter=ast.Tuple(elts=items) | ast.List(elts=items)):
                found.setdefault(name, []).extend(items)
            case _:
                pass
    return found


def _factor(target: ast.expr, called: str) -> tuple[str, str, str] | None:
    """The adapter, the role and the name of a factor: ``self.lora_A[name].weight`` is A of lora."""
    while isinstance(target, ast.Subscript) or (
        isinstance(target, ast.Attribute) and target.attr in ("weight", "data")
    ):
        target = target.value
    name = last_name(target)
    known = factor(name, called)
    return (*known, name) if known is not None else None


def _written(context: Context, node: ast.AST) -> Iterator[tuple[ast.expr, Holds, By]]:
    """What a node writes or makes, and what it leaves there. A tensor of a local name is no factor yet."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name, value=owner), args=args) if name.endswith("_"):
            if name not in torch_api.NOT_WRITES:
                yield owner, _left(name, args), By.INITIALIZER
                if args:
                    yield args[0], _left(name, args[1:]), By.INITIALIZER
        case ast.Call(func=ast.Name(id=name), args=[target, *args]) if name.endswith("_"):
            yield target, _left(name, args), By.INITIALIZER
        case ast.Assign(targets=[ast.Attribute(attr="data" | "weight", value=target)]):
            yield target, Holds.UNKNOWN, By.INITIALIZER
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() as target], value=value):
            made = _made(context, value)
            if made is not None:
                yield target, *made


def _left(name: str, args: Sequence[ast.expr]) -> Holds:
    """What an initializer leaves; ``args`` are those after the tensor."""
    if name in torch_api.DRAWS:
        return Holds.RANDOM
    constant = name in ("constant_", "fill_") and len(args) == 1 and ast.unparse(args[0]) in ("0", "0.0")
    return Holds.ZERO if constant or name in ("zeros_", "zero_") else Holds.UNKNOWN


def _made(context: Context, value: ast.expr) -> tuple[Holds, By] | None:
    """What a new parameter or layer holds; None for memory that somebody else writes, and for no such thing."""
    while isinstance(value, ast.BinOp):
        value = value.left
    if not isinstance(value, ast.Call):
        return None
    name = context.canonical(value.func) or ""
    if name == "torch.nn.Parameter" and value.args:
        return _made(context, value.args[0]) or (
            None if _is_raw(context, value.args[0]) else (Holds.UNKNOWN, By.FACTORY)
        )
    if name in RANDOM_FACTORIES:
        return Holds.RANDOM, By.FACTORY
    if name in ZERO_FACTORIES or (isinstance(value.func, ast.Attribute) and value.func.attr == "new_zeros"):
        return Holds.ZERO, By.FACTORY
    return (Holds.RANDOM, By.LAYER) if name.removeprefix("torch.nn.") in torch_api.LINEAR_LIKE else None


def _is_raw(context: Context, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    new = isinstance(node.func, ast.Attribute) and node.func.attr in torch_api.RAW_METHODS | {"new"}
    return new or context.canonical(node.func) in RAW_FACTORIES
