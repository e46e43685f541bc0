"""Ranks that torchrun starts: each builds a target in a child process of its own, and all come to one outcome.

The processes that start the children answer one another through torchrun's store, apart from what the models do in
theirs. A rank whose child dies still answers, and a rank that dies itself is missed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from initaudit.observation import Headway, Observation, Tell
from initaudit.probe.request import Answer, Target, TargetError
from initaudit.subjects.builds import BuildFailure

Probe = Callable[[Target, Tell], tuple[Observation, bool]]
"""Builds a target in a child process; also returns whether the child came to its end."""

BEAT = 1.0
"""Seconds between two signs of life."""
SILENCE = 40.0
"""Seconds without a sign of life after which a rank counts as dead."""
GRACE = 10.0
"""Seconds that a child may go on after that of another rank has ended."""
PARTING = 10.0
"""Seconds that a rank waits for the others before it exits."""
TELLING = 600.0
"""Seconds that the first rank may take to report."""


class Launch(msgspec.Struct, frozen=True):
    """The place of this process among those that torchrun started."""

    rank: int
    world: int
    address: str
    port: int
    served: bool  # torchrun itself serves the store
    attempt: str  # of torchrun, which may start all processes again

    def store(self, *, serving: bool = False) -> Any:
        """Connect to the store of all ranks; ``serving`` it if torchrun does not and this is the first rank."""
        from torch.distributed import PrefixStore, TCPStore

        serving = serving and self.rank == 0 and not self.served
        store = TCPStore(self.address, self.port, is_master=serving, wait_for_workers=False)
        return PrefixStore(f"initaudit/{self.attempt}", store)


def launch() -> Launch | None:
    """Return the place of this process among several that torchrun started; None if it runs on its own."""
    said = os.environ
    try:
        found = Launch(
            rank=int(said["RANK"]),
            world=int(said["WORLD_SIZE"]),
            address=said["MASTER_ADDR"],
            port=int(said["MASTER_PORT"]),
            served=said.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            attempt=f"{said['TORCHELASTIC_RUN_ID']}/{said.get('TORCHELASTIC_RESTART_COUNT', '0')}",
        )
    except (KeyError, ValueError):
        return None
    return found if found.world > 1 else None


class Answered(msgspec.Struct, frozen=True):
    """The answer of a rank, and how many ranks had answered then."""

    rank: int
    order: int
    answer: Answer

    def plain(self) -> bytes:
        """Return the answer without the rank that gave it."""
        seen = self.answer.observation
        plain = None if seen is None else msgspec.structs.replace(seen, rank=0)
        return msgspec.msgpack.encode(msgspec.structs.replace(self.answer, observation=plain))

    def weight(self) -> tuple[int, int]:
        """Return which of several answers counts, the least: causes come before what follows from them."""
        seen = self.answer.observation
        if seen is None:
            return (0 if self.answer.error is not None else 4), self.order
        failures = [fact for fact in seen.facts if isinstance(fact, BuildFailure)]
        if failures:
            return (0 if failures[0].how == "died" else 1), self.order
        return (2 if seen.error is None else 3), self.order


READ_ANSWERED = msgspec.msgpack.Decoder(Answered)


@functools.cache
def known() -> Ranks:
    """Return the ranks of this launch, once connected with them."""
    place = launch()
    assert place is not None, "torchrun did not start this process"
    return Ranks(place)


def on_all_ranks(probe: Probe) -> Probe:
    """Return a probe that builds a target on all ranks, and has one outcome."""

    def build(target: Target, tell: Tell) -> tuple[Observation, bool]:
        return known().probe(probe, target, tell)

    return build


class Ranks:
    """The processes of one launch, as one of them sees the others."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.store = launch.store(serving=True)
        self.others = [rank for rank in range(launch.world) if rank != launch.rank]
        self.turn = 0
        self.looked = 0.0
        self.signs = dict.fromkeys(self.others, (-1, time.monotonic()))

    def probe(self, probe: Probe, target: Target, tell: Tell) -> tuple[Observation, bool]:
        """Build a target here and on all other ranks; raise TargetError if a rank did, or is gone."""
        self.turn += 1
        answered = dict[int, float]()

        def followed(headway: Headway) -> None:
            tell(headway)
            self.look(answered)

        try:
            with self.reachable(target):
                seen, finished = probe(msgspec.structs.replace(target, turn=self.turn), followed)
                answer = Answer(observation=seen)
        except _EndedError:
            answer, finished = Answer(), False
        except TargetError as error:
            answer, finished = Answer(error=str(error)), False
        with self.reachable(target):
            answers = self.answers(answer)
        return agreed(target, answers, self.launch.rank), finished

    @contextlib.contextmanager
    def reachable(self, target: Target) -> Iterator[None]:
        """Turn failures of the store into an error of the target."""
        from torch.distributed import DistError

        try:
            yield
        except DistError as error:
            said = str(error).partition("\n")[0]
            raise TargetError(f"{target.spec}: ranks cannot reach one another any more: {said}") from error

    def look(self, answered: dict[int, float]) -> None:
        """Give a sign of life; raise to end the child here if that of another rank has ended, or a rank is dead."""
        now = time.monotonic()
        if now - self.looked < BEAT:
            return
        self.looked = now
        self.store.add(f"signs/{self.launch.rank}", 1)
        for rank in self.others:
            if self.store.check([self.key(rank)]):
                if now - answered.setdefault(rank, now) > GRACE:
                    raise _EndedError
            elif self.is_silent(rank):
                raise _EndedError

    def is_silent(self, rank: int) -> bool:
        """Whether a rank gave no sign of life for too long."""
        last, since = self.signs[rank]
        count, now = self.store.add(f"signs/{rank}", 0), time.monotonic()
        if count != last:
            self.signs[rank] = count, now
            return False
        return now - since > SILENCE

    def key(self, rank: int) -> str:
        """Return the key of a rank's answer."""
        return f"answers/{self.turn}/{rank}"

    def answers(self, answer: Answer) -> list[Answered | None]:
        """Answer, and return the answers of all ranks; None for a rank that is dead."""
        from initaudit.probe.ranks.exchange import get, put

        failure = _key_of_failure(self.turn, self.launch.rank)
        failed = self.store.check([failure])
        order = int(self.store.get(failure)) if failed else self.store.add(_key_of_order(self.turn), 1)
        said = Answered(self.launch.rank, order, answer)
        put(self.store, self.key(self.launch.rank), zlib.compress(msgspec.msgpack.encode(said)))
        found: list[Answered | None] = []
        for rank in range(self.launch.world):
            while not (there := self.store.check([self.key(rank)])) and not self.is_silent(rank):
                self.store.add(f"signs/{self.launch.rank}", 1)
                time.sleep(BEAT / 10)
            message = zlib.decompress(get(self.store, self.key(rank))) if there else None
            found.append(None if message is None else READ_ANSWERED.decode(message))
        return found

    def concluded(self, code: int) -> int | None:
        """Return the exit code of the first rank once it has reported, on all ranks; None if it is dead.

        No rank leaves before all have it: torchrun ends all processes as soon as one of them fails.
        """
        if self.launch.rank == 0:
            self.store.set("code", str(code))
        until = time.monotonic() + TELLING
        while not self.store.check(["code"]):
            if time.monotonic() > until or self.is_silent(0):
                return None
            time.sleep(BEAT / 10)
        code = int(self.store.get("code"))
        self.store.add("parted", 1)
        until = time.monotonic() + PARTING
        while self.store.add("parted", 0) < self.launch.world and time.monotonic() < until:
            time.sleep(BEAT / 50)
        return code


class _EndedError(Exception):
    """The child of this rank is ended because of another rank."""


def agreed(target: Target, answers: Sequence[Answered | None], rank: int) -> Observation:
    """Return the outcome for all ranks: what they saw together, or else the first failure, with its rank.

    Raises TargetError if that failure is one, or if a rank is dead.
    """
    dead = [number for number, one in enumerate(answers) if one is None]
    if dead:
        which = f"rank{'s' if len(dead) > 1 else ''} {', '.join(map(str, dead))}"
        raise TargetError(f"{target.spec}: {which} ended, or gave no sign of life for {SILENCE:g} s")
    known = [one for one in answers if one is not None]
    alike = all(one.plain() == known[0].plain() for one in known)
    counts = known[rank] if alike else min(known, key=Answered.weight)
    where = "" if alike else f" (on rank {counts.rank})"
    seen = counts.answer.observation
    if seen is None:
        raise TargetError(f"{counts.answer.error}{where}")
    facts = (
        msgspec.structs.replace(fact, detail=f"{fact.detail}{where}") if isinstance(fact, BuildFailure) else fact
        for fact in seen.facts
    )
    error = f"{seen.error}{where}" if seen.error is not None else None
    return msgspec.structs.replace(seen, rank=rank, facts=tuple(facts), error=error)


def note_failure(turn: int) -> None:
    """Number a failure in the child where it happens, before what it breaks on other ranks fails too."""
    place = launch()
    if not turn or place is None:
        return
    with contextlib.suppress(RuntimeError):  # a store out of reach, which the parent says
        store = place.store()
        store.set(_key_of_failure(turn, place.rank), str(store.add(_key_of_order(turn), 1)))


def _key_of_failure(turn: int, rank: int) -> str:
    return f"failed/{turn}/{rank}"


def _key_of_order(turn: int) -> str:
    return f"order/{turn}"


def group_shared(turn: int) -> None:
    """Give the ranks of a target one process group, whoever initializes it first; once more changes nothing.

    A target may initialize it in every build, which torch refuses.
    """
    import torch.distributed as dist

    place = launch()
    assert place is not None, "only ranks have turns"
    store = dist.PrefixStore(f"models/{turn}", place.store())
    initialize = dist.init_process_group

    def init_process_group(backend: str | None = None, *_: Any, **how: Any) -> None:
        if not dist.is_initialized():
            kept = {key: how[key] for key in ("timeout", "pg_options", "device_id") if key in how}
            initialize(backend, store=store, rank=place.rank, world_size=place.world, **kept)

    for module in (dist, dist.distributed_c10d):
        module.init_process_group = init_process_group


def join() -> None:
    """Initialize the process group of the ranks, unless the module of the target did."""
    import torch.distributed as dist

    dist.init_process_group()
