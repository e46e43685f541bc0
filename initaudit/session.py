"""Turn a request into a task for the engine: files, configuration, baseline, standard input and observers."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from initaudit import engine, observers, zoo
from initaudit.analyzer.python_files import Exclusion, PathError, PythonFiles, find_python_files, holds_python
from initaudit.baseline import DEFAULT_FILENAME, BaselineError, read_baseline
from initaudit.engine import Report, Task
from initaudit.observation import Engine, Tell, silent
from initaudit.observers import UnavailableError, Watch
from initaudit.patterns import PatternError
from initaudit.repository import Changes, Repositories, RepositoryError, changes_of_text, changes_since
from initaudit.selection import SelectionError
from initaudit.settings import Configuration, Model, Overrides, SettingsError, load
from initaudit.sources.files import decode_source
from initaudit.sources.source import SourceError, SourceFile

STANDARD_INPUT = "-"
CACHE_FOLDER = ".initaudit_cache"


class UseError(Exception):
    """The tool cannot do what was asked."""


# Errors that make a run impossible: the command prints one line and exits with 2.
IMPOSSIBLE = (
    UseError,
    UnavailableError,
    zoo.ZooError,
    SettingsError,
    SelectionError,
    PathError,
    PatternError,
    BaselineError,
    RepositoryError,
    SourceError,
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a run, and the callback ``tell`` for its progress.

    ``given`` holds texts that replace files on disk, such as unsaved buffers of an editor. ``only`` restricts the
    report to some of the files under the paths; the others are read as the project around them.
    """

    paths: tuple[str, ...] = ()
    targets: tuple[Model, ...] = ()
    read: bool = False  # run the analyzer
    probe: bool = False  # run the probe, on the configured models when there are no targets
    discover: bool = False  # also probe the module classes of the files that are read
    shard: zoo.Shard = zoo.Shard(1, 1)  # the part of the models to build
    engine: Engine = "local"  # what builds models
    kept: str | None = None  # folder with observations of earlier runs
    overrides: Overrides = Overrides()
    config: str | None = None
    assignments: tuple[str, ...] = ()  # `key = value`, over every configuration file
    isolated: bool = False
    noqa: bool = True
    jobs: int | None = None
    site_packages: bool = True  # follow imports into installed packages
    cache: bool = True
    cache_dir: str | None = None
    diff_base: str | None = None
    use_baseline: bool = True
    given: tuple[SourceFile, ...] = ()
    only: frozenset[str] | None = None
    standard_input: bytes = b""
    standard_input_filename: str | None = None
    tell: Tell = silent

    @property
    def standard_input_named(self) -> bool:
        return STANDARD_INPUT in self.paths


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A task, its observers, and the errors before the run."""

    configuration: Configuration
    task: Task
    watches: tuple[Watch, ...]
    models: tuple[Model, ...] = ()
    errors: tuple[str, ...] = ()

    def with_errors(self, report: Report) -> Report:
        """Return the report with the errors before the run."""
        return msgspec.structs.replace(report, errors=self.errors + report.errors)


def configuration_for(asked: Asked) -> Configuration:
    """Return the configuration of a run."""
    paths = [path for path in asked.paths if path != STANDARD_INPUT and os.path.exists(path)]  # noqa: PTH110
    return load(paths, asked.overrides, config=asked.config, isolated=asked.isolated, assignments=asked.assignments)


def find_files(asked: Asked, configuration: Configuration) -> PythonFiles:
    """Return the files to read; raises UseError if the paths hold no Python file."""
    settings = configuration.run
    found = find_python_files(
        asked.paths,
        exclusion=_exclusion(configuration),
        force_exclude=settings.force_exclude,
        respect_gitignore=settings.respect_gitignore,
    )
    if asked.given or found.files or found.unreadable:
        return found
    if not any(holds_python(path) for path in found.excluded):
        raise UseError(f"no Python file under {', '.join(asked.paths)}")
    return found


def _exclusion(configuration: Configuration) -> Exclusion:
    flags = configuration.overrides
    return Exclusion(
        configuration.excluded(), configuration.root.folder, flags=(flags.exclude or ()) + flags.extend_exclude
    )


def prepare(asked: Asked) -> Prepared:
    """Return everything that a run needs. Standard input replaces the file that `--stdin-filename` names."""
    configuration = configuration_for(asked)
    prepared = (_standard_input if asked.standard_input_named else _on_disk)(asked, configuration)
    if asked.probe:
        models = _models(asked, configuration)
        discovering = (_discovering(prepared.task.filenames, models, asked, configuration),) if asked.discover else ()
        watches = (
            *prepared.watches,
            *discovering,
            observers.building(
                models,
                root=configuration.root.folder,
                jobs=None if asked.read else asked.jobs,
                engine=asked.engine,
                kept=None if asked.kept is None else Path(asked.kept),
                tell=asked.tell,
            ),
        )
        task = msgspec.structs.replace(prepared.task, replays=any(model.replays for model in models))
        prepared = msgspec.structs.replace(prepared, watches=watches, models=models, task=task)
    return prepared


def _on_disk(asked: Asked, configuration: Configuration) -> Prepared:
    found = find_files(asked, configuration) if asked.read else PythonFiles(files=())
    files = (*found.files, *_unsaved(asked, configuration))
    task = Task(
        configuration=configuration,
        filenames=files if asked.only is None else tuple(name for name in files if name in asked.only),
        given=asked.given,
        noqa=asked.noqa,
        known=_known(asked, configuration),
        changes=_changes(asked, files),
        skipped=found.skipped,
    )
    return Prepared(
        configuration=configuration,
        task=task,
        watches=(_reading(files, asked, configuration),) if asked.read else (),
        errors=tuple(f"{path}: cannot be read" for path in found.unreadable),
    )


def _unsaved(asked: Asked, configuration: Configuration) -> list[str]:
    """Return the given files that are not on disk yet and are not excluded."""
    new = [source.filename for source in asked.given if not os.path.lexists(source.filename)]
    if not new:
        return []
    exclusion = _exclusion(configuration)
    return [name for name in new if not exclusion.covers_deeply(os.path.realpath(name), is_folder=False)]


def _changes(asked: Asked, filenames: tuple[str, ...]) -> Changes | None:
    if asked.diff_base is None:
        return None
    return changes_since(asked.diff_base, filenames, Repositories(Path.cwd()))


def _reading(filenames: tuple[str, ...], asked: Asked, configuration: Configuration) -> Watch:
    return observers.reading(
        filenames,
        only=asked.only,
        initializers=configuration.run.initializers,
        jobs=asked.jobs,
        cache=cache_folder(asked, configuration),
        site_packages=asked.site_packages,
        judge=engine.Judge(),
        tell=asked.tell,
    )


def _standard_input(asked: Asked, configuration: Configuration) -> Prepared:
    if len(asked.paths) > 1:
        raise UseError("`-` reads standard input and cannot be combined with other paths")
    name = asked.standard_input_filename or STANDARD_INPUT
    changes = None
    if asked.diff_base is not None:
        changes = changes_of_text(asked.diff_base, name, asked.standard_input, Repositories(Path.cwd()))
    try:
        given = decode_source(name, asked.standard_input)
    except SourceError:
        given = SourceFile(name, asked.standard_input, "", "utf-8")
    task = Task(
        configuration=configuration,
        filenames=(name,),
        given=(given,),
        noqa=asked.noqa,
        known=_known(asked, configuration),
        changes=changes,
    )
    if configuration.run.force_exclude and _exclusion(configuration).covers_deeply(
        os.path.realpath(name), is_folder=False
    ):
        return Prepared(
            configuration=configuration, task=msgspec.structs.replace(task, filenames=(), skipped=1), watches=()
        )
    return Prepared(configuration=configuration, task=task, watches=(_reading((name,), asked, configuration),))


def _discovering(
    filenames: tuple[str, ...], models: tuple[Model, ...], asked: Asked, configuration: Configuration
) -> Watch:
    return observers.discovering(
        filenames,
        root=configuration.root.folder,
        configured=frozenset(model.target for model in models),
        site_packages=asked.site_packages,
        tell=asked.tell,
    )


def _models(asked: Asked, configuration: Configuration) -> tuple[Model, ...]:
    models = asked.targets or tuple(_reachable(model, configuration.root.folder) for model in configuration.run.models)
    if not models and asked.discover:
        return ()
    if not models:
        raise UseError(
            "nothing to build: pass a target, or list models in the configuration, as [[tool.initaudit.models]]"
        )
    models = tuple(zoo.expanded(models))
    part = asked.shard.of(models)
    if not part:
        count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
        raise UseError(f"nothing to build: part {asked.shard.number} of {asked.shard.total} of {count} is empty")
    return part


def _reachable(model: Model, folder: Path) -> Model:
    """Return a model with paths relative to the current folder, where they are relative to the configuration."""
    data = None if model.input_data is None else _found(model.input_data, folder)
    reinit = None if model.reinit is None else _found(model.reinit, folder)
    state = model.state_dict
    if state is not None and not Path(state).exists() and (folder / state).exists():
        state = str(folder / state)
    return msgspec.structs.replace(
        model, target=_found(model.target, folder), input_data=data, reinit=reinit, state_dict=state
    )


def _found(spec: str, folder: Path) -> str:
    filename, _, attribute = spec.rpartition(":")
    if not filename.endswith(".py") or Path(filename).exists() or not (folder / filename).exists():
        return spec
    return f"{folder / filename}:{attribute}"


def baseline_path(configuration: Configuration) -> Path | None:
    """Return the path of the baseline: the flag is relative to the current folder, the setting to its file.

    Without either, it is the file that `initaudit baseline` writes beside the configuration, if it exists.
    """
    if configuration.overrides.baseline is not None:
        return Path(configuration.overrides.baseline)
    if configuration.root.settings.baseline is not None:
        return configuration.root.folder / configuration.root.settings.baseline
    usual = configuration.root.folder / DEFAULT_FILENAME
    return usual if os.path.exists(usual) else None  # noqa: PTH110 (False without access)


def cache_folder(asked: Asked, configuration: Configuration) -> Path | None:
    """Return the cache folder: that of the flag, or one beside the configuration; None without a cache."""
    if not asked.cache:
        return None
    return Path(asked.cache_dir) if asked.cache_dir else configuration.root.folder / CACHE_FOLDER


def remove_cache(folder: Path) -> bool:
    """Remove the cache in a folder; return False if the folder holds none."""
    from initaudit.analyzer import cache

    return cache.remove(folder)


def _known(asked: Asked, configuration: Configuration) -> frozenset[str]:
    """Return the fingerprints of the baseline; an isolated run reads only a baseline that the flag names."""
    path = baseline_path(configuration)
    named = configuration.overrides.baseline is not None
    if path is None or not asked.use_baseline or (asked.isolated and not named):
        return frozenset()
    return read_baseline(path).fingerprints()
