"""Trained weights: calls that make a model with them, and whether a ``load_state_dict`` replaces every value."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence

from initaudit.analyzer.source.snippets import dotted, last_name, nodes, root
from initaudit.analyzer.syntax.context import Context, own_attribute

SIZES = {"in_features", "out_features", "in_channels", "out_channels", "num_embeddings", "num_classes"}
"""Attributes of a layer that are numbers: a new layer among loaded ones may be told by them, or made with them."""
KEYS = {"set", "sorted", "list", "tuple", "len", "print"}
"""Functions that read the keys of a dictionary, and no values."""


def replaces_all(load: ast.Call, before: Sequence[ast.stmt], imported: Collection[str]) -> bool:
    """Whether a call of ``load_state_dict`` leaves no value as it was, given the statements before it, and imports.

    Some values stay where keys may be missing, or where a model's own are loaded beside those of another.
    """
    strict = [*load.args[1:2], *(each.value for each in load.keywords if each.arg in ("strict", None))]
    if not all(isinstance(each, ast.Constant) and bool(each.value) for each in strict):
        return False
    model = dotted(load.func).removesuffix(".load_state_dict")
    made: list[ast.AST] = [*load.args[:1], *(each.value for each in load.keywords if each.arg == "state_dict")]
    for statement in reversed(before):
        if not _changed(statement).isdisjoint(_read(made)):
            made.append(statement)
    return not (_reads_values(made, model) and _reads_others(made, {*imported, model.partition(".")[0]}))


def _changed(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a value, or whose objects it may change."""
    changed = set[str]()
    for node in nodes(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                changed.add(name)
            case ast.Subscript(ctx=ast.Store()) | ast.Expr(value=ast.Call(func=ast.Attribute())):
                target = node if isinstance(node, ast.Subscript) else node.value
                owner = root(target, calls=True)
                changed.update([owner.id] if owner is not None else [])
            case _:
                pass
    return changed


def _read(trees: Iterable[ast.AST]) -> set[str]:
    """The names that some code reads, but those of functions that it calls."""
    all_nodes = [node for tree in trees for node in nodes(tree)]
    functions = {id(node.func) for node in all_nodes if isinstance(node, ast.Call)}
    names = (node for node in all_nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return {node.id for node in names if id(node) not in functions}


def _reads_others(trees: Sequence[ast.AST], known: set[str]) -> bool:
    """Whether some code reads a file, or something that it neither makes itself nor finds among what is known."""
    loads = any(
        isinstance(node, ast.Call) and last_name(node.func) in ("load", "load_file")
        for tree in trees
        for node in nodes(tree)
    )
    made = {node.id for tree in trees for node in nodes(tree) if isinstance(node, ast.Name) and _is_stored(node)}
    return loads or not _read(trees) <= made | known


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _reads_values(trees: Iterable[ast.AST], model: str) -> bool:
    """Whether some code reads values of a model's state, and not its keys alone."""
    all_nodes = [node for tree in trees for node in nodes(tree)]
    keys = {id(each) for node in all_nodes for each in _only_keys_of(node)}
    calls = (node for node in all_nodes if isinstance(node, ast.Call) and id(node) not in keys)
    return any(dotted(call.func) == f"{model}.state_dict" for call in calls)


def _only_keys_of(node: ast.AST) -> list[ast.expr]:
    """The dictionaries of which some code reads the keys alone."""
    match node:
        case ast.comprehension(iter=given) | ast.For(iter=given) | ast.Attribute(attr="keys", value=given):
            return [given]
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[given]):
            return [given]
        case ast.Call(func=ast.Name(id=called), args=[given]) if called in KEYS:
            return [given]
        case _:
            return []


def is_pretrained(context: Context, call: ast.Call) -> bool:
    """Whether a call makes a model of torchvision, timm or transformers with trained weights."""
    name = context.canonical(call.func) or ""
    if name.startswith("transformers.") and name.endswith(".from_pretrained"):
        return True
    if not name.startswith("torchvision.models.") and name != "timm.create_model":
        return False
    asked = {each.arg: each.value for each in call.keywords}.get("pretrained")
    if isinstance(asked, ast.Constant):
        return asked.value is True
    weights = next((each.value for each in call.keywords if each.arg == "weights"), ast.Constant(None))
    text = isinstance(weights, ast.Constant) and isinstance(weights.value, str)
    return name.startswith("torchvision.models.") and (text or isinstance(weights, ast.Attribute))


def copied_state(node: ast.AST | None) -> tuple[str, str] | None:
    """The models to which and from which ``to.load_state_dict(of.state_dict())`` copies all values."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="load_state_dict", value=to),
            args=[ast.Call(func=ast.Attribute(attr="state_dict", value=of)), *_],
        ):
            return ast.unparse(to), ast.unparse(of)
    return None


def model_of_parameters(walk: ast.expr) -> str | None:
    """The model whose parameters an expression walks over."""
    match walk:
        case ast.Call(func=ast.Attribute(attr="parameters", value=model)):
            return ast.unparse(model)
    return None


def trained_parts(context: Context, body: Sequence[ast.stmt]) -> Iterator[tuple[ast.Call, str]]:
    """The attributes that a constructor always makes of a trained model or its layers, and the call that loads it.

    The model may get a name first, and give its layers by attributes, lists and slices.
    """
    named: dict[str, ast.Call] = {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                inner = list(nodes(value))
                sizes = any(isinstance(each, ast.Attribute) and each.attr in SIZES for each in inner)
                known = [named[each.id] for each in inner if isinstance(each, ast.Name) and each.id in named]
                loads = [each for each in inner if isinstance(each, ast.Call) and is_pretrained(context, each)]
                name, call = own_attribute(target), next(iter(loads + known), None)
                if call is None or sizes:
                    continue
                if name is not None:
                    yield call, name
                elif isinstance(target, ast.Name):
                    named[target.id] = call
            case _:
                pass


def trunk(context: Context, call: ast.Call) -> str:
    """The kind of layer that such a model has in its trunk, while new ones of other kinds may be put on top."""
    transformer = (context.canonical(call.func) or "").startswith("transformers.")
    return "torch.nn.Linear" if transformer else "torch.nn.Conv2d"
