"""The observers as callables for the engine: what the analyzer reads, and what the probe builds.

The observers themselves are imported when they are called.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from initaudit import discovery
from initaudit.finding import Change, Observer
from initaudit.observation import Engine, ModuleClass, Observation, Question, Tell, silent
from initaudit.settings import Model

if TYPE_CHECKING:
    from initaudit.analyzer.file.reading import Judge
    from initaudit.probe import Target


class Watched(msgspec.Struct, frozen=True):
    """What one observer saw, and its errors."""

    observer: Observer
    observations: tuple[Observation, ...]
    errors: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()  # lines about what was not built


Asking = Callable[[Observer], frozenset[Question]]
Watch = Callable[[Asking], Watched]


class UnavailableError(Exception):
    """An observer cannot run here; the message says what it needs."""


def reading(
    filenames: Sequence[str],
    *,
    only: Collection[str] | None = None,
    initializers: tuple[str, ...] = (),
    jobs: int | None = None,
    cache: Path | None = None,
    site_packages: bool = False,
    judge: Judge | None = None,
    tell: Tell = silent,
) -> Watch:
    """Return the analyzer for these files; with ``only``, it reports on some of them.

    ``judge`` lets it query the rules while it reads a file.
    """

    def watch(asking: Asking) -> Watched:
        from initaudit.analyzer import analyze
        from initaudit.analyzer.file.reading import LostWorkerError

        try:
            seen = analyze(
                filenames,
                questions=asking(Observer.ANALYZER),
                only=only,
                initializers=initializers,
                jobs=jobs,
                cache=cache,
                site_packages=site_packages,
                judge=judge,
                tell=tell,
            )
        except LostWorkerError as error:
            raise UnavailableError(str(error)) from error
        return Watched(Observer.ANALYZER, tuple(seen))

    return watch


def building(
    models: Sequence[Model],
    changes: Mapping[str, tuple[Change, ...]] | None = None,
    *,
    root: Path | None = None,
    jobs: int | None = None,
    engine: Engine = "local",
    kept: Path | None = None,
    tell: Tell = silent,
) -> Watch:
    """Return the probe for these models. A target that cannot be imported is an error; the others are still built.

    ``changes`` holds changes by target, applied to the built models. Modules are imported from the current folder,
    then from ``root``. ``jobs`` models are built at a time, by the ``engine``. Observations of libraries' models are
    kept in the folder ``kept``, and taken from there instead of building again.
    """

    def watch(asking: Asking) -> Watched:
        from initaudit.probe import ProbeUnavailable, TargetError, probe_all

        asked = asking(Observer.PROBE)
        targets = [_target(model, asked, (changes or {}).get(model.target, ()), root) for model in models]
        try:
            seen = list(probe_all(targets, jobs=jobs, engine=engine, kept=kept, tell=tell))
        except ProbeUnavailable as error:
            raise UnavailableError(str(error)) from error
        observations = tuple(one for one in seen if isinstance(one, Observation))
        return Watched(Observer.PROBE, observations, tuple(str(one) for one in seen if isinstance(one, TargetError)))

    return watch


def discovering(
    filenames: Sequence[str],
    *,
    root: Path | None = None,
    configured: Collection[str] = (),
    site_packages: bool = False,
    tell: Tell = silent,
) -> Watch:
    """Return the probe for the module classes of these files, as far as their constructors can be given arguments.

    Tests and files without module classes are not imported. What is ``configured`` is built anyway. A class that is not
    built is an observation, too, and the remarks say what to configure for it.
    """

    def watch(asking: Asking) -> Watched:
        from initaudit.analyzer.initialized_instances import initialized
        from initaudit.analyzer.model_files import files_with_models, outside_tests
        from initaudit.probe import ProbeUnavailable, Target, TargetError, probe_all

        def seen(targets: Sequence[Target]) -> list[Observation | TargetError]:
            try:
                return list(probe_all(targets, tell=tell))
            except ProbeUnavailable as error:
                raise UnavailableError(str(error)) from error

        folder = None if root is None else str(root)
        programs = outside_tests(filenames)
        files = list(files_with_models(programs, site_packages=site_packages))
        listed = seen([Target(spec=f"{name}:*", listing=True, root=folder) for name in files])
        classes = [one for found in listed if isinstance(found, Observation) for one in found.classes]
        unconfigured = [one for one in classes if one.target not in configured]
        asked = asking(Observer.PROBE)

        def build(wholes: Sequence[ModuleClass]) -> list[Observation | str]:
            built = seen([Target(spec=one.target, fed=True, questions=asked, root=folder) for one in wholes])
            return [one if isinstance(one, Observation) else str(one) for one in built]

        known, left = discovery.outcome(unconfigured, dict(initialized(unconfigured, programs)), build)
        unread = {
            name: str(one).removeprefix(f"{name}:*: ")
            for name, one in zip(files, listed, strict=True)
            if isinstance(one, TargetError)
        }
        others = (*itertools.starmap(discovery.not_imported, unread.items()), *map(discovery.not_built, left))
        remarks = tuple(discovery.remarks(unread, left))
        if not (known or others):
            remarks = ("no module class was found that is not configured: nothing was built for --discover",)
        return Watched(Observer.PROBE, (*known, *others), remarks=remarks)

    return watch


def _target(model: Model, questions: frozenset[Question], changes: tuple[Change, ...], root: Path | None) -> Target:
    """Return what the probe builds for a model of the settings."""
    from initaudit.probe import Target

    target = Target(
        spec=model.target,
        kwargs=model.kwargs,
        input_sizes=model.input_size,
        dtypes=(model.dtype,) if isinstance(model.dtype, str) else model.dtype or (),
        input_data=model.input_data,
        training=model.train,
        device=model.device,
        seeds=model.seeds,
        abstract=model.abstract,
        memory=None if model.memory is None else int(model.memory * 1e9),
        questions=questions,
        changes=changes,
        root=None if root is None else str(root),
        argv=model.argv,
        replay=model.replay,
        reinit=model.reinit,
        missing_keys=model.missing_keys,
        state_dict=model.state_dict,
    )
    return target if model.timeout is None else msgspec.structs.replace(target, timeout=model.timeout)


def building_here(model: Any, inputs: Any = None, **how: Any) -> Watch:
    """Return the probe for a class, a factory or an instance, in this process; ``how`` is as in `probe_here`."""

    def watch(asking: Asking) -> Watched:
        from initaudit.probe import ProbeUnavailable, probe_here

        try:
            seen = probe_here(model, inputs, questions=asking(Observer.PROBE), **how)
        except ProbeUnavailable as error:
            raise UnavailableError(str(error)) from error
        return Watched(Observer.PROBE, (seen,))

    return watch
