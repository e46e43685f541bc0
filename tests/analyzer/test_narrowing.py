"""What a test says of the class of a module, on either side of it, whichever way it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from initaudit.analyzer.project.names import Project
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.scopes import scopes

SOURCE = """\
from torch import nn

def start(m, name):
    if isinstance(m, (nn.Linear, nn.Conv2d, nn.BatchNorm2d)):
        kind = type(m).__name__
{test}

if True:
    model.apply(start)
"""
ALL = ("Linear", "Conv2d", "BatchNorm2d")


@pytest.mark.parametrize(
    ("test", "kinds"),
    [
        ("if isinstance(m, nn.Linear):\n    WRITE", ("Linear",)),
        ("if not isinstance(m, nn.Linear):\n    WRITE", ("Conv2d", "BatchNorm2d")),
        ("if isinstance(m, nn.Linear):\n    pass\nelse:\n    WRITE", ("Conv2d", "BatchNorm2d")),
        ("if type(m) in (nn.Linear, nn.Conv2d):\n    pass\nelif name:\n    WRITE", ("BatchNorm2d",)),
        ("if isinstance(m, nn.Linear):\n    return\nWRITE", ("Conv2d", "BatchNorm2d")),
        ("if m.__class__ == nn.Linear or isinstance(m, nn.Conv2d):\n    WRITE", ("Linear", "Conv2d")),
        ("if not (isinstance(m, nn.Linear) or isinstance(m, nn.Conv2d)):\n    WRITE", ("BatchNorm2d",)),
        ("if not (isinstance(m, nn.Linear) and name):\n    WRITE", ALL),
        ("if isinstance(m, nn.Linear) or name:\n    WRITE", ALL),
        ("if isinstance(m, nn.BatchNorm2d) and name:\n    WRITE", ("BatchNorm2d",)),
        ("if m.weight.dim() > 1:\n    WRITE", ("Linear", "Conv2d")),
        ("if m.weight.ndim < 2:\n    return\nWRITE", ("Linear", "Conv2d")),
        ("if 'Norm' not in kind:\n    WRITE", ALL),
        ("if isinstance(m, Unknown):\n    pass\nelse:\n    WRITE", ALL),
        ("if isinstance(name, nn.Linear):\n    pass\nelse:\n    WRITE", ALL),
    ],
)
def test_a_test_tells_the_classes_of_a_module(test: str, kinds: tuple[str, ...], tmp_path: Path) -> None:
    lines = [f"        {line}" for line in test.replace("WRITE", "nn.init.ones_(m.weight)").splitlines()]
    file = tmp_path / "net.py"
    file.write_text(SOURCE.format(test="\n".join(lines)), encoding="utf-8")
    assert set(classes_at("nn.init.ones_", file)) == {f"torch.nn.{kind}" for kind in kinds}


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("if isinstance(net.head, nn.Linear):\n    nn.init.ones_(net.head.weight)", ("torch.nn.Linear",)),
        ("if isinstance(net.head, nn.Linear):\n    net.head = net.other\n    nn.init.ones_(net.head.weight)", ()),
        ("if isinstance(net.head, nn.Linear):\n    net = net.inner\n    nn.init.ones_(net.head.weight)", ()),
        ("if isinstance(net.head, nn.Linear):\n    nn.init.ones_(net.neck.weight)", ()),
    ],
)
def test_a_test_of_an_attribute_holds_until_something_is_bound_anew(
    code: str, kinds: tuple[str, ...], tmp_path: Path
) -> None:
    body = "".join(f"    {line}\n" for line in code.splitlines())
    file = tmp_path / "net.py"
    file.write_text(f"from torch import nn\n\ndef start(net):\n{body}", encoding="utf-8")
    assert classes_at("nn.init.ones_", file) == kinds


def classes_at(call: str, file: Path) -> tuple[str, ...]:
    """The classes of the layer whose parameter a call is given."""
    project = Project(given=[str(file)])
    module = project.load(str(file))
    assert module is not None
    for start, end, definition in scopes(module):
        snippet = module.snippet(start, end)
        meanings = Meanings(Context(project, module, definition, snippet)) if snippet is not None else None
        for step in meanings.steps() if meanings is not None else ():
            for each in step.calls():
                if snippet is not None and snippet.source(each).startswith(call):
                    found = meanings.meaning(each.args[0], step.names) if meanings is not None else None
                    return found.kinds if found is not None else ()
    raise AssertionError(call)
