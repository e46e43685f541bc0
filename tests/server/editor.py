"""An editor for the tests: pygls' own client, over standard input and output of a server in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

PATIENCE = 60.0
"""Seconds: a busy machine is no failure."""


class Editor(LanguageClient):
    """Knows what the server last said of every document."""

    def __init__(self) -> None:
        super().__init__("tests", "1")
        self.said: dict[str, types.PublishDiagnosticsParams] = {}
        self.times: dict[str, int] = {}
        self.messages: list[str] = []
        self.heard = asyncio.Condition()

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        async def published(params: types.PublishDiagnosticsParams) -> None:
            async with self.heard:
                self.said[params.uri] = params
                self.times[params.uri] = self.times.get(params.uri, 0) + 1
                self.heard.notify_all()

        @self.feature(types.WINDOW_SHOW_MESSAGE)
        async def shown(params: types.ShowMessageParams) -> None:
            async with self.heard:
                self.messages.append(params.message)
                self.heard.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to be heard."""
        async with self.heard:
            await asyncio.wait_for(self.heard.wait_for(holds), PATIENCE)

    def codes(self, path: Path) -> list[str]:
        return [str(one.code) for one in self.said[path.as_uri()].diagnostics]

    async def open(self, path: Path, text: str | None = None, language: str = "python") -> None:
        """Open a file and wait for what is said of it."""
        text = path.read_text(encoding="utf-8") if text is None else text
        before = self.times.get(path.as_uri(), 0)
        item = types.TextDocumentItem(uri=path.as_uri(), language_id=language, version=1, text=text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        await self.until(lambda: self.times.get(path.as_uri(), 0) > before)

    def write(self, path: Path, text: str, version: int) -> None:
        """Replace all that is in an open file."""
        change = types.TextDocumentContentChangeWholeDocument(text=text)
        document = types.VersionedTextDocumentIdentifier(version=version, uri=path.as_uri())
        self.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def change(self, path: Path, text: str, version: int) -> None:
        """Replace it, and wait for what is said of that version."""
        self.write(path, text, version)
        await self.until(lambda: self.said[path.as_uri()].version == version)

    async def actions(self, uri: str, diagnostic: types.Diagnostic, *kinds: str) -> list[types.CodeAction]:
        context = types.CodeActionContext([diagnostic], only=kinds or None)  # type: ignore[arg-type]
        document = types.TextDocumentIdentifier(uri)
        found = await self.text_document_code_action_async(types.CodeActionParams(document, diagnostic.range, context))
        return [one for one in found or () if isinstance(one, types.CodeAction)]


def edited(text: str, edits: list[types.TextEdit]) -> str:
    """A text after edits in the units of the protocol: lines, and UTF-16."""
    lines = [*text.splitlines(keepends=True), ""]

    def offset(at: types.Position) -> int:
        before = "".join(lines[: at.line])
        return len(before) + len(lines[at.line].encode("utf-16-le")[: 2 * at.character].decode("utf-16-le"))

    for edit in sorted(edits, key=lambda one: (one.range.start.line, one.range.start.character), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


def session(talk: Callable[[Editor], Awaitable[Any]], *roots: Path, seconds: float = 3 * PATIENCE) -> None:
    """Start a server, open folders, talk, and end it."""

    async def run() -> None:
        editor = Editor()
        await editor.start_io(sys.executable, "-m", "initaudit", "server", env={**os.environ})
        folders = [types.WorkspaceFolder(root.as_uri(), root.name) for root in roots]
        asked = types.InitializeParams(capabilities=types.ClientCapabilities(), workspace_folders=folders)
        try:
            await editor.initialize_async(asked)
            editor.initialized(types.InitializedParams())
            await asyncio.wait_for(asyncio.ensure_future(talk(editor)), seconds)  # type: ignore[arg-type]
        finally:
            await asyncio.wait_for(editor.shutdown_async(None), PATIENCE)
            editor.exit(None)
            await editor.stop()

    asyncio.run(run())
