"""Correct code that looks uninitialized, each next to the change that makes it wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import NamedTuple

import pytest


class Trap(NamedTuple):
    """A source, what is replaced in it to break it, and the parameters that are then not written."""

    source: str
    right: str
    wrong: str
    found: set[str]


TRAPS = {
    "a base class resets what the subclass creates": Trap(
        """
        class LoRALinear(nn.Module):
            def reset_parameters(self):
                if hasattr(self, "lora_A"):
                    nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
                    nn.init.zeros_(self.lora_B)

        class LoRAQKVLinear(LoRALinear):
            def __init__(self, r, n):
                super().__init__()
                self.lora_A = nn.Parameter(torch.empty(r, n))
                self.lora_B = nn.Parameter(torch.empty(n, r))
                self.reset_parameters()
        """,
        "                self.reset_parameters()",
        "                pass",
        {"lora_A", "lora_B"},
    ),
    "a loop over the class's own parameters": Trap(
        """
        class LLTM(nn.Module):
            def __init__(self, n, state):
                super().__init__()
                self.state = state
                self.weights = nn.Parameter(torch.empty(3 * state, n + state))
                self.reset_parameters()

            def reset_parameters(self):
                bound = 1.0 / math.sqrt(self.state)
                for weight in self.parameters():
                    weight.data.uniform_(-bound, bound)
        """,
        "uniform_(-bound, bound)",
        "numel()",
        {"weights"},
    ),
    "one scheme for matrices and one for vectors": Trap(
        """
        class Attention(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.w1 = nn.Parameter(torch.FloatTensor(n))
                self.w2 = nn.Parameter(torch.FloatTensor(n, n))
                for p in self.parameters():
                    if p.dim() > 1:
                        nn.init.xavier_uniform_(p)
                    else:
                        nn.init.uniform_(p)
        """,
        "nn.init.uniform_(p)",
        "pass",
        {"w1"},
    ),
    "a helper that takes the tensor second": Trap(
        """
        def uniform(size, tensor):
            bound = 1.0 / math.sqrt(size)
            if tensor is not None:
                tensor.data.uniform_(-bound, bound)

        class GraphConv(nn.Module):
            def __init__(self, n, m):
                super().__init__()
                self.weight = nn.Parameter(torch.Tensor(n, m))
                uniform(n, self.weight)
        """,
        "uniform(n, self.weight)",
        "print(n)",
        {"weight"},
    ),
    "a constructor that is given data": Trap(
        """
        import numpy

        class Encoder(nn.Module):
            def __init__(self, n, m):
                super().__init__()
                self.weights = nn.Parameter(torch.FloatTensor(numpy.zeros((n, m))))
        """,
        "numpy.zeros((n, m))",
        "n, m",
        {"weights"},
    ),
    "packed weights that a loader fills": Trap(
        """
        class Quantized(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n, n, dtype=torch.int8), requires_grad=False)
        """,
        "torch.int8",
        "torch.float32",
        {"weight"},
    ),
    "memory that is drawn before it becomes a parameter": Trap(
        """
        class Prenet(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.mask = nn.Parameter(torch.Tensor(n).uniform_())
        """,
        "torch.Tensor(n).uniform_()",
        "torch.Tensor(n, 1)",
        {"mask"},
    ),
    "the result of an initializer that is assigned back": Trap(
        """
        class Patches(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n, n))

        class Model(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.patches = Patches(n)
                self.apply(self._init_weights)

            def _init_weights(self, module):
                if isinstance(module, Patches):
                    wide = nn.init.trunc_normal_(module.weight.data.to(torch.float32), std=0.02)
                    module.weight.data = wide.to(module.weight.dtype)
        """,
        "isinstance(module, Patches)",
        "isinstance(module, nn.Linear)",
        {"weight"},
    ),
    "an option that is checked": Trap(
        """
        class Layer(nn.Module):
            def __init__(self, n, init="uniform"):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n, n))
                self.bias = nn.Parameter(torch.empty(n))
                if init == "uniform":
                    nn.init.uniform_(self.weight)
                    nn.init.zeros_(self.bias)
                else:
                    raise ValueError(init)
        """,
        "raise ValueError(init)",
        "nn.init.normal_(self.weight)",
        {"bias"},
    ),
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_nothing_is_said_about(trap: Trap, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(layer=trap.source) == set()


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_the_wrong_way_is_reported_instead_of(trap: Trap, unwritten: Callable[..., set[str]]) -> None:
    assert trap.right in trap.source
    assert unwritten(layer=trap.source.replace(trap.right, trap.wrong)) == trap.found


def test_a_template_is_left_to_the_file_that_was_generated_from_it(unwritten: Callable[..., set[str]]) -> None:
    template = textwrap.dedent(
        """
        class Router(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(n, n))
        """
    )
    generated = f"# This file was generated from modular_router.py.\n{template}        nn.init.zeros_(self.weight)\n"
    assert unwritten(modular_router=template) == {"weight"}
    assert unwritten(modular_router=template, modeling_router=generated) == set()
