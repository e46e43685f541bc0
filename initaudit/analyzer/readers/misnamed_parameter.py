"""Writes to names that are nearly those of a layer's parameters: ``self.words.weights = nn.Parameter(vectors)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import last_name
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import Step, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.walks import written
from initaudit.subjects.lost_writes import MisnamedParameter

LAYERS = {
    f"torch.nn.{name}" for name in (*torch_api.LINEAR_LIKE, *torch_api.NORMALIZATIONS, "Embedding", "EmbeddingBag")
}
MEANT = {
    **dict.fromkeys(("weights", "Weight", "weigth", "weigths", "wieght", "wieghts", "wight", "weigh"), "weight"),
    **dict.fromkeys(("biases", "Bias", "bais", "biass", "baises"), "bias"),
}


@reads(MisnamedParameter, scope=Context, words=" ".join(f".{name}" for name in MEANT), nearby="nn")
def misnamed_parameter(context: Context) -> Iterator[MisnamedParameter]:
    """Writes of a layer of torch under a name that it does not have, where nothing else has to do with that name."""
    meanings = Meanings(context)
    for step in meanings.steps():
        for target, raises in _written(context, step) if not step.guarded else ():
            layer = meanings.meaning(target.value, step.names)
            if layer is None or layer.what is not What.MODULE or len(layer.kinds) != 1 or layer.kinds[0] not in LAYERS:
                continue
            if not _is_known_elsewhere(context, target, given=raises):
                yield MisnamedParameter(
                    place=context.snippet.place(target),
                    target=context.snippet.source(target),
                    layer=layer.kinds[0].removeprefix("torch."),
                    meant=MEANT[target.attr],
                    raises=raises,
                )


def _written(context: Context, step: Step) -> Iterator[tuple[ast.Attribute, bool]]:
    """The misnamed parameters that a statement writes, and whether it reads the name for that."""
    match step.statement:
        case ast.Assign(targets=[ast.Attribute(attr="data", value=ast.Attribute(attr=name) as target)]) if (
            name in MEANT
        ):
            yield target, True
        case ast.Assign(targets=[ast.Attribute(attr=name) as target]) if name in MEANT:
            yield target, False
        case _:
            for call in step.calls():
                target_of_call = written(context, call)
                if isinstance(target_of_call, ast.Attribute) and target_of_call.attr in MEANT:
                    yield target_of_call, True


def _is_known_elsewhere(context: Context, target: ast.Attribute, *, given: bool) -> bool:
    """Whether something may read a name of a layer that is written, or, where it is read, may have given it to one.

    An owner without a name of its own, such as an item of a list, may be any layer.
    """
    owner, name = last_name(target.value), target.attr
    for module in {context.module, *importing(context.project, context.module)}:
        for start, end in module.parts_naming(name):
            snippet = module.quiet_snippet(start, end)
            for node in snippet.nodes if snippet is not None else ():
                match node:
                    case ast.Constant(value=text) if text == name:
                        return True
                    case ast.Attribute(attr=attr, value=value, ctx=use) if attr == name:
                        same = last_name(value) in (owner, "")
                        if same and isinstance(use, ast.Store if given else ast.Load):
                            return True
                    case _:
                        pass
    return False
