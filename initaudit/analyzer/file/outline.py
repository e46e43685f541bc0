"""A file's table of contents: its imports, classes, functions and top-level names, with their rows.

Made by one pass over the lines, without parsing. A line that goes on further to the left than its statement begins is
misread: the slice that ends there does not stand alone, whoever parses it notices, and the outline is made anew from
Python's tree of the file. Rows are 1-based, ends inclusive.
"""

from __future__ import annotations

import ast
import bisect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from initaudit.analyzer.file.skeleton import STRING
from initaudit.naming import blocks

_GO_ON = tuple(re.compile(each) for each in ('"""', "'''", r"\\\n"))
"""What stands in strings of several lines, each looked for by itself, which is several times as fast."""
_HEADER = re.compile(r"(?:async[ \t]+)?(class|def)[ \t]+(\w+)")
_BROKEN = re.compile(
    r"(?m)^[ \t]*(?:(?:async|class|def)\b|@).*\\$|^[ \t]*from\b(?!.*\bimport\b).*\\$|^(?!from\b|import\b)\w[^=\n]*\\$"
)
"""What goes on behind a backslash: a header, an import of which no name is there yet, the begin of a statement."""
_IMPORTS = tuple(re.compile(each) for each in (r"import\b", r"from\b"))
_BINDS_BEHIND_ANOTHER = re.compile(r";[ \t]*\w+[ \t]*[:=]")
_GLOBAL = re.compile(r"(\w+)[ \t]*(?::[^=\n]+)?=(?!=)")
_ANNOTATED = re.compile(r"\w+[ \t]*:[^=\n]*[(\[]")
_IMPORT = re.compile(r"(?:from[ \t]+(\.*[ \t]*[\w.]*)[ \t]+)?import\b")
_ALIAS = re.compile(r"([\w.]+)(?:\s+as\s+(\w+))?")


@dataclass(slots=True)
class Definition:
    """A class or a function. ``row`` is that of its header, ``start`` that of its first decorator."""

    name: str
    is_class: bool
    start: int
    row: int
    end: int
    indent: int
    parent: Definition | None
    members: dict[str, Definition] = field(default_factory=dict)

    @property
    def qualname(self) -> str:
        """The name as in Python's ``__qualname__``."""
        if self.parent is None:
            return self.name
        return f"{self.parent.qualname}.{'' if self.parent.is_class else '<locals>.'}{self.name}"

    @property
    def outermost(self) -> Definition:
        """The definition at the top level of the file that this one stands in, or is."""
        found = self
        while found.parent is not None:
            found = found.parent
        return found

    @property
    def owner(self) -> Definition | None:
        """The class this is a method of."""
        return self.parent if self.parent is not None and self.parent.is_class else None


@dataclass(slots=True)
class Outline:
    """What a file defines at its top level, and every definition in it in the order of rows."""

    definitions: list[Definition]
    members: dict[str, Definition]
    imports: dict[str, str]  # local name -> dotted name, relative ones with their leading dots
    star_imports: list[str]
    loaded: list[str]  # dotted names that `import a.b` loads, where it binds only the first part
    globals: dict[str, tuple[int, int]]  # name -> rows of the last top-level statement that assigns it
    top_level: list[tuple[int, int]]  # rows between the definitions; those within a statement belong to it
    doubtful: bool = False  # whether a definition or an import may go on behind the line that seems to end it
    _starts: list[int] = field(default_factory=list)

    def at(self, row: int) -> Definition | None:
        """The innermost definition that a row lies in."""
        if not self._starts:
            self._starts = [definition.start for definition in self.definitions]
        index = bisect.bisect_right(self._starts, row) - 1
        found = self.definitions[index] if index >= 0 else None
        while found is not None and found.end < row:
            found = found.parent
        return found

    def binds(self, name: str) -> bool:
        """Whether a definition, an import or an assignment of the top level binds a name."""
        return name in self.members or name in self.imports or name in self.globals

    def outermost(self) -> list[Definition]:
        """Every class and function of the top level, in the order of rows; a name may be defined more than once."""
        return [definition for definition in self.definitions if definition.parent is None]

    def classes(self) -> list[Definition]:
        """Every class, nested ones too."""
        return [definition for definition in self.definitions if definition.is_class]


def outline(text: str) -> Outline:
    """Return the table of contents of a file whose newlines are ``\\n``; doubtful where its lines do not tell it."""
    lines = text.split("\n")
    scanner = _Scanner(lines, _rows_inside_strings(text))
    broken = "\\\n" in text and _BROKEN.search(text) is not None
    scanner.result.doubtful = broken or _binds_behind_another(text)
    return scanner.scan()


def _binds_behind_another(text: str) -> bool:
    """Whether a statement that stands in a line behind another one may bind a name of the top level."""
    imports = (found.start() for each in _IMPORTS for found in each.finditer(text))
    before = (text[text.rfind("\n", 0, at) + 1 : at] for at in imports if text[at - 1] in " \t:;")
    if any(each.rstrip(" \t").endswith((":", ";")) for each in before):
        return True
    begins = (text.rfind("\n", 0, found.start()) + 1 for found in _BINDS_BEHIND_ANOTHER.finditer(text))
    return any(begin and (text[begin].isalnum() or text[begin] == "_") for begin in begins)


def outline_of(body: Sequence[ast.stmt], lines: Sequence[str]) -> Outline:
    """The table of contents of a file as Python parses it; its lines tell where decorators begin."""
    found = Outline([], {}, {}, [], [], {}, [])
    follows = False  # the statement before is one of the same stretch
    for statement in body:
        rows = statement.lineno, statement.end_lineno or statement.lineno
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr())
            ):
                found.globals[name] = rows
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                follows = False
                continue
        found.top_level.append((found.top_level.pop()[0], rows[1]) if follows else rows)
        follows = True
    _record(found, body, None, lines)
    return found


def _record(found: Outline, body: Iterable[ast.stmt], parent: Definition | None, lines: Sequence[str]) -> None:
    """Add what a body defines and, at the top level, imports."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                row, end = statement.lineno, statement.end_lineno or statement.lineno
                start = min([row, *(decorator.lineno for decorator in statement.decorator_list)])
                while statement.decorator_list and not lines[start - 1].lstrip().startswith("@"):
                    start -= 1
                is_class = isinstance(statement, ast.ClassDef)
                inner = Definition(statement.name, is_class, start, row, end, statement.col_offset, parent)
                (parent.members if parent is not None else found.members)[statement.name] = inner
                found.definitions.append(inner)
                _record(found, statement.body, inner, lines)
                continue
            case ast.Import(names) if parent is None:
                for each in names:
                    head = each.name.partition(".")[0]
                    found.imports[each.asname or head] = each.name if each.asname else head
                    if head != each.name and not each.asname:
                        found.loaded.append(each.name)
            case ast.ImportFrom(module, names, level) if parent is None:
                source = "." * (level or 0) + (module or "")
                for each in names:
                    if each.name == "*":
                        found.star_imports.append(source)
                    else:
                        target = source + ("" if source.endswith(".") else ".") + each.name
                        found.imports[each.asname or each.name] = target
        for block in blocks(statement):
            _record(found, block, parent, lines)


def _rows_inside_strings(text: str) -> set[int]:
    """Rows that begin within a string of several lines. Only lines that may begin one are taken apart."""
    rows: set[int] = set()
    row, counted, position = 1, 0, 0
    for hit in sorted(found.start() for each in _GO_ON for found in each.finditer(text)):
        if hit < position:
            continue
        line = max(position, text.rfind("\n", position, hit) + 1)
        string = next((each for each in STRING.finditer(text, line) if each.end() > hit), None)
        if string is None:
            break
        begin, end = string.span()
        if begin <= hit:
            row += text.count("\n", counted, begin)
            breaks = text.count("\n", begin, end)
            rows.update(range(row + 1, row + breaks + 1))
            row += breaks
            counted = end
        position = end if begin <= hit else begin
    return rows


class _Scanner:
    """One pass over the lines with a stack of open definitions."""

    def __init__(self, lines: list[str], inside: set[int]) -> None:
        self.lines = lines
        self.inside = inside
        self.result = Outline([], {}, {}, [], [], {}, [])
        self.open: list[Definition] = []
        self.decorated: int | None = None
        self.decorator = 0  # the row of the last one
        self.decorating = False  # since the last decorator, nothing but its own further lines came
        self.last = 0  # the last row that holds code
        self.loose: int | None = None  # first row of the running top-level stretch
        self.statement: tuple[str, int] | None = None  # the running top-level assignment

    def scan(self) -> Outline:
        for row, line in enumerate(self.lines, 1):
            stripped = line.lstrip()
            if not stripped or stripped[0] == "#":
                continue
            goes_on = (
                row in self.inside
                or stripped[0] in ")]}"
                or (self.decorating and self.continues_decorator(stripped))
                or (row > 1 and self.lines[row - 2].endswith("\\"))
            )
            indent = len(line) - len(stripped)
            if not goes_on and (not self.open or indent <= self.open[-1].indent or stripped[0] in "@cda"):
                self.begin_line(row, indent, stripped)
            elif not goes_on:  # a statement of the innermost definition
                self.decorated = None
            self.last = row
        self.result.doubtful = self.result.doubtful or self.decorating
        self.close(0)
        self.end_loose()
        self.end_statement()
        return self.result

    def continues_decorator(self, code: str) -> bool:
        """Whether a line is a further one of a decorator: it is, until the next decorator or the definition."""
        if self.decorating:
            self.decorating = not (code[0] == "@" or _HEADER.match(code))
            opened = _opened("\n".join(self.lines[self.decorator - 1 : self.last]))
            if opened < 0 or (opened > 0) != self.decorating:
                self.result.doubtful = True  # it was a product of matrices that goes on in this line
        return self.decorating

    def begin_line(self, row: int, indent: int, code: str) -> None:
        if self.open and self.open[-1].indent >= indent and not (code[0] == "@" or _HEADER.match(code)):
            self.result.doubtful = self.result.doubtful or self.is_within_brackets(self.open[-1])
        self.close(indent)
        if indent == 0:
            self.end_statement()
        first = code[0]
        if first == "@":
            self.decorated = self.decorated or row
            self.decorator, self.decorating = row, True
            if not self.open and indent == 0:
                self.end_loose()
            return
        if (first in "cda") and (match := _HEADER.match(code)):
            self.begin_definition(row, indent, match[1] == "class", match[2])
            return
        self.decorated = None
        if not self.open:
            if self.loose is None:
                self.loose = row
            if first in "if" and (match := _IMPORT.match(code)):
                self.add_import(row, match)
            elif indent == 0 and (match := _GLOBAL.match(code)):
                self.statement = (match[1], row)
            elif indent == 0 and (first == "(" or _ANNOTATED.match(code)):
                self.result.doubtful = True

    def begin_definition(self, row: int, indent: int, is_class: bool, name: str) -> None:
        parent = self.open[-1] if self.open else None
        if indent == 0:  # what a statement of the top level defines is a part of that
            self.end_loose()
        definition = Definition(name, is_class, self.decorated or row, row, row, indent, parent)
        self.decorated = None
        (parent.members if parent else self.result.members)[name] = definition
        self.result.definitions.append(definition)
        self.open.append(definition)

    def is_within_brackets(self, definition: Definition) -> bool:
        """Whether brackets of a definition seem to be open behind its last line; those in strings count too."""
        text = "\n".join(self.lines[definition.start - 1 : self.last])
        return any(text.count(opens) > text.count(closes) for opens, closes in ("()", "[]", "{}"))

    def close(self, indent: int) -> None:
        while self.open and self.open[-1].indent >= indent:
            self.open.pop().end = self.last

    def end_loose(self) -> None:
        if self.loose is not None:
            self.result.top_level.append((self.loose, self.last))
            self.loose = None

    def end_statement(self) -> None:
        if self.statement is not None:
            name, row = self.statement
            self.result.globals[name] = (row, self.last)
            self.statement = None

    def add_import(self, row: int, match: re.Match[str]) -> None:
        """Record what an import statement binds, read up to its closing bracket."""
        pieces = [self.lines[row - 1].split("#")[0].strip()]
        opened = _opened(pieces[0])
        while (opened > 0 or pieces[-1].endswith("\\")) and row < len(self.lines):
            broken = pieces[-1].endswith("\\")
            pieces[-1] = pieces[-1].rstrip(" \t\\")
            if broken and not pieces[-1].endswith((",", "import", "(")):
                self.result.doubtful = True
            pieces.append(self.lines[row].split("#")[0].strip())
            opened += _opened(pieces[-1])
            row += 1
        names = re.split(r"\bimport\b", " ".join(pieces), maxsplit=1)[1]
        if match[1] is None:
            for name, alias in _ALIAS.findall(names):
                head = name.partition(".")[0]
                self.result.imports[alias or head] = name if alias else head
                if head != name and not alias:
                    self.result.loaded.append(name)
            return
        source = match[1].replace(" ", "")
        if names.strip(" ()") == "*":
            self.result.star_imports.append(source)
            return
        for name, alias in _ALIAS.findall(names):
            self.result.imports[alias or name] = source + ("" if source.endswith(".") else ".") + name


def _opened(code: str) -> int:
    """How many more brackets are opened than closed."""
    return code.count("(") - code.count(")")
