"""What a user asks of the probe and cannot have is told with what to do instead; nothing is silently green."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from initaudit.cli import main
from initaudit.probe.target.libraries import architecture_in

KNOWN = (
    "bert",
    "albert",
    "roberta",
    "xlm-roberta",
    "gpt2",
    "llama",
    "qwen2",
    "opt",
    "whisper",
    "clip",
    "vit",
    "resnet50",
)


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("google-bert/bert-base-uncased", "bert"),
        ("albert/albert-base-v2", "albert"),
        ("FacebookAI/xlm-roberta-base", "xlm-roberta"),
        ("FacebookAI/roberta-large", "roberta"),
        ("openai-community/gpt2-xl", "gpt2"),
        ("meta-llama/Llama-3.1-8B", "llama"),
        ("Qwen/Qwen2.5-0.5B", "qwen2"),
        ("openai/clip-vit-base-patch32", "clip"),
        ("timm/resnet50.a1_in1k", "resnet50"),
        ("somebody/something-else", None),
    ],
)
def test_the_name_of_a_repository_tells_its_architecture(name: str, architecture: str | None) -> None:
    assert architecture_in(name, KNOWN) == architecture


def test_a_hub_is_not_read_and_the_architecture_is_named(project: Path) -> None:
    result = run("probe", "hf:google-bert/bert-base-uncased")
    assert result.exit_code == 2
    assert "hubs are not read" in result.stderr and "hf:bert builds that architecture" in result.stderr


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_source_folder_is_found_and_what_follows_two_dashes_is_the_targets(project: Path) -> None:
    write(project / "src" / "pkg" / "__init__.py", "")
    write(
        project / "src" / "pkg" / "net.py",
        """
        import argparse
        from torch import nn

        parser = argparse.ArgumentParser()
        parser.add_argument("--width", type=int, required=True)
        width = parser.parse_args().width


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(width, 2)

            def forward(self, x):
                return self.fc(x)
        """,
    )
    result = run("probe", "pkg.net:Net", "--", "--width", "5")
    assert result.exit_code == 0 and "(2, 5)" in result.stdout
    result = run("probe", "pkg.net:Net")
    assert result.exit_code == 2 and "raised SystemExit: 2 at" in result.stderr
    assert "the following arguments are required: --width" in result.stderr


def test_a_forward_that_fails_on_the_users_inputs_is_an_error_of_use(project: Path) -> None:
    write(
        project / "net.py",
        """
        from torch import nn


        class Net(nn.Module):
            def __init__(self, known=4):
                super().__init__()
                self.fc = nn.Linear(4, 2)

            def forward(self, x):
                if x.shape[0] == 32:
                    raise ValueError("a batch of 32")
                return self.fc(x)
        """,
    )
    result = run("probe", "net.py:Net", "--input-size", "8,5")
    assert result.exit_code == 2
    assert "the forward raised RuntimeError: mat1 and mat2 shapes" in result.stderr and "net.py:13" in result.stderr
    assert "on inputs of size (8, 5), the first number of which is the batch" in result.stderr
    assert "--dtype" not in result.stderr
    assert run("probe", "net.py:Net", "--input-size", "8,4").exit_code == 0
    result = run("probe", "net.py:Net")
    assert result.exit_code == 0
    assert "on inferred inputs the forward raised ValueError: a batch of 32 at net.py:12" in result.stderr
    assert "--input-size" in result.stderr and "--input-data" in result.stderr


def test_sizes_for_a_model_of_indices_need_a_dtype_and_the_error_says_so(project: Path) -> None:
    write(
        project / "net.py",
        """
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Embedding(10, 4)

            def forward(self, indices):
                return self.table(indices + 0)
        """,
    )
    result = run("probe", "net.py:Net", "--input-size", "8,5")
    assert result.exit_code == 2
    assert "`--dtype int64` gives indices, as an embedding takes" in result.stderr
    assert run("probe", "net.py:Net", "--input-size", "8,5", "--dtype", "int64").exit_code == 0


def test_a_class_in_a_notebook_cannot_be_built_and_the_error_says_what_to_do(project: Path) -> None:
    write(project / "lesson.ipynb", "{}")
    result = run("probe", "lesson.ipynb:Net")
    assert result.exit_code == 2
    assert "lesson.ipynb is a notebook, which the probe cannot import: move the class to a .py file" in result.stderr


def test_a_failed_import_shows_what_the_target_said_and_the_users_own_line(project: Path) -> None:
    write(
        project / "net.py",
        """
        import sys

        for row in range(20):
            print(f"row {row} \\x1b[31m", file=sys.stderr)
        import numpy

        numpy.linalg.inv(numpy.zeros((2, 2)))
        """,
    )
    result = run("probe", "net.py:Net")
    assert result.exit_code == 2
    assert "importing net raised LinAlgError: Singular matrix at net.py:8" in result.stderr
    assert "row 19 \\x1b[31m" in result.stderr and "row 0 " not in result.stderr and "lines before" in result.stderr


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ('{"n": 100000000000000000000000}', "an integer in the arguments exceeds 64 bits"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_arguments_that_are_too_long_or_too_deep_are_an_error_of_use(project: Path, kwargs: str, said: str) -> None:
    write(project / "net.py", "from torch import nn\nNet = nn.Identity\n")
    result = run("probe", "net.py:Net", "--kwargs", kwargs)
    assert result.exit_code == 2 and said in result.stderr
