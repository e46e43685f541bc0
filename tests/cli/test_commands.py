"""The commands besides `check`: rule, config, probe; and how quickly the tool starts."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import jsonschema
import pytest
from click.testing import CliRunner, Result

import initaudit
from initaudit.cli import main
from initaudit.rules import catalogue
from initaudit.settings import read_settings

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the probe runs with torch")


def completed(*words: str) -> list[str]:
    """What a shell offers for the last word."""
    line = {"COMP_WORDS": " ".join(("initaudit", *words)), "COMP_CWORD": str(len(words))}
    outcome = CliRunner().invoke(main, prog_name="initaudit", env={"_INITAUDIT_COMPLETE": "bash_complete", **line})
    return [line.partition(",")[2] or line.partition(",")[0] for line in outcome.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("pro",), ["probe"]),
        (("co",), ["compare", "config"]),
        (("",), ["check", "probe", "rule", "server"]),
        (("--output-f",), ["--output-format", "--output-file"][:1]),
        (("--ver",), ["--version"]),
        (("probe", "--mis"), ["--missing-keys"]),
        (("rule", "INI10"), ["INI101", "INI109"]),
        (("rule", "ini20"), ["INI201"]),
        (("--output-format", "mark"), ["markdown"]),
        (("check", "--output-format", "mark"), ["markdown"]),
        (("sr",), ["sr"]),
        (("check", "sr"), ["sr"]),
        (("check", "src", "te"), ["te"]),
        (("probe", "mod"), ["mod"]),
        (("baseline", "sr"), ["sr"]),
    ],
)
def test_a_shell_completes_commands_flags_files_and_codes(words: tuple[str, ...], some: list[str]) -> None:
    offered = completed(*words)
    assert set(some) <= set(offered), offered
    assert all(one.lower().startswith(words[-1].lower()) for one in offered)


def test_files_come_before_commands_since_bash_drops_what_precedes_them() -> None:
    assert completed("")[0] == "file"


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def run(*arguments: str) -> Result:
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["check", "--help"], ["probe", "--help"]])
def test_starting_loads_neither_torch_nor_libcst_nor_rich(arguments: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['initaudit', *sys.argv[1:]]\n"
        "from initaudit.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'libcst', 'rich', 'numpy', 'pathspec') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"initaudit {initaudit.__version__}\n"


@pytest.mark.parametrize("selector", ["INI101", "ini101", "uninitialized-parameter"])
def test_a_rule_is_documented_under_its_code_and_its_name(selector: str) -> None:
    text = run("rule", selector).stdout
    assert text.startswith(
        "# INI101 uninitialized-parameter\n\ncorrectness, error, found by analyzer and probe, on by default"
    )
    assert "## Why is this bad?" in text


def test_the_page_of_a_rule_opens_in_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    address = run("rule", "uninitialized-parameter", "--web").stdout.strip()
    assert opened == [address] and address.startswith("file://")
    text = Path(url2pathname(urlparse(address).path)).read_text(encoding="utf-8")
    assert "<h1>INI101 uninitialized-parameter</h1>" in text and "<code>torch.empty(3, 4)</code>" in text
    assert "http" not in re.sub(r'<a href="[^"]*">', "", text)
    assert run("rule", "INI1", "--web").exit_code == 2
    monkeypatch.setattr("initaudit.finding.DOCUMENTATION_URL", "https://docs.example.org")
    assert run("rule", "INI101", "--web").stdout == "https://docs.example.org/rules/INI101/\n"


def test_all_rules_are_documented() -> None:
    documents = json.loads(run("rule", "--all", "--output-format", "json").stdout)
    assert [document["code"] for document in documents] == list(catalogue())
    assert all(document["summary"] for document in documents)
    assert (
        json.loads(run("rule", "INI101", "--output-format", "json").stdout)
        == documents[list(catalogue()).index("INI101")]
    )


@pytest.mark.parametrize("arguments", [["INI1001"], [], ["INI101", "--all"]])
def test_an_unknown_rule_exits_with_2(arguments: list[str]) -> None:
    assert run("rule", *arguments).exit_code == 2


def test_the_effective_settings_are_a_configuration_that_can_be_used() -> None:
    Path("pyproject.toml").write_text("[tool.initaudit]\nignore = ['INI104']\n", encoding="utf-8")
    text = run("config").stdout
    assert text.startswith("# ") and "pyproject.toml" in text.splitlines()[0]
    assert 'ignore = ["INI104"]' in text.splitlines()
    Path("initaudit.toml").write_text(text, encoding="utf-8")
    assert run("config").stdout.splitlines()[1:] == text.splitlines()[1:]


def test_the_effective_settings_are_toml_whatever_they_hold() -> None:
    values = '"\\u007f" = inf, "😀" = -inf, "x" = ["\\u007f\\u0001\\"", { y = 1e300 }]'
    Path("initaudit.toml").write_text(f'[[models]]\ntarget = "net:Net"\nkwargs = {{ {values} }}\n', encoding="utf-8")
    text = run("config").stdout
    Path("again.toml").write_text(text, encoding="utf-8")
    assert run("config", "--config", "again.toml").stdout.splitlines()[1:] == text.splitlines()[1:]
    (model,) = read_settings(Path("again.toml")).settings.models
    infinity = float("inf")
    assert model.kwargs == {"\x7f": infinity, "😀": -infinity, "x": ['\x7f\x01"', {"y": 1e300}]}


def test_the_schema_of_the_configuration_is_printed() -> None:
    schema = json.loads(run("config", "--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid({"fail-on": "note"})


def test_the_api_finds_what_the_command_finds() -> None:
    Path("net.py").write_text(
        "import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.weight = nn.Parameter(torch.empty(3))\n",
        encoding="utf-8",
    )
    report = initaudit.check(["net.py"])
    assert [finding.code for finding in report.findings] == ["INI101"]
    assert report.summary.files == 1
    assert initaudit.check(["net.py"], ignore=["INI101"]).findings == ()


def test_without_torch_the_probe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("net.py").write_text("Net = None\n", encoding="utf-8")
    code = "import sys; sys.modules['torch'] = None\nfrom initaudit.cli import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, "probe", "net.py:Net"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "initaudit[probe]" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a:b", "--kwargs", "[1]"],
        ["a:b", "--kwargs", "{"],
        ["a:b", "--input-size", "1,x"],
        ["a:b", "--input-size", "1,-3"],
        ["a:b", "--timeout", "0"],
    ],
)
def test_a_probe_that_cannot_be_run_exits_with_2(arguments: list[str]) -> None:
    assert run("probe", *arguments).exit_code == 2


def test_clean_removes_the_cache_and_nothing_else(inside: Path) -> None:
    cache = inside / "kept"
    (inside / "net.py").write_text("import torch\n", encoding="utf-8")
    assert run("check", "net.py", "--isolated", "--cache-dir", str(cache)).exit_code == 0
    assert (cache / "CACHEDIR.TAG").exists()
    assert run("clean", "--isolated", "--cache-dir", str(cache)).exit_code == 0
    assert not cache.exists()
    assert run("clean", "--isolated", "--cache-dir", str(cache)).exit_code == 0
    outcome = run("clean", "--isolated", "--cache-dir", str(inside))
    assert outcome.exit_code == 2
    assert "not a cache of initaudit" in outcome.stderr
    assert (inside / "net.py").exists()


STANDARD = "Signature: 8a477f597d28d172789f06886806bc55"
OTHERS = {
    "a project": ("net.py", ".git/HEAD", ".gitignore"),
    "the caches of a user": ("pip/wheel", "CACHEDIR.TAG"),
    "another tool's cache": ("CACHEDIR.TAG", ".gitignore", "3.12/net.json"),
}


@pytest.mark.parametrize("names", OTHERS.values(), ids=OTHERS)
def test_a_folder_that_holds_other_things_is_left_as_it_was(inside: Path, names: tuple[str, ...]) -> None:
    (inside / "net.py").write_text("import torch\n", encoding="utf-8")
    folder = inside / "full"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(STANDARD, encoding="utf-8")
    before = sorted(folder.rglob("*"))
    where = ("--isolated", "--cache-dir", str(folder))
    assert run("clean", *where).exit_code == 2
    assert run("check", "net.py", *where).exit_code == 0
    assert {path.suffix for path in folder.rglob("*") if path not in before} == {".msgpack"}
    assert run("clean", *where).exit_code == 0
    assert sorted(folder.rglob("*")) == before
    assert {path.read_text(encoding="utf-8") for path in before if path.is_file()} == {STANDARD}


def test_what_was_put_into_the_cache_survives_it(inside: Path) -> None:
    (inside / "net.py").write_text("import torch\n", encoding="utf-8")
    where = ("--isolated", "--cache-dir", str(inside / "kept"))
    run("check", "net.py", *where)
    (inside / "kept/notes.txt").write_text("mine", encoding="utf-8")
    assert run("clean", *where).exit_code == 0
    assert [path.name for path in (inside / "kept").iterdir()] == ["notes.txt"]


def test_a_cache_in_the_project_does_not_hide_it(inside: Path) -> None:
    (inside / "net.py").write_text("import torch\n", encoding="utf-8")
    for _ in range(2):
        assert "1 file checked" in run("check", "--isolated", "--cache-dir", ".").stderr


def test_without_the_cache_nothing_is_left(inside: Path) -> None:
    (inside / "net.py").write_text("import torch\n", encoding="utf-8")
    run("check", "net.py", "--isolated", "--no-cache", "--cache-dir", str(inside / "kept"))
    assert not (inside / "kept").exists()
