"""What is written for a newer Python than the one that runs initaudit is decided like everything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.observation import Observation
from initaudit.subjects.calls import DeprecatedCall
from initaudit.subjects.files import UndefinedName
from initaudit.timeline import Coverage

Analysis = Callable[..., dict[str, Observation]]

NEWER = pytest.mark.parametrize(
    "code",
    [
        "print(t'{self}')",
        "try: pass\n        except ValueError, TypeError: pass",
        'print(f"{f"{self!r}"}")',
        "type Sizes = list[int]",
        "def same[T](value: T) -> T: return value",
    ],
)
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))
"""
INIT = """
def init(net):
    if True:
        {}
    nn.init.ones_(net.weight)
"""


def coverage(seen: dict[str, Observation]) -> set[Coverage]:
    return {one.coverage for each in seen.values() for one in each.parameters}


@NEWER
def test_a_constructor_is_run(code: str, analyzed: Analysis) -> None:
    seen = analyzed(net=f"{NET}        {code}\n")
    assert coverage(seen) == {Coverage.NEVER}
    assert not [one.reason for one in seen["net"].undecided]


@NEWER
@pytest.mark.parametrize(
    "files",
    [
        {"net": f"{NET}        {{}}\n        nn.init.ones_(self.weight)\n"},
        {"net": f"{NET}    def init(self):\n        {{}}\n        nn.init.ones_(self.weight)\nNet().init()\n"},
        {
            "net": NET,
            "init": f"from net import Net\n{INIT}init(Net())\n",
        },
    ],
    ids=["its own constructor", "a method", "a function elsewhere"],
)
def test_what_writes_in_a_newer_python_counts(files: dict[str, str], code: str, analyzed: Analysis) -> None:
    seen = analyzed(**{name: text.format(code) for name, text in files.items()})
    assert Coverage.NEVER not in coverage(seen)


@NEWER
def test_a_base_class_is_followed(code: str, analyzed: Analysis) -> None:
    seen = analyzed(net="from base import Net\nclass Other(Net):\n    pass\n", base=f"{NET}        {code}\n")
    assert coverage(seen) == {Coverage.NEVER}


@pytest.mark.parametrize("head", ["class Net[T](nn.Module):", "class Net[T: (int, str), *Ts, **P](nn.Module):"])
def test_a_class_with_type_parameters_is_a_module(head: str, analyzed: Analysis) -> None:
    assert coverage(analyzed(net=NET.replace("class Net(nn.Module):", head))) == {Coverage.NEVER}


@NEWER
def test_a_fact_stands_where_it_does_in_the_file(code: str, analyzed: Analysis) -> None:
    text = f"def init(self, net):\n    if True:\n        {code}\n    nn.init.normal(net.weight)\n"
    (fact,) = (fact for fact in analyzed(net=text)["net"].facts if isinstance(fact, DeprecatedCall))
    assert fact.place.column == 5
    assert fact.place.end_column == 31


@NEWER
def test_a_name_that_nothing_binds_is_seen(code: str, analyzed: Analysis) -> None:
    loop = "    for p in net.parameters():\n        nn.init.zeros_(p)\n"
    text = f"def init(self):\n    if True:\n        {code}\n{loop}"
    (fact,) = (fact for fact in analyzed(net=text)["net"].facts if isinstance(fact, UndefinedName))
    assert fact.name == "net"
