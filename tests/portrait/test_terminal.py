"""A built model on a terminal: it fits the width, what repeats is one row, and what is suspicious comes first."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from initaudit.finding import Finding, Severity
from initaudit.observation import Observation
from initaudit.portrait.columns import GAP, Cell, Column, fitted, folded, table
from initaudit.portrait.sparklines import BLOCKS
from initaudit.portrait.terminal import SHOWN, SUSPICIOUS_SHOWN, portraits
from initaudit.timeline import Coverage, Kind, ParameterTimeline, SignalProfile, Usage, Values

Parameter = Callable[..., ParameterTimeline]
Observe = Callable[..., Observation]
Find = Callable[..., Finding]
Signal = Callable[..., SignalProfile]
WIDTHS = st.integers(40, 240)
NAMES = st.lists(st.from_regex(r"[a-z_0-9漢]{1,30}", fullmatch=True), min_size=1, max_size=8).map(".".join)


def shown(model: Observation, *findings: Finding, width: int = 120, **how: object) -> list[str]:
    return portraits([model], findings, width=width, color=False, **how).splitlines()  # type: ignore[arg-type]  # flags


def rows(lines: list[str]) -> list[str]:
    """The rows of the table of parameters."""
    start = next(number for number, line in enumerate(lines) if set(line) == {"─"})
    return lines[start + 1 : lines.index("", start) if "" in lines[start:] else None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=WIDTHS,
    paths=st.lists(NAMES, min_size=1, max_size=6, unique=True),
    by=NAMES,
    scheme=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60),
    every=st.booleans(),
    color=st.booleans(),
)
def test_no_line_is_wider_than_the_terminal(
    parameter: Parameter, observe: Observe, signal: Signal, find: Find,
    width: int, paths: list[str], by: str, scheme: str, every: bool, color: bool,
) -> None:  # fmt: skip
    writes = parameter("w").writes
    parameters = [
        parameter(path, scheme=scheme, writes=tuple(msgspec.structs.replace(one, by=by) for one in writes))
        for path in paths
    ]
    model = observe(parameters, signal=signal(9), source=f"{by}:Net")
    found = [find(model="net.Net", parameter=parameters[0].name)]
    text = portraits([model], found, width=width, color=color, every=every)
    assert ("\x1b[" in text) == color
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(cell_len, plain.splitlines())) <= width


@given(text=NAMES, width=st.integers(8, 60))
def test_a_folded_name_loses_nothing(text: str, width: int) -> None:
    lines = folded(text, width).split("\n")
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(line if number == 0 else line[2:] for number, line in enumerate(lines)) == text


@given(
    columns=st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 80), st.none() | st.integers(4, 20)), min_size=1, max_size=9
    ),
    width=WIDTHS,
)
def test_columns_fit_and_the_most_important_stay(columns: list[tuple[int, int, int | None]], width: int) -> None:
    made = [Column(heading="", rank=rank, least=least) for rank, _, least in columns]
    natural = [size for _, size, _ in columns]
    kept = fitted(made, natural, width)
    assert sum(kept) + GAP * (sum(map(bool, kept)) - 1) <= width
    assert all(size <= most for size, most in zip(kept, natural, strict=True))
    left_out = [one.rank for one, size in zip(made, kept, strict=True) if not size]
    assert not left_out or min(left_out) >= max(
        (one.rank for one, size in zip(made, kept, strict=True) if size), default=0
    )


def test_a_column_without_text_is_left_out() -> None:
    made = table([Column(heading="one"), Column(heading="two")], [[Cell("a"), Cell("")]], 80, color=False)
    assert made.split() == ["one", "───", "a"]


def test_markup_in_a_name_is_text() -> None:
    assert "[red]x[/red]" in table([Column(heading="one")], [[Cell("[red]x[/red]")]], 80, color=False)


def test_blocks_that_repeat_are_one_row(parameter: Parameter, observe: Observe) -> None:
    blocks = [parameter(f"layers.{number}.weight") for number in range(24)]
    lines = shown(observe([parameter("stem.weight"), *blocks]))
    assert [line.split("  ")[0] for line in rows(lines)] == ["stem.weight", "layers.*.weight (24)"]


def test_with_all_parameters_each_has_a_row(parameter: Parameter, observe: Observe) -> None:
    blocks = [parameter(f"layers.{number}.weight") for number in range(50)]
    found = [line.split("  ")[0] for line in rows(shown(observe(blocks), every=True))]
    assert found == [one.path for one in blocks]


def test_what_is_suspicious_comes_first_the_worst_before_the_others(
    parameter: Parameter, unwritten: ParameterTimeline, observe: Observe, find: Find
) -> None:
    odd = Values(dtype="float32", shape=(4,), mean=0.0, std=1.0, min=0.0, max=1.0, nan=1)
    parameters = [
        parameter("good"), parameter("noted"), parameter("odd", values=odd), unwritten, parameter("warned.weight")
    ]  # fmt: skip
    findings = [
        find(code="INI401", severity=Severity.NOTE, model="net.Net", parameter="noted"),
        find(code="INI403", severity=Severity.WARNING, model="src.net.Net", affects=("weight",)),
        find(model="net.Net", parameter="scale"),
        find(model="other.Other", parameter="good"),
    ]
    assert [line.split()[:2] for line in rows(shown(observe(parameters), *findings))[:3]] == [
        ["INI101", "scale"], ["INI403", "warned.weight"], ["INI401", "noted"]
    ]  # fmt: skip
    assert [line.split()[0] for line in rows(shown(observe(parameters), *findings))[3:]] == ["odd", "good"]


def test_only_alike_parameters_share_a_row(
    parameter: Parameter, unwritten: ParameterTimeline, observe: Observe, find: Find
) -> None:
    blocks = [parameter(f"layers.{n}.scale") for n in range(3)]
    blocks[1] = msgspec.structs.replace(unwritten, path="layers.1.scale")
    lines = rows(shown(observe(blocks)))
    assert [line.split("  ")[0] for line in lines] == ["layers.1.scale", "layers.*.scale (2)"]


@pytest.mark.parametrize("suspicious", [0, 7, SUSPICIOUS_SHOWN + 30])
def test_a_large_model_is_cut_and_says_so(parameter: Parameter, observe: Observe, find: Find, suspicious: int) -> None:
    parameters = [parameter(f"part_{number}") for number in range(100)]
    findings = [find(model="net.Net", parameter=f"part_{number}") for number in range(suspicious)]
    lines = shown(observe(parameters), *findings)
    count = max(SHOWN, min(suspicious, SUSPICIOUS_SHOWN))
    left = max(0, suspicious - count)
    kind = f"{left} of them suspicious" if left else "none suspicious"
    assert lines[-1] == f"and {100 - count} more in {100 - count} rows, {kind}; `--all-parameters` shows all"
    assert sum(line.startswith("INI101") for line in lines) == min(suspicious, count)


def test_the_input_is_stated_and_whose_it_is(parameter: Parameter, observe: Observe, signal: Signal) -> None:
    model = observe([parameter("weight"), parameter("mean", kind=Kind.BUFFER)], signal=signal(4))
    assert "1 parameter and 1 buffer, 24 elements" in shown(model)
    assert "input (32, 3) float32 (inferred; `--input-size` sets another), seeds 0 to 2" in shown(model)
    assert "input (32, 3) float32, seeds 0 to 2" in shown(model, given={"net:Net"})
    assert "no forward was measured; `--show-unknown` says why" in shown(observe([parameter("weight")]))


def test_what_stood_in_for_unwritten_memory_is_said(unwritten: ParameterTimeline, observe: Observe) -> None:
    filled = msgspec.structs.replace(unwritten, usage=Usage(filled="ones"), coverage=Coverage.NEVER)
    (row,) = rows(shown(observe([filled])))
    assert "nothing" in row and "ones, for the forward only" in row


def test_a_depth_has_a_line_for_each_measure(parameter: Parameter, observe: Observe, signal: Signal) -> None:
    lines = shown(observe([parameter("weight")], signal=signal(50)))
    assert "signal through 50 layers, 3 seeds" in lines
    drawn = [re.split(r"\s{2,}", line)[0] for line in lines if set(line) & set(BLOCKS)]
    assert drawn == ["activation rms", "gradient rms", "discrimination", "dead"]
    assert not any(set(line) & set(BLOCKS) for line in shown(observe([parameter("weight")], signal=signal(2))))


def test_a_name_cannot_command_the_terminal(parameter: Parameter, observe: Observe) -> None:
    text = "\n".join(shown(observe([parameter("a\x1b[2J\u202eb")], source="\x1b]0;title\x07:Net")))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_without_a_built_model_nothing_is_shown(observe: Observe) -> None:
    assert portraits([observe()], [], width=80, color=False) == ""
