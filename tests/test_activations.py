"""The activation catalogue agrees with torch."""

from __future__ import annotations

import pytest

from initaudit.activations import CATALOGUE, Activation, lookup


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("torch.nn.ReLU", "relu"),
        ("nn.LeakyReLU", "leaky_relu"),
        ("torch.nn.functional.relu", "relu"),
        ("F.silu", "silu"),
        ("torch.relu_", "relu"),
        ("Tensor.relu", "relu"),
        ("aten.relu.default", "relu"),
        ("aten.relu_.default", "relu"),
        ("aten._prelu_kernel.default", "prelu"),
        ("aten._softmax.default", "softmax"),
        ("torch.special.expit", "sigmoid"),
        ("torch.nn.Identity", "linear"),
    ],
)
def test_an_activation_answers_to_all_its_names(name: str, key: str) -> None:
    found = lookup(name)
    assert found is not None and found.key == key


@pytest.mark.parametrize(
    "name", ["torch.nn.Linear", "torch.nn.functional.linear", "mine.ReLU", "aten.addmm.default", ""]
)
def test_other_names_are_no_activation(name: str) -> None:
    assert lookup(name) is None


def test_activations_that_share_an_operator_are_told_apart_by_its_arguments() -> None:
    told = [lookup("aten.elu.default", (1.0,)), lookup("aten.elu.default", (1.6732632423543772, 1.0507009873554805))]
    told += [
        lookup("aten.hardtanh.default", (0, 6)),
        lookup("aten.hardtanh.default", (-1.0, 1.0)),
        lookup("aten.hardtanh"),
    ]
    assert [activation and activation.key for activation in told] == ["elu", "selu", "relu6", "hardtanh", "hardtanh"]


def test_only_piecewise_linear_rectifiers_count_as_rectifiers() -> None:
    rectifiers = {activation.key for activation in CATALOGUE.values() if activation.rectifier}
    assert rectifiers == {"relu", "relu6", "leaky_relu", "prelu", "rrelu", "threshold"}


@pytest.mark.parametrize("activation", CATALOGUE.values(), ids=lambda activation: activation.key)
def test_the_catalogue_names_classes_of_torch(activation: Activation) -> None:
    torch = pytest.importorskip("torch")
    assert issubclass(getattr(torch.nn, activation.module), torch.nn.Module)


def test_gains_are_torchs() -> None:
    init = pytest.importorskip("torch.nn.init")
    assert {key: a.gain for key, a in CATALOGUE.items() if a.gain is not None} == {
        key: init.calculate_gain(key) for key in ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
    }
