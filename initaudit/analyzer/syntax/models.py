"""Whether an expression is known to be a model: other trees have ``modules()`` and ``children()`` too."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from initaudit.analyzer.snippets import dotted, nodes
from initaudit.analyzer.syntax.context import Context

MODEL_LIKE = re.compile(r"net|model|module|encoder|decoder|backbone|classifier|critic|actor|policy", re.IGNORECASE)


def is_model(context: Context, model: ast.expr, loop: ast.For | ast.AsyncFor | ast.comprehension) -> bool:
    """Whether a name, a type, an assignment or the loop's own type tests say that a model is iterated."""
    name = dotted(model)
    root, _, rest = name.partition(".")
    if MODEL_LIKE.search(name):
        return True
    if root == "self":
        return context.cls is not None and context.project.is_module_class(context.cls)
    if root and not rest and (_annotated(context, root) or _assigned(context, root)):
        return True
    if isinstance(model, ast.Call):
        return context.is_module_class(model.func)
    return _tests_module_types(context, loop)


def _annotated(context: Context, name: str) -> bool:
    """Whether a parameter of the function is annotated with a class of modules."""
    return any(
        context.is_module_class(inner)
        for node in context.walk()
        if isinstance(node, ast.arg) and node.arg == name and node.annotation is not None
        for inner in nodes(node.annotation)
    )


def _assigned(context: Context, name: str) -> bool:
    """Whether the file assigns an object of a module class to the name."""
    for part in context.module.parts_naming(name):
        snippet = context.module.quiet_snippet(*part)
        for node in snippet.nodes if snippet is not None else ():
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=target), *_], value=ast.Call(func=made))
                    | ast.AnnAssign(target=ast.Name(id=target), value=ast.Call(func=made))
                ) if target == name and context.is_module_class(made):
                    return True
                case _:
                    pass
    return False


def _tests_module_types(context: Context, loop: ast.For | ast.AsyncFor | ast.comprehension) -> bool:
    """Whether the body asks ``isinstance(m, nn.Linear)``."""
    return any(
        context.is_module_class(kind)
        for statement in (loop.body if not isinstance(loop, ast.comprehension) else loop.ifs)
        for node in nodes(statement)
        if isinstance(node, ast.Call) and dotted(node.func) == "isinstance" and len(node.args) == 2
        for kind in nodes(node.args[1])
    )


def is_basic(index: ast.expr) -> bool:
    """Whether an index gives a view, and no copy: slices, numbers, ``...`` and names of loop counters."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(
        isinstance(part, ast.Slice | ast.UnaryOp)
        or (isinstance(part, ast.Constant) and (part.value is ... or part.value is None or isinstance(part.value, int)))
        for part in parts
    )


def is_single(context: Context, kinds: Sequence[str]) -> bool:
    """Whether layers of these classes are surely of single precision: torch's own, in a file with no other."""
    text = context.module.text
    other = any(word in text for word in ("float64", "default_dtype", "dtype=", "default_tensor_type"))
    of_torch = bool(kinds) and all(kind.startswith("torch.nn.") for kind in kinds)
    return of_torch and not other and text.count("double") == 1
