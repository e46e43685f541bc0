"""What earlier runs read is used as long as it holds, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from initaudit.analyzer import analyze, workers
from initaudit.observation import Question
from initaudit.timeline import Coverage

PARAMETERS = frozenset({Question("ParameterTimeline")})
HEADER = "import torch\nfrom torch import nn\n"
RAW = HEADER + "class Net({base}):\n    def __init__(self):\n        super().__init__()\n{body}"
ALLOCATION = "        self.w = nn.Parameter(torch.empty(3))\n"


class Tree:
    """A small package, and what the analyzer says of the files in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pkg"
        self.cache = folder / ".cache"
        self.folder.mkdir()
        self.write("__init__.py", "")

    def write(self, name: str, text: str, *, settled: bool = True) -> None:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        time.sleep(0.02)  # the clock of a file system is behind: what is written as a run begins is not kept
        if settled:
            self._age = getattr(self, "_age", 0) + 1
            past = time.time() - 1000 + self._age
            os.utime(path, (past, past))

    def coverage(self) -> list[Coverage]:
        filenames = sorted(str(path) for path in self.folder.glob("*.py"))
        found = analyze(filenames, questions=PARAMETERS, jobs=1, cache=self.cache)
        assert found == analyze(filenames, questions=PARAMETERS, jobs=1)
        return [timeline.coverage for observation in found for timeline in observation.parameters]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    tree.write("net.py", RAW.format(base="nn.Module", body=ALLOCATION))
    return tree


def read_by(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that a run with the cache reads anew."""
    seen: list[str] = []
    original = workers.Reader.read
    monkeypatch.setattr(workers.Reader, "read", lambda self, name: (seen.append(name), original(self, name))[1])
    filenames = sorted(str(path) for path in tree.folder.glob("*.py"))
    analyze(filenames, questions=PARAMETERS, jobs=1, cache=tree.cache)
    return [Path(name).name for name in seen]


def test_a_second_run_reads_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tree.coverage() == [Coverage.NEVER]
    assert read_by(tree, monkeypatch) == []
    assert tree.coverage() == [Coverage.NEVER]


def test_a_changed_file_is_read_again_and_no_other(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write("other.py", RAW.format(base="nn.Module", body=ALLOCATION).replace("Net", "Other"))
    tree.coverage()
    tree.write("other.py", HEADER + "class Other(nn.Module):\n    pass  # torch.empty(3)\n")
    assert read_by(tree, monkeypatch) == ["other.py"]
    assert tree.coverage() == [Coverage.NEVER]


def test_a_new_time_alone_changes_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.coverage()
    tree.write("net.py", (tree.folder / "net.py").read_text(encoding="utf-8"))
    assert read_by(tree, monkeypatch) == []


def test_a_change_in_a_helper_reaches_what_it_initializes(tree: Tree) -> None:
    body = ALLOCATION + "        fill(self.w)\n"
    tree.write("helpers.py", "def fill(p):\n    p.data.zero_()\n")
    tree.write("net.py", "from pkg.helpers import fill\n" + RAW.format(base="nn.Module", body=body))
    assert tree.coverage() == []
    tree.write("helpers.py", "def fill(p):\n    pass\n")
    assert tree.coverage() == [Coverage.NEVER]


def test_a_change_in_a_base_class_reaches_its_subclasses(tree: Tree) -> None:
    tree.write(
        "net.py", "from pkg.base import Base\n" + RAW.format(base="Base", body=ALLOCATION + "        self.reset()\n")
    )
    base = HEADER + "class Base(nn.Module):\n    def reset(self):\n        {}\n"
    tree.write("base.py", base.format("nn.init.zeros_(self.w)"))
    assert tree.coverage() == []
    tree.write("base.py", base.format("pass"))
    assert tree.coverage() == [Coverage.NEVER]


def test_a_new_file_that_initializes_the_parameter_is_noticed(tree: Tree) -> None:
    assert tree.coverage() == [Coverage.NEVER]
    parent = "class Parent(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.net = Net()\n"
    tree.write("parent.py", HEADER + "from pkg.net import Net\n" + parent + "        nn.init.zeros_(self.net.w)\n")
    assert tree.coverage() == []
    (tree.folder / "parent.py").unlink()
    assert tree.coverage() == [Coverage.NEVER]


@pytest.mark.parametrize(
    "imported", ["from pkg.late import Base", "from .late import Base", "from pkg.late.base import Base"]
)
def test_a_module_that_was_looked_for_and_comes_later_is_noticed(tree: Tree, imported: str) -> None:
    text = RAW.format(base="Base", body=ALLOCATION)
    tree.write("net.py", f"{imported}\n{text}")
    assert tree.coverage() == []
    base = "late/base.py" if "base" in imported else "late.py"
    (tree.folder / base).parent.mkdir(exist_ok=True)
    tree.write(base, RAW.format(base="nn.Module", body="").replace("Net", "Base"))
    assert tree.coverage() == [Coverage.NEVER]


def test_a_file_that_begins_to_speak_of_the_class_is_noticed(tree: Tree) -> None:
    tree.write("parent.py", HEADER)
    assert tree.coverage() == [Coverage.NEVER]
    parent = "class Parent(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.net = Net()\n"
    tree.write("parent.py", HEADER + "from pkg.net import Net\n" + parent + "        nn.init.zeros_(self.net.w)\n")
    assert tree.coverage() == []


def test_an_edit_in_the_same_moment_is_noticed(tree: Tree) -> None:
    tree.write("net.py", RAW.format(base="nn.Module", body=ALLOCATION), settled=False)
    assert tree.coverage() == [Coverage.NEVER]
    status = (tree.folder / "net.py").stat()
    text = RAW.format(base="nn.Module", body=ALLOCATION).replace("torch.empty", "torch.zeros")
    tree.write("net.py", text, settled=False)
    os.utime(tree.folder / "net.py", ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert tree.coverage() == []


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x97" * 40, b"\xc1" * 4])
def test_a_corrupted_cache_is_read_over(tree: Tree, junk: bytes) -> None:
    tree.coverage()
    for path in tree.cache.glob("*.msgpack"):
        path.write_bytes(junk)
    assert tree.coverage() == [Coverage.NEVER]


def test_a_cache_with_a_wrong_bit_is_read_over(tree: Tree) -> None:
    tree.coverage()
    (path,) = tree.cache.glob("*.msgpack")
    whole = path.read_bytes()
    for position in range(0, len(whole), 1 + len(whole) // 40):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert tree.coverage() == [Coverage.NEVER]
        path.write_bytes(whole[:position])
        assert tree.coverage() == [Coverage.NEVER]


def test_an_older_file_that_takes_the_place_of_one_during_a_run_is_noticed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = workers.Reader.read

    def read_and_change(self: workers.Reader, name: str) -> object:
        reading = original(self, name)
        tree.write("net.py", RAW.format(base="nn.Module", body=ALLOCATION).replace("torch.empty", "torch.zeros"))
        return reading

    with monkeypatch.context() as patch:
        patch.setattr(workers.Reader, "read", read_and_change)
        analyze([str(tree.folder / "net.py")], questions=PARAMETERS, jobs=1, cache=tree.cache)
    assert tree.coverage() == []


def test_runs_at_the_same_time_share_a_cache(tree: Tree) -> None:
    command = [sys.executable, "-m", "initaudit", "check", str(tree.folder), "--isolated"]
    command += ["--cache-dir", str(tree.cache), "--output-format", "json"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    reports = {run.communicate(timeout=120) for run in runs}
    after = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert reports == {(after.stdout, after.stderr)}
    assert {run.returncode for run in runs} == {after.returncode} == {1}
    assert sorted(path.suffix for path in tree.cache.iterdir() if path.suffix in (".msgpack", ".tmp")) == [".msgpack"]


def test_a_cache_that_cannot_be_written_costs_time_only(tree: Tree) -> None:
    tree.cache.write_text("a file where the folder should be", encoding="utf-8")
    assert tree.coverage() == [Coverage.NEVER]


def test_the_cache_keeps_out_of_version_control_and_backups(tree: Tree) -> None:
    tree.coverage()
    assert (tree.cache / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert (
        (tree.cache / "CACHEDIR.TAG")
        .read_text(encoding="utf-8")
        .startswith("Signature: 8a477f597d28d172789f06886806bc55")
    )


def test_a_cached_run_loads_neither_libcst_nor_rich(tree: Tree) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "initaudit", "check", str(tree.folder), "--isolated"]
    command += ["--cache-dir", str(tree.cache), "--output-format", "json"]
    first = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    second = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert first.returncode == second.returncode == 1
    assert first.stdout == second.stdout
    loaded = {line.rpartition("|")[2].strip() for line in second.stderr.splitlines()}
    assert "initaudit.analyzer.cache" in loaded
    assert not {"libcst", "rich", "concurrent.futures"} & loaded
