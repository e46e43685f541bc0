"""One symbolic run: its path condition, its calls, what names are worth, and what escaped.

An assignment under a condition makes the name a ``Choice``; a write of memory is recorded with its condition. Nothing
is merged, so that a bias created ``if bias`` and initialized ``if self.bias is not None`` comes out as initialized.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Iterator
from collections.abc import Sequence as Statements

from initaudit.analyzer.module import Module
from initaudit.analyzer.project import Defined, External, Project, Resolved
from initaudit.analyzer.project import Global as ModuleGlobal
from initaudit.analyzer.snippets import FunctionNode, defaults, has_decorator
from initaudit.analyzer.symbolic import execution, expressions, tensors
from initaudit.analyzer.symbolic.conditions import (
    FALSE,
    TRUE,
    Condition,
    all_of,
    any_of,
    atoms,
    conjuncts,
    decide,
    readable,
)
from initaudit.analyzer.symbolic.frames import MAX_DEPTH, Following, Frame
from initaudit.analyzer.symbolic.values import (
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
    OutOfBudgetError,
    Sequence,
    Signal,
    Size,
    Storage,
    Symbol,
    Tensor,
    Unset,
    Value,
    choose,
    inside,
    leaves,
    simplify,
    text,
)

WALKS = re.compile(r"\b(?:named_)?(?:parameters|modules|children)\(|\.apply\(")
MAY_INITIALIZE = re.compile(r"init|load(?!er)|restore|resume|weight|pretrain|ckpt|checkpoint|reset|resolved", re.I)
MAX_STEPS = 150_000
MAX_STEPS_OF_A_CALL = 25_000
OUTER_CALLS = 3
"""How deep a program calls functions of which each may be left out."""
MAX_ITERATIONS = 48
MAKES_TENSORS = re.compile(
    r"Parameter|Tensor\(|\bempty|\bnn\.|zeros|ones\(|rand|full\(|init|partial|lambda|return \w+$", re.MULTILINE
)


class Interpreter:
    """One symbolic run, such as the construction of one class."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.condition: Condition = TRUE
        self.frames: list[Frame] = []
        self.storages: list[Storage] = []
        self.impossible: list[Condition] = []
        self.integers: set[str] = set()
        self._typed: dict[str, Condition] = {}  # what was used as a size where these tests of its type hold
        self.built: Instance | None = None  # what making another object of its class gives
        self.stand_in: Instance | None = None  # what a module that is not known is taken for ...
        self.holding: frozenset[Defined] = frozenset()  # ... and an object of these classes, whose insides are unknown
        self.following: Following | None = None  # the program that this is the run of
        self.defaults: dict[str, Value] = {}  # of the arguments of the constructor
        self.device_contexts = 0
        self.called: set[Defined] = set()
        self.signals: list[Signal] = []
        self.sequences: list[Instance] = []
        self._steps = 0
        self._limit = MAX_STEPS
        self._globals: dict[tuple[str, str], Value] = {}
        self._resolved: dict[tuple[str, str], Resolved | None] = {}

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def origin(self, node: ast.AST) -> Origin:
        return Origin(self.frame.snippet, node)

    def step(self) -> None:
        self._steps += 1
        if self._steps > self._limit:
            raise OutOfBudgetError

    def iterate(self, iterable: Value) -> list[tuple[Condition, Value]]:
        """What a loop binds, each with the condition for it. An unknown iterable gives one unknown item."""
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

    def alternatives(self, value: Value) -> Iterator[Value]:
        """Every value it may be, one after the other, each on the path on which it is that."""
        before = self.condition
        for condition, leaf in leaves(value, before):
            self.condition = condition
            yield leaf
        self.condition = before

    # Names and attributes

    def bind(self, name: str, value: Value) -> None:
        """Bind a local name on the present path."""
        old = self.frame.names.get(name, UNSET)
        self.frame.names[name] = value if old is UNSET else choose(self.condition, value, old)

    def set_attribute(self, instance: Instance, name: str, value: Value) -> None:
        """Bind an attribute on the present path."""
        old = instance.attributes.get(name, UNSET)
        instance.attributes[name] = choose(self.condition, value, old) if self.condition != TRUE else value

    def lookup(self, name: str) -> Value:
        """A name as seen from the running frame: local, then of the module, then built in."""
        frame = self.frames[-1]
        found = frame.names.get(name)
        if found is not None:
            return simplify(found, self.condition) if isinstance(found, Choice) else found
        key = (frame.module.filename, name)
        if self.following is not None and (found := self.following.names.get(key[0], {}).get(name)) is not None:
            return simplify(found, self.condition)
        if key not in self._resolved:
            self._resolved[key] = self.project.resolve(frame.module, name)
        resolved = self._resolved[key]
        if resolved is not None:
            return self.resolved(resolved)
        unread = None if hasattr(builtins, name) else self.project.unreadable_star(frame.module)
        return Api(f"{unread or 'builtins'}.{name}")

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
            snippet = module.snippet(start, end)
            if snippet is not None and end - start < 60 and len(self.frames) < MAX_DEPTH:
                condition, self.condition = self.condition, TRUE
                self.frames.append(Frame(module, snippet))
                execution.execute(self, snippet.body)
                value = self.frames.pop().names.get(name, UNKNOWN)
                self.condition = condition
                if not isinstance(value, Tensor | Instance | type(UNKNOWN)):
                    self._globals[key] = value
        return self._globals[key]

    # Expressions and calls

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression on the present path."""
        self.step()
        value = expressions.evaluate(self, node)
        return simplify(value, self.condition) if isinstance(value, Choice) else value

    def invoke(self, function: Function, args: list[Value], keywords: dict[str, Value], origin: Origin | None) -> Value:
        """Run a function of the project; what cannot be run lets its arguments escape."""
        defined = function.defined
        definition = defined.definition
        values = [*args, *function.arguments, *keywords.values(), *function.keywords.values()]
        if function.instance is None and not any(map(_reaches_tensors, values)) and not self._matters(defined):
            return Symbol(f"{defined.qualname}({', '.join(map(text, values))})")
        found = defined.module.function(definition)
        running = sum(frame.function == defined for frame in self.frames)
        if found is None or len(self.frames) >= MAX_DEPTH or running > 2:
            for value in (*args, *keywords.values(), *([function.instance] if function.instance else [])):
                self.escape(value, f"{definition.name} could not be followed")
            return UNKNOWN
        self.called.add(defined)
        snippet, node = found
        frame = Frame(defined.module, snippet, function.owner, function.instance, called_from=origin, function=defined)
        frame.names.update(function.closure)
        args = [*function.arguments, *args]
        keywords = {**function.keywords, **keywords}
        if function.instance is not None and not has_decorator(node, "staticmethod"):
            args = [function.instance, *args]
        if self.following is None or len(self.frames) > OUTER_CALLS:
            return self.run_body(frame, node.args, node.body, args, keywords)
        return self._run_briefly(frame, node, args, keywords)

    def annotated(self, function: Defined, result: Value) -> Value:
        """What a function gave, as an integer where its annotation says so."""
        if isinstance(result, Constant) or not _gives_integer(function):
            return result
        found = result if isinstance(result, Symbol) else Symbol(f"{function.qualname}()")
        self.integers.add(found.text)
        return found

    def _run_briefly(self, frame: Frame, node: FunctionNode, args: list[Value], keywords: dict[str, Value]) -> Value:
        """Run a function that a program calls; where that takes too long, the program goes on behind it."""
        limit, depth, condition = self._limit, len(self.frames), self.condition
        self._limit = min(limit, self._steps + MAX_STEPS_OF_A_CALL)
        try:
            return self.run_body(frame, node.args, node.body, args, keywords)
        except (OutOfBudgetError, RecursionError):
            if self._steps > limit:
                raise
            del self.frames[depth:]
            self.condition = condition
            for value in (*args, *keywords.values()):
                self.escape(value, f"{node.name} is too long to follow")
            return UNKNOWN
        finally:
            self._limit = limit

    def _matters(self, function: Defined) -> bool:
        """Whether a function that is given no tensor has to be run."""
        if _makes_tensors(function):
            return True
        source = function.module.slice(function.definition) if self.following is not None else ""
        return self.following is not None and (
            self.following.words.search(source) is not None or WALKS.search(source) is not None
        )

    def may_be_a_model(self, name: str) -> bool:
        """Whether something unknown may be a model; what a program's first function is given is its caller's."""
        return self.following is None or re.split(r"\W", name, maxsplit=1)[0] not in self.following.given

    def restart(self) -> None:
        """Begin another run on the same objects."""
        del self.frames[:]
        self.condition = TRUE
        self._steps = 0
        self._limit = MAX_STEPS

    def run_body(
        self,
        frame: Frame,
        params: ast.arguments,
        body: Statements[ast.stmt],
        args: list[Value],
        keywords: dict[str, Value],
    ) -> Value:
        """Run a function body in a frame of its own; its result is a choice among what it returned."""
        before = self.condition
        self.frames.append(frame)
        try:
            self.bind_parameters(params, args, keywords)
            execution.execute(self, body)
        finally:
            self.frames.pop()
            ended, self.condition = self.condition, before
        result: Value = NONE if ended != FALSE or not frame.returned else UNSET
        for condition, value in reversed(frame.returned):
            extra = all_of(conjuncts(condition) - conjuncts(before))
            result = value if result is UNSET else choose(extra, value, result)
        return simplify(result, before)

    def bind_parameters(self, params: ast.arguments, args: list[Value], keywords: dict[str, Value]) -> None:
        names = self.frame.names
        positional = [*params.posonlyargs, *params.args]
        known = defaults(params)
        rest = list(args)
        keywords = dict(keywords)
        for position, param in enumerate([*positional, *params.kwonlyargs]):
            name = param.arg
            if rest and position < len(positional):
                names[name] = rest.pop(0)
            elif name in keywords:
                names[name] = keywords.pop(name)
            elif "**" in keywords:
                names[name] = Symbol(name)
            elif name in known:
                names[name] = self.evaluate(known[name])
            else:
                names[name] = Symbol(name)
        if params.vararg is not None:
            names[params.vararg.arg] = Sequence(rest, is_list=False)
        if params.kwarg is not None:
            complete = keywords.pop("**", None) is None
            names[params.kwarg.arg] = Mapping(keywords, complete)

    def escape(self, value: Value, reason: str) -> None:
        """Code that cannot be read got hold of a value: whatever it is, it may have been written.

        What a program hands to a logger, an optimizer or a trainer is used there, and not initialized.
        """
        if self.following is not None and not MAY_INITIALIZE.search(reason):
            return
        for each in inside(value):
            if isinstance(each, Tensor):
                for _, leaf in leaves(each.storage, TRUE):
                    if isinstance(leaf, Memory):
                        leaf.storage.escape(readable(reason))
            elif isinstance(each, Instance) and each.escaped is None:
                each.escaped = readable(reason)
                for held in (*each.attributes.values(), *each.children):
                    self.escape(held, reason)

    def integer(self, value: Value) -> None:
        """Remember that a value was used as a size. Where its type was tested this says nothing of other paths."""
        if not isinstance(value, Symbol) or value.text in self.integers:
            return
        test = f"isinstance({value.text}, "
        tests = [term for term in conjuncts(self.condition) if any(atom.text.startswith(test) for atom in atoms(term))]
        if tests:
            self._typed[value.text] = any_of([self._typed.get(value.text, FALSE), all_of(tests)])
        else:
            self.integers.add(value.text)

    def is_integer(self, name: str, condition: Condition | None = None) -> bool:
        """Whether a symbol was used as a size on every path, or where it is of the type that it is on this one."""
        here = self.condition if condition is None else condition
        return name in self.integers or (name in self._typed and decide(self._typed[name], here) is True)


def _reaches_tensors(value: Value) -> bool:
    """Whether a function that is given the value may get at a tensor through it."""
    return any(isinstance(each, Tensor | Instance | Function | Lambda | Builtin | Signal) for each in inside(value))


@functools.lru_cache(maxsize=4096)
def _gives_integer(function: Defined) -> bool:
    """Whether a function is annotated to return an integer."""
    return re.search(r"\)\s*->\s*int\s*:", function.module.slice(function.definition)) is not None


@functools.lru_cache(maxsize=4096)
def _makes_tensors(function: Defined) -> bool:
    """Whether a function speaks of anything that makes parameters or modules, so that what it returns matters."""
    return MAKES_TENSORS.search(function.module.slice(function.definition)) is not None
