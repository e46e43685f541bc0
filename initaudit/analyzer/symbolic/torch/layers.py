"""Torch's own layers: how they are constructed, their weights, and forward as a signal."""

from __future__ import annotations

from initaudit.analyzer import torch_api
from initaudit.analyzer.project.names import Defined
from initaudit.analyzer.symbolic import signals, tensors
from initaudit.analyzer.symbolic.run import Run
from initaudit.analyzer.symbolic.torch import functions
from initaudit.analyzer.symbolic.torch.call import Call, Handler
from initaudit.analyzer.symbolic.values import (
    UNKNOWN,
    Api,
    Choice,
    Constant,
    Instance,
    Mapping,
    Memory,
    Origin,
    Sequence,
    Signal,
    Storage,
    Tensor,
    Value,
    leaves,
    simplify,
)
from initaudit.schemes import distribution_of

WITH_WEIGHT = torch_api.LINEAR_LIKE | torch_api.NORMALIZATIONS | {"Embedding", "EmbeddingBag", "PReLU"}


def construct(run: Run, call: Call) -> Value:
    """Return an object of a layer of torch, or what another function of ``torch.nn`` gives."""
    if not call.short[:1].isupper() or (call.args and isinstance(call.args[0], Signal)):
        return functions.other(run, call)
    name, short, args, keywords, origin = call.name, call.short, call.args, call.keywords, call.origin
    instance = Instance(None, name, arguments=(*args, *keywords.values()), origin=origin)
    for size in args[: torch_api.SIZES.get(short, 0)]:
        run.integer(size)
    if name in torch_api.SEQUENCES:
        items = [item for arg in args for item in sequence_items(run, arg, single=short == "Sequential")]
        instance.children = items
        instance.length = next((arg.length for arg in args if isinstance(arg, Sequence)), None)
        instance.complete = all(not isinstance(item, type(UNKNOWN)) for item in items)
        run.sequences.append(instance)
    elif name in torch_api.MAPPINGS and args and isinstance(args[0], Mapping):
        instance.attributes = dict(args[0].items)
        instance.children = list(args[0].items.values())
    elif short in WITH_WEIGHT:
        add_weights(run, instance, short, args, keywords, origin)
    elif short.startswith(("Uninitialized", "Lazy")):
        return UNKNOWN
    elif short in torch_api.WRAPPERS and args:
        instance.attributes["module"] = args[0]
    return instance


def skipped(run: Run, call: Call) -> Value:
    """Return a layer of torch that ``skip_init`` creates, whose memory nothing writes."""
    match call.args:
        case [Api(name), *args]:
            made = construct(run, Call(name, args, call.keywords, call.origin))
        case _:
            return UNKNOWN
    for value in made.attributes.values() if isinstance(made, Instance) else ():
        if isinstance(value, Tensor) and isinstance(value.storage, Memory):
            storage = value.storage.storage
            storage.raw, storage.call, storage.distribution = True, call.name, None
            run.storages.append(storage)
    return made


HANDLERS: dict[str, Handler] = dict.fromkeys(("torch.nn.utils.skip_init", "torch.nn.utils.init.skip_init"), skipped)


def sequence_items(run: Run, arg: Value, *, single: bool) -> list[Value]:
    """Return the modules that a container is given in one argument, which is one of them where it is ``single``."""
    if isinstance(arg, Sequence):
        return list(arg.items)
    if isinstance(arg, Mapping):
        return list(arg.items.values())
    return [arg] if single else [item for _, item in run.iterate(arg)]


def add_weights(
    run: Run, instance: Instance, short: str, args: list[Value], keywords: dict[str, Value], origin: Origin
) -> None:
    """The weight and bias of a torch layer, which its own constructor initializes."""
    shape = _weight_shape(short, args, keywords)
    for name in ("weight", "bias"):
        if name == "bias" and (
            short in ("Embedding", "EmbeddingBag", "PReLU") or keywords.get("bias") == Constant(False)
        ):
            continue
        own = shape if name == "weight" else (shape[:1] if shape else None)
        storage = Storage(origin, f"nn.{short}", raw=False, condition=run.condition, shape=own)
        if (
            name == "weight"
            and short in torch_api.LINEAR_LIKE
            and (known := tensors.known_shape(own))
            and None not in known
        ):
            complete = tuple(size for size in known if size is not None)
            storage.distribution = distribution_of("init.kaiming_uniform_", complete, (5**0.5,))
        instance.attributes[name] = Tensor(Memory(storage), parameter=True)


def _weight_shape(short: str, args: list[Value], keywords: dict[str, Value]) -> tuple[Value, ...] | None:
    def argument(position: int, *names: str) -> Value | None:
        for name in names:
            if name in keywords:
                return keywords[name]
        return args[position] if position < len(args) else None

    if short == "Linear":
        fan_in, fan_out = argument(0, "in_features"), argument(1, "out_features")
        return None if fan_in is None or fan_out is None else (fan_out, fan_in)
    if short in ("Conv1d", "Conv2d", "Conv3d") and "groups" not in keywords:
        inputs, outputs, kernel = argument(0, "in_channels"), argument(1, "out_channels"), argument(2, "kernel_size")
        if inputs is None or outputs is None or kernel is None:
            return None
        sizes = kernel.items if isinstance(kernel, Sequence) else [kernel] * int(short[4])
        return (outputs, inputs, *sizes)
    return None


def forward(run: Run, instance: Instance, args: list[Value], origin: Origin) -> Value:
    """Call a module: the output of a weight, or what a signal meets in an activation or a normalization."""
    signal = simplify(args[0], run.condition) if args else UNKNOWN
    if isinstance(signal, Choice):
        signal = next((leaf for _, leaf in leaves(signal, run.condition) if isinstance(leaf, Signal)), UNKNOWN)
    if instance.external is None or not isinstance(signal, Signal):
        return UNKNOWN
    short = instance.external.rpartition(".")[2]
    if instance.cls is not None:
        known = short == "Sequential" and not isinstance(run.project.method(instance.cls, "forward"), Defined)
        return _through(run, instance, signal, origin) if known else UNKNOWN
    if short in torch_api.LINEAR_LIKE:
        return signal.through(instance)
    if short == "Sequential":
        return _through(run, instance, signal, origin)
    if short in torch_api.NORMALIZATIONS:
        return Signal(signal.weight, signal.activation, True)
    if short in torch_api.ACTIVATION_MODULES:
        return signals.meet(run, signal, f"torch.nn.{short}")
    return signal if short in torch_api.TRANSPARENT else UNKNOWN


def _through(run: Run, sequential: Instance, signal: Value, origin: Origin) -> Value:
    """Call the modules of a Sequential; those that were added by a name come behind the others."""
    if not sequential.complete:
        return UNKNOWN
    named = (each for each in sequential.attributes.values() if not isinstance(each, Constant | Tensor))
    for child in (*sequential.children, *named):
        if not isinstance(child, Instance):
            return UNKNOWN
        signal = forward(run, child, [signal], origin)
    return signal
