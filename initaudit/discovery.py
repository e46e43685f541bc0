"""Which module classes of the checked files the probe builds on its own, and what to configure for the others.

A part is built as the models that hold it do, and a model that a function initializes is not finished when its
constructor is: neither is built by itself, unless none of the models that hold the part can be built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from initaudit.finding import Observer
from initaudit.observation import InitializingCode, ModuleClass, Observation, Undecided
from initaudit.subjects.builds import BuildFailure
from initaudit.timeline import Coverage, ParameterTimeline

EMPTY: Mapping[str, str] = MappingProxyType({})


class Left(msgspec.Struct, frozen=True):
    """A class that is not built, why, and the target to configure instead."""

    cls: ModuleClass
    reason: str
    target: str
    arguments: dict[str, str] = {}


class Plan(msgspec.Struct, frozen=True):
    """The classes to build, their parts, and the classes that are left."""

    wholes: tuple[ModuleClass, ...]
    parts: tuple[ModuleClass, ...]
    left: tuple[Left, ...]


def planned(
    classes: Sequence[ModuleClass], initialized: Mapping[str, InitializingCode], refused: Mapping[str, str] = EMPTY
) -> Plan:
    """Return what to build of these module classes.

    ``initialized`` holds, by class, the code that makes an instance and initializes it, and ``refused`` why the class
    could not be built.
    """
    known = {one.identity: one for one in classes}
    below = {one.identity: _below(one, known) for one in classes}
    left: list[Left] = []
    for one in classes:
        place = initialized.get(one.identity)
        if place is not None:
            left.append(Left(one, f"{place.words} initializes it after its construction", place.target))
        elif one.missing:
            names = ", ".join(f"`{name}`" for name in one.missing)
            left.append(Left(one, f"no value is known for {names}", one.target, one.missing))
        elif one.identity in refused:
            left.append(Left(one, refused[one.identity], one.target, one.chosen))
    unbuilt = {one.cls.identity for one in left}
    able = [one for one in classes if one.identity not in unbuilt]
    parts = {
        part
        for whole in able
        for part in below[whole.identity]
        if whole.identity not in below.get(part, ()) and part != whole.identity
    }
    return Plan(
        wholes=tuple(one for one in able if one.identity not in parts),
        parts=tuple(one for one in classes if one.identity in parts),
        left=tuple(one for one in left if one.cls.identity not in parts),
    )


def _below(one: ModuleClass, known: Mapping[str, ModuleClass]) -> set[str]:
    """Return the known classes that a class names, directly or through others."""
    found: set[str] = set()
    waiting = list(one.parts)
    while waiting:
        part = waiting.pop()
        if part in known and part not in found:
            found.add(part)
            waiting += known[part].parts
    return found


Build = Callable[[Sequence[ModuleClass]], Sequence[Observation | str]]
"""Builds classes, and returns what became of each: an observation, or an error."""


def outcome(
    classes: Sequence[ModuleClass], initialized: Mapping[str, InitializingCode], build: Build
) -> tuple[list[Observation], list[Left]]:
    """Build what can be built of these classes; return what was seen, and the classes that were not built."""
    plan, seen, refused = planned(classes, initialized), dict[str, Observation](), dict[str, str]()
    while new := [one for one in plan.wholes if one.identity not in seen]:
        for cls, one in zip(new, build(new), strict=True):
            reason = one.removeprefix(f"{cls.target}: ") if isinstance(one, str) else failure(one)
            if reason is not None:
                refused[cls.identity] = reason
            elif isinstance(one, Observation):
                seen[cls.identity] = alone(one)
        plan = planned(classes, initialized, refused)
    known = [seen[one.identity] for one in plan.wholes]
    held = {name for one in known for name in one.holds}
    unheld = [one for one in plan.parts if one.identity not in held]
    return known, [
        *plan.left,
        *(Left(one, "no model that was built holds it", one.target, one.missing) for one in unheld),
    ]


def failure(seen: Observation) -> str | None:
    """Return why a class could not be built, in words; None if it was."""
    failed = next((fact for fact in seen.facts if isinstance(fact, BuildFailure)), None)
    if failed is not None:
        return f"building it {failed.detail}" if failed.how != "raised" else f"its constructor raised {failed.detail}"
    return seen.error


def alone(seen: Observation) -> Observation:
    """Return what is certain of a class that the probe chose to build: code elsewhere may write what it leaves raw.

    The analyzer, which reads that code, decides about raw memory.
    """
    raw = {one.path: one for one in seen.parameters if one.coverage in (Coverage.NEVER, Coverage.PARTIAL)}
    doubts = tuple(
        Undecided(
            place=one.allocation.place if one.allocation is not None else None,
            subject=f"{seen.source}: {path}",
            reason="the constructor does not write it; whether other code does is for the analyzer to say",
            unseen=(ParameterTimeline.__name__,),
        )
        for path, one in raw.items()
    )
    parameters = tuple(
        msgspec.structs.replace(one, coverage=Coverage.UNKNOWN) if one.path in raw else one for one in seen.parameters
    )
    return msgspec.structs.replace(seen, parameters=parameters, undecided=(*seen.undecided, *doubts))


def not_imported(filename: str, reason: str) -> Observation:
    """Return what the report says of a file that cannot be imported."""
    doubt = Undecided(place=None, subject=filename, reason=f"its classes were not built: {reason}")
    return Observation(observer=Observer.PROBE, source=filename, built=False, undecided=(doubt,))


def not_built(left: Left) -> Observation:
    """Return what the report says of a class that is not built."""
    doubt = Undecided(place=left.cls.place, subject=left.cls.target, reason=f"not built: {left.reason}")
    return Observation(observer=Observer.PROBE, source=left.cls.target, built=False, undecided=(doubt,))


def remarks(unread: Mapping[str, str], left: Sequence[Left]) -> Iterator[str]:
    """Yield lines about the files that were not imported, with one reason for each kind, and what to configure.

    ``unread`` are the reasons by file. Arguments of a configuration have to be filled in.
    """
    kinds: dict[str, list[str]] = {}
    for filename, reason in unread.items():
        kinds.setdefault(reason.partition(" raised ")[2].partition(" at ")[0] or reason, []).append(filename)
    for files in kinds.values():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"not imported: {files[0]}{more}: {unread[files[0]]}"
    if left:
        yield "not built; to build these, add to pyproject.toml:"
    for one in left:
        yield f"# {one.cls.target}: {one.reason}"
        yield "[[tool.initaudit.models]]"
        yield f'target = "{one.target}"'
        if one.arguments:
            words = ", ".join(f"{name} = {value}" for name, value in one.arguments.items())
            yield f"kwargs = {{ {words} }}  # to fill in"
        yield ""
