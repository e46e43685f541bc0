"""What unwritten memory is filled with: everything shows, nothing overflows, no random number is drawn."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from initaudit.probe.record.fills import Content, fill_storage
from initaudit.probe.record.poison import LARGE, SMALL, differing

TYPES = [
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128, torch.bool,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float8_e4m3fn, torch.uint16,
]  # fmt: skip
FLOATING = [kind for kind in TYPES if kind.is_floating_point and kind.itemsize > 1]

shapes = st.lists(st.integers(1, 5), max_size=3).map(tuple)


def filled(shape: tuple[int, ...], dtype: torch.dtype, content: Content) -> torch.Tensor:
    tensor = torch.zeros(shape, dtype=dtype)
    fill_storage(tensor, 0, content)
    return tensor


@given(shapes, st.sampled_from(TYPES), st.sampled_from([LARGE, SMALL]))
def test_two_fills_differ_in_every_element(
    shape: tuple[int, ...], dtype: torch.dtype, ramps: tuple[Content, Content]
) -> None:
    one, other = (filled(shape, dtype, content) for content in ramps)
    assert differing(one, other).all()
    assert not differing(one, filled(shape, dtype, ramps[0])).any()


@given(st.sampled_from(FLOATING), st.sampled_from([*LARGE, *SMALL, Content.ZERO]))
def test_ramps_are_finite_and_sort_in_their_own_way(dtype: torch.dtype, content: Content) -> None:
    ramp = filled((64,), dtype, content)
    assert ramp.isfinite().all()
    assert content is Content.ZERO or len(ramp.unique()) > 16
    assert filled((8,), dtype, Content.NOT_A_NUMBER).isnan().all()


def test_filling_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    for content in Content:
        filled((3, 4), torch.float32, content)
    assert torch.equal(before, torch.get_rng_state())


def test_a_fill_covers_the_gaps_between_strides_and_can_spare_a_beginning() -> None:
    tensor = torch.zeros(8)
    fill_storage(tensor[::2], 0, Content.UP)
    assert tensor.all()
    kept = torch.zeros(8)
    fill_storage(kept, 3 * kept.element_size(), Content.UP)
    assert kept.tolist()[:3] == [0, 0, 0] and kept[3:].all()


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_differing_elements_are_those_whose_bits_differ(flips: list[bool]) -> None:
    one = torch.full((len(flips),), float("nan"))
    two = torch.where(torch.tensor(flips), torch.tensor(-0.0), one)
    assert differing(one, two).tolist() == flips


@pytest.mark.parametrize("other", [None, torch.zeros(4), torch.zeros(3, dtype=torch.float64)])
def test_a_tensor_that_another_build_has_not_differs_altogether(other: torch.Tensor | None) -> None:
    assert differing(torch.zeros(3), other).tolist() == [True] * 3


def test_minus_zero_is_not_zero_and_nan_is_itself() -> None:
    assert differing(torch.tensor([0.0]), torch.tensor([-0.0])).all()
    assert not differing(torch.tensor([float("nan")]), torch.tensor([float("nan")])).any()
