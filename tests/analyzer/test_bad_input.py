"""Nothing that lies in a file ends a run: what cannot be read is a fault or stays undecided."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initaudit.analyzer import analyze
from initaudit.analyzer.file.reading import imported_names
from initaudit.finding import Observer
from initaudit.observation import Observation
from initaudit.rules import catalogue, questions
from initaudit.subjects.files import SyntaxFault
from initaudit.timeline import Coverage

Analysis = Callable[..., dict[str, Observation]]

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
LAYER = """
class Layer(nn.Module):
    def __init__(self, x):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))
        y = {}
"""
ALLOCATES = "\n    def __init__(self):\n        self.w = nn.Parameter(torch.empty(3))\n"
DEEP = 10_000
NESTED = {
    "brackets": "(" * DEEP + "1" + ")" * DEEP,
    "lists": "[" * DEEP + "]" * DEEP,
    "sums": " + ".join(["x"] * DEEP),
    "signs": "-" * DEEP + "x",
    "negations": "not " * DEEP + "x",
    "attributes": "x" + ".a" * DEEP,
    "calls": "x" + "()" * DEEP,
    "alternatives": "1 if x else " * DEEP + "2",
    "strings": " ".join(["'a'"] * DEEP),
}


@pytest.mark.parametrize("expression", NESTED.values(), ids=NESTED)
def test_an_expression_that_nests_10000_deep_is_not_followed(expression: str, analyzed: Analysis) -> None:
    seen = analyzed(layer=LAYER.format(expression))["layer"]
    assert seen.undecided or seen.facts or seen.parameters


def test_files_that_import_each_other_are_read(analyzed: Analysis) -> None:
    seen = analyzed(
        one=f"from two import b as a, Base\n{LAYER.format('a')}",
        two="from one import a as b, Layer as Base\n",
    )
    assert [parameter.name for parameter in seen["one"].parameters] == ["weight"]


@pytest.mark.parametrize(
    "files",
    [
        {"one": f"class A(A):{ALLOCATES}"},
        {"one": f"from two import B\nclass A(B):{ALLOCATES}", "two": f"from one import A\nclass B(A):{ALLOCATES}"},
    ],
    ids=["from itself", "from each other"],
)
def test_a_class_that_derives_from_itself_stays_undecided(files: dict[str, str], analyzed: Analysis) -> None:
    seen = analyzed(**files)
    assert all(not observation.parameters and observation.undecided for observation in seen.values())


def test_a_function_that_calls_itself_ends(analyzed: Analysis) -> None:
    seen = analyzed(layer=f"def again(module):\n    again(module)\n    return again\n{LAYER.format('again(self)')}")
    assert seen["layer"].parameters or seen["layer"].undecided


@pytest.mark.parametrize(
    "junk", [b"\x00torch.empty(", b"\xff\xfe torch.empty(", b"torch.empty(\n", b"# coding: x\ntorch.empty("]
)
def test_junk_that_is_named_as_python_is_a_syntax_fault(junk: bytes, tmp_path: Path) -> None:
    file = tmp_path / "junk.py"
    file.write_bytes(junk)
    (seen,) = analyze([str(file)], questions=questions(catalogue().values(), Observer.ANALYZER), jobs=1)
    assert [type(fact) for fact in seen.facts] == [SyntaxFault]


@pytest.mark.parametrize("closed", ["", "\n)"])
def test_an_import_of_many_rows_with_comments_is_read_to_its_end_closed_or_not(closed: str) -> None:
    rows = "".join(f"\n    name{number},  # what (name{number} is for" for number in range(60))
    raw = f"x = 1\nfrom torch.nn import ({rows}{closed}\n".encode()
    assert (b"name59" in imported_names(raw)) == bool(closed)


@settings(max_examples=60)
@given(st.sampled_from(sorted(FIXTURES.glob("INI*.py"))), st.integers(0, 3000), st.integers(0, 40))
def test_a_file_of_which_a_piece_is_missing_is_read_or_refused(file: Path, start: int, length: int) -> None:
    raw = file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        torn = Path(folder, "torn.py")
        torn.write_bytes(raw[:start] + raw[start + length :])
        assert len(analyze([str(torn)], questions=questions(catalogue().values(), Observer.ANALYZER), jobs=1)) <= 1


def test_a_collection_that_grows_counts_as_often_as_it_is_compared_with(
    analyzed: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search in a graph, say, that remembers where it was: there is an end to following it."""
    monkeypatch.setattr("initaudit.analyzer.symbolic.run.MAX_STEPS", 800)
    seen = analyzed(
        layer="""
        class Layer(nn.Module):
            def __init__(self, names):
                super().__init__()
                done = set()
                for key in "abcdefghijklmnopqrstuvwxyz":
                    done.add(names[key])
                for key in "abcdefghijklmnopqrstuvwxyz":
                    self.known = names[key] in done
                self.weight = nn.Parameter(torch.empty(3))
        """
    )
    assert [one.reason for one in seen["layer"].undecided] == ["__init__ is too long to follow"]


def test_programs_that_are_too_long_together_leave_a_class_undecided(analyzed: Analysis) -> None:
    loops = "".join(f"{'    ' * depth}for {name} in {list(range(18))}:\n" for depth, name in enumerate("abc"))
    train = (
        f"from net import Net\nmodel = Net()\n{loops}{' ' * 12}x = a + b + c + a + b + c + a + b\n"
        "model.weight.data.zero_()\n"
    )
    seen = analyzed(
        net="""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(3))
        """,
        train=train,
        again=train,
    )
    assert [one.reason for one in seen["net"].undecided] == ["the code that builds it is too long to follow"]


def test_a_program_that_leaves_memory_raw_counts_whatever_others_do_that_are_too_long(analyzed: Analysis) -> None:
    loops = "".join(f"{'    ' * depth}for {name} in {list(range(18))}:\n" for depth, name in enumerate("abc"))
    train = f"from net import Net\n\nmodel = Net()\n{loops}{' ' * 12}x = a + b + c + a + b + c + a + b\nmodel.train()\n"
    seen = analyzed(
        net="""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(3))
        """,
        train=train,
        again=train,
    )
    assert not seen["net"].undecided
    (timeline,) = seen["net"].parameters
    assert timeline.coverage is Coverage.NEVER
    assert timeline.built is not None


@pytest.mark.parametrize(
    "recursion",
    [
        "{k: decoded(v) for k, v in d.items() if decoded(k)}",
        "[decoded(each) or decoded(d) for each in d]",
        "decoded(d[0]) + decoded(d[1]) + decoded(d[2])",
    ],
)
def test_a_local_function_that_calls_itself_is_followed_no_further_than_others(
    analyzed: Analysis, recursion: str
) -> None:
    seen = analyzed(
        net=f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(3))


        def build(data):
            def decoded(d):
                if isinstance(d, dict):
                    return {recursion}
                if isinstance(d, (list, tuple)):
                    return d.__class__(decoded(one) for one in d) or {recursion}
                return d

            decoded(data)
            model = Net()
            torch.optim.SGD(model.parameters(), lr=0.1)
        """
    )
    assert not seen["net"].undecided
    (timeline,) = seen["net"].parameters
    assert timeline.built is not None
