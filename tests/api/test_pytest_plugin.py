"""The fixture of the pytest plugin, in a pytest of its own."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

MODELS = """
import pytest
import torch
from torch import nn


class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))


class Clean(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

"""


def run(pytester: pytest.Pytester, test: str, ini: str = "") -> pytest.RunResult:
    pytester.makeini(f"[pytest]\n{ini}")
    pytester.makepyfile(MODELS + test)
    installed = importlib.metadata.entry_points(group="pytest11", name="initaudit")
    plugin = () if installed else ("-p", "initaudit.pytest_plugin")
    return pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider", "--strict-markers", *plugin)


def test_a_clean_model_passes_and_a_raw_one_fails_with_its_line(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "def test_clean(initaudit):\n    report = initaudit.assert_clean(Clean)\n    assert report.findings == ()\n\n"
        "def test_raw(initaudit):\n    initaudit.assert_clean(Raw)\n",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*INI101*`weight`*", "*self.weight = nn.Parameter(torch.empty(3))*", "*^^^*"])
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


@pytest.mark.parametrize(
    ("test", "ini"),
    [
        ("def test_raw(initaudit):\n    initaudit.assert_clean(Raw, ignore=['INI101'])\n", ""),
        ("@pytest.mark.initaudit(ignore=['INI101'])\ndef test_raw(initaudit):\n    initaudit.assert_clean(Raw)\n", ""),
        ("def test_raw(initaudit):\n    initaudit.assert_clean(Raw)\n", "initaudit_ignore = INI1"),
        ("def test_raw(initaudit):\n    initaudit.assert_clean(Raw)\n", "initaudit_select = INI6"),
        ("def test_raw(initaudit):\n    assert initaudit.audit(Raw).findings\n", ""),
    ],
    ids=["call", "marker", "ignored by an option", "not selected by an option", "only audited"],
)
def test_what_counts_can_be_said_in_the_call_the_marker_and_the_options(
    pytester: pytest.Pytester, test: str, ini: str
) -> None:
    run(pytester, test, ini).assert_outcomes(passed=1)


def test_the_call_counts_more_than_the_marker_and_that_more_than_the_option(pytester: pytest.Pytester) -> None:
    marked = "@pytest.mark.initaudit(ignore=[])\ndef test_{0}(initaudit):\n    initaudit.assert_clean(Raw{1})\n\n"
    test = marked.format("marker", "") + marked.format("call", ", ignore=['INI101']")
    run(pytester, test, "initaudit_ignore = INI101").assert_outcomes(passed=1, failed=1)


def test_the_least_severity_that_fails_can_be_said(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "import random\n\ndef build():\n    model = Clean()\n"
        "    nn.init.constant_(model.weight, random.SystemRandom().random())\n    return model\n\n"
        "def test_warning(initaudit):\n    assert initaudit.assert_clean(build, fail_on='error').findings\n\n"
        "def test_default(initaudit):\n    initaudit.assert_clean(build)\n\n"
        "def test_mistake(initaudit):\n    initaudit.assert_clean(build, fail_on='errors')\n",
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*INI603*", "*error, warning or note, not 'errors'*"])


def test_a_pytest_that_never_asks_for_the_fixture_loads_nothing_heavy() -> None:
    code = "import initaudit.pytest_plugin, sys; print({'torch', 'libcst', 'msgspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
