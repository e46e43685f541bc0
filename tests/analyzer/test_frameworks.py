"""What frameworks do with a model is known, whether or not they are installed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

UNWRITTEN = "                self._weight = nn.Parameter(torch.empty(n, n))\n"
BASES = {
    "lightning": "import lightning\nBase = lightning.LightningModule",
    "lightning.pytorch": "from lightning.pytorch import LightningModule as Base",
    "pytorch_lightning": "import pytorch_lightning as pl\nBase = pl.LightningModule",
    "mmengine": "from mmengine.model import BaseModule as Base",
    "mmcv": "from mmcv.runner import BaseModule as Base",
    "torch_geometric": "import torch_geometric.nn as pyg\nBase = pyg.MessagePassing",
    "torch_geometric.nn.conv": "from torch_geometric.nn.conv import MessagePassing as Base",
    "torch_geometric, its file": "from torch_geometric.nn.conv.message_passing import MessagePassing as Base",
}
NET = """
{base}

class Net(Base):
    def __init__(self, n{more}):
        super().__init__({given})
        self._weight = nn.Parameter(torch.empty(n, n))

    def {method}(self):
        nn.init.normal_(self._weight)
"""


def net(base: str, *, method: str = "forward_test", more: str = "", given: str = "") -> str:
    return NET.format(base=BASES[base], method=method, more=more, given=given)


@pytest.mark.parametrize("base", BASES)
def test_the_base_of_a_framework_writes_nothing(base: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=net(base)) == {"_weight"}


@pytest.mark.parametrize(
    ("base", "method"),
    [
        ("lightning", "configure_model"),
        ("pytorch_lightning", "setup"),
        ("mmengine", "init_weights"),
        ("mmcv", "init_weights"),
    ],
)
def test_a_method_that_the_framework_calls_writes(base: str, method: str, unwritten: Callable[..., set[str]]) -> None:
    assert unwritten(net=net(base, method=method)) == set()


@pytest.mark.parametrize(("parameter", "found"), [("_weight", set()), ("other", {"_weight"})])
def test_a_configuration_of_mmengine_initializes_what_it_names(
    parameter: str, found: set[str], unwritten: Callable[..., set[str]]
) -> None:
    given = f"init_cfg=dict(type='Normal', layer='Linear', override=dict(type='Normal', name='{parameter}'))"
    assert unwritten(net=net("mmengine", given=given)) == found


def test_timm_applies_a_function_that_is_given_names(unwritten: Callable[..., set[str]]) -> None:
    source = """
        def named_apply(fn, module, name="", depth_first=True, include_root=False):
            if not depth_first and include_root:
                fn(module=module, name=name)
            for child_name, child_module in module.named_children():
                child_name = ".".join((name, child_name)) if name else child_name
                named_apply(fn=fn, module=child_module, name=child_name, depth_first=depth_first, include_root=True)
            if depth_first and include_root:
                fn(module=module, name=name)
            return module

        class Pool(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))

            def init_weights(self):
                nn.init.trunc_normal_(self._weight, std=0.02)

        def init_weights_vit(module, name=""):
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
            elif hasattr(module, "init_weights"):
                module.init_weights()

        class Transformer(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.pool = Pool(n)
                named_apply(init_weights_vit, self)
        """
    assert unwritten(vit=source) == set()
    assert unwritten(vit=source.replace("nn.init.trunc_normal_(self._weight, std=0.02)", "pass")) == {"_weight"}


def test_fairseq_applies_one_function_to_every_module(unwritten: Callable[..., set[str]]) -> None:
    source = """
        def init_bert_params(module):
            def normal_(data):
                data.copy_(data.cpu().normal_(mean=0.0, std=0.02).to(data.device))

            if isinstance(module, Attention):
                normal_(module._weight.data)

        class Attention(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.Tensor(n, n))

        class Encoder(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.layers = nn.ModuleList([Attention(n) for _ in range(3)])
                self.apply(init_bert_params)
        """
    assert unwritten(encoder=source) == set()
    assert unwritten(encoder=source.replace("normal_(module._weight.data)", "pass")) == {"_weight"}


def test_a_base_of_the_project_that_walks_its_children_initializes_them(unwritten: Callable[..., set[str]]) -> None:
    protocol = """
        class Module(nn.Module):
            def init_states(self):
                for child in self.children():
                    child.init_states()
                self.init_self()

            def init_self(self):
                pass
        """
    experts = """
        from protocol import Module

        class Experts(Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))

            def init_self(self):
                nn.init.normal_(self._weight)
        """
    assert unwritten(protocol=protocol, experts=experts) == set()
    assert unwritten(protocol=protocol, experts=experts.replace("nn.init.normal_(self._weight)", "pass")) == {"_weight"}


def test_a_parameter_with_a_loader_of_its_own_is_not_initialized_but_loaded(
    unwritten: Callable[..., set[str]],
) -> None:
    source = """
        def set_attributes(tensor, attributes):
            for key, value in attributes.items():
                setattr(tensor, key, value)

        class Experts(nn.Module):
            def __init__(self, n):
                super().__init__()
                self._weight = nn.Parameter(torch.empty(n, n))
                set_attributes(self._weight, {"weight_loader": self.load})

            def load(self, parameter, loaded):
                parameter.data.copy_(loaded)
        """
    assert unwritten(experts=source) == set()
    assert unwritten(experts=source.replace("weight_loader", "tensor_parallel")) == {"_weight"}


@pytest.mark.parametrize(("key", "found"), [("head.bias", set()), ("neck.bias", {"bias"}), ("head.other", {"bias"})])
def test_a_parameter_that_becomes_another_needs_no_values(
    key: str, found: set[str], unwritten: Callable[..., set[str]]
) -> None:
    source = f"""
        class Head(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.decoder = nn.Linear(n, n)
                self.bias = nn.Parameter(torch.empty(n))

            def forward(self, x):
                return self.decoder(x)

        class Model(nn.Module):
            _tied_weights_keys = {{"{key}": "head.decoder.bias"}}

            def __init__(self, n):
                super().__init__()
                self.head = Head(n)
    """
    assert unwritten(net=source) == found
