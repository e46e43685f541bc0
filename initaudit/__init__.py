"""Find wrong or missing parameter initialization in PyTorch, in source and in built models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from initaudit.version import __version__

if TYPE_CHECKING:
    from initaudit.engine import Report
    from initaudit.finding import Finding

__all__ = ["Finding", "Report", "__version__", "audit", "check"]


def check(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    preview: bool | None = None,
    config: str | None = None,
    isolated: bool = False,
    probe: bool = False,
    jobs: int | None = None,
    cache: bool = False,
) -> Report:
    """Check files and folders, as the command does; ``probe`` also builds the models listed in the configuration.

    The cache is neither read nor written unless ``cache`` is true.
    """
    from initaudit.engine import run
    from initaudit.session import Asked, prepare
    from initaudit.settings import Overrides

    overrides = Overrides(select=None if select is None else tuple(select), ignore=tuple(ignore), preview=preview)
    asked = Asked(
        paths=tuple(os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)),
        overrides=overrides,
        config=config,
        isolated=isolated,
        probe=probe,
        jobs=jobs,
        cache=cache,
        read=True,
    )
    prepared = prepare(asked)
    return prepared.with_errors(run(prepared.task, prepared.watches))


def audit(
    model: Callable[[], Any] | Any,
    inputs: Any = None,
    *,
    seed: int = 0,
    seeds: int = 1,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    preview: bool | None = None,
    config: str | None = None,
    isolated: bool = False,
    replay: bool = False,
    reinit: str | None = None,
    missing_keys: Iterable[str] = (),
    state_dict: str | os.PathLike[str] | None = None,
) -> Report:
    """Build a model in this process and report what is wrong, with the configuration of the current folder.

    ``model`` is a class or a factory without arguments, which is called for every build, or an instance. Of an
    instance, the values are audited, and with ``inputs`` a forward of a copy; if it keeps the arguments of its
    constructor (``config``, ``hparams``), what the constructor leaves unwritten is a note. If several ranks hold
    it, every rank has to call, and all get the same report. ``inputs`` are the arguments of the forward: a tensor,
    a tuple of tensors, or a dictionary by name. ``seeds`` is the number of seeds, from ``seed`` on, to measure
    forward and backward for. The ``observations`` of the report hold what was measured. With ``replay``, the model
    is also built on the meta device, gets its memory from ``to_empty()``, and is initialized again, as its
    framework does or by ``reinit``, the name of a function ("module:function") that takes the model; what is lost
    on the way is reported. With ``missing_keys``, keys of the state dict or patterns of them, a state dict without
    them is loaded too: the model's, or that of the file ``state_dict``. Raises ``initaudit.probe.TargetError`` if a
    factory returns no model.
    """
    from initaudit.engine import Task, run
    from initaudit.observers import building_here
    from initaudit.settings import Overrides, load

    overrides = Overrides(select=None if select is None else tuple(select), ignore=tuple(ignore), preview=preview)
    missing = tuple(missing_keys)
    replay = replay or reinit is not None or bool(missing) or state_dict is not None
    task = Task(configuration=load((), overrides, config=config, isolated=isolated), replays=replay)
    file = None if state_dict is None else os.fspath(state_dict)
    how = {"replay": replay, "reinit": reinit, "missing_keys": missing, "state_dict": file}
    return run(task, [building_here(model, inputs, seed=seed, seeds=seeds, **how)])


def __getattr__(name: str) -> object:
    """Import Finding and Report on first access, so that importing initaudit is fast."""
    if name == "Finding":
        from initaudit.finding import Finding

        return Finding
    if name == "Report":
        from initaudit.engine import Report

        return Report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
