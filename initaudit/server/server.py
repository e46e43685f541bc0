"""The server: schedules checks and publishes their results."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer

from initaudit.engine import Report, Summary
from initaudit.server.actions import FIX_ALL, Diagnosed, actions, diagnostic, hover
from initaudit.server.documents import Document, documents
from initaudit.server.roots import CancelledError, Root, root_of
from initaudit.session import IMPOSSIBLE
from initaudit.version import __version__

DELAY = 0.2
"""Seconds after the last change before a document is checked."""
STACK = 256 << 20
"""Stack size of the reading thread, in bytes: a deep expression takes many frames."""
WATCHED = "**/{*.py,*.ipynb,pyproject.toml,initaudit.toml,.gitignore}"
NOTEBOOKS = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="jupyter-notebook")], save=True
)
"""Synchronize all cells of a notebook, so that cell numbers agree."""


class Server(LanguageServer):
    """Checks one document at a time. Every change starts a new turn and cancels the previous one."""

    def __init__(self) -> None:
        super().__init__("initaudit", __version__, notebook_document_sync=NOTEBOOKS)
        self.diagnosed: dict[str, Diagnosed] = {}
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self._said = ""
        threading.stack_size(STACK)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="reading")

    def look(self, uri: str = "", delay: float = 0.0) -> None:
        """Check all open documents again, the one at ``uri`` first."""
        self._turn += 1
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._look(self._turn, uri, delay))
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Show an unexpected error; the next change starts a new turn."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._say(f"{type(error).__name__}: {error}")

    async def _look(self, turn: int, uri: str, delay: float) -> None:
        await asyncio.sleep(delay)
        held = list(documents(self.workspace))
        first = [one for one in held if one.has(uri)]
        folders = [uris.to_fs_path(folder) or "" for folder in self.workspace.folders]
        roots = {one.uri: root_of(one.path, folders) for one in held}
        rest: dict[Root, list[Document]] = {}
        for one in held:
            if one not in first:
                rest.setdefault(roots[one.uri], []).append(one)
        batches = [(roots[one.uri], [one]) for one in first] + list(rest.items())
        for root, batch in batches:
            around = [one for one in held if roots[one.uri] == root]
            try:
                report = await asyncio.get_running_loop().run_in_executor(
                    self._reading, self._checked, root, batch, around, turn
                )
            except CancelledError:
                return
            except IMPOSSIBLE as error:
                self._say(str(error))
                report = Report(findings=(), summary=Summary())
            if turn != self._turn:
                return
            self._publish(root, batch, report)

    def _checked(self, root: Root, batch: Sequence[Document], around: Sequence[Document], turn: int) -> Report:
        """Check a batch, in the reading thread."""
        given = [one.source(root.name_of(one.path)) for one in around]
        only = [root.name_of(one.path) for one in batch]
        return root.check(given, only, lambda: turn == self._turn)

    def _publish(self, root: Root, batch: Sequence[Document], report: Report) -> None:
        for error in report.errors:
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, error))
        for document in batch:
            name = root.name_of(document.path)
            found = Diagnosed(document, tuple(one for one in report.findings if one.place.filename == name))
            for uri in document.uris:
                self.diagnosed[uri] = found
                shown = [diagnostic(one, uri, self.workspace) for one in found.at(uri)]
                version = document.version if uri == document.uri else None
                self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, shown, version))

    def _say(self, message: str) -> None:
        """Show an error that makes checking impossible, once."""
        if message != self._said:
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"initaudit: {message}"))
        self._said = message

    def current(self, uri: str) -> Diagnosed | None:
        """Return the findings in a document, if it has not changed since."""
        found = self.diagnosed.get(uri)
        held = (one for one in documents(self.workspace) if one.has(uri))
        return found if found is not None and found.document == next(held, None) else None

    def forget(self, addresses: Sequence[str]) -> None:
        """Remove the diagnostics of closed documents."""
        for uri in addresses:
            self.diagnosed.pop(uri, None)
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))
        self.look()


def make() -> Server:
    """Return a server that waits for a client."""
    server = Server()

    @server.feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        watching = server.client_capabilities.workspace
        dynamic = watching and watching.did_change_watched_files
        if dynamic and dynamic.dynamic_registration:
            options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(WATCHED)])
            wanted = types.Registration("watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            server.client_register_capability(types.RegistrationParams([wanted]))

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.look(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.look(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        server.look(params.text_document.uri, DELAY)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.forget([params.text_document.uri])

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def notebook_opened(params: types.DidOpenNotebookDocumentParams) -> None:
        server.look(params.notebook_document.uri)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def notebook_saved(params: types.DidSaveNotebookDocumentParams) -> None:
        server.look(params.notebook_document.uri)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def notebook_changed(params: types.DidChangeNotebookDocumentParams) -> None:
        server.look(params.notebook_document.uri, DELAY)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def notebook_closed(params: types.DidCloseNotebookDocumentParams) -> None:
        server.forget([params.notebook_document.uri, *(cell.uri for cell in params.cell_text_documents)])

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(_: types.DidChangeWatchedFilesParams) -> None:
        server.look(delay=DELAY)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders_changed(_: types.DidChangeWorkspaceFoldersParams) -> None:
        server.look()

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hovered(params: types.HoverParams) -> types.Hover | None:
        found = server.current(params.text_document.uri)
        if found is None:
            return None
        return hover(found, params.text_document.uri, params.position, server.workspace)

    options = types.CodeActionOptions([types.CodeActionKind.QuickFix, FIX_ALL])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    def acted(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri, only = params.text_document.uri, params.context.only
        found = server.current(uri)
        return [] if found is None else list(actions(found, uri, params.range, only, server.workspace))

    return server
