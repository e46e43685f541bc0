"""Execute calls: run functions of the project, look up those of torch; arguments of any others escape."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace

from initaudit.analyzer import torch_api
from initaudit.analyzer.frameworks import (
    APPLYING_FUNCTIONS,
    APPLYING_METHODS,
    ARRAYS,
    CALLED_BY_FRAMEWORK,
    FILLING_HELPERS,
    GATHERS,
    KNOWN_BASES,
    MODULE_BASES,
    NEUTRAL_CONSTRUCTORS,
    PURE_PACKAGES,
)
from initaudit.analyzer.project.names import Defined, External
from initaudit.analyzer.source.snippets import FunctionNode, defaults, dotted, has_decorator, spelled
from initaudit.analyzer.symbolic import builtin_functions, tensors, training
from initaudit.analyzer.symbolic.classes import assigned_in
from initaudit.analyzer.symbolic.conditions import FALSE, all_of, negate
from initaudit.analyzer.symbolic.frames import Build, Following, Frame
from initaudit.analyzer.symbolic.holders import only_reads, written_by_others
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch import factories, layers, modules, overlay
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
    Origin,
    Sequence,
    Size,
    Super,
    Symbol,
    Tensor,
    Value,
    choose,
    simplify,
    text,
)

EXITS = {"sys.exit", "os._exit", "os.abort", "builtins.exit", "builtins.quit"}
PARSER_ERROR = re.compile(r"argparse\.ArgumentParser\(.*\)\.(?:error|exit)")
METHOD_OF_A_CLASS = re.compile(r"\.[A-Z]\w*\.[a-z_]\w*$")
TRAVERSALS = {"parameters", "named_parameters", "modules", "named_modules", "children", "named_children", "apply"}


def api_name(name: str) -> str:
    """Return a name of an external package; torch's in canonical spelling."""
    return torch_api.canonical(name) if name.startswith("torch.") else name


def call(run: Run, function: Value, args: list[Value], keywords: dict[str, Value], node: ast.Call) -> Value:
    """Return the value of a call expression."""
    if isinstance(function, Api) and function.name == "builtins.super":
        return _super(run, args)
    if isinstance(function, Api) and function.name in ("builtins.locals", "builtins.vars", "builtins.globals"):
        return UNKNOWN
    if run.following is not None:
        training.observe(run, function, args, keywords, node)
    return call_value(run, function, args, keywords, run.origin(node))


def call_value(run: Run, function: Value, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Call any value."""
    name = _dotted_name(function)
    if name is not None and run.project.initializes(name):
        for value in (*args, *keywords.values()):
            modules.initialize(run, value, name, origin)
        return args[0] if args else UNKNOWN
    if name in APPLYING_FUNCTIONS and args and isinstance(args[0], Instance):
        return modules.apply_method(run, args[0], APPLYING_FUNCTIONS[name], origin)
    if run.following is not None and name is not None and name.rpartition(".")[2] in run.following.configured:
        run.following.is_certain &= bool(run.following.builds)
        run.following.builds.append(Build(_outermost(run, origin), run.condition))
        return run.stand_in or UNKNOWN
    match function:
        case Choice():
            return _call_either(run, function, args, keywords, origin)
        case Function(defined):
            return run.annotated(defined, run.invoke(function, args, keywords, origin))
        case Lambda():
            return _call_local(run, function, args, keywords, origin)
        case Builtin(call=action):
            return action(args, keywords, origin)
        case Class(defined):
            return construct(run, defined, args, keywords, origin)
        case Api(name):
            return call_api(run, name, args, keywords, origin)
        case Instance():
            return layers.forward(run, function, args, origin)
        case Symbol(name) if name.endswith(".size") and not args and not keywords:
            return Size(f"{name}()")
        case Symbol(name) if _allocates(name, args, keywords):
            by = f"Tensor{name[name.rindex('.') :]}"
            return tensors.allocate(run, by, args, keywords, origin, legacy=by == "Tensor.new")
        case Symbol(name) | Size(name):
            if name in EXITS or PARSER_ERROR.fullmatch(name):
                run.impossible.append(run.condition)
            _hand_over(run, [*args, *keywords.values()], f"passed to {name}", origin)
            return Symbol(f"{name}({', '.join(map(text, args))})")
        case _:
            _hand_over(run, [*args, *keywords.values()], "passed to a function that could not be resolved", origin)
            match origin.node:
                case ast.Call(func=found) if run.stand_in is not None:
                    return Symbol(f"{spelled(found)}()")  # it may be a model
                case _:
                    return UNKNOWN


def _hand_over(run: Run, values: list[Value], reason: str, origin: Origin) -> None:
    """Let unknown code get hold of values; what takes over a state only reads it."""
    match origin.node:
        case ast.Call(func=ast.Attribute(attr="load_state_dict")):
            pass
        case _:
            for value in values:
                run.escape(value, reason)


def _allocates(name: str, args: list[Value], keywords: dict[str, Value]) -> bool:
    """Whether a method of an unknown object is an allocating method of a tensor."""
    owner, _, method = name.rpartition(".")
    takes_size = method == "new" and (len(args) > 1 or "size" in keywords)
    return bool(owner) and (takes_size or method in torch_api.RAW_METHODS)


def _dotted_name(function: Value) -> str | None:
    """Return the dotted name of a function of the project or of a package."""
    match function:
        case Function(defined):
            return defined.qualname
        case Api(name):
            return name
        case _:
            return None


def _call_either(run: Run, function: Choice, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    results: list[Value] = []
    before = run.condition
    for condition, branch in ((function.condition, function.then), (negate(function.condition), function.otherwise)):
        run.condition = all_of([before, condition])
        if run.condition == FALSE:
            results.append(UNSET)
            continue
        branch = simplify(branch, run.condition)
        unusable = branch is UNSET or branch == NONE
        results.append(UNSET if unusable else call_value(run, branch, args, keywords, origin))
    run.condition = before
    return choose(function.condition, *results)


def _call_local(run: Run, function: Lambda, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Run a lambda or a nested function."""
    node = function.origin.node
    if run.goes_too_deep(node):
        for value in (*args, *keywords.values()):
            run.escape(value, "calls nest too deep")
        return UNKNOWN
    outer, names = run.frame, dict(function.closure)
    snippet = function.origin.snippet
    frame = Frame(outer.module, snippet, outer.owner, outer.instance, names, called_from=origin, local=node)
    if isinstance(node, ast.Lambda):
        return run.run_body(frame, node.args, [ast.Return(node.body)], args, keywords)
    assert isinstance(node, FunctionNode)
    return run.run_body(frame, node.args, node.body, args, keywords)


def _super(run: Run, args: list[Value]) -> Value:
    """Return ``super()`` or ``super(Class, self)``."""
    frame = run.frame
    owner, instance = frame.owner, frame.instance
    if len(args) == 2:
        owner = args[0].defined if isinstance(args[0], Class) else owner
        instance = args[1]
    if owner is None or not isinstance(instance, Instance):
        return UNKNOWN
    return Super(instance, owner)


def construct(run: Run, cls: Defined, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Return an object of a class of the project. Its constructor runs separately, so its content is unknown here."""
    external = torch_base(run, cls)
    if external in ("torch.nn.Parameter", "torch.Tensor"):
        data = args[0] if args else keywords.get("data", UNKNOWN)
        return factories.parameter(data)
    if run.following is not None:
        return _construct_in_program(run, run.following, Instance(cls, external, origin=origin), args, keywords, origin)
    if run.with_parts and external == "torch.nn.Module" and has_torch_bases(run, cls):
        part = Instance(cls, external, origin=origin)
        _run_constructor(run, part, args, keywords, origin)
        return part
    if only_reads(run.project, cls, (*args, *keywords.values())):
        held, before = Instance(cls, external, origin=origin), len(run.storages)
        _run_constructor(run, held, args, keywords, origin)
        outer = run.frame.instance
        knowing = [each.cls for each in (held, outer) if isinstance(each, Instance) and each.cls is not None]
        if len(run.storages) == before and not written_by_others(run.project, held, knowing):
            return held
    for value in (*args, *keywords.values()):
        run.escape(value, f"passed to {cls.definition.name}")
    if run.built is not None and run.built.cls in (run.project.mro(cls) or ()):
        return run.built
    return _opaque(cls, external, args, origin)


def _opaque(cls: Defined, external: str | None, args: list[Value], origin: Origin) -> Instance:
    """Return an object whose constructor runs separately."""
    instance = Instance(cls, external, opaque=True, arguments=tuple(args), origin=origin)
    if external in torch_api.SEQUENCES:
        instance.complete = False
    return instance


def _construct_in_program(
    run: Run,
    following: Following,
    instance: Instance,
    args: list[Value],
    keywords: dict[str, Value],
    origin: Origin,
) -> Value:
    """Return an object that a program creates: of the class that is followed, or of one that may contain or use it.

    In a model that may contain the class in an unreadable way, the followed object is a child without a name.
    """
    cls, built = instance.cls, run.built
    assert cls is not None
    if built is not None and built.cls in (run.project.mro(cls) or ()):
        passed = _passed(run, following, cls, args, keywords, origin)
        following.builds.append(Build(_outermost(run, origin), run.condition, passed))
        following.is_certain = True
        if cls != built.cls:
            built.cls = cls
            if run.project.method(cls, "__init__") != following.constructor:
                _run_constructor(run, built, args, keywords, origin)
        return built
    if instance.external in torch_api.SEQUENCES and not isinstance(run.project.method(cls, "__init__"), Defined):
        run.call(modules.inherited(run, instance, "__init__", instance.external), args, keywords, origin)
        return instance
    is_given_one = any(isinstance(value, Instance | Tensor) for value in (*args, *keywords.values()))
    if cls not in run.holding and (instance.external is not None or not (is_given_one or following.uses(cls))):
        return _opaque(cls, instance.external, args, origin)
    before = len(following.builds)
    _run_constructor(run, instance, args, keywords, origin)
    run_hooks(run, instance, origin)
    if (
        built is not None
        and cls in run.holding
        and not _is_made_of_others(run, [*args, *keywords.values()], built)
        and all(each is not built for _, _, each in modules.all_modules(run, instance))
    ):
        instance.attributes["f'{...}'"] = built
        if len(following.builds) == before:
            following.is_certain &= bool(following.builds)
            following.builds.append(Build(_outermost(run, origin), run.condition))
    return instance


def _is_made_of_others(run: Run, values: list[Value], built: Instance) -> bool:
    """Whether a model is given classes of modules to make its parts of, and the followed object is of none of these."""
    given = [each.defined for each in values if isinstance(each, Class) and run.project.is_module_class(each.defined)]
    related = (each in run.holding or built.cls in (run.project.mro(each) or ()) for each in given)
    return bool(given) and not any(related)


def run_hooks(run: Run, instance: Instance, origin: Origin | None) -> None:
    """Call what a framework calls on an object before the first step, as far as its classes have it."""
    assert instance.cls is not None
    order = run.project.mro(instance.cls) or ()
    packages = {base.name.partition(".")[0] for base in order if isinstance(base, External)}
    for name in dict.fromkeys(name for each in packages for name in CALLED_BY_FRAMEWORK.get(each, ())):
        method = run.project.method(instance.cls, name)
        if isinstance(method, Defined) and method.definition.parent is not None:
            owner = Defined(method.module, method.definition.parent)
            run.invoke(Function(method, instance, owner), [], {}, origin)


def _passed(
    run: Run, following: Following, cls: Defined, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> dict[str, Value]:
    """Return the arguments of a constructor by name; none if the name of some argument is unknown."""
    method, call = run.project.method(cls, "__init__"), origin.node
    found = method.module.function(method.definition) if isinstance(method, Defined) else None
    if method != following.constructor or found is None or not isinstance(call, ast.Call):
        return {}
    if any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords):
        return {}
    params = found[1].args
    names = [each.arg for each in (*params.posonlyargs, *params.args)][1:]
    given: dict[str, Value] = {
        name: Constant(value.value) for name, value in defaults(params).items() if isinstance(value, ast.Constant)
    }
    return given | dict(zip(names, args, strict=False)) | keywords


def _run_constructor(
    run: Run, instance: Instance, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> None:
    assert instance.cls is not None
    method = run.project.method(instance.cls, "__init__")
    if isinstance(method, Defined) and method.qualname not in NEUTRAL_CONSTRUCTORS:
        parent = method.definition.parent
        owner = Defined(method.module, parent) if parent is not None else None
        run.invoke(Function(method, instance, owner), args, keywords, origin)


def _outermost(run: Run, origin: Origin) -> Origin:
    """Return the place in the outermost code of a program that causes what happens now."""
    return next((frame.called_from for frame in run.frames[1:] if frame.called_from is not None), origin)


def torch_base(run: Run, cls: Defined) -> str | None:
    """Return the nearest torch class that a class of the project derives from."""
    for base in run.project.mro(cls) or ():
        if isinstance(base, External) and base.name in MODULE_BASES:
            return "torch.nn.Module"
        if isinstance(base, External) and base.name.startswith("torch."):
            return base.name
    return None


def has_torch_bases(run: Run, cls: Defined) -> bool:
    """Whether all that a class derives from is torch's or can be read."""
    known = (
        each.name.startswith("torch.") or each.name in KNOWN_BASES
        for each in run.project.mro(cls) or ()
        if isinstance(each, External)
    )
    return all(known)


def call_api(run: Run, name: str, args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
    """Call a name of a package, described by tables or unknown."""
    package = name.partition(".")[0]
    if package == "torch":
        return overlay.call(run, name, args, keywords, origin)
    if package == "builtins" and name not in EXITS:
        return builtin_functions.call(run, name.removeprefix("builtins."), args, keywords, origin)
    if name in EXITS:
        run.impossible.append(run.condition)  # nothing goes on
    if name in ("typing.cast", "typing_extensions.cast") and len(args) == 2:
        return args[1]
    if name in ("copy.copy", "copy.deepcopy") and args and isinstance(args[0], Mapping):
        return Mapping(dict(args[0].items), args[0].complete)
    if name == "functools.partial" and args:
        return _partial(run, args, keywords)
    if name.startswith("math."):
        return builtin_functions.mathematics(name.removeprefix("math."), args)
    if name.startswith("numpy.random.") or (package == "numpy" and name.removeprefix("numpy.") in ARRAYS):
        return UNKNOWN
    if name in FILLING_HELPERS:
        for value in (*args, *keywords.values()):
            modules.initialize(run, value, name, origin)
        return NONE
    if package not in PURE_PACKAGES and name not in GATHERS:
        for value in (*args, *keywords.values()):
            run.escape(value, f"passed to {name}")
    return Symbol(f"{name}({', '.join(map(text, args))})")


def _partial(run: Run, args: list[Value], keywords: dict[str, Value]) -> Value:
    function, *bound = args

    def apply(more: list[Value], extra: dict[str, Value], origin: Origin) -> Value:
        return call_value(run, function, [*bound, *more], {**keywords, **extra}, origin)

    return Builtin("partial", apply)


# Attributes


def instance_attribute(run: Run, instance: Instance, name: str) -> Value:
    """Return ``instance.name``: of the object, of its class, then of ``nn.Module``."""
    if name in instance.attributes:
        found = simplify(instance.attributes[name], run.condition)
        if found is not UNSET:
            return found
    if name == "__class__":
        return Class(instance.cls) if instance.cls is not None else Api(instance.external or "?")
    if instance.cls is not None:
        if instance.opaque and run.stand_in is not None and name in TRAVERSALS and instance.cls in run.holding:
            return instance_attribute(run, run.stand_in, name)
        if instance.opaque and name not in TRAVERSALS:
            unknown = Symbol(f"{instance.cls.definition.name}#{id(instance)}.{name}")
            return _method_of_opaque(run, instance, instance.cls, name, unknown) or unknown
        assigned = _assigned_method(run, instance, instance.cls, name)
        if assigned is not None:
            return assigned
        found_method = run.project.method(instance.cls, name)
        if isinstance(found_method, Defined):
            return bound(run, found_method, instance)
    known = modules.attribute(run, instance, name)
    return known if known is not None else Symbol(f"self.{name}")


def _method_of_opaque(run: Run, instance: Instance, cls: Defined, name: str, unknown: Symbol) -> Value | None:
    """Return a method that a program calls on an object other than a module; it is followed if it may get at one."""
    found = run.project.method(cls, name) if run.following is not None and instance.external is None else None
    if not isinstance(found, Defined) or found.definition.start != found.definition.row:
        return None
    method = bound(run, found, instance)

    def follow(args: list[Value], keywords: dict[str, Value], origin: Origin) -> Value:
        reached = (*args, *keywords.values(), *instance.attributes.values())
        given = any(isinstance(value, Instance | Tensor) for value in reached)
        return call_value(run, method if given else unknown, args, keywords, origin)

    return Builtin(name, follow)


def _assigned_method(run: Run, instance: Instance, cls: Defined, name: str) -> Value | None:
    """Return a function that the body of a class gives a name: ``reset = nn.Linear.reset_parameters``."""
    for base in run.project.mro(cls) or (cls,):
        if not isinstance(base, Defined) or name in base.definition.members:
            return None
        value = assigned_in(base).get(name)
        if value is not None:
            while isinstance(value, ast.Call) and len(value.args) == 1 and _is_of_jit(run, base, value.func):
                value = value.args[0]
            full = dotted(value)
            function = run.resolved(run.project.resolve(base.module, full)) if full else UNKNOWN
            if isinstance(function, Function):
                return replace(function, instance=instance, owner=base)
            if isinstance(function, Api) and METHOD_OF_A_CLASS.search(function.name):
                return _partial(run, [function, instance], {})
            return None
    return None


def _is_of_jit(run: Run, base: Defined, function: ast.expr) -> bool:
    """Whether a function gives back what it is given, with a mark for the compiler."""
    found = run.project.resolve(base.module, dotted(function)) if dotted(function) else None
    return isinstance(found, External) and found.name.startswith("torch.jit.")


def bound(run: Run, method: Defined, instance: Instance) -> Value:
    """Return a method bound to an instance, or the value of a property."""
    done = run.following is not None and instance is run.built and method == run.following.constructor
    if done or method.qualname in NEUTRAL_CONSTRUCTORS:
        return Builtin("__init__", lambda args, keywords, origin: NONE)
    if (applied := APPLYING_METHODS.get(method.qualname)) is not None:
        name = applied
        return Builtin("apply", lambda args, keywords, origin: modules.apply_method(run, instance, name, origin))
    parent = method.definition.parent
    owner = Defined(method.module, parent) if parent is not None else None
    function = Function(method, instance, owner)
    if method.definition.start != method.definition.row:
        found = method.module.function(method.definition)
        if found is not None:
            _, node = found
            if has_decorator(node, "property", "cached_property", "functools.cached_property"):
                return run.invoke(function, [], {}, None)
            if has_decorator(node, "classmethod") and instance.cls is not None:
                return Function(method, Class(instance.cls), owner)
    return function


def _given_class(method: Defined, cls: Class) -> Class | None:
    """Return the class, if a method takes it as its first argument."""
    found = method.module.function(method.definition) if method.definition.start != method.definition.row else None
    return cls if found is not None and has_decorator(found[1], "classmethod") else None


def super_attribute(run: Run, value: Super, name: str) -> Value:
    """Return ``super().name``."""
    cls = value.instance.cls
    found = run.project.method(cls, name, after=value.owner) if cls is not None else None
    if isinstance(found, Defined):
        return bound(run, found, value.instance)
    external = found.name if isinstance(found, External) else None
    return modules.inherited(run, value.instance, name, external)


def class_attribute(run: Run, value: Class, name: str) -> Value:
    """Return ``Class.name``."""
    if name in ("__name__", "__qualname__"):
        return Constant(value.defined.definition.name)
    member = value.defined.definition.members.get(name)
    if member is not None:
        inner = Defined(value.defined.module, member)
        return Class(inner) if member.is_class else Function(inner, _given_class(inner, value), value.defined)
    method = run.project.method(value.defined, name)
    if isinstance(method, Defined):
        return Function(method, _given_class(method, value), value.defined)
    if name == "__init__":
        return Builtin(name, lambda args, keywords, origin: NONE)
    return Symbol(f"{value.defined.qualname}.{name}")


def container_method(run: Run, owner: Sequence | Mapping | Constant, name: str) -> Value:
    """Return a method of a list, dict, string or number."""
    action: Callable[..., Value] = builtin_functions.container
    return Builtin(name, lambda args, keywords, origin: action(run, owner, name, args, keywords))
