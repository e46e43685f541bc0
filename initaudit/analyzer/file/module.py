"""One source file: its text, its outline, and its parsed slices."""

from __future__ import annotations

import ast
import bisect
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from initaudit.analyzer.file.layout import packages_around, project_folder
from initaudit.analyzer.file.matches import Matches
from initaudit.analyzer.file.outline import Definition, Outline, outline, outline_of
from initaudit.analyzer.file.scopes import Scopes, is_final, may_be_refused, scopes, scopes_of, taken
from initaudit.analyzer.file.usage import Usage, usage
from initaudit.analyzer.source.snippets import FunctionNode, Snippet, SnippetError, cut, dotted, nodes, parsed
from initaudit.analyzer.source.tree import Tree
from initaudit.analyzer.torch_api import is_torch
from initaudit.finding import Place
from initaudit.sources.newer_python import is_newer_python
from initaudit.sources.source import Unread


class Module:
    """A source file. Its outline and slices are made on demand."""

    def __init__(
        self, filename: str, name: str, is_package: bool, text: str, root: Path, unread: tuple[Unread, ...] = ()
    ) -> None:
        """Create a module; ``unread`` are the cells that are left out of the text, because they are not Python."""
        self.filename = filename
        self.name = name
        self.is_package = is_package
        self.raw = text.encode(errors="surrogatepass")  # up to a quarter of the text
        self.root = root
        self.unread = unread
        self.accused: Sequence[Place] = ()  # the slices around them are read with libcst
        self.unparsed = False  # whether a requested slice did not parse; its readers reset this
        self._snippets: dict[tuple[int, int], Snippet | None] = {}
        self._matches: dict[tuple[int, int], Matches] = {}
        self._naming: dict[str, list[Definition]] = {}
        self._aliases: dict[str, str] = {}
        self._usage: dict[tuple[int, int], Usage] = {}
        self._statements: dict[int, tuple[ast.stmt, ...]] = {}
        self._used_by: dict[tuple[ast.stmt, ...], Usage] = {}
        self._named_by: dict[tuple[ast.stmt, ...], set[str]] = {}
        self.memory: dict[tuple[str, int], Any] = {}  # results of readers from the trees, by reader and row

    @functools.cached_property
    def text(self) -> str:
        return self.raw.decode(errors="surrogatepass")

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @functools.cached_property
    def comment_rows(self) -> list[int]:
        """Return the rows that are comments."""
        return [row for row, line in enumerate(self.lines, 1) if line.lstrip().startswith("#")]

    def matches(self, start: int, end: int) -> Matches:
        """Return the words in some rows."""
        if (start, end) not in self._matches:
            self._matches[start, end] = Matches(self.rows(start, end))
        return self._matches[start, end]

    @functools.cached_property
    def outline(self) -> Outline:
        text = self.__dict__.get("text") or self.raw.decode(errors="surrogatepass")  # of most, nothing else is asked
        found = outline(text)
        whole = self.snippet(1, len(self.lines)) if found.doubtful else None
        return found if whole is None else outline_of(whole.body, self.lines)

    @functools.cached_property
    def _scopes(self) -> Scopes | SyntaxError:
        return scopes(self.text)

    @functools.cached_property
    def _tree(self) -> Tree | SyntaxError:
        """Return the tree of the file, from which slices are taken once it is there."""
        return taken(Tree, self.text)

    @functools.cached_property
    def _refused(self) -> SyntaxError | None:
        """Return why Python does not take the file."""
        if isinstance(self._tree, SyntaxError):
            return self._tree
        may_be = may_be_refused(self.text, self._tree.functions)
        return self._scopes if may_be and isinstance(self._scopes, SyntaxError) else None

    @functools.cached_property
    def newer(self) -> bool:
        """Whether the file needs a newer Python than the running one, so that only libcst can read it."""
        fault = self._refused
        return fault is not None and not is_final(self.text, fault) and is_newer_python(self.text)

    @property
    def fault(self) -> SyntaxError | None:
        """Return why neither Python nor libcst can parse the file."""
        return self._refused if not self.newer else None

    @property
    def scopes(self) -> Scopes | None:
        """Return which statement binds which name; None if the file does not parse as a whole."""
        if isinstance(self._scopes, Scopes):
            return self._scopes
        whole = self.snippet(1, len(self.lines))
        return scopes_of(whole.body) if whole is not None else None

    def absolute(self, dotted: str) -> str:
        """Return a dotted name with its leading dots resolved in this module's package."""
        level = len(dotted) - len(dotted.lstrip("."))
        if not level:
            return dotted
        parts = self.name.split(".")
        keep = len(parts) - level + (1 if self.is_package else 0)
        package = parts[:keep] if keep >= 0 else self.root.parts[1:][keep - 1 : keep]
        return ".".join([*package, dotted[level:]]).strip(".")

    @functools.cached_property
    def project_folder(self) -> str:
        """Return the folder of the outermost package, or else the folder of the file.

        A folder without an ``__init__.py`` counts as a package if an import of the file says so.
        """
        imported = map(self.absolute, (*self.outline.imports.values(), *self.outline.star_imports))
        heads = {name.partition(".")[0] for name in imported if not is_torch(name)}
        around = [folder for head in sorted(heads) for folder in packages_around(self.root, head)]
        outer = (folder for folder in sorted(around) if not (self.root / folder.name).exists())
        return str(next(outer, project_folder(self.filename)))

    def snippet(self, start: int, end: int) -> Snippet | None:
        """Return the slice of some rows, or None if it does not parse."""
        if (start, end) not in self._snippets:
            self._snippets[start, end] = self._parsed(start, end)
        self.unparsed |= self._snippets[start, end] is None
        return self._snippets[start, end]

    def _parsed(self, start: int, end: int) -> Snippet | None:
        """Return the tree of some rows, made by Python; by libcst around a finding, and for a newer Python."""
        accused = any(start <= place.row and place.end_row <= end for place in self.accused)
        if accused and (snippet := self._slice(start, end, losslessly)) is not None:
            return snippet
        if (snippet := self._taken(start, end)) is not None:
            return snippet
        self.unparsed = True
        return self._slice(start, end, losslessly) if self.newer and not accused else None

    def _taken(self, start: int, end: int) -> Snippet | None:
        """Return some rows of the tree of the file, or parsed by themselves."""
        tree = self.__dict__.get("_tree")
        body = tree.statements(start, end) if isinstance(tree, Tree) else None
        return self._slice(start, end, parsed) if body is None else Snippet(self.filename, self.lines, start, end, body)

    def _slice(self, start: int, end: int, parse: Callable[[str], Sequence[ast.stmt]]) -> Snippet | None:
        try:
            return cut(self.filename, self.lines, start, end, parse)
        except SnippetError:
            return None

    def forget_trees(self) -> None:
        """Drop all trees, which take most of the memory of a file; the next request parses what it needs again."""
        self.__dict__.pop("_tree", None)
        for snippet in self._snippets.values():
            if snippet is not None:
                snippet.memory.clear()  # which may lead back to it, so that nothing would free it
        self._snippets.clear()
        self._matches.clear()
        self._statements.clear()
        self._used_by.clear()
        self._named_by.clear()
        self.memory.clear()

    def rest(self) -> None:
        """Keep only the bytes of the file; the next request decodes the text again."""
        self.forget_trees()
        for name in ("text", "lines", "_begins", "_scopes"):
            self.__dict__.pop(name, None)

    def function(self, definition: Definition) -> tuple[Snippet, FunctionNode] | None:
        """Return the slice and the tree of a function, or None if it does not parse."""
        snippet = self.snippet(definition.start, definition.end)
        node = snippet.body[0] if snippet is not None and snippet.body else None
        return (snippet, node) if snippet is not None and isinstance(node, FunctionNode) else None

    def slice(self, definition: Definition) -> str:
        """Return the text of a definition."""
        return self.rows(definition.start, definition.end)

    def rows(self, start: int, end: int) -> str:
        """Return the text of some rows."""
        return self.text[self._begins[start - 1] : self._begins[end] - 1]

    @functools.cached_property
    def _begins(self) -> list[int]:
        """Return the offset of each line, and of the end of the text."""
        return [0, *itertools.accumulate(len(line) + 1 for line in self.lines)]

    def begin(self, row: int) -> int:
        """Return the offset at which a row begins."""
        return self._begins[row - 1]

    def usage(self, definition: Definition) -> Usage:
        """Return the names that a definition uses."""
        return self.usage_of(definition.start, definition.end)

    def usage_of(self, start: int, end: int) -> Usage:
        """Return the names that some rows use; none if they do not parse."""
        if (start, end) not in self._usage:
            known = self._snippets.get((start, end)) or self._taken(start, end)
            if known is None and self.newer:
                known = self._slice(start, end, losslessly)
            self._usage[start, end] = usage(known.body if known is not None else ())
        return self._usage[start, end]

    def parts_naming(self, word: str) -> Iterator[tuple[int, int]]:
        """Yield the rows of the definitions and stretches of top-level code that contain a word."""
        found: dict[tuple[int, int], None] = {}
        for row in self.rows_of(word) if word in self.text else ():
            if (around := self.outline.at(row)) is not None:
                found[around.outermost.start, around.outermost.end] = None
            else:
                found.update(dict.fromkeys(each for each in self.outline.top_level if each[0] <= row <= each[1]))
        yield from found

    def parts(self) -> Iterator[tuple[int, int]]:
        """The rows of the outermost definitions, and of the stretches of the top level."""
        yield from ((each.start, each.end) for each in self.outline.outermost())
        yield from self.outline.top_level

    def usages(self, word: str) -> Iterator[Usage]:
        """Yield the names used by the definitions and stretches of top-level code that contain a word."""
        return (self.usage_of(start, end) for start, end in self.parts_naming(word))

    def reads(self, attribute: str) -> bool:
        """Whether the file reads an attribute of any object, or has its name in a string."""
        return any(attribute in usage.read or attribute in usage.texts for usage in self.usages(attribute))

    def alias(self, name: str) -> str:
        """Return the dotted name that a top-level statement assigns to a name; empty for any other value."""
        if name not in self._aliases:
            found = self.quiet_snippet(*self.outline.globals[name])
            value = getattr(found.body[0], "value", None) if found is not None and found.body else None
            dotted_name = dotted(value) if isinstance(value, ast.Name | ast.Attribute) else ""
            self._aliases[name] = "" if dotted_name.startswith(".") else dotted_name
        return self._aliases[name]

    def alias_in_branch(self, name: str) -> str:
        """Return the dotted name that is assigned to a name in a branch at the top level, beside a definition of it."""
        definition = self.outline.members[name]
        stretches = ((start, end) for start, end in self.outline.top_level if start < definition.row <= end)
        snippets = (self.quiet_snippet(*stretch) for stretch in stretches)
        for node in (node for snippet in snippets if snippet is not None for node in snippet.nodes):
            match node:
                case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Attribute() as value) if bound == name:
                    return dotted(value)
        return ""

    def naming(self, word: str) -> Sequence[Definition]:
        """Return the definitions that contain a word, in the order of the file."""
        if word not in self._naming:
            found: dict[int, Definition] = {}
            for row in self.rows_of(word):
                around = self.outline.at(row)
                while around is not None and around.row not in found:
                    found[around.row] = around
                    around = around.parent
            self._naming[word] = [found[row] for row in sorted(found)]
        return self._naming[word]

    def quiet_snippet(self, start: int, end: int) -> Snippet | None:
        """Return the slice of some rows, or None, without noting that it does not parse."""
        unparsed = self.unparsed
        found = self.snippet(start, end)
        self.unparsed = unparsed
        return found

    def names_at_top_level(self, name: str, row: int) -> bool:
        """Whether the top-level statements around a row use a name, and do not only import it."""
        statements = self.statements_at(row)
        if statements not in self._named_by:
            self._named_by[statements] = {
                each.id if isinstance(each, ast.Name) else each.attr
                for statement in statements
                for each in nodes(statement)
                if isinstance(each, ast.Name | ast.Attribute)
            }
        return name in self._named_by[statements]

    def usage_at(self, row: int) -> Usage:
        """Return the names that the top-level statements around a row use."""
        statements = self.statements_at(row)
        if statements not in self._used_by:
            self._used_by[statements] = usage(statements)
        return self._used_by[statements]

    def statements_at(self, row: int) -> tuple[ast.stmt, ...]:
        """Return the top-level statements around a row; none within a definition."""
        if row not in self._statements:
            start, end = next((each for each in self.outline.top_level if each[0] <= row <= each[1]), (row, row - 1))
            found = self.quiet_snippet(start, end) if start <= end else None
            self._statements.update((each, ()) for each in range(start, end + 1))
            for statement in found.body if found is not None else ():
                place = found.place(statement) if found is not None else None
                for each in range(place.row, place.end_row + 1) if place is not None else ():
                    self._statements[each] = (*self._statements[each], statement)
        return self._statements.get(row, ())

    def rows_of(self, word: str) -> Iterator[int]:
        """Return the rows that contain a word, each once."""
        row = 0
        for match in re.finditer(rf"{re.escape(word)}(?<!\w{re.escape(word)})\b", self.text):
            before, row = row, bisect.bisect_right(self._begins, match.start())
            if row != before:
                yield row


def losslessly(text: str) -> Sequence[ast.stmt]:
    """Read a text with libcst; raises SnippetError."""
    from initaudit.analyzer.source.lossless import lossless  # imported late: libcst loads slowly, and few files need it

    return lossless(text)
