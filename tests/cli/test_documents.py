"""Notebooks and Markdown are read like source files, and written back without touching anything else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main

IMPORTS = "import torch as t\nfrom torch import nn"
RAW = (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.w = nn.Parameter(t.empty(3))"
)
LEGACY = (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.w = nn.Parameter(t.Tensor(3, 4))\n        nn.init.ones_(self.w)"
)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def initaudit(*arguments: str, input: bytes | None = None) -> Result:
    outcome = CliRunner().invoke(main, arguments, input=input)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome


def found(*arguments: str, input: bytes | None = None) -> list[tuple[str, int | None, int, int]]:
    """The code, cell, row and column of each finding."""
    findings = json.loads(initaudit(*arguments, "--output-format", "json", input=input).stdout)
    return [
        (one["code"], one["cell"], one["location"]["row"], one["location"]["column"]) for one in findings
    ]  # fmt: skip


def notebook(*cells: str, language: str = "python", **how: Any) -> bytes:
    """A notebook; a cell that begins with a heading is text."""
    written = [
        {
            "cell_type": "markdown" if text.startswith("# ") else "code",
            "execution_count": None,
            "metadata": {"tags": ["naïve"]},
            "outputs": [],
            "source": text.splitlines(keepends=True),
        }
        for text in cells
    ]
    document = {
        "cells": written,
        "metadata": {"kernelspec": {"display_name": "Any", "language": language, "name": "any"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(document, **{"indent": 1, "ensure_ascii": False, **how}) + "\n").encode()


def test_rows_of_a_notebook_are_rows_of_its_cells() -> None:
    Path("net.ipynb").write_bytes(notebook("# Title", IMPORTS, RAW))
    assert found("net.ipynb") == [("INI101", 3, 4, 31)]
    text = initaudit("net.ipynb").stdout
    assert text.startswith("net.ipynb:cell 3:4:31: error: INI101")
    assert "4 |         self.w = nn.Parameter(t.empty(3))\n  |                               ^^^^^^^^^^" in text


@pytest.mark.parametrize(
    "how", [{}, {"indent": 4}, {"indent": None}, {"ensure_ascii": True}], ids=["usual", "wide", "one line", "ascii"]
)
def test_who_knows_no_cells_is_pointed_at_the_string_that_holds_the_row(how: dict[str, Any]) -> None:
    written = notebook("# Tïtle", IMPORTS, LEGACY, "print('ä')", LEGACY.replace("Net", "Other"), **how)
    Path("net.ipynb").write_bytes(written)
    rows = written.decode().splitlines()
    string = json.dumps("        self.w = nn.Parameter(t.Tensor(3, 4))\n")
    regions = []
    for result in json.loads(initaudit("net.ipynb", "--output-format", "sarif").stdout)["runs"][0]["results"]:
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["startLine"] == region["endLine"]
        assert rows[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1] == string
        assert "fixes" not in result
        regions.append((result["message"]["text"].partition(": ")[0], region["startLine"], region["startColumn"]))
    assert [cell for cell, *_ in regions] == ["cell 3:4:31", "cell 5:4:31"]
    assert len(set(regions)) == 2
    for form in ("github", "gitlab", "rdjson", "junit", "azure"):
        text = initaudit("net.ipynb", "--output-format", form).stdout
        assert all(cell in text for cell, *_ in regions)
        assert "suggestions" not in text


@pytest.mark.parametrize("key", ['"source"', r'"\u0073ource"'])
def test_who_knows_no_cells_is_pointed_into_the_file_in_any_case(key: str) -> None:
    text = json.dumps(f"{IMPORTS}\n{RAW}")
    Path("net.ipynb").write_text(
        f'{{"nbformat": 4, "cells": [\n{{"cell_type": "code", {key}: {text}}}]}}', encoding="utf-8"
    )
    place = json.loads(initaudit("net.ipynb", "--output-format", "gitlab").stdout)[0]["location"]["positions"]
    assert place["begin"] == ({"line": 2, "column": 33} if key == '"source"' else {"line": 1, "column": 1})


def test_a_notebook_is_found_in_a_folder_and_markdown_is_not() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, RAW))
    Path("net.md").write_text(f"```python\n{IMPORTS}\n{RAW}\n```\n", encoding="utf-8")
    assert initaudit("--show-files", ".").stdout == "net.ipynb\n"
    assert found("net.md", "net.ipynb") == [("INI101", 2, 4, 31), ("INI101", None, 7, 31)]


def test_cells_share_what_they_define_in_order() -> None:
    loop = "for name, p in {}.named_parameters():\n    nn.init.zeros_(p)"
    Path("net.ipynb").write_bytes(notebook(IMPORTS, "net = nn.Linear(3, 4)", loop.format("net"), loop.format("model")))
    assert found("net.ipynb") == [("INI301", 4, 1, 16)]


@pytest.mark.parametrize(
    "command",
    [
        "%matplotlib inline",
        "!pip install \\\n  torch",
        "files = !ls\nversion = %env VERSION",
        "nn.Linear?",
        "nn.Sequential()[0].weight??",
        "await_ = 1\nawait something()",
        "?nn.Linear",
        "%%bash\nif then else",
        "%%time\nx = 1",
        "if True:\n    %load_ext autoreload",
    ],
)
def test_what_only_ipython_understands_moves_no_row(command: str) -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, command, f"{command}\n{RAW}" if "%%" not in command else RAW))
    ((code, cell, row, column),) = found("net.ipynb")
    assert (code, cell, column) == ("INI101", 3, 31)
    assert row == (4 if "%%" in command else 5 + command.count("\n"))


@pytest.mark.parametrize("command", ["%run setup.py", "%pylab inline", "%%cython\ncdef int x"])
def test_names_may_come_from_what_a_command_runs(command: str) -> None:
    loop = "for name, p in model.named_parameters():\n    nn.init.zeros_(p)"
    Path("net.ipynb").write_bytes(notebook(IMPORTS, "%time 1", loop))
    assert [code for code, *_ in found("net.ipynb")] == ["INI301"]
    Path("net.ipynb").write_bytes(notebook(IMPORTS, command, loop))
    assert found("net.ipynb") == []


def test_a_cell_that_is_no_python_is_a_finding_in_that_cell() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, "x = 1\nnn.Parameter(t.empty(3"))
    ((code, cell, _, _),) = found("net.ipynb")
    assert (code, cell) == ("INI001", 2)


@pytest.mark.parametrize("content", [b"torch {", b'{"cells": 3, "torch": 1}', b'{"cells": [], "torch": 1}'])
def test_what_is_no_notebook_is_said(content: bytes) -> None:
    Path("net.ipynb").write_bytes(content)
    assert [code for code, *_ in found("net.ipynb")] == (["INI001"] if b"[]" not in content else [])


def test_a_notebook_of_another_language_is_left_alone() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, RAW, language="julia"))
    assert found("net.ipynb") == []


@pytest.mark.parametrize(
    "how", [{}, {"indent": 4}, {"indent": None}, {"ensure_ascii": True}], ids=["usual", "wide", "one line", "ascii"]
)
def test_a_fix_writes_only_what_it_changes(how: dict[str, Any]) -> None:
    before = notebook("# Tïtle", IMPORTS, "%time x = 'ü'\n" + LEGACY + "\nprint('ö')", "print('ä')", **how)
    path = Path("net.ipynb")
    path.write_bytes(before)
    assert found("net.ipynb", "--select", "INI104") == [("INI104", 3, 5, 31)]
    outcome = initaudit("net.ipynb", "--select", "INI104", "--fix")
    assert "1 fixed" in outcome.stderr
    assert path.read_bytes() == before.replace(b"t.Tensor(3, 4)", b"t.empty(3, 4)")


def test_a_cell_whose_source_is_one_string_can_be_fixed() -> None:
    before = json.dumps({"cells": [{"cell_type": "code", "source": f"{IMPORTS}\n{LEGACY}"}], "nbformat": 4}).encode()
    Path("net.ipynb").write_bytes(before)
    initaudit("net.ipynb", "--select", "INI104", "--fix")
    assert Path("net.ipynb").read_bytes() == before.replace(b"t.Tensor(3, 4)", b"t.empty(3, 4)")


def test_of_cells_that_look_alike_the_right_one_is_fixed() -> None:
    cells = [IMPORTS, LEGACY.replace("t.Tensor(3, 4)", "t.ones(3, 4)"), LEGACY, LEGACY.replace("t.Tensor", "t.empty")]
    Path("net.ipynb").write_bytes(notebook(*cells))
    initaudit("net.ipynb", "--select", "INI104", "--fix")
    cells[2] = cells[3]
    assert Path("net.ipynb").read_bytes() == notebook(*cells)


def test_a_diff_of_a_notebook_is_a_patch() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, LEGACY))
    patch = initaudit("net.ipynb", "--select", "INI104", "--diff").stdout
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "apply", "-p0", "-"], input=patch.encode(), check=True)
    assert Path("net.ipynb").read_bytes() == notebook(IMPORTS, LEGACY).replace(b"t.Tensor(3, 4)", b"t.empty(3, 4)")


def test_suppressions_hold_in_cells_and_are_written_there() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, RAW))
    assert initaudit("net.ipynb", "--add-ignore").exit_code == 0
    assert json.loads(Path("net.ipynb").read_bytes())["cells"][1]["source"][-1].endswith(
        "t.empty(3))  # initaudit: ignore[INI101]"
    )
    assert found("net.ipynb") == []


def test_a_useless_suppression_at_the_end_of_a_cell_is_taken_out_of_that_cell() -> None:
    cells = ["import torch", "x = 1\n# noqa: INI201\n", "y = 2"]
    Path("net.ipynb").write_bytes(notebook(*cells))
    assert found("net.ipynb") == [("INI002", 2, 2, 1)]
    initaudit("net.ipynb", "--fix")
    assert Path("net.ipynb").read_bytes() == notebook("import torch", "x = 1\n", "y = 2")


def test_a_notebook_on_standard_input_is_checked_and_mended() -> None:
    before = notebook(IMPORTS, LEGACY)
    name = ("--stdin-filename", "deep/net.ipynb", "--select", "INI104")
    assert found("-", *name, input=before) == [("INI104", 2, 4, 31)]
    mended = initaudit("-", *name, "--fix", input=before).stdout_bytes
    assert mended == before.replace(b"t.Tensor(3, 4)", b"t.empty(3, 4)")


def test_python_blocks_of_markdown_are_checked_where_they_stand() -> None:
    indented = "\n".join(f"   {line}".rstrip() for line in ["```python", *RAW.splitlines(), "```"])
    Path("net.md").write_text(
        f"# Title\n\n```py\n{IMPORTS}\n```\n\n1. First\n\n{indented}\n\n```\nno = t.Tensor(\n```\n", encoding="utf-8"
    )
    assert found("net.md") == [("INI101", None, 14, 34)]
    assert "14 |            self.w = nn.Parameter(t.empty(3))" in initaudit("net.md").stdout


def test_markdown_shows_parts_of_programs_and_names_what_it_does_not_show() -> None:
    block = f"```python\n{IMPORTS}\nmodel.apply(init)\nfor p in model.parameters():\n    nn.init.zeros_(p)\n```\n"
    Path("net.md").write_text(block + "```python\n>>> net = torch.empty(3\n```\n", encoding="utf-8")
    assert found("net.md") == []


def test_a_fix_leaves_markdown_as_it_is() -> None:
    text = "Söme *text*\n\n* item\n\n  ```python\n" + "".join(
        f"  {line}\n" for line in (IMPORTS + "\n" + LEGACY).split("\n")
    )
    before = f"{text}  ```\n\nmore `t.Tensor(3, 4)`\r\n".encode("utf-8-sig")
    Path("net.md").write_bytes(before)
    initaudit("net.md", "--select", "INI104", "--fix")
    assert Path("net.md").read_bytes() == before.replace(b"Parameter(t.Tensor(3, 4)", b"Parameter(t.empty(3, 4)")


def test_what_was_read_of_a_notebook_is_remembered(inside: Path) -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, RAW))
    assert found(".") == found(".") == [("INI101", 2, 4, 31)]
    Path("net.ipynb").write_bytes(notebook("# Title", IMPORTS, RAW))
    assert found(".") == [("INI101", 3, 4, 31)]


BROKEN = "x = ___  # fill in\nprint 'x'"


def test_one_cell_that_is_no_python_hides_no_other() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, RAW, BROKEN, RAW.replace("Net", "Other")))
    assert found("net.ipynb") == [("INI101", 2, 4, 31), ("INI001", 3, 2, 1), ("INI101", 4, 4, 31)]
    assert (
        "net.ipynb:cell 3:2:1: error: INI001 the cell is not Python: "
        in initaudit("net.ipynb", "--output-format", "concise").stdout
    )


def test_a_cell_that_is_no_python_is_told_when_only_it_holds_what_is_looked_for() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, RAW + "\nprint 'x'"))
    assert found("net.ipynb") == [("INI001", 2, 5, 1)]


def test_a_cell_that_is_no_python_may_bind_any_name_and_be_silenced() -> None:
    loop = "for name, p in model.named_parameters():\n    nn.init.zeros_(p)"
    Path("net.ipynb").write_bytes(notebook(IMPORTS, f"model = 1\n{BROKEN}  # initaudit: ignore[INI001]", loop))
    assert found("net.ipynb") == []


@pytest.mark.parametrize("language", ["shellscript", "plaintext", "python"])
def test_a_cell_that_its_editor_gives_another_language_is_not_read(language: str) -> None:
    document = json.loads(notebook(f"{IMPORTS}\n{RAW}", "python run.py --model t.Tensor"))
    document["cells"][1]["metadata"] = {"vscode": {"languageId": language}}
    Path("net.ipynb").write_text(json.dumps(document), encoding="utf-8")
    told = found("net.ipynb")
    assert language == "python" or told == [("INI101", 1, 6, 31)]
    assert [code for code, *_ in told].count("INI001") == (language == "python")


def test_a_command_without_a_percent_sign_is_no_fault() -> None:
    Path("net.ipynb").write_bytes(notebook("pip install -r torch.txt", f"{IMPORTS}\n{RAW}"))
    assert [code for code, *_ in found("net.ipynb")] == ["INI101"]


def test_a_fix_is_made_beside_a_cell_that_is_no_python() -> None:
    before = notebook(IMPORTS, LEGACY, BROKEN)
    Path("net.ipynb").write_bytes(before)
    initaudit("net.ipynb", "--select", "INI104", "--fix")
    assert Path("net.ipynb").read_bytes() == before.replace(b"t.Tensor(3, 4)", b"t.empty(3, 4)")


def test_a_cell_that_is_indented_as_a_whole_is_read_and_fixed_where_it_stands() -> None:
    cell = "\n".join(f"    {row}" for row in f"%time x = 1\n{LEGACY}".split("\n"))
    before = notebook(IMPORTS, cell)
    Path("net.ipynb").write_bytes(before)
    assert found("net.ipynb", "--select", "INI104") == [("INI104", 2, 5, 35)]
    initaudit("net.ipynb", "--select", "INI104", "--fix")
    assert Path("net.ipynb").read_bytes() == before.replace(b"t.Tensor(3, 4)", b"t.empty(3, 4)")


def test_what_a_magic_runs_is_checked_in_its_line() -> None:
    Path("net.ipynb").write_bytes(notebook(IMPORTS, "%time nett.apply(print)"))
    assert found("net.ipynb") == [("INI301", 2, 1, 7)]


@pytest.mark.parametrize("select", ["INI104", "ALL"])
def test_every_row_in_a_message_is_one_of_a_cell(select: str) -> None:
    Path("net.ipynb").write_bytes(notebook("x = 1\n" * 20, IMPORTS, "# Title", LEGACY))
    text = initaudit("net.ipynb", "--select", select).stdout
    assert "net.ipynb:cell 4:4:31: " in text
    assert "until `init.ones_` (cell 4, line 5)" in text


def test_evidence_names_the_cell() -> None:
    embedding = (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.table = nn.Embedding(9, 4, padding_idx=0)\n        nn.init.normal_(self.table.weight)"
    )
    Path("net.ipynb").write_bytes(notebook("# Title", "x = 1\n" * 20, IMPORTS, embedding))
    findings = json.loads(initaudit("net.ipynb", "--select", "ALL", "--output-format", "json").stdout)
    details = [piece["detail"] for one in findings if one["cell"] == 4 for piece in one["evidence"]]
    assert any("created in cell 4, line 4" in detail for detail in details), details


def test_what_is_not_decided_names_the_cell() -> None:
    unknown = RAW.replace("t.empty(3))", "t.empty(3))\n        helper(self.w)")
    Path("net.ipynb").write_bytes(notebook("x = 1\n" * 20, f"{IMPORTS}\nfrom there import helper", unknown))
    told = initaudit("net.ipynb", "--show-unknown").stderr
    assert "net.ipynb:cell 3:4:" in told


def test_a_notebook_of_format_3_is_read_and_fixed() -> None:
    cells = [{"cell_type": "code", "language": "python", "input": text} for text in (IMPORTS, LEGACY)]
    before = json.dumps({"nbformat": 3, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}).encode()
    Path("net.ipynb").write_bytes(before)
    assert found("net.ipynb", "--select", "INI104") == [("INI104", 2, 4, 31)]
    initaudit("net.ipynb", "--select", "INI104", "--fix")
    assert Path("net.ipynb").read_bytes() == before.replace(b"t.Tensor(3, 4)", b"t.empty(3, 4)")


@pytest.mark.parametrize(
    ("cells", "how", "why"),
    [
        ([IMPORTS, f"%%tab tensorflow\n{RAW}"], {}, "net.ipynb:cell 2:1:1: skipped: for another framework"),
        ([IMPORTS, f"%%writefile net.py\n{RAW}"], {}, "net.ipynb:cell 2:1:1: skipped: %%writefile writes it to a file"),
        ([IMPORTS, RAW], {"language": "R"}, "net.ipynb:1:1: skipped: a notebook for r"),
    ],
)
def test_what_is_left_out_of_a_notebook_is_counted(cells: list[str], how: dict[str, Any], why: str) -> None:
    Path("net.ipynb").write_bytes(notebook(*cells, **how))
    outcome = initaudit("net.ipynb", "--show-unknown")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert why in outcome.stderr
    assert "1 skipped" in outcome.stderr


FENCES = [
    "python",
    "Python title='net.py'",
    "{.python .input}",
    "{.python .input  n=3}",
    "{ .py .annotate }",
    "{python}",
    "python{1,3}",
    "{code-cell} ipython3",
    "{code-block} python\n:linenos:",
    "{code-cell}\n---\ntags: [hide]\n---",
]


@pytest.mark.parametrize("fence", FENCES)
def test_a_block_of_python_is_known_by_its_fence(fence: str) -> None:
    Path("net.md").write_text(f"# Title\n\n```{fence}\n%matplotlib inline\n{IMPORTS}\n{RAW}\n```\n", encoding="utf-8")
    assert found("net.md") == [("INI101", None, 10 + fence.count("\n"), 31)]


@pytest.mark.parametrize("fence", ["", "bash", "{r}", "{.json}", "{code-block} yaml", "{note} python"])
def test_other_blocks_are_no_python(fence: str) -> None:
    Path("net.md").write_text(f"```{fence}\n{IMPORTS}\n{RAW}\n```\n", encoding="utf-8")
    outcome = initaudit("net.md")
    assert outcome.stdout == ""
    assert "0 skipped" in outcome.stderr


def test_a_session_in_markdown_is_read_without_what_was_printed() -> None:
    shown = [*IMPORTS.split("\n"), "net = 1", "net"]
    prompts = "\n".join(f">>> {row}" for row in shown) + "\n1\n"
    written = "\n".join(f"{'...' if number else '>>>'} {row}" for number, row in enumerate(RAW.split("\n")))
    Path("net.md").write_text(f"```pycon\n{prompts}{written}\n...\n```\n", encoding="utf-8")
    assert found("net.md") == [("INI101", None, 10, 35)]


@pytest.mark.parametrize(
    "block",
    [
        "```python\nclass Net(nn.Module):\n```\n",
        "```{.python .input}\n%%tab tensorflow\nimport tensorflow\n```\n",
        "```{.python .input}\n#@tab mxnet\nfrom mxnet.gluon import nn\n```\n",
    ],
)
def test_blocks_that_are_not_read_are_counted(block: str) -> None:
    label = "#@tab pytorch\n" if "#@tab" in block else ""
    Path("net.md").write_text(f"{block}```python\n{label}{IMPORTS}\n{RAW}\n```\n", encoding="utf-8")
    assert [code for code, *_ in found("net.md")] == ["INI101"]
    outcome = initaudit("net.md", "-v")
    assert "net.md:2:1: skipped: " in outcome.stderr
    assert "1 skipped" in outcome.stderr


def test_where_blocks_say_what_framework_they_are_for_others_are_for_another() -> None:
    fence = "```{.python .input}"
    other = f"{fence}\nfrom mxnet.gluon import nn\n```\n"
    Path("net.md").write_text(f"{other}{fence}\n#@tab pytorch\n{IMPORTS}\n{RAW}\n```\n", encoding="utf-8")
    assert [code for code, *_ in found("net.md")] == ["INI101"]
    assert "1 skipped" in initaudit("net.md").stderr


@pytest.mark.parametrize("label", ["%%tab pytorch", "", "#@tab all"])
def test_where_a_magic_says_it_a_block_without_a_label_is_for_all(label: str) -> None:
    fence = "```{.python .input}"
    others = f"{fence}\n%%tab mxnet\nimport mxnet\n```\n{fence}\n#@tab jax\nimport jax\n```\n"
    Path("net.md").write_text(f"{others}{fence}\n{label}\n{IMPORTS}\n{RAW}\n```\n", encoding="utf-8")
    assert [code for code, *_ in found("net.md")] == ["INI101"]
    assert "2 skipped" in initaudit("net.md").stderr
