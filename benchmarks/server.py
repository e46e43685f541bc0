"""The language server beside `check`: how long an edit takes, what it holds in memory, and whether both say the same.

    python benchmarks/server.py FOLDER --file NAME --edited FOLDER --edits 500 --output benchmarks/results/server.md

NAME, in a copy of the first folder, is edited ten times. Latency is from the change to the diagnostics, without the
delay for which the server waits for more changes. Beside it stands a check of NAME in a process of its own, as an
editor without a server would run it. In a copy of the second folder, some files are edited at random. After every edit
the server has to say of the edited file what a check of the whole folder says of it.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "server"))

from editor import Editor, session  # noqa: E402

from initaudit.server.server import DELAY  # noqa: E402

LINES = (
    "        nn.init.zeros_(self.weight)\n",
    "        self.extra = nn.Parameter(torch.empty(3))\n",
    "x = (\n",
    "\n",
)


def edited(dice: random.Random, text: str) -> str:
    """A text in which a line went, came or was moved."""
    lines = text.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    match dice.randrange(4):
        case 0 if len(lines) > 1:
            del lines[at]
        case 1:
            lines.insert(at, dice.choice(lines))
        case 2:
            lines.insert(at, dice.choice(LINES))
        case _:
            lines[at] = lines[at].replace("zeros", "empty").replace("_(", "(")
    return "".join(lines)


def checked(folder: Path, *flags: str) -> dict[str, list[tuple[object, ...]]]:
    """What a check says, by file."""
    command = [sys.executable, "-m", "initaudit", "check", ".", "--exit-zero", "-q", "--output-format", "json", *flags]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, list[tuple[object, ...]]] = {}
    for one in json.loads(ran.stdout):
        place = one["location"]
        found.setdefault(one["filename"], []).append((one["code"], one["message"], place["row"]))
    return {name: sorted(each) for name, each in found.items()}


def edited_names(folder: Path) -> list[str]:
    """Six files in which there is something to initialize."""
    paths = sorted(path for path in folder.rglob("*.py") if "nn.Parameter(" in path.read_text(encoding="utf-8"))
    return [str(path.relative_to(folder)) for path in random.Random(0).sample(paths, 6)]


async def compare(editor: Editor, folder: Path, names: list[str], edits: int, told: dict[str, object]) -> None:
    """Edit, and count where the server and the command differ."""
    dice, different, original = random.Random(0), list[str](), dict[str, str]()
    for name in names:
        original[name] = (folder / name).read_text(encoding="utf-8").replace("torch.zeros(", "torch.empty(")
        await editor.open(folder / name)
    texts = dict(original)
    found = 0
    for version in range(2, edits + 2):
        name = dice.choice(names)
        texts[name] = original[name] if dice.random() < 0.2 else edited(dice, texts[name])
        await editor.change(folder / name, texts[name], version)
        (folder / name).write_text(texts[name], encoding="utf-8")
        said = editor.said[(folder / name).as_uri()].diagnostics
        ours = sorted((one.code, one.message, one.range.start.line + 1) for one in said)
        found += bool(ours)
        if ours != checked(folder).get(name, []):
            different.append(f"{name} after edit {version - 1}")
    told["found"] = found
    told["different"] = different


async def time_it(editor: Editor, folder: Path, name: str, told: dict[str, object]) -> None:
    """Edit one file ten times, and look at the server's memory."""
    text = (folder / name).read_text(encoding="utf-8")
    await editor.open(folder / name)
    taken = []
    for version in range(2, 12):
        began = time.perf_counter()
        await editor.change(folder / name, f"{text}\n# {version}\n", version)
        taken.append(time.perf_counter() - began - DELAY)
    children = [one for one in psutil.Process().children() if "server" in one.cmdline()]
    told["latency"], told["memory"] = statistics.median(taken), children[0].memory_info().rss / 1e6


def check_time(folder: Path, name: str) -> float:
    """The median time of a check of one file, in a process of its own."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, "-m", "initaudit", "check", name, "--no-cache", "--exit-zero", "-q"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Work in a copy of the project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--file", required=True)
    parser.add_argument("--edited", type=Path, required=True)
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    told: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top).resolve() / "project"
        shutil.copytree(arguments.project, folder)
        (folder / "pyproject.toml").touch()
        session(lambda editor: time_it(editor, folder, arguments.file, told), folder)
        alone = check_time(folder, arguments.file)
        files, lines = len(list(folder.rglob("*.py"))), len((folder / arguments.file).read_bytes().splitlines())
        small = Path(top).resolve() / "edited"
        shutil.copytree(arguments.edited, small)
        (small / "pyproject.toml").touch()
        session(lambda editor: compare(editor, small, edited_names(small), arguments.edits, told), small, seconds=1e5)
    different = told["different"]
    assert isinstance(different, list) and isinstance(told["latency"], float)
    rows = {
        "files in the project": files,
        "lines of the file": lines,
        "milliseconds from a change to its diagnostics": round(1000 * told["latency"]),
        "milliseconds of a check of the file by the command": round(1000 * alone),
        "ratio": round(told["latency"] / alone, 2),
        "megabytes of the server": round(float(str(told["memory"]))),
        "random edits": arguments.edits,
        "edits after which something is found in the file": told["found"],
        "edits after which the server and a check differ": len(different),
    }
    table = "".join(f"| {name} | {value} |\n" for name, value in rows.items())
    head = (
        f"# The language server\n\n`benchmarks/server.py`, {arguments.file} in a project of timm and torch_geometric."
    )
    text = f"{head}\n\n| | |\n| --- | --: |\n{table}"
    arguments.output.write_text(text + "".join(f"\n- {one}" for one in different), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
