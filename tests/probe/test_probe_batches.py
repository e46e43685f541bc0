"""A further batch keeps the range and the kind of every column, and memory that a forward lets go is free at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initaudit.probe.record.poison import rounded
from initaudit.probe.training.batches import SAMPLES, another_batch


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(2, 40), columns=st.integers(1, 5), seed=st.integers(0, 99), kind=st.sampled_from("fib"))
def test_every_column_keeps_its_range_and_its_type(rows: int, columns: int, seed: int, kind: str) -> None:
    numbers = torch.randn(rows, columns, generator=generator(seed)) * 10 ** torch.arange(columns)
    tensor = {"f": numbers, "i": numbers.long(), "b": numbers > 0}[kind]
    ((drawn,), _) = another_batch(((tensor,), {}), generator(seed))
    assert drawn.dtype == (torch.float64 if kind == "f" else tensor.dtype)
    assert drawn.shape[1] == columns and drawn.shape[0] <= max(rows, SAMPLES)
    assert bool((drawn.double().amax(0) <= tensor.double().amax(0) + 1e-9).all())
    assert bool((drawn.double().amin(0) >= tensor.double().amin(0) - 1e-9).all())


def test_categories_stay_in_their_columns() -> None:
    table = torch.stack([torch.randint(0, 3, (32,)), torch.randint(100, 200, (32,))], dim=1)
    ((drawn,), _) = another_batch(((table,), {}), generator())
    assert drawn.shape == (SAMPLES, 2)
    assert int(drawn[:, 0].max()) < 3 and int(drawn[:, 1].min()) >= 100


def test_the_inputs_of_a_graph_keep_their_sizes_and_index_vectors_their_order() -> None:
    nodes, edges = torch.randn(50, 4), torch.stack([torch.arange(80) // 2, torch.randint(0, 50, (80,))])
    graph = torch.arange(50) // 10
    (new_nodes, new_edges, new_graph), _ = another_batch(((nodes, edges, graph), {}), generator())
    assert new_nodes.shape == nodes.shape and not torch.equal(new_nodes, nodes.double())
    assert torch.equal(new_edges[0], edges[0]) and torch.equal(new_edges[1].sort()[0], edges[1].sort()[0])
    assert torch.equal(new_graph, graph)


def test_a_mask_stays_one() -> None:
    mask = (torch.rand(32, 6, generator=generator()) > 0.5).float()
    ((drawn,), _) = another_batch(((mask,), {}), generator())
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}


def test_one_sample_still_varies() -> None:
    ((drawn,), _) = another_batch(((torch.randn(1, 3, 8, 8),), {}), generator())
    assert drawn.shape == (1, 3, 8, 8) and float(drawn.std()) > 0


class Tabular(nn.Module):
    """Categories of unlike ranges, and two factors at zero that keep one another there."""

    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Embedding(3, 8), nn.Embedding(200, 8)
        self.up, self.down = nn.Linear(8, 4, bias=False), nn.Linear(4, 8, bias=False)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.down.weight)
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.small(x[:, 0]) + self.large(x[:, 1])
        out: torch.Tensor = self.head(hidden + self.down(self.up(hidden)))
        return out


def test_a_model_of_categories_is_trained() -> None:
    import initaudit

    table = torch.stack([torch.randint(0, 3, (32,)), torch.randint(100, 200, (32,))], dim=1)
    report = initaudit.audit(Tabular, inputs=(table,), isolated=True)
    assert [one.code for one in report.findings] == ["INI502"]


class Loops(nn.Module):
    """Makes much under ``no_grad`` that nothing keeps."""

    alive = 0

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        memory = []
        with torch.no_grad():
            for _ in range(5):
                array = np.ones(4, dtype=np.float32)
                memory.append(weakref.ref(array))
                step = torch.from_numpy(array)
                del array
                x = x + step
                del step
        Loops.alive = sum(one() is not None for one in memory)
        out: torch.Tensor = self.fc(x)
        return out


def test_what_a_forward_lets_go_is_free_at_once(observe: Callable[..., Any]) -> None:
    seen = observe(Loops, (8, 4))
    assert seen.observation.signal is not None and Loops.alive == 0


def test_rounding_is_told_from_a_draw() -> None:
    values = torch.randn(100, generator=generator())
    assert rounded(values, values + 1e-7) and rounded(values.double(), values.double() + 1e-14)
    assert not rounded(values, torch.randn(100, generator=generator(1)))
    near = 1 + 1e-3 * torch.randn(100, generator=generator())
    assert not rounded(near, 1 + 1e-3 * torch.randn(100, generator=generator(1)))
    assert not rounded(torch.tensor(0.3), torch.tensor(0.4)) and rounded(torch.tensor(0.3), torch.tensor(0.3000001))
    assert not rounded(torch.arange(4), torch.arange(4) + 1)
    changed = values.clone()
    changed[3] += 0.5
    assert not rounded(values, changed)


class Rounds(nn.Module):
    """Solves for its coefficients, with another rounding in each build."""

    builds = 0
    unlike = 1e-7

    def __init__(self) -> None:
        super().__init__()
        type(self).builds += 1
        self.coef = nn.Parameter(torch.randn(64) + self.unlike * type(self).builds)
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.fc(x)
        return out


class Redraws(Rounds):
    unlike = 0.3


def test_a_difference_that_rounding_makes_is_a_note_and_says_how_large_it_is(observe: Callable[..., Any]) -> None:
    (finding,) = observe(Rounds, (8, 4)).findings
    assert (finding.code, finding.severity.value) == ("INI603", "note")
    assert "by at most" in finding.message and "rounding" in finding.message
    (finding,) = observe(Redraws, (8, 4)).findings
    assert (finding.code, finding.severity.value) == ("INI603", "warning")
    assert "64 of 64 elements differ, by at most 0.3" in finding.evidence[0].detail
