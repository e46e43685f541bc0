"""An item that is set at an unknown index is the one that is read at that index, on every path."""

from __future__ import annotations

from collections.abc import Callable

import pytest

HELD = """
class Held(nn.Module):
    def __init__(self, names, sizes, n):
        super().__init__()
        {made}
        for k in names:
            {branch}
            {write}
        {kept}
"""
SET = {
    "an if": "if k in sizes:\n                {0}[k] = {1}\n            else:\n                {0}[k] = {2}",
    "a try": (
        "try:\n                {0}[k] = {1}\n            except KeyError:\n                {0}[k] = {2}\n"
        "            finally:\n                pass"
    ),
    "a default": "{0}[k] = {2}\n            if k in sizes:\n                {0}[k] = {1}",
}
ONE, TWO = "nn.Parameter(torch.empty(sizes[k], n))", "nn.Parameter(torch.empty(n, n))"
IN = "if k in sizes:\n                "
KEPT = {
    "a dict of parameters": ("self.w = nn.ParameterDict()", "self.w", "pass"),
    "a dict": ("held = {}", "held", "self.w = nn.ParameterDict(held)"),
    "a list": ("held = [None] * len(names)", "held", "self.w = nn.ParameterList(held)"),
}


def held(kind: str, branch: str, write: str) -> str:
    made, name, kept = KEPT[kind]
    return HELD.format(made=made, branch=SET[branch].format(name, ONE, TWO), write=write.format(name), kept=kept)


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("branch", SET)
@pytest.mark.parametrize("write", ["nn.init.xavier_uniform_({0}[k].data, gain=1.4)", "{0}[k].data.normal_()"])
def test_an_item_that_is_written_behind_the_branches_that_make_it(
    kind: str, branch: str, write: str, unwritten: Callable[..., set[str]]
) -> None:
    assert unwritten(net=held(kind, branch, write)) == set()


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("branch", ["an if", "a try"])
@pytest.mark.parametrize(
    "write",
    [
        "pass",
        "nn.init.normal_({0}[0].data) if False else None",
        "other = nn.Parameter(torch.zeros(3))\n            nn.init.normal_(other)",
    ],
)
def test_an_item_that_is_not_written_on_every_path(
    kind: str, branch: str, write: str, unwritten: Callable[..., set[str]]
) -> None:
    assert unwritten(net=held(kind, branch, write))


def test_an_item_at_another_index_is_another(unwritten: Callable[..., set[str]]) -> None:
    both = 'self.w[k] = nn.Parameter(torch.empty(n, n))\n            self.w[f"{k}_b"] = nn.Parameter(torch.empty(n))'
    text = HELD.format(made="self.w = nn.ParameterDict()", branch=both, write="nn.init.ones_(self.w[k])", kept="pass")
    assert len(unwritten(net=text)) == 1
    text = text.replace("nn.init.ones_(self.w[k])", 'nn.init.ones_(self.w[k]), nn.init.zeros_(self.w[f"{k}_b"])')
    assert unwritten(net=text) == set()


@pytest.mark.parametrize(
    ("branch", "left"),
    [
        (f"{IN}self.w.append({ONE})\n            else:\n                self.w.append({TWO})", 0),
        (f"{IN}self.w.append({ONE})\n            self.w.append({TWO})", 1),
        (f"self.w.append({TWO})", 0),
        (f"self.w.append({TWO})\n            self.w.append({ONE})", 1),
    ],
)
def test_the_last_item_is_the_last_one_that_was_added(
    branch: str, left: int, unwritten: Callable[..., set[str]]
) -> None:
    text = HELD.format(
        made="self.w = nn.ParameterList()", branch=branch, write="nn.init.xavier_uniform_(self.w[-1])", kept="pass"
    )
    assert len(unwritten(net=text)) == left
