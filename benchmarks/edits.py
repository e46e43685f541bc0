"""Random edits of released packages: after each of them, a run with the cache says what a run without one says.

    python benchmarks/edits.py vit-pytorch==1.26.14 segmentation_models_pytorch==0.6.0 --installed timm==1.0.31 \
        --edits 150 --output benchmarks/results/edits.md

Works in a copy of each release, in which parameters that are made with values are made raw, so that there is something
to decide. Files and folders are rewritten, broken, deleted, moved, linked and restored; the `--installed` release,
which others may import, is installed, removed and changed. An edit is *seen* if it changes what a cold run says.
"""

from __future__ import annotations

import argparse
import collections
import functools
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner
from corpus import CACHE, unpacked

from initaudit.cli import main as initaudit

MADE = re.compile(r"(Parameter\(\s*torch\.)(?:zeros|ones|randn|rand)\(")
SUBSTITUTIONS = (
    (re.compile(r"\binit\.\w+_\("), "init.unknown("),
    (re.compile(r"\.(?:normal_|uniform_|zero_|fill_|zeros_|ones_)\("), ".clone("),
    (re.compile(r"^class (\w+)", re.MULTILINE), r"class Other\1"),
    (re.compile(r"def (?:reset_parameters|_init_weights|init_weights)\("), "def never_called("),
    (re.compile(r"^from \.", re.MULTILINE), "from .."),
    (re.compile(r"\bnn\.Module\b"), "object"),
)
BROKEN_AT_MOST = 12
"""How many files may be other than released at once: in rubble nothing is decided any longer."""


class Tally(NamedTuple):
    """What became of the edits of one release."""

    release: str
    edits: dict[str, int]
    seen: int
    different: list[str]
    warm: float
    cold: float


class Tree:
    """The copy of a release, and the folder of installed packages that it may import from."""

    def __init__(self, top: Path, release: Path, installed: Path, seed: str) -> None:
        self.random = random.Random(seed)
        self.original, self.library = release, installed
        self.folder, self.packages = top / "project", top / "env" / "lib" / "python3.11" / "site-packages"
        self.away = top / "away"
        shutil.copytree(release, self.folder)
        self.away.mkdir()
        self.packages.mkdir(parents=True)
        (top / "env" / "pyvenv.cfg").touch()
        for path in self.files():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            path.write_text(MADE.sub(r"\1empty(", text), encoding="utf-8", errors="surrogateescape")
        self.pristine = top / "pristine"
        shutil.copytree(self.folder, self.pristine)
        self.touched: set[Path] = set()

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*.py") if path.is_file())

    def some(self) -> Path:
        """A file, rather one with something to decide in it."""
        files = self.files()
        telling = [path for path in files if re.search(rb"Parameter\(|\binit\b|nn\.Module", path.read_bytes())]
        path = self.random.choice(telling if telling and self.random.random() < 0.8 else files)
        self.touched.add(path.relative_to(self.folder))
        return path

    def step(self) -> str:
        """Make one edit, and tell its kind."""
        kinds = list(EDITS)
        if len(self.touched) > BROKEN_AT_MOST:
            kinds = ["restore"]
        kind = self.random.choice(kinds)
        EDITS[kind](self)
        return kind


def rewrite(tree: Tree) -> None:
    path = tree.some()
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    for pattern, instead in tree.random.sample(SUBSTITUTIONS, len(SUBSTITUTIONS)):
        if matches := list(pattern.finditer(text)):
            match = tree.random.choice(matches)
            text = text[: match.start()] + match.expand(instead) + text[match.end() :]
            break
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def rewrite_in_place(tree: Tree) -> None:
    """Other content of the same size, under the old time."""
    path = tree.some()
    status, raw = path.stat(), path.read_bytes()
    path.write_bytes(raw.replace(b"torch.empty(", b"torch.zeros(") if b"torch.empty(" in raw else raw.swapcase())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def break_syntax(tree: Tree) -> None:
    path = tree.some()
    rows = path.read_bytes().split(b"\n")
    rows.insert(tree.random.randrange(len(rows)), b"def broken(:")
    path.write_bytes(b"\n".join(rows))


def break_text(tree: Tree) -> None:
    path = tree.some()
    path.write_bytes(b"# \xff\n" + path.read_bytes())


def truncate(tree: Tree) -> None:
    path = tree.some()
    raw = path.read_bytes()
    path.write_bytes(raw[: tree.random.randrange(len(raw) + 1)])


def delete(tree: Tree) -> None:
    tree.some().unlink()


def delete_folder(tree: Tree) -> None:
    folder = tree.some().parent
    if folder != tree.folder and folder.parent != tree.folder:
        tree.touched |= {path.relative_to(tree.folder) for path in folder.rglob("*.py")}
        shutil.rmtree(folder)


def move(tree: Tree) -> None:
    path = tree.some()
    other = path.with_name(f"moved_{path.name}")
    tree.touched.add(other.relative_to(tree.folder))
    path.rename(other)


def move_folder(tree: Tree) -> None:
    """Move a package away, or back to its place."""
    waiting = sorted(tree.away.iterdir())
    if waiting:
        place = tree.folder / waiting[0].name.replace("+", "/")
        if place.parent.is_dir() and not place.exists():
            waiting[0].rename(place)
        else:
            shutil.rmtree(waiting[0])
        return
    folder = tree.some().parent
    if folder != tree.folder and folder.parent != tree.folder:
        tree.touched |= {path.relative_to(tree.folder) for path in folder.rglob("*.py")}
        folder.rename(tree.away / folder.relative_to(tree.folder).as_posix().replace("/", "+"))


def link(tree: Tree) -> None:
    path, other = tree.some(), tree.some()
    if path != other:
        path.unlink()
        path.symlink_to(other)


def link_to_nothing(tree: Tree) -> None:
    path = tree.some()
    path.unlink()
    path.symlink_to("nowhere.py")


def take_init_away(tree: Tree) -> None:
    inits = [path for path in tree.files() if path.name == "__init__.py"]
    if inits:
        path = tree.random.choice(inits)
        tree.touched.add(path.relative_to(tree.folder))
        path.unlink()


def write_from_elsewhere(tree: Tree) -> None:
    """Add a file that initializes whatever model it is given, and names a class."""
    path = tree.some()
    classes = re.findall(r"^class (\w+)", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    if classes:
        name, module = tree.random.choice(classes), ".".join(path.relative_to(tree.folder).with_suffix("").parts)
        new = path.with_name("added.py")
        tree.touched.add(new.relative_to(tree.folder))
        new.write_text(
            f"from {module} import {name}\n\n\ndef build(*arguments):\n    model = {name}(*arguments)\n"
            "    for parameter in model.parameters():\n        parameter.data.normal_()\n    return model\n"
        )


def install(tree: Tree) -> None:
    """Install the library; if it is there, remove it."""
    for folder in sorted(path.name for path in tree.library.iterdir()):
        if (tree.packages / folder).exists():
            shutil.rmtree(tree.packages / folder)
        else:
            shutil.copytree(tree.library / folder, tree.packages / folder)


def change_installed(tree: Tree) -> None:
    files = sorted(path for path in tree.packages.rglob("*.py") if b"nn.Module" in path.read_bytes())
    if files:
        path = tree.random.choice(files)
        path.write_text(path.read_text(encoding="utf-8").replace("nn.Module", "nn.Other"), encoding="utf-8")


def turn_into_repository(tree: Tree) -> None:
    git = tree.folder / ".git"
    _ = git.rmdir() if git.exists() else git.mkdir()


def touch(tree: Tree) -> None:
    for path in tree.files():
        path.touch()


def restore(tree: Tree) -> None:
    """Restore some of what was edited, or all of it, as a checkout does."""
    everything = sorted(tree.touched)
    chosen = everything if tree.random.random() < 0.3 else tree.random.sample(everything, min(4, len(everything)))
    for name in chosen:
        (tree.folder / name).unlink(missing_ok=True)
        if (tree.pristine / name).exists():
            (tree.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree.pristine / name, tree.folder / name)
    tree.touched -= set(chosen)


EDITS: dict[str, Callable[[Tree], None]] = {
    "rewrite": rewrite,
    "rewrite under the old size and time": rewrite_in_place,
    "syntax error": break_syntax,
    "not decodable": break_text,
    "truncate": truncate,
    "delete a file": delete,
    "delete a folder": delete_folder,
    "move a file": move,
    "move a folder away, or back": move_folder,
    "link to another file": link,
    "link to nothing": link_to_nothing,
    "remove an `__init__.py`": take_init_away,
    "add a file that initializes a model": write_from_elsewhere,
    "install or remove a library": install,
    "change an installed library": change_installed,
    "add or remove `.git`": turn_into_repository,
    "touch every file": touch,
    "restore": restore,
}


def said(tree: Tree, *flags: str) -> tuple[str, float]:
    """All that a run says, and how much processor time it takes."""
    command = ["check", ".", "--isolated", "--preview", "--show-unknown", "-j1", "--output-format", "json", *flags]
    began = time.process_time()
    run = CliRunner().invoke(initaudit, command, env={"VIRTUAL_ENV": str(tree.packages.parents[2])})
    return f"{run.exit_code}\n{run.output}", time.process_time() - began


def tried(release: str, library: Path, edits: int, seed: int) -> Tally:
    """What became of this many edits."""
    counts = collections.Counter[str]()
    seen, warm_time, cold_time, before, different = 0, 0.0, 0.0, "", list[str]()
    with tempfile.TemporaryDirectory() as top:
        package, _, version = release.partition("==")
        tree = Tree(Path(top), unpacked(package, version, CACHE), library, f"{release} {seed}")
        before_all = Path.cwd()
        os.chdir(tree.folder)
        for number in range(edits + 1):
            kind = tree.step() if number else "nothing"
            warm, seconds = said(tree, "--cache-dir", f"{top}/cache")
            warm_time += seconds
            cold, seconds = said(tree, "--no-cache")
            cold_time += seconds
            if number:
                counts[kind] += 1
                seen += cold != before
            if warm != cold:
                different.append(f"{number} ({kind})")
                (before_all / f"{release}-{number}.warm").write_text(warm)
                (before_all / f"{release}-{number}.cold").write_text(cold)
            before = cold
            print(f"{release}: {number} of {edits}, {len(different)} different, {seen} seen", file=sys.stderr)
        os.chdir(before_all)
    return Tally(release, dict(counts), seen, different, warm_time, cold_time)


def table(tallies: list[Tally], installed: str, seed: int) -> Iterator[str]:
    """The page."""
    yield f"# Edits\n\n`benchmarks/edits.py`, seed {seed}, with {installed} as the library that comes and goes.\n"
    yield "| release | edits | seen | warm unlike cold | seconds warm | seconds cold |"
    yield "| --- | --: | --: | --: | --: | --: |"
    for each in tallies:
        number = sum(each.edits.values())
        yield (
            f"| {each.release} | {number} | {each.seen} | {len(each.different)} | {each.warm:.0f} | {each.cold:.0f} |"
        )
    yield "\n| edit | " + " | ".join(each.release for each in tallies) + " |\n| --- |" + " --: |" * len(tallies)
    for kind in EDITS:
        yield f"| {kind} | " + " | ".join(str(each.edits.get(kind, 0)) for each in tallies) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="+", metavar="PACKAGE==VERSION")
    parser.add_argument("--installed", required=True, metavar="PACKAGE==VERSION")
    parser.add_argument("--edits", type=int, default=150, help="of each release")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="where the table is written")
    asked = parser.parse_args()
    package, _, version = asked.installed.partition("==")
    library = unpacked(package, version, CACHE)
    with ProcessPoolExecutor() as pool:
        trying = functools.partial(tried, library=library, edits=asked.edits, seed=asked.seed)
        tallies = list(pool.map(trying, asked.releases))
    text = "\n".join(table(tallies, asked.installed, asked.seed)) + "\n"
    print(text)
    if asked.output is not None:
        asked.output.write_text(text, encoding="utf-8")
    sys.exit(any(each.different for each in tallies))


if __name__ == "__main__":
    main()
