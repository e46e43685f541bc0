"""Parameters and buffers that nothing initializes again, after their model got new memory by ``to_empty``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.file.usage import usage
from initaudit.analyzer.programs.constructor import Construction, construct, unreadable_base
from initaudit.analyzer.programs.lookups import importing
from initaudit.analyzer.project.names import Defined, Project
from initaudit.analyzer.readers.base import reads
from initaudit.analyzer.readers.given_memory import READS, given
from initaudit.analyzer.source.snippets import FunctionNode, Snippet, argument, dotted, nodes
from initaudit.analyzer.symbolic.conditions import TRUE
from initaudit.analyzer.symbolic.execution import execute
from initaudit.analyzer.symbolic.frames import Frame
from initaudit.analyzer.symbolic.torch.modules import all_modules, members
from initaudit.analyzer.symbolic.values import NONE, Instance, Memory, OutOfBudgetError, Storage, Tensor, Value, leaves
from initaudit.analyzer.syntax.context import Context, function_context, own_attribute
from initaudit.analyzer.syntax.meaning import Step, bound_in
from initaudit.analyzer.syntax.meanings import Meanings
from initaudit.analyzer.syntax.scopes import scopes, scopes_holding
from initaudit.analyzer.syntax.structure import returned
from initaudit.finding import Place
from initaudit.naming import blocks
from initaudit.subjects.lost_on_meta import GivenMemory

LOAD = "load_state_dict"
STEPS = 50_000
"""Steps of the code behind ``to_empty`` until what it writes counts as not known."""
LOADS = re.compile(r"load(?!er)|restore|resume|checkpoint|state_dict|broadcast", re.I)
Behind = Sequence[tuple[Snippet, ast.stmt]]


@reads(GivenMemory, scope=Context, words="to_empty(")
def left_out(context: Context) -> Iterator[GivenMemory]:
    """A parameter of a model that gets new memory, and whose ``init_weights`` writes the others."""
    for step in Meanings(context).steps():
        name = given(step.statement)
        if name is None or step.guarded or not all(_is_main(*each) for each in step.conditions):
            continue
        cls = _built(context, step.statement, name)
        if cls is None or unreadable_base(context.project, cls) is not None or _is_read_by_functions(context, name):
            continue
        if _is_loaded_alone(context, _behind(context, step), name):
            for place, owner, key in _unsaved(context, cls):
                used = context.snippet.place(step.statement)
                yield GivenMemory(place=place, model=name, used=used, left=(key,), cls=owner.qualname, loaded=True)
            continue
        behind = _until_used(context, step, name)
        if behind and not any(
            _loads(statement) or _hands_on(snippet, statement, name) for snippet, statement in behind
        ):
            construction = construct(context.project, cls, with_parts=True)
            for place, owner, left in _left(context, behind, name, construction):
                used = context.snippet.place(step.statement)
                yield GivenMemory(place=place, model=name, used=used, left=left, cls=owner.qualname)


def _is_main(test: ast.expr, holds: bool) -> bool:
    """``__name__ == "__main__"``."""
    return holds and "__main__" in {node.value for node in nodes(test) if isinstance(node, ast.Constant)}


def _built(context: Context, before: ast.stmt, name: str) -> Defined | None:
    """The class of the model of this name: what is called last to make it, or what that function returns."""
    made = [
        node.value
        for node in context.walk()
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.lineno <= before.lineno
        if [dotted(target) for target in node.targets] == [name] and given(node) is None
    ]
    found = context.resolve(made[-1].func) if made else None
    if not isinstance(found, Defined) or found.definition.is_class:
        return found if isinstance(found, Defined) else None
    layers = returned(context, found)
    return layers[0].cls if len(layers) == 1 and not layers[0].depth else None


def _is_read_by_functions(context: Context, name: str) -> bool:
    """Whether functions of the file may read a name of its top-level code."""
    for scope in scopes(context.module) if context.function is None else ():
        found = context.module.function(scope.definition) if scope.definition is not None else None
        names = {node.id for node in nodes(found[1]) if isinstance(node, ast.Name)} if found is not None else set()
        if found is not None and name in names - bound_in(found[1]):
            return True
    return False


def _behind(context: Context, step: Step) -> Behind:
    """The statements behind one, also those of the stretches of top-level code that follow."""
    behind = [(context.snippet, statement) for statement in step.after]
    for start, end in context.module.outline.top_level if context.function is None else ():
        stretch = context.module.snippet(start, end) if start > context.snippet.start else None
        behind += [(stretch, statement) for statement in stretch.body] if stretch is not None else []
    return behind


def _until_used(context: Context, step: Step, name: str) -> Behind:
    """The statements behind ``to_empty`` until the model is trained or called; none where it depends on options.

    What is only loaded, or given to other code, under an option is left out: without it, that does not happen.
    """
    found, asked = list[tuple[Snippet, ast.stmt]](), list[set[str]]()
    for snippet, statement in _behind(context, step):
        if isinstance(statement, ast.If) and name in usage([statement]).names:
            asked.append({dotted(node) for node in nodes(statement.test) if isinstance(node, ast.expr)} - {""})
            if not statement.orelse and (_loads(statement) or _hands_on(snippet, statement, name)):
                continue
        used, simple = _uses(statement, name), not any(blocks(statement))
        if not (used and simple):
            found.append((snippet, statement))
        if used:
            break
    apart = all(one.isdisjoint(other) for at, one in enumerate(asked) for other in asked[:at])
    return found if apart else ()


def _loads(statement: ast.stmt) -> bool:
    """Whether a statement may give a model values from elsewhere: those of a file, or of another process."""
    return any(map(LOADS.search, usage([statement]).last_called))


def _uses(statement: ast.stmt, name: str) -> bool:
    """Whether a statement calls the model, or makes an optimizer of its parameters."""
    found = usage([statement])
    return name in found.names and (name in found.called or any("optim" in each.lower() for each in found.names))


def _hands_on(snippet: Snippet, statement: ast.stmt, name: str) -> bool:
    """Whether other code gets the model and may write it: it is returned, or put into an object or a collection."""
    for node in nodes(statement):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            around = snippet.parents.get(node)
            named = isinstance(around, ast.Assign) and all(isinstance(each, ast.Name) for each in around.targets)
            if not named and not isinstance(around, ast.Call | ast.Attribute | ast.Expr):
                return True
    return False


def _left(
    context: Context, behind: Behind, name: str, construction: Construction
) -> Iterator[tuple[Place, Defined, tuple[str, ...]]]:
    """What the code behind ``to_empty`` does not write, where it writes other memory: its place, class and names."""
    run, instance = construction.run, construction.instance
    for owner in dict.fromkeys(each for _, _, each in all_modules(run, instance)):
        for key in owner.buffers & owner.attributes.keys():
            if owner.attributes[key] != NONE:  # whatever was computed is lost
                owner.attributes[key] = Tensor(Memory(Storage(None, "to_empty", raw=True)), buffer=True)
    before = dict(_held(construction))
    for storage in before:
        storage.writes, storage.escaped = [], None
    run.restart(STEPS)
    names: dict[str, Value] = {name: instance}
    try:
        for snippet, statement in behind:
            run.frames[:] = [Frame(context.module, snippet, names=names)]
            execute(run, [statement])
    except (OutOfBudgetError, RecursionError):
        return
    finally:
        run.restart()
    after = dict(_held(construction))
    if construction.failure or not any(storage.writes for storage in before):
        return
    found: dict[tuple[Place, Defined], list[str]] = {}
    for storage, (owner, key) in before.items():
        if storage in after and not storage.writes and storage.escaped is None:
            at = _allocated(context.project, storage, owner, key)
            if at is not None:
                names_there = found.setdefault(at, [])
                names_there += [key] if key not in names_there else []
    for (place, cls), left in found.items():
        yield place, cls, tuple(left)


def _is_loaded_alone(context: Context, behind: Behind, name: str) -> bool:
    """Whether a model only gets a state, is moved and called; in a function that returns it, by its callers too."""
    loads = any(
        isinstance(node, ast.Attribute) and node.attr == LOAD and dotted(node.value) == name
        for _, statement in behind
        for node in nodes(statement)
    )
    uses = [_use(snippet, statement, name) for snippet, statement in behind] if loads else []
    if not uses or None in uses:
        return False
    return True not in uses or _is_called_alone(context)


def _use(snippet: Snippet, statement: ast.stmt, name: str) -> bool | None:
    """Whether a statement returns a model; None where it may do anything else but load, move, and call it."""
    returned = False
    for node in nodes(statement):
        if not isinstance(node, ast.Name) or node.id != name:
            continue
        match snippet.parents.get(node):
            case ast.Return():
                returned = True
            case ast.Attribute(attr=used) if used in READS or used == LOAD:
                pass
            case ast.Call(func=called) if called is node:
                pass
            case ast.Assign(value=ast.Call(func=ast.Attribute(value=ast.Name(id=of)))) if of == name:
                pass
            case _:
                return None
    return returned


def _is_called_alone(context: Context) -> bool:
    """Whether the calls of a function are all in its file, and what they give is moved and called there."""
    definition = context.definition
    if (
        definition is None
        or definition.owner is not None
        or importing(context.project, context.module) != {context.module}
    ):
        return False
    uses: list[bool | None] = []
    for start, end, _ in scopes_holding(context.module, ((definition.name,),)):
        snippet = context.module.snippet(start, end)
        for node in snippet.nodes if snippet is not None and start != definition.start else ():
            if snippet is None or not isinstance(node, ast.Name) or node.id != definition.name:
                continue
            call = snippet.parents.get(node)
            match snippet.parents.get(call) if isinstance(call, ast.Call) and call.func is node else None:
                case ast.Call(func=called) if called is call:
                    uses.append(False)
                case ast.Attribute(attr=used) if used in READS:
                    uses.append(False)
                case ast.Assign(targets=[ast.Name(id=name)]) as made:
                    scope = snippet.body[0].body if isinstance(snippet.body[0], FunctionNode) else snippet.body
                    uses += [_use(snippet, each, name) for each in scope if each is not made]
                case _:
                    return False
    return bool(uses) and True not in uses and None not in uses


def _unsaved(context: Context, cls: Defined) -> Iterator[tuple[Place, Defined, str]]:
    """The buffers of a model that no state has, that their class reads, and that nothing writes but its constructor."""
    construction = construct(context.project, cls, with_parts=True)
    seen = set[tuple[Defined, str]]()
    for _, condition, owner in all_modules(construction.run, construction.instance):
        for key in (
            sorted(owner.buffers & owner.attributes.keys()) if owner.cls is not None and condition is TRUE else ()
        ):
            if owner.cls is None or (owner.cls, key) in seen or owner.attributes[key] == NONE:
                continue
            seen.add((owner.cls, key))
            found = _registered(context.project, owner.cls, key, unsaved=True)
            if found is not None and not _is_written_outside(context.project, found[1], key):
                yield *found, key


def _is_written_outside(project: Project, cls: Defined, name: str) -> bool:
    """Whether some file of the project assigns an attribute of this name to another object than ``self``."""
    for filename in project.find(Search(project.work_folder(cls.module), word=name.encode())):
        module = project.load(filename)
        snippets = (module.quiet_snippet(*part) for part in module.parts_naming(name)) if module is not None else ()
        for snippet in snippets:
            for node in snippet.nodes if snippet is not None else ():
                if (
                    snippet is not None
                    and isinstance(node, ast.Attribute)
                    and node.attr == name
                    and dotted(node) != f"self.{name}"
                    and _is_written(snippet, node)
                ):
                    return True
    return False


def _held(construction: Construction) -> Iterator[tuple[Storage, tuple[Instance, str]]]:
    """The memory that a model surely holds, with the module that registers it and the name there."""
    run = construction.run
    for _, condition, owner in all_modules(run, construction.instance):
        for key, when, leaf in members(run, owner, condition):
            if isinstance(leaf, Tensor) and (leaf.parameter or leaf.buffer) and when is TRUE:
                for _, memory in leaves(leaf.storage, TRUE):
                    if isinstance(memory, Memory):
                        yield memory.storage, (owner, key)


def _allocated(project: Project, storage: Storage, owner: Instance, name: str) -> tuple[Place, Defined] | None:
    """Where memory is allocated, and the class whose code does; None for a buffer that need not be initialized."""
    origin = storage.origin
    if origin is None:
        return _registered(project, owner.cls, name) if owner.cls is not None else None
    module = project.load(origin.snippet.filename)
    inside = [
        each
        for each in (module.outline.classes() if module is not None else ())
        if each.start <= origin.snippet.start <= each.end
    ]
    return (origin.snippet.place(origin.node), Defined(module, inside[-1])) if module is not None and inside else None


def _registered(project: Project, cls: Defined, name: str, *, unsaved: bool = False) -> tuple[Place, Defined] | None:
    """Where a class registers a buffer that its other methods read and do not write; ``unsaved``, one of no state."""
    found: tuple[Place, Defined] | None = None
    read = False
    for method in project.methods(cls):
        inside = function_context(project, method)
        for node in inside.walk() if inside is not None else ():
            match node:
                case ast.Call(func=ast.Attribute(attr="register_buffer"), args=[ast.Constant(value=key), *_]) if (
                    inside is not None and key == name
                ):
                    kept = argument(node, 2, "persistent")
                    if unsaved and not (isinstance(kept, ast.Constant) and kept.value is False):
                        return None
                    found = inside.snippet.place(node), inside.cls or cls
                case ast.Attribute() if inside is not None and own_attribute(node) == name:
                    if method.definition.name == "__init__":
                        continue
                    if _is_written(inside.snippet, node):
                        return None
                    read = True
                case _:
                    pass
    return found if read else None


def _is_written(snippet: Snippet, node: ast.Attribute) -> bool:
    """Whether code writes a tensor or some of it: ``self.cache[:, :n] = k``, ``self.n += x``, ``self.n.add_(x)``."""
    inner: ast.AST = node
    around = snippet.parents.get(node)
    written = not isinstance(node.ctx, ast.Load)
    while isinstance(around, ast.Subscript | ast.Attribute):
        written = written or not isinstance(around.ctx, ast.Load)
        written = written or (isinstance(around, ast.Attribute) and around.attr.endswith("_"))
        inner, around = around, snippet.parents.get(around)
    return written or (isinstance(around, ast.AugAssign) and around.target is inner)
