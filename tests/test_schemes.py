"""The scheme catalogue agrees with the papers' closed forms, with torch, and with itself."""

from __future__ import annotations

import inspect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initaudit.schemes import (
    Convention,
    Distribution,
    Geometry,
    calculate_gain,
    describe,
    distribution_of,
    fans,
    recognise,
)
from initaudit.schemes.calls import INITIALIZERS
from initaudit.schemes.closed_form import lecun_normal, lecun_uniform, siren, torch_default

sizes = st.integers(min_value=1, max_value=512)
shapes = st.one_of(st.tuples(sizes, sizes), st.tuples(sizes, sizes, st.integers(1, 7), st.integers(1, 7)))
canonical_gains = st.sampled_from(
    [1.0, math.sqrt(2), 5 / 3, 3 / 4, calculate_gain("leaky_relu", 0.01), 1 / math.sqrt(2)]
)
rectifiers = st.sampled_from([("relu", 0.0), ("leaky_relu", 0.01), ("leaky_relu", 0.2), ("tanh", 0.0), ("selu", 0.0)])
forms = st.sampled_from(["normal", "uniform"])


def names(distribution: Distribution | None, shape: tuple[int, ...], by: str | None = None) -> set[str]:
    assert distribution is not None
    return {recognition.scheme for recognition in recognise(distribution, shape, by)}


@given(shapes, canonical_gains, forms)
def test_xavier_is_recognised_with_its_gain_at_any_shape(shape: tuple[int, ...], gain: float, form: str) -> None:
    drawn = distribution_of(f"init.xavier_{form}_", shape, [gain])
    assert drawn is not None
    found = [r for r in recognise(drawn, shape) if r.scheme == f"xavier_{form}"]
    assert [r.gain for r in found] == [pytest.approx(gain, rel=1e-6)]


@given(shapes, rectifiers, forms, st.sampled_from(["fan_in", "fan_out"]))
def test_kaiming_is_recognised_with_its_fan_at_any_shape(
    shape: tuple[int, ...], rectifier: tuple[str, float], form: str, mode: str
) -> None:
    nonlinearity, slope = rectifier
    drawn = distribution_of(f"init.kaiming_{form}_", shape, [slope, mode, nonlinearity])
    assert drawn is not None
    torch_fans = fans(shape)
    expected = "fan_in" if torch_fans.fan_in == torch_fans.fan_out else mode
    assert (f"kaiming_{form}", expected) in {(r.scheme, r.mode) for r in recognise(drawn, shape)}


@given(shapes)
def test_lecun_siren_and_torchs_default_are_recognised_at_any_shape(shape: tuple[int, ...]) -> None:
    assert "lecun_normal" in names(lecun_normal(shape), shape)
    assert "lecun_uniform" in names(lecun_uniform(shape), shape)
    assert "siren" in names(siren(shape), shape)
    assert "siren" in names(siren(shape, first=True), shape)
    assert "torch's default" in describe(torch_default(shape), shape)


@given(shapes, st.floats(0.01, 10))
def test_orthogonal_is_recognised_with_any_gain(shape: tuple[int, ...], gain: float) -> None:
    drawn = distribution_of("init.orthogonal_", shape, [gain])
    assert drawn is not None
    (found,) = recognise(drawn, shape)
    assert (found.scheme, found.gain) == ("orthogonal", pytest.approx(gain))


@given(shapes, st.floats(0.01, 10), forms)
def test_a_call_names_its_scheme_whatever_the_gain(shape: tuple[int, ...], gain: float, form: str) -> None:
    call = f"init.xavier_{form}_"
    drawn = distribution_of(call, shape, [gain])
    assert drawn is not None
    first = recognise(drawn, shape, by=call)[0]
    assert (first.scheme, first.gain) == (f"xavier_{form}", pytest.approx(gain, rel=1e-5))


@given(shapes, st.floats(1e-4, 1.0))
def test_a_distribution_off_centre_is_no_scheme(shape: tuple[int, ...], offset: float) -> None:
    drawn = distribution_of("init.xavier_normal_", shape)
    assert drawn is not None
    assert recognise(drawn.shifted(offset), shape) == ()


@given(st.floats(-2, 2), st.floats(0, 3), st.floats(-5, 5))
def test_scaling_a_distribution_scales_its_deviation_and_keeps_its_bounds_in_order(
    mean: float, width: float, factor: float
) -> None:
    drawn = distribution_of("Tensor.uniform_", None, [mean, mean + width])
    assert drawn is not None and drawn.std is not None
    scaled = drawn.scaled(factor)
    assert scaled.low is not None and scaled.high is not None and scaled.low <= scaled.high
    assert scaled.std == pytest.approx(abs(factor) * drawn.std)


def test_a_hand_written_deviation_is_xavier() -> None:
    drawn = distribution_of("Tensor.normal_", (4, 3), [0, math.sqrt(2) / math.sqrt(7.0)])
    assert drawn is not None
    assert describe(drawn, (4, 3)) == "xavier_normal, gain 1"


def test_a_square_weight_is_xavier_and_lecun_at_once() -> None:
    drawn = distribution_of("init.xavier_normal_", (64, 64))
    assert names(drawn, (64, 64)) == {"xavier_normal", "lecun_normal"}
    assert drawn is not None
    assert describe(drawn, (64, 64)) == "xavier_normal, gain 1 (here the same as lecun_normal)"


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("Tensor.zero_", (), "zeros"),
        ("init.ones_", (), "ones"),
        ("init.constant_", (0.5,), "constant(0.5)"),
        ("init.normal_", (0.0, 0.02), "normal(0, 0.02)"),
        ("Tensor.uniform_", (-0.1, 0.1), "uniform(-0.1, 0.1)"),
        ("init.trunc_normal_", (0.0, 0.02), "truncated_normal(0, 0.02, -2, 2)"),
        ("init.orthogonal_", (), "orthogonal, gain 1"),
        ("init.eye_", (), "eye"),
        ("init.kaiming_normal_", (0, "fan_out", "relu"), "kaiming_normal, fan_out, relu"),
        ("init.xavier_uniform_", (5 / 3,), "xavier_uniform, gain 5/3"),
        ("init.kaiming_uniform_", (math.sqrt(5),), "kaiming_uniform, a=sqrt(5), torch's default"),
        ("init.xavier_normal", (), "xavier_normal, gain 1"),
        ("torch.randn", (5, 7), "normal(0, 1)"),
        ("torch.full", (None, 2), "constant(2)"),
    ],
)
def test_a_distribution_is_described_in_words(call: str, arguments: tuple[object, ...], words: str) -> None:
    drawn = distribution_of(call, (5, 7), arguments)
    assert drawn is not None
    assert describe(drawn, (5, 7)) == words


@pytest.mark.parametrize(
    ("call", "shape", "arguments"),
    [
        ("init.xavier_normal_", (4,), ()),
        ("init.xavier_normal_", (4, None), ()),
        ("init.xavier_normal_", None, ()),
        ("init.xavier_normal_", (4, 3), (None,)),
        ("init.kaiming_normal_", (4, 3), (None,)),
        ("init.kaiming_normal_", (4, 3), (0, "fan_avg")),
        ("init.kaiming_normal_", (4, 3), (0, "fan_in", "gelu")),
        ("init.normal_", (4, 3), (0.0, -1.0)),
        ("init.uniform_", (4, 3), (1.0, -1.0)),
        ("init.kaiming_normal_", (4, 0), ()),
        ("torch.full", (4,), (4,)),
        ("Tensor.copy_", (4,), (None,)),
        ("my.own_initializer_", (4, 3), ()),
    ],
)
def test_what_is_not_known_has_no_distribution(
    call: str, shape: tuple[int | None, ...] | None, arguments: tuple[object, ...]
) -> None:
    assert distribution_of(call, shape, arguments) is None


def test_an_unknown_constant_is_not_called_zeros() -> None:
    assert describe(Distribution(family="constant"), (3,)) == "constant(?)"


def test_a_truncated_normal_is_recognised_by_either_of_its_deviations() -> None:
    std = math.sqrt(2 / 12)
    after = std / 0.87962566103423978  # what a standard normal keeps when it is cut at two sigma
    corrected = Distribution(family="truncated_normal", mean=0.0, std=after, low=-2 * after, high=2 * after)
    nominal = Distribution(family="truncated_normal", mean=0.0, std=std, low=-2.0, high=2.0)
    assert corrected.actual_std == pytest.approx(std, rel=1e-9)
    assert "xavier_normal" in names(corrected, (5, 7))
    assert "xavier_normal" in names(nominal, (5, 7))


@pytest.mark.parametrize(("low", "high"), [(5.0, 6.0), (-math.inf, math.inf), (1.0, 1.0)])
def test_odd_truncations_do_not_raise(low: float, high: float) -> None:
    drawn = Distribution(family="truncated_normal", mean=0.0, std=0.02, low=low, high=high)
    assert drawn.actual_std is None or drawn.actual_std == pytest.approx(0.02)
    assert describe(drawn, (4, 3)).startswith("truncated_normal(0, 0.02")


@pytest.mark.parametrize(
    ("shape", "geometry", "expected"),
    [
        ((4, 3), Geometry(), (3, 4)),
        ((64, 32, 3, 3), Geometry(), (288, 576)),
        ((64, 4, 3, 3), Geometry(groups=8), (36, 72)),
        ((64, 32, 4, 4), Geometry(transposed=True, stride=(2, 2)), (256, 512)),
        ((3, 4), Geometry(input_first=True), (3, 4)),
        ((192, 64), Geometry(fused=3), (64, 64)),
        ((8, 128, 64), Geometry(stacked=1), (64, 128)),
    ],
)
def test_true_fans_count_the_products_that_meet(
    shape: tuple[int, ...], geometry: Geometry, expected: tuple[float, float]
) -> None:
    found = fans(shape, Convention.TRUE, geometry)
    assert (found.fan_in, found.fan_out) == expected


def test_true_fans_of_a_transposed_convolution_match_what_its_outputs_sum_over() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.ConvTranspose2d(6, 8, 4, stride=2, groups=2, bias=False)
    torch.nn.init.ones_(layer.weight)
    inner = layer(torch.ones(1, 6, 9, 9))[0, 0, 6:12, 6:12]
    geometry = Geometry(groups=2, stride=(2, 2), transposed=True)
    assert inner.mean().item() == fans(tuple(layer.weight.shape), Convention.TRUE, geometry).fan_in


@given(shapes)
def test_torchs_fans_are_what_torch_computes(shape: tuple[int, ...]) -> None:
    init = pytest.importorskip("torch.nn.init")
    torch = pytest.importorskip("torch")
    found = fans(shape)
    assert (found.fan_in, found.fan_out) == init._calculate_fan_in_and_fan_out(torch.empty(shape, device="meta"))


def test_gains_are_torchs_and_torch_has_none_for_gelu() -> None:
    init = pytest.importorskip("torch.nn.init")
    for nonlinearity in ("linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert calculate_gain(nonlinearity) == init.calculate_gain(nonlinearity)
    assert calculate_gain("leaky_relu", 0.2) == init.calculate_gain("leaky_relu", 0.2)
    with pytest.raises(ValueError, match="gelu"):
        calculate_gain("gelu")


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"eye", "dirac"}))
def test_every_initializer_draws_what_torch_draws(name: str) -> None:
    torch = pytest.importorskip("torch")
    arguments = {"constant": [0.3], "sparse": [0.25], "normal": [0.1, 0.5], "trunc_normal": [0.0, 1.0, -1.5, 2.0]}.get(
        name, []
    )
    torch.manual_seed(0)
    weight = torch.empty(200, 300)
    getattr(torch.nn.init, f"{name}_")(weight, *arguments)
    drawn = distribution_of(f"init.{name}_", (200, 300), arguments)
    assert drawn is not None and drawn.actual_std is not None
    # Over 60,000 elements the standard error of a standard deviation is below 0.5%.
    assert weight.std().item() == pytest.approx(drawn.actual_std, rel=0.02, abs=1e-6)
    if drawn.low is not None and drawn.high is not None:
        assert drawn.low <= weight.min().item() <= weight.max().item() <= drawn.high


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_every_initializer_takes_torchs_arguments_in_torchs_order(name: str) -> None:
    init = pytest.importorskip("torch.nn.init")
    theirs = [p for p in inspect.signature(getattr(init, f"{name}_")).parameters if p not in ("tensor", "generator")]
    ours = [p for p in inspect.signature(INITIALIZERS[name]).parameters if p != "shape"]
    assert ours == theirs
