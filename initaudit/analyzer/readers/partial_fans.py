"""Fans that are multiplied from some of the sides of a convolution's kernel."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import dotted, nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Meaning
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.subjects.weights import NamedFan

FANS = {"in_channels": "fan_in", "out_channels": "fan_out"}


@reads(NamedFan, scope=Context, words=("kernel_size", "channels"), nearby="Conv2d Conv3d ConvTranspose")
def partial_fans(context: Context) -> Iterator[NamedFan]:
    """``m.kernel_size[0] * m.kernel_size[1] * m.out_channels`` of a layer that is known to be ``nn.Conv3d``."""
    meanings = Meanings(context)
    kernels = {
        target.id: dotted(node.value)
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
        if dotted(node.value).endswith(".kernel_size")
    }
    grown = {dotted(node.target) for node in context.walk() if isinstance(node, ast.AugAssign)}
    for step in meanings.steps():
        targets = step.statement.targets if isinstance(step.statement, ast.Assign) else []
        for product in _products(step.statement) if grown.isdisjoint(map(dotted, targets)) else ():
            factors = list(_factors(product))
            counted = [each for each in factors if isinstance(each, ast.Attribute) and each.attr in FANS]
            if len(counted) != 1:
                continue
            kernel = f"{dotted(counted[0].value)}.kernel_size"
            sides = [side for each in factors for side in _sides(each, kernel, kernels)]
            length = _length(meanings.meaning(counted[0].value, step.names))
            if length is not None and 0 < len(sides) < length and set(sides) == set(range(len(sides))):
                left = " * ".join(f"{kernel}[{side}]" for side in range(len(sides), length))
                yield NamedFan(
                    place=context.snippet.place(step.statement),
                    value=context.snippet.place(product),
                    name=FANS[counted[0].attr],
                    source=context.snippet.source(product),
                    axis=None,
                    other=f"{context.snippet.source(product)} * {left}",
                )


def _products(statement: ast.stmt) -> Iterator[ast.BinOp]:
    """The products of a statement that are no factors of another."""
    inner = [node for node in nodes(statement) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)]
    within = {id(side) for node in inner for side in (node.left, node.right)}
    yield from (node for node in inner if id(node) not in within)


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield from _factors(left)
            yield from _factors(right)
        case _:
            yield node


def _sides(factor: ast.expr, kernel: str, names: dict[str, str]) -> Iterator[int | None]:
    """Which side of a kernel a factor is, None where it has more to do with the kernel."""
    match factor:
        case ast.Subscript(value=sizes, slice=ast.Constant(value=int(side))) if (
            names.get(dotted(sizes), dotted(sizes)) == kernel
        ):
            yield side
        case _:
            if any(
                names.get(dotted(node), dotted(node)) == kernel for node in nodes(factor) if isinstance(node, ast.expr)
            ):
                yield None


def _length(meaning: Meaning | None) -> int | None:
    """The number of sides that the kernel of a layer has, where its kind is known."""
    kinds = set(meaning.kinds) if meaning is not None else set()
    lengths = {int(kind[-2]) for kind in kinds if kind.startswith("torch.nn.Conv") and kind[-2:] in ("1d", "2d", "3d")}
    return lengths.pop() if len(lengths) == 1 and all(kind.startswith("torch.nn.Conv") for kind in kinds) else None
