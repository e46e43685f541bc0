"""The page in a browser: it loads without an error, asks the network for nothing, and sorts its tables.

It can be read at every width, light and dark, with a keyboard, by a screen reader and on paper.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import FLAGS, Chromium

from initaudit.comparison import Comparison, turnover
from initaudit.finding import Finding
from initaudit.observation import Observation
from initaudit.portrait.page import page
from initaudit.portrait.sides import Trial
from initaudit.report.base import Context
from initaudit.timeline import ParameterTimeline, SignalProfile, Values

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LOGGED = ("--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom")
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
    flags = [*FLAGS, *LOGGED, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},800"]
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    if sys.platform == "win32":
        pytest.skip("the browser is driven over a pipe")
    assert BROWSER is not None
    browser = Chromium(BROWSER)
    yield browser
    browser.close()


@pytest.fixture
def everything(
    parameter: Callable[..., ParameterTimeline], unwritten: ParameterTimeline, observe: Callable[..., Observation],
    find: Callable[..., Finding], context: Context, signal: Callable[..., SignalProfile], tmp_path: Path,
) -> Path:  # fmt: skip
    """The page of two models; the advice for the first one was tried."""
    many = [parameter(f"a_long_name_of_a_block.{n}.and_of_its_layer.weight") for n in range(30)]
    before = observe([unwritten, *many], signal=signal(12))
    after = observe([parameter("scale", scheme="ones"), *many], signal=signal(12, decades=0.0))
    trial = Trial(
        target="net:Net",
        calls=("nn.init.ones_(self.scale)",),
        comparison=Comparison(before=before, after=after),
        findings=turnover([find()], []),
        helps=True,
        verdict="the advice helps",
    )
    path = tmp_path / "everything.html"
    path.write_bytes(page([find()], [before, observe([parameter("w")], source="net:Other")], context, [trial]))
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1440])
def test_it_fits_and_its_charts_have_labels_of_the_size_of_text(
    everything: Path, browser: Chromium, width: int, dark: bool
) -> None:
    browser.open(everything, width=width, dark=dark)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(21, 24, 29)" if dark else "rgb(255, 255, 255)"
    )
    sizes = browser.value(
        """[...document.querySelectorAll("svg.chart text")].map((text) => {
          const svg = text.closest("svg");
          const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
          return parseFloat(getComputedStyle(text).fontSize) * scale;
        })"""
    )
    assert sizes and all(10.5 <= size <= 14 for size in sizes)


@pytest.mark.parametrize("width", [360, 900, 1440])
def test_the_numbers_of_a_table_are_reached_and_its_first_column_stays(
    everything: Path, browser: Chromium, width: int
) -> None:
    browser.open(everything, width=width)
    scrolled = browser.value(
        """[...document.querySelectorAll(".scroll")].filter((box) => box.clientWidth).map((box) => {
          box.scrollLeft = 1e6;
          const edge = (element) => element.getBoundingClientRect();
          const first = [...box.querySelectorAll("tbody th, thead th:first-child")];
          const last = [...box.querySelectorAll("tr > :last-child")];
          return {
            stays: first.every((cell) => Math.abs(edge(cell).left - edge(box).left) <= 2),
            narrow: !box.scrollLeft || first.every((cell) => edge(cell).width <= edge(box).width / 2),
            reached: last.every((cell) => edge(cell).right <= edge(box).right + 1),
            whole: [...box.querySelectorAll(".n")].every((cell) => cell.scrollWidth <= cell.clientWidth),
          };
        })"""
    )
    assert len(scrolled) >= 3
    assert all(all(one.values()) for one in scrolled), scrolled


def test_a_keyboard_reaches_every_heading_and_sorts_by_it(everything: Path, browser: Chromium) -> None:
    browser.open(everything, width=900)
    name = "document.activeElement.textContent.trim()"
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(browser.value(f"document.activeElement.tagName + ' ' + {name}"))
    assert reached[:3] == ["A Findings", "A Net in net", "A Other in net"]
    assert any(one.startswith("SUMMARY") for one in reached)
    headings = ["path", "shape", "mean", "std", "min", "max", "written by", "at", "scheme", "dtype"]
    first = reached.index("BUTTON path")
    assert reached[first : first + len(headings)] == [f"BUTTON {one}" for one in headings]
    browser.open(everything, width=900)
    while browser.value(name) != "std":
        browser.press("Tab")
    for order in ("ascending", "descending"):
        browser.press("Enter")
        assert browser.value("document.activeElement.closest('th').ariaSort") == order


def test_a_screen_reader_finds_names(everything: Path, browser: Chromium) -> None:
    browser.open(everything, width=900)
    names = browser.named()
    assert "Contents" in names["navigation"]
    assert "What last wrote each parameter and buffer, and the values it holds" in names["table"]
    assert "Changed parameters" in names["table"]
    assert all(names["image"]) and all(names["region"]) and all(names["table"])
    assert any(one.startswith("Before: Activation rms by layer: ") for one in names["image"])
    assert {"path", "std", "scheme"} <= set(names["columnheader"])
    assert "scale" in names["rowheader"]
    assert "graphics-symbol" not in names, "a chart is one picture with a name"


def test_paper_shows_what_is_closed_on_a_screen(everything: Path, browser: Chromium) -> None:
    browser.open(everything, width=794)
    shown = "document.querySelector('details table').checkVisibility()"
    assert browser.value(shown) is False
    browser.open(everything, width=794, media="print")
    assert browser.value(shown) is True
    assert browser.value("getComputedStyle(document.querySelector('.scroll')).maxHeight") == "none"
    browser.open(everything, width=794)
    printed = browser.ask("Page.printToPDF", printBackground=True)["data"]
    assert len(printed) > 20_000
    assert browser.value("[...document.querySelectorAll('details')].some((one) => one.open)") is False
