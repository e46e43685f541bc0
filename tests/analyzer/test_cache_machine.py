"""After any sequence of edits, a run with the cache sees what one without sees."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

from click.testing import CliRunner
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from initaudit.cli import main

NET = """\
import torch
from torch import nn
from {base} import Base
from {helper} import setup
class Net(Base):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.empty(3))
        setup(self.w)
"""
CONTENTS = [
    *(NET.format(base=base, helper=helper) for base in ("base", "pk.base", "lib") for helper in ("help", "pk", "lib")),
    "from torch import nn\nclass Base(nn.Module):\n    pass\n",
    "from torch import nn\nclass Base(nn.Module):\n    def __init__(self):\n        super().__init__()\n",
    "class Base:\n    pass\n",
    "import torch\ndef setup(w):\n    pass\n",
    "import torch\ndef setup(w):\n    w.data.zero_()\n",
    "from help import *\nfrom base import *\n",
    "from .base import Base\nfrom help import setup\n",
    "from net import Net\ndef build():\n    net = Net()\n    net.w.data.zero_()\n",
    "",
    "def setup(w:\n",
    "# \udce9\ndef setup(w):\n    pass\n",  # not UTF-8
]
NAMES = ["net.py", "base.py", "help.py", "pk/__init__.py", "pk/base.py", "pk/net.py", "lib.py", "../sp/lib/__init__.py"]
FOLDERS = ["pk", "qk", "../sp/lib", "../sp/bil", "lib"]
file_names, folder_names = st.sampled_from(NAMES), st.sampled_from(FOLDERS)


class Edits(RuleBasedStateMachine):
    """A project of a few files, an installed library, and a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp())
        self.project = self.top / "project"
        self.project.mkdir()
        (self.top / "sp").mkdir()
        self.before, self.environment = Path.cwd(), os.environ.get("VIRTUAL_ENV")
        os.chdir(self.project)
        os.environ["VIRTUAL_ENV"] = str(self._environment())
        for name, content in zip(NAMES, (CONTENTS[0], *CONTENTS[9:12]), strict=False):
            self.write(name, content)

    def _environment(self) -> Path:
        packages = self.top / "env" / "lib" / "python3.11" / "site-packages"
        packages.parent.mkdir(parents=True)
        packages.symlink_to(self.top / "sp")
        (self.top / "env" / "pyvenv.cfg").touch()
        return self.top / "env"

    @rule(name=file_names, content=st.sampled_from(CONTENTS))
    def write(self, name: str, content: str) -> None:
        path = self._free(name)
        path.write_bytes(content.encode("utf-8", "surrogateescape"))

    @rule(name=file_names, content=st.sampled_from(CONTENTS))
    def write_with_an_old_time(self, name: str, content: str) -> None:
        self.write(name, content.ljust(400))
        os.utime(name, (1_500_000_000, 1_500_000_000))

    @rule(name=file_names)
    def delete(self, name: str) -> None:
        if os.path.lexists(name):
            self._free(name)

    @rule(old=file_names, new=file_names)
    def move(self, old: str, new: str) -> None:
        if old != new and Path(old).is_file() and not Path(old).is_symlink():
            Path(old).rename(self._free(new))

    @rule(old=folder_names, new=folder_names)
    def move_folder(self, old: str, new: str) -> None:
        if Path(old).is_dir() and not Path(new).exists():
            Path(old).rename(new)

    @rule(name=file_names, other=file_names)
    def link(self, name: str, other: str) -> None:
        if name.startswith(".."):
            return  # one file as two modules, one of them installed: which it is depends on what is read
        self._free(name).symlink_to(self.project / other)

    @rule(name=file_names)
    def pipe(self, name: str) -> None:
        os.mkfifo(self._free(name))

    @rule(name=folder_names)
    def remove_folder(self, name: str) -> None:
        shutil.rmtree(name, ignore_errors=True)

    @rule()
    def toggle_a_repository(self) -> None:
        git = self.project / ".git"
        _ = git.rmdir() if git.exists() else git.mkdir()

    @invariant()
    def a_warm_run_sees_what_a_cold_one_sees(self) -> None:
        for given in ((".",), ("net.py",), ("pk", "help.py")):
            if all(map(os.path.exists, given)):
                flags = ("--isolated", "--show-unknown", "--output-format", "json", "-j1", "--cache-dir", "../cache")
                warm, cold = (
                    CliRunner().invoke(main, ("check", *given, *flags, *off)) for off in ((), ("--no-cache",))
                )
                assert (warm.exit_code, warm.output) == (cold.exit_code, cold.output)
                assert "initaudit itself failed" not in cold.output

    def _free(self, name: str) -> Path:
        """A path at which nothing is."""
        path = Path(name)
        for above in itertools.takewhile(lambda above: above != Path(), reversed(path.parents)):
            if above.is_file():
                above.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            path.unlink()
        return path

    def teardown(self) -> None:
        os.chdir(self.before)
        if self.environment is None:
            del os.environ["VIRTUAL_ENV"]
        else:
            os.environ["VIRTUAL_ENV"] = self.environment
        shutil.rmtree(self.top)


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=8, stateful_step_count=16, deadline=None)


def test_a_link_is_another_name_only_where_it_is_given() -> None:
    edits = Edits()
    try:
        edits.write("../sp/lib/__init__.py", NET.format(base="base", helper="help"))
        edits.write("pk/net.py", NET.format(base="base", helper="lib"))
        edits.link("help.py", "net.py")
        edits.a_warm_run_sees_what_a_cold_one_sees()
    finally:
        edits.teardown()
