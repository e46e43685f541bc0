"""`initaudit compare`: what a change of initialization did, from the tables of two runs of the probe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main

pytest.importorskip("torch", reason="the probe runs with torch")

MODEL = """\
import torch
from torch import nn


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(10))
        for layer in self.layers:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.scale = nn.Parameter(torch.empty(32))

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x * self.scale


class Plain(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
"""
KAIMING = ("xavier_normal_(layer.weight)", 'kaiming_normal_(layer.weight, nonlinearity="relu")')
ONES = ("torch.empty(32)", "torch.ones(32)")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"COLUMNS": "110"})


def probed(folder: Path, table: str, *changes: tuple[str, str], targets: tuple[str, ...] = ("Deep",)) -> str:
    """Probe the changed model and return the name of its table."""
    text = MODEL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "net.py").write_text(text, encoding="utf-8")
    outcome = run("probe", *(f"net.py:{name}" for name in targets), "--table", table, "--isolated", "--quiet")
    assert outcome.exit_code in (0, 1), outcome.output
    return table


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of one model, before and after its initialization was mended, and with other draws."""
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        probed(folder, "before.json")
        probed(folder, "after.json", KAIMING, ONES)
        probed(folder, "other_draws.json", ("super().__init__()\n", "super().__init__()\n        torch.rand(5)\n"))
        probed(folder, "two.json", targets=("Deep", "Plain"))
        probed(folder, "plain.json", targets=("Plain",))
        probed(folder, "renamed.json", ("class Deep", "class Shallow"), targets=("Shallow",))
    return folder


@pytest.fixture(autouse=True)
def inside(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tables)


def test_what_became_better_is_told() -> None:
    outcome = run("compare", "before.json", "after.json")
    assert outcome.exit_code == 0, outcome.output
    lines = outcome.output.splitlines()
    assert lines[:2] == ["net.py:Deep", "before: before.json, after: after.json"]
    rows = {line.split("  ")[0]: line.split() for line in lines}
    assert rows["layers.*.weight (10)"][2:4] == ["scheme,", "std"]
    assert rows["layers.*.weight (10)"][-1].startswith("0.2")
    assert "never written" in outcome.output and "now written" in outcome.output
    assert "11 of 21 parameters changed" in lines
    assert "gone: INI401 xavier-before-relu `layers.0.weight`, warning" in lines
    assert "gone: INI101 uninitialized-parameter `scale`, error" in lines
    assert lines[-1] == "better: 2 findings gone, and nothing got worse"


def test_what_became_worse_fails_the_run_unless_told_otherwise() -> None:
    outcome = run("compare", "after.json", "before.json")
    assert outcome.exit_code == 1
    assert "new: INI101 uninitialized-parameter `scale`, error: `scale` is allocated" in outcome.output
    assert outcome.output.splitlines()[-1] == "worse in 2 respects"
    assert run("compare", "after.json", "before.json", "--exit-zero").exit_code == 0


def test_other_draws_are_no_change() -> None:
    outcome = run("compare", "before.json", "other_draws.json")
    assert outcome.exit_code == 0
    assert "0 of 21 parameters changed" in outcome.output
    assert outcome.output.splitlines()[-1] == "the same: no parameter differs by more than two seeds do"


def test_programs_read_the_same_as_json() -> None:
    document = json.loads(run("compare", "before.json", "after.json", "--output-format", "json").output)
    assert (document["schema_version"], document["worse"]) == (1, 0)
    (model,) = document["models"]
    decades = {one["measure"]: [one[side]["decades"] for side in ("before", "after")] for one in model["measures"]}
    assert decades["rms"][0] < -1 < -0.6 < decades["rms"][1]
    changes = {one["path"]: one for one in model["parameters"]}
    assert len(changes) == 11
    assert changes["scale"]["before"]["coverage"] == "never"
    assert changes["layers.0.weight"]["after"]["scheme"].startswith("kaiming_normal")
    assert sorted(one["code"] for one in document["findings"]["gone"]) == ["INI101", "INI401"]


def test_a_summary_of_a_job_reads_it_as_markdown() -> None:
    text = run("compare", "after.json", "before.json", "--output-format", "markdown").output
    assert text.startswith("**Worse in 2 respects**\n\n### net.py:Deep\n\n| measure | before | after |\n")
    assert "| `layers.*.weight` (10) | scheme, std | " in text
    assert "- new: INI101 uninitialized-parameter `scale`, error: " in text


def test_people_read_it_as_a_page() -> None:
    pytest.importorskip("jinja2")
    assert run("compare", "before.json", "after.json", "--html", "page.html").exit_code == 0
    text = Path("page.html").read_text(encoding="utf-8")
    assert "<title>Deep in net.py, before and after · initaudit</title>" in text
    assert text.count('<g class="before">') == text.count('<g class="after">') == 4
    assert "xavier-before-relu" in text and "layers.*.weight" in text
    assert text.count("<style>") == 1 and len(text) < 500_000


def test_the_page_of_a_trial_shows_both_builds() -> None:
    pytest.importorskip("jinja2")
    (Path.cwd() / "net.py").write_text(MODEL, encoding="utf-8")
    run("probe", "net.py:Deep", "--try", "--html", "trial.html", "--isolated", "--quiet")
    text = Path("trial.html").read_text(encoding="utf-8")
    assert "With the advice applied in memory" in text
    assert "The advice helps: all findings are gone" in text
    assert text.count('<g class="before">') == text.count('<g class="after">') == 4


def test_models_are_matched_by_target_and_one_that_has_no_counterpart_is_named() -> None:
    outcome = run("compare", "two.json", "plain.json")
    assert outcome.output.startswith("net.py:Plain\n")
    assert "only in two.json: net.py:Deep" in outcome.output


def test_a_class_may_be_renamed() -> None:
    outcome = run("compare", "before.json", "renamed.json")
    assert outcome.output.startswith("net.py:Deep -> net.py:Shallow\n")
    assert "still: INI101 uninitialized-parameter `scale`, error" in outcome.output
    assert outcome.output.splitlines()[-1] == "the same: no parameter differs by more than two seeds do"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("not json", "bad.json: not a table that `initaudit probe --table` writes: not JSON: invalid character"),
        ("", "bad.json: not a table that `initaudit probe --table` writes: not JSON: "),
        ("[]", "bad.json: JSON, but not a table that `initaudit probe --table` writes"),
        ('{"schema_version": 1, "version": "1", "models": []}', "bad.json: JSON, but not a table"),
        ('{"schema_version": 99, "models": []}', "bad.json: schema version 99; this version of initaudit reads 2"),
        ('{"schema_version": 2, "models": [{"target": "a"}]}', "a field 'environment' is missing"),
        ('{"schema_version": 2, "models": [3]}', "bad.json: a table that does not follow its schema"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_is_no_table_is_an_error_that_names_the_file(content: str, reason: str, first: bool) -> None:
    Path("bad.json").write_text(content, encoding="utf-8")
    outcome = run("compare", *(("bad.json", "after.json") if first else ("after.json", "bad.json")))
    assert outcome.exit_code == 2
    assert reason in outcome.stderr
    assert outcome.stdout == ""


def test_a_missing_file_and_models_that_do_not_match_are_errors() -> None:
    assert "missing.json: No such file" in run("compare", "missing.json", "after.json").stderr
    outcome = run("compare", "before.json", "plain.json")
    assert outcome.exit_code == 2
    assert (
        "plain.json: its models are `net.py:Plain`, and those of before.json are `net.py:Deep`; none match"
        in outcome.stderr
    )


def test_a_table_of_an_earlier_version_has_no_findings() -> None:
    document = json.loads(Path("before.json").read_text(encoding="utf-8"))
    del document["findings"]
    Path("earlier.json").write_text(json.dumps(document), encoding="utf-8")
    outcome = run("compare", "earlier.json", "after.json")
    assert outcome.exit_code == 0
    assert "findings were not compared: a table that an earlier version wrote has none" in outcome.output
