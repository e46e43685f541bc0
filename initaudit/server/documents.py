"""What the editor holds, as the analyzer reads it, and where places of it are for the editor."""

from __future__ import annotations

import io
import json
import tokenize
from collections.abc import Iterator

import msgspec
from lsprotocol import types
from pygls import uris
from pygls.workspace import Workspace

from initaudit.files import decode_source
from initaudit.finding import Place
from initaudit.source import SourceError, SourceFile


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or a notebook with ``cells``, as it is at some ``version``. What it holds is ``raw``, as on disk."""

    uri: str
    path: str
    version: int | None
    raw: bytes
    cells: tuple[str, ...] = ()

    def source(self, name: str) -> SourceFile:
        """Return it as a file of some name; the text is empty where it cannot be read."""
        try:
            return decode_source(name, self.raw)
        except SourceError:
            return SourceFile(name, self.raw, "", "utf-8")

    @property
    def uris(self) -> tuple[str, ...]:
        """The addresses under which something may be said of it."""
        return self.cells or (self.uri,)

    def has(self, uri: str) -> bool:
        """Whether an address is its own, or that of one of its cells."""
        return uri == self.uri or uri in self.cells

    def uri_of(self, place: Place) -> str:
        """Return the address of the document, or of the cell, that a place is in: the first, if it is in none."""
        return self.uris[0 if place.cell is None else place.cell - 1]


def documents(workspace: Workspace) -> Iterator[Document]:
    """All Python files and notebooks that are open."""
    for uri, text in workspace.text_documents.items():
        path = _path(uri)
        if path is not None and text.language_id == "python" and workspace.get_notebook_document(cell_uri=uri) is None:
            yield Document(uri=uri, path=path, version=text.version, raw=_encoded(text.source))
    for uri, notebook in workspace.notebook_documents.items():
        path = _path(uri)
        if path is not None:
            cells = tuple(cell.document for cell in notebook.cells)
            raw = json.dumps({"cells": [_cell(cell, workspace) for cell in notebook.cells], "metadata": {}}).encode()
            yield Document(uri=uri, path=path, version=notebook.version, raw=raw, cells=cells)


def _path(uri: str) -> str | None:
    return uris.to_fs_path(uri) if uri.startswith("file:") else None


def _cell(cell: types.NotebookCell, workspace: Workspace) -> dict[str, object]:
    """A cell as notebooks store it; the editor knows its language better than the notebook."""
    text = workspace.get_text_document(cell.document)
    kind = "code" if cell.kind is types.NotebookCellKind.Code else "markdown"
    return {
        "cell_type": kind,
        "source": text.source,
        "metadata": {"vscode": {"languageId": text.language_id or "python"}},
    }


def _encoded(text: str) -> bytes:
    """A text as its file would hold it: in the encoding that it declares."""
    raw = text.encode("utf-8", "surrogatepass")
    try:
        return text.encode(tokenize.detect_encoding(io.BytesIO(raw).readline)[0])
    except (SyntaxError, LookupError, UnicodeError):
        return raw


def range_of(place: Place, uri: str, workspace: Workspace) -> types.Range:
    """Return a place in the units of the client."""
    text = workspace.get_text_document(uri)
    start = types.Position(line=place.row - 1, character=place.column - 1)
    end = types.Position(line=place.end_row - 1, character=place.end_column - 1)
    return text.position_codec.range_to_client_units(text.lines, types.Range(start=start, end=end))
