"""When builds under two ramps are enough, and when more is built."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initaudit.probe.record import poison
from initaudit.probe.record.fills import Content
from initaudit.probe.record.poison import Make, Verdict, control_build, judge
from initaudit.probe.record.watch import Fill


class Clean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.gain = nn.Parameter(torch.empty(8))
        nn.init.ones_(self.gain)


class Raw(Clean):
    def __init__(self) -> None:
        super().__init__()
        self.more = nn.Parameter(torch.empty(8))


class Cancelled(Clean):
    """A difference of a number to itself is zero, and NaN where the memory holds NaN."""

    def __init__(self) -> None:
        super().__init__()
        memory = torch.empty(8)
        self.more = nn.Parameter(memory - memory)


class Branching(Clean):
    def __init__(self) -> None:
        super().__init__()
        if torch.empty(4).sum() > 1:
            nn.init.zeros_(self.layer.weight)


class Counting(Clean):
    """Each build is another one, whatever memory holds."""

    built = 0

    def __init__(self) -> None:
        super().__init__()
        Counting.built += 1
        nn.init.constant_(self.gain, float(Counting.built))


def builds(make: Make, monkeypatch: pytest.MonkeyPatch) -> tuple[Verdict, list[Content]]:
    """The verdict, and the contents of memory that it took."""
    control, used = control_build(make, 0), list[Content]()
    filling = poison.filling

    def noted(content: Content) -> Fill:
        used.append(content)
        return filling(content)

    monkeypatch.setattr(poison, "filling", noted)
    return judge(make, 0, control), used


def test_a_clean_model_is_built_under_two_ramps(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, used = builds(Clean, monkeypatch)
    assert used == [Content.DOWN, Content.UP]
    assert set(verdict.depends) == {"layer.weight", "layer.bias", "gain"}
    assert not any(mask.any() for mask in verdict.depends.values())


@pytest.mark.parametrize(("make", "path"), [(Raw, "more"), (Cancelled, "more"), (Branching, "layer.weight")])
def test_what_is_not_clean_is_built_under_all_fills(make: Make, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, used = builds(make, monkeypatch)
    assert Content.NOT_A_NUMBER in used
    alone = judge(make, 0)
    assert bool(verdict.depends[path].all())
    assert all(torch.equal(mask, alone.depends[name]) for name, mask in verdict.depends.items())


def test_builds_that_are_never_the_same_are_told_apart_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, used = builds(Counting, monkeypatch)
    assert Content.NOT_A_NUMBER in used
    assert set(verdict.unstable) == {"gain"}
