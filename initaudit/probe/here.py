"""The probe in the process of the caller, for Python code with a model. Imports torch."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import torch

from initaudit.observation import Observation, Question
from initaudit.probe.audit.stages import audit
from initaudit.probe.forward.given import as_inputs, check
from initaudit.probe.record.declarations import users_class, wrapped
from initaudit.probe.request import Target, TargetError
from initaudit.probe.target.resolve import Resolved


def observe(
    model: Callable[[], torch.nn.Module] | torch.nn.Module,
    inputs: Any,
    *,
    questions: frozenset[Question],
    **how: Any,
) -> Observation:
    """What a class, a factory or an instance shows. ``inputs`` is a tensor, a tuple or a dictionary of them, or None.
    ``how`` are fields of `Target`.

    The factory is called once for each build. The generators of random numbers are left as they were found.
    """
    if not callable(model):
        raise TargetError(f"{model!r} is neither a class, a function nor a module instance")
    target = Target(
        spec=_name(model),
        questions=questions,
        inputs=None if inputs is None else as_inputs(inputs),
        **how,
    )
    check(target)
    with _generators_kept():
        return audit(target, Resolved(target, model), lambda stage, known: None)


def _name(model: Any) -> str:
    named = users_class(type(wrapped(model))) if isinstance(model, torch.nn.Module) else model
    return f"{getattr(named, '__module__', '')}:{getattr(named, '__qualname__', type(named).__qualname__)}"


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    python = random.getstate()
    numpy_random: Any = None
    with contextlib.suppress(ImportError):
        from numpy import random as numpy_random
    state = numpy_random.get_state() if numpy_random is not None else None
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        if state is not None:
            numpy_random.set_state(state)
