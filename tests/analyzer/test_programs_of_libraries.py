"""Code of libraries around a class with raw memory: conversions, trainers, wrapped optimizers, and long programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.analyzer.programs import verdict
from initaudit.observation import Observation
from initaudit.timeline import Coverage, Only, ParameterTimeline

Verdicts = dict[str, tuple[str, str | None]]
PACKED = """
class Packed(nn.Module):
    def __init__(self, n_in, n_out, use_bias=True):
        super().__init__()
        self.use_bias = use_bias
        self.weight = nn.Parameter(torch.empty(n_out, n_in))
        self.bias = nn.Parameter(torch.empty(n_out)) if use_bias else None

    def forward(self, x):
        return nn.functional.linear(x, self.weight, self.bias)

"""


@pytest.mark.parametrize(
    "body",
    [
        "out = Packed(m.n_in, m.n_out, use_bias=m.use_bias)\n    out.weight = m.weight\n"
        "    if m.use_bias:\n        out.bias = m.bias\n",
        "out = Packed(m.n_in, m.n_out, m.bias is not None)\n    out.weight.data.copy_(m.weight)\n"
        "    if m.bias is not None:\n        out.bias.data.copy_(m.bias)\n",
        "has = m.bias is not None\n    out = Packed(m.n_in, m.n_out, use_bias=has)\n"
        "    out.weight.data.copy_(m.weight)\n    if out.bias is not None:\n        out.bias.data.copy_(m.bias)\n",
        "out = Packed(m.n_in, m.n_out, use_bias=not m.bare)\n    out.weight.data.copy_(m.weight)\n"
        "    if not m.bare:\n        out.bias.data.copy_(m.bias)\n",
        "out = Packed(m.n_in, m.n_out, use_bias=True if m.affine else False)\n    out.weight.data.copy_(m.weight)\n"
        "    if m.affine:\n        out.bias.data.copy_(m.bias)\n",
    ],
)
def test_what_is_made_where_it_is_copied_is_written(body: str, decided: Callable[..., Verdicts]) -> None:
    assert decided(packed=f"{PACKED}\ndef convert(m):\n    {body}    return out\n") == {}


@pytest.mark.parametrize(
    "body",
    [
        "out = Packed(m.n_in, m.n_out, use_bias=m.use_bias)\n    out.weight = m.weight\n",
        "out = Packed(m.n_in, m.n_out, use_bias=m.use_bias)\n    out.weight = m.weight\n"
        "    if m.tied:\n        out.bias = m.bias\n",
        "out = Packed(m.n_in, m.n_out, m.bias is not None)\n    out.weight.data.copy_(m.weight)\n"
        "    if m.bias is None:\n        print('no bias')\n",
    ],
)
def test_what_is_made_and_not_copied_is_not(body: str, decided: Callable[..., Verdicts]) -> None:
    assert decided(packed=f"{PACKED}\ndef convert(m):\n    {body}    return out\n\n\nconvert(net)\n").keys() == {"bias"}


NORM = """
class Norm(nn.Module):
    def __init__(self, channels, keep=False):
        super().__init__()
        self.gamma = nn.Parameter(torch.Tensor(channels))
        self.beta = nn.Parameter(torch.Tensor(channels))
"""


@pytest.mark.parametrize(
    "line",
    ["nn.init.zeros_(self.beta)", "self.beta.data.fill_(0)", "self.beta.data.uniform_(-1, 1)"],
)
def test_what_makes_a_tensor_that_is_overwritten_is_a_size(line: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(norm=f"{NORM}        {line}\n") == {"gamma"}
    assert unwritten(norm=f"{NORM}        self.reset()\n\n    def reset(self):\n        {line}\n") == {"gamma"}


@pytest.mark.parametrize(
    "line",
    [
        "print(self.beta)",
        "if not keep:\n            nn.init.zeros_(self.beta)",
        "self.beta.data[0] = 0",
        "self.beta.data.mul_(0.5)",
    ],
)
def test_what_makes_a_tensor_that_is_kept_may_be_data(line: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(norm=f"{NORM}        {line}\n") == set()


LAYER = """
class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
"""
TRAINER = """
from layer import Layer


class Trainer:
    def __init__(self, n, optimizer):
        self.net = Layer(n)
        self.best = None
        self.optimizer = optimizer()
        {prepare}

    def fit(self, batches):
        for batch in batches:
            self.net(batch).sum().backward()
            self.optimizer.step()
            self.best = self.net.weight.clone().detach()
        {end}

    def load(self, path):
        {load}
"""


@pytest.fixture
def told(analyzed: Callable[..., dict[str, Observation]]) -> Callable[..., ParameterTimeline | None]:
    """What is said of the layer's weight beside a trainer; None where it is written or not known."""

    def of(prepare: str = "pass", end: str = "pass", load: str = "pass", **files: str) -> ParameterTimeline | None:
        trainer = TRAINER.format(prepare=prepare, end=end, load=load)
        seen = analyzed(layer=LAYER, trainer=trainer, **files).get("layer")
        raw = (Coverage.NEVER, Coverage.PARTIAL)
        return next((each for each in (seen.parameters if seen else ()) if each.coverage in raw), None)

    return of


Told = Callable[..., ParameterTimeline | None]


@pytest.mark.parametrize(
    "given",
    [
        {"prepare": "self.optimizer.init_optimizer(self.net.parameters())"},
        {"prepare": "self.optimizer.initialize_optimizer(self.net)"},
        {"prepare": "self.optimizer.init_lr_scheduler(self.net.parameters())"},
        {"prepare": "get_sampler(load_schedule(n))(self.net)"},
        {"prepare": "sampler = get_sampler(n, get_schedule(load_config(n)))\n        sampler(self.net.parameters())"},
        {"end": "self.net.weight.data.copy_(self.best)"},
        {"end": "self.net.weight.data.copy_(torch.clamp(self.net.weight.data, 0, 1))"},
        {"load": "self.net.module.load_state_dict(torch.load(path))"},
        {"load": "state = self.net.state_dict()\n        self.net.module.load_state_dict(state)"},
        {"load": "state = self.net.state_dict()\n        path.net.load_state_dict(state)"},
    ],
)
def test_a_trainer_that_only_trains_leaves_it_raw(given: dict[str, str], told: Told) -> None:
    found = told(**given)
    assert found is not None
    assert found.coverage is Coverage.NEVER


@pytest.mark.parametrize(
    "given",
    [
        {"prepare": "self.optimizer.init_weights(self.net.parameters())"},
        {"prepare": "self.optimizer.init_optimizer_and_weights(self.net.parameters())"},
        {"prepare": "self.optimizer.init(self.net)"},
        {"prepare": "get_filler(load_weights(n))(self.net)"},
        {"prepare": "get_filler(n).load_into(self.net)"},
        {"prepare": "compose(init_weights, get_other(n))(self.net)"},
        {"prepare": "get_filler(make_initializer(n))(self.net.parameters())"},
        {"prepare": "self.net.weight.data.copy_(self.best if self.best is not None else torch.zeros(n, n))"},
        {"prepare": "self.best = torch.randn(n, n)\n        self.net.weight.data.copy_(self.best)"},
    ],
)
def test_a_trainer_that_may_initialize_it_does(given: dict[str, str], told: Told) -> None:
    assert told(**given) is None


BLOCK = "from pkg.layer import Layer\nclass Net(nn.Module):\n    def __init__(self, n):\n" + (
    "        super().__init__()\n        self.layer = Layer(n)\n"
)


@pytest.mark.parametrize(
    ("exports", "only"),
    [
        ("from .net import Net\n", None),
        ("from .net import *\n", None),
        ("from .net import Net as Model\n", None),
        ("", Only.TESTS),
        ("from .other import Net\n", Only.TESTS),
    ],
)
def test_a_part_of_what_a_package_offers_is_offered(
    exports: str, only: Only | None, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    test = "from pkg.net import Net\ndef test_it():\n    assert Net(3)(torch.ones(3)) is not None\n"
    files = {"pkg/layer": LAYER, "pkg/net": BLOCK, "pkg/other": "class Net:\n    pass\n", "pkg/__init__": exports}
    (found,) = analyzed(**files, **{"pkg/test_net": test})["layer"].parameters
    assert (found.coverage, found.only) == (Coverage.NEVER, only)


GCN = """
class Conv(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
        self.bias = nn.Parameter(torch.empty(n))
        glorot(self.weight)
"""


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (f"from torch_geometric.nn.inits import glorot, zeros\n{GCN}        zeros(self.bias)\n", set()),
        (f"from torch_geometric.nn.inits import glorot\n{GCN}", {"bias"}),
        (
            f"from torch_geometric.nn import inits\nglorot = inits.glorot\n{GCN}        inits.zeros(self.bias)\n",
            set(),
        ),
    ],
)
def test_initializers_of_a_library_that_is_not_there_are_known(
    source: str, names: set[str], unwritten: Callable[..., set[str]]
) -> None:
    assert unwritten(conv=source) == names


TESTS = "from layer import Layer\ndef test_{n}():\n    net = Layer(3)\n    for i in range(9):\n" + (
    "        net(torch.ones(i)).sum().backward()\n"
)
SCRIPT = "from layer import Layer\nnet = Layer(3)\nfor p in net.parameters():\n    {line}\n"


@pytest.mark.parametrize(("line", "coverage"), [("nn.init.zeros_(p)", None), ("print(p)", Coverage.NEVER)])
def test_tests_take_no_steps_from_other_programs(
    line: str,
    coverage: Coverage | None,
    analyzed: Callable[..., dict[str, Observation]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdict, "STEPS_OF_PROGRAMS", 120)
    monkeypatch.setattr(verdict.programs, "__kwdefaults__", {"limit": 120})
    tests = {f"test_{n}": TESTS.format(n=n) for n in range(6)}
    found = analyzed(layer=LAYER, zoo=SCRIPT.format(line=line), **tests)["layer"].parameters
    assert [each.coverage for each in found] == ([coverage] if coverage is not None else [])
