"""The meanings of expressions in initialization code: a module, a parameter, a name, a value of a model's state."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.source.snippets import dotted, spelled
from initaudit.analyzer.syntax.context import method, own_attribute
from initaudit.analyzer.syntax.loops import Loops
from initaudit.analyzer.syntax.meaning import ITERATORS, TENSORS, Meaning, Names, What, targets
from initaudit.analyzer.syntax.models import converts, is_basic
from initaudit.analyzer.syntax.structure import LISTS, Attribute, constructed

COPIES = {"clone", "repeat", "tolist"}
COPYING = {"torch.tensor", "torch.clone", "copy.deepcopy", "numpy.array", "numpy.copy"}
CONVERTS = {"double", "half", "bfloat16", "cuda"}
"""Methods that surely copy what a new model of torch's layers holds."""
MAYBE_COPIES = {"float", "double", "half", "bfloat16", "to", "cpu", "cuda", "type", "type_as", "contiguous", "reshape"}
"""Methods that return the same memory if there is nothing to convert."""
DETACH = {"detach", "detach_", "numpy"}
OF_SAME_SHAPE = "requires_grad_ share_memory_ pin_memory rename mul_ div_ add_ sub_ clamp_"
SPLITS = ("chunk", "split", "unbind", "tensor_split")
"""Methods that return several views."""
COLLECTIONS = {What.STATE_DICT, What.PARAMETERS, What.STATES}
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


class Expressions(Loops):
    """The meanings of expressions, as far as those of the names in them are known."""

    def meaning(self, node: ast.expr, names: Names) -> Meaning | None:
        """Return the meaning of an expression, if it is known."""
        match node:
            case ast.Name(id=name):
                return names.get(name)
            case (
                ast.Attribute(attr="_flat_weights", value=layer)
                | ast.Subscript(
                    value=ast.Attribute(attr="all_weights", value=layer), slice=ast.Constant() | ast.UnaryOp()
                )
            ):
                return self._of_recurrent(layer, names)
            case ast.Attribute():
                return self._attribute(node, names)
            case ast.Subscript(value=ast.Call() as several, slice=ast.Constant()) if part := self.split(several, names):
                return part
            case ast.Subscript(value=value, slice=index):
                owner = self.meaning(value, names)
                if owner is not None and owner.what in COLLECTIONS and not isinstance(index, ast.Slice):
                    return self._held(node, owner)
                if owner is not None and owner.what is What.MODULE:
                    return self._item(node, owner)
                if owner is None or owner.what not in TENSORS or not is_basic(index):
                    return None
                return replace(owner, part=True, element=False)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._together(node, [self.meaning(each, names) for each in elements])
            case ast.Call():
                return self._call(node, names)
            case ast.GeneratorExp(elt=kept) | ast.ListComp(elt=kept) | ast.DictComp(value=kept):
                return self._comprehended(node, kept, names)
        return None

    def split(self, node: ast.expr, names: Names) -> Meaning | None:
        """Return the meaning of each part of ``p.chunk(4)``, or of what else gives several views of a tensor."""
        match node:
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in SPLITS:
                owner = self.meaning(value, names)
                whole = owner is not None and owner.what in TENSORS
                return replace(owner, part=True) if owner is not None and whole else None
        return None

    def _of_recurrent(self, node: ast.expr, names: Names) -> Meaning | None:
        """Return the meaning of all tensors of a recurrent layer, or of those of one of its depths."""
        owner = self.meaning(node, names)
        known = owner is not None and bool(owner.kinds) and set(owner.kinds) <= RECURRENT
        return Meaning(What.PARAMETERS, f"{spelled(node)}.parameters()", owner.kinds) if owner and known else None

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

    def _comprehended(
        self, node: ast.GeneratorExp | ast.ListComp | ast.DictComp, kept: ast.expr, names: Names
    ) -> Meaning | None:
        """Return the meaning of ``(p for p in net.parameters() if ...)``, or of a collection of such or of copies."""
        if len(node.generators) != 1:
            return None
        walked = self.elements(node.generators[0], names)
        found = self.meaning(kept, {**names, **walked})
        each = next((walked[name] for name in targets(kept) if name in walked), None)
        if found is None or each is None or each.source != found.source or found.part:
            return None
        of_copies = found.what is What.COPY
        found = replace(found, what=What.STATE) if found.detached else found
        if isinstance(node, ast.DictComp):
            return Meaning(What.STATE_DICT, found.source, attribute=found.attribute) if of_copies else None
        plain = {What.MODULE: What.MODULES, What.PARAMETER: What.PARAMETERS, What.STATE: What.STATES}
        several = What.STATES if of_copies else plain.get(found.what)
        chosen = (*each.chosen, *node.generators[0].ifs)
        made_by = found.attribute if of_copies else None
        return Meaning(several, found.source, attribute=made_by, chosen=chosen) if several else None

    @staticmethod
    def _held(node: ast.Subscript, owner: Meaning) -> Meaning:
        """Return the meaning of an item of a collection of tensors, or of their copies, or of parts of one tensor."""
        if owner.part:
            return replace(owner, what=What.PARAMETER)
        if owner.attribute:
            return Meaning(What.COPY, owner.source, attribute=owner.attribute, element=True)
        return Meaning(What.STATE, spelled(node) if owner.what is What.STATE_DICT else owner.source)

    def _attribute(self, node: ast.Attribute, names: Names) -> Meaning | None:
        source = spelled(node)
        if (known := names.get(source)) is not None:
            return known
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
        values = init.assigned(f"self.{name}")
        lists = [isinstance(each, ast.Call) and init.canonical(each.func) in LISTS for each in values]
        if not lists or not all(lists) or any(layer.depth != 1 or layer.derived for layer in held.layers):
            return None
        return Meaning(What.MODULES, spelled(node), tuple(dict.fromkeys(layer.kind for layer in held.layers)))

    def _own_attributes(self) -> Mapping[str, Attribute]:
        """Return the attributes of the class."""
        cls = self.context.cls
        return constructed(self.context.project, cls) if cls is not None else {}

    def _call(self, node: ast.Call, names: Names) -> Meaning | None:
        function = node.func
        name = dotted(function)
        if name in WRAPPERS and node.args:
            return self.meaning(node.args[0], names)
        if name == "dict" and len(node.args) == 1:
            held = self.meaning(node.args[0], names)
            named = held is not None and held.what is What.NAMED_PARAMETERS
            return Meaning(What.STATE_DICT, held.source) if held is not None and named else None
        if node.args and (by := self.context.canonical(function)) in COPYING and not _named(node, "copy"):
            copied = self.meaning(node.args[0], names)
            if copied is not None and copied.what is What.STATE_DICT and by == "copy.deepcopy":
                return replace(copied, attribute=by)
            tensor = copied is not None and copied.what in TENSORS
            return Meaning(What.COPY, copied.source, attribute=by) if copied is not None and tensor else None
        if name == "filter" and len(node.args) == 2:
            unfiltered, test = self.meaning(node.args[1], names), node.args[0]
            test = test.body if isinstance(test, ast.Lambda) else test
            return replace(unfiltered, chosen=(*unfiltered.chosen, test)) if unfiltered is not None else None
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
            kind = self.context.class_name(function)
            items = [
                self.context.class_name(each.func) if isinstance(each, ast.Call) else None for each in _held_by(node)
            ]
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
            source = owner.source if owner.attribute else spelled(node)
            return Meaning(of_states, source, attribute=owner.attribute) if of_states is not None else None
        copied = attr in ("clone", "copy") or (attr == "astype" and not node.keywords)  # those of NumPy's arrays too
        if owner.what in TENSORS and (copied or (attr in CONVERTS and converts(self.context, owner.kinds, attr))):
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


def _named(call: ast.Call, keyword: str) -> bool:
    return any(each.arg == keyword for each in call.keywords)


def _held_by(sequence: ast.Call) -> list[ast.expr]:
    """What a call gives a sequence, in order: arguments, or the values of an ``OrderedDict``."""
    match sequence.args:
        case [ast.Call(func=made, args=[ast.List(elts=pairs) | ast.Tuple(elts=pairs)], keywords=[])] if spelled(
            made
        ).rpartition(".")[2] == "OrderedDict" and all(
            isinstance(pair, ast.Tuple | ast.List) and len(pair.elts) == 2 for pair in pairs
        ):
            return [pair.elts[1] for pair in pairs if isinstance(pair, ast.Tuple | ast.List)]
        case [ast.Call(func=made, args=[ast.Dict(values=values)], keywords=[])] if (
            spelled(made).rpartition(".")[2] == "OrderedDict"
        ):
            return values
    return sequence.args
