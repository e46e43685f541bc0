"""What becomes of a probe whose child does not come to an end, at each of its stages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from initaudit.probe import Target, TargetError, probe
from initaudit.probe.process.child import Child, cause_of_death
from initaudit.subjects.builds import BuildFailure
from initaudit.timeline import Coverage

MODELS = """\
import os
import torch
from torch import nn


class Once(nn.Module):
    builds = 0

    def __init__(self):
        super().__init__()
        Once.builds += 1
        self.w = nn.Parameter(torch.empty(3))
        if Once.builds > 1:
            os._exit(4)


class Leaves(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.empty(2))
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        os._exit(4)


class Stop(BaseException):
    pass


class Stops(nn.Module):
    def __init__(self):
        super().__init__()
        raise Stop("enough")


class StopsAgain(nn.Module):
    builds = 0

    def __init__(self):
        super().__init__()
        StopsAgain.builds += 1
        self.fc = nn.Linear(3, 3)
        if StopsAgain.builds > 1:
            raise Stop("enough")


class Grows(nn.Module):
    def __init__(self, blocks=100):
        super().__init__()
        self.held = [torch.ones(10_000_000) for _ in range(blocks)]
"""

DATA = """\
answer = 42


def fails():
    raise OSError("no such disk")
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "models.py").write_text(MODELS, encoding="utf-8")
    (package / "data.py").write_text(DATA, encoding="utf-8")
    return tmp_path


def test_a_constructor_that_only_dies_when_it_runs_again_was_built(models: Path) -> None:
    seen = probe(Target(spec="package/models.py:Once"))
    assert seen.facts == ()
    assert [one.coverage for one in seen.parameters] == [Coverage.NEVER]
    (doubt,) = seen.undecided
    assert "again with other content of uninitialized memory ended its process with exit code 4" in doubt.reason
    assert (doubt.place.filename, doubt.place.row) == (str(Path("package", "models.py")), 6)


def test_a_forward_that_ends_the_process_takes_nothing_along(models: Path) -> None:
    seen = probe(Target(spec="package.models:Leaves"))
    assert {one.path: one.coverage for one in seen.parameters}["raw"] is Coverage.NEVER
    assert [one.model for one in seen.parameters] == ["package.models.Leaves"] * 3
    (doubt,) = seen.undecided
    assert doubt.reason == "running its forward ended its process with exit code 4"


def test_an_exception_of_a_kind_of_its_own_is_told_where_it_was_raised(models: Path) -> None:
    (failure,) = probe(Target(spec="package/models.py:Stops")).facts
    assert isinstance(failure, BuildFailure) and failure.how == "raised"
    assert (
        failure.detail.startswith("Stop: enough at ")
        and failure.place.row == MODELS.splitlines().index('        raise Stop("enough")') + 1
    )


def test_whatever_a_later_stage_raises_takes_nothing_along(models: Path) -> None:
    seen = probe(Target(spec="package/models.py:StopsAgain"))
    assert seen.facts == () and len(seen.parameters) == 2
    (doubt,) = seen.undecided
    assert doubt.reason.startswith("building it again with other content of uninitialized memory raised Stop: enough")


def test_input_data_that_raise_are_told_apart_from_a_forward_that_does(models: Path) -> None:
    seen = probe(Target(spec="package/models.py:Leaves", input_data="package.data:fails"))
    (reason,) = (one.reason for one in seen.undecided if "not judged" in one.reason)
    assert "the input data package.data:fails raised OSError: no such disk at" in reason


def test_a_file_whose_name_has_dots_is_built_with_its_package(models: Path) -> None:
    text = "from .models import Leaves\n\n\nclass Net(Leaves):\n    pass\n"
    (models / "package" / "net.v2.py").write_text(text, encoding="utf-8")
    seen = probe(Target(spec="package/net.v2.py:Net"))
    assert {one.model for one in seen.parameters} == {"package.models.Leaves"}


@pytest.mark.parametrize(
    ("packages", "line", "refused"),
    [
        (("app/nets", "app/utils"), "from ..utils.sizes import SIZE", ""),  # `app` is no package, and is imported from
        (("app/utils",), "from ...app.utils.sizes import SIZE", "beyond top-level"),  # above the current folder
        (("app/utils",), "from .block import SIZE", ""),  # nothing around the file is a package
        (("app/nets", "app/utils"), "from .block import SIZE", ""),  # another file of it reaches further
        (("app/nets", "app/utils"), "from ..missing import SIZE", "No module named 'app.missing'"),
    ],
)
def test_relative_imports_say_which_folders_are_packages(
    models: Path, packages: tuple[str, ...], line: str, refused: str
) -> None:
    for folder in ("app/nets", "app/utils"):
        (models / folder).mkdir(parents=True)
    for folder in packages:
        (models / folder / "__init__.py").touch()
    (models / "app/utils/sizes.py").write_text("SIZE = 3\n", encoding="utf-8")
    (models / "app/nets/block.py").write_text("from ..utils.sizes import SIZE\n", encoding="utf-8")
    text = f"{line}\nfrom torch import nn\n\n\ndef net():\n    return nn.Linear(SIZE, 1)\n"
    (models / "app/nets/net.py").write_text(text, encoding="utf-8")
    if refused:
        with pytest.raises(TargetError, match=re.escape(refused)):
            probe(Target(spec="app/nets/net.py:net"))
    else:
        assert probe(Target(spec="app/nets/net.py:net")).built


def test_a_file_whose_name_belongs_to_another_module_is_refused(models: Path) -> None:
    (models / "random.py").write_text("Net = 1\n", encoding="utf-8")
    with pytest.raises(TargetError, match="the name random belongs to another module"):
        probe(Target(spec="random.py:Net"))


def test_without_torch_the_probe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from initaudit.probe import ProbeUnavailable

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ProbeUnavailable, match=r"pip install 'initaudit\[probe\]'"):
        probe(Target(spec="package.models:Leaves"))


def test_the_last_line_is_the_innermost_of_user_code_in_the_main_thread(tmp_path: Path) -> None:
    import torch

    user = tmp_path / "net.py"
    (tmp_path / "trace").write_text(
        "Timeout (0:00:04)!\n"
        "Thread 0x0001 (most recent call first):\n"
        f'  File "{tmp_path / "other.py"}", line 3 in run\n\n'
        "Thread 0x0002 (most recent call first):\n"
        f'  File "{torch.__file__}", line 9 in empty\n'
        f'  File "{user}", line 7 in __init__\n'
        f'  File "{user}", line 2 in build\n',
        encoding="utf-8",
    )
    place = Child(Target(spec="net.py:Net"), tmp_path).last_line()
    assert place is not None
    assert (Path(place.filename).name, place.row) == ("net.py", 7)


def test_causes_of_death_are_told_in_words() -> None:
    assert cause_of_death(-9) == "was killed by SIGKILL"
    assert cause_of_death(3) == "ended its process with exit code 3"


def test_a_constructor_that_takes_more_memory_than_it_may_is_ended(models: Path) -> None:
    seen = probe(Target(spec="package/models.py:Grows", memory=1_000_000_000, abstract="never"))
    (failure,) = seen.facts
    assert isinstance(failure, BuildFailure) and failure.how == "died"
    assert failure.detail == "took more than 1 GB of memory, and was ended"


def test_a_constructor_within_its_memory_is_built(models: Path) -> None:
    assert probe(Target(spec="package/models.py:Grows", kwargs={"blocks": 1}, memory=4_000_000_000)).facts == ()


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"dtypes": ("float33",)}, "torch has no dtype 'float33'"),
        ({"dtypes": ("float32", "int64"), "input_sizes": ((2, 3),)}, "2 dtypes for 1 inputs"),
        ({"device": "abacus"}, "there is no device 'abacus' here"),
        ({"input_data": "package.data"}, "give input data as module:function"),
        ({"input_data": "package.data:missing"}, "package.data has no attribute 'missing'"),
        ({"input_data": "package.data:anser"}, "has no attribute 'anser'; did you mean 'answer'?"),
        ({"input_data": "package.data:fails", "input_sizes": ((2, 3),)}, "give either input sizes or a function"),
        ({"input_data": "package.data:answer"}, "package.data:answer is not a function"),
    ],
)
def test_what_is_asked_for_and_does_not_exist_is_an_error_of_use(
    models: Path, how: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TargetError, match=re.escape(complaint)) as raised:
        probe(Target(spec="package/models.py:Grows", kwargs={"blocks": 0}, **how))
    assert str(raised.value).count("package/models.py:Grows") == 1
