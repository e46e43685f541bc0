"""A file is a test by what it holds, or by the folder that it lies in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from initaudit.analyzer.model_files import outside_tests
from initaudit.observation import Observation
from initaudit.timeline import Only

NET = """
class Net(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))

    def forward(self, x):
        return x @ self.weight
"""
HEAD = "from nets import Net\n"
SCRIPTS = {
    "train_and_test": "net = Net()\nnet.train()\n",
    "test_net": "def test(net, data):\n    return net(data)\n\nif __name__ == '__main__':\n    test(Net(), load())\n",
    "evaluate_test": "def test_epoch(model, data):\n    return model(data)\n\nnet = Net()\ntest_epoch(net, load())\n",
    "kaggle_test": "class TestData:\n    def __init__(self):\n        self.rows = []\n\nNet()(TestData().rows)\n",
    "test_loader": "import unittest.mock\n\ndef main():\n    return Net()(torch.ones(2, 4))\n\nmain()\n",
}
TESTS = {
    "test_net": "def test_shape():\n    assert Net()(torch.ones(2, 4)).shape == (2, 4)\n",
    "net_test": "class NetTest(unittest.TestCase):\n    def test_it(self):\n        Net()\n",
    "deep_test": "class TestNet:\n    def test_it(self):\n        Net()\n",
    "jax_test": "class Nets(jtu.JaxTestCase):\n    def testShape(self):\n        Net()\n",
    "test_run": "def test_it(n):\n    Net(n)\n\nif __name__ == '__main__':\n    import pytest\n    pytest.main()\n",
    "test_now": "def test_it():\n    Net()\n\ntest_it()\n",
    "tests/common": "def build():\n    return Net()\n\nbuild()\n",
    "conftest": "def net():\n    return Net()\n",
    "test_async": "async def test_it():\n    Net()\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_holds_no_test_is_a_program(name: str, analyzed: Callable[..., dict[str, Observation]]) -> None:
    seen = analyzed(nets=NET, **{name: HEAD + SCRIPTS[name]})["nets"]
    assert [each.only for each in seen.parameters] == [None]


@pytest.mark.parametrize("name", TESTS)
def test_a_file_that_holds_tests_is_none(name: str, analyzed: Callable[..., dict[str, Observation]]) -> None:
    seen = analyzed(nets=NET, **{name: HEAD + TESTS[name]})["nets"]
    assert [each.only for each in seen.parameters] == [Only.TESTS]


def test_discovery_asks_the_same(tmp_path: Path) -> None:
    files = {**{f"scripts/{name}": text for name, text in SCRIPTS.items()}, **TESTS}
    for name, text in files.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = outside_tests([str(tmp_path / f"{name}.py") for name in files])
    assert [Path(each).stem for each in found] == list(SCRIPTS)
