"""Flags ``requires_grad`` of tensors that a new parameter, which is trained, takes the place or the values of."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, last_name, nodes
from initaudit.analyzer.syntax.callers import freezes, frozen
from initaudit.analyzer.syntax.context import Context, Placed, all_blocks
from initaudit.analyzer.syntax.tensor_uses import METADATA
from initaudit.subjects.registration import Unfrozen

FLAG = "requires_grad"
LIKE = {
    "view_as", "expand_as", "reshape_as", "type_as", "zeros_like", "ones_like", "rand_like", "randn_like", "empty_like",
}  # fmt: skip
"""What is given a tensor for its size or its type alone."""


@reads(Unfrozen, scope=Context, words=("requires_grad= requires_grad_(", "Parameter("))
def lost_flags(context: Context) -> Iterator[Unfrozen]:
    """``w.requires_grad = False`` before ``w = nn.Parameter(...)``, and the flag of what that is given."""
    flags = _frozen(context)
    if any("." not in name for name in flags):
        return
    for body in all_blocks(context):
        yield from (flag for flag in _replaced(body) if flags[flag.target] == 1)
    for call in context.calls():
        given = _flag_of_tensor(call) if _is_trained(context, call) else None
        if given is not None and not _is_fixed(context, call, flags):
            yield Unfrozen(
                place=context.snippet.place(call),
                source=ast.unparse(given),
                target=context.snippet.source(call.args[0]),
                made=context.snippet.source(call),
            )


def _replaced(body: Sequence[Placed]) -> Iterator[Unfrozen]:
    """Parameters that a block freezes, and puts a new one into the place of, using nothing of them but their sizes."""
    for at, each in enumerate(body):
        name = freezes(each.node.value if isinstance(each.node, ast.Expr) else each.node)
        for later in body[at + 1 :] if name and "." in name else ():
            match later.node:
                case (
                    ast.Assign(targets=[ast.Attribute() as target], value=ast.Call() as call)
                    | ast.AnnAssign(target=ast.Attribute() as target, value=ast.Call() as call)
                ) if (
                    dotted(target) == name and not _is_used(later, name, call.args) and _is_trained(later.context, call)
                ):
                    yield Unfrozen(
                        place=each.context.snippet.place(each.node),
                        source=each.context.snippet.source(each.node),
                        made=later.context.snippet.source(call),
                        target=name,
                    )
                    break
            if _is_used(later, name or "", [later.node]):
                break


def _is_trained(context: Context, call: ast.Call) -> bool:
    """Whether a call makes a parameter, and does not say whether it is trained."""
    plain = len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Starred)
    return plain and context.canonical(call.func) == "torch.nn.Parameter"


def _flag_of_tensor(call: ast.Call) -> ast.keyword | None:
    """The flag, false, of the tensor that a parameter is made of."""
    match call.args[0]:
        case ast.Call(keywords=named):
            return next((each for each in named if each.arg == FLAG and _is_false(each.value)), None)
    return None


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_used(statement: Placed, name: str, inside: Sequence[ast.AST]) -> bool:
    """Whether code uses a tensor, or the layer that has it, for anything but a size."""
    parents, owner = statement.context.snippet.parents, name.rpartition(".")[0]
    for node in (node for each in inside for node in nodes(each)):
        parent = parents.get(node)
        if isinstance(node, ast.Attribute) and dotted(node) == name:
            of_size = isinstance(parent, ast.Attribute) and parent.attr in METADATA and isinstance(parent.ctx, ast.Load)
            if not of_size and not (isinstance(parent, ast.Call) and last_name(parent.func) in LIKE):
                return True
        elif (
            isinstance(node, ast.Attribute | ast.Name)
            and dotted(node) == owner
            and not isinstance(parent, ast.Attribute)
        ):
            return True
    return False


def _is_fixed(context: Context, made: ast.Call, flags: Counter[str]) -> bool:
    """Whether code freezes a new parameter, or one of its name, or computes with it without a gradient."""
    match context.snippet.parents.get(made):
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            name = dotted(target)
        case _:
            return True
    if any(f"{name}.".startswith(f"{each}.") or each.rpartition(".")[2] == name.rpartition(".")[2] for each in flags):
        return True
    cls = context.cls
    whole = context.module.snippet(cls.definition.start, cls.definition.end) if cls is not None else context.snippet
    return whole is None or any(
        isinstance(node, ast.Attribute) and node.attr in ("detach", "data") and dotted(node.value) == name
        for node in whole.nodes
    )


def _frozen(context: Context) -> Counter[str]:
    """What the code of a file freezes, and how often."""
    rows = {part for word in (FLAG, f"{FLAG}_") for part in context.module.parts_naming(word)}
    snippets = (context.module.quiet_snippet(*part) for part in rows)
    parts = (replace(context, definition=None, snippet=snippet) for snippet in snippets if snippet is not None)
    return Counter(name for part in parts for name in frozen(part))
