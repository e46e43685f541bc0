"""One source file: its text, its outline, and the slices of it that were asked for."""

from __future__ import annotations

import ast
import bisect
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from initaudit.analyzer.layout import packages_around, project_folder
from initaudit.analyzer.matches import Matches
from initaudit.analyzer.outline import Definition, Outline, outline, outline_of
from initaudit.analyzer.scopes import Scopes, is_final, scopes, scopes_of
from initaudit.analyzer.snippets import FunctionNode, Snippet, SnippetError, dotted, parsed
from initaudit.analyzer.torch_api import is_torch
from initaudit.analyzer.usage import Usage, usage
from initaudit.finding import Place
from initaudit.newer_python import is_newer_python
from initaudit.source import Unread


class Module:
    """A file that was read, of which its outline and its slices are made when somebody asks."""

    def __init__(
        self, filename: str, name: str, is_package: bool, text: str, root: Path, unread: tuple[Unread, ...] = ()
    ) -> None:
        """``unread`` are the cells that are not in the text, since they are not Python."""
        self.filename = filename
        self.name = name
        self.is_package = is_package
        self.raw = text.encode(errors="surrogatepass")  # up to a quarter of the text
        self.root = root
        self.unread = unread
        self.accused: Sequence[Place] = ()  # the slices around them are read with libcst
        self.unparsed = False  # whether a slice that somebody wanted does not parse; whoever asks resets it
        self._snippets: dict[tuple[int, int], Snippet | None] = {}
        self._matches: dict[tuple[int, int], Matches] = {}
        self._naming: dict[str, list[Definition]] = {}
        self._aliases: dict[str, str] = {}
        self._usage: dict[tuple[int, int], Usage] = {}
        self._statements: dict[int, set[str]] = {}
        self.memory: dict[tuple[str, int], Any] = {}  # what somebody has found in its trees, by their name and a row

    @functools.cached_property
    def text(self) -> str:
        return self.raw.decode(errors="surrogatepass")

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @functools.cached_property
    def words(self) -> Matches:
        """Which words stand in the text."""
        return Matches(self.text)

    @functools.cached_property
    def comment_rows(self) -> list[str]:
        """Return the rows that are comments."""
        return [line for line in self.lines if line.lstrip().startswith("#")]

    def matches(self, start: int, end: int) -> Matches:
        """Which words stand in some rows."""
        if (start, end) not in self._matches:
            self._matches[start, end] = Matches(self.rows(start, end))
        return self._matches[start, end]

    @functools.cached_property
    def outline(self) -> Outline:
        found = outline(self.text)
        whole = self.snippet(1, len(self.lines)) if found.doubtful else None
        return found if whole is None else outline_of(whole.body, self.lines)

    @functools.cached_property
    def _scopes(self) -> Scopes | SyntaxError:
        return scopes(self.text)

    @functools.cached_property
    def newer(self) -> bool:
        """Whether the file is written for a newer Python than the one that runs this: only libcst reads it."""
        fault = self._scopes
        return isinstance(fault, SyntaxError) and not is_final(self.text, fault) and is_newer_python(self.text)

    @property
    def fault(self) -> SyntaxError | None:
        """Why neither Python nor libcst reads the file."""
        return self._scopes if isinstance(self._scopes, SyntaxError) and not self.newer else None

    @property
    def scopes(self) -> Scopes | None:
        """What binds which name; None when the file cannot be read as a whole."""
        if isinstance(self._scopes, Scopes):
            return self._scopes
        whole = self.snippet(1, len(self.lines))
        return scopes_of(whole.body) if whole is not None else None

    def absolute(self, dotted: str) -> str:
        """A dotted name with its leading dots resolved against this module's package."""
        level = len(dotted) - len(dotted.lstrip("."))
        if not level:
            return dotted
        parts = self.name.split(".")
        keep = len(parts) - level + (1 if self.is_package else 0)
        package = parts[:keep] if keep >= 0 else self.root.parts[1:][keep - 1 : keep]
        return ".".join([*package, dotted[level:]]).strip(".")

    @functools.cached_property
    def project_folder(self) -> str:
        """The folder of its outermost package, or the folder it lies in.

        A folder around that is a package by what the file imports, and by nothing else, counts too.
        """
        imported = map(self.absolute, (*self.outline.imports.values(), *self.outline.star_imports))
        heads = {name.partition(".")[0] for name in imported if not is_torch(name)}
        around = [folder for head in sorted(heads) for folder in packages_around(self.root, head)]
        outer = (folder for folder in sorted(around) if not (self.root / folder.name).exists())
        return str(next(outer, project_folder(self.filename)))

    def snippet(self, start: int, end: int) -> Snippet | None:
        """The rows as they parse, or None when they do not."""
        if (start, end) not in self._snippets:
            self._snippets[start, end] = self._parsed(start, end)
        self.unparsed |= self._snippets[start, end] is None
        return self._snippets[start, end]

    def _parsed(self, start: int, end: int) -> Snippet | None:
        """The rows as Python parses them; around something accused, and for a newer Python, as libcst does."""
        accused = any(start <= place.row and place.end_row <= end for place in self.accused)
        if accused and (snippet := self._slice(start, end, losslessly)) is not None:
            return snippet
        if (snippet := self._slice(start, end, parsed)) is not None:
            return snippet
        self.unparsed = True
        return self._slice(start, end, losslessly) if self.newer and not accused else None

    def _slice(self, start: int, end: int, parse: Callable[[str], Sequence[ast.stmt]]) -> Snippet | None:
        try:
            return Snippet(self.filename, self.lines, start, end, parse)
        except SnippetError:
            return None

    def forget_trees(self) -> None:
        """Keep no slice any longer: they are most of what a file takes. The next request parses it again."""
        self._snippets.clear()
        self._matches.clear()
        self.memory.clear()

    def rest(self) -> None:
        """Keep only what is read of a file: its text is made again for who asks for it."""
        self.forget_trees()
        for name in ("text", "lines", "words", "_begins", "_scopes"):
            self.__dict__.pop(name, None)

    def function(self, definition: Definition) -> tuple[Snippet, FunctionNode] | None:
        """The slice and the tree of a function, or None when it does not parse."""
        snippet = self.snippet(definition.start, definition.end)
        node = snippet.body[0] if snippet is not None and snippet.body else None
        return (snippet, node) if snippet is not None and isinstance(node, FunctionNode) else None

    def slice(self, definition: Definition) -> str:
        """The text of a definition."""
        return self.rows(definition.start, definition.end)

    def rows(self, start: int, end: int) -> str:
        """Return the text of some rows."""
        return self.text[self._begins[start - 1] : self._begins[end] - 1]

    @functools.cached_property
    def _begins(self) -> list[int]:
        """Where each line begins, and where one behind the last would."""
        return [0, *itertools.accumulate(len(line) + 1 for line in self.lines)]

    def begin(self, row: int) -> int:
        """The offset at which a row begins."""
        return self._begins[row - 1]

    def usage(self, definition: Definition) -> Usage:
        """What stands in a definition."""
        return self.usage_of(definition.start, definition.end)

    def usage_of(self, start: int, end: int) -> Usage:
        """What stands in some rows; nothing where they do not parse."""
        if (start, end) not in self._usage:
            known = self._snippets.get((start, end)) or self._slice(start, end, parsed)
            if known is None and self.newer:
                known = self._slice(start, end, losslessly)
            self._usage[start, end] = usage(known.body if known is not None else ())
        return self._usage[start, end]

    def parts_naming(self, word: str) -> Iterator[tuple[int, int]]:
        """The rows of the definitions and stretches of the top level in which a word stands."""
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
        """What stands in the definitions and stretches of the top level in which a word stands."""
        return (self.usage_of(start, end) for start, end in self.parts_naming(word))

    def reads(self, attribute: str) -> bool:
        """Whether the file reads an attribute of some object, or says its name in a string."""
        return any(attribute in usage.read or attribute in usage.texts for usage in self.usages(attribute))

    def alias(self, name: str) -> str:
        """The dotted name that the top level assigns to another one; empty where it is something else."""
        if name not in self._aliases:
            found = self.quiet_snippet(*self.outline.globals[name])
            value = getattr(found.body[0], "value", None) if found is not None and found.body else None
            dotted_name = dotted(value) if isinstance(value, ast.Name | ast.Attribute) else ""
            self._aliases[name] = "" if dotted_name.startswith(".") else dotted_name
        return self._aliases[name]

    def naming(self, word: str) -> Sequence[Definition]:
        """The definitions in which a word stands, in the order of the file."""
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
        """The rows as Python parses them, or None when it does not, which is nobody's concern here."""
        unparsed = self.unparsed
        found = self.snippet(start, end)
        self.unparsed = unparsed
        return found

    def names_at_top_level(self, name: str, row: int) -> bool:
        """Whether the statement of the top level that a row lies in uses a name, and does not only import it."""
        if row not in self._statements:
            for start, end in self.outline.top_level:
                if start <= row <= end:
                    found = self.quiet_snippet(start, end)
                    for node in found.body if found is not None else ():
                        place = found.place(node) if found is not None else None
                        used = {
                            each.id if isinstance(each, ast.Name) else each.attr
                            for each in ast.walk(node)
                            if isinstance(each, ast.Name | ast.Attribute)
                        }
                        if place is not None:
                            self._statements.update(dict.fromkeys(range(place.row, place.end_row + 1), used))
            self._statements.setdefault(row, set())
        return name in self._statements[row]

    def rows_of(self, word: str) -> Iterator[int]:
        """The rows in which a word stands, each once."""
        row = 0
        for match in re.finditer(rf"{re.escape(word)}(?<!\w{re.escape(word)})\b", self.text):
            before, row = row, bisect.bisect_right(self._begins, match.start())
            if row != before:
                yield row


def losslessly(text: str) -> Sequence[ast.stmt]:
    """Read a text with libcst; raises SnippetError."""
    from initaudit.analyzer.source.lossless import lossless  # late: libcst takes long to load, and few files need it

    return lossless(text).body
