"""Whatever lies under a path: a clear message or silence, never a crash, never the exit code of something else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit import engine, session
from initaudit.analyzer import observe
from initaudit.cli import main
from initaudit.report import FORMATS

HEAD = "import torch\nfrom torch import nn\n"
LAYER = """
class Layer(nn.Module):
    def __init__(self, x):
        super().__init__()
        self.weight = nn.Parameter(torch.{}(3))
        y = {}
"""
RAW = HEAD + LAYER.format("empty", "x")
LEGACY = RAW.replace("empty(3)", "Tensor(3).zero_()")
CLEAN = HEAD + LAYER.format("ones", "x")
DEEP = 10_000
BOTH = pytest.mark.parametrize("jobs", ["1", "2"])


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(name: str | bytes, text: str | bytes = RAW) -> Path:
    path = Path(os.fsdecode(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def write_others(count: int = 50) -> None:
    """Enough files for two processes."""
    for number in range(count):
        write(f"others/n{number:02}.py", CLEAN)


def initaudit(*arguments: str, input: str | bytes | None = None) -> Result:
    outcome = CliRunner().invoke(main, arguments, input=input)
    assert isinstance(outcome.exception, SystemExit | None), outcome.exception
    assert "itself failed" not in outcome.stderr, outcome.stderr
    return outcome


def found(outcome: Result) -> list[tuple[str, str]]:
    return [(finding["filename"], finding["code"]) for finding in json.loads(outcome.stdout)]


def in_json(*arguments: str) -> list[tuple[str, str]]:
    return found(initaudit(*arguments, "--output-format", "json"))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "initaudit", *arguments]


# What is in files


CONTENTS: dict[str, tuple[bytes, list[str]]] = {
    "nothing": (b"", []),
    "binary": (bytes(range(256)) * 20 + b" torch.empty(", ["INI001"]),
    "null": (RAW.encode() + b"x = '\0'\n", ["INI001"]),
    "null_in_class": (RAW.replace("y =", "\0y =").encode(), ["INI001"]),
    "surrogate": (RAW.encode() + b"x = '\xed\xa0\x80'\n", ["INI001"]),
    "halves": (b"# coding: raw_unicode_escape\n" + RAW.encode() + b"x = '\\ud800'\n", ["INI001"]),
    "no_codec": (b"# coding: undefined\n" + RAW.encode(), ["INI001"]),
    "utf_16": (RAW.encode("utf-16"), ["INI001"]),
    "utf_32": (RAW.encode("utf-32-le"), ["INI001"]),
    "utf_16_without_torch": (RAW.replace("torch", "numpy").encode("utf-16"), []),
    "two_marks": (b"\xef\xbb\xbf" * 2 + RAW.encode(), ["INI001"]),
    "carriage_returns": (RAW.replace("\n", "\r").encode(), ["INI101"]),
    "form_feeds": (RAW.replace("\n\n", "\n\f\n\f").encode(), ["INI101"]),
    "tabs": (RAW.replace("    ", "\t").encode(), ["INI101"]),
    "one_line": (b"import torch; x = [" + b"torch.empty(3), " * 20_000 + b"]", []),
    "no_newline": (RAW.rstrip().encode(), ["INI101"]),
    "unclosed_string": (RAW.encode() + b'"""', ["INI001"]),
    "star_of_nothing": (
        HEAD.encode() + b"from . import *\nxs.fill(3)\nclass A(Base):\n    pass\n" + LAYER.format("ones", "x").encode(),
        [],
    ),
    "unpaired": (HEAD.encode() + b"def f(:\n    self.w = nn.Parameter(torch.empty(3))\n", ["INI001"]),
}


@BOTH
def test_junk_is_read_or_refused_and_the_files_beside_it_are_checked(jobs: str) -> None:
    for name, (raw, _) in CONTENTS.items():
        write(f"{name}.py", raw)
    write("good.py")
    write_others()
    expected = [(f"{name}.py", code) for name, (_, codes) in CONTENTS.items() for code in codes]
    outcome = initaudit("-j", jobs, "--output-format", "json")
    assert sorted(found(outcome)) == sorted([*expected, ("good.py", "INI101")])
    assert outcome.exit_code == 1


NESTED = {
    "brackets": "(" * DEEP + "1" + ")" * DEEP,
    "layers": "nn.Sequential(" * DEEP + ")" * DEEP,
    "sums": " + ".join(["x"] * DEEP),
    "signs": "-" * DEEP + "x",
    "attributes": "x" + ".a" * DEEP,
    "alternatives": "1 if x else " * DEEP + "2",
}


@BOTH
def test_what_nests_10000_deep_is_said_not_to_be_followed(jobs: str) -> None:
    for name, expression in NESTED.items():
        write(f"{name}.py", HEAD + LAYER.format("empty", expression))
        write(f"{name}_and_a_fault.py", HEAD + LAYER.format("empty", expression) + "        z = = 1\n")
    write("good.py")
    write_others()
    outcome = initaudit("-j", jobs, "--show-unknown", "--output-format", "json")
    spoken_of = {name for name, _ in found(outcome)} | {line.split(":")[0] for line in outcome.stderr.splitlines()}
    assert {f"{name}.py" for name in NESTED} | {f"{name}_and_a_fault.py" for name in NESTED} <= spoken_of
    assert ("good.py", "INI101") in found(outcome)
    assert outcome.exit_code == 1


def test_a_file_of_100000_lines_is_read() -> None:
    names = "".join(f"    name{number},\n" for number in range(40_000))
    rows = "".join(f"    'key {number}': {number},\n" for number in range(30_000))
    path = write(
        "net.py", f"from names import (\n{names})\n{HEAD}TABLE = {{\n{rows}}}\n" + "# nothing\n" * 30_000 + RAW
    )
    (finding,) = json.loads(initaudit("--output-format", "json").stdout)
    text = path.read_text(encoding="utf-8").split("\n")
    assert len(text) > 100_000
    assert "torch.empty" in text[finding["location"]["row"] - 1]


MANY = {
    "raw": """
class Net{0}(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty({0}))
""",
    "uncalled": """
class Net{0}(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight{0} = nn.Parameter(torch.empty(3))

    def reset(self):
        nn.init.zeros_(self.weight{0})
""",
    "undefined": """
for name, parameter in net{0}.named_parameters():
    nn.init.zeros_(parameter)
""",
    "padded": """
class Net{0}(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 4, padding_idx=0)
        nn.init.normal_(self.words.weight)
""",
}


@pytest.mark.parametrize(
    ("kind", "code"), [("raw", "INI101"), ("uncalled", "INI101"), ("undefined", "INI301"), ("padded", "INI505")]
)
def test_a_file_with_a_thousand_of_a_kind_is_read_to_its_end(kind: str, code: str) -> None:
    write("net.py", HEAD + "".join(MANY[kind].format(number) for number in range(1, 1_001)))
    assert [each["code"] for each in json.loads(initaudit("--output-format", "json").stdout)] == [code] * 1_000


@pytest.mark.parametrize("flag", ["--fix", "--diff", "--add-ignore"])
def test_a_file_that_nests_too_deep_is_not_fixed_blindly(flag: str) -> None:
    path = write("deep.py", LEGACY + f"x = {NESTED['brackets']}\n")
    before = path.read_bytes()
    outcome = initaudit(flag, "--select", "INI104")
    assert outcome.exit_code != 0
    assert path.read_bytes() == before


def test_a_fix_in_a_file_whose_syntax_is_broken_elsewhere_says_so() -> None:
    path = write("net.py", f"{LEGACY}def f(:\n")
    outcome = initaudit("--fix")
    assert outcome.exit_code == 1
    assert "net.py:9:7: error: INI001" in initaudit("--output-format", "concise").stdout
    assert path.read_text(encoding="utf-8") == f"{LEGACY}def f(:\n"


@BOTH
def test_classes_and_files_that_lead_to_each_other_end(jobs: str) -> None:
    base = "class {}({}):\n    def __init__(self):\n        self.w = nn.Parameter(torch.empty(3))\n"
    write("pkg/__init__.py", "from .one import *\nfrom .two import *\n")
    write("pkg/one.py", f"{HEAD}from .two import B, name\n{base.format('A', 'B')}")
    write("pkg/two.py", f"{HEAD}from .one import A, name\nfrom . import *\n{base.format('B', 'A')}")
    write("pkg/self.py", f"{HEAD}from .self import C\n{base.format('C', 'C')}")
    write("good.py")
    write_others()
    assert in_json("-j", jobs) == [("good.py", "INI101")]


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("deep.ipynb", b'{"torch": ' + b"[" * 100_000),
        ("deep_cells.ipynb", b'{"cells": ' + b'[{"source": ' * 50_000 + b" torch"),
        ("half.ipynb", b'{"cells": [{"cell_type": "code", "source": ["import torch\\ud800"]}]}'),
        ("bytes.ipynb", b'{"cells": [{"cell_type": "code", "source": ["torch \xff"]}]}'),
    ],
)
def test_a_notebook_that_is_none_is_a_finding(name: str, raw: bytes) -> None:
    write(name, raw)
    assert in_json() == [(name, "INI001")]


@pytest.mark.parametrize("ending", ["```python", "```python\n", "> ```python\n> torch\n", "~~~ python\r"])
def test_markdown_may_end_in_a_block(ending: str) -> None:
    write("doc.md", f"```python\n{RAW}```\n\n{ending}")
    assert in_json("doc.md") == [("doc.md", "INI101")]


@pytest.mark.parametrize(
    ("name", "raw", "flags"),
    [
        ("initaudit.toml", b"select = " + b"[" * 100_000, ()),
        ("initaudit.toml", b"exclude = ['!']", ()),
        ("initaudit.toml", b"per-file-ignores = { '[z-a]' = ['INI101'] }", ()),
        ("known.json", b'{"x": ' + b"[" * 100_000, ("--baseline", "known.json")),
        ("known.json", b'{"findings": [{"fingerprint": "\xff"}]}', ("--baseline", "known.json")),
        ("net.py", RAW.encode(), ("--exclude", "[z-a]")),
    ],
)
def test_what_a_run_is_told_by_a_file_or_a_flag_may_be_junk(name: str, raw: bytes, flags: tuple[str, ...]) -> None:
    write("net.py")
    write(name, raw)
    outcome = initaudit(*flags)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("initaudit: error: ")
    assert len(outcome.stderr.splitlines()) == 1


def test_lines_of_a_gitignore_that_mean_nothing_are_passed_over(recwarn: pytest.WarningsRecorder) -> None:
    write(".gitignore", b"[z-a]\n!\n\\\n[[:x:]]\n\xff\0\nold\n")
    write("net.py")
    write("old/net.py")
    assert in_json() == [("net.py", "INI101")]
    assert not list(recwarn)


# What is in folders


@BOTH
def test_links_in_circles_hide_nothing(jobs: str) -> None:
    write("net.py")
    write("pkg/__init__.py", "")
    write("pkg/net.py")
    for name, target in {
        "itself.py": "itself.py",
        "itself": "itself",
        "one": "two",
        "two": "one",
        "nowhere.py": "gone.py",
        ".gitignore": ".gitignore",
        "pyproject.toml": "pyproject.toml",
        "pkg/itself.py": "itself.py",
        "pkg/up": "..",
        "pkg/nowhere": "gone",
    }.items():
        Path(name).symlink_to(target)
    write_others()
    assert in_json("-j", jobs) == [("net.py", "INI101"), ("pkg/net.py", "INI101")]


def test_a_link_in_a_circle_that_is_named_leads_nowhere() -> None:
    Path("itself.py").symlink_to("itself.py")
    outcome = initaudit("itself.py")
    assert outcome.exit_code == 2
    assert "itself.py" in outcome.stderr


@BOTH
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_nobody_waits_for_a_pipe(jobs: str) -> None:
    write("pkg/__init__.py", "")
    write("pkg/net.py")
    write("pkg/other.py", f"from pkg.pipe import Base\n{RAW.replace('nn.Module', 'Base')}")
    os.mkfifo("pkg/pipe.py")
    Path("pkg/link.py").symlink_to("pipe.py")
    write_others()
    assert in_json("-j", jobs) == [("pkg/net.py", "INI101")]
    outcome = initaudit("pkg/pipe.py", "-j", jobs)
    assert (outcome.exit_code, outcome.stderr) == (2, "initaudit: error: pkg/pipe.py: neither a file nor a folder\n")


def test_a_folder_may_be_called_like_a_file() -> None:
    write("net.py/layer.py")
    write("net.py/__init__.py/none.txt")
    write("pkg/__init__.py", "")
    write("pkg/a.py", f"from pkg.folder import Base\n{RAW}")
    Path("pkg/folder.py").mkdir()
    assert in_json() == [("net.py/layer.py", "INI101"), ("pkg/a.py", "INI101")]


NAMES = [
    b"a b.py",
    b"new\nline.py",
    b"n\xe9t.py",
    b"\xc3\xa9.py",
    b"q'\"<&>%:,;.py",
    b"escape\x1b.py",
    b"-j.py",
    b".py",
]


@BOTH
@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes")
def test_files_may_have_any_name(jobs: str) -> None:
    for name in NAMES:
        write(name)
    write_others()
    fresh, kept = (initaudit("-j", jobs, "--output-format", "concise") for _ in range(2))
    assert len(fresh.stdout.splitlines()) == len(NAMES)
    assert fresh.stdout == kept.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes")
def test_every_report_takes_files_of_any_name() -> None:
    for name in NAMES:
        write(name)
    for form in FORMATS:
        assert initaudit("--output-format", form).exit_code == 1
    assert initaudit("baseline").exit_code == 0
    assert initaudit("--baseline", ".initaudit-baseline.json").exit_code == 0
    assert initaudit("--add-ignore").exit_code == 0
    assert initaudit().exit_code == 0


@pytest.fixture
def deep_folder() -> Iterator[Path]:
    """Too many folders in one another for a function that calls itself, and for ``shutil``."""
    if os.name != "posix":
        pytest.skip("needs paths of any length")
    folders = [Path("d/" * depth) for depth in range(1, 700)]
    for folder in folders:
        folder.mkdir()
    yield folders[-1]
    subprocess.run(["rm", "-r", "d"], check=True)


def test_folders_may_lie_in_one_another_many_times(deep_folder: Path) -> None:
    assert initaudit("d").stderr == "initaudit: error: no Python file under d\n"
    net = write(f"{deep_folder}/net.py")
    assert in_json("d") == [(str(net), "INI101")]
    outcome = initaudit("d", "--exclude", "d/d/d")
    assert (outcome.exit_code, outcome.stdout) == (0, "")


@pytest.mark.parametrize("path", ["a" * 300 + ".py", "a/" * 3000 + "b.py", "net.py/x.py"])
def test_a_path_that_cannot_exist_does_not(path: str) -> None:
    write("net.py")
    outcome = initaudit(path)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(f"initaudit: error: {path}: ")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes")
def test_changes_are_found_in_files_of_any_name() -> None:
    Path(".git").rmdir()
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    names = [*NAMES, b'quo"te.py', b"back\\slash.py", b"t\tab.py", b"\a\x01.py"]
    paths = [write(name) for name in names]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    write("aaa.py", RAW)
    assert len(in_json("--diff-base", "HEAD")) == 1
    for path in paths:
        path.write_text(f"{RAW}\n++ b/elsewhere.py\n{RAW.replace('Layer', 'Other')}", encoding="utf-8")
    rows = [
        finding["location"]["row"]
        for finding in json.loads(initaudit("--diff-base", "HEAD", "--output-format", "json").stdout)
    ]
    assert len([row for row in rows if row > len(RAW.splitlines())]) == len(names)
    assert len(rows) == len(names) + 1


def test_a_parameter_may_have_a_name_that_is_no_text() -> None:
    write("net.py", RAW + "        self.register_parameter('\\ud800\\x1b', nn.Parameter(torch.empty(3)))\n")
    for form in FORMATS:
        assert initaudit("--output-format", form).exit_code == 1


# What may not be read or written


@pytest.fixture
def bound_by_permissions() -> list[str]:
    """What a command begins with so that permissions bind it, also when the tests run as root."""
    if os.name != "posix":
        pytest.skip("needs permissions as POSIX has them")
    prefix: list[str] = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv") or pytest.skip("permissions do not bind root")
        prefix = [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
    probe = write("forbidden", b"")
    probe.chmod(0)
    if subprocess.run([*prefix, "cat", "forbidden"], capture_output=True, check=False).returncode == 0:
        pytest.skip("permissions do not bind here")
    probe.unlink()
    return prefix


Bound = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def bound(bound_by_permissions: list[str], inside: Path) -> Iterator[Bound]:
    """Runs the command where some files or folders have other permissions."""

    def run(*arguments: str, **modes: int) -> subprocess.CompletedProcess[str]:
        for name, mode in modes.items():
            Path(name.replace("__", "/")).chmod(mode)
        return subprocess.run(
            [*bound_by_permissions, *command(*arguments)], capture_output=True, text=True, check=False, timeout=100
        )

    yield run
    inside.chmod(0o700)
    for path in sorted(inside.rglob("*")):
        path.chmod(0o700)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_an_unreadable_folder_is_said_and_everything_else_is_checked(bound: Bound, mode: int) -> None:
    write("net.py")
    write("secret/net.py")
    done = bound("--output-format", "concise", secret=mode)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["net.py"]
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] in (
        f"initaudit: error: {name}: cannot be read" for name in ("secret", "secret/net.py")
    )


@pytest.mark.parametrize("path", ["secret", "secret/net.py", "secret/none"])
def test_an_unreadable_folder_that_is_named_cannot_be_read(bound: Bound, path: str) -> None:
    write("secret/net.py")
    done = bound(path, secret=0o000)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"initaudit: error: {path}: cannot be read\n")


def test_files_that_a_run_could_do_without_may_be_unreadable(bound: Bound) -> None:
    write("net.py")
    write("pkg/__init__.py", "")
    write("pkg/net.py", f"from pkg.base import Base\n{RAW.replace('nn.Module', 'Base')}")
    write(".gitignore", "pkg/base.py")
    write("pkg/base.py")
    write(".git/info/exclude", "")
    done = bound("--output-format", "concise", **{".gitignore": 0, "pkg__base.py": 0, ".git__info": 0})
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["net.py"]
    assert done.returncode == 2  # since nobody knows that it is ignored
    assert "pkg/base.py: cannot be read" in done.stderr


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_cache_that_may_not_be_used_costs_time_only(bound: Bound, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INITAUDIT_CACHE_DIR")
    write("net.py")
    Path(".initaudit_cache").mkdir()
    done = bound("--output-format", "concise", **{".initaudit_cache": mode})
    assert (done.returncode, done.stdout.split(":")[0]) == (1, "net.py")
    assert done.stderr.splitlines()[0] == "1 file checked, 0 skipped, 0 not decided; 1 error."
    assert "cache" not in done.stderr


@pytest.mark.parametrize("arguments", [("baseline",), ("--fix",), ("--add-ignore",), ("-o", "out.json")])
def test_what_may_not_be_written_is_said(bound: Bound, arguments: tuple[str, ...]) -> None:
    write("net.py", LEGACY)
    done = bound(*arguments, **{".": 0o555})
    assert done.returncode == 2
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


# What changes during a run


@pytest.fixture
def once_found(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Does something between the moment in which files are found and that in which they are read."""

    def arrange(change: Callable[[], object]) -> None:
        find = session.find_files

        def find_and_change(*arguments: object) -> object:
            files = find(*arguments)  # type: ignore[arg-type]
            change()
            return files

        monkeypatch.setattr(session, "find_files", find_and_change)

    return arrange


@BOTH
@pytest.mark.parametrize("flag", ["--no-fix", "--fix", "--diff", "--add-ignore"])
def test_a_file_that_is_gone_is_passed_over(once_found: Callable[..., None], jobs: str, flag: str) -> None:
    gone, code = write("gone.py", LEGACY), 0 if flag == "--add-ignore" else 1
    write("net.py")
    write("pkg/__init__.py", "")
    base = write("pkg/base.py")
    write("pkg/net.py", f"from pkg.base import Layer as Base\n{RAW.replace('nn.Module', 'Base')}")
    write_others()
    once_found(lambda: (gone.unlink(), base.unlink()))
    outcome = initaudit("-j", jobs, *([] if flag == "--no-fix" else [flag]))
    assert outcome.exit_code == code
    assert "gone.py" not in outcome.stdout + outcome.stderr


@BOTH
def test_a_file_that_can_no_longer_be_read_is_said_and_the_others_are_checked(
    once_found: Callable[..., None], jobs: str
) -> None:
    path = write("gone.py")
    write("net.py")
    write_others()
    once_found(lambda: (path.unlink(), path.mkdir()))
    for _ in range(2):  # the second time with what the first has kept
        outcome = initaudit("gone.py", "net.py", "others", "-j", jobs, "--output-format", "json")
        assert found(outcome) == [("net.py", "INI101")]
        assert outcome.exit_code == 2
        assert "initaudit: error: gone.py: Is a directory\n" in outcome.stderr
        path.rmdir()
        path.write_text(CLEAN, encoding="utf-8")


@pytest.mark.parametrize("flag", ["--fix", "--diff"])
@pytest.mark.parametrize("after", ["", "\n\n", "\0", CLEAN])
def test_a_file_that_changes_before_it_is_fixed_is_left_alone(
    flag: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, run = write("net.py", LEGACY), engine.run

    def run_and_change(*arguments: object) -> engine.Report:
        report = run(*arguments)  # type: ignore[arg-type]
        path.write_text(after, encoding="utf-8")
        return report

    monkeypatch.setattr(engine, "run", run_and_change)
    outcome = initaudit(flag)
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("initaudit: error: net.py: ")
    assert path.read_text(encoding="utf-8") == after


# What goes wrong here


@BOTH
def test_a_fault_of_the_tool_in_one_file_does_not_take_the_others_with_it(
    jobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = observe.read

    def fail(*arguments: object) -> object:
        if arguments[1] == "bad.py":
            raise IndexError("list index out of range")
        return read(*arguments)  # type: ignore[arg-type]

    write("bad.py")
    write("net.py")
    write_others()
    with monkeypatch.context() as patch:
        patch.setattr(observe, "read", fail)
        outcome = CliRunner().invoke(main, ["-j", jobs, "--output-format", "json"])
    assert found(outcome) == [("net.py", "INI101")]
    assert outcome.exit_code == 2
    assert (
        "bad.py: initaudit itself failed here, please report it: IndexError: list index out of range ("
        in outcome.stderr
    )
    assert in_json("-j", jobs) == [("bad.py", "INI101"), ("net.py", "INI101")]


def test_a_fault_of_the_tool_has_the_exit_code_of_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    write("net.py")
    monkeypatch.setattr(engine, "run", lambda *_: 1 / 0)
    outcome = CliRunner().invoke(main, ["net.py"])
    assert outcome.exit_code == 2
    assert "ZeroDivisionError" in outcome.stderr
    assert outcome.stderr.endswith("initaudit: error: initaudit itself failed; please report the traceback above\n")


WITH_WORKERS = """
import multiprocessing, os, signal, threading
from initaudit.analyzer import workers
from initaudit.cli import main

event = threading.Event()

def read_all(self, filenames):
    {}

signal.signal(signal.SIGINT, signal.default_int_handler)  # which who started the tests may have had ignored
multiprocessing.set_start_method("fork")
workers.Reader.read_all = read_all
main(["check", ".", "-j", "2", "--no-cache"])
"""
BLOCKED = (
    'first = not hasattr(self, "at_work"); self.at_work = first; first and (os.write(1, b"x"), event.wait()); return []'
)
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are copies of their parent")


def start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WITH_WORKERS.format(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@FORKS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_leaves_no_process_behind(number: signal.Signals) -> None:
    write_others()
    with start(BLOCKED) as run:
        assert run.stdout is not None
        assert run.stdout.read(1) == b"x"  # a worker is at work
        run.send_signal(number)
        run.communicate(timeout=60)  # ends when the last of them has closed its standard output
    assert run.returncode == -number


@FORKS
def test_a_run_that_is_interrupted_says_so() -> None:
    write_others()
    with start(BLOCKED) as run:
        assert run.stdout is not None
        assert run.stdout.read(1) == b"x"
        os.killpg(run.pid, signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.decode() == "initaudit: interrupted\n"  # and not what each process was doing


WAITING = """
import io, signal, sys
from initaudit.cli import main

class Waiting(io.BytesIO):
    def read(self, size=-1):
        print(end="x", flush=True)
        return sys.__stdin__.buffer.read(size)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.stdin = io.TextIOWrapper(Waiting())
main(["check", "-"])
"""


def test_a_run_that_is_interrupted_while_it_reads_standard_input_says_so() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.read(1) == b"x"
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.decode() == "initaudit: interrupted\n"


@FORKS
def test_a_worker_that_is_killed_ends_the_run_with_a_message() -> None:
    write_others()
    with start("os.kill(os.getpid(), signal.SIGKILL)") as run:
        output, errors = run.communicate(timeout=60)
    assert (run.returncode, output) == (2, b"")
    assert errors.decode() == (
        "initaudit: error: a worker process was killed; `-j 1` uses a single process and less memory\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_report_that_cannot_be_written_is_an_error() -> None:
    write("net.py")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command("net.py"), stdout=full, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (2, b"initaudit: error: standard output: No space left on device\n")
        done = subprocess.run(command("net.py"), stdout=subprocess.PIPE, stderr=full, check=False)
        assert done.returncode == 1


@pytest.mark.parametrize(("text", "expected"), [(RAW, 1), (CLEAN, 0)])
def test_the_exit_code_holds_when_nobody_reads_the_report(text: str, expected: int) -> None:
    write("net.py", text)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command("net.py"), stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.returncode == expected
    summary, *hint = done.stderr.decode().splitlines()
    assert summary.startswith("1 file checked")
    assert len(hint) == expected


STARS = "*a" * 12 + "x"


@pytest.mark.parametrize(
    ("files", "flags"),
    [
        ({"initaudit.toml": f'exclude = ["{STARS}"]'}, ()),
        ({"initaudit.toml": f'extend-exclude = ["**/{STARS}/**"]'}, ()),
        ({"initaudit.toml": f'per-file-ignores = {{ "{STARS}" = ["INI101"] }}'}, ()),
        ({".gitignore": STARS}, ()),
        ({".gitignore": f"!{STARS}\n/{STARS}/"}, ()),
        ({}, ("--exclude", STARS)),
        ({}, ("--per-file-ignores", f"{STARS}:INI101")),
    ],
)
def test_a_pattern_of_many_stars_ends_wherever_it_stands(files: dict[str, str], flags: tuple[str, ...]) -> None:
    for name, text in files.items():
        write(name, text)
    long = "a" * 200
    write(f"{long}/{long}.py")
    assert in_json(*flags) == [(f"{long}/{long}.py", "INI101")]
