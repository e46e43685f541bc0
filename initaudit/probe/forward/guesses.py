"""Inputs that names and docstrings of a forward tell: shapes, graphs, times, labels, and ids that are looked up."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

import torch

from initaudit.probe.forward.given import Inputs
from initaudit.probe.record.arguments import integers_given

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
TIMES = re.compile(r"ts?|times?|time_?steps?|steps?|noise_levels?|sigmas?")
LAST = 1000
"""The number of steps of a diffusion."""
ADJACENCY = re.compile(r"a|a_hat|adj|adj_\w+|adjacency\w*|laplacian")
LABELS = re.compile(r"y|labels?|targets?|class_(ids?|labels?)|classes|conds?")
COUNTED = re.compile(r"(num|n|nb)_(class(es)?|labels|cond)|n_?class(es)?|num_class|label_dim|cond_dim|y_dim")
"""Arguments of a constructor for the number of labels."""
SIZED = re.compile(r"dim|size|feat|chan|width|latent|noise|obs|state|(^|_)in(put)?(_|$)|^n?z$|^n_?in$|^d$")
"""Arguments of a constructor that may be the size of an input."""
MANY_FEATURES = 65536
"""Size from which on an argument is no number of features."""

Maker = Callable[[int], Inputs]
Kind = Callable[[int], torch.Tensor]


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


def sizes_given(model: torch.nn.Module) -> list[int]:
    """Return the sizes that the constructor was given, by the names of its arguments."""
    given = integers_given(model) or {}
    return [
        size
        for name, sizes in given.items()
        if SIZED.search(name)
        for size in sorted(sizes)
        if 1 < size < MANY_FEATURES
    ]


def named(model: torch.nn.Module, makers: Sequence[Maker], rows: int) -> Iterator[Maker]:
    """Yield inputs for a forward that needs more than one, each by its name; ``makers`` are for all of other names."""
    names = required(model)
    kinds = [_kinds(name, model, rows) for name in names]
    if all(kinds):
        for chosen in itertools.product(*kinds):
            yield functools.partial(_each, chosen)
        return
    for make in makers:
        for chosen in itertools.product(*(kind or [functools.partial(_made, make)] for kind in kinds)):
            yield functools.partial(_each, chosen)


def _kinds(name: str, model: torch.nn.Module, rows: int) -> list[Kind]:
    """What a name tells of an input: a time for each sample, a matrix over all of them, a label, or a vector."""
    name = name.lower()
    given = {argument.lower(): sizes for argument, sizes in (integers_given(model) or {}).items()}
    if TIMES.fullmatch(name):
        tables = any(isinstance(one, torch.nn.Embedding) for one in model.modules())
        return [functools.partial(_integers, rows if tables else LAST), torch.rand, _column]
    if ADJACENCY.fullmatch(name):
        return [_adjacency]
    if LABELS.fullmatch(name):
        counts = [size for argument, sizes in given.items() if COUNTED.fullmatch(argument) for size in sorted(sizes)]
        one_hot = [functools.partial(_one_hot, count) for count in counts]
        return [functools.partial(_integers, min([rows, *counts] if rows > 2 else counts, default=2)), *one_hot]
    after = re.compile(rf"(n|num|dim|d)_{re.escape(name)}s?|{re.escape(name)}s?_(dim|dims|size|features|channels|n|d)")
    widths = [size for argument, sizes in given.items() if after.fullmatch(argument) for size in sorted(sizes)]
    return [functools.partial(_vectors, width) for width in widths]


def _each(kinds: Sequence[Kind], batch: int) -> Inputs:
    return tuple(kind(batch) for kind in kinds), {}


def _made(make: Maker, batch: int) -> torch.Tensor:
    made: torch.Tensor = make(batch)[0][0]
    return made


def _integers(below: int, batch: int) -> torch.Tensor:
    return torch.randint(0, below, (batch,))


def _column(batch: int) -> torch.Tensor:
    return torch.rand(batch, 1)


def _one_hot(count: int, batch: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(_integers(count, batch), count).to(torch.get_default_dtype())


def _vectors(width: int, batch: int) -> torch.Tensor:
    return torch.randn(batch, width)


def _adjacency(batch: int) -> torch.Tensor:
    """Random edges in both directions and to oneself, normalized by the degrees of both ends."""
    edges = torch.rand(batch, batch) < DEGREE / batch
    matrix = (edges | edges.T | torch.eye(batch, dtype=torch.bool)).to(torch.get_default_dtype())
    degrees = matrix.sum(dim=0).rsqrt()
    return matrix * degrees * degrees[:, None]


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
