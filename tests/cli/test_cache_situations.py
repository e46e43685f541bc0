"""A warm run says what a cold one says, whatever happened in between; `docs/situations.md` lists what was tried."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from initaudit.cli import main

NET = """\
import torch
from torch import nn
from {base} import Base
from {helper} import setup
class Net(Base):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.empty(3))
        setup(self.w)
"""
BASE = "from torch import nn\nclass Base(nn.Module):\n    pass\n"
SHADOW = "class Base:\n    pass\n"
IDLE = "def setup(w):\n    pass\n"
BUSY = "def setup(w):\n    w.data.zero_()\n"
PARENT = """\
from torch import nn
from net import Net
class Parent(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()
        nn.init.zeros_(self.net.w)
"""
RAW, SILENT, UNKNOWN, ANYTHING = "INI101", "nothing", "not decided", "anything"


class Place:
    """The project, and where packages are installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.installed = folder / "env" / "lib" / "python3.11" / "site-packages"
        self.folder.mkdir()
        self.installed.mkdir(parents=True)
        (folder / "env" / "pyvenv.cfg").touch()

    def path(self, name: str) -> Path:
        return self.installed / name[3:] if name.startswith("sp/") else self.folder / name

    def outcome(self, *flags: str) -> str:
        """Everything that a run says."""
        command = ["check", ".", "--isolated", "--show-unknown", "--output-format", "concise", "-j1", *flags]
        return CliRunner().invoke(main, command).output


Listed = Callable[[str], list[tuple[str, str]]]
Edit = Callable[[Place], object]


def write(name: str, text: str | bytes) -> Edit:
    def edit(place: Place) -> None:
        path = place.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return edit


def net(base: str = "base", helper: str = "helper") -> Edit:
    return write("net.py", NET.format(base=base, helper=helper))


def remove(name: str) -> Edit:
    return lambda place: shutil.rmtree(place.path(name)) if place.path(name).is_dir() else place.path(name).unlink()


def move(old: str, new: str) -> Edit:
    return lambda place: place.path(old).rename(place.path(new))


def link(name: str, target: str) -> Edit:
    def edit(place: Place) -> None:
        place.path(name).unlink(missing_ok=True)
        place.path(name).symlink_to(target)

    return edit


def folder(name: str) -> Edit:
    return lambda place: place.path(name).mkdir(parents=True)


def pipe(name: str) -> Edit:
    return lambda place: os.mkfifo(place.path(name))


def quietly(name: str, text: str) -> Edit:
    """Change a file and give it its old time again, as `cp -p`, `tar` and `rsync -t` do."""

    def edit(place: Place) -> None:
        before = place.path(name).stat()
        place.path(name).write_text(text)
        os.utime(place.path(name), ns=(before.st_atime_ns, before.st_mtime_ns))
        assert place.path(name).stat().st_size == before.st_size

    return edit


def swapped(name: str, text: str) -> Edit:
    """Move another file of the same size and time to the place of one, as when a wheel is unpacked."""

    def edit(place: Place) -> None:
        before = place.path(name).stat()
        other = place.path("other.txt")
        other.write_text(text)
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.rename(place.path(name))
        assert place.path(name).stat().st_size == before.st_size

    return edit


def cached(edit: Callable[[bytes], bytes]) -> Edit:
    """Change what is in the cache."""

    def damage(place: Place) -> None:
        for path in Path(os.environ["INITAUDIT_CACHE_DIR"]).glob("*.msgpack"):
            path.write_bytes(edit(path.read_bytes()))

    return damage


class Situation(NamedTuple):
    """What is there, what is seen; then what happens, and what is seen after each step."""

    name: str
    before: Sequence[Edit]
    seen: str
    steps: Sequence[tuple[Edit, str]]


LIBRARY = (write("sp/away/__init__.py", ""), write("sp/away/base.py", BASE))
SITUATIONS = [
    Situation(
        "a base class that was missing is written", [remove("base.py")], UNKNOWN, [(write("base.py", BASE), RAW)]
    ),
    Situation(
        "a base class is moved away and back", [], RAW, [(move("base.py", "b"), UNKNOWN), (move("b", "base.py"), RAW)]
    ),
    Situation(
        "a base class is deleted and written anew",
        [],
        RAW,
        [(remove("base.py"), UNKNOWN), (write("base.py", BASE), RAW)],
    ),
    Situation(
        "a helper that was missing is written", [remove("helper.py")], UNKNOWN, [(write("helper.py", BUSY), SILENT)]
    ),
    Situation(
        "a helper is moved away and back", [], RAW, [(move("helper.py", "h"), UNKNOWN), (move("h", "helper.py"), RAW)]
    ),
    Situation("a helper begins to write the parameter", [], RAW, [(write("helper.py", BUSY), SILENT)]),
    Situation(
        "a helper has a syntax error, which is mended",
        [write("helper.py", "def setup(w:")],
        UNKNOWN,
        [(write("helper.py", IDLE), RAW)],
    ),
    Situation(
        "a base class has a syntax error, which is mended",
        [write("base.py", "class Base(nn.Module:")],
        ANYTHING,
        [(write("base.py", BASE), RAW)],
    ),
    Situation(
        "a helper cannot be decoded, and is mended",
        [write("helper.py", b"\xff\xfe")],
        UNKNOWN,
        [(write("helper.py", IDLE), RAW)],
    ),
    Situation(
        "a base class has a Latin-1 comment without a cookie, and is mended",
        [write("base.py", b"# \xe9\n" + BASE.encode())],
        UNKNOWN,
        [(write("base.py", BASE), RAW)],
    ),
    Situation(
        "an editor truncates a base class, and writes it",
        [write("base.py", "")],
        UNKNOWN,
        [(write("base.py", BASE), RAW)],
    ),
    Situation(
        "a package is renamed and named back",
        [net("pk.base"), write("pk/__init__.py", ""), write("pk/base.py", BASE)],
        RAW,
        [(move("pk", "pq"), UNKNOWN), (move("pq", "pk"), RAW)],
    ),
    Situation(
        "a module of a package is moved away and back",
        [net("pk.base"), write("pk/__init__.py", ""), write("pk/base.py", BASE)],
        RAW,
        [(move("pk/base.py", "pk/b"), UNKNOWN), (move("pk/b", "pk/base.py"), RAW)],
    ),
    Situation(
        "a package that was missing comes as a whole",
        [net("pk.deep.base")],
        UNKNOWN,
        [(write("pk/deep/base.py", BASE), RAW)],
    ),
    Situation(
        "a dangling link becomes a file",
        [link("base.py", "nowhere.py")],
        UNKNOWN,
        [(lambda place: (place.path("base.py").unlink(), write("base.py", BASE)(place)), RAW)],
    ),
    Situation(
        "a dangling link leads to a file",
        [link("base.py", "behind/base.py")],
        UNKNOWN,
        [(write("behind/base.py", BASE), RAW)],
    ),
    Situation(
        "a link is turned to another file",
        [write("a.txt", IDLE), write("b.txt", BUSY), link("helper.py", "a.txt")],
        RAW,
        [(link("helper.py", "b.txt"), SILENT)],
    ),
    Situation(
        "an empty folder becomes a module",
        [remove("base.py"), folder("base")],
        UNKNOWN,
        [(write("base.py", BASE), RAW)],
    ),
    Situation(
        "a module becomes a package", [], RAW, [(write("base/__init__.py", SHADOW), RAW), (remove("base.py"), SILENT)]
    ),
    Situation(
        "a pipe becomes a module",
        [remove("base.py"), pipe("base.py")],
        UNKNOWN,
        [(lambda place: (place.path("base.py").unlink(), write("base.py", BASE)(place)), RAW)],
    ),
    Situation(
        "a module becomes a pipe",
        [],
        RAW,
        [(lambda place: (place.path("base.py").unlink(), pipe("base.py")(place)), UNKNOWN)],
    ),
    Situation(
        "a re-export leads to a module that was missing",
        [write("base.py", "from other import Base\n")],
        UNKNOWN,
        [(write("other.py", BASE), RAW)],
    ),
    Situation(
        "a re-exported module goes and comes back",
        [write("base.py", "from other import Base\n"), write("other.py", BASE)],
        RAW,
        [(move("other.py", "o"), UNKNOWN), (move("o", "other.py"), RAW)],
    ),
    Situation(
        "a star import leads to a module that was missing",
        [write("base.py", "from other import *\n")],
        UNKNOWN,
        [(write("other.py", BASE), RAW)],
    ),
    Situation(
        "a library is installed, uninstalled and installed again",
        [net("away.base")],
        UNKNOWN,
        [
            (lambda place: [edit(place) for edit in LIBRARY], RAW),
            (remove("sp/away"), UNKNOWN),
            (lambda place: [edit(place) for edit in LIBRARY], RAW),
        ],
    ),
    Situation(
        "an installed library gets the module that was missing",
        [net("away.base"), LIBRARY[0]],
        UNKNOWN,
        [(LIBRARY[1], RAW)],
    ),
    Situation(
        "an installed library changes",
        [net(helper="away"), write("sp/away.py", "import torch\n" + IDLE)],
        RAW,
        [(write("sp/away.py", "import torch\n" + BUSY), SILENT)],
    ),
    Situation(
        "a file of the project hides an installed library",
        [net(helper="away"), write("sp/away.py", "import torch\n" + BUSY)],
        SILENT,
        [(write("away.py", IDLE), RAW), (remove("away.py"), SILENT)],
    ),
    Situation(
        "another file begins to write the parameter, and stops",
        [],
        RAW,
        [(write("parent.py", PARENT), SILENT), (remove("parent.py"), RAW)],
    ),
    Situation(
        "the file that writes the parameter cannot be decoded, and is mended",
        [write("parent.py", b"\xff" + PARENT.encode())],
        RAW,
        [(write("parent.py", PARENT), SILENT)],
    ),
    Situation(
        "other content of the same size and time",
        [write("helper.py", BUSY)],
        SILENT,
        [(quietly("helper.py", BUSY.replace("zero_", "clone")), RAW)],
    ),
    Situation(
        "another file of the same size and time takes the place of one",
        [write("helper.py", BUSY)],
        SILENT,
        [(swapped("helper.py", BUSY.replace("zero_", "clone")), RAW)],
    ),
    Situation(
        "a file becomes part of a package, so that its names lead elsewhere",
        [
            write("in/net.py", NET.format(base="base", helper="helper")),
            write("in/base.py", SHADOW),
            write("in/helper.py", IDLE),
            remove("net.py"),
        ],
        SILENT,
        [(write("in/__init__.py", ""), RAW), (remove("in/__init__.py"), SILENT)],
    ),
    Situation("the cache is cut short", [], RAW, [(cached(lambda raw: raw[: len(raw) // 2]), RAW)]),
    Situation("the cache is overwritten with zeros", [], RAW, [(cached(lambda raw: bytes(len(raw))), RAW)]),
    Situation(
        "the cache is a folder of something else",
        [],
        RAW,
        [
            (
                lambda place: [
                    (path.unlink(), path.mkdir()) for path in Path(os.environ["INITAUDIT_CACHE_DIR"]).glob("*.msgpack")
                ],
                RAW,
            )
        ],
    ),
    Situation(
        "the cache is a pipe",
        [],
        RAW,
        [
            (
                lambda place: [
                    (path.unlink(), os.mkfifo(path))
                    for path in Path(os.environ["INITAUDIT_CACHE_DIR"]).glob("*.msgpack")
                ],
                RAW,
            )
        ],
    ),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    for edit in (net(), write("base.py", BASE), write("helper.py", IDLE)):
        edit(place)
    return place


def expect(place: Place, expected: str) -> None:
    warm, cold = place.outcome(), place.outcome("--no-cache")
    assert warm == cold
    about_net = [line for line in cold.splitlines() if "net.py:" in line]
    if expected != ANYTHING:
        assert bool(about_net) == (expected != SILENT), cold
        assert all(expected in line for line in about_net), cold


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_a_warm_run_says_what_a_cold_one_says(place: Place, situation: Situation) -> None:
    for edit in situation.before:
        edit(place)
    expect(place, situation.seen)
    for edit, expected in situation.steps:
        edit(place)
        expect(place, expected)


def test_what_was_tried_is_listed(listed: Listed) -> None:
    rows = [(each.name, " -> ".join((each.seen, *(seen for _, seen in each.steps)))) for each in SITUATIONS]
    assert listed("The cache") == rows
