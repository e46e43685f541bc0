"""The walls between the rooms: who may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "initaudit"
PROTOCOL = {"lsprotocol", "pygls"}
VOCABULARY = {
    "initaudit.finding",
    "initaudit.timeline",
    "initaudit.observation",
    "initaudit.subjects",
    "initaudit.schemes",
    "initaudit.activations",
    "initaudit.adapters",
    "initaudit.naming",
}
OBSERVERS = {"initaudit.analyzer", "initaudit.probe"}
JUDGES = {
    f"initaudit.{room}"
    for room in (
        "rules",
        "report",
        "engine",
        "observers",
        "zoo",
        "settings",
        "selection",
        "suppression",
        "merge",
        "fixes",
        "cli",
    )
}


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, absolute; ``from a import b`` counts as both a and a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, rooms: set[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def files(room: str) -> list[Path]:
    """The files of a room: one module, or a folder of them."""
    single = PACKAGE / f"{room}.py"
    return [single] if single.exists() else sorted((PACKAGE / room).rglob("*.py"))


def own_imports(room: str) -> set[str]:
    """The modules of initaudit that a room imports, without the package itself."""
    named = {name for file in files(room) for name in imports(file) if within(name, {"initaudit"})}
    return named - {"initaudit", "initaudit.version", "initaudit.version.__version__"}


def foreign_imports(room: str) -> set[str]:
    return {name.partition(".")[0] for file in files(room) for name in imports(file)} - {"initaudit"}


@pytest.mark.parametrize("room", ["finding", "schemes", "timeline", "observation", "subjects", "activations", "naming"])
def test_the_vocabulary_imports_only_itself_and_msgspec(room: str) -> None:
    assert files(room)
    assert {name for name in own_imports(room) if not within(name, VOCABULARY)} == set()
    assert foreign_imports(room) - set(sys.stdlib_module_names) <= {"msgspec"}


def test_rules_import_the_vocabulary_only() -> None:
    assert files("rules")
    assert {name for name in own_imports("rules") if not within(name, VOCABULARY | {"initaudit.rules"})} == set()
    assert foreign_imports("rules") - set(sys.stdlib_module_names) <= {"msgspec"}


@pytest.mark.parametrize("observer", ["analyzer", "probe"])
def test_observers_know_neither_rules_nor_reports_nor_each_other(observer: str) -> None:
    assert files(observer)
    strangers = (OBSERVERS | JUDGES) - {f"initaudit.{observer}"}
    assert {name for name in own_imports(observer) if within(name, strangers)} == set()


def test_the_analyzer_never_imports_torch() -> None:
    assert not foreign_imports("analyzer") & {"torch", "numpy"}


def test_reports_know_findings_and_not_how_they_were_made() -> None:
    assert files("report")
    seen = {"initaudit.timeline", "initaudit.observation", "initaudit.subjects"}
    strangers = OBSERVERS | (JUDGES - {"initaudit.report"}) | seen
    assert {name for name in own_imports("report") if within(name, strangers)} == set()
    assert not foreign_imports("report") & {"torch", "libcst"}


def test_portraits_read_the_vocabulary_and_know_findings_as_reports_do() -> None:
    assert files("portrait")
    allowed = VOCABULARY | {"initaudit.portrait", "initaudit.report", "initaudit.comparison"}
    assert {name for name in own_imports("portrait") if not within(name, allowed)} == set()
    assert not foreign_imports("portrait") & {"torch", "libcst", "numpy"}


def test_a_comparison_reads_the_vocabulary_only() -> None:
    assert files("comparison")
    assert {name for name in own_imports("comparison") if not within(name, VOCABULARY)} == set()


def test_no_report_about_findings_depends_on_portraits() -> None:
    assert {name for name in own_imports("report") if within(name, {"initaudit.portrait"})} == set()


def test_nothing_knows_observers_and_rules_together() -> None:
    both = [
        file.relative_to(PACKAGE).as_posix()
        for file in sorted(PACKAGE.rglob("*.py"))
        if any(within(name, OBSERVERS) for name in imports(file))
        and any(within(name, {"initaudit.rules"}) for name in imports(file))
    ]
    assert both == []


def test_only_the_server_knows_the_protocol_of_editors() -> None:
    knowing = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if {*imports(path)} & PROTOCOL}
    assert knowing == {"server"}


def test_what_draws_pages_and_tables_is_loaded_when_there_is_one_to_draw() -> None:
    code = "import initaudit.cli.commands, sys; print({'jinja2', 'rich', 'torch'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "set()\n"


@pytest.mark.parametrize("arguments", [["-c", "import initaudit"], ["-m", "initaudit", "--version"]])
def test_starting_up_loads_neither_torch_nor_libcst(arguments: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "initaudit" in loaded
    assert not loaded & {"torch", "libcst", "numpy", "pygls", "lsprotocol"}


def written_imports(package: Path) -> dict[str, set[str]]:
    """The modules of a package, by dotted name, and those of them that each imports.

    Every import that is written counts: at the top of a file, within a function, and for type checking only. What is
    not written does not count: that a module's packages are imported before it, and rules that are discovered by name.
    """
    modules = {
        ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): file
        for file in package.rglob("*.py")
    }
    graph: dict[str, set[str]] = {}
    for module, file in modules.items():
        found = graph.setdefault(module, set())
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parts = [f"{node.module}.{alias.name}" for alias in node.names]
                found.update(part if part in modules else str(node.module) for part in parts)
        found &= set(modules)
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names of one circle, first and last the same; none if there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def rooms_of(folder: str, graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The modules and folders right below a folder, and those of them that each imports."""
    depth = folder.count(".") + 2
    below = {module for module in graph if module.startswith(f"{folder}.")}
    room = {module: ".".join(module.split(".")[:depth]) for module in below}
    found: dict[str, set[str]] = {name: set() for name in room.values()}
    for module in below:
        found[room[module]] |= {room[other] for other in graph[module] & below} - {room[module]}
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(written_imports(PACKAGE)) == [], "move what both need into a module below both"


def test_no_folder_imports_itself_by_way_of_others() -> None:
    graph = written_imports(PACKAGE)
    folders = {module.rpartition(".")[0] for module in graph} - {""}
    assert {"initaudit", "initaudit.probe", "initaudit.analyzer"} <= folders
    circles = {folder: circle(rooms_of(folder, graph)) for folder in sorted(folders)}
    assert not any(circles.values()), "move a module to the folder that it belongs to"


@pytest.mark.parametrize(
    "way_back",
    [
        "from house.roof import tiles",
        "import house.roof",
        "from house import roof",
        "if TYPE_CHECKING:\n    from house.roof import tiles",
        "def build():\n    from house.roof import tiles",
    ],
)
def test_a_circle_is_found_by_whatever_import_closes_it(tmp_path: Path, way_back: str) -> None:
    house = tmp_path / "house"
    house.mkdir()
    house.joinpath("__init__.py").touch()
    house.joinpath("roof.py").write_text("from house import walls\n", encoding="utf-8")
    house.joinpath("walls.py").write_text("from house.cellar import stones\n", encoding="utf-8")
    house.joinpath("cellar.py").write_text("stones = 3\n", encoding="utf-8")
    assert circle(written_imports(house)) == []
    house.joinpath("cellar.py").write_text(f"{way_back}\n", encoding="utf-8")
    assert set(circle(written_imports(house))) == {"house.roof", "house.walls", "house.cellar"}


def test_folders_make_a_circle_where_their_modules_make_none(tmp_path: Path) -> None:
    for module, text in {
        "roof/tiles": "from house.walls import bricks",
        "walls/bricks": "",
        "walls/windows": "from house.roof import gutter",
        "roof/gutter": "",
    }.items():
        file = tmp_path / "house" / f"{module}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="utf-8")
    graph = written_imports(tmp_path / "house")
    assert circle(graph) == []
    assert set(circle(rooms_of("house", graph))) == {"house.roof", "house.walls"}


def test_no_file_of_the_package_outgrows_a_reader() -> None:
    assert {file.name: file.stat().st_size for file in PACKAGE.rglob("*.py") if file.stat().st_size >= 24 * 1024} == {}
