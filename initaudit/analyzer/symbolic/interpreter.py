"""One run of a constructor or a program: the parts of the interpreter put together, and functions run with them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Sequence as Statements

from initaudit.analyzer.file.matches import Matches, groups
from initaudit.analyzer.file.usage import WALKS
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.source.snippets import FunctionNode, defaults, has_decorator
from initaudit.analyzer.symbolic import calls, execution, expressions
from initaudit.analyzer.symbolic.conditions import FALSE, all_of, conjuncts
from initaudit.analyzer.symbolic.frames import Following, Frame
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.values import (
    NONE,
    UNKNOWN,
    UNSET,
    Builtin,
    Choice,
    Class,
    Constant,
    Function,
    Instance,
    Lambda,
    Mapping,
    Origin,
    OutOfBudgetError,
    Sequence,
    Signal,
    Symbol,
    Tensor,
    Unknown,
    Value,
    choose,
    inside,
    simplify,
    text,
)

REACHES = WALKS | {"apply"}
MAX_STEPS_OF_A_CALL = 25_000
OUTER_CALLS = 3
"""How deep a program calls functions of which each may be left out."""
MAKES_TENSORS = groups("Parameter Tensor( empty nn. zeros ones( rand full( init partial lambda")

MAKES = groups(
    "nn. Parameter init. xavier kaiming orthogonal normal_ uniform_ zero_ zeros_ ones_ fill_ constant_ copy_ eye_"
)
"""What stands in code that makes a module or an initializer for a program."""


class Interpreter(Run):
    """A run with all its parts."""

    execute = execution.execute
    assign = execution.assign
    attribute = expressions.get_attribute
    call = calls.call_value

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression on the present path."""
        self.step()
        value = expressions.evaluate(self, node)
        return simplify(value, self.condition) if isinstance(value, Choice) else value

    def invoke(self, function: Function, args: list[Value], keywords: dict[str, Value], origin: Origin | None) -> Value:
        """Run a function of the project; what cannot be run lets its arguments escape."""
        defined = function.defined
        values = [*args, *function.arguments, *keywords.values(), *function.keywords.values()]
        if function.instance is None and not any(map(_reaches_tensors, values)):
            if not self._matters(defined):
                return Symbol(f"{defined.qualname}({', '.join(map(text, values))})")
            if (
                self.following is not None
                and not function.closure
                and all(isinstance(each, Constant) for each in values)
            ):
                return self._run_once(self.following, function, args, keywords, origin)
        return self._run(function, args, keywords, origin)

    def _run_once(
        self,
        following: Following,
        function: Function,
        args: list[Value],
        keywords: dict[str, Value],
        origin: Origin | None,
    ) -> Value:
        """Run a function that a program gives constants alone; once on a path if it then has no effect."""
        given = tuple((name, repr(each)) for name, each in (*enumerate(args), *keywords.items()))
        call = (function.defined, function.arguments, tuple(function.keywords), given, self.condition)
        if call in following.results:
            return following.results[call]
        before = self._effects(following)
        result = self._run(function, args, keywords, origin)
        if isinstance(result, Constant | Symbol | Class | Unknown) and self._effects(following) == before:
            following.results[call] = result
        return result

    def _effects(self, following: Following) -> tuple[object, ...]:
        """What a function may change that is given no object, and how often it has read what others change."""
        memory = [(len(each.writes), each.escaped, each.changed) for each in self.storages]
        return memory, self.shared, len(following.builds), following.is_certain, self.optimized, self.trained

    def _run(self, function: Function, args: list[Value], keywords: dict[str, Value], origin: Origin | None) -> Value:
        defined = function.defined
        definition = defined.definition
        found = defined.module.function(definition)
        if found is None or self.goes_too_deep(defined):
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
        if self.following is None:
            return _makes_tensors(function)
        if function == self.following.begin:
            return True
        words = function.module.matches(function.definition.start, function.definition.end)
        return self._says_enough(self.following, words) and self._says_enough(self.following, _code(function))

    @staticmethod
    def _says_enough(following: Following, words: Matches) -> bool:
        """Whether something in a function may lead to the class, or may make or initialize a module."""
        return (
            following.words.search(words.text) is not None
            or not REACHES.isdisjoint(words.names_called)
            or words.holds_all(MAKES)
        )

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
            self.execute(body)
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


def _reaches_tensors(value: Value) -> bool:
    """Whether a function that is given the value may get at a tensor through it."""
    return any(isinstance(each, Tensor | Instance | Function | Lambda | Builtin | Signal) for each in inside(value))


@functools.lru_cache(maxsize=4096)
def _code(function: Defined) -> Matches:
    """The words of a function without its comments and docstrings; all of them where it cannot be read."""
    usage = function.module.usage(function.definition)
    if not usage.names:
        return function.module.matches(function.definition.start, function.definition.end)
    called = (f"{name}()" for name in usage.called)
    return Matches("\n".join((*called, *usage.dotted, *usage.names, *usage.texts)))


@functools.lru_cache(maxsize=4096)
def _makes_tensors(function: Defined) -> bool:
    """Whether a function speaks of anything that makes parameters or modules, so that what it returns matters."""
    module, definition = function.module, function.definition
    if module.matches(definition.start, definition.end).holds_all(MAKES_TENSORS):
        return True
    found = module.function(definition)
    return found is not None and any(
        isinstance(node, ast.Return) and isinstance(node.value, ast.Name) for node in found[0].nodes
    )
