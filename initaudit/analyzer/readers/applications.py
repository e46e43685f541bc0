"""Whether a file is part of a program, or made for others to import, and whether the program builds its classes."""

from __future__ import annotations

import ast
import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from initaudit.analyzer.file.collected import is_test
from initaudit.analyzer.file.layout import INSTALLED, installed_in, what_is_at
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.file.outline import Definition
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.file.skeleton import without_strings
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.programs.graph import Around
from initaudit.analyzer.programs.lookups import found_by_text, imported_by_text, importing
from initaudit.analyzer.programs.verdict import TRAINS
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.calls import Calls
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.scopes import scopes

MAX_LEVELS = 3
"""Files, each of which imports the next, between a program and a package that it uses."""
MAX_PROGRAMS = 200
"""Files of a project that name a package, of which is asked whether they import it and run by themselves."""
DISTRIBUTED = {
    "setup.cfg": re.compile(r"^\[metadata\]", re.MULTILINE),
    "pyproject.toml": re.compile(r"^\s*\[\s*(?:project|tool\s*\.\s*poetry)\s*\]", re.MULTILINE),
}
"""Files, beside ``setup.py``, of a project that is made for others to install, and the table that stands in them."""
STATES = (
    "state_dict", "load_state_dict", "save_state", "load_state", "save_pretrained", "from_pretrained",
    "save_checkpoint", "load_checkpoint", "load_from_checkpoint", "Trainer",
)  # fmt: skip
"""What saves or loads a model, beside functions of torch."""
FILES = ("save", "load")
"""Functions of torch that write and read files."""
_DEFINES = re.compile(r"(?:async\s+)?(?:def|class)\b")
_ACTS = re.compile(r"(?!(?:async|def|class|import|from)\b|@|sys\.path\.|[\w.\s:\[\],]+=(?!=)|'')[^\s)\]}]")
"""A row of the top level that does more than define, import or assign; a mark of a merge is one."""
PARAMETERS = {"weight", "bias", "parameters", "named_parameters", "state_dict"}
"""Attributes and methods that give parameters of a module."""


def is_of_an_application(project: Project, module: Module, *, outside: bool = False, by_text: bool = False) -> bool:
    """Whether a program of the project uses a file, and nothing says that the project is made for others to install.

    Where that is asked for, any program ``outside`` of the package of the file counts that imports something of the
    package, or modules by their names as texts, and none in it: packages have some for their own tests. A program
    that imports modules ``by_text`` may import any.
    """
    if _is_distributed(project, module):
        return False
    users = importing(project, module) - {module}
    folder, package = project.work_folder(module), _package(project, module)
    if outside or by_text:
        users.update(_near(project, module, Search(folder, word=b"import_module")))
    top = package.rpartition(".")[2] or _plain_folder(project, module)
    if outside and top:
        near = _near(project, module, Search(folder, word=os.fsencode(top)))
        users.update(each for each in near if _imports_of(each, top))
    if outside:
        users = {each for each in users if not package or not f"{each.name}.".startswith(f"{package}.")}
    seen = set(users)
    for _ in range(MAX_LEVELS if outside else 0):
        if not users or any(is_run(project, each) for each in users):
            break
        users = {user for each in users for user in importing(project, each)} - seen
        seen |= users
    return any(is_run(project, each) for each in users)


def _near(project: Project, module: Module, search: Search) -> Iterator[Module]:
    """The other files of a project that a search finds."""
    found = map(project.load, project.find(search)[:MAX_PROGRAMS])
    return (each for each in found if each is not None and each is not module)


def _imports_of(module: Module, package: str) -> bool:
    """Whether a file imports a package, or something of it, also in a function."""
    sources = {source for used in module.usages(package) for source, _ in used.imports}
    return any(package in name.split(".") for name in (*sources, *module.outline.imports.values()))


def _is_distributed(project: Project, module: Module) -> bool:
    """Whether a project is made for others to install."""
    folder = project.work_folder(module)
    for name, table in DISTRIBUTED.items():
        path = Path(folder, name)
        project.trail.files.add(str(path))
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if table.search(path.read_text(encoding="utf-8")):
                return True
    setup = project.load(str(Path(folder, "setup.py")))
    if setup is not None and any("setup" in used.last_called for used in setup.usages("setup")):
        return True
    return _is_installed(project, module)


def _is_installed(project: Project, module: Module) -> bool:
    """Whether a package that was built for others to install lists a file, beside which it lies."""
    file = Path(module.filename).absolute()
    for folder in (module.root, *module.root.parents[:2]):  # a package may lie in another without a file of its own
        project.trail.places[f"{folder}{INSTALLED}"] = what_is_at(f"{folder}{INSTALLED}")
        listed = re.compile(rf'^"?{re.escape(file.relative_to(folder).as_posix())}"?,', re.MULTILINE)
        for record in installed_in(str(folder)):
            project.trail.files.add(record)
            with contextlib.suppress(OSError, UnicodeDecodeError):
                if listed.search(Path(record).read_text(encoding="utf-8")):
                    return True
    return False


def _package(project: Project, module: Module) -> str:
    """The package that a file is in, below one that holds the whole project; empty for a file outside of packages."""
    parts = module.name.split(".")
    whole = Path(project.work_folder(module)) == module.root / parts[0]
    inside = parts[: 2 if whole else 1]
    return ".".join(inside) if len(parts) > len(inside) else ""


def _plain_folder(project: Project, module: Module) -> str:
    """The folder of the project that a file is in, from which others import although it is no package."""
    whole = Path(project.work_folder(module))
    return module.root.relative_to(whole).parts[0] if whole in module.root.parents else ""


def is_never_built(project: Project, cls: Defined, surrounding: Around) -> bool:
    """Whether no code of an application builds a class, or any model with it, nor may do so by a text."""
    if _is_never_imported(project, cls.module):
        return True
    if cls.definition.start != cls.definition.row or any(
        scope.defined not in surrounding.holding for scope in surrounding.scopes
    ):
        return False  # a decorator may register it
    if is_notebook(cls.module):
        return False  # what a notebook shows is there to be copied
    if not is_of_an_application(project, cls.module, outside=True) and not _is_private(project, cls.module):
        return False
    own = [base for base in project.mro(cls) or () if isinstance(base, Defined)]
    known = any(map(_knows_classes, own))
    files = {file for base in own for file in importing(project, base.module)}
    models = {cls, *surrounding.holding}
    names, homes = {each.definition.name for each in models}, {each.module for each in models}
    naming = {each for each in files if each in homes or _imports_any(each, names)}
    return not known and not found_by_text(project, files, names) and not imported_by_text(project, naming)


def _is_never_imported(project: Project, module: Module) -> bool:
    """Whether no program of an application runs or imports a file, nor may do so by a text."""
    files = importing(project, module, perhaps=True)
    if any(is_run(project, each) or is_notebook(each) for each in files):
        return False
    return is_of_an_application(project, module, outside=True) and not imported_by_text(project, files)


def _imports_any(module: Module, names: set[str]) -> bool:
    """Whether a file imports something of one of these names, or all names of another file."""
    imported = (full.rpartition(".")[2] for full in module.outline.imports.values())
    return bool(module.outline.star_imports) or not names.isdisjoint(imported)


def is_unused(project: Project, module: Module, function: Definition | None) -> bool:
    """Whether nothing in an application calls a function of a file."""
    if function is None or function.parent is not None or function.start != function.row:
        return False
    if not is_of_an_application(project, module, outside=True):
        return False
    if found_by_text(project, importing(project, module), {function.name}):
        return False
    return not Calls(project, module, function.name).anywhere(None, listed=False)


def _knows_classes(base: Defined) -> bool:
    """Whether a class learns of those that derive from it: by ``__init_subclass__`` or a metaclass."""
    if "__init_subclass__" in base.definition.members:
        return True
    snippet = base.module.snippet(base.definition.start, base.definition.end)
    return any(
        isinstance(node, ast.ClassDef) and bool(node.keywords) for node in (snippet.body if snippet is not None else ())
    )


def _is_private(project: Project, module: Module) -> bool:
    """Whether a file is a script that trains something, and that nothing imports."""
    if not is_alone(project, module):
        return False
    classes = {(each.start, each.end) for each in module.outline.classes()}
    return trains(name for part in module.parts() if part not in classes for name in module.usage_of(*part).names)


def only_shows(project: Project, module: Module) -> bool:
    """Whether a file is a script or a notebook that prints or displays parameters, and trains nothing."""
    names = (name for part in module.parts() for name in module.usage_of(*part).names)
    if not is_alone(project, module) or trains(names):
        return False
    snippets = [module.quiet_snippet(*stretch) for stretch in module.outline.top_level]
    return any(_shows(statement) for snippet in snippets if snippet is not None for statement in snippet.nodes)


def only_prints(project: Project, cls: Defined) -> bool:
    """Whether the script that a class is in makes models of it at its top level, and only prints them."""
    module, name = cls.module, cls.definition.name
    snippets = [module.quiet_snippet(*stretch) for stretch in module.outline.top_level]
    elsewhere = any(each.outermost.name != name for each in module.naming(name))
    if elsewhere or None in snippets or not is_alone(project, module):
        return False
    top = [node for snippet in snippets if snippet is not None for node in snippet.nodes]
    made = {
        target.id
        for node in top
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and last_name(node.value.func) == name
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    prints = (node for node in top if isinstance(node, ast.Call) and last_name(node.func) == "print")
    printed = {arg for call in prints for arg in call.args}
    read = [each for each in top if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) and each.id in made]
    return bool(read) and printed.issuperset(read)


def _shows(node: ast.AST) -> bool:
    """Whether a statement prints parameters, or is an expression that displays some and calls nothing with them."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=args)):
            shown: list[ast.expr] = args
        case ast.Expr(value=value) if not isinstance(value, ast.Call | ast.Constant):
            shown = [value]
        case _:
            return False
    return any(_gives_parameters(each) for value in shown for each in ast.walk(value))


def _gives_parameters(node: ast.AST) -> bool:
    """``net.fc.weight``, ``net.state_dict()``, ``state["fc.weight"]``."""
    match node:
        case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            return name.rpartition(".")[2] in PARAMETERS
    return False


def trains(names: Iterable[str]) -> bool:
    """Whether names of a script say that it trains something."""
    return any(name in TRAINS or name.startswith("train") for name in names)


def is_alone(project: Project, module: Module) -> bool:
    """Whether a file is a script, no test, that nothing imports and nobody installs."""
    if not is_program(project, module) or is_test(module) or importing(project, module) != {module}:
        return False
    return not _is_distributed(project, module)


def is_left_aside(project: Project, module: Module) -> bool:
    """Whether a file, which may not parse, only defines things that nothing imports, in a project that runs others."""
    if module.is_package or is_test(module) or is_notebook(module) or importing(project, module) != {module}:
        return False
    rows = without_strings(module.text).split("\n")
    if _is_distributed(project, module) or any(map(_ACTS.match, rows)) or not any(map(_DEFINES.match, rows)):
        return False
    others = _near(project, module, Search(project.work_folder(module), word=b"import"))
    return any(is_run(project, each) for each in others) and not imported_by_text(project, {module})


def keeps_states(project: Project, module: Module) -> bool:
    """Whether programs with the classes of a file may save or load a state: those of its project, or of its users."""
    if is_notebook(module) or is_alone(project, module):
        return _keeps_state(module)
    if _is_distributed(project, module) or not any(is_run(project, each) for each in importing(project, module)):
        return True
    search = Search(project.work_folder(module), words=((*STATES, *(f"{name}(" for name in FILES)),))
    return _keeps_state(module) or any(map(_keeps_state, _near(project, module, search)))


def _keeps_state(module: Module) -> bool:
    """Whether a file saves or loads a model, or has a framework do that."""
    if is_test(module):
        return False
    if any(name in used.names for name in STATES for used in module.usages(name)):
        return True
    return any(f"torch.{name}" in used.called for name in FILES for used in module.usages(name))


def is_notebook(module: Module) -> bool:
    """Whether a file is a notebook or a document, which nothing imports."""
    return module.filename.endswith((".ipynb", ".md"))


def is_library(project: Project, module: Module) -> bool:
    """Whether a file only defines classes and functions: it neither runs anything at the top level, nor as a script."""
    return not is_notebook(module) and any(True for _ in module.outline.classes()) and not is_program(project, module)


def is_run(project: Project, module: Module) -> bool:
    """Whether a user runs a file: a notebook, a program, or a script of calls, but no test and no package."""
    if module.is_package or is_test(module):
        return False
    return is_notebook(module) or is_program(project, module) or _is_script(module)


def _is_script(module: Module) -> bool:
    """Whether a file without classes calls something at its top level."""
    snippets = (module.quiet_snippet(start, end) for start, end in module.outline.top_level)
    body = [statement for snippet in snippets if snippet is not None for statement in snippet.body]
    calls = any(isinstance(each, ast.Expr | ast.Assign) and isinstance(each.value, ast.Call) for each in body)
    return calls and not any(True for _ in module.outline.classes())


def is_program(project: Project, module: Module) -> bool:
    """Whether a file runs by itself: its top-level code does more than define things."""
    for scope in scopes(module):
        snippet = module.snippet(scope.start, scope.end) if scope.definition is None else None
        if snippet is not None and any(_runs(Context(project, module, None, snippet), each) for each in snippet.body):
            return True
    return False


def _runs(context: Context, statement: ast.stmt) -> bool:
    """Whether a statement of the top level builds a model, or does other work of a script."""
    match statement:
        case ast.For() | ast.While() | ast.With():
            return True
        case ast.If(test=test):
            return "__main__" in usage([test]).texts
        case ast.Assign(value=ast.Call() as call):
            return context.is_module_class(call.func)
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name in ("print", "main") or name in context.module.outline.members
    return False
