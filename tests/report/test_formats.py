"""Each format says what was found in the way its reader expects."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from initaudit.finding import Advice, Applicability, Category, Edit, Evidence, Finding, Fix, Observer, Place, Severity
from initaudit.report import FORMATS, render
from initaudit.report.base import Context, RuleCard
from initaudit.repository import Repositories
from initaudit.sources.files import Sources, decode_source

SCHEMA = Path(__file__).parent.parent / "data" / "sarif-schema-2.1.0.json"
SCHEMA_URL = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SOURCE = """\
import torch as t
class Net(nn.Module):
\tdef __init__(self):
\t\tself.weiß, self.w = '漢', nn.Parameter(t.Tensor(3, 4))
\t\tself.long = nn.Parameter(
\t\t\tt.Tensor(3, 4)
\t\t)
"""
MESSAGE = "`w` is never initialized: 100%, really\nsecond line"


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    card = RuleCard(
        code="INI101",
        name="uninitialized-parameter",
        summary="Reports raw memory.",
        documentation="## What it does\nReports raw memory.",
        severity=Severity.ERROR,
        category=Category.CORRECTNESS,
        url="https://example.org/INI101",
    )
    return Context(
        version="1.2.3",
        root=tmp_path,
        relative=Repositories(tmp_path).relative,
        rules={"INI101": card},
        sources=Sources([decode_source("a b,c.py", SOURCE.encode())]),
    )


def finding(**changes: object) -> Finding:
    place = Place("a b,c.py", 4, 41, 4, 55)
    what: dict[str, object] = {
        "code": "INI101",
        "name": "uninitialized-parameter",
        "severity": Severity.ERROR,
        "category": Category.CORRECTNESS,
        "message": MESSAGE,
        "place": place,
        "evidence": (Evidence(Observer.ANALYZER, "no reachable code writes it"), Evidence(Observer.PROBE, "12 of 12")),
        "model": "net.Net",
        "parameter": "w",
        "affects": ("w", "bias"),
        "fix": Fix(Applicability.SAFE, "Replace with `t.empty(3, 4)`", (Edit("t.empty(3, 4)", place),)),
        "url": "https://example.org/INI101",
        "fingerprint": "f00d",
    }
    return Finding(**{**what, **changes})  # type: ignore[arg-type]  # a table of keyword arguments


SPANNING = Place("a b,c.py", 5, 15, 7, 4)
EVERYTHING = [
    finding(),
    finding(
        severity=Severity.NOTE, place=SPANNING, fix=None, parameter=None, model=None, evidence=(), fingerprint="beef"
    ),
    finding(code="INI999", severity=Severity.WARNING, place=Place("/elsewhere/b.py", 9, 1, 9, 2), affects=()),
]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_ends_its_last_line_and_copes_with_nothing(name: str, context: Context) -> None:
    assert render(name, EVERYTHING, context).endswith("\n")
    nothing = render(name, [], context)
    assert not nothing or nothing.endswith("\n")


def test_markdown_is_a_table_that_no_message_breaks(context: Context) -> None:
    from markdown_it import MarkdownIt

    hostile = finding(message="a | b <img src=x> `c | d` [link](javascript:x)\n| forged |")
    text = render("markdown", [*EVERYTHING, hostile], context)
    assert text.startswith("### initaudit: 2 errors, 1 warning, 1 note\n")
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert page.count("<tr>") == 1 + len(EVERYTHING) + 1 and page.count("<td>") == 4 * (len(EVERYTHING) + 1)
    assert "<img" not in page and 'javascript:x"' not in page and "<code>c | d</code>" in page
    assert '<a href="https://example.org/INI101">INI101</a>' in page
    assert render("markdown", [], context) == "### initaudit: nothing found\n"


def test_a_file_and_a_rule_are_links_where_the_terminal_has_them(context: Context) -> None:
    import msgspec

    Path("a b,c.py").write_text(SOURCE, encoding="utf-8")
    link = "\x1b]8;;{}\x1b\\{}\x1b]8;;\x1b\\"
    for name in ("full", "concise"):
        text = render(name, [finding()], msgspec.structs.replace(context, links=True, width=30))
        assert text.startswith(link.format(Path("a b,c.py").absolute().as_uri(), "a b,c.py"))
        assert link.format("https://example.org/INI101", "INI101") in text
        assert "\x1b" not in render(name, [finding()], context)


def test_a_report_shows_itself_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import initaudit

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a<b.py").write_text(
        "import torch\nfrom torch import nn\nclass N(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.w = nn.Parameter(torch.empty(3))\n",
        encoding="utf-8",
    )
    page = initaudit.check(tmp_path, jobs=1)._repr_html_()
    assert "<h3>initaudit: 1 error</h3>" in page and "<table>" in page and "a&lt;b.py:6:" in page


def test_concise_is_one_line_a_finding_whatever_the_message_holds(context: Context) -> None:
    lines = render("concise", EVERYTHING, context).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["error", "note", "warning"]
    assert lines[0].startswith("a b,c.py:4:41: error: INI101 `w` is never initialized: 100%, really")


def test_full_underlines_exactly_the_span(context: Context) -> None:
    rows = [line[4:] for line in render("full", [finding()], context).splitlines() if line[1:4] == " | "]
    code, marks = rows[-2], rows[-1]
    assert code.strip().endswith("nn.Parameter(t.Tensor(3, 4))")
    start = marks.index("^")
    # The wide character takes two columns of the terminal, but one of the string.
    assert code[start - 1 : start - 1 + marks.count("^")] == "t.Tensor(3, 4)"


def test_full_shows_every_row_of_a_span_and_what_was_seen_and_what_to_do(context: Context) -> None:
    text = render("full", [finding(place=SPANNING)], context)
    assert text.count("^^^") >= 2
    assert "= analyzer: no reachable code writes it" in text
    assert "= probe: 12 of 12" in text
    assert "= affects: bias\n" in text
    assert "= fix: Replace with `t.empty(3, 4)` (apply with `--fix`)" in text
    assert "= see: https://example.org/INI101" in text


def test_full_shows_a_finding_whose_file_is_not_there(context: Context) -> None:
    text = render("full", [finding(place=Place("/elsewhere/b.py", 9, 1, 9, 2))], context)
    assert text.startswith("/elsewhere/b.py:9:1: error: INI101")


def test_text_cannot_command_the_terminal(context: Context) -> None:
    nasty = finding(message="\x1b[2J\u202egone", place=Place("a\nb\x1b]0;title\x07.py", 1, 1, 1, 2))
    for name in ("full", "concise"):
        assert not {"\x1b", "\x07", "\u202e"} & set(render(name, [nasty], context))


def test_color_only_paints(context: Context) -> None:
    painted = render("full", EVERYTHING, msgspec.structs.replace(context, color=True))
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render("full", EVERYTHING, context)


def test_json_is_the_contract(context: Context) -> None:
    first, second, _ = json.loads(render("json", EVERYTHING, context))
    assert first == {
        "code": "INI101",
        "name": "uninitialized-parameter",
        "severity": "error",
        "category": "correctness",
        "message": MESSAGE,
        "url": "https://example.org/INI101",
        "filename": "a b,c.py",
        "cell": None,
        "location": {"row": 4, "column": 41},
        "end_location": {"row": 4, "column": 55},
        "model": "net.Net",
        "parameter": "w",
        "affects": ["w", "bias"],
        "evidence": [
            {"observer": "analyzer", "detail": "no reachable code writes it"},
            {"observer": "probe", "detail": "12 of 12"},
        ],
        "fix": {
            "applicability": "safe",
            "message": "Replace with `t.empty(3, 4)`",
            "edits": [
                {
                    "content": "t.empty(3, 4)",
                    "location": {"row": 4, "column": 41},
                    "end_location": {"row": 4, "column": 55},
                }
            ],
        },
        "fingerprint": "f00d",
    }
    assert (second["fix"], second["model"], second["parameter"]) == (None, None, None)


def test_json_lines_are_the_same_one_a_line(context: Context) -> None:
    lines = render("json-lines", EVERYTHING, context).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render("json", EVERYTHING, context))


@pytest.mark.parametrize("findings", [EVERYTHING, []], ids=["findings", "none"])
def test_sarif_is_valid_against_the_published_schema(findings: list[Finding], context: Context) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())
    assert not [error.message for error in validator.iter_errors(json.loads(render("sarif", findings, context)))]


def test_sarif_carries_rules_fingerprints_fixes_and_paths_relative_to_the_root(context: Context) -> None:
    (run,) = json.loads(render("sarif", EVERYTHING, context))["runs"]
    first, second, third = run["results"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["INI101", "INI999"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 0, 1]
    assert first["partialFingerprints"] == {"initaudit/v1": "f00d"}
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "sub/a%20b%2Cc.py", "uriBaseId": "%SRCROOT%"}
    assert location["region"] == {"startLine": 4, "startColumn": 41, "endLine": 4, "endColumn": 55}
    (change,) = first["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"] == {"text": "t.empty(3, 4)"}
    assert "fixes" not in second
    assert third["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///elsewhere/b.py"}


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_prints_an_address_while_no_documentation_is_published(name: str, context: Context) -> None:
    rules = {code: msgspec.structs.replace(card, url="") for code, card in context.rules.items()}
    unpublished = msgspec.structs.replace(context, rules=rules)
    text = render(name, [msgspec.structs.replace(each, url="") for each in EVERYTHING], unpublished)
    assert set(re.findall(r"https?://[^\s\"]+", text)) <= {SCHEMA_URL}


def test_text_points_to_the_command_that_prints_the_rule(context: Context) -> None:
    assert "  = see: `initaudit rule INI101`\n" in render("full", [finding(url="")], context)


def test_services_get_the_text_of_the_rule(context: Context) -> None:
    (run,) = json.loads(render("sarif", EVERYTHING, context))["runs"]
    issue = json.loads(render("gitlab", EVERYTHING, context))[0]
    assert run["tool"]["driver"]["rules"][0]["help"]["markdown"] == "## What it does\nReports raw memory."
    assert issue["content"]["body"] == "## What it does\nReports raw memory."


def test_one_setting_gives_every_format_its_addresses(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    from initaudit.rules import catalogue

    rule = catalogue()["INI101"]
    assert rule.url() == ""
    monkeypatch.setattr("initaudit.finding.DOCUMENTATION_URL", "https://docs.example.org/")
    assert rule.url() == "https://docs.example.org/rules/INI101/"
    (run,) = json.loads(render("sarif", EVERYTHING, context))["runs"]
    assert run["tool"]["driver"]["informationUri"] == "https://docs.example.org/"
    assert json.loads(render("rdjson", EVERYTHING, context))["source"]["url"] == "https://docs.example.org/"


def test_github_escapes_data_and_properties(context: Context) -> None:
    error, note, warning = render("github", EVERYTHING, context).splitlines()
    assert error == (
        "::error title=initaudit (INI101),file=sub/a b%2Cc.py,line=4,endLine=4,col=41,endColumn=55"
        "::sub/a b,c.py:4:41: INI101 `w` is never initialized: 100%25, really%0Asecond line"
    )
    assert note.startswith("::notice ")
    assert "col=" not in note.partition("::sub")[0]
    assert warning.startswith("::warning ")


def test_azure_escapes_data_and_properties(context: Context) -> None:
    lines = render("azure", [finding(place=Place("a;b].py", 4, 41, 4, 55))], context).splitlines()
    assert lines == [
        "##vso[task.logissue type=error;sourcepath=a%3Bb%5D.py;linenumber=4;columnnumber=41;code=INI101;]"
        "`w` is never initialized: 100%AZP25, really%0Asecond line"
    ]


def test_gitlab_has_severities_positions_and_fingerprints(context: Context) -> None:
    issues = json.loads(render("gitlab", EVERYTHING, context))
    assert [issue["severity"] for issue in issues] == ["major", "info", "minor"]
    assert issues[0]["location"] == {
        "path": "sub/a b,c.py",
        "positions": {"begin": {"line": 4, "column": 41}, "end": {"line": 4, "column": 55}},
    }
    assert [issue["fingerprint"] for issue in issues] == ["f00d", "beef", "f00d"]


def test_rdjson_counts_bytes(context: Context) -> None:
    diagnostics = json.loads(render("rdjson", EVERYTHING, context))["diagnostics"]
    # One character before the span takes two bytes, another three.
    assert diagnostics[0]["location"]["range"]["start"] == {"line": 4, "column": 41 + 1 + 2}
    assert diagnostics[0]["suggestions"][0]["text"] == "t.empty(3, 4)"
    assert diagnostics[1]["severity"] == "INFO"


def test_junit_is_well_formed_whatever_the_message_holds(context: Context) -> None:
    nasty = finding(message='<&"]]>\x00\x1b\ud800')
    root = ElementTree.fromstring(render("junit", [nasty, *EVERYTHING], context))
    assert root.attrib["failures"] == "4"
    failures = [failure.attrib["message"] for failure in root.iter("failure")]
    assert failures[0] == '<&"]]>\ufffd\ufffd\ufffd'
    assert root.attrib["tests"] == str(len(list(root.iter("testcase"))))


def test_junit_passes_when_nothing_was_found(context: Context) -> None:
    root = ElementTree.fromstring(render("junit", [], context))
    assert (root.attrib["tests"], root.attrib["failures"]) == ("1", "0")


def advised(line: str, parameter: str = "w", message: str = "", **changes: object) -> tuple[Finding, Sources]:
    """A finding at the first column of a line of its own, with one call that is advised."""
    advice = Advice(model="net.Net", parameter=parameter, initializer="ones_")
    place = Place("net.py", 1, 5, 1, len(line) + 1)
    found = finding(place=place, message=message or f"add `{advice}`", advice=(advice,), fix=None, **changes)
    return found, Sources([decode_source("net.py", f"{line}\n".encode())])


@pytest.mark.parametrize(
    ("line", "parameter", "added"),
    [
        ("    self.w = nn.Parameter(torch.empty(3))  # raw", "w", "    nn.init.ones_(self.w)"),
        ("\tself.w: nn.Parameter = nn.Parameter(torch.empty(3))", "w", "    nn.init.ones_(self.w)"),
        ("    self.fc = nn.Linear(3, 4)", "fc.weight", "    nn.init.ones_(self.fc.weight)"),
        ("    self.w = nn.Parameter(", "w", None),
        ("    self.other = self.w = nn.Parameter(torch.empty(3))", "w", None),
        ("    self.wide = nn.Parameter(torch.empty(3))", "w", None),
        ("    nn.init.zeros_(self.w)", "w", None),
        ("    self.w: nn.Parameter", "w", None),
        ("    return nn.Parameter(torch.empty(3))", "w", None),
    ],
)
def test_full_shows_the_line_to_add_below_the_one_that_assigns(
    context: Context, line: str, parameter: str, added: str | None
) -> None:
    found, sources = advised(line, parameter)
    lines = render("full", [found], msgspec.structs.replace(context, sources=sources)).splitlines()
    assert [one.partition(" | ")[2] for one in lines if one.startswith("+ | ")] == ([added] if added else [])


@given(word=st.text("ab漢", min_size=1, max_size=300), width=st.integers(40, 240))
def test_a_word_that_fits_no_line_takes_several(word: str, width: int) -> None:
    made = Context(version="1", root=Path(), relative=str, width=width)
    lines = render("full", [finding(message=f"`{word}`", place=Place("n.py", 1, 1, 1, 2))], made).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert f"`{word}`" in "".join(line.strip() for line in lines)


def test_full_shows_the_lines_that_a_fix_adds_below(context: Context) -> None:
    found, sources = advised("    self.w = nn.Parameter(torch.empty(3))")
    below, elsewhere = Place("net.py", 2, 1, 2, 1), Place("net.py", 9, 1, 9, 1)

    def lines(*places: Place) -> list[str]:
        fix = Fix(Applicability.UNSAFE, "Add a line", tuple(Edit("    with torch.no_grad():\n", one) for one in places))
        text = render(
            "full", [msgspec.structs.replace(found, fix=fix)], msgspec.structs.replace(context, sources=sources)
        )
        return [line.partition(" | ")[2] for line in text.splitlines() if line.startswith("+ | ")]

    end = len("    self.w = nn.Parameter(torch.empty(3))") + 1
    row_end = Edit("\n    with torch.no_grad():", Place("net.py", 1, end, 1, end))
    at_end = msgspec.structs.replace(found, fix=Fix(Applicability.UNSAFE, "Add a line", (row_end,)))
    text = render("full", [at_end], msgspec.structs.replace(context, sources=sources))
    assert "\n+ |     with torch.no_grad():\n" in text
    assert lines(below, below) == ["    with torch.no_grad():"] * 2
    assert lines(elsewhere) == lines(below, elsewhere) == []


def test_no_line_is_added_where_the_message_advises_something_else(context: Context) -> None:
    found, sources = advised("    self.w = nn.Parameter(torch.empty(3))", message="call `reset_parameters`")
    assert "\n+ |" not in render("full", [found], msgspec.structs.replace(context, sources=sources))


WORDS = st.text(st.characters(categories=["L", "Nd", "Po"], include_characters="`漢"), min_size=1, max_size=12)


@given(words=st.lists(WORDS, min_size=1, max_size=40), width=st.integers(40, 240), color=st.booleans())
def test_a_message_is_broken_at_blanks_to_fit_a_terminal(words: list[str], width: int, color: bool) -> None:
    made = Context(version="1", root=Path(), relative=str, width=width, color=color)
    message = " ".join(words)
    text = re.sub(
        r"\x1b\[[0-9;]*m", "", render("full", [finding(message=message, place=Place("n.py", 1, 1, 1, 2))], made)
    )
    assert max(map(cell_len, text.splitlines())) <= width
    head = text[: text.index("\n  = analyzer")]
    assert " ".join(line.strip() for line in head.splitlines()).replace("  ", " ").endswith(message)
    unbroken = render("full", [finding(message=message)], msgspec.structs.replace(made, width=None, color=False))
    assert message in unbroken.splitlines()[0]


@given(
    before=st.text(st.characters(categories=["L"], include_characters="\t漢é"), max_size=200),
    span=st.text("abc漢", min_size=1, max_size=150),
    after=st.text("xyz ", max_size=200),
    width=st.integers(40, 240),
)
@example(before="A々AAAAAAAAAAAAA々", span="aaaaaaaaaaaaa漢漢漢", after="", width=41)
def test_source_is_cut_to_the_terminal_around_the_end_of_the_span(
    before: str, span: str, after: str, width: int
) -> None:
    line = before + span + after
    found = finding(place=Place("n.py", 1, len(before) + 1, 1, len(before) + len(span) + 1), fix=None)
    sources = Sources([decode_source("n.py", f"{line}\n".encode())])
    made = Context(version="1", root=Path(), relative=str, width=width, sources=sources)
    _, shown, marks, *_ = [one for one in render("full", [found], made).splitlines() if one[1:3] == " |"]
    assert max(cell_len(shown), cell_len(marks)) <= width
    assert marks.count("^") >= 1
    last = cell_len(marks)
    reached, columns = "", 0
    for character in shown:
        columns += cell_len(character)
        if columns == last:
            reached = character
    assert reached in (span[-1], "…")
