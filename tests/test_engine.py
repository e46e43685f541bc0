"""One bug is one finding, whoever saw it; what follows from it is not reported beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from initaudit.engine import Report, Task, Watched, mend, run
from initaudit.finding import Edit, Observer, Place, Severity
from initaudit.observation import Observation, ProvedFix
from initaudit.repository import Changes
from initaudit.settings import Configuration, Located, Overrides, Settings
from initaudit.subjects.calls import DeprecatedCall
from initaudit.subjects.files import SyntaxFault
from initaudit.subjects.lost_writes import BareReference, DroppedTensor
from initaudit.subjects.module_tests import TypeTest
from initaudit.timeline import Allocation, Coverage, Kind, ParameterTimeline, Unwritten

A, P = Observer.ANALYZER, Observer.PROBE


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    lines = [f"line_{row} = {row}" for row in range(1, 31)]
    (tmp_path / "net.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def annotate(row: int, comment: str) -> None:
    """Put a comment at the end of a line of net.py."""
    path = Path("net.py")
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[row - 1] += f"  {comment}"
    path.write_text("\n".join(lines), encoding="utf-8")


def place(row: int, column: int = 5, *, filename: str = "net.py", end_row: int | None = None) -> Place:
    return Place(filename, row, column, end_row or row, column + 4)


def raw(row: int, observer: Observer = A, **changes: object) -> ParameterTimeline:
    """A parameter allocated in a row that nothing writes."""
    what: dict[str, object] = {
        "observer": observer,
        "model": "net.Net" if observer is A else "some.other.path.net.Net",
        "name": "weight",
        "kind": Kind.PARAMETER,
        "coverage": Coverage.NEVER,
        "allocation": Allocation(place=place(row), call="torch.empty", raw=True),
    }
    return ParameterTimeline(**{**what, **changes})  # type: ignore[arg-type]  # a table of keyword arguments


def built(row: int, path: str, *, filename: str | None = None, **changes: object) -> ParameterTimeline:
    """The same as the probe sees it: under the real path, and without a column."""
    where = Place(filename or str(Path("net.py").resolve()), row, 1, row, 1)
    allocation = Allocation(place=where, call="torch.empty", raw=True)
    unwritten = Unwritten(elements=3, total=3)
    return raw(row, P, path=path, allocation=allocation, unwritten=unwritten, **changes)


def look(
    *seen: object, probed: Iterable[object] | None = None, task: Task | None = None, **overrides: object
) -> Report:
    """A run in which the analyzer sees some things, and the probe others."""
    watches = [lambda rules: Watched(A, (observation(A, seen),))]
    if probed is not None:
        watches.append(lambda rules: Watched(P, (observation(P, tuple(probed)),)))
    return run(task or a_task(**overrides), watches)


def observation(observer: Observer, seen: Iterable[object]) -> Observation:
    parameters = tuple(one for one in seen if isinstance(one, ParameterTimeline))
    facts = tuple(one for one in seen if not isinstance(one, ParameterTimeline))
    return Observation(observer=observer, source="net.py", parameters=parameters, facts=facts, comments=observer is A)


def a_task(
    *, filenames: tuple[str, ...] = ("net.py",), known: frozenset[str] = frozenset(), **overrides: object
) -> Task:
    flags = Overrides(**overrides)  # type: ignore[arg-type]  # a table of keyword arguments
    configuration = Configuration(Located(Settings(), Path.cwd()), flags, hierarchical=False)
    return Task(configuration=configuration, filenames=filenames, known=known)


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_both_observers_make_one_finding_with_two_pieces_of_evidence() -> None:
    (finding,) = look(raw(7), probed=[built(7, "weight")]).findings
    assert [piece.observer for piece in finding.evidence] == [A, P]
    assert finding.place == place(7)
    assert "3 of 3 elements" in finding.evidence[1].detail


def test_a_probe_that_knows_another_row_of_the_call_is_understood() -> None:
    spanning = Allocation(place=place(7, end_row=9), call="torch.empty", raw=True)
    (finding,) = look(raw(7, allocation=spanning), probed=[built(8, "weight")]).findings
    assert len(finding.evidence) == 2


def test_layers_built_from_one_line_are_one_finding_that_counts_them() -> None:
    layers = [built(7, f"layers.{number}.weight") for number in range(96)]
    (finding,) = look(probed=layers).findings
    assert finding.evidence[0].detail.endswith("in 96 places: layers.0.weight, layers.1.weight, layers.2.weight, ...")


def test_what_differs_in_row_or_class_stays_apart() -> None:
    seen = [raw(7), raw(8), raw(7, model="net.Other")]
    assert len(look(*seen).findings) == 3


def test_parameters_that_one_call_allocates_are_one_finding() -> None:
    (finding,) = look(raw(7), raw(7, name="bias")).findings
    assert finding.parameter == "bias" and finding.message.endswith("; also `weight`")


def test_two_statements_about_one_parameter_in_one_line_are_two_findings() -> None:
    dropped = [
        DroppedTensor(place=place(7, column), call=call, parameter="weight", model="net.Net", target="self.weight")
        for column, call in ((5, "Tensor.neg"), (30, "Tensor.exp"), (5, "Tensor.neg"))
    ]
    assert [finding.place.column for finding in look(*dropped).findings] == [5, 30]


def test_two_tests_in_one_line_are_two_findings() -> None:
    tests = [TypeTest(place=place(7, column), source="m is nn.Linear", outcome="never true") for column in (5, 30)]
    assert codes(look(*tests)) == ["INI302", "INI302"]


def test_a_file_that_only_the_probe_met_is_named_from_here(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    inner, outer = str(tmp_path / "pkg/a.py"), "/nowhere/b.py"
    report = look(probed=[built(7, "a", filename=inner), built(7, "b", filename=outer, name="bias")])
    assert [finding.place.filename for finding in report.findings] == ["/nowhere/b.py", "pkg/a.py"]


LEGACY = Allocation(place=place(7), call="torch.Tensor", raw=True, legacy=True)


def test_a_cause_replaces_what_follows_from_it() -> None:
    assert codes(look(raw(7, allocation=LEGACY))) == ["INI101"]


@pytest.mark.parametrize("how", ["ignored", "suppressed"])
def test_a_cause_that_is_not_reported_gives_way_to_the_consequence(how: str) -> None:
    if how == "suppressed":
        annotate(7, "# initaudit: ignore[INI101]")
    assert codes(look(raw(7, allocation=LEGACY), ignore=("INI101",) if how == "ignored" else ())) == ["INI104"]


DROPPED = DroppedTensor(place=place(12), call="torch.full", parameter="weight", model="net.Net", target="self.weight")


def test_a_cause_takes_over_the_evidence_of_the_other_observer_and_names_the_parameter() -> None:
    report = look(DROPPED, raw(7, allocation=LEGACY), probed=[built(7, "conv.weight")])
    (finding,) = report.findings
    assert finding.code == "INI202"
    assert "weight" in finding.subjects
    assert [piece.observer for piece in finding.evidence] == [A, P]


def test_a_cause_leaves_other_parameters_alone() -> None:
    assert codes(look(DROPPED, raw(7, name="bias"))) == ["INI101", "INI202"]


def test_an_uncalled_initializer_explains_every_parameter_it_names() -> None:
    bare = BareReference(
        place=place(12),
        source="self.reset_parameters",
        callable_without_arguments=True,
        model="net.Net",
        parameters=("weight", "bias"),
    )
    (finding,) = look(bare, raw(7), raw(8, name="bias")).findings
    assert finding.code == "INI205"
    assert finding.subjects == {"weight", "bias"}


def test_fingerprints_survive_moved_lines_and_do_not_depend_on_the_observer(tmp_path: Path) -> None:
    before = look(raw(7)).findings[0].fingerprint
    text = Path("net.py").read_text(encoding="utf-8")
    assert look(probed=[built(7, "weight")]).findings[0].fingerprint == before
    Path("net.py").write_text("# moved\n\n" + text.replace("line_7", "    line_7"), encoding="utf-8")
    assert look(raw(9)).findings[0].fingerprint == before
    Path("net.py").write_text(text.replace("line_7", "other"), encoding="utf-8")
    assert look(raw(7)).findings[0].fingerprint != before


def test_findings_alike_in_all_but_position_have_fingerprints_of_their_own() -> None:
    Path("net.py").write_text("same\n" * 30, encoding="utf-8")
    report = look(raw(7), raw(9))
    assert len({finding.fingerprint for finding in report.findings}) == 2


def test_what_the_baseline_knows_is_counted_but_not_reported() -> None:
    known = look(raw(7)).findings[0].fingerprint
    report = look(raw(7), raw(9), task=a_task(known=frozenset({known})))
    assert [finding.place.row for finding in report.findings] == [9]
    assert report.summary.known == 1


def test_only_findings_on_changed_lines_are_reported_against_a_revision(tmp_path: Path) -> None:
    changes = Changes({str(tmp_path / "net.py"): (range(8, 10),)})
    task = a_task()
    report = look(
        raw(7), raw(9), task=Task(configuration=task.configuration, filenames=task.filenames, changes=changes)
    )
    assert [finding.place.row for finding in report.findings] == [9]


def test_a_suppression_hides_a_finding_of_the_probe_too() -> None:
    annotate(7, "# noqa: INI101")
    report = look(probed=[built(7, "weight")])
    assert codes(report) == []
    assert report.summary.suppressed == 1


def test_a_useless_suppression_is_reported_when_everyone_who_could_tell_has_looked() -> None:
    annotate(7, "# initaudit: ignore[INI302]")
    annotate(9, "# initaudit: ignore[INI101]")
    assert codes(look()) == ["INI002"]
    written = built(20, "other", coverage=Coverage.WRITTEN)
    assert codes(look(probed=[written])) == ["INI002", "INI002"]
    elsewhere = built(20, "other", coverage=Coverage.WRITTEN, filename="/nowhere/b.py")
    assert codes(look(probed=[elsewhere])) == ["INI002"]


@pytest.mark.parametrize("flags", [{"ignore": ("INI302",)}, {"select": ("INI002",)}, {"ignore": ("INI002",)}])
def test_a_suppression_is_not_judged_for_rules_that_did_not_run(flags: dict[str, tuple[str, ...]]) -> None:
    annotate(7, "# initaudit: ignore[INI302]")
    assert codes(look(**flags)) == []


def test_a_suppression_in_a_file_that_could_not_be_parsed_is_not_judged() -> None:
    annotate(7, "# initaudit: ignore[INI302]")
    assert codes(look(SyntaxFault(place=place(3), detail="unexpected"))) == ["INI001"]


def test_a_used_suppression_is_used_also_when_its_finding_would_have_been_superseded() -> None:
    annotate(7, "# initaudit: ignore[INI104]")
    (finding,) = look(raw(7, allocation=LEGACY), probed=[built(7, "weight")]).findings
    assert finding.code == "INI101"


def test_suppressions_can_be_set_aside() -> None:
    annotate(7, "# noqa")
    task = a_task()
    aside = Task(configuration=task.configuration, filenames=task.filenames, noqa=False)
    assert codes(look(raw(7), task=aside)) == ["INI101"]


def test_the_worst_severity_of_what_is_merged_counts() -> None:
    buffer = {"kind": Kind.BUFFER, "name": "mask"}
    quiet = raw(7, **buffer)
    loud = built(7, "mask", read_first=True, **buffer)
    assert look(quiet).findings[0].severity is Severity.NOTE
    assert look(quiet, probed=[loud]).findings[0].severity is Severity.ERROR


@pytest.mark.parametrize(
    ("errors", "fail_on", "expected"),
    [((), Severity.ERROR, 1), ((), Severity.NOTE, 1), (("no such module",), Severity.ERROR, 2)],
)
def test_the_exit_code_follows_severity_and_errors(errors: tuple[str, ...], fail_on: Severity, expected: int) -> None:
    watched = Watched(A, (observation(A, [raw(7)]),), errors)
    assert run(a_task(), [lambda rules: watched]).exit_code(fail_on) == expected


def test_notes_do_not_fail_a_run_by_default() -> None:
    report = look(raw(7, coverage=Coverage.WRITTEN, allocation=LEGACY))
    assert codes(report) == ["INI104"]
    assert report.exit_code() == 0


def fixed(seen: Observation, place: Place, edit: Edit) -> Observation:
    """What was observed, with a fix that helps."""
    return msgspec.structs.replace(seen, fixes=(ProvedFix(code="INI308", place=place, edits=(edit,)),))


def test_fixing_goes_on_until_nothing_is_left_to_fix() -> None:
    Path("net.py").write_text("x = i.xavier_normal(y) + i.kaiming_normal(z)\n", encoding="utf-8")

    def watch(codes: frozenset[str]) -> Watched:
        """Sees one deprecated call at a time."""
        text = Path("net.py").read_text(encoding="utf-8")
        for function in ("xavier_normal", "kaiming_normal"):
            column = text.find(f"{function}(") + 1
            if column:
                call = Place("net.py", 1, column - 2, 1, column + len(function))
                name = Place("net.py", 1, column, 1, column + len(function))
                seen = observation(A, [DeprecatedCall(place=call, name=name, function=function)])
                return Watched(A, (fixed(seen, call, Edit(f"{function}_", name)),))
        return Watched(A, ())

    report = mend(a_task(), [watch]).remaining
    assert Path("net.py").read_text(encoding="utf-8") == "x = i.xavier_normal_(y) + i.kaiming_normal_(z)\n"
    assert (report.summary.fixed, report.findings) == (2, ())


def test_a_file_that_is_saved_while_it_is_checked_is_not_fixed() -> None:
    call, name = Place("net.py", 7, 1, 7, 9), Place("net.py", 7, 3, 7, 7)

    def watch(codes: frozenset[str]) -> Watched:
        Path("net.py").write_text("something = 'else'\n" * 30, encoding="utf-8")
        seen = observation(A, [DeprecatedCall(place=call, name=name, function="xavier_normal")])
        return Watched(A, (fixed(seen, call, Edit("xavier_normal_", name)),))

    report = mend(a_task(), [watch]).remaining
    assert report.exit_code() == 2
    assert "changed while" in report.errors[0]
    assert Path("net.py").read_text(encoding="utf-8") == "something = 'else'\n" * 30
