"""Two runs on a page: charts with two lines where both were measured, and a sentence where one was not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from initaudit.observation import Observation
from initaudit.portrait.compared import as_markdown, as_text, runs
from initaudit.portrait.table import Table
from initaudit.report.base import Context
from initaudit.timeline import Coverage, ParameterTimeline, SignalProfile, Values

pytest.importorskip("jinja2", reason="pages are made with jinja2")

from initaudit.portrait.page import LARGEST, comparison_page

Parameter = Callable[..., ParameterTimeline]
Observe = Callable[..., Observation]
Signal = Callable[..., SignalProfile]
NASTY = "</script><script>alert(1)</script>|`"


def page(before: Observation, after: Observation, context: Context) -> str:
    these = runs(Table(models=(before,), findings=()), Table(models=(after,), findings=()), ("a.json", "b.json"))
    content = comparison_page(these, context)
    assert len(content) <= LARGEST
    return content.decode()


def test_a_measure_of_one_run_alone_has_no_chart(
    parameter: Parameter, observe: Observe, signal: Signal, context: Context
) -> None:
    whole = signal(5)
    layers = tuple(msgspec.structs.replace(one, dead=(), gradient=()) for one in whole.layers)
    before = observe([parameter("w")], signal=msgspec.structs.replace(whole, layers=layers))
    text = page(before, observe([parameter("w")], signal=whole), context)
    assert text.count('<svg class="chart') == 2
    assert "Gradient rms, Dead units were measured only after, which is not enough for charts of both." in text


def test_two_runs_without_a_forward_have_no_charts_and_say_so(
    parameter: Parameter, observe: Observe, context: Context
) -> None:
    text = page(observe([parameter("w")]), observe([parameter("w")]), context)
    assert "No forward was measured in either run, so there are no charts." in text
    assert "0 of 1 parameter changed." in text


def test_the_mean_is_told_where_it_moved_and_what_repeats_shares_a_row(
    parameter: Parameter, observe: Observe, context: Context
) -> None:
    def block(mean: float, std: float, scheme: str) -> list[ParameterTimeline]:
        least, most, counts = mean - 3 * std, mean + 3 * std, (1, 6, 12, 6, 1)
        values = Values(dtype="float32", shape=(900,), mean=mean, std=std, min=least, max=most, counts=counts)
        return [parameter(f"layers.{n}.w", values=values, scheme=scheme) for n in range(6)]

    moved = page(observe(block(0.0, 1.0, "normal(0, 1)")), observe(block(2.0, 1.0, "normal(2, 1)")), context)
    assert "scheme, mean" in moved and "normal(2, 1), mean 2" in moved and "× 6" in moved
    scaled = page(observe(block(0.2, 1.0, "normal(0, 1)")), observe(block(0.2, 3.0, "normal(0, 3)")), context)
    assert "scheme, std" in scaled and "mean 0.2" not in scaled


def test_no_name_can_become_markup_or_a_command(parameter: Parameter, observe: Observe, context: Context) -> None:
    model = observe([parameter(f"layers.{NASTY}", coverage=Coverage.NEVER)], source=f"{NASTY}\x1b[2J:Net")
    plain = observe([parameter(f"layers.{NASTY}")], source=f"{NASTY}\x1b[2J:Net")
    assert page(plain, model, context).count("<script") == page(observe(), observe(), context).count("<script")
    these = runs(Table(models=(plain,), findings=None), Table(models=(model,), findings=None), ("a", "b"))
    assert "\x1b" not in as_text(these, width=80, color=False) + as_markdown(these)


def test_a_large_comparison_stays_small(
    parameter: Parameter, observe: Observe, signal: Signal, context: Context, tmp_path: Path
) -> None:
    names = [f"{'a_long_name_' * 8}{n}" for n in range(3000)]
    before = observe([parameter(name) for name in names], signal=signal(3000, decades=-0.01))
    after = observe([parameter(name, scheme="ones") for name in names], signal=signal(3000, decades=0.0))
    assert "more rows" in page(before, after, context)
