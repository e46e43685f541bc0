"""`initaudit probe`, and `check --probe`, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main

pytest.importorskip("torch", reason="the probe runs with torch")

MODEL = """\
import torch
from torch import nn

print("[this is not JSON]")


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        print("nor is this")
        self.weight = nn.Parameter(torch.empty(3, width))
        self.fc = nn.Linear(width, width)


class Raises(nn.Module):
    def __init__(self):
        super().__init__()
        raise ValueError("no luck")


class Deep(nn.Sequential):
    def __init__(self):
        super().__init__(*(nn.Linear(8, 8) for _ in range(3)))


class Clean(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
"""

FAILING = """\
from torch import nn


def backbone():
    raise ImportError("no backbones here")


class One(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = backbone()


class Two(One):
    pass
"""

LOOPS = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.convs = nn.ModuleList([nn.Conv2d(3, 3, 1)])
        for name, p in self.named_parameters():
            if "linear" in name:
                nn.init.xavier_uniform_(p)
        self.last = nn.Linear(4, 4)
        self.init_weights()

    def init_weights(self):
        for m in self.children():
            if isinstance(m, nn.Conv2d):
                nn.init.zeros_(m.weight)
"""


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "net.py").write_text(MODEL, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome


def test_a_target_that_cannot_be_imported_exits_with_2_and_the_others_still_report() -> None:
    outcome = run("probe", "missing.module:Net", "net.py:Raises", "net.py:Net", "--output-format", "json")
    assert outcome.exit_code == 2
    assert "missing.module:Net" in outcome.stderr
    found = json.loads(outcome.stdout)
    assert {(finding["code"], finding["filename"]) for finding in found} == {("INI101", "net.py"), ("INI003", "net.py")}


def test_a_constructor_that_needs_more_is_said_to() -> None:
    Path("more.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def __init__(self, width, *, depth, bias=True):\n"
        "        super().__init__(width, int(depth))\n",
        encoding="utf-8",
    )
    outcome = run("probe", "more.py:Net", "--kwargs", '{"depth": 3}', "--output-format", "concise")
    assert outcome.exit_code == 1
    assert "; pass `width` with `--kwargs`" in outcome.stdout
    inside = run("probe", "more.py:Net", "--kwargs", '{"width": 3, "depth": [1]}', "--output-format", "concise")
    assert inside.exit_code == 1
    assert "INI003" in inside.stdout
    assert "--kwargs" not in inside.stdout


def test_a_clean_model_is_listed_parameter_by_parameter() -> None:
    outcome = run("probe", "net.py:Clean", "--table", "table.json")
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[0] == "net.py:Clean"
    assert "fc.weight" in outcome.stdout
    assert "1 model built" in outcome.stderr
    (model,) = json.loads(Path("table.json").read_text(encoding="utf-8"))["models"]
    assert [parameter["path"] for parameter in model["parameters"]] == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("width", [40, 80, 120, 240])
def test_the_table_fits_the_terminal_and_shows_what_is_wrong_first(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    outcome = run("probe", "net.py:Net", "--input-size", "8,4")
    lines = outcome.stdout[outcome.stdout.index("net.py:Net\n") :].splitlines()
    assert max(map(len, lines)) <= width
    assert "3 parameters, 32 elements" in lines
    rule = next(number for number, line in enumerate(lines) if set(line) == {"─"})
    assert lines[rule + 1].split()[:2] == ["INI101", "weight"]


def test_a_check_that_builds_shows_the_model_and_a_quiet_one_only_what_is_found() -> None:
    Path("initaudit.toml").write_text('[[models]]\ntarget = "net.py:Clean"\n', encoding="utf-8")
    assert "net.py:Clean\n2 parameters, 20 elements\n" in run("check", "net.py", "--probe").stdout
    assert "parameters" not in run("check", "net.py", "--probe", "--quiet").stdout


def test_every_parameter_has_a_row_when_asked_for() -> None:
    grouped, every = run("probe", "net.py:Deep").stdout, run("probe", "net.py:Deep", "--all-parameters").stdout
    assert "*.weight (3)" in grouped
    assert all(f"{number}.weight" in every for number in range(3))
    assert "*" not in every


def test_a_page_is_written_for_people() -> None:
    outcome = run("probe", "net.py:Net", "net.py:Clean", "--html", "page.html")
    assert outcome.exit_code == 1
    text = Path("page.html").read_text(encoding="utf-8")
    assert text.lstrip().startswith("<!doctype html>")
    assert all(word in text for word in ("INI101", "net.py:Net", "net.py:Clean", "fc.weight"))


def test_a_page_that_cannot_be_made_is_said_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = run("probe", "net.py:Net", "--html", "page.html")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "jinja2" in outcome.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudoterminal")
def test_signal_through_depth_is_drawn_on_a_terminal_only() -> None:
    import pty

    command = [sys.executable, "-m", "initaudit", "probe", "net.py:Deep"]
    piped = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    reader, writer = pty.openpty()
    subprocess.run(command, stdout=writer, stderr=subprocess.DEVNULL, check=True)
    os.close(writer)
    drawn = os.read(reader, 1 << 16).decode()
    os.close(reader)
    assert "activation rms" in drawn
    assert "activation rms" not in piped


def test_reading_and_building_make_one_finding_with_two_pieces_of_evidence() -> None:
    Path("initaudit.toml").write_text('[[models]]\ntarget = "net.py:Net"\nkwargs = { width = 5 }\n', encoding="utf-8")
    outcome = run("check", "net.py", "--probe", "--output-format", "json")
    assert outcome.exit_code == 1
    (finding,) = json.loads(outcome.stdout)
    assert (finding["code"], finding["filename"], finding["location"]["row"]) == ("INI101", "net.py", 11)
    assert [piece["observer"] for piece in finding["evidence"]] == ["analyzer", "probe"]
    assert "15 of 15" in finding["evidence"][1]["detail"]


def test_a_loop_that_both_observers_judge_is_one_finding() -> None:
    Path("loops.py").write_text(LOOPS, encoding="utf-8")
    Path("initaudit.toml").write_text('[[models]]\ntarget = "loops.py:Net"\n', encoding="utf-8")
    outcome = run("check", "loops.py", "--probe", "--output-format", "json", "--select", "INI210,INI306")
    found = json.loads(outcome.stdout)
    assert [(one["code"], one["location"]["row"]) for one in found] == [("INI306", 10), ("INI210", 16)]
    assert [[piece["observer"] for piece in one["evidence"]] for one in found] == [["analyzer", "probe"]] * 2


def test_suppressions_hold_for_what_the_probe_sees() -> None:
    path = Path("net.py")
    path.write_text(
        MODEL.replace("width))\n        self.fc", "width))  # noqa: INI101\n        self.fc"), encoding="utf-8"
    )
    outcome = run("probe", "net.py:Net")
    assert outcome.exit_code == 0
    assert "1 suppressed" in outcome.stderr


@pytest.mark.parametrize("spelled", ["net.py", "net", "package.net"])
def test_a_configured_model_and_its_inputs_are_found_from_a_folder_below(
    spelled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = "\n\ndef inputs():\n    return torch.ones(32, 4)\n"
    for path in (Path("net.py"), Path("package/net.py")):
        path.parent.mkdir(exist_ok=True)
        path.write_text(MODEL + inputs, encoding="utf-8")
    model = f'[[models]]\ntarget = "{spelled}:Clean"\ninput-data = "{spelled}:inputs"\n'
    Path("initaudit.toml").write_text(model, encoding="utf-8")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    outcome = run("probe")
    assert (outcome.exit_code, outcome.stderr.partition(",")[0]) == (0, "1 model built")


def test_a_model_that_raises_counts_as_not_built() -> None:
    outcome = run("probe", "net.py:Raises")
    assert "0 models built, 1 not built, 0 skipped, 0 not decided; 1 error.\n" in outcome.stderr


def test_each_model_that_one_line_keeps_from_being_built_is_reported(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "initaudit",
        "probe",
        "failing.py:One",
        "failing.py:Two",
        "--output-format",
        "json",
    ]
    ran = subprocess.run([*command, "--isolated"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert [(one["code"], one["model"], one["location"]["row"]) for one in json.loads(ran.stdout)] == [
        ("INI003", "failing.py:One", 5),
        ("INI003", "failing.py:Two", 5),
    ]
