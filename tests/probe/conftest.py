"""Observes a model in this process, where a child process would only cost time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch", reason="the probe runs with torch")

from initaudit import merge
from initaudit.engine import judge
from initaudit.finding import Finding, Place
from initaudit.observation import Observation
from initaudit.probe import Target
from initaudit.probe.audit.audit import Audit
from initaudit.probe.record.poison import control_build
from initaudit.probe.target.resolve import Resolved
from initaudit.rules import catalogue
from initaudit.timeline import ParameterTimeline

DEFINITION = Place("model.py", 1, 1, 1, 2)


class Seen:
    """An observation, and what the rules say of it."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation

    def __getitem__(self, path: str) -> ParameterTimeline:
        (timeline,) = (one for one in self.observation.parameters if one.path == path)
        return timeline

    @property
    def findings(self) -> list[Finding]:
        return [one.finding for one in judge(self.observation, catalogue().values())]

    @property
    def reported(self) -> list[Finding]:
        """One finding for each bug."""
        rules = catalogue()
        joined = merge.merge(judge(self.observation, rules.values()))
        return merge.supersede(joined, {code: rule.supersedes for code, rule in rules.items()})

    @property
    def codes(self) -> list[str]:
        return [one.code for one in self.findings]

    @property
    def messages(self) -> list[str]:
        return [one.message for one in self.findings]

    @property
    def follows(self) -> list[list[tuple[str, str | None]]]:
        """The weights of each chain, and what follows each."""
        return [[(link.parameter, link.activation) for link in chain.links] for chain in self.observation.chains]

    @property
    def reasons(self) -> list[str]:
        return [undecided.reason for undecided in self.observation.undecided]


@pytest.fixture
def observe() -> Callable[..., Seen]:
    def run(attribute: Any, *sizes: tuple[int, ...], dtype: str | None = None, **kwargs: Any) -> Seen:
        target = Target(spec="model.py:Net", kwargs=kwargs, input_sizes=sizes, dtypes=(dtype,) if dtype else ())
        make = Resolved(target, attribute).build
        audit = Audit(target, make, DEFINITION, control_build(make, target.seed))
        audit.compare()
        audit.follow()
        return Seen(audit.observation())

    return run
