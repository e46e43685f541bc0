"""Scripts that look at the operators of a model of their own, and at none of its values."""

from __future__ import annotations

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.project.names import External, Project
from initaudit.analyzer.readers.applications import is_alone, trains
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.scopes import scopes_holding

GRAPHS = {
    "torch.onnx.export", "torch.onnx.dynamo_export", "torch.onnx.utils.export", "torch.jit.trace",
    "torch.jit.trace_module", "torch.jit.script", "torch.export.export", "torch.export.export_for_training",
    "torch.fx.symbolic_trace",
}  # fmt: skip
"""Functions that write down the operators of a model."""
LOADS = {"load_state_dict", "from_pretrained", "load_model"}


def only_exports(project: Project, module: Module) -> bool:
    """Whether a file is a script that writes down the operators of its model, and neither trains nor loads it."""
    if not _exports(project, module) or not is_alone(project, module):
        return False
    used = [module.usage_of(*part) for part in module.parts()]
    names = {name for each in used for name in each.names}
    loaders = {name for each in used for name in each.called if name.rpartition(".")[2] == "load"}
    loads = any(project.resolve(module, name) == External("torch.load") for name in loaders)
    return not loads and LOADS.isdisjoint(names) and not trains(names)


def _exports(project: Project, module: Module) -> bool:
    for start, end, definition in scopes_holding(module, (("export(", "export_for_training(", "trace(", "script("),)):
        snippet = module.snippet(start, end)
        context = Context(project, module, definition, snippet) if snippet is not None else None
        if context is not None and any(context.canonical(call.func) in GRAPHS for call in context.calls()):
            return True
    return False
