"""Calls of functions of ``nn.init`` that torch refuses, whatever tensor they are given."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator

from initaudit.analyzer import torch_api
from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.project.names import External
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.source.snippets import defaults, last_name, root
from initaudit.analyzer.syntax.context import Context
from initaudit.analyzer.syntax.meaning import bound_in
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.schemes.gains import FIXED, LINEAR
from initaudit.subjects.initializers import ImpossibleCall

_KAIMING = ("tensor a mode nonlinearity generator", 1)
SIGNATURES = {
    name: (tuple(names.split()), required)
    for name, (names, required) in {
        "uniform_": ("tensor a b generator", 1),
        "normal_": ("tensor mean std generator", 1),
        "trunc_normal_": ("tensor mean std a b generator", 1),
        "constant_": ("tensor val", 2),
        "ones_": ("tensor", 1),
        "zeros_": ("tensor", 1),
        "eye_": ("tensor", 1),
        "dirac_": ("tensor groups", 1),
        "xavier_uniform_": ("tensor gain generator", 1),
        "xavier_normal_": ("tensor gain generator", 1),
        "kaiming_uniform_": _KAIMING,
        "kaiming_normal_": _KAIMING,
        "orthogonal_": ("tensor gain generator", 1),
        "sparse_": ("tensor sparsity std generator", 2),
        "calculate_gain": ("nonlinearity param", 1),
    }.items()
}
"""What the functions of ``nn.init`` are called with, and how many of these arguments have no default."""
MODULES = {"torch", "math", "random", "warnings"}
VALUES = {"mode": ("fan_in", "fan_out"), "nonlinearity": tuple(sorted({*LINEAR, *FIXED, "leaky_relu"}))}
NUMBERS = frozenset({"a", "b", "mean", "std", "gain", "val", "sparsity"})
"""Arguments that are numbers."""
DIMENSIONS = {"sparse_": (2, 2), "eye_": (2, 2), "dirac_": (3, 5)}
"""How many dimensions, at least and at most, a tensor has that these accept, ..."""
OF_WEIGHTS = {"Linear": 2, "Embedding": 2, "Bilinear": 3} | {
    f"Conv{transposed}{n}d": n + 2 for n in (1, 2, 3) for transposed in ("", "Transpose")
}
"""... and how many the weights of layers have."""
FORMER = "normal( uniform( constant( orthogonal( sparse( dirac( eye("
RAISES = {"raises", "assertRaises", "assertRaisesRegex"}


@reads(
    ImpossibleCall,
    scope=Context,
    words=f"_( calculate_gain( xavier*( kaiming*( glorot*( he_*( getattr( {FORMER}",
    nearby="init",
)
def impossible_calls(context: Context) -> Iterator[ImpossibleCall]:
    """Names that ``torch.nn.init`` does not have, and arguments that its functions refuse."""
    if expects_errors(context):
        return
    own = bound_in(context.function) if context.function is not None else set()
    yield from _of_other_dimensions(context, own)
    refused = {id(call): found for call in context.calls() if (found := _refused(context, call, own)) is not None}
    for step, call in Meanings(context).unguarded() if refused else ():
        if id(call) in refused and not any(_asks_for_attribute(test) for test, _ in step.conditions):
            called, why, close = refused[id(call)]
            yield ImpossibleCall(place=context.snippet.place(call), called=called, why=why, close=close)


def _of_other_dimensions(context: Context, own: set[str]) -> Iterator[ImpossibleCall]:
    """Weights of layers that are given to a function which wants a tensor of more, or of fewer, dimensions."""
    for call in context.calls():
        name = _initializer(context, call.func, own) if last_name(call.func) in DIMENSIONS and call.args else None
        if name is None:
            continue
        meanings = Meanings(context)
        step = next((step for step, each in meanings.unguarded() if each is call), None)
        meaning = meanings.meaning(call.args[0], step.names) if step is not None else None
        if meaning is None or meaning.attribute != "weight" or meaning.reshaped or meaning.part or not meaning.kinds:
            continue
        (least, most), layers = DIMENSIONS[name], [kind.removeprefix("torch.nn.") for kind in meaning.kinds]
        if all(layer in OF_WEIGHTS and not least <= OF_WEIGHTS[layer] <= most for layer in layers):
            wanted = f"{least} to {most}" if most > least else f"{least}"
            has = f"the weight of a {layers[0]} has {OF_WEIGHTS[layers[0]]}"
            why = f"`{name}` takes a tensor of {wanted} dimensions, and {has}"
            yield ImpossibleCall(place=context.snippet.place(call), called=name, why=why)


@reads(ImpossibleCall, scope=Context, words="seed(", nearby="torch")
def seeds_of_no_number(context: Context) -> Iterator[ImpossibleCall]:
    """``torch.seed(777)``, which chooses a seed itself and takes none."""
    for _, call in Meanings(context).unguarded():
        if (call.args or call.keywords) and context.canonical(call.func) in ("torch.seed", "torch.random.seed"):
            why = "`torch.seed` takes no number: it draws a seed"
            yield ImpossibleCall(place=context.snippet.place(call), called="seed", why=why, close=("manual_seed",))


def expects_errors(context: Context) -> bool:
    """Whether code is a test of what torch refuses."""
    return any(last_name(call.func) in RAISES for call in context.calls())


def _refused(context: Context, call: ast.Call, own: set[str]) -> tuple[str, str, tuple[str, ...]] | None:
    """What is called, why torch refuses it, and what is close to what it was given."""
    name = _initializer(context, call.func, own)
    found = next(_reasons(context, name, call), None) if name is not None else None
    return (name or "", *found) if found is not None else None


def _asks_for_attribute(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "hasattr" for node in ast.walk(test))


def _initializer(context: Context, function: ast.expr, own: set[str]) -> str | None:
    """The name of what is called in ``nn.init``, whether or not there is such a thing."""
    match function:
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, ast.Constant(value=str(last))]):
            found = context.canonical(owner)
            name = f"{found}.{last}" if found is not None else None
        case ast.Name() | ast.Attribute():
            owner, name = function, context.canonical(function)
        case _:
            return None
    if name is None or not name.startswith(torch_api.INIT) or ((first := root(owner)) is not None and first.id in own):
        return None
    last = name.removeprefix(torch_api.INIT)
    known = last.startswith("_") or "." in last or last in MODULES or _is_set(context, last)
    return None if known else last


def _is_set(context: Context, name: str) -> bool:
    """Whether a file of the project gives ``nn.init`` an attribute of its own of this name."""
    if name in SIGNATURES or name in torch_api.OLD_INITIALIZERS:
        return False
    folder = context.project.work_folder(context.module)
    naming = map(context.project.load, context.project.find(Search(folder, word=name.encode())))
    for module in (context.module, *filter(None, naming)):
        for used in module.usages(name):
            owners = (context.project.resolve(module, owner) for owner in used.gives(name) if owner)
            if any(isinstance(each, External) and f"{each.name}." == torch_api.INIT for each in owners):
                return True
    return False


def _reasons(context: Context, name: str, call: ast.Call) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Why torch refuses a call, and what is close to what it was given."""
    signature = SIGNATURES.get(f"{name}_" if name in torch_api.OLD_INITIALIZERS else name)
    if signature is None:
        yield f"`torch.nn.init` has no `{name}`", _close(name, SIGNATURES)
        return
    known, required = signature
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(each.arg is None for each in call.keywords):
        return
    given = [*known[: len(call.args)], *(each.arg or "" for each in call.keywords)]
    unknown = next((word for word in given if word not in known), None)
    if len(call.args) > len(known):
        yield f"`{name}` takes {len(known)} arguments and is given {len(call.args)}", ()
    elif unknown is not None:
        yield f"`{name}` takes no argument `{unknown}`", _close(unknown, known[1:] or known)
    elif len(given) < required:
        yield f"`{name}` is not given its `{known[required - 1]}`", ()
    else:
        values = dict(zip(given, [*call.args, *(each.value for each in call.keywords)], strict=True))
        yield from _unknown_values(
            {
                word: (isinstance(value, ast.Name) and _default(context, value.id)) or value
                for word, value in values.items()
            }
        )


def _default(context: Context, name: str) -> ast.expr | None:
    """The default value of a parameter that the function only hands on: it neither compares it nor binds it anew."""
    function = context.function
    default = defaults(function.args).get(name) if function is not None else None
    for node in context.walk() if default is not None else ():
        tested = isinstance(node, ast.If | ast.IfExp | ast.Compare | ast.BoolOp | ast.Subscript)
        parts = ast.walk(node.test if isinstance(node, ast.If | ast.IfExp) else node) if tested else [node]
        if any(isinstance(each, ast.Name) and each.id == name and (tested or _is_bound(each)) for each in parts):
            return None
    return default


def _is_bound(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _unknown_values(values: dict[str, ast.expr]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for keyword, accepted in VALUES.items():
        value = values.get(keyword)
        text = value.value if isinstance(value, ast.Constant) else None
        if isinstance(text, str) and (text.lower() if keyword == "mode" else text) not in accepted:
            yield f'torch knows no `{keyword}="{text}"`', _close(text, accepted)
            return
    for keyword in NUMBERS.intersection(values):
        value = values[keyword]
        heeded = keyword != "a" or "nonlinearity" not in values  # only that of a leaky ReLU is read
        if heeded and isinstance(value, ast.Constant) and isinstance(value.value, str):
            meant = next((each for each, accepted in VALUES.items() if value.value in accepted), None)
            written = f'calculate_gain("{value.value}")' if keyword == "gain" else f'{meant}="{value.value}"'
            yield f'`{keyword}="{value.value}"` is no number', (written,) if meant else ()
            return


def _close(word: str, words: Iterable[str]) -> tuple[str, ...]:
    """What looks most like a word, the nearest first."""
    return tuple(difflib.get_close_matches(word.lower(), list(words), n=2, cutoff=0.5))
