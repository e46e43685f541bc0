"""The page of a built model: everything is on it, nothing of it is elsewhere, and it stays small."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from initaudit.finding import Finding, Observer, Severity
from initaudit.observation import Observation, Undecided
from initaudit.report.base import Context
from initaudit.timeline import Coverage, InitialLoss, Kind, ParameterTimeline, SignalProfile, Values

pytest.importorskip("jinja2", reason="pages are made with jinja2")

from initaudit.portrait.page import LARGEST, page, verdict

Parameter = Callable[..., ParameterTimeline]
Observe = Callable[..., Observation]
Find = Callable[..., Finding]
VOID = {"meta", "link"}
CONSTANT = Values(dtype="float32", shape=(4,), mean=0.0, std=0.0, min=0.0, max=0.0)


class Page(HTMLParser):
    """A page, as its reader finds it: texts by the element they stand in, and what the page refers to."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.size = len(content)
        self.text = content.decode()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.labels: list[str] = []
        self.feed(self.text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.links += [named[key] or "" for key in ("src", "href", "xlink:href", "action") if key in named]
        self.labels += [named["aria-label"] or ""] if "aria-label" in named else []
        if tag == "dd":
            self.handle_data(" ")
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    @property
    def words(self) -> str:
        return " ".join(re.sub(r"\s+", " ", text).strip() for text in self.texts["main"] + self.texts["header"])

    @property
    def data(self) -> Any:
        return json.loads(next(text for text in self.texts["script"] if text.startswith("{")))


@pytest.fixture
def both(
    parameter: Parameter, unwritten: ParameterTimeline, observe: Observe, find: Find, context: Context,
    signal: Callable[..., SignalProfile],
) -> Page:  # fmt: skip
    """A page with a bit of everything."""
    loss = InitialLoss(
        path="head.weight", classes=10, excess=(0.0, 0.1, 0.3), error=(0.1, 0.1, 0.1), known_by="log_softmax"
    )
    model = observe(
        [parameter("layers.0.weight"), unwritten, parameter("norm.mean", kind=Kind.BUFFER, values=CONSTANT)],
        signal=signal(12, loss=loss),
        undecided=(Undecided(place=None, subject="cache", reason="it is on the `meta` device"),),
    )
    return Page(page([find()], [model], context))


def test_it_says_what_was_found_with_the_source_and_what_to_do(both: Page) -> None:
    for words in (
        "Initialization is wrong 1 error",
        "error scale is never initialized",
        "INI101 uninitialized-parameter at net.py, line 4",
        "self.scale = nn.Parameter(torch.empty(3))",
        "3 of 3 elements were never written",
        "Write nn.init.ones_(self.scale)",
    ):
        assert words in both.words
    assert both.texts["mark"] == ["torch.empty(3)"]


def test_it_says_of_every_parameter_what_wrote_it_and_what_it_holds(both: Page) -> None:
    assert "layers.0.weight (4, 3) 0.01 0.5 -1.25 1.5 init.xavier_normal_ init.py:9 xavier_normal float32" in re.sub(
        r"\s+", " ", re.sub(r"<[^>]*>", " ", both.text)
    )
    assert "✕ never written" in both.words
    assert "norm.mean buffer" in both.words
    assert "0 in every element of 1 tensor: norm.mean" in both.words
    assert "Histogram of layers.0.weight: from -1.25 to 1.5, mean 0.01, standard deviation 0.5" in both.labels


def test_it_says_how_signal_passes_and_under_which_conditions(both: Page) -> None:
    assert (
        "Activation rms by layer: 2 at 1. layers.0.weight, 0.04477 at 12. layers.11.weight, between 0.04477 and 2"
        in both.labels
    )
    assert "12 layers on (32, 3) float32; the line is the median of 3 seeds, the band their range" in both.words
    assert "Dead units 25% of 48 before a rectifier" in both.words
    assert "Initial loss 2.40 nats 0.10 above the loss of guessing among 10 classes" in both.words
    for fact in ("Python 3.11.7", "torch 2.13.0", "Device cpu", "Seeds 0, 1, 2", "Inputs (32, 3) float32"):
        assert fact in both.words
    assert "cache it is on the meta device" in both.words


def test_the_worst_comes_first_and_what_repeats_is_counted(observe: Observe, find: Find, context: Context) -> None:
    affects = tuple(f"layers.{number}.weight" for number in range(12))
    findings = [find(severity=Severity.NOTE, message="least"), find(message="most", affects=(*affects, "head"))]
    made = Page(page(findings, [observe()], context))
    assert [text.split()[-1] for text in made.texts["h3"]] == ["most", "least"]
    assert "Affects layers.*.weight (12), head" in made.words


def test_headings_and_tables_are_real(both: Page) -> None:
    assert both.texts["h1"] == ["Net in net"]
    assert both.texts["h2"] == [
        "Findings", "Signal through depth", "Parameters", "Values", "Not decided", "Environment"
    ]  # fmt: skip
    assert len(both.texts["caption"]) == len(both.texts["table"]) == 2
    assert not re.search(r"<th(?! scope=)[ >]", both.text)


def test_it_needs_nothing_from_elsewhere(both: Page) -> None:
    assert [link for link in both.links if link != "data:,"] == ["https://example.org/INI101"]
    assert "default-src 'none'" in both.text
    assert not re.search(r"@import|url\(", both.text)


def test_programs_find_the_same_in_it(both: Page) -> None:
    data = both.data
    assert (data["schema_version"], data["version"]) == (1, "1.2.3")
    assert [finding["code"] for finding in data["findings"]] == ["INI101"]
    (model,) = data["models"]
    assert [(row["path"], row["coverage"], row["std"]) for row in model["parameters"]] == [
        ("layers.0.weight", "written", 0.5),
        ("scale", "never", 0.5),
        ("norm.mean", "written", 0.0),
    ]
    assert model["layers"][0]["rms"] == [1.0, 2.0, 4.0]


NASTY = "</script><script>alert(1)</script><!--&amp;\"'\u2028"


def test_no_name_can_become_markup(parameter: Parameter, observe: Observe, find: Find, context: Context) -> None:
    plain = Page(page([find()], [observe([parameter("w")])], context))
    nasty = Page(
        page([find(message=NASTY, affects=(NASTY,))], [observe([parameter(f"layers.{NASTY}")], source=NASTY)], context)
    )
    assert len(nasty.texts["script"]) == len(plain.texts["script"])
    assert nasty.data["findings"][0]["message"] == NASTY
    assert nasty.data["models"][0]["target"] == NASTY


def test_it_stays_small_whatever_the_size_of_the_model(
    parameter: Parameter, unwritten: ParameterTimeline, observe: Observe, find: Find, context: Context,
    signal: Callable[..., SignalProfile],
) -> None:  # fmt: skip
    names = [f"{'a_long_name_' * 8}{number}" for number in range(3000)]
    findings = [find(message=name * 3, affects=tuple(names[:20])) for name in names]
    undecided = tuple(Undecided(place=None, subject=name, reason="it " * 99) for name in names)
    model = observe([parameter(name) for name in names], undecided=undecided, signal=signal(3000, decades=-0.01))
    large = Page(page(findings, [model], context))
    assert large.size <= LARGEST
    shown = len(large.data["findings"])
    assert f"{3000 - shown:,} more findings" in large.words
    assert f"{3000 - shown:,} more rows; --table FILE writes all of them" in large.words
    assert f"{3000 - shown:,} more layers; --table FILE writes all of them" in large.words


def test_parameters_that_repeat_from_block_to_block_share_a_row(
    parameter: Parameter, observe: Observe, context: Context
) -> None:
    blocks = [parameter(f"blocks.{block}.{name}") for block in range(100) for name in ("q.weight", "k.weight")]
    raw = parameter("blocks.7.v.weight", coverage=Coverage.NEVER)
    rows = Page(page([], [observe([*blocks, raw])], context)).data["models"][0]["parameters"]
    assert [(row["path"], row["count"], row["coverage"]) for row in rows] == [
        ("blocks.*.q.weight", 100, "written"),
        ("blocks.*.k.weight", 100, "written"),
        ("blocks.7.v.weight", 1, "never"),
    ]


def test_several_models_stand_one_below_the_other(parameter: Parameter, observe: Observe, context: Context) -> None:
    models = [observe([parameter("w")], source="a:Net"), observe([parameter("w")], source="b:Net")]
    both = Page(page([], models, context))
    assert both.texts["h1"] == ["Net in a and Net in b"]
    assert both.texts["h2"] == ["Net in a", "Net in b"]
    assert {"#model-1", "#model-2"} <= set(both.links)
    assert both.texts["h3"] == ["Signal through depth", "Parameters", "Values", "Environment"] * 2


def test_of_a_model_that_was_not_built_there_is_nothing_to_show(observe: Observe, context: Context) -> None:
    assert "There is nothing to show for this model." in Page(page([], [observe(environment=None)], context)).words


def test_what_only_the_analyzer_saw_is_no_model(observe: Observe, context: Context) -> None:
    assert Page(page([], [observe(observer=Observer.ANALYZER)], context)).data["models"] == []


@pytest.mark.parametrize(
    ("severities", "words", "counts"),
    [
        ([], "No problems found", ""),
        ([Severity.NOTE, Severity.NOTE], "Notes only", "2 notes"),
        ([Severity.NOTE, Severity.WARNING], "Initialization is suspicious", "1 warning, 1 note"),
        ([Severity.WARNING, Severity.ERROR], "Initialization is wrong", "1 error, 1 warning"),
    ],
)
def test_the_worst_finding_decides(severities: list[Severity], words: str, counts: str, find: Find) -> None:
    findings: list[Finding] = [find(severity=severity) for severity in severities]
    said = verdict(findings)
    assert (said.words, said.counts) == (words, counts)
