"""The verdict about memory that a constructor leaves raw, from all programs of the project that build the class."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from initaudit.analyzer.file.matches import Words, groups
from initaudit.analyzer.programs.constructor import (
    Construction,
    Registered,
    all_registered,
    construct,
    registered,
    trial,
    unreadable_base,
)
from initaudit.analyzer.programs.follow import COMPUTED, Course, Fate, follow, only_calls_writers
from initaudit.analyzer.programs.graph import Around, Scope, around
from initaudit.analyzer.programs.initializers import DRAWING, found_by_name, given_away, initialized
from initaudit.analyzer.programs.methods import ABOUT_INITIALIZATION
from initaudit.analyzer.programs.promise import promised, surroundings
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.symbolic.interpreter import Interpreter
from initaudit.analyzer.symbolic.torch.modules import COPIES, LOADS
from initaudit.analyzer.symbolic.values import OutOfBudgetError, Storage, WriteEvent
from initaudit.finding import Place
from initaudit.sources.files import read_source
from initaudit.timeline import Coverage, Only, at

MAX_PROGRAMS = 24
STEPS_OF_PROGRAMS = 200_000
"""Steps in all programs of a class until what becomes of its memory counts as not known."""
STEPS_OF_CALLERS = 500_000
"""Steps in all code that calls an initializer until what it does to raw memory of a class counts as not known."""
STEPS_TO_A_CALLER = 100_000
"""Steps in all code that calls an initializer until whether it writes the weights of a class counts as not known."""
STEPS_TO_A_WRITER = 30_000
"""Steps in all programs of a class until what else writes its weights counts as not known."""
INITIALIZING = groups("apply( parameters( modules( xavier kaiming orthogonal normal_( uniform_( init*( reset*(")
WRITING = groups(f"{' '.join(INITIALIZING[0])} load _(")
"""What stands in code that may write a parameter with other means than an initializer that it is given to."""
FILLING = groups("apply( init*( xavier kaiming orthogonal normal_( uniform_( zeros_( zero_( ones_( fill_( constant_(")
"""What stands in code that initializes something itself."""
_WRITTEN: weakref.WeakKeyDictionary[Interpreter, frozenset[Storage] | None] = weakref.WeakKeyDictionary()
"""The memory of an object that others than its constructor may write, by the run that made it.

Each of its weights may be asked for. None where the code is too long to follow.
"""
TRAINS = {"backward", "step", "fit", "Trainer", "optim"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of memory that a constructor leaves raw.

    ``gap`` says where it is not written, ``built`` is the line of a program that leaves it raw, ``only`` tells of a
    class that nothing but tests build, or checkpoints fill. ``reason`` says why it is not known, ``by`` are the writes.
    """

    coverage: Coverage
    gap: str | None = None
    built: Place | None = None
    only: Only | None = None
    reason: str | None = None
    by: tuple[WriteEvent, ...] = ()


def judge(construction: Construction, found: Sequence[Registered]) -> dict[Storage, Verdict]:
    """The verdict on each storage. The project is searched for what the class's own promise leaves open."""
    verdicts: dict[Storage, Verdict] = {}
    kept = [(entry, _promise(construction, entry)) for entry in found]
    others = _Others(construction)
    for entry, promise in kept:
        if promise is not None:
            verdicts[entry.storage] = others.forgetting(promise.writer).get(entry.name) or promise.verdict
            entry.storage.writes += promise.writes
    left = [entry for entry in found if entry.storage not in verdicts]
    try:
        courses = programs(construction, left) if left else {}
    except OutOfBudgetError:
        unknown = Verdict(Coverage.UNKNOWN, reason="the code that builds it is too long to follow")
        return verdicts | {entry.storage: unknown for entry in left}
    holding = surroundings(construction).holding if left else frozenset()
    for entry in left:
        its = courses.get(entry.storage, [])
        built = _of_programs(construction, [course for course in its if course.scope.defined not in holding])
        built = built or _of_library([course for course in its if course.scope.defined in holding])
        if built is not None:
            verdicts[entry.storage] = built
    left = [entry for entry in left if entry.storage not in verdicts or verdicts[entry.storage].built is None]
    left = [entry for entry in left if entry.storage not in verdicts or _is_open_to_callers(verdicts[entry.storage])]
    try:
        around_it = surroundings(construction)
        elsewhere = initialized(construction, left, around_it, STEPS_OF_CALLERS) if left else {}
        unwritten = [entry for entry in left if entry.storage not in elsewhere]
        finding = found_by_name(construction, unwritten, around_it, STEPS_OF_CALLERS) if unwritten else {}
    except OutOfBudgetError:
        unknown = Verdict(Coverage.UNKNOWN, reason="the code that may initialize it is too long to follow")
        return verdicts | {entry.storage: unknown for entry in left}
    unseen = given_away(construction, left, surroundings(construction)) if left else {}
    own = Scope(construction.cls.module, None)
    public = bool(left) and any(_is_public(construction.run.project, each) for each in around_it.holding)
    for entry in left:
        tests = [
            course for course in courses.get(entry.storage, ()) if course.fate is Fate.RAW and course.scope.is_test
        ]
        never = verdicts.get(entry.storage, Verdict(Coverage.NEVER))
        if never.coverage is Coverage.NEVER and (tests or own.is_test) and not public:
            never = Verdict(Coverage.NEVER, built=tests[0].built if tests else None, only=Only.TESTS)
        if never == Verdict(Coverage.NEVER) and entry.storage in unseen:
            never = Verdict(Coverage.UNKNOWN, reason=f"what {unseen[entry.storage]} is given")
        if never == Verdict(Coverage.NEVER) and entry.storage in finding:
            reason = f"whether {finding[entry.storage]} builds its class, by a name that it computes"
            never = Verdict(Coverage.UNKNOWN, reason=reason)
        verdicts[entry.storage] = _of_initializers(elsewhere.get(entry.storage, [])) or never
    return verdicts


class _Others:
    """What code with models of others does with a class as its constructor leaves it; all of it is followed once."""

    def __init__(self, construction: Construction) -> None:
        self._construction = construction
        self._forgotten: dict[str, dict[str, Verdict]] = {}
        self._followed: dict[Scope, tuple[dict[str, Course], int]] = {}

    @functools.cached_property
    def _again(self) -> Construction:
        again = construct(self._construction.run.project, self._construction.cls)
        again.around = surroundings(self._construction)
        return again

    def forgetting(self, writer: str) -> dict[str, Verdict]:
        """The verdicts on what a method of one model with the class writes, where code with others leaves it raw."""
        owner = writer.rpartition(".")[0]
        if owner not in self._forgotten:
            self._forgotten[owner] = self._forgetting(owner)
        return self._forgotten[owner]

    def _forgetting(self, name: str) -> dict[str, Verdict]:
        project, cls = self._construction.run.project, self._construction.cls
        if any(isinstance(each, Defined) and each.qualname == name for each in project.mro(cls) or ()):
            return {}  # what a framework calls runs for all models
        surrounding = surroundings(self._construction)
        owner = next((each for each in surrounding.holding if each.qualname == name), None)
        if owner is None or unreadable_base(project, owner) is not None:
            return {}
        verdicts, spent = dict[str, Verdict](), 0
        for scope in itertools.islice(_without(project, owner, cls, surrounding), MAX_PROGRAMS):
            courses, steps = self._courses(scope)
            spent += steps
            if spent > STEPS_OF_PROGRAMS:
                return {}
            for entry, course in courses.items():
                decided_by_callers = course.handed and _is_named(scope, surrounding)
                if course.fate is Fate.RAW and course.built is not None and not decided_by_callers:
                    gap = f"`{owner.definition.name}` initializes it, `{course.name}` does not"
                    verdicts.setdefault(entry, Verdict(Coverage.PARTIAL, gap=gap, only=Only.SOME))
        return verdicts

    def _courses(self, scope: Scope) -> tuple[dict[str, Course], int]:
        """What a scope does with each parameter, and how many steps that takes."""
        if scope not in self._followed:
            again = self._again
            entries, before = list(registered(again)), again.run.spent
            courses = follow(again, entries, scope, surroundings(again), limit=STEPS_OF_PROGRAMS)
            named = {entry.name: courses[entry.storage] for entry in entries if entry.storage in courses}
            self._followed[scope] = named, again.run.spent - before
        return self._followed[scope]


def _without(project: Project, owner: Defined, cls: Defined, around: Around) -> Iterator[Scope]:
    """Code that builds models with a class, none of which is of the owner's kind or initializes its parts itself."""
    for scope in around.scopes:
        models = {scope.defined, *(inner.defined for inner in around.through.get(scope, ()))}
        others = [each for each in models if each is not None and each in around.holding and each != cls]
        if scope.is_test or not others or (scope.defined in around.holding and _is_named(scope, around)):
            continue
        if not any(_may_initialize_later(project, each, owner) for each in others):
            yield scope


def _is_named(scope: Scope, around: Around) -> bool:
    """Whether other code than tests names a function or a model, and so decides what becomes of what it makes."""
    return any(scope in inner for each, inner in around.through.items() if each != scope and not each.is_test)


def _may_initialize_later(project: Project, holder: Defined, owner: Defined) -> bool:
    """Whether a model that holds a class is of the owner's kind, or has a method of its own that may initialize it."""
    if unreadable_base(project, holder) is not None or owner in (project.mro(holder) or ()):
        return True
    methods = (each.definition.name for each in project.methods(holder))
    return any(ABOUT_INITIALIZATION.search(name) for name in methods if name != "__init__")


def _is_public(project: Project, cls: Defined) -> bool:
    """Whether a package around a class offers it to others: what its own programs do not build, these may."""
    name = cls.definition.name
    for folder in Path(cls.module.filename).parents:
        package = project.load(str(folder / "__init__.py"))
        if package is None:
            return False
        imports = package.outline.imports.items()
        meant = [name, *(local for local, full in imports if full.rpartition(".")[2] == name)]
        if any(project.resolve(package, each) == cls for each in meant):
            return True
    return False


def _is_open_to_callers(verdict: Verdict) -> bool:
    """Whether an initializer elsewhere may still speak for what a library's models leave raw."""
    return verdict.coverage is Coverage.NEVER or verdict.only is Only.SOME


def written_elsewhere(construction: Construction, found: Registered) -> bool:
    """Whether anything but the constructor writes a parameter, or may."""
    if promised(construction, found) is not None:
        return True
    run = construction.run
    if run not in _WRITTEN:
        entries = list(all_registered(construction))
        try:
            _WRITTEN[run] = _written_by_others(construction, entries)
        except OutOfBudgetError:
            _WRITTEN[run] = None
    written = _WRITTEN[run]
    return written is None or found.storage in written


def _written_by_others(construction: Construction, entries: Sequence[Registered]) -> frozenset[Storage]:
    """The memory of an object that an initializer elsewhere or a program writes, or may."""
    elsewhere = initialized(construction, entries, surroundings(construction), STEPS_TO_A_CALLER)
    followed = programs(construction, entries, WRITING, limit=STEPS_TO_A_WRITER)
    found = {
        storage
        for storage, courses in elsewhere.items()
        if any((each.by and each.anew) or each.reason == COMPUTED for each in courses)
    }
    found |= {storage for storage, courses in followed.items() if _write_anew(courses)}
    return frozenset(found)


def _write_anew(courses: Sequence[Course]) -> bool:
    """Whether a program draws what a constructor has written, or may, or all load it, as who evaluates a model does."""
    anew = [course for course in courses if course.anew]
    loading = [course for course in anew if course.by and all(event.by == LOADS for event in course.by)]
    return len(loading) < len(anew) or (bool(loading) and all(each.anew or each.scope.is_test for each in courses))


@dataclass(frozen=True, slots=True)
class _Promise:
    """What writes memory whenever the class is built, the writes, and the verdict, unless nobody knows what it does."""

    writer: str
    writes: list[WriteEvent]
    verdict: Verdict


def _promise(construction: Construction, entry: Registered) -> _Promise | None:
    """What writes one storage; it is undone again, so that it says nothing of another one."""
    storage, before = entry.storage, len(entry.storage.writes)
    with trial(construction):
        writer = promised(construction, entry)
        if writer is None:
            return None
        reason = storage.escaped or construction.failure
        verdict = Verdict(Coverage.UNKNOWN, reason=reason) if reason is not None else Verdict(Coverage.WRITTEN)
        return _Promise(writer, storage.writes[before:], verdict)


def programs(
    construction: Construction, found: Sequence[Registered], words: Words = (), *, limit: int = STEPS_OF_PROGRAMS
) -> dict[Storage, list[Course]]:
    """What each program that builds the class does; code that hands the model on is judged by its callers.

    Only code in which one of each group of ``words`` stands is run. Raises OutOfBudgetError where all of it takes more
    steps than ``limit``.
    """
    surrounding, run = surroundings(construction), construction.run
    before = run.spent
    followed: dict[Scope, dict[Storage, Course]] = {}
    for position, scope in _tests_last(surrounding):
        if len(followed) >= MAX_PROGRAMS:
            break
        if words and not _may_initialize(scope, words):
            continue
        if scope.defined is not None and construction.cls in (run.project.mro(scope.defined) or ()):
            continue  # the code that builds a subclass decides
        inner = surrounding.through[scope]
        known = [each for each in inner if each in followed]
        if not known or len(known) < len(inner) or any(_is_open(followed[each]) for each in known):
            left = limit - (run.spent - before)
            followed[scope] = follow(construction, found, scope, surrounding, limit=left)
            if run.spent - before > limit:
                if scope.is_test and any(not each.is_test for each in followed):
                    break  # tests speak where nothing else does
                if all(_is_left_raw(entry.storage, followed, surrounding) for entry in found):
                    break  # whatever the others do
                if position < surrounding.named or any(
                    _may_initialize(each, FILLING) for each in surrounding.scopes[position:]
                ):
                    raise OutOfBudgetError
                break  # nothing says that these build the class, and they initialize nothing
    called = {inner for scope, courses in followed.items() if courses for inner in surrounding.through[scope]}
    named = {inner for scope in followed if not scope.is_test for inner in surrounding.through[scope]}
    guessed = set(surrounding.scopes[surrounding.named :])
    result: dict[Storage, list[Course]] = {}
    for scope, courses in followed.items():
        is_class = scope.definition is not None and scope.definition.is_class
        for storage, course in courses.items():
            if course.fate is Fate.LOADED and scope in guessed and is_class:
                continue  # nobody knows whether it holds the class at all
            if course.handed and course.fate is Fate.RAW and scope in named and not is_class:
                continue  # a function that makes a model, for code of which nobody knows what it does with it
            own = course.fate is Fate.WRITTEN or (
                course.fate is Fate.UNKNOWN and scope.defined in surrounding.holding
            )  # what a constructor may have written, no caller undoes
            if course.built is not None and (own or not (course.handed and scope in called)):
                result.setdefault(storage, []).append(course)
    return result


def _is_left_raw(storage: Storage, followed: Mapping[Scope, Mapping[Storage, Course]], surrounding: Around) -> bool:
    """Whether a program builds a model and leaves some of its memory raw, as no caller of it changes."""
    its = ((scope, courses[storage]) for scope, courses in followed.items() if storage in courses)
    return any(
        course.fate is Fate.RAW and course.built is not None and not (course.handed and _is_named(scope, surrounding))
        for scope, course in its
        if not scope.is_test and scope.defined not in surrounding.holding
    )


def _tests_last(surrounding: Around) -> list[tuple[int, Scope]]:
    """The scopes with their positions, the tests behind the other code that names the class."""
    scopes = list(enumerate(surrounding.scopes))
    return sorted(scopes, key=lambda each: (each[0] >= surrounding.named, each[1].is_test))


def initialize(construction: Construction) -> None:
    """Leave the layers of an object as the first program of its file does that initializes any of them."""
    near = around(construction.run.project, construction.cls, in_file=True)
    for storage, writes in next(_written_by_programs(construction, near), {}).items():
        storage.writes += writes


def drawn_by_programs(project: Project, cls: Defined, *, copies: bool = True) -> bool:
    """Whether some program that builds a class writes the weights of its layers after their constructors.

    Without ``copies``, a copy of the weights of another object does not count.
    """
    if unreadable_base(project, cls) is not None:
        return False
    construction = construct(project, cls)
    return any(
        len(storage.shape or ()) > 1 and any(copies or each.by != COPIES for each in writes)
        for by_program in _written_by_programs(construction, surroundings(construction))
        for storage, writes in by_program.items()
    )


def _written_by_programs(
    construction: Construction, surrounding: Around
) -> Iterator[dict[Storage, tuple[WriteEvent, ...]]]:
    """What each scope around a class writes to memory of an object, of those that write any."""
    for scope in surrounding.scopes[:MAX_PROGRAMS]:
        if _may_initialize(scope, DRAWING if scope.defined in surrounding.holding else INITIALIZING):
            courses = follow(construction, all_registered(construction), scope, surrounding)
            if written := {storage: course.by for storage, course in courses.items() if course.by}:
                yield written


def _may_initialize(scope: Scope, words: Words) -> bool:
    """Whether code does more with a model than to build it and hand it on."""
    stretches = scope.module.outline.top_level
    if scope.definition is not None:
        stretches = [(scope.definition.start, scope.definition.end)]
    return any(scope.module.matches(start, end).holds_all(words) for start, end in stretches)


def _is_open(courses: dict[Storage, Course]) -> bool:
    """Whether callers decide what becomes of something."""
    return any(course.handed and course.fate is not Fate.WRITTEN for course in courses.values())


def _of_programs(construction: Construction, courses: Sequence[Course]) -> Verdict | None:
    """What all programs together show; tests, and what only tries a class, speak where nothing else does."""
    real = [course for course in courses if not course.scope.is_test]
    serious = [course for course in real if not _only_tries(course.scope)] or real
    by: dict[Fate, list[Course]] = {}
    for course in serious:
        if course.fate is not Fate.OPTIONAL or not only_calls_writers(course, courses, surroundings(construction)):
            by.setdefault(course.fate, []).append(course)
    writing = [*by.get(Fate.WRITTEN, ()), *by.get(Fate.OPTIONAL, ())]
    if raw := by.get(Fate.RAW):
        if not writing:
            return Verdict(Coverage.NEVER, built=raw[0].built)
        return Verdict(
            Coverage.PARTIAL,
            gap=f"{_line(construction, writing[0])} initializes it, {_line(construction, raw[0])} does not",
            built=raw[0].built,
            only=Only.SOME,
        )
    if optional := by.get(Fate.OPTIONAL):
        return _optional(optional[0])
    if unknown := by.get(Fate.UNKNOWN):
        return Verdict(Coverage.UNKNOWN, reason=unknown[0].reason)
    if writing:
        return Verdict(Coverage.WRITTEN, by=writing[0].by)
    if loaded := by.get(Fate.LOADED):
        return Verdict(Coverage.NEVER, built=loaded[0].built, only=Only.CHECKPOINT)
    return None


def _of_library(courses: Sequence[Course]) -> Verdict | None:
    """What the outermost models show that a library has for others to build."""
    by = {course.fate: course for course in reversed(courses) if not course.scope.is_test}
    if Fate.OPTIONAL in by:
        return dataclasses.replace(_optional(by[Fate.OPTIONAL]), built=None)
    if Fate.UNKNOWN in by:
        return Verdict(Coverage.UNKNOWN, reason=by[Fate.UNKNOWN].reason)
    writing = by.get(Fate.WRITTEN) or by.get(Fate.LOADED)
    if writing is not None and Fate.RAW in by:
        gap = f"`{writing.name}` initializes it, `{by[Fate.RAW].name}` does not"
        return Verdict(Coverage.PARTIAL, gap=gap, only=Only.SOME)
    return Verdict(Coverage.WRITTEN, by=writing.by) if writing is not None else None


def _of_initializers(courses: Sequence[Course]) -> Verdict | None:
    """What the calls of initializers show that may be given a model with the class in it."""
    courses = [course for course in courses if not course.scope.is_test]
    for fate in (Fate.WRITTEN, Fate.UNKNOWN, Fate.OPTIONAL):
        for course in courses:
            if course.fate is Fate.WRITTEN is fate:
                return Verdict(Coverage.WRITTEN, by=course.by)
            if course.fate is Fate.UNKNOWN is fate:
                return Verdict(Coverage.UNKNOWN, reason=course.reason)
            if course.fate is Fate.OPTIONAL is fate:
                return _optional(course)
    return None


def _optional(course: Course) -> Verdict:
    gap = f"only if {course.condition}" if course.condition else "only under some options"
    return Verdict(Coverage.PARTIAL, gap=gap, built=course.built, only=Only.OPTION, by=course.by)


def _only_tries(scope: Scope) -> bool:
    """Whether a file tries out at its end what it defines, and trains nothing."""
    if scope.definition is not None:
        return False
    if not scope.module.outline.classes():
        return False
    there = [scope.module.usage_of(start, end).names for start, end in scope.module.outline.top_level]
    return not any(name in TRAINS or name.startswith("train") for names in there for name in names)


def _line(construction: Construction, course: Course) -> str:
    """The line at which a program builds the class, as a reader would name it: a notebook counts those of a cell."""
    place = course.built
    if place is None:
        return course.scope.module.name
    shown = place if place.filename.endswith(".py") else read_source(place.filename).shown(place)
    return at(shown, construction.cls.module.filename)
