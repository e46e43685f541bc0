"""Small random projects: a package, a script that builds its model, and whatever initializes it, or does not."""

from __future__ import annotations

import random
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from initaudit.analyzer import analyze
from initaudit.observation import Question
from initaudit.timeline import Coverage

PARAMETERS = frozenset({Question("ParameterTimeline")})
NAMES = ("weight", "bias")
HEAD = "import torch\nfrom torch import nn\n"
OWN = {
    "nothing": "",
    "weight": "        nn.init.xavier_uniform_(self.weight)\n",
    "both": "        self.reset_parameters()\n",
}
HOLDERS = ("attribute", "sequential", "list", "subclass", "wrapped", "none")
FACTORIES = ("none", "plain", "initializing", "registry")
WRITERS = (
    "nothing",
    "loop",
    "matrices",
    "modules",
    "apply",
    "replace",
    "named",
    "data",
    "helper",
    "uncalled",
    "other model",
    "checkpoint",
    "method",
)
PLACES = ("top", "main", "function", "trainer")


class Plan(NamedTuple):
    """What a project is made of. ``option`` says that what initializes is called under an option only."""

    own: str
    holder: str
    factory: str
    writer: str
    place: str
    option: bool

    @classmethod
    def draw(cls, dice: random.Random) -> Plan:
        return cls(
            dice.choice(tuple(OWN)),
            dice.choice(HOLDERS),
            dice.choice(FACTORIES),
            dice.choice(WRITERS),
            dice.choice(PLACES),
            dice.random() < 0.25,
        )


def files(plan: Plan) -> dict[str, str]:
    """The files of a project, by name."""
    layer = (
        f"{HEAD}\nclass Layer(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.n = n\n        self.weight = nn.Parameter(torch.empty(n, n))\n"
        f"        self.bias = nn.Parameter(torch.empty(n))\n{OWN[plan.own]}\n"
        "    def reset_parameters(self):\n        nn.init.xavier_uniform_(self.weight)\n"
        "        nn.init.zeros_(self.bias)\n\n"
        "    def forward(self, x):\n        return x @ self.weight + self.bias\n"
    )
    body = {
        "attribute": "        self.inner = Layer(n)\n",
        "sequential": "        self.inner = nn.Sequential(Layer(n), nn.ReLU())\n",
        "list": "        self.inner = nn.ModuleList([Layer(n) for _ in range(2)])\n",
        "wrapped": "        self.inner = nn.ModuleDict({'layer': nn.Sequential(Layer(n))})\n",
    }
    model, made = f"{HEAD}from layers import Layer\n", "Net(3)"
    if plan.holder in body:
        model += "\nclass Net(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n" + body[plan.holder]
    elif plan.holder == "subclass":
        model += (
            "\nclass Net(Layer):\n    def __init__(self, n):\n        super().__init__(n)\n        self.extra = 1\n"
        )
    else:
        model += "\nNet = Layer\n"
    if plan.factory == "registry":
        model += "\nMODELS = {'net': Net}\n\ndef create(name='net'):\n    return MODELS[name](3)\n"
    elif plan.factory != "none":
        fill = "    for p in net.parameters():\n        nn.init.normal_(p)\n" if plan.factory == "initializing" else ""
        model += f"\ndef create():\n    net = Net(3)\n{fill}    return net\n"
    made = "Net(3)" if plan.factory == "none" else "create()"
    tools = (
        f"{HEAD}from layers import Layer\n\ndef fill(model):\n    for p in model.parameters():\n"
        "        nn.init.uniform_(p)\n\n"
        "def visit(m):\n    if isinstance(m, Layer):\n        m.reset_parameters()\n\n"
        "def replace(m):\n    if isinstance(m, Layer):\n        m.weight = nn.Parameter(torch.ones(m.n, m.n))\n"
        "        m.bias = nn.Parameter(torch.zeros(m.n))\n"
    )
    return {"layers.py": layer, "model.py": model, "tools.py": tools, "train.py": _script(plan, made)}


def _script(plan: Plan, made: str) -> str:
    writes = {
        "nothing": "",
        "loop": "for p in net.parameters():\n    nn.init.normal_(p)\n",
        "matrices": "for p in net.parameters():\n    if p.dim() > 1:\n        nn.init.xavier_uniform_(p)\n",
        "modules": "for m in net.modules():\n    if isinstance(m, Layer):\n        m.weight.data.normal_()\n",
        "apply": "net.apply(visit)\n",
        "replace": "net.apply(replace)\n",
        "named": "for name, p in net.named_parameters():\n    if 'bias' in name:\n        p.data.zero_()\n",
        "data": "for p in net.parameters():\n    p.data = torch.zeros_like(p.data)\n",
        "helper": "fill(net)\n",
        "uncalled": "",
        "other model": "fill(nn.Linear(3, 3))\n",
        "checkpoint": "net.load_state_dict({k: torch.zeros_like(v) for k, v in net.state_dict().items()})\n",
        "method": "for m in net.modules():\n    if hasattr(m, 'reset_parameters'):\n        m.reset_parameters()\n",
    }[plan.writer]
    if plan.option and writes:
        writes = "if args.init:\n" + _indented(writes)
    imported = "from model import Net\n" if made == "Net(3)" else "from model import create\n"
    head = f"import sys\n{HEAD}from types import SimpleNamespace\nfrom layers import Layer\n{imported}"
    head += "from tools import fill, replace, visit\n\nargs = SimpleNamespace(init=len(sys.argv) > 1)\n"
    use = "optimizer = torch.optim.SGD(net.parameters(), lr=0.0)\n"
    body = f"net = {made}\n{writes}{use}"
    match plan.place:
        case "main":
            return f"{head}\nif __name__ == '__main__':\n{_indented(body)}"
        case "function":
            return f"{head}\ndef main(args):\n{_indented(body)}    return net\n\nnet = main(args)\n"
        case "trainer":
            first = f"self.net = {made}\n"
            then = _indented("net = self.net\n" + writes + use, 2)
            made = f"{_indented(first, 2)}        self.prepare(args)\n\n"
            return (
                f"{head}\nclass Trainer:\n    def __init__(self, args):\n{made}"
                f"    def prepare(self, args):\n{then}\nnet = Trainer(args).net\n"
            )
        case _:
            return f"{head}\n{body}"


def _indented(code: str, levels: int = 1) -> str:
    return "".join(f"{'    ' * levels}{line}\n" for line in code.splitlines())


def written_to(plan: Plan, folder: Path) -> None:
    for name, source in files(plan).items():
        (folder / name).write_text(source, encoding="utf-8")


def decided(folder: Path) -> dict[str, Coverage]:
    """What the analyzer decides about each parameter of the layer; one of which it says nothing is written."""
    verdicts = dict.fromkeys(NAMES, Coverage.WRITTEN)
    for observation in analyze([str(folder / "layers.py")], questions=PARAMETERS, jobs=1):
        verdicts |= {one.name: one.coverage for one in observation.parameters if one.name in NAMES}
    return verdicts


def run(folder: Path) -> Iterator[dict[str, bool]]:
    """Whether each parameter of the layers is written once the script has run, without and with the option."""
    from initaudit.probe.record.poison import judge

    for arguments in ([], ["--init"]):
        script = str(folder / "train.py")

        def build(script: str = script, arguments: list[str] = arguments) -> object:
            before, sys.argv = sys.argv, [script, *arguments]
            sys.path.insert(0, str(folder))
            try:
                return runpy.run_path(script, run_name="__main__")["net"]
            finally:
                sys.argv = before
                sys.path.remove(str(folder))
                for name in ("layers", "model", "tools"):
                    sys.modules.pop(name, None)

        verdict = judge(build, seed=0)  # type: ignore[arg-type]  # the script says what it is
        assert verdict.failure is None
        yield {
            name: not any(bool(raw.any()) for path, raw in verdict.depends.items() if path.rpartition(".")[2] == name)
            for name in NAMES
        }


def expected(runs: list[dict[str, bool]], name: str, plan: Plan) -> set[Coverage]:
    """The answers that do not contradict the runs. What a checkpoint always fills is told as raw until then."""
    written = [each[name] for each in runs]
    if not all(written):
        return {Coverage.PARTIAL if any(written) else Coverage.NEVER, Coverage.UNKNOWN}
    loaded = {Coverage.NEVER} if plan.writer == "checkpoint" and not plan.option else set()
    return {Coverage.WRITTEN, Coverage.UNKNOWN, *loaded}
