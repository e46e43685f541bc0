"""Inputs that names and docstrings of a forward tell: shapes, graphs, and ids that are looked up."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator

import torch

from initaudit.probe.given import Inputs

SHAPE = re.compile(r"[(\[]\s*([A-Za-z_*]\w*)\s*((?:,\s*\w+\s*)+),?\s*[)\]]")
"""A shape in a docstring: the batch by a name, and sizes by numbers or names."""
BATCHES = frozenset({"n", "b", "bs", "batch", "batch_size", "batchsize", "bsz", "num_samples", "nbatch"})
LENGTHS = frozenset(
    {"t", "l", "s", "time", "length", "seq", "seq_len", "seq_length", "seqlen", "timesteps", "n_tokens"}
)
LENGTH = 16
"""The size of an axis of time of which nothing is known."""
EDGES = frozenset({"edge_index", "edge_indices", "edges"})
GRAPHS = frozenset({"batch", "batch_index", "graph_ids"})
NODES, DEGREE, MANY = 4, 4, 4
"""Nodes for each sample that is asked for, edges for each node, and graphs."""
IDS = re.compile(r"ids?|idx|index|indices|tokens?|users?|items?|words?|categor\w*|src|tgt|input_ids")

Maker = Callable[[int], Inputs]


def required(model: torch.nn.Module) -> list[str]:
    """Return the names of the inputs that a forward cannot do without."""
    try:
        taken = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    free = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [one.name for one in taken if one.kind in free and one.default is one.empty]


def documented(model: torch.nn.Module, rows: int) -> Iterator[Maker]:
    """Yield inputs of the shapes in the docstrings of the forward or the class, as numbers or as ids below ``rows``."""
    names = required(model)
    for owner in (model.forward, type(model)):
        documented = _shapes(inspect.getdoc(owner) or "", names, model)
        if names and len(documented) == len(names):
            indices = any(isinstance(one, torch.nn.Embedding) for one in model.modules())
            for below in (0, rows) if indices else (0,):
                yield functools.partial(_of_shapes, documented, below)


def several(model: torch.nn.Module, widths: list[int], rows: int) -> Iterator[Maker]:
    """Yield inputs for a forward that needs more than one: a graph by its edges, or ids for as many tables."""
    names = required(model)
    if any(name in EDGES for name in names) and len(names) == 2 + any(name in GRAPHS for name in names):
        yield from (functools.partial(_graph, names, width, rows) for width in (*widths, 0))
    tables = sum(isinstance(one, torch.nn.Embedding) for one in model.modules())
    parts = [re.split(r"_", name.lower()) for name in names]
    if 1 < len(names) <= tables and all(any(IDS.fullmatch(part) for part in each) for each in parts):
        yield from (functools.partial(_ids, len(names), size, rows) for size in ((), (8,)))


def _shapes(text: str, names: list[str], model: torch.nn.Module) -> list[tuple[int, ...]]:
    """The shape of each input, from the line that names it, or the first of all for a single one."""
    found = []
    for name in names:
        lines = [line for line in text.splitlines() if re.search(rf"\b{re.escape(name)}\b", line)]
        shape = next((one for line in lines if (one := _first(line, model)) is not None), None)
        if shape is None and len(names) == 1:
            shape = _first(text, model)
        if shape is not None:
            found.append(shape)
    return found


def _first(text: str, model: torch.nn.Module) -> tuple[int, ...] | None:
    for batch, rest in SHAPE.findall(text):
        sizes = [_size(one.strip(), model) for one in rest.strip(", ").split(",")]
        known = [size for size in sizes if size is not None]
        if batch.lower() in BATCHES and len(known) == len(sizes):
            return tuple(known)
    return None


def _size(word: str, model: torch.nn.Module) -> int | None:
    if word.isdigit():
        return int(word)
    said = getattr(model, word, None)
    if type(said) is int and said > 0:
        return said
    return LENGTH if word.lower() in LENGTHS else None


def _of_shapes(shapes: list[tuple[int, ...]], below: int, batch: int) -> Inputs:
    return tuple(
        torch.randint(0, below, (batch, *shape)) if below else torch.randn(batch, *shape) for shape in shapes
    ), {}


def _graph(names: list[str], width: int, rows: int, batch: int) -> Inputs:
    """Features of nodes, or ids for a width of 0; random edges, and the graph of each node."""
    count = NODES * batch
    nodes = torch.randn(count, width) if width else torch.randint(0, rows, (count,))
    edges = torch.randint(0, count, (2, DEGREE * count))
    graphs = torch.randint(0, MANY, (count,)).sort().values
    return tuple(edges if name in EDGES else graphs if name in GRAPHS else nodes for name in names), {}


def _ids(count: int, size: tuple[int, ...], rows: int, batch: int) -> Inputs:
    return tuple(torch.randint(0, rows, (batch, *size)) for _ in range(count)), {}
