"""The table of torch: which handler a qualified name has."""

from __future__ import annotations

from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch import factories, functions, initializers, layers, modules
from initaudit.analyzer.symbolic.torch.call import Call, Handler
from initaudit.analyzer.symbolic.values import NONE, Instance, Origin, Value

FILLING = {
    "torch._foreach_copy_": (0, "self"),
    "torch._foreach_zero_": (0, "self"),
    "torch.nn.utils.vector_to_parameters": (1, "parameters"),
    "torch.nn.utils.convert_parameters.vector_to_parameters": (1, "parameters"),
}
"""Functions that replace the values of all tensors in one of their arguments: its position and its name."""


def _fill(run: Run, call: Call) -> Value:
    modules.initialize(run, call.argument(*FILLING[call.name]), call.name, call.origin)
    return NONE


HANDLERS: dict[str, Handler] = {
    **factories.HANDLERS,
    **initializers.HANDLERS,
    **functions.HANDLERS,
    **layers.HANDLERS,
    **dict.fromkeys(FILLING, _fill),
}
"""By the full name."""
PACKAGES: dict[str, Handler] = {
    "torch": functions.other,
    "torch.nn": layers.construct,
    "torch.nn.functional": functions.functional,
    "torch.nn.init": initializers.initialize,
    "torch.nn.utils": functions.utility,
}
"""For names that are in no other table: by the innermost package that has a handler."""


def call(run: Run, name: str, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Call a name of torch. A method that is called on its class is that of the instance it is given."""
    owner, _, method = name.rpartition(".")
    if owner.rpartition(".")[2][:1].isupper() and args and isinstance(args[0], Instance):
        return run.call(modules.inherited(run, args[0], method, owner), args[1:], keywords, origin)
    return handler(name)(run, Call(name, args, keywords, origin))


def handler(name: str) -> Handler:
    """Return what handles the calls of a name of torch."""
    found = HANDLERS.get(name)
    while found is None:
        name = name.rpartition(".")[0]
        found = PACKAGES.get(name or "torch")
    return found
