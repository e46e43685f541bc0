"""The meanings of local names in initialization code: a module, a parameter, a name, a value of its state.

A scope is read once, in the order of execution. If branches disagree about a name, it has no meaning.
"""

from __future__ import annotations

import ast
import functools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.module import Module
from initaudit.analyzer.project import Defined, External
from initaudit.analyzer.snippets import FunctionNode, dotted, parameters, spelled
from initaudit.analyzer.syntax.context import method, own_attribute
from initaudit.analyzer.syntax.draws import class_name_of, of_class_name
from initaudit.analyzer.syntax.loops import Loops
from initaudit.analyzer.syntax.meaning import (
    ELEMENTS,
    ITERATORS,
    NAMED,
    TENSORS,
    Later,
    Meaning,
    Names,
    Step,
    What,
    bound_in,
    forget,
    join,
    leaves,
    targets,
)  # fmt: skip
from initaudit.analyzer.syntax.models import asked_for, is_basic, is_module, is_single, type_asked_for
from initaudit.analyzer.syntax.structure import LISTS, Attribute, constructed
from initaudit.analyzer.syntax.walks import applied_names
from initaudit.naming import blocks

COPIES = {"clone", "repeat", "tolist"}
COPYING = {"torch.tensor", "torch.clone", "copy.deepcopy"}
MAYBE_COPIES = {"float", "double", "half", "bfloat16", "to", "cpu", "cuda", "type", "type_as", "contiguous", "reshape"}
"""Methods that return the same memory if there is nothing to convert."""
DETACH = {"detach", "detach_", "numpy"}
OF_SAME_SHAPE = "requires_grad_ share_memory_ pin_memory rename mul_ div_ add_ sub_ clamp_"
SPLITS = ("chunk", "split", "unbind", "tensor_split")
"""Methods that return several views."""
KEEPS_SHAPE = DETACH.union(OF_SAME_SHAPE.split())
OF_LAYERS = ("weight", "bias")
STACKED = {f"torch.nn.{name}" for name in (*torch_api.RESETS_ALL, "MultiheadAttention")}
"""Layers whose parameters have names of their own, ..."""
RECURRENT = {f"torch.nn.{name}" for name in ("LSTM", "GRU", "RNN")}
"""Layers whose tensors are all parameters, with names that are put together."""
OF_STACKED = ("weight_", "bias_", "in_proj_")
"""... and what these begin with."""
OF_MODULES = {"items": What.NAMED_MODULES, "values": What.MODULES}
"""Methods of the dictionary in which a module keeps its children."""
WRAPPERS = {"list", "tuple", "reversed", "sorted", "iter"}

_ATTRIBUTES: weakref.WeakKeyDictionary[Module, dict[int, dict[str, Attribute]]] = weakref.WeakKeyDictionary()
"""The attributes of the classes of a file, by the row of the class."""


class Meanings(Loops):
    """The steps of a scope, and the meanings of expressions in it."""

    def steps(self) -> Sequence[Step]:
        """Return every statement of the scope in source order, also of nested functions.

        Most readers ask only few statements for meanings, so that these are looked for once one of them is asked for.
        """
        memory = self.context.snippet.memory
        if __name__ not in memory:
            known = functools.cache(lambda: list(self._steps()))
            alone = _Statements(self.context)._steps()
            memory[__name__] = [replace(step, names=Later(known, at)) for at, step in enumerate(alone)]
        found: Sequence[Step] = memory[__name__]
        return found

    def _steps(self) -> Iterator[Step]:
        function = self.context.function
        if function is None:
            yield from self._body(self.context.snippet.body, self._before(), (), (), (), guarded=False)
        else:
            yield from self._function(function, {})

    def _before(self) -> dict[str, Meaning]:
        """Return the meanings at the beginning of a stretch of top-level code, which classes and functions separate."""
        names: dict[str, Meaning] = {}
        module = self.context.module
        for start, end in module.outline.top_level:
            if start >= self.context.snippet.start:
                break
            snippet = module.snippet(start, end)
            if snippet is not None:
                earlier = Meanings(replace(self.context, snippet=snippet))
                for _ in earlier._body(snippet.body, names, (), (), (), guarded=False):
                    pass
        return names

    def _function(self, function: FunctionNode, around: Names) -> Iterator[Step]:
        names = {name: meaning for name, meaning in around.items() if name not in bound_in(function)}
        applied = function.name in applied_names(self.context)
        first = next((param.arg for param in parameters(function) if param.arg != "self"), None)
        asked = asked_for(self.context, function)
        for param in parameters(function):
            if is_module(self.context, param, asked) or (applied and param.arg == first):
                names[param.arg] = Meaning(What.MODULE, param.arg)
        yield from self._body(function.body, names, (), (), (), guarded=False)

    def _body(
        self,
        body: Sequence[ast.stmt],
        names: dict[str, Meaning],
        following: tuple[ast.stmt, ...],
        rounds: tuple[ast.For | ast.AsyncFor | ast.While, ...],
        tests: tuple[tuple[ast.expr, bool], ...],
        *,
        guarded: bool,
    ) -> Iterator[Step]:
        """Yield the steps of a body, and update ``names`` from its beginning to its end."""
        top = (
            self.context.function is None
            and not rounds
            and not tests
            and self.context.module.filename.lower().endswith(".ipynb")
        )
        for position, statement in enumerate(body):
            after = (*body[position + 1 :], *following)
            here = Step(statement, dict(names), after, rounds, tests, guarded, top and isinstance(statement, ast.Expr))
            yield here
            yield from self._each(here)
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    names.pop(statement.name, None)
                    yield from self._function(statement, names)
                case ast.ClassDef(name=name, body=members):
                    names.pop(name, None)
                    for member in members:
                        if isinstance(member, FunctionNode):
                            yield from self._function(member, names)
                case ast.If(test=test, body=then, orelse=otherwise):
                    one, other = self._narrowed(test, names), dict(names)
                    yield from self._body(then, one, after, rounds, (*tests, (test, True)), guarded=guarded)
                    yield from self._body(otherwise, other, after, rounds, (*tests, (test, False)), guarded=guarded)
                    joined = [one] * (not leaves(then)) + [other] * (not leaves(otherwise))
                    join(names, joined)
                    if len(joined) == 1:
                        tests = (*tests, (test, not leaves(then)))
                case ast.For() | ast.AsyncFor():
                    inner = {**names, **self.elements(statement, names)}
                    for name in targets(statement.target) - self.elements(statement, names).keys():
                        inner.pop(name, None)
                    yield from self._body(statement.body, inner, after, (statement, *rounds), tests, guarded=guarded)
                    yield from self._body(statement.orelse, dict(names), after, rounds, tests, guarded=guarded)
                    forget(names, statement)
                case ast.While(body=inner_body):
                    forget(names, statement)
                    yield from self._body(inner_body, dict(names), after, (statement, *rounds), tests, guarded=guarded)
                case ast.With(body=inner_body) | ast.AsyncWith(body=inner_body):
                    yield from self._body(inner_body, names, after, rounds, tests, guarded=guarded)
                case _:
                    for block in blocks(statement):
                        is_try = block is getattr(statement, "body", None) and hasattr(statement, "handlers")
                        yield from self._body(block, dict(names), after, rounds, tests, guarded=guarded or is_try)
                    self._bind(statement, names)

    def _each(self, step: Step) -> Iterator[Step]:
        """Yield the element of a comprehension, and the body of a lambda, as statements."""
        match step.statement:
            case (
                ast.Expr(value=ast.ListComp() as made)
                | ast.Assign(targets=[ast.Name(id="_")], value=ast.ListComp() as made)
            ):
                names, conditions = dict(step.names), step.conditions
                for each in made.generators:
                    names = {**names, **self.elements(each, names)}
                    conditions = (*conditions, *((test, True) for test in each.ifs))
                value = made.elt
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(attr="apply", value=model), args=[ast.Lambda(args=given) as made])
            ):
                each_module = Meaning(What.MODULE, f"{spelled(model)}.modules()", element=True)
                names = {**step.names, **dict.fromkeys([arg.arg for arg in given.args[:1]], each_module)}
                conditions, value = step.conditions, made.body
            case _:
                return
        if isinstance(value, ast.IfExp):
            names, conditions = self._narrowed(value.test, names), (*conditions, (value.test, True))
            value = value.body
        statement = ast.copy_location(ast.Expr(value), value)
        yield replace(step, statement=statement, names=names, conditions=conditions, displayed=False)

    def _bind(self, statement: ast.stmt, names: dict[str, Meaning]) -> None:
        bound: dict[str, Meaning] = {}
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if subject := class_name_of(value):
                bound[name] = Meaning(What.CLASS_NAME, subject)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                meaning = self.meaning(value, names)
                if meaning is not None:
                    grows = isinstance(value, ast.List)  # items may be added to it
                    bound[name] = replace(meaning, element=False, kinds=() if grows else meaning.kinds)
            case ast.Assign(targets=[ast.Tuple(elts=elements)], value=ast.Tuple(elts=values)) if len(elements) == len(
                values
            ):
                for element, value in zip(elements, values, strict=True):
                    meaning = self.meaning(value, names)
                    if isinstance(element, ast.Name) and meaning is not None:
                        bound[element.id] = replace(meaning, element=False)
            case ast.AugAssign(target=ast.Name()):
                return
            case _:
                pass
        forget(names, statement)
        names.update(bound)

    def _narrowed(self, test: ast.expr, names: Names) -> dict[str, Meaning]:
        """Return the meanings of names where a test holds."""
        found = dict(names)
        named = {f"class name {name}": (each.source,) for name, each in names.items() if each.what is What.CLASS_NAME}
        for part in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
            name, kinds = type_asked_for(part)
            meaning = found.get(name)
            for subject, layers in of_class_name(part, named).items():
                known = found.get(subject, Meaning(What.MODULE, subject))
                if known.what is What.MODULE and not known.kinds:
                    found[subject] = replace(known, kinds=layers)
            if kinds and not any(map(self.context.is_module_class, kinds)):
                found.pop(name, None)  # it has another type here
            elif (
                kinds
                and (meaning is None or meaning.what is What.MODULE)
                and all(map(self.context.is_module_class, kinds))
            ):
                canonical = tuple(filter(None, map(self._class_name, kinds)))
                found[name] = Meaning(
                    What.MODULE,
                    meaning.source if meaning is not None else name,
                    kinds=canonical,
                    element=meaning is not None and meaning.element,
                )
        return found

    def _class_name(self, node: ast.expr) -> str | None:
        found = self.context.resolve(node)
        if isinstance(found, External):
            return found.name
        return found.qualname if isinstance(found, Defined) else None

    # Expressions

    def meaning(self, node: ast.expr, names: Names) -> Meaning | None:
        """Return the meaning of an expression, if it is known."""
        match node:
            case ast.Name(id=name):
                return names.get(name)
            case ast.Attribute():
                return self._attribute(node, names)
            case ast.Subscript(value=ast.Call(func=ast.Attribute(attr=name, value=value)), slice=ast.Constant()) if (
                name in SPLITS
            ):
                owner = self.meaning(value, names)
                whole = owner is not None and owner.what in TENSORS
                return replace(owner, part=True, element=False) if owner is not None and whole else None
            case ast.Subscript(value=value, slice=index):
                owner = self.meaning(value, names)
                if owner is not None and owner.what is What.STATE_DICT:
                    return Meaning(What.STATE, spelled(node))
                if owner is not None and owner.what is What.MODULE:
                    return self._item(node, owner)
                if owner is None or owner.what not in TENSORS or not is_basic(index):
                    return None
                return replace(owner, part=True, element=False)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._together(node, [self.meaning(each, names) for each in elements])
            case ast.Call():
                return self._call(node, names)
            case ast.GeneratorExp(elt=ast.Name(id=kept)) | ast.ListComp(elt=ast.Name(id=kept)):
                return self._comprehended(node, kept, names)
        return None

    def _item(self, node: ast.Subscript, owner: Meaning) -> Meaning | None:
        """Return the meaning of ``net[0]`` for a sequence with known items."""
        index = node.slice.operand if isinstance(node.slice, ast.UnaryOp) else node.slice
        if not isinstance(index, ast.Constant) or not isinstance(index.value, int) or not owner.items:
            return None
        position = -index.value if index is not node.slice else index.value
        kind = owner.items[position] if -len(owner.items) <= position < len(owner.items) else None
        return Meaning(What.MODULE, spelled(node), kinds=(kind,)) if kind else None

    def _together(self, node: ast.expr, found: Sequence[Meaning | None]) -> Meaning | None:
        """Return the meaning of ``[self.enc, self.dec]``: several modules, or several parameters."""
        known = [each for each in found if each is not None]
        for one, several in ((What.MODULE, What.MODULES), (What.PARAMETER, What.PARAMETERS)):
            if known and len(known) == len(found) and all(each.what is one and not each.part for each in known):
                kinds = {kind for each in known for kind in each.kinds} if all(each.kinds for each in known) else ()
                kinds = kinds if several is What.MODULES else ()
                return Meaning(several, spelled(node), tuple(sorted(kinds)))
        return None

    def _comprehended(self, node: ast.GeneratorExp | ast.ListComp, kept: str, names: Names) -> Meaning | None:
        """Return the meaning of ``(p for p in net.parameters() if ...)`` or a list of such."""
        if len(node.generators) != 1:
            return None
        each = node.generators[0]
        found = self.meaning(each.iter, names)
        target = each.target
        if found is None or found.what not in ELEMENTS:
            return None
        if found.what in NAMED:
            if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
                return None
            target = target.elts[1]
        if not isinstance(target, ast.Name) or target.id != kept:
            return None
        plain = {What.MODULE: What.MODULES, What.PARAMETER: What.PARAMETERS, What.STATE: What.STATES}
        return Meaning(plain[ELEMENTS[found.what]], found.source)

    def _attribute(self, node: ast.Attribute, names: Names) -> Meaning | None:
        source = spelled(node)
        if (own := own_attribute(node)) is not None and self.context.cls is not None:
            return self._of_self(node, own, source)
        owner = self.meaning(node.value, names)
        if owner is not None and owner.what in TENSORS:
            if node.attr not in torch_api.VIEW_ATTRIBUTES:
                return None
            detached = owner.detached or node.attr == "data"
            return replace(owner, element=False, detached=detached, reshaped=owner.reshaped or node.attr != "data")
        if owner is not None and owner.kinds and set(owner.kinds) <= STACKED and node.attr.startswith(OF_STACKED):
            return Meaning(What.PARAMETER, source, kinds=owner.kinds, attribute=node.attr)
        if node.attr in OF_LAYERS and (owner is None or owner.what is What.MODULE):
            kinds = owner.kinds if owner is not None else ()
            return Meaning(What.PARAMETER, source, kinds=kinds, attribute=node.attr)
        return None

    def _of_self(self, node: ast.Attribute, name: str, source: str) -> Meaning | None:
        if self.context.is_parameter(node):
            return Meaning(What.PARAMETER, source, attribute=name)
        held = self._own_attributes().get(name)
        if held is None or not held.layers or not held.complete or any(layer.depth for layer in held.layers):
            return None
        kinds = tuple(dict.fromkeys(layer.kind for layer in held.layers if layer.derived is None))
        return Meaning(What.MODULE, source, kinds=kinds)

    def listed(self, node: ast.expr) -> Meaning | None:
        """Return the modules of ``self.layers``, if the constructor makes it a list or a sequence of known layers."""
        name = own_attribute(node)
        held = self._own_attributes().get(name) if name is not None else None
        init = method(self.context, "__init__") if held is not None else None
        if name is None or held is None or init is None or not held.complete:
            return None
        values = [
            each.value
            for each in init.walk()
            if isinstance(each, ast.Assign) and any(own_attribute(target) == name for target in each.targets)
        ]
        lists = [isinstance(each, ast.Call) and init.canonical(each.func) in LISTS for each in values]
        if not lists or not all(lists) or any(layer.depth != 1 or layer.derived for layer in held.layers):
            return None
        return Meaning(What.MODULES, spelled(node), tuple(dict.fromkeys(layer.kind for layer in held.layers)))

    def _own_attributes(self) -> Mapping[str, Attribute]:
        """Return the attributes of the class, shared by the readers of its methods."""
        cls = self.context.cls
        if cls is None:
            return {}
        known = _ATTRIBUTES.setdefault(self.context.module, {})
        if cls.definition.row not in known:
            known[cls.definition.row] = constructed(self.context.project, cls)
        return known[cls.definition.row]

    def _call(self, node: ast.Call, names: Names) -> Meaning | None:
        function = node.func
        name = dotted(function)
        if name in WRAPPERS and node.args:
            return self.meaning(node.args[0], names)
        if node.args and (by := self.context.canonical(function)) in COPYING:
            copied = self.meaning(node.args[0], names)
            tensor = copied is not None and copied.what in TENSORS
            return Meaning(What.COPY, copied.source, attribute=by) if copied is not None and tensor else None
        if name == "filter" and len(node.args) == 2:
            return self.meaning(node.args[1], names)
        if name == "getattr" and len(node.args) >= 2:
            owner = self.meaning(node.args[0], names)
            key = node.args[1]
            if owner is None or owner.what is not What.MODULE:
                return None
            if isinstance(key, ast.Name) and owner.kinds and set(owner.kinds) <= RECURRENT:
                return Meaning(What.PARAMETER, spelled(node), owner.kinds)
            start = key.values[0] if isinstance(key, ast.JoinedStr) and key.values else key
            text = start.value if isinstance(start, ast.Constant) else None
            stacked = bool(owner.kinds) and set(owner.kinds) <= STACKED and str(text).startswith(OF_STACKED)
            if not stacked and (start is not key or text not in OF_LAYERS):
                return None
            return Meaning(What.PARAMETER, spelled(node), owner.kinds, str(text))
        if isinstance(function, ast.Attribute):
            found = self._method(node, function, names)
            if found is not None:
                return found
        if self.context.is_module_class(function):
            kind = self._class_name(function)
            items = [self._class_name(each.func) if isinstance(each, ast.Call) else None for each in node.args]
            known = tuple(each or "" for each in items) if kind == "torch.nn.Sequential" and all(items) else ()
            return Meaning(What.MODULE, spelled(node), kinds=(kind,) if kind else (), items=known)
        return None

    def _method(self, node: ast.Call, function: ast.Attribute, names: Names) -> Meaning | None:
        attr = function.attr
        if attr in ITERATORS:
            owner = self.meaning(function.value, names) if "parameters" in attr else None
            kinds, items = (owner.kinds, owner.items) if owner is not None else ((), ())
            return Meaning(ITERATORS[attr], spelled(node), kinds, items=items)
        if attr in OF_MODULES and isinstance(function.value, ast.Attribute) and function.value.attr == "_modules":
            return Meaning(OF_MODULES[attr], spelled(node))
        if attr == "state_dict" and not node.args:
            return Meaning(What.STATE_DICT, spelled(node))
        owner = self.meaning(function.value, names)
        if owner is None:
            return None
        if owner.what is What.STATE_DICT:
            of_states = {"items": What.NAMED_STATES, "values": What.STATES}.get(attr)
            return Meaning(of_states, spelled(node)) if of_states is not None else None
        if owner.what in TENSORS and (attr == "clone" or (attr == "double" and is_single(self.context, owner.kinds))):
            return Meaning(What.COPY, owner.source, attribute=attr)
        if owner.what is What.COPY and attr in torch_api.WHOLE_VIEWS | MAYBE_COPIES:
            return replace(owner, element=False)
        if owner.what not in TENSORS or attr in COPIES:
            return None
        if attr in MAYBE_COPIES:
            return replace(owner, certain=False, element=False, reshaped=owner.reshaped or attr == "reshape")
        if attr in torch_api.WHOLE_VIEWS:
            detached = owner.detached or attr in DETACH
            return replace(owner, element=False, detached=detached, reshaped=owner.reshaped or attr not in KEEPS_SHAPE)
        if attr in torch_api.PARTIAL_VIEWS and attr not in ("index_select", *SPLITS):
            return replace(owner, part=True, element=False)
        return None


class _Statements(Meanings):
    """The same steps in the same order, without the meanings of names."""

    def _before(self) -> dict[str, Meaning]:
        return {}

    def _function(self, function: FunctionNode, around: Names) -> Iterator[Step]:
        yield from self._body(function.body, {}, (), (), (), guarded=False)

    def _bind(self, statement: ast.stmt, names: dict[str, Meaning]) -> None:
        pass

    def _narrowed(self, test: ast.expr, names: Names) -> dict[str, Meaning]:
        return {}

    def elements(self, loop: ast.For | ast.AsyncFor | ast.comprehension, names: Names) -> dict[str, Meaning]:
        return {}
