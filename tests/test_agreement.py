"""What the analyzer decides never contradicts what building the same source shows."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initaudit.analyzer import analyze
from initaudit.observation import Question
from initaudit.timeline import Coverage

torch = pytest.importorskip("torch")

PARAMETERS = frozenset({Question("ParameterTimeline")})
NAMES = ("alpha", "beta", "gamma")
ALLOCATIONS = (
    "torch.empty(4, 3)",
    "torch.Tensor(4, 3)",
    "torch.Tensor(size=(4, 3))",
    "torch.FloatTensor(4, 3)",
    "torch.zeros(4, 3).new(4, 3)",
    "torch.empty(4, 3, out=torch.ones(4, 3))",
)
WRITES = (
    "nn.init.xavier_uniform_(self.{0})",
    "self.{0}.data.normal_(0, 0.02)",
    "fill(self.{0})",
    "torch.nn.init.zeros_(tensor=self.{0})",
    "self.{0}.data = torch.zeros(4, 3)",
    "self.{0}.data.copy_(torch.ones(4, 3))",
    "for row in self.{0}: nn.init.ones_(row.data)",
    "alias = self.{0}.data; alias.uniform_(-1, 1)",
    "self.{0}.data[:] = 1.0",
    "setattr(self, '{0}', nn.Parameter(torch.randn(4, 3)))",
    "[fill(tensor) for tensor in [self.{0}]]",
)
IDLE = (
    "self.{0}.data",
    "self.{0}.size()",
    "self.{0}.data.mul_(0.5)",
    "torch.zeros_like(self.{0})",
    "self.{0}.requires_grad_()",
)
PLACES = ("constructor", "reset", "uncalled", "base", "applied", "branch", "else", "loop", "nowhere")


def source(plan: dict[str, tuple[str, str, str, str]]) -> str:
    """A file with a class whose parameters are allocated and written as planned.

    A plan has, by name: the allocation, the place of the write, the write, and a statement that writes nothing.
    """
    by_place: dict[str, list[str]] = {place: [] for place in PLACES}
    for name, (_, place, write, _) in plan.items():
        by_place[place].append(write.format(name))
    looped = tuple(name for name, (_, place, _, _) in plan.items() if place == "loop")
    allocations = [f"self.{name} = nn.Parameter({allocation})" for name, (allocation, *_) in plan.items()]
    idle = [entry[3].format(name) for name, entry in plan.items()]
    sections = {
        "allocations": allocations,
        "idle": idle,
        "constructor": by_place["constructor"],
        "branch": [*by_place["branch"], "nn.init.zeros_(self.anchor)"],
        "else": [*by_place["else"], "nn.init.ones_(self.anchor)"],
    }
    inside = {}
    for key, lines in sections.items():
        indent = "            " if key in ("branch", "else") else "        "
        inside[key] = "".join(f"{indent}{line}\n" for line in lines)
    reset, base, uncalled, applied = (
        "".join(f"        {line}\n" for line in by_place[place]) or "        pass\n"
        for place in ("reset", "base", "uncalled", "applied")
    )
    return (
        "import torch\nfrom torch import nn\n\n"
        "def fill(tensor):\n    with torch.no_grad():\n        tensor.fill_(0.5)\n\n"
        f"class Base(nn.Module):\n    def prepare(self):\n{base}\n"
        "class Net(Base):\n    def __init__(self, flag=True):\n        super().__init__()\n"
        "        self.anchor = nn.Parameter(torch.empty(2, 2))\n"
        f"{inside['allocations']}{inside['idle']}{inside['constructor']}"
        f"        if flag:\n{inside['branch']}        else:\n{inside['else']}"
        "        self.reset_parameters()\n        self.prepare()\n        self.apply(self.visit)\n"
        "        for name, parameter in self.named_parameters():\n"
        f"            if name in {looped!r}:\n                nn.init.normal_(parameter, 0, 0.1)\n\n"
        f"    def reset_parameters(self):\n{reset}\n    def never_called(self):\n{uncalled}\n"
        f"    def visit(self, module):\n{applied}"
    )


@st.composite
def plans(draw: st.DrawFn) -> dict[str, tuple[str, str, str, str]]:
    entry = st.tuples(
        st.sampled_from(ALLOCATIONS), st.sampled_from(PLACES), st.sampled_from(WRITES), st.sampled_from(IDLE)
    )
    return {name: draw(entry) for name in NAMES}


def decided(path: Path) -> dict[str, Coverage]:
    """The analyzer's verdict on each parameter; one of which it has nothing to say is written."""
    verdicts = dict.fromkeys(NAMES, Coverage.WRITTEN)
    for observation in analyze([str(path)], questions=PARAMETERS, jobs=1):
        verdicts |= {one.name: one.coverage for one in observation.parameters if one.name in NAMES}
        if any(item.subject.endswith(".Net") for item in observation.undecided):
            return dict.fromkeys(NAMES, Coverage.UNKNOWN)
    return verdicts


def built(path: Path) -> Iterator[dict[str, bool]]:
    """Whether each parameter is written, for every value of the flag."""
    from initaudit.probe.record.poison import judge

    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    for flag in (True, False):
        verdict = judge(lambda flag=flag: namespace["Net"](flag), seed=0)
        assert verdict.failure is None
        yield {name: not bool(verdict.depends[name].any()) for name in NAMES}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_the_analyzer_never_contradicts_a_build(plan: dict[str, tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.py"
        path.write_text(source(plan))
        verdicts, builds = decided(path), list(built(path))
    for name, verdict in verdicts.items():
        written = [build[name] for build in builds]
        expected = Coverage.WRITTEN if all(written) else Coverage.PARTIAL if any(written) else Coverage.NEVER
        assert verdict in (expected, Coverage.UNKNOWN), f"{name}: {plan[name]}\n{source(plan)}"


def test_the_analyzer_decides_nearly_all_of_them() -> None:
    """Silence is no agreement: of the single plans, few may stay undecided."""
    plans = list(itertools.product(ALLOCATIONS[:2], PLACES, WRITES, IDLE[:1]))
    unknown = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in enumerate(plans):
            path = Path(folder) / f"generated{number}.py"
            path.write_text(source(dict.fromkeys(NAMES, entry)))
            unknown += decided(path)["alpha"] is Coverage.UNKNOWN
    assert unknown <= len(plans) // 10, sys.version
