"""From what was asked to a task for the engine: files, configuration, baseline, standard input, and the observers."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from initaudit import engine
from initaudit.analyzer.discover import Discovery, Exclusion, PathError, discover, holds_python
from initaudit.baseline import DEFAULT_FILENAME, BaselineError, read_baseline
from initaudit.engine import Report, Task, Watch
from initaudit.files import decode_source
from initaudit.observation import Tell, silent
from initaudit.patterns import PatternError
from initaudit.repository import Changes, Repositories, RepositoryError, changes_of_text, changes_since
from initaudit.selection import SelectionError
from initaudit.settings import Configuration, Model, Overrides, SettingsError, load
from initaudit.source import SourceError, SourceFile

STANDARD_INPUT = "-"
CACHE_FOLDER = ".initaudit_cache"


class UseError(Exception):
    """The tool was asked for something that it cannot do."""


# Whatever makes a run impossible: the command says it in a line and exits with 2.
IMPOSSIBLE = (
    UseError,
    engine.UnavailableError,
    SettingsError,
    SelectionError,
    PathError,
    PatternError,
    BaselineError,
    RepositoryError,
    SourceError,
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked for, and whom it tells how far it is.

    ``given`` are texts that are read in the place of what is on disk, as an editor holds them; ``only`` are the files
    among those under the paths that are to be reported on, the others being the project around them.
    """

    paths: tuple[str, ...] = ()
    targets: tuple[Model, ...] = ()
    read: bool = False  # run the analyzer
    probe: bool = False  # run the probe, on the configured models when there are no targets
    overrides: Overrides = Overrides()
    config: str | None = None
    assignments: tuple[str, ...] = ()  # `key = value`, over every configuration file
    isolated: bool = False
    noqa: bool = True
    jobs: int | None = None
    site_packages: bool = True  # names may lead to packages that are installed
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
    """A task, the observers that will look, and what went wrong before they could."""

    configuration: Configuration
    task: Task
    watches: tuple[Watch, ...]
    models: tuple[Model, ...] = ()
    errors: tuple[str, ...] = ()

    def with_errors(self, report: Report) -> Report:
        """A report that also says what went wrong before the run."""
        return msgspec.structs.replace(report, errors=self.errors + report.errors)


def configuration_for(asked: Asked) -> Configuration:
    """The settings of a run."""
    paths = [path for path in asked.paths if path != STANDARD_INPUT and os.path.exists(path)]  # noqa: PTH110
    return load(paths, asked.overrides, config=asked.config, isolated=asked.isolated, assignments=asked.assignments)


def find_files(asked: Asked, configuration: Configuration) -> Discovery:
    """The files to read; raises UseError when there is no Python under the paths at all."""
    settings = configuration.run
    found = discover(
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
    """Everything a run needs. Standard input is read in the place of the file that it is named after."""
    configuration = configuration_for(asked)
    prepared = (_standard_input if asked.standard_input_named else _on_disk)(asked, configuration)
    if asked.probe:
        models = _models(asked, configuration)
        watches = (
            *prepared.watches,
            engine.building(models, root=configuration.root.folder, tell=asked.tell),
        )
        prepared = msgspec.structs.replace(prepared, watches=watches, models=models)
    return prepared


def _on_disk(asked: Asked, configuration: Configuration) -> Prepared:
    found = find_files(asked, configuration) if asked.read else Discovery(files=())
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
    """The given files that are not on disk yet, and that nothing leaves out."""
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
    return engine.reading(
        filenames,
        only=asked.only,
        initializers=configuration.run.initializers,
        jobs=asked.jobs,
        cache=cache_folder(asked, configuration),
        site_packages=asked.site_packages,
        tell=asked.tell,
    )


def _standard_input(asked: Asked, configuration: Configuration) -> Prepared:
    if len(asked.paths) > 1:
        raise UseError("`-` stands alone: standard input cannot be checked together with other paths")
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


def _models(asked: Asked, configuration: Configuration) -> tuple[Model, ...]:
    models = asked.targets or tuple(_reachable(model, configuration.root.folder) for model in configuration.run.models)
    if not models:
        raise UseError("nothing to build: name a target, or list [[tool.initaudit.models]] in the configuration")
    return models


def _reachable(model: Model, folder: Path) -> Model:
    """A model, or inputs, in a file that does not lie here, but beside the configuration, are found from here."""
    data = None if model.input_data is None else _found(model.input_data, folder)
    return msgspec.structs.replace(model, target=_found(model.target, folder), input_data=data)


def _found(spec: str, folder: Path) -> str:
    filename, _, attribute = spec.rpartition(":")
    if not filename.endswith(".py") or Path(filename).exists() or not (folder / filename).exists():
        return spec
    return f"{folder / filename}:{attribute}"


def baseline_path(configuration: Configuration) -> Path | None:
    """Where the known findings are: the flag is relative to the current folder, the setting to its file.

    Without either they are beside the configuration, where `initaudit baseline` writes them, if there is such a file.
    """
    if configuration.overrides.baseline is not None:
        return Path(configuration.overrides.baseline)
    if configuration.root.settings.baseline is not None:
        return configuration.root.folder / configuration.root.settings.baseline
    usual = configuration.root.folder / DEFAULT_FILENAME
    return usual if os.path.exists(usual) else None  # noqa: PTH110 (False where it may not be known)


def cache_folder(asked: Asked, configuration: Configuration) -> Path | None:
    """Where earlier runs are remembered: where the flag says, or beside the configuration; None for nowhere."""
    if not asked.cache:
        return None
    return Path(asked.cache_dir) if asked.cache_dir else configuration.root.folder / CACHE_FOLDER


def remove_cache(folder: Path) -> bool:
    """Remove what earlier runs left there; False when nothing in the folder is of a cache."""
    from initaudit.analyzer import cache

    return cache.remove(folder)


def _known(asked: Asked, configuration: Configuration) -> frozenset[str]:
    """The fingerprints of the baseline; who ignores all configuration files has only the one that the flag names."""
    path = baseline_path(configuration)
    named = configuration.overrides.baseline is not None
    if path is None or not asked.use_baseline or (asked.isolated and not named):
        return frozenset()
    return read_baseline(path).fingerprints()
