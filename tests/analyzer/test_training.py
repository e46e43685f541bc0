"""What a program writes into a model after it has trained it does not initialize it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initaudit.analyzer.programs import verdict
from initaudit.observation import Observation
from initaudit.timeline import Coverage, Only, ParameterTimeline

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.empty(3, 4))

    def forward(self, x):
        return x @ self.w
"""
STEP = """
def train(net, data, optimizer):
    for x in data:
        if x is None:
            continue
        optimizer.zero_grad()
        net(x).sum().backward()
        optimizer.step()
"""
TRAINED = {
    "the best state is loaded from a file": """
        def main(data):
            net = Net()
            train(net, data, torch.optim.SGD(net.parameters(), 0.1))
            net.load_state_dict(torch.load("best.pt"))

        main([torch.ones(2, 3)])
    """,
    "only what needs a gradient is trained, in one phase of two": """
        net = Net()
        optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, net.parameters()))
        for phase in ("train", "val"):
            for x in [torch.ones(2, 3)]:
                loss = net(x).sum()
                if phase == "train":
                    loss.backward()
                    optimizer.step()
        checkpoint = torch.load("best.pt")
        net.load_state_dict(checkpoint["model"])
    """,
    "an object trains it, and loads by another method": """
        class Runner:
            def __init__(self):
                self.net = Net()
                self.optimizer = torch.optim.AdamW([{"params": self.net.parameters()}])

            def fit(self, data):
                for x in data:
                    self.net(x).sum().backward()
                    self.optimizer.step()

            def best(self):
                self.net.load_state_dict(torch.load("best.pt"))

        runner = Runner()
        runner.fit([torch.ones(2, 3)])
        runner.best()
    """,
    "another model of the class gets the file": """
        net = Net()
        train(net, [torch.ones(2, 3)], torch.optim.SGD(net.parameters(), 0.1))
        other = Net()
        other.load_state_dict(torch.load("best.pt"))
    """,
    "averages are copied in, and taken out again": """
        class Averages:
            def __init__(self, model):
                self.model = model
                self.shadow = {name: p.data.clone() for name, p in model.named_parameters()}
                self.backup = {}

            def apply(self):
                for name, p in self.model.named_parameters():
                    self.backup[name] = p.data
                    p.data = self.shadow[name]

            def restore(self):
                for name, p in self.model.named_parameters():
                    p.data = self.backup[name]

        net = Net()
        averages = Averages(net)
        train(net, [torch.ones(2, 3)], torch.optim.SGD(net.parameters(), 0.1))
        averages.apply()
        averages.restore()
    """,
}
LOADED = {
    "a checkpoint is loaded before and after": """
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        net.load_state_dict(torch.load("pretrained.pt"))
        train(net, [torch.ones(2, 3)], optimizer)
        net.load_state_dict(torch.load("best.pt"))
    """,
    "nothing is trained": """
        net = Net()
        net.load_state_dict(torch.load("best.pt"))
        print(net(torch.ones(2, 3)))
    """,
    "another model is trained first": """
        net, first = Net(), nn.Linear(3, 3)
        train(first, [torch.ones(2, 3)], torch.optim.SGD(first.parameters(), 0.1))
        net.load_state_dict(torch.load("pretrained.pt"))
        train(net, [torch.ones(2, 3)], torch.optim.SGD(net.parameters(), 0.1))
    """,
}
AVERAGED = """
class Averaged(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()
        self.average = [p.data.clone() for p in self.parameters()]

    def forward(self, x):
        return self.net(x)

    def use_average(self):
        for p, average in zip(self.parameters(), self.average):
            p.data.copy_(average)

model = Averaged()
model(torch.ones(2, 3)).sum().backward()
model.use_average()
"""


@pytest.mark.parametrize("program", TRAINED.values(), ids=TRAINED)
def test_what_is_loaded_after_training_was_raw_before(
    analyzed: Callable[..., dict[str, Observation]], program: str
) -> None:
    (found,) = _parameters(analyzed, program)
    assert (found.coverage, found.only) == (Coverage.NEVER, None)


@pytest.mark.parametrize("program", LOADED.values(), ids=LOADED)
def test_what_is_loaded_before_training_is_a_checkpoint(
    analyzed: Callable[..., dict[str, Observation]], program: str
) -> None:
    (found,) = _parameters(analyzed, program)
    assert found.only is Only.CHECKPOINT


def test_an_initializer_counts_while_another_model_has_been_trained(unwritten: Callable[..., set[str]]) -> None:
    program = """
        net, first = Net(), nn.Linear(3, 3)
        optimizer = torch.optim.SGD(first.parameters(), 0.1)
        first(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        nn.init.xavier_uniform_(net.w)
        train(net, [torch.ones(2, 3)], torch.optim.SGD(net.parameters(), 0.1))
    """
    assert not unwritten(net=NET + STEP, main=_main(program))


def test_a_method_that_copies_averages_into_its_model_is_no_initializer(unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(model=NET + AVERAGED) == {"w"}


def _main(program: str) -> str:
    lines = program.splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "from net import Net, train\n" + "\n".join(line[margin:] for line in lines)


def _parameters(analyzed: Callable[..., dict[str, Observation]], program: str) -> list[ParameterTimeline]:
    return list(analyzed(net=NET + STEP, main=_main(program))["net"].parameters)


HANDED_ON = {
    "an object builds and trains it": """
        class Runner:
            def fit(self, data):
                self.net = Net()
                train(self.net, data, torch.optim.SGD(self.net.parameters(), 0.1))

        other.load(Runner().fit([torch.ones(2, 3)]))
    """,
    "a function builds and trains it": """
        def run(data):
            net = Net()
            train(net, data, torch.optim.SGD(net.parameters(), 0.1))
            return {"net": net}

        other.load(run([torch.ones(2, 3)])["net"])
    """,
    "a method builds it for the method that trains it": """
        class Runner:
            def build(self):
                return Net()

            def fit(self, data):
                self.net = self.build()
                optimizer = torch.optim.SGD(self.net.parameters(), 0.1)
                for x in data:
                    self.net(x).sum().backward()
                    optimizer.step()

        other.load(Runner().fit([torch.ones(2, 3)]))
    """,
}
NOT_TRAINED_AT_ONCE = {
    "others have it before it is trained": """
        class Runner:
            def __init__(self):
                self.net = Net()

            def fit(self, data):
                train(self.net, data, torch.optim.SGD(self.net.parameters(), 0.1))

        runner = Runner()
        other.initialize(runner)
        runner.fit([torch.ones(2, 3)])
    """,
    "a class that derives from it initializes it": """
        class Base:
            def build(self):
                return Net()

            def fit(self, data):
                self.net = self.build()
                train(self.net, data, torch.optim.SGD(self.net.parameters(), 0.1))

        class Runner(Base):
            def build(self):
                net = super().build()
                nn.init.xavier_uniform_(net.w)
                return net

        runner = Runner()
        runner.fit([torch.ones(2, 3)])
    """,
    "a function builds it, and its caller trains it": """
        def build():
            return Net()

        net = build()
        other.initialize(net)
        train(net, [torch.ones(2, 3)], torch.optim.SGD(net.parameters(), 0.1))
    """,
    "another model is trained where it is built": """
        def build(data):
            first, net = nn.Linear(3, 3), Net()
            train(first, data, torch.optim.SGD(first.parameters(), 0.1))
            return net

        other.initialize(build([torch.ones(2, 3)]))
    """,
}


@pytest.mark.parametrize("program", HANDED_ON.values(), ids=HANDED_ON)
def test_what_is_built_and_trained_at_once_is_raw_however_long_its_callers_are(
    unwritten: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(verdict.programs, "__kwdefaults__", {"limit": 1_000})
    first, _, last = _foreign(program).strip().rpartition("\n")
    caller = f"def main():\n    {last}\n" + "    print(1, 2, 3)\n" * 500
    assert unwritten(net=NET + STEP, run=first, main=f"import other\nimport torch\nfrom run import *\n\n{caller}") == {
        "w"
    }


@pytest.mark.parametrize("program", NOT_TRAINED_AT_ONCE.values(), ids=NOT_TRAINED_AT_ONCE)
def test_callers_may_initialize_what_is_not_trained_at_once(unwritten: Callable[..., set[str]], program: str) -> None:
    assert not unwritten(net=NET + STEP, main=_foreign(program))


def _foreign(program: str) -> str:
    return "import other\nimport torch\nfrom torch import nn\n" + _main(program)
