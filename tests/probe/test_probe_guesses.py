"""Inputs by docstrings, by the edges of a graph, by ids, and by what names of inputs and arguments tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from initaudit.probe import Target, TargetError
from initaudit.probe.forward.inputs import BATCH, inputs_for
from initaudit.probe.record.arguments import arguments_noted


def given(model: nn.Module) -> list[torch.Tensor]:
    found = inputs_for(model, Target(spec="model.py:Net"))
    assert found is not None and not found[1]
    return list(found[0])


def documented(text: str, *, of_class: bool = False) -> nn.Module:
    """A model that takes images of an odd size alone, which only its documentation tells."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bands = 5
            self.conv, self.out = nn.Conv2d(5, 4, 3, padding=1), nn.Linear(4 * 20 * 24, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.conv(x).flatten(1))

    (Net if of_class else Net.forward).__doc__ = text  # type: ignore[attr-defined]
    return Net()


@pytest.mark.parametrize("of_class", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "Score scans.\n\nArgs:\n    x: tensor of shape (batch, 5, 20, 24)\nReturns:\n    (batch, 2)",
        "Shape:\n    - Input: :math:`(N, 5, 20, 24)`\n    - Output: :math:`(N, 2)`",
        "x is [B, bands, 20, 24].",
    ],
)
def test_a_shape_is_read_in_the_documentation(text: str, *, of_class: bool) -> None:
    (only,) = given(documented(text, of_class=of_class))
    assert only.shape == (BATCH, 5, 20, 24)


@pytest.mark.parametrize("text", ["", "x: (batch, channels, height, width)", "x: a pair (5, 20)"])
def test_what_says_no_size_says_nothing(text: str) -> None:
    with pytest.raises(TargetError):
        given(documented(text))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor, series: torch.Tensor) -> torch.Tensor:
        """Join both.

        :param x: features, (B, 3)
        :param series: (B, T, 6)
        """
        return self.left(x)[:, None] + self.right(series)  # type: ignore[no-any-return]


def test_several_inputs_are_read_by_their_names() -> None:
    x, series = given(Pair())
    assert x.shape == (BATCH, 3) and series.dim() == 3 and series.shape[::2] == (BATCH, 6)


class Graph(nn.Module):
    """A layer for nodes, pooled for each graph or not."""

    def __init__(self, first: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.head, self.first, self.next = nn.Linear(8, 2), first(), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = torch.zeros_like(x).index_add_(0, edge_index[1], x[edge_index[0]])
        return self.head(torch.relu(self.next(x)))  # type: ignore[no-any-return]


class Pooled(Graph):
    def forward(self, x: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        nodes = super().forward(x, edge_index)
        return torch.zeros(int(batch.max()) + 1, 2).index_add_(0, batch, nodes)


@pytest.mark.parametrize("kind", [Graph, Pooled])
@pytest.mark.parametrize(("first", "integers"), [(lambda: nn.Linear(5, 8), False), (lambda: nn.Embedding(9, 8), True)])
def test_a_graph_is_made_of_its_edges(kind: Any, first: Any, *, integers: bool) -> None:
    nodes, edges, *graphs = given(kind(first))
    assert int(edges.max()) < len(nodes) and edges.shape[0] == 2
    assert nodes.is_floating_point() is not integers and all(len(one) == len(nodes) for one in graphs)


class Rating(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.users, self.items, self.out = nn.Embedding(30, 8), nn.Embedding(7, 8), nn.Linear(16, 1)

    def forward(self, user_ids: torch.Tensor, item_ids: torch.Tensor) -> torch.Tensor:
        return self.out(torch.cat([self.users(user_ids), self.items(item_ids)], dim=-1))  # type: ignore[no-any-return]


class Masked(Rating):
    def forward(self, user_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return super().forward(user_ids, user_ids % 7) * mask


def test_ids_are_below_the_rows_of_every_table() -> None:
    users, items = given(Rating())
    assert users.shape == items.shape == (BATCH,) and max(int(users.max()), int(items.max())) < 7


def test_an_input_that_no_name_tells_is_asked_for() -> None:
    with pytest.raises(TargetError, match="also `mask`"):
        given(Masked())


class Denoiser(nn.Module):
    """Takes an image, and a time that only some forms of fit."""

    def __init__(self, fits: Callable[[torch.Tensor], bool]) -> None:
        super().__init__()
        self.conv, self.fits = nn.Conv2d(3, 3, 3, padding=1), fits

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        if not self.fits(timesteps):
            raise ValueError
        return self.conv(x) + timesteps.view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    "fits",
    [
        lambda t: t.dtype is torch.int64 and t.dim() == 1,
        lambda t: t.is_floating_point() and t.dim() == 1,
        lambda t: t.is_floating_point() and t.shape[1:] == (1,),
    ],
)
def test_a_time_is_a_number_for_each_sample(fits: Callable[[torch.Tensor], bool]) -> None:
    x, t = given(Denoiser(fits))
    assert x.shape[:2] == (BATCH, 3) and t.shape[0] == BATCH and fits(t)


def test_a_time_that_is_looked_up_is_below_the_rows_of_its_table() -> None:
    class Looked(Denoiser):
        def __init__(self) -> None:
            super().__init__(lambda t: True)
            self.table = nn.Embedding(50, 1)

        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return super().forward(x, self.table(t))

    assert int(given(Looked())[1].max()) < 50


class Convolved(nn.Module):
    """A layer of a graph network, whose adjacency matrix is dense."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs))

    def forward(self, x: torch.Tensor, adj: torch.Tensor) -> torch.Tensor:
        return adj @ (x @ self.weight)


def test_an_adjacency_matrix_is_square_and_its_nodes_are_no_batch(observe: Callable[..., Any]) -> None:
    x, adjacency = given(Convolved(6, 4))
    assert x.shape == (BATCH, 6) and adjacency.shape == (BATCH, BATCH)
    assert bool((adjacency >= 0).all()) and torch.equal(adjacency, adjacency.T)
    signal = observe(lambda: Convolved(6, 4)).observation.signal
    assert signal is not None and signal.batch is None


class Critic(nn.Module):
    def __init__(self, state_dim: int, action_dim: int) -> None:
        super().__init__()
        self.one = nn.Linear(state_dim + action_dim, 8)

    def forward(self, state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return self.one(torch.cat([state, action], -1))


class Conditioned(nn.Module):
    def __init__(self, latent: int, num_classes: int) -> None:
        super().__init__()
        self.one = nn.Linear(latent + num_classes, 8)

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.one(torch.cat([z, torch.nn.functional.one_hot(labels, 5)], -1))


class Coupled(nn.Module):
    """Half of its input goes through a layer, so that only the constructor tells the size of the whole."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.one = nn.Linear(dim // 2, dim // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, -1)
        return torch.cat([a, b + self.one(a)], -1).view(-1, 10)


class Upward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(12, 3, 4)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.conv(z.view(-1, 12, 1, 1))


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (lambda: Critic(5, 2), [(5,), (2,)]),
        (lambda: Conditioned(3, 5), [(3,), ()]),
        (lambda: Coupled(10), [(10,)]),
        (Upward, [(12,)]),
    ],
)
def test_sizes_are_those_that_the_constructor_was_given(
    make: Callable[[], nn.Module], shapes: list[tuple[int, ...]]
) -> None:
    with arguments_noted():
        model = make()
    assert [tuple(one.shape[1:]) for one in given(model)] == shapes
