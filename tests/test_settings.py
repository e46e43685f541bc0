"""Settings come from the closest configuration, and mistakes in them are explained."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from initaudit.cli import main
from initaudit.finding import Severity
from initaudit.settings import (
    Configuration,
    Model,
    Overrides,
    Settings,
    SettingsError,
    as_toml,
    load,
    read_settings,
    schema,
)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


ALL_KEYS = """
select = ["correctness"]
extend-select = ["INI104"]
ignore = ["INI103"]
preview = true
exclude = ["old"]
extend-exclude = ["older"]
force-exclude = true
respect-gitignore = false
unsafe-fixes = true
fail-on = "note"
baseline = "known.json"

[per-file-ignores]
"tests/**" = ["INI401"]

[[models]]
target = "pkg.vit:build"
kwargs = { depth = 12 }
input-size = [[1, 3, 224, 224]]
dtype = "bfloat16"
timeout = 20
"""


def test_every_key_is_read(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path / "initaudit.toml", ALL_KEYS)).settings
    assert settings.fail_on is Severity.NOTE
    assert settings.per_file_ignores == {"tests/**": ("INI401",)}
    assert settings.models == (
        Model(
            target="pkg.vit:build", kwargs={"depth": 12}, input_size=((1, 3, 224, 224),), dtype="bfloat16", timeout=20
        ),
    )


def test_settings_printed_as_toml_are_read_back_the_same(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path / "initaudit.toml", ALL_KEYS)).settings
    assert read_settings(write(tmp_path / "again" / "initaudit.toml", as_toml(settings))).settings == settings
    assert read_settings(write(tmp_path / "none" / "initaudit.toml", as_toml(Settings()))).settings == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exlude = []", "unknown key `exlude`; did you mean `exclude`?"),
        ("models = [{ target = 'net:Net', timeout = inf }]", "`models[0].timeout`: expected `float` <= 1000000000.0"),
        ("[[models]]\ntarget = 'a:b'\nkwarg = {}", "unknown key `models.kwarg`; did you mean `kwargs`?"),
        ("zzz = 1", "known keys: `select`"),
        ("select = 'INI1'", "`select`: expected"),
        ("fail-on = 'never'", "`fail-on`"),
        ("[[models]]\nkwargs = {}", "target"),
        ("select = [", "not valid TOML"),
    ],
)
def test_a_mistake_is_explained(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / "initaudit.toml", text)
    with pytest.raises(SettingsError) as raised:
        load()
    assert expected in str(raised.value)
    assert path.name in str(raised.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[tool]\ninitaudit = 3\n", "tool.initaudit"),
        ("[[tool.initaudit]]\nselect = ['INI1']\n", "tool.initaudit"),
        ("tool = 3  # initaudit\n", "tool"),
        ("[[tool]]\ninitaudit = {}\n", "tool"),
    ],
)
def test_what_should_be_a_table_and_is_not_is_explained(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    (tmp_path / "net.py").write_text("x = 1\n", encoding="utf-8")
    for flags in ((), ("--config", str(tmp_path / "pyproject.toml"))):
        outcome = CliRunner().invoke(main, [str(tmp_path / "net.py"), *flags])
        assert outcome.exit_code == 2
        assert f"pyproject.toml: `{key}` is not a table" in outcome.stderr
        assert "itself failed" not in outcome.stderr


def test_a_broken_pyproject_that_does_not_concern_us_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "this is not [ TOML")
    assert load().run == Settings()


def test_the_own_file_wins_over_pyproject_in_the_same_folder(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.initaudit]\nfail-on = 'error'\n")
    assert load().run.fail_on is Severity.ERROR
    write(tmp_path / "initaudit.toml", "fail-on = 'note'\n")
    assert load().run.fail_on is Severity.NOTE


def test_a_file_follows_the_closest_configuration_and_the_run_follows_its_root(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.initaudit]\nignore = ['INI101']\nfail-on = 'error'\n")
    write(tmp_path / "sub/initaudit.toml", "ignore = ['INI102']\nfail-on = 'note'\n")
    write(tmp_path / "sub/deep/pyproject.toml", "[project]\nname = 'not-ours'\n")
    configuration = load(["sub"])
    assert configuration.for_file("a.py").settings.ignore == ("INI101",)
    assert configuration.for_file("sub/deep/a.py").settings.ignore == ("INI102",)
    assert configuration.run.fail_on is Severity.ERROR


def test_a_run_outside_of_any_project_takes_the_configuration_above_its_paths(tmp_path: Path) -> None:
    write(tmp_path / "project/initaudit.toml", "fail-on = 'error'\n")
    assert load(["project/src/a.py", "project/tests"]).run.fail_on is Severity.ERROR


def test_isolated_and_config_set_aside_what_lies_around(tmp_path: Path) -> None:
    write(tmp_path / "initaudit.toml", "fail-on = 'error'\n")
    other = write(tmp_path / "other" / "ci.toml", "fail-on = 'note'\n")
    assert load(isolated=True).run.fail_on is Severity.WARNING
    named = load(config=str(other))
    assert named.run.fail_on is Severity.NOTE
    assert named.for_file("a.py") is named.root


def test_flags_override_settings(tmp_path: Path) -> None:
    write(tmp_path / "initaudit.toml", "exclude = ['a']\nextend-exclude = ['b']\nfail-on = 'error'\n")
    flags = Overrides(exclude=("c",), extend_exclude=("d",), fail_on=Severity.NOTE)
    configuration = load(overrides=flags)
    assert isinstance(configuration, Configuration)
    assert configuration.run.exclude + configuration.run.extend_exclude == ("c", "b", "d")
    assert configuration.run.fail_on is Severity.NOTE


def test_the_schema_accepts_what_is_read_and_rejects_what_is_not() -> None:
    document = json.loads(json.dumps(schema()))
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document)
    assert validator.is_valid({"select": ["INI1"], "models": [{"target": "a:b", "input-size": [[1, 3]]}]})
    assert not validator.is_valid({"select": "INI1"})
    assert not validator.is_valid({"exlude": []})
