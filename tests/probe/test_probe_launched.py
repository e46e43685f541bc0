"""Ranks that build a target together, and what each of them says of another one's failure."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from initaudit.finding import Observer, Place
from initaudit.observation import Headway, Observation, Tell, silent
from initaudit.probe.ranks import launched
from initaudit.probe.request import Target, TargetError
from initaudit.subjects.builds import BuildFailure

dist = pytest.importorskip("torch.distributed")
TARGET = Target(spec="nets:Net")
PLACE = Place("nets.py", 1, 1, 1, 2)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launched, "BEAT", 0.01)
    monkeypatch.setattr(launched, "GRACE", 0.2)
    monkeypatch.setattr(launched, "SILENCE", 0.6)
    monkeypatch.setattr(launched, "PARTING", 0.5)


def seen(**what: Any) -> Observation:
    return Observation(observer=Observer.PROBE, source=TARGET.spec, **what)


def failed(how: str) -> Observation:
    return seen(facts=(BuildFailure(place=PLACE, target=TARGET.spec, how=how, detail=f"it {how}"),))


def ranks(world: int) -> list[launched.Ranks]:
    """The ranks of one launch, each with a connection of its own to their store."""
    server = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)

    def connected(*, serving: bool) -> Any:
        return dist.TCPStore("127.0.0.1", server.port, is_master=False)

    places: list[Any] = [SimpleNamespace(rank=rank, world=world, store=connected) for rank in range(world)]
    return [launched.Ranks(place) for place in places]


def details(found: list[Observation | str | None]) -> list[str]:
    """How building failed, on each rank."""
    facts = [fact for one in found if isinstance(one, Observation) for fact in one.facts]
    return [fact.detail for fact in facts if isinstance(fact, BuildFailure)]


def outcomes(*children: launched.Probe | None) -> list[Observation | str | None]:
    """What each rank says, where its child does this; a rank without a child is dead."""
    found: list[Observation | str | None] = [None] * len(children)
    all_ranks = ranks(len(children))

    def work(rank: int, child: launched.Probe) -> None:
        try:
            found[rank] = all_ranks[rank].probe(child, TARGET, silent)[0]
        except TargetError as error:
            found[rank] = str(error)

    threads = [threading.Thread(target=work, args=(rank, one)) for rank, one in enumerate(children) if one is not None]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def test_the_failure_that_came_first_counts_whoever_answers_first(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = threading.Event()
    first, second = ranks(2)
    found: list[Observation] = []

    def breaks(target: Target, tell: Tell) -> tuple[Observation, bool]:
        place = SimpleNamespace(rank=1, store=lambda: second.store)
        with monkeypatch.context() as patched:
            patched.setattr(launched, "launch", lambda: place)
            launched.note_failure(target.turn)
        noted.set()
        time.sleep(0.3)  # a slow process, whose answer comes last
        return failed("raised"), True

    def follows(target: Target, tell: Tell) -> tuple[Observation, bool]:
        noted.wait(10)
        return seen(
            facts=(BuildFailure(place=PLACE, target=TARGET.spec, how="raised", detail="connection lost"),)
        ), True

    other = threading.Thread(target=lambda: found.append(second.probe(breaks, TARGET, silent)[0]))
    other.start()
    found.append(first.probe(follows, TARGET, silent)[0])
    other.join(20)
    assert details(list(found)) == ["it raised (on rank 1)"] * 2


def gives(answer: Observation) -> launched.Probe:
    def child(target: Target, tell: Tell) -> tuple[Observation, bool]:
        assert target.turn == 1
        return answer, True

    return child


def refuses(target: Target, tell: Tell) -> tuple[Observation, bool]:
    raise TargetError("nets:Net: no such module")


def waits(target: Target, tell: Tell) -> tuple[Observation, bool]:
    """A child that waits for another rank until it is ended, as in a collective."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        tell(Headway(target.spec))
        time.sleep(0.01)
    return seen(), False


def test_what_all_ranks_see_alike_is_the_outcome_of_each() -> None:
    first, second = outcomes(gives(seen()), gives(seen(rank=1)))
    assert (first, second) == (seen(), seen(rank=1))


@pytest.mark.parametrize("how", ["raised", "died", "hung"])
def test_a_failure_of_one_rank_is_the_outcome_of_all_and_ends_the_children_of_the_others(how: str) -> None:
    found = outcomes(waits, gives(failed(how)), waits)
    assert details(found) == [f"it {how} (on rank 1)"] * 3


def test_the_death_of_a_child_comes_before_what_the_others_raise_because_of_it() -> None:
    def later(target: Target, tell: Tell) -> tuple[Observation, bool]:
        time.sleep(0.1)
        return failed("died"), False

    found = outcomes(gives(failed("raised")), later)
    assert details(found) == ["it died (on rank 1)"] * 2


def test_a_failure_of_all_ranks_names_none() -> None:
    found = outcomes(gives(failed("raised")), gives(failed("raised")))
    assert details(found) == ["it raised"] * 2


def test_an_error_of_use_on_one_rank_is_one_on_all() -> None:
    assert outcomes(refuses, refuses) == ["nets:Net: no such module"] * 2
    assert outcomes(waits, refuses) == ["nets:Net: no such module (on rank 1)"] * 2


@pytest.mark.parametrize("child", [waits, gives(seen())])
def test_a_rank_that_is_dead_is_missed_by_all_others(child: launched.Probe) -> None:
    told = "nets:Net: rank 1 ended, or gave no sign of life for 0.6 s"
    assert outcomes(child, None, child) == [told, None, told]


def test_all_ranks_leave_with_the_exit_code_of_the_first() -> None:
    codes: dict[int, int | None] = {}
    first, *others = ranks(3)

    def conclude(one: launched.Ranks) -> None:
        codes[one.launch.rank] = one.concluded(0)

    threads = [threading.Thread(target=conclude, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert codes == {}
    codes[0] = first.concluded(1)
    for thread in threads:
        thread.join(20)
    assert codes == {0: 1, 1: 1, 2: 1}


@pytest.mark.parametrize("lacking", ["RANK", "TORCHELASTIC_RUN_ID", None])
def test_only_torchrun_makes_ranks(lacking: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "here", "MASTER_PORT": "1", "TORCHELASTIC_RUN_ID": "a"}
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    if lacking is not None:
        monkeypatch.delenv(lacking)
    place = launched.launch()
    assert (place is None) == (lacking is not None)
    assert place is None or (place.rank, place.world) == (1, 2)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert launched.launch() is None
