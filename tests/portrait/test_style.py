"""The colours of the page: what is written can be read, on light and on dark paper."""

from __future__ import annotations

import re
from importlib import resources

import pytest

STYLE = (resources.files("initaudit.portrait") / "page.css").read_text(encoding="utf-8")
PALETTES = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)]
WRITTEN = ("ink", "soft", "blue", "ochre", "red", "green")


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", PALETTES[:2], ids=["light", "dark"])
@pytest.mark.parametrize("paper", ["paper", "wash"])
def test_every_colour_of_text_stands_out(palette: dict[str, str], paper: str) -> None:
    assert {name for name in WRITTEN if contrast(palette[name], palette[paper]) < 4.5} == set()
    assert contrast(palette["ink"], palette["mark"]) >= 7


@pytest.mark.parametrize("palette", PALETTES[:2], ids=["light", "dark"])
@pytest.mark.parametrize("paper", ["wash", "mark"])
def test_every_colour_of_source_stands_out(palette: dict[str, str], paper: str) -> None:
    used = set(re.findall(r"^\.(?:finding pre \.)?[ksndbc] \{ color: var\(--(\w+)\)", STYLE, re.MULTILINE))
    assert used == {"plum", "green", "blue", "teal", "soft"}
    assert {name for name in used if contrast(palette[name], palette[paper]) < 4.5} == set()


@pytest.mark.parametrize("palette", PALETTES[:2], ids=["light", "dark"])
def test_every_line_of_a_chart_stands_out(palette: dict[str, str]) -> None:
    assert {
        name for name in ("blue", "teal", "plum", "ochre") if contrast(palette[name], palette["paper"]) < 3
    } == set()
