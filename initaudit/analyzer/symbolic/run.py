"""The state of one symbolic run, and what its parts ask of one another.

A run has a path condition and frames, and knows what names are worth, what was used as a size and what escaped. An
assignment under a condition makes the name a ``Choice``; a write of memory is recorded with its condition. Nothing is
merged, so that a bias created ``if bias`` and initialized ``if self.bias is not None`` comes out as initialized.

Tensors, modules, calls, expressions and statements are given a ``Run``. The abstract methods are what they need of the
parts above them; ``Interpreter`` defines these. This module knows nothing about torch and nothing about syntax.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from collections.abc import Sequence as Statements

from initaudit.analyzer.file.module import Module
from initaudit.analyzer.project.names import Defined, External, Project, Resolved
from initaudit.analyzer.project.names import Global as ModuleGlobal
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
    UNKNOWN,
    UNSET,
    Api,
    Choice,
    Class,
    Constant,
    Function,
    Instance,
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
    element,
    inside,
    leaves,
    simplify,
)

MAY_INITIALIZE = re.compile(r"init|load(?!er)|restore|resume|weight|pretrain|ckpt|checkpoint|reset|resolved", re.I)
NO_WEIGHTS = re.compile(r"init(?:iali[sz]e)?_?(?:optim(?:izer)?|(?:lr_?)?scheduler|logger|logging)s?\b", re.I)
"""What initializes an optimizer, a scheduler or a logger, by its name."""
AMONG_ARGUMENTS = re.compile(
    r"(?<=[(\[ ])[\w.]*load(?!er|\w*(?:weight|state|pretrain|ckpt|checkpoint|model|param))\w*\(", re.I
)
"""A call of what loads something else, such as a schedule."""
MAX_STEPS = 150_000
MAX_ITERATIONS = 48


class Run(ABC):
    """One symbolic run, such as the construction of one class."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.condition: Condition = TRUE
        self.frames: list[Frame] = []
        self.storages: list[Storage] = []
        self.impossible: list[Condition] = []
        self.integers: set[str] = set()
        self._typed: dict[str, Condition] = {}  # what was used as a size where these tests of its type hold
        self.with_parts = False  # whether the constructors of the modules that it holds run too
        self.built: Instance | None = None  # what making another object of its class gives
        self.stand_in: Instance | None = None  # what a module that is not known is taken for ...
        self.holding: frozenset[Defined] = frozenset()  # ... and an object of these classes, whose insides are unknown
        self.following: Following | None = None  # the program that this is the run of
        self.optimized: Condition = FALSE  # when an optimizer has parameters of the object that is followed ...
        self.trained: Condition = FALSE  # ... and when these have been trained
        self.defaults: dict[str, Value] = {}  # of the arguments of the constructor
        self.device_contexts = 0
        self.catching: list[bool] = []  # the statements around that catch errors: whether one is certain in each
        self.called: set[Defined] = set()
        self.signals: list[Signal] = []
        self.sequences: list[Instance] = []
        self.shared = 0  # how often something was read that other functions may have changed
        self.spent = 0  # steps of the runs before this one on the same objects
        self._steps = 0
        self._limit = MAX_STEPS
        self._globals: dict[tuple[str, str], Value] = {}
        self._resolved: dict[tuple[str, str], Resolved | None] = {}

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def origin(self, node: ast.AST) -> Origin:
        return Origin(self.frame.snippet, node)

    def goes_too_deep(self, code: Defined | ast.AST) -> bool:
        """Whether calls nest too deep, or a function calls itself too often, for one more call of it."""
        return len(self.frames) >= MAX_DEPTH or sum(code in (each.function, each.local) for each in self.frames) > 2

    def step(self) -> None:
        self._steps += 1
        if self._steps > self._limit:
            raise OutOfBudgetError

    def restart(self, limit: int | None = None) -> None:
        """Begin another run on the same objects."""
        del self.frames[:]
        del self.catching[:]
        self.condition = TRUE
        self.optimized = self.trained = FALSE
        self.spent += self._steps
        self._steps = 0
        self._limit = MAX_STEPS if limit is None else min(limit, MAX_STEPS)

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
                    items = [element(value)]
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

    # What the parts of the interpreter ask of one another

    @abstractmethod
    def evaluate(self, node: ast.expr) -> Value:
        """Return the value of an expression on the present path."""

    @abstractmethod
    def execute(self, statements: Statements[ast.stmt]) -> None:
        """Run statements in order, until no path goes on."""

    @abstractmethod
    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target on the present path."""

    @abstractmethod
    def attribute(self, owner: Value, name: str) -> Value:
        """Return ``owner.name``."""

    @abstractmethod
    def call(self, function: Value, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
        """Call any value."""

    @abstractmethod
    def invoke(self, function: Function, args: list[Value], keywords: dict[str, Value], origin: Origin | None) -> Value:
        """Run a function of the project; what cannot be run lets its arguments escape."""

    @abstractmethod
    def run_body(
        self,
        frame: Frame,
        params: ast.arguments,
        body: Statements[ast.stmt],
        args: list[Value],
        keywords: dict[str, Value],
    ) -> Value:
        """Run a function body in a frame of its own; its result is a choice among what it returned."""

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
            self.shared += not isinstance(found, Constant | Class | Function)
            return simplify(found, self.condition)
        if key not in self._resolved:
            self._resolved[key] = self.project.resolve(frame.module, name)
        resolved = self._resolved[key]
        if resolved is not None:
            return self.resolved(resolved)
        if hasattr(builtins, name):
            return Api(f"builtins.{name}")
        unread = self.project.unreadable_star(frame.module)
        return Api(f"{unread}.{name}") if unread else Symbol(name)  # nothing defines it

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
                self.execute(snippet.body)
                value = self.frames.pop().names.get(name, UNKNOWN)
                self.condition = condition
                if not isinstance(value, Tensor | Instance | type(UNKNOWN)):
                    self._globals[key] = value
        self.shared += isinstance(self._globals[key], Sequence | Mapping | Choice)
        return self._globals[key]

    # What is known of values

    def may_be_a_model(self, name: str) -> bool:
        """Whether something unknown may be a model; what a program's first function is given is its caller's."""
        if name.endswith((".parameters()", ".buffers()")):
            return False  # each of these is a tensor
        return self.following is None or re.split(r"\W", name, maxsplit=1)[0] not in self.following.given

    def escape(self, value: Value, reason: str) -> None:
        """Code that cannot be read got hold of a value: whatever it is, it may have been written.

        What a program hands to a logger, an optimizer or a trainer is used there, and not initialized; what it hands
        on once it has trained a model is not either.
        """
        if self.following is not None and (not _may_initialize(reason) or self.is_trained()):
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

    def is_trained(self) -> bool:
        """Whether the program has trained the object on every path that leads here."""
        return self.trained is not FALSE and decide(self.trained, self.condition) is True

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

    def annotated(self, function: Defined, result: Value) -> Value:
        """What a function gave, as an integer where its annotation says so."""
        if isinstance(result, Constant) or not _gives_integer(function):
            return result
        found = result if isinstance(result, Symbol) else Symbol(f"{function.qualname}()")
        self.integers.add(found.text)
        return found


def _may_initialize(reason: str) -> bool:
    """Whether the name of what got hold of a value says that it may initialize or load it.

    What else it was made of, the arguments of a call that gave the function, may have been loaded itself.
    """
    called, bracket, arguments = NO_WEIGHTS.sub("", reason).partition("(")
    return MAY_INITIALIZE.search(called + AMONG_ARGUMENTS.sub("(", bracket + arguments)) is not None


@functools.lru_cache(maxsize=4096)
def _gives_integer(function: Defined) -> bool:
    """Whether a function is annotated to return an integer."""
    found = (
        function.module.function(function.definition) if "->" in function.module.slice(function.definition) else None
    )
    return found is not None and isinstance(found[1].returns, ast.Name) and found[1].returns.id == "int"
