"""`initaudit check`, as a person or a hook runs it."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main
from initaudit.rules import catalogue
from initaudit.rules.base import ANALYZER, Default

RAW = """\
import torch as t
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(t.empty(3, 4))
"""
LEGACY = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(3, 4))
        nn.init.ones_(self.weight)
"""
CLEAN = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 4))
"""
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def initaudit(*arguments: str, input: str | bytes | None = None) -> Result:
    outcome = CliRunner().invoke(main, arguments, input=input)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome


def write(name: str, text: str = RAW) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return name


def findings(outcome: Result) -> list[tuple[str, str]]:
    """The code and file of each finding in JSON."""
    return [(finding["code"], finding["filename"]) for finding in json.loads(outcome.stdout)]


def in_json(*arguments: str, input: str | None = None) -> list[tuple[str, str]]:
    return findings(initaudit(*arguments, "--output-format", "json", input=input))


def test_bare_paths_mean_check() -> None:
    write("src/net.py")
    assert initaudit("src").stdout == initaudit("check", "src").stdout
    assert initaudit("--output-format", "concise", "src").stdout.startswith("src/net.py:8:36: error: INI101 ")


def test_no_path_means_the_current_folder() -> None:
    write("src/net.py")
    assert in_json() == [("INI101", "src/net.py")]


def test_the_command_runs_as_a_module() -> None:
    write("net.py")
    done = subprocess.run([sys.executable, "-m", "initaudit", "net.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "INI101" in done.stdout
    summary, hint = done.stderr.splitlines()
    assert summary == "1 file checked, 0 skipped, 0 not decided; 1 error."
    assert hint.startswith("next: ")


def test_findings_go_to_standard_output_and_the_summary_to_standard_error() -> None:
    write("net.py")
    outcome = initaudit("net.py", "--output-format", "json")
    assert len(json.loads(outcome.stdout)) == 1
    assert "1 file checked" in outcome.stderr
    assert initaudit("net.py", "-q").stderr == ""


def test_clean_files_exit_with_0_and_say_that_they_were_checked() -> None:
    write("net.py", CLEAN)
    outcome = initaudit("net.py")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr == "1 file checked, 0 skipped, 0 not decided; nothing found.\n"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], 0),
        (["--fail-on", "error"], 0),
        (["--fail-on", "note"], 1),
        (["--fail-on", "note", "--exit-zero"], 0),
    ],
)
def test_notes_fail_only_when_asked_to(flags: list[str], expected: int) -> None:
    write("net.py", LEGACY)
    outcome = initaudit("net.py", *flags)
    assert "INI104" in outcome.stdout
    assert outcome.exit_code == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing"], ["missing", "no such file or folder"]),
        (["empty"], ["no Python file under empty"]),
        (["src", "--select", "INI1001"], ["unknown rule `INI1001`", "did you mean `INI101`"]),
        (["src", "--ignore", "uninitialised-parameter"], ["did you mean `uninitialized-parameter`"]),
        (["src", "--per-file-ignores", "tests/**:INI9999"], ["unknown rule `INI9999`"]),
        (["src", "--per-file-ignores", "tests/**:"], ["'tests/**:' names no rule"]),
        (["src", "--selct", "INI101"], ["--selct"]),
        (["src", "--output-format", "xml"], ["xml"]),
        (["src", "--statistics", "--output-format", "sarif"], ["--statistics", "not sarif"]),
        (["src", "--baseline", "none.json"], ["none.json", "initaudit baseline"]),
        (["src", "--config", "none.toml"], ["none.toml"]),
        (["src", "--probe"], ["nothing to build"]),
        (["src", "--diff-base", "no-such-revision"], ["no-such-revision"]),
        (["src", "--diff-base", ""], ["not a revision"]),
        (["src", "--output-file", "no/such/folder"], ["no/such/folder"]),
        (["-", "src"], ["standard input"]),
    ],
)
def test_what_cannot_be_done_exits_with_2_and_says_why(arguments: list[str], words: list[str]) -> None:
    write("src/net.py")
    Path("empty").mkdir()
    outcome = initaudit(*arguments)
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert all(word in outcome.stderr for word in words), outcome.stderr
    assert initaudit(*arguments, "--exit-zero").exit_code == 2


def test_a_mistake_in_the_configuration_exits_with_2() -> None:
    write("net.py", CLEAN)
    write("pyproject.toml", "[tool.initaudit]\nselct = ['INI1']\n")
    outcome = initaudit("net.py")
    assert outcome.exit_code == 2
    assert "unknown key `selct`; did you mean `select`?" in outcome.stderr


def test_files_that_are_all_excluded_exit_with_0() -> None:
    write("gen/net.py")
    outcome = initaudit("gen/net.py", "--force-exclude", "--exclude", "gen")
    assert outcome.exit_code == 0
    assert outcome.stderr == "0 files checked, 1 skipped, 0 not decided; nothing found.\n"
    assert initaudit(".", "--exclude", "gen").exit_code == 0


def test_a_named_file_is_checked_although_it_is_excluded() -> None:
    write("gen/net.py")
    assert in_json("gen/net.py", "--exclude", "gen") == [("INI101", "gen/net.py")]


def test_a_file_with_a_syntax_error_is_a_finding_and_the_others_are_checked() -> None:
    write("src/broken.py", "import torch\nw = torch.empty(3\n")
    write("src/net.py")
    outcome = initaudit("src", "--output-format", "json")
    assert findings(outcome) == [("INI001", "src/broken.py"), ("INI101", "src/net.py")]
    assert outcome.exit_code == 1


@pytest.mark.parametrize(
    ("head", "codec", "newline"),
    [
        ("", "utf-8-sig", "\n"),
        ("# -*- coding: latin-1 -*-\n", "latin-1", "\n"),
        ("", "utf-8", "\r\n"),
        ("", "utf-8", "\r"),
    ],
    ids=["byte-order-mark", "cookie", "crlf", "cr"],
)
def test_encodings_and_newlines_do_not_move_a_finding(head: str, codec: str, newline: str) -> None:
    text = f"{head}'é'\n{LEGACY}"
    Path("net.py").write_bytes(text.replace("\n", newline).encode(codec))
    (finding,) = json.loads(initaudit("net.py", "--output-format", "json").stdout)
    assert finding["location"] == {"row": 9 + bool(head), "column": 36}
    assert initaudit("net.py", "--fix").exit_code == 0
    assert Path("net.py").read_bytes() == (
        text.replace("torch.Tensor(3, 4)", "torch.empty(3, 4)").replace("\n", newline).encode(codec)
    )


def test_a_file_that_is_no_text_is_a_finding() -> None:
    Path("net.py").write_bytes(RAW.encode() + b"name = '\xe9'\n")
    assert in_json("net.py") == [("INI001", "net.py")]


def test_selection_flags_choose_rules() -> None:
    write("net.py", RAW + LEGACY.replace("Net", "Old"))
    assert {code for code, _ in in_json()} == {"INI101", "INI104"}
    assert {code for code, _ in in_json("--select", "INI104")} == {"INI104"}
    assert {code for code, _ in in_json("--select", "correctness,INI104", "--ignore", "INI101")} == {"INI104"}
    assert {code for code, _ in in_json("--per-file-ignores", "net.py:INI101,INI104")} == set()


def test_rules_that_are_not_on_by_default_can_be_asked_for() -> None:
    rules = catalogue().values()
    off, preview = (
        next(rule for rule in rules if rule.default is default and rule.observers >= ANALYZER)
        for default in (Default.OFF, Default.PREVIEW)
    )
    write("off.py", off.invalid[0].text())
    write("preview.py", preview.invalid[0].text())
    codes = {code for code, _ in in_json()}
    assert {code for code, _ in in_json("--extend-select", off.code)} == codes | {off.code}
    assert {code for code, _ in in_json("--preview")} >= codes | {preview.code}


def test_an_observer_that_is_still_tried_looks_with_preview_only(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = catalogue()["INI201"]
    monkeypatch.setattr(type(tried), "trying", ANALYZER)
    write("net.py", tried.invalid[0].text())
    assert in_json("--select", tried.code) == []
    assert in_json("--select", tried.code, "--preview") == [(tried.code, "net.py")]


def test_more_can_be_excluded_and_more_processes_find_the_same() -> None:
    for number in range(30):
        write(f"src/net{number}.py")
    assert in_json("-j", "2") == in_json("-j", "1")
    assert len(in_json("--extend-exclude", "net1*.py")) == 30 - 11


@pytest.mark.parametrize(
    "pattern", ["./pkg/net.py", "/pkg/net.py", "{here}/pkg/net.py", "{here}/pkg/", "../*/pkg/n*.py"]
)
def test_files_can_be_meant_by_their_paths(pattern: str, inside: Path) -> None:
    write("pkg/net.py")
    write("other/pkg/net.py")
    write("initaudit.toml", "")
    pattern = pattern.format(here=inside)
    others = [("INI101", "other/pkg/net.py")]
    assert in_json("--exclude", pattern) == others
    assert in_json("--per-file-ignores", f"{pattern}:INI1") == others
    write("initaudit.toml", f"exclude = ['{pattern}']")
    assert in_json() == others
    write("initaudit.toml", f"per-file-ignores = {{ '{pattern}' = ['INI101'] }}")
    assert in_json() == others


@pytest.mark.parametrize("flag", ["--select", "--ignore", "--exclude", "--extend-select"])
@pytest.mark.parametrize("value", ["", " ", ","])
def test_a_list_of_nothing_is_refused(flag: str, value: str) -> None:
    write("net.py")
    outcome = initaudit("net.py", flag, value)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert f"'{flag}': '{value}' is an empty list" in outcome.stderr


def test_verbose_names_the_configuration_and_the_files() -> None:
    write("net.py", CLEAN)
    write("pkg/net.py", CLEAN)
    write("initaudit.toml", "ignore = ['INI104']\n")
    assert "initaudit.toml\nchecked: net.py\nchecked: pkg/net.py\n" in initaudit("-v").stderr
    assert "net.py" not in initaudit().stderr


def test_the_closest_configuration_decides_for_a_file() -> None:
    write("pkg/net.py")
    write("pkg/sub/net.py")
    write("pyproject.toml", "[tool.initaudit.per-file-ignores]\n'pkg/net.py' = ['INI101']\n")
    assert in_json() == [("INI101", "pkg/sub/net.py")]
    write("pkg/sub/initaudit.toml", "ignore = ['INI101']\n")
    assert in_json() == []
    assert len(in_json("--isolated")) == 2


def test_suppressions_hide_findings_unless_they_are_set_aside() -> None:
    write("net.py", RAW.replace("4))", "4))  # initaudit: ignore[INI101] the loader fills it"))
    outcome = initaudit("net.py")
    assert outcome.exit_code == 0
    assert "1 suppressed" in outcome.stderr
    assert in_json("--ignore-noqa") == [("INI101", "net.py")]


def test_a_suppression_for_a_whole_file_may_name_codes() -> None:
    write("net.py", "# initaudit: ignore-file[INI104]\n" + RAW + LEGACY.replace("Net", "Old"))
    assert in_json("net.py") == [("INI101", "net.py")]
    write("net.py", "# initaudit: ignore-file[INI104]\n" + RAW)
    assert in_json("net.py") == [("INI002", "net.py"), ("INI101", "net.py")]


def test_add_ignore_suppresses_every_finding() -> None:
    write("net.py")
    outcome = initaudit("--add-ignore")
    assert (outcome.exit_code, outcome.stderr) == (0, "1 finding suppressed.\n")
    assert "4))  # initaudit: ignore[INI101]\n" in Path("net.py").read_text(encoding="utf-8")
    assert in_json() == []


def test_standard_input_gets_its_suppressions_on_standard_output() -> None:
    write("net.py", CLEAN)
    ignored = RAW.replace("(3, 4))", "(3, 4))  # initaudit: ignore[INI101]")
    for text, expected in ((RAW, ignored), (CLEAN, CLEAN), (ignored, ignored), ("x = (", "x = (")):
        outcome = initaudit("-", "--add-ignore", "--stdin-filename", "net.py", input=text)
        assert outcome.stdout == expected
    assert Path("net.py").read_text(encoding="utf-8") == CLEAN


def test_fix_mends_what_is_safe_and_reports_what_remains() -> None:
    write("net.py", LEGACY + RAW.replace("Net", "Other"))
    outcome = initaudit("net.py", "--fix", "--output-format", "concise")
    assert Path("net.py").read_text(encoding="utf-8") == LEGACY.replace("Tensor", "empty") + RAW.replace("Net", "Other")
    assert [line.split()[2] for line in outcome.stdout.splitlines()] == ["INI101"]
    assert "1 error, 1 fixed" in outcome.stderr


def test_fixes_that_may_change_behaviour_are_applied_when_asked_for() -> None:
    example = catalogue()["INI302"].invalid[0]
    write("net.py", example.text())
    initaudit("net.py", "--fix")
    assert Path("net.py").read_text(encoding="utf-8") == example.text()
    initaudit("net.py", "--fix", "--unsafe-fixes")
    assert example.fixed is not None
    assert Path("net.py").read_text(encoding="utf-8") == inspect.cleandoc(example.fixed) + "\n"


@pytest.mark.parametrize("flag", ["--fix", "--add-ignore"])
def test_a_file_that_is_read_only_stays_as_it_is(flag: str) -> None:
    write("net.py", LEGACY)
    write("other.py", LEGACY)
    Path("net.py").chmod(0o444)
    outcome = initaudit(flag)
    assert outcome.exit_code == 2
    assert "initaudit: error: net.py: Permission denied: it is read-only; nothing was changed\n" in outcome.stderr
    assert Path("net.py").read_text(encoding="utf-8") == LEGACY
    assert Path("other.py").read_text(encoding="utf-8") != LEGACY


def test_diff_is_a_patch_and_changes_nothing() -> None:
    write("net.py", LEGACY)
    outcome = initaudit("net.py", "--diff")
    assert Path("net.py").read_text(encoding="utf-8") == LEGACY
    Path("mend.patch").write_text(outcome.stdout, encoding="utf-8")
    subprocess.run(["git", "apply", "-p0", "mend.patch"], check=True)
    assert Path("net.py").read_text(encoding="utf-8") == LEGACY.replace("Tensor", "empty")


USELESS_TWICE = LEGACY.replace("ones_(self.weight)", "ones_(self.weight)  # initaudit: ignore[INI201]  # noqa: INI202")
"""What takes two rounds to fix."""


@pytest.mark.parametrize("command", [["git", "apply", "-p0"], ["patch", "-p0", "-s", "-i"]], ids=lambda one: one[0])
def test_a_diff_is_what_fix_writes_whatever_files_hold_and_are_called(command: list[str], tmp_path: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    contents = {
        "plain.py": USELESS_TWICE.encode(),
        "one folder/ü net.py": USELESS_TWICE.encode(),
        'quoted "net"\\.py': USELESS_TWICE.encode(),
        "latin.py": b"# coding: latin-1\n# \xe9\n" + USELESS_TWICE.encode(),
        "first.py": b"\xef\xbb\xbffrom torch import nn; import torch; nn.init.uniform(torch.ones(3))\n",
        "marked.py": b"\xef\xbb\xbf" + USELESS_TWICE.encode().replace(b"\n", b"\r\n").rstrip(),
    }
    for name, content in contents.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content)
    diff = initaudit(str(tmp_path), "--diff")
    assert {name: Path(name).read_bytes() for name in contents} == contents
    Path("mend.patch").write_bytes(diff.stdout_bytes)
    subprocess.run([*command, "mend.patch"], check=True)
    patched = {name: Path(name).read_bytes() for name in contents}
    assert not any(b"noqa" in content or b"Tensor" in content or b"uniform(" in content for content in patched.values())
    for name, content in contents.items():
        Path(name).write_bytes(content)
    initaudit("--fix")
    assert {name: Path(name).read_bytes() for name in contents} == patched


def test_a_diff_is_what_fix_writes_also_where_processes_share_nothing() -> None:
    for number in range(30):
        write(f"net{number}.py", USELESS_TWICE)
    run = "import multiprocessing as m; from initaudit.cli import main; m.set_start_method('spawn'); main()"
    done = subprocess.run([sys.executable, "-c", run, "--diff", "-j", "2"], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert (lines.count("+        nn.init.ones_(self.weight)"), sum("+++" in line for line in lines)) == (30, 30)


def test_a_suppression_is_not_useless_where_something_is_not_decided() -> None:
    ignored = (
        LEGACY.replace("(3, 4))\n", "(3, 4))  # initaudit: ignore[INI104]\n") + "x = 1  # initaudit: ignore[INI302]\n"
    )
    write("decided.py", ignored)
    write(
        "undecided.py", ignored.replace("nn.Module", "Base").replace("import nn", "import nn\nfrom absent import Base")
    )
    assert in_json("decided.py", "undecided.py") == [("INI002", "decided.py")]


def test_standard_input_is_checked_under_its_name() -> None:
    write("pkg/initaudit.toml", "ignore = ['INI104']\n")
    assert in_json("-", "--stdin-filename", "pkg/net.py", input=RAW) == [("INI101", "pkg/net.py")]
    assert in_json("-", input=LEGACY) == [("INI104", "-")]
    assert in_json("-", "--stdin-filename", "pkg/net.py", input=LEGACY) == []
    outcome = initaudit("-", "--stdin-filename", "pkg/net.py", input=RAW)
    assert "8 |         self.weight = nn.Parameter(t.empty(3, 4))" in outcome.stdout


def test_standard_input_is_read_in_the_place_of_its_file_in_its_project() -> None:
    write("pkg/__init__.py", "")
    write("pkg/net.py", "what is on disk is not what the editor holds (")
    write(
        "pkg/model.py",
        "from torch import nn\nfrom pkg.net import Net\n\n\nclass Model(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.net = Net()\n        nn.init.ones_(self.net.weight)\n",
    )
    assert in_json("-", "--stdin-filename", "pkg/net.py", input=RAW) == []
    assert in_json("-", "--stdin-filename", "pkg/not_saved_yet.py", input=RAW) == [("INI101", "pkg/not_saved_yet.py")]


def test_standard_input_that_is_mended_goes_to_standard_output() -> None:
    outcome = initaudit("-", "--fix", "--stdin-filename", "net.py", input=LEGACY)
    assert outcome.stdout == LEGACY.replace("Tensor", "empty")
    assert "1 fixed" in outcome.stderr


def test_standard_input_is_left_out_by_force_under_its_name() -> None:
    given = ("-", "--stdin-filename", "gen/net.py", "--exclude", "gen")
    assert initaudit(*given, input=LEGACY + RAW).exit_code == 1
    outcome = initaudit(*given, "--force-exclude", input=LEGACY + RAW)
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr.startswith("0 files checked, 1 skipped")
    assert initaudit(*given, "--force-exclude", "--fix", input=LEGACY).stdout == LEGACY


def test_only_changed_lines_of_standard_input_are_reported_against_a_revision() -> None:
    Path(".git").rmdir()
    write("pkg/net.py")
    committed(".")
    given = ("-", "--output-format", "json", "--diff-base")
    named = ("--stdin-filename", "pkg/net.py")
    found = json.loads(initaudit(*given, "HEAD", *named, input=f"x = 1\n{RAW}{BIAS}").stdout)
    assert [finding["parameter"] for finding in found] == ["bias"]
    assert in_json(*given[:-1], "--diff-base", "HEAD", *named, input=RAW) == []
    assert len(json.loads(initaudit(*given, "HEAD", input=RAW).stdout)) == 1  # no such file: it is new
    for revision in ("no-such-revision", ""):
        assert initaudit(*given, revision, *named, input=RAW).exit_code == 2


def test_what_remains_of_standard_input_can_go_to_a_file() -> None:
    other = RAW.replace("Net", "Other")
    outcome = initaudit("-", "--fix", "-o", "out.json", "--output-format", "json", input=LEGACY + other)
    assert outcome.stdout == LEGACY.replace("Tensor", "empty") + other
    assert [one["code"] for one in json.loads(Path("out.json").read_text(encoding="utf-8"))] == ["INI101"]
    assert "INI101" not in outcome.stderr


def test_output_can_go_to_a_file() -> None:
    write("net.py")
    outcome = initaudit("net.py", "--output-format", "json", "--output-file", "out.json")
    assert outcome.stdout == ""
    assert len(json.loads(Path("out.json").read_text(encoding="utf-8"))) == 1


def test_statistics_count_by_rule() -> None:
    write("net.py", RAW + RAW.replace("Net", "Again") + LEGACY.replace("Net", "Old"))
    assert initaudit("--statistics").stdout.split("\n") == [
        "     2  INI101  uninitialized-parameter",
        "     1  INI104  legacy-tensor-constructor",
        "",
    ]
    assert json.loads(initaudit("--statistics", "--output-format", "json").stdout)[0] == {
        "code": "INI101",
        "name": "uninitialized-parameter",
        "count": 2,
    }
    lines = initaudit("--statistics", "--output-format", "json-lines").stdout.splitlines()
    assert [json.loads(line)["count"] for line in lines] == [2, 1]


def test_show_files_lists_what_would_be_checked() -> None:
    write("src/b.py")
    write("src/a.py")
    write("src/old/c.py")
    assert initaudit("src", "--show-files", "--exclude", "old").stdout == "src/a.py\nsrc/b.py\n"


def test_the_baseline_hides_what_is_known_and_nothing_new() -> None:
    write("net.py")
    assert initaudit("baseline").exit_code == 0
    known = json.loads(Path(".initaudit-baseline.json").read_text(encoding="utf-8"))
    assert [(entry["code"], entry["filename"]) for entry in known["findings"]] == [("INI101", "net.py")]
    write("pyproject.toml", "[tool.initaudit]\nbaseline = '.initaudit-baseline.json'\n")
    write("net.py", "\n\n# moved\n" + RAW)
    outcome = initaudit()
    assert outcome.exit_code == 0
    assert "1 in the baseline" in outcome.stderr
    write("other.py")
    assert in_json() == [("INI101", "other.py")]


def test_only_changed_lines_are_reported_against_a_revision() -> None:
    Path(".git").rmdir()
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    write("pkg/old net.py")
    write("pkg/touched.py")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    write("pkg/touched.py", RAW + "        self.bias = nn.Parameter(t.empty(3))\n")
    write("pkg/new.py")
    outcome = initaudit("pkg", "--diff-base", "HEAD", "--output-format", "json")
    assert [(finding["filename"], finding["parameter"]) for finding in json.loads(outcome.stdout)] == [
        ("pkg/new.py", "weight"),
        ("pkg/touched.py", "bias"),
    ]


SHARED = """\
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(3))


class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(3))
        self.gate = nn.Parameter(torch.zeros(3))


net = nn.Sequential(Scale(), Shift())
"""
"""Two classes that one line builds: what is uninitialized in them has one cause, and is one finding."""


@pytest.mark.parametrize(
    "name, new",
    [
        pytest.param(
            "shift", SHARED.replace("shift = nn.Parameter(torch.zeros", "shift = nn.Parameter(torch.empty"), id="after"
        ),
        pytest.param(
            "gate", SHARED.replace("gate = nn.Parameter(torch.zeros", "gate = nn.Parameter(torch.empty"), id="last"
        ),
        pytest.param(
            "first",
            SHARED.replace(
                "        self.scale", "        self.first = nn.Parameter(torch.empty(3))\n        self.scale"
            ),
            id="before",
        ),
    ],
)
def test_a_new_finding_with_the_cause_of_a_known_one_is_reported(name: str, new: str) -> None:
    """Neither a baseline nor a line that did not change hides it, although both would be one finding."""
    Path(".git").rmdir()
    git("init", "-q")
    write("net.py", SHARED)
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert initaudit("baseline", "--select", "INI101").stderr.startswith("1 finding written")
    write("net.py", new)
    for known in ("--baseline", ".initaudit-baseline.json"), ("--diff-base", "HEAD", "--isolated"):
        found = json.loads(initaudit("--select", "INI101", *known, "--output-format", "json").stdout)
        assert [(one["parameter"], one["affects"]) for one in found] == [(name, [])], known


def test_a_baseline_holds_every_finding_of_one_cause() -> None:
    write("net.py", SHARED.replace("torch.zeros", "torch.empty"))
    (found,) = json.loads(initaudit("--select", "INI101", "--output-format", "json").stdout)
    assert found["affects"] == ["Shift.shift", "Shift.gate"]
    assert initaudit("baseline", "--select", "INI101").stderr.startswith("1 finding written")
    known = json.loads(Path(".initaudit-baseline.json").read_text(encoding="utf-8"))["findings"]
    assert [entry["message"].split("`")[1] for entry in known] == ["scale", "shift", "gate"]
    outcome = initaudit("--select", "INI101")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert "1 in the baseline" in outcome.stderr
    write(
        "net.py",
        SHARED.replace("torch.zeros", "torch.empty").replace("        self.scale = nn.Parameter(torch.empty(3))\n", ""),
    )
    assert initaudit("--select", "INI101").exit_code == 0


def test_that_a_shallow_clone_lacks_the_revision_to_compare_with_is_said() -> None:
    """The clone of a CI service has one commit of one branch."""
    Path(".git").rmdir()
    git("init", "-q", "-b", "main")
    write("net.py")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    outcome = initaudit("--diff-base", "origin/main")
    assert outcome.exit_code == 2 and "shallow" not in outcome.stderr
    git("switch", "-q", "-c", "change")
    write("net.py", RAW + "        self.bias = nn.Parameter(t.empty(3))\n")
    git("commit", "-q", "-a", "-m", "second")
    git("clone", "-q", "--depth", "1", Path.cwd().as_uri(), "clone")
    outcome = initaudit("clone", "--diff-base", "origin/main")
    assert outcome.exit_code == 2
    assert "this clone is shallow: fetch that revision first (`fetch-depth: 0` for actions/checkout)" in outcome.stderr
    git("fetch", "-q", "--unshallow", "origin", "main:refs/remotes/origin/main", folder="clone")
    outcome = initaudit("clone", "--diff-base", "origin/main", "--output-format", "json")
    assert [one["parameter"] for one in json.loads(outcome.stdout)] == ["bias"]


def test_what_the_baseline_wrote_is_known_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("initaudit.toml", "select = ['INI1']\n")
    write("pkg/net.py")
    assert initaudit().exit_code == 1
    assert initaudit("baseline").exit_code == 0
    for folder in (tmp_path, tmp_path / "pkg"):
        monkeypatch.chdir(folder)
        outcome = initaudit()
        assert (outcome.exit_code, outcome.stdout) == (0, "")
        assert "1 in the baseline" in outcome.stderr
    monkeypatch.chdir(tmp_path)
    assert in_json("--isolated") == [("INI101", "pkg/net.py")]
    write("none.json", '{"findings": []}')
    assert in_json("--baseline", "none.json") == [("INI101", "pkg/net.py")]
    write("initaudit.toml", "select = ['INI1']\nbaseline = 'none.json'\n")
    assert in_json() == [("INI101", "pkg/net.py")]


def git(*arguments: str, folder: str = ".") -> None:
    own = ["user.name=n", "user.email=e@example.org", "commit.gpgsign=false", "protocol.file.allow=always"]
    configured = [part for setting in own for part in ("-c", setting)]
    subprocess.run(["git", "-C", folder, *configured, *arguments], check=True, capture_output=True)


def committed(folder: str) -> None:
    """A repository of what is in a folder."""
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        git(*command, folder=folder)


BIAS = "        self.bias = nn.Parameter(t.empty(3))\n"


@pytest.mark.parametrize(
    ("attributes", "settings"),
    [
        ("*.py -diff", {}),
        ("*.py binary", {}),
        ("*.py diff=mine", {"diff.mine.textconv": "true"}),
        ("", {"diff.interHunkContext": "20", "diff.context": "20"}),
        ("", {"diff.noprefix": "true", "diff.external": "true", "color.ui": "always"}),
    ],
)
def test_attributes_and_settings_of_git_hide_no_changed_line(attributes: str, settings: dict[str, str]) -> None:
    Path(".git").rmdir()
    write("net.py", f"{RAW}\n\n\nx = 1\n")
    write(".gitattributes", attributes)
    committed(".")
    for name, value in settings.items():
        git("config", name, value)
    write("net.py", f"x = 1\n{RAW}{BIAS}\n\n\nx = 2\n")
    outcome = initaudit("net.py", "--diff-base", "HEAD", "--output-format", "json")
    assert [finding["parameter"] for finding in json.loads(outcome.stdout)] == ["bias"]


def test_changed_lines_are_those_of_the_repository_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".git").rmdir()
    for name in ("library/net.py", "main/net.py", "other/net.py"):
        write(name)
        committed(str(Path(name).parent))
    git("submodule", "add", "-q", str(tmp_path / "library"), "lib", folder="main")
    git("commit", "-q", "-m", "with a submodule", folder="main")
    write("main/lib/net.py", RAW + BIAS)
    git("commit", "-q", "-a", "-m", "later", folder="main/lib")
    write("other/net.py", RAW + BIAS)
    write("main/.gitignore", "made\n")
    write("main/made/net.py")
    write("outside.py")
    for folder in (tmp_path / "main", tmp_path):
        monkeypatch.chdir(folder)
        paths = [f"{tmp_path}/{name}" for name in ("main", "main/made/net.py", "other", "outside.py")]
        found = json.loads(initaudit(*paths, "--diff-base", "HEAD", "--output-format", "json").stdout)
        assert sorted((Path(one["filename"]).relative_to(tmp_path).as_posix(), one["parameter"]) for one in found) == [
            ("main/lib/net.py", "bias"),
            ("main/made/net.py", "weight"),
            ("other/net.py", "bias"),
            ("outside.py", "weight"),
        ]


UNKNOWN = """\
import torch
from elsewhere import Base, fill
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 4))
        fill(self.weight)


class Unreadable(Base):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 4))


class Unresolved(bases[0]):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 4))


class Plain(Base):
    def __init__(self):
        self.rows = torch.empty(3, 4)
"""
NOT_DECIDED = [
    "unknown.py:9:36: not decided: unknown.Net.weight: passed to elsewhere.fill",
    "unknown.py:13:1: not decided: unknown.Unreadable: base class elsewhere.Base is not readable",
    "unknown.py:19:1: not decided: unknown.Unresolved: a base class could not be resolved",
]


def test_what_could_not_be_decided_is_counted_and_listed_on_demand() -> None:
    write("unknown.py", UNKNOWN)
    summary = "1 file checked, 0 skipped, 3 not decided (--show-unknown lists them); nothing found."
    assert initaudit("unknown.py").stderr.splitlines() == [summary]
    outcome = initaudit("unknown.py", "--show-unknown")
    assert outcome.stderr.splitlines() == [*NOT_DECIDED, summary]
    assert initaudit("unknown.py", "--show-unknown", "--quiet").stderr.splitlines() == NOT_DECIDED


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("form", ["full", "json", "sarif"])
def test_listing_what_is_unknown_changes_neither_report_nor_exit_code(form: str, jobs: str) -> None:
    write("unknown.py", UNKNOWN)
    for number in range(30):
        write(f"clean/net{number}.py", CLEAN)
    for found in (False, True):
        if found:
            write("net.py")
        plain, listing = (
            initaudit("--output-format", form, "-j", jobs, "--no-cache", *flags) for flags in ([], ["--show-unknown"])
        )
        assert (plain.exit_code, plain.stdout) == (listing.exit_code, listing.stdout)
        assert plain.exit_code == found
        assert listing.stderr.splitlines() == [*NOT_DECIDED, *plain.stderr.splitlines()]


def test_what_is_unknown_is_remembered_and_told_of_the_text_on_standard_input() -> None:
    write("unknown.py", UNKNOWN)
    fresh, kept = (initaudit("unknown.py", "--show-unknown").stderr for _ in range(2))
    assert fresh == kept
    given = initaudit("-", "--stdin-filename", "unknown.py", "--show-unknown", input=UNKNOWN)
    assert given.stderr.splitlines()[:-1] == NOT_DECIDED


def test_what_is_unknown_in_a_notebook_is_told_by_its_cell_and_row() -> None:
    cell = {"cell_type": "code", "source": UNKNOWN}
    write("unknown.ipynb", json.dumps({"cells": [{"cell_type": "code", "source": "x = 1"}, cell]}))
    outcome = initaudit("unknown.ipynb", "--show-unknown")
    in_cell = [line.replace("unknown.py:", "unknown.ipynb:cell 2:") for line in NOT_DECIDED]
    assert outcome.stderr.splitlines()[:-1] == in_cell


@pytest.mark.parametrize(
    ("flags", "environment", "painted"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        ([], {"FORCE_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
    ],
)
def test_color_follows_flags_environment_and_terminal(
    flags: list[str], environment: dict[str, str], painted: bool
) -> None:
    write("net.py")
    # click itself would take colors out of what is not a terminal.
    outcome = CliRunner(env={"FORCE_COLOR": None, "NO_COLOR": None, **environment}).invoke(
        main, ["net.py", *flags], color=True
    )
    assert ("\x1b[" in outcome.stdout) is painted


def test_sarif_and_github_name_files_from_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pkg/net.py")
    monkeypatch.chdir(tmp_path / "pkg")
    assert "file=pkg/net.py," in initaudit("net.py", "--output-format", "github").stdout
    (run,) = json.loads(initaudit("net.py", "--output-format", "sarif").stdout)["runs"]
    location = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location["uri"] == "pkg/net.py"
    assert json.loads(initaudit("net.py", "--output-format", "json").stdout)[0]["filename"] == "net.py"


def test_the_repository_is_that_of_the_file_wherever_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one/pkg/net.py", "one/vendored/lib/net.py", "other/net.py"):
        write(name)
    for repository in ("one", "one/vendored", "other"):
        Path(repository, ".git").mkdir()
    Path(".git").rmdir()
    prints = set()
    for folder, named in ((".", "one"), ("one", "."), ("one/pkg", ".."), ("other", "../one"), ("/", tmp_path / "one")):
        monkeypatch.chdir(tmp_path / folder)
        found = json.loads(initaudit(str(named), "--output-format", "json").stdout)
        prints.add(tuple(sorted(finding["fingerprint"] for finding in found)))
        annotations = initaudit(str(named), "--output-format", "github").stdout.splitlines()
        files = sorted(line.partition("file=")[2].partition(",")[0] for line in annotations)
        assert files == ["lib/net.py", "pkg/net.py"]
        (run,) = json.loads(initaudit(str(named), "--output-format", "sarif").stdout)["runs"]
        assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == f"{(tmp_path / 'one').as_uri()}/"
        places = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in run["results"]]
        assert sorted(place["uri"] for place in places) == ["pkg/net.py", "vendored/lib/net.py"]
        assert all(place["uriBaseId"] == "%SRCROOT%" for place in places)
    assert len(prints) == 1


def test_a_file_name_that_is_not_unicode_does_not_stop_a_report() -> None:
    name = b"n\xe9t.py".decode("utf-8", "surrogateescape")
    Path(name).write_text(RAW, encoding="utf-8")
    for form in ("full", "json", "sarif", "github", "junit"):
        assert initaudit("--output-format", form).exit_code == 1
    for form in ("json", "json-lines", "sarif", "gitlab", "rdjson"):
        text = initaudit("--output-format", form).stdout_bytes.decode()
        assert "\\ud" not in text
        assert form == "sarif" or "n\N{REPLACEMENT CHARACTER}t.py" in text
