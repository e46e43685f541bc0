"""The probe tells how layers start: copies, padding rows, gains of normalizations, low-rank adapters."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from initaudit.subjects.layers import CopiedLayers, EmbeddingWrite, GainDraw
from initaudit.subjects.weights import LowRankFactors


def facts(seen: Any, kind: type) -> list[Any]:
    return [fact for fact in seen.observation.facts if isinstance(fact, kind)]


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)


class Stack(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(3)])


def test_copies_are_told_by_the_class_that_makes_them(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stack = Stack(Layer())

    (fact,) = facts(observe(Net), CopiedLayers)
    assert (fact.model.rpartition(".")[2], fact.name, fact.by_torch) == ("Stack", "layers", False)
    assert fact.paths == tuple(f"stack.layers.{n}.fc.weight" for n in range(3))


def test_copies_that_are_drawn_again_are_no_copies(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stack = Stack(Layer())
            for p in self.parameters():
                nn.init.normal_(p)

    assert facts(observe(Net), CopiedLayers) == []


def test_layers_that_a_class_of_torch_copies_are_told_apart(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 2)

    (fact,) = facts(observe(Net), CopiedLayers)
    assert fact.by_torch and fact.source == "nn.TransformerEncoder" and fact.name == "encoder"


@pytest.mark.parametrize("name", ["target", "ema", "teacher", "encoder_k"])
def test_a_copy_that_follows_another_network_is_meant(observe: Callable[..., Any], name: str) -> None:
    class Agent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Linear(4, 4)
            setattr(self, name, copy.deepcopy(self.network))

    assert facts(observe(Agent), CopiedLayers) == []


def test_weights_that_are_alike_by_construction_or_tied_are_no_copies(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = (nn.Linear(4, 4) for _ in range(2))
            nn.init.eye_(self.one.weight)
            nn.init.eye_(self.two.weight)
            self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)
            self.right.weight = self.left.weight
            self.follower = nn.Linear(4, 4)
            self.follower.load_state_dict(self.left.state_dict())
            self.frozen = copy.deepcopy(self.left).requires_grad_(False)

    assert facts(observe(Net), CopiedLayers) == []


def test_a_padding_row_that_was_drawn_is_told_where_it_was_drawn(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = (nn.Embedding(5, 4, padding_idx=0) for _ in range(2))
            for m in (self.first, self.second):
                nn.init.normal_(m.weight, std=0.1)

    (fact,) = facts(observe(Net), EmbeddingWrite)
    assert fact.paths == ("first.weight", "second.weight") and fact.source == "init.normal_"


def test_padding_rows_that_are_zero_copied_or_of_no_embedding_are_not_told(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.default = nn.Embedding(5, 4, padding_idx=0)
            self.zeroed = nn.Embedding(5, 4, padding_idx=0)
            nn.init.normal_(self.zeroed.weight)
            nn.init.zeros_(self.zeroed.weight[0])
            self.copied = nn.Embedding(5, 4, padding_idx=0)
            self.copied.weight.data.copy_(torch.randn(5, 4))
            self.bag = nn.EmbeddingBag(5, 4, padding_idx=0)
            nn.init.normal_(self.bag.weight)
            self.plain = nn.Embedding(5, 4)
            nn.init.normal_(self.plain.weight)
            self.head = nn.Linear(4, 5)
            self.tied = nn.Embedding(5, 4, padding_idx=0)
            self.tied.weight = self.head.weight

    assert facts(observe(Net), EmbeddingWrite) == []


class RootNorm(nn.Module):
    def __init__(self, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((8,), start))


def test_gains_that_were_one_and_then_drawn_are_told_with_their_mean(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.zero, self.one = nn.BatchNorm1d(8), nn.BatchNorm1d(8)
            self.root, self.centred = RootNorm(1.0), RootNorm(0.0)
            self.gate = nn.LayerNorm(8)
            nn.init.zeros_(self.gate.weight)
            nn.init.normal_(self.one.weight, 1.0, 0.02)
            nn.init.normal_(self.zero.weight, 0.0, 0.02)
            nn.init.uniform_(self.root.scale, -0.1, 0.1)
            nn.init.normal_(self.centred.scale)

    seen = observe(Net)
    told = {fact.paths: fact.mean for fact in facts(seen, GainDraw)}
    assert told == {("one.weight",): 1.0, ("zero.weight",): 0.0, ("root.scale",): 0.0}
    assert seen.codes.count("INI506") == 2


class Adapter(nn.Module):
    def __init__(self, zero: bool) -> None:
        super().__init__()
        self.lora_A = nn.ParameterDict({"default": nn.Parameter(torch.randn(2, 8))})
        self.lora_B = nn.ParameterDict({"default": nn.Parameter(torch.zeros(8, 2))})
        if not zero:
            nn.init.normal_(self.lora_B["default"], std=0.02)


@pytest.mark.parametrize(("zero", "codes"), [(True, []), (False, ["INI507"])])
def test_an_adapter_starts_at_zero_when_one_factor_does(
    observe: Callable[..., Any], zero: bool, codes: list[str]
) -> None:
    seen = observe(lambda: Adapter(zero))
    (fact,) = facts(seen, LowRankFactors)
    assert fact.name == "lora_B" and fact.random == (("lora_A",) if zero else ("lora_A", "lora_B"))
    assert seen.codes == codes


def test_a_layer_under_two_names_is_one_layer(observe: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = Adapter(zero=False)
            self.again = self.first

    seen = observe(Net)
    (fact,) = facts(seen, LowRankFactors)
    assert fact.paths == ("first.lora_A.default", "first.lora_B.default")
    assert seen.codes == ["INI507"]


def in_sequence() -> nn.Module:
    blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()) for _ in range(3)))
    for index in range(1, 3):
        blocks[index] = copy.deepcopy(blocks[0])
    return nn.Sequential(nn.Conv2d(3, 4, 1), blocks)


def extended() -> nn.Module:
    layers = nn.ModuleList([nn.Linear(4, 4)])
    layers.extend([copy.deepcopy(layers[0]) for _ in range(3)])
    return layers


def clones() -> nn.Module:
    block = nn.Linear(4, 4)
    return nn.Sequential(*(copy.deepcopy(block) for _ in range(4)))


@pytest.mark.parametrize("build", [in_sequence, extended, clones])
def test_copies_in_a_row_are_found_though_no_class_made_them(
    observe: Callable[..., Any], build: Callable[[], nn.Module]
) -> None:
    assert observe(build).codes == ["INI503"]


class Cloned(nn.Module):
    """Layers that their class copies from one."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Linear(4, 4)
        self.layers = nn.ModuleList([copy.deepcopy(block) for _ in range(4)])


def copied_again() -> nn.Module:
    model = Cloned()
    for index in range(1, 4):
        model.layers[index] = copy.deepcopy(model.layers[0])
    return model


def copied_as_a_row() -> nn.Module:
    model = Cloned()
    model.layers = nn.ModuleList(copy.deepcopy(model.layers[2]) for _ in range(3))
    return model


def copied_whole() -> nn.Module:
    return copy.deepcopy(Cloned())


@pytest.mark.parametrize("build", [copied_again, copied_as_a_row, copied_whole])
def test_copies_of_copies_are_told_where_they_were_made_last(
    observe: Callable[..., Any], build: Callable[[], nn.Module]
) -> None:
    (finding,) = observe(build).findings
    first = build.__code__.co_firstlineno
    assert first < finding.place.row <= first + 4


def test_a_copy_beside_its_original_is_no_row(observe: Callable[..., Any]) -> None:
    def pair() -> nn.Module:
        online = nn.Linear(4, 4)
        return nn.ModuleDict({"online": online, "slow": copy.deepcopy(online)})

    assert observe(pair).codes == []


class Critics(nn.Module):
    """Two networks of one kind; ``share`` writes the values of the first into the second."""

    def __init__(
        self, share: Callable[[nn.Module, nn.Module], None], *, follows: bool = False, own: bool = False
    ) -> None:
        super().__init__()
        self.q1, self.q2 = nn.Linear(8, 4), nn.Linear(8, 4)
        share(self.q1, self.q2)
        self.follows, self.own = follows, own

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.follows):
            second = self.q2(x.flip(-1) if self.own else x) * (2 if self.own else 1)
        return torch.cat([self.q1(x), second], dim=-1)


def load(one: nn.Module, other: nn.Module) -> None:
    other.load_state_dict(one.state_dict())


def write_each(one: nn.Module, other: nn.Module) -> None:
    for mine, yours in zip(other.parameters(), one.parameters(), strict=True):
        mine.data.copy_(yours.data)


def assign(one: nn.Module, other: nn.Module) -> None:
    other.weight = nn.Parameter(one.weight.detach().clone())


@pytest.mark.parametrize("share", [load, write_each, assign])
def test_what_is_written_into_a_layer_beside_it_is_a_copy(observe: Callable[..., Any], share: Any) -> None:
    seen = observe(lambda: Critics(share), (32, 8))
    (finding,) = seen.findings
    assert (finding.code, finding.severity.value) == ("INI503", "warning")
    assert "`q1` and `q2` are copies" in finding.message


def test_what_follows_another_network_gets_no_gradient_and_is_meant(observe: Callable[..., Any]) -> None:
    assert "INI503" not in observe(lambda: Critics(load, follows=True), (32, 8)).codes


def test_what_is_written_into_the_layers_of_a_row_is_a_copy(observe: Callable[..., Any]) -> None:
    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
        load(model[0], model[2])
        return model

    assert observe(make, (32, 8)).codes == ["INI503"]


def test_a_copy_that_nothing_reads_does_not_hide_those_that_are_read(observe: Callable[..., Any]) -> None:
    class Row(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))
            for layer in self.layers[1:]:
                load(self.layers[0], layer)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers[:-1]:
                x = torch.tanh(layer(x))
            return x

    (finding,) = observe(Row, (32, 8)).findings
    assert finding.code == "INI503"
