"""A name that is put together is shown as a pattern, with a star for what is computed."""

from __future__ import annotations

import pytest

from initaudit.analyzer.symbolic.computed_names import shown


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("weight", "weight"),
        ("f'weight_{each of range(n)}'", "weight_*"),
        ("f'w{i:02d}_{n}'", "w*_*"),
        ("'bias_{}'.format(each of names)", "bias_*"),
        ("(each of names + '_scale')", "*_scale"),
        ("('b_%s' % key)", "b_*"),
        ("f(x)[0]", "*"),
        ("a b", "*"),
    ],
)
def test_a_computed_name_is_shown_as_a_pattern(name: str, pattern: str) -> None:
    assert shown(name) == pattern
