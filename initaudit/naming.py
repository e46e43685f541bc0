"""Names of parameters, tests for parts of names in loops that initialize them, and the nearest name to a misspelt one.

The layers of torch name their parameters consistently. Knows Python's syntax trees, and no observer.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

NAMED = frozenset({"named_parameters", "named_modules", "named_children"})
"""The methods of a module that yield names."""
OF_PLAIN = frozenset({"weight", "bias", "weight_g", "weight_v", "weight_orig", "parametrizations", "original"})
"""Every name in a layer of torch that holds no others."""
RECURRENT_LAYERS = 10
"""Number of layers of a recurrent network whose names are known."""
OF_RECURRENT = frozenset({
    "weight_ih", "weight_hh", "bias_ih", "bias_hh", "reverse",
    *(
        f"{tensor}_l{layer}{direction}"
        for tensor in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        for layer in range(RECURRENT_LAYERS)
        for direction in ("", "_reverse")
    ),
})  # fmt: skip
OF_ATTENTION = frozenset({
    "in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight", "bias_k", "bias_v",
})  # fmt: skip
OF_PARAMETERS = OF_PLAIN | OF_RECURRENT | OF_ATTENTION | {"original0", "original1"}
"""Every name that a layer of torch gives a parameter of its own."""
OF_TORCH = OF_PARAMETERS | frozenset({
    "out_proj", "self_attn", "multihead_attn", "linear1", "linear2", "norm1", "norm2", "norm3", "norm", "dropout",
    "dropout1", "dropout2", "dropout3", "activation", "layers", "encoder", "decoder", "head", "tail", "module",
})  # fmt: skip
"""Every name that a layer of torch gives a parameter or a layer of its own."""
NO_WRITES = frozenset({"requires_grad_", "share_memory_", "detach_"})
"""Methods of a tensor that do not change its values."""
OF_OTHERS = frozenset({"copy_", "add_", "sub_", "mul_", "div_", "set_", "lerp_", "fill_", "pow_"})
"""Methods that write a tensor with values of another one, which they leave alone."""


def parts_asked_for(test: ast.expr, name: str) -> Iterator[tuple[ast.expr, str]]:
    """Each test, within one, that the variable ``name`` holds some text, and the text; not those that are negated."""
    part = part_asked_for(test, name)
    if part is not None:
        yield test, part
        return
    match test:
        case ast.Compare(
            left=ast.Name(id=tested), ops=[ast.In()], comparators=[ast.List() | ast.Tuple() | ast.Set() as among]
        ):
            if tested == name:
                yield from (
                    (test, each.value)
                    for each in among.elts
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                )
            return
    if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
        for inner in ast.iter_child_nodes(test):
            if isinstance(inner, ast.expr):
                yield from parts_asked_for(inner, name)


def part_asked_for(test: ast.expr, name: str) -> str | None:
    """The text that a test looks for in what the variable ``name`` holds."""
    match test:
        case ast.Compare(
            left=ast.Call(
                func=ast.Attribute(attr="find", value=ast.Name(id=tested)), args=[ast.Constant(value=str(part))]
            ),
            ops=[ast.NotEq() | ast.GtE() | ast.Gt()],
        ):
            pass
        case ast.Compare(left=ast.Constant(value=str(part)), ops=[ast.In()], comparators=[ast.Name(id=tested)]):
            pass
        case ast.Call(
            func=ast.Attribute(attr="startswith" | "endswith", value=ast.Name(id=tested)),
            args=[ast.Constant(value=str(part))],
        ):
            pass
        case (
            ast.Compare(left=ast.Name(id=tested), ops=[ast.Eq()], comparators=[ast.Constant(value=str(part))])
            | ast.Compare(left=ast.Constant(value=str(part)), ops=[ast.Eq()], comparators=[ast.Name(id=tested)])
        ):
            pass
        case _:
            return None
    return part if tested == name else None


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Return the bodies of a compound statement."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(statement, field, None)
        if isinstance(block, list) and block:
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def initializes(statements: Sequence[ast.stmt], element: str) -> bool:
    """Whether a call writes in place to the value of the variable ``element``, or to a part of it."""
    return any(
        isinstance(node, ast.Call) and element in map(_root, _written(node))
        for statement in statements
        for node in ast.walk(statement)
    )


def _written(call: ast.Call) -> Sequence[ast.expr]:
    """Return what a call may write in place, judged by its name: the object of the method, or the first argument."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if not called.endswith("_") or called.endswith("__") or called in NO_WRITES:
        return ()
    return (call.func,) if called in OF_OTHERS else (call.func, *call.args[:1])


def _root(node: ast.expr) -> str | None:
    """Return the variable that an expression starts with: ``m`` of ``m.weight.data[0]``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def near(word: str, known: Iterable[str]) -> str | None:
    """Return the name that a misspelt word probably means, if one differs from it in few letters.

    One letter in four may be wrong, and at most three, so that a code of another tool matches none of initaudit's.
    Among equally near names, the one with the longest common beginning wins.
    """
    allowed, word = max(1, min(3, len(word) // 4)), word.lower()
    ranked = [
        (mistakes, -_alike(word, name.lower()), name)
        for name in known
        if (mistakes := _mistakes(word, name.lower(), allowed)) <= allowed
    ]
    return min(ranked)[-1] if ranked else None


def _alike(word: str, name: str) -> int:
    """Return the length of the common beginning of two names."""
    return next((n for n, (one, other) in enumerate(zip(word, name, strict=False)) if one != other), len(word))


def _mistakes(word: str, name: str, allowed: int) -> int:
    """How many letters are missing, too many, wrong or swapped; one more than are allowed where the lengths show it."""
    if abs(len(word) - len(name)) > allowed:
        return allowed + 1
    before, row = list[int](), list(range(len(name) + 1))
    for i, letter in enumerate(word, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(name, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == name[j - 2] and word[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
