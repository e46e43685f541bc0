"""Inputs by docstrings, by the edges of a graph and by ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from initaudit.probe import Target, TargetError
from initaudit.probe.inputs import BATCH, inputs_for


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
