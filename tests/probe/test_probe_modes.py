"""Dispatch modes and torch's compiler: neither imported for a mode, nor run on one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import torch

from initaudit.probe.record.modes import Mode

WATCHED = """\
import sys
import torch
from initaudit.probe.record.watch import Watch

with Watch():
    torch.nn.init.normal_(torch.empty(2, 2))
print("torch._dynamo" in sys.modules)
"""


class Counting(Mode):
    """Counts the numbers of dimensions that its operators see, by code of its own that a compiler could take."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = torch.zeros(())

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        self.seen = self.seen + result.dim()
        return result


def test_a_mode_does_not_import_the_compiler() -> None:
    ran = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_compiler_does_not_run_on_a_mode() -> None:
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        graphs.append([str(node.target) for node in graph.graph.nodes if node.op.startswith("call")])
        return graph.forward

    def doubled(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    compiled = torch.compile(doubled, backend=backend)
    with Counting() as counting:
        assert compiled(torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
    assert counting.seen.item() == 2
    assert not any("add" in target for graph in graphs for target in graph), graphs
