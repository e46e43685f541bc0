"""What a forward and a backward measure, against closed forms, and what the rules make of it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn import init
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

import initaudit
from initaudit.finding import Finding
from initaudit.timeline import InitialLoss, Layer, SignalProfile

Observe = Callable[..., Any]
WIDTH = 64


class Stack(nn.Module):
    """Linear layers under one scheme, an activation after each, and a linear head."""

    def __init__(
        self, depth: int = 1, draw: Any = None, bias: float | None = 0.0, act: Any = F.relu, norm: Any = None
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(depth))
        for layer in self.layers:
            if draw is not None:
                draw(layer.weight)
            if bias is not None:
                init.constant_(layer.bias, bias)
        self.norms = nn.ModuleList((norm or nn.Identity)(WIDTH) for _ in range(depth))
        self.head = nn.Linear(WIDTH, 10)
        self.act = act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = self.act(norm(layer(x)))
        return self.head(x)


def measured(observe: Observe, make: Any, *sizes: tuple[int, ...], **kwargs: Any) -> SignalProfile:
    profile = observe(make, *(sizes or ((256, WIDTH),)), **kwargs).observation.signal
    assert profile is not None
    return profile


def first(profile: SignalProfile) -> Layer:
    return profile.layers[0]


def loss_in(profile: SignalProfile | None) -> InitialLoss | None:
    """The loss of the only output that is over classes, if there is one."""
    return next(iter(profile.losses), None) if profile is not None and len(profile.losses) < 2 else None


def lost_by_layer(profile: SignalProfile) -> float:
    hidden = [layer.rms[0] for layer in profile.layers if not layer.output]
    return math.log10(hidden[0] / hidden[-1]) / (len(hidden) - 1)


def found(observe: Observe, make: Any, *sizes: tuple[int, ...], **kwargs: Any) -> list[Finding]:
    reported: list[Finding] = observe(make, *(sizes or ((64, WIDTH),)), **kwargs).reported
    return reported


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity.value) for finding in findings]


# Scale


def test_he_keeps_the_scale_before_a_rectifier(observe: Observe) -> None:
    he = measured(observe, Stack, depth=20, draw=lambda w: init.kaiming_normal_(w, nonlinearity="relu"))
    assert abs(lost_by_layer(he)) < 0.05


def test_xavier_loses_half_of_the_second_moment_with_each_rectifier(observe: Observe) -> None:
    xavier = measured(observe, Stack, depth=20, draw=init.xavier_normal_)
    assert lost_by_layer(xavier) == pytest.approx(0.5 * math.log10(2), abs=0.05)


def test_a_weight_scales_by_the_root_of_fan_in_times_its_variance(observe: Observe) -> None:
    layer = first(measured(observe, Stack, draw=lambda w: init.normal_(w, std=0.5)))
    assert layer.rms[0] == pytest.approx(0.5 * math.sqrt(WIDTH), rel=0.05)
    assert (layer.fan_in, layer.activation, layer.output) == (WIDTH, "relu", False)


def test_torchs_default_keeps_a_third_and_adds_its_bias(observe: Observe) -> None:
    layer = first(measured(observe, Stack, bias=None))
    assert layer.rms[0] == pytest.approx(math.sqrt((1 + 1 / WIDTH) / 3), rel=0.1)


def test_what_overflows_behind_a_layer_is_reported_at_the_layer(observe: Observe) -> None:
    class Exponential(Stack):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.layers[0](x).exp())

    (finding,) = found(observe, lambda: Exponential(draw=lambda w: init.normal_(w, std=20)))
    assert (finding.code, finding.parameter) == ("INI702", "layers.0.weight")
    assert not found(observe, Exponential)


def test_the_loss_of_a_head_behind_growth_in_time_is_part_of_that(observe: Observe) -> None:
    class Recurrent(Stack):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x
            for _ in range(8):
                h = torch.relu(self.layers[0](h))
            return self.head(h)

    (finding,) = found(observe, lambda: Recurrent(draw=lambda w: init.orthogonal_(w, gain=5)))
    assert (finding.code, finding.parameter) == ("INI702", "layers.0.weight")


class Gated(Stack):
    """Layers whose outputs gate themselves, so that no chain joins them; beside a stream, if asked."""

    def __init__(self, std: float, *, beside: bool = False) -> None:
        super().__init__(3, draw=lambda w: init.normal_(w, std=std / WIDTH**0.5))
        self.beside = beside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            after = layer(x)
            x = x + after if self.beside else after * torch.sigmoid(after.flip(-1))
        return self.head(x)


@pytest.mark.parametrize(("std", "code"), [(1e-3, "INI701"), (1e3, "INI702")])
def test_steep_layers_in_a_row_are_told_where_gates_end_every_chain(observe: Observe, std: float, code: str) -> None:
    (finding,) = found(observe, lambda: Gated(std))
    assert (finding.code, finding.parameter) == (code, "layers.0.weight")


@pytest.mark.parametrize(("std", "beside"), [(1.0, False), (1e-3, True)])
def test_level_layers_and_quiet_branches_are_no_run(observe: Observe, std: float, *, beside: bool) -> None:
    assert not found(observe, lambda: Gated(std, beside=beside))


class Recalling(nn.Module):
    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(WIDTH, WIDTH, batch_first=True), nn.Linear(WIDTH, 10)
        for name, one in self.lstm.named_parameters():
            if "weight" in name:
                draw(one)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0])


def test_the_weights_of_an_lstm_are_followed(observe: Observe) -> None:
    sizes = (32, 6, WIDTH)
    profile = measured(observe, lambda: Recalling(init.orthogonal_), sizes)
    assert [layer.path for layer in profile.layers] == ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "head.weight"]
    assert not found(observe, lambda: Recalling(init.orthogonal_), sizes)
    assert [finding.code for finding in found(observe, lambda: Recalling(init.normal_), sizes)] == ["INI407"] * 2
    assert torch.backends.mkldnn.enabled


# How much the output still tells of the input


@pytest.mark.parametrize("bias", [0.0, 1.0, 30.0])
def test_a_bias_takes_its_part_of_the_second_moment_from_what_differs(observe: Observe, bias: float) -> None:
    layer = first(measured(observe, Stack, draw=init.orthogonal_, bias=bias))
    assert layer.discrimination[0] == pytest.approx(1 / math.sqrt(1 + bias**2), rel=0.05)
    assert layer.bias_share[0] == pytest.approx(bias**2 / (1 + bias**2), rel=0.05, abs=1e-9)


@pytest.mark.parametrize("bias", [5.0, -5.0])
def test_a_bias_that_drowns_the_input_is_reported_where_it_was_written(observe: Observe, bias: float) -> None:
    def drowned() -> nn.Module:
        net = Stack(4, draw=init.orthogonal_, act=torch.tanh)
        for layer in net.layers:
            init.constant_(layer.bias, bias)
        return net

    (finding,) = found(observe, drowned)
    assert finding.code == "INI701" and finding.place.row == drowned.__code__.co_firstlineno + 3
    assert all(str(call).startswith("nn.init.zeros_") for call in finding.advice)


def test_the_batch_is_found_where_positions_are_flattened_into_it(observe: Observe) -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(WIDTH, WIDTH)
            self.places = nn.Parameter(torch.randn(5, WIDTH) * 100)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.fc(x + self.places))

    told = first(measured(observe, Positions, (64, 5, WIDTH))).discrimination[0]
    assert told == pytest.approx(0.01, rel=0.2)  # positions differ by 100, samples by 1


def test_a_layer_that_the_input_does_not_reach_is_marked(observe: Observe) -> None:
    class Queries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.queries = nn.Parameter(torch.randn(4, WIDTH))
            self.of_queries, self.of_input = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.of_queries(self.queries)) @ torch.relu(self.of_input(x)).t()

    layers = {layer.path: layer for layer in measured(observe, Queries).layers}
    assert [layers[f"{name}.weight"].fed for name in ("of_queries", "of_input")] == [False, True]


# Gradients


def test_the_gradient_of_a_matrix_is_a_sum_over_the_batch(observe: Observe) -> None:
    profile = measured(observe, lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False)), (100, WIDTH))
    assert first(profile).gradient[0] == pytest.approx(math.sqrt(100), rel=0.05)  # 100 products of unit variance


@pytest.mark.parametrize("wrap", [lambda y: {"a": y, "b": {"c": (y * 2,)}}, lambda y: (y, None, "text"), lambda y: [y]])
def test_outputs_of_any_structure_are_differentiated(observe: Observe, wrap: Callable[[torch.Tensor], Any]) -> None:
    class Wrapped(Stack):
        def forward(self, x: torch.Tensor) -> Any:
            return wrap(super().forward(x))

    profile = measured(observe, Wrapped, depth=2)
    assert all(layer.gradient[0] > 0 for layer in profile.layers)
    assert profile.layers[-1].output


class Recomputed(Stack):
    """A stack of which a part is run again in the backward."""

    def __init__(self, how: str) -> None:
        super().__init__(3)
        self.how, self.first = how, nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        if self.how == "in parts":
            return self.head(checkpoint_sequential(self.layers, 2, x, use_reentrant=True))
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=self.how == "each").relu()
        return self.head(x)


@pytest.mark.parametrize("how", ["each", "in parts", "not reentrant"])
def test_layers_that_are_run_again_in_the_backward_have_gradients(observe: Observe, how: str) -> None:
    seen = observe(lambda: Recomputed(how), (64, WIDTH))
    assert not seen.observation.undecided
    assert all(layer.gradient and layer.gradient[0] > 0 for layer in seen.observation.signal.layers)


def test_why_there_is_no_gradient_is_said(observe: Observe) -> None:
    class Detached(Stack):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).detach()

    profile = measured(observe, Detached)
    assert first(profile).gradient == ()
    assert profile.skipped["gradient"].startswith("the slope of gradients was not judged: no output")


# Dead units


def test_units_that_no_sample_activates_are_counted(observe: Observe) -> None:
    class PartlyOff(Stack):
        def __init__(self) -> None:
            super().__init__(draw=lambda w: init.kaiming_normal_(w, nonlinearity="relu"))
            self.layers[0].bias.data[:16] = -100.0

    assert first(measured(observe, PartlyOff)).dead == (0.25,)
    few = measured(observe, PartlyOff, (8, WIDTH))
    assert first(few).dead == ()
    assert few.skipped["dead"].startswith("dead units were not judged: ")


def test_units_of_a_convolution_are_its_channels(observe: Observe) -> None:
    class Channels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
            init.constant_(self.norm.bias[:2], -100.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.norm(self.conv(x)))

    layer = first(measured(observe, Channels, (32, 3, 8, 8)))
    assert (layer.units, layer.dead, layer.normalized) == (8, (0.25,), True)


# The loss


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("final", ["log_softmax", "softmax", "num_classes"])
def test_the_loss_before_training_exceeds_guessing_by_half_the_variance_of_the_logits(
    observe: Observe, spread: float, final: str
) -> None:
    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(WIDTH, 1000, bias=False)
            init.normal_(self.head.weight, std=spread / math.sqrt(WIDTH))
            self.num_classes = 1000

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = self.head(x)
            return logits if final == "num_classes" else getattr(torch, final)(logits, -1)

    loss = loss_in(measured(observe, Classifier))
    assert loss is not None and (loss.classes, loss.known_by) == (1000, final)
    assert loss.excess[0] == pytest.approx(spread**2 / 2, rel=0.1, abs=1e-6)


class Scored(nn.Module):
    """Logits of standard deviation 3 over 7 classes, returned in some way."""

    def __init__(self, returned: Any, shape: tuple[int, ...] = (7,)) -> None:
        super().__init__()
        self.last = nn.Linear(WIDTH, math.prod(shape))
        init.normal_(self.last.weight, std=3 / WIDTH**0.5)
        init.zeros_(self.last.bias)
        self.returned, self.shape = returned, shape

    def forward(self, x: torch.Tensor) -> Any:
        return self.returned(self.last(x).unflatten(-1, self.shape))


def labels(logits: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(logits[:, 0], dtype=torch.long)


@pytest.mark.parametrize(
    ("returned", "known"),
    [
        (lambda logits: F.cross_entropy(logits, labels(logits)), "the loss that it returns"),
        (lambda logits: (F.nll_loss(logits.log_softmax(-1), labels(logits)), logits), "the loss that it returns"),
        (lambda logits: {"logits": logits}, "returned as `logits`"),
        (lambda logits: {"aux": logits[:, :2], "class_logits": logits}, "returned as `class_logits`"),
    ],
)
def test_logits_are_known_by_what_becomes_of_them(observe: Observe, returned: Any, known: str) -> None:
    loss = loss_in(measured(observe, Scored, returned=returned))
    assert loss is not None and (loss.classes, loss.known_by, loss.guessed) == (7, known, False)
    assert loss.excess[0] == pytest.approx(4.5 - 1.2, abs=1.0)


@pytest.mark.parametrize("name", ["sample", "reconstruction", "prediction"])
def test_what_is_returned_under_another_name_is_not_guessed_to_be_logits(observe: Observe, name: str) -> None:
    class Named(Scored):
        out_channels = 7

    assert loss_in(measured(observe, Named, returned=lambda logits: {name: logits})) is None
    assert loss_in(measured(observe, Named, returned=lambda logits: logits)) is not None


def test_dead_units_are_reported_where_their_bias_was_written(observe: Observe) -> None:
    def dead() -> nn.Module:
        net = Stack(2, draw=init.kaiming_normal_)
        for layer in net.layers:
            init.constant_(layer.bias, -50.0)
        return net

    (finding,) = found(observe, dead)
    assert finding.code == "INI704" and finding.place.row == dead.__code__.co_firstlineno + 3


class Sum(nn.Module):
    """Two layers that are added before the rectifier, the second one with a bias, and a head that is a sum too."""

    def __init__(self, bias: float = 0.0, norm: Any = nn.Identity) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH)
        self.norm = norm(WIDTH)
        self.one, self.two = nn.Linear(WIDTH, 10), nn.Linear(WIDTH, 10)
        init.constant_(self.right.bias if norm is nn.Identity else self.norm.bias, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.left(x) + self.norm(self.right(x)))
        return self.one(x) + self.two(x)


@pytest.mark.parametrize(("norm", "named"), [(nn.Identity, "right.bias"), (nn.BatchNorm1d, "norm.bias")])
def test_units_behind_a_sum_are_dead_by_its_largest_summand(observe: Observe, norm: Any, named: str) -> None:
    (finding,) = found(observe, lambda: Sum(-20.0, norm))
    assert (finding.code, named in finding.message) == ("INI704", True)
    assert not found(observe, lambda: Sum(0.0, norm))


def test_a_stream_that_a_branch_is_added_to_is_dead_by_the_branch(observe: Observe) -> None:
    class Block(Stack):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = F.relu(x + layer(F.layer_norm(x, (WIDTH,))))
            return self.head(x)

    def quiet() -> nn.Module:
        net = Block(3, draw=init.kaiming_normal_)
        init.constant_(net.layers[1].bias, -50.0)
        return net

    (finding,) = found(observe, quiet)
    assert (finding.code, "`layers.1.weight`" in finding.message) == ("INI704", True)
    assert not found(observe, lambda: Block(3, draw=init.kaiming_normal_))


class Levels(nn.Module):
    """One head for several levels, whose outputs are joined along positions."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.first = kind, nn.Conv2d(3, 16, 3, padding=1)
        self.tower = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(4))
        self.head, self.other = nn.Conv2d(16, 6, 1), nn.Conv2d(16, 6, 1)
        for layer in (*self.tower, self.head, self.other):
            init.normal_(layer.weight, std=0.033)
            init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, levels = self.first(x), []
        for level, head in enumerate((self.head, self.head, self.head if self.kind != "two heads" else self.other)):
            y = F.avg_pool2d(x, 2**level)
            for layer in self.tower:
                y = layer(y).relu()
            y = head(y)
            levels.append(y.permute(0, 2, 3, 1).reshape(len(y), -1, 2) if self.kind == "anchors" else y.flatten(2))
        joined = torch.cat(levels, 1 if self.kind == "anchors" else 2)
        return F.normalize(joined, dim=1) if self.kind == "normalized" else joined


@pytest.mark.parametrize(
    ("kind", "output"), [("channels", True), ("anchors", True), ("two heads", False), ("normalized", True)]
)
def test_a_head_on_several_levels_gives_the_output(observe: Observe, kind: str, output: bool) -> None:
    seen = observe(lambda: Levels(kind), (32, 3, 16, 16))
    layers = {layer.path: layer for layer in seen.observation.signal.layers}
    assert layers["head.weight"].output == output
    assert layers["head.weight"].normalized == (kind == "normalized")
    assert not layers["tower.3.weight"].output


def test_an_output_that_is_a_sum_may_be_logits(observe: Observe) -> None:
    class Counted(Sum):
        num_classes = 10

    loss = loss_in(measured(observe, Counted))
    assert loss is not None and (loss.classes, loss.known_by) == (10, "num_classes")


class Headed(nn.Module):
    """A body and a last layer that its name tells nothing of."""

    def __init__(self, last: Any, many: int = 7) -> None:
        super().__init__()
        self.z = last(WIDTH, many)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.z(torch.tanh(x))


class Tokens(Headed):
    """A table that tokens index, or positions, or tokens that the forward looks up nearest to."""

    def __init__(self, last: Any, rows: int = 7, of: str = "tokens") -> None:
        super().__init__(last)
        self.table, self.of = nn.Embedding(rows, WIDTH), of

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        match self.of:
            case "tokens":
                return super().forward(self.table(x))
            case "copied":
                return super().forward(self.table(x.to(torch.int32)))
            case "positions":
                x = F.one_hot(x, WIDTH).float()
                return super().forward(x + self.table(torch.arange(x.shape[1])))
            case _:
                return super().forward(self.table(F.one_hot(x, 7).float().argmax(-1)))


class HeadedClassifier(Headed):
    pass


class Asked(Headed):
    def __init__(self, last: Any, num_classes: int = 7) -> None:
        super().__init__(last, num_classes)


class AskedOtherwise(Headed):
    def __init__(self, last: Any, **options: int) -> None:
        super().__init__(last, options["n_classes"])


class Embedding(Headed):
    """An output that is not over the classes that the constructor takes."""

    def __init__(self, last: Any, num_classes: int = 9, many: int = 7) -> None:
        super().__init__(last, many)
        self.centers = nn.Parameter(torch.randn(num_classes, many))


class Taught(Headed):
    def forward(self, x: torch.Tensor, labels: Any = None) -> torch.Tensor:
        return super().forward(x)


class Matrix(nn.Module):
    """A layer of a class of one's own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.w.T


@pytest.mark.parametrize(
    ("make", "known", "guessed"),
    [
        (lambda: Asked(Matrix), "the argument `num_classes`", False),
        (lambda: AskedOtherwise(Matrix, n_classes=7), "the argument `n_classes`", False),
        (lambda: Embedding(nn.Linear), "the last linear layer `z`", True),
        (lambda: HeadedClassifier(Matrix), "the name `HeadedClassifier`", True),
        (lambda: Taught(Matrix), "the argument `labels`", True),
        (lambda: Headed(nn.Linear), "the last linear layer `z`", True),
    ],
)
def test_a_head_is_known_by_what_the_model_takes_looks_up_and_ends_in(
    observe: Observe, make: Any, known: str, guessed: bool
) -> None:
    loss = loss_in(measured(observe, make))
    assert loss is not None and (loss.classes, loss.known_by, loss.guessed) == (7, known, guessed)


@pytest.mark.parametrize("of", ["tokens", "copied"])
def test_an_output_as_wide_as_a_table_that_inputs_index_is_over_tokens(observe: Observe, of: str) -> None:
    loss = loss_in(measured(observe, lambda: Tokens(Matrix, of=of), (32, 7), dtype="int64"))
    assert loss is not None and not loss.guessed
    assert (loss.classes, loss.known_by) == (7, "as many as the rows of a table that the input indexes")


@pytest.mark.parametrize("of", ["positions", "nearest"])
def test_an_output_as_wide_as_another_table_is_not_over_its_rows(observe: Observe, of: str) -> None:
    for rows, what in ((7, of), (9, "tokens")):
        make = functools.partial(Tokens, Matrix, rows, what)
        assert loss_in(measured(observe, make, (32, 7), dtype="int64")) is None


@pytest.mark.parametrize("many", [5, 7, 8])
def test_an_output_is_over_the_classes_that_the_constructor_was_given(observe: Observe, many: int) -> None:
    assert loss_in(measured(observe, lambda: Embedding(Matrix, 9, many))) is None
    loss = loss_in(measured(observe, lambda: Embedding(Matrix, many, many)))
    assert loss is not None and (loss.classes, loss.guessed) == (many, False)


class Two(nn.Module):
    """Two heads of tokens, of which the second starts too sure, or both do."""

    def __init__(self, *spreads: float) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(WIDTH, 7 + number) for number in range(len(spreads)))
        for head, spread in zip(self.heads, spreads, strict=True):
            init.normal_(head.weight, std=spread / WIDTH**0.5)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [head(x).log_softmax(-1) for head in self.heads]


def test_every_output_over_classes_is_judged(observe: Observe) -> None:
    losses = measured(observe, lambda: Two(0.1, 5.0)).losses
    assert [(loss.path, loss.classes) for loss in losses] == [("heads.0.weight", 7), ("heads.1.weight", 8)]
    (finding,) = found(observe, lambda: Two(0.1, 5.0), (256, WIDTH))
    assert (finding.code, finding.parameter) == ("INI705", "heads.1.weight")
    assert len(found(observe, lambda: Two(5.0, 5.0), (256, WIDTH))) == 2


def test_what_an_instance_was_given_is_not_known() -> None:
    signal = initaudit.audit(Asked(Matrix), torch.randn(256, WIDTH)).observations[0].signal
    loss = loss_in(signal)
    assert loss is not None and (loss.known_by, loss.guessed) == ("the argument `num_classes`", True)


def test_a_last_layer_of_which_nothing_is_known_is_no_head(observe: Observe) -> None:
    assert loss_in(measured(observe, lambda: Headed(Matrix))) is None


def test_the_loss_of_an_output_that_may_be_anything_is_a_guess(observe: Observe) -> None:
    loss = loss_in(measured(observe, Stack))
    assert loss is not None and loss.guessed
    assert not found(observe, Stack)


# The run


def test_the_batch_normalizes_nothing_is_dropped_and_the_model_is_left_as_it_was(observe: Observe) -> None:
    models = []

    class Trained(Stack):
        def __init__(self) -> None:
            super().__init__(depth=3, draw=lambda w: init.normal_(w, std=5.0), norm=nn.BatchNorm1d)
            self.dropout = nn.Dropout(0.9)
            models.append(self)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.dropout(super().forward(x))

    profile = measured(observe, Trained)
    hidden = [layer.rms[0] for layer in profile.layers if not layer.output]
    assert max(hidden) / min(hidden) < 3  # without the batch's statistics it grows 40-fold with each layer
    assert all(model.training and model.norms[0].training for model in models)
    assert all(float(model.norms[0].running_mean.abs().sum()) == 0 for model in models)


def test_what_only_a_forward_in_training_mode_uses_is_followed_too(observe: Observe) -> None:
    class Auxiliary(Stack):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 10)

        def forward(self, x: torch.Tensor) -> Any:
            auxiliary = (self.two(torch.tanh(self.one(x))),) if self.training else ()
            return super().forward(x), *auxiliary

    follows = observe(Auxiliary, (32, WIDTH)).follows
    assert [("one.weight", "tanh"), ("two.weight", None)] in follows


def test_what_follows_a_weight_that_nothing_wrote_is_not_judged(observe: Observe) -> None:
    class Raw(Stack):
        def __init__(self) -> None:
            super().__init__()
            self.layers[0].weight = nn.Parameter(torch.empty(WIDTH, WIDTH))

    seen = observe(Raw, (32, WIDTH))
    assert seen.observation.signal is not None
    assert {layer.depends for layer in seen.observation.signal.layers} == {"layers.0.weight"}
    assert "not judged: depends on `layers.0.weight`, which was never written" in seen.reasons
    assert set(seen.codes) == {"INI101"}


def test_what_has_only_the_shape_of_the_input_tells_nothing_of_it(observe: Observe) -> None:
    class Constant(Stack):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(torch.ones_like(x))

    profile = measured(observe, Constant, depth=3)
    assert profile.varied and not any(layer.fed for layer in profile.layers)
    assert found(observe, Constant, depth=3, draw=init.orthogonal_) == []


def test_a_weight_that_recurs_is_told_once_with_the_scale_at_every_use(observe: Observe) -> None:
    class Recurs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Linear(WIDTH, WIDTH, bias=False)
            init.orthogonal_(self.step.weight, gain=2.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = torch.zeros_like(x)
            for n in range(10):
                state = self.step(state) + (x if n == 0 else 0)
            return state

    profile = measured(observe, Recurs)
    assert len(profile.layers) == 1
    assert first(profile).again == pytest.approx([0.0, *(2.0**n for n in range(1, 10))], rel=0.05)
    assert told(found(observe, Recurs)) == [("INI702", "warning")]


# What the rules make of it


@pytest.mark.parametrize("bias", [0.0, None], ids=["zero biases", "default biases"])
@pytest.mark.parametrize(("depth", "severity"), [(3, "note"), (12, "warning"), (24, "warning")])
def test_xavier_before_relu_weighs_as_much_as_the_scale_it_loses(
    observe: Observe, depth: int, severity: str, bias: float | None
) -> None:
    (finding,) = found(observe, Stack, depth=depth, draw=init.xavier_normal_, bias=bias)
    assert told([finding]) == [("INI401", severity)]
    assert "the signal shrinks by a factor of" in finding.evidence[0].detail


@pytest.mark.parametrize("depth", [3, 12, 24])
def test_xavier_before_tanh_is_silent(observe: Observe, depth: int) -> None:
    assert found(observe, Stack, depth=depth, draw=init.xavier_normal_, act=torch.tanh) == []


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.LayerNorm])
@pytest.mark.parametrize("depth", [3, 12, 24])
def test_xavier_before_relu_with_normalization_between_is_silent(observe: Observe, depth: int, norm: Any) -> None:
    assert found(observe, Stack, depth=depth, draw=init.xavier_normal_, norm=norm) == []


def test_one_deep_default_network_is_one_finding_with_every_measurement(observe: Observe) -> None:
    (finding,) = found(observe, Stack, depth=20, bias=None)
    assert finding.code == "INI408"
    details = " ".join(piece.detail for piece in finding.evidence)
    assert "outputs vary by" in details and "rms of the gradient" in details


def test_where_biases_drown_the_signal_they_are_named(observe: Observe) -> None:
    he = {"draw": lambda w: init.kaiming_normal_(w, nonlinearity="relu")}
    by_code = {finding.code: finding for finding in found(observe, Stack, depth=6, bias=200.0, **he)}
    assert by_code.keys() <= {"INI701", "INI705"}
    assert "nn.init.zeros_(self.layers[0].bias)" in by_code["INI701"].message


def test_a_dead_layer_is_an_error_and_what_follows_from_it_is_not_told_again(observe: Observe) -> None:
    class Off(Stack):
        def __init__(self) -> None:
            super().__init__(depth=5, draw=lambda w: init.kaiming_normal_(w, nonlinearity="relu"))
            init.constant_(self.layers[1].bias, -50.0)

    assert ("INI704", "error") in told(found(observe, Off))
    assert not {"INI701", "INI703"} & {code for code, _ in told(found(observe, Off))}


def test_the_advice_is_the_call_for_what_follows(observe: Observe) -> None:
    (finding,) = found(observe, Stack, depth=6, draw=lambda w: init.normal_(w, std=0.02), act=torch.tanh)
    assert finding.code == "INI701"
    assert 'nn.init.xavier_normal_(self.layers[0].weight, gain=nn.init.calculate_gain("tanh"))' in finding.message


def test_half_precision_that_overflows_is_named_at_the_first_layer(observe: Observe) -> None:
    def half() -> nn.Module:
        return Stack(depth=4, draw=lambda w: init.normal_(w, std=100.0)).half()

    seen = observe(half, (32, WIDTH), dtype="float16")
    assert seen.observation.signal.overflow == "layers.1.weight"
    assert "INI702" in seen.codes


def test_layers_that_are_given_no_samples_do_not_overflow(observe: Observe) -> None:
    class Unvisited(Stack):
        """Has an expert that no sample is sent to."""

        def __init__(self) -> None:
            super().__init__(depth=3, draw=lambda w: init.kaiming_normal_(w, nonlinearity="relu"))
            self.expert = nn.Linear(WIDTH, WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = super().forward(x)
            return result + self.expert(x[:0]).sum()

    seen = observe(Unvisited, (32, WIDTH))
    assert "expert.weight" in [layer.path for layer in seen.observation.signal.layers]
    assert seen.observation.signal.overflow is None


def test_complex_weights_have_a_scale_a_gradient_and_a_variance(observe: Observe) -> None:
    class Complex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(WIDTH, WIDTH, dtype=torch.complex64) / WIDTH**0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(x.to(torch.complex64) @ self.w)

    seen = observe(Complex, (256, WIDTH))
    (layer,) = seen.observation.signal.layers
    assert layer.rms[0] == pytest.approx(1, rel=0.05) and layer.gradient[0] > 0
    (chain,) = seen.observation.chains
    assert chain.links[0].variance == pytest.approx(1 / WIDTH, rel=0.05)


class DeadNodes(nn.Module):
    """A layer on the nodes of a graph, whose hidden units are off; the edges share no dimension with the nodes."""

    def __init__(self, offset: float = -50.0) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 32), nn.Linear(32, 4)
        nn.init.constant_(self.first.bias, offset)

    def forward(self, nodes: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(nodes))
        out: torch.Tensor = self.second(torch.zeros_like(hidden).index_add_(0, edges[1], hidden[edges[0]]))
        return out


def test_dead_units_are_counted_over_the_samples_of_each_layer_where_inputs_share_no_batch() -> None:
    import initaudit

    given = (torch.randn(64, 8), torch.randint(0, 64, (2, 200)))
    report = initaudit.audit(DeadNodes, inputs=given, isolated=True)
    assert "INI704" in [one.code for one in report.findings]
    sound = initaudit.audit(lambda: DeadNodes(0.0), inputs=given, isolated=True)
    assert sound.findings == ()
    assert any("share no first dimension" in one.reason for one in sound.undecided)


class Outputs(nn.Module):
    """A classifier whose number of classes has a name that only suggests them."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.n_outputs = 4
        self.body = nn.Sequential(nn.Linear(64, 256), nn.LayerNorm(256), nn.ReLU())
        self.last = nn.Linear(256, 4)
        nn.init.xavier_uniform_(self.last.weight, gain=gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.last(self.body(x))
        return out


def test_a_loss_over_classes_that_are_guessed_is_a_warning_when_it_is_extreme() -> None:
    import initaudit

    given = (torch.randn(32, 64),)
    (finding,) = initaudit.audit(lambda: Outputs(100.0), inputs=given, isolated=True).findings
    assert (finding.code, finding.severity.value) == ("INI705", "warning")
    assert "n_outputs" in finding.evidence[0].detail and finding.message.startswith("if the output of")
    assert initaudit.audit(lambda: Outputs(4.0), inputs=given, isolated=True).findings == ()


class Normed(nn.Module):
    """A normalization between a layer and its rectifier."""

    def __init__(self, norm: nn.Module, gain: float, bias: float) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(16, 64), norm, nn.Linear(64, 4)
        nn.init.constant_(self.norm.weight, gain)  # type: ignore[arg-type]
        nn.init.constant_(self.norm.bias, bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.norm(self.first(x))))  # type: ignore[no-any-return]


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.LayerNorm, lambda width: nn.GroupNorm(4, width)])
@pytest.mark.parametrize(
    ("gain", "bias", "blamed", "call"), [(1.0, -10.0, "bias", "zeros_"), (0.0, 0.0, "weight", "ones_")]
)
def test_units_that_a_normalization_turns_off_are_laid_to_it(
    observe: Observe, norm: Callable[[int], nn.Module], gain: float, bias: float, blamed: str, call: str
) -> None:
    seen = observe(lambda: Normed(norm(64), gain, bias), (32, 16))
    (finding,) = (one for one in seen.findings if one.code == "INI704")
    assert finding.parameter == f"norm.{blamed}"
    assert f"nn.init.{call}(self.norm.{blamed})" in finding.message
    assert [str(one) for one in finding.advice] == [f"nn.init.{call}(self.norm.{blamed})"]


def test_the_layer_is_named_across_which_the_scale_rises(observe: Observe) -> None:
    class Odd(Stack):
        def __init__(self) -> None:
            super().__init__(depth=6, draw=init.kaiming_normal_)
            nn.init.normal_(self.layers[3].weight, std=40.0)

    (finding,) = (one for one in observe(Odd, (32, WIDTH)).findings if one.code == "INI702")
    assert finding.parameter == "layers.3.weight"


def test_a_spectral_weight_is_advised_a_draw_that_fits_its_layout(observe: Observe) -> None:
    class Spectral(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(8, 16)
            self.weights = nn.ParameterList(
                nn.Parameter(8 * torch.randn(16, 16, 5, dtype=torch.complex64)) for _ in range(5)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            f = torch.fft.rfft(self.first(x).unsqueeze(-1).repeat(1, 1, 8))
            for weight in self.weights:
                f = torch.einsum("bim,iom->bom", f, weight)
            return torch.fft.irfft(f, n=8)

    (finding,) = (one for one in observe(Spectral, (32, 8)).findings if one.code == "INI702")
    assert "normal_(self.weights[0], std=0.25)" in " ".join(map(str, finding.advice))


@pytest.mark.parametrize(("std", "codes"), [(1e-4, ["INI701"]), (0.02, [])])
def test_few_layers_fade_only_when_next_to_nothing_is_left(observe: Observe, std: float, codes: list[str]) -> None:
    def make() -> nn.Module:
        return Stack(3, draw=lambda w: init.normal_(w, std=std))

    assert [code for code, _ in told(found(observe, make)) if code == "INI701"] == codes


@pytest.mark.parametrize(("gain", "codes"), [(3000.0, ["INI702"]), (3.0, [])])
def test_few_blocks_explode_only_when_it_is_extreme(observe: Observe, gain: float, codes: list[str]) -> None:
    class Couplings(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(Stack(1, draw=init.kaiming_normal_) for _ in range(3))
            for block in self.blocks:
                block.head = nn.Linear(WIDTH, WIDTH)
                init.normal_(block.head.weight, std=gain / WIDTH**0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.blocks:
                x = x * torch.sigmoid(x.roll(1, -1)) + block(x)
            return x.mean(-1)

    assert [code for code, _ in told(found(observe, Couplings)) if code == "INI702"] == codes


class Pair(nn.Module):
    """Two layers of unlike names, beside a stream or one after the other."""

    def __init__(self, std: float, second: float | None = None, *, beside: bool = False) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.beside = beside
        init.normal_(self.enter.weight, std=std)
        init.normal_(self.leave.weight, std=std if second is None else second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.beside:
            x = x + self.enter(x)[:, :WIDTH]
            return x + self.leave(torch.cat([x, x], dim=1))
        return self.leave(self.enter(x))


def test_two_layers_that_each_amplify_a_hundredfold_explode(observe: Observe) -> None:
    assert told(found(observe, lambda: Pair(50.0))) == [("INI702", "warning")]
    assert told(found(observe, lambda: Pair(50.0, beside=True))) == [("INI702", "warning")]


def test_biases_over_faint_inputs_amplify_nothing(observe: Observe) -> None:
    class Faint(Pair):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.enter(1e-6 * x)
            return hidden[:, :WIDTH] + 1000 * self.leave(1e-6 * hidden)

    assert "INI702" not in [code for code, _ in told(found(observe, lambda: Faint(0.1)))]


def test_two_in_a_row_explode_that_each_amplify_tenfold(observe: Observe) -> None:
    class Branch(Pair):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.leave(F.gelu(self.enter(F.layer_norm(x, (WIDTH,)))))

    class Blocks(nn.Module):
        def __init__(self, std: float) -> None:
            super().__init__()
            self.blocks, self.head = nn.Sequential(*(Branch(std) for _ in range(3))), nn.Linear(WIDTH, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(F.layer_norm(self.blocks(x), (WIDTH,)))

    for first in (Blocks, Branch, Pair):
        end = nn.Identity if first is Blocks else functools.partial(nn.Linear, WIDTH, 10)
        assert "INI702" in [code for code, _ in told(found(observe, lambda: nn.Sequential(first(2.5), end())))]  # noqa: B023
    assert told(found(observe, lambda: Blocks(0.5))) == []


def test_one_that_does_or_two_that_do_less_do_not(observe: Observe) -> None:
    assert told(found(observe, lambda: Pair(50.0, 1e-4))) == []
    assert [code for code, _ in told(found(observe, lambda: Pair(0.5, beside=True)))] == ["INI705"]


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_value_that_is_not_finite_is_told_as_such_alone(observe: Observe, name: str) -> None:
    class Infinite(Pair):
        def __init__(self) -> None:
            super().__init__(0.1)
            init.constant_(getattr(self.leave, name), math.inf)

    assert told(found(observe, Infinite)) == [("INI601", "error")]


@pytest.mark.parametrize("act", [nn.Sigmoid, nn.Hardsigmoid])
def test_what_no_initialization_cures_is_not_advised_to_be_initialized(observe: Observe, act: Any) -> None:
    def make() -> nn.Module:
        layers = [layer for _ in range(10) for layer in (nn.Linear(WIDTH, WIDTH), act())]
        return nn.Sequential(*layers, nn.Linear(WIDTH, 2))

    (finding,) = found(observe, make)
    assert finding.code == "INI701" and finding.advice == () and "no initialization prevents that" in finding.message


def hidden(gain: float, layers: int = 4) -> nn.Sequential:
    """Tanh layers whose weights are orthogonal, with a gain."""
    parts: list[nn.Module] = []
    for _ in range(layers):
        layer = nn.Linear(32, 32)
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
        parts += [layer, nn.Tanh()]
    return nn.Sequential(*parts)


class Scoring(nn.Module):
    """Scores that start small: of actions, which are drawn, of experts, or of positions."""

    def __init__(self, kind: str, gain: float = 1.5) -> None:
        super().__init__()
        self.kind, self.body = kind, hidden(gain)
        self.score, self.out = nn.Linear(32, 1 if kind == "positions" else 6), nn.Linear(32, 5)
        nn.init.orthogonal_(self.score.weight, 0.001)
        nn.init.zeros_(self.score.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.body(x)
        if self.kind == "actions":
            chosen = torch.distributions.Categorical(logits=self.score(features))
            return chosen.log_prob(chosen.sample())
        if self.kind == "experts":
            return torch.einsum("be,bd->bed", self.score(features).softmax(-1), self.out(features))
        return self.out((self.score(features.view(-1, 4, 32)).softmax(1) * features.view(-1, 4, 32)).sum(1))


@pytest.mark.parametrize("kind", ["actions", "experts", "positions"])
def test_scores_of_a_softmax_may_start_small(observe: Observe, kind: str) -> None:
    assert "INI701" not in observe(lambda: Scoring(kind), (64, 32)).codes


@pytest.mark.parametrize("kind", ["actions", "experts", "positions"])
def test_layers_before_a_softmax_that_lose_the_scale_are_reported(observe: Observe, kind: str) -> None:
    assert "INI701" in observe(lambda: Scoring(kind, gain=0.1), (64, 32)).codes


def test_values_that_are_not_finite_are_reported_where_they_were_written_and_nowhere_else(observe: Observe) -> None:
    def spoiled() -> nn.Module:
        net = Stack(2, norm=nn.BatchNorm1d)
        init.constant_(net.norms[0].weight, math.nan)
        init.constant_(net.head.weight, 0.0)
        init.constant_(net.head.bias, 0.0)
        return net

    seen = observe(spoiled, (64, WIDTH))
    assert [finding.code for finding in seen.reported] == ["INI601"]
    assert seen.observation.error is None
