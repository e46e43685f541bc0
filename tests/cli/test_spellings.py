"""Another way of writing the same code changes no finding, and a comment or a string that speaks of code is none."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_mistakes import reported

from initaudit.cli import main

IMPORTS = "import torch\nfrom torch import nn\nfrom torch.nn import init\n\n\n"


def codes(code: str, folder: Path) -> set[str]:
    """The codes of what is found in some code at warning or above."""
    return {code for _, code in reported(IMPORTS + textwrap.dedent(code), folder)}


# A parameter that a layer is made without, and that something gives it

GIVEN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        {given}
        self.conv.bias.data.fill_(0)

    def forward(self, x):
        return self.conv(x)
"""


@pytest.mark.parametrize(
    "given",
    [
        "self.conv.bias = nn.Parameter(torch.ones(8))",
        "self.conv.bias=nn.Parameter(torch.ones(8))",
        "self.conv.bias: nn.Parameter = nn.Parameter(torch.ones(8))",
        "self.conv.bias, self.n = nn.Parameter(torch.ones(8)), 3",
        "[self.conv.bias] = [nn.Parameter(torch.ones(8))]",
        "self.conv.bias = self.other = nn.Parameter(torch.ones(8))",
        "setattr(self.conv, 'bias', nn.Parameter(torch.ones(8)))",
        "self.conv.register_parameter('bias', nn.Parameter(torch.ones(8)))",
        "self.conv._parameters['bias'] = nn.Parameter(torch.ones(8))",
        "for name in ('weight', 'bias'): setattr(self.conv, name, nn.Parameter(torch.ones(8)))",
        "conv = self.conv; conv.bias = nn.Parameter(torch.ones(8))",
        "for m in self.modules(): m.bias = nn.Parameter(torch.ones(8))",
        "(self\n            .conv\n            .bias) = nn.Parameter(torch.ones(8))",
    ],
)
def test_a_parameter_that_something_gives_a_layer_is_there(given: str, tmp_path: Path) -> None:
    assert "INI315" not in codes(GIVEN.format(given=given), tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        "pass  # self.conv.bias = nn.Parameter(torch.ones(8))",
        "print('self.conv.bias = 3; register_parameter')",
        "self.register_parameter('scale', nn.Parameter(torch.ones(8)))",
        "setattr(self, 'width', 8)",
        "self.norm = nn.Linear(3, 3); self.norm.bias = nn.Parameter(torch.ones(3))",
        "print(self.conv.bias == None)",
    ],
)
def test_what_gives_a_layer_no_parameter_excuses_nothing(given: str, tmp_path: Path) -> None:
    assert "INI315" in codes(GIVEN.format(given=given), tmp_path)


# A function that a file gives `nn.init`, and what torch refuses


@pytest.mark.parametrize(
    "given",
    [
        "init.half_ = lambda w: w.data.fill_(0.5)",
        "init.half_=lambda w: w.data.fill_(0.5)",
        "nn.init.half_: object = lambda w: w.data.fill_(0.5)",
        "setattr(init, 'half_', lambda w: w.data.fill_(0.5))",
        "init.half_, start = print, print",
        "import torch.nn.init as starts\nstarts.half_ = print",
    ],
)
def test_a_function_that_a_file_gives_torch_is_there(given: str, tmp_path: Path) -> None:
    call = "\nlayer = nn.Linear(3, 3)\ninit.half_(layer.weight)\n"
    assert codes(given + call, tmp_path) == set()
    other = given.replace("half_", "full_")
    assert "INI314" in codes(other + call, tmp_path)


@pytest.mark.parametrize("given", ["# init.half_ = 3", "print('init.half_ = 3')", "print(init.half_ == 3)"])
def test_what_only_speaks_of_a_function_gives_torch_none(given: str, tmp_path: Path) -> None:
    assert "INI314" in codes(f"{given}\nlayer = nn.Linear(3, 3)\ninit.half_(layer.weight)\n", tmp_path)


def test_another_file_of_the_project_may_give_torch_a_function(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "patch.py").write_text("import torch\n\ntorch.nn.init.half_ = print\n", encoding="utf-8")
    assert codes("init.half_(nn.Linear(3, 3).weight)\n", tmp_path) == set()
    assert "INI314" in codes("init.third_(nn.Linear(3, 3).weight)\n", tmp_path)


@pytest.mark.parametrize(
    ("raising", "found"),
    [
        ("with pytest.raises(AttributeError):", False),
        ("with pytest . raises (AttributeError):", False),
        ("with self.assertRaises(AttributeError):", False),
        ("if True:  # raises(AttributeError)", True),
        ("with open('it raises(AttributeError)'):", True),
    ],
)
def test_a_test_of_what_torch_refuses_is_told_by_its_calls(raising: str, found: bool, tmp_path: Path) -> None:
    code = f"""
    import pytest

    def test_it(self):
        {raising}
            init.half_(nn.Linear(3, 3).weight)
    """
    assert ("INI314" in codes(code, tmp_path)) is found


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("init.trunc_normal(w)", True),
        ("init.xavier(w)", True),
        ("init.trunc_normal_(w, std=0.02)", False),
        ("init.normal_(w=w)", True),
        ("init.normal_(tensor=w)", False),
        ("init.normal_(w, standard=1)", True),
    ],
)
def test_what_torch_accepts_is_its_signature(call: str, found: bool, tmp_path: Path) -> None:
    assert ("INI314" in codes(f"w = nn.Linear(3, 3).weight\n{call}\n", tmp_path)) is found


# Layers that may be made without what is drawn

WALK = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = {made}
        for name, p in self.rnn.named_parameters():
            if "bias" in name:
                nn.init.xavier_uniform_(p)
"""


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("nn.LSTM(3, 4)", True),
        ("nn.LSTM(3, 4, bias=True)", True),
        ("nn.LSTM(3, 4, 2, True)", True),
        ("nn.LSTM(3, 4)  # as good as bias=False", True),
        ("nn.LSTM(3, 4); print('bias=False')", True),
        ("nn.LSTM(3, 4); self.conv = nn.Conv1d(3, 4, 3, bias=False)", True),
        ("nn.LSTM(3, 4, bias=False)", False),
        ("nn.LSTM(3, 4, bias = False)", False),
        ("nn.LSTM(3, 4, 2, False)", False),
        ("nn.LSTM(3, 4, **{'bias': False})", False),
    ],
)
def test_a_vector_that_is_drawn_is_there_as_far_as_calls_tell(made: str, found: bool, tmp_path: Path) -> None:
    assert ("INI312" in codes(WALK.format(made=made), tmp_path)) is found


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("nn.BatchNorm2d(8)", True),
        ("nn.BatchNorm2d(8)  # not affine=False", True),
        ("nn.InstanceNorm2d(8, affine=True)", True),
        ("nn.BatchNorm2d(8, affine=False)", False),
        ("nn.BatchNorm2d(8, affine  =  False)", False),
        ("nn.BatchNorm2d(8, 1e-5, 0.1, False)", False),
        ("nn.InstanceNorm2d(8)", False),
        ("nn.LocalResponseNorm(8)", False),
    ],
)
def test_a_normalization_has_vectors_as_far_as_its_call_tells(made: str, found: bool, tmp_path: Path) -> None:
    code = f"""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = {made}
            for p in self.parameters():
                nn.init.xavier_uniform_(p)
    """
    assert ("INI312" in codes(code, tmp_path)) is found


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("nn.Conv2d(3, 8, 3, 1, 1, 1, 1, False)", True),
        ("nn.Linear(3, 8, False)", True),
        ("nn.Linear(3, 8, bias = False)", True),
        ("nn.InstanceNorm2d(8)", True),
        ("nn.Linear(3, 8, True)  # False", False),
        ("nn.LayerNorm(8, 1e-5, True)  # False", False),
    ],
)
def test_a_layer_is_made_without_a_bias_however_that_is_said(made: str, found: bool, tmp_path: Path) -> None:
    assert ("INI315" in codes(f"layer = {made}\nnn.init.zeros_(layer.bias)\n", tmp_path)) is found


# Conditions that nothing fulfils

NEVER = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.apply(self.start)

    def start(self, m):
        if isinstance(m, nn.Conv2d):
            nn.init.ones_(m.weight)
        {more}
"""


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("pass", True),
        ("pass  # nothing else", True),
        ("print('or else')", True),
        ("elif isinstance(m, nn.Conv1d):\n            nn.init.ones_(m.weight)", True),
        ("else:\n            if isinstance(m, nn.Conv1d):\n                nn.init.ones_(m.weight)", True),
        ("else:\n            m.reset_parameters()", False),
    ],
)
def test_what_is_done_with_all_other_kinds_is_told_by_an_else(more: str, found: bool, tmp_path: Path) -> None:
    assert ("INI309" in codes(NEVER.format(more=more), tmp_path)) is found


# Autograd that is switched off

LEAF = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.fc.weight.fill_(0.1)
        {more}
"""


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("pass", True),
        ("pass  # without no_grad", True),
        ("print('needs no grad')", True),
        ("self.fc.weight.requires_grad = True", True),
        ("self.fc.weight.requires_grad=True", True),
        ("self.w = torch.ones(3, requires_grad = (\n            True))", True),
        ("self.fc.weight.requires_grad = False", False),
        ("with torch.no_grad(): pass", False),
        ("self.w = torch.ones(3, device='meta')", False),
    ],
)
def test_autograd_is_switched_off_by_code(more: str, found: bool, tmp_path: Path) -> None:
    assert ("INI307" in codes(LEAF.format(more=more), tmp_path)) is found


# Weights that are computed, and what knows it

DERIVED = """
from torch.nn.utils import weight_norm


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = weight_norm(nn.Linear(4, 4))
        self.apply(self.start)

    def start(self, m):
        {doc}
        if isinstance(m, nn.Linear):
            {more}
            nn.init.normal_(m.weight, std=0.02)
"""


@pytest.mark.parametrize(
    ("doc", "more", "found"),
    [
        ("pass", "pass", True),
        ("pass  # the original scheme", "pass", True),
        ('"""As in the original paper, without weight_norm."""', "pass", True),
        ("pass", "nn.init.normal_(m.weight_v, std=0.02)", False),
        ("pass", "m = getattr(m, 'original', m)", False),
    ],
)
def test_what_knows_of_a_computed_weight_names_its_parts(doc: str, more: str, found: bool, tmp_path: Path) -> None:
    assert ("INI207" in codes(DERIVED.format(doc=doc, more=more), tmp_path)) is found


# What is drawn again

AGAIN = """
def start(m):
    {doc}
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, std=0.02)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.head = nn.Linear(4, 4), nn.Linear(4, 4)
        self.gate = nn.Linear(4, 4)
        nn.init.zeros_(self.gate.weight)
        self.apply(start)
        {later}
"""


@pytest.mark.parametrize(
    ("doc", "later", "found"),
    [
        ("pass", "pass", True),
        ("pass  # skip nothing", "pass  # the gate is zero", True),
        ('"""Do not skip the gate."""', "self.size = 3  # gate", True),
        ("if hasattr(m, '_skip'): return", "pass", False),
        ("if getattr(m, 'gate', None): return", "pass", False),
        ("pass", "nn.init.zeros_(self.gate.weight)", False),
    ],
)
def test_what_leaves_a_layer_out_says_so_in_code(doc: str, later: str, found: bool, tmp_path: Path) -> None:
    assert ("INI208" in codes(AGAIN.format(doc=doc, later=later), tmp_path)) is found


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("nn.Linear(net.fc2.in_features, 2)", True),
        ("nn.Linear(4, 2)", True),
        ("nn.Linear(net.fc.in_features, 2)", False),
    ],
)
def test_a_layer_that_takes_the_place_of_another_may_be_made_of_it(made: str, found: bool, tmp_path: Path) -> None:
    code = f"""
    def build(net: nn.Module):
        nn.init.zeros_(net.fc.bias)
        net.fc = {made}
        return net
    """
    assert ("INI208" in codes(code, tmp_path)) is found


TIED = """
class LM(nn.Module):
    def __init__(self, weight_std=0.5):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.decoder = nn.Linear(16, 50)
        nn.init.normal_(self.embedding.weight, std={first})
        self.decoder.weight = self.embedding.weight
        nn.init.normal_(self.decoder.weight, std={again})
"""


@pytest.mark.parametrize(
    ("first", "again", "found"),
    [("weight_std", "0.1", True), ("0.1", "weight_std / 2", True), ("weight_std", "weight_std", False)],
)
def test_a_number_may_be_called_after_a_weight(first: str, again: str, found: bool, tmp_path: Path) -> None:
    assert ("INI217" in codes(TIED.format(first=first, again=again), tmp_path)) is found


# A tie that new memory breaks

META = """
class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.decoder = nn.Linear(16, 50, bias=False)
        self.decoder.weight = self.embedding.weight

    def forward(self, x):
        return self.decoder(self.embedding(x))

    def entity(self):
        print(self.decoder.weight)

    def share(self):
        self.again()

    def again(self):
        self.decoder.weight = self.embedding.weight


def one(model):
    setattr(model.decoder, "weight", model.embedding.weight)


def show(model):
    print(model.decoder.weight)


def build(meta_size=3):
    {device}
        model = LM()
    model = model.to_empty(device="cpu")
    {later}
    for p in model.parameters():
        nn.init.normal_(p, std=0.02)
    return model
"""
ON_META = 'with torch.device("meta"):'


@pytest.mark.parametrize(
    ("device", "later", "found"),
    [
        (ON_META, "pass", True),
        ('with torch . device ( device = "meta" ):', "pass", True),
        ('device = torch.device("meta")\n    with device:', "pass", True),
        (ON_META, "model.entity()", True),
        (ON_META, "ties = print('the weight = 3')", True),
        (ON_META, "show(model)", True),
        (ON_META, "model.share()", False),
        (ON_META, "model.decoder.weight=model.embedding.weight", False),
        (ON_META, "one(model)", False),
        (ON_META, "elsewhere(model)", False),
        ("with open(str(meta_size)):", "pass", False),
    ],
)
def test_a_tie_is_made_again_by_what_the_code_does(device: str, later: str, found: bool, tmp_path: Path) -> None:
    assert ("INI217" in codes(META.format(device=device, later=later), tmp_path)) is found


# Draws that are scaled


@pytest.mark.parametrize(
    "scaled",
    [
        "torch.randn(8, 4) * (2 / (fc.in_features + fc.out_features))",
        "(2 / (fc.in_features + fc.out_features)) * torch.randn(8, 4)",
        "torch.randn(8, 4) / ((fc.in_features + fc.out_features) / 2)",
        "torch.randn(8, 4).mul_(2 / (fc.in_features + fc.out_features))",
        "torch.randn(8, 4) * 2 / (fc.in_features + fc.out_features)",
    ],
)
@pytest.mark.parametrize("target", ["fc.weight.data = {}", "fc.weight = nn.Parameter({})"])
def test_a_draw_is_scaled_on_either_side(target: str, scaled: str, tmp_path: Path) -> None:
    assert "INI403" in codes(f"fc = nn.Linear(4, 8)\n{target.format(scaled)}\n", tmp_path)
    rooted = scaled.replace("(2 /", "math.sqrt(2 /").replace("/ (", "/ math.sqrt(")
    if "/ 2)" not in scaled and "* 2" not in scaled:
        assert codes(f"import math\nfc = nn.Linear(4, 8)\n{target.format(rooted)}\n", tmp_path) == set()


# Walks that pick out layers by a text

FILLED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        for m in self.modules():
            name = str(m)
            classname = m.__class__.__name__
            if isinstance(m, nn.Linear) and {test}:
                nn.init.constant_(m.weight, 0.1)
"""


@pytest.mark.parametrize(
    ("test", "found"),
    [
        ('classname.find("Linear") != -1', True),
        ('classname.find("Lin") != -1', True),
        ('m.__class__.__name__.startswith("Linear")', True),
        ('classname.find("n") != -1', False),
        ('classname.find("torch.nn") != -1', False),
        ('name.find("Linear") != -1', False),
        ('m.extra_repr().find("Linear") != -1', False),
    ],
)
def test_a_kind_of_layer_is_looked_for_in_the_name_of_a_class(test: str, found: bool, tmp_path: Path) -> None:
    assert ("INI508" in codes(FILLED.format(test=test), tmp_path)) is found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("a=init.calculate_gain('conv2d')", False),
        ("init.calculate_gain('sigmoid'), 'fan_out'", False),
        ("a=init.calculate_gain('linear'), nonlinearity='leaky_relu'", False),
        ("a=init.calculate_gain('relu'), nonlinearity='relu'", False),
        ("a=init.calculate_gain('tanh')", True),
        ("a=init.calculate_gain('linear'), nonlinearity='relu'", True),
        ("a=init.calculate_gain('leaky_relu', 0.2)", True),
        ("a=gain", True),
    ],
)
def test_a_gain_that_comes_out_as_it_was_meant_is_right(given: str, found: bool, tmp_path: Path) -> None:
    written = f"def start(conv, gain):\n    init.kaiming_normal_(conv.weight, {given})\n"
    assert ("INI406" in codes(written, tmp_path)) is found


MOVED = """
class Net(nn.Module):
    def __init__(self, n, device, bias=True, start=None):
        super().__init__()
        {given}

    def forward(self, x):
        return x + self.shift
"""


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("self.shift = nn.Parameter(torch.zeros(n)).to(device) if bias else None", True),
        ("self.shift = start or nn.Parameter(torch.zeros(n)).to(device)", True),
        ("self.shift = (kept := nn.Parameter(torch.zeros(n)).to(device))", True),
        ("self.shift, self.n = nn.Parameter(torch.zeros(n)).to(device), n", True),
        ("self.shift = self.second = nn.Parameter(torch.zeros(n)).to(device)", True),
        ("self.shift = nn.Parameter(torch.zeros(n).to(device)) if bias else None", False),
        ("self.shift = nn.Parameter(torch.zeros(n)) if bias else torch.zeros(n).to(device)", False),
        ("self.shift = start or nn.Parameter(torch.zeros(n)).data.to(device)", False),
        ("self.shift, self.n = nn.Parameter(torch.zeros(n).to(device)), n", False),
    ],
)
def test_a_moved_parameter_is_seen_wherever_it_stands_in_a_value(given: str, found: bool, tmp_path: Path) -> None:
    assert ("INI221" in codes(MOVED.format(given=given), tmp_path)) is found


WIDE = """
import torchvision
from torchvision import ops, transforms as T
from torchvision.transforms import Normalize
from timm.layers import LayerNorm2d

class Scaled(object):
    def __call__(self, x):
        return x / 255

class ScaledNorm(Scaled):
    pass

class OwnNorm(nn.Module):
    def forward(self, x):
        return x / x.std()

def start(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight)

net = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
net.apply(start)
part = {part}
"""


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("torchvision.transforms.Normalize((0.5,), (0.5,))", True),
        ("T.Compose([T.ToTensor(), Normalize((0.5,), (0.5,))])", True),
        ("nn.functional.normalize(torch.ones(3, 784))", True),
        ("ScaledNorm()", True),
        ("nn.BatchNorm1d(256)", False),
        ("OwnNorm()", False),
        ("LayerNorm2d(256)", False),
        ("ops.Conv2dNormActivation(3, 8)", False),
    ],
)
def test_what_normalizes_the_examples_is_no_part_of_the_model(part: str, found: bool, tmp_path: Path) -> None:
    assert ("INI407" in codes(WIDE.format(part=part), tmp_path)) is found


UNCALLED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def sample(self):
        {drawn}

    def forward(self, x):
        return self.fc(x)

net = Net()
torch.optim.SGD(net.parameters(), lr=0.1)
"""


@pytest.mark.parametrize(
    ("drawn", "found"),
    [
        ("print(self.fc.weight.data.new(3).normal_())", False),
        ("noise = self.fc.weight.data.clone().normal_(0, 0.1); print(noise)", False),
        ("nn.init.normal_(self.fc.weight.detach().new_empty(3))", False),
        ("self.fc.weight.detach().view(-1).normal_(0, 0.1)", True),
        ("self.fc.weight.data[torch.where(torch.ones(8) > 0)].zero_()", True),
        ("self.fc.weight.data = self.fc.weight.data.new(8, 8).normal_(0, 0.1)", True),
        ("self.fc.weight.data.copy_(self.fc.weight.data.new(8, 8).normal_(0, 0.1))", True),
    ],
)
def test_what_is_drawn_into_a_new_tensor_initializes_nothing(drawn: str, found: bool, tmp_path: Path) -> None:
    assert ("INI213" in codes(UNCALLED.format(drawn=drawn), tmp_path)) is found


ONES = """
class Body(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)

    def forward(self, x):
        return self.linear(x)

def ones(m):
    if isinstance(m, (nn.Linear, nn.Conv2d)):
        nn.init.ones_(m.weight)

def main():
    {made}
    net.apply(ones)

main()
"""


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("net = nn.Linear(1, 1)", False),
        ("net = nn.Sequential(nn.Linear(10, out_features=1), nn.Sigmoid())", False),
        ("net = nn.Sequential(); net.add_module('conv', nn.Conv2d(3, 1, 3))", False),
        ("net = Body(10, 1)", False),
        ("net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))", True),
        ("net = nn.Sequential(nn.Linear(10, 1)); net.append(nn.Linear(1, 20))", True),
        ("net = nn.Sequential(Body(10, 8), nn.ReLU(), Body(8, 1))", True),
        ("net = nn.Sequential(nn.Linear(10, 1), nn.TransformerEncoderLayer(1, 1))", True),
    ],
)
def test_a_layer_of_one_unit_has_no_other_to_stay_like(made: str, found: bool, tmp_path: Path) -> None:
    assert ("INI508" in codes(ONES.format(made=made), tmp_path)) is found


@pytest.mark.parametrize("loop", ["for p in named.parameters():", "for p in net_dim.parameters():"])
@pytest.mark.parametrize(("test", "found"), [("'weight' in p.names", False), ("p.requires_grad", True)])
def test_the_name_of_a_model_decides_nothing(loop: str, test: str, found: bool, tmp_path: Path) -> None:
    model = loop.split()[3].split(".")[0]
    made = f"{model} = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))\n"
    assert ("INI508" in codes(f"{made}{loop}\n    if {test}:\n        nn.init.constant_(p, 0.1)\n", tmp_path)) is found


# What a computed weight is computed of


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("conv = nn.Conv1d(3, 4, 3)\nconv = weight_norm(conv)", "torch.nn.Conv1d"),
        ("conv = weight_norm(nn.Conv1d(3, 4, 3))", "torch.nn.Conv1d"),
        ("conv = nn.Conv1d(3, 4, 3)\nweight_norm(conv)", "torch.nn.Conv1d"),
        ("conv = weight_norm(made())", "made()"),
    ],
)
def test_the_layer_of_a_computed_weight_is_named(made: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "case.py"
    start = f"{IMPORTS}from torch.nn.utils import weight_norm\n"
    file.write_text(f"{start}{made}\nnn.init.normal_(conv.weight)\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(file), "--isolated", "--no-cache", "--output-format", "json"])
    (found,) = json.loads(result.stdout)
    assert f"`{kind}`" in found["evidence"][0]["detail"]


# Several classes at once

KINDS = [
    "(nn.Linear, nn.Conv2d)",
    "nn.Linear | nn.Conv2d",
    "((nn.Linear,), nn.Conv2d)",
    "(\n        nn.Linear | nn.Conv2d)",
]


@pytest.mark.parametrize("kinds", KINDS)
def test_a_union_of_classes_is_as_good_as_a_tuple(kinds: str, tmp_path: Path) -> None:
    again = AGAIN.format(doc="pass", later="pass").replace("isinstance(m, nn.Linear)", f"isinstance(m, {kinds})")
    assert "INI208" in codes(again, tmp_path)
    derived = DERIVED.format(doc="pass", more="pass").replace("isinstance(m, nn.Linear)", f"isinstance(m, {kinds})")
    assert "INI207" in codes(derived, tmp_path)
    never = NEVER.format(more=f"elif isinstance(m, {kinds.replace('nn.Linear', 'nn.Conv1d')}):\n            pass")
    assert "INI309" in codes(never, tmp_path)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("pass", True),
        ("pass  # double, float64, dtype=torch.float64", True),
        ("print('double')", True),
        ("torch.set_default_dtype(torch.float64)", False),
        ("w = torch.ones(3, dtype = torch.float32)", False),
        ("net = net.double()", False),
    ],
)
def test_a_copy_in_double_precision_is_one_where_the_code_has_no_other(more: str, found: bool, tmp_path: Path) -> None:
    code = f"net = nn.Linear(4, 4)\n{more}\nnn.init.normal_(net.weight.double())\n"
    assert ("INI203" in codes(code, tmp_path)) is found


@pytest.mark.parametrize(
    ("name", "count", "found"),
    [
        ("layer", "3", True),
        ("entities", "3", True),
        ("layer", "len(properties)", True),
        ("shared", "3", False),
        ("layerShared", "3", False),
        ("tied_layer", "3", False),
        ("layer", "(3 if weight_tying else 1)", False),
        ("layer", "3  # reuse it", False),
    ],
)
def test_a_layer_that_is_repeated_on_purpose_is_called_so(name: str, count: str, found: bool, tmp_path: Path) -> None:
    code = f"""
    class Net(nn.Module):
        def __init__(self, properties, weight_tying):
            super().__init__()
            {name} = nn.Linear(4, 4)
            self.layers = nn.ModuleList([{name}] * {count})
    """
    code = code.replace("  # reuse it)", ")  # reuse it")
    assert ("INI504" in codes(code, tmp_path)) is found


# Statements that share a row

MODULE = "class {name}(nn.Module):\n    def __init__(self):\n        super().__init__()\n        {body}\n"
IN_A_ROW = [
    (
        "INI108",
        "raw = torch.zeros(3); print(raw); raw = torch.empty(3, requires_grad=True); (raw * 2).sum().backward()",
        True,
    ),
    ("INI108", "raw = torch.empty(3, requires_grad=True); raw = torch.zeros(3); (raw * 2).sum().backward()", False),
    ("INI214", "self.w = nn.Parameter(torch.zeros(3)); start(self.w)", True),
    ("INI214", "self.w = nn.Parameter(torch.zeros(3)); self.w.data = start(self.w)", False),
    ("INI221", "noise = torch.zeros(3, requires_grad=True).cuda(); torch.optim.Adam([noise])", True),
    ("INI221", "torch.optim.Adam([noise]); noise = torch.zeros(3, requires_grad=True).cuda()", False),
    ("INI307", "self.w = torch.zeros(3); self.w[0] = 1; self.w = nn.Parameter(self.w)", False),
    ("INI307", "self.w = nn.Parameter(torch.zeros(3)); self.w[0] = 1", True),
    ("INI503", "self.blocks = nn.ModuleList([Block() for _ in range(3)])", True),
    ("INI503", "self.blocks = nn.ModuleList([Late() for _ in range(3)])", False),
]


@pytest.mark.parametrize("between", ["\n        ", "; "])
@pytest.mark.parametrize(("code", "body", "found"), IN_A_ROW)
def test_statements_may_share_a_row(code: str, body: str, found: bool, between: str, tmp_path: Path) -> None:
    drawn = "self.weight = nn.Parameter(torch.randn(3, 3))"
    text = "".join(
        [
            MODULE.format(name="Block", body=f"torch.manual_seed(0); {drawn}"),
            MODULE.format(name="Late", body=f"{drawn}; torch.manual_seed(0)"),
            MODULE.format(name="Net", body=body),
            "def start(w):\n        print(w); w = torch.randn(w.shape)\n        return w\n",
        ]
    )
    assert (code in codes(text.replace("; ", between), tmp_path)) is found


# Blocks in which something happens to a model

LOADED = """
def start(m):
    if isinstance(m, nn.Linear):
        init.xavier_uniform_(m.weight)


def build(net, path):
    net.load_state_dict(torch.load(path))
    {between}
    net.apply(start)
    return net
"""


@pytest.mark.parametrize(
    ("between", "found"),
    [
        ("net.to('cuda')", True),
        ("optimizer = torch.optim.SGD(net.parameters())", True),
        ("net = nn.Sequential(net)", False),
        ("print(net(torch.zeros(1, 3)))", False),
        ("evaluate(net)", False),
    ],
)
def test_loaded_weights_are_lost_where_nothing_used_them(between: str, found: bool, tmp_path: Path) -> None:
    assert ("INI208" in codes(LOADED.format(between=between), tmp_path)) is found


REPLACED = """
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model.fc = {layer}
{later}
optimizer.step()
"""


@pytest.mark.parametrize(
    ("layer", "later", "found"),
    [
        ("nn.Linear(512, 10)", "", True),
        ("nn.Linear(512, 10).to('cuda').train()", "", True),
        ("nn.Linear(512, 10).requires_grad_(False)", "", False),
        ("nn.Linear(512, 10)", "for p in model.fc.parameters(): p.requires_grad = False", False),
        ("nn.Linear(512, 10)", "for p in model.body.parameters(): p.requires_grad = False", True),
        ("nn.Linear(512, 10)", "for group in optimizer.param_groups: group['lr'] = 0.01", True),
        ("nn.Linear(512, 10)", "optimizer.param_groups[0]['params'].extend(model.fc.parameters())", False),
        ("nn.Linear(512, 10)", "optimizer.param_groups[0]['params'] = list(model.parameters())", False),
        ("nn.Linear(512, 10)", "optimizer.param_groups.append({'params': [*model.fc.parameters()]})", False),
        ("nn.Sequential(nn.Linear(512, 10), nn.ReLU())", "", True),
        ("nn.Sequential(nn.ReLU(), nn.Dropout())", "", False),
        ("nn.InstanceNorm2d(8)", "", False),
        ("nn.InstanceNorm2d(8, affine=True)", "", True),
        ("nn.BatchNorm2d(8, affine=False)", "", False),
        ("nn.LocalResponseNorm(8)", "", False),
        ("nn.Parameter(torch.zeros(3))", "", True),
        ("nn.Parameter(torch.zeros(3), True)", "", True),
        ("nn.Parameter(torch.zeros(3), False)", "", False),
        ("Head()", "", True),
        ("Swish()", "", False),
        ("Scaled()", "", False),
    ],
)
@pytest.mark.parametrize("block", ["def train(model):", "if __name__ == '__main__':", "try:\n    pass\nfinally:"])
def test_a_new_layer_is_trained_as_far_as_its_optimizer_knows_it(
    layer: str, later: str, found: bool, block: str, tmp_path: Path
) -> None:
    parts = """
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("scale", torch.ones(3))

    class Swish(nn.Module):
        def forward(self, x):
            return x * torch.sigmoid(x)
    """
    body = textwrap.indent(REPLACED.format(layer=layer, later=later), "    ")
    assert ("INI223" in codes(f"{textwrap.dedent(parts)}\n\n{block}{body}", tmp_path)) is found


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("nn.BatchNorm2d(8, affine=False)", True),
        ("nn.SyncBatchNorm(8)", True),
        ("nn.InstanceNorm2d(8)", False),
        ("nn.InstanceNorm2d(8, affine=True)", True),
    ],
)
def test_a_repeated_layer_matters_if_it_has_values(made: str, found: bool, tmp_path: Path) -> None:
    code = f"""
    def tower(n):
        norm = {made}
        return nn.ModuleList([norm for _ in range(n)])
    """
    assert ("INI504" in codes(code, tmp_path)) is found


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        ("layer = nn.Linear(3, 3)\nreturn layer(x)", True),
        ("layer = nn.Linear(3, 3).eval()\nreturn layer(x)", True),
        ("layer = nn.Linear(3, 3)\nlayer = layer.to(x.device)\nlayer = layer.cuda().half()\nreturn layer(x)", True),
        ("layer = nn.Linear(3, 3)\nlayer = self.keep(layer)\nreturn layer(x)", False),
        ("layer = nn.Linear(3, 3)\nother = layer.to(x.device)\nreturn layer(x)", False),
        ("layer = nn.Linear(3, 3).requires_grad_(False)\nreturn layer(x)", False),
    ],
)
def test_a_layer_of_the_forward_may_be_moved(statements: str, found: bool, tmp_path: Path) -> None:
    body = textwrap.indent(statements, "        ")
    assert ("INI222" in codes(f"class Net(nn.Module):\n    def forward(self, x):\n{body}\n", tmp_path)) is found


DEAD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        out = nn.Linear(8, 4, bias=False)
        init.zeros_(out.weight)
        self.net = nn.Sequential(nn.Linear(8, 8), out, nn.ReLU())


out = nn.Linear(8, 4, bias=False)
init.zeros_(out.weight)
model = nn.Sequential(nn.Linear(8, 8), out, nn.ReLU())
optimizer = torch.optim.SGD(model.parameters())


def start(m):
    if isinstance(m, nn.Linear):
        init.kaiming_normal_(m.weight)


net = Net()
{later}
"""


@pytest.mark.parametrize(
    ("later", "rows"),
    [
        ("optimizer = torch.optim.SGD(net.parameters())", {11, 16}),
        ("model.eval()\nnet.eval()", {11, 16}),
        ("model.apply(start)", {11}),
        ("net.apply(start)", set()),
    ],
)
def test_zeros_are_dead_as_long_as_nothing_draws_them_again(later: str, rows: set[int], tmp_path: Path) -> None:
    found = reported(IMPORTS + DEAD.format(later=later), tmp_path)
    assert {row for row, code in found if code == "INI510"} == rows


# Assignments with an annotation

ANNOTATED = """
def train(model):
    optimizer{note} = torch.optim.SGD(model.parameters(), lr=0.1)
    model.fc{note} = nn.{layer}(512, 10)
    optimizer.step()


def search():
    noise{note} = torch.zeros(3, requires_grad={trained}).cuda()
    return torch.optim.Adam([noise])


class Agent:
    def __init__(self, model):
        self.policy{note} = model.{moved}
        self.target{note} = model.{moved}
        self.target.load_state_dict(self.policy.state_dict())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(3))
        self.ready{note} = {ready}
        out{note} = nn.Linear(8, 4, bias={bias})
        init.zeros_(out.weight)
        self.net{note} = nn.Sequential(out, nn.ReLU())

    def forward(self, x):
        layer{note} = nn.{layer}(3, 3)
        if not self.ready:
            self.shift.data.copy_(-x.mean(0))
            self.ready = True
        return layer(x) + self.shift
"""
WRONG = {"layer": "Linear", "trained": True, "moved": "cuda()", "ready": False, "bias": False}
RIGHT = {"layer": "Softmax", "trained": False, "moved": "clone()", "ready": "torch.tensor(False)", "bias": True}


@pytest.mark.parametrize("note", ["", ": object"])
def test_an_assignment_may_have_an_annotation(note: str, tmp_path: Path) -> None:
    about = {"INI221", "INI222", "INI223", "INI224", "INI509", "INI510"}
    assert codes(ANNOTATED.format(note=note, **WRONG), tmp_path) >= about
    assert not codes(ANNOTATED.format(note=note, **RIGHT), tmp_path) & about


# What a row holds

ROWS = """
class Net(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        {made}

    def start(self, m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.02)
"""
EARLY = ("self.body = nn.Linear(n, n)", "self.apply(self.start)", "self.head = nn.Linear(n, 1)")
LATE = ("self.body = nn.Linear(n, n)", "self.head = nn.Linear(n, 1)", "self.apply(self.start)")


@pytest.mark.parametrize("between", ["; ", "\n        ", ";\\\n            "])
@pytest.mark.parametrize(("order", "early"), [(EARLY, True), (LATE, False)])
def test_statements_of_one_row_run_in_their_order(
    order: tuple[str, ...], early: bool, between: str, tmp_path: Path
) -> None:
    assert ("INI209" in codes(ROWS.format(made=between.join(order)), tmp_path)) == early
