"""A notebook that Jupyter opens is read: its format leaves most of the metadata open."""

from __future__ import annotations

import json

import pytest

from initaudit.finding import Place
from initaudit.sources.notebook import in_notebook, notebook, rewritten
from initaudit.sources.source import SourceError

CODE = "import torch\nw = torch.empty(3)"


def document(metadata: object = None, **cell: object) -> dict[str, object]:
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": CODE, **cell}
    return {"cells": [code], "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 2}


@pytest.mark.parametrize(
    "metadata",
    [
        {"language_info": {"name": "python", "version": 3}, "orig_nbformat": 2},
        {"language_info": {"name": "python", "version": 3.8}, "kernelspec": None},
        {"language_info": {"name": "python", "version": {"major": 3}}},
        {"kernelspec": {"name": 3, "language": "python", "display_name": ["Python 3"]}},
        {"kernelspec": "python3", "language_info": []},
        {"language_info": {"name": None, "version": None}, "widgets": [1, 2]},
        [],
    ],
)
def test_odd_metadata_refuses_no_notebook(metadata: object) -> None:
    assert notebook("net.ipynb", json.dumps(document(metadata)).encode()).text == CODE + "\n"


@pytest.mark.parametrize(
    "cell",
    [
        {"metadata": None},
        {"execution_count": "3"},
        {"outputs": [{"output_type": "display_data", "data": {"application/json": {"loss": float("nan")}}}]},
        {"outputs": [{"output_type": "stream", "name": "stdout", "text": "\ud83d"}]},
        {"attachments": None, "id": 7},
    ],
)
def test_odd_cells_refuse_no_notebook(cell: dict[str, object]) -> None:
    raw = json.dumps(document(**cell)).encode()
    found = notebook("net.ipynb", raw)
    assert found.text == CODE + "\n"
    in_notebook(found, Place("net.ipynb", 2, 1, 2, 2, 1))
    try:
        mended = rewritten(found, {1: "x = 1"})
    except ValueError:
        assert "NaN" in raw.decode() or "ud83d" in raw.decode()
    else:
        assert notebook("net.ipynb", mended.encode()).text == "x = 1\n"


def test_a_cell_without_a_source_is_empty() -> None:
    assert notebook("net.ipynb", json.dumps(document(source=None)).encode()).text.strip() == ""


@pytest.mark.parametrize(
    ("version", "old"), [(2, True), ("2", True), (2.7, True), ("2.7.6", True), (3, False), ("3.6", False), (27, False)]
)
def test_the_version_of_python_may_be_a_number(version: object, old: bool) -> None:
    metadata = {"language_info": {"name": "python", "version": version}}
    faults = notebook("net.ipynb", json.dumps(document(metadata, source="%time\nprint x")).encode()).faults
    assert all(fault.python_2 is old for fault in faults)
    assert faults


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"cells": [',
        b'{"cells": {}}',
        b'{"cells": [{"cell_type": "code", "source": 3}]}',
        rb'{"cells": [{"cell_type": "code", "source": "\ud83d"}]}',
        b'{"cells": [{"cell_type": "code", "source": "x", "outputs": NaN}]',
    ],
)
def test_what_is_no_notebook_is_refused(raw: bytes) -> None:
    with pytest.raises(SourceError, match="not a notebook"):
        notebook("net.ipynb", raw)
