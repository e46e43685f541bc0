"""The page in a browser: it loads without an error, asks the network for nothing, and sorts its tables."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initaudit.finding import Finding
from initaudit.observation import Observation
from initaudit.portrait.page import page
from initaudit.report.base import Context
from initaudit.timeline import ParameterTimeline, SignalProfile, Values

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
    "--dump-dom",
)
BEFORE = """<script>
const trouble = [];
addEventListener("error", (event) => trouble.push(event.message));
</script>"""
AFTER = """<script>
const outcome = { orders: [] };
const table = [...document.querySelectorAll("table.sortable")].at(-1);
const head = (name) => [...table.tHead.rows[0].cells].find((cell) => cell.textContent.startsWith(name));
for (const name of ["path", "path", "std", "std", "shape"]) {
  head(name).querySelector("button").click();
  const sorted = [...table.tHead.rows[0].cells].filter((cell) => cell.ariaSort).map((cell) => cell.textContent);
  const order = [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
  outcome.orders.push([sorted.join(), head(name).ariaSort, order]);
}
outcome.trouble = trouble;
outcome.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
outcome.overflows = document.documentElement.scrollWidth > innerWidth;
document.body.dataset.outcome = JSON.stringify(outcome);
</script>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no chromium here")


def loaded(content: str, folder: Path, *, width: int) -> tuple[dict[str, Any], str]:
    """What the page says of itself once it is loaded and clicked, and what the browser logs."""
    assert BROWSER is not None
    path = folder / "page.html"
    path.write_text(content, encoding="utf-8")
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},800"]
    done = subprocess.run(
        [BROWSER, *flags, path.as_uri()], capture_output=True, text=True, check=True, timeout=120, errors="replace"
    )
    outcome = re.search(r'data-outcome="(.*?)"', done.stdout)
    assert outcome, done.stderr
    return json.loads(html.unescape(outcome[1])), done.stderr


@pytest.fixture
def content(
    parameter: Callable[..., ParameterTimeline], unwritten: ParameterTimeline, observe: Callable[..., Observation],
    find: Callable[..., Finding], context: Context, signal: Callable[..., SignalProfile],
) -> str:  # fmt: skip
    def holding(std: float, *shape: int) -> Values:
        return Values(dtype="float32", shape=shape, mean=0.0, std=std, min=-1.0, max=1.0, counts=(1, 2, 1))

    model = observe(
        [
            parameter("b10", values=holding(3e-5, 2, 3)),
            parameter("b9", values=holding(0.25, 10)),
            parameter("a", values=holding(20.0, 3)),
            parameter("empty", values=None),
        ],
        signal=signal(9),
    )
    text = page([find()], [model], context).decode()
    return text.replace("<head>", f"<head>{BEFORE}").replace("</body>", f"{AFTER}</body>")


@pytest.mark.parametrize("width", [1200, 500])
def test_it_loads_quietly_asks_for_nothing_and_fits(content: str, width: int, tmp_path: Path) -> None:
    outcome, log = loaded(content, tmp_path, width=width)
    assert (outcome["trouble"], outcome["requests"], outcome["overflows"]) == ([], [], False)
    assert not [line for line in log.splitlines() if "CONSOLE" in line]


def test_a_click_on_a_heading_sorts_by_it_and_another_one_turns_the_order(content: str, tmp_path: Path) -> None:
    outcome, _ = loaded(content, tmp_path, width=1200)
    assert outcome["orders"] == [
        ["path", "ascending", ["a", "b9", "b10", "empty"]],
        ["path", "descending", ["empty", "b10", "b9", "a"]],
        ["std", "ascending", ["b10", "b9", "a", "empty"]],
        ["std", "descending", ["a", "b9", "b10", "empty"]],
        ["shape", "ascending", ["a", "b10", "b9", "empty"]],
    ]


def test_the_browser_would_have_said_so(content: str, tmp_path: Path) -> None:
    broken = content.replace("<main>", '<main><script>missing()</script><img src="https://example.org/a.png">')
    outcome, log = loaded(broken, tmp_path, width=1200)
    assert outcome["trouble"] == ["Uncaught ReferenceError: missing is not defined"]
    assert [line for line in log.splitlines() if "CONSOLE" in line and "https://example.org/a.png" in line]
