"""The programs of a project decide about memory that a constructor leaves raw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from initaudit import cli
from initaudit.analyzer.programs import initializers
from initaudit.analyzer.programs.constructor import Construction, Registered
from initaudit.analyzer.project.names import Defined
from initaudit.finding import Place
from initaudit.observation import Observation
from initaudit.timeline import Coverage, Only, ParameterTimeline

LAYER = """
class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))
"""
NET = (
    "from layer import Layer\n"
    + """
class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layer = Layer(n)
"""
)
MADE = """
    @classmethod
    def made(cls, name):
        return cls(len(name))
"""
FILLS = """
def fill(model):
    for p in model.parameters():
        nn.init.xavier_uniform_(p)
"""
SILENT = {
    "a class method makes the model": {
        "net": NET + MADE,
        "train": "from net import Net\nnet = Net.made('abc')\nfor p in net.parameters():\n    p.data.normal_()\n",
    },
    "a class method of a base makes the model": {
        "net": f"class Base(nn.Module):{MADE}\n" + NET.replace("nn.Module", "Base"),
        "train": "from net import Net\nnet = Net.made('abc')\nfor p in net.parameters():\n    p.data.normal_()\n",
    },
    "a class method calls another one": {
        "net": NET + MADE + "\n    @classmethod\n    def filled(kind, name):\n        net = kind.made(name)\n"
        "        for p in net.parameters():\n            p.data.zero_()\n        return net\n",
        "train": "from net import Net\nnet = Net.filled('abc')\nnet.train()\n",
    },
    "a factory loops over what it builds": {
        "net": NET + "\ndef make(n):\n    net = Net(n)\n    for p in net.parameters():\n"
        "        p.data.normal_()\n    return net\n"
    },
    "a script walks the modules": {
        "train": "from net import Net\nnet = Net(3)\nfor m in net.modules():\n"
        "    if hasattr(m, 'weight'):\n        nn.init.ones_(m.weight)\n",
        "net": NET,
    },
    "a main block calls a helper of another file": {
        "tools": FILLS,
        "net": NET,
        "train": "from net import Net\nfrom tools import fill\n"
        "if __name__ == '__main__':\n    net = Net(3)\n    fill(net)\n",
    },
    "an applied function puts another parameter there": {
        "net": NET
        + "\ndef visit(m):\n    if isinstance(m, Layer):\n        m.weight = nn.Parameter(torch.ones(3, 3))\n"
        + "\ndef make():\n    net = nn.Sequential(Net(3))\n    net.apply(visit)\n    return net\n"
    },
    "a trainer builds in one method and initializes in another": {
        "net": NET,
        "trainer": "from net import Net\nclass Trainer:\n    def __init__(self):\n        self.net = Net(3)\n"
        "    def prepare(self):\n        for p in self.net.parameters():\n            nn.init.zeros_(p)\n",
    },
    "a registry leads to the class": {
        "net": NET + "\nNETS = {'net': Net}\n",
        "train": "from net import NETS\ndef build(name):\n    net = NETS[name](3)\n    for p in net.parameters():\n"
        "        nn.init.zeros_(p)\n    return net\n\nnet = build('net')\n",
    },
    "a wrapper hands it on": {
        "net": NET,
        "train": "from net import Net\nnet = nn.DataParallel(Net(3)).cuda()\nfor p in net.parameters():\n"
        "    if p.dim() > 1:\n        nn.init.xavier_normal_(p)\n",
    },
    "the tensors of its state": {
        "net": NET,
        "train": "from net import Net\nnet = Net(3)\nfor name, value in net.state_dict().items():\n"
        "    value.normal_(0, 0.1)\n",
    },
    "an entry of its state": {
        "net": NET,
        "train": "from net import Net\nnet = Net(3)\nstate = net.state_dict()\n"
        "state['layer.weight'] = torch.randn(3, 3)\nnet.load_state_dict(state)\n",
    },
    "a state that is drawn": {
        "net": NET,
        "train": "from net import Net\nnet = Net(3)\n"
        "net.load_state_dict({k: torch.randn_like(v) for k, v in net.state_dict().items()})\n",
    },
    "a vector": {
        "net": NET,
        "train": "from net import Net\nfrom torch.nn.utils import vector_to_parameters\nnet = Net(3)\n"
        "vector_to_parameters(torch.randn(9), net.parameters())\n",
    },
    "a context manager that fills what it is given": {
        "net": NET,
        "train": """
            import contextlib

            from net import Net

            @contextlib.contextmanager
            def drawn(model):
                for p in model.parameters():
                    nn.init.normal_(p)
                try:
                    yield model
                finally:
                    print("done")

            net = Net(3)
            with drawn(net):
                net.train()
        """,
    },
    "gathered parameters": {
        "net": NET,
        "train": "import deepspeed\nfrom net import Net\nnet = Net(3)\n"
        "with deepspeed.zero.GatheredParameters(list(net.parameters()), modifier_rank=0):\n"
        "    for p in net.parameters():\n        nn.init.normal_(p)\n",
    },
    "all at once": {
        "net": NET,
        "train": "from net import Net\nnet = Net(3)\ntorch._foreach_zero_(list(net.parameters()))\n",
    },
    "a script writes the weight of a subclass": {
        "train": "from layer import Layer\n\nclass Own(Layer):\n    def __init__(self):\n        super().__init__(3)\n"
        "        self.fc = nn.Linear(3, 3)\n\nnet = Own()\nnn.init.normal_(net.weight)\n"
    },
    "a function fills a subclass without a constructor": {
        "train": "from layer import Layer\n\nclass Own(Layer):\n    pass\n\ndef make():\n    net = Own(3)\n"
        "    net.weight.data = torch.ones(3, 3)\n    return net\n\nmake().train()\n"
    },
    "a decorator that gives it another constructor": {
        "net": NET,
        "train": """
            from layer import Layer

            def filled(cls):
                old = cls.__init__

                def __init__(self, *args):
                    old(self, *args)
                    for p in self.parameters():
                        nn.init.normal_(p)

                cls.__init__ = __init__
                return cls

            @filled
            class Filled(Layer):
                pass

            Filled(3).train()
        """,
    },
    "a metaclass that calls its initializer": {
        "net": NET,
        "train": """
            from layer import Layer

            class Filling(type):
                def __call__(cls, *args):
                    made = super().__call__(*args)
                    made.fill()
                    return made

            class Filled(Layer, metaclass=Filling):
                def fill(self):
                    nn.init.normal_(self.weight)

            Filled(3).train()
        """,
    },
    "a script defines functions within statements": {
        "net": NET,
        "train": "from net import Net\nnet = Net(3)\nif net.training:\n    # a schedule\n    def rate(step):\n"
        "        return 1 / step\nwith torch.no_grad():\n    for p in net.parameters():\n        p.fill_(1)\n",
    },
}
RAW = {
    "an initializer takes what another function makes": {
        "net": NET,
        "train": """
            from net import Net

            def make(kind, *sizes):
                if kind == 1:
                    return nn.Linear(*sizes)
                return nn.Conv1d(*sizes, 1)

            def zero(module, on=True):
                if on:
                    for p in module.parameters():
                        p.data.zero_()
                return module

            class Block(nn.Module):
                def __init__(self, n, on):
                    super().__init__()
                    self.out = zero(make(1, n, n), on)

            def main():
                net = Net(3)
                net(torch.ones(3)).sum().backward()
        """,
    },
    "a class method that makes the model": {
        "net": NET + MADE,
        "train": "from net import Net\nnet = Net.made('abc')\nnet.train()\n",
    },
    "an initializer that nothing calls": {
        "tools": FILLS,
        "net": NET,
        "train": "from net import Net\nfrom tools import fill\nnet = Net(3)\n",
    },
    "an initializer that is called with another model": {
        "tools": FILLS,
        "net": NET,
        "train": "from net import Net\nfrom tools import fill\nnet = Net(3)\nother = nn.Linear(3, 3)\nfill(other)\n",
    },
    "an initializer of vectors": {
        "net": NET,
        "train": "from net import Net\nnet = Net(3)\n"
        "for p in net.parameters():\n    if p.dim() == 1:\n        p.data.zero_()\n",
    },
    "a subclass with a constructor of its own": {
        "train": "from layer import Layer\n\nclass Own(Layer):\n    def __init__(self):\n        super().__init__(3)\n"
        "        self.fc = nn.Linear(3, 3)\n\nnet = Own()\nnn.init.normal_(net.fc.weight)\n"
    },
    "a vector of its own": {
        "net": NET,
        "train": "from net import Net\nfrom torch.nn.utils import parameters_to_vector\nnet = Net(3)\n"
        "parameters_to_vector(net.parameters()).zero_()\n",
    },
    "an entry of a state that nothing loads": {
        "net": NET,
        "train": "from net import Net\nnet = Net(3)\nstate = net.state_dict()\n"
        "state['layer.weight'] = torch.randn(3, 3)\nnet.train()\n",
    },
    "a decorator that registers a class": {
        "net": NET,
        "train": "from layer import Layer\nKNOWN = []\n\ndef known(cls):\n    KNOWN.append(cls)\n    return cls\n\n"
        "@known\nclass Other(Layer):\n    pass\n\nnet = Other(3)\nnet.train()\n",
    },
    "a decorator whose constructor calls the old one and keeps what it was given": {
        "net": NET,
        "train": """
            from functools import wraps

            from layer import Layer

            def kept(cls=None, *, bias=False):
                def wrapper(cls):
                    made = cls.__init__
                    shown = cls.forward

                    @wraps(made)
                    def __init__(self, config, *args, **kwargs):
                        made(self, config, *args, **kwargs)
                        self.config = config
                        self.bias: bool = bias

                    def forward(self, x):
                        return shown(self, x)

                    cls.__init__ = __init__
                    cls.forward = forward
                    return cls

                return wrapper if cls is None else wrapper(cls)

            @kept(bias=True)
            class Own(Layer):
                pass

            net = Own(3)
            net.train()
        """,
    },
    "a decorator whose constructor is named otherwise and counts": {
        "net": NET,
        "train": """
            from layer import Layer

            def counted(layer):
                first = layer.__init__

                def second(this, *sizes):
                    this.calls = 0
                    first(this, *sizes)

                layer.__init__ = second
                return layer

            @counted
            class Own(Layer):
                pass

            net = Own(3)
            net.train()
        """,
    },
    "parameters that are gathered, in a file of their package's name": {
        "net": NET,
        "tools/__init__": "",
        "tools/deepspeed": "import deepspeed\n\ndef shown(net):\n"
        "    with deepspeed.zero.GatheredParameters(list(net.parameters()), modifier_rank=0):\n        print(net)\n",
        "train": "from net import Net\nfrom tools.deepspeed import shown\nnet = Net(3)\nshown(net)\nnet.train()\n",
    },
    "a main function": {
        "net": NET,
        "train": "from net import Net\ndef main():\n    net = Net(3)\n    net.train()\nmain()\n",
    },
}


@pytest.fixture
def told(analyzed: Callable[..., dict[str, Observation]]) -> Callable[..., ParameterTimeline | None]:
    """What is said of the layer's weight in a project; None where it is written."""

    def of(**files: str) -> ParameterTimeline | None:
        seen = analyzed(layer=LAYER, **files).get("layer")
        return next((each for each in seen.parameters if each.name == "weight"), None) if seen is not None else None

    return of


@pytest.mark.parametrize("files", SILENT.values(), ids=SILENT)
def test_nothing_is_said_where(files: dict[str, str], told: Callable[..., ParameterTimeline | None]) -> None:
    assert told(**files) is None


@pytest.mark.parametrize("files", RAW.values(), ids=RAW)
def test_it_is_raw_with(files: dict[str, str], told: Callable[..., ParameterTimeline | None]) -> None:
    found = told(**files)
    assert found is not None
    assert found.coverage is Coverage.NEVER
    assert found.built is not None
    assert Path(found.built.filename).name == "train.py"


WRAPPED = """
from layer import Layer

def wrapped(cls):
    old = cls.__init__

    def __init__(self, *args):
{body}

    cls.__init__ = __init__
    return cls

@wrapped
class Own(Layer):
    pass

net = Own(3)
net.train()
"""


@pytest.mark.parametrize(
    "body",
    [
        ["old(self, *args)", "self.fill()"],
        ["old(self, *args)", "self.weight = draw(self.weight)"],
        ["if args:", "    old(self, *args)"],
        ["self.weight = nn.Parameter(torch.ones(3, 3))"],
        ["old(self, *args)", "for p in self.parameters():", "    p.data.fill_(1)"],
    ],
)
def test_a_constructor_that_a_decorator_replaces_by_more_than_a_call_of_it_is_not_judged(
    body: list[str], told: Callable[..., ParameterTimeline | None]
) -> None:
    text = WRAPPED.format(body="\n".join(f"        {row}" for row in body))
    found = told(net=NET, train=text)
    assert found is None or found.built is None


ASIDE = """
import contextlib
from contextlib import contextmanager

from net import Net

@{decorator}
def without_memory(model):
    {first}
    aside = []
    for module in model.modules():
        for slots in (module._parameters, module._buffers):
            for name, tensor in slots.items():
                if tensor is not None and tensor.dtype == torch.float16:
                    aside.append((slots, name, tensor))
    for slots, name, tensor in aside:
        slots[name] = nn.Parameter(tensor.data.float(), requires_grad=False)
    try:
        yield model
    finally:
        {last}

class Exporter:
    def __call__(self, model: Net):
        with without_memory(model):
            print(model)
"""


DRAWS_ALL = "for p in model.parameters():\n        p.data.normal_()"


@pytest.mark.parametrize(
    ("first", "last", "asked"),
    [
        ("pass", "for slots, name, tensor in aside:\n            slots[name] = tensor", []),
        ("pass", "for those, key, old in aside:\n            those[key] = old", []),
        ("pass", "print(model)", ["export.without_memory"]),
        ("pass", "model.config = None", ["export.without_memory"]),
        (DRAWS_ALL, "for slots, name, tensor in aside:\n            slots[name] = tensor", ["export.without_memory"]),
    ],
)
@pytest.mark.parametrize("decorator", ["contextlib.contextmanager", "contextmanager"])
def test_nobody_is_asked_who_calls_a_context_manager_that_puts_back_what_it_replaces(
    decorator: str,
    first: str,
    last: str,
    asked: list[str],
    told: Callable[..., ParameterTimeline | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    considered: list[str] = []

    def writing(construction: Construction, found: Sequence[Registered]) -> Iterator[Defined]:
        for function in initializers_writing(construction, found):
            considered.append(function.qualname)
            yield function

    initializers_writing = initializers.writing
    monkeypatch.setattr(initializers, "writing", writing)
    found = told(net=NET, export=ASIDE.format(decorator=decorator, first=first, last=last))
    assert found is not None
    assert found.coverage is Coverage.NEVER
    assert list(dict.fromkeys(considered)) == asked


def test_a_package_that_imports_itself_by_its_name_is_followed(analyzed: Callable[..., dict[str, Observation]]) -> None:
    net = NET.replace("from layer", "import pkg\nfrom pkg.layer").replace(" Layer(n)", " pkg.Layer(n)")
    train = "from pkg import Net\nnet = Net(3)\nnn.init.ones_(net.layer.weight)\nnet.train()\n"
    seen = analyzed(**{"pkg/layer": LAYER, "pkg/__init__": net, "train": train})
    assert [each.name for each in seen.get("layer", seen["train"]).parameters] == []


def line(place: Place) -> str:
    return Path(place.filename).read_text(encoding="utf-8").splitlines()[place.row - 1]


CHOICE = """
class Layer(nn.Module):
    def __init__(self, n, kind="sum", *, gate=False):
        super().__init__()
        self.kind = kind
        if self.kind == "dot" or gate:
            self.weight = nn.Parameter(torch.empty(n, n))
"""


@pytest.mark.parametrize(
    ("calls", "built"),
    [
        (["Layer(3, 'sum')", "Layer(3, kind='dot')"], "b = Layer(3, kind='dot')"),
        (["Layer(3)", "Layer(3, gate=True)"], "b = Layer(3, gate=True)"),
        (["Layer(3, 'mean')", "Layer(3, gate=False)"], None),
        (["Layer(3, gate=False)", "Layer(3, *options)"], "b = Layer(3, *options)"),
    ],
)
def test_a_program_whose_option_makes_no_such_memory_does_not_count(
    calls: list[str], built: str | None, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    train = "".join(f"{name} = {call}\n{name}.train()\n" for name, call in zip("ab", calls, strict=True))
    seen = analyzed(layer=CHOICE, train=f"from layer import Layer\n{train}")["layer"]
    (found,) = seen.parameters
    assert found.coverage is Coverage.NEVER
    assert (line(found.built) if found.built is not None else None) == built


SEEN = """
from net import Net

class Instructor:
    def __init__(self, options):
        self.options = options
        self.model = options.made(3)

    def start(self):
        for child in self.model.children():
            for p in child.parameters():
                self.options.fill(p.data.zero_())

    def run(self):
        self.start()
"""
GIVEN = """
from net import Net

def start(model):
    for p in model.parameters():
        nn.init.normal_(p)
"""


@pytest.mark.parametrize(
    "train",
    [
        SEEN + "\ndef main(options):\n    options.made = {'net': Net}[options.name]\n    Instructor(options).run()\n",
        GIVEN + "\ndef main(name):\n    known = [Net]\n    model = choose(known, name)(3)\n    start(model)\n",
        GIVEN
        + "\ndef pick():\n    return Net\n\ndef main(options):\n    options.made = pick\n    start(build(options))\n",
    ],
)
def test_nothing_is_accused_where_a_class_is_handed_to_who_builds_it(
    train: str, told: Callable[..., ParameterTimeline | None]
) -> None:
    found = told(net=NET, train=train)
    assert found is None or found.coverage is Coverage.UNKNOWN


@pytest.mark.parametrize(
    "train",
    [
        SEEN.replace("self.start()", "self.train()") + "\ndef main(options):\n    options.made = {'net': Net}\n",
        GIVEN + "\ndef main(model):\n    start(model)\n    print(isinstance(model, Net))\n",
        "from net import Net\ndef main(options):\n    options.made = {'net': Net}[options.name]\n",
    ],
)
def test_it_is_raw_where_nothing_that_is_called_could_be_given_the_class(
    train: str, told: Callable[..., ParameterTimeline | None]
) -> None:
    found = told(net=NET, train=train)
    assert found is not None and found.coverage is Coverage.NEVER


HANDED = """
from layer import Layer
from others import Trainer, compute

class Method:
    def __init__(self, weight):
        self.weight = weight

    def fit(self, model, data):
        assert isinstance(model, Layer)
        data.zero_()
"""


@pytest.mark.parametrize(
    ("body", "coverage"),
    [
        ("Trainer(max_epochs=3).fit(model, scaled(self.weight))", Coverage.NEVER),
        ("copy = scaled(weight=self.weight)\n        compute(copy, model=model)", Coverage.NEVER),
        ("report([self.weight, 1])\n        trained = Trainer().run([model])\n        return trained", Coverage.NEVER),
        ("compute(model.weight)", Coverage.UNKNOWN),
        ("Trainer().fit(model)\n        compute(model.weight, data)", Coverage.UNKNOWN),
        ("compute([model.weight], like=self.weight)", Coverage.UNKNOWN),
    ],
)
def test_a_method_that_trains_a_model_hands_on_no_parameter_of_the_same_name(
    body: str, coverage: Coverage, told: Callable[..., ParameterTimeline | None]
) -> None:
    method = HANDED + f"        {body}\n"
    found = told(net=NET, method=method, main="from method import Method\nMethod(3).fit(None, None)\n")
    assert found is not None and found.coverage is coverage


def test_a_function_that_builds_the_class_is_not_the_class(
    analyzed: Callable[..., dict[str, Observation]],
) -> None:
    start = GIVEN.replace("from net import Net", "from layer import Layer")
    train = (
        start
        + "\ndef train():\n    return Layer(3, 'sum')\n\ndef main(model):\n    print(timed(train))\n    start(model)\n"
    )
    (found,) = analyzed(layer=CHOICE, train=train)["layer"].parameters
    assert found.coverage is Coverage.NEVER


def test_a_walk_over_children_misses_what_the_model_has_itself(
    analyzed: Callable[..., dict[str, Observation]],
) -> None:
    own = NET + "        self.own = nn.Parameter(torch.empty(n))\n"
    train = (
        SEEN + "\ndef main(options):\n    options.made = {'net': Net}[options.name]\n    Instructor(options).run()\n"
    )
    seen = analyzed(layer=LAYER, net=own, train=train)
    (found,) = seen["net"].parameters
    assert (found.name, found.coverage) == ("own", Coverage.NEVER)


BUILT = (
    "from layer import Layer\nfrom configured import read\n"
    + FILLS.replace("for p in model.parameters()", "for m in model.modules()").replace(
        "nn.init.xavier_uniform_(p)", "if isinstance(m, Layer):\n            m.weight.data.normal_()"
    )
    + """
def create(kind, n):
    return Layer(n) if kind == "layer" else nn.Linear(n, n)

class Net(nn.Module):
    def __init__(self, path):
        super().__init__()
"""
)


@pytest.mark.parametrize(
    "body",
    [
        "        self.blocks = nn.Sequential(*read(path, create))\n        fill(self)\n",
        "        for name, block in read(path, create).items():\n            self.add_module(name, block)\n"
        "        self.reset()\n\n    def reset(self):\n        fill(self)\n",
        "        self.stem, self.blocks = read(path, create), nn.ModuleList()\n"
        "        self.blocks.extend(read(path, create))\n        fill(model=self)\n",
    ],
)
def test_what_others_put_into_a_model_that_it_initializes_may_be_the_class(
    body: str, told: Callable[..., ParameterTimeline | None]
) -> None:
    found = told(net=BUILT + body)
    assert found is None or found.coverage is Coverage.UNKNOWN
    found = told(net=BUILT + body.replace("fill(self)", "pass").replace("fill(model=self)", "pass"))
    assert found is not None
    assert found.coverage is Coverage.NEVER


ROUTER = """
class Other(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.lin = nn.Linear(n, n)

    def reset_parameters(self):
        nn.init.zeros_(self.lin.weight)

class Router(Other):
    def __init__(self, n, given=None):
        super().__init__(n)
        {part}
        self.weight = nn.Parameter(torch.empty(n, n))

    def reset_parameters(self):
        {call}.reset_parameters()
        nn.init.normal_(self.weight)
"""


@pytest.mark.parametrize(
    ("part", "call", "coverage"),
    [
        ("self.part = nn.Linear(n, n)", "self.part", Coverage.NEVER),
        ("self.part = torch.nn.LayerNorm(normalized_shape=n)", "self.part", Coverage.NEVER),
        ("pass", "self.lin", Coverage.NEVER),
        ("pass", "super()", Coverage.NEVER),
        ("self.part = given", "self.part", Coverage.UNKNOWN),
        ("self.part = Other(n)", "self.part", Coverage.UNKNOWN),
        ("self.part = nn.Linear(n, n) if n else given", "self.part", Coverage.UNKNOWN),
    ],
)
def test_a_method_that_calls_that_of_a_layer_of_torch_is_not_called_by_it(
    part: str, call: str, coverage: Coverage, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(net=ROUTER.format(part=part, call=call))["net"]
    raw = [each.coverage for each in seen.parameters if each.name == "weight"]
    assert raw == [coverage]


def test_the_option_is_named(told: Callable[..., ParameterTimeline | None]) -> None:
    train = "from net import Net\ndef main(args):\n    net = Net(3)\n    if args.init:\n"
    train += "        for p in net.parameters():\n            nn.init.zeros_(p)\n"
    found = told(net=NET, train=train)
    assert found is not None
    assert (found.coverage, found.only, found.gap) == (Coverage.PARTIAL, Only.OPTION, "only if args.init")


def test_of_an_option_that_is_long_to_tell_a_part_is_told(told: Callable[..., ParameterTimeline | None]) -> None:
    longer = " and ".join(f"args.{'long' * 25}_{number} == 'something'" for number in range(3))
    train = f"from net import Net\ndef main(args):\n    net = Net(3)\n    if args.init and {longer}:\n"
    train += "        for p in net.parameters():\n            nn.init.zeros_(p)\n"
    found = told(net=NET, train=train)
    assert found is not None
    assert (found.only, found.gap) == (Only.OPTION, "only if args.init")
    found = told(net=NET, train=train.replace("args.init and ", ""))
    assert found is not None
    assert (found.only, found.gap) == (Only.OPTION, "only under some options")


def test_an_option_that_also_decides_whether_it_is_built_is_none(
    told: Callable[..., ParameterTimeline | None],
) -> None:
    train = "from net import Net\ndef main(args):\n    if args.net:\n        net = Net(3)\n"
    train += "        for p in net.parameters():\n            nn.init.zeros_(p)\n"
    assert told(net=NET, train=train) is None


def test_a_class_that_some_programs_initialize_is_told(told: Callable[..., ParameterTimeline | None]) -> None:
    first = "from net import Net\nnet = Net(3)\nnet.train()\nfor p in net.parameters():\n    nn.init.zeros_(p)\n"
    second = "from net import Net\nnet = Net(3)\nnet.train()\n"
    found = told(net=NET, first=first, second=second)
    assert found is not None
    assert (found.coverage, found.only) == (Coverage.PARTIAL, Only.SOME)


def test_a_class_that_a_checkpoint_always_fills_is_noted(told: Callable[..., ParameterTimeline | None]) -> None:
    found = told(net=NET, serve="from net import Net\nnet = Net(3)\nnet.load_state_dict(torch.load('net.pt'))\n")
    assert found is not None
    assert found.only is Only.CHECKPOINT


TRAINER = (
    NET
    + """
class Trainer:
    def __init__(self, n):
        self.net = Net(n)

    def resume(self, path):
        self.net.load_state_dict(torch.load(path))
"""
)


@pytest.mark.parametrize(
    ("more", "only"),
    [
        ("", Only.CHECKPOINT),
        ("\n    def predict(self, x):\n        return self.net(x)\n", Only.CHECKPOINT),
        ("\n    def train_step(self, x):\n        self.net(x).sum().backward()\n", None),
        ("\n    def prepare(self):\n        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.1)\n", None),
    ],
)
def test_a_class_that_trains_a_model_may_load_one_and_need_not(
    more: str, only: Only | None, told: Callable[..., ParameterTimeline | None]
) -> None:
    found = told(net=TRAINER + more)
    assert found is not None
    assert (found.coverage, found.only) == (Coverage.NEVER, only)


OWN = "from net import Net\nimport copy\n\ndef main(data):\n    net = Net(3)\n"
BEST = "    for x in data:\n        net(x).backward()\n        if x.best:\n            best = {}\n"


@pytest.mark.parametrize(
    ("main", "only"),
    [
        (OWN + BEST.format("copy.deepcopy(net.state_dict())") + "    net.load_state_dict(best)\n", None),
        (
            OWN + "    best = net.state_dict()\n    net(data).backward()\n    net.load_state_dict(best, strict=True)\n",
            None,
        ),
        (
            OWN + "    best = None\n" + BEST.format("net.state_dict().copy()") + "    net.load_state_dict(best)\n",
            None,
        ),
        (OWN + "    best = torch.load(data)\n    net.load_state_dict(best)\n", Only.CHECKPOINT),
        (
            OWN + "    its = fetch(data)\n    net.load_state_dict(copy.deepcopy(its.state_dict()))\n",
            Only.CHECKPOINT,
        ),
        (
            OWN + "    best = net.state_dict()\n    best.update(torch.load(data))\n    net.load_state_dict(best)\n",
            Only.CHECKPOINT,
        ),
        (
            OWN + "    best = torch.load(data) if data else net.state_dict()\n    net.load_state_dict(best)\n",
            Only.CHECKPOINT,
        ),
    ],
)
def test_a_model_that_gets_its_own_values_back_is_not_loaded(
    main: str, only: Only | None, told: Callable[..., ParameterTimeline | None]
) -> None:
    found = told(net=NET, main=main + "\nmain(1)\n")
    assert found is not None and found.coverage is Coverage.NEVER
    assert found.only is only


def test_a_class_that_only_tests_build_is_noted(told: Callable[..., ParameterTimeline | None]) -> None:
    found = told(test_layer="from layer import Layer\ndef test_it():\n    assert Layer(3)(torch.ones(3)) is not None\n")
    assert found is not None
    assert found.only is Only.TESTS


TESTED = "def test_it():\n    assert Layer(3)(torch.ones(3)) is not None\n"


@pytest.mark.parametrize(
    ("package", "only"),
    [
        ({"pkg/__init__": "from .layer import Layer\n"}, None),
        ({"pkg/__init__": "from pkg.layer import Layer as Public\n"}, None),
        ({"pkg/__init__": "from .layer import *\n"}, None),
        ({"pkg/__init__": ""}, Only.TESTS),
        ({"pkg/__init__": "", "pkg/tests/__init__": "from pkg.layer import Layer\n"}, Only.TESTS),
    ],
)
def test_what_a_package_offers_to_others_is_built_by_them(
    package: dict[str, str], only: Only | None, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    files = {"pkg/layer": LAYER, "pkg/test_layer": f"from pkg.layer import Layer\n{TESTED}", **package}
    (found,) = analyzed(**files)["layer"].parameters
    assert (found.coverage, found.only) == (Coverage.NEVER, only)


def test_a_try_in_the_file_of_the_class_is_no_program_where_there_is_one(
    told: Callable[..., ParameterTimeline | None],
) -> None:
    tries = NET + "\nif __name__ == '__main__':\n    print(Net(3))\n"
    train = "from net import Net\nnet = Net(3)\nfor p in net.parameters():\n    nn.init.zeros_(p)\n"
    assert told(net=tries, train=train) is None


@pytest.mark.parametrize(
    "line",
    [
        "from net import Net",
        "from net import (\n        Net,\n    )",
        "from net import \\\n        Net",
        "from net \\\n        import (  # the model\n        Net\n    )",
    ],
)
def test_an_import_in_a_function_is_followed_however_it_is_laid_out(line: str, tmp_path: Path) -> None:
    raw = "nn.Parameter(torch.empty(n))"
    net = f"class Net(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n        self.w = {raw}\n"
    (tmp_path / "net.py").write_text(f"import torch\nfrom torch import nn\n\n\n{net}", encoding="utf-8")
    main = f"def main():\n    {line}\n    net = Net(3)\n    nn.init.zeros_(net.w)\n    return net\n\n\nmain()\n"
    (tmp_path / "train.py").write_text(f"from torch import nn\n\n\n{main}", encoding="utf-8")
    flags = ["--isolated", "--no-cache", "--output-format", "json"]
    outcome = CliRunner().invoke(cli.main, ["check", str(tmp_path / "net.py"), str(tmp_path / "train.py"), *flags])
    assert outcome.stdout.strip() == "[]"


def test_a_notebook_is_told_by_the_cell_that_builds_the_class(tmp_path: Path) -> None:
    layer = f"import torch\nfrom torch import nn\n{LAYER}"
    sources = ["1 + 1", layer, "x = 1", "\n\nnet = Layer(3)\nnet.train()"]
    cells = [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]
    (tmp_path / "net.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}), encoding="utf-8")
    flags = ["--isolated", "--no-cache", "--output-format", "json"]
    (found,) = json.loads(CliRunner().invoke(cli.main, ["check", str(tmp_path), *flags]).stdout)
    assert (found["code"], found["cell"]) == ("INI101", 2)
    assert "(built at net.ipynb, cell 4, line 3)" in found["message"]


@pytest.mark.parametrize(
    ("layer", "train", "named"),
    [
        ("layer.py", "train.py", "train.py:2"),
        ("app/layer.py", "scripts/train.py", "scripts/train.py:2"),
        ("app/nets/layer.py", "app/train.py", "train.py:2"),
        ("app/nets/layer.py", "app/jobs/all/train.py", "jobs/all/train.py:2"),
    ],
)
def test_a_program_is_named_from_the_folder_that_holds_it_and_the_class(
    layer: str, train: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = layer.removesuffix(".py").replace("/", ".")
    program = f"from {module} import Layer\nnet = Layer(3)\nnet(torch.ones(3)).sum().backward()\n"
    for name, text in ((layer, f"import torch\nfrom torch import nn\n{LAYER}"), (train, program)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / layer).with_name("__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    for target in (layer, str(tmp_path / layer)):
        ran = CliRunner().invoke(cli.main, [target, "--isolated", "--no-cache", "--output-format", "json"])
        (found,) = json.loads(ran.stdout)
        assert f"(built at {named})" in found["message"]


@pytest.mark.parametrize(
    ("names", "end"),
    [
        ("a", ""),
        ("ab", "; also `b`"),
        ("abcde", "; also `b`, `c`, `d`, `e`"),
        ("abcdefgh", "; also `b`, `c`, `d`, `e` and 3 more"),
    ],
)
@pytest.mark.parametrize("form", ["concise", "github", "markdown", "json-lines"])
def test_one_finding_about_several_parameters_names_them_in_every_format(
    names: str, end: str, form: str, tmp_path: Path
) -> None:
    body = "".join(f"        self.{name} = nn.Parameter(torch.empty(n))\n" for name in names)
    head = "import torch\nfrom torch import nn\n\nclass Layer(nn.Module):\n    def __init__(self, n):\n"
    program = "from layer import Layer\nnet = Layer(3)\nnet(torch.ones(3)).sum().backward()\n"
    (tmp_path / "layer.py").write_text(f"{head}        super().__init__()\n{body}", encoding="utf-8")
    (tmp_path / "train.py").write_text(program, encoding="utf-8")
    ran = CliRunner().invoke(cli.main, [str(tmp_path), "--isolated", "--no-cache", "--output-format", form])
    assert ran.stdout.count("; also `") == bool(end)
    assert end in ran.stdout
