"""The scopes that readers receive: a file, a class, a function or top-level code."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.project.names import Defined, External, Project, Resolved
from initaudit.analyzer.source.snippets import FunctionNode, Snippet, dotted, last_name, nodes, parameters
from initaudit.naming import blocks

COLLECTIONS = ast.List | ast.Tuple | ast.Set | ast.Dict | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
OF_TORCH = {
    **{f"torch.nn.{name}": ("weight", "bias") for name in torch_api.LINEAR_LIKE},
    **{f"torch.nn.{name}": ("weight",) for name in ("Embedding", "EmbeddingBag")},
}
"""The parameters of layers of torch that classes derive from."""
COLLECTING = frozenset({"ParameterList", "ParameterDict", "ModuleList", "ModuleDict", "list", "tuple", "dict", "set"})


@dataclass(frozen=True, slots=True)
class File:
    """A whole file, and the names of the kinds of subject that are asked for and may stand in it."""

    project: Project
    module: Module
    asked: frozenset[str]

    def asks_for(self, subject: type) -> bool:
        return subject.__name__ in self.asked


@dataclass(frozen=True, slots=True)
class Class:
    """A class of a file."""

    project: Project
    module: Module
    definition: Definition

    @property
    def defined(self) -> Defined:
        return Defined(self.module, self.definition)


@dataclass(frozen=True, slots=True)
class Context:
    """A function that is not inside a function, or a stretch of top-level code: where it stands, and its tree."""

    project: Project
    module: Module
    definition: Definition | None
    snippet: Snippet

    @property
    def cls(self) -> Defined | None:
        """The class whose method this is."""
        owner = self.definition.owner if self.definition is not None else None
        return Defined(self.module, owner) if owner is not None else None

    @property
    def function(self) -> FunctionNode | None:
        node = self.snippet.body[0] if self.snippet.body else None
        return node if self.definition is not None and isinstance(node, FunctionNode) else None

    def holds(self, word: str) -> bool:
        """Whether a word stands in it, see ``matches``."""
        return self.module.matches(self.snippet.start, self.snippet.end).holds(word)

    def resolve(self, node: ast.AST) -> Resolved | None:
        """What a dotted expression stands for at the top level of the file."""
        name = dotted(node) if isinstance(node, ast.expr) else ""
        if not name or name.startswith("."):
            return None
        return self.project.trail.once((self.module, name), lambda: self.project.resolve(self.module, name))

    def canonical(self, node: ast.AST) -> str | None:
        """The canonical name of something of an external package."""
        found = self.resolve(node)
        return found.name if isinstance(found, External) else None

    def class_name(self, node: ast.AST) -> str | None:
        """Return the full name of what an expression refers to."""
        found = self.resolve(node)
        return found.qualname if isinstance(found, Defined) else found.name if isinstance(found, External) else None

    def walk(self) -> Sequence[ast.AST]:
        """Return every node, in the order of the source."""
        return self.snippet.nodes

    def named(self, name: str) -> list[ast.Name]:
        """Return where a variable is read or bound."""
        return [node for node in self.walk() if isinstance(node, ast.Name) and node.id == name]

    def assigned(self, name: str) -> list[ast.expr]:
        """Return what assignments give a dotted name."""
        assignments = (node for node in self.walk() if isinstance(node, ast.Assign))
        return [node.value for node in assignments if name in map(dotted, node.targets)]

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.walk() if isinstance(node, ast.Call))

    def is_module_class(self, node: ast.AST) -> bool:
        """Whether an expression names a class of modules."""
        found = self.resolve(node)
        if isinstance(found, External):
            last = found.name.rpartition(".")[2]
            return found.name.startswith("torch.nn.") and last[:1].isupper() and last not in ("Parameter", "Buffer")
        return isinstance(found, Defined) and found.definition.is_class and self.project.is_module_class(found)

    def is_parameter(self, node: ast.AST) -> bool:
        """Whether an expression is known to be a parameter: ``layer.weight``, or an attribute that is made one."""
        if not isinstance(node, ast.Attribute):
            return False
        if (name := own_attribute(node)) is not None:
            return self.cls is not None and makes_parameter(self.project, self.cls, name)
        return node.attr in ("weight", "bias")


class Placed(NamedTuple):
    """A statement, and the code that it stands in."""

    node: ast.stmt
    context: Context


def stretches(context: Context) -> Iterator[Context]:
    """The stretches of top-level code of a file, in order."""
    for start, end in context.module.outline.top_level:
        if (snippet := context.module.quiet_snippet(start, end)) is not None:
            yield replace(context, definition=None, snippet=snippet)


def all_blocks(context: Context) -> Iterator[list[Placed]]:
    """Every block of a function, or of a stretch of top-level code, which goes on in the stretches behind it."""
    if context.function is None:
        behind = (each for each in stretches(context) if each.snippet.start > context.snippet.start)
        yield [Placed(node, each) for each in (context, *behind) for node in each.snippet.body]
    for statement in context.walk():
        if isinstance(statement, ast.stmt):
            yield from ([Placed(node, context) for node in block] for block in blocks(statement))


def function_context(project: Project, function: Defined) -> Context | None:
    """Return a function as a scope of its own; None when it does not parse."""
    snippet = function.module.snippet(function.definition.start, function.definition.end)
    context = Context(project, function.module, function.definition, snippet) if snippet is not None else None
    return context if context is not None and context.function is not None else None


def methods(project: Project, cls: Defined) -> Iterator[Context]:
    """Yield the methods of a class, without overridden ones and those that do not parse."""
    return filter(None, (function_context(project, each) for each in project.methods(cls)))


def own_constructor(project: Project, cls: Defined) -> Context | None:
    """Return the constructor that a class itself defines."""
    member = cls.definition.members.get("__init__")
    return function_context(project, Defined(cls.module, member)) if member is not None else None


def method(context: Context, name: str) -> Context | None:
    """A method of the class whose method this is, as the class has it."""
    found = context.project.method(context.cls, name) if context.cls is not None else None
    return function_context(context.project, found) if isinstance(found, Defined) else None


def named_function(context: Context, node: ast.expr) -> Context | None:
    """The function of the project, or the method of the class, that an expression names."""
    if (own := own_attribute(node)) is not None:
        return method(context, own)
    found = context.resolve(node)
    return function_context(context.project, found) if isinstance(found, Defined) else None


def own_attribute(node: ast.AST) -> str | None:
    """The name of an attribute of ``self``."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return node.attr
    return None


def own_attributes(node: ast.AST) -> set[str]:
    """Every attribute of ``self`` that stands in it."""
    return {name for inner in nodes(node) if (name := own_attribute(inner)) is not None}


def first_parameter(context: Context) -> str | None:
    """The first argument that a caller gives."""
    function = context.function
    names = [param.arg for param in parameters(function)] if function is not None else []
    if context.cls is not None and names[:1] == ["self"]:
        names = names[1:]
    return names[0] if names else None


def makes_parameter(project: Project, cls: Defined, name: str) -> bool:
    """Whether a class or a base of it, which may be a layer of torch, makes an attribute of this name a parameter."""
    return any(
        name in _parameters_of(base) if isinstance(base, Defined) else name in OF_TORCH.get(base.name, ())
        for base in project.mro(cls) or (cls,)
    )


@functools.lru_cache(maxsize=1024)
def _parameters_of(cls: Defined) -> frozenset[str]:
    """The names of the attributes that a class itself makes parameters."""
    words = cls.module.matches(cls.definition.start, cls.definition.end)
    if not (words.holds("Parameter") or words.holds("register_parameter(")):
        return frozenset()
    snippet = cls.module.snippet(cls.definition.start, cls.definition.end)
    return frozenset(name for node in (snippet.nodes if snippet is not None else ()) for name in _made_parameter(node))


def _made_parameter(node: ast.AST) -> Iterator[str]:
    targets: list[ast.expr] = []
    match node:
        case ast.Call(func=ast.Attribute(attr="register_parameter"), args=[ast.Constant(value=str(name)), *_]):
            yield name
        case ast.Assign(value=value) if _speaks_of_parameter(value):
            targets = node.targets
        case ast.AnnAssign(value=ast.expr() as value) if _speaks_of_parameter(value):
            targets = [node.target]
    yield from filter(None, map(own_attribute, targets))


def _speaks_of_parameter(value: ast.AST) -> bool:
    """Whether an expression makes a parameter, and no collection of some."""
    if isinstance(value, COLLECTIONS) or (isinstance(value, ast.Call) and last_name(value.func) in COLLECTING):
        return False
    return last_name(value) == "Parameter" or any(map(_speaks_of_parameter, ast.iter_child_nodes(value)))


def initializes(statement: ast.stmt) -> bool:
    """Whether a statement calls something that initializes what it is given, or that it is called on."""
    functions = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
    names = [last_name(each) for each in functions]
    return any(name.endswith("_") or "init" in name or "reset" in name or "orthogonal" in name for name in names)


def in_order(body: Sequence[ast.stmt], *, later: bool = False) -> Iterator[ast.stmt]:
    """Every statement, those inside of others too; what is defined here to run ``later`` only where that is asked."""
    for statement in body:
        yield statement
        if later or not isinstance(statement, FunctionNode | ast.ClassDef):
            for block in blocks(statement):
                yield from in_order(block, later=later)


def uses_of(project: Project, cls: Defined, name: str) -> Iterator[tuple[Context, ast.AST]]:
    """Where the methods of a class use an attribute of the object."""
    return ((each, node) for each in methods(project, cls) for node in each.walk() if own_attribute(node) == name)


def constructs(context: Context) -> bool:
    """Whether this is a constructor."""
    return context.function is not None and context.function.name == "__init__"
