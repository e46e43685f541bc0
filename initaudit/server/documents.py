"""Convert documents of the editor for the analyzer, and places back for the editor."""

from __future__ import annotations

import io
import json
import tokenize
from collections.abc import Iterator

import msgspec
from lsprotocol import types
from pygls import uris
from pygls.workspace import Workspace

from initaudit.finding import Place
from initaudit.sources.files import decode_source
from initaudit.sources.source import SourceError, SourceFile


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or a notebook with ``cells``, at some ``version``; ``raw`` is its content as it would be on disk."""

    uri: str
    path: str
    version: int | None
    raw: bytes
    cells: tuple[str, ...] = ()

    def source(self, name: str) -> SourceFile:
        """Return the document as a source file; the text is empty if it cannot be read."""
        try:
            return decode_source(name, self.raw)
        except SourceError:
            return SourceFile(name, self.raw, "", "utf-8")

    @property
    def uris(self) -> tuple[str, ...]:
        """The addresses of its diagnostics."""
        return self.cells or (self.uri,)

    def has(self, uri: str) -> bool:
        """Whether an address is that of the document or one of its cells."""
        return uri == self.uri or uri in self.cells

    def uri_of(self, place: Place) -> str:
        """Return the address of the document or cell of a place; the first cell for a place in none."""
        return self.uris[0 if place.cell is None else place.cell - 1]


def documents(workspace: Workspace) -> Iterator[Document]:
    """Yield all open Python files and notebooks."""
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
    """Return a cell as notebooks store it, with the language that the editor gives it."""
    text = workspace.get_text_document(cell.document)
    kind = "code" if cell.kind is types.NotebookCellKind.Code else "markdown"
    return {
        "cell_type": kind,
        "source": text.source,
        "metadata": {"vscode": {"languageId": text.language_id or "python"}},
    }


def _encoded(text: str) -> bytes:
    """Encode a text in the encoding that it declares."""
    raw = text.encode("utf-8", "surrogatepass")
    try:
        return text.encode(tokenize.detect_encoding(io.BytesIO(raw).readline)[0])
    except (SyntaxError, LookupError, UnicodeError):
        return raw


def range_of(place: Place, uri: str, workspace: Workspace) -> types.Range:
    """Return the range of a place, in the position encoding of the client."""
    text = workspace.get_text_document(uri)
    start = types.Position(line=place.row - 1, character=place.column - 1)
    end = types.Position(line=place.end_row - 1, character=place.end_column - 1)
    return text.position_codec.range_to_client_units(text.lines, types.Range(start=start, end=end))
