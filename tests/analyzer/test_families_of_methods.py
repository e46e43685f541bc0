"""A method that only relatives define is meant wherever any object's is called, by whoever knows nothing of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import initaudit

HEADER = "import torch\nfrom torch import nn\n"
LAZY = """
class {name}({base}):
    def __init__(self, n):
        super().__init__()
        self.known = False
        self.table = nn.Parameter(torch.empty(n, n))

    def prepare_candidates(self, x):
        if not self.known:
            nn.init.xavier_uniform_(self.table)
            self.known = True
        return x @ self.table
"""
INTERFACE = """
class Model(nn.Module):
    def prepare_candidates(self, x):
        raise NotImplementedError
"""
EVALUATOR = """
class Evaluator:
    def __init__(self, model):
        self.model = model

    def run(self, x):
        return self.model.prepare_candidates(x)
"""
FUNCTION = "\ndef evaluate(net, x):\n    return net.prepare_candidates(x)\n"
LOOP = "\ndef compare(nets, x):\n    return [net.prepare_candidates(x) for net in nets]\n"
OTHER = """
class Sampler:
    def prepare_candidates(self, x):
        return x
"""
OWN = """
class Sampler(Base):
    def run(self, x):
        return self.prepare_candidates(x)
"""


def reported(folder: Path, code: str, **files: str) -> bool:
    for name, text in files.items():
        Path(folder, f"{name}.py").write_text(HEADER + text, encoding="utf-8")
    return any(each.code == code for each in initaudit.check([folder], select=[code], preview=True).findings)


@pytest.mark.parametrize("caller", [EVALUATOR, FUNCTION, LOOP])
def test_any_object_has_the_method_of_one_family(caller: str, tmp_path: Path) -> None:
    models = INTERFACE + LAZY.format(name="One", base="Model") + LAZY.format(name="Two", base="Model")
    assert not reported(tmp_path, "INI101", models=models, caller=caller)


@pytest.mark.parametrize("caller", [EVALUATOR, FUNCTION, LOOP])
def test_any_object_has_the_method_of_one_class(caller: str, tmp_path: Path) -> None:
    assert not reported(tmp_path, "INI101", models=LAZY.format(name="One", base="nn.Module"), caller=caller)


@pytest.mark.parametrize("caller", [EVALUATOR, FUNCTION, LOOP])
@pytest.mark.parametrize("other", [OTHER, LAZY.format(name="Far", base="nn.Module")])
def test_a_method_that_strangers_define_too_may_be_theirs(caller: str, other: str, tmp_path: Path) -> None:
    models = LAZY.format(name="One", base="nn.Module")
    assert reported(tmp_path, "INI101", models=models, caller=caller, others=other)


@pytest.mark.parametrize("caller", ["", OWN.replace("Base", "object"), "\nprepare_candidates = 1\n"])
def test_a_method_that_no_object_is_asked_for_is_not_called(caller: str, tmp_path: Path) -> None:
    assert reported(tmp_path, "INI101", models=LAZY.format(name="One", base="nn.Module"), caller=caller)


INITIALIZER = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 64)

    def {name}(self):
        nn.init.xavier_uniform_(self.fc.weight)

    def forward(self, x):
        return self.fc(x)
"""


@pytest.mark.parametrize("caller", [EVALUATOR, FUNCTION, LOOP])
def test_an_initializer_of_one_family_is_called_by_who_knows_nothing_of_it(caller: str, tmp_path: Path) -> None:
    net, calls = INITIALIZER.format(name="init_weights"), caller.replace("prepare_candidates(x)", "init_weights()")
    train = "from net import Net\n\nnet = Net()\nnet(torch.ones(2, 64)).sum().backward()\n"
    assert not reported(tmp_path, "INI213", net=net, train=train, caller=calls)
    assert reported(tmp_path, "INI213", net=net, train=train, caller="")
