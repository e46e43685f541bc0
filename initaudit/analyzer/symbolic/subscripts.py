"""What a subscript selects: along which dimension, from where to where, in all rounds of a loop or in one."""

from __future__ import annotations

import ast

from initaudit.analyzer.symbolic.computed_names import EACH
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import Constant, Index, Symbol, Value, leaves, text


def index_part(run: Run, node: ast.Subscript) -> Index:
    """Return what a subscript selects, along the first dimension that it does not take as a whole."""
    slices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    dimension = next((place for place, entry in enumerate(slices) if not _is_full_slice(entry)), None)
    if dimension is None:
        return Index(whole=True)
    chosen = slices[dimension]
    exact = all(map(_is_full_slice, slices[dimension + 1 :])) and not any(_is_ellipsis(s) for s in slices[:dimension])
    if isinstance(chosen, ast.Slice):
        start, stop = _bound(run, chosen.lower), _bound(run, chosen.upper)
        step = run.evaluate(chosen.step) if chosen.step is not None else Constant(1)
        stride = step.value if isinstance(step, Constant) and isinstance(step.value, int) else 0
        by_loop = EACH in f"{start} {stop}"
        within = not exact and stride == 1 and not any(map(_is_ellipsis, slices))
        known = stride > 0 and (exact or within)
        return Index(None, start, stop, False, known, by_loop, dimension, stride, sliced=True, within=within)
    value, further = run.evaluate(chosen), slices[dimension + 1 :]
    within = not exact and not any(map(_is_ellipsis, slices))
    if isinstance(value, Constant):
        number = value.value
        if isinstance(number, bool) or not isinstance(number, int):
            return Index(constant=number, start=text(value))
        stop = None if number == -1 else str(number + 1)
        return Index(
            constant=number,
            start=str(number),
            stop=stop,
            exact=exact or within,
            dimension=dimension,
            within=within,
            cell=_cell(run, slices) if within else None,
        )
    if all(_is_integer(run, leaf) for _, leaf in leaves(value, run.condition)):
        start = text(value) if isinstance(value, Symbol) else ast.unparse(chosen)
        return Index(start=start, stop=f"({start} + 1)", exact=exact, dimension=dimension)
    by_loop = isinstance(value, Symbol) and EACH in value.text
    again = by_loop and isinstance(chosen, ast.Name) and any(_is_bounded_by(each, chosen.id) for each in further)
    diagonal = ast.unparse(node.slice) if again else None
    return Index(start=text(value), exact=exact, by_loop=by_loop, dimension=dimension, diagonal=diagonal)


def _cell(run: Run, slices: list[ast.expr]) -> tuple[int | None, ...] | None:
    """The numbers by which a subscript selects along several dimensions; None where it selects by anything else."""
    found: list[int | None] = []
    for each in slices:
        match None if _is_full_slice(each) else run.evaluate(each):
            case None:
                found.append(None)
            case Constant(int(number)) if not isinstance(number, bool):
                found.append(number)
            case _:
                return None
    return tuple(found)


def _is_bounded_by(node: ast.expr, name: str) -> bool:
    """Whether an index is a name, or a slice that starts or ends there."""
    bounds = (node.lower, node.upper) if isinstance(node, ast.Slice) else (node,)
    return any(isinstance(bound, ast.Name) and bound.id == name for bound in bounds)


def _is_integer(run: Run, value: Value) -> bool:
    """Whether a value is one integer, rather than the variable of a loop."""
    if isinstance(value, Symbol):
        return run.is_integer(value.text) and EACH not in value.text
    return isinstance(value, Constant) and type(value.value) is int


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_full_slice(node: ast.expr) -> bool:
    open_slice = isinstance(node, ast.Slice) and node.lower is None and node.upper is None and node.step is None
    return open_slice or _is_ellipsis(node)


def _bound(run: Run, node: ast.expr | None) -> str | None:
    if node is None:
        return None
    value = run.evaluate(node)
    return None if value == Constant(0) else text(value)
