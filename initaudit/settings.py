"""What a run is told: [tool.initaudit] of pyproject.toml, initaudit.toml, and the flags that override them.

Knows keys, files and folders; what a selector such as "INI1" means is for ``selection``.
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

from initaudit.files import read_regular
from initaudit.finding import Severity
from initaudit.naming import near

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST = 1e9
"""More seconds, or gigabytes, than anybody has."""
Text = Annotated[str, msgspec.Meta(min_length=1)]
Size = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0)], ...], msgspec.Meta(description="One input, batch included.")]


class SettingsError(Exception):
    """A configuration file that cannot be used, and why."""


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """A model that the probe builds."""

    target: Annotated[Text, msgspec.Meta(description='"package.module:Attr", "path/file.py:Attr" or "hf:NAME".')]
    kwargs: Annotated[dict[str, Any], msgspec.Meta(description="Arguments of the constructor or factory.")] = {}
    input_size: Annotated[tuple[Size, ...], msgspec.Meta(description="Sizes of the inputs of a forward.")] = ()
    dtype: Annotated[
        str | tuple[Text, ...] | None,
        msgspec.Meta(description="The dtype of the inputs: one for all, or one for each."),
    ] = None
    input_data: Annotated[
        Text | None, msgspec.Meta(description='"module:function" that returns the inputs of a forward.')
    ] = None
    train: Annotated[bool, msgspec.Meta(description="Whether the forward drops what it drops in training.")] = False
    device: Annotated[Text, msgspec.Meta(description="Where the model is built and run.")] = "cpu"
    seeds: Annotated[
        Annotated[int, msgspec.Meta(ge=1)], msgspec.Meta(description="Seeds that a forward is measured for.")
    ] = 1
    abstract: Annotated[
        Literal["auto", "always", "never"],
        msgspec.Meta(description="Whether to watch without memory; auto: when the build takes too much."),
    ] = "auto"
    memory: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=MOST)] | None,
        msgspec.Meta(description="Gigabytes that a build may take."),
    ] = None
    timeout: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=MOST)] | None,
        msgspec.Meta(description="Seconds until a build is given up."),
    ] = None
    argv: Annotated[
        tuple[str, ...], msgspec.Meta(description="What the target finds in sys.argv, behind its name.")
    ] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """The keys of [tool.initaudit]."""

    select: Annotated[
        tuple[Text, ...] | None, msgspec.Meta(description="Codes, prefixes, names or categories of the rules to run.")
    ] = None
    extend_select: Annotated[tuple[Text, ...], msgspec.Meta(description="Rules to run besides the selected.")] = ()
    ignore: Annotated[tuple[Text, ...], msgspec.Meta(description="Rules not to run.")] = ()
    per_file_ignores: Annotated[
        dict[str, tuple[Text, ...]], msgspec.Meta(description="Rules not to run on files that match a pattern.")
    ] = {}
    preview: Annotated[bool, msgspec.Meta(description="Whether preview rules run.")] = False
    exclude: Annotated[tuple[Text, ...], msgspec.Meta(description="Files and folders to leave out.")] = ()
    extend_exclude: Annotated[tuple[Text, ...], msgspec.Meta(description="More of them.")] = ()
    force_exclude: Annotated[bool, msgspec.Meta(description="Whether `exclude` holds for named files too.")] = False
    respect_gitignore: Annotated[bool, msgspec.Meta(description="Whether ignored files are left out.")] = True
    unsafe_fixes: Annotated[bool, msgspec.Meta(description="Whether fixes that may change behaviour apply.")] = False
    fail_on: Annotated[Severity, msgspec.Meta(description="The least severity that fails a run.")] = Severity.WARNING
    baseline: Annotated[Text | None, msgspec.Meta(description="The file of findings that are already known.")] = None
    initializers: Annotated[
        tuple[Text, ...],
        msgspec.Meta(description="Dotted names, or patterns, of functions that initialize what they are given."),
    ] = ()
    models: Annotated[tuple[Model, ...], msgspec.Meta(description="Models that the probe builds.")] = ()


class Located(msgspec.Struct, frozen=True):
    """Settings, the folder that their patterns and paths are relative to, and the file they came from."""

    settings: Settings
    folder: Path
    filename: Path | None = None


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """What flags say; None and empty leave a setting as it is."""

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
    """The settings of one run: those of its root, and for each file those of the closest configuration above it."""

    def __init__(
        self,
        root: Located,
        overrides: Overrides | None = None,
        *,
        hierarchical: bool = True,
        assigned: Mapping[str, Any] | None = None,
    ) -> None:
        """``assigned`` are keys that are set over every file."""
        self.overrides = overrides or Overrides()
        self._assigned = assigned or {}
        self.root = with_assigned(root, self._assigned)
        self.hierarchical = hierarchical
        self._by_folder: dict[Path, Located | None] = {}

    @functools.cached_property
    def run(self) -> Settings:
        """What concerns the run, from its root, with the flags applied."""
        settings, flags = self.root.settings, self.overrides
        named = ("exclude", "force_exclude", "respect_gitignore", "unsafe_fixes", "fail_on", "baseline", "preview")
        changes: dict[str, Any] = {key: getattr(flags, key) for key in named if getattr(flags, key) is not None}
        changes["extend_exclude"] = settings.extend_exclude + flags.extend_exclude
        return msgspec.structs.replace(settings, **changes)

    def excluded(self) -> tuple[str, ...]:
        """The patterns of the configuration that flags do not replace."""
        settings, replaced = self.root.settings, self.overrides.exclude is not None
        return (() if replaced else settings.exclude) + settings.extend_exclude

    def for_file(self, filename: str) -> Located:
        """The settings of the closest configuration above a file; those of the root when there is none."""
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
    """The configuration of a run over ``paths``, started in the current folder; ``assignments`` are `key = value`."""
    here, assigned = Path.cwd(), _assigned(assignments)
    if config is not None:
        return Configuration(read_settings(Path(config)), overrides, hierarchical=False, assigned=assigned)
    if isolated:
        return Configuration(Located(Settings(), here), overrides, hierarchical=False, assigned=assigned)
    return Configuration(_root_of_run(here, paths), overrides, assigned=assigned)


def _assigned(assignments: Iterable[str]) -> dict[str, Any]:
    """The keys that a command line sets, each written as a line of TOML."""
    table: dict[str, Any] = {}
    for text in assignments:
        found = _toml(Path("--config"), text.encode("utf-8", "surrogateescape"))
        _settings_of(Path("--config"), found)
        table |= found
    return table


def with_assigned(located: Located, assigned: Mapping[str, Any]) -> Located:
    """Settings with some keys set anew."""
    if not assigned:
        return located
    values = {**msgspec.to_builtins(located.settings), **assigned}
    return msgspec.structs.replace(located, settings=msgspec.convert(values, Settings))


def _root_of_run(here: Path, paths: Iterable[str]) -> Located:
    """The closest configuration above the current folder, else above what is checked."""
    checked = [os.path.realpath(path) for path in paths]
    above = [here, *here.parents]
    if checked:
        common = Path(os.path.commonpath(checked))
        above += [common, *common.parents]
    return next((found for folder in above if (found := located_in(folder))), Located(Settings(), here))


def located_in(folder: Path) -> Located | None:
    """The configuration that ``folder`` itself holds; none when nobody may look into it."""
    own, shared = folder / "initaudit.toml", folder / "pyproject.toml"
    if _is_there(own):
        return read_settings(own)
    if _is_there(shared) and b"initaudit" in (raw := _bytes(shared)):
        return read_settings(shared) if "initaudit" in _table(shared, _toml(shared, raw), "tool") else None
    return None


def _is_there(path: Path) -> bool:
    """Whether something of this name that is no folder may be looked at."""
    return os.path.exists(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112


def read_settings(path: Path) -> Located:
    """The settings in a file; raises SettingsError when it cannot be used."""
    table = _toml(path, _bytes(path))
    if path.name == "pyproject.toml":
        table = _table(path, _table(path, table, "tool"), "initaudit", "tool.")
    elif isinstance(table.get("tool"), dict) and "initaudit" in table["tool"]:
        raise SettingsError(f"{path}: drop the prefix `tool.initaudit`: here the keys stand at the top level")
    return Located(_settings_of(path, table), path.resolve().parent, path)


def _settings_of(path: Path, table: dict[str, Any]) -> Settings:
    """The settings that a table holds; raises SettingsError for a key or a value that there is not."""
    _refuse_unknown(path, table, Settings)
    models = table.get("models")
    for model in models if isinstance(models, list) else ():
        _refuse_unknown(path, model, Model, "models.")
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_in_words(error)}") from error
    except (OverflowError, RecursionError) as error:
        raise SettingsError(f"{path}: a number is longer than 64 bits, or a value nests too deep") from error


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error


def _toml(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also more digits than Python reads
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    return document


def _table(path: Path, document: dict[str, Any], key: str, prefix: str = "") -> dict[str, Any]:
    """The table under a key, empty when there is none; raises SettingsError for anything else."""
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: `{prefix}{key}` is not a table: write [{prefix}{key}] once, and keys below it")
    return table


def _refuse_unknown(path: Path, table: Any, kind: type[msgspec.Struct], prefix: str = "") -> None:
    """Name the first key that does not exist, and the one that was probably meant."""
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in table if isinstance(table, dict) else ():
        if key not in known:
            raise SettingsError(f"{path}: unknown key `{prefix}{key}`; {nearest(key, known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """The words that help with a misspelt one: "did you mean `exclude`?"."""
    options = list(known)
    meant = near(word, options)
    if meant is not None:
        return f"did you mean `{meant}`?"
    return f"known are {', '.join(f'`{option}`' for option in options)}"


def _in_words(error: msgspec.ValidationError) -> str:
    """msgspec's message with the key in front: "`select`: expected `array`, got `str`"."""
    what, _, where = str(error).partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    what = what[:1].lower() + what[1:]
    return f"`{key}`: {what}" if key else what


def schema() -> dict[str, Any]:
    """The JSON Schema of [tool.initaudit]."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "initaudit",
        **msgspec.json.schema(Settings),
    }


def explained(settings: Settings, key: str) -> Iterator[str]:
    """One key: its value, and what it means; raises SettingsError for one that there is not."""
    fields = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    if key not in fields:
        raise SettingsError(f"unknown key `{key}`; {nearest(key, fields)}")
    yield f"# {fields[key].get('description', '')}"
    value = msgspec.to_builtins(settings)[key]
    yield f"{key} = {_toml_value(value)}" if value is not None else f"# {key} is not set"


def as_toml(settings: Settings) -> str:
    """Settings as the text of an initaudit.toml."""
    values = msgspec.to_builtins(settings)
    models = values.pop("models")
    tables = [line for model in models for line in ("", "[[models]]", *_assignments(model))]
    return "\n".join([*_assignments(values), *tables])


def _assignments(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key} = {_toml_value(value)}" for key, value in table.items() if value is not None)


def _toml_value(value: Any) -> str:
    """A value in TOML; strings, numbers and booleans are written as in JSON, but for what that has no word for."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_toml_value(key)} = {_toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
