"""The settings of a run: [tool.initaudit] of pyproject.toml, initaudit.toml, and the flags that override them.

Knows keys, files and folders; ``selection`` knows what a selector such as "INI1" means.
"""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from initaudit.finding import Severity
from initaudit.naming import near
from initaudit.sources.files import read_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST = 1e9
"""The largest accepted number of seconds or gigabytes."""
Text = Annotated[str, msgspec.Meta(min_length=1)]
Size = Annotated[
    tuple[Annotated[int, msgspec.Meta(ge=0)], ...],
    msgspec.Meta(description="Size of one input, including the batch dimension."),
]


class SettingsError(Exception):
    """A configuration file cannot be used; the message says why."""


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """A model that the probe builds."""

    target: Annotated[Text, msgspec.Meta(description='"package.module:Attr", "path/file.py:Attr" or "hf:NAME".')]
    kwargs: Annotated[dict[str, Any], msgspec.Meta(description="Arguments of the constructor or factory.")] = {}
    input_size: Annotated[tuple[Size, ...], msgspec.Meta(description="Sizes of the inputs of the forward.")] = ()
    dtype: Annotated[
        str | tuple[Text, ...] | None,
        msgspec.Meta(description="dtype of the inputs: one for all, or one for each."),
    ] = None
    input_data: Annotated[
        Text | None, msgspec.Meta(description='Function that returns the inputs: "module:function".')
    ] = None
    train: Annotated[bool, msgspec.Meta(description="Whether dropout is active in the forward, as in training.")] = (
        False
    )
    device: Annotated[Text, msgspec.Meta(description="Device to build and run the model on.")] = "cpu"
    seeds: Annotated[
        Annotated[int, msgspec.Meta(ge=1)], msgspec.Meta(description="Number of seeds to measure the forward for.")
    ] = 1
    abstract: Annotated[
        Literal["auto", "always", "never"],
        msgspec.Meta(description="Build without memory for large tensors; auto: only if the build exceeds its limit."),
    ] = "auto"
    memory: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=MOST)] | None,
        msgspec.Meta(description="Memory limit for one build, in GB."),
    ] = None
    timeout: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=MOST)] | None,
        msgspec.Meta(description="Time limit for one build, in seconds."),
    ] = None
    argv: Annotated[tuple[str, ...], msgspec.Meta(description="Arguments passed to the target in sys.argv.")] = ()
    replay: Annotated[
        bool,
        msgspec.Meta(description="Whether to build on the meta device too, initialize again, and compare."),
    ] = False
    reinit: Annotated[
        Text | None,
        msgspec.Meta(description='Function that initializes the model in a replay: "module:function". Implies replay.'),
    ] = None
    missing_keys: Annotated[
        tuple[Text, ...],
        msgspec.Meta(description="Keys, or patterns of them, that the state dict to load lacks. Implies replay."),
    ] = ()
    state_dict: Annotated[
        Text | None,
        msgspec.Meta(description="File of safetensors or torch.save to load in a replay. Implies replay."),
    ] = None

    @property
    def replays(self) -> bool:
        """Whether the build on the meta device is asked for."""
        return self.replay or self.reinit is not None or bool(self.missing_keys) or self.state_dict is not None


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """The keys of [tool.initaudit]."""

    select: Annotated[
        tuple[Text, ...] | None, msgspec.Meta(description="Rules to run: codes, prefixes, names or categories.")
    ] = None
    extend_select: Annotated[
        tuple[Text, ...], msgspec.Meta(description="Rules to run in addition to the selected ones.")
    ] = ()
    ignore: Annotated[tuple[Text, ...], msgspec.Meta(description="Rules not to run.")] = ()
    per_file_ignores: Annotated[
        dict[str, tuple[Text, ...]], msgspec.Meta(description="Rules not to run on files that match a pattern.")
    ] = {}
    preview: Annotated[bool, msgspec.Meta(description="Whether to run preview rules.")] = False
    exclude: Annotated[tuple[Text, ...], msgspec.Meta(description="Files and folders to skip.")] = ()
    extend_exclude: Annotated[tuple[Text, ...], msgspec.Meta(description="Files and folders to skip in addition.")] = ()
    force_exclude: Annotated[
        bool, msgspec.Meta(description="Whether to skip excluded files even when passed explicitly.")
    ] = False
    respect_gitignore: Annotated[bool, msgspec.Meta(description="Whether to skip files that git ignores.")] = True
    unsafe_fixes: Annotated[bool, msgspec.Meta(description="Whether to apply fixes that may change behaviour.")] = False
    fail_on: Annotated[Severity, msgspec.Meta(description="Minimum severity that makes the exit code 1.")] = (
        Severity.WARNING
    )
    baseline: Annotated[Text | None, msgspec.Meta(description="File of known findings that are not reported.")] = None
    initializers: Annotated[
        tuple[Text, ...],
        msgspec.Meta(
            description="Functions that initialize the module or tensor passed to them: dotted names or patterns."
        ),
    ] = ()
    models: Annotated[tuple[Model, ...], msgspec.Meta(description="Models that the probe builds.")] = ()


class Located(msgspec.Struct, frozen=True):
    """Settings, the folder that their patterns and paths are relative to, and the file that holds them."""

    settings: Settings
    folder: Path
    filename: Path | None = None


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """Settings given by flags; None and empty values leave a setting as it is."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = {}
    preview: bool | None = None
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool | None = None
    respect_gitignore: bool | None = None
    unsafe_fixes: bool | None = None
    fixable: tuple[str, ...] | None = None
    unfixable: tuple[str, ...] = ()
    fail_on: Severity | None = None
    baseline: str | None = None


class Configuration:
    """The settings of one run: those of its root, and for each file those of the nearest configuration above it."""

    def __init__(
        self,
        root: Located,
        overrides: Overrides | None = None,
        *,
        hierarchical: bool = True,
        assigned: Mapping[str, Any] | None = None,
    ) -> None:
        """``assigned`` holds keys that override every configuration file."""
        self.overrides = overrides or Overrides()
        self._assigned = assigned or {}
        self.root = with_assigned(root, self._assigned)
        self.hierarchical = hierarchical
        self._by_folder: dict[Path, Located | None] = {}

    @functools.cached_property
    def run(self) -> Settings:
        """The settings of the run as a whole: those of its root, with the flags applied."""
        settings, flags = self.root.settings, self.overrides
        named = ("exclude", "force_exclude", "respect_gitignore", "unsafe_fixes", "fail_on", "baseline", "preview")
        changes: dict[str, Any] = {key: getattr(flags, key) for key in named if getattr(flags, key) is not None}
        changes["extend_exclude"] = settings.extend_exclude + flags.extend_exclude
        return msgspec.structs.replace(settings, **changes)

    def excluded(self) -> tuple[str, ...]:
        """Return the exclusion patterns of the configuration that flags do not replace."""
        settings, replaced = self.root.settings, self.overrides.exclude is not None
        return (() if replaced else settings.exclude) + settings.extend_exclude

    def for_file(self, filename: str) -> Located:
        """Return the settings of the nearest configuration above a file, else those of the root."""
        if not self.hierarchical:
            return self.root
        return self._closest(Path(os.path.realpath(filename)).parent) or self.root

    def _closest(self, folder: Path) -> Located | None:
        without: list[Path] = []
        while folder not in self._by_folder:
            found = located_in(folder)
            if found is not None or folder.parent == folder:
                self._by_folder[folder] = with_assigned(found, self._assigned) if found is not None else None
            else:
                without.append(folder)
                folder = folder.parent
        self._by_folder.update(dict.fromkeys(without, self._by_folder[folder]))
        return self._by_folder[folder]


def load(
    paths: Iterable[str] = (),
    overrides: Overrides | None = None,
    *,
    config: str | None = None,
    isolated: bool = False,
    assignments: Iterable[str] = (),
) -> Configuration:
    """Return the configuration of a run over ``paths`` from the current folder; ``assignments`` are `key = value`."""
    here, assigned = Path.cwd(), _assigned(assignments)
    if config is not None:
        return Configuration(read_settings(Path(config)), overrides, hierarchical=False, assigned=assigned)
    if isolated:
        return Configuration(Located(Settings(), here), overrides, hierarchical=False, assigned=assigned)
    return Configuration(_root_of_run(here, paths), overrides, assigned=assigned)


def _assigned(assignments: Iterable[str]) -> dict[str, Any]:
    """Parse the keys set on the command line, each written as a line of TOML."""
    table: dict[str, Any] = {}
    for text in assignments:
        found = _toml(Path("--config"), text.encode("utf-8", "surrogateescape"))
        _settings_of(Path("--config"), found)
        table |= found
    return table


def with_assigned(located: Located, assigned: Mapping[str, Any]) -> Located:
    """Return settings with some keys replaced."""
    if not assigned:
        return located
    values = {**msgspec.to_builtins(located.settings), **assigned}
    return msgspec.structs.replace(located, settings=msgspec.convert(values, Settings))


def _root_of_run(here: Path, paths: Iterable[str]) -> Located:
    """Return the nearest configuration above the current folder, else above the checked paths."""
    checked = [os.path.realpath(path) for path in paths]
    above = [here, *here.parents]
    if checked:
        common = Path(os.path.commonpath(checked))
        above += [common, *common.parents]
    return next((found for folder in above if (found := located_in(folder))), Located(Settings(), here))


def located_in(folder: Path) -> Located | None:
    """Return the configuration in ``folder`` itself; None if there is none or the folder is not accessible."""
    own, shared = folder / "initaudit.toml", folder / "pyproject.toml"
    if _is_there(own):
        return read_settings(own)
    if _is_there(shared) and b"initaudit" in (raw := _bytes(shared)):
        return read_settings(shared) if "initaudit" in _table(shared, _toml(shared, raw), "tool") else None
    return None


def _is_there(path: Path) -> bool:
    """Whether the path exists, is accessible and is not a folder."""
    return os.path.exists(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112


def read_settings(path: Path) -> Located:
    """Return the settings in a file; raises SettingsError if it cannot be used."""
    table = _toml(path, _bytes(path))
    if path.name == "pyproject.toml":
        table = _table(path, _table(path, table, "tool"), "initaudit", "tool.")
    elif isinstance(table.get("tool"), dict) and "initaudit" in table["tool"]:
        raise SettingsError(f"{path}: drop the prefix `tool.initaudit`: keys are at the top level of this file")
    return Located(_settings_of(path, table), path.resolve().parent, path)


def _settings_of(path: Path, table: dict[str, Any]) -> Settings:
    """Return the settings in a table; raises SettingsError for an unknown key or an invalid value."""
    _refuse_unknown(path, table, Settings)
    models = table.get("models")
    for model in models if isinstance(models, list) else ():
        _refuse_unknown(path, model, Model, "models.")
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_in_words(error)}") from error
    except (OverflowError, RecursionError) as error:
        raise SettingsError(f"{path}: a number exceeds 64 bits, or a value is nested too deeply") from error


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error


def _toml(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # ValueError also for more digits than Python accepts
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    return document


def _table(path: Path, document: dict[str, Any], key: str, prefix: str = "") -> dict[str, Any]:
    """Return the table under a key, empty if there is none; raises SettingsError for any other value."""
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: `{prefix}{key}` is not a table; write [{prefix}{key}] and put the keys below it")
    return table


def _refuse_unknown(path: Path, table: Any, kind: type[msgspec.Struct], prefix: str = "") -> None:
    """Raise SettingsError for the first unknown key, and suggest the nearest known one."""
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in table if isinstance(table, dict) else ():
        if key not in known:
            raise SettingsError(f"{path}: unknown key `{prefix}{key}`; {nearest(key, known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint for a misspelt word: "did you mean `exclude`?"."""
    options = list(known)
    meant = near(word, options)
    if meant is not None:
        return f"did you mean `{meant}`?"
    return f"known keys: {', '.join(f'`{option}`' for option in options)}"


def _in_words(error: msgspec.ValidationError) -> str:
    """Return msgspec's message after the key: "`select`: expected `array`, got `str`"."""
    what, _, where = str(error).partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    what = what[:1].lower() + what[1:]
    return f"`{key}`: {what}" if key else what


def schema() -> dict[str, Any]:
    """Return the JSON Schema of [tool.initaudit]."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "initaudit",
        **msgspec.json.schema(Settings),
    }


def explained(settings: Settings, key: str) -> Iterator[str]:
    """Yield the meaning and the value of one key; raises SettingsError if it is unknown."""
    fields = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    if key not in fields:
        raise SettingsError(f"unknown key `{key}`; {nearest(key, fields)}")
    yield f"# {fields[key].get('description', '')}"
    value = msgspec.to_builtins(settings)[key]
    yield f"{key} = {_toml_value(value)}" if value is not None else f"# {key} is not set"


def as_toml(settings: Settings) -> str:
    """Return settings as the text of an initaudit.toml."""
    values = msgspec.to_builtins(settings)
    models = values.pop("models")
    tables = [line for model in models for line in ("", "[[models]]", *_assignments(model))]
    return "\n".join([*_assignments(values), *tables])


def _assignments(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key} = {_toml_value(value)}" for key, value in table.items() if value is not None)


def _toml_value(value: Any) -> str:
    """Return a value in TOML, which writes strings, booleans and finite numbers as JSON does."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_toml_value(key)} = {_toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
