"""Runs statements symbolically: every path at once, each effect under the condition it depends on.

An assignment under a condition makes the name a ``Choice``; a write of memory is recorded with its condition. Nothing is merged, so that a
bias created ``if bias`` and initialized ``if self.bias is not None`` comes out as initialized.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from collections.abc import Sequence as Statements
from dataclasses import dataclass, field

import libcst as cst

from initaudit.analyzer import expressions, modules, tensors
from initaudit.analyzer.conditions import FALSE, TRUE, Atom, Condition, Literal, all_of, any_of, conjuncts, negate
from initaudit.analyzer.fragments import Fragment
from initaudit.analyzer.project import Defined, External, Module, Project, Resolved
from initaudit.analyzer.project import Global as ModuleGlobal
from initaudit.analyzer.values import (
    NONE,
    UNKNOWN,
    UNSET,
    Api,
    Builtin,
    Choice,
    Class,
    Constant,
    Function,
    Instance,
    Lambda,
    Mapping,
    Memory,
    Origin,
    Sequence,
    Signal,
    Size,
    Storage,
    Symbol,
    Tensor,
    Unset,
    Value,
    choose,
    leaves,
    simplify,
    text,
)

MAX_DEPTH = 14
MAX_STEPS = 150_000
MAX_ITERATIONS = 48
MAKES_TENSORS = re.compile(
    r"Parameter|Tensor\(|\bempty|\bnn\.|zeros|ones\(|rand|full\(|init|partial|lambda|return \w+$", re.MULTILINE
)


class OutOfBudget(Exception):
    """The run became too long to be worth finishing."""


@dataclass(slots=True)
class Frame:
    """One call: the module and slice its code stands in, its names, and what it has returned."""

    module: Module
    fragment: Fragment
    owner: Defined | None = None
    instance: Value | None = None
    names: dict[str, Value] = field(default_factory=dict)
    returned: list[tuple[Condition, Value]] = field(default_factory=list)
    called_from: Origin | None = None
    function: Defined | None = None


class Interpreter:
    """One symbolic run, such as the construction of one class."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.condition: Condition = TRUE
        self.frames: list[Frame] = []
        self.storages: list[Storage] = []
        self.impossible: list[Condition] = []
        self.integers: set[str] = set()
        self.defaults: dict[str, Value] = {}  # of the arguments of the constructor
        self.device_contexts = 0
        self.called: set[Defined] = set()
        self.signals: list[Signal] = []
        self.sequences: list[Instance] = []
        self._steps = 0
        self._globals: dict[tuple[str, str], Value] = {}

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def origin(self, node: cst.CSTNode) -> Origin:
        return Origin(self.frame.fragment, node)

    def step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise OutOfBudget

    # Statements

    def run(self, statements: Statements[cst.BaseStatement | cst.BaseSmallStatement]) -> None:
        """Run statements in order, until no path goes on."""
        for statement in statements:
            if self.condition == FALSE:
                return
            self.step()
            match statement:
                case cst.SimpleStatementLine(body=body):
                    self.run(body)
                case cst.Expr(value=value):
                    self.evaluate(value)
                case cst.Assign(targets=targets, value=value):
                    result = self.evaluate(value)
                    for target in targets:
                        self.assign(target.target, result)
                case cst.AnnAssign(target=target, value=value) if value is not None:
                    self.assign(target, self.evaluate(value))
                case cst.AugAssign():
                    self.augment(statement)
                case cst.If():
                    self.run_if(statement)
                case cst.For():
                    self.run_for(statement)
                case cst.While(test=test, body=body):
                    self.evaluate(test)
                    self.branch(TRUE, body.body)
                case cst.With():
                    self.run_with(statement)
                case cst.Try() | cst.TryStar():
                    self.run_try(statement)
                case cst.Return(value=value):
                    self.frame.returned.append((self.condition, self.evaluate(value) if value else NONE))
                    self.condition = FALSE
                case cst.Raise():
                    self.impossible.append(self.condition)
                    self.condition = FALSE
                case cst.Break() | cst.Continue():
                    self.condition = FALSE
                case cst.Assert(test=test):
                    self.impossible.append(all_of([self.condition, negate(expressions.condition(self, test))]))
                case cst.FunctionDef(name=name):
                    self.bind(name.value, Lambda(self.origin(statement), self.frame.names))
                case cst.ClassDef(name=name):
                    self.bind(name.value, UNKNOWN)
                case cst.Import() | cst.ImportFrom():
                    self.run_import(statement)
                case cst.Del(target=target):
                    self.delete(target)
                case cst.Match(cases=cases):
                    for index, case in enumerate(cases):
                        arm = Atom(
                            f"case {index} at {id(statement)}", subject=f"match {id(statement)}", constant=str(index)
                        )
                        self.branch(Literal(arm), case.body.body)

    def branch(self, condition: Condition, body: Statements[cst.BaseStatement | cst.BaseSmallStatement]) -> Condition:
        """Run a body where ``condition`` holds too; returns what still goes on behind it, and goes on as before."""
        before = self.condition
        self.condition = all_of([before, condition])
        self.run(body)
        after, self.condition = self.condition, before
        return after

    def run_if(self, statement: cst.If) -> None:
        condition = expressions.condition(self, statement.test)
        before = self.condition
        then = all_of([before, condition])
        otherwise = all_of([before, negate(condition)])
        after_then = self.branch(condition, statement.body.body) if then != FALSE else FALSE
        orelse = statement.orelse
        after_otherwise = otherwise
        if orelse is not None and otherwise != FALSE:
            body = [orelse] if isinstance(orelse, cst.If) else orelse.body.body
            after_otherwise = self.branch(negate(condition), body)
        if (after_then, after_otherwise) == (then, otherwise):
            return
        if FALSE in (after_then, after_otherwise):
            self.condition = after_otherwise if after_then == FALSE else after_then
        else:
            self.condition = all_of([before, any_of([after_then, after_otherwise])])

    def run_for(self, statement: cst.For) -> None:
        iterable = self.evaluate(statement.iter)
        for condition, item in self.iterate(iterable):
            before = self.condition
            self.condition = all_of([before, condition])
            if self.condition != FALSE:
                self.assign(statement.target, item)
                self.run(statement.body.body)
            self.condition = before
        if statement.orelse is not None:
            self.branch(TRUE, statement.orelse.body.body)

    def iterate(self, iterable: Value) -> list[tuple[Condition, Value]]:
        """What a loop binds, each with the condition under which it exists. An unknown iterable gives one unknown item."""
        found: list[tuple[Condition, Value]] = []
        for condition, value in leaves(iterable, self.condition):
            items: list[Value]
            match value:
                case Sequence(items=items):
                    pass
                case Mapping(items=mapping):
                    items = [Constant(key) for key in mapping]
                case Instance(children=items, external=external) if external is not None and items:
                    pass
                case Tensor():
                    items = [tensors.element(value)]
                case Constant(inner) if isinstance(inner, str):
                    items = [Constant(character) for character in inner]
                case Constant() | Unset():
                    items = []
                case Symbol(name) | Size(name):
                    items = [Symbol(f"each of {name}")]
                case _:
                    items = [UNKNOWN]
            for item in items[:MAX_ITERATIONS]:
                found += leaves(item, condition)
        return found

    def run_with(self, statement: cst.With) -> None:
        contexts = 0
        for item in statement.items:
            value = self.evaluate(item.item)
            if item.asname is not None:
                self.assign(item.asname.name, value if isinstance(value, Instance) else UNKNOWN)
            contexts += not modules.is_gradient_mode(item.item)
        self.device_contexts += contexts
        self.run(statement.body.body)
        self.device_contexts -= contexts

    def run_try(self, statement: cst.Try | cst.TryStar) -> None:
        before = self.condition
        self.run(statement.body.body)
        ends = [self.condition]
        for handler in statement.handlers:
            raised = Literal(Atom(f"exception at {id(handler)}"))
            self.condition = before
            if handler.name is not None:
                self.assign(handler.name.name, UNKNOWN)
            ends.append(self.branch(raised, handler.body.body))
        self.condition = before if any(end != FALSE for end in ends) else FALSE
        if ends[0] != before and len(ends) == 1:
            self.condition = ends[0]
        for extra in (statement.orelse, statement.finalbody):
            if extra is not None:
                self.run(extra.body.body)

    def run_import(self, statement: cst.Import | cst.ImportFrom) -> None:
        if isinstance(statement.names, cst.ImportStar):
            return
        module = self.frame.module
        source = ""
        if isinstance(statement, cst.ImportFrom):
            source = "." * len(statement.relative) + (dotted(statement.module) if statement.module else "")
        for alias in statement.names:
            name = dotted(alias.name)
            full = name if not source else source + ("" if source.endswith(".") else ".") + name
            bound = alias.asname.name if alias.asname else None
            if isinstance(bound, cst.Name):
                self.bind(bound.value, self.resolved(self.project.absolute(module.absolute(full))))
            else:
                target = full if source else name.split(".")[0]
                self.bind(name.split(".")[0], self.resolved(self.project.absolute(module.absolute(target))))

    # Names and attributes

    def bind(self, name: str, value: Value) -> None:
        """Bind a local name on the present path."""
        old = self.frame.names.get(name, UNSET)
        self.frame.names[name] = value if old is UNSET else choose(self.condition, value, old)

    def delete(self, target: cst.BaseDelTargetExpression) -> None:
        if isinstance(target, cst.Name):
            self.frame.names.pop(target.value, None)
        elif isinstance(target, cst.Attribute):
            owner = self.evaluate(target.value)
            if isinstance(owner, Instance):
                self.set_attribute(owner, target.attr.value, UNSET)

    def set_attribute(self, instance: Instance, name: str, value: Value) -> None:
        """Bind an attribute on the present path."""
        old = instance.attributes.get(name, UNSET)
        instance.attributes[name] = choose(self.condition, value, old) if self.condition != TRUE else value

    def assign(self, target: cst.BaseExpression, value: Value) -> None:
        """Bind a target; assigning to ``.data`` or to an index of a tensor writes its memory."""
        match target:
            case cst.Name(value=name):
                self.bind(name, value)
            case cst.Attribute(value=owner, attr=attr):
                for condition, holder in leaves(self.evaluate(owner), self.condition):
                    with_condition(
                        self, condition, lambda h=holder: self.assign_attribute(h, attr.value, value, target)
                    )
            case cst.Subscript(value=owner):
                index = expressions.index_part(self, target)
                for condition, holder in leaves(self.evaluate(owner), self.condition):
                    with_condition(self, condition, lambda h=holder: self.assign_item(h, index, value, target))
            case cst.Tuple(elements=elements) | cst.List(elements=elements):
                items = self.unpack(value, len(elements))
                for element, item in zip(elements, items, strict=True):
                    self.assign(element.value, UNKNOWN if isinstance(element, cst.StarredElement) else item)

    def assign_attribute(self, holder: Value, name: str, value: Value, node: cst.CSTNode) -> None:
        if isinstance(holder, Instance):
            self.set_attribute(holder, name, value)
        elif isinstance(holder, Tensor):
            if name == "data":
                tensors.replace_data(self, holder, value, self.origin(node))
            else:
                holder.attributes[name] = value

    def assign_item(self, holder: Value, index: expressions.Index, value: Value, node: cst.CSTNode) -> None:
        match holder:
            case Tensor():
                tensors.write(self, tensors.part_of(holder, index), "index assignment", self.origin(node))
            case Mapping(items=items):
                key = index.constant
                if isinstance(key, str):
                    items[key] = choose(self.condition, value, items.get(key, UNSET))
                else:
                    holder.complete = False
                    items[f"?{len(items)}"] = value
            case Sequence() | Instance():
                modules.set_item(self, holder, index.constant, value)

    def unpack(self, value: Value, count: int) -> list[Value]:
        """The items of a tuple assignment."""
        value = simplify(value, self.condition)
        match value:
            case Sequence(items=items, complete=True) if len(items) == count:
                return list(items)
            case Tensor():
                return [tensors.unknown_part(value) for _ in range(count)]
            case Symbol(name) | Size(name):
                return [Symbol(f"{name}[{index}]") for index in range(count)]
            case Choice(condition, then, otherwise):
                pairs = zip(self.unpack(then, count), self.unpack(otherwise, count), strict=True)
                return [choose(condition, one, two) for one, two in pairs]
            case _:
                return [UNKNOWN] * count

    def augment(self, statement: cst.AugAssign) -> None:
        value = self.evaluate(statement.value)
        old = simplify(self.evaluate(statement.target), self.condition)
        if isinstance(old, Sequence):
            if isinstance(value, Sequence):
                old.items += value.items
            else:
                old.complete = False
        elif isinstance(old, Instance) and isinstance(value, Sequence):
            old.children += value.items
        elif not isinstance(old, Tensor | Instance):
            result = expressions.arithmetic(self, type(statement.operator).__name__.removesuffix("Assign"), old, value)
            self.assign(statement.target, result)

    def lookup(self, name: str) -> Value:
        """A name as seen from the running frame: local, then of the module, then built in."""
        found = self.frame.names.get(name)
        if found is not None:
            return simplify(found, self.condition)
        resolved = self.project.resolve(self.frame.module, name)
        if resolved is None:
            return Api(f"builtins.{name}")
        return self.resolved(resolved)

    def resolved(self, target: Resolved | None) -> Value:
        """What a name of a module is worth."""
        match target:
            case Defined():
                return Class(target) if target.definition.is_class else Function(target)
            case External(name):
                return Api(name)
            case ModuleGlobal(module, name):
                return self.module_global(module, name)
            case Module():
                return Symbol(f"module {target.name}")
            case None:
                return UNKNOWN

    def module_global(self, module: Module, name: str) -> Value:
        """The value of a top-level assignment, evaluated once."""
        key = (module.filename, name)
        if key not in self._globals:
            self._globals[key] = Symbol(f"{module.name}.{name}")
            start, end = module.outline.globals[name]
            fragment = module.fragment(start, end)
            if fragment is not None and end - start < 60 and len(self.frames) < MAX_DEPTH:
                condition, self.condition = self.condition, TRUE
                self.frames.append(Frame(module, fragment))
                self.run(fragment.body())
                value = self.frames.pop().names.get(name, UNKNOWN)
                self.condition = condition
                if not isinstance(value, Tensor | Instance | type(UNKNOWN)):
                    self._globals[key] = value
        return self._globals[key]

    # Expressions and calls

    def evaluate(self, node: cst.CSTNode) -> Value:
        """The value of an expression on the present path."""
        self.step()
        return simplify(expressions.evaluate(self, node), self.condition)

    def invoke(self, function: Function, args: list[Value], keywords: dict[str, Value], origin: Origin | None) -> Value:
        """Run a function of the project; what cannot be run lets its arguments escape."""
        defined = function.defined
        definition = defined.definition
        values = [*args, *function.arguments, *keywords.values(), *function.keywords.values()]
        if function.instance is None and not any(map(_reaches_tensors, values)) and not _makes_tensors(defined):
            return Symbol(f"{defined.qualname}({', '.join(map(text, values))})")
        fragment = defined.module.fragment(definition.start, definition.end)
        node = fragment.body()[0] if fragment is not None and fragment.body() else None
        running = sum(frame.function == defined for frame in self.frames)
        if fragment is None or not isinstance(node, cst.FunctionDef) or len(self.frames) >= MAX_DEPTH or running > 2:
            for value in (*args, *keywords.values(), *([function.instance] if function.instance else [])):
                self.escape(value, f"{definition.name} could not be followed")
            return UNKNOWN
        self.called.add(defined)
        frame = Frame(defined.module, fragment, function.owner, function.instance, called_from=origin, function=defined)
        frame.names.update(function.closure)
        args = [*function.arguments, *args]
        keywords = {**function.keywords, **keywords}
        if function.instance is not None and not has_decorator(node, "staticmethod"):
            args = [function.instance, *args]
        return self.run_body(frame, node.params, node.body.body, args, keywords)

    def run_body(
        self,
        frame: Frame,
        params: cst.Parameters,
        body: Statements[cst.BaseStatement | cst.BaseSmallStatement],
        args: list[Value],
        keywords: dict[str, Value],
    ) -> Value:
        """Run a function body in a frame of its own; its result is a choice among what it returned."""
        before = self.condition
        self.frames.append(frame)
        try:
            self.bind_parameters(params, args, keywords)
            self.run(body)
        finally:
            self.frames.pop()
            ended, self.condition = self.condition, before
        result: Value = NONE if ended != FALSE or not frame.returned else UNSET
        for condition, value in reversed(frame.returned):
            extra = all_of(conjuncts(condition) - conjuncts(before))
            result = value if result is UNSET else choose(extra, value, result)
        return simplify(result, before)

    def bind_parameters(self, params: cst.Parameters, args: list[Value], keywords: dict[str, Value]) -> None:
        names = self.frame.names
        positional = [*params.posonly_params, *params.params]
        rest = list(args)
        keywords = dict(keywords)
        for param in [*positional, *params.kwonly_params]:
            name = param.name.value
            if rest and param in positional:
                names[name] = rest.pop(0)
            elif name in keywords:
                names[name] = keywords.pop(name)
            elif "**" in keywords:
                names[name] = Symbol(name)
            elif param.default is not None:
                names[name] = self.evaluate(param.default)
            else:
                names[name] = Symbol(name)
        if isinstance(params.star_arg, cst.Param):
            names[params.star_arg.name.value] = Sequence(rest, is_list=False)
        if params.star_kwarg is not None:
            complete = keywords.pop("**", None) is None
            names[params.star_kwarg.name.value] = Mapping(keywords, complete)

    def escape(self, value: Value, reason: str) -> None:
        """Code that cannot be read got hold of a value: whatever it is, it may have been written."""
        match value:
            case Tensor(storage=storage):
                for _, leaf in leaves(storage, TRUE):
                    if isinstance(leaf, Memory):
                        leaf.storage.escaped = leaf.storage.escaped or reason
            case Instance():
                if value.escaped is None:
                    value.escaped = reason
                    for attribute in list(value.attributes.values()):
                        self.escape(attribute, reason)
                    for child in value.children:
                        self.escape(child, reason)
            case Sequence(items=items):
                for item in items:
                    self.escape(item, reason)
            case Mapping(items=mapping):
                for item in mapping.values():
                    self.escape(item, reason)
            case Choice(_, then, otherwise):
                self.escape(then, reason)
                self.escape(otherwise, reason)

    def integer(self, value: Value) -> None:
        """Remember that a value was used as a size."""
        if isinstance(value, Symbol):
            self.integers.add(value.text)


def _reaches_tensors(value: Value) -> bool:
    """Whether a function that is given the value may get at a tensor through it."""
    match value:
        case Sequence(items=items):
            return any(map(_reaches_tensors, items))
        case Mapping(items=mapping):
            return any(map(_reaches_tensors, mapping.values()))
        case Choice(_, then, otherwise):
            return _reaches_tensors(then) or _reaches_tensors(otherwise)
        case _:
            return isinstance(value, Tensor | Instance | Function | Lambda | Builtin | Signal)


@functools.lru_cache(maxsize=4096)
def _makes_tensors(function: Defined) -> bool:
    """Whether a function speaks of anything that makes parameters or modules, so that what it returns matters."""
    return MAKES_TENSORS.search(function.module.slice(function.definition)) is not None


def with_condition(interpreter: Interpreter, condition: Condition, action: Callable[[], object]) -> None:
    """Run an action under a path condition and go on as before."""
    before, interpreter.condition = interpreter.condition, condition
    try:
        action()
    finally:
        interpreter.condition = before


def dotted(node: cst.BaseExpression) -> str:
    """The text of a dotted name."""
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def has_decorator(node: cst.FunctionDef, *names: str) -> bool:
    """Whether a function has a decorator whose last name is one of these."""
    for decorator in node.decorators:
        inner = decorator.decorator.func if isinstance(decorator.decorator, cst.Call) else decorator.decorator
        if dotted(inner).rpartition(".")[2] in names:
            return True
    return False
