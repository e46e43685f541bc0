"""Programs that find a class by a computed name: in a module, among names, in a registry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.observation import Observation
from initaudit.timeline import Coverage

NET = """
class Net(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))

    def forward(self, x):
        return x @ self.weight
"""
FILL = "    for p in net.parameters():\n        nn.init.normal_(p, std=0.02)\n"
RUN = "\nif __name__ == '__main__':\n    build('Net')\n"
REGISTRY = "NETS = {}\n\ndef register(cls):\n    NETS[cls.__name__] = cls\n    return cls\n\n@register"
NAMED = (
    "NETS = {}\n\ndef register(name):\n    def put(cls):\n        NETS[name] = cls\n        return cls\n"
    "    return put\n\n"
)


def building(found: str, imports: str = "import nets\n", then: str = FILL) -> str:
    return f"{imports}def build(name):\n    net = {found}\n{then}    return net\n{RUN}"


INITIALIZED = {
    "an attribute of a module": {"train": building("getattr(nets, name)()")},
    "the dictionary of a module": {"train": building("nets.__dict__[name](3)")},
    "the names of a file": {"train": building("globals()[name]()", "from nets import *\n")},
    "code": {"train": building("eval(name)(n=3)", "from nets import Net\n")},
    "a name that is bound": {
        "train": building("kind(3).cuda()", then=FILL).replace("    net =", "    kind = getattr(nets, name)\n    net =")
    },
    "a decorator": {"nets": REGISTRY + NET, "train": building("NETS[name]()", "from nets import NETS\n")},
    "a decorator with a name": {
        "nets": NAMED + "@register('Net')" + NET,
        "train": building("NETS[name](n=3)", "from nets import NETS\n"),
    },
    "a registry that a subclass enters": {
        "nets": "class Base(nn.Module):\n    kinds = {}\n\n    def __init_subclass__(cls):\n"
        "        Base.kinds[cls.__name__] = cls\n\n" + NET.replace("nn.Module", "Base"),
        "train": building("Base.kinds[name]()", "from nets import Base\n"),
    },
    "a function that another calls": {
        "nets": REGISTRY + NET + "\ndef create(name, **how):\n    return NETS[name](**how)\n",
        "train": building("create(name, n=3)", "from nets import create\n"),
    },
    "an initializer of a function's own": {
        "train": "import nets\n\ndef fill(net):\n"
        + FILL
        + "\ndef main(args):\n    kind = getattr(nets, args.arch)\n    net = kind(args.n).to(args.device)\n"
        "    fill(net)\n    return net\n\nif __name__ == '__main__':\n    main(parse())\n"
    },
    "a script": {
        "train": "import sys\nimport nets\nnet = getattr(nets, sys.argv[1])(3)\nfor p in net.parameters():\n"
        "    p.data.uniform_(-0.1, 0.1)\n"
    },
    "what is applied": {
        "train": building("vars(nets)[name]()", then="    net.apply(fill)\n")
        + "\ndef fill(m):\n    if hasattr(m, 'weight'):\n        nn.init.zeros_(m.weight)\n"
    },
}
RAW = {
    "nothing initializes it": {"train": building("getattr(nets, name)()", then="    net.train()\n")},
    "nothing calls what initializes it": {"train": building("getattr(nets, name)()").removesuffix(RUN)},
    "another model is initialized": {
        "train": building("getattr(nets, name)()", then="    head = nn.Linear(3, 4)\n" + FILL.replace("net.", "head."))
    },
    "what is found is an activation": {
        "train": "from nets import Net\nACTS = {'relu': nn.ReLU, 'gelu': nn.GELU}\n\ndef head(name):\n"
        "    act = ACTS[name]()\n    out = nn.Linear(3, 4)\n    for p in out.parameters():\n        nn.init.zeros_(p)\n"
        "    return nn.Sequential(act, out)\n\ndef main():\n    net = Net()\n    net(head('relu'))\n\nmain()\n"
    },
    "only a test finds it": {"test_nets": building("getattr(nets, name)()"), "train": "from nets import Net\nNet(3)\n"},
}


@pytest.mark.parametrize("files", INITIALIZED.values(), ids=INITIALIZED)
def test_it_is_not_accused_where_a_program_finds_and_initializes_it_by(
    files: dict[str, str], analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(**{"nets": NET, **files})["nets"]
    assert [each.coverage for each in seen.parameters if each.coverage is Coverage.NEVER] == []


@pytest.mark.parametrize("files", RAW.values(), ids=RAW)
def test_it_is_raw_where(files: dict[str, str], analyzed: Callable[..., dict[str, Observation]]) -> None:
    seen = analyzed(**{"nets": NET, **files})["nets"]
    assert [each.coverage for each in seen.parameters] == [Coverage.NEVER]


@pytest.mark.parametrize("kind", ["lightning", "pytorch_lightning", "lightning.pytorch"])
@pytest.mark.parametrize(
    "hook",
    ["setup(self, stage)", "configure_model(self)", "on_fit_start(self)", "on_train_start(self)", "prepare_data(self)"],
)
@pytest.mark.parametrize("use", ["Trainer().fit(Task(), data)", "CLI(Task)"])
def test_what_a_framework_calls_before_the_first_step_initializes(
    kind: str, hook: str, use: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    train = f"""
        import {kind} as pl
        from nets import Net

        class Task(pl.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = Net()

            def {hook}:
                nn.init.xavier_uniform_(self.net.weight)

            def training_step(self, batch, index):
                return self.net(batch).sum()

        {use}
    """
    assert [each.coverage for each in analyzed(nets=NET, train=train)["nets"].parameters] == []


@pytest.mark.parametrize("name", ["start(self)", "validation_step(self, batch, index)"])
def test_what_no_framework_calls_before_the_first_step_initializes_nothing(
    name: str, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    train = f"""
        import lightning as L
        from nets import Net

        class Task(L.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = Net()

            def {name}:
                nn.init.xavier_uniform_(self.net.weight)

        L.Trainer().fit(Task(), data)
    """
    assert [each.coverage for each in analyzed(nets=NET, train=train)["nets"].parameters] == [Coverage.NEVER]


USED = "from nets import Used\n\nmodel = Used()\n{}\nprint(model(torch.ones(1, 4)))\n"
BESIDE = NET + "\nclass Used(nn.Linear):\n    def __init__(self):\n        super().__init__(4, 4)\n"


@pytest.mark.parametrize(
    "line",
    [
        "model.eval()",
        "torch.compile(model).eval()",
        "kind = getattr(torch.optim, name)",
        "kind = getattr(nn, name)()",
        "print(vars(args))",
        "given = {**vars(model.args), 'n': 4}",
        "for key, value in vars(parser.parse_args()).items():\n    print(key)",
        "loss = eval(args.loss)()",
        "loss = globals()[args.loss]()",
        "from torchvision import models\nencoder = models.__dict__[args.encoder]()",
        "from torchvision.models import *\nencoder = eval(args.encoder)()",
    ],
)
def test_a_program_builds_no_other_class_by(line: str, unbuilt: Callable[..., bool]) -> None:
    assert unbuilt(nets=BESIDE, train=USED.format(line))


@pytest.mark.parametrize(
    "line",
    ["other = eval(name)()", "other = builtins.eval(name)()", "other = getattr(nets, name)()", "all = globals()"],
)
def test_a_program_may_build_any_class_by(line: str, unbuilt: Callable[..., bool]) -> None:
    assert not unbuilt(nets=BESIDE, train="import builtins, nets\n" + USED.format(line))


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("importlib.import_module('nets')", False),
        ("importlib.import_module(f'ne{folder}')", False),
        ("importlib.import_module(f'{folder}.nets')", False),
        ("importlib.import_module('.' + folder, __package__)", False),
        ("importlib.import_module(f'models.{folder}')", True),
        ("importlib.import_module('models.{}'.format(folder))", True),
        ("importlib.import_module('models.' + folder)", True),
        ("__import__(folder)", False),
        ("importlib.import_module('tasks')", True),
        ("importlib.import_module('torch.optim')", True),
    ],
)
def test_what_another_file_imports_by_a_text_may_build_any_class(
    text: str, never: bool, unbuilt: Callable[..., bool]
) -> None:
    load = f"import importlib\n\ndef load(folder, name):\n    return getattr({text}, name)()\n"
    assert unbuilt(nets=BESIDE, load=load, train=USED.format("other = load.load(*sys.argv)")) is never


@pytest.mark.parametrize(
    "line", ["import nets", "import nets as n", "from nets import *", "from nets import Net", "from nowhere import *"]
)
def test_code_in_a_text_may_build_what_its_file_imports(line: str, unbuilt: Callable[..., bool]) -> None:
    assert not unbuilt(nets=BESIDE, train=f"{line}\n" + USED.format("other = eval(name)()"))


BASE = NET.replace("class Net", "class Quantized").replace(
    "    def forward(self, x):\n        return x @ self.weight\n", ""
)
SETS = """
class Layer({base}):
    def forward(self, x):
        if self.training:
            self.weight.data.copy_(x.abs().mean())
        return x @ self.weight
"""


@pytest.mark.parametrize(
    ("imported", "base", "coverage"),
    [
        ("from models.modules import Quantized", "Quantized", Coverage.UNKNOWN),
        ("from .modules import Quantized, other", "Quantized", Coverage.UNKNOWN),
        ("from nets import Quantized", "Quantized", None),  # the forward of the subclass writes it
        ("from torch.nn import Quantized", "Quantized", Coverage.NEVER),
        ("from models.modules import Quantized", "nn.Module", Coverage.NEVER),
    ],
)
def test_of_a_class_that_another_file_derives_from_by_a_path_that_leads_nowhere_nothing_is_known(
    imported: str, base: str, coverage: Coverage | None, analyzed: Callable[..., dict[str, Observation]]
) -> None:
    seen = analyzed(nets=BASE, layers=f"{imported}\n{SETS.format(base=base)}").get("nets")
    found = [each.coverage for each in seen.parameters] if seen is not None else []
    assert found == ([coverage] if coverage is not None else [])
