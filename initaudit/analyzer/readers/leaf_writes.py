"""Parameters that are written in place while autograd records: code that raises when it runs.

Only where nothing around can have switched recording off: top-level code, constructors, and the methods that a
constructor calls.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.module import Module
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import begin, defaults, end
from initaudit.analyzer.syntax.context import Context, method, own_attribute
from initaudit.analyzer.syntax.meaning import Meaning, Names, What
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.results import OUT_OF_PLACE
from initaudit.analyzer.syntax.structure import constructed
from initaudit.analyzer.syntax.walks import applied_names
from initaudit.subjects.lost_writes import LeafWrite

SWITCHES = re.compile(r"(?:\w+_)?(?:no_grad|inference_mode|grad_enabled|requires_grad_?)|meta(?::\d+)?")
"""Names and texts of what may stop the recording, or make a parameter no leaf that needs it, unless set to True."""
RECORDED = (torch_api.OVERWRITES | torch_api.PARTIAL_WRITES) - {"set_"} | {
    "mul_", "div_", "add_", "sub_", "clamp_", "neg_", "abs_", "sqrt_", "pow_", "exp_", "copy_", "lerp_", "addmm_",
}  # fmt: skip

MOVES = {"clone", "cuda", "detach", "float", "to"}
"""Methods that give a tensor which is no parameter, or may."""
WRITES = "-= += *= /= ]= normal_( uniform_( zero_( fill_( copy_( mul_( div_( add_( sub_( clamp_("


@reads(LeafWrite, scope=Context, words=(WRITES, "parameters( .weight* .bias* .in_proj* getattr("))
@reads(LeafWrite, scope=Context, words=(WRITES, ":self["), nearby="Parameter( register_parameter(")
def leaf_writes(context: Context) -> Iterator[LeafWrite]:
    """Writes to parameters, or to views of them, that autograd records."""
    if not _records(context) or _may_be_switched_off(context):
        return
    meanings = Meanings(context)
    for step in meanings.steps():
        if step.guarded:
            continue
        for target, source in _written(step.statement):
            meaning = meanings.meaning(target, step.names)
            if meaning is not None and (
                _is_leaf(context, target, meaning) or _is_of_model(context, target, meaning, step.names)
            ):
                yield LeafWrite(
                    place=context.snippet.place(source),
                    source=context.snippet.source(source),
                    parameter=context.snippet.source(_innermost(target)).removeprefix("self."),
                    model=context.cls.qualname if context.cls is not None else None,
                    view=meaning.part or meaning.reshaped,
                )


def _records(context: Context) -> bool:
    """Whether a function, or top-level code, is known to run with autograd on."""
    function, cls = context.function, context.cls
    if function is None:
        return True
    if function.decorator_list:
        return False
    if cls is None or not context.project.is_module_class(cls):
        return cls is None and function.name in applied_names(context)
    if function.name == "__init__":
        return True
    constructor = method(context, "__init__")
    if constructor is None or constructor.cls != cls or constructor.function is None:
        return False
    return any(own_attribute(call.func) == function.name for call in constructor.calls())


def _written(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | ast.stmt]]:
    """What a statement writes in place, and the code that does."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name, value=target)) as call) if name in RECORDED:
            yield target, call
        case ast.Assign(targets=[ast.Subscript(value=target)]):
            yield target, statement
        case ast.AugAssign(target=ast.Subscript(value=target)):
            yield target, statement
        case ast.AugAssign(target=ast.Attribute() | ast.Name() as target):
            yield target, statement
        case _:
            pass


def _is_leaf(context: Context, target: ast.expr, meaning: Meaning) -> bool:
    """Whether what is written is a parameter, or a view of one that autograd knows."""
    if meaning.what is not What.PARAMETER or meaning.detached or not meaning.certain:
        return False
    tensor = _innermost(target)
    if own_attribute(tensor) is not None:
        return not _is_tensor_so_far(context, tensor)  # a parameter of the class itself
    if not meaning.kinds and not meaning.element and meaning.attribute is not None:
        return _made_parameter(context, meaning.source)
    if isinstance(tensor, ast.Name):
        return meaning.element or bool(meaning.kinds)
    return bool(meaning.kinds) and all(kind.startswith("torch.nn.") for kind in meaning.kinds)


def _is_of_model(context: Context, target: ast.expr, meaning: Meaning, names: Names) -> bool:
    """Whether what is written is the parameter of a torch layer that a model holds: ``net.emb.weight``."""
    match _innermost(target):
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id=model), attr=held)):
            made = names.get(model)
        case _:
            return False
    if made is None or made.what is not What.MODULE or meaning.what is not What.PARAMETER or meaning.detached:
        return False
    call = ast.parse(made.source, mode="eval").body
    cls = context.resolve(call.func) if isinstance(call, ast.Call) else None
    if not isinstance(cls, Defined) or not cls.definition.is_class or not context.project.is_module_class(cls):
        return False
    part = constructed(context.project, cls).get(held)
    kinds = [layer.kind for layer in part.layers if layer.depth == 0 and layer.derived is None] if part else []
    known = part is not None and part.complete and len(part.layers) == len(kinds) == 1
    plain = known and kinds[0].startswith("torch.nn.")
    return plain and not _switches_off(cls.module, cls.definition.start, cls.definition.end)


def _is_tensor_so_far(context: Context, tensor: ast.expr) -> bool:
    """Whether the last assignment above gives an attribute a plain tensor, which becomes a parameter later."""
    name = own_attribute(tensor)
    above = [
        node
        for node in context.walk()
        if isinstance(node, ast.Assign)
        and end(node) < begin(tensor)
        and any(own_attribute(target) == name for target in node.targets)
    ]
    last = max(above, key=begin, default=None)
    if last is None or not isinstance(last.value, ast.Call):
        return False
    made = context.canonical(last.value.func)
    if made is None:
        return isinstance(last.value.func, ast.Attribute) and last.value.func.attr in (*OUT_OF_PLACE, *MOVES)
    return made.startswith("torch.") and not made.startswith("torch.nn.Parameter")


def _made_parameter(context: Context, source: str) -> bool:
    """Whether the function itself says that an attribute is a parameter: ``m.bias = nn.Parameter(b.view(-1))``."""
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and context.canonical(node.value.func) == "torch.nn.Parameter"
        and any(context.snippet.source(target) == source for target in node.targets)
        for node in context.walk()
    )


def _innermost(target: ast.expr) -> ast.expr:
    """The tensor that an expression is a view of."""
    while True:
        match target:
            case ast.Call(func=ast.Attribute(value=inner)) | ast.Subscript(value=inner):
                target = inner
            case _:
                return target


def _may_be_switched_off(context: Context) -> bool:
    """Whether the class of a method, the file of another function, or the top level switches anything off."""
    module = context.module
    parts = list(module.parts()) if context.function is not None else module.outline.top_level
    if context.cls is not None:
        parts = [(context.cls.definition.start, context.cls.definition.end)]
    return any(_switches_off(module, *part) for part in parts if SWITCHES.search(module.rows(*part)))


def _switches_off(module: Module, start: int, end: int) -> bool:
    """Whether some rows name a switch, other than to set it to True, or the device without memory."""
    snippet = module.quiet_snippet(start, end)
    if snippet is None:
        return True
    on = {id(each) for node in snippet.nodes for each in _switched_on(node)}
    return any(SWITCHES.fullmatch(_said(node)) for node in snippet.nodes if id(node) not in on)


def _switched_on(node: ast.AST) -> Iterator[ast.AST]:
    """What a node sets to True."""
    match node:
        case ast.keyword(value=ast.Constant(value=True)):
            yield node
        case ast.Assign(targets=targets, value=ast.Constant(value=True)):
            yield from targets
        case ast.arguments():
            positional = [*node.posonlyargs, *node.args]
            given = defaults(node)
            on = {name for name, value in given.items() if isinstance(value, ast.Constant) and value.value is True}
            yield from (each for each in (*positional, *node.kwonlyargs) if each.arg in on)


def _said(node: ast.AST) -> str:
    """The name or the text that a node is."""
    match node:
        case ast.Name(id=said) | ast.Attribute(attr=said) | ast.alias(name=said) | ast.Constant(value=str(said)):
            return said
        case ast.arg(arg=said) | ast.keyword(arg=str(said)):
            return said
    return ""
