"""Which calls make a module with parameters or buffers."""

from __future__ import annotations

import ast

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.source.snippets import nodes
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.structure import LISTS, returned, without

PARAMETERS = {"Parameter", "register_parameter", *torch_api.STATEFUL}
"""What a class calls that has parameters of its own, or layers with some."""


def is_stateful(context: Context, maker: ast.Call, *, buffers: bool = True) -> bool:
    """Whether a call is known to make a parameter, or a module with parameters or, as asked for, buffers."""
    found = context.resolve(maker.func)
    if isinstance(found, External):
        if found.name in LISTS:
            inner = [node for node in nodes(maker) if isinstance(node, ast.Call) and node is not maker]
            return any(is_stateful(context, node, buffers=buffers) for node in inner)
        return found.name == "torch.nn.Parameter" or _is_layer(found.name, maker, buffers=buffers)
    if not isinstance(found, Defined):
        return False
    if not found.definition.is_class:
        layers = [each for each in returned(context, found) if each.cls is None]
        return any(_plain(each.kind) in torch_api.STATEFUL for each in layers)
    if not context.project.is_module_class(found):
        return False
    return any(
        _owns(base, buffers=buffers) if isinstance(base, Defined) else _plain(base.name) in torch_api.STATEFUL
        for base in context.project.mro(found) or ()
    )


def _is_layer(name: str, maker: ast.Call, *, buffers: bool) -> bool:
    """Whether a call makes a layer of torch that has parameters, or buffers."""
    kind = _plain(name)
    if kind == name or kind not in torch_api.STATEFUL:
        return False
    return without(kind, maker, "weight") is not True or (buffers and kind not in torch_api.OFF_BY_DEFAULT)


def _owns(cls: Defined, *, buffers: bool) -> bool:
    """Whether a class makes parameters or layers with some, or buffers."""
    called = cls.module.usage(cls.definition).last_called
    return not PARAMETERS.isdisjoint(called) or (buffers and "register_buffer" in called)


def _plain(name: str) -> str:
    return name.removeprefix("torch.nn.")
