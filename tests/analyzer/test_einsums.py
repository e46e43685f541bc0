"""Products in Einstein's notation mean the same, whatever library writes them and whatever its axes are called."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from initaudit.analyzer.syntax.einsums import Einsum, einsum
from initaudit.cli import main

AXES = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=5)


def read(source: str, function: str) -> Einsum | None:
    call = ast.parse(source).body[0]
    assert isinstance(call, ast.Expr) and isinstance(call.value, ast.Call)
    return einsum(call.value, function)


def meaning(found: Einsum | None) -> tuple[object, ...]:
    assert found is not None
    return found.axes, found.product, tuple(map(ast.unparse, found.factors))


@given(AXES, AXES, AXES, st.booleans())
def test_words_and_letters_mean_the_same(one: list[str], two: list[str], out: list[str], dots: bool) -> None:
    lead = ["..."] if dots else []
    letters = f"{''.join(lead + one)},{''.join(two)}->{''.join(lead + out)}"
    words = [
        " ".join(name if name == "..." else f"axis_{name}" for name in part) for part in (lead + one, two, lead + out)
    ]
    equation = f"{words[0]}, {words[1]} -> {words[2]}"
    found = meaning(read(f"einsum('{letters}', x, w)", "torch.einsum"))
    assert meaning(read(f"einsum('{equation}', x, w)", "fancy_einsum.einsum")) == found
    assert meaning(read(f"einsum(x, w, '{equation}')", "einops.einsum")) == found
    assert meaning(read(f"einsum(' {letters.replace(',', ' , ')} ', x, w)", "torch.einsum")) == found


@pytest.mark.parametrize(
    ("source", "function"),
    [
        ("einsum('ab,bc', x, w)", "torch.einsum"),
        ("einsum('ab,bc,cd->ad', x, w, v)", "torch.einsum"),
        ("einsum('ab->a', x)", "torch.einsum"),
        ("einsum(equation, x, w)", "torch.einsum"),
        ("einsum('a b, b c -> a c', x, w)", "einops.einsum"),
        ("einsum(x, w, 'ab,bc->ac')", "torch.einsum"),
        ("einsum('ab,bc->ac', x, w)", "numpy.einsum"),
    ],
)
def test_anything_but_a_product_of_two_tensors_is_left_alone(source: str, function: str) -> None:
    assert read(source, function) is None


LAYER = """
import torch
from torch import nn
{imports}

class Wide(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.weight = nn.Parameter(torch.empty({sizes}))
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x):
        inner: torch.Tensor = {product}
        return torch.relu(inner)
"""


@pytest.mark.parametrize(
    ("imports", "product"),
    [
        ("", "x @ self.weight"),
        ("", "torch.einsum('bn, nm -> bm', x, self.weight)"),
        ("from fancy_einsum import einsum", "einsum('batch width, width inner -> batch inner', x, self.weight)"),
        ("from einops import einsum", "einsum(x, self.weight, '... width, width inner -> ... inner')"),
        ("import einops", "einops.einsum(self.weight, x, 'width inner, batch width -> batch inner')"),
    ],
)
@pytest.mark.parametrize(("sizes", "codes"), [("n, m", ["INI405"]), ("m, n", [])])
def test_the_fan_of_a_weight_is_what_the_product_sums_over(
    imports: str, product: str, sizes: str, codes: list[str], tmp_path: Path
) -> None:
    if not codes:
        product = product.replace("x @ self.weight", "x @ self.weight.T").replace("nm ->", "mn ->")
        product = product.replace("width inner", "inner width")
    (tmp_path / "net.py").write_text(LAYER.format(imports=imports, product=product, sizes=sizes), encoding="utf-8")
    flags = ["--isolated", "--no-cache", "--preview", "--select", "INI405", "--output-format", "json", "--exit-zero"]
    result = CliRunner().invoke(main, ["check", str(tmp_path), *flags])
    assert [found["code"] for found in json.loads(result.stdout)] == codes
