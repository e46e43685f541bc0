"""The initial loss of a classifier, if an output is certainly over classes."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Collection

import msgspec
import torch

from initaudit.probe.record.arguments import integers_given
from initaudit.probe.signal.uses import Use

COUNTS = (
    "num_classes", "n_classes", "num_class", "n_class", "nb_classes", "nclass", "nclasses", "class_num", "num_labels",
    "n_labels", "vocab_size", "n_vocab", "num_tokens", "n_tokens", "ntoken", "ntokens",
)  # fmt: skip
"""Names of the number of classes in models and configurations."""
SIZES = (
    "n_outputs", "num_outputs", "n_out", "nc", "out_channels", "out_features", "c_out", "output_dim", "out_dim",
    "dim_out", "output_size",
)  # fmt: skip
"""Names of the size of an output that may be over classes."""
OWNERS = ("config", "cfg", "hparams", "args")
"""Attributes in which models keep their configuration."""
HEADS = frozenset({"classifier", "logits", "cls", "head", "fc", "classes"})
"""Names of layers, or last words of them ("lm_head"), whose output is over classes in most models."""
CLASSIFIER = re.compile(r"(Classifier|Classification|Segmentation|Segmenter|Tagger)$")
"""Ends of the names of models whose output is over classes."""
LABELS = frozenset({"label", "labels"})
"""Names of the argument of a forward for target classes; ``targets`` may be anything."""
LOGITS = "logits"
"""The name under which models return logits, alone or as the last word ("class_logits")."""
NEARLY_ONE = 1e-3
TINY = 1e-38


class Loss(msgspec.Struct, frozen=True):
    """Nats above ln(classes), on average over samples and over all labels, with the standard error.

    ``guessed`` says that only a name suggests that the output is over classes.
    """

    classes: int
    excess: float
    error: float
    known_by: str
    guessed: bool = False


class Head(msgspec.Struct, frozen=True):
    """An output of the model, and the use of the weight that computes it.

    ``name`` is its key or attribute in what the forward returns. ``scored`` says that the forward itself takes a
    negative log likelihood of it, as models that return their loss do.
    """

    use: Use
    output: torch.Tensor
    name: str | None = None
    scored: bool = False


def initial_loss(model: torch.nn.Module, head: Head, tables: Collection[int]) -> Loss | None:
    """Return the cross entropy of an output over classes, for equally likely labels; None for other outputs.

    It is over classes if it holds logarithms of probabilities, which the model returns or takes a loss of, if the
    model ends in a softmax or returns it as logits, or if it is as wide as the number of classes: the value of an
    attribute, of an argument of the constructor or of an entry of the configuration with such a name, or one of
    ``tables``, the numbers of rows of the tables that inputs index. If only the name of the layer, of a size or of the
    model suggests classes, or if the model ends in a linear layer that gives numbers for each sample, it is a guess,
    made without the bias; an output that is returned under another name is not guessed.
    """
    use, output = head.use, head.output.detach()
    if output.dim() < 2 or not output.is_floating_point():
        return None
    if (told := _logarithms(output)) is not None:
        return _loss(told, "the loss that it returns" if head.scored else "log_softmax")
    classes = use.units
    axis = next((axis for axis in (-1, 1) if output.shape[axis] == classes), None)
    if axis is None or classes < 2 or head.scored:
        return None
    values = output.transpose(axis, -1).reshape(-1, classes).double()
    if use.activation is None and (head.name or "").rpartition("_")[2] == LOGITS:
        return _loss(torch.log_softmax(values, dim=-1), f"returned as `{head.name}`")
    match use.activation:
        case "softmax":
            return _loss(values.clamp_min(TINY).log(), "softmax") if _sums_to_one(values) else None
        case None if (count := _counted(model, classes, tables)) is not None:
            return _loss(torch.log_softmax(values, dim=-1), count)
        case None if head.name is None and (guess := _suggested(model, use.path, classes) or _last(model, head)):
            weighed = values - _offset(model, use).to(values)  # what a regression adds is the mean of what it predicts
            return msgspec.structs.replace(_loss(torch.log_softmax(weighed, dim=-1), guess), guessed=True)
        case _:
            return None


def _logarithms(output: torch.Tensor) -> torch.Tensor | None:
    """Return an output that holds the logarithms of probabilities, one row for each distribution."""
    for axis in (-1, 1) if bool((output <= 0).all()) else ():
        rows = output.transpose(axis, -1).reshape(-1, output.shape[axis]).double()
        if rows.shape[-1] > 1 and _sums_to_one(rows.exp()):
            return rows
    return None


def _sums_to_one(rows: torch.Tensor) -> bool:
    return bool(((rows.sum(dim=-1) - 1).abs() < NEARLY_ONE).all())


def _counted(model: torch.nn.Module, classes: int, tables: Collection[int]) -> str | None:
    """Return what gives the number of classes: an attribute, an argument of the constructor, or the table of tokens."""
    if classes in tables:
        return "as many as the rows of a table that the input indexes"
    given = integers_given(model) or {}
    asked = next((name for name in COUNTS if classes in given.get(name, ())), None)
    return _named(model, COUNTS, classes) or (f"the argument `{asked}`" if asked else None)


def _suggested(model: torch.nn.Module, path: str, classes: int) -> str | None:
    """Return the name of a size, a layer, the model or an argument that suggests an output over classes."""
    layer = next((part for part in path.split(".") if part.rpartition("_")[2] in HEADS), None)
    named = _named(model, SIZES, classes) or (f"the name `{layer}`" if layer else None)
    if named is None and CLASSIFIER.search(type(model).__name__):
        named = f"the name `{type(model).__name__}`"
    arguments = [name for name in _arguments(model.forward) if name in LABELS]
    if integers_given(model) is None:  # the value of the argument is not known
        arguments += [name for name in COUNTS if name in _arguments(type(model).__init__)]
    return named or (f"the argument `{arguments[0]}`" if arguments else None)


def _last(model: torch.nn.Module, head: Head) -> str | None:
    """Return a description of the last layer, if it is linear and gives a vector for each sample."""
    owner, _, _ = head.use.path.rpartition(".")
    linear = isinstance(dict(model.named_modules()).get(owner), torch.nn.Linear)
    return f"the last linear layer `{owner}`" if linear and head.output.dim() == 2 else None


def _offset(model: torch.nn.Module, use: Use) -> torch.Tensor:
    """Return the bias that an output holds, one number for each of its units; zero if there is none."""
    bias = dict(model.named_parameters()).get(use.bias or "")
    return bias.detach() if bias is not None and bias.shape == (use.units,) else torch.zeros(())


def _arguments(function: Callable[..., object]) -> Collection[str]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function that is not written in Python
        return ()


def _named(model: torch.nn.Module, names: tuple[str, ...], size: int) -> str | None:
    for owner in (model, *(getattr(model, one, None) for one in OWNERS)):
        for name in names:
            found = owner.get(name) if isinstance(owner, dict) else getattr(owner, name, None)
            if type(found) is int and found == size:
                return name
    return None


def _loss(logarithms: torch.Tensor, known_by: str) -> Loss:
    samples, classes = logarithms.shape
    excess = -logarithms.mean(dim=-1) - math.log(classes)
    error = float(excess.std(correction=0)) / math.sqrt(samples)
    return Loss(classes, float(excess.mean()), error, known_by)
