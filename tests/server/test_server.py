"""The language server, driven by a client over standard input and output."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

pytest.importorskip("pygls")

from click.testing import CliRunner
from editor import Editor, edited, session
from lsprotocol import types

from initaudit.cli import main

RAW = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(3))
"""
CLEAN = RAW + "        nn.init.ones_(self.scale)\n"
LOOP = "from torch import nn\n\nnet = nn.Linear(3, 3)\nfor p in net.parameters():\n    nn.init.uniform(p)  # 🙂\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'net'\nversion = '1'\n", encoding="utf-8")
    return tmp_path


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_document_is_diagnosed_when_it_is_opened_changed_saved_and_closed(root: Path) -> None:
    path = written(root, "net.py", CLEAN)

    async def talk(editor: Editor) -> None:
        await editor.open(path)
        assert editor.codes(path) == []
        await editor.change(path, RAW, 2)
        (found,) = editor.said[path.as_uri()].diagnostics
        assert (found.code, found.severity, found.source) == ("INI101", types.DiagnosticSeverity.Error, "initaudit")
        assert found.range == types.Range(types.Position(7, 34), types.Position(7, 48))
        path.write_text(RAW, encoding="utf-8")
        before = editor.times[path.as_uri()]
        editor.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(path.as_uri())))
        await editor.until(lambda: editor.times[path.as_uri()] > before)
        assert editor.codes(path) == ["INI101"]
        editor.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(path.as_uri())))
        await editor.until(lambda: not editor.said[path.as_uri()].diagnostics)

    session(talk, root)


def test_what_is_open_and_not_saved_decides_about_other_files(root: Path) -> None:
    base = written(root, "base.py", RAW.replace("class Net", "class Base"))
    net = written(root, "net.py", "from base import Base\n\n\nclass Net(Base):\n    pass\n")
    train = written(root, "train.py", "from base import Base\n\nnet = Base()\n")

    async def talk(editor: Editor) -> None:
        for path in (base, net, train):
            await editor.open(path)
        await editor.until(lambda: editor.codes(base) == ["INI101"])
        text = train.read_text(encoding="utf-8") + "for p in net.parameters():\n    p.data.zero_()\n"
        editor.write(train, text, 2)
        await editor.until(lambda: editor.codes(base) == [])

    session(talk, root)


def test_a_fix_and_a_comment_are_offered_and_do_what_the_command_does(root: Path) -> None:
    path = written(root, "net.py", LOOP)

    async def talk(editor: Editor) -> None:
        await editor.open(path)
        (found,) = [one for one in editor.said[path.as_uri()].diagnostics if one.code == "INI308"]
        offered = await editor.actions(path.as_uri(), found)
        titles = [one.title for one in offered]
        assert [title.partition(":")[0] for title in titles[:2]] == ["INI308", "INI308"]
        mended = [edited(LOOP, list((one.edit.changes or {})[path.as_uri()])) for one in offered if one.edit]
        CliRunner().invoke(main, ["check", str(path), "--fix", "--unsafe-fixes", "--no-cache", "--select", "INI308"])
        assert mended[0] == path.read_text(encoding="utf-8") != LOOP
        assert mended[1] == LOOP.replace("# 🙂", "# 🙂  # initaudit: ignore[INI308]")
        await editor.change(path, mended[1], 2)
        assert editor.codes(path) == []

    session(talk, root)


def test_all_that_is_safe_is_fixed_at_once(root: Path) -> None:
    text = LOOP.replace("  # 🙂", "") + "nn.init.normal(net.weight)\n"
    path = written(root, "net.py", text)

    async def talk(editor: Editor) -> None:
        await editor.open(path)
        found = editor.said[path.as_uri()].diagnostics
        (action,) = await editor.actions(path.as_uri(), found[0], "source.fixAll")
        assert action.edit and action.edit.changes
        mended = edited(text, list(action.edit.changes[path.as_uri()]))
        CliRunner().invoke(main, ["check", str(path), "--fix", "--no-cache"])
        assert mended == path.read_text(encoding="utf-8") != text

    session(talk, root)


def test_hovering_shows_what_was_seen_and_the_document_of_the_rule(root: Path) -> None:
    path = written(root, "net.py", RAW)

    async def talk(editor: Editor) -> None:
        await editor.open(path)
        document = types.TextDocumentIdentifier(path.as_uri())
        hover = await editor.text_document_hover_async(types.HoverParams(document, types.Position(7, 36)))
        assert hover and isinstance(hover.contents, types.MarkupContent)
        assert "- analyzer: no reachable code writes it" in hover.contents.value
        assert "# INI101 uninitialized-parameter" in hover.contents.value
        assert await editor.text_document_hover_async(types.HoverParams(document, types.Position(0, 0))) is None

    session(talk, root)


def notebook(*sources: str) -> tuple[types.NotebookDocument, list[types.TextDocumentItem]]:
    names = [f"vscode-notebook-cell:/lesson#{number}" for number in range(len(sources))]
    cells = [types.NotebookCell(kind=types.NotebookCellKind.Code, document=name) for name in names]
    texts = [types.TextDocumentItem(name, "python", 1, source) for name, source in zip(names, sources, strict=True)]
    return types.NotebookDocument(uri="", notebook_type="jupyter-notebook", version=1, cells=cells), texts


def test_cells_of_a_notebook_are_diagnosed_and_fixed_where_they_are(root: Path) -> None:
    path = root / "lesson.ipynb"
    sources = ["%matplotlib inline\nfrom torch import nn", "net = nn.Linear(3, 3)", "nn.init.uniform(net.weight)"]
    stored = [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]
    path.write_text(json.dumps({"cells": stored, "metadata": {}}), encoding="utf-8")
    opened, texts = notebook(*sources)
    opened.uri = path.as_uri()
    last = texts[2].uri

    async def talk(editor: Editor) -> None:
        editor.notebook_document_did_open(types.DidOpenNotebookDocumentParams(opened, texts))
        await editor.until(lambda: last in editor.said)
        (found,) = editor.said[last].diagnostics
        assert (found.code, found.range.start) == ("INI308", types.Position(0, 0))
        assert not any(editor.said[one.uri].diagnostics for one in texts[:2])
        action, _ = await editor.actions(last, found, "quickfix")
        assert action.edit and action.edit.changes
        mended = edited(sources[2], list(action.edit.changes[last]))
        assert mended == "nn.init.uniform_(net.weight)"
        change = types.NotebookDocumentCellContentChanges(
            types.VersionedTextDocumentIdentifier(version=2, uri=last),
            [types.TextDocumentContentChangeWholeDocument(mended)],
        )
        editor.notebook_document_did_change(
            types.DidChangeNotebookDocumentParams(
                types.VersionedNotebookDocumentIdentifier(version=2, uri=path.as_uri()),
                types.NotebookDocumentChangeEvent(cells=types.NotebookDocumentCellChanges(text_content=[change])),
            )
        )
        await editor.until(lambda: not editor.said[last].diagnostics)

    session(talk, root)


def test_each_root_has_a_configuration_of_its_own(tmp_path: Path) -> None:
    strict, loose = tmp_path / "strict", tmp_path / "loose"
    paths = [written(folder, "net.py", RAW) for folder in (strict, loose)]
    written(loose, "initaudit.toml", 'ignore = ["INI101"]\n')
    skipped = written(loose / "gen", "net.py", RAW)
    written(loose, "initaudit.toml", 'ignore = ["INI101"]\nexclude = ["gen"]\n')

    async def talk(editor: Editor) -> None:
        for path in (*paths, skipped):
            await editor.open(path)
        assert [editor.codes(path) for path in paths] == [["INI101"], []]
        assert editor.codes(skipped) == []
        written(loose, "initaudit.toml", "ignroe = []\n")
        event = types.FileEvent((loose / "initaudit.toml").as_uri(), types.FileChangeType.Changed)
        editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
        await editor.until(lambda: bool(editor.messages))
        assert "ignroe" in editor.messages[0] and "ignore" in editor.messages[0]

    session(talk, strict, loose)


def test_a_file_outside_of_any_folder_and_one_that_is_not_on_disk_are_checked(tmp_path: Path) -> None:
    alone, new = written(tmp_path, "alone.py", RAW), tmp_path / "new.py"

    async def talk(editor: Editor) -> None:
        await editor.open(alone)
        await editor.open(new, RAW)
        assert editor.codes(alone) == editor.codes(new) == ["INI101"]

    session(talk)


def test_many_changes_are_one_turn_and_the_last_one_counts(root: Path) -> None:
    path = written(root, "net.py", CLEAN)

    async def talk(editor: Editor) -> None:
        await editor.open(path)
        for version in range(2, 52):
            editor.write(path, (RAW if version % 2 else CLEAN) + f"# {version}\n", version)
        await editor.until(lambda: editor.said[path.as_uri()].version == 51)
        assert editor.codes(path) == ["INI101"]
        assert editor.times[path.as_uri()] < 26

    session(talk, root)


def test_after_every_edit_the_server_says_what_a_check_says(root: Path) -> None:
    dice = random.Random(0)
    paths = [written(root, f"layer{number}.py", RAW.replace("Net", f"Net{number}")) for number in range(3)]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}

    async def talk(editor: Editor) -> None:
        for path in paths:
            await editor.open(path)
        for version in range(2, 14):
            path = dice.choice(paths)
            texts[path] = random_edit(dice, texts[path])
            await editor.change(path, texts[path], version)
            path.write_text(texts[path], encoding="utf-8")
            assert said(editor, path) == checked(root, path), texts[path]

    session(talk, root)


def random_edit(dice: random.Random, text: str) -> str:
    """A line goes, comes, or is moved."""
    lines = text.splitlines(keepends=True)
    line = dice.choice(lines)
    match dice.randrange(3):
        case 0:
            lines.remove(line)
        case 1:
            lines.append("        nn.init.zeros_(self.scale)\n")
        case _:
            lines.insert(dice.randrange(len(lines)), line)
    return "".join(lines) or "\n"


def said(editor: Editor, path: Path) -> list[tuple[object, ...]]:
    found = editor.said[path.as_uri()].diagnostics
    return sorted((one.code, one.message, one.range.start.line + 1, one.range.start.character + 1) for one in found)


def checked(root: Path, path: Path) -> list[tuple[object, ...]]:
    """What a check of the whole folder says of one file."""
    outcome = CliRunner().invoke(main, ["check", str(root), "--no-cache", "-j", "1", "--output-format", "json"])
    found = [one for one in json.loads(outcome.stdout) if Path(one["filename"]) == path]
    return sorted((one["code"], one["message"], one["location"]["row"], one["location"]["column"]) for one in found)
