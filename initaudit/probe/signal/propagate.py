"""One forward and one backward of a built model, followed and measured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import torch

from initaudit.probe.blame import crossing
from initaudit.probe.record.poison import seed_everything
from initaudit.probe.record.storages import key_of
from initaudit.probe.record.watch import tensors_in
from initaudit.probe.signal.attention import Attention
from initaudit.probe.signal.follow import Follow, Tracked, differs_over_batch
from initaudit.probe.signal.losses import Loss, initial_loss
from initaudit.probe.signal.measure import is_dense
from initaudit.probe.signal.sums import Sum
from initaudit.probe.signal.uses import Steps, Use, settle
from initaudit.probe.words import describe

Given = tuple[tuple[Any, ...], dict[str, Any]]
TRACKING = ("running_mean", "running_var")


class Pass(msgspec.Struct, frozen=True):
    """What one forward and backward showed.

    ``gradients`` are the rms of each weight's gradient by path; ``no_gradient`` says why there are none. ``influenced``
    are the parameters whose gradients depend on what nothing wrote, and on which tensor. ``allocates`` is that of
    ``Follow``, and ``unfollowed`` that of ``Making``. ``losses`` are by the paths of layers, ``sums`` and
    ``attentions`` those that were measured.
    """

    uses: tuple[Use, ...]
    chains: tuple[tuple[Steps, bool], ...]
    read: frozenset[str]
    gradients: dict[str, float]
    no_gradient: str | None
    losses: dict[str, Loss]
    batch: int | None
    varied: bool
    influenced: dict[str, str] = {}
    allocates: bool = False
    unfollowed: dict[str, str] = {}
    sums: tuple[Sum, ...] = ()
    attentions: tuple[Attention, ...] = ()


def propagate(
    model: torch.nn.Module, given: Given, tracked: Tracked, seed: int, *, training: bool = True, dropping: bool = False
) -> Pass:
    """Run the model forward and backward, as it is trained but without dropout. Raises whatever the forward raises.

    Without ``training`` there is no gradient, and nothing is normalized by the batch; when ``dropping``, with dropout.
    """
    batch = common_batch(given)
    follow = Follow(tracked, given, batch)
    seed_everything(seed)
    with measurable(model, normalized=training, dropping=dropping), torch.set_grad_enabled(training):
        with follow:
            returned = forwarded(model, given)
            outputs = plain_outputs(returned)
        if follow.failure is not None:
            raise follow.failure
        follow.finish(outputs, names_of(returned))
        named = dict(model.named_parameters(remove_duplicate=False))
        made = settle(follow.uses, named)
        gradients, reason = _gradients(model, outputs, seed, made)
    return Pass(
        uses=tuple(follow.uses),
        chains=tuple(follow.chains),
        read=frozenset(follow.read),
        gradients=gradients,
        no_gradient=reason,
        unfollowed=dict(follow.making.unfollowed),
        sums=tuple(follow.sums.found),
        attentions=tuple(follow.attentions.found),
        losses=_losses(model, follow),
        batch=batch,
        varied=any(differs_over_batch(tensor) for tensor in tensors_in(given)),
        influenced=_influenced(model, follow) if tracked.unwritten else {},
        allocates=follow.allocates,
    )


@crossing
def forwarded(model: torch.nn.Module, given: Given) -> Any:
    """Return what the model's forward makes of its inputs. Raises whatever it raises."""
    return model(*given[0], **given[1])


@crossing
def differentiated(
    outputs: list[torch.Tensor], inputs: list[torch.Tensor], cotangents: list[torch.Tensor]
) -> tuple[torch.Tensor | None, ...]:
    """Return the gradient for each input, None where no output depends on it. Raises whatever a backward raises.

    A reentrant checkpoint refuses to be asked for some gradients alone.
    """
    if not _recomputes(outputs):
        return torch.autograd.grad(outputs, inputs, cotangents, allow_unused=True)
    for one in inputs:
        one.retain_grad()
    before = [one.grad for one in inputs]
    for one in inputs:
        one.grad = None
    torch.autograd.backward(outputs, cotangents)
    found = tuple(one.grad for one in inputs)
    for one, gradient in zip(inputs, before, strict=True):
        one.grad = gradient
    return found


def _recomputes(outputs: list[torch.Tensor]) -> bool:
    """Whether a backward runs a part of the forward again, within a backward of its own."""
    waiting = [one.grad_fn for one in outputs]
    met = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in met:
            continue
        if node.name().startswith("CheckpointFunction"):
            return True
        met.add(node)
        waiting += [before for before, _ in node.next_functions]
    return False


def _losses(model: torch.nn.Module, follow: Follow) -> dict[str, Loss]:
    """The initial loss of each output that is over classes and depends on nothing unwritten, by the layer's path."""
    found: dict[str, Loss] = {}
    for head in follow.heads:
        label = head.use.label
        loss = initial_loss(model, head, follow.looked_up) if head.use.depends is None else None
        if loss is not None and label not in found:
            head.use.output = True  # where it is added to another one too
            found[label] = loss
    return found


def _influenced(model: torch.nn.Module, follow: Follow) -> dict[str, str]:
    reached = follow.influenced()
    named = ((name, key_of(one)) for name, one in model.named_parameters(remove_duplicate=False))
    return {name: reached[key] for name, key in named if key in reached}


def common_batch(given: Given) -> int | None:
    """The first dimension that all inputs have in common; None for a graph that comes with its adjacency matrix."""
    tensors = [tensor for tensor in tensors_in(given) if tensor.dim() > 0]
    sizes = {tensor.shape[0] for tensor in tensors}
    tied = len(tensors) > 1 and any(map(_is_adjacency, tensors))
    return sizes.pop() if len(sizes) == 1 and not tied else None


def _is_adjacency(tensor: torch.Tensor) -> bool:
    square = tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1] and is_dense(tensor)
    return square and tensor.is_floating_point() and bool((tensor >= 0).all())


@contextlib.contextmanager
def measurable(model: torch.nn.Module, *, normalized: bool, dropping: bool) -> Iterator[None]:
    """In evaluation mode, so that nothing is dropped, but with the batch's own statistics where those normalize.

    Before training, a BatchNorm in evaluation mode normalizes nothing. Step by step: the fused attention and the fused
    LSTM of torch would hide what follows what. The model is left as it was, running statistics too.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers() if is_dense(buffer)]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    onednn = torch.backends.mkldnn.enabled
    if any(isinstance(module, torch.nn.LSTM) for module, _ in modes):
        torch.backends.mkldnn.enabled = False
    model.train(dropping)
    for module, _ in modes:
        if normalized and any(getattr(module, name, None) is not None for name in TRACKING):
            module.training = True
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, before in buffers:
                if buffer.shape == before.shape and not torch.equal(buffer, before):
                    buffer.copy_(before)
        torch.backends.mha.set_fastpath_enabled(fast)
        torch.backends.mkldnn.enabled = onednn


def plain_outputs(value: Any) -> Any:
    """What a model gives, with the objects that carry tensors as attributes turned into dictionaries of them."""
    if isinstance(value, torch.Tensor | str | bytes | int | float | type(None)):
        return value
    if isinstance(value, dict):
        return {key: plain_outputs(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain_outputs(item) for item in value]
    if isinstance(value, torch.distributions.Distribution):
        return [one for name in value.arg_constraints if isinstance(one := getattr(value, name, None), torch.Tensor)]
    attributes = getattr(value, "__dict__", None)
    return [item for item in attributes.values() if isinstance(item, torch.Tensor)] if attributes else None


def names_of(returned: Any) -> dict[int, str]:
    """The names under which a model returns tensors, by the tensors' id: keys of a dictionary, or attributes."""
    if isinstance(returned, torch.Tensor | torch.distributions.Distribution):
        return {}
    if hasattr(returned, "_asdict"):
        returned = returned._asdict()
    named = returned if isinstance(returned, dict) else getattr(returned, "__dict__", {})
    return {id(one): key for key, one in named.items() if isinstance(key, str) and isinstance(one, torch.Tensor)}


def _gradients(
    model: torch.nn.Module, outputs: Any, seed: int, made: list[tuple[Use, torch.Tensor]]
) -> tuple[dict[str, float], str | None]:
    """The rms of every trainable weight's gradient, for a random cotangent: the sum of output * R over all outputs.

    Those of weights that are ``made`` of parameters are noted at their uses.
    """
    differentiable = [one for one in tensors_in(outputs) if one.requires_grad and is_dense(one) and one.numel()]
    named = [(name, one) for name, one in model.named_parameters() if one.requires_grad and one.dim() >= 2]
    weights = [(use, one) for use, one in made if one.requires_grad]
    if not differentiable or not (named or weights):
        return {}, "no output depends on a trainable weight with two or more dimensions"
    generator = torch.Generator().manual_seed(seed)
    cotangents = [torch.randn(one.shape, generator=generator).to(one) for one in differentiable]
    try:
        wanted = [*(one for _, one in named), *(one for _, one in weights)]
        found = differentiated(differentiable, wanted, cotangents)
    except Exception as error:  # whatever a backward of the user's raises
        return {}, f"the backward raised {describe(error)}"
    for (use, _), gradient in zip(weights, found[len(named) :], strict=True):
        use.gradient = _size(gradient)
    sizes = {name: _size(gradient) for (name, _), gradient in zip(named, found, strict=False)}
    return {name: size for name, size in sizes.items() if size is not None}, None


def _size(gradient: torch.Tensor | None) -> float | None:
    """The rms of a gradient, in double precision; None where there is none."""
    if gradient is None or not is_dense(gradient) or not gradient.numel():
        return None
    return float(torch.linalg.vector_norm(gradient.detach().abs(), dtype=torch.float64)) / gradient.numel() ** 0.5
