"""Draws the figures of `science.md`: twenty rectified layers under three schemes, as the probe measures them.

    python docs/figures.py

writes `docs/pictures/*.svg` and prints the table of that page. Needs torch.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import initaudit
from initaudit.portrait.axes import decades
from initaudit.portrait.charts import HEIGHT, LEFT, TOP, WIDTH
from initaudit.portrait.signals import MEASURES, ORDER, Curve, curves

PICTURES = Path(__file__).parent / "pictures"
WIDTH_OF_LAYERS, DEPTH, BATCH, SEEDS = 96, 20, 64, 5
SHOWN = ("rms", "discrimination", "gradient")
COLOURS = {"blue": "#4a7fd0", "teal": "#16938a", "plum": "#a064cf"}
"""Seen on a light page and on a dark one."""
STYLE = (
    ".chart{font:12px sans-serif}text{fill:#7a828d}.grid{stroke:#8a929c;stroke-opacity:.3}"
    ".line{fill:none;stroke-width:1.8}.band{fill-opacity:.15}.dot circle+circle{fill:none}"
    + "".join(
        f".{name} .line{{stroke:{hue}}}.{name} .band,.{name} .dot circle:first-child,.{name} .key{{fill:{hue}}}"
        for name, hue in COLOURS.items()
    )
)


def xavier(layer: nn.Linear) -> None:
    """Xavier's scheme, with gain 1."""
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)


def kaiming(layer: nn.Linear) -> None:
    """Kaiming's scheme, for a ReLU."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def default(layer: nn.Linear) -> None:
    """What torch does unasked."""


SCHEMES: dict[str, tuple[str, Callable[[nn.Linear], None]]] = {
    "Kaiming": ("blue", kaiming),
    "Xavier": ("plum", xavier),
    "torch's default": ("teal", default),
}


class Deep(nn.Module):
    """Layers of one width, each before a ReLU."""

    def __init__(self, initialize: Callable[[nn.Linear], None]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH_OF_LAYERS, WIDTH_OF_LAYERS) for _ in range(DEPTH))
        for layer in self.layers:
            initialize(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


def measured() -> dict[str, dict[str, Curve]]:
    """The curves of each scheme, by the name of what is measured."""
    inputs = torch.randn(BATCH, WIDTH_OF_LAYERS, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, (_, initialize) in SCHEMES.items():
        report = initaudit.audit(lambda chosen=initialize: Deep(chosen), inputs=(inputs,), seeds=SEEDS, isolated=True)
        signal = report.observations[0].signal
        assert signal is not None
        found[name] = {curve.measure.name: curve for curve in curves(signal)}
    return found


def drawn(found: dict[str, dict[str, Curve]], measure: str) -> str:
    """One measure under all schemes, over one another."""
    lines = {name: each[measure] for name, each in found.items()}
    known = [bound for curve in lines.values() for point in curve.points if point for bound in (point.low, point.high)]
    inside = []
    for number, (name, curve) in enumerate(lines.items()):
        colour = SCHEMES[name][0]
        chart = curve.drawn(axis=decades(known), colour=colour)
        key = f'<circle class="key" cx="{LEFT + 24}" cy="{TOP + 120 + 18 * number}" r="4"/>'
        key += f'<text x="{LEFT + 34}" y="{TOP + 120 + 18 * number}" dy=".32em">{name}</text>'
        inside.append(f'<g class="{colour}">{re.sub(r"^<svg[^>]*>|</svg>$", "", chart)}{key}</g>')
    title = next(each.title for each in MEASURES if each.name == measure)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{title} by {ORDER}</title><style>{STYLE}</style>{''.join(inside)}</svg>\n"
    )


def table(found: dict[str, dict[str, Curve]]) -> str:
    """How many decades each measure loses or gains in one layer, and what is left at the last."""
    rows = ["| scheme | decades of scale per layer | discrimination at the last layer | decades of gradient in total |"]
    rows.append("|---|--:|--:|--:|")
    for name, each in found.items():
        scale, gradient = (_decades(each[one]) for one in ("rms", "gradient"))
        discrimination = statistics.median(each["discrimination"].middles()[-1:])
        rows.append(f"| {name} | {scale / (DEPTH - 1):.2f} | {discrimination:.1g} | {gradient:.1f} |")
    return "\n".join(rows) + "\n"


def _decades(curve: Curve) -> float:
    """How many decades a measure gains from the first layer to the last."""
    first, last = curve.ends()
    return math.log10(last.middle / first.middle)


if __name__ == "__main__":
    everything = measured()
    for shown in SHOWN:
        (PICTURES / f"{shown}.svg").write_text(drawn(everything, shown), encoding="utf-8")
    print(table(everything), end="")
