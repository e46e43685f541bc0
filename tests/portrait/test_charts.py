"""Axes end where the values do, and charts draw every value where it belongs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from initaudit.portrait.axes import counting, decades
from initaudit.portrait.charts import bars
from initaudit.portrait.signals import curves
from initaudit.portrait.sparklines import sparkline
from initaudit.timeline import SignalProfile

Signal = Callable[..., SignalProfile]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.03, 20], ["10⁻²", "0.1", "1", "10", "10²"]),
        ([3e-8, 1], ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "1"]),
        ([0.3, 0.4], ["0.2", "0.5"]),
        ([3e-6, 4e-6], ["2×10⁻⁶", "5×10⁻⁶"]),
        ([1.0, 1.0], ["1", "2"]),
        ([], ["1", "2"]),
    ],
)
def test_a_logarithmic_axis_goes_from_decade_to_decade_or_finer(values: list[float], labels: list[str]) -> None:
    axis = decades(values)
    assert [tick.label for tick in axis.ticks] == labels
    assert all(0 <= axis.share(value) <= 1 for value in values)


@pytest.mark.parametrize(
    ("count", "numbers"), [(1, [1]), (5, [1, 2, 3, 4, 5]), (12, [1, 4, 6, 8, 10, 12]), (96, [1, 20, 40, 60, 80])]
)
def test_layers_are_numbered_from_one(count: int, numbers: list[float]) -> None:
    assert [tick.value for tick in counting(count).ticks] == numbers


def test_every_layer_that_was_measured_can_be_pointed_at(signal: Signal) -> None:
    activation, *_ = curves(signal(12))
    titles = re.findall(r"<title>(.*?)</title>", activation.drawn())
    assert len(titles) == 12
    assert titles[0] == "1. layers.0.weight: 2 (1 to 4)"


def test_many_layers_are_drawn_in_stretches(signal: Signal) -> None:
    activation, *_ = curves(signal(1000, decades=-0.01))
    assert len(re.findall(r"<title>", activation.drawn())) == 200
    assert "1000" in activation.drawn()


def test_the_line_passes_over_what_was_not_measured_and_ends_at_zero(signal: Signal) -> None:
    import msgspec

    def drawn(rms: tuple[float, ...]) -> str:
        profile = signal(5)
        layers = [msgspec.structs.replace(one, rms=rms) if n == 2 else one for n, one in enumerate(profile.layers)]
        activation, *_ = curves(msgspec.structs.replace(profile, layers=tuple(layers)))
        return activation.drawn()

    assert drawn(()).count('class="line"') == 1
    assert drawn((0.0,)).count('class="line"') == 2
    assert "hollow" in drawn((0.0,))
    assert "zero at 1 of 5 layers" in drawn((0.0,))


def test_a_histogram_shows_even_a_single_element() -> None:
    heights = re.findall(r"V([\d.]+)H", bars((1, 0, 100_000), -1.0, 1.0, summary=""))
    assert heights == ["51", "52", "4"]


def test_a_sparkline_falls_with_the_signal_and_noise_is_flat(signal: Signal) -> None:
    falling, _, flat, _ = curves(signal(8))
    assert sparkline(falling) == "█▇▆▅▄▃▂▁"
    assert sparkline(flat) == "▅" * 8
