"""Paths lead to the Python files that a person would expect, and to no others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from initaudit.analyzer.python_files import Exclusion, PathError, find_python_files, holds_python
from initaudit.patterns import Patterns


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_stands_for_the_python_files_under_it_in_order(tmp_path: Path) -> None:
    tree(tmp_path, "src/b.py", "src/a/z.py", "src/a.py", "src/notes.txt", "src/stub.pyi", "other.py")
    assert find_python_files(["src/"]).files == ("src/a.py", "src/b.py", "src/a/z.py")


def test_files_of_the_current_folder_have_no_dot_in_front(tmp_path: Path) -> None:
    tree(tmp_path, "net.py", "pkg/net.py")
    assert find_python_files(["."]).files == ("net.py", "pkg/net.py")


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    tree(tmp_path, "src/a.py")
    (tmp_path / "again").symlink_to("src")
    assert find_python_files(["src/a.py", "src", "again"]).files == ("src/a.py",)


def test_a_missing_path_is_an_error() -> None:
    with pytest.raises(PathError, match="missing"):
        find_python_files(["missing"])


def test_a_file_that_is_named_counts_whatever_it_is_called(tmp_path: Path) -> None:
    tree(tmp_path, "bin/train", "bin/app.wsgi", "bin/gui.pyw", "bin/net.py")
    named = ("bin/train", "bin/app.wsgi", "bin/gui.pyw")
    assert find_python_files(named).files == named
    assert find_python_files(["bin"]).files == ("bin/net.py",)


@pytest.mark.parametrize(
    ("outer", "inner", "files"),
    [
        ("a/b/*\n", "!b/\n", ("a/x.py",)),
        ("*.py\n", "!b/\n", ()),
        ("b/\n", "!b/\n", ("a/x.py", "a/b/x.py", "a/b/c/x.py")),
        ("a/**\n!a/b/\n", "", ()),
        ("a/b/**\n!a/b/x.py\n", "", ("a/x.py", "a/b/x.py")),
    ],
)
def test_gitignore_speaks_of_a_folder_and_of_what_is_in_it_apart(
    outer: str, inner: str, files: tuple[str, ...], tmp_path: Path
) -> None:
    tree(tmp_path, "a/x.py", "a/b/x.py", "a/b/c/x.py")
    (tmp_path / ".gitignore").write_text(outer, encoding="utf-8")
    (tmp_path / "a/.gitignore").write_text(inner, encoding="utf-8")
    assert find_python_files(["."]).files == files
    subprocess.run(["git", "init", "-q"], check=True)
    kept = subprocess.run(
        ["git", "ls-files", "-o", "--exclude-standard", "*.py"], capture_output=True, text=True, check=True
    )
    assert set(kept.stdout.split()) == set(files)


@pytest.mark.parametrize("folder", [".venv", "node_modules", "__pycache__", "build", ".git"])
def test_folders_that_hold_no_source_of_the_project_are_left_out(tmp_path: Path, folder: str) -> None:
    tree(tmp_path, f"{folder}/a.py", "b.py")
    found = find_python_files(["."])
    assert found.files == ("b.py",)
    assert found.excluded == (folder,)


def test_a_folder_that_is_left_out_is_read_when_it_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "build/a.py")
    assert find_python_files(["build"]).files == ("build/a.py",)


def test_gitignore_holds_below_its_folder_and_the_inner_one_decides(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "gen/b.py", "pkg/c_pb2.py", "pkg/keep_pb2.py", "pkg/sub/local.py", "local.py")
    (tmp_path / ".gitignore").write_text("gen/\n*_pb2.py\n", encoding="utf-8")
    (tmp_path / "pkg/.gitignore").write_text("!keep_pb2.py\n/sub/local.py\n", encoding="utf-8")
    assert find_python_files(["."]).files == ("a.py", "local.py", "pkg/keep_pb2.py")
    assert len(find_python_files(["."], respect_gitignore=False).files) == 6


def test_gitignore_above_a_named_folder_holds_inside_its_repository(tmp_path: Path) -> None:
    tree(tmp_path, "repo/pkg/a.py", "repo/pkg/gen.py", "repo/pkg/private.py")
    (tmp_path / ".gitignore").write_text("*.py\n", encoding="utf-8")
    (tmp_path / "repo/.gitignore").write_text("/pkg/gen.py\n", encoding="utf-8")
    (tmp_path / "repo/.git/info").mkdir(parents=True)
    (tmp_path / "repo/.git/info/exclude").write_text("private.py\n", encoding="utf-8")
    assert find_python_files(["repo/pkg"]).files == ("repo/pkg/a.py",)


def test_a_file_that_is_named_is_read_although_git_ignores_it(tmp_path: Path) -> None:
    tree(tmp_path, "gen.py")
    (tmp_path / ".gitignore").write_text("gen.py\n", encoding="utf-8")
    assert find_python_files(["gen.py"]).files == ("gen.py",)


def test_exclude_is_relative_to_its_folder_and_takes_names_at_any_depth(tmp_path: Path) -> None:
    tree(tmp_path, "src/old/a.py", "src/new/a.py", "src/new/old/b.py", "tests/src/c.py")
    anchored = find_python_files(["."], exclusion=Exclusion(["src/old"], tmp_path))
    anywhere = find_python_files(["."], exclusion=Exclusion(["old"], tmp_path))
    assert anchored.files == ("src/new/a.py", "src/new/old/b.py", "tests/src/c.py")
    assert anywhere.files == ("src/new/a.py", "tests/src/c.py")
    assert anywhere.skipped == 2


def test_a_named_file_is_left_out_only_by_force(tmp_path: Path) -> None:
    tree(tmp_path, "old/a.py", "build/b.py", "c.py")
    exclusion = Exclusion(["old"], tmp_path)
    named = ["old/a.py", "build/b.py", "c.py"]
    assert find_python_files(named, exclusion=exclusion).files == tuple(named)
    forced = find_python_files(named, exclusion=exclusion, force_exclude=True)
    assert forced.files == ("c.py",)
    assert forced.excluded == ("old/a.py", "build/b.py")


def test_a_checkout_in_a_folder_called_build_is_not_left_out_by_force(tmp_path: Path) -> None:
    tree(tmp_path, "build/project/a.py")
    root = tmp_path / "build/project"
    found = find_python_files([str(root / "a.py")], exclusion=Exclusion([], root), force_exclude=True)
    assert found.files == (str(root / "a.py"),)


def test_links_neither_loop_nor_repeat_a_file(tmp_path: Path) -> None:
    tree(tmp_path, "src/pkg/a.py", "elsewhere/b.py")
    (tmp_path / "src/pkg/loop").symlink_to(tmp_path / "src", target_is_directory=True)
    (tmp_path / "src/a_link.py").symlink_to(tmp_path / "src/pkg/a.py")
    (tmp_path / "src/outside").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "src/broken.py").symlink_to(tmp_path / "nowhere.py")
    assert find_python_files(["src"]).files == ("src/pkg/a.py", "src/outside/b.py")


def test_a_folder_without_python_is_told_from_one_whose_python_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "none/readme.txt", "some/deep/a.py")
    assert not holds_python("none")
    assert holds_python("some")
    assert holds_python("none/readme.txt")  # which only who names it can have left out


def test_patterns_of_flags_are_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "sub/old/a.py", "sub/new/b.py")
    monkeypatch.chdir(tmp_path / "sub")
    assert find_python_files(["."], exclusion=Exclusion([], tmp_path, flags=["/old"])).files == ("new/b.py",)
    assert find_python_files(["."], exclusion=Exclusion(["/old"], tmp_path)).files == ("new/b.py", "old/a.py")


def test_a_pattern_of_many_stars_is_matched_at_once_and_as_before() -> None:
    """Twelve stars over a name of 250 letters would be tried at more places than can be counted."""
    patterns = Patterns("/r", ["*a" * 12 + "x", "a*b*c", "!*b*a*b"])
    assert patterns.verdict("/r/" + "a" * 250) is None
    assert patterns.verdict("/r/" + "a" * 250 + "x") is True
    assert patterns.verdict("/r/abbcac") is True
    assert patterns.verdict("/r/abbcacb") is False
